# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the hardware may act within a transition: a pass over its typed code puts points there.

An *access* is what reads or sets entry[p] or huge[p]: a name in the code itself, a helper that is
given the entry, a view or procedure that names it within. Before each access stands a point, at
which the hardware may act on the entry. A point stands between two accesses of one statement too;
their values become locals then.

No point stands where no access and no change of the world can have come before: what the hardware
does there is a step of its own. No point stands between a change of huge[p] and the store that
completes it: the table that will hold the entry is not linked yet. Observations are no accesses,
since they ask counters and locks. Nor are asserts, which say what holds and do nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from verifier.language.machine import HUGE
from verifier.language.syntax import (
    INDEX,
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
    Return,
    State,
    Stmt,
    expressions,
    parts,
    within,
)

__all__ = ["with_points"]

ENTRY = "entry"
BOTH = (Const(INDEX, 0), Const(INDEX, 1))


@dataclass(frozen=True, slots=True)
class _Before:
    """What may have come before a place, on some way to it."""

    begun: bool = False  # an access, or a change of the world
    # the processes whose entry changes its level, and is not stored yet
    unlinked: tuple[Expr, ...] = ()


def with_points(function: Function, width: int) -> Function:
    """The function with a `Hardware` statement wherever the hardware may act.

    It must have none of its own. `width` is the bits of an entry.
    """
    found = _Pass(function, width)
    body, _ = found.block(function.body, _Before())
    return replace(function, body=body, kinds=found.kinds)


class _Pass:
    """The pass over one function."""

    def __init__(self, function: Function, width: int) -> None:
        self.width = width
        self.kinds = dict(function.kinds)
        self.site = max((node.site for stmt in within(function.body) for node in expressions(stmt)
                         if isinstance(node, (Call, Observe))),
                        default=0)
        self.left = 0  # accesses and changes of the statement in hand that are still to come
        self.names = 0
        self.within: dict[Function, tuple[Expr, ...]] = {}

    def block(
        self, body: tuple[Stmt, ...], before: _Before
    ) -> tuple[tuple[Stmt, ...], _Before | None]:
        """The statements with points, and what may have come before their end.

        The latter is None where every way returns before.
        """
        result: list[Stmt] = []
        now: _Before | None = before
        for stmt in body:
            assert now is not None, "nothing stands behind a return"
            now = self.stmt(stmt, now, result)
        return tuple(result), now

    def stmt(self, stmt: Stmt, before: _Before, out: list[Stmt]) -> _Before | None:
        """Append a statement with its points to `out`; what may have come before the next one."""
        match stmt:
            case If(test, then, orelse):
                test, now = self.linear(test, before, out)
                one, two = self.block(then, now), self.block(orelse, now)
                out.append(If(test, one[0], two[0]))
                return _joined(one[1], two[1])
            case Return(value):
                if value is not None:
                    value, _ = self.linear(value, before, out)
                out.append(Return(value))
                return None
            case Do(value):
                value, now = self.linear(value, before, out)
                out.append(Do(value))
                return now
            case Assign(target, value):
                return self.assign(target, value, before, out)
            case Assert():
                out.append(stmt)
                return before
        raise AssertionError("the code of a transition marks no points itself")

    def assign(self, target: Local | State, value: Expr, before: _Before,
               out: list[Stmt]) -> _Before:
        """Append an assignment with its points; what may have come before the next statement."""
        at = self.accesses(target)
        value, now = self.linear(value, before, out, later=bool(at))
        self.point(at, now, out)
        out.append(Assign(target, value))
        if isinstance(target, Local):
            return now
        if target.name == HUGE:
            return _Before(True, tuple(dict.fromkeys((*now.unlinked, *at))))
        return _Before(True, tuple(p for p in now.unlinked if p not in at))

    def point(self, at: tuple[Expr, ...], before: _Before, out: list[Stmt]) -> None:
        """Append a point for each process's entry, unless it is first or the entry is unlinked."""
        for process in at:
            if before.begun and process not in before.unlinked:
                self.site += 1
                out.append(Hardware(State(self.width, ENTRY, process), self.site))

    def linear(self, value: Expr, before: _Before, out: list[Stmt],
               later: bool = False) -> tuple[Expr, _Before]:
        """An expression whose accesses and changes, but for the last, become statements before it.

        They stay in their order, with points between them. `later` says that the statement has
        another access behind the expression, such as the place that it sets.
        """
        self.left = sum(self.is_ordered(node) for node in _nodes(value)) + later
        return self.walk(value, before, out)

    def walk(self, node: Expr, before: _Before, out: list[Stmt]) -> tuple[Expr, _Before]:
        """A part of an expression for `linear`, with what may have come before its end."""
        if not any(self.is_ordered(one) for one in _nodes(node)):
            return node, before
        new, now = [], before
        for part in parts(node):
            if not _is_place(node, part):
                part, now = self.walk(part, now, out)
            new.append(part)
        node = _made_of(node, tuple(new))
        if not self.is_ordered(node):
            return node, now
        at = self.accesses(node)
        self.point(at, now, out)
        stored = {arg.index for param, arg in zip(node.function.params, node.args, strict=True)
                  if param.name in node.function.sets
                  and isinstance(arg, State)} if isinstance(node, Call) else set()
        now = _Before(True, tuple(p for p in now.unlinked if p not in stored))
        self.left -= 1
        if not self.left:
            return node, now
        self.names += 1
        local = Local(node.type, f"access {self.names}")  # no text can name it
        self.kinds[local.name] = node.type
        out.append(Assign(local, node))
        return local, now

    def is_ordered(self, node: Expr) -> bool:
        """Does it matter what comes before it, and what after?"""
        return bool(self.accesses(node)) or (isinstance(node, Call) and node.function.changes)

    def accesses(self, node: Expr) -> tuple[Expr, ...]:
        """The processes whose entry an expression accesses itself, not by its parts."""
        if isinstance(node, State):
            return (node.index,) if node.name in (ENTRY, HUGE) and node.index is not None else ()
        if not isinstance(node, Call) or node.function.pure:
            return ()
        pairs = list(zip(node.function.params, node.args, strict=True))
        found = [index for param, arg in pairs if param.by_ref for index in self.accesses(arg)]
        given = {param.name: arg for param, arg in pairs if param.type == INDEX}
        found += [one for index in self.inside(node.function) for one in _bound(index, given)]
        return tuple(dict.fromkeys(found))

    def inside(self, function: Function) -> tuple[Expr, ...]:
        """The indices of the entries that a view or procedure accesses, over its parameters."""
        if function not in self.within:
            bodies = (function.body, *([function.twin.body] if function.twin is not None else []))
            self.within[function] = tuple(dict.fromkeys(
                index for body in bodies for stmt in within(body) for node in expressions(stmt)
                for index in self.accesses(node)))
        return self.within[function]


