# SPDX-License-Identifier: GPL-2.0-or-later
"""Which process each index stands for, so that no index is out of range at run time.

An index is a role, a number, a loop's counter, or other(p). A role is bound to one of the two
processes, or to the third. Of the third process there is an entry and little else: a text that does
more with it has to test the role before.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TypeAlias

from verifier.base.errors import SpecError
from verifier.language.syntax import (
    INDEX,
    Assert,
    Assign,
    Binary,
    Call,
    Compare,
    Const,
    Expr,
    Function,
    Hardware,
    If,
    IfExp,
    Local,
    Logic,
    Not,
    Return,
    State,
    Stmt,
    parts,
)

__all__ = ["Indices"]

PROCESSES = (0, 1)
Names: TypeAlias = dict[str, int | None]  # of a body: what its indices are


class Indices:
    """Checks functions for indices that are out of range.

    `third` names the state variables that the third process has, and `pages` is how many pages a
    block has.
    """

    def __init__(self, third: Collection[str], pages: int = 0) -> None:
        self.third, self.pages = third, pages
        self._seen: set[tuple[int, tuple[int | None, ...]]] = set()

    def check(self, function: Function, indices: Sequence[int | None]) -> None:
        """Raise SpecError at the first index that names no process.

        `indices` are the values of the parameters; None for one that is not an index.
        """
        key = (id(function), tuple(indices))
        if function.pure or key in self._seen:  # what is pure reads nothing but its arguments
            return
        self._seen.add(key)
        names = {p.name: index for p, index in zip(function.params, indices, strict=True)
                 if p.type == INDEX}
        self._block(function.body, names)
        if function.twin is not None:
            self.check(function.twin, indices)

    def _block(self, body: Sequence[Stmt], names: Names) -> bool:
        """Check statements; does the body end within them whatever the values are?"""
        for stmt in body:
            match stmt:
                case Assign(target, value):
                    self._expr(value, names)
                    self._expr(target, names)
                    if isinstance(target, Local) and target.type == INDEX:
                        names[target.name] = self._value(value, names)
                case If(test, then, orelse):
                    known = self._test(test, names)
                    ways = [way for way, wanted in ((then, True), (orelse, False))
                            if known in (None, wanted)]
                    self._expr(test, names)
                    ended = [self._block(way, dict(names)) for way in ways]
                    if all(ended):
                        return True
                case Return(value):
                    if value is not None:
                        self._expr(value, names)
                    return True
                case Assert(test):
                    self._expr(test, names)
                case Hardware(target):
                    self._expr(target, names)
                case _:
                    self._expr(stmt.value, names)
        return False

    def _expr(self, node: Expr, names: Names) -> None:
        """Check an expression, but for parts that a test of an index rules out."""
        if isinstance(node, State) and node.page is not None:
            page = self._value(node.page, names)
            if page is not None and not 0 <= page < self.pages:
                raise SpecError(node.where, f"{node.name}: a block has no page {page}")
        match node:
            case State(_, name, index) if index is not None:
                found = self._value(index, names)
                if (found is not None and found not in PROCESSES
                        and (found != len(PROCESSES) or name not in self.third)):
                    what = ("the third process has none" if found == len(PROCESSES)
                            else f"there is no process {found}")
                    raise SpecError(
                        node.where, f"{name}: {what}; a test of the role has to stand before it"
                    )
            case Logic(_, op, values):
                for value in values:
                    self._expr(value, names)
                    if self._test(value, names) is (op == "any"):
                        return
            case IfExp(_, test, then, orelse):
                known = self._test(test, names)
                for part in (test, *([then] if known is not False else []),
                             *([orelse] if known is not True else [])):
                    self._expr(part, names)
            case Call(_, function, args):
                for arg in args:
                    self._expr(arg, names)
                self.check(function, [self._value(arg, names) if arg.type == INDEX else None
                                      for arg in args])
            case _:
                for part in parts(node):
                    self._expr(part, names)

    def _value(self, node: Expr, names: Names) -> int | None:
        match node:
            case Const(_, value):
                return value
            case Local(_, name):
                return names.get(name)
            case Binary(_, op, left, right):
                one, two = self._value(left, names), self._value(right, names)
                return (None if one is None or two is None else one + two if op == "add"
                        else one - two)
        return None

    def _test(self, node: Expr, names: Names) -> bool | None:
        """The value of a test of indices; None where it depends on something else too."""
        match node:
            case Not(_, value):
                known = self._test(value, names)
                return None if known is None else not known
            case Compare(_, op, of, left, right) if of == INDEX:
                one, two = self._value(left, names), self._value(right, names)
                if one is None or two is None:
                    return None
                return {"eq": one == two, "ne": one != two, "ult": one < two, "ule": one <= two}[op]
            case Logic(_, op, values):
                found = [self._test(value, names) for value in values]
                stop = op == "any"
                return stop if stop in found else None if None in found else not stop
        return None
