# SPDX-License-Identifier: GPL-2.0-or-later
"""What was found of entries of two words, as tables with traces, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from verifier.base.columns import table, wrap
from verifier.halves.judge import JudgedRead, Met
from verifier.halves.two_words import BOTH, HIGH, LOW, TwoWords

__all__ = ["two_words_data", "two_words_text"]

_CLAIM = (
    "Of what is read of an entry of two words without the lock: is it as some entry that stood "
    "there meanwhile? BAD says that it need not be. A cell has a word for each rule of what may "
    "stand there: ")
_WORDS = {LOW: "low word", HIGH: "high word", BOTH: "both words"}


def two_words_text(words: TwoWords, found: Sequence[JudgedRead], traces: bool) -> str:
    """A table for each variant and reader: claims, and ways of reading and storing."""
    parts = [wrap(_CLAIM + "; ".join(f"{rule.name}, {rule.describe}"
                                     for rule in words.rules.values()) + ".", "")]
    for variant in dict.fromkeys(one.variant for one in found):
        for reader in words.readers.values():
            mine = [one for one in found if (one.variant, one.reader) == (variant, reader.name)]
            if mine:
                rules = ", ".join(dict.fromkeys(one.rule for one in mine))
                parts.append(f"{variant}, {reader.name}: {rules}\n\n"
                             + "\n\n".join(_tables(mine)))
                parts += _notes(words, mine, variant)
    if traces:
        parts += _traces(found)
    return "\n\n".join(parts)


def _notes(words: TwoWords, mine: Sequence[JudgedRead], variant: str) -> Iterator[str]:
    note = words.layouts[variant].note
    if note and mine[0].reader == next(iter(words.readers)):
        yield wrap(f"{variant}: {note}.", "  ", "  ")


def _tables(mine: Sequence[JudgedRead]) -> Iterator[str]:
    kinds = {"": "claim", "planted": "with a mistake", "mend": "mended"}
    for kind, head in kinds.items():
        ways = list(dict.fromkeys(one.way for one in mine if one.kind == kind))
        claims = list(dict.fromkeys((one.claim, one.shown) for one in mine))
        rows = [[shown, *(_cell([one for one in mine if (one.way, one.shown) == (way, shown)])
                          for way in ways)] for _, shown in claims]
        if ways:
            yield "\n".join("  " + line for line in table(rows, [head, *ways]).splitlines())


def _cell(found: Sequence[JudgedRead]) -> str:
    return " ".join("ok" if one.holds else "BAD" for one in found)


def _traces(found: Sequence[JudgedRead]) -> Iterator[str]:
    for one in found:
        if not one.holds:
            head = (f"{one.variant}, {one.reader}, {one.way}: {one.shown} under {one.rule}")
            rows = [[str(number), who, what]
                    for number, (who, what) in enumerate(_steps(one.run), 1)]
            lines = table(rows, ["", "who", "what"]).splitlines()[1:]
            yield "\n".join([head, *("  " + line for line in lines),
                             f"  read: {one.read:#018x}"])


def _steps(run: Sequence[Met]) -> Iterator[tuple[str, str]]:
    """One line for what each load reads, and one wherever memory has changed before it."""
    before: Met | None = None
    for met in run:
        if before is None or met.memory != before.memory:
            yield "entry", _stands(met, before)
        yield "reader", f"{_WORDS[met.load]} {met.read:#x}"
        before = met


def _stands(met: Met, before: Met | None) -> str:
    at_rest = met.memory in (met.before, met.after)
    what = f"{met.memory:#018x}"
    if not at_rest:
        return f"{what}, while {met.change} goes on from {met.before:#x} to {met.after:#x}"
    return what if before is not None or met.memory != 0 else f"{what}, none"


def two_words_data(found: Sequence[JudgedRead]) -> dict[str, Any]:
    """The same as plain data."""
    return {"schema": "pteproof.two-words/1", "claims": [{
        "variant": one.variant, "encoding": one.encoding, "reader": one.reader, "rule": one.rule,
        "way": one.way, "kind": one.kind, "claim": one.claim,
        "verdict": "ok" if one.holds else "BAD",
        "read": f"{one.read:#x}" if one.run else None,
        "run": [{"load": met.load, "read": f"{met.read:#x}", "memory": f"{met.memory:#x}",
                 "change": met.change, "stage": met.stage, "before": f"{met.before:#x}",
                 "after": f"{met.after:#x}", "same_change": met.same} for met in one.run],
    } for one in found]}
