# SPDX-License-Identifier: GPL-2.0-or-later
"""The forms on pointers of specs/blocks/contpte/ against arch/arm64/mm/contpte.c, on whole blocks
of 16, 32 and 128 free entries; and mistakes put into the C, which differ.

Needs a tree: KERNEL_TREE.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sample import sampled

from kernel.asked import needs_tree
from kernel.test_hugetlb_blocks import layout_of, library
from kernel.test_planted_blocks import CONTPTE, Mistake, library_with
from verifier.blocks.contpte import load_contpte
from verifier.blocks.read import load_blocks
from verifier.kernel.claims.decide_claims import ClaimResult, prove_claim
from verifier.kernel.conform.helpers import LiftedBuild
from verifier.kernel.conform.questions import make_backend
from verifier.meeting.claims import BlockClaim, claim_lines, claim_rows
from verifier.meeting.contpte import equal_claims
from verifier.run.library import load_library

LIBRARY = load_library()
FORMS = load_contpte(LIBRARY.spec_folder, load_blocks(LIBRARY.spec_folder, LIBRARY.spec))
FOLD, UNFOLD = "__contpte_try_fold", "__contpte_try_unfold"


def asked(variant: str, built: LiftedBuild, *functions: str) -> list[ClaimResult]:
    layout = layout_of(variant)
    return [prove_claim(built, layout, claim, layout.variant.constants["CONT_PTES"],
                        make_backend("bits", 60))
            for claim in equal_claims(FORMS, layout)
            if not functions or claim.function in functions]


@needs_tree
@pytest.mark.parametrize("variant", sampled(["arm64-4k", "arm64-16k", "arm64-64k"], ["arm64-4k"]))
def test_every_form_is_the_kernels(variant: str) -> None:
    found = asked(variant, library(variant))
    assert {r.verdict for r in found} == {"proved"}, [(r.claim.says, r.reason) for r in found]
    assert len(found) == 14 and len({r.claim.function for r in found}) == 11


MISTAKES = {
    "dirty is not gathered": ("\t\t\tpte = pte_mkdirty(pte);", "\t\t\t;", {UNFOLD, FOLD}),
    "entries are alike whatever write": (
        "subpte = pte_mkold(pte_mkclean(__ptep_get(ptep)));",
        "subpte = pte_mkold(pte_mkclean(__ptep_get(ptep)));\n"
        "\t\tsubpte = pte_write(pte) ? pte_mkwrite_novma(subpte) : pte_wrprotect(subpte);", {FOLD}),
}


@needs_tree
@pytest.mark.parametrize("name", sampled(list(MISTAKES), ["dirty is not gathered"]))
def test_a_mistake_in_the_c_differs(name: str, tmp_path: Path) -> None:
    old, new, breaks = MISTAKES[name]
    mistake = Mistake("arm64-4k", CONTPTE, old, new, "", frozenset(), lambda b: True)
    found = asked("arm64-4k", library_with(mistake, tmp_path), FOLD, UNFOLD, "contpte_ptep_get")
    assert {r.claim.function for r in found if r.verdict == "refuted"} == breaks
    assert {r.verdict for r in found} <= {"proved", "refuted"}
    told = [BlockClaim("contpte", "arm64-4k", r) for r in found]
    told_of = claim_lines(told)
    assert told_of[-1].startswith("arm64-4k: blocks of entries (contpte): ")
    assert [line.split()[0] for line in told_of[:-1]] == ["differs"] * len(breaks)
    assert {row["verdict"] for row in claim_rows(told)} == {"equal", "differs"}


@needs_tree
def test_a_mended_fold_is_not_the_kernels() -> None:
    """What option C would have contpte.c do, it does not do today."""
    one = replace(FORMS, helpers={
        **FORMS.helpers, FOLD: replace(FORMS.helpers[FOLD], codes={
            "today": FORMS.helpers[FOLD].codes["option-c"]})})
    layout = layout_of("arm64-4k")
    (claim,) = [c for c in equal_claims(one, layout) if c.function == FOLD]
    assert prove_claim(library("arm64-4k"), layout, claim, 16, make_backend("bits", 60)
                       ).verdict == "refuted"
