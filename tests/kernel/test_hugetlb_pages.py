# SPDX-License-Identifier: GPL-2.0-or-later
"""Pages of hugetlb that have several entries, on powerpc and parisc: what is proved of a page, what
is refuted, and by value.

All of it takes some 20 seconds, where the builds are in the cache. Of the largest pages (1024 words
in each of two tables) a claim may take a minute, so that these are left to `prove_page_claims`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kernel.asked import TREE, asked_few, needs, needs_tree
from verifier.engine.answers import Unsat
from verifier.kernel.claims.blocks import lift_block
from verifier.kernel.claims.decide_claims import Claim, EntryBlock, prove_claim
from verifier.kernel.claims.hugetlb_pages import actions, claims, prove_page_claims, whole_pages
from verifier.kernel.claims.page_sizes import NEIGHBOURS, PageSize, pages
from verifier.kernel.conform.helpers import LiftedBuild, known_features
from verifier.kernel.conform.questions import make_backend
from verifier.kernel.conform.session import build_library, layouts
from verifier.kernel.tree.builds import build_for, load_builds
from verifier.language.algebra import Integers
from verifier.language.machine import Machine
from verifier.model.arch import Layout

FEW = ("powerpc-8xx", "parisc+hugetlb")
SIZES = {
    "powerpc-8xx": ("16 KByte", "512 KByte"),
    "powerpc-e500": ("4 MByte", "16 MByte"),
    "powerpc-e500-64": ("4 MByte", "1 GByte"),
    "powerpc64-hash-4k": ("16 MByte",),
    "parisc+hugetlb": ("2 MByte",),
    "parisc32+hugetlb": ("4 MByte",),
}
TO_NONE, TO_ZERO, WRITE_PROTECTED, ACCESSED, NOT_PRESENT = (
    "every entry of a page becomes none to pte_none", "every entry of a page becomes 0",
    "a page becomes the page of the write-protected", "a page becomes the page of what",
    "of what is not present, every entry becomes 0")
PARISC = {
    ("huge_ptep_get_and_clear", TO_NONE),
    ("huge_ptep_get_and_clear", TO_ZERO),
    ("huge_ptep_clear_flush", TO_NONE),
    ("huge_pte_clear", NOT_PRESENT),
    ("huge_ptep_get_and_clear", NOT_PRESENT),
}
# what the kernel does not keep: docs/findings/powerpc32.md, powerpc64.md, parisc.md
REFUTED = {
    "powerpc-8xx": {
        ("huge_ptep_get_and_clear", TO_NONE),
        ("huge_ptep_get_and_clear", TO_ZERO),
        ("huge_ptep_clear_flush", TO_NONE),
        ("huge_pte_clear", NOT_PRESENT),
        ("huge_ptep_get_and_clear", NOT_PRESENT),
    },
    "powerpc-e500": {
        ("huge_ptep_get_and_clear", TO_ZERO),
        ("huge_ptep_set_wrprotect", WRITE_PROTECTED),
        ("huge_pte_clear", NOT_PRESENT),
        ("huge_ptep_get_and_clear", NOT_PRESENT),
    },
    "powerpc-e500-64": {
        ("huge_ptep_set_access_flags", ACCESSED),
        ("huge_pte_clear", NOT_PRESENT),
        ("huge_ptep_get_and_clear", NOT_PRESENT),
    },
    "powerpc64-hash-4k": {
        ("huge_ptep_set_access_flags", ACCESSED),
        ("huge_pte_clear", NOT_PRESENT),
    },
    "parisc+hugetlb": PARISC,
    "parisc32+hugetlb": PARISC,
}


@functools.cache
def layout_of(variant: str) -> Layout:
    (layout,) = [found for found in layouts([variant]) if found.variant.name == variant]
    return layout


def page_of(variant: str, name: str) -> PageSize:
    (page,) = [p for p in pages(layout_of(variant)) if p.name == name]
    return page


@functools.cache
def library(variant: str) -> LiftedBuild:
    build = build_for(load_builds(), variant)
    assert build is not None
    return build_library(Path(TREE or ""), whole_pages(build))[0]


@needs_tree
@pytest.mark.parametrize("variant", asked_few(SIZES, FEW))
def test_a_page_stays_the_page_of_its_first_entry_but_where_it_does_not(variant: str) -> None:
    results = prove_page_claims(library(variant), layout_of(variant), SIZES[variant])
    assert len(results) == 11 * len(SIZES[variant])
    for r in results:
        refuted = any(
            r.claim.function == function and r.claim.says.startswith(says)
            for function, says in REFUTED[variant]
        )
        assert r.verdict == ("refuted" if refuted else "proved"), (
            r.claim.function,
            r.claim.says,
            r.reason,
        )
        assert not refuted or "entry[0] = 0x" in r.reason


@pytest.mark.parametrize(
    ("variant", "found"),
    [
        ("powerpc-8xx", {"16 KByte": 4, "512 KByte": 128, "8 MByte": 2048}),
        ("powerpc-8xx-16k", {"512 KByte": 128, "8 MByte": 2048}),
        (
            "powerpc-e500",
            {"4 MByte": 2, "16 MByte": 8, "64 MByte": 32, "256 MByte": 128, "1 GByte": 512},
        ),
        ("powerpc-e500-64", {"4 MByte": 2, "16 MByte": 8, "64 MByte": 32, "1 GByte": 4}),
        ("powerpc64-hash-4k", {"16 MByte": 8, "16 GByte": 64}),
        ("powerpc64-hash", {}),
        ("powerpc64-radix-4k", {}),
        ("parisc+hugetlb+smp", {"2 MByte": 512}),
        ("parisc32+hugetlb", {"4 MByte": 1024}),
        ("parisc", {}),
        ("arm64-4k", {}),
    ],
)
def test_which_pages_have_several_entries(variant: str, found: dict[str, int]) -> None:
    assert {p.name: p.entries for p in pages(layout_of(variant))} == found


@pytest.mark.parametrize("variant", SIZES)
def test_what_is_known_of_a_word_is_what_its_premise_says(variant: str) -> None:
    layout = layout_of(variant)
    page = page_of(variant, SIZES[variant][0])
    names = ("new", *(f"entry[{n}]" for n in range(min(page.entries, 16))))
    for claim in claims(layout, page):
        asked = make_backend("bits", 60)
        words = {name: asked.free.input_word(name, layout.width) for name in names}
        block = EntryBlock(
            layout,
            asked.alg,
            Machine(asked.alg),
            tuple(words.values())[1:],
            (),
            None,
            None,
            {"pte": words["new"]},
        )
        for name, mask, value in claim.known:
            if name not in words:  # one like the others
                assert name.startswith("entry[")
                continue
            assert claim.when is not None
            bits = asked.alg.band(words[name], asked.alg.word(mask, layout.width), layout.width)
            other = asked.alg.neg(block.same(bits, asked.alg.word(value, layout.width)))
            assert isinstance(asked.check([claim.when(block), other]), Unsat)


FALSE: dict[str, tuple[str, str, Callable[[EntryBlock], Any]]] = {
    "the second entry is read": (
        "huge_ptep_get",
        "what is read",
        lambda b: b.same(b.result, b.before[1]),
    ),
    "the page stays": (
        "huge_ptep_get_and_clear",
        "every entry of a page becomes 0",
        lambda b: b.each(b.same),
    ),
    "the page is the old one": ("set_huge_pte_at", "the block is", lambda b: b.each(b.same)),
    "all entries are the same": (
        "set_huge_pte_at",
        "the block is",
        lambda b: b.same(b.after[1], b.after[0]),
    ),
    "only the first is written": (
        "set_huge_pte_at",
        "the block is",
        lambda b: b.same(b.after[1], b.before[1]),
    ),
    "what is behind the page is written too": (
        "set_huge_pte_at",
        "the block is",
        lambda b: b.alg.neg(b.same(b.after[-1], b.before[-1])),
    ),
    "it stays writable": (
        "huge_ptep_set_wrprotect",
        "a page becomes",
        lambda b: b.alg.same(b("pte_write", b.after[0]), b("pte_write", b.before[0])),
    ),
    "it loses dirty": (
        "huge_ptep_set_wrprotect",
        "a page becomes",
        lambda b: b.alg.neg(b("pte_dirty", b.after[0])),
    ),
    "nothing changes": ("huge_ptep_set_access_flags", "a page becomes", lambda b: b.each(b.same)),
}


@needs_tree
@pytest.mark.parametrize("name", FALSE)
@pytest.mark.parametrize("variant", asked_few(SIZES, FEW))
def test_a_false_claim_is_refuted(variant: str, name: str) -> None:
    function, says, holds = FALSE[name]
    layout, page = layout_of(variant), page_of(variant, SIZES[variant][0])
    (real,) = [
        c for c in claims(layout, page) if c.function == function and c.says.startswith(says)
    ]
    claim = Claim(function, name, real.args, holds, when=real.when, known=real.known)
    found = prove_claim(
        library(variant),
        layout,
        claim,
        page.count,
        make_backend("bits", 60),
        actions(page),
        page.tables,
    )
    assert found.verdict == "refuted", found


@needs("powerpc-e500")
def test_a_claim_about_no_page_is_vacuous() -> None:
    layout, page = layout_of("powerpc-e500"), page_of("powerpc-e500", "4 MByte")
    real = next(c for c in claims(layout, page) if c.function == "huge_ptep_set_wrprotect")
    # not present
    claim = Claim(
        real.function, real.says, real.args, real.holds, when=real.when, known=(("entry[0]", 1, 0),)
    )
    found = prove_claim(
        library("powerpc-e500"),
        layout,
        claim,
        page.count,
        make_backend("bits", 60),
        actions(page),
        page.tables,
    )
    assert (found.verdict, "vacuous" in found.reason) == ("incomplete", True)


class Free:
    """All that is free is 0."""

    def input_word(self, name: str, width: int) -> int:
        return 0

    def input_bool(self, name: str) -> bool:
        return False


def run(
    variant: str, size: str, function: str, entries: list[int], args: dict[str, int]
) -> list[int]:
    """What a function leaves of these entries, as lifted."""
    layout, lib, page = layout_of(variant), library(variant), page_of(variant, size)
    features = known_features(lib, layout.variant.features)
    lifted = lift_block(lib, function, Integers(), Free(), entries, {"addr": 0, **args}, features,
                        actions=actions(page), bits=layout.width, tables=page.tables)
    assert not any(u.condition for u in lifted.undefined)
    return [int(e) for e in lifted.entries]


@needs("powerpc-8xx")
def test_8xx_leaves_three_words_of_a_page_of_16_kbyte_that_are_not_none() -> None:
    page = [0x40000129, 0x40001129, 0x40002129, 0x40003129]
    assert run("powerpc-8xx", "16 KByte", "huge_ptep_get_and_clear", [*page, 0, 0], {}) == [
        0,
        0x1000,
        0x2000,
        0x3000,
        0,
        0,
    ]


@needs("powerpc-e500")
def test_e500_with_32_bits_takes_two_entries_of_the_first_level_behind_a_marker() -> None:
    """mremap of a page of 4 MByte that UFFDIO_POISON has marked, before two page tables:
    mm/hugetlb.c:move_huge_pte.
    """
    entries = run(
        "powerpc-e500",
        "4 MByte",
        "set_huge_pte_at",
        [0, 0, 0xC2345000, 0xC2346000],
        {"pte": 0x2F8, "sz": 4 << 20},
    )
    assert entries == [0x2F8, 0x2000002F8, 0xC2345000, 0xC2346000]
    assert run("powerpc-e500", "4 MByte", "huge_ptep_get_and_clear", entries, {}) == [0, 0, 0, 0]


@needs("powerpc64-hash-4k")
def test_hash_with_pages_of_4_kbyte_makes_the_first_of_eight_entries_writable() -> None:
    """A private page that was read, and then is written to: mm/hugetlb.c:set_huge_ptep_writable."""
    read = 0xC000000005000105  # PRESENT, PTE, ACCESSED, READ and EXEC
    entries = run(
        "powerpc64-hash-4k",
        "16 MByte",
        "set_huge_pte_at",
        [0] * (8 + NEIGHBOURS),
        {"pte": read, "sz": 16 << 20},
    )
    assert entries == [*(read + (n << 21) for n in range(8)), 0, 0]
    after = run(
        "powerpc64-hash-4k",
        "16 MByte",
        "huge_ptep_set_access_flags",
        entries,
        {"pte": read | 0x82, "dirty": 1},
    )
    assert entries[1] == 0xC000000005200105 and after == [0xC000000005000187, *entries[1:]]


@needs("powerpc-e500-64")
def test_e500_with_64_bits_makes_the_first_of_two_entries_writable() -> None:
    page = [0x1000024060D, 0x1000224060D]
    written = page[0] | 0x1030
    after = run(
        "powerpc-e500-64",
        "4 MByte",
        "huge_ptep_set_access_flags",
        [*page, 0, 0],
        {"pte": written, "dirty": 1},
    )
    assert after == [0x1000024163D, 0x1000224060D, 0, 0]
