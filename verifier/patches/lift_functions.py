# SPDX-License-Identifier: GPL-2.0-or-later
"""Functions of mm/ as a patch has them, held against the steps of specs/.

A function has a record for each step that it is compared with (`verifier/kernel/mm`). It is equal
only where all steps that model it have a record and each comparison is equal; a step without one is
said by name. Whether it is equal or not, the properties of the theorem are asked of what it leaves,
before the patch and after it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from verifier.base.errors import ExtractionError
from verifier.kernel.mm.functions import MmFunction
from verifier.kernel.mm.read_functions import load_functions
from verifier.kernel.tree.overlay import overlay_of
from verifier.kernel.tree.tree import open_tree
from verifier.meeting.mm.judge import MmBuild, MmResult, judge_build
from verifier.meeting.mm.properties import MmKept, judge_properties
from verifier.meeting.mm.report import function_lines
from verifier.meeting.mm.session import open_build
from verifier.meeting.touched import TouchedFunction, comes_to
from verifier.model.arch import Layout
from verifier.patches.kept import kept_lines, lost_and_fixed
from verifier.patches.outcome import FunctionOutcome, LiftedFunctions
from verifier.patches.patch import Edited
from verifier.patches.paths import read_in_tree

__all__ = ["FunctionQuestion", "judge_touched", "not_lifted"]

Theorem = tuple[str, str]  # an encoding and a code


@dataclass(frozen=True, slots=True)
class FunctionQuestion:
    """What is asked of functions.

    theorems  the first one's code is what a function should be, and its properties are asked; the
              others are codes that it may be instead
    layouts   the layout of a variant, by its name
    claims    property -> what it says
    sites     step -> its place in the kernel, as file:function
    progress  is told what is being done
    """

    tree: Path
    theorems: Sequence[Theorem]
    layouts: Callable[[str], Layout]
    claims: Mapping[str, str]
    sites: Mapping[str, str]
    progress: Callable[[str], None] = lambda _: None


def not_lifted(one: TouchedFunction, why: str = "it is not lifted") -> FunctionOutcome:
    """Incomplete, with what of the function changes."""
    because = why if one.by else f"nothing models it yet ({', '.join(one.rows)})"
    return FunctionOutcome(one.file, one.function, "incomplete", steps=one.by, line=one.line,
                           why=f"{one.why}; {because}")


def judge_touched(
    asked: FunctionQuestion, before: Edited, after: Edited, functions: Sequence[TouchedFunction],
) -> LiftedFunctions:
    """Each function as it is with the files `after`, compared with the first of the theorems.

    Where it is not equal to that, it is compared with the others, such as the codes of option C,
    and the function as it is with the files `before` with the first.
    """
    records: dict[str, list[MmFunction]] = {}
    for record in _known(asked).values():
        for place in record.places():
            records.setdefault(place, []).append(record)
    mine = [record for one in functions for record in records.get(str(one), ())]
    with ExitStack() as stack:
        old, new = (_Side(asked, edited, stack) for edited in (before, after))
        found = _found(asked, old, new, _once(mine))
    return LiftedFunctions(
        tuple(_outcome(one, records[str(one)], found, asked.layouts) if str(one) in records
              else not_lifted(one) for one in functions),
        tuple(lost_and_fixed(found.held, found.kept, asked.layouts, asked.claims)))


def _found(
    asked: FunctionQuestion, old: _Side, new: _Side, records: Sequence[MmFunction],
) -> _Found:
    reached = partial(comes_to, partial(_contents, asked.tree, new.edited), asked.sites)
    first, others = asked.theorems[0], asked.theorems[1:]
    known = tuple(_known(asked).values())
    try:
        results = new.compared(records, [first])
        unequal = [r for r in records if any(x.function == r and x.verdict != "equal"
                                             for x in results)]
        codes, was = new.compared(unequal, others), old.compared(unequal, [first])
        whole = _whole(records, known)
        kept, held = new.kept(whole, first), old.kept(whole, first)
    except ExtractionError as error:
        why = str(error).splitlines()[0]
        return _Found([], [], [], [], [], why, reached, known)
    return _Found(results, codes, was, kept, held, "", reached, known)


def _known(asked: FunctionQuestion) -> Mapping[str, MmFunction]:
    """The records, as the tree's version has them."""
    return load_functions(version=open_tree(asked.tree).version)


def _whole(
    records: Sequence[MmFunction], known: Sequence[MmFunction]
) -> list[MmFunction]:
    """The records that properties are asked of: all of the step's code is in what they lift.

    Where a function's result alone is compared, these are the ones of its file and step.
    """
    found = [r for r in records if r.result is None]
    found += [other for r in records if r.result is not None for other in known
              if other.result is None and (other.file, other.transition) == (r.file, r.transition)]
    return _once(found)


def _once(records: Sequence[MmFunction]) -> list[MmFunction]:
    return list({record.name: record for record in records}.values())


