# SPDX-License-Identifier: GPL-2.0-or-later
"""A page of hugetlb that has several entries: arm64's contiguous ones, riscv's of NAPOT.

Claims, and their proofs on lifted C.

The specs' level hugetlb has one entry for a page. These claims are what lets it speak of a block. A
block has a *fold*: its first entry, made dirty, and young, where one entry of the block is. What
arch/{arm64,riscv}/mm/hugetlbpage.c does to a whole block of free entries is what the model's
helpers do to the fold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from verifier.kernel.asm.actions import returning
from verifier.kernel.asm.templates import Action
from verifier.kernel.claims.decide_claims import Claim, ClaimResult, EntryBlock, prove_claim
from verifier.kernel.conform.helpers import LiftedBuild
from verifier.kernel.conform.questions import make_backend
from verifier.kernel.llvm.access import store_scalar
from verifier.kernel.llvm.context import Context
from verifier.kernel.llvm.ir import Instr
from verifier.kernel.llvm.values import Truth, Value
from verifier.kernel.llvm.ways import WayState
from verifier.language.evaluate import evaluated
from verifier.language.machine import Machine
from verifier.model.arch import Layout

__all__ = [
    "Geometry",
    "actions",
    "aligned",
    "alike",
    "claims",
    "first_is_of_a_block",
    "fold",
    "geometries",
    "prove_hugetlb_claims",
]


@dataclass(frozen=True, slots=True)
class Geometry:
    """A size of page.

    entries  how many a page has
    frames   from one entry to the next; 0: all entries are alike, as with NAPOT
    size     of the page, in bytes
    order    of the page, as a power of two of small pages
    step     from one entry's address to the next, in bytes
    """

    name: str
    entries: int
    frames: int
    size: int  # of the page, in bytes
    order: int
    step: int  # from one entry's address to the next, in bytes


def geometries(layout: Layout) -> list[Geometry]:
    """The sizes whose pages have several entries."""
    constants = layout.variant.constants
    page = 1 << constants["PAGE_SHIFT"]
    found = []
    for block in layout.arch.hugetlb_blocks:
        count, shift = (constants[one] if isinstance(one, str) else one
                        for one in (block.entries, block.shift))
        step = 1 << shift
        found.append(
            Geometry(
                block.name,
                count,
                0 if block.alike else step // page,
                count * step,
                (count * step // page).bit_length() - 1,
                step,
            )
        )
    return found


# What a block is, as one entry

def _marked(b: EntryBlock, entry: Any) -> Any:
    """Is it an entry of a block? The architecture's file names the helper that says so."""
    marks = {block.mark for block in b.layout.arch.hugetlb_blocks}
    return b.alg.any(*(b(mark, entry) for mark in sorted(marks)))


def first_is_of_a_block(b: EntryBlock) -> Any:
    """The first entry is present, and one of a block."""
    return b.alg.all(b("pte_present", b.before[0]), _marked(b, b.before[0]))


def _merged(b: EntryBlock, entry: Any) -> Any:
    """The entry, also dirty, and young, where one of the block was."""
    for test, make in (("pte_dirty", "pte_mkdirty"), ("pte_young", "pte_mkyoung")):
        entry = b.alg.ite(b.some(test), b(make, entry), entry, 64)
    return entry


def fold(b: EntryBlock) -> Any:
    """The block before, as one entry: the first, dirty, and young, where one of the block is."""
    first = b.before[0]
    return b.alg.ite(first_is_of_a_block(b), _merged(b, first), first, 64)


def alike(b: EntryBlock, one: Any, two: Any) -> Any:
    """The same to whoever asks the architecture's helpers: dirty has two encodings on arm64."""
    alg = b.alg
    plain = [b("pte_mkold", b("pte_mkclean", e)) for e in (one, two)]
    return alg.all(
        b.same(*plain), *[alg.same(b(h, one), b(h, two)) for h in ("pte_dirty", "pte_young")]
    )


def _one_page(b: EntryBlock, g: Geometry, entry: Any) -> Any:
    """After the call the block is the page that the entry says: each entry has all of it, and its
    own frame.
    """
    alg = b.alg
    parts = []
    for n, found in enumerate(b.after):
        if g.frames == 0:
            parts.append(alike(b, found, entry))
            continue
        frame = alg.add(b("pte_pfn", entry), alg.word(n * g.frames, 64), 64)
        parts += [
            b.same(b("pte_pfn", found), frame),
            alike(b, b("pte_pgprot", found), b("pte_pgprot", entry)),
        ]
    return alg.all(*parts)


