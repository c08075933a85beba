# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel builds of archs/: which configuration stands for which variants, and what it has set up at run time."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from verifier.base.errors import SpecError, UsageError, Where, nearest
from verifier.kernel.tree.arch_files import SHOWN, arch_files
from verifier.kernel.tree.lookalike import Lookalike
from verifier.language.read_yaml import Source, Table

__all__ = [
    "BIG_ENDIAN",
    "FOUR_TIMES",
    "IN_TABLES",
    "Axiom",
    "Build",
    "Emulated",
    "Feature",
    "Premise",
    "build_for",
    "constant_name",
    "load_builds",
    "operation_name",
]

_KEYS = (
    "kernel",
    "make",
    "base",
    "extends",
    "options",
    "variants",
    "sources",
    "features",
    "axioms",
    "as_initialised",
    "boot",
    "returns",
    "clears",
    "out_of_scope",
    "operations",
    "bound",
    "lookalike",
    "premises",
    "entries",
    "unequal",
    "inline",
    "statics",
    "emulated",
)
BIG_ENDIAN, IN_TABLES, FOUR_TIMES = "big-endian", "in tables", "four times"  # how entries lie in memory


@dataclass(frozen=True, slots=True)
class Axiom:
    """A named word of the lifted code has this value once the kernel has booted; &NAME is where a global lies."""

    name: str
    word: str
    bits: int
    value: int
    why: str

    def __str__(self) -> str:
        return self.why


@dataclass(frozen=True, slots=True)
class Feature:
    """What a feature of arch/ is in the lifted code: truth `name` or a bit of `bitmap`, with C's number, or a global byte.

    Where `within` names a member of a structure, the bitmap is such a structure, and the number is a mask of that member.
    `keys` is an array of static keys, one for each bit, of which the number is a mask.
    """

    name: str | None
    number: str | None
    bitmap: str | None
    global_: str | None
    within: str | None = None
    keys: str | None = None

    @property
    def expression(self) -> str:
        """C for the number, and for that of a static key its place in the array."""
        if self.keys is not None:
            return f"sizeof({self.keys}[0]) * __builtin_ctzl({self.number})"
        if self.within is None:
            return self.number or ""
        structure, _, member = self.within.partition(".")
        return f"8 * __builtin_offsetof(struct {structure}, {member}) + __builtin_ctzll({self.number})"


@dataclass(frozen=True, slots=True)
class Premise:
    """What holds, in C, of the arguments of wrappers of these helpers (globs); elsewhere the model says nothing, `otherwise` being why."""

    name: str
    helpers: tuple[str, ...]
    holds: str
    otherwise: str


@dataclass(frozen=True, slots=True)
class Emulated:
    """The architecture's own compiler with its flags, also for linking, the emulator that runs what it makes, and Debian's packages of both."""

    compiler: str
    flags: tuple[str, ...]
    link: tuple[str, ...]
    emulator: tuple[str, ...]
    packages: tuple[str, ...]
    syscall: str = ""  # C of a system call on number, a, b and c, where the C library does not run: then none is linked


