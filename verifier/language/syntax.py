# SPDX-License-Identifier: GPL-2.0-or-later
"""The typed program: what the texts of the language become once they are parsed and typed.

A type is an int: BOOL, INDEX (a process or a loop's counter, always a known number), NOTHING, or
the width of a word in bits (1 to 128). The place `where` of a node is no part of its equality.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from verifier.base.errors import Where

__all__ = [
    "BOOL", "HUGE", "INDEX", "NOTHING", "Assert", "Assign", "Binary", "Call", "Compare",
    "Const", "Convert", "Do", "Expr", "Function", "Hardware", "If", "IfExp", "Local", "Logic",
    "Not", "Observe", "Param", "Return", "State", "Stmt", "asserts", "calls", "expressions",
    "parts", "passes_on", "sets_in", "touched", "type_name", "within",
]

BOOL = 0
INDEX = -1
NOTHING = -2
HUGE = "huge"  # the variable of each process that says whether its entry is of the larger level


def type_name(kind: int) -> str:
    """How a type is written.

    >>> type_name(64), type_name(BOOL)
    ('u64', 'bool')
    """
    return {BOOL: "bool", INDEX: "an index", NOTHING: "nothing"}.get(kind, f"u{kind}")


def _place() -> Where:
    return Where("", 0, 0)


@dataclass(frozen=True, slots=True)
class Const:
    """A known value."""

    type: int
    value: int  # a word, an index, or 0 and 1 for a boolean


@dataclass(frozen=True, slots=True)
class Local:
    """A parameter or a local variable, read or set."""

    type: int
    name: str
    where: Where = field(default_factory=_place, compare=False)


@dataclass(frozen=True, slots=True)
class State:
    """A variable of the world; indexed ones have an index, those of a page have a page."""

    type: int
    name: str
    index: Expr | None
    where: Where = field(default_factory=_place, compare=False)
    page: Expr | None = None


@dataclass(frozen=True, slots=True)
class Not:
    """~ on a word, `not` on a boolean."""

    type: int
    value: Expr


@dataclass(frozen=True, slots=True)
class Binary:
    """op is the Algebra's method: band, bor, bxor, shl, lshr, add, sub, mul."""

    type: int
    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Compare:
    """op is eq, ne, ult, ule; of is the operands' type."""

    type: int
    op: str
    of: int
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Logic:
    """The conjunction ("all") or disjunction ("any") of booleans."""

    type: int
    op: str  # all, any
    values: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class IfExp:
    """`then` where the test holds, else `orelse`; both have one type."""

    type: int
    test: Expr
    then: Expr
    orelse: Expr


