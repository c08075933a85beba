# SPDX-License-Identifier: GPL-2.0-or-later
"""Helpers before and after a patch, from intermediate representation that is written here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kernel.test_tree import fake_tree
from verifier.kernel.conform.changed import (
    HelperChange,
    Libraries,
    helper_changes,
    unknown_helpers,
)
from verifier.kernel.conform.conform import conform_variant
from verifier.kernel.conform.helpers import LiftedBuild
from verifier.kernel.conform.law_changes import LawChange, law_changes
from verifier.kernel.conform.results import Inconclusive
from verifier.kernel.conform.same_code import same_code
from verifier.kernel.conform.session import level_names
from verifier.kernel.tree.build_store import Origin
from verifier.kernel.tree.builds import load_builds
from verifier.kernel.tree.compile import Compiled
from verifier.kernel.tree.compiler import Configured
from verifier.kernel.tree.shapes import load_shapes
from verifier.kernel.tree.tree import open_tree
from verifier.run.library import Library

SHAPES = load_shapes()
HEAD = 'target datalayout = "e-m:e-i64:64-i128:128-n8:16:32:64-S128"\n'
WRITE, DIRTY = 2, 64
OLD = f"""
@mask = internal constant i64 {~WRITE}
define i64 @pteproof_pte_wrprotect__0(i64 %a0) !dbg !7 {{
  %r = call i64 @clear(i64 %a0), !dbg !9
  ret i64 %r, !dbg !10
}}
define internal i64 @clear(i64 %v) #1 {{
  %m = load i64, ptr @mask, align 8
  %r = and i64 %v, %m
  ret i64 %r
}}
"""
IS_DIRTY = f"""
define i1 @pteproof_pte_dirty__0(i64 %a0) {{
  %d = and i64 %a0, {DIRTY}
  %r = icmp ne i64 %d, 0
  ret i1 %r
}}
"""
ATOMIC = f"""
define void @pteproof_ptep_set_wrprotect__0(ptr %mm0, i64 %addr1, ptr %a2) {{
  %old = atomicrmw and ptr %a2, i64 {~WRITE} seq_cst, align 8
  ret void
}}
define i64 @pteproof_size_pte() {{
  ret i64 8
}}
"""
PLAIN = ATOMIC.replace(
    f"%old = atomicrmw and ptr %a2, i64 {~WRITE} seq_cst, align 8",
    f"%v = load volatile i64, ptr %a2, align 8\n  %w = and i64 %v, {~WRITE}\n"
    "  store volatile i64 %w, ptr %a2, align 8",
)


def halves(first: int, second: int) -> str:
    """set_pte() that stores two words, those at these bytes."""
    stores = "".join(f"""  %s{n} = lshr i64 %a1, {8 * n}
  %w{n} = trunc i64 %s{n} to i32
  %p{n} = getelementptr i8, ptr %a0, i64 {n}
  store volatile i32 %w{n}, ptr %p{n}, align 4
""" for n in (first, second))
    return f"""
