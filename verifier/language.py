# SPDX-License-Identifier: GPL-2.0-or-later
"""Parse and type the small language (docs/language.md). Nothing is ever executed by Python.

`parse_function` turns a signature and a body into a typed syntax.Function. What names mean is
asked of a Scope: an architecture's layout, or the world of the specs.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from verifier.errors import SpecError, Where, nearest
from verifier.load import Source
from verifier.syntax import (
    BOOL,
    INDEX,
    NOTHING,
    Assert,
    Assign,
    Binary,
    Call,
    Compare,
    Const,
    Convert,
    Do,
    Expr,
    Function,
    Hardware,
    If,
    IfExp,
    Local,
    Logic,
    Not,
    Observe,
    Param,
    Return,
    State,
    Stmt,
    type_name,
)

__all__ = ["MAX_WIDTH", "Scope", "Signature", "StateVar", "parse_function", "parse_signature", "parse_type"]

MAX_WIDTH = 128
MAX_TEXT = 16 * 1024
MAX_DEPTH = 64
MAX_STATEMENTS = 400
MAX_UNROLLED = 8000
MAX_LOOP = 128
MAX_CALLS = 32

_REFS = ("ptep", "pmdp", "pudp")
_BINARY = {
    ast.BitAnd: "band", ast.BitOr: "bor", ast.BitXor: "bxor", ast.LShift: "shl", ast.RShift: "lshr",
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul",
}
_COMPARE = {
    ast.Eq: ("eq", False), ast.NotEq: ("ne", False), ast.Lt: ("ult", False), ast.LtE: ("ule", False),
    ast.Gt: ("ult", True), ast.GtE: ("ule", True),
}
_T = TypeVar("_T")
_SIGNATURE = re.compile(r"\s*\w+\s*(\([^()#]*\)\s*)?\Z")
_WORD = re.compile(r"u([1-9][0-9]{0,2})\Z")


@dataclass(frozen=True, slots=True)
class StateVar:
    """A variable of the world: its type, how many there are (None: one), and whether code may set it."""

    type: int
    count: int | None = None
    writable: bool = True


@dataclass(frozen=True, slots=True)
class Signature:
    """A name and its parameters, as written in a key."""

    name: str
    params: tuple[Param, ...]


class Scope(Protocol):
    """What the names in a text mean."""

    width: int  # bits of an entry
    ulong: int

    def constant(self, name: str) -> Const | int | None:
        """A typed constant (a field, a feature), a plain number, or None."""

    def state(self, name: str) -> StateVar | None: ...
    def function(self, name: str, at: Where) -> Function | None: ...
    def observation(self, name: str) -> tuple[Param, ...] | None: ...
    def names(self) -> Iterable[str]:
        """All known names, for hints."""


def parse_type(word: str, scope: Scope) -> int | None:
    """The type that an annotation names, or None."""
    plain = {"bool": BOOL, "process": INDEX, "pte": scope.width, "ulong": scope.ulong}
    if word in plain:
        return plain[word]
    found = _WORD.match(word)
    return int(found[1]) if found and int(found[1]) <= MAX_WIDTH else None


def parse_signature(text: str, where: Where, scope: Scope) -> Signature:
    """`pte_mkwrite(pte, shadow_stack: bool)`, or a bare name without parameters."""
    tree = _parse(Source(f"def {text if '(' in text else text + '()'}: pass", where), where)
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
            kind = parse_type(arg.annotation.id, scope) if isinstance(arg.annotation, ast.Name) else None
        if kind is None:
            raise SpecError(where, f"unknown type of parameter {arg.arg!r}; bool, pte, ulong, process or u1 to u128")
        if arg.arg in [p.name for p in params]:
            raise SpecError(where, f"parameter {arg.arg!r} stands twice")
        params.append(Param(arg.arg, kind, arg.arg in _REFS))
    return Signature(node.name, tuple(params))


def parse_function(signature: Signature, body: Source, scope: Scope, source: str = "") -> Function:
    """The typed function. Raises SpecError at whatever is not of the language."""
    refs = {p.name for p in signature.params if p.by_ref}
    typer = _Typer(scope, body, {p.name: p.type for p in signature.params}, refs)
    tree = _parse(body, body.where)
    typer.check_size(tree)
    stmts = typer.whole(tree.body)
    pure = typer.pure and not any(p.by_ref for p in signature.params)
    return Function(
        signature.name, signature.params, NOTHING if typer.returns is None else typer.returns, stmts, typer.kinds, pure,
        body.where, body.text, source, typer.depth, typer.changes > 0 or any(p.by_ref for p in signature.params),
    )


def _parse(source: Source, where: Where) -> ast.Module:
    if len(source.text) > MAX_TEXT:
        raise SpecError(where, f"text is longer than {MAX_TEXT} characters")
    try:
        with warnings.catch_warnings(action="ignore"):
            return ast.parse(source.text)
    except SyntaxError as error:
        place = source.at(error.lineno or 1, max((error.offset or 1) - 1, 0))
        raise SpecError(place, f"not of the language: {error.msg}") from None
    except (RecursionError, MemoryError):
        raise SpecError(where, f"nests deeper than {MAX_DEPTH}") from None
    except ValueError as error:
        raise SpecError(where, f"not of the language: {error}") from None


@dataclass(slots=True)
class _Typer:
    scope: Scope
    source: Source
    kinds: dict[str, int]
    refs: set[str]
    assigned: set[str] = field(default_factory=set)
    loops: list[str] = field(default_factory=list)
    returns: int | None = None
    pure: bool = True
    changes: int = 0  # places that change something outside
    depth: int = 1
    sites: int = 0
    unrolled: int = 0

    def fail(self, node: ast.AST, message: str) -> SpecError:
        return SpecError(self.source.at(getattr(node, "lineno", 1), getattr(node, "col_offset", 0)), message)

    def check_size(self, tree: ast.Module) -> None:
        """Refuse what nests too deep or is too long, without recursion."""
        todo: list[tuple[ast.AST, int]] = [(tree, 0)]
        count = 0
        while todo:
            node, depth = todo.pop()
            if depth > MAX_DEPTH:
                raise self.fail(node, f"nests deeper than {MAX_DEPTH}")
            count += isinstance(node, ast.stmt)
            todo += [(child, depth + 1) for child in ast.iter_child_nodes(node)]
        if count > MAX_STATEMENTS:
            raise SpecError(self.source.where, f"has more than {MAX_STATEMENTS} statements")

    # statements

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
        if isinstance(node, ast.AugAssign) and type(node.op) in _BINARY:
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
        raise self.fail(node, f"{_word(node)} is not of the language")

    def assign(self, node: ast.stmt, target: ast.expr, value: ast.expr, op: ast.operator | None) -> Stmt:
        place = self.target(target, must_exist=op is not None)
        if op is not None:
            value = ast.copy_location(ast.BinOp(_loaded(target), op, value), node)
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

    def target(self, node: ast.expr, must_exist: bool) -> Local | State | None:
        """What is assigned to; None for a local that is new."""
        if isinstance(node, ast.Name):
            if node.id in self.loops:
                raise self.fail(node, f"{node.id} counts a loop and cannot be set")
            if node.id in self.kinds:
                if must_exist and node.id not in self.assigned:
                    raise self.fail(node, f"{node.id} may not have been set here")
                if self.kinds[node.id] == INDEX:
                    raise self.fail(node, f"{node.id} is an index and cannot be set")
                return Local(self.kinds[node.id], node.id)
            if self.scope.state(node.id) is None:
                self.new_name(node, must_exist)
                return None
        elif not isinstance(node, ast.Subscript):
            raise self.fail(node, "only a name or entry[p] can be set")
        place = self.expr(_loaded(node), None)
        if not isinstance(place, State):
            raise self.fail(node, "cannot be set")
        variable = self.scope.state(place.name)
        if variable is None or not variable.writable:
            raise self.fail(node, f"{place.name} cannot be set here")
        self.pure = False
        self.changes += 1
        return place

    def new_name(self, node: ast.Name, must_exist: bool) -> None:
        if must_exist:
            raise self.fail(node, f"unknown name {node.id!r}{nearest(node.id, [*self.kinds, *self.scope.names()])}")
        if self.scope.constant(node.id) is not None:
            raise self.fail(node, f"{node.id} is a field, a constant or a feature and cannot be set")

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
        call = node.iter
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "range"
                and len(call.args) == 1 and not call.keywords and isinstance(node.target, ast.Name)
                and not node.orelse):
            raise self.fail(node, "a loop is `for i in range(n):`")
        count = self.number(call.args[0])
        name = node.target.id
        if count is None or not 0 < count <= MAX_LOOP:
            raise self.fail(call.args[0], f"a loop runs a known number of times, 1 to {MAX_LOOP}")
        taken = name in self.kinds or self.scope.state(name) or self.scope.constant(name) is not None
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

    def number(self, node: ast.expr) -> int | None:
        if isinstance(node, ast.Constant) and type(node.value) is int:
            return node.value
        value = self.scope.constant(node.id) if isinstance(node, ast.Name) else None
        return value if isinstance(value, int) else None

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
        return Assert(self.boolean(node.test), node.msg.value, self.source.at(node.lineno, node.col_offset))

    def effect(self, node: ast.Expr) -> list[Stmt]:
        call = node.value
        if isinstance(call, ast.Call) and _is_hardware(call):
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

    # expressions

    def boolean(self, node: ast.expr) -> Expr:
        value = self.expr(node, BOOL)
        if value.type != BOOL:
            raise self.fail(node, f"is {type_name(value.type)}, not bool; write `!= 0`")
        return value

    def calm(self, nodes: list[ast.expr], typed: Callable[[], _T]) -> _T:
        """What may not be evaluated, and so must not change anything: no algebra skips what another runs."""
        before = self.changes
        found = typed()
        if self.changes != before:
            raise self.fail(nodes[0], "changes something, but may not be evaluated; use an `if` statement")
        return found

    def no_index(self, node: ast.AST, value: Expr) -> None:
        """An index is always a known number: it does not come out of a choice."""
        if value.type == INDEX:
            raise self.fail(node, "is an index; only parameters and loops have them")

    def agree(self, node: ast.AST, value: Expr, kind: int) -> None:
        if value.type != kind:
            raise self.fail(node, f"is {type_name(value.type)}, but {type_name(kind)} is needed")

    def expr(self, node: ast.expr, want: int | None, allow_nothing: bool = False) -> Expr:
        """The typed expression; `want` is the type that a bare number takes."""
        if isinstance(node, ast.Constant):
            return self.literal(node, node.value, want)
        if isinstance(node, ast.Name):
            return self.name(node, want)
        if isinstance(node, ast.Subscript):
            return self.indexed(node)
        if isinstance(node, ast.UnaryOp):
            return self.unary(node, want)
        if isinstance(node, ast.BinOp):
            return self.binary(node, want)
        if isinstance(node, ast.BoolOp):
            op = "all" if isinstance(node.op, ast.And) else "any"
            first, rest = node.values[0], node.values[1:]
            return Logic(BOOL, op, (self.boolean(first), *self.calm(rest, lambda: [self.boolean(v) for v in rest])))
        if isinstance(node, ast.Compare):
            return self.compare(node)
        if isinstance(node, ast.IfExp):
            then, orelse = self.calm([node.body], lambda: self.pair(node.body, node.orelse, want))
            self.agree(node.orelse, orelse, then.type)
            self.no_index(node, then)
            return IfExp(then.type, self.boolean(node.test), then, orelse)
        if isinstance(node, ast.Call):
            value = self.call(node, want)
            if value.type == NOTHING and not allow_nothing:
                raise self.fail(node, "has no value")
            return value
        raise self.fail(node, f"{_word(node)} is not of the language")

    def literal(self, node: ast.AST, value: object, want: int | None) -> Expr:
        if isinstance(value, bool):
            return Const(BOOL, int(value))
        if not isinstance(value, int):
            raise self.fail(node, "is neither a number nor True or False")
        kind = want if want is not None and want != BOOL and want != NOTHING else self.scope.width
        if kind != INDEX and not 0 <= value < 1 << kind:
            shown = hex(value) if value < 1 << MAX_WIDTH else "a number this long"
            raise self.fail(node, f"{shown} does not fit into {type_name(kind)}")
        return Const(kind, value)

    def name(self, node: ast.Name, want: int | None) -> Expr:
        name = node.id
        if name in self.kinds:
            if name not in self.assigned:
                raise self.fail(node, f"{name} may not have been set here")
            return Local(self.kinds[name], name, self.source.at(node.lineno, node.col_offset))
        variable = self.scope.state(name)
        if variable is not None:
            if variable.count is not None:
                raise self.fail(node, f"{name} needs an index: {name}[p]")
            self.pure = False
            return State(variable.type, name, None)
        value = self.scope.constant(name)
        if isinstance(value, Const):
            return value
        if value is not None:
            return self.literal(node, value, want)
        raise self.fail(node, f"unknown name {name!r}{nearest(name, [*self.kinds, *self.scope.names()])}")

    def indexed(self, node: ast.Subscript) -> Expr:
        if not isinstance(node.value, ast.Name):
            raise self.fail(node, "only a state variable has an index")
        name = node.value.id
        variable = self.scope.state(name)
        if variable is None:
            raise self.fail(node, f"unknown state variable {name!r}{nearest(name, self.scope.names())}")
        if variable.count is None:
            raise self.fail(node, f"{name} has no index")
        index = self.expr(node.slice, INDEX)
        self.agree(node.slice, index, INDEX)
        if isinstance(index, Const) and not 0 <= index.value < variable.count:
            raise self.fail(node.slice, f"index out of range; {name} has {variable.count}")
        self.pure = False
        return State(variable.type, name, index)

    def unary(self, node: ast.UnaryOp, want: int | None) -> Expr:
        if isinstance(node.op, ast.Not):
            return Not(BOOL, self.boolean(node.operand))
        if isinstance(node.op, ast.Invert):
            value = self.expr(node.operand, want)
            self.word(node.operand, value)
            return Not(value.type, value)
        raise self.fail(node, f"{_word(node.op)} is not of the language")

    def word(self, node: ast.AST, value: Expr) -> None:
        if value.type <= 0:
            raise self.fail(node, f"is {type_name(value.type)}, not a word")

    def pair(self, left: ast.expr, right: ast.expr, want: int | None) -> tuple[Expr, Expr]:
        """Two operands; a bare number takes the other's type."""
        if self.bare(left) and not self.bare(right):
            typed = self.expr(right, want)
            return self.fit(left, typed), typed
        typed = self.expr(left, want)
        return typed, self.fit(right, typed)

    def fit(self, node: ast.expr, other: Expr) -> Expr:
        value = self.expr(node, other.type)
        if value.type == INDEX and other.type > 0:
            return Convert(other.type, value)
        return value

    def bare(self, node: ast.expr) -> bool:
        """Is it made of plain numbers only?"""
        if isinstance(node, ast.BinOp):
            return self.bare(node.left) and self.bare(node.right)
        if isinstance(node, ast.UnaryOp):
            return self.bare(node.operand)
        return self.number(node) is not None or (isinstance(node, ast.Name) and self.kinds.get(node.id) == INDEX)

    def binary(self, node: ast.BinOp, want: int | None) -> Expr:
        op = _BINARY.get(type(node.op))
        if op is None:
            raise self.fail(node, f"operator {_word(node.op)} is not of the language")
        left, right = self.pair(node.left, node.right, want)
        if left.type == INDEX and op in ("add", "sub"):
            self.agree(node.right, right, INDEX)
            return Binary(INDEX, op, left, right)
        self.word(node.left, left)
        self.agree(node.right, right, left.type)
        return Binary(left.type, op, left, right)

    def compare(self, node: ast.Compare) -> Expr:
        if len(node.ops) != 1:
            raise self.fail(node, "one comparison at a time; join them with `and`")
        found = _COMPARE.get(type(node.ops[0]))
        if found is None:
            raise self.fail(node, f"{_word(node.ops[0])} is not of the language")
        left, right = self.pair(node.left, node.comparators[0], None)
        self.agree(node.comparators[0], right, left.type)
        op, swapped = found
        if left.type == BOOL and op not in ("eq", "ne"):
            raise self.fail(node, "booleans have no order")
        return Compare(BOOL, op, left.type, right if swapped else left, left if swapped else right)

    def call(self, node: ast.Call, want: int | None) -> Expr:
        if not isinstance(node.func, ast.Name) or node.keywords or any(isinstance(a, ast.Starred) for a in node.args):
            raise self.fail(node, "a call is a name with plain arguments")
        name = node.func.id
        if _WORD.match(name):
            return self.convert(node, name)
        if name == "other":
            return self.other(node)
        params = self.scope.observation(name)
        if params is not None:
            self.pure = False
            self.sites += 1
            return Observe(BOOL, name, self.args(node, name, params), self.sites)
        function = self.scope.function(name, self.source.at(node.lineno, node.col_offset))
        if function is None:
            raise self.fail(node, f"unknown helper {name!r}{nearest(name, self.scope.names())}")
        args = self.args(node, name, function.params)
        self.pure = self.pure and function.pure
        self.changes += function.changes
        self.depth = max(self.depth, function.depth + 1)
        if self.depth > MAX_CALLS:
            raise self.fail(node, f"calls nest deeper than {MAX_CALLS}")
        self.sites += 1
        return Call(function.returns, function, args, self.sites)

    def args(self, node: ast.Call, name: str, params: tuple[Param, ...]) -> tuple[Expr, ...]:
        if len(node.args) != len(params):
            raise self.fail(node, f"{name} takes {len(params)} arguments, not {len(node.args)}")
        values = []
        for arg, param in zip(node.args, params, strict=True):
            value = self.expr(arg, param.type)
            self.agree(arg, value, param.type)
            if param.by_ref and self.target(arg, must_exist=True) is None:
                raise self.fail(arg, f"{param.name} of {name} must be something that can be set")
            values.append(value)
        return tuple(values)

    def convert(self, node: ast.Call, name: str) -> Expr:
        kind = parse_type(name, self.scope)
        if kind is None or len(node.args) != 1:
            raise self.fail(node, f"{name}(x) converts one value to a word of 1 to {MAX_WIDTH} bits")
        value = self.expr(node.args[0], kind)
        if value.type == NOTHING:
            raise self.fail(node, "has no value")
        return Convert(kind, value)

    def other(self, node: ast.Call) -> Expr:
        if len(node.args) != 1:
            raise self.fail(node, "other(p) takes one process")
        value = self.expr(node.args[0], INDEX)
        self.agree(node, value, INDEX)
        return Binary(INDEX, "sub", Const(INDEX, 1), value)


def _loaded(node: ast.expr) -> ast.expr:
    """The same place, read."""
    if isinstance(node, ast.Name):
        return ast.copy_location(ast.Name(node.id, ast.Load()), node)
    if isinstance(node, ast.Subscript):
        return ast.copy_location(ast.Subscript(node.value, node.slice, ast.Load()), node)
    return node


def _is_hardware(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "hardware"


def _word(node: ast.AST) -> str:
    return type(node).__name__.lower()
