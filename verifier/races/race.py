# SPDX-License-Identifier: GPL-2.0-or-later
"""A race as frozen data: threads of steps, under encodings and in cases, and what is bad."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["RaceCase", "Location", "Race", "RaceStep", "RaceThread", "Races"]


@dataclass(frozen=True, slots=True)
class RaceStep:
    """One step of a thread.

    code      what is executed, or the condition for going on
    needs     is it such a condition?
    when      words of a case that the step is for
    kind      barrier, part or mend where it can be left out or put in, under `name`; else ""
    instead   what is executed where it is left out
    only      words under which it can be left out
    source    FILE:FUNCTION of the kernel that does it
    calls     what stands there for it, in this order; nothing: what `code` calls
    """

    code: str
    needs: bool
    when: frozenset[str]
    kind: str = ""
    name: str = ""
    instead: str = ""
    only: frozenset[str] = frozenset()
    at: str = ""
    source: str = ""
    pointer: str = ""
    calls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RaceThread:
    """A path through the kernel."""

    name: str
    site: str
    describe: str
    steps: tuple[RaceStep, ...]


@dataclass(frozen=True, slots=True)
class Location:
    """What threads share: its type is int, atomic, lock or pointer.

    starts  its first value, by words of the case; the first that fits counts
    """

    name: str
    what: str
    type: str
    starts: tuple[tuple[frozenset[str], str], ...]


@dataclass(frozen=True, slots=True)
class Race:
    """Threads that run at once, and what is bad: they all come to their ends, and more.

    bad  by encoding, what has to be so of memory for the end to be bad; nothing where it is not
         there
    """

    name: str
    threads: tuple[str, ...]
    under: tuple[str, ...]
    cases: tuple[tuple[str, ...], ...]
    words: frozenset[str]
    says: str
    bad: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RaceCase:
    """A race under one encoding and code, with one word of each list of its cases."""

    race: Race
    under: str
    chosen: tuple[str, ...]

    @property
    def words(self) -> frozenset[str]:
        """All words that are so."""
        return self.race.words | {self.under, self.under.partition("/")[0], *self.chosen}

    @property
    def name(self) -> str:
        """The race, and what tells this case from its others."""
        return " ".join((self.race.name, *self.chosen))


@dataclass(frozen=True, slots=True)
class Races:
    """All of specs/races.yaml."""

    values: Mapping[str, int]
    locations: Mapping[str, Location]
    threads: Mapping[str, RaceThread]
    races: Mapping[str, Race]