@dataclass(frozen=True, slots=True)
class _Side:
    """The tree before or after the patch; a build is opened where one is asked for."""

    asked: FunctionQuestion
    edited: Edited
    stack: ExitStack
    builds: dict[str, MmBuild] = field(default_factory=dict)

    def _build(self, variant: str) -> MmBuild:
        if variant not in self.builds:
            overlay = self.stack.enter_context(overlay_of(self.asked.tree, self.edited))
            self.builds[variant] = open_build(
                self.asked.tree, variant, progress=self.asked.progress,
                overlay=overlay if self.edited else None)
        return self.builds[variant]

    def compared(
        self, records: Sequence[MmFunction], against: Sequence[Theorem],
    ) -> list[MmResult]:
        """The results on every variant that a record names."""
        return [result for variant, mine in _by_variant(records)
                for result in judge_build(self._build(variant), mine, against)]

    def kept(self, records: Sequence[MmFunction], theorem: Theorem) -> list[MmKept]:
        """What becomes of the theorem's properties, on every variant that a record names."""
        return [one for variant, mine in _by_variant(records)
                for one in judge_properties(self._build(variant), mine, theorem)]


def _by_variant(records: Sequence[MmFunction]) -> list[tuple[str, list[MmFunction]]]:
    return [(variant, [r for r in records if variant in r.variants])
            for variant in dict.fromkeys(v for r in records for v in r.variants)]


def _contents(tree: Path, edited: Edited, path: str) -> bytes:
    return (edited[path] if path in edited else read_in_tree(tree, path)) or b""


@dataclass(frozen=True, slots=True)
class _Found:
    """Results of all functions.

    first   after the patch, against the theorem that is asked for
    others  after the patch, against other codes, such as those of option C
    was     before the patch, against the first, of those that are not equal after it
    kept    what becomes of the first theorem's properties after the patch
    held    the same before it
    why     why there are none
    reached does the place of a step, by its name, come to a function?
    known   every record, as the tree's version has it
    """

    first: Sequence[MmResult]
    others: Sequence[MmResult]
    was: Sequence[MmResult]
    kept: Sequence[MmKept]
    held: Sequence[MmKept]
    why: str
    reached: Callable[[str, str], bool]
    known: Sequence[MmFunction]


def _outcome(
    one: TouchedFunction, records: Sequence[MmFunction], found: _Found,
    layouts: Callable[[str], Layout],
) -> FunctionOutcome:
    mine = [r for r in found.first if r.function in records]
    if not mine:
        return not_lifted(one, f"it was not lifted: {found.why or 'no variant has it'}")
    differing = [r for r in mine if r.verdict == "differs"]
    if differing:
        return _differs(one, records, differing[0], found, layouts)
    unknown = [r for r in mine if r.verdict != "equal"]
    if unknown:
        return not_lifted(one, f"{unknown[0].function.name}: {unknown[0].reason}")
    missing = _missing(one, records, found.reached)
    if missing:
        return not_lifted(one, f"it is equal to {mine[0].group.code}'s code of {_steps(records)}; "
                          f"it is not lifted for {', '.join(missing)}")
    kept = kept_lines(_whole(records, found.known), found.kept)
    return FunctionOutcome(one.file, one.function, "equal", _codes(records, found), one.by,
                           one.line, one.why, "\n".join(kept))


def _missing(
    one: TouchedFunction, records: Sequence[MmFunction], reached: Callable[[str, str], bool],
) -> list[str]:
    """The steps that model the function and that it was not compared with.

    Where what it returns is compared, it is compared for all steps that ask it. A step of another
    place that does not come to the function is that place's.
    """
    if any(record.result is not None for record in records):
        return []
    done = {step for r in records for step in (r.transition, *r.also)}
    return [step for step in one.by if step not in done and reached(step, str(one))]


def _steps(records: Sequence[MmFunction]) -> str:
    return ", ".join(dict.fromkeys(record.transition for record in records))


def _codes(records: Sequence[MmFunction], found: _Found) -> tuple[str, ...]:
    """The codes to which every comparison of a function is equal."""
    by_code: dict[str, list[bool]] = {}
    for result in (*found.first, *found.others):
        if result.function in records:
            by_code.setdefault(result.group.code, []).append(result.verdict == "equal")
    return tuple(code for code, equal in by_code.items() if all(equal))


def _differs(
    one: TouchedFunction, records: Sequence[MmFunction], result: MmResult, found: _Found,
    layouts: Callable[[str], Layout],
) -> FunctionOutcome:
    """With the values on which it is not what the step says, and whether it was before."""
    codes = _codes(records, found)
    step = f"{result.function.transition} of {result.group.code}'s code"
    why = [one.why, f"it is not {step} any more"]
    before = [r.verdict for r in found.was
              if r.function == result.function and r.variant == result.variant]
    if before != ["equal"]:
        why[1] = f"it is not {step}, and was not before"
    if codes:
        why.append(f"it is that of {', '.join(codes)}")
    lines = function_lines([result], {result.variant: layouts(result.variant)})[1:-1]
    lines += kept_lines(_whole(records, found.known), found.kept)
    return FunctionOutcome(one.file, one.function, "differs", codes, one.by, one.line,
                           "; ".join(why), "\n".join(line.strip() for line in lines))
