# SPDX-License-Identifier: GPL-2.0-or-later
"""sparc64 flushes by its stores, and what asks for a flush does nothing: `flushes` and `elsewhere`
of specs/world.yaml.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from verifier.base.data import data_folder
from verifier.base.errors import SpecError
from verifier.engine.bits import Bits
from verifier.engine.bits_solver import BitsSolver
from verifier.model.texts import name_of
from verifier.prove.bits_way import GroupProver
from verifier.prove.obligations import Group
from verifier.prove.results import Proved, Vacuous
from verifier.run.library import Library, load_library

TRANSLATIONS = {"translation-follows", "translation-within-entry", "translation-within-vma",
                "stale-is-ours", "stores-flush", "huge-is-flushed"}
VARIANTS = ("sparc64-sun4u", "sparc64-sun4v", "sparc64-sun4v+m7")
OPTION_C, TODAY = ("option-c", "option-c"), ("page-flag", "today")
# A helper whose store flushes nothing: the level, the code, the step that notices it.
FORGOTTEN = {
    "set_pte_at": ("pte", OPTION_C, "madvise-free"),
    "ptep_get_and_clear": ("pte", OPTION_C, "wp-copy"),
    "ptep_set_wrprotect": ("pte", TODAY, "fork-pte"),
    "ptep_test_and_clear_young": ("pte", OPTION_C, "clear-young"),
    "pmdp_huge_get_and_clear": ("pmd", OPTION_C, "mremap-move-pmd"),
    "pmdp_set_wrprotect": ("pmd", TODAY, "fork-pmd"),
    "pmdp_test_and_clear_young": ("pmd", OPTION_C, "clear-young-pmd"),
    "pmdp_invalidate": ("pmd", OPTION_C, "split-pmd"),
    "set_huge_pte_at": ("hugetlb", OPTION_C, "hugetlb-wp-copy"),
    "huge_ptep_get_and_clear": ("hugetlb", OPTION_C, "hugetlb-mprotect"),
    "huge_ptep_set_wrprotect": ("hugetlb", TODAY, "hugetlb-fork"),
}


def changed(folder: Path, file: str, *pairs: tuple[str, str]) -> Library:
    """The library whose specs are a copy, in which each old text is a new one."""
    shutil.copytree(data_folder("specs"), folder / "specs")
    text = (folder / "specs" / file).read_text()
    for old, new in pairs:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (folder / "specs" / file).write_text(text)
    return load_library(None, folder / "specs")


def failing(library: Library, variant: str, level: str, pair: tuple[str, str],
            transition: str = "*") -> set[tuple[str, str]]:
    """What is not proved about translations."""
    group, graph = Group(variant, level, *pair), Bits()
    prover = GroupProver(library.group_model(group), group, graph, BitsSolver(graph))
    questions = prover.builder.questions(lambda t, p: transition in ("*", t) and p in TRANSLATIONS)
    return {(q.transition, q.property.name) for q in questions
            if not isinstance(prover.decide(q), Proved)}


@pytest.mark.parametrize("level", ["pte", "hugetlb", "pmd"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_translations_of_sparc64_are_proved(library: Library, variant: str, level: str,
                                            whole: bool) -> None:
    if not whole and (variant != "sparc64-sun4v" and level != "pte"):
        pytest.skip("a sample is enough: --whole asks for all")
    for pair in (OPTION_C, TODAY):
        assert failing(library, variant, level, pair) == set()


def test_each_record_has_its_mistake(library: Library) -> None:
    assert {name_of(f.text) for f in library.spec.flushes if f.only_on} == set(FORGOTTEN)


@pytest.mark.parametrize("pair", [OPTION_C, TODAY])
@pytest.mark.parametrize("variant", ["parisc+hugetlb", "parisc32+hugetlb"])
def test_a_copy_of_hugetlb_is_flushed_when_it_is_stored_on_parisc(
    library: Library, tmp_path: Path, variant: str, pair: tuple[str, str],
) -> None:
    assert failing(library, variant, "hugetlb", pair) == set()
    here = '      "parisc*": >-\n        arch/parisc/mm'
    forgotten = changed(tmp_path, "world.yaml", (here, here.replace("parisc*", "no parisc")))
    assert (
        ("hugetlb-wp-copy", "translation-follows") in failing(forgotten, variant, "hugetlb", pair)
    )


@pytest.mark.parametrize("helper", FORGOTTEN)
def test_a_store_that_flushes_nothing_is_noticed(tmp_path: Path, helper: str) -> None:
    level, pair, step = FORGOTTEN[helper]
    line = next(x for x in (data_folder("specs") / "world.yaml").read_text().splitlines()
                if helper in x and " of: [" in x)
    names = [name for name in line.partition("[")[2].rstrip("]").split(", ") if name != helper]
    library = changed(tmp_path, "world.yaml", (line, f"    of: [{', '.join(names)}]"))
    assert failing(library, "sparc64-sun4v", level, pair, step)


def test_what_is_asked_for_is_no_flush(tmp_path: Path) -> None:
    """No translation ends when mmu_gather asks for it: the effect of tlb-flush, claimed of sparc64
    too, is not to be had.
    """
    here = '      not_on: {"sparc64*": "stores have flushed; nothing is left to do"}\n'
    claimed = changed(tmp_path, "transitions/gup.yaml", (here, ""))
    group, graph = Group("sparc64-sun4v", "pte", *TODAY), Bits()
    prover = GroupProver(claimed.group_model(group), group, graph, BitsSolver(graph))
    aims = list(prover.builder.aims(lambda t, p: (t, p) == ("tlb-flush", "reaches-flushed")))
    assert len(aims) == 1 and isinstance(prover.decide_aim(aims[0]), Vacuous)


@pytest.mark.parametrize(("old", "new", "message"), [
    ("flush(p:process): pass", "flash(p:process): pass",
     "replaces no action of the world; did you mean flush"),
    ("flush(p:process): pass", "flush(q:process): pass",
     r"flush\(q:process\) replaces no action of the world"),
    ("of: [pmdp_huge_get_and_clear,",
     "of: [pmdp_huge_clear_flush, pmdp_invalidate, pmdp_huge_get_and_clear,",
     "pmdp_invalidate stands twice on sparc64-"),
    ("of: [set_pte_at,", "of: [set_pte_out,",
     "unknown helper 'set_pte_out'; did you mean set_pte_at"),
    ("elsewhere:\n", "elsewhere:\n  'um*': {actions: {flush(p:process): pass}}\n",
     "has no .because."),
])
def test_wrong_records(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        changed(tmp_path, "world.yaml", (old, new))
