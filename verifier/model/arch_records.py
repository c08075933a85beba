# SPDX-License-Identifier: GPL-2.0-or-later
"""What a file of arch/ says, as frozen data: fields, helpers, hardware events and variants.

`verifier.model.read_arch` reads the files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from verifier.base.errors import UsageError, Where, nearest
from verifier.language.read_yaml import Source, Table

__all__ = [
    "GENERIC",
    "Arch",
    "BlockSize",
    "Event",
    "Field",
    "FirstLevel",
    "HugePage",
    "Text",
    "Variant",
    "find_variant",
    "globs_of",
    "source_of",
]

GENERIC = "generic"


@dataclass(frozen=True, slots=True)
class Field:
    """Bits `low` to `high` (both included, from 0) of an entry, under the kernel's name."""

    name: str
    low: int
    high: int
    where: Where = field(compare=False)

    @property
    def mask(self) -> int:
        """The word in which exactly the bits of the field are set."""
        return (1 << (self.high + 1)) - (1 << self.low)


@dataclass(frozen=True, slots=True)
class Text:
    """A helper as it is written: not typed yet."""

    key: str
    key_at: Where
    body: Source
    source: str
    variants: tuple[str, ...]
    absent: tuple[str, ...]  # for variants that lack one of these
    own: bool = False  # its note says that it is ours: the kernel has none


@dataclass(frozen=True, slots=True)
class Event:
    """Something that the hardware may do to an entry at any time."""

    name: str
    catalogue: tuple[str, ...]
    source: str
    describe: str
    when: Source
    entry: Source
    stores: bool
    # It loads, then stores, without a lock: the store may come after the kernel's and undo it.
    late: bool = False
    past_flush: bool = False  # no flush waits for such a store


@dataclass(frozen=True, slots=True)
class BlockSize:
    """A size of page of hugetlb that has several entries; numbers may be names of constants.

    entries  how many a page has
    shift    from one entry's address to the next, as a power of two of bytes
    alike    do all entries name the first one's frame? Else each names its own
    mark     the helper that tells an entry of such a page
    """

    name: str
    entries: int | str
    shift: int | str
    alike: bool
    mark: str
    where: Where = field(compare=False)


@dataclass(frozen=True, slots=True)
class FirstLevel:
    """Entries of the first level of page tables, for functions that look at those of a huge page.

    first   the kernel's function that finds the first entry that leads to the page
    walk    the one that finds the table behind such an entry
    size    of a table's part of the page, in bytes
    mask    the bits of such an entry that are known, and their `value`; it has 32 bits
    points  the functions are given a pointer to the first such entry, not to one of the page
    """

    first: str
    walk: str
    size: int
    mask: int
    value: int
    points: bool


@dataclass(frozen=True, slots=True)
class HugePage:
    """A size of page of hugetlb that has several entries, the first of which is read for all.

    variants     that have it: globs
    entries      how many a page has
    step         bytes of memory that one entry maps
    marks        field -> what it is in a present entry of such a page
    not_present  how many entries set_huge_pte_at gives to what is not present
    alone        the other entries of a page may be anything
    returns      functions of the kernel, and the number that they return for such a page
    tables       where functions look at the entries of the first level too
    """

    name: str
    variants: tuple[str, ...]
    entries: int
    step: int
    marks: Mapping[str, int]
    not_present: int
    alone: bool
    returns: Mapping[str, int]
    tables: FirstLevel | None
    where: Where = field(compare=False)


@dataclass(frozen=True, slots=True)
class Variant:
    """One architecture under one configuration and one kind of CPU.

    `width` is the bits of an entry, `ulong` those of an unsigned long: 32, 64 or 128.
    """

    name: str
    arch: str
    describe: str
    width: int
    ulong: int
    constants: Mapping[str, int]
    features: Mapping[str, bool]
    hardware: tuple[str, ...]
    default: bool
    where: Where = field(compare=False)
    absent: frozenset[str] = frozenset()  # what it has not got
    # Its machines have one CPU: the hardware acts between steps of the kernel, not within them.
    one_cpu: bool = False
    unproved: str = ""  # why transitions are not proved for it, where they are not


@dataclass(frozen=True, slots=True)
class Arch:
    """One file of arch/, checked except for the types of its helpers."""

    name: str
    kernel: str  # the folder of the kernel's arch/, where several files stand for one
    path: str
    read: str
    sources: Mapping[str, str]
    constants: Mapping[str, int]
    features: Mapping[str, str]
    fields: Table
    helpers: Mapping[str, tuple[Text, ...]]
    events: Mapping[str, Event]
    overlays: Mapping[str, Mapping[str, tuple[Text, ...]]]
    overlay_describes: Mapping[str, str]
    variants: Mapping[str, Variant]
    absent: frozenset[str]  # what none of its variants has
    like: tuple[str, ...] = ()  # the architectures in whose files parts of it stand
    hugetlb_blocks: tuple[BlockSize, ...] = ()
    hugetlb_pages: tuple[HugePage, ...] = ()


def find_variant(archs: Mapping[str, Arch], name: str) -> Variant:
    """A variant by its name, or an architecture's default. UsageError where there is none."""
    variants = [variant for arch in archs.values() for variant in arch.variants.values()]
    if name in archs:
        own = list(archs[name].variants.values())
        return next((variant for variant in own if variant.default), own[0])
    found = next((variant for variant in variants if variant.name == name), None)
    if found is None:
        raise UsageError("unknown architecture or variant "
                         f"{name!r}{nearest(name, [*archs, *(v.name for v in variants)])}")
    return found


def globs_of(record: Table) -> tuple[str, ...]:
    """The globs of variants that a record is about; an empty tuple means all variants."""
    return record.texts("variants", "variants")


def source_of(record: Table, sources: Mapping[str, str]) -> str:
    """The place in the kernel of a fact; a short name before its colon is spelled out."""
    text = record.text("source", "a record")
    short, colon, rest = text.partition(":")
    return f"{sources[short]}:{rest}" if colon and short in sources else text