def _joined(one: _Before | None, two: _Before | None) -> _Before | None:
    if one is None or two is None:
        return two if one is None else one
    return _Before(one.begun or two.begun, tuple(dict.fromkeys((*one.unlinked, *two.unlinked))))


def _is_place(node: Expr, part: Expr) -> bool:
    """Is a part of a call the entry that the helper is given by reference, and not a value?"""
    return (isinstance(node, Call) and isinstance(part, State)
            and any(arg is part and param.by_ref
                    for param, arg in zip(node.function.params, node.args, strict=True)))


def _nodes(value: Expr) -> Iterator[Expr]:
    """An expression and all its parts, except entries that a helper is given by reference."""
    yield value
    for part in parts(value):
        if not _is_place(value, part):
            yield from _nodes(part)


def _made_of(node: Expr, new: tuple[Expr, ...]) -> Expr:
    """The same expression with other parts."""
    match node:
        case Not() | Convert():
            return replace(node, value=new[0])
        case Binary() | Compare():
            return replace(node, left=new[0], right=new[1])
        case Logic():
            return replace(node, values=new)
        case IfExp():
            return replace(node, test=new[0], then=new[1], orelse=new[2])
        case Call() | Observe():
            return replace(node, args=new)
    return node


def _bound(index: Expr, given: dict[str, Expr]) -> tuple[Expr, ...]:
    """A function's index in terms of its caller; both processes where the text does not tell."""
    match index:
        case Const():
            return (index,)
        case Local(_, name) if name in given:
            return (given[name],)
        case Binary(kind, op, left, right):
            one, two = _bound(left, given), _bound(right, given)
            return (Binary(kind, op, one[0], two[0]),) if len(one) == len(two) == 1 else BOTH
    return BOTH
