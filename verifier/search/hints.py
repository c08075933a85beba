# SPDX-License-Identifier: GPL-2.0-or-later
"""Traces that were found elsewhere: tried first, and believed only when they are recomputed."""

from __future__ import annotations

from dataclasses import dataclass, field

from verifier.model.typed import Model
from verifier.prove.obligations import Group
from verifier.prove.results import Move
from verifier.search.follow import labels
from verifier.search.rules import Target
from verifier.search.sequences import Labels

__all__ = ["Hints"]

OTHERS = 3  # traces to one target, of different steps


@dataclass(slots=True)
class Hints:
    """Traces found elsewhere: tried first, and believed only when they are recomputed.

    traces        the last one, by level, encoding, code and target
    others        the steps of those that differ in steps, by encoding, code and target; the last
                  that was found comes first
    consequences  what a failure leads to, the last one that was looked for; empty where there was
                  none
    endings       the steps of those, by encoding and code; the shortest first
    """

    traces: dict[tuple[str, str, str, str], tuple[Move, ...]] = field(default_factory=dict)
    others: dict[tuple[str, str, str], list[Labels]] = field(default_factory=dict)
    consequences: dict[tuple[str, str, str, Target], tuple[Move, ...]] = field(default_factory=dict)
    endings: dict[tuple[str, str], list[Labels]] = field(default_factory=dict)
    # searched to the full depth, of an architecture and of any
    in_vain: set[tuple[str | Target, ...]] = field(default_factory=set)

    def keep(self, model: Model, group: Group, name: str, trace: tuple[Move, ...]) -> None:
        """Remember a trace to this target."""
        self.traces[group.level, group.encoding, group.code, name] = trace
        _first(self.others.setdefault((group.encoding, group.code, name), []), labels(model, trace))

    def keep_consequence(
            self, model: Model, group: Group, target: Target, steps: tuple[Move, ...]
    ) -> None:
        """Remember what a failure leads to, or that it leads nowhere near."""
        self.consequences[group.level, group.encoding, group.code, target] = steps
        if steps:
            endings = self.endings.setdefault((group.encoding, group.code), [])
            _first(endings, labels(model, steps))
            endings.sort(key=len)

    def of(self, group: Group) -> Hints:
        """What the group has found or was handed."""
        theorem = (group.level, group.encoding, group.code)
        return Hints(
            {key: trace for key, trace in self.traces.items() if key[:3] == theorem},
            {key: list(steps) for key, steps in self.others.items() if key[:2] == theorem[1:]},
            {key: steps for key, steps in self.consequences.items() if key[:3] == theorem},
            {key: list(steps) for key, steps in self.endings.items() if key == theorem[1:]},
            {key for key in self.in_vain if key[-4:-1] == theorem})

    def add(self, others: Hints) -> None:
        """Take over what another task has found, of other theorems than these."""
        self.traces |= others.traces
        self.others |= {key: list(steps) for key, steps in others.others.items()}
        self.consequences |= others.consequences
        self.endings |= {key: list(steps) for key, steps in others.endings.items()}
        self.in_vain |= others.in_vain


def _first(known: list[Labels], steps: Labels) -> None:
    """Put steps before others, and forget what was there too long."""
    known[:] = [steps, *(other for other in known if other != steps)][:OTHERS]
