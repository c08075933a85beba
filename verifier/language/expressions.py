# SPDX-License-Identifier: GPL-2.0-or-later
"""The types of expressions: Python's syntax becomes typed terms."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from verifier.base.errors import nearest
from verifier.language.meanings import MAX_WIDTH, WORD, parse_type
from verifier.language.names import NameTyper
from verifier.language.syntax import (
    BOOL,
    INDEX,
    NOTHING,
    Binary,
    Call,
    Compare,
    Const,
    Convert,
    Expr,
    Function,
    IfExp,
    Logic,
    Not,
    Observe,
    Param,
    State,
    type_name,
)

__all__ = ["ExpressionTyper", "word_of"]

MAX_CALLS = 32
MAX_LOOP = 128
MAX_NESTING = 200  # with all that is called: no evaluation may run out of Python's stack

BINARY = {
    ast.BitAnd: "band", ast.BitOr: "bor", ast.BitXor: "bxor", ast.LShift: "shl", ast.RShift: "lshr",
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul",
}
_COMPARE = {
    ast.Eq: ("eq", False), ast.NotEq: ("ne", False), ast.Lt: ("ult", False),
    ast.LtE: ("ule", False),
    ast.Gt: ("ult", True), ast.GtE: ("ule", True),
}
_OVER = ("any", "all")
_T = TypeVar("_T")


@dataclass(slots=True)
class ExpressionTyper(NameTyper):
    """Types the expressions of one text.

    Every method raises SpecError, with the place, at what is not of the language.
    """

    def boolean(self, node: ast.expr) -> Expr:
        """The typed expression, which must be a boolean."""
        value = self.expr(node, BOOL)
        if value.type != BOOL:
            raise self.fail(node, f"is {type_name(value.type)}, not bool; write `!= 0`")
        return value

    def calm(self, nodes: list[ast.expr], typed: Callable[[], _T]) -> _T:
        """The result of `typed`; its nodes may not be evaluated, so they must change nothing.

        One algebra evaluates both sides of `and`, another only one; so the other side may have no
        effect.
        """
        before = self.changes
        found = typed()
        if self.changes != before:
            raise self.fail(
                nodes[0], "changes something, but may not be evaluated; use an `if` statement"
            )
        return found

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
            return Logic(BOOL, op, (self.boolean(first),
                                    *self.calm(rest, lambda: [self.boolean(v) for v in rest])))
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
        raise self.fail(node, f"{word_of(node)} is not of the language")

    def unary(self, node: ast.UnaryOp, want: int | None) -> Expr:
        """`not x` and `~x`."""
        if isinstance(node.op, ast.Not):
            return Not(BOOL, self.boolean(node.operand))
        if isinstance(node.op, ast.Invert):
            value = self.expr(node.operand, want)
            self.word(node.operand, value)
            return Not(value.type, value)
        raise self.fail(node, f"{word_of(node.op)} is not of the language")

    def word(self, node: ast.AST, value: Expr) -> None:
        """Refuse what is not a word."""
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
        """The expression in the type of `other`; an index becomes a word beside a word."""
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
        return (self.number(node) is not None
                or (isinstance(node, ast.Name) and self.kinds.get(node.id) == INDEX))

    def binary(self, node: ast.BinOp, want: int | None) -> Expr:
        """Arithmetic, shifts and bitwise operators of two words, or of two indices."""
        op = BINARY.get(type(node.op))
        if op is None:
            raise self.fail(node, f"operator {word_of(node.op)} is not of the language")
        left, right = self.pair(node.left, node.right, want)
        if left.type == INDEX and op in ("add", "sub"):
            self.agree(node.right, right, INDEX)
            return Binary(INDEX, op, left, right)
        self.word(node.left, left)
        self.agree(node.right, right, left.type)
        return Binary(left.type, op, left, right)

    def compare(self, node: ast.Compare) -> Expr:
        """One comparison; `>` and `>=` become `<` and `<=` with the sides swapped."""
        if len(node.ops) != 1:
            raise self.fail(node, "one comparison at a time; join them with `and`")
        found = _COMPARE.get(type(node.ops[0]))
        if found is None:
            raise self.fail(node, f"{word_of(node.ops[0])} is not of the language")
        left, right = self.pair(node.left, node.comparators[0], None)
        self.agree(node.comparators[0], right, left.type)
        op, swapped = found
        if left.type == BOOL and op not in ("eq", "ne"):
            raise self.fail(node, "booleans have no order")
        return Compare(BOOL, op, left.type, right if swapped else left, left if swapped else right)

    def call(self, node: ast.Call, want: int | None) -> Expr:
        """A call: a conversion, other(p), an observation, or a function."""
        if (not isinstance(node.func, ast.Name) or node.keywords
                or any(isinstance(a, ast.Starred) for a in node.args)):
            raise self.fail(node, "a call is a name with plain arguments")
        name = node.func.id
        if WORD.match(name):
            return self.convert(node, name)
        if name == "other":
            return self.other(node)
        if name in _OVER:
            return self.over(node, name)
        params = self.scope.observation(name)
        if params is not None:
            self.pure = False
            self.sites += 1
            return Observe(BOOL, name, self.args(node, name, params, None), self.sites)
        function = self.scope.function(name, self.source.at(node.lineno, node.col_offset))
        if function is None:
            raise self.fail(node, f"unknown helper {name!r}{nearest(name, self.scope.names())}")
        args = self.args(node, name, function.params, function)
        self.pure = self.pure and function.pure
        self.changes += function.changes
        self.depth = max(self.depth, function.depth + 1)
        if self.depth > MAX_CALLS:
            raise self.fail(node, f"calls nest deeper than {MAX_CALLS}")
        self.nesting = max(self.nesting, self.depths[id(node)] + function.nesting)
        if self.nesting > MAX_NESTING:
            raise self.fail(node, f"nests deeper than {MAX_NESTING} with what it calls")
        self.sites += 1
        return Call(function.returns, function, args, self.sites)

    def args(self, node: ast.Call, name: str, params: tuple[Param, ...],
             function: Function | None) -> tuple[Expr, ...]:
        """The typed arguments of a call; by-reference ones must be places."""
        if len(node.args) != len(params):
            raise self.fail(node, f"{name} takes {len(params)} arguments, not {len(node.args)}")
        values = []
        for arg, param in zip(node.args, params, strict=True):
            value = (self.cell(arg) if param.by_ref and isinstance(arg, ast.Subscript)
                     else self.expr(arg, param.type))
            if value.type == INDEX and param.type > 0:
                value = Convert(param.type, value)
            self.agree(arg, value, param.type)
            reads_only = (isinstance(value, State) and function is not None
                          and param.name not in function.sets)
            if param.by_ref and not reads_only and self.target(arg, must_exist=True) is None:
                raise self.fail(arg, f"{param.name} of {name} must be something that can be set")
            values.append(value)
        return tuple(values)

    def over(self, node: ast.Call, op: str) -> Expr:
        """`any(... for i in range(n))` and `all(...)`: one boolean for each number."""
        given = node.args[0] if len(node.args) == 1 else None
        if not (isinstance(given, ast.GeneratorExp) and len(given.generators) == 1
                and not given.generators[0].ifs
                and isinstance(given.generators[0].target, ast.Name)):
            raise self.fail(node, f"{op} is over numbers: {op}(... for i in range(n))")
        counter = given.generators[0].target
        count, name = self.count(given.generators[0].iter, node), counter.id
        if (name in self.kinds or name in self.counts or self.scope.state(name)
                or self.scope.constant(name) is not None):
            raise self.fail(counter, f"{name} already means something else")
        values: list[Expr] = []

        def typed() -> None:
            for number in range(count):
                self.counts[name] = number
                values.append(self.boolean(given.elt))

        self.calm([given.elt], typed)
        del self.counts[name]
        return Logic(BOOL, op, tuple(values))

    def count(self, node: ast.expr, at: ast.AST) -> int:
        """How often the `range(n)` of a loop counts; `at` is the loop."""
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
                and node.func.id == "range" and len(node.args) == 1 and not node.keywords):
            raise self.fail(at, "a loop is `for i in range(n):`")
        found = self.number(node.args[0])
        if found is None or not 0 < found <= MAX_LOOP:
            raise self.fail(
                node.args[0], f"a loop runs a known number of times, 1 to {MAX_LOOP}"
            )
        return found

    def convert(self, node: ast.Call, name: str) -> Expr:
        """`u64(x)` and its like: one value as a word of that width."""
        kind = parse_type(name, self.scope)
        if kind is None or len(node.args) != 1:
            raise self.fail(
                node, f"{name}(x) converts one value to a word of 1 to {MAX_WIDTH} bits"
            )
        value = self.expr(node.args[0], kind)
        if value.type == NOTHING:
            raise self.fail(node, "has no value")
        return Convert(kind, value)

    def other(self, node: ast.Call) -> Expr:
        """`other(p)`: the other one of the two processes."""
        if len(node.args) != 1:
            raise self.fail(node, "other(p) takes one process")
        value = self.expr(node.args[0], INDEX)
        self.agree(node, value, INDEX)
        return Binary(INDEX, "sub", Const(INDEX, 1), value)


def word_of(node: ast.AST) -> str:
    """The name of a node's class as an error message has it."""
    return type(node).__name__.lower()
