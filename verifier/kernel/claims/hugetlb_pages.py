# SPDX-License-Identifier: GPL-2.0-or-later
"""A page of hugetlb that has several entries, the first of which is read for all: powerpc's and
parisc's.

Claims, on lifted C.

On powerpc only functions change an entry, except where a hash table has it. So the entries of a
page say the same, each with its own frame: `is_page`. set_huge_pte_at makes a page of any words.
Every other function is claimed to keep it: what it leaves is the page of what the model's helper
leaves of the first entry, and entries behind the page stay. On parisc, handlers set bits of one
entry; there a page is what its first entry says, whatever the others are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from verifier.kernel.asm.actions import returning
from verifier.kernel.asm.templates import Action
from verifier.kernel.claims.decide_claims import Claim, ClaimResult, EntryBlock, prove_claim
from verifier.kernel.claims.page_sizes import K, PageSize, pages, words_of_size
from verifier.kernel.conform.helpers import LiftedBuild
from verifier.kernel.conform.questions import make_backend
from verifier.kernel.tree.build import Build
from verifier.language.evaluate import evaluated
from verifier.language.machine import Machine
from verifier.model.arch import Layout

__all__ = [
    "actions",
    "claims",
    "marker",
    "prove_page_claims",
    "whole_pages",
]

POISONED = 2  # include/linux/swapops.h:PTE_MARKER_POISONED


# What a page's entries are

def _alike(b: EntryBlock, p: PageSize, one: Any, two: Any) -> Any:
    """The same to whoever asks pte_same.

    With a hash table pte_same leaves out the bits that say where the table has the entry.
    """
    kept = b.alg.word(~p.loose & (1 << b.layout.width) - 1, b.layout.width)
    return b("pte_same", *[b.alg.band(entry, kept, b.layout.width) for entry in (one, two)])


def _nth(b: EntryBlock, p: PageSize, entry: Any, n: int) -> Any:
    return b.alg.add(entry, b.alg.word(n * p.apart, b.layout.width), b.layout.width)


def _is(b: EntryBlock, entry: Any, mask: int, value: int) -> Any:
    return b.same(
        b.alg.band(entry, b.alg.word(mask, b.layout.width), b.layout.width),
        b.alg.word(value, b.layout.width),
    )


def _aligned(b: EntryBlock, p: PageSize, entry: Any) -> Any:
    return _is(b, entry, (p.entries - 1) * p.apart, 0)


def _of_size(b: EntryBlock, p: PageSize, entry: Any) -> Any:
    """A present entry of a page of this size, whose frame is one that such a page may have."""
    return b.alg.all(b("pte_present", entry), _is(b, entry, *p.marks), _aligned(b, p, entry))


def _row(b: EntryBlock, p: PageSize, entries: tuple[Any, ...], entry: Any) -> Any:
    return b.alg.all(
        *[_alike(b, p, found, _nth(b, p, entry, n)) for n, found in enumerate(entries[: p.entries])]
    )


def is_page(b: EntryBlock, p: PageSize) -> Any:
    """Before the call, the block is a page of this size.

    Its first entry says so, and the others are the same but for their own frames.
    """
    first, *others = b.before[:1 if p.alone else p.entries]
    return b.alg.all(
        _of_size(b, p, first),
        _row(b, p, (first, *others), first),
        *[_is(b, e, *p.marks) for e in others],
    )


def _neighbours_stay(b: EntryBlock, p: PageSize) -> Any:
    behind = zip(b.before[p.entries:], b.after[p.entries:], strict=True)
    return b.alg.all(*[b.same(old, new) for old, new in behind])


def _left(b: EntryBlock, helper: str, args: Mapping[str, Any]) -> tuple[Any, Any]:
    """What the model's helper on a pointer returns, and the entry that it leaves of the first."""
    result, values = evaluated(
        Machine(b.alg), b.layout.helper(helper), {"ptep": b.before[0], **args}
    )
    return result, values["ptep"]


def _becomes(b: EntryBlock, p: PageSize, helper: str, args: Mapping[str, Any]) -> Any:
    """The block after is the page of the entry that the model's helper leaves; neighbours stay."""
    return b.alg.all(_row(b, p, b.after, _left(b, helper, args)[1]), _neighbours_stay(b, p))


