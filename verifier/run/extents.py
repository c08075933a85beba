# SPDX-License-Identifier: GPL-2.0-or-later
"""What theorems ask for, and their verdicts once it is decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from verifier.model.spec import ADVISORY
from verifier.model.step import applies, asked, step_names
from verifier.model.typed import Model
from verifier.prove.obligations import Group
from verifier.prove.results import Result, TheoremResult, tally
from verifier.run.filters import Filters

__all__ = ["Extent", "extent_of", "number_asked", "theorems"]

_ORDER = ("refuted", "vacuous", "unknown", "incomplete")
_WORDS = ("proved", *_ORDER, "advice")


def number_asked(model: Model, group: Group, filters: Filters) -> int:
    """How many obligations of a group were asked for."""
    return sum(filters.wants(name, prop.name) for name in step_names(model)
               for prop in asked(model, name, group.code))


@dataclass(frozen=True, slots=True)
class Extent:
    """What a theorem asks for: the number of its obligations, and the lemmas of its induction."""

    group: Group
    obligations: int
    lemmas: tuple[str, ...]


def extent_of(model: Model, group: Group, filters: Filters) -> Extent:
    """A theorem's extent, while its model is at hand: to type all models again takes seconds."""
    lemmas = tuple(p.name for p in model.spec.properties.values()
                   if p.kind in ("invariant", "lemma") and applies(model, p, group.code))
    return Extent(group, number_asked(model, group, filters), lemmas)


def theorems(
    groups: Sequence[Group], extents: Mapping[Group, Extent], all_of_it: bool,
    results: Sequence[Result], finished: AbstractSet[Group],
) -> list[TheoremResult]:
    """The verdicts of theorems; of one whose extent is not known, nothing was decided."""
    found = []
    counted: dict[Group, dict[str, int]] = {}
    serious: dict[Group, set[str]] = {}
    for alike, number in tally(results).items():
        group = alike.group
        counts = counted.setdefault(group, dict.fromkeys(_WORDS, 0))
        counts[alike.counted_as()] += number
        if alike.kind != ADVISORY:
            serious.setdefault(group, set()).add(alike.verdict)
    for group in groups:
        counts, words = counted.get(group, dict.fromkeys(_WORDS, 0)), serious.get(group, set())
        extent = extents.get(group)
        if extent is None:
            found.append(TheoremResult(group, "unknown", (), counts, False, None))
            continue
        undecided = extent.obligations - sum(counts.values())
        whole = all_of_it and not undecided and group in finished
        verdict = next((v for v in _ORDER if v in words), "proved" if group in counted
                       else "unknown")
        if verdict == "proved" and not whole:
            verdict = "unknown" if undecided or group not in finished else "incomplete"
        found.append(TheoremResult(group, verdict, extent.lemmas, counts, whole, undecided))
    return found
