# SPDX-License-Identifier: GPL-2.0-or-later
"""Functions of mm/ as a patch has them, held against the steps of specs/.

A function has a record for each step that it is compared with (`verifier/kernel/mm`). It is equal
only where all steps that model it have a record and each comparison is equal; a step without one is
said by name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from verifier.base.errors import ExtractionError
from verifier.kernel.mm.functions import MmFunction
from verifier.kernel.mm.read_functions import load_functions
from verifier.kernel.tree.overlay import overlay_of
from verifier.meeting.mm.judge import MmResult
from verifier.meeting.mm.report import function_lines
from verifier.meeting.mm.session import judge_functions
from verifier.meeting.touched import TouchedFunction
from verifier.model.arch import Layout
from verifier.patches.outcome import FunctionOutcome
from verifier.patches.patch import Edited

__all__ = ["judge_touched", "not_lifted"]

Theorem = tuple[str, str]  # an encoding and a code


def not_lifted(one: TouchedFunction, why: str = "it is not lifted") -> FunctionOutcome:
    """Incomplete, with what of the function changes."""
    because = why if one.by else f"nothing models it yet ({', '.join(one.rows)})"
    return FunctionOutcome(one.file, one.function, "incomplete", steps=one.by, line=one.line,
                           why=f"{one.why}; {because}")


def judge_touched(
    tree: Path, before: Edited, after: Edited, functions: Sequence[TouchedFunction],
    theorems: Sequence[Theorem], layouts: Callable[[str], Layout],
    progress: Callable[[str], None] = lambda _: None,
) -> list[FunctionOutcome]:
    """Each function as it is with the files `after`, compared with the first of the theorems:
    today's code.

    Where it is not equal to that, it is compared with the others, such as the codes of option C,
    and the function as it is with the files `before` with the first.
    """
    records: dict[str, list[MmFunction]] = {}
    for record in load_functions().values():
        for place in record.places():
            records.setdefault(place, []).append(record)
    names = [record.name for one in functions for record in records.get(str(one), ())]
    today, others_asked = theorems[:1], theorems[1:]
    results, why = _judged(tree, after, names, today, progress)
    unequal = [r.function.name for r in results if r.verdict != "equal"]
    others, _ = _judged(tree, after, unequal, others_asked, progress)
    was, _ = _judged(tree, before, unequal, today, progress)
    return [
        _outcome(one, records[str(one)], _Found(results, others, was, why), layouts)
        if str(one) in records else not_lifted(one) for one in functions]


@dataclass(frozen=True, slots=True)
class _Found:
    """Results of all functions.

    today, others  after the patch, against today's code and those of option C
    was            before the patch, against today's, of those that are not equal after it
    why            why there are none
    """

    today: Sequence[MmResult]
    others: Sequence[MmResult]
    was: Sequence[MmResult]
    why: str


def _judged(
    tree: Path, edited: Edited, names: Sequence[str], against: Sequence[tuple[str, str]],
    progress: Callable[[str], None],
) -> tuple[list[MmResult], str]:
    """The results on every variant that a record names; else why there are none."""
    every = load_functions()
    found: list[MmResult] = []
    try:
        with overlay_of(tree, edited) as overlay:
            for variant in dict.fromkeys(v for name in names for v in every[name].variants):
                here = [name for name in dict.fromkeys(names) if variant in every[name].variants]
                found += judge_functions(tree, variant, here, against,
                                         overlay=overlay if edited else None, progress=progress)
    except ExtractionError as error:
        return [], str(error).splitlines()[0]
    return found, ""


def _outcome(
    one: TouchedFunction, records: Sequence[MmFunction], found: _Found,
    layouts: Callable[[str], Layout],
) -> FunctionOutcome:
    mine = [r for r in found.today if r.function in records]
    if not mine:
        return not_lifted(one, f"it was not lifted: {found.why or 'no variant has it'}")
    differing = [r for r in mine if r.verdict == "differs"]
    if differing:
        return _differs(one, differing[0], _codes(records, found), found, layouts)
    unknown = [r for r in mine if r.verdict != "equal"]
    if unknown:
        return not_lifted(one, f"{unknown[0].function.name}: {unknown[0].reason}")
    missing = _missing(one, records)
    if missing:
        return not_lifted(one, f"it is equal to today's code of {_steps(records)}; it is not "
                          f"lifted for {', '.join(missing)}")
    return FunctionOutcome(one.file, one.function, "equal", _codes(records, found), one.by,
                           one.line, one.why)


def _missing(one: TouchedFunction, records: Sequence[MmFunction]) -> list[str]:
    """The steps that model the function and that it was not compared with.

    Where what it returns is compared, it is compared for all steps that ask it.
    """
    if any(record.result is not None for record in records):
        return []
    return [step for step in one.by if step not in {r.transition for r in records}]


def _steps(records: Sequence[MmFunction]) -> str:
    return ", ".join(dict.fromkeys(record.transition for record in records))


def _codes(records: Sequence[MmFunction], found: _Found) -> tuple[str, ...]:
    """The codes to which every comparison of a function is equal."""
    by_code: dict[str, list[bool]] = {}
    for result in (*found.today, *found.others):
        if result.function in records:
            by_code.setdefault(result.group.code, []).append(result.verdict == "equal")
    return tuple(code for code, equal in by_code.items() if all(equal))


def _differs(
    one: TouchedFunction, result: MmResult, codes: tuple[str, ...], found: _Found,
    layouts: Callable[[str], Layout],
) -> FunctionOutcome:
    """With the values on which it is not what the step says, and whether it was before."""
    why = [one.why, f"it is not {result.function.transition} of today's code any more"]
    before = [r.verdict for r in found.was
              if r.function == result.function and r.variant == result.variant]
    if before != ["equal"]:
        why[1] = f"it is not {result.function.transition} of today's code, and was not before"
    if codes:
        why.append(f"it is that of {', '.join(codes)}")
    lines = function_lines([result], {result.variant: layouts(result.variant)})[1:-1]
    return FunctionOutcome(one.file, one.function, "differs", codes, one.by, one.line,
                           "; ".join(why), "\n".join(line.strip() for line in lines))
