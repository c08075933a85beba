# SPDX-License-Identifier: GPL-2.0-or-later
"""The table as text, Markdown and JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from verifier.kernel.laws import Fails, Holds, LawResult, NotApplicable
from verifier.table.compute import Row

__all__ = ["show"]

HEADS = ("variant", "write", "dirty", "soft-dirty", "uffd-wp", "swap-exclusive", "spare bits", "sets dirty by itself",
         "not one step", "laws")


def show(rows: Sequence[Row], form: str, verbose: bool) -> str:
    """`form` is text, markdown or json."""
    if form == "json":
        return json.dumps({"schema": "pteproof.table/1", "variants": [_plain(row) for row in rows]}, indent=1)
    if form == "markdown":
        return "\n".join([_line(HEADS), _line(["---"] * len(HEADS)), *(_line(_cells(row)) for row in rows), "",
                          *(f"- {line.strip()}" if line.startswith("  ") else f"\n**{line}**\n"
                            for line in _apart(rows, verbose))])
    cells = [HEADS, *(_cells(row) for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(HEADS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join([*lines, "", *_apart(rows, verbose)])


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cells(row: Row) -> tuple[str, ...]:
    """A line of the first table."""
    carried = [", ".join(row.carried[truth]) or "-" for truth in HEADS[1:6]]
    verdicts = Counter(type(r).__name__ for r in row.statements)
    laws = f"{verdicts['Holds']} hold, {verdicts['Fails']} fail, {verdicts['NotApplicable']} n/a"
    if verdicts["NotKnown"]:
        laws += f", {verdicts['NotKnown']} ?"
    slow = ", ".join(name for name, one in row.steps.items() if not one) or "-"
    return (row.variant, *carried, _ranges(row.spare) or "-", ", ".join(row.setters) or "-", slow, laws)


def _ranges(bits: Sequence[int]) -> str:
    """10, 12-14."""
    found: list[list[int]] = []
    for bit in bits:
        if found and bit == found[-1][1] + 1:
            found[-1][1] = bit
        else:
            found.append([bit, bit])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in found)


def _apart(rows: Sequence[Row], verbose: bool) -> list[str]:
    """Each statement that tells variants apart: where it fails, with a value; where it holds."""
    lines: list[str] = []
    by_statement: dict[str, list[LawResult]] = {}
    for row in rows:
        for result in row.statements:
            by_statement.setdefault(f"{result.law.level} {result.law.name}", []).append(result)
    for name, results in by_statement.items():
        fails = [r for r in results if isinstance(r, Fails)]
        holds = [r.variant for r in results if isinstance(r, Holds)]
        if not ((fails and holds) or verbose):
            continue
        lines.append(f"{name}: {results[0].law.holds.text}")
        lines += [f"  no   {r.variant}: {_values(r)}" for r in fails]
        if holds:
            lines.append(f"  yes  {', '.join(holds)}")
        unknown = [r.variant for r in results if not isinstance(r, (Fails, Holds, NotApplicable))]
        if unknown:
            lines.append(f"  ?    {', '.join(unknown)}")
        if results[0].law.option_c and fails:
            lines.append(f"  option C: {results[0].law.option_c}")
    return lines


def _values(result: Fails) -> str:
    return ", ".join(f"{name} = {value:#x}" for name, value in result.values.items())


def _plain(row: Row) -> dict[str, object]:
    words = {"Holds": "proved", "Fails": "refuted", "NotKnown": "incomplete", "NotApplicable": "not applicable"}
    return {
        "variant": row.variant, "width": row.width, "carried": {k: list(v) for k, v in row.carried.items()},
        "spare": list(row.spare), "hardware": list(row.setters), "one_step": dict(row.steps), "unproved": row.unproved,
        "statements": {f"{r.law.level}/{r.law.name}": {"verdict": words[type(r).__name__]} | (
            {"values": {k: f"{v:#x}" for k, v in r.values.items()}} if isinstance(r, Fails) else {}) for r in row.statements},
    }
