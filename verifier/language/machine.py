# SPDX-License-Identifier: GPL-2.0-or-later
"""What a typed program runs in: the state, the path, what it asserted, and results of calls that were made before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from verifier.language.algebra import Algebra
from verifier.language.syntax import BOOL, Function

__all__ = ["HUGE", "LIFTED", "WAS", "Frame", "Key", "Machine", "Memory"]

Key = str | tuple[str, int]  # a state variable, or one of an indexed one
WAS = "was_"  # a variable, and a view of a process, of the state before a step
LIFTED = "kernel "  # begins the name of an input that lifted helpers leave free; it is the same at every step of a trace
HUGE = "huge"  # the variable that says of a process whether its entry is of the larger level


@dataclass(slots=True)
class Frame:
    """The locals of one call, and what it has returned so far."""

    function: Function
    values: dict[str, Any]
    refs: dict[str, Any] = field(default_factory=dict)  # by-reference parameter -> index of the process
    returned: Any = None  # boolean of the algebra: has it returned? None: on no way so far
    result: Any = None


class Memory(dict[Any, Any]):
    """Results of calls of pure functions, by function and arguments. What answers calls itself derives from it."""

    def by_reference(self, function: Function, args: tuple[Any, ...], room: Room) -> tuple[Any, dict[str, Any], Any] | None:
        """The result of a helper that changes entries, these by parameter, and where not: its body stands there.

        `room` lets the hardware act within it. None: walk its body everywhere.
        """
        return None

    def take(self) -> dict[str, Any]:
        """Of the answers since the last time: why they are not settled, and under which condition; here none."""
        return {}

    def says(self) -> tuple[str, ...]:
        """Which helpers were answered, which were not and why, and what the answers rest on."""
        return ()


class Machine:
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
        self, alg: Algebra[Any, Any], state: dict[Key, Any] | None = None, kinds: dict[str, int] | None = None
    ) -> None:
        self.alg = alg
        self.kinds: dict[str, int] = kinds or {}
        self.state: dict[Key, Any] = {} if state is None else state
        self.path: Any = alg.truth(True)
        self.violations: dict[str, Any] = {}
        self.assumed: list[Any] = []
        self.moments: dict[str, dict[Key, Any]] = {}
        self.stack: list[str] = []
        self.memo: Memory = Memory()
        self.skipped: frozenset[str] = frozenset()  # names of actions that are left out

    def observe(self, name: str, args: tuple[Any, ...], label: str) -> Any:
        """A fresh observation; a bare machine has none."""
        raise NotImplementedError(f"{name}: no world to observe")

    def hardware(self, process: Any, entry: Any, label: str) -> Any:
        """The entry after the hardware may have acted; a bare machine has no hardware."""
        return entry

    def mark(self) -> Callable[[], None]:
        """What puts the machine back to how it is now."""
        state, violations, assumed, path = dict(self.state), dict(self.violations), list(self.assumed), self.path

        def back() -> None:
            self.state, self.violations, self.assumed, self.path = state, violations, assumed, path

        return back

    def entering(self, name: str, process: Any, site: int) -> None:
        """A call begins, about the entry of a process; a world may have to do with that."""

    def leaving(self, helper: Function, process: Any, before: Any, result: Any, site: int) -> None:
        """A text's call of a helper on the entry of a process has ended; a world may have to do with that, too.

        `before` is the entry that it was given.
        """

    def label(self, site: int) -> str:
        return ".".join([*self.stack, str(site)])

    def violate(self, name: str, condition: Any) -> None:
        failed = self.alg.all(self.path, condition)
        if self.alg.known(failed):
            self.moments.setdefault(name, dict(self.state))
        before = self.violations.get(name)
        self.violations[name] = failed if before is None else self.alg.any(before, failed)


class Room:
    """Lets the hardware of a machine act within a call that is answered elsewhere.

    refs    by-reference parameter -> the process whose entry it is; None: nobody's
    site    of the call
    """

    def __init__(self, machine: Machine, refs: dict[str, Any], site: int) -> None:
        self.machine, self.refs, self.site = machine, refs, site
        self._back: Callable[[], None] | None = None  # what undoes all that has happened, if anything has
        self._violations: dict[str, Any] = {}

    @property
    def place(self) -> str:
        """The call, as labels of what happens in it begin."""
        return self.machine.label(self.site)

    def act(self, parameter: str, entry: Any, where: Any, label: str) -> Any:
        """The entry behind a parameter, after the hardware may have acted where the condition holds."""
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

    def _merge(self, where: Any, before: dict[Key, Any]) -> None:
        alg, state = self.machine.alg, self.machine.state
        for key, old in before.items():
            if state[key] is not old:
                kind = self.machine.kinds[key if isinstance(key, str) else key[0]]
                state[key] = alg.choose(where, state[key], old) if kind == BOOL else alg.ite(where, state[key], old, kind)

    def undo(self) -> None:
        """As if nothing had happened within the call."""
        if self._back is not None:
            self._back()

    def leave(self, unless: Any) -> dict[Key, Any]:
        """Let what happened hold but where the condition does: the state after it. The machine goes on from the state before."""
        m = self.machine
        if self._back is None:
            after, m.state = m.state, dict(m.state)
            return after
        after, no = m.state, m.alg.truth(False)
        failed = {name: m.alg.any(self._violations.get(name, no), m.alg.all(condition, m.alg.neg(unless)))
                  for name, condition in m.violations.items()}
        assumed = m.assumed
        self._back()
        m.violations, m.assumed = failed, assumed
        return after
