# SPDX-License-Identifier: GPL-2.0-or-later
"""Ways through a function, and how they are drawn together where they meet: no way is walked twice.

A way's condition is a list of decisions. Two ways that differ in one decision meet without a
condition left over, so that the formulas stay as small as the code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from verifier.kernel.llvm.objects import Contents, Object, ObjectMemory
from verifier.kernel.llvm.values import Value, Values

__all__ = ["Decision", "WayMerger", "WayState"]


@dataclass(slots=True, eq=False)
class Decision:
    """A condition that held at a branch, and its opposite."""

    condition: Any
    opposite: Decision | None = None


@dataclass(slots=True)
class WayState:
    """Where one way has come to: its decisions, the values it has computed, and memory."""

    path: tuple[Decision, ...]
    env: dict[str, Value]
    memory: dict[Object, Contents] = field(default_factory=dict)


class WayMerger:
    """Splits and merges states over one algebra."""

    def __init__(self, values: Values, memory: ObjectMemory) -> None:
        self.values = values
        self.alg = values.alg
        self.memory = memory

    def decide(self, condition: Any) -> tuple[Decision, Decision]:
        """The two decisions of a branch."""
        yes, no = Decision(condition), Decision(self.alg.neg(condition))
        yes.opposite, no.opposite = no, yes
        return yes, no

    def condition(self, path: tuple[Decision, ...]) -> Any:
        """The condition under which a way is taken."""
        return self.alg.all(*[d.condition for d in path])

    def take(self, state: WayState, decision: Decision) -> WayState | None:
        """The state after a decision, or None where it cannot be."""
        # Decisions are compared as objects, not by their terms: a branch that was taken before is
        # known again without a solver.
        if self.alg.known(decision.condition) is False or decision.opposite in state.path:
            return None
        if self.alg.known(decision.condition) is True or decision in state.path:
            return state
        return WayState((*state.path, decision), state.env, state.memory)

    def merge(self, states: list[WayState]) -> WayState:
        """One state for several ways, of which at most one is taken."""
        states = list(states)
        while len(states) > 1:
            one, two = self._pair(states)
            states[one] = self._merge(states[one], states.pop(two))
        return states[0]

    def _pair(self, states: list[WayState]) -> tuple[int, int]:
        """Two ways that differ in one decision only, else the last two."""
        for one, first in enumerate(states):
            if not first.path:
                continue
            for two in range(one + 1, len(states)):
                second = states[two].path
                if (
                    len(second) == len(first.path)
                    and second[-1].opposite is first.path[-1]
                    and second[:-1] == first.path[:-1]
                ):
                    return one, two
        return len(states) - 2, len(states) - 1

    def _merge(self, a: WayState, b: WayState) -> WayState:
        # What both ways have decided alike stays a decision. `when` is only what tells them apart,
        # so that terms do not repeat how both got here.
        common = 0
        while common < min(len(a.path), len(b.path)) and a.path[common] is b.path[common]:
            common += 1
        left, right = a.path[common:], b.path[common:]
        when = self.condition(left)
        path = a.path[:common]
        # Where the two sides of one branch have met, nothing is left of it. Else the way behind is
        # one that either may have taken.
        if not (len(left) == len(right) == 1 and left[0].opposite is right[0]):
            either = self.alg.any(when, self.condition(right))
            if self.alg.known(either) is not True:
                path = (*path, self.decide(either)[0])
        return WayState(
            path, self._values(when, a.env, b.env), self._memory(when, a.memory, b.memory)
        )

    def _values(self, when: Any, a: dict[str, Value], b: dict[str, Value]) -> dict[str, Value]:
        """What both ways have computed; a value of one way only cannot be used behind the meeting.
        """
        return {name: value if b[name] is value else self.values.choose(when, value, b[name])
                for name, value in a.items() if name in b}

    def _memory(
        self, when: Any, a: dict[Object, Contents], b: dict[Object, Contents]
    ) -> dict[Object, Contents]:
        merged = dict(a)
        for obj, contents in b.items():
            # An object that only one way has touched is, on the other, as it was at first.
            if obj not in a:
                merged[obj] = self.memory.merge(when, obj, {}, contents)
            elif a[obj] is not contents:
                merged[obj] = self.memory.merge(when, obj, a[obj], contents)
        for obj, contents in a.items():
            if obj not in b:
                merged[obj] = self.memory.merge(when, obj, contents, {})
        return merged