@dataclass(frozen=True, slots=True)
class Build:
    """One configuration of the kernel."""

    name: str
    kernel: str
    make: str
    base: str
    options: tuple[str, ...]
    variants: tuple[str, ...]
    sources: tuple[str, ...]
    features: Mapping[str, Feature]
    axioms: tuple[Axiom, ...]
    as_initialised: tuple[str, ...]
    boot: Mapping[str, str]  # helper -> a function that has run before
    returns: Mapping[str, tuple[str, str]]  # function -> a constant of C, and why
    clears: Mapping[
        str, tuple[str, str, bool]
    ]  # function -> a constant of C, bits that it clears in the entry, why, and is it one step
    out_of_scope: Mapping[str, str]
    lookalike: Lookalike | None  # the target that stands in where clang has none for the architecture
    operations: Mapping[str, tuple[str, ...]]  # global table of functions -> members, to name what is called
    premises: tuple[Premise, ...]
    bound: Mapping[str, tuple[str, str]]  # operation -> a function of the sources' assembly that is called, and why
    entries: tuple[str, ...] = ()  # how they lie in memory
    unequal: Mapping[str, str] = field(
        default_factory=dict
    )  # helper that leaves the four words of an entry unequal, of which the first is compared -> why
    emulated: Emulated | None = None
    statics: tuple[str, ...] = ()  # declarations of functions that are static in a source, so that wrappers may call them
    inline: bool = True  # may wrappers have in them what the headers' functions do: then those cannot be named

    def premises_of(self, helper: str) -> dict[str, str]:
        """Name and C of each premise about a helper."""
        return {p.name: p.holds for p in self.premises if any(fnmatch.fnmatchcase(helper, glob) for glob in p.helpers)}

    def addresses(self) -> dict[str, tuple[int, str]]:
        """Globals of which an axiom says where they lie: name -> address, and why."""
        return {a.word[1:]: (a.value, a.why) for a in self.axioms if a.word.startswith("&")}

    def members(self) -> list[tuple[str, str]]:
        """(table, member) of every operation. A table that begins with * is a pointer to one."""
        return [(table, member) for table, found in self.operations.items() for member in found]

    @property
    def lines(self) -> list[str]:
        """The options as lines of a .config."""
        return [f"# CONFIG_{o[:-2]} is not set" if o.endswith("=n") else f"CONFIG_{o}" for o in self.options]


def load_builds(folder: Path | None = None) -> dict[str, Build]:
    """Every build of the folder's files that names an architecture."""
    table = Table(Where(SHOWN, 1, 1))
    for top in arch_files(folder):
        own = top.need("builds", Table, "the file")
        for name in own:
            if name in table:
                raise SpecError(own.key_at[name], f"build {name} stands twice: here and at {table.key_at[name]}")
        table = _joined(table, own)
    merged = {name: _merged(table, name, ()) for name in table}
    return {name: _build(name, fields, table.key_at[name]) for name, fields in merged.items() if "kernel" in fields}


def _merged(table: Table, name: str, seen: tuple[str, ...]) -> dict[str, object]:
    """A build's keys over those of the one that it extends."""
    record = table.need(name, Table, "builds")
    record.only(_KEYS, f"build {name}")
    fields: dict[str, object] = {}
    base = record.text("extends", "a build") if "extends" in record else None
    if base is not None:
        if base not in table or base in seen:
            raise SpecError(record.at["extends"], f"no build {base!r} to extend{nearest(base, table)}")
        fields = _merged(table, base, (*seen, name))
        fields.pop("variants", None)
    for key in record:
        if key in ("options", "variants", "sources", "as_initialised", "entries", "statics"):
            words = record.texts(key, key)
            fields[key] = _last((*_strings(fields.get("options")), *words)) if key == "options" else words
        elif key in (
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
        ):
            fields[key] = _joined(_table(fields.get(key)), record.need(key, Table, "a build"))
        elif key == "emulated":
            fields[key] = record.need(key, Table, "a build")
        elif key == "inline":
            fields[key] = record.need(key, bool, "a build")
        elif key != "extends":
            fields[key] = record.text(key, "a build")
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


def _build(name: str, fields: dict[str, object], where: object) -> Build:
    features = _table(fields.get("features"))
    axioms = _table(fields.get("axioms"))
    boot = _table(fields.get("boot"))
    returns = _table(fields.get("returns"))
    clears = _table(fields.get("clears"))
    scope = _table(fields.get("out_of_scope"))
    operations = _table(fields.get("operations"))
    premises = _table(fields.get("premises"))
    bound = _table(fields.get("bound"))
    unequal = _table(fields.get("unequal"))
    return Build(
        name,
        str(fields["kernel"]),
        str(fields["make"]),
        str(fields["base"]),
        _strings(fields.get("options")),
        _strings(fields.get("variants")),
        _strings(fields.get("sources")),
        {key: _feature(features, key) for key in features},
        tuple(_axiom(axioms, key) for key in axioms),
        _strings(fields.get("as_initialised")),
        {key: boot.text(key, "boot") for key in boot},
        {key: _returned(returns, key) for key in returns},
        {key: _cleared(clears, key) for key in clears},
        {key: scope.text(key, "out_of_scope") for key in scope},
        _lookalike(fields.get("lookalike")),
        {key: operations.texts(key, "operations") for key in operations},
        tuple(_premise(premises, key) for key in premises),
        {key: _bound(bound, key) for key in bound},
        _strings(fields.get("entries")),
        {key: unequal.text(key, "unequal") for key in unequal},
        _emulated(fields.get("emulated")),
        _strings(fields.get("statics")),
        fields.get("inline") is not False,
    )


