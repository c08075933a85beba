# SPDX-License-Identifier: GPL-2.0-or-later
"""Every mistake that is tried: in helpers and fields of arch/, in codes and requirements of specs/,
and those that patches to the kernel make.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from verifier.evidence.mutate.patches import patches
from verifier.evidence.mutate.rules import MistakeRules, read_rules
from verifier.evidence.mutate.variations import variations
from verifier.language.read_yaml import Source
from verifier.model.arch import Layout
from verifier.model.arch_records import Field
from verifier.model.spec import Level
from verifier.model.texts import name_of
from verifier.prove.obligations import Group
from verifier.run.library import Library

__all__ = ["Judged", "Mutant", "calls_of", "mutants", "patch_mutants"]

OURS = ("hardware_event", "hardware_load")  # procedures that are the hardware's


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mistake in a helper or field of a variant, or in a code or requirement of a transition.

    kind  helper, field, code or requires
    name  the helper or field, or TRANSITION.CODE, TRANSITION.REQUIREMENT
    """

    kind: str
    variant: str
    name: str
    what: str
    text: str
    place: str

    @property
    def id(self) -> str:
        """The name in reports and in specs/survivors.yaml."""
        return (f"{self.kind} {self.variant} {self.name}: {self.what}" if self.variant
                else f"{self.kind} {self.name}: {self.what}")


@dataclass(frozen=True, slots=True)
class Judged:
    """The judgement of a mutant; `verdict` is killed, survived, equivalent, refused or lost.

    `by` says what decides it, with a value or an obligation.
    """

    mutant: Mutant
    verdict: str
    by: str


def mutants(
    library: Library, variants: Iterable[str], kinds: Iterable[str],
    wanted: Callable[[str], bool] = lambda name: True,
) -> list[Mutant]:
    """Every mutant of these variants' helpers and fields, and of transitions, by wanted names."""
    found = []
    for variant in variants if {"helper", "field"} & set(kinds) else ():
        layout = library.layout(variant)
        for name in filter(wanted, layout.helpers() if "helper" in kinds else ()):
            text = layout.text(name)
            found += [Mutant("helper", variant, name, what, new, str(text.body.where))
                      for what, new in variations(text.body.text) if new != "pass"]
        for name, field in layout.fields.items() if "field" in kinds else ():
            if not wanted(name):
                continue
            low = _free_place(layout, field)
            found.append(Mutant("field", variant, name, f"from bit {low} up, not {field.low}",
                                str(low), str(field.where)))
    for transition in library.spec.transitions.values():
        for code, source in transition.codes.items() if "code" in kinds else ():
            if wanted(f"{transition.name}.{code}"):
                found += [Mutant("code", "", f"{transition.name}.{code}", what, new,
                                 str(source.where))
                          for what, new in variations(source.text)]
        if "requires" in kinds:
            found += [Mutant("requires", "", f"{transition.name}.{a.name}", "left out", "",
                             str(a.holds.where))
                      for a in transition.requires if not a.traces
                      and wanted(f"{transition.name}.{a.name}")]
    return found


def _free_place(layout: Layout, field: Field) -> int:
    """The next place, upwards and around, where the field overlaps no other; else one bit up."""
    taken = 0
    for other in layout.fields.values():
        taken |= other.mask if other is not field else 0
    size = field.high - field.low + 1
    places = [(field.low + step) % layout.width for step in range(1, layout.width)]
    free = (p for p in places if p + size <= layout.width and not (((1 << size) - 1) << p) & taken)
    return next(free, field.low + 1)


def patch_mutants(library: Library, variants: Iterable[str],
                  wanted: Callable[[str], bool] = lambda name: True) -> list[Mutant]:
    """Every mistake in every code and procedure of these variants' groups.

    The variant of such a mutant is written as the group.
    """
    rules, spec, found = read_rules(library.spec_folder, library.spec), library.spec, []
    for variant in variants:
        absent = library.variant(variant).absent
        for level, record in spec.levels.items():
            if absent.intersection(record.needs) or library.variant(variant).unproved:
                continue
            for encoding, code in spec.first.patches.theorems:
                overlay = spec.encodings[encoding].overlay
                if (overlay is not None
                        and overlay not in library.archs[library.variant(variant).arch].overlays):
                    continue
                group = str(Group(variant, level, encoding, code))
                for name, text in _texts(library, record, code, absent):
                    if wanted(name):
                        found += [Mutant("patch", group, name, what, new, str(text.where))
                                  for _, what, new in _planted(text.text, rules, level)]
    return found


@lru_cache(maxsize=1024)
def _kept(text: str, key: int, level: str) -> tuple[tuple[str, str, str], ...]:
    return tuple(patches(text, _RULES[key], level))


_RULES: dict[int, MistakeRules] = {}


def _planted(text: str, rules: MistakeRules, level: str) -> tuple[tuple[str, str, str], ...]:
    _RULES[id(rules)] = rules
    return _kept(text, id(rules), level)


def _texts(
    library: Library, level: Level, code: str, absent: frozenset[str] | set[str]
) -> Iterator[tuple[str, Source]]:
    """TRANSITION.CODE, or a procedure, and its text: what runs in a group on entries of the level.
    """
    used = set[str]()
    for transition in library.spec.transitions.values():
        written = transition.code(code)
        if (transition.takes(level) and written is not None
                and not set(absent).intersection(transition.needs)):
            used |= calls_of(written[1].text)
            yield f"{transition.name}.{written[0]}", written[1]
    for procedure in library.spec.procedures:
        if name_of(procedure) in used and name_of(procedure) not in OURS:
            yield name_of(procedure), procedure.body


def calls_of(text: str) -> set[str]:
    """The names of what a text calls."""
    return {n.func.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call)
            and isinstance(n.func, ast.Name)}
