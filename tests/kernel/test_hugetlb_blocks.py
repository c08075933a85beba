# SPDX-License-Identifier: GPL-2.0-or-later
"""Pages of hugetlb that have several entries, on arm64 and riscv: what their code does to a whole
block, and what it leaves undone.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kernel.asked import TREE, asked, asked_few, needs, needs_tree
from verifier.kernel.claims.blocks import lift_block
from verifier.kernel.claims.decide_claims import Claim, EntryBlock, prove_claim
from verifier.kernel.claims.hugetlb_blocks import actions, claims, geometries, prove_hugetlb_claims
from verifier.kernel.claims.hugetlb_hardware import hardware_on_blocks
from verifier.kernel.conform.helpers import LiftedBuild, known_features
from verifier.kernel.conform.questions import make_backend
from verifier.kernel.conform.session import build_library, layouts
from verifier.kernel.tree.builds import load_builds
from verifier.language.algebra import Integers
from verifier.language.evaluate import word_of
from verifier.language.machine import Machine
from verifier.model.arch import Layout

BUILDS = {
    "arm64-4k+dbm": "arm64-4k",
    "arm64-16k": "arm64-16k",
    "arm64-64k": "arm64-64k",
    "arm64-4k+lpa2": "arm64-4k-lpa2",
    "arm64-64k+pa52": "arm64-64k-pa52",
    "riscv64+svadu": "riscv64",
}
# riscv clears one entry of 16 where the first says nothing of NAPOT: docs/findings/riscv.md
REFUTED = {"riscv64+svadu": {"huge_pte_clear", "huge_ptep_get_and_clear"}}
NOT_PRESENT = "of what is not present, every entry becomes none"


def layout_of(variant: str) -> Layout:
    (layout,) = layouts([variant])
    return layout


@functools.cache
def library(build: str) -> LiftedBuild:
    return build_library(Path(TREE or ""), load_builds()[build])[0]


@needs_tree
@pytest.mark.parametrize("variant", asked_few(BUILDS, ("arm64-4k+dbm", "riscv64+svadu")))
def test_a_block_is_one_entry_to_who_goes_through_the_helpers(variant: str) -> None:
    results = prove_hugetlb_claims(library(BUILDS[variant]), layout_of(variant), "bits")
    expected = [
        (
            "refuted"
            if r.claim.says == NOT_PRESENT and r.claim.function in REFUTED.get(variant, ())
            else "proved"
        )
        for r in results
    ]
    assert [r.verdict for r in results] == expected, [
        (r.claim.function, r.claim.says, r.verdict, r.reason) for r in results
    ]
    assert len(results) == len(geometries(layout_of(variant))) * 13


@pytest.mark.parametrize("variant", sorted(BUILDS))
def test_what_the_hardware_does_to_one_entry_it_does_to_the_page(variant: str) -> None:
    layout = layout_of(variant)
    assert geometries(layout)
    for geometry in geometries(layout):
        found = hardware_on_blocks(layout, geometry)
        assert found == [(name, "proved", "proved") for name in layout.variant.hardware]


def test_hardware_on_a_block_whose_first_entry_is_taken_for_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("verifier.kernel.claims.hugetlb_blocks._merged", lambda block, entry: entry)
    layout = layout_of("arm64-4k+dbm")
    assert ("store", "refuted", "proved") in hardware_on_blocks(layout, geometries(layout)[0])


FALSE: dict[str, tuple[str, str, Callable[[EntryBlock], Any]]] = {
    "the first entry alone says whether the page is dirty": (
        "huge_ptep_get",
        "what is read",
        lambda b: b.alg.same(b("pte_dirty", b.result), b("pte_dirty", b.before[0])),
    ),
    "each entry keeps its own dirty": (
        "huge_ptep_set_wrprotect",
        "the block is",
        lambda b: b.each(lambda old, new: b.alg.same(b("pte_dirty", old), b("pte_dirty", new))),
    ),
    "nothing is written": ("huge_ptep_set_wrprotect", "the block is", lambda b: b.each(b.same)),
    "what the block was is lost": (
        "huge_ptep_set_access_flags",
        "nothing",
        lambda b: b.each(
            lambda old, new: b.alg.same(b("pte_dirty", new), b("pte_dirty", b.args["pte"]))
        ),
    ),
    "the last entry stays": (
        "huge_pte_clear",
        "every entry",
        lambda b: b.same(b.after[-1], b.before[-1]),
    ),
    "the page is the old one": ("set_huge_pte_at", "the block is", lambda b: b.each(b.same)),
}


@needs_tree
@pytest.mark.parametrize("name", FALSE)
@pytest.mark.parametrize("variant", asked(["arm64-4k+dbm", "riscv64+svadu"]))
def test_a_false_claim_is_refuted(variant: str, name: str) -> None:
    function, says, holds = FALSE[name]
    layout = layout_of(variant)
    geometry = geometries(layout)[0]
    (real,) = [
        c
        for c in claims(geometry)
        if c.function == function and c.says.startswith(says) and "not present" not in c.says
    ]
    claim = Claim(function, name, real.args, holds, when=real.when)
    found = prove_claim(
        library(BUILDS[variant]),
        layout,
        claim,
        geometry.entries,
        make_backend("bits", 60),
        actions(geometry),
    )
    assert found.verdict == "refuted", found


class Free:
    """All that is free is 0."""

    def input_word(self, name: str, width: int) -> int:
        return 0

    def input_bool(self, name: str) -> bool:
        return False


def run(variant: str, function: str, entries: list[int], args: dict[str, int]) -> list[int]:
    """A function on a block of these entries, as lifted."""
    layout, lib = layout_of(variant), library(BUILDS[variant])
    lifted = lift_block(
        lib,
        function,
        Integers(),
        Free(),
        entries,
        args,
        known_features(lib, layout.variant.features),
        actions=actions(geometries(layout)[0]),
        walks=("huge_pte_offset",),
    )
    assert not any(u.condition for u in lifted.undefined)
    return [int(e) for e in lifted.entries]


@needs("riscv64+svadu", "arm64-4k+dbm")
@pytest.mark.parametrize(("variant", "left"), [("riscv64+svadu", 15), ("arm64-4k+dbm", 0)])
def test_unmapping_a_poisoned_page_of_64_kbyte_leaves_15_markers_on_riscv(
    variant: str, left: int
) -> None:
    """mm/hugetlb.c:__unmap_hugepage_range calls huge_pte_clear for what is not present."""
    layout = layout_of(variant)
    marker = word_of(Machine(Integers()), layout.helper("make_pte_marker"), (2,))
    size = geometries(layout)[0].size
    made = run(variant, "set_huge_pte_at", [0] * 16, {"addr": 0, "pte": marker, "sz": size})
    assert made == [marker] * 16
    cleared = run(variant, "huge_pte_clear", made, {"addr": 0, "sz": size})
    assert cleared == [0] * (16 - left) + [marker] * left
    assert run(variant, "huge_ptep_get_and_clear", made, {"addr": 0, "sz": size}) == cleared