def marker(b: EntryBlock) -> Any:
    """The marker of UFFDIO_POISON."""
    return b("make_pte_marker", b.alg.word(POISONED, b.layout.ulong))


def _not_present(b: EntryBlock, entry: Any) -> Any:
    """What hugetlb has that is not present, where its pages do not migrate: the marker.

    Nothing is claimed about poisoned frames.
    """
    return b.same(entry, marker(b))


def _is_marked(b: EntryBlock, p: PageSize) -> Any:
    """The block before is what set_huge_pte_at makes of such a word where all was none."""
    first = b.before[0]
    rest = [b.same(e, _nth(b, p, first, n) if n < p.absent else b.alg.word(0, b.layout.width))
            for n, e in enumerate(b.before[:p.entries])]
    return b.alg.all(_not_present(b, first), *rest)


def _absent(b: EntryBlock, p: PageSize, busy: int) -> Any:
    """The first entry is not present, and none is locked.

    On e500 any word is taken to say a size; there the first says one that has no more entries.
    """
    first, fields = b.before[0], b.layout.fields
    found = b.alg.all(
        b.alg.neg(b("pte_present", first)), *[_is(b, entry, busy, 0) for entry in b.before]
    )
    if "PSIZE" not in fields:
        return found
    codes = [code for code in range(16) if words_of_size(b.layout, K << 2 * code) <= p.entries]
    mask, low = fields["PSIZE"].mask, fields["PSIZE"].low
    return b.alg.all(found, b.alg.any(*[_is(b, first, mask, code << low) for code in codes]))


def _cleared(b: EntryBlock, p: PageSize) -> Any:
    return b.alg.all(
        *[b.same(e, b.alg.word(0, b.layout.width)) for e in b.after[: p.entries]],
        _neighbours_stay(b, p),
    )


def _taken(b: EntryBlock, p: PageSize) -> Any:
    """pte_none of every entry, and the first was returned."""
    return b.alg.all(
        *[b("pte_none", e) for e in b.after[: p.entries]],
        b.same(b.result, b.before[0]),
        _neighbours_stay(b, p),
    )


def _none_present(b: EntryBlock, entries: tuple[Any, ...]) -> Any:
    return b.alg.all(*[b.alg.neg(b("pte_present", e)) for e in entries])


def _accessed(b: EntryBlock, p: PageSize) -> Any:
    """Nothing changes where the model's helper says so, and the function returns whether it did.

    The second is not claimed where the pointer is to the first level.
    """
    args = {"entry": b.args["pte"], "dirty": b.alg.truth(True)}
    changed, _ = _left(b, "huge_ptep_set_access_flags", args)
    told = b.alg.truth(True) if _points(p) else b.alg.same(b.nonzero(), changed)
    stays = b.alg.all(b.alg.neg(changed), b.each(b.same))
    return b.alg.all(b.alg.any(stays, _becomes(b, p, "huge_ptep_set_access_flags", args)), told)


def _set_absent(b: EntryBlock, p: PageSize) -> Any:
    _, first = _left(b, "set_huge_pte_at", {"pte": b.args["pte"]})
    return b.alg.all(
        b.same(b.after[0], first), _none_present(b, b.after[: p.entries]), _neighbours_stay(b, p)
    )


def claims(layout: Layout, p: PageSize) -> list[Claim]:
    """What is claimed of a variant's functions on a page of this size."""
    # of a hash: locked by who changes it, and waited for
    busy = layout.fields["BUSY"].mask if "BUSY" in layout.fields else 0
    return [*_of_taking(p), *_of_changing(p), *_of_absence(p, busy)]


_WHERE: Mapping[str, int | str] = {"addr": 0}
_TO_NONE = "every entry of a page becomes none to pte_none, and the first is returned"


def _size(p: PageSize) -> dict[str, int | str]:
    return {**_WHERE, "sz": p.size}


def _given(p: PageSize) -> dict[str, int | str]:
    """Also an entry: C calls it by either name."""
    return {**_size(p), "pte": "new", "entry": "new"}


def _of_page(
    p: PageSize,
    function: str,
    says: str,
    args: Mapping[str, int | str],
    holds: Callable[[EntryBlock, PageSize], Any],
) -> Claim:
    """A claim about a block that is a page of this size before the call."""
    return Claim(
        function,
        says,
        args,
        lambda b: holds(b, p),
        when=lambda b: is_page(b, p),
        known=(("entry[0]", *p.known),),
    )


