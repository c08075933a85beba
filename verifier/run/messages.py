# SPDX-License-Identifier: GPL-2.0-or-later
"""What a process is told to do, and what it tells whoever waits for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from verifier.prove.obligations import Group, Obligation
from verifier.prove.results import Result
from verifier.run.filters import Filters
from verifier.search.hints import Hints

__all__ = ["At", "Contradicts", "Done", "Failed", "Finished", "Say", "Task", "Unreached"]


@dataclass(frozen=True, slots=True)
class Task:
    """Groups, and what of them is asked for.

    after  groups that have to be done with before: it is handed their traces, as `hints`
    leads  do others wait for it? Then it hands on its traces
    """

    groups: tuple[Group, ...]
    filters: Filters
    depth: int = 8
    search_seconds: float = 30.0
    cache: Path | None = None
    # the digest of this program as it was when the run began, where there is a cache
    code: str = ""
    solver: str = "bits"
    cross: Path | None = None  # decide by two ways; where to leave what they disagree on
    timeout: float = 60.0  # seconds of one question to the second way
    skip: frozenset[str] = frozenset()  # obligations that are decided already
    thorough: bool = True  # with the least values of each trace, and what failures lead to
    after: tuple[Group, ...] = ()
    leads: bool = False
    hints: Hints | None = None

    def about(self, groups: tuple[Group, ...], after: tuple[Group, ...], leads: bool) -> Task:
        """The same of these groups."""
        return replace(self, groups=groups, after=after, leads=leads)


@dataclass(frozen=True, slots=True)
class At:
    """What the process starts on now: building, deciding or searching.

    Of a group, and of which obligations, if of some.
    """

    what: str
    group: Group | None = None
    obligations: tuple[Obligation, ...] = ()
    stage: str = "building"


@dataclass(frozen=True, slots=True)
class Done:
    """An obligation is decided.

    `again`: its inhabitant is that of the result told before, and is not sent twice.
    """

    result: Result
    again: bool = False


@dataclass(frozen=True, slots=True)
class Unreached:
    """These obligations of a group fail, and how they are reached is searched for next.

    Everything else of the group is decided. Each stands as it is here, first as unknown, and as
    refuted once its trace is found, until its `Done` is told.
    """

    results: tuple[Result, ...]


@dataclass(frozen=True, slots=True)
class Finished:
    """Every obligation of a group that was asked for has been told.

    `helpers` says whose helpers, where not arch/'s. `hints` are its traces, where others wait for
    them.
    """

    group: Group
    helpers: tuple[str, ...] = ()
    hints: Hints | None = None


@dataclass(frozen=True, slots=True)
class Contradicts:
    """The tool contradicts itself, or failed, at the obligation or group that the words begin with.
    """

    what: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The process cannot go on, for a reason that the user can mend."""

    message: str


Say = Callable[[object], None]
