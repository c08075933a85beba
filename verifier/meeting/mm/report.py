# SPDX-License-Identifier: GPL-2.0-or-later
"""What was found of functions of mm/, as text, as rows of JSON, and as cases of JUnit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from verifier.kernel.conform.decide import ClaimFails
from verifier.kernel.conform.fields import entry_text
from verifier.meeting.mm.judge import MmResult, Sides, differing
from verifier.meeting.mm.properties import Left
from verifier.model.arch import Layout

__all__ = ["function_cases", "function_lines", "function_rows", "left_lines"]


def function_lines(
    results: Sequence[MmResult], layouts: Mapping[str, Layout], verbose: bool = False
) -> list[str]:
    """What is not equal, line by line, and the counts for each variant."""
    lines: list[str] = []
    for result in results:
        lines += _lines(result, layouts.get(result.variant), verbose)
    for variant in dict.fromkeys(r.variant for r in results):
        counts = Counter(r.verdict for r in results if r.variant == variant)
        lines.append(f"{variant}: functions of mm/: "
                     + ", ".join(f"{n} {verdict}" for verdict, n in counts.items()))
    return lines


def _head(result: MmResult) -> str:
    f = result.function
    return (f"{result.variant}/{f.level}/{f.name} ({f.file}) against "
            f"{f.transition} of {result.against}")


def _lines(result: MmResult, layout: Layout | None, verbose: bool) -> list[str]:
    if result.verdict == "equal":
        if not verbose:
            return []
        return [f"equal      {_head(result)}", *(f"    rests on: {n}" for n in _rests_on(result))]
    if not isinstance(result.found, ClaimFails):
        return [f"{result.verdict:<10} {_head(result)}: {result.reason}"]
    rows = [f"differs    {_head(result)}"]
    rows += [f"    {name} = {_shown(name, value, layout)}"
             for name, value in result.found.values.items() if value]
    for name, sides in differing(result.found).items():
        rows.append(f"    {name}: kernel {_side(name, sides, sides.kernel, layout)}")
        rows.append(f"    {name}: specs/ {_side(name, sides, sides.spec, layout)}")
    return rows


def _rests_on(result: MmResult) -> list[str]:
    f = result.function
    world = [f"{c.name}: {c.because}" for c in (*f.world.premises, *f.where)]
    world += [f"{name}: {why}" for name, why in (*f.always.items(), *f.never.items(),
                                                *f.elsewhere.items(), *f.outside.items())]
    return [*result.notes, *world]


def left_lines(found: ClaimFails[Left], layout: Layout | None) -> list[str]:
    """The values for which a property fails, and what the function leaves then."""
    rows = [f"    {name} = {_shown(name, value, layout)}"
            for name, value in found.values.items() if value]
    for role, (before, after) in found.shown.entries.items():
        rows += [f"    entry of {role} before: {entry_text(int(before), layout)}",
                 f"    entry of {role} after: {entry_text(int(after), layout)}"]
    return rows


def _shown(name: str, value: int, layout: Layout | None) -> str:
    return entry_text(value, layout) if name.startswith("entry.") else f"{value:#x}"


def _side(name: str, sides: Sides, value: Any, layout: Layout | None) -> str:
    if sides.is_truth:
        return "true" if value else "false"
    return entry_text(int(value), layout)


def function_rows(results: Sequence[MmResult]) -> list[dict[str, Any]]:
    """Rows of the report's JSON; words are hexadecimal texts."""
    return [_row(result) for result in results]


def _row(result: MmResult) -> dict[str, Any]:
    f = result.function
    row: dict[str, Any] = {
        "id": f"{result.variant}/{f.level}/{f.name}",
        "variant": result.variant,
        "level": f.level,
        "function": f.name,
        "file": f.file,
        "transition": f.transition,
        "against": result.against,
        "verdict": result.verdict,
        "seconds": round(result.seconds, 4),
    }
    if result.verdict == "equal":
        row["rests_on"] = _rests_on(result)
    else:
        row["reason"] = result.reason
    if isinstance(result.found, ClaimFails):
        row["inputs"] = {n: f"{v:#x}" for n, v in result.found.values.items() if v}
        row["differs"] = {name: {"kernel": f"{int(s.kernel):#x}", "specs": f"{int(s.spec):#x}"}
                          for name, s in differing(result.found).items()}
    return row


def function_cases(results: Sequence[MmResult]) -> list[tuple[str, str, float, str, str]]:
    """Cases of JUnit: class, name, seconds, kind of failure, text."""
    kinds = {"equal": "", "differs": "failure"}
    return [
        (result.variant, f"mm {result.function.name}", result.seconds,
         kinds.get(result.verdict, "error"), "\n".join(_lines(result, None, True)))
        for result in results
    ]
