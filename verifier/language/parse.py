# SPDX-License-Identifier: GPL-2.0-or-later
"""Parse and type the small language (docs/language.md). Nothing is ever executed by Python.

`parse_function` turns a signature and a body into a typed syntax.Function. Expressions are typed by
verifier.language.expressions; statements here.
"""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass
from functools import lru_cache

from verifier.base.errors import SpecError, Where
from verifier.language.expressions import BINARY, ExpressionTyper, word_of
from verifier.language.meanings import Scope, parse_type
from verifier.language.names import loaded
from verifier.language.read_yaml import Source
from verifier.language.syntax import (
    INDEX,
    NOTHING,
    Assert,
    Assign,
    Const,
    Do,
    Function,
    Hardware,
    If,
    Local,
    Param,
    Return,
    State,
    Stmt,
    sets_in,
    type_name,
)

__all__ = ["Signature", "parse_function", "parse_signature"]

MAX_TEXT = 16 * 1024
MAX_DEPTH = 64
MAX_STATEMENTS = 400
MAX_UNROLLED = 8000
SPARE_MEMORY = 16 << 20  # bytes; where there are less, a text is not called too deep

_REFS = ("ptep", "pmdp", "pudp")
_SIGNATURE = re.compile(r"\s*\w+\s*(\([^()#]*\)\s*)?\Z")


@dataclass(frozen=True, slots=True)
class Signature:
    """A name and its parameters, as a key of a YAML file has them."""

    name: str
    params: tuple[Param, ...]


def parse_signature(text: str, where: Where, scope: Scope) -> Signature:
    """The signature in `pte_mkwrite(pte, shadow_stack: bool)`, or in a name without parameters.

    Raises SpecError at `where`.
    """
    tree = _parse(Source(f"def {text if '(' in text else text + '()'}: pass", where), where).tree
    node = tree.body[0] if len(tree.body) == 1 else None
    if not isinstance(node, ast.FunctionDef) or not _SIGNATURE.match(text):
        raise SpecError(where, f"{text!r} is no name with parameters")
    a = node.args
    if a.vararg or a.kwarg or a.kwonlyargs or a.posonlyargs or a.defaults:
        raise SpecError(where, "parameters are names, with a type where it is not pte")
    params: list[Param] = []
    for arg in a.args:
        kind: int | None = scope.width
        if arg.annotation is not None:
            kind = (parse_type(arg.annotation.id, scope) if isinstance(arg.annotation, ast.Name)
                    else None)
        if kind is None:
            raise SpecError(where, f"unknown type of parameter {arg.arg!r}; bool, pte, ulong, "
                                   "process or u1 to u128")
        if arg.arg in [p.name for p in params]:
            raise SpecError(where, f"parameter {arg.arg!r} stands twice")
        params.append(Param(arg.arg, kind, arg.arg in _REFS))
    return Signature(node.name, tuple(params))


def parse_function(signature: Signature, body: Source, scope: Scope, source: str = "") -> Function:
    """The typed function; SpecError at whatever is not of the language."""
    refs = {p.name for p in signature.params if p.by_ref}
    typer = _Typer(scope, body, {p.name: p.type for p in signature.params}, refs)
    parsed = _parse(body, body.where)
    typer.check_size(parsed)
    stmts = typer.whole(parsed.tree.body)
    pure = typer.pure and not any(p.by_ref for p in signature.params)
    sets = frozenset(p.name for p in signature.params if p.by_ref and sets_in(stmts, p.name))
    return Function(
        signature.name, signature.params, NOTHING if typer.returns is None else typer.returns,
        stmts, typer.kinds, pure, body.where, body.text, source, typer.depth, typer.nesting,
        typer.changes > 0 or bool(sets), sets,
    )


@dataclass(frozen=True, slots=True)
class _Parsed:
    """A text's syntax, which nobody changes, and how deep each node stands."""

    tree: ast.Module
    depths: dict[int, int]  # id of a node -> how deep it stands
    statements: int
    too_deep: ast.AST | None


