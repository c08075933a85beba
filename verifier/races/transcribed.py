# SPDX-License-Identifier: GPL-2.0-or-later
"""Steps of races, looked up in a kernel's source: does the function that each names do it?

A step of specs/races.yaml names a function (`source`) and what stands in it (`calls`, or what the
step itself calls). The function has to be there. On each path of a race, what stands in one
function has to stand there in the order of the steps. What a call does is not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from verifier.kernel.sites.definitions import definitions
from verifier.races.judge_races import cases
from verifier.races.race import Races, RaceStep, RaceThread

__all__ = ["transcription_errors"]

Look = Callable[[str], "str | None"]  # FILE:FUNCTION -> its text, if it is there

_CALLED = re.compile(r"\b([a-z]\w*)\(")


def transcription_errors(races: Races, tree: Path) -> list[str]:
    """What of the races' steps is not so in a kernel's source, a line each.

    UsageError where the parser of C is not installed.
    """
    @cache
    def functions(file: str) -> dict[str, bytes]:
        path = tree / file
        return definitions(path.read_bytes()) if path.is_file() else {}

    def look(place: str) -> str | None:
        file, _, name = place.rpartition(":")
        found = functions(file).get(name)
        return None if found is None else found.decode(errors="replace")

    return list(dict.fromkeys(error for thread in races.threads.values()
                              for error in _errors(races, thread, look)))


def _errors(races: Races, thread: RaceThread, look: Look) -> Iterator[str]:
    """What is not so of one thread: its site, each step by itself, and their order."""
    if look(thread.site) is None:
        yield f"{thread.name}: no function {thread.site}"
    for step in thread.steps:
        text = look(step.source) if step.source else ""
        if text is None:
            yield f"{thread.name}: no function {step.source}, for `{step.code}`"
        elif step.source:
            for name in _calls(step):
                if _at(text, name, 0) < 0:
                    yield f"{thread.name}: {step.source} has no {name}, for `{step.code}`"
    for race in races.races.values():
        if thread.name in race.threads:
            for case in cases(race):
                path = [step for step in thread.steps if step.when <= case.words]
                yield from _disorder(thread, path, look)


def _disorder(thread: RaceThread, path: list[RaceStep], look: Look) -> Iterator[str]:
    """Steps whose calls stand in their function, but before those of a step before."""
    reached: dict[str, int] = {}
    for step in path:
        text = look(step.source) if step.source else None
        for name in _calls(step) if text is not None else ():
            assert text is not None
            at = _at(text, name, reached.get(step.source, 0))
            if at >= 0:
                reached[step.source] = at
            elif _at(text, name, 0) >= 0:
                yield (f"{thread.name}: in {step.source}, {name} stands before what comes before "
                       f"`{step.code}`")


def _calls(step: RaceStep) -> tuple[str, ...]:
    """The names that have to stand in a step's function."""
    return step.calls or tuple(name for name in _CALLED.findall(step.code) if name != "if")


def _at(text: str, name: str, start: int) -> int:
    """Where a name stands as a word in a text from a place on; -1 if it does not."""
    found = re.compile(rf"\b{re.escape(name)}\b").search(text, start)
    return -1 if found is None else found.start()
