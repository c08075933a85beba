# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's own laws of entries (specs/laws.yaml), for all values: on the lifted helpers, or on
those of arch/.

A law is an expression of the language. Where the kernel's helpers are asked, each call in it is
answered by the lifted function. A law holds only where none of them is undefined for these
arguments.
"""

from __future__ import annotations

import fnmatch
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent
from typing import Any, TypeAlias

from verifier.base.errors import SpecError, match_all
from verifier.base.exits import Exit, exit_of
from verifier.kernel.conform import decide
from verifier.kernel.conform.helpers import LiftedBuild
from verifier.kernel.conform.law_claim import LawClaim
from verifier.kernel.conform.lifted_library import KernelAnswers
from verifier.kernel.conform.questions import make_backend
from verifier.kernel.conform.session import build_library, layouts
from verifier.kernel.tree.builds import build_for, load_builds, named_build
from verifier.kernel.tree.tree import open_tree
from verifier.model.arch import Layout
from verifier.model.laws import Law, load_laws
from verifier.model.read_versions import WHOLE

__all__ = [
    "LawContradicted",
    "LawFails",
    "LawHolds",
    "LawReport",
    "NotApplicable",
    "NotKnown",
    "judge_laws",
    "laws_json",
    "laws_text",
]


@dataclass(frozen=True, slots=True)
class LawHolds:
    """True for all values that the law speaks of."""

    variant: str
    law: Law
    rests_on: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class LawFails:
    """False for these values of its parameters, also with plain integers.

    `free`: features and memory that helpers look at.
    """

    variant: str
    law: Law
    values: Mapping[str, int]
    free: Mapping[str, int]
    seconds: float


@dataclass(frozen=True, slots=True)
class LawContradicted:
    """False by the solver, and not with plain integers, for the same values: a defect of the tool.
    """

    variant: str
    law: Law
    values: Mapping[str, int]
    reason: str


@dataclass(frozen=True, slots=True)
class NotKnown:
    """A law of which it is not known whether it holds, and why."""

    variant: str
    law: Law
    reason: str


@dataclass(frozen=True, slots=True)
class NotApplicable:
    """The variant has not got what the law speaks of."""

    variant: str
    law: Law
    reason: str


LawResult: TypeAlias = LawHolds | LawFails | LawContradicted | NotKnown | NotApplicable
_WORDS: Mapping[type, str] = {
    LawHolds: "proved",
    LawFails: "refuted",
    LawContradicted: "contradiction",
    NotKnown: "incomplete",
    NotApplicable: "not applicable",
}


@dataclass(frozen=True, slots=True)
class LawReport:
    """What is known of each law of each variant.

    `undecided` are variants that a stopped run did not come to the end of.
    """

    results: tuple[LawResult, ...]
    seconds: Mapping[str, float]
    undecided: tuple[str, ...] = ()

    @property
    def exit_code(self) -> Exit:
        """4: a contradiction; 1: a law refuted; 3: one not known; 2: none applied; 130: stopped;
        else 0.
        """
        return exit_of((_WORDS[type(result)] for result in self.results), bool(self.undecided))


def judge_laws(
    tree: Path | None,
    variants: Sequence[str] = ("*",),
    names: Sequence[str] = ("*",),
    *,
    build: str | None = None,
    backend: str = "z3",
    timeout: float | None = 60,
    arch_dir: Path | None = None,
    cache: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> LawReport:
    """Every law whose name matches, for these variants; on arch/'s helpers where there is no tree.
    """
    known = load_laws()
    match_all("law", names, [law.name for law in known])
    laws = [law for law in known if any(fnmatch.fnmatchcase(law.name, g) for g in names)]
    libraries: dict[str, LiftedBuild] = {}
    results: list[LawResult] = []
    seconds: dict[str, float] = {}
    version = WHOLE if tree is None else open_tree(tree).version
    builds = load_builds(version=version)
    asked = layouts(variants, arch_dir, version)
    done = 0
    try:
        for layout in asked:
            start, library = time.perf_counter(), None
            found = (
                None
                if tree is None
                else named_build(builds, build)
                if build is not None
                else build_for(builds, layout.variant.name)
            )
            if tree is not None and found is not None and found.kernel == layout.arch.kernel:
                if found.name not in libraries:
                    progress(f"building {found.name}")
                    libraries[found.name] = build_library(tree, found, cache)[0]
                library, start = libraries[found.name], time.perf_counter()
            if tree is not None and library is None:
                results += [
                    NotApplicable(
                        layout.variant.name, law, "no kernel build stands for the variant"
                    )
                    for law in laws
                ]
            else:
                results += [judge_law(law, layout, library, backend, timeout) for law in laws]
                seconds[layout.variant.name] = time.perf_counter() - start
            done += 1
    except KeyboardInterrupt:
        pass  # what is left says so
    return LawReport(tuple(results), seconds, tuple(layout.variant.name for layout in asked[done:]))


def judge_law(
    law: Law,
    layout: Layout,
    library: LiftedBuild | None,
    backend: str = "z3",
    timeout: float | None = 60,
) -> LawResult:
    """One law of one variant."""
    variant = layout.variant.name
    if (why := _not_for(law, layout)) is not None:
        return NotApplicable(variant, law, why)
    start = time.perf_counter()
    try:
        claim = LawClaim.of(law, layout)
    except SpecError as error:
        if error.message.startswith("unknown helper"):
            return NotApplicable(variant, law, error.message)
        raise

    def ask(setting: decide.Setting) -> decide.ClaimQuestion[KernelAnswers]:
        put = claim.put(layout, library, setting)
        return decide.ClaimQuestion((put.speaks,), put.undefined, put.wrong, put.answers)

    names = claim.names
    verdict = decide.decide(make_backend(backend, timeout), ask, names)
    match verdict:
        case decide.ClaimHolds(memo):
            return LawHolds(variant, law, (*memo.notes, *memo.outside), time.perf_counter() - start)
        case decide.ClaimFails(values):
            free = {name: value for name, value in values.items() if name not in names}
            return LawFails(
                variant,
                law,
                {name: values[name] for name in names},
                free,
                time.perf_counter() - start,
            )
        case decide.ClaimContradicted(values, reason):
            return LawContradicted(variant, law, values, reason)
        case decide.ClaimUndefined() | decide.ClaimVacuous() | decide.ClaimUnknown():
            return NotKnown(variant, law, decide.why(verdict))


def _not_for(law: Law, layout: Layout) -> str | None:
    """Why a law says nothing of a variant, where it does not."""
    variant = layout.variant.name
    absent = [n for n in law.needs if n in layout.variant.absent]
    if absent:
        return f"{variant} has no {absent[0]}"
    return next(
        (
            f"{variant}: {why}"
            for glob, why in law.not_for.items()
            if fnmatch.fnmatchcase(f"{variant}/{law.level}", glob)
        ),
        None,
    )


def laws_text(report: LawReport, verbose: bool = False) -> str:
    """What is refuted or not known, and counts for each variant."""
    lines = []
    for result in report.results:
        head = f"{result.variant}/{result.law.level}/law/{result.law.name}"
        match result:
            case LawFails(values=values):
                lines.append(f"refuted        {head}: {_listed(values)}")
                lines += [
                    f"    with {name} = {value:#x}" for name, value in result.free.items() if value
                ]
                said = f"{result.law.holds.text.rstrip()}\n({result.law.source})"
                lines.append(indent(said, "    "))
            case LawContradicted(values=values, reason=reason):
                lines.append(
                    f"contradiction  {head}: {_listed(values)} refutes, says the solver; {reason}"
                )
            case NotKnown(reason=reason):
                lines.append(f"incomplete     {head}: {reason}")
            case NotApplicable(reason=reason) if verbose:
                lines.append(f"not applicable {head}: {reason}")
            case LawHolds() if verbose:
                lines.append(f"proved         {head}")
        if result.law.option_c and verbose:
            lines.append(f"    option C: {result.law.option_c}")
    for variant in dict.fromkeys(r.variant for r in report.results):
        counts = Counter(_WORDS[type(r)] for r in report.results if r.variant == variant)
        lines.append(
            f"{variant}: " + ", ".join(f"{counts[w]} {w}" for w in _WORDS.values() if counts[w])
        )
    tension = {r.law.name: r.law.option_c for r in report.results if r.law.option_c}
    lines += [f"option C and {name}: {text}" for name, text in tension.items()]
    return "\n".join(lines)


def _listed(values: Mapping[str, int]) -> str:
    return ", ".join(f"{name} = {value:#x}" for name, value in values.items())


def laws_json(report: LawReport) -> dict[str, Any]:
    """The report as plain data."""
    rows = []
    for result in report.results:
        row: dict[str, Any] = {
            "id": f"{result.variant}/{result.law.level}/law/{result.law.name}",
            "variant": result.variant,
            "level": result.law.level,
            "law": result.law.name,
            "verdict": _WORDS[type(result)],
            "source": result.law.source,
        }
        match result:
            case LawFails(values=values):
                row["values"] = {k: f"{v:#x}" for k, v in values.items()}
                row["with"] = {k: f"{v:#x}" for k, v in result.free.items()}
                row["replayed"] = True
            case LawContradicted(values=values, reason=reason):
                row["values"] = {k: f"{v:#x}" for k, v in values.items()}
                row["replayed"] = False
                row["reason"] = reason
            case NotKnown(reason=reason) | NotApplicable(reason=reason):
                row["reason"] = reason
            case LawHolds(rests_on=notes):
                row["rests_on"] = list(notes)
        rows.append(row)
    return {
        "schema": "pteproof.laws/1",
        "summary": dict(Counter(row["verdict"] for row in rows)),
        "exit": report.exit_code,
        "undecided": list(report.undecided),
        "seconds": dict(report.seconds),
        "results": rows,
    }


def laws_junit(report: LawReport) -> str:
    """One test case for each law that applies."""
    from verifier.kernel.conform.report import junit_text

    cases = []
    for result in report.results:
        if isinstance(result, NotApplicable):
            continue
        name = f"{result.law.level}/{result.law.name}"
        match result:
            case LawFails(values=values, seconds=seconds):
                cases.append(
                    (
                        result.variant,
                        name,
                        seconds,
                        "failure",
                        f"{result.law.holds.text}: {_listed(values)}",
                    )
                )
            case LawContradicted(values=values, reason=reason):
                cases.append(
                    (
                        result.variant,
                        name,
                        0.0,
                        "error",
                        f"{_listed(values)} refutes, says the solver; {reason}",
                    )
                )
            case NotKnown(reason=reason):
                cases.append((result.variant, name, 0.0, "error", reason))
            case LawHolds(seconds=seconds):
                cases.append((result.variant, name, seconds, "", ""))
    cases += [
        (variant, "undecided", 0.0, "error", "not judged: the run was stopped")
        for variant in report.undecided
    ]
    return junit_text("laws", cases)
