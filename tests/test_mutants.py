# SPDX-License-Identifier: GPL-2.0-or-later
"""Mistakes that have to be noticed: each takes something away from a code, and some property has to
fail.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from verifier.engine.bits import Bits
from verifier.engine.bits_solver import BitsSolver
from verifier.prove.bits_way import GroupProver
from verifier.prove.obligations import Group
from verifier.prove.results import Refuted
from verifier.run.library import load_library

PIN_TEST = (
    "          if maybe_pinned():\n              set_pte_at(entry[p], pte)\n              return\n"
)
TODAY, OPTION_C = ("page-flag", "today"), ("option-c", "option-c")

# name: file, transition, what is replaced, by what, group, a property that fails
MUTANTS = {
    "fork without the pin test": (
        "fork", "fork-pte", "          if needs_cow_for_dma(parent):\n              return\n", "",
        TODAY, "pin-stays"),
    "fork that does not move dirty to the folio": (
        "fork", "fork-pte", "      if pte_dirty(pte):\n          folio_dirty = True\n      "
                            "set_pte_at(", "      set_pte_at(",
        OPTION_C, "no-lost-dirty"),
    "fork that leaves the parent writable": (
        "fork", "fork-pte", "ptep_set_wrprotect(entry[parent])", "pass", TODAY,
        "no-false-exclusive"),
    "fork that leaves the flag": ("fork", "fork-pte", "          clear_exclusive()\n", "", TODAY,
                                  "no-false-exclusive"),
    "fork of a swap entry that keeps exclusive": (
        "fork", "fork-swap-entry", "pte = pte_swp_clear_exclusive(pte)", "pass", TODAY,
        "no-false-exclusive"),
    "fork of a migration entry that stays writable": (
        "fork", "fork-migration-entry", "make_readable_migration_entry(",
        "make_writable_migration_entry(", TODAY,
        "no-false-exclusive"),
    "stable writes that keep exclusive": (
        "swap", "swap-in", "                  excl = False\n                  give_up(p)\n",
        "                  excl = False\n", TODAY, "no-false-shared"),
    "reuse by map count": ("fault", "wp-reuse", "sole_ref(p)", "mapcount_one(p)", TODAY,
                           "no-false-exclusive"),
    "reuse of a page with swap entries": (
        "fault", "wp-reuse", "if writeback or not swap_count_zero():", "if writeback:", TODAY,
        "reach-is-reference"),
    "swapping out a pinned page": ("swap", "swap-out", PIN_TEST, "", TODAY, "pin-stays"),
    "swapping out without the exclusive bit": (
        "swap", "swap-out", "new = pte_swp_mkexclusive(new)", "pass", TODAY, "no-false-shared"),
    "migrating a pinned page": ("migrate", "migrate-start", PIN_TEST, "", TODAY, "pin-stays"),
    "copying away from a pin": (
        "fault", "wp-copy",
        "      if tracks_new == 0 and not ksm and exclusive(old):\n          return\n", "", TODAY,
        "pin-stays"),
    "the mkdirty of today under mprotect": (
        "protect", "mprotect-pte", "pte_mkdirty_nosoft", "pte_mkdirty", OPTION_C,
        "soft-dirty-exact"),
    "mprotect that keeps nothing": (
        "protect", "mprotect-pte", "pte = pte_mkdirty_nosoft(pte)", "pass", OPTION_C, "pin-stays"),
    "uffd-wp that forgets its mark": ("protect", "uffd-wp-set", "pte_mkuffd_wp(pte)", "pte", TODAY,
                                      "uffd-wp-exact"),
    "MADV_FREE of what others use": (
        "swap", "madvise-free", "          if not mapcount_one(p):\n              return\n", "",
        TODAY, "no-lost-dirty"),
    "dropping a dirty lazyfree page": (
        "swap", "lazyfree-discard", "if no_extra_refs() and not folio_dirty:",
        "if no_extra_refs():", TODAY,
        "dropped-newer"),
    "freeing a dirty swap cache folio": (
        "swap", "free-swap-cache-folio", "resident and swapcache and not folio_dirty",
        "resident and swapcache", TODAY, "dropped-newer"),
    "FOLL_FORCE without the exclusive test": (
        "../world", "force-write", "    if ksm or not exclusive(e):\n        return False\n", "",
        TODAY, "store-leak"),
    "an upgrade without the exclusive test": (
        "../world", "mprotect-pte", "    return exclusive(e) and not ksm\n", "    return not ksm\n",
        TODAY, "no-false-exclusive"),
    "pinning a page that is maybe shared": (
        "gup", "pin-page", "if not pte_write(pte) and gup_must_unshare(p, pte, write):",
        "if False:", TODAY, "pin-stays"),
    "swapping out without a flush": (
        "swap", "swap-out", "pte = ptep_clear_flush(entry[p])",
        "pte = ptep_get_and_clear(entry[p])", TODAY,
        "translation-follows"),
    "a page of another process in mremap": (
        "move", "mremap-move", "      set_pte_at(entry[p], pte)\n",
        "      set_pte_at(entry[p], pte_mkwrite(pte, False))\n",
        TODAY, "no-false-exclusive"),
    "fork of a huge page without the pin test": (
        "huge", "fork-pmd", "          if needs_cow_for_dma(parent):\n              return\n", "",
        TODAY, "pin-stays"),
    "fork of a huge page that leaves the parent writable": (
        "huge", "fork-pmd", "pmdp_set_wrprotect(entry[parent])", "pass", TODAY,
        "no-false-exclusive"),
    "a split that keeps a huge page's exclusivity from its ptes": (
        "huge", "split-pmd", "          pte = pte_mkdirty_nosoft(pte)\n", "          pass\n",
        OPTION_C, "no-false-shared"),
    "a split that makes a page writable": (
        "huge", "split-pmd", "if pmd_write(old):", "if may_write[p]:", TODAY, "no-false-exclusive"),
    "a split that forgets the frame's place in the huge page": (
        "huge", "split-pmd", "mk_pte(pfn,", "mk_pte(huge_frame(pfn),", TODAY, "reach-is-reference"),
    "migrating a pinned huge page": (
        "huge", "migrate-start-pmd",
        PIN_TEST.replace("set_pte_at(entry[p], pte)", "set_pmd_at(entry[p], pmd)"), "", TODAY,
        "pin-stays"),
    "a collapse of a pinned page": (
        "huge", "collapse", "if tracks_new == 0 and not no_extra_refs():", "if False:", TODAY,
        "pin-stays"),
    "fork of a page of hugetlbfs that leaves the parent writable": (
        "hugetlb", "hugetlb-fork", "huge_ptep_set_wrprotect(entry[parent])", "pass", TODAY,
        "no-false-exclusive"),
    "reuse of a page of hugetlbfs that others hold": (
        "hugetlb", "hugetlb-wp-reuse", "          if not sole_ref(p):\n              return\n", "",
        OPTION_C, "no-false-exclusive"),
    "migrating a pinned page of hugetlbfs": (
        "hugetlb", "hugetlb-migrate-start", PIN_TEST.replace("set_pte_at", "set_huge_pte_at"), "",
        TODAY, "pin-stays"),
    "reuse of a huge page by map count": (
        "huge", "huge-wp-reuse", "sole_ref(p)", "mapcount_one(p)", TODAY, "no-false-exclusive"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mistake_is_noticed(name: str, tmp_path: Path) -> None:
    file, transition, old, new, (encoding, code), prop = MUTANTS[name]
    shutil.copytree(load_library().spec_folder, tmp_path / "specs")
    path = tmp_path / "specs" / "transitions" / f"{file}.yaml"
    text = path.read_text()
    start = text.index(f"\n{transition}:") if not file.startswith("..") else 0
    end = (next((m.start() for m in re.finditer(r"\n(?=[a-z])", text) if m.start() > start),
                len(text)) if start else len(text))
    assert old in text[start:end]
    path.write_text(text[:start] + text[start:end].replace(old, new) + text[end:])
    library = load_library(None, tmp_path / "specs")
    group = Group("x86_64", {"huge": "pmd", "hugetlb": "hugetlb"}.get(file, "pte"), encoding, code)
    graph = Bits()
    prover = GroupProver(library.group_model(group), group, graph, BitsSolver(graph))
    asked = list(prover.builder.questions(lambda t, p: (t, p) == (transition, prop)))
    assert [type(prover.decide(question)) for question in asked] == [Refuted]