def aligned(b: EntryBlock, g: Geometry, entry: Any) -> Any:
    """The frame of an entry is one that a page of this size may have.

    With NAPOT the low bits of the field say the size.
    """
    alg = b.alg
    if g.frames == 0:
        fields = b.layout.fields
        low = alg.extract(alg.lshr(entry, alg.word(fields["PFN"].low, 64), 64), 0, 4)
        return alg.eq(low, alg.word(8, 4), 4)
    frame = b("pte_pfn", entry)
    low = alg.band(frame, alg.word(g.entries * g.frames - 1, 64), 64)
    # With 64 KByte, no bits that no address has.
    plain = b.same(b("pfn_pte", frame, b("pte_pgprot", entry)), entry)
    return alg.all(alg.eq(low, alg.word(0, 64), 64), plain)


def _absent(b: EntryBlock) -> Any:
    return b.alg.neg(b("pte_present", b.args["pte"]))


def _cleared(b: EntryBlock) -> Any:
    return b.alg.all(*[b.alg.eq(e, b.alg.word(0, 64), 64) for e in b.after])


def _gone(b: EntryBlock) -> Any:
    return b.alg.all(_cleared(b), alike(b, b.result, fold(b)))


def _as_for_one(b: EntryBlock) -> Any:
    """What arch/'s helper for one entry makes of the fold, for each entry that mm/ gives.

    mm/ gives what it has read, young, perhaps dirty, perhaps writable.
    """
    whole = fold(b)
    parts = []
    for makes in ((), ("pte_mkdirty",), ("huge_pte_mkdirty", "huge_pte_mkwrite")):
        new = whole
        for make in makes:
            new = b(make, new)
        new = b("pte_mkyoung", new)
        one = _after(
            b,
            "huge_ptep_set_access_flags",
            {"ptep": whole, "entry": new, "dirty": b.alg.truth(True)},
        )
        parts.append(alike(b, one, _merged(b, new)))
    return b.alg.all(*parts)


def _no_block(b: EntryBlock) -> Any:
    """What set_huge_pte_at leaves of a migration entry or a marker."""
    return b.alg.all(
        *[b.alg.all(b.same(e, b.before[0]), b.alg.neg(b("pte_present", e))) for e in b.before]
    )


def claims(g: Geometry) -> list[Claim]:
    """What is claimed of the functions on a page of this size."""
    return [*_read(g), *_taken(g), *_changed(g), *_not_present(g), _for_one(g)]


def _is_block(b: EntryBlock, g: Geometry) -> Any:
    """Before the call, the block is a page of this size, as its first entry says."""
    return b.alg.all(first_is_of_a_block(b), aligned(b, g, b.before[0]))


def _is_given(b: EntryBlock, g: Geometry) -> Any:
    """The entry that is given is present, and of a page of this size."""
    pte = b.args["pte"]
    return b.alg.all(b("pte_present", pte), _marked(b, pte), aligned(b, g, pte))


def _accessed(b: EntryBlock, g: Geometry) -> Any:
    """Nothing changed, or the entry given, dirty and young also where the block was when it was
    taken.
    """
    changed = _one_page(b, g, _merged(b, b.args["pte"]))
    return b.alg.choose(b.nonzero(), changed, b.each(b.same))


def _read(g: Geometry) -> list[Claim]:
    return [
        Claim(
            "huge_ptep_get",
            "what is read is the first entry, dirty and young where one of the block is; no entry"
            " changes",
            {"addr": 0},
            lambda b: b.alg.all(alike(b, b.result, fold(b)), b.each(b.same)),
            when=lambda b: _is_block(b, g),
        ),
        Claim(
            "huge_ptep_get",
            "an entry that is none of a block is read as it is",
            {"addr": 0},
            lambda b: b.same(b.result, b.before[0]),
            when=lambda b: b.alg.neg(first_is_of_a_block(b)),
        ),
    ]


def _taken(g: Geometry) -> list[Claim]:
    return [
        Claim(
            "huge_ptep_get_and_clear",
            "every entry becomes none, and what is returned is their fold",
            {"addr": 0, "sz": g.size},
            _gone,
            when=lambda b: _is_block(b, g),
        ),
        Claim(
            "huge_ptep_clear_flush",
            "every entry becomes none, and what is returned is their fold",
            {"addr": 0},
            _gone,
            when=lambda b: _is_block(b, g),
        ),
    ]


