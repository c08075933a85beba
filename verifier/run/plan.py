# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run covers: the groups and obligations that are asked for, and why others do not apply."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping, Sequence

from verifier.base.errors import UsageError, nearest
from verifier.model.arch_records import Variant
from verifier.model.first import Asked
from verifier.model.spec import REACHES, Transition, rank
from verifier.prove.obligations import Group
from verifier.run.filters import Filters, matches
from verifier.run.library import Library

__all__ = [
    "askable", "asks_for", "coverage_of", "first_theorems", "groups_of", "misspelt",
    "not_applicable", "nothing_matches", "variants_of",
]

NOT_COVERED = (
    "level pud: Linux 6.12 has no anonymous pages there (mm/huge_memory.c:copy_huge_pud)",
    "batches of entries (`pteproof blocks` asks them), and contiguous blocks",
    "interleavings of two processes inside one transition; the hardware acts within it on entries "
    "that the transition accesses",
)
CONTPTE = ("CONFIG_ARM64_CONTPTE is in none of these theorems: entries stand alone here; `pteproof "
           "blocks --contpte` has it")
THREADS = "GUP-fast against a transition under way"


def variants_of(library: Library, filters: Filters) -> list[Variant]:
    """The variants that are asked for."""
    return [v for v in library.variants()
            if any(matches(name, filters.arch) for name in _names(library, v))
            and filters.covers(_names(library, v))]


def _names(library: Library, variant: Variant) -> tuple[str, str, str]:
    """What a variant is found by: its name, its architecture's, and the kernel's name of that."""
    return variant.name, variant.arch, library.archs[variant.arch].kernel


def asks_for(library: Library, filters: Filters) -> Callable[[str], bool]:
    """Does a run with these filters ask for the obligation of this id, if there is one?"""
    names = {v.name for v in variants_of(library, filters)}
    known = {v.name for v in library.variants()}

    def asked(identity: str) -> bool:
        variant, level, encoding, transition, code, prop = identity.split("/")
        if variant in known:
            mine = (variant in names and filters.covers(_names(library, library.variant(variant)),
                                                        level, encoding, code))
        else:
            mine = (
                matches(variant, filters.arch) and filters.covers((variant,), level, encoding, code)
            )
        return (mine and matches(level, filters.level) and matches(encoding, filters.encoding)
                and matches(code, filters.code) and filters.wants(transition, prop))

    return asked


def groups_of(library: Library, filters: Filters) -> tuple[list[Group], list[dict[str, str]]]:
    """The groups that are asked for, and those that do not apply with the reason."""
    found: list[Group] = []
    skipped: list[dict[str, str]] = []
    for variant in variants_of(library, filters):
        if variant.unproved:
            skipped.append({"variant": variant.name, "why": variant.unproved})
            continue
        levels, called = [], _names(library, variant)
        for name, level in library.spec.levels.items():
            if not filters.covers(called, name):
                continue
            lacks = [need for need in level.needs if need in variant.absent]
            if matches(name, filters.level) and not lacks:
                levels.append(name)
            elif lacks:
                skipped.append(
                    {"variant": variant.name, "level": name, "why": f"has no {lacks[0]}"}
                )
        for encoding in library.spec.encodings.values():
            if not (matches(encoding.name, filters.encoding)
                    and filters.covers(called, encoding=encoding.name)):
                continue
            if (encoding.overlay is not None
                    and encoding.overlay not in library.archs[variant.arch].overlays):
                skipped.append({"variant": variant.name, "encoding": encoding.name,
                                "why": f"{variant.arch} has no overlay {encoding.overlay}"})
                continue
            if library.substitute is not None:
                why = library.substitute.stands_for(library.layout(variant.name, encoding.overlay))
                if why:
                    skipped.append({"variant": variant.name, "encoding": encoding.name, "why": why})
                    continue
            for code in encoding.codes:
                if matches(code, filters.code):
                    found += [Group(variant.name, level, encoding.name, code) for level in levels
                              if filters.covers(called, level, encoding.name, code)]
    return sorted(found, key=lambda group: _order(library.spec.first.prove, group)), skipped


def first_theorems(library: Library) -> tuple[str, ...]:
    """What is proved where nothing is asked for: VARIANT/LEVEL/ENCODING/CODE."""
    first = library.spec.first
    return tuple(f"{variant}/{first.level}/{encoding}/{code}"
                 for variant in first.prove.variants for encoding, code in first.prove.theorems)


def _order(first: Asked, group: Group) -> tuple[int, int]:
    """What most people want to know first; else as it stands in arch/ and specs/."""
    return rank(group.variant, first.variants), rank((group.encoding, group.code), first.theorems)


