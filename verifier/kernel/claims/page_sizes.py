# SPDX-License-Identifier: GPL-2.0-or-later
"""The sizes of pages of hugetlb that have several entries, on powerpc and parisc.

Where the kernel's headers say what a size is, its function names them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from verifier.kernel.claims.blocks import Tables
from verifier.model.arch import Layout

__all__ = ["NEIGHBOURS", "K", "PageSize", "pages", "words_of_size"]


NEIGHBOURS = 2  # entries behind a page's, which nothing may change


@dataclass(frozen=True, slots=True)
class PageSize:
    """A size of page of a variant.

    entries  how many it has
    apart    what each entry has more than the one before
    marks    of a present entry: the bits that say the size (mask, value); on a hash also the bit of
             an entry that is not busy
    loose    bits that no frame of such a page has, and nobody reads
    absent   how many entries set_huge_pte_at gives to what is not present
    alone    the other entries of a page may be anything
    answers  functions that are taken to return a number, and why
    tables   where the entries of the first level are asked, too
    """

    name: str
    size: int
    entries: int
    apart: int
    marks: tuple[int, int]
    loose: int = 0
    absent: int = 0
    alone: bool = False
    answers: tuple[tuple[str, int, str], ...] = ()
    tables: Tables | None = None

    @property
    def count(self) -> int:
        """How many entries a claim is about.

        The tables of a page that fills them have no others.
        """
        return (
            self.entries
            if self.tables is not None and self.tables.points
            else self.entries + NEIGHBOURS
        )

    @property
    def known(self) -> tuple[int, int]:
        """The bits of an entry that its size says: marks, and a frame that is aligned."""
        return self.marks[0] | (self.entries - 1) * self.apart, self.marks[1]


K, M, G = 1 << 10, 1 << 20, 1 << 30


def pages(layout: Layout) -> list[PageSize]:
    """The sizes whose pages have several entries."""
    return _PAGES[layout.arch.name](layout) if layout.arch.name in _PAGES else []


def _8xx(layout: Layout) -> list[PageSize]:
    """Words of 4 KByte each, whatever PAGE_SIZE is (asm/nohash/32/pte-8xx.h).

    A page of 8 MByte has two tables full of them.
    """
    small = layout.variant.constants["PAGE_SHIFT"] == 12
    sps, huge = (1 << layout.fields[name].low for name in ("SPS", "HUGE"))

    def page(name: str, size: int, marks: int, absent: int) -> PageSize:
        # then both bits of _PMD_PAGE_8M, else at most the lower; what leads to a table has none of
        # _PMD_BAD
        big = size == 8 * M
        tables = Tables(
            "pmd_off", "pte_offset_kernel", 4 * K, 0xF9C if big else 0xF98, 0xC if big else 0, big
        )
        loose = 0 if small else 0x3000
        return PageSize(
            name,
            size,
            size // (4 * K),
            4 * K,
            (sps | huge, marks),
            loose,
            absent,
            answers=_NOHASH,
            tables=tables,
        )

    found = [
        page("512 KByte", 512 * K, sps | huge, 4 if small else 128),
        page("8 MByte", 8 * M, sps | huge, 2048),
    ]
    return [page("16 KByte", 16 * K, sps, 4), *found] if small else found


def words_of_size(layout: Layout, size: int) -> int:
    """How many words pte_update of e500 writes for a size (asm/nohash/pgtable.h).

    Of a size that no unsigned long holds, as many as never fit.
    """
    each = 4 * K if size < 2 * M else 256 * M if layout.ulong == 64 and size >= 256 * M else 2 * M
    return size if size >> layout.ulong else size // each


def _e500(layout: Layout) -> list[PageSize]:
    """Entries of 2 MByte each (asm/nohash/64/pgtable-4k.h).

    A kernel of 64 bits has, from 256 MByte on, entries of 256 MByte.
    """
    psize, pfn = layout.fields["PSIZE"], layout.fields["PFN"].low
    found = []
    for code, size in ((6, 4 * M), (7, 16 * M), (8, 64 * M), (9, 256 * M), (10, G)):
        name = "1 GByte" if size == G else f"{size // M} MByte"
        words = words_of_size(layout, size)
        if words > 1:
            marks = (0xf << psize.low, code << psize.low)
            found.append(
                PageSize(
                    name,
                    size,
                    words,
                    size // words // (4 * K) << pfn,
                    marks,
                    absent=words,
                    answers=_NOHASH,
                )
            )
    return found


def _hash_4k(layout: Layout) -> list[PageSize]:
    """Entries of 2 MByte, or of 256 (asm/book3s/64/hash-4k.h).

    Elsewhere on book3s with 64 bits a page has one.
    """
    if layout.variant.name != "powerpc64-hash-4k":
        return []
    pte, busy = (1 << layout.fields[name].low for name in ("PTE", "BUSY"))
    found = []
    # MMU_PAGE_16M and _16G, asm/mmu.h
    sizes = (("16 MByte", 16 * M, 2 * M, 10), ("16 GByte", 16 * G, 256 * M, 14))
    for name, size, each, psize in sizes:
        answers = (_CLEAN, ("get_slice_psize", psize, f"the address is one of pages of {name}"),
                   ("huge_page_size", size, f"the page has {name}"))
        found.append(
            PageSize(
                name,
                size,
                size // each,
                each,
                (pte | busy, pte),
                absent=size // each,
                answers=answers,
            )
        )
    return found


def _parisc(layout: Layout) -> list[PageSize]:
    """A table's ptes: HPAGE_SIZE is PMD_SIZE (arch/parisc/include/asm/page.h).

    pte_mkhuge does nothing on PA8800 and PA8900.
    """
    if "HUGE" not in layout.fields:
        return []
    ptes = 8 * 4 * K // layout.width
    huge = 1 << layout.fields["HUGE"].low
    marks = (huge, 0 if layout.variant.features.get("cpu_coherency") else huge)
    return [
        PageSize(
            f"{ptes * 4 * K // M} MByte", ptes * 4 * K, ptes, 4 * K, marks, absent=ptes, alone=True
        )
    ]


_CLEAN = ("maybe_pte_to_folio", 0, "the caches of an executable page are clean")
_NOHASH = (_CLEAN, ("is_exec_fault", 0, "the CPU does not handle an exec fault"))
_PAGES: Mapping[str, Callable[[Layout], list[PageSize]]] = {
    "powerpc-8xx": _8xx,
    "powerpc-e500": _e500,
    "powerpc64": _hash_4k,
    "parisc": _parisc,
    "parisc32": _parisc,
}