def _changed(g: Geometry) -> list[Claim]:
    return [
        Claim(
            "set_huge_pte_at",
            "the block is the page that was given",
            {"addr": 0, "sz": g.size, "pte": "new"},
            lambda b: _one_page(b, g, b.args["pte"]),
            when=lambda b: _is_given(b, g),
        ),
        Claim(
            "set_huge_pte_at",
            "of what is not present, every entry is what was given",
            {"addr": 0, "sz": g.size, "pte": "new"},
            lambda b: b.alg.all(*[b.same(e, b.args["pte"]) for e in b.after]),
            when=_absent,
        ),
        Claim(
            "huge_ptep_set_wrprotect",
            "the block is the page that pte_wrprotect makes of the fold: none is writable, none"
            " loses dirty",
            {"addr": 0},
            lambda b: _one_page(b, g, b("pte_wrprotect", fold(b))),
            when=lambda b: _is_block(b, g),
        ),
        Claim(
            "huge_ptep_set_access_flags",
            "nothing changes, or the block is the page that was given, dirty and young where one"
            " entry was too",
            {"addr": 0, "pte": "new", "dirty": 1},
            lambda b: _accessed(b, g),
            when=lambda b: b.alg.all(_is_block(b, g), _is_given(b, g)),
        ),
    ]


def _not_present(g: Geometry) -> list[Claim]:
    """Also that a block becomes none, and an entry that is not present is read exactly."""
    return [
        Claim(
            "huge_pte_clear",
            "every entry of a block becomes none",
            {"addr": 0, "sz": g.size},
            _cleared,
            when=lambda b: _is_block(b, g),
        ),
        Claim(
            "huge_pte_clear",
            "of what is not present, every entry becomes none",
            {"addr": 0, "sz": g.size},
            _cleared,
            when=_no_block,
        ),
        Claim(
            "huge_ptep_get_and_clear",
            "of what is not present, every entry becomes none",
            {"addr": 0, "sz": g.size},
            _cleared,
            when=_no_block,
        ),
        Claim(
            "huge_ptep_get_and_clear",
            "of what is not present, the first entry is returned exactly, whatever the others are",
            {"addr": 0, "sz": g.size},
            lambda b: b.same(b.result, b.before[0]),
            when=lambda b: b.alg.neg(b("pte_present", b.before[0])),
        ),
    ]


def _for_one(g: Geometry) -> Claim:
    """Where entries have frames of their own, they are well formed."""
    return Claim(
        "huge_ptep_get",
        "arch/'s huge_ptep_set_access_flags does to the fold what the block's does, where mm/"
        " calls it",
        {"addr": 0},
        _as_for_one,
        when=lambda b: b.alg.all(
            _is_block(b, g), *([b("pte_well_formed", b.before[0])] if g.frames else [])
        ),
    )


def _after(b: EntryBlock, helper: str, args: Mapping[str, Any]) -> Any:
    """The entry that a helper on a pointer leaves."""
    _, values = evaluated(Machine(b.alg), b.layout.helper(helper), args)
    return values["ptep"]


# What is answered in place of walking tables and looking at the folio

def actions(g: Geometry) -> dict[str, Action]:
    """Answers in the place of walks of page tables and of looks at the folio."""
    def contig(lifter: Context, instr: Instr, args: list[Any], state: WayState) -> Value:
        lifter.note(f"the page is one of {g.name}")
        store_scalar(
            lifter,
            lifter.values.as_address(args[3], lifter.pointer_width),
            8,
            lifter.values.word(g.step, 64),
            state,
        )
        return lifter.values.word(g.entries, 32)

    def choice(lifter: Context, instr: Instr, args: list[Any], state: WayState) -> Value:
        lifter.note(
            "the hardware may act between looking and taking: what was seen decides nothing that is"
            " claimed"
        )
        return lifter.ops.widen(Truth(lifter.inputs.boolean("changed")), 32, False)

    order = returning(g.order, "the folio is as large as the page")
    return {
        "find_num_contig": contig,
        "compound_order": order,
        "__cont_access_flags_changed": choice,
    }


def prove_hugetlb_claims(
    library: LiftedBuild, layout: Layout, backend: str = "z3", timeout: float | None = 60
) -> list[ClaimResult]:
    """Every claim, on pages of every size."""
    return [
        prove_claim(library, layout, claim, g.entries, make_backend(backend, timeout), actions(g))
        for g in geometries(layout)
        for claim in claims(g)
    ]


# The hardware
