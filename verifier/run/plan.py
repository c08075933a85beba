# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run covers: which groups and obligations are asked for, and what does not apply and why."""

from __future__ import annotations

import fnmatch
import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from verifier.base.errors import SpecError, UsageError, nearest
from verifier.model.arch import Arch, Layout, Variant, data_folder
from verifier.model.catalogue import Catalogue, load_catalogue
from verifier.model.read_arch import load_archs, load_generic
from verifier.model.read_specs import load_spec
from verifier.model.spec import FALLBACK, PTE, REACHES, Spec, Transition, name_of
from verifier.model.typed import Model
from verifier.prove.obligations import Group
from verifier.prove.other_helpers import Substitute, substituted
from verifier.search.sequences import Known, read_sequences

__all__ = ["Filters", "Library", "load_library"]

KEPT = 24  # typed models that are kept: one takes a MByte

NOT_COVERED = (
    "level pud: Linux 6.12 has no anonymous pages there (mm/huge_memory.c:copy_huge_pud)",
    "batches of entries: contiguous blocks, folio_pte_batch and what uses it",
    "interleavings of two processes inside one transition; the hardware acts within it on entries that the transition accesses",
    "GUP-fast against a transition under way",
)


@dataclass(frozen=True, slots=True)
class Filters:
    """Shell globs; an empty tuple lets everything through."""

    arch: tuple[str, ...] = ()
    level: tuple[str, ...] = ()
    encoding: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    transition: tuple[str, ...] = ()
    property: tuple[str, ...] = ()

    def whole(self) -> bool:
        """Does every obligation of a group pass?"""
        return not self.transition and not self.property

    def wants(self, transition: str, prop: str) -> bool:
        return matches(transition, self.transition) and matches(prop, self.property)


def matches(name: str, globs: tuple[str, ...]) -> bool:
    """Does the name match one of the globs, or are there none?"""
    return not globs or any(fnmatch.fnmatchcase(name, glob) for glob in globs)


@dataclass(slots=True)
class Library:
    """arch/ and specs/ as loaded, and models typed from them."""

    archs: Mapping[str, Arch]
    generic: Arch | None
    spec: Spec
    arch_folder: Path
    spec_folder: Path
    catalogue: Catalogue = field(default_factory=Catalogue)
    substitute: Substitute | None = None  # whose helpers stand in for arch/'s
    _layouts: dict[tuple[str, str | None], Layout] = field(default_factory=dict)
    _models: dict[tuple[str, str, str, Substitute | None], Model] = field(default_factory=dict)
    _sequences: Known | None = None

    def variants(self) -> list[Variant]:
        return [v for arch in self.archs.values() for v in arch.variants.values()]

    def variant(self, name: str) -> Variant:
        """A variant by its name, or an architecture's default. UsageError where there is none."""
        arch = self.archs.get(name)
        if arch is not None:
            return next((v for v in arch.variants.values() if v.default), next(iter(arch.variants.values())))
        found = next((v for v in self.variants() if v.name == name), None)
        if found is None:
            known = [*self.archs, *(v.name for v in self.variants())]
            raise UsageError(f"unknown architecture or variant {name!r}{nearest(name, known)}")
        return found

    def layout(self, variant: str, overlay: str | None = None) -> Layout:
        key = (variant, overlay)
        if key not in self._layouts:
            record = self.variant(variant)
            self._layouts[key] = Layout(self.archs[record.arch], record, self.generic, overlay)
        return self._layouts[key]

    def model(self, variant: str, encoding: str, level: str = PTE) -> Model:
        """A model, and its layout with it: typed where they are used, and the KEPT that were used last stay.

        Where helpers are substituted, it is these that the model has, for whoever asks it: prover, search, replay, report.
        """
        key = (variant, encoding, level, self.substitute)
        if key not in self._models:
            record = self.spec.encodings[encoding]
            model = Model(self.spec, self.layout(variant, record.overlay), record, level)
            self._models[key] = model if self.substitute is None else substituted(model, self.substitute)
            if len(self._models) > KEPT:
                self._drop(next(iter(self._models)))
        self._models[key] = found = self._models.pop(key)
        return found

    def _drop(self, key: tuple[str, str, str, Substitute | None]) -> None:
        """Let go of a model, and of its layouts where no other has them."""
        del self._models[key]
        if not any(variant == key[0] for variant, *_ in self._models):
            for layout in [layout for layout in self._layouts if layout[0] == key[0]]:
                del self._layouts[layout]

    def sequences(self) -> Known:
        """What steps led to failures before, read when it is first asked for. SpecError where the form is wrong."""
        if self._sequences is None:
            self._sequences = read_sequences(self.spec_folder)
        return self._sequences

    def group_model(self, group: Group) -> Model:
        """The model that a group is about."""
        return self.model(group.variant, group.encoding, group.level)

    def wanted(self, filters: Filters) -> list[Variant]:
        """The variants that are asked for."""
        return [v for v in self.variants()
                if any(matches(name, filters.arch) for name in (v.name, v.arch, self.archs[v.arch].kernel))]

    def asks_for(self, filters: Filters) -> Callable[[str], bool]:
        """Does a run with these filters ask for the obligation of this id, if there is one?"""
        names = {v.name for v in self.wanted(filters)}
        known = {v.name for v in self.variants()}

        def asked(identity: str) -> bool:
            variant, level, encoding, transition, code, prop = identity.split("/")
            mine = variant in names if variant in known else matches(variant, filters.arch)
            return (mine and matches(level, filters.level) and matches(encoding, filters.encoding)
                    and matches(code, filters.code) and filters.wants(transition, prop))

        return asked

    def groups(self, filters: Filters) -> tuple[list[Group], list[dict[str, str]]]:
        """The groups that are asked for, and those that do not apply with the reason."""
        found: list[Group] = []
        skipped: list[dict[str, str]] = []
        for variant in self.wanted(filters):
            if variant.unproved:
                skipped.append({"variant": variant.name, "why": variant.unproved})
                continue
            levels = []
            for name, level in self.spec.levels.items():
                lacks = [need for need in level.needs if need in variant.absent]
                if matches(name, filters.level) and not lacks:
                    levels.append(name)
                elif lacks:
                    skipped.append({"variant": variant.name, "level": name, "why": f"has no {lacks[0]}"})
            for encoding in self.spec.encodings.values():
                if not matches(encoding.name, filters.encoding):
                    continue
                if encoding.overlay is not None and encoding.overlay not in self.archs[variant.arch].overlays:
                    skipped.append({"variant": variant.name, "encoding": encoding.name,
                                    "why": f"{variant.arch} has no overlay {encoding.overlay}"})
                    continue
                if self.substitute is not None:
                    why = self.substitute.stands_for(self.layout(variant.name, encoding.overlay))
                    if why:
                        skipped.append({"variant": variant.name, "encoding": encoding.name, "why": why})
                        continue
                for code in encoding.codes:
                    if matches(code, filters.code):
                        found += [Group(variant.name, level, encoding.name, code) for level in levels]
        return found, skipped

    def not_applicable(self, group: Group, wants: Callable[[str, str], bool]) -> list[dict[str, str]]:
        """What this variant lacks, and so what makes no obligation."""
        absent = self.variant(group.variant).absent
        found = []
        spec = self.spec.at(self.spec.levels[group.level])
        for transition in spec.transitions.values():
            for need in transition.needs:
                if need in absent and wants(transition.name, ""):
                    found.append({"variant": group.variant, "transition": transition.name, "why": f"has no {need}"})
            if not set(transition.needs) & set(absent) and wants(transition.name, ""):
                found += self._effects_not_asked(group, transition)
        for prop in spec.properties.values():
            found += [{"variant": group.variant, "property": prop.name, "why": why} for why in prop.lacks(group.variant, absent)]
        return found

    def _effects_not_asked(self, group: Group, transition: Transition) -> list[dict[str, str]]:
        """The effects of a transition that no state of this variant can show, at the first level that has it."""
        variant, spec = self.variant(group.variant), self.spec
        if group.level != next(n for n, level in spec.levels.items() if transition.at(level)):
            return []
        events = () if variant.one_cpu else variant.hardware
        reasons = ((e, e.lacks(variant.name, variant.absent, events)) for e in transition.reaches)
        return [{"variant": variant.name, "transition": transition.name, "property": REACHES + e.name, "why": why}
                for e, why in reasons if why and (not e.codes or group.code in e.codes)]

    def asked(self, step: str) -> list[str]:
        """The names of all that obligations of a step may be about: properties, and what it is there for."""
        transition = self.spec.transitions.get(step)
        effects = () if transition is None else transition.reaches
        return [*self.spec.properties, *(REACHES + effect.name for effect in effects)]

    def check(self, groups: list[Group]) -> None:
        """Type everything that the groups use. SpecError at the first thing that is wrong.

        Nothing is left for Python to look for: that would take longer than the typing.
        """
        gc.disable()
        try:
            for key in dict.fromkeys((g.variant, g.encoding, g.level) for g in groups):
                model = self.model(*key)
                model.layout.check()
                model.check()
        finally:
            gc.enable()


