# SPDX-License-Identifier: GPL-2.0-or-later
"""The theorems of a table as text: variants and levels, then properties that tell them apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from verifier.evidence.table.proofs import Failure, Proofs, Theorem, of

__all__ = ["heads", "lines", "plain", "rows"]


def heads(found: Proofs) -> tuple[str, ...]:
    """The titles of the columns."""
    return ("theorems of", *(f"{encoding}/{code}" for encoding, code in found.asked))


def rows(found: Proofs) -> list[tuple[str, ...]]:
    """A line for each variant and level; what does not apply is -."""
    cells: dict[str, dict[tuple[str, str], str]] = {}
    for theorem in found.theorems:
        cells.setdefault(_name(theorem), {})[theorem.encoding, theorem.code] = _cell(theorem)
    told = [(name, *(of_one.get(which, "-") for which in found.asked))
            for name, of_one in cells.items()]
    return [*told, *((name, *["not decided"] * len(found.asked)) for name in found.unproved)]


def _name(theorem: Theorem) -> str:
    return f"{theorem.variant}/{theorem.level}"


def _cell(theorem: Theorem) -> str:
    """proved, or how many serious obligations are not."""
    counts = Counter(f.verdict for f in theorem.failures)
    said = ", ".join(f"{n} {verdict}" for verdict, n in sorted(
        counts.items(), key=lambda item: item[0] != "refuted"
    ))
    return said or theorem.verdict


def lines(found: Proofs, verbose: bool) -> list[str]:
    """The properties that some variant violates, by theorem.

    Each has the variants, the steps, an entry before and after, and where it holds. Lemmas, which
    only serve the proofs, are told where `verbose`.
    """
    told = [f"{name}: not decided: {why}" for name, why in found.unproved.items()]
    for encoding, code in found.asked:
        theorems = of(found, encoding, code)
        for prop in found.claims:
            failing = [(t, [f for f in t.failures if f.property == prop]) for t in theorems]
            bad = [(t, fails) for t, fails in failing if fails]
            if not bad or (bad[0][1][0].kind == "lemma" and not verbose):
                continue
            told.append(f"{encoding}/{code} {prop}: {found.claims[prop]}")
            told += [f"  no   {_name(t)}: {_steps(fails, verbose)}" for t, fails in bad]
            good = [_name(t) for t, fails in failing if not fails and prop in t.properties]
            if good:
                told.append(f"  yes  {', '.join(good)}")
    return told


def _steps(failures: Sequence[Failure], verbose: bool) -> str:
    """The steps, the shortest trace first; the first with its entry, or all."""
    ranked = sorted(failures, key=lambda f: (f.verdict != "refuted", f.steps, f.transition))
    return ", ".join(_step(f, verbose or number == 0) for number, f in enumerate(ranked))


def _step(failure: Failure, entry: bool) -> str:
    shown = (f" {failure.entry[0]:#x} -> {failure.entry[1]:#x}" if entry
             and failure.entry is not None else "")
    return (f"{failure.transition}{shown}"
            + ("" if failure.verdict == "refuted" else f" ({failure.verdict})"))


def plain(found: Proofs) -> dict[str, object]:
    """As JSON."""
    return {
        "theorems": [{
            "variant": t.variant, "level": t.level, "encoding": t.encoding, "code": t.code,
            "verdict": t.verdict, "proved": t.proved,
            "failures": [{"transition": f.transition, "property": f.property, "kind": f.kind,
                          "verdict": f.verdict,
                          "entry": None if f.entry is None
                          else [f"{value:#x}" for value in f.entry], "steps": f.steps}
                         for f in t.failures]} for t in found.theorems],
        "not_decided": dict(found.unproved),
    }