def _of_absent(p: PageSize, function: str) -> Claim:
    says = "of what is not present, every entry becomes 0"
    return Claim(
        function, says, _size(p), lambda b: _cleared(b, p), when=lambda b: _is_marked(b, p)
    )


def _of_taking(p: PageSize) -> list[Claim]:
    """What reads a page, and what takes it out."""
    return [
        Claim(
            "huge_ptep_get",
            "what is read is the first entry; no entry changes",
            _WHERE,
            lambda b: b.alg.all(b.same(b.result, b.before[0]), b.each(b.same)),
        ),
        _of_page(p, "huge_ptep_get_and_clear", _TO_NONE, _size(p), _taken),
        _of_page(
            p,
            "huge_ptep_get_and_clear",
            "every entry of a page becomes 0, which is none at every level",
            _size(p),
            _cleared,
        ),
        _of_page(p, "huge_ptep_clear_flush", _TO_NONE, _WHERE, _taken),
    ]


def _of_changing(p: PageSize) -> list[Claim]:
    """What makes a page of whatever was there."""
    return [
        Claim(
            "set_huge_pte_at",
            "the block is the page of the entry that was given",
            _given(p),
            lambda b: _becomes(b, p, "set_huge_pte_at", {"pte": b.args["pte"]}),
            when=lambda b: _of_size(b, p, b.args["pte"]),
            known=(("new", *p.known),),
        ),
        Claim(
            "set_huge_pte_at",
            "of what is not present, the first entry is what was given, and none is present",
            _given(p),
            lambda b: _set_absent(b, p),
            when=lambda b: b.alg.all(
                _not_present(b, b.args["pte"]), _none_present(b, b.before[: p.entries])
            ),
        ),
        _of_page(
            p,
            "huge_ptep_set_wrprotect",
            "a page becomes the page of the write-protected first entry",
            _WHERE,
            lambda b, p: _becomes(b, p, "huge_ptep_set_wrprotect", {}),
        ),
        Claim(
            "huge_ptep_set_access_flags",
            "a page becomes the page of what the model's helper makes of the first entry",
            {**_WHERE, "pte": "new", "dirty": 1},
            lambda b: _accessed(b, p),
            when=lambda b: b.alg.all(is_page(b, p), _of_size(b, p, b.args["pte"])),
            known=(("entry[0]", *p.known), ("new", *p.known)),
        ),
    ]


def _of_absence(p: PageSize, busy: int) -> list[Claim]:
    """Of what is not present. `busy` is the bit of an entry that is locked."""
    return [
        _of_absent(p, "huge_pte_clear"),
        _of_absent(p, "huge_ptep_get_and_clear"),
        Claim(
            "huge_ptep_get_and_clear",
            "of what is not present, the first entry is returned exactly, whatever the others are",
            _size(p),
            lambda b: b.same(b.result, b.before[0]),
            when=lambda b: _absent(b, p, busy),
            known=tuple((f"entry[{n}]", busy, 0) for n in range(p.count) if busy),
        ),
    ]


def _points(p: PageSize) -> bool:
    return p.tables is not None and p.tables.points


def actions(p: PageSize) -> dict[str, Action]:
    """Answers in the place of looks at the folio, the vma and the address."""
    return {name: returning(number, why) for name, number, why in p.answers}


def whole_pages(build: Build) -> Build:
    """A build for these claims.

    It takes nothing for given of a page's size, unlike the build of `conform`, and calls the
    headers' functions by name.
    """
    return replace(build, premises=(), inline=False)


def prove_page_claims(
    library: LiftedBuild,
    layout: Layout,
    names: tuple[str, ...] = (),
    backend: str = "bits",
    timeout: float | None = 60,
) -> list[ClaimResult]:
    """Every claim, on pages of these sizes; of all sizes where none is named.

    The library is one of `whole_pages`.
    """
    return [
        prove_claim(
            library, layout, claim, p.count, make_backend(backend, timeout), actions(p), p.tables
        )
        for p in pages(layout)
        if not names or p.name in names
        for claim in claims(layout, p)
    ]
