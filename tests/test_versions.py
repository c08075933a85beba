# SPDX-License-Identifier: GPL-2.0-or-later
"""What arch/ says of one version of the kernel."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sample import sampled
from told import Tool

from verifier.base.errors import SpecError
from verifier.kernel.mm.read_functions import load_calls, load_functions
from verifier.kernel.tree.builds import load_builds
from verifier.language.algebra import Integers
from verifier.language.evaluate import evaluated
from verifier.language.machine import Machine
from verifier.language.read_yaml import Table, read_yaml
from verifier.model.arch import Layout
from verifier.model.check import check_model
from verifier.model.read_arch import load_archs, load_generic
from verifier.model.read_versions import NEWEST_READ, OLDEST_READ, WHOLE, of_version
from verifier.model.spec import Transition
from verifier.run.library import load_library


def whole(folder: Path, text: str) -> Table:
    path = folder / "one.yaml"
    path.write_text(text)
    return read_yaml(path)


@pytest.mark.parametrize(
    ("version", "found"),
    [("6.12.117", ["both", "old"]), ("7.3.3", ["both", "old"]), ("7.3.4", ["both", "new"]),
     ("7.3.4-rc1", ["both", "new"]), ("7.10", ["both", "new"])],
)
def test_a_fact_is_of_the_versions_that_it_says(
    version: str, found: list[str], tmp_path: Path
) -> None:
    text = "h:\n  both: {a: b}\n  old: {a: b, until: 7.3.4}\n  new: {a: b, since: 7.3.4}\n"
    table = of_version(whole(tmp_path, text), version).need("h", Table, "")
    assert list(table) == found
    assert all(dict(table.need(name, Table, "")).keys() == {"a"} for name in found)


def test_a_number_is_one_item_of_a_list(tmp_path: Path) -> None:
    text = "n: [{until: 7.3.4, is: 3}, {since: 7.3.4, is: 7}]\nm: [{until: 7.3.4, is: 1}]\n"
    table = whole(tmp_path, text)
    assert dict(of_version(table, WHOLE)) == {"n": 3, "m": 1}
    assert dict(of_version(table, NEWEST_READ)) == {"n": 7}


def test_of_a_helper_with_several_texts_those_of_the_version_are_left(tmp_path: Path) -> None:
    text = "h:\n  - {until: 7.3.4, body: a}\n  - {since: 7.3.4, body: b}\n  - {variants: c}\n"
    table = whole(tmp_path, text)
    for version in (WHOLE, NEWEST_READ):
        assert isinstance(left := of_version(table, version)["h"], list) and len(left) == 2


def test_a_field_that_is_gone_reads_as_zero_and_is_shared_by_none(tmp_path: Path) -> None:
    text = ("fields:\n  A: {bits: 3, until: 7.3.4}\n  B: {bits: 3, shares: [A, C]}\n"
            "  C: {bits: 3}\n")
    table = of_version(whole(tmp_path, text), NEWEST_READ)
    assert dict(table.need("constants", Table, "")) == {"A": 0}
    fields = table.need("fields", Table, "")
    assert list(fields) == ["B", "C"]
    assert fields.need("B", Table, "").texts("shares", "") == ("C",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("n: {a: 1, since: soon}", "one.yaml:1:18.*must be a version"),
        ("n: {a: 1, until: [x]}", "one.yaml:1:18.*must be a version"),
        ("n: [{is: 1}, {is: 2}]", "one.yaml:1:4.*several values"),
        ("n: [{is: 1}, {a: 2}]", "one.yaml:1:4.*several values"),
    ],
)
def test_what_is_wrong_is_one_error_with_its_place(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=said):
        of_version(whole(tmp_path, f"{text}\n"), WHOLE)


def test_a_version_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no version"):
        of_version(whole(tmp_path, "n: 1\n"), "next")


def test_no_bound_is_left_in_what_is_loaded_and_every_layout_of_the_newest_is_whole() -> None:
    """The texts of every variant type as they are in the newest version that was read."""
    archs, generic = load_archs(version=NEWEST_READ), load_generic(FOLDER, NEWEST_READ)
    for arch in archs.values():
        for variant in arch.variants.values():
            Layout(arch, variant, generic).check()


def test_x86_has_a_bit_more_in_the_newest() -> None:
    old, new = (load_archs(only="x86", version=version)["x86"] for version in (WHOLE, NEWEST_READ))
    assert "DEVMAP" in old.fields and "DEVMAP" not in new.fields
    assert new.constants["DEVMAP"] == 0 and "DEVMAP" not in old.constants


def test_x86_has_no_saved_dirty_and_another_devmap_in_the_oldest() -> None:
    arch = load_archs(only="x86", version=OLDEST_READ)["x86"]
    generic = load_generic(FOLDER, OLDEST_READ)
    layout = Layout(arch, arch.variants["x86_64"], generic)
    layout.check()
    assert "SAVED_DIRTY" not in arch.fields
    assert apply(layout, "pte_mkdirty", 1) == 1 | 1 << 6 | 1 << 11
    assert apply(layout, "pte_wrprotect", 0x43) == 0x41
    assert not apply(layout, "pte_dirty", 1 << 58) and apply(layout, "pte_devmap", 1 << 58)
    assert apply(layout, "pte_mkuffd_wp", 0x3) == 0x403
    assert apply(layout, "huge_pte_mkuffd_wp", 0x3) == 0x403
    assert apply(layout, "swp_type", apply(layout, "make_writable_migration_entry", 7)) == 25
    assert apply(layout, "swp_type", apply(layout, "make_pte_marker_entry", 1)) == 30


def test_builds_are_as_their_version_has_them() -> None:
    old, new = (load_builds(version=version)["s390"] for version in (WHOLE, NEWEST_READ))
    assert old == load_builds()["s390"]
    assert old.features["cpu_nx"].within and not new.features["cpu_nx"].within
    assert new.features["cpu_nx"].masks["page_noexec_mask"] == "_PAGE_NOEXEC"
    assert not old.boot and new.boot == {"private_prot": "setup_protection_map"}
    assert {p.name for p in old.premises} - {p.name for p in new.premises} == {"clean"}


def test_in_a_segment_entry_of_s390_a_bit_says_present_in_the_newest() -> None:
    names = ("T_PRESENT", "T_READ", "T_WRITE", "T_SOFT_DIRTY")
    old, new = (load_archs(only="s390", version=version)["s390"]
                for version in (WHOLE, NEWEST_READ))
    bits = [{name: arch.fields.need(name, Table, "")["bits"] for name in names
             if name in arch.fields} for arch in (old, new)]
    assert bits == [{"T_READ": 0, "T_WRITE": 1, "T_SOFT_DIRTY": 14},
                    {"T_PRESENT": 0, "T_READ": 14, "T_WRITE": 15, "T_SOFT_DIRTY": 1}]
    assert "thp_migration" in old.absent - new.absent


def test_layouts_that_a_version_has_not_are_no_variants_of_it() -> None:
    old, new = (load_archs(only="riscv", version=version)["riscv"].variants
                for version in (WHOLE, NEWEST_READ))
    assert new.keys() - old.keys() == {"riscv64+svrsw", "riscv64+zicfiss"}
    assert not {variant.name for variant in load_library().variants()} & (new.keys() - old.keys())


@pytest.mark.parametrize(("variant", "mark"), [
    ("riscv64+svadu", False), ("riscv64+svrsw", True), ("riscv64+zicfiss", False)])
def test_riscv_has_marks_in_bits_59_and_60_with_svrsw60t59b(variant: str, mark: bool) -> None:
    layout = newest("riscv", variant)
    assert apply(layout, "pte_mksoft_dirty", 0x41) == 0x41 | mark << 59
    assert apply(layout, "pte_mkuffd_wp", 0x45) == 0x43 | mark << 60
    assert apply(layout, "pte_swp_mksoft_dirty", 0x80) == 0x80 | mark << 3
    assert apply(layout, "pte_swp_mkuffd_wp", 0x80) == 0x80 | mark << 4


def test_a_shadow_stack_of_riscv_is_writable_and_nothing_else() -> None:
    with_, without = (newest("riscv", f"riscv64+{name}") for name in ("zicfiss", "svadu"))
    made = apply(with_, "pte_mkwrite", 0xDB, True)
    assert made == 0xD5 and apply(with_, "pte_mkwrite", 0xDB, False) == 0xDF
    assert apply(with_, "pte_hw_shadow_stack", made) and not apply(without, "pte_shstk", made)
    assert apply(without, "pte_hw_reserved", made) and not apply(with_, "pte_hw_reserved", made)
    assert apply(with_, "pte_hw_reserved", made | 8)
    assert apply(with_, "pte_well_formed", made) and not apply(without, "pte_well_formed", made)


def apply(layout: Layout, helper: str, *given: int) -> int:
    """What a helper comes to on plain integers."""
    function = layout.helper(helper)
    names = [parameter.name for parameter in function.params]
    found, _ = evaluated(Machine(Integers()), function, dict(zip(names, given, strict=True)))
    assert isinstance(found, int)
    return found


def newest(arch: str, variant: str) -> Layout:
    """A layout as the newest version that was read has it."""
    found = load_archs(only=arch, version=NEWEST_READ)[arch]
    return Layout(found, found.variants[variant], load_generic(FOLDER, NEWEST_READ))


def test_functions_of_mm_are_called_as_their_version_has_them() -> None:
    old, new = (load_functions(version=version) for version in (WHOLE, NEWEST_READ))
    assert old == load_functions() and old.keys() == new.keys()
    assert "any_skipped" not in old["zap_present_folio_ptes"].call
    assert "&any_skipped" in new["zap_present_folio_ptes"].call
    names = [{stub.name for stub in found["do_anonymous_page.write"].stubs} for found in (old, new)]
    assert names[0] - names[1] == {"__pte_offset_map_lock"}
    assert names[1] - names[0] == {"pte_offset_map_lock"}
    assert load_calls(version=NEWEST_READ)[1].stubs["swap_duplicate"].name == (
        "swap_dup_entry_direct")


@pytest.mark.parametrize("variant", sampled(
    ("x86_64", "arm64-4k+dbm", "riscv64+svrsw", "riscv64+zicfiss", "s390"), ("x86_64",)))
def test_the_steps_can_be_asked_of_the_newest_version(variant: str) -> None:
    library = load_library(version=NEWEST_READ)
    check_model(library.model(variant, "page-flag", "pte"))


def test_steps_and_what_they_keep_are_as_their_version_has_them() -> None:
    old, new = (load_library(version=version).spec for version in (WHOLE, NEWEST_READ))
    assert old.transitions.keys() == new.transitions.keys()
    assert {name for name, step in old.transitions.items()
            if texts(step) != texts(new.transitions[name])} == {
        "lazyfree-discard", "make-device-exclusive", "mprotect-swap-entry",
        "restore-device-exclusive", "swap-in", "uffd-copy"}
    assert old.properties.keys() - new.properties.keys() == {
        "device-within-vma", "marked-device-entry-is-read-only"}
    assert not new.properties.keys() - old.properties.keys()


def texts(step: Transition) -> dict[str, str]:
    """What a step's codes run."""
    return {name: text.text for name, text in step.codes.items()}


def test_in_the_newest_version_what_a_device_stores_may_be_lost() -> None:
    """docs/findings/device-memory.md has the same entries."""
    step = "x86_64/pte/page-flag/device-exclusive-store/today/no-lost-dirty"
    verdict, text = Tool(load_library(version=NEWEST_READ)).explain(step)
    assert verdict == "refuted"
    trace = text[text.index("reached from a fresh mapping"):text.index("what shows it")]
    assert re.findall(r"^ +\d  ([\w-]+)|A    (0x\w+)", trace, re.MULTILINE)[1:] == [
        ("", "0x8000000012345867"),  # which step brings the page is the search's choice
        ("madvise-free", ""), ("", "0x8000000012345807"),
        ("make-device-exclusive", ""), ("", "0xf7fffffffdb97402"),
        ("device-exclusive-store", ""), ("", "0xf7fffffffdb97402")]


def test_what_is_proved_is_about_the_version_that_specs_describes() -> None:
    assert load_library().generic == load_generic(FOLDER, WHOLE)


FOLDER = load_library().arch_folder
