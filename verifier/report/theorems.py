# SPDX-License-Identifier: GPL-2.0-or-later
"""Theorems as a table, and one sentence for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from verifier.base.columns import table, wrap
from verifier.model.spec import ADVISORY
from verifier.prove.obligations import Group
from verifier.prove.results import Result, Run, TheoremResult, not_proved, verdict_name
from verifier.run.library import Library

__all__ = ["sentences", "theorem_table"]

NAMED = 8  # steps of a theorem that its sentence names
_WORDS = ("proved", "refuted", "vacuous", "unknown", "incomplete", "advice")
_SHOWN = ("proved", "refuted", "unknown", "advice")  # also where there are none

Failure = tuple[str, str]  # step, property


def theorem_table(run: Run) -> str:
    """A line for each theorem of which something is decided.

    Verdicts that no theorem has get no column.
    """
    reached = [t for t in run.theorems if any(t.counts.values()) or not run.stopped]
    words = [w for w in _WORDS if w in _SHOWN or any(t.counts[w] for t in reached)]
    rows = [[str(t.group), t.verdict if t.whole else f"{t.verdict} *",
             *(str(t.counts[w]) for w in words)] for t in reached]
    told = table(rows, ["theorem", "verdict", *words], numbers=2)
    return (told if all(t.whole for t in reached)
            else f"{told}\n* of the part of it that was asked for and decided")


def sentences(library: Library, run: Run) -> str:
    """What each theorem says, by variant and level; empty where no whole theorem was decided."""
    failed = _failures(run.results)
    parts: dict[str, list[str]] = {}
    for theorem in run.theorems:
        if theorem.whole:
            group = theorem.group
            lines = parts.setdefault(f"{group.variant}, {group.level}:", [])
            lines.append(wrap(_sentence(library, theorem, failed, _base_of(library, run, group)),
                              "  ", "    "))
    return "\n\n".join("\n".join([head, *lines]) for head, lines in parts.items())


def _failures(results: Iterable[Result]) -> dict[Group, dict[Failure, str]]:
    """What is not proved of each group, advice left out, and its verdict."""
    found: dict[Group, dict[Failure, str]] = {}
    for result in not_proved(results):
        o = result.obligation
        if o.kind != ADVISORY:
            found.setdefault(o.group, {})[o.transition, o.property] = verdict_name(result.verdict)
    return found


def _base_of(library: Library, run: Run, group: Group) -> Group | None:
    """Today's theorem of the same variant and level, where it was decided too, and is another."""
    base = Group(group.variant, group.level, *library.spec.first.compared_with)
    return (base if group != base and any(t.group == base and t.whole for t in run.theorems)
            else None)


def _sentence(
    library: Library, theorem: TheoremResult, failed: dict[Group, dict[Failure, str]],
    base: Group | None,
) -> str:
    group = theorem.group
    what = library.spec.codes[group.code].words
    if (group.encoding, group.code) not in library.spec.first.prove.theorems:
        what += f", under {group.encoding}"
    mine = failed.get(group, {})
    if not mine:
        return f"{what}: all {theorem.counts['proved']} obligations are proved."
    if base is None:
        return f"{what}: proved, but for {_many(mine)}, of {_steps(mine)}.{_open(mine)}"
    own = {failure: word for failure, word in mine.items() if failure not in failed.get(base, {})}
    too = len(mine) - len(own)
    rest = (f"{too} {'is' if too == 1 else 'are'} not proved today either" if too
            else "nothing else is left open")
    if not own:
        return f"{what}: what is proved of today's kernel is proved; {rest}."
    return (f"{what}: {_many(own)} not proved that are proved of today's kernel, of "
            f"{_steps(own)}.{_open(own)} {_first(rest)}.")


def _first(text: str) -> str:
    return text[0].upper() + text[1:]


def _many(failures: dict[Failure, str]) -> str:
    return f"{len(failures)} obligation{'s' * (len(failures) != 1)}"


def _steps(failures: dict[Failure, str]) -> str:
    """How many steps, and which: those with most first."""
    steps = Counter(step for step, _ in failures)
    first = sorted(steps, key=lambda step: (-steps[step], step))
    more = f" and {len(first) - NAMED} more" if len(first) > NAMED else ""
    return f"{len(first)} step{'s' * (len(first) != 1)}: {', '.join(first[:NAMED])}{more}"


def _open(failures: dict[Failure, str]) -> str:
    """How many of them are refuted, where not all are."""
    refuted = sum(word == "refuted" for word in failures.values())
    return ("" if refuted == len(failures)
            else f" {refuted} are refuted; to the others no trace is known.")
