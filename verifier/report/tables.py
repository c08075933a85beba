# SPDX-License-Identifier: GPL-2.0-or-later
"""What `prove` and `audit` print: tables of plain text that fit into a mail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from verifier.base.columns import labelled, wrap
from verifier.model.spec import ADVISORY, rank
from verifier.prove.results import (
    Result,
    Run,
    State,
    not_proved,
    reason,
    tally,
    verdict_name,
)
from verifier.report.catalogue import coverage_line
from verifier.report.explain import explain_text, replay_line, source_of
from verifier.report.theorems import sentences, theorem_table
from verifier.run.library import Library

__all__ = ["audit_text", "closing_line", "prove_text"]

MANY = 100  # lines: more are counted, not listed
_WORDS = ("proved", "refuted", "vacuous", "unknown", "incomplete", "advice")


def closing_line(run: Run) -> str:
    """How many of each verdict, advice apart, and where the time went."""
    counts: Counter[str] = Counter()
    cached = 0
    for alike, number in tally(run.results).items():
        counts[alike.counted_as()] += number
        cached += number * alike.cached
    said = ", ".join(f"{counts[word]} {word}" for word in _WORDS if counts[word]
                     or word in ("proved", "refuted"))
    if run.undecided:
        said += f", {run.undecided} not decided"
    extra = f" ({cached} from cache)" if cached else ""
    seconds = run.seconds
    elapsed, load, solve = (seconds.get(part, 0) for part in ("elapsed", "load", "solve"))
    return wrap(f"Ran {len(run.results)}: {said}{extra}. Elapsed {elapsed:.1f} s: {load:.1f} load, "
                f"{solve:.1f} decide.", "", "  ")


def prove_text(library: Library, run: Run, quiet: bool, verbose: bool, color: bool) -> str:
    """Theorems, what failed, what is not covered, and the closing line."""
    against = [] if run.compared is None else list(run.compared.lines())
    if quiet:
        return "\n".join([closing_line(run), *(wrap(line, "", "  ") for line in against[-1:])])
    parts, lines = [], []
    few = len(run.results) <= 40
    hidden = 0
    three = sum(n for alike, n in tally(run.results).items() if "plain integers" in alike.solver)
    for result in run.results if verbose else not_proved(run.results):
        name = verdict_name(result.verdict)
        hidden += result.obligation.kind == ADVISORY and name != "proved"
        if name != "proved" and few:
            parts.append(explain_text(library, result, color))
        elif (name != "proved" and result.obligation.kind != ADVISORY) or verbose:
            lines.append(_line(result, color))
            lines += [wrap(f"({result.solver})", "          ")] if verbose else []
            lines += ([wrap(f"{reason(result.verdict)}.", "          ")] if reason(result.verdict)
                      else [])
    if len(lines) > MANY and not verbose:
        parts.append(f"{len(lines)} obligations are not proved; -v lists them")
    else:
        parts.append("\n".join(lines))
    if hidden and not few and not verbose:
        parts.append(f"advice    {hidden} findings that fail nothing; -v lists them")
    if three:
        parts.append(wrap(f"cross-check: {three} of {len(run.results)} obligations by plain "
                          "integers too, over all values of the "
                          "bits that matter", "", "  "))
    if any(any(t.counts.values()) for t in run.theorems) or not run.stopped:
        parts += [theorem_table(run), sentences(library, run)]
    unreached = sum(not any(t.counts.values()) for t in run.theorems) if run.stopped else 0
    if unreached:
        parts.append(f"not reached: {unreached} theorems, of which nothing is decided")
    lacking = run.coverage.get("not_applicable")
    left = [f"not covered: {what}" for what in _texts(run.coverage.get("not_covered"))]
    if isinstance(lacking, list) and lacking:
        left.append(f"not applicable: {len(lacking)} (coverage.not_applicable in the JSON result "
                    "says what and why)")
    left += [line for line in (coverage_line(run.coverage.get("catalogue")),) if line]
    left += [f"helpers: {what}" for what in _texts(run.coverage.get("helpers")) if verbose
             or "rests on" not in what]
    if run.results or not run.stopped:  # what is decided is said to be about less than all
        parts.append("\n".join(wrap(line, "", "  ") for line in left))
    parts.append("\n".join([closing_line(run), *(wrap(line, "", "  ") for line in against)]))
    return "\n\n".join(p for p in parts if p)


def _texts(value: object) -> list[str]:
    return [str(v) for v in value] if isinstance(value, list) else []


def _line(result: Result, color: bool) -> str:
    name = verdict_name(result.verdict).upper()
    line = labelled(f"{name:<10}", result.obligation.id)
    return (f"\x1b[{'32' if name == 'PROVED' else '31'}m{name}\x1b[0m{line.removeprefix(name)}"
            if color else line)


def audit_text(library: Library, run: Run) -> str:
    """One line for each site and property that today's code breaks, worst first.

    Each has an entry before and after.
    """
    found: dict[tuple[str, str, str], list[Result]] = {}
    for result in not_proved(run.results):
        if (verdict_name(result.verdict) in ("refuted", "unknown")
                and result.obligation.kind in ("invariant", "step")):
            key = (result.obligation.property, result.obligation.transition,
                   result.obligation.group.encoding)
            found.setdefault(key, []).append(result)
    worst = library.spec.first.worst
    places = [_audited(library, results) for _, results in
              sorted(found.items(), key=lambda item: (rank(item[0][0], worst), *item[0][1:]))]
    total = (f"{len(places)} places to mend; today's code, "
             f"{', '.join(sorted({k[2] for k in found})) or 'nothing broken'}.")
    return "\n\n".join([*places, wrap(total, "", "  "), closing_line(run)])


def _audited(library: Library, results: Sequence[Result]) -> str:
    """A place and a property, of all variants of which it fails."""
    first = results[0]
    before, after = _entries(first)
    rows = f"{', '.join(first.obligation.catalogue)}  " if first.obligation.catalogue else ""
    return "\n".join([
        wrap(f"{first.obligation.property}  {verdict_name(first.verdict)}  "
             f"{rows}{source_of(library, first)}", "", "    "),
        wrap(f"{before} -> {after}, on "
             f"{_short([r.obligation.group.variant for r in results], library)}", "    "),
        replay_line(first.obligation.id, "    ")])


def _short(names: list[str], library: Library) -> str:
    """Variants, or `all` where it is every one."""
    proved = {v.name for v in library.variants() if not v.unproved}
    return "all" if set(names) == proved else ", ".join(dict.fromkeys(names))


def _entries(result: Result) -> tuple[str, str]:
    """The entry that shows the failure, before and after."""
    counterexample = getattr(result.verdict, "counterexample", None)
    if counterexample is None:
        return "?", "?"
    move = counterexample.move
    process = next((p for p in move.roles if p in (0, 1)
                    and move.before["entry", p] != move.after["entry", p]), 0)
    return _hex(move.before, process), _hex(move.after, process)


def _hex(state: State, process: int) -> str:
    return f"0x{int(state['entry', process]):x}"
