# SPDX-License-Identifier: GPL-2.0-or-later
"""The builds of archs/, read and checked, and the one that stands for a variant.

A build has what the one has that it `extends`; its own keys go before. archs/common.yaml says what
the keys mean. Whatever is wrong is a SpecError with its place.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from verifier.base.errors import SpecError, UsageError, Where, nearest
from verifier.kernel.tree.arch_files import SHOWN, arch_files
from verifier.kernel.tree.build import BootAxiom, Build, Emulated, Feature, NativeMachine, Premise
from verifier.kernel.tree.lookalike import Lookalike
from verifier.language.read_yaml import Source, Table
from verifier.model.read_versions import WHOLE, of_version

__all__ = ["build_for", "load_builds", "named_build"]

_T = TypeVar("_T")

# How a key is read, and what an extension does: its texts and `emulated` replace those of the build
# below, its words replace (`options` add to) them, its mappings add to them key by key.
_TEXTS = ("kernel", "make", "base")
_WORDS = ("options", "variants", "sources", "as_initialised", "entries", "statics")
_MAPPINGS = (
    "features",
    "axioms",
    "boot",
    "returns",
    "clears",
    "out_of_scope",
    "operations",
    "bound",
    "lookalike",
    "premises",
    "unequal",
)
_KEYS = ("extends", *_TEXTS, *_WORDS, *_MAPPINGS, "emulated", "native", "inline")


def load_builds(folder: Path | None = None, version: str = WHOLE) -> dict[str, Build]:
    """Every build of the folder's files that names an architecture, as it is for a version of the
    kernel.
    """
    table = Table(Where(SHOWN, 1, 1))
    for top in arch_files(folder):
        own = of_version(top, version).need("builds", Table, "the file")
        for name in own:
            if name in table:
                raise SpecError(
                    own.key_at[name], f"build {name} stands twice: here and at {table.key_at[name]}"
                )
        table = _joined(table, own)
    merged = {name: _merged(table, name, ()) for name in table}
    return {
        name: _build(name, fields, table.key_at[name])
        for name, fields in merged.items()
        if "kernel" in fields
    }


def _merged(table: Table, name: str, seen: tuple[str, ...]) -> dict[str, object]:
    """A build's keys over those of the one that it extends."""
    record = table.need(name, Table, "builds")
    record.only(_KEYS, f"build {name}")
    fields: dict[str, object] = {}
    base = record.text("extends", "a build") if "extends" in record else None
    if base is not None:
        if base not in table or base in seen:
            raise SpecError(
                record.at["extends"], f"no build {base!r} to extend{nearest(base, table)}"
            )
        fields = _merged(table, base, (*seen, name))
        fields.pop("variants", None)
    for key in record:
        if key in _WORDS:
            words = record.texts(key, key)
            fields[key] = (
                _last((*_strings(fields.get("options")), *words)) if key == "options" else words
            )
        elif key in _MAPPINGS:
            fields[key] = _joined(_table(fields.get(key)), record.need(key, Table, "a build"))
        elif key in _TEXTS:
            fields[key] = record.text(key, "a build")
        elif key != "extends":
            fields[key] = record.need(key, bool if key == "inline" else Table, "a build")
    return fields


def _joined(base: Table, own: Table) -> Table:
    """A mapping over the one that it extends."""
    found = Table(own.where)
    for table in (base, own):
        found.update(table)
        found.at.update(table.at)
        found.key_at.update(table.key_at)
    return found


def _last(options: tuple[str, ...]) -> tuple[str, ...]:
    """Of several settings of one option, the last."""
    return tuple({option.partition("=")[0]: option for option in options}.values())


def _strings(value: object) -> tuple[str, ...]:
    return tuple(str(v) for v in value) if isinstance(value, tuple) else ()


def _build(name: str, fields: Mapping[str, object], where: Where) -> Build:
    """A build from its merged keys."""
    for key in _TEXTS:
        if key not in fields:
            raise SpecError(where, f"build {name} has no {key!r}")
    kernel, make, base = (str(fields[key]) for key in _TEXTS)
    words = {key: _strings(fields.get(key)) for key in _WORDS}
    tables = {key: _table(fields.get(key)) for key in _MAPPINGS}

    def each(table: str, read: Callable[[Table, str], _T]) -> dict[str, _T]:
        return {key: read(tables[table], key) for key in tables[table]}

    return Build(
        name,
        kernel,
        make,
        base,
        **words,
        features=each("features", _feature),
        axioms=tuple(each("axioms", _axiom).values()),
        boot=each("boot", lambda t, key: t.text(key, "boot")),
        returns=each("returns", _returned),
        clears=each("clears", _cleared),
        out_of_scope=each("out_of_scope", lambda t, key: t.text(key, "out_of_scope")),
        lookalike=_lookalike(fields.get("lookalike")),
        operations=each("operations", lambda t, key: t.texts(key, "operations")),
        premises=tuple(each("premises", _premise).values()),
        bound=each("bound", _bound),
        unequal=each("unequal", lambda t, key: t.text(key, "unequal")),
        emulated=_emulated(fields.get("emulated")),
        native=_native(fields.get("native")),
        inline=fields.get("inline") is not False,
    )


