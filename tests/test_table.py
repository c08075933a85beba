# SPDX-License-Identifier: GPL-2.0-or-later
"""The table says what is known of architectures, computed.

And says otherwise where a helper is changed.
"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from verifier.cli import main
from verifier.evidence.table.compute import VariantRow, _Entry, _is_spare, table
from verifier.evidence.table.proofs import Proofs, proofs
from verifier.evidence.table.show_proofs import lines
from verifier.evidence.table.show_proofs import rows as proof_rows
from verifier.kernel.conform.laws import LawFails
from verifier.prove.obligations import Group
from verifier.prove.results import TheoremResult
from verifier.run.library import Library
from verifier.run.scheduler import Options


@pytest.fixture(scope="module")
def rows(library: Library) -> dict[str, VariantRow]:
    return {row.variant: row for row in table(library, ["x86_64", "arm64-4k", "m68k"])}


def test_bits_that_carry(rows: dict[str, VariantRow]) -> None:
    x86, arm, m68k = rows["x86_64"], rows["arm64-4k"], rows["m68k"]
    assert (x86.carried["dirty"] == ("6 DIRTY", "58 SAVED_DIRTY")
            and x86.carried["write"] == ("1 RW",))
    # RDONLY clear in a writable entry is dirty too
    assert {b.split()[0] for b in arm.carried["dirty"]} == {"7", "51", "55"}
    assert arm.carried["soft-dirty"] == () and x86.carried["soft-dirty"] == ("11 SOFT_DIRTY",)
    assert (m68k.carried["write"] == ("2 RONLY",)
            and m68k.carried["swap-exclusive"] == ("11 SWP_EXCLUSIVE",))


def test_one_step_or_not(rows: dict[str, VariantRow]) -> None:
    assert rows["x86_64"].steps == {"set_wrprotect": True, "get_and_clear": True,
                                    "access_flags": False}
    assert not any(rows["m68k"].steps.values())


def test_a_bit_is_spare_only_as_long_as_nothing_touches_it(library: Library) -> None:
    layout = library.layout("x86_64")
    assert [bit for bit in (0, 6, 12, 52, 58) if _is_spare(_Entry(layout), layout, bit)] == [52]
    for name, body in (("pte_young", "(pte & (1 << 52)) != 0"), ("pte_mkyoung", "pte | (1 << 52)"),
                       ("pte_mkold", "pte & ~(1 << 52)"),
                       ("pte_mkclean", "pte | ((pte >> 1) & (1 << 51))")):
        changed = layout.with_body(name, body)
        assert not _is_spare(_Entry(changed), changed, 52), name


def test_what_only_takes_a_word_out_of_an_entry_touches_no_bit(library: Library) -> None:
    layout = library.layout("arm64-4k")
    assert [bit for bit in (51, 55, 58, 59, 60, 63)
            if _is_spare(_Entry(layout), layout, bit)] == [59, 63]


def test_a_refuted_statement_has_values_that_refute_it(
    rows: dict[str, VariantRow], library: Library
) -> None:
    from verifier.language.algebra import Integers
    from verifier.language.evaluate import call
    from verifier.language.machine import Machine

    found = next(r for r in rows["arm64-4k"].statements
                 if r.law.name == "clean-writable-entry-is-hardware-writable")
    assert isinstance(found, LawFails)
    layout, pte = library.layout("arm64-4k"), found.values["pte"]

    def says(helper: str) -> bool:
        return bool(call(Machine(Integers()), layout.helper(helper), (pte,)))

    assert says("pte_write") and not says("pte_dirty") and not says("pte_hw_writable")


@pytest.mark.parametrize("form", ["text", "markdown", "json"])
def test_every_form(form: str) -> None:
    result = CliRunner().invoke(main,
                                ["table", "--arch", "x86_64", "--arch", "m68k", "--format", form])
    assert result.exit_code == 0 and "m68k" in result.output
    if form == "json":
        found = {row["variant"]: row for row in json.loads(result.output)["variants"]}
        assert found["m68k"]["carried"]["write"] == ["2 RONLY"]
    assert CliRunner().invoke(main, ["table", "--arch", "vax"]).exit_code == 2


def test_the_table_covers_every_variant(library: Library, whole: bool) -> None:
    names = [v.name for v in library.variants()][::1 if whole else 4]
    found = table(library, names)
    assert [row.variant for row in found] == names
    for row in found:
        assert row.carried["write"] and row.carried["dirty"], row.variant
        # alpha's pte_swp_exclusive returns an int, which has no bit 39: docs/findings/alpha.md
        assert bool(row.carried["swap-exclusive"]) is not row.variant.startswith("alpha"), (
            row.variant)


@pytest.fixture(scope="module")
def proved(library: Library) -> Proofs:
    """Without uprobes, whose replacing of a pinned page every theorem refutes:
    docs/findings/uprobes.md.
    """
    transitions = {name: one for name, one in library.spec.transitions.items()
                   if name != "uprobe-replace"}
    spec = replace(library.spec, transitions=transitions)
    smaller = Library(library.archs, library.generic, spec, library.arch_folder,
                      library.spec_folder)
    return proofs(smaller, ("nios2", "microblaze"), Options(jobs=2))


def test_theorems_are_those_of_the_proofs(proved: Proofs) -> None:
    verdicts = {(t.variant, t.encoding, t.code): t.verdict for t in proved.theorems}
    assert verdicts["microblaze", "option-c", "option-c"] == "proved"
    assert verdicts["nios2", "option-c", "option-c"] == "refuted"
    assert verdicts["microblaze", "option-c", "today"] == "refuted"
    assert set(verdicts) == {(v, e, c) for v in ("nios2", "microblaze")
                             for e, c in (("page-flag", "today"), ("option-c", "today"),
                                          ("option-c", "option-c"))}


def test_a_refuted_theorem_says_which_step_and_entry(proved: Proofs) -> None:
    """nios2, option C: a store through a writable clean entry leaves it as it is, and nothing else
    fails.
    """
    found = next(t for t in proved.theorems
                 if (t.variant, t.encoding, t.code) == ("nios2", "option-c", "option-c"))
    assert [(f.transition, f.property, f.verdict)
            for f in found.failures] == [("hw-store", "no-lost-dirty", "refuted")]
    entry = found.failures[0].entry
    assert (entry is not None and entry[0] == entry[1] and entry[0] & (1 << 22)
            and not entry[0] & (1 << 27))
    cells = {row[0]: row[1:] for row in proof_rows(proved)}
    assert cells["nios2/pte"][2] == "1 refuted" and cells["microblaze/pte"][2:] == ("proved", "-")
    told = lines(proved, False)
    start = next(i for i, line in enumerate(told)
                 if line.startswith("option-c/option-c no-lost-dirty: "))
    assert told[start + 1] == f"  no   nios2/pte: hw-store {entry[0]:#x} -> {entry[1]:#x}"
    assert told[start + 2] == "  yes  microblaze/pte"


@pytest.mark.parametrize("form", ["text", "markdown", "json"])
def test_proofs_in_every_form(form: str, monkeypatch: pytest.MonkeyPatch, proved: Proofs) -> None:
    monkeypatch.setattr("verifier.evidence.table.proofs.proofs", lambda *args: proved)
    plain = CliRunner().invoke(main, ["table", "--arch", "nios2", "--format", form])
    result = CliRunner().invoke(main, ["table", "--arch", "nios2", "--format", form, "--proofs"])
    assert result.exit_code == 0 and "hw-store" in result.output and "hw-store" not in plain.output
    if form == "json":
        found = json.loads(result.output)["theorems"]
        assert {t["verdict"] for t in found
                if (t["encoding"], t["code"]) == ("option-c", "option-c")} == {"proved", "refuted"}
    if form == "markdown":
        assert "| nios2/pte | 3 refuted | 13 refuted | 1 refuted | - |" in result.output


def test_the_verdicts_are_the_runs(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """No verdict is written down: another run gives another table."""
    from verifier.prove.results import Run

    theorem = TheoremResult(Group("nios2", "pte", "option-c", "option-c"), "unknown", (), {}, True)
    monkeypatch.setattr("verifier.evidence.table.proofs.prove",
                        lambda *args: Run((), (theorem,), {}))
    rows = proof_rows(proofs(library, ("nios2",), Options()))
    assert rows == [("nios2/pte", "-", "-", "unknown", "-")]
