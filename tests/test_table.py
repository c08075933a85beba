# SPDX-License-Identifier: GPL-2.0-or-later
"""The table says what is known of architectures, computed; and says otherwise where a helper is changed."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from verifier.cli import main
from verifier.kernel.laws import Fails
from verifier.plan import Library
from verifier.table.compute import Row, _Entry, _is_spare, table


@pytest.fixture(scope="module")
def rows(library: Library) -> dict[str, Row]:
    return {row.variant: row for row in table(library, ["x86_64", "arm64-4k", "m68k"])}


def test_bits_that_carry(rows: dict[str, Row]) -> None:
    x86, arm, m68k = rows["x86_64"], rows["arm64-4k"], rows["m68k"]
    assert x86.carried["dirty"] == ("6 DIRTY", "58 SAVED_DIRTY") and x86.carried["write"] == ("1 RW",)
    assert {b.split()[0] for b in arm.carried["dirty"]} == {"7", "51", "55"}  # RDONLY clear in a writable entry is dirty too
    assert arm.carried["soft-dirty"] == () and x86.carried["soft-dirty"] == ("11 SOFT_DIRTY",)
    assert m68k.carried["write"] == ("2 RONLY",) and m68k.carried["swap-exclusive"] == ("11 SWP_EXCLUSIVE",)


def test_one_step_or_not(rows: dict[str, Row]) -> None:
    assert rows["x86_64"].steps == {"set_wrprotect": True, "get_and_clear": True, "access_flags": False}
    assert not any(rows["m68k"].steps.values())


def test_a_bit_is_spare_only_as_long_as_nothing_touches_it(library: Library) -> None:
    layout = library.layout("x86_64")
    assert [bit for bit in (0, 6, 12, 52, 58) if _is_spare(_Entry(layout), layout, bit)] == [52]
    for name, body in (("pte_young", "(pte & (1 << 52)) != 0"), ("pte_mkyoung", "pte | (1 << 52)"),
                       ("pte_mkold", "pte & ~(1 << 52)"), ("pte_mkclean", "pte | ((pte >> 1) & (1 << 51))")):
        changed = layout.with_body(name, body)
        assert not _is_spare(_Entry(changed), changed, 52), name


def test_a_refuted_statement_has_values_that_refute_it(rows: dict[str, Row], library: Library) -> None:
    from verifier.algebra import Integers
    from verifier.evaluate import Machine, call

    found = next(r for r in rows["arm64-4k"].statements if r.law.name == "clean-writable-entry-is-hardware-writable")
    assert isinstance(found, Fails)
    layout, pte = library.layout("arm64-4k"), found.values["pte"]

    def says(helper: str) -> bool:
        return bool(call(Machine(Integers()), layout.helper(helper), (pte,)))

    assert says("pte_write") and not says("pte_dirty") and not says("pte_hw_writable")


@pytest.mark.parametrize("form", ["text", "markdown", "json"])
def test_every_form(form: str) -> None:
    result = CliRunner().invoke(main, ["table", "--arch", "x86_64", "--arch", "m68k", "--format", form])
    assert result.exit_code == 0 and "m68k" in result.output
    if form == "json":
        found = {row["variant"]: row for row in json.loads(result.output)["variants"]}
        assert found["m68k"]["carried"]["write"] == ["2 RONLY"]
    assert CliRunner().invoke(main, ["table", "--arch", "vax"]).exit_code == 2


def test_the_table_covers_every_variant(library: Library) -> None:
    names = [v.name for v in library.variants()]
    found = table(library, names)
    assert [row.variant for row in found] == names
    for row in found:
        assert row.carried["write"] and row.carried["dirty"], row.variant
        # alpha's pte_swp_exclusive returns an int, which has no bit 39: docs/findings/alpha.md
        assert bool(row.carried["swap-exclusive"]) is not row.variant.startswith("alpha"), row.variant