@lru_cache(maxsize=1 << 14)
def _parsed(text: str) -> _Parsed:
    """The syntax of a text, without recursion.

    It is parsed once for all the variants and levels that it is typed for.
    """
    tree = ast.parse(text)
    todo: list[tuple[ast.AST, int]] = [(tree, 0)]
    depths: dict[int, int] = {}
    statements = 0
    while todo:
        node, depth = todo.pop()
        if depth > MAX_DEPTH:
            return _Parsed(tree, depths, statements, node)
        statements += isinstance(node, ast.stmt)
        depths[id(node)] = depth
        todo += [(child, depth + 1) for child in ast.iter_child_nodes(node)]
    return _Parsed(tree, depths, statements, None)


def _parse(source: Source, where: Where) -> _Parsed:
    if len(source.text) > MAX_TEXT:
        raise SpecError(where, f"text is longer than {MAX_TEXT} characters")
    try:
        with warnings.catch_warnings(action="ignore"):
            return _parsed(source.text)
    except SyntaxError as error:
        place = source.at(error.lineno or 1, max((error.offset or 1) - 1, 0))
        raise SpecError(place, f"not of the language: {error.msg}") from None
    except (RecursionError, MemoryError):
        bytearray(SPARE_MEMORY)  # Python's parser says MemoryError of a deep text too
        raise SpecError(where, f"nests deeper than {MAX_DEPTH}") from None
    except ValueError as error:
        raise SpecError(where, f"not of the language: {error}") from None


