# SPDX-License-Identifier: GPL-2.0-or-later
"""Read arch/*.yaml, strictly: every architecture, checked but for the types of its helpers."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from verifier.base.data import data_folder
from verifier.base.errors import SpecError, UsageError, Where, nearest
from verifier.language.read_yaml import Items, Source, Table
from verifier.model.arch import Layout
from verifier.model.arch_records import (
    GENERIC,
    Arch,
    Event,
    Text,
    Variant,
    find_variant,
    globs_of,
    source_of,
)
from verifier.model.read_hugetlb import check_hugetlb, read_blocks, read_pages
from verifier.model.read_like import Whole, read_whole
from verifier.model.read_versions import WHOLE, of_version

__all__ = ["load_archs", "load_generic", "load_layout"]

_ARCH_KEYS = ("arch", "kernel", "read", "width", "ulong", "constants", "features", "absent",
              "variants", "sources", "fields", "helpers", "hardware", "overlays", "hugetlb_blocks",
              "hugetlb_pages")
_VARIANT_KEYS = ("default", "describe", "width", "ulong", "constants", "features", "hardware",
                 "absent", "one_cpu", "unproved")
SMP = "smp"  # what a variant of one CPU has not got


def load_archs(
    folder: Path | None = None, only: str = "", version: str = WHOLE
) -> dict[str, Arch]:
    """The architectures of a folder by name, as they are in a version of the kernel.

    With `only`, the name of an architecture or of one of its variants, it is that one if one fits.
    Raises SpecError where a file is wrong, or two files share a variant.
    """
    folder = _folder(folder)
    return _load_archs(folder, load_generic(folder, version), only, version)


def _folder(given: Path | None) -> Path:
    folder = given or data_folder("arch")
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder of architectures")
    return folder


def _load_archs(
    folder: Path, generic: Arch | None, only: str, version: str = WHOLE
) -> dict[str, Arch]:
    archs: dict[str, Arch] = {}
    read: dict[Path, Whole] = {}
    seen: dict[str, Where] = {}
    for path in _about(folder, only):
        arch = _read_arch(path, generic, read, version)
        for variant in arch.variants.values():
            if variant.name in seen:
                raise SpecError(
                    variant.where, f"variant {variant.name} stands already at {seen[variant.name]}"
                )
            seen[variant.name] = variant.where
        archs[arch.name] = arch
    if not archs:
        raise UsageError(f"{folder}: holds no architecture")
    return archs


def _about(folder: Path, only: str) -> list[Path]:
    """The files of architectures; if one is about the variant or architecture `only`, that one."""
    found = [path for path in sorted(folder.glob("*.yaml")) if path.stem != GENERIC]
    if only:
        variant = re.compile(rf"^  {re.escape(only)}:", re.MULTILINE)
        mine = [path for path in found if path.stem == only
                or variant.search(path.read_text(encoding="utf-8", errors="replace"))]
        return mine if len(mine) == 1 else found
    return found


def load_layout(name: str, folder: Path | None = None, overlay: str | None = None) -> Layout:
    """The layout of a variant, or of an architecture's default one.

    It is under the overlay of that name, where the architecture has it. Only the file of that
    architecture is read, and generic.yaml. UsageError where there is no such variant.
    """
    folder = _folder(folder)
    generic = load_generic(folder)
    archs = _load_archs(folder, generic, name)
    variant = find_variant(archs, name)
    arch = archs[variant.arch]
    return Layout(arch, variant, generic, overlay if overlay in arch.overlays else None)


def load_generic(folder: Path, version: str = WHOLE) -> Arch | None:
    """The helpers that all architectures share in a version, where the folder has them."""
    path = folder / f"{GENERIC}.yaml"
    return _read_arch(path, None, {}, version) if os.path.lexists(path) else None


def _read_arch(
    path: Path, generic: Arch | None, read: dict[Path, Whole], version: str
) -> Arch:
    whole, like = read_whole(path, _shown, _ARCH_KEYS, read)
    table = of_version(whole, version)
    name = table.text("arch", "an architecture")
    if name != path.stem:
        raise SpecError(table.at["arch"], f"the file is called {path.stem}, not {name}")
    named = _table(table, "sources")
    sources = {key: named.need(key, Source, "sources").text for key in named}
    constants = dict(generic.constants) if generic else {}
    constants |= _numbers(_table(table, "constants"))
    declared = _table(table, "features")
    features = dict(generic.features) if generic else {}
    features |= {key: _feature_text(declared, key) for key in declared}
    events = {key: _event(_table(table, "hardware"), key, sources)
              for key in _table(table, "hardware")}
    overlays: dict[str, Mapping[str, tuple[Text, ...]]] = {}
    describes: dict[str, str] = {}
    for key in _table(table, "overlays"):
        overlay = _table(table, "overlays").need(key, Table, "overlays")
        overlay.only(("describe", "helpers"), "an overlay")
        describes[key] = overlay.text("describe", "an overlay")
        overlays[key] = _texts(_table(overlay, "helpers"), sources)
    absent = table.texts("absent", "absent")
    arch = Arch(
        name, table.text("kernel", "an architecture") if "kernel" in table else name, _shown(path),
        table.text("read", "an architecture"), sources, constants, features,
        _table(table, "fields"), _texts(_table(table, "helpers"), sources), events, overlays,
        describes,
        {}, frozenset(absent), like,
        read_blocks(_table(table, "hugetlb_blocks")), read_pages(_table(table, "hugetlb_pages")),
    )
    variants = {key: _variant(_table(table, "variants"), key, table, arch)
                for key in _table(table, "variants")}
    if name != GENERIC and not variants:
        raise SpecError(table.where, "an architecture has no variants")
    arch = replace(arch, variants=variants)
    check_hugetlb(arch)
    return arch


def _shown(path: Path) -> str:
    """The path as users know it: relative to where they are, or arch/NAME.yaml as shipped."""
    for base, prefix in ((Path.cwd(), Path()), (data_folder("arch").parent, Path())):
        try:
            return str(prefix / path.resolve().relative_to(base.resolve()))
        except (ValueError, OSError, RuntimeError):  # a link may point to itself
            continue
    return str(path)


def _table(table: Table, key: str) -> Table:
    found = table.get_as(key, Table, None)
    return Table(table.where) if found is None else found


def _numbers(table: Table) -> dict[str, int]:
    return {key: table.need(key, int, "constants") for key in table}


def _feature_text(table: Table, key: str) -> str:
    return table.text(key, "features")


def _texts(table: Table, sources: Mapping[str, str]) -> dict[str, tuple[Text, ...]]:
    """Helper name -> its versions, the last of which is without `variants` or restricted too."""
    found: dict[str, tuple[Text, ...]] = {}
    for key in table:
        value = table.need(key, (Table, Items), "helpers")
        records = [value] if isinstance(value, Table) else list(value)
        texts = []
        for record in records:
            if not isinstance(record, Table):
                raise SpecError(table.at[key], f"{key} must be a mapping with source and body")
            record.only(("source", "body", "variants", "absent", "note"), "a helper")
            body = record.need("body", Source, "a helper")
            texts.append(Text(key, table.key_at[key], body, source_of(record, sources),
                              globs_of(record),
                              record.texts("absent", "absent"), _own(record)))
        name = key.split("(")[0].strip()
        if name in found:
            raise SpecError(table.key_at[key], f"helper {name} stands twice")
        found[name] = tuple(texts)
    return found


def _own(record: Table) -> bool:
    """Is the helper one of our own? Its note then begins so."""
    note = record.get_as("note", Source, None)
    return note is not None and note.text.startswith("ours")


def _event(table: Table, key: str, sources: Mapping[str, str]) -> Event:
    record = table.need(key, Table, "hardware")
    record.only(("catalogue", "source", "describe", "when", "entry", "stores", "late",
                 "past_flush"), "an event")
    late, past_flush = record.get_as("late", bool, False), record.get_as("past_flush", bool, False)
    if past_flush and not late:
        raise SpecError(record.at["past_flush"], "only what stores late can store past a flush")
    return Event(
        key, record.texts("catalogue", "catalogue"), source_of(record, sources),
        record.text("describe", "an event"),
        record.need("when", Source, "an event"), record.need("entry", Source, "an event"),
        record.get_as("stores", bool, False), late, past_flush,
    )


def _variant(table: Table, key: str, top: Table, arch: Arch) -> Variant:
    record = table.need(key, Table, "variants")
    record.only(_VARIANT_KEYS, "a variant")
    features = _table(record, "features")
    features.only(arch.features, "the features of a variant")
    values = {name: features.need(name, bool, "features") for name in features}
    missing = [name for name in arch.features if name not in values]
    if missing:
        raise SpecError(
            table.key_at[key], f"variant {key} does not say whether it has {missing[0]}"
        )
    hardware = record.texts("hardware", "hardware")
    for event in hardware:
        if event not in arch.events:
            raise SpecError(
                record.at["hardware"], f"unknown event {event!r}{nearest(event, arch.events)}"
            )
    width = record.get_as("width", int, top.get_as("width", int, 64))
    ulong = record.get_as("ulong", int, top.get_as("ulong", int, 64))
    for size in (width, ulong):
        if size not in (32, 64, 128):
            raise SpecError(record.where, f"an entry has 32, 64 or 128 bits, not {size}")
    constants = dict(arch.constants) | _numbers(_table(record, "constants"))
    one_cpu = record.get_as("one_cpu", bool, False)
    return Variant(
        key, arch.name, record.text("describe", "a variant"), width, ulong, constants, values,
        hardware,
        record.get_as("default", bool, False), table.key_at[key],
        arch.absent | set(record.texts("absent", "absent")) | ({SMP} if one_cpu else set()),
        one_cpu,
        record.text("unproved", "a variant") if "unproved" in record else "",
    )
