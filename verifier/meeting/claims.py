# SPDX-License-Identifier: GPL-2.0-or-later
"""What is claimed of functions of the kernel on blocks of entries, as `conform` asks and shows it:
arm64's contiguous blocks, and pages of hugetlb that have several entries.
"""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verifier.base.data import data_folder
from verifier.blocks.contpte import Contpte, load_contpte
from verifier.blocks.read import load_blocks
from verifier.kernel.asm.templates import Action
from verifier.kernel.claims import contpte, hugetlb_blocks, hugetlb_pages, page_sizes
from verifier.kernel.claims.decide_claims import Claim, ClaimResult, prove_claim
from verifier.kernel.conform.helpers import LiftedBuild
from verifier.kernel.conform.questions import make_backend
from verifier.kernel.conform.session import build_library
from verifier.kernel.tree.builds import build_for, load_builds
from verifier.kernel.tree.tree import open_tree
from verifier.meeting.contpte import equal_claims
from verifier.model.arch import Layout
from verifier.model.arch_records import FirstLevel
from verifier.model.read_specs import load_spec

__all__ = ["BlockClaim", "claim_cases", "claim_lines", "claim_names", "claim_rows",
           "claims_of_variants"]

CONTPTE, HUGETLB = "contpte", "hugetlb"
_SHOWN = {"proved": "equal", "refuted": "differs"}


@dataclass(frozen=True, slots=True)
class BlockClaim:
    """A claim that was asked: of which kind of block, and what was found."""

    kind: str
    build: str
    result: ClaimResult

    @property
    def head(self) -> str:
        """The name in reports."""
        claim = self.result.claim
        return (f"{self.result.variant}/{self.kind}/{claim.function}, {self.result.entries} "
                f"entries: {claim.says}")

    @property
    def shown(self) -> str:
        """The verdict, as conform has it of helpers."""
        return _SHOWN.get(self.result.verdict, self.result.verdict)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A claim before it is asked; `alone`: of a build that takes nothing for given of sizes."""

    kind: str
    claim: Claim
    entries: int
    actions: Mapping[str, Action] | None = None
    tables: FirstLevel | None = None
    alone: bool = False


def claims_of_variants(
    tree: Path, asked: Sequence[Layout], names: Sequence[str] = ("*",), *, every: bool = True,
    timeout: float | None = 60, cache: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[BlockClaim, ...]:
    """Every claim about blocks of these variants whose function's name matches a glob.

    every  pages of hugetlb too, of which some take minutes; else contiguous blocks alone
    Raises UsageError and ExtractionError as conform does. A function that a version of the kernel
    has not is left out.
    """
    opened = open_tree(tree)
    builds = load_builds(version=opened.version)
    forms = _contpte() if any("CONT_PTES" in one.variant.constants for one in asked) else None
    found: list[BlockClaim] = []
    made: dict[str, LiftedBuild] = {}
    for layout in asked:
        build = build_for(builds, layout.variant.name)
        mine = [one for one in _claims(layout, forms) if _named(one.claim.function, names)
                and (every or one.kind == CONTPTE)]
        if build is None or not mine:
            continue
        progress(f"blocks of {layout.variant.name}")
        for one in mine:
            its = hugetlb_pages.whole_pages(build) if one.alone else build
            key = f"{build.name}{' alone' if one.alone else ''}"
            if key not in made:
                made[key] = build_library(opened.path, its, cache)[0]
            if _has(made[key], one.claim.function):
                found.append(BlockClaim(one.kind, build.name, prove_claim(
                    made[key], layout, one.claim, one.entries, make_backend("bits", timeout),
                    one.actions, one.tables)))
    return tuple(found)


def claim_names() -> tuple[str, ...]:
    """The functions that claims are about, as far as they are the same on all variants."""
    return tuple(dict.fromkeys(one.function for one in contpte.CLAIMS))


def _contpte() -> Contpte:
    folder = data_folder("specs")
    return load_contpte(folder, load_blocks(folder, load_spec(folder)))


def _claims(layout: Layout, forms: Contpte | None) -> Iterator[_Asked]:
    if forms is not None and forms.on(layout):
        count = layout.variant.constants["CONT_PTES"]
        for claim in (*equal_claims(forms, layout), *contpte.CLAIMS):
            yield _Asked(CONTPTE, claim, count)
    for g in hugetlb_blocks.geometries(layout):
        for claim in hugetlb_blocks.claims(g):
            yield _Asked(HUGETLB, claim, g.entries, hugetlb_blocks.actions(g))
    for p in page_sizes.pages(layout):
        for claim in hugetlb_pages.claims(layout, p):
            yield _Asked(HUGETLB, claim, p.count, hugetlb_pages.actions(p), p.tables, alone=True)


def _named(function: str, names: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(function, glob) for glob in names)


def _has(library: LiftedBuild, function: str) -> bool:
    return any(function in module.texts for module in library.program.modules)


def claim_lines(found: Sequence[BlockClaim], verbose: bool = False) -> list[str]:
    """What does not hold, line by line, and the counts for each variant and kind of block."""
    lines = []
    for one in found:
        if one.result.verdict != "proved":
            lines.append(f"{one.shown:<10} {one.head}: {one.result.reason}")
        elif verbose:
            lines.append(f"{one.shown:<10} {one.head}")
    for variant, kind in dict.fromkeys((one.result.variant, one.kind) for one in found):
        counts = Counter(one.shown for one in found
                         if (one.result.variant, one.kind) == (variant, kind))
        lines.append(f"{variant}: blocks of entries ({kind}): "
                     + ", ".join(f"{n} {verdict}" for verdict, n in counts.items()))
    return lines


def claim_rows(found: Sequence[BlockClaim]) -> list[dict[str, Any]]:
    """Rows of the report's JSON."""
    return [{
        "id": one.head, "variant": one.result.variant, "build": one.build, "level": one.kind,
        "function": one.result.claim.function, "says": one.result.claim.says,
        "entries": one.result.entries, "verdict": one.shown,
        "seconds": round(one.result.seconds, 4),
        **({} if one.result.verdict == "proved" else {"reason": one.result.reason}),
    } for one in found]


def claim_cases(found: Sequence[BlockClaim]) -> list[tuple[str, str, float, str, str]]:
    """Cases of JUnit: class, name, seconds, kind of failure, text."""
    kinds = {"proved": "", "refuted": "failure"}
    return [(one.result.variant, one.head, one.result.seconds,
             kinds.get(one.result.verdict, "error"), one.result.reason) for one in found]