@dataclass(frozen=True, slots=True)
class Convert:
    """A word of `type` bits: zero-extended, truncated, or made of a boolean or an index."""

    type: int
    value: Expr


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a function; `site` numbers the calls of one text from 1."""

    type: int
    function: Function
    args: tuple[Expr, ...]
    site: int


@dataclass(frozen=True, slots=True)
class Observe:
    """A fresh observation, which its axioms bind to the truth at this point."""

    type: int
    name: str
    args: tuple[Expr, ...]
    site: int


Expr: TypeAlias = (
    Const | Local | State | Not | Binary | Compare | Logic | IfExp | Convert | Call | Observe
)


def parts(value: Expr) -> tuple[Expr, ...]:
    """The operands of an expression; none of a constant, a local or a state variable."""
    if isinstance(value, (Not, Convert)):
        return (value.value,)
    if isinstance(value, (Binary, Compare)):
        return value.left, value.right
    if isinstance(value, Logic):
        return value.values
    if isinstance(value, IfExp):
        return value.test, value.then, value.orelse
    return value.args if isinstance(value, (Call, Observe)) else ()


@dataclass(frozen=True, slots=True)
class Assign:
    """A store of a value into a local or a variable of the world."""

    target: Local | State
    value: Expr


@dataclass(frozen=True, slots=True)
class If:
    """A branch."""

    test: Expr
    then: tuple[Stmt, ...]
    orelse: tuple[Stmt, ...]


@dataclass(frozen=True, slots=True)
class Return:
    """The end of a call, with its value if it has one."""

    value: Expr | None


@dataclass(frozen=True, slots=True)
class Assert:
    """The step violates `property` where the test fails."""

    test: Expr
    property: str
    where: Where = field(default_factory=_place, compare=False)


@dataclass(frozen=True, slots=True)
class Hardware:
    """A point at which the hardware may act on the entry in `target`."""

    target: Local | State
    site: int


@dataclass(frozen=True, slots=True)
class Do:
    """An expression that is evaluated for its effect."""

    value: Expr


Stmt: TypeAlias = Assign | If | Return | Assert | Hardware | Do


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter; `by_ref` says that it stands for the caller's entry (ptep, pmdp, pudp)."""

    name: str
    type: int
    by_ref: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A helper, a procedure or a code: its typed body and where it comes from.

    `pure`: it reads nothing but its arguments and changes nothing. `changes`: it changes something.
    """

    name: str
    params: tuple[Param, ...]
    returns: int
    body: tuple[Stmt, ...]  # loops are unrolled
    kinds: dict[str, int]  # parameter or local -> its type
    pure: bool
    where: Where
    text: str = ""
    source: str = ""
    depth: int = 1  # of calls
    nesting: int = 0  # of statements and expressions, with what it calls
    changes: bool = False
    # the parameters by reference that it may set, or on which the hardware may act within
    sets: frozenset[str] = frozenset()
    twin: Function | None = None  # of a reading of a process: the same for one whose entry is huge
    by: str = HUGE  # the variable of each process that says whether the twin is meant
    before: bool = False  # of a view of a process: is it about the state before the step?


def sets_in(body: tuple[Stmt, ...], name: str) -> bool:
    """May a body set this parameter, or may the hardware act on it there?"""
    return any(_sets(stmt, name) for stmt in body)


def _sets(stmt: Stmt, name: str) -> bool:
    if isinstance(stmt, If):
        return _hands_on(stmt.test, name) or sets_in((*stmt.then, *stmt.orelse), name)
    if (isinstance(stmt, (Assign, Hardware)) and isinstance(stmt.target, Local)
            and stmt.target.name == name):
        return True
    if isinstance(stmt, Hardware):
        return False
    value = stmt.test if isinstance(stmt, Assert) else stmt.value
    return value is not None and _hands_on(value, name)


def _hands_on(value: Expr, name: str) -> bool:
    """Does an expression give the parameter to a call that may set it?"""
    if isinstance(value, Call):
        for param, arg in zip(value.function.params, value.args, strict=True):
            if (param.by_ref and isinstance(arg, Local) and arg.name == name
                    and param.name in value.function.sets):
                return True
    return any(_hands_on(part, name) for part in parts(value))


def calls(body: tuple[Stmt, ...], name: str) -> bool:
    """Does a body itself call a function of this name?"""
    for stmt in body:
        if isinstance(stmt, If) and (calls(stmt.then, name) or calls(stmt.orelse, name)):
            return True
        if (isinstance(stmt, (Do, Assign)) and isinstance(stmt.value, Call)
                and stmt.value.function.name == name):
            return True
    return False


def touched(function: Function, stores: bool) -> frozenset[str]:
    """The variables of the world that a function and all that it calls name, or `stores` into."""
    found, seen, left = set(), set(), [function]
    while left:
        one = left.pop()
        if one in seen:
            continue
        seen.add(one)
        left += [one.twin] if one.twin is not None else []
        for stmt in within(one.body):
            if isinstance(stmt, Assign) and isinstance(stmt.target, State):
                found.add(stmt.target.name)
            for node in expressions(stmt):
                if isinstance(node, Call):
                    left.append(node.function)
                elif isinstance(node, State) and not stores:
                    found.add(node.name)
    return frozenset(found)


def passes_on(helper: Function) -> Function | None:
    """The helper that `helper` only passes its entry on to; None where it does more.

    Such a helper is one call of another on the same entry, and nothing else.
    """
    only = helper.body[0] if len(helper.body) == 1 else None
    made = only.value if isinstance(only, (Return, Do)) else None
    if not isinstance(made, Call):
        return None
    pairs = zip(made.function.params, made.args, strict=True)
    given = {arg.name for param, arg in pairs if param.by_ref and isinstance(arg, Local)}
    return made.function if given and given == {p.name for p in helper.params if p.by_ref} else None


def asserts(body: tuple[Stmt, ...]) -> Iterator[Assert]:
    """The asserts of a body, those in branches too."""
    return (stmt for stmt in within(body) if isinstance(stmt, Assert))


def expressions(stmt: Stmt) -> Iterator[Expr]:
    """All expressions of a statement with their parts, and what it sets; not nested statements."""
    match stmt:
        case If(test) | Assert(test):
            todo: list[Expr] = [test]
        case Hardware(target):
            todo = [target]
        case Assign(target, value):
            todo = [target, value]
        case Return(value) | Do(value):
            todo = [] if value is None else [value]
    while todo:
        node = todo.pop()
        yield node
        todo += parts(node)


def within(body: tuple[Stmt, ...]) -> Iterator[Stmt]:
    """The statements of a body, those in branches too."""
    for stmt in body:
        yield stmt
        if isinstance(stmt, If):
            yield from within((*stmt.then, *stmt.orelse))
