# SPDX-License-Identifier: GPL-2.0-or-later
"""specs/races.yaml read and checked."""

from __future__ import annotations

from pathlib import Path

from verifier.base.errors import SpecError, Where, nearest
from verifier.language.read_yaml import Items, Source, Table, read_yaml
from verifier.races.race import Location, Race, Races, RaceStep, RaceThread

__all__ = ["load_races"]

_TYPES = ("int", "atomic", "lock", "pointer")
_KINDS = ("barrier", "part", "mend")


def load_races(folder: Path) -> Races:
    """The races of a spec folder. Raises SpecError at a mistake."""
    path = folder / "races.yaml"
    table = read_yaml(path, f"{folder.name}/races.yaml")
    table.only(("values", "locations", "threads", "races"), "races")
    values = table.need("values", Table, "races")
    threads = {name: _thread(name, body) for name, body in _tables(table, "threads")}
    locations = {name: _location(name, body, values) for name, body in _tables(table, "locations")}
    races = {name: _race(name, body, threads) for name, body in _tables(table, "races")}
    _no_idle_words(table, threads, locations, races)
    return Races({name: values.need(name, int, "values") for name in values}, locations, threads,
                 races)


def _tables(table: Table, key: str) -> list[tuple[str, Table]]:
    inner = table.need(key, Table, "races")
    return [(name, inner.need(name, Table, key)) for name in inner]


def _words(table: Table, key: str) -> frozenset[str]:
    return frozenset(table.texts(key, key))


def _thread(name: str, table: Table) -> RaceThread:
    table.only(("site", "describe", "steps"), "a thread")
    steps = table.need("steps", Items, "a thread").each(Table, "a step must be a mapping")
    return RaceThread(name, table.text("site", "a thread"), table.text("describe", "a thread"),
                      tuple(_step(step) for step in steps))


def _step(table: Table) -> RaceStep:
    table.only(("do", "needs", "when", "at", "source", "calls", "pointer", "instead", "only",
                *_KINDS), "a step")
    needs = "needs" in table
    if needs == ("do" in table):
        raise SpecError(table.where, "a step has either 'do' or 'needs'")
    kinds = [kind for kind in _KINDS if kind in table]
    if len(kinds) > 1 or ("instead" in table and not kinds):
        raise SpecError(table.where, "a step is one of barrier, part and mend")

    def text(key: str) -> str:
        return table.text(key, "a step") if key in table else ""

    return RaceStep(text("needs" if needs else "do"), needs, _words(table, "when"),
                    kinds[0] if kinds else "", text(kinds[0]) if kinds else "", text("instead"),
                    _words(table, "only"), text("at"), text("source"), text("pointer"),
                    table.texts("calls", "calls"))


def _location(name: str, table: Table, values: Table) -> Location:
    table.only(("what", "type", "starts"), "a location")
    kind = table.text("type", "a location")
    if kind not in _TYPES:
        raise SpecError(table.at["type"], f"a type is one of {', '.join(_TYPES)}")
    starts = []
    items = table.need("starts", Items, "a location").each(Table, "a start must be a mapping")
    for start in items:
        start.only(("value", "when"), "a start")
        value = start.need("value", (int, Source), "a start")
        word = str(value) if isinstance(value, int) else value.text
        if isinstance(value, Source) and kind != "pointer" and word not in values:
            raise SpecError(start.at["value"], f"unknown value {word!r}{nearest(word, values)}")
        starts.append((_words(start, "when"), word))
    return Location(name, table.text("what", "a location"), kind, tuple(starts))


def _race(name: str, table: Table, threads: dict[str, RaceThread]) -> Race:
    table.only(("threads", "under", "cases", "words", "bad"), "a race")
    for word in table.texts("threads", "threads"):
        if word not in threads:
            raise SpecError(table.at["threads"],
                            f"unknown thread {word!r}{nearest(word, threads)}")
    lists = table.get_as("cases", Items, None)
    cases = () if lists is None else tuple(
        tuple(some.texts("a case")) for some in lists.each(Items, "cases are lists of words"))
    bad = table.need("bad", Table, "a race")
    encodings = {word.partition("/")[0] for word in table.texts("under", "under")}
    bad.only(("says", *encodings), "what is bad")
    return Race(name, table.texts("threads", "threads"), table.texts("under", "under"), cases,
                _words(table, "words"), bad.text("says", "what is bad"),
                {key: bad.text(key, "what is bad") for key in bad if key != "says"})


def _no_idle_words(
    table: Table, threads: dict[str, RaceThread], locations: dict[str, Location],
    races: dict[str, Race],
) -> None:
    """SpecError where a step or a start is for words that no race has together."""
    every = [race.words.union((under, under.partition("/")[0]), *race.cases)
             for race in races.values() for under in race.under]
    wanted: list[tuple[Where, str, frozenset[str]]] = [
        *((table.where, f"thread {thread.name}", step.when | step.only)
          for thread in threads.values() for step in thread.steps),
        *((table.where, f"location {location.name}", when)
          for location in locations.values() for when, _ in location.starts)]
    for where, what, words in wanted:
        if not any(words <= some for some in every):
            raise SpecError(where, f"{what}: no race has the words {', '.join(sorted(words))}")
