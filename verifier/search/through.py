# SPDX-License-Identifier: GPL-2.0-or-later
"""How a failure is reached through another: for what no trace of good steps reaches.

An obligation that induction does not prove, and that no trace refutes, is often reached once a step has broken a property. The
first step that does is refuted by the same trace. What it leads to is not, for nothing says that it fails when the first is
mended; but it says what to mend first.
"""

from __future__ import annotations

from collections.abc import Mapping

from verifier.language.machine import Key
from verifier.model.spec import ADVISORY
from verifier.model.step import Step, World, invariants
from verifier.model.typed import Model
from verifier.prove.bits_way import replay
from verifier.prove.obligations import Builder, Group
from verifier.prove.results import Move
from verifier.search.follow import Plan, follow
from verifier.search.path import Target
from verifier.search.sequences import THROUGH
from verifier.search.trace import Search

__all__ = ["Through", "first_broken"]


class Through(Search):
    """A search whose earlier steps may break any property; the last breaks one that holds before it.

    `failed` are the targets.
    """

    good = False
    mark = THROUGH
    words = ", after a failure"

    def held(self, world: World) -> dict[str, int]:
        found: dict[str, list[int]] = {prop: [] for _, prop in self.failed}
        for name, _, holds in invariants(self.model, world, self.group.code):
            if name in found:
                found[name].append(holds)
        return {name: world.alg.all(*conditions) for name, conditions in found.items()}

    def violated(self, builder: Builder, step: Step, held: Mapping[str, int]) -> dict[str, int]:
        return {name: builder.alg.all(held[name], bad) for name, bad in super().violated(builder, step, held).items()}

    def tolerates(self, transition: str, prop: str) -> bool:
        return True

    def confirmed(self, plan: Plan, start: Mapping[Key, int | bool], prop: str) -> tuple[Move, ...] | None:
        return follow(self.model, self.group, plan, start, prop, through=True)


def first_broken(model: Model, group: Group, trace: tuple[Move, ...]) -> Target | None:
    """The first step of a trace that breaks a property before the last does, and which."""
    for move in trace[:-1]:
        violated, _, _ = replay(model, group, move)
        serious = sorted(v for v in violated if model.spec.properties[v].kind != ADVISORY)
        if serious:
            return move.transition, serious[0]
    return None
