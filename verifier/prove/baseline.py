# SPDX-License-Identifier: GPL-2.0-or-later
"""An earlier run of the same command, and what a run says beyond it.

An obligation fails in a new way where it can be violated in a way that it could not: by another
instance of its step, process or component of the entry, or, for a law or a helper, by other least
values. It also does where it leads to a store-leak or a loss that it did not lead to, or where its
verdict is worse. The earlier run is read once, result by result, since its file can be larger than
memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from verifier.base.errors import UsageError
from verifier.base.exits import Exit, exit_of

__all__ = ["PROVED", "Baseline", "Change", "Compared", "Said", "compare", "read_baseline", "said"]

CHUNK = 1 << 20
LARGEST = 1 << 26  # characters of one result
_RESULTS = ("results", "proofs", "failures")  # arrays: of conform and laws, of prove
# conform's words -> the words of all commands
_WORDS = {"equal": "proved", "differs": "refuted", "too-atomic": "refuted"}
_WORSE = {"proved": 0, "unknown": 1, "vacuous": 1, "incomplete": 1, "contradiction": 1,
          "refuted": 2}


@dataclass(frozen=True, slots=True)
class Said:
    """What a run says of one obligation: verdict, ways to violate it, what that leads to."""

    verdict: str
    ways: frozenset[str] = frozenset()
    leads_to: str = ""
    advisory: bool = False

    @property
    def fails(self) -> bool:
        """Does it say that the obligation is not proved?"""
        return self.verdict != "proved"


PROVED = Said("proved")  # most are


@dataclass(frozen=True, slots=True)
class Baseline:
    """What an earlier run said, by obligation.

    Results without a verdict (`ours`, `not applicable`) are left out.
    """

    name: str
    said: Mapping[str, Said]


@dataclass(frozen=True, slots=True)
class Change:
    """One obligation that is not as it was; `why` in words."""

    id: str
    was: str
    now: str
    why: str
    advisory: bool = False


@dataclass(frozen=True, slots=True)
class Compared:
    """A run beside an earlier one.

    new    fails, and did not
    worse  fails in a new way
    gone   failed, and does not, or is not there
    lost   was proved, and is not there
    same   how many fail as before
    """

    name: str
    new: tuple[Change, ...]
    worse: tuple[Change, ...]
    gone: tuple[Change, ...]
    lost: tuple[Change, ...]
    same: int

    def words(self) -> list[str]:
        """The words of what counts: new and worse failures without advice, and lost proofs.

        A failure that is not refuted counts as unknown.
        """
        now = [change.now for change in (*self.new, *self.worse) if not change.advisory]
        return [*("refuted" if word == "refuted" else "unknown" for word in now),
                *("lost" for _ in self.lost)]

    def exit_code(self) -> Exit:
        """1 for a new or worse refutation, 3 for another such failure or a lost proof, else 0."""
        return exit_of(self.words(), nothing=Exit.HOLDS)

    def lines(self) -> Iterator[str]:
        """For people: each change, and one sentence."""
        for head, changes in (("new", self.new), ("new way", self.worse), ("gone", self.gone),
                              ("lost", self.lost)):
            for change in changes:
                yield (f"{head:<8}  {change.id}: "
                       f"{change.why}{' (advisory)' if change.advisory else ''}")
        yield (f"Against {self.name}: {len(self.new)} fail that did not, {len(self.worse)} in a "
               f"new way, {len(self.gone)} no "
               f"more, {self.same} as before; {len(self.lost)} proofs are lost. The exit code "
               "speaks of what is new, in a new "
               "way or lost.")

    def data(self) -> dict[str, object]:
        """The same as plain data."""
        def rows(changes: Iterable[Change]) -> list[dict[str, str]]:
            return [{"id": c.id, "was": c.was, "now": c.now, "why": c.why} for c in changes]

        return {"name": self.name, "new": rows(self.new), "worse": rows(self.worse),
                "gone": rows(self.gone),
                "lost": rows(self.lost), "same": self.same}


def compare(before: Baseline, now: Iterable[tuple[str, Said]],
            wanted: Callable[[str], bool] = lambda identity: True) -> Compared:
    """What a run says beyond an earlier one.

    `wanted` says whether this run asks for the obligation of an id, if there is one.
    """
    new, worse, gone = [], [], []
    same = 0
    seen: set[str] = set()
    for identity, this in now:
        seen.add(identity)
        was = before.said.get(identity)
        if this.fails and (was is None or not was.fails):
            why = f"{this.verdict}; {'was proved' if was else 'was not there'}"
            new.append(
                Change(identity, was.verdict if was else "", this.verdict, why, this.advisory)
            )
        elif this.fails and was is not None:
            why = _new_way(was, this)
            same += not why
            if why:
                worse.append(Change(identity, was.verdict, this.verdict, why, this.advisory))
        elif was is not None and was.fails:
            gone.append(Change(identity, was.verdict, this.verdict, f"was {was.verdict}, is proved",
                               this.advisory))
    missing = [(i, was) for i, was in before.said.items() if i not in seen and wanted(i)]
    gone += [Change(i, was.verdict, "", f"was {was.verdict}, is not there", was.advisory)
             for i, was in missing if was.fails]
    lost = [Change(i, was.verdict, "", "was proved, is not there") for i, was in missing
            if not was.fails]
    return Compared(before.name, tuple(new), tuple(worse), tuple(gone), tuple(lost), same)


def _new_way(was: Said, this: Said) -> str:
    """How it fails in a way in which it did not; empty where it does not."""
    if this.verdict != was.verdict and _WORSE[this.verdict] >= _WORSE[was.verdict]:
        return f"{this.verdict}, was {was.verdict}"
    ways = sorted(this.ways - was.ways)
    if ways:
        return f"{this.verdict} by {', '.join(ways)}, which kept it"
    if this.leads_to and this.leads_to != was.leads_to:
        return f"leads to {this.leads_to}, did not"
    return ""


def said(row: Mapping[str, object]) -> Said | None:
    """What a row of JSON results says; None where it has no verdict.

    Raises ValueError, TypeError or KeyError for anything that is no such row.
    """
    word = _text(row["verdict"])
    word = _WORDS.get(word, word)
    if word in ("ours", "unwritten", "not applicable"):
        return None
    if word not in _WORSE:
        raise ValueError(f"{word!r} is no verdict")
    if word == "proved":
        return PROVED
    shown = row.get("counterexample")
    if word == "refuted" and "kind" in row and not row.get("ways"):
        raise ValueError("it does not say in which ways an obligation can be violated: it is of an "
                         "earlier version")
    leads_to = "" if shown is None else _object(shown)["consequence"] or ""
    ways = row["ways"] if "ways" in row else _values(row)
    if not isinstance(ways, list) or not all(isinstance(way, str) for way in ways):
        raise ValueError("its ways are no texts")
    return Said(word, frozenset(ways), str(leads_to), row.get("kind") == "advisory")


def _object(value: object) -> Mapping[str, object]:
    """A value of JSON that has to be an object; TypeError where it is none."""
    if not isinstance(value, dict):
        raise TypeError("no object")
    return value


def _text(value: object) -> str:
    """A value of JSON that has to be a text; TypeError where it is none."""
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _values(row: Mapping[str, object]) -> list[str]:
    """The least values for which a law or a compared helper fails, as a name for this way."""
    values = _object(row.get("values") or row.get("inputs") or {})
    ways = [", ".join(f"{name} = {value}" for name, value in values.items())] if values else []
    if "arch" in row and "kernel" in row:
        kernel = _object(row["kernel"])
        ways += [f"another {name}" for name, value in _object(row["arch"]).items()
                 if kernel.get(name, value) != value]
    if _object(row.get("atomicity", {})).get("verdict") == "arch more atomic":
        ways.append("another outcome while the hardware acts")
    return ways


def read_baseline(path: Path, schema: str) -> Baseline:
    """The results of an earlier run; UsageError where the file has another schema."""
    found: dict[str, Said] = {}
    told = ""
    if not path.is_file():
        raise UsageError(f"{path}: no such file with the results of an earlier run")
    try:
        with path.open(encoding="utf-8") as file:
            for key, value in _members(file):
                if key == "schema":
                    told = str(value)
                elif key in _RESULTS:
                    for identity, this in _all_said(key, _object(value)):
                        if identity in found:
                            raise ValueError(f"it has {identity} twice")
                        found[identity] = this
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        why = error if type(error) is ValueError else "not as results are"
        raise UsageError(f"{path}: no results of an earlier run: {why}") from error
    if told != schema:
        raise UsageError(
            f"{path}: is {told or 'no result'}, not {schema}: no earlier run of this command"
        )
    return Baseline(str(path), found)


def _all_said(key: str, row: Mapping[str, object]) -> Iterator[tuple[str, Said]]:
    """What a row says, by obligation; a row of a step names all that is proved of it."""
    if key == "proofs":
        if not isinstance(row["proved"], list):
            raise TypeError("properties")
        for name in row["proved"]:
            yield f"{row['step']}/{name}", PROVED
    elif (this := said(row)) is not None:
        yield str(row["id"]), this


def _members(file: TextIO) -> Iterator[tuple[str, object]]:
    """The members of the object that a file holds; those of arrays of results one by one."""
    stream = _Stream(file)
    stream.take("{")
    while True:
        key = _text(stream.value())
        stream.take(":")
        if key in _RESULTS and stream.peek() == "[":
            stream.take("[")
            while stream.peek() != "]":
                yield key, stream.value()
                if stream.peek() != "]":
                    stream.take(",")
            stream.take("]")
        else:
            yield key, stream.value()
        if stream.peek() != ",":
            break
        stream.take(",")
    stream.take("}")
    if stream.peek():
        raise ValueError("something stands behind its end")


class _Stream:
    """JSON from a file, value by value."""

    def __init__(self, file: TextIO) -> None:
        self.file = file
        self.text = ""
        self.at = 0
        self.decoder = json.JSONDecoder()

    def more(self) -> bool:
        """Read on; was there anything?"""
        chunk = self.file.read(max(CHUNK, len(self.text) - self.at))
        self.text, self.at = self.text[self.at:] + chunk, 0
        return bool(chunk)

    def peek(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            while self.at < len(self.text) and self.text[self.at] in " \t\r\n":
                self.at += 1
            if self.at < len(self.text):
                return self.text[self.at]
            if not self.more():
                return ""

    def take(self, character: str) -> None:
        if self.peek() != character:
            raise ValueError("it is not JSON, or cut off")
        self.at += 1

    def value(self) -> object:
        if self.peek() not in tuple('{["-0123456789tfn'):
            raise ValueError("it is not JSON, or cut off")
        while True:
            try:
                value: object
                value, end = self.decoder.raw_decode(self.text, self.at)
            except json.JSONDecodeError as error:
                if len(self.text) - self.at > LARGEST or not self.more():
                    raise ValueError("it is not JSON, or cut off") from error
                continue
            start, length = self.at, len(self.text)
            if end < length or not self.more():
                self.at += end - start
                return value  # else a number may go on