def _lookalike(value: object) -> Lookalike | None:
    if not isinstance(value, Table):
        return None
    value.only(("target", "undefine", "define"), "a look-alike")
    return Lookalike(value.text("target", "a look-alike"), value.texts("undefine", "undefine"), value.texts("define", "define"))


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


def _table(value: object) -> Table:
    return value if isinstance(value, Table) else Table(Where("", 1, 1))


def _feature(table: Table, key: str) -> Feature:
    record = table.need(key, Table, "features")
    words = ("name", "number", "bitmap", "global", "within", "keys")
    record.only(words, "a feature")
    found = {k: record.text(k, "a feature") if k in record else None for k in words}
    places = [k for k in ("name", "bitmap", "global", "keys") if found[k] is not None]
    if len(places) != 1 or (places == ["global"]) == (found["number"] is not None):
        raise SpecError(record.where, "a feature has a name, a bitmap or keys, and a number, or it has a global")
    if found["within"] is not None and places != ["bitmap"]:
        raise SpecError(record.where, "only a bitmap is within something")
    return Feature(found["name"], found["number"], found["bitmap"], found["global"], found["within"], found["keys"])


def _returned(table: Table, key: str) -> tuple[str, str]:
    record = table.need(key, Table, "returns")
    record.only(("constant", "why"), "a function that returns a constant")
    return record.text("constant", "returns"), record.text("why", "returns")


def _cleared(table: Table, key: str) -> tuple[str, str, bool]:
    record = table.need(key, Table, "clears")
    record.only(("constant", "why", "atomic"), "a function that clears a constant's bits")
    return record.text("constant", "clears"), record.text("why", "clears"), record.get_as("atomic", bool, False)


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
        key, record.texts("helpers", "helpers"), record.text("holds", "a premise"), record.text("otherwise", "a premise")
    )


def _axiom(table: Table, key: str) -> Axiom:
    record = table.need(key, Table, "axioms")
    record.only(("word", "bits", "value", "why"), "an axiom")
    return Axiom(key, record.need("word", Source, "an axiom").text, record.need("bits", int, "an axiom"),
                 record.need("value", int, "an axiom"), record.text("why", "an axiom"))


def constant_name(expression: str) -> str:
    """The constant that has the value of an expression of C.

    >>> constant_name("PAGE_SIZE / SZ_4K")
    'PAGE_SIZE___SZ_4K'
    """
    return re.sub(r"\W", "_", expression)


def operation_name(table: str, member: str) -> str:
    """The constant that says where in its table an operation is.

    >>> operation_name("pv_ops", "mmu.set_pte"), operation_name("*ops", "flush")
    ('pv_ops_mmu_set_pte', 'at_ops_flush')
    """
    return f"{table}_{member}".replace(".", "_").replace("*", "at_")


def build_for(builds: Mapping[str, Build], variant: str) -> Build | None:
    """The build that a variant is held against: the first that names it."""
    for build in builds.values():
        if any(fnmatch.fnmatchcase(variant, glob) for glob in build.variants):
            return build
    return None


def named_build(builds: Mapping[str, Build], name: str) -> Build:
    """The build of a name. UsageError where there is none."""
    if name not in builds:
        raise UsageError(f"no kernel build {name!r}{nearest(name, builds)}; there are {', '.join(builds)}")
    return builds[name]
