# SPDX-License-Identifier: GPL-2.0-or-later
"""The sizes of pages of hugetlb that have several entries, the first of which is read for all.

What they are stands in arch/, under `hugetlb_pages`.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass

from verifier.base.errors import SpecError
from verifier.model.arch import Layout
from verifier.model.arch_records import FirstLevel, HugePage

__all__ = ["NEIGHBOURS", "K", "PageSize", "pages", "words_of_size"]


NEIGHBOURS = 2  # entries behind a page's, which nothing may change
K, M = 1 << 10, 1 << 20
# What functions of powerpc are taken to return, and why.
_TAKEN = (
    ("maybe_pte_to_folio", 0, "the caches of an executable page are clean"),
    ("is_exec_fault", 0, "the CPU does not handle an exec fault"),
)


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
    tables: FirstLevel | None = None

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


def pages(layout: Layout) -> list[PageSize]:
    """The sizes whose pages have several entries, the first of which is read for all."""
    return [
        _size(layout, page)
        for page in layout.arch.hugetlb_pages
        if any(fnmatch.fnmatchcase(layout.variant.name, glob) for glob in page.variants or "*")
    ]


def _size(layout: Layout, page: HugePage) -> PageSize:
    small = 1 << layout.variant.constants["PAGE_SHIFT"]
    why = f"a page has {page.name}"
    return PageSize(
        page.name,
        page.entries * page.step,
        page.entries,
        (page.step << layout.fields["PFN"].low) // small,
        _marks(layout, page),
        max(small - page.step, 0),
        page.not_present,
        page.alone,
        (*_TAKEN, *((name, number, why) for name, number in page.returns.items())),
        page.tables,
    )


def _marks(layout: Layout, page: HugePage) -> tuple[int, int]:
    """Mask and value of the bits that tell a present entry of such a page."""
    mask = value = 0
    for name, number in page.marks.items():
        field = layout.fields.get(name)
        if field is None or number << field.low & ~field.mask:
            raise SpecError(page.where, f"{layout.variant.name} has no {name} that can be {number}")
        mask, value = mask | field.mask, value | number << field.low
    return mask, value


def words_of_size(layout: Layout, size: int) -> int:
    """How many words pte_update of e500 writes for a size (asm/nohash/pgtable.h).

    Of a size that no unsigned long holds, as many as never fit.
    """
    each = 4 * K if size < 2 * M else 256 * M if layout.ulong == 64 and size >= 256 * M else 2 * M
    return size if size >> layout.ulong else size // each
