# SPDX-License-Identifier: GPL-2.0-or-later
"""Read what a file of arch/ says of pages of hugetlb that have several entries."""

from __future__ import annotations

from verifier.base.errors import SpecError, Where, nearest
from verifier.language.read_yaml import Items, Plain, Source, Table
from verifier.model.arch_records import Arch, BlockSize, FirstLevel, HugePage

__all__ = ["check_hugetlb", "read_blocks", "read_pages"]

_PAGE = ("variants", "entries", "step", "marks", "not_present", "alone", "returns", "tables")


def read_blocks(table: Table) -> tuple[BlockSize, ...]:
    """The sizes under `hugetlb_blocks`: any entry of a page may be asked."""
    return tuple(_block(table, key) for key in table)


def read_pages(table: Table) -> tuple[HugePage, ...]:
    """The sizes under `hugetlb_pages`: the first entry of a page is read for all.

    Under one name is one record, or a list of them for several variants.
    """
    found = []
    for key in table:
        value = table.need(key, (Table, Items), "hugetlb_pages")
        found += [_page(key, record, table.at[key])
                  for record in ([value] if isinstance(value, Table) else value)]
    return tuple(found)


def check_hugetlb(arch: Arch) -> None:
    """Refuse names that are no constants of some variant, no fields, and no helpers."""
    for block in arch.hugetlb_blocks:
        for variant in arch.variants.values():
            for name in (block.entries, block.shift):
                if isinstance(name, str) and name not in variant.constants:
                    hint = nearest(name, variant.constants)
                    raise SpecError(block.where, f"{variant.name} has no constant {name!r}{hint}")
        if block.mark not in arch.helpers:
            hint = nearest(block.mark, arch.helpers)
            raise SpecError(block.where, f"{arch.name} has no helper {block.mark!r}{hint}")
    for page in arch.hugetlb_pages:
        for name in page.marks:
            if name not in arch.fields:
                hint = nearest(name, arch.fields)
                raise SpecError(page.where, f"{arch.name} has no field {name!r}{hint}")


def _block(table: Table, key: str) -> BlockSize:
    what = "a block of entries"
    record = table.need(key, Table, "hugetlb_blocks")
    record.only(("entries", "shift", "alike", "mark"), what)
    entries, shift = (record.need(name, (int, Source), what) for name in ("entries", "shift"))
    return BlockSize(
        key, entries.text if isinstance(entries, Source) else entries,
        shift.text if isinstance(shift, Source) else shift, record.get_as("alike", bool, False),
        record.text("mark", what), table.key_at[key],
    )


def _page(name: str, record: Plain, where: Where) -> HugePage:
    what = "a page of hugetlb"
    if not isinstance(record, Table):
        raise SpecError(where, f"{name} must be a mapping with entries, step and marks")
    record.only(_PAGE, what)
    entries = _power_of_two(record, "entries", what)
    return HugePage(
        name, record.texts("variants", "variants"), entries, _power_of_two(record, "step", what),
        _numbers(record.need("marks", Table, what)), record.get_as("not_present", int, entries),
        record.get_as("alone", bool, False),
        _numbers(record.get_as("returns", Table, Table(record.where))),
        _tables(record.need("tables", Table, what)) if "tables" in record else None, record.where,
    )


def _tables(record: Table) -> FirstLevel:
    what = "tables"
    record.only(("first", "walk", "size", "mask", "value", "points"), what)
    return FirstLevel(
        record.text("first", what), record.text("walk", what), record.need("size", int, what),
        record.need("mask", int, what), record.need("value", int, what),
        record.get_as("points", bool, False),
    )


def _power_of_two(record: Table, key: str, what: str) -> int:
    number = record.need(key, int, what)
    if number < 1 or number & (number - 1):
        raise SpecError(record.at[key], f"{key} is a power of two, not {number}")
    return number


def _numbers(table: Table) -> dict[str, int]:
    return {key: table.need(key, int, "a page of hugetlb") for key in table}
