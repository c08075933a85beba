# SPDX-License-Identifier: GPL-2.0-or-later
"""What a typed program runs in: state, path, asserts, and results of earlier calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeAlias

from verifier.language.algebra import Algebra, B, W
from verifier.language.syntax import HUGE, Function
from verifier.language.values import Value, picked

__all__ = ["HUGE", "LIFTED", "WAS", "Answer", "Frame", "Key", "Machine", "Memory", "Refs",
           "of_page"]

Key: TypeAlias = str | tuple[str, int]  # a state variable, or one of an indexed one
# By-reference parameter -> the process whose entry it is; None where it is nobody's.
Refs: TypeAlias = dict[str, int | None]
# The result of a helper, the new value of each by-reference parameter, and where this is no answer.
Answer: TypeAlias = tuple[Value, dict[str, Value], B]
WAS = "was_"  # begins the name of a variable or a view that is about the state before a step
# Begins the name of an input that lifted helpers leave free. Such an input has one value for all
# steps of a trace.
LIFTED = "kernel "


def of_page(name: str, page: int) -> str:
    """The name under which a state keeps the variable of a page of a block.

    >>> of_page("entry", 2)
    'entry/2'
    """
    return f"{name}/{page}"


@dataclass(slots=True)
class Frame(Generic[W, B]):
    """The locals of one call, and what it has returned so far."""

    function: Function
    values: dict[str, Value]
    refs: Refs = field(default_factory=dict)
    returned: B | None = None  # has it returned? None: on no way so far
    result: Value = None


class Memory(dict[tuple[Function, tuple[Value, ...]], Value], Generic[W, B]):
    """Results of calls of pure functions, by function and arguments.

    A subclass may answer calls itself, such as with the kernel's own helpers.
    """

    def by_reference(
        self, function: Function, args: tuple[Value, ...], room: Room[W, B]
    ) -> Answer[B] | None:
        """The answer to a call of a helper that changes entries: (result, entries, unless).

        `entries` has the new value of each by-reference parameter. Where the condition `unless`
        holds the answer says nothing, and the helper's body is walked. `room` lets the hardware act
        within the call. None: there is no answer, and the body is walked everywhere.
        """
        return None

    def take(self) -> dict[str, B]:
        """What is not settled in the answers since the last call: reason -> condition. Here none.
        """
        return {}

    def says(self) -> tuple[str, ...]:
        """Lines on which helpers were answered, which were not and why, and what answers rest on.
        """
        return ()


class Machine(Generic[W, B]):
    """The world that a program runs in: values of state variables, the path, and what it asserted.

    alg         the algebra
    state       values of the state variables
    kinds       state variable -> its type
    path        the condition under which this point is reached
    violations  property -> condition under which an assert of it failed
    assumed     conditions that may be taken as given (axioms of observations)
    moments     property -> the state at the first assert of it that is known to fail
    """

    def __init__(
        self, alg: Algebra[W, B], state: dict[Key, Value] | None = None,
        kinds: dict[str, int] | None = None
    ) -> None:
        self.alg = alg
        self.kinds: dict[str, int] = kinds or {}
        self.state: dict[Key, Value] = {} if state is None else state
        self.path: B = alg.truth(True)
        self.violations: dict[str, B] = {}
        self.assumed: list[B] = []
        self.moments: dict[str, dict[Key, Value]] = {}
        self.stack: list[str] = []
        self.memo: Memory[W, B] = Memory()
        self.skipped: frozenset[str] = frozenset()  # names of actions that are left out

    def observe(self, name: str, args: tuple[Value, ...], label: str) -> B:
        """A fresh observation; a bare machine has none and raises NotImplementedError."""
        raise NotImplementedError(f"{name}: no world to observe")

    def hardware(self, process: int | None, entry: W, label: str) -> W:
        """The entry after the hardware may have acted on it; a bare machine has no hardware."""
        return entry

    def mark(self) -> Callable[[], None]:
        """A function that puts the machine back to how it is now."""
        state, violations, assumed, path = (dict(self.state), dict(self.violations),
                                            list(self.assumed), self.path)

        def back() -> None:
            self.state, self.violations, self.assumed, self.path = state, violations, assumed, path

        return back

    def entering(self, name: str, process: Value, site: int) -> None:
        """Called when a call about the entry of a process begins, for subclasses.

        Where the call is about no entry, `process` is its first argument.
        """

    def leaving(
        self, helper: Function, process: int | None, before: W, result: Value, site: int
    ) -> None:
        """Called when a text's call of a helper on a process's entry has ended, for subclasses.

        `before` is the entry that the helper was given.
        """

    def ended(self, name: str, args: tuple[Value, ...], site: int) -> None:
        """Called when a text's call of what changes something, and no entry, has ended."""

    def label(self, site: int) -> str:
        """The name of this place in the program: the sites of all calls around it, and `site`."""
        return ".".join([*self.stack, str(site)])

    def violate(self, name: str, condition: B) -> None:
        """Record that the property `name` fails on this path where the condition holds."""
        failed = self.alg.all(self.path, condition)
        if self.alg.known(failed):
            self.moments.setdefault(name, dict(self.state))
        before = self.violations.get(name)
        self.violations[name] = failed if before is None else self.alg.any(before, failed)


class Room(Generic[W, B]):
    """Lets the hardware of a machine act within a call that is answered elsewhere.

    refs    whose entries its by-reference parameters are
    site    of the call
    """

    def __init__(self, machine: Machine[W, B], refs: Refs, site: int) -> None:
        self.machine, self.refs, self.site = machine, refs, site
        # Undoes everything that has happened; None where nothing has.
        self._back: Callable[[], None] | None = None
        self._violations: dict[str, B] = {}

    @property
    def place(self) -> str:
        """The call, as the labels of everything within it begin."""
        return self.machine.label(self.site)

    def act(self, parameter: str, entry: W, where: B, label: str) -> W:
        """The entry behind a parameter, after the hardware may have acted where `where` holds."""
        m, process = self.machine, self.refs.get(parameter)
        if self._back is None:
            self._back, self._violations = m.mark(), dict(m.violations)
        path, before = m.path, dict(m.state)
        m.path = m.alg.all(path, where)
        entry = m.hardware(process, entry, f"{self.place}.{label}")
        m.path = path
        if m.alg.known(where) is not True:
            self._merge(where, before)
        return entry

    def _merge(self, where: B, before: dict[Key, Value]) -> None:
        state = self.machine.state
        for key, old in before.items():
            if state[key] is not old:
                kind = self.machine.kinds[key if isinstance(key, str) else key[0]]
                state[key] = picked(self.machine.alg, where, state[key], old, kind)

    def undo(self) -> None:
        """Undo everything that happened within the call."""
        if self._back is not None:
            self._back()

    def leave(self, unless: B) -> dict[Key, Value]:
        """The state after the call, where `unless` does not hold.

        The machine goes back to the state before the call, but keeps the violations and assumptions
        made within it.
        """
        m = self.machine
        if self._back is None:
            after, m.state = m.state, dict(m.state)
            return after
        after, no = m.state, m.alg.truth(False)
        failed = {name: m.alg.any(self._violations.get(name, no),
                                  m.alg.all(condition, m.alg.neg(unless)))
                  for name, condition in m.violations.items()}
        assumed = m.assumed
        self._back()
        m.violations, m.assumed = failed, assumed
        return after
