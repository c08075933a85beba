# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs of a litmus test: threads of C that share a few locations, and a condition on their end.

A value is a number, or the name of a location where a pointer is meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Atom", "Both", "Condition", "Decide", "Either", "Evaluated", "Expression", "Follow",
           "Identifier", "Invoke", "Litmus", "Negated", "Number", "Operator", "Program", "Put",
           "Statement", "Value", "holds"]

Value: TypeAlias = int | str


@dataclass(frozen=True, slots=True)
class Number:
    """A constant."""

    value: int


@dataclass(frozen=True, slots=True)
class Identifier:
    """A register of the thread, or the address of a location."""

    name: str


@dataclass(frozen=True, slots=True)
class Follow:
    """What a pointer leads to: *pointer."""

    pointer: Expression


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator with its one or two operands."""

    sign: str
    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Invoke:
    """One of the kernel's functions on shared memory."""

    name: str
    arguments: tuple[Expression, ...]


Expression: TypeAlias = Number | Identifier | Follow | Operator | Invoke


@dataclass(frozen=True, slots=True)
class Put:
    """A register, or what a pointer leads to, becomes a value."""

    target: Identifier | Follow
    value: Expression


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A call whose value nobody takes."""

    value: Expression


@dataclass(frozen=True, slots=True)
class Decide:
    """if and else."""

    condition: Expression
    then: tuple[Statement, ...]
    other: tuple[Statement, ...] = ()


Statement: TypeAlias = Put | Evaluated | Decide


@dataclass(frozen=True, slots=True)
class Atom:
    """A register of a thread, or a location where `thread` is None, has a value at the end."""

    thread: int | None
    name: str
    value: Value


@dataclass(frozen=True, slots=True)
class Negated:
    """Negation."""

    of: Condition


@dataclass(frozen=True, slots=True)
class Both:
    """All of these."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """One of these, or several."""

    parts: tuple[Condition, ...]


Condition: TypeAlias = Atom | Negated | Both | Either


@dataclass(frozen=True, slots=True)
class Program:
    """The code of one thread."""

    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Litmus:
    """A test: does an execution end so that `exists` is true, among those that `filters` lets
    through?
    """

    name: str
    initial: Mapping[str, Value]
    threads: tuple[Program, ...]
    exists: Condition
    filters: Condition | None = None


def holds(
    condition: Condition, registers: Mapping[int, Mapping[str, Value]],
    memory: Mapping[str, Value] | None = None,
) -> bool | None:
    """Is the condition true? None where that depends on threads or memory that are not given.

    >>> both = Both((Atom(0, "r1", 1), Atom(None, "x", 2)))
    >>> holds(both, {0: {"r1": 1}}), holds(both, {0: {"r1": 0}}), holds(both, {}, {"x": 1})
    (None, False, False)
    """
    match condition:
        case Atom(None, name, value):
            return None if memory is None else memory[name] == value
        case Atom(thread, name, value):
            assert thread is not None
            return registers[thread].get(name, 0) == value if thread in registers else None
        case Negated(inner):
            found = holds(inner, registers, memory)
            return None if found is None else not found
        case Both(parts):
            some = [holds(part, registers, memory) for part in parts]
            return False if False in some else None if None in some else True
        case Either(parts):
            some = [holds(part, registers, memory) for part in parts]
            return True if True in some else None if None in some else False