def _lookalike(value: object) -> Lookalike | None:
    if not isinstance(value, Table):
        return None
    value.only(("target", "undefine", "define", "assembly"), "a look-alike")
    known = _table(value.get_as("assembly", Table, None))
    return Lookalike(
        value.text("target", "a look-alike"),
        value.texts("undefine", "undefine"),
        value.texts("define", "define"),
        tuple((key, known.text(key, "assembly")) for key in known),
    )


def _emulated(value: object) -> Emulated | None:
    if not isinstance(value, Table):
        return None
    value.only(("compiler", "flags", "link", "emulator", "packages", "syscall"), "what is emulated")
    flags, link = (value.texts(key, key) if key in value else () for key in ("flags", "link"))
    return Emulated(
        value.text("compiler", "emulated"),
        flags,
        link,
        value.texts("emulator", "emulated"),
        value.texts("packages", "packages"),
        value.text("syscall", "emulated") if "syscall" in value else "",
    )


def _native(value: object) -> NativeMachine | None:
    if not isinstance(value, Table):
        return None
    what = "what runs as machine code"
    value.only(("machine", "flags", "zero", "compiler", "emulator"), what)
    return NativeMachine(
        value.text("machine", what),
        value.texts("flags", "flags"),
        value.text("zero", what),
        value.text("compiler", what) if "compiler" in value else "",
        value.texts("emulator", "emulator") if "emulator" in value else (),
    )


def _table(value: object) -> Table:
    return value if isinstance(value, Table) else Table(Where("", 1, 1))


def _feature(table: Table, key: str) -> Feature:
    record = table.need(key, Table, "features")
    words = ("name", "number", "bitmap", "global", "within", "keys")
    record.only((*words, "masks"), "a feature")
    found = {k: record.text(k, "a feature") if k in record else None for k in words}
    masks = record.get_as("masks", Table, None)
    if masks is not None and any(found.values()):
        raise SpecError(record.where, "a feature that is in masks is in nothing else")
    if masks is not None:
        return Feature(None, None, None, None,
                       masks={name: masks.text(name, "masks") for name in masks})
    places = [k for k in ("name", "bitmap", "global", "keys") if found[k] is not None]
    if len(places) != 1 or (places == ["global"]) == (found["number"] is not None):
        raise SpecError(
            record.where, "a feature has a name, a bitmap or keys, and a number, or it has a global"
        )
    if found["within"] is not None and places != ["bitmap"]:
        raise SpecError(record.where, "only a bitmap is within something")
    return Feature(
        found["name"],
        found["number"],
        found["bitmap"],
        found["global"],
        found["within"],
        found["keys"],
    )


def _returned(table: Table, key: str) -> tuple[str, str]:
    record = table.need(key, Table, "returns")
    record.only(("constant", "why"), "a function that returns a constant")
    return record.text("constant", "returns"), record.text("why", "returns")


def _cleared(table: Table, key: str) -> tuple[str, str, bool]:
    record = table.need(key, Table, "clears")
    record.only(("constant", "why", "atomic"), "a function that clears a constant's bits")
    return (
        record.text("constant", "clears"),
        record.text("why", "clears"),
        record.get_as("atomic", bool, False),
    )


def _bound(table: Table, key: str) -> tuple[str, str]:
    record = table.need(key, Table, "bound")
    record.only(("function", "why"), "an operation that is bound")
    return record.text("function", "bound"), record.text("why", "bound")


def _premise(table: Table, key: str) -> Premise:
    record = table.need(key, Table, "premises")
    record.only(("helpers", "holds", "otherwise"), "a premise")
    if not key.isidentifier():
        raise SpecError(table.key_at[key], "a premise's name is a word")
    return Premise(
        key,
        record.texts("helpers", "helpers"),
        record.text("holds", "a premise"),
        record.text("otherwise", "a premise"),
    )


def _axiom(table: Table, key: str) -> BootAxiom:
    record = table.need(key, Table, "axioms")
    record.only(("word", "bits", "value", "why"), "an axiom")
    return BootAxiom(
        key,
        record.need("word", Source, "an axiom").text,
        record.need("bits", int, "an axiom"),
        record.need("value", int, "an axiom"),
        record.text("why", "an axiom"),
    )


def build_for(builds: Mapping[str, Build], variant: str) -> Build | None:
    """The build that a variant is held against: the first that names it."""
    for build in builds.values():
        if any(fnmatch.fnmatchcase(variant, glob) for glob in build.variants):
            return build
    return None


def named_build(builds: Mapping[str, Build], name: str) -> Build:
    """The build of a name. UsageError where there is none."""
    if name not in builds:
        raise UsageError(
            f"no kernel build {name!r}{nearest(name, builds)}; there are {', '.join(builds)}"
        )
    return builds[name]