define void @pteproof_set_pte__0(ptr %a0, i64 %a1) {{
{stores}  ret void
}}
define i64 @pteproof_size_pte() {{
  ret i64 8
}}
"""


@pytest.fixture
def configured(tmp_path: Path) -> Configured:
    tree = open_tree(fake_tree(tmp_path / "tree"))
    return Configured(tree, load_builds()["x86_64"], tmp_path, "key", (),
                      Origin(tree.path, lambda: True), (), (), 0.0)


def compiled(configured: Configured, text: str) -> Compiled:
    words = (word.partition("(")[0] for word in text.split("@") if word.startswith("pteproof_"))
    return Compiled(configured, {"wrappers": HEAD + text}, frozenset(words), 0.0)


def libraries(configured: Configured, old: str, new: str) -> Libraries:
    was, now = (compiled(configured, text) for text in (old, new))
    return Libraries(
        LiftedBuild(was, SHAPES), LiftedBuild(now, SHAPES), same_code(was, now, SHAPES))


def change(
    library: Library, configured: Configured, old: str, new: str, helper: str = "pte_wrprotect"
) -> HelperChange:
    layout = library.layout("x86_64")
    found = helper_changes(libraries(configured, old, new), layout, level_names())
    return next(one for one in found if one.helper == helper)


@pytest.mark.parametrize("new", [
    OLD.replace("!dbg !9", "!dbg !123").replace("#1", "#4"),
    OLD + "define void @other() {\n  ret void\n}\n",
])
def test_what_differs_in_lines_and_elsewhere_is_the_same_code(
    library: Library, configured: Configured, new: str
) -> None:
    found = change(library, configured, OLD, new)
    assert (found.word, found.why) == ("unchanged", "the same code")


def test_what_is_the_same_in_another_way_is_proved(
    library: Library, configured: Configured
) -> None:
    for new in (
        OLD.replace("%r = and i64 %v, %m", "%n = xor i64 %m, -1\n  %o = or i64 %v, %n\n"
                                           "  %r = xor i64 %o, %n"),
        OLD.replace("@mask", "@other_mask"),
    ):
        found = change(library, configured, OLD, new)
        assert (found.word, found.why) == ("unchanged", "proved")


@pytest.mark.parametrize("edit", [
    (f"constant i64 {~WRITE}", f"constant i64 {~(WRITE | DIRTY)}"),
    ("%r = and i64 %v, %m", f"%s = and i64 %v, %m\n  %r = and i64 %s, {~DIRTY}"),
])
def test_what_differs_is_shown_on_both_sides(
    library: Library, configured: Configured, edit: tuple[str, str]
) -> None:
    found = change(library, configured, OLD, OLD.replace(*edit))
    assert found.word == "changed" and dict(found.inputs) == {"pte": DIRTY}
    assert (found.old["result"], found.new["result"]) == (DIRTY, 0)
    assert found.texts == {
        "pte": "0x40 (DIRTY)", "old result": "0x40 (DIRTY)", "new result": "0x0 (0)"}


def test_a_helper_that_has_another_name_now_is_not_known(
    library: Library, configured: Configured
) -> None:
    """What arch/ says would stand in its place, and hide what it does under the other name."""
    layout = library.layout("x86_64")
    renamed = OLD + IS_DIRTY.replace("pteproof_pte_dirty", "pteproof_pte_is_dirty")
    found = tuple(helper_changes(libraries(configured, OLD + IS_DIRTY, renamed), layout,
                                 level_names()))
    assert [(one.helper, one.word) for one in found] == [
        ("pte_dirty", "gone"), ("pte_wrprotect", "unchanged")]
    assert unknown_helpers(found) == (f"pte_dirty: {found[0].why}",) and "renamed" in found[0].why
    again = tuple(helper_changes(libraries(configured, renamed, OLD + IS_DIRTY), layout,
                                 level_names()))
    assert again[0].word == "added" and not unknown_helpers(again)


def test_conform_names_what_the_kernel_has_under_no_known_name(
    library: Library, configured: Configured
) -> None:
    layout = library.layout("x86_64")
    for text, words in ((OLD + IS_DIRTY, ("Differs", "Absent")), (OLD, ("Inconclusive", "Absent"))):
        lifted = LiftedBuild(compiled(configured, text), SHAPES)
        found = conform_variant(lifted, layout, ("pte_dirty", "pte_hw_writable"), "bits")
        assert tuple(type(one).__name__ for one in found) == words
    assert isinstance(found[0], Inconclusive)
    assert "pgtable.h:pte_dirty: it was renamed" in found[0].reason


def test_what_is_undefined_or_unknown_now_is_not_unchanged(
    library: Library, configured: Configured
) -> None:
    for new, why in (
        (OLD.replace("%r = and i64 %v, %m", "%s = and i64 %v, %m\n  %t = shl i64 0, %v\n"
                                            "  %r = or i64 %s, %t"), "poison"),
        (OLD.replace("%r = and i64 %v, %m", "%r = call i64 @nobody(i64 %v)")
         + "declare i64 @nobody(i64)\n", "nobody"),
    ):
        found = change(library, configured, OLD, new)
        assert found.word == "incomplete" and why in found.why
    # undefined before for some values: of the others it is said
    was = OLD.replace("%r = and i64 %v, %m", "%s = and i64 %v, %m\n  %t = shl i64 0, %v\n"
                                             "  %r = or i64 %s, %t")
    assert change(library, configured, was, OLD).word == "unchanged"


def test_numbers_of_initcalls_are_no_code(configured: Configured) -> None:
    def text(number: int, what: str = "") -> str:
        return OLD + f'module asm "__initcall__kmod_x__{number}_519_init3:"\n' + what

    assert libraries(configured, text(1), text(2)).same == {"pte_wrprotect"}
    assert not libraries(configured, text(1), text(1, 'module asm "clear: ret"\n')).same


def test_an_interval_is_part_of_the_code(library: Library, configured: Configured) -> None:
    def text(number: int, high: int) -> str:
        return OLD.replace("align 8", f"align 8, !range !{number}") + (
            f"!{number} = !{{i64 -3, i64 {high}}}\n")

    assert change(library, configured, text(3, 0), text(5, 0)).why == "the same code"
    assert change(library, configured, text(3, 0), text(3, -1)).why != "the same code"


def test_numbers_in_assembly_are_part_of_the_code(configured: Configured) -> None:
    def text(template: str) -> str:
        asm = f'call i64 asm sideeffect "{template}", "=r,r"(i64 %v) #3'
        return OLD.replace("and i64 %v, %m", asm)

    known = libraries(configured, text("and $0, $1, #4"), text("and $0, $1, #4")).same
    assert known == {"pte_wrprotect"}
    for other in ("and $0, $1, #5", "and $0, $1, !dbg !9"):
        assert not libraries(configured, text("and $0, $1, #4"), text(other)).same
    assert not libraries(configured, text("nop !dbg !8"), text("nop !dbg !9")).same


def test_a_helper_that_comes_or_goes_is_named(library: Library, configured: Configured) -> None:
    other = OLD.replace("pte_wrprotect", "pte_mkold")
    assert change(library, configured, OLD, other).word == "gone"
    assert change(library, configured, OLD, other, "pte_mkold").word == "added"


def test_what_wrappers_tell_of_the_build_counts_for_all(
    library: Library, configured: Configured
) -> None:
    new = (OLD + ATOMIC).replace("ret i64 8", "ret i64 4")
    assert not libraries(configured, OLD + ATOMIC, new).same
    assert libraries(configured, OLD + ATOMIC, OLD + ATOMIC).same


def test_a_helper_that_is_one_step_no_more_has_changed(
    library: Library, configured: Configured
) -> None:
    """Its values are the same: what the hardware sets in between is lost."""
    found = change(library, configured, ATOMIC, PLAIN, "ptep_set_wrprotect")
    assert found.word == "changed" and "it is not one step: " in found.why
    found = change(library, configured, PLAIN, ATOMIC, "ptep_set_wrprotect")
    assert (found.word, found.why) == ("changed", "it is one step now, and was not")
    spelled = ATOMIC.replace("seq_cst", "monotonic")
    assert change(library, configured, ATOMIC, spelled, "ptep_set_wrprotect").word == "unchanged"


def test_what_memory_holds_between_stores_is_part_of_what_a_helper_means(
    library: Library, configured: Configured
) -> None:
    """The entry behind the last store is the same."""
    turned = change(library, configured, halves(0, 4), halves(4, 0), "set_pte")
    assert turned.word == "incomplete" and "between its stores than before" in turned.why
    store = "{\n  store volatile i64 %a1, ptr %a0, align 8\n  ret void"
    whole = re.sub(r"\{\n.*?  ret void", store, halves(0, 4), count=1, flags=re.DOTALL)
    for old, new in ((whole, halves(0, 4)), (halves(0, 4), whole)):
        assert change(library, configured, old, new, "set_pte").word == "incomplete"
    spelled = halves(0, 4).replace("lshr i64 %a1, 0", "or i64 %a1, 0")
    same = change(library, configured, halves(0, 4), spelled, "set_pte")
    assert (same.word, same.why) == ("unchanged", "proved")


def laws(library: Library, configured: Configured, old: str, new: str) -> dict[str, LawChange]:
    both = libraries(configured, old + IS_DIRTY, new + IS_DIRTY)
    found = law_changes(both, library.layout("x86_64"), frozenset({"pte_wrprotect"}))
    return {one.law: one for one in found if one.level == "pte"}


def test_a_law_that_only_the_patched_kernel_breaks(
    library: Library, configured: Configured
) -> None:
    name = "any-wrprotect-keeps-dirty"
    bad = OLD.replace(f"constant i64 {~WRITE}", f"constant i64 {~(WRITE | DIRTY)}")
    found = laws(library, configured, OLD, bad)[name]
    assert found.word == "broken" and found.values["pte"] & DIRTY
    assert laws(library, configured, bad, OLD)[name].word == "fixed"
    assert laws(library, configured, bad, bad)[name].word == "still broken"
    assert laws(library, configured, OLD, OLD)[name].word == "kept"
    assert "mkclean-clears-dirty" not in laws(library, configured, OLD, bad)
