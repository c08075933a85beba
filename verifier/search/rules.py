# SPDX-License-Identifier: GPL-2.0-or-later
"""What the steps of a trace may break: one frozen record, in which searches differ."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from typing import Protocol

from verifier.engine.bits import Word
from verifier.model.step import Step, invariants
from verifier.model.world import World
from verifier.prove.step_judge import StepJudge

__all__ = ["Further", "Rules", "Target"]

Target = tuple[str, str]  # transition, property


class Further(Protocol):
    """A condition on the last step of a trace, beyond that it breaks a property.

    It has a name of its own.
    """

    def conditions(self, judge: StepJudge[Word, int], step: Step[Word, int],
                   found: Mapping[str, int]) -> dict[str, int]:
        """Name -> condition, of a step that may be the last.

        `found` has the conditions that it breaks properties.
        """
        ...

    def property(self, name: str) -> str:
        """The property that such a name is about; any other name is a property's own."""
        ...

    def without(self, inputs: Mapping[str, int | bool]) -> dict[str, int | bool]:
        """The inputs of a step but for those that only the condition has."""
        ...


@dataclass(frozen=True, slots=True)
class Rules:
    """What the steps of a trace may break.

    failed   the obligations that are asked about: those that induction did not prove, or targets
    good     must every step but the last keep every property? If not, these may break any, and the
             last breaks a property of `failed` that holds before it
    mark     begins the names under which such traces are kept as hints
    words    what the progress line says of them
    further  what the last step has to satisfy beyond that
    """

    failed: frozenset[Target]
    good: bool = True
    mark: str = ""
    words: str = ""
    further: Further | None = None

    def also(self, failed: Set[Target]) -> Rules:
        """These rules, where these obligations fail as well."""
        return replace(self, failed=self.failed | failed)

    def held(self, world: World[Word, int], code: str) -> dict[str, int]:
        """For each property of `failed`, the condition that it holds before a step.

        Empty where `good`.
        """
        if self.good or not self.failed:
            return {}
        found: dict[str, list[int]] = {prop: [] for _, prop in self.failed}
        for name, _, holds in invariants(world.model, world, code):
            if name in found:
                found[name].append(holds)
        return {name: world.alg.all(*conditions) for name, conditions in found.items()}

    def violated(self, judge: StepJudge[Word, int], step: Step[Word, int],
                 held: Mapping[str, int]) -> dict[str, int]:
        """For each property that a step may break, the condition that it does."""
        # What induction proved of a step, no state that steps lead to violates. So only what failed
        # is built and asked.
        names = {name for transition, name in self.failed if transition == step.instance.name}
        found = {p.name: judge.alg.any(*(w.bad for w in judge.ways(p, step)))
                 for p in judge.properties() if p.name in names}
        if not self.good:
            # Steps before may have broken the property already: only a step from where it held
            # counts.
            found = {name: judge.alg.all(held[name], bad) for name, bad in found.items()}
        return (
            found if self.further is None else found | self.further.conditions(judge, step, found)
        )

    def named(self, found: str) -> str:
        """The property that a name of `violated` is about."""
        return found if self.further is None else self.further.property(found)

    def tolerates(self, found: str) -> bool:
        """May a step that is not the last satisfy this condition of `violated`?"""
        # A name of `further` is about the last step alone; before that it forbids nothing.
        return not self.good or self.named(found) != found
