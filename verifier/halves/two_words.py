# SPDX-License-Identifier: GPL-2.0-or-later
"""specs/two-words.yaml as frozen data: layouts, values, changes, rules, readers, and ways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from verifier.base.errors import Where
from verifier.language.read_yaml import Source
from verifier.model.texts import Axiom

__all__ = ["BOTH", "HALVES", "HIGH", "LOCKED", "LOW", "NO_LOOK", "ReadRule", "TwoWords",
           "ValueKind", "WordChange", "WordClaim", "WordLayout", "WordReader", "WordWay"]

LOW, HIGH, BOTH = "low", "high", "both"  # what one load reads
NO_LOOK, HALVES, LOCKED = "none", "halves", "locked"  # a second look; BOTH is another


@dataclass(frozen=True, slots=True)
class WordLayout:
    """How the kernel of a variant reads an entry without the lock.

    reads     the loads of the first read
    axioms    the names of what more is given
    handlers  its handlers store by halves, the low word first: where
    """

    variant: str
    reads: tuple[str, ...]
    source: str
    axioms: tuple[str, ...]
    handlers: str
    note: str


@dataclass(frozen=True, slots=True)
class ValueKind:
    """One kind of values that the kernel makes of an entry, of `takes` where `when` is so."""

    name: str
    takes: Mapping[str, str]
    when: Source | None
    code: Source


@dataclass(frozen=True, slots=True)
class WordChange:
    """What whoever holds the lock does to an entry: of which values, and to which kinds of `value`.
    """

    name: str
    site: str
    describe: str
    of: tuple[str, ...]
    to: tuple[str, ...]
    takes: Mapping[str, str]
    code: Source


@dataclass(frozen=True, slots=True)
class ReadRule:
    """What may stand in an entry while one read goes on."""

    name: str
    describe: str
    pairs: Source
    returns: bool
    because: str


@dataclass(frozen=True, slots=True)
class WordClaim:
    """Of what was read, v: where `asks` is so, some entry e that stood there has `of`."""

    name: str
    asks: Source
    of: Source


@dataclass(frozen=True, slots=True)
class WordReader:
    """Who reads, under which rules, and what is claimed of what was read.

    flushed  it keeps interrupts off, so that the axioms of a layout hold while it reads
    """

    name: str
    site: str
    describe: str
    rules: tuple[str, ...]
    flushed: bool
    claims: tuple[WordClaim, ...]


@dataclass(frozen=True, slots=True)
class WordWay:
    """How is read and stored.

    readers    who may read so
    kind       "" as the kernel does it; planted or mend
    unchecked  the first read does not read the low word again
    look       of the second look: none, halves, both, locked
    turned     changes whose stores are in the other order
    lowered    changes that store the low word first
    """

    name: str
    readers: tuple[str, ...]
    describe: str
    kind: str
    unchecked: bool
    look: str
    turned: tuple[str, ...]
    lowered: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TwoWords:
    """All of specs/two-words.yaml."""

    layouts: Mapping[str, WordLayout]
    axioms: Mapping[str, Axiom]
    values: Mapping[str, ValueKind]
    changes: Mapping[str, WordChange]
    rules: Mapping[str, ReadRule]
    readers: Mapping[str, WordReader]
    ways: Mapping[str, WordWay]
    where: Where
