# SPDX-License-Identifier: GPL-2.0-or-later
"""What arm64's contiguous block functions do to every entry, in terms of the model's helpers: claims, and their proofs.

Each claim speaks of a whole block of free entries (16, 32 or 128, as the variant says) and is proved on the lifted C.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from verifier.arch import Layout
from verifier.kernel.block_claims import Block, Claim, ClaimResult, prove_claim
from verifier.kernel.helpers import Library
from verifier.kernel.questions import make_backend

__all__ = ["CLAIMS", "prove_block_claims"]


def _union(b: Block, helper: str, orig: str) -> Any:
    return b.alg.same(b(helper, b.result), b.alg.any(b(helper, b.args[orig]), b.some(helper)))


WHOLE: Mapping[str, int | str] = {"addr": 0, "nr": -1}
def _consistent(b: Block) -> Any:
    """A block as set_ptes and fold make it: valid, contiguous, frames in a row, equal but for accessed and dirty."""
    first = b.before[0]
    step = 1 << b.layout.variant.constants["PAGE_SHIFT"]
    frame = b("pte_pfn", first)

    def plain(entry: Any) -> Any:
        return b("pte_mkold", b("pte_mkclean", entry))

    start = b.alg.band(frame, b.alg.word(~(len(b.before) - 1) & (1 << 64) - 1, 64), 64)
    return b.alg.all(b.same(frame, start), *[
        b.alg.all(b("pte_valid_cont", entry), b.same(plain(entry), b.alg.add(plain(first), b.alg.word(n * step, 64), 64)))
        for n, entry in enumerate(b.before)])


def _folded(b: Block) -> Any:
    """Nothing has changed, or the entries are one block, which is dirty, young if one was, or the one in hand."""
    given = b.args["pte"]
    same = [b.alg.all(b("pte_cont", e), b.alg.same(b("pte_write", e), b("pte_write", given)),
                      *[b.alg.same(b(h, e), b.alg.any(b(h, given), b.some(h))) for h in ("pte_dirty", "pte_young")]) for e in b.after]
    return b.alg.any(b.each(b.same), b.alg.all(*same))


CLAIMS: tuple[Claim, ...] = (
    Claim("contpte_ptep_get", "the entry read is dirty, and young, if and only if one of the block or the one in hand is", {"orig_pte": "orig"},
          lambda b: b.alg.all(_union(b, "pte_dirty", "orig_pte"), _union(b, "pte_young", "orig_pte"))),
    Claim("contpte_ptep_get", "no entry changes", {"orig_pte": "orig"}, lambda b: b.each(b.same)),
    Claim("contpte_wrprotect_ptes", "every entry becomes what pte_wrprotect makes of it: it keeps its own dirty", WHOLE,
          lambda b: b.each(lambda old, new: b.same(new, b("pte_wrprotect", old)))),
    Claim("contpte_clear_young_dirty_ptes", "with CYDP_CLEAR_YOUNG every entry becomes old, and nothing else changes", {**WHOLE, "flags": 1},
          lambda b: b.each(lambda old, new: b.same(new, b("pte_mkold", old)))),
    Claim("contpte_clear_young_dirty_ptes", "with CYDP_CLEAR_DIRTY every entry becomes clean", {**WHOLE, "flags": 2},
          lambda b: b.each(lambda old, new: b.same(new, b("pte_mkclean", old)))),
    Claim("contpte_get_and_clear_full_ptes", "every entry becomes none", {**WHOLE, "full": 0},
          lambda b: b.each(lambda old, new: b("pte_none", new))),
    Claim("contpte_get_and_clear_full_ptes", "the entry returned is dirty if and only if one of the block was", {**WHOLE, "full": 0},
          lambda b: b.alg.same(b("pte_dirty", b.result), b.some("pte_dirty"))),
    Claim("contpte_set_ptes", "of a present entry every new one has its dirty and its write", {**WHOLE, "pte": "new"},
          lambda b: b.if_(b("pte_present", b.args["pte"]), b.alg.all(*[
              b.alg.all(b.alg.same(b("pte_dirty", e), b("pte_dirty", b.args["pte"])),
                        b.alg.same(b("pte_write", e), b("pte_write", b.args["pte"]))) for e in b.after]))),
    Claim("contpte_ptep_test_and_clear_young", "every entry becomes old, and the answer is whether one was young", {"addr": 0},
          lambda b: b.alg.all(b.each(lambda old, new: b.same(new, b("pte_mkold", old))), b.alg.same(b.nonzero(), b.some("pte_young")))),
    Claim("__contpte_try_unfold", "every entry leaves the block, and is dirty if and only if one of the block or the one in hand was",
          {"addr": 0, "pte": "orig"},
          lambda b: b.alg.all(*[b.alg.all(b.alg.neg(b("pte_cont", e)), b.if_(b("pte_cont", b.args["pte"]), b.alg.same(
              b("pte_dirty", e), b.alg.any(b("pte_dirty", b.args["pte"]), b.some("pte_dirty"))))) for e in b.after])),
    Claim("contpte_ptep_set_access_flags", "of entries that are well formed, none stops being dirty", {"addr": 0, "entry": "new", "dirty": 1},
          lambda b: b.if_(b.alg.all(b("pte_well_formed", b.args["entry"]), *[b.alg.all(b("pte_present", e), b("pte_well_formed", e)) for e in b.before]),
                          b.each(lambda old, new: b.if_(b("pte_dirty", old), b("pte_dirty", new))))),
    Claim("__contpte_try_fold", "nothing changes, or every entry is in the block, with the write of the one in hand, dirty and young if and only if one was",
          {"pte": "new", "addr": "at"}, _folded, at=-1),
    Claim("contpte_ptep_get_lockless", "of a block as the kernel makes it, what is read is dirty, and young, if and only if one entry is, and has its write", {},
          lambda b: b.alg.all(b.alg.same(b("pte_write", b.result), b("pte_write", b.before[0])),
                              *[b.alg.same(b(h, b.result), b.some(h)) for h in ("pte_dirty", "pte_young")]), when=_consistent),
)


def prove_block_claims(library: Library, layout: Layout, backend: str = "z3", timeout: float | None = 60) -> list[ClaimResult]:
    """Every claim, on a block of this variant's size."""
    count = layout.variant.constants["CONT_PTES"]
    return [prove_claim(library, layout, claim, count, make_backend(backend, timeout)) for claim in CLAIMS]
