# SPDX-License-Identifier: GPL-2.0-or-later
"""A page of hugetlb has 512 ptes on PA-RISC, with 32 bits 1024: what arch/parisc/mm/hugetlbpage.c
leaves in each, whatever they were. docs/findings/parisc.md 3
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kernel.asked import TREE, asked, needs_tree
from verifier.kernel.claims.decide_claims import Claim, EntryBlock, prove_claim
from verifier.kernel.conform.helpers import LiftedBuild
from verifier.kernel.conform.questions import make_backend
from verifier.kernel.conform.session import build_library, layouts
from verifier.kernel.tree.builds import load_builds

PTES = {"parisc+hugetlb": 512, "parisc32+hugetlb": 1024}
variants = pytest.mark.parametrize("variant", asked(PTES))


@functools.cache
def library(variant: str) -> LiftedBuild:
    return build_library(Path(TREE or ""), load_builds()[variant.replace("+", "-")])[0]


def proved(variant: str, claim: Claim) -> str:
    (layout,) = [found for found in layouts([variant]) if found.variant.name == variant]
    return prove_claim(
        library(variant), layout, claim, PTES[variant], make_backend("bits", 60)
    ).verdict


def frames_from(b: EntryBlock, first: Any) -> Any:
    """Every pte is the first one, but for its own frame.

    It is added to from one to the next, as there: a solver would take long to see that.
    """
    parts = []
    for entry in b.after:
        parts.append(b.same(entry, first))
        first = b.alg.add(first, b.alg.word(1 << 12, b.layout.width), b.layout.width)
    return b.alg.all(*parts)


def zero(b: EntryBlock) -> Any:
    return b.alg.word(0, b.layout.width)


GIVEN: Mapping[str, int | str] = {"addr": 0, "entry": "new"}
CLAIMS = {
    "a page has its frames": Claim(
        "set_huge_pte_at", "", GIVEN, lambda b: frames_from(b, b.args["entry"])
    ),
    "the first says what all lose": Claim(
        "huge_ptep_set_wrprotect",
        "",
        {"addr": 0},
        lambda b: frames_from(b, b("pte_wrprotect", b.before[0])),
    ),
    "all is changed, or nothing": Claim(
        "huge_ptep_set_access_flags",
        "",
        {"addr": 0, "pte": "new", "dirty": 1},
        lambda b: b.alg.choose(
            b.same(b.before[0], b.args["pte"]), b.each(b.same), frames_from(b, b.args["pte"])
        ),
    ),
    "the first is returned": Claim(
        "huge_ptep_get_and_clear", "", {"addr": 0}, lambda b: b.same(b.result, b.before[0])
    ),
    "none is present that was cleared": Claim(
        "huge_ptep_get_and_clear",
        "",
        {"addr": 0},
        lambda b: b.alg.all(
            b("pte_none", b.after[0]), *[b.alg.neg(b("pte_present", e)) for e in b.after]
        ),
    ),
    "but the others are swap entries": Claim(
        "huge_ptep_get_and_clear",
        "",
        {"addr": 0},
        lambda b: b.alg.all(frames_from(b, zero(b)), *[b("is_swap_pte", e) for e in b.after[1:]]),
    ),
}
FALSE = {
    "the others are none": Claim(
        "huge_ptep_get_and_clear", "", {"addr": 0}, lambda b: b("pte_none", b.after[1])
    ),
    "what only another pte says of dirty is kept": Claim(
        "huge_ptep_set_wrprotect",
        "",
        {"addr": 0},
        lambda b: b.alg.same(b("pte_dirty", b.after[1]), b("pte_dirty", b.before[1])),
    ),
    "the last pte stays": Claim(
        "set_huge_pte_at", "", GIVEN, lambda b: b.same(b.after[-1], b.before[-1])
    ),
}


@needs_tree
@variants
@pytest.mark.parametrize("name", CLAIMS)
def test_what_becomes_of_all_ptes_of_a_page(name: str, variant: str) -> None:
    assert proved(variant, CLAIMS[name]) == "proved"


@needs_tree
@variants
@pytest.mark.parametrize("name", FALSE)
def test_a_false_claim_is_refuted(name: str, variant: str) -> None:
    assert proved(variant, FALSE[name]) == "refuted"
