# SPDX-License-Identifier: GPL-2.0-or-later
"""arch/ and specs/ as loaded, and models typed from them."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from verifier.base.data import data_folder
from verifier.base.errors import SpecError, nearest
from verifier.model.arch import Layout
from verifier.model.arch_records import Arch, Variant, find_variant
from verifier.model.catalogue import Catalogue, load_catalogue
from verifier.model.check import check_model
from verifier.model.read_arch import load_archs, load_generic
from verifier.model.read_specs import load_spec
from verifier.model.read_versions import WHOLE
from verifier.model.spec import PTE, Spec
from verifier.model.texts import name_of
from verifier.model.typed import Model
from verifier.prove.obligations import Group
from verifier.prove.other_helpers import Substitute, substituted
from verifier.search.sequences import Known, read_sequences

__all__ = ["Library", "load_library"]

KEPT = 24  # typed models that are kept: one takes a MByte


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
        """Every variant of every architecture, in the order of arch/."""
        return [v for arch in self.archs.values() for v in arch.variants.values()]

    def variant(self, name: str) -> Variant:
        """A variant by its name, or an architecture's default. UsageError where there is none."""
        return find_variant(self.archs, name)

    def layout(self, variant: str, overlay: str | None = None) -> Layout:
        """The layout of a variant, under an overlay of its architecture where one is named."""
        key = (variant, overlay)
        if key not in self._layouts:
            record = self.variant(variant)
            self._layouts[key] = Layout(self.archs[record.arch], record, self.generic, overlay)
        return self._layouts[key]

    def model(self, variant: str, encoding: str, level: str = PTE) -> Model:
        """A model and its layout; the KEPT models that were used last stay in memory.

        Where helpers are substituted, the model answers with them, for prover, search, replay and
        report alike.
        """
        key = (variant, encoding, level, self.substitute)
        if key not in self._models:
            record = self.spec.encodings[encoding]
            model = Model(self.spec, self.layout(variant, record.overlay), record, level)
            self._models[key] = (
                model if self.substitute is None else substituted(model, self.substitute)
            )
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
        """The steps that led to failures before, read when they are first asked for.

        They are the shipped hints, whatever arch/ and specs/ are, since they are only tried. Raises
        SpecError where the form is wrong.
        """
        if self._sequences is None:
            self._sequences = read_sequences(data_folder("hints"))
        return self._sequences

    def group_model(self, group: Group) -> Model:
        """The model that a group is about."""
        return self.model(group.variant, group.encoding, group.level)

    def check(
        self, groups: list[Group], each: Callable[[Group, Model], None] = lambda group, model: None
    ) -> None:
        """Type everything that the groups use, and hand each group and its model to `each`.

        SpecError at the first thing that is wrong. Python's garbage collector is off meanwhile: it
        would find nothing, and take longer than the typing.
        """
        of: dict[tuple[str, str, str], list[Group]] = {}
        for group in groups:
            of.setdefault((group.variant, group.encoding, group.level), []).append(group)
        gc.disable()
        try:
            for key, alike in of.items():
                model = self.model(*key)
                model.layout.check()
                check_model(model)
                for group in alike:
                    each(group, model)
        finally:
            gc.enable()


def load_library(
    arch_folder: Path | None = None, spec_folder: Path | None = None, version: str = WHOLE
) -> Library:
    """Everything of arch/ and of specs/, as they are in a version of the kernel.

    SpecError where a file of either is wrong.
    """
    arch_folder = arch_folder or data_folder("arch")
    spec_folder = spec_folder or data_folder("specs")
    archs, spec = load_archs(arch_folder, version=version), load_spec(spec_folder, version)
    catalogue = load_catalogue(spec_folder, spec.transitions.values(), archs.values())
    generic = load_generic(arch_folder, version)
    found = Library(archs, generic, spec, arch_folder, spec_folder, catalogue)
    _check_flushes(found)
    return found


def _check_flushes(library: Library) -> None:
    """Check that each helper in `flushes` is one that some architecture has, or all."""
    if library.generic is None:
        return
    helpers = {name for arch in (library.generic, *library.archs.values()) for name in arch.helpers}
    for flush in library.spec.flushes:
        if name_of(flush.text) not in helpers:
            hint = nearest(name_of(flush.text), helpers)
            raise SpecError(flush.text.at, f"unknown helper {name_of(flush.text)!r}{hint}")
    for variant in library.variants():
        seen = set()
        for flush in library.spec.flushes:
            if not flush.lacks(variant.name):
                if name_of(flush.text) in seen:
                    raise SpecError(
                        flush.text.at, f"{name_of(flush.text)} stands twice on {variant.name}"
                    )
                seen.add(name_of(flush.text))