def load_library(arch_folder: Path | None = None, spec_folder: Path | None = None) -> Library:
    """Everything of arch/ and specs/."""
    arch_folder = arch_folder or data_folder("arch")
    spec_folder = spec_folder or data_folder("specs")
    archs, spec = load_archs(arch_folder), load_spec(spec_folder)
    catalogue = load_catalogue(spec_folder, spec.transitions.values(), archs.values())
    found = Library(archs, load_generic(arch_folder), spec, arch_folder, spec_folder, catalogue)
    _check_flushes(found)
    return found


def _check_flushes(library: Library) -> None:
    """What the specs say of helpers beside their texts is said of helpers that some architecture has, or all."""
    if library.generic is None:
        return
    helpers = {name for arch in (library.generic, *library.archs.values()) for name in arch.helpers}
    for flush in library.spec.flushes:
        if name_of(flush.text) not in helpers:
            raise SpecError(flush.text.at, f"unknown helper {name_of(flush.text)!r}{nearest(name_of(flush.text), helpers)}")
    for variant in library.variants():
        seen = set()
        for flush in library.spec.flushes:
            if not flush.lacks(variant.name):
                if name_of(flush.text) in seen:
                    raise SpecError(flush.text.at, f"{name_of(flush.text)} stands twice on {variant.name}")
                seen.add(name_of(flush.text))


def nothing_matches(filters: Filters, library: Library) -> UsageError:
    """The error for a filter that matches nothing, with the nearest right word."""
    known = {
        "arch": [*library.archs, *(v.name for v in library.variants())], "level": list(library.spec.levels),
        "encoding": list(library.spec.encodings), "code": list(FALLBACK),
        "transition": [*library.spec.transitions, "init", "static"],
        "property": list(dict.fromkeys(name for step in library.spec.transitions for name in library.asked(step))),
    }
    for option, names in known.items():
        globs: tuple[str, ...] = getattr(filters, option)
        for glob in globs:
            if not any(fnmatch.fnmatchcase(name, glob) for name in names):
                return UsageError(f"--{option} {glob}: matches nothing{nearest(glob, names)}")
    return UsageError("the filters together match nothing")
