# SPDX-License-Identifier: GPL-2.0-or-later
"""What arm64's contiguous block functions (arch/arm64/mm/contpte.c) do to every entry: claims, and
their proofs.

Claims are in terms of the model's helpers. Each is about a whole block of free entries (16, 32 or
128, as the variant says) and is proved on the lifted C.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from verifier.kernel.claims.decide_claims import Claim, ClaimResult, EntryBlock, prove_claim
from verifier.kernel.conform.helpers import LiftedBuild
from verifier.kernel.conform.questions import make_backend
from verifier.language.evaluate import evaluated
from verifier.model.arch import Layout

__all__ = ["CLAIMS", "prove_block_claims"]


def _union(b: EntryBlock, helper: str, orig: str) -> Any:
    return b.alg.same(b(helper, b.result), b.alg.any(b(helper, b.args[orig]), b.some(helper)))


WHOLE: Mapping[str, int | str] = {"addr": 0, "nr": -1}
def _consistent(b: EntryBlock) -> Any:
    """A block as set_ptes and fold make it: valid, contiguous, frames in a row.

    Accessed and dirty may differ.
    """
    first = b.before[0]
    step = 1 << b.layout.variant.constants["PAGE_SHIFT"]
    frame = b("pte_pfn", first)

    def plain(entry: Any) -> Any:
        return b("pte_mkold", b("pte_mkclean", entry))

    start = b.alg.band(frame, b.alg.word(~(len(b.before) - 1) & (1 << 64) - 1, 64), 64)
    return b.alg.all(
        b.same(frame, start),
        *[
            b.alg.all(
                b("pte_valid_cont", entry),
                b.same(plain(entry), b.alg.add(plain(first), b.alg.word(n * step, 64), 64)),
            )
            for n, entry in enumerate(b.before)
        ],
    )


def _folded(b: EntryBlock) -> Any:
    """Nothing has changed, or the entries are one block.

    That block is dirty, and young, if one entry was or the one in hand is.
    """
    given = b.args["pte"]
    same = [
        b.alg.all(
            b("pte_cont", e),
            b.alg.same(b("pte_write", e), b("pte_write", given)),
            *[
                b.alg.same(b(h, e), b.alg.any(b(h, given), b.some(h)))
                for h in ("pte_dirty", "pte_young")
            ],
        )
        for e in b.after
    ]
    return b.alg.any(b.each(b.same), b.alg.all(*same))


# `dirty`, which decides on a flush alone, is anything
_ACCESS: Mapping[str, int | str] = {"addr": "at", "entry": "new"}


def _allows(b: EntryBlock, entry: Any, asked: Any, dirty: str = "pte_dirty") -> Any:
    """The entry has what is asked for.

    A walker that looks at this entry alone does not fault where it would not fault on what is
    asked.
    """
    flags = [b.if_(b(h, asked), b(h, entry)) for h in ("pte_young", dirty, "pte_write")]
    return b.alg.all(
        *flags, b.if_(b.alg.neg(b("pte_rdonly", asked)), b.alg.neg(b("pte_rdonly", entry)))
    )


def _asked_for_is_there(at: int, b: EntryBlock) -> Any:
    """The entry at the pointer has what is asked for, and so has each that is still in a block.

    Hardware may take any entry of a block for all of them.
    """
    asked = b.args["entry"]
    return b.alg.all(
        _allows(b, b.after[at], asked),
        *[b.if_(b("pte_valid_cont", e), _allows(b, e, asked)) for e in b.after],
    )


def _as_one_by_one(at: int, b: EntryBlock) -> Any:
    """Unless write changes, every entry becomes what the function for one entry makes of it."""
    def one(entry: Any) -> Any:
        _, values = evaluated(b.machine, b.layout.helper("__ptep_set_access_flags"),
                              {"ptep": entry, "entry": b.args["entry"], "dirty": b.alg.truth(True)})
        return values["ptep"]

    write = b.alg.same(b("pte_write", b.before[at]), b("pte_write", b.args["entry"]))
    return b.if_(write, b.each(lambda old, new: b.same(new, one(old))))


def _asks_for_more(b: EntryBlock) -> Any:
    """What is asked for has the flags of each entry.

    That is so of what contpte_ptep_get gathers, and of what mm/ makes of that.
    """
    return b.alg.all(*[_allows(b, b.args["entry"], e, "pte_sw_dirty") for e in b.before])


def _as_mm_asks(at: int, b: EntryBlock) -> Any:
    """A block as the kernel makes it, asked for what mm/ makes of the entry that it reads.

    That is young, perhaps dirty, and then perhaps writable too.
    """
    read = b("pte_mknoncont", b.before[at])
    for test, make in (("pte_dirty", "pte_mkdirty"), ("pte_young", "pte_mkyoung")):
        read = b.alg.ite(b.some(test), b(make, read), read, 64)
    young = b("pte_mkyoung", read)
    dirty = b("pte_mkdirty", young)
    asked = [
        b.same(b.args["entry"], entry) for entry in (young, dirty, b("pte_mkwrite_novma", dirty))
    ]
    return b.alg.all(
        _consistent(b), *[b("pte_well_formed", e) for e in b.before], b.alg.any(*asked)
    )


CLAIMS: tuple[Claim, ...] = (
    Claim(
        "contpte_ptep_get",
        "the entry read is dirty, and young, if and only if one of the block or the one in hand is",
        {"orig_pte": "orig"},
        lambda b: b.alg.all(_union(b, "pte_dirty", "orig_pte"), _union(b, "pte_young", "orig_pte")),
    ),
    Claim("contpte_ptep_get", "no entry changes", {"orig_pte": "orig"}, lambda b: b.each(b.same)),
    Claim(
        "contpte_wrprotect_ptes",
        "every entry becomes what pte_wrprotect makes of it: it keeps its own dirty",
        WHOLE,
        lambda b: b.each(lambda old, new: b.same(new, b("pte_wrprotect", old))),
    ),
    Claim(
        "contpte_clear_young_dirty_ptes",
        "with CYDP_CLEAR_YOUNG every entry becomes old, and nothing else changes",
        {**WHOLE, "flags": 1},
        lambda b: b.each(lambda old, new: b.same(new, b("pte_mkold", old))),
    ),
    Claim(
        "contpte_clear_young_dirty_ptes",
        "with CYDP_CLEAR_DIRTY every entry becomes clean",
        {**WHOLE, "flags": 2},
        lambda b: b.each(lambda old, new: b.same(new, b("pte_mkclean", old))),
    ),
    Claim(
        "contpte_get_and_clear_full_ptes",
        "every entry becomes none",
        {**WHOLE, "full": 0},
        lambda b: b.each(lambda old, new: b("pte_none", new)),
    ),
    Claim(
        "contpte_get_and_clear_full_ptes",
        "the entry returned is dirty if and only if one of the block was",
        {**WHOLE, "full": 0},
        lambda b: b.alg.same(b("pte_dirty", b.result), b.some("pte_dirty")),
    ),
    Claim(
        "contpte_set_ptes",
        "of a present entry every new one has its dirty and its write",
        {**WHOLE, "pte": "new"},
        lambda b: b.if_(
            b("pte_present", b.args["pte"]),
            b.alg.all(
                *[
                    b.alg.all(
                        b.alg.same(b("pte_dirty", e), b("pte_dirty", b.args["pte"])),
                        b.alg.same(b("pte_write", e), b("pte_write", b.args["pte"])),
                    )
                    for e in b.after
                ]
            ),
        ),
    ),
    Claim(
        "contpte_ptep_test_and_clear_young",
        "every entry becomes old, and the answer is whether one was young",
        {"addr": 0},
        lambda b: b.alg.all(
            b.each(lambda old, new: b.same(new, b("pte_mkold", old))),
            b.alg.same(b.nonzero(), b.some("pte_young")),
        ),
    ),
    Claim(
        "__contpte_try_unfold",
        "every entry leaves the block, and is dirty if and only if one of the block or the one in"
        " hand was",
        {"addr": 0, "pte": "orig"},
        lambda b: b.alg.all(
            *[
                b.alg.all(
                    b.alg.neg(b("pte_cont", e)),
                    b.if_(
                        b("pte_cont", b.args["pte"]),
                        b.alg.same(
                            b("pte_dirty", e),
                            b.alg.any(b("pte_dirty", b.args["pte"]), b.some("pte_dirty")),
                        ),
                    ),
                )
                for e in b.after
            ]
        ),
    ),
    Claim(
        "contpte_ptep_set_access_flags",
        "of entries that are well formed, none stops being dirty",
        {"addr": 0, "entry": "new", "dirty": 1},
        lambda b: b.if_(
            b.alg.all(
                b("pte_well_formed", b.args["entry"]),
                *[b.alg.all(b("pte_present", e), b("pte_well_formed", e)) for e in b.before],
            ),
            b.each(lambda old, new: b.if_(b("pte_dirty", old), b("pte_dirty", new))),
        ),
    ),
    *[
        Claim(
            "contpte_ptep_set_access_flags",
            f"what was asked for is there, in the entry that the pointer is at ({at}), and in each"
            " that stays in the block",
            _ACCESS,
            partial(_asked_for_is_there, at),
            at=at,
        )
        for at in (0, 5)
    ],
    Claim(
        "contpte_ptep_set_access_flags",
        "of a block as the kernel makes it, what mm/ asks for is there",
        _ACCESS,
        partial(_asked_for_is_there, 5),
        when=partial(_as_mm_asks, 5),
        at=5,
    ),
    *[
        Claim(
            "contpte_ptep_set_access_flags",
            "unless write changes, every entry becomes what __ptep_set_access_flags makes of it"
            f" (pointer at {at})",
            _ACCESS,
            partial(_as_one_by_one, at),
            at=at,
        )
        for at in (0, 5)
    ],
    Claim(
        "contpte_ptep_set_access_flags",
        "where 0 is returned no entry has changed",
        _ACCESS,
        lambda b: b.alg.any(b.nonzero(), b.each(b.same)),
        at=5,
    ),
    Claim(
        "contpte_ptep_set_access_flags",
        "where as much is asked for as each entry has, 1 is returned if one has changed, and"
        " else 0",
        _ACCESS,
        lambda b: b.alg.choose(
            b.each(b.same),
            b.alg.neg(b.nonzero()),
            b.alg.eq(b.result, b.alg.word(1, b.width or 32), b.width or 32),
        ),
        when=_asks_for_more,
        at=5,
    ),
    Claim(
        "__contpte_try_fold",
        "nothing changes, or every entry is in the block, with the write of the one in hand, dirty"
        " and young if and only if one was",
        {"pte": "new", "addr": "at"},
        _folded,
        at=-1,
    ),
    Claim(
        "contpte_ptep_get_lockless",
        "of a block as the kernel makes it, what is read is dirty, and young, if and only if one"
        " entry is, and has its write",
        {},
        lambda b: b.alg.all(
            b.alg.same(b("pte_write", b.result), b("pte_write", b.before[0])),
            *[b.alg.same(b(h, b.result), b.some(h)) for h in ("pte_dirty", "pte_young")],
        ),
        when=_consistent,
    ),
)


def prove_block_claims(
    library: LiftedBuild, layout: Layout, backend: str = "bits", timeout: float | None = 60
) -> list[ClaimResult]:
    """Every claim, on a block of this variant's size."""
    count = layout.variant.constants["CONT_PTES"]
    return [
        prove_claim(library, layout, claim, count, make_backend(backend, timeout))
        for claim in CLAIMS
    ]
