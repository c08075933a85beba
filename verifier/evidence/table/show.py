# SPDX-License-Identifier: GPL-2.0-or-later
"""The table as text, Markdown and JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from verifier.base.columns import fold, table
from verifier.evidence.table import show_proofs
from verifier.evidence.table.compute import VariantRow
from verifier.evidence.table.proofs import Proofs
from verifier.kernel.conform.laws import LawFails, LawHolds, LawResult, NotApplicable

__all__ = ["show"]

HEADS = ("variant", "write", "dirty", "soft-dirty", "uffd-wp", "swap-exclusive", "spare bits",
         "sets dirty by itself", "not one step", "laws")


def show(rows: Sequence[VariantRow], form: str, verbose: bool, proofs: Proofs | None = None) -> str:
    """`form` is text, markdown or json; the theorems too where they were asked for."""
    if form == "json":
        more = show_proofs.plain(proofs) if proofs is not None else {}
        return json.dumps({"schema": "pteproof.table/1", "variants": [_plain(row) for row in rows],
                           **more}, indent=1)
    parts: list[tuple[Sequence[str], list[tuple[str, ...]], list[str]]] = [
        (HEADS, [_cells(row) for row in rows], _apart(rows, verbose))]
    if proofs is not None:
        parts.append(
            (show_proofs.heads(proofs), show_proofs.rows(proofs),
             show_proofs.lines(proofs, verbose))
        )
    write = _markdown if form == "markdown" else _text
    return "\n\n".join("\n".join(write(*part)) for part in parts)


def _markdown(heads: Sequence[str], cells: Sequence[Sequence[str]],
              apart: Sequence[str]) -> list[str]:
    told = [f"- {line.strip()}" if line.startswith("  ") else f"\n**{line}**\n" for line in apart]
    return [_line(heads), _line(["---"] * len(heads)), *(_line(row) for row in cells), "", *told]


def _text(heads: Sequence[str], cells: Sequence[Sequence[str]], apart: Sequence[str]) -> list[str]:
    return [table(cells, heads), "", *map(fold, apart)]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cells(row: VariantRow) -> tuple[str, ...]:
    """A line of the first table."""
    carried = [", ".join(row.carried[truth]) or "-" for truth in HEADS[1:6]]
    verdicts = Counter(type(r).__name__ for r in row.statements)
    laws = (
        f"{verdicts['LawHolds']} hold, {verdicts['LawFails']} fail, {verdicts['NotApplicable']} n/a"
    )
    if verdicts["NotKnown"]:
        laws += f", {verdicts['NotKnown']} ?"
    slow = ", ".join(name for name, one in row.steps.items() if not one) or "-"
    return (row.variant, *carried, _ranges(row.spare) or "-", ", ".join(row.setters) or "-", slow,
            laws)


def _ranges(bits: Sequence[int]) -> str:
    """10, 12-14."""
    found: list[list[int]] = []
    for bit in bits:
        if found and bit == found[-1][1] + 1:
            found[-1][1] = bit
        else:
            found.append([bit, bit])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in found)


def _apart(rows: Sequence[VariantRow], verbose: bool) -> list[str]:
    """Each statement that tells variants apart: where it fails, with a value; where it holds."""
    lines: list[str] = []
    by_statement: dict[str, list[LawResult]] = {}
    for row in rows:
        for result in row.statements:
            by_statement.setdefault(f"{result.law.level} {result.law.name}", []).append(result)
    for name, results in by_statement.items():
        fails = [r for r in results if isinstance(r, LawFails)]
        holds = [r.variant for r in results if isinstance(r, LawHolds)]
        if not ((fails and holds) or verbose):
            continue
        lines.append(f"{name}: {results[0].law.holds.text}")
        lines += [f"  no   {r.variant}: {_values(r)}" for r in fails]
        if holds:
            lines.append(f"  yes  {', '.join(holds)}")
        unknown = [
            r.variant for r in results if not isinstance(r, (LawFails, LawHolds, NotApplicable))
        ]
        if unknown:
            lines.append(f"  ?    {', '.join(unknown)}")
        if results[0].law.option_c and fails:
            lines.append(f"  option C: {results[0].law.option_c}")
    return lines


def _values(result: LawFails) -> str:
    return ", ".join(f"{name} = {value:#x}" for name, value in result.values.items())


def _plain(row: VariantRow) -> dict[str, object]:
    words = {"LawHolds": "proved", "LawFails": "refuted", "NotKnown": "incomplete",
             "NotApplicable": "not applicable"}
    return {
        "variant": row.variant,
        "width": row.width,
        "carried": {k: list(v) for k, v in row.carried.items()},
        "spare": list(row.spare),
        "hardware": list(row.setters),
        "one_step": dict(row.steps),
        "unproved": row.unproved,
        "statements": {
            f"{r.law.level}/{r.law.name}": {"verdict": words[type(r).__name__]}
            | (
                {"values": {k: f"{v:#x}" for k, v in r.values.items()}}
                if isinstance(r, LawFails)
                else {}
            )
            for r in row.statements
        },
    }