def not_applicable(
    library: Library, group: Group, wants: Callable[[str, str], bool]
) -> list[dict[str, str]]:
    """What this variant lacks, and so what makes no obligation."""
    absent = library.variant(group.variant).absent
    found = []
    spec = library.spec.at(library.spec.levels[group.level])
    for transition in spec.transitions.values():
        for need in transition.needs:
            if need in absent and wants(transition.name, ""):
                found.append({"variant": group.variant, "transition": transition.name,
                              "why": f"has no {need}"})
        if not set(transition.needs) & set(absent) and wants(transition.name, ""):
            found += _effects_not_asked(library, group, transition)
    for prop in spec.properties.values():
        found += [{"variant": group.variant, "property": prop.name, "why": why}
                  for why in prop.lacks(group.variant, absent)]
    return found


def coverage_of(library: Library, groups: Sequence[Group], filters: Filters,
                skipped: Sequence[Mapping[str, str]]) -> dict[str, object]:
    """What a run over these groups does not cover, and what does not apply."""
    unproved = [f"variant {v.name}: {v.unproved}" for v in variants_of(library, filters)
                if v.unproved]
    asked = {group.level for group in groups}
    levels = [THREADS] if not all(library.spec.levels[name].threads for name in asked) else []
    left: dict[str, list[str]] = {}  # what levels do not cover, each sentence once
    for name, level in library.spec.levels.items():
        for what in level.covers_not if name in asked else ():
            left.setdefault(what, []).append(name)
        if not matches(name, filters.level):
            left.setdefault("not asked for", []).append(name)
    levels += [f"level{'s' * (len(names) > 1)} {', '.join(names)}: {what}"
               for what, names in left.items()]
    lacking = [one for group in dict.fromkeys(groups)
               for one in not_applicable(
                   library, group, lambda t, p: matches(t, filters.transition))]
    if any("CONT_PTES" in library.variant(group.variant).constants for group in groups):
        levels = [CONTPTE, *levels]
    return {"not_covered": [*NOT_COVERED, *levels, *unproved],
            "not_applicable": [*skipped, *lacking],
            "catalogue": library.catalogue.coverage()}


def _effects_not_asked(
    library: Library, group: Group, transition: Transition
) -> list[dict[str, str]]:
    """A transition's effects that no state of this variant can show, at its first level."""
    variant, spec = library.variant(group.variant), library.spec
    if group.level != spec.first_level(transition).name:
        return []
    events = () if variant.one_cpu else variant.hardware
    reasons = ((e, e.lacks(variant.name, variant.absent, events)) for e in transition.reaches)
    return [{"variant": variant.name, "transition": transition.name, "property": REACHES + e.name,
             "why": why}
            for e, why in reasons if why and (not e.codes or group.code in e.codes)]


def askable(library: Library, step: str) -> list[str]:
    """The names of all that obligations of a step may be about: properties and effects."""
    transition = library.spec.transitions.get(step)
    effects = () if transition is None else transition.reaches
    return [*library.spec.properties, *(REACHES + effect.name for effect in effects)]


def nothing_matches(filters: Filters, library: Library) -> UsageError:
    """The error for filters that match nothing, with the nearest right word."""
    return misspelt(filters, library) or UsageError("the filters together match nothing")


def misspelt(filters: Filters, library: Library) -> UsageError | None:
    """The error for the first glob that matches no name at all, whatever the others match.

    None where each glob matches a name.
    """
    archs = library.archs.values()
    known = {
        "arch": [*library.archs, *(v.name for v in library.variants()),
                 *(arch.kernel for arch in archs)],
        "level": list(library.spec.levels),
        "encoding": list(library.spec.encodings), "code": list(library.spec.codes),
        "transition": [*library.spec.transitions, "init", "static",
                       *(f"hw-{event}" for arch in archs for event in arch.events)],
        "property": list(dict.fromkeys(name for step in library.spec.transitions
                                       for name in askable(library, step))),
    }
    for option, names in known.items():
        globs: tuple[str, ...] = getattr(filters, option)
        for glob in globs:
            if not any(fnmatch.fnmatchcase(name, glob) for name in names):
                return UsageError(f"--{option} {glob}: matches nothing{nearest(glob, names)}")
    for theorem in filters.theorems:
        error = _no_theorem(library, theorem, known)
        if error is not None:
            return error
    return None


def _no_theorem(
    library: Library, theorem: str, known: Mapping[str, Sequence[str]]
) -> UsageError | None:
    """What is wrong with variant/level/encoding/code, if anything is."""
    parts = theorem.split("/")
    if len(parts) > 4:
        return UsageError(f"{theorem!r} is no theorem: variant/level/encoding/code, or a part of "
                          "it from the left. "
                          "One obligation is what `explain` shows")
    for glob, option in zip(parts, ("arch", "level", "encoding", "code"), strict=False):
        if not any(fnmatch.fnmatchcase(name, glob) for name in known[option]):
            return UsageError(f"{theorem}: {glob!r} matches nothing{nearest(glob, known[option])}")
    return None