class _Typer(ExpressionTyper):
    """Types the statements of one body."""

    def check_size(self, parsed: _Parsed) -> None:
        """Refuse what nests too deep or is too long."""
        if parsed.too_deep is not None:
            raise self.fail(parsed.too_deep, f"nests deeper than {MAX_DEPTH}")
        self.depths = parsed.depths
        self.nesting = max(self.nesting, *parsed.depths.values())
        if parsed.statements > MAX_STATEMENTS:
            raise SpecError(self.source.where, f"has more than {MAX_STATEMENTS} statements")

    def whole(self, body: list[ast.stmt]) -> tuple[Stmt, ...]:
        if not body:
            raise SpecError(self.source.where, "is empty")
        self.assigned = set(self.kinds)
        if len(body) == 1 and isinstance(body[0], ast.Expr) and not _is_hardware(body[0].value):
            value = self.expr(body[0].value, None, allow_nothing=True)
            if value.type != NOTHING:
                self.no_index(body[0], value)
                self.returns = value.type
                return (Return(value),)
            return (Do(value),)
        stmts, ended = self.block(body)
        if self.returns not in (None, NOTHING) and not ended:
            raise self.fail(body[-1], "not every way through returns a value")
        return stmts

    def block(self, body: list[ast.stmt]) -> tuple[tuple[Stmt, ...], bool]:
        """The statements, and whether every way through them returns."""
        result: list[Stmt] = []
        ended = False
        for node in body:
            if ended:
                raise self.fail(node, "is never reached")
            stmts, ended = self.stmt(node)
            result += stmts
            self.unrolled += len(stmts)
            if self.unrolled > MAX_UNROLLED:
                raise self.fail(node, f"unrolls to more than {MAX_UNROLLED} statements")
        return tuple(result), ended

    def stmt(self, node: ast.stmt) -> tuple[list[Stmt], bool]:
        if isinstance(node, ast.Pass):
            return [], False
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            return [self.assign(node, node.targets[0], node.value, None)], False
        if isinstance(node, ast.AugAssign) and type(node.op) in BINARY:
            return [self.assign(node, node.target, node.value, node.op)], False
        if isinstance(node, ast.If):
            return self.branch(node)
        if isinstance(node, ast.For):
            return self.loop(node)
        if isinstance(node, ast.Return):
            return [self.give_back(node)], True
        if isinstance(node, ast.Assert):
            return [self.demand(node)], False
        if isinstance(node, ast.Expr):
            return self.effect(node), False
        raise self.fail(node, f"{word_of(node)} is not of the language")

    def assign(self, node: ast.stmt, target: ast.expr, value: ast.expr,
               op: ast.operator | None) -> Stmt:
        place = self.target(target, must_exist=op is not None)
        if op is not None:
            if (isinstance(place, State)
                    and self.scope.through(place.name, self.source.where) is not None):
                raise self.fail(
                    target, "what is read here is not what is set; use a helper that changes it"
                )
            value = ast.copy_location(ast.BinOp(loaded(target), op, value), node)
        typed = self.expr(value, None if place is None else place.type)
        if typed.type == NOTHING:
            raise self.fail(value, "has no value")
        if place is None:
            assert isinstance(target, ast.Name)
            if self.kinds.setdefault(target.id, typed.type) != typed.type:
                kind = type_name(self.kinds[target.id])
                raise self.fail(target, f"{target.id} is {kind}, not {type_name(typed.type)}")
            self.assigned.add(target.id)
            return Assign(Local(typed.type, target.id), typed)
        self.agree(value, typed, place.type)
        if isinstance(place, Local):
            self.assigned.add(place.name)
        return Assign(place, typed)

    def branch(self, node: ast.If) -> tuple[list[Stmt], bool]:
        test = self.boolean(node.test)
        before = set(self.assigned)
        then, then_ended = self.block(node.body)
        after_then, self.assigned = self.assigned, before
        orelse, else_ended = self.block(node.orelse)
        if then_ended:
            after_then = set(self.kinds)
        self.assigned = after_then if else_ended else after_then & self.assigned
        return [If(test, then, orelse)], then_ended and else_ended

    def loop(self, node: ast.For) -> tuple[list[Stmt], bool]:
        if not isinstance(node.target, ast.Name) or node.orelse:
            raise self.fail(node, "a loop is `for i in range(n):`")
        count, name = self.count(node.iter, node), node.target.id
        taken = (
            name in self.kinds or self.scope.state(name) or self.scope.constant(name) is not None
        )
        if taken and (self.kinds.get(name) != INDEX or name in self.loops):
            raise self.fail(node.target, f"{name} already means something else")
        self.kinds[name] = INDEX
        self.loops.append(name)
        self.assigned.add(name)
        stmts: list[Stmt] = []
        for i in range(count):
            body, ended = self.block(node.body)
            if ended:
                raise self.fail(node, "a loop's body always returns")
            stmts += [Assign(Local(INDEX, name), Const(INDEX, i)), *body]
        self.loops.pop()
        self.assigned.discard(name)
        return stmts, False

    def give_back(self, node: ast.Return) -> Stmt:
        value = None if node.value is None else self.expr(node.value, self.returns)
        kind = NOTHING if value is None else value.type
        if value is not None:
            self.no_index(node, value)
        if self.returns is not None and self.returns != kind:
            raise self.fail(node, f"returns {type_name(kind)}, but {type_name(self.returns)} above")
        self.returns = kind
        return Return(value)

    def demand(self, node: ast.Assert) -> Stmt:
        if not (isinstance(node.msg, ast.Constant) and isinstance(node.msg.value, str)):
            raise self.fail(node, 'an assert names its property: assert c, "store-leak"')
        self.pure = False
        self.changes += 1
        return Assert(self.boolean(node.test), node.msg.value,
                      self.source.at(node.lineno, node.col_offset))

    def effect(self, node: ast.Expr) -> list[Stmt]:
        call = node.value
        if isinstance(call, ast.Call) and _is_hardware(call):
            if not self.scope.marks:
                raise self.fail(node, "where the hardware acts is not said here: it may before "
                                      "every access of an entry")
            if len(call.args) != 1 or call.keywords:
                raise self.fail(node, "hardware() takes one entry")
            place = self.target(call.args[0], must_exist=True)
            if place is None or place.type != self.scope.width:
                raise self.fail(node, "hardware() takes one entry")
            self.pure = False
            self.changes += 1
            self.sites += 1
            return [Hardware(place, self.sites)]
        if not isinstance(call, ast.Call):
            raise self.fail(node, "does nothing")
        return [Do(self.expr(call, None, allow_nothing=True))]


def _is_hardware(node: ast.expr) -> bool:
    return (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            and node.func.id == "hardware")
