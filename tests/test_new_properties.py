# SPDX-License-Identifier: GPL-2.0-or-later
"""Mistakes that one property alone notices: without it they are proved."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from verifier.engine.bits import Bits
from verifier.engine.bits_solver import BitsSolver
from verifier.prove.bits_way import GroupProver
from verifier.prove.obligations import Group
from verifier.prove.results import Refuted
from verifier.run.library import Library, load_library


class Mistake(NamedTuple):
    """What is replaced in which files, and what notices it.

    `beside`: properties that fail with it, "*" for any.
    """

    # file, old, new: every place of the file, or of the step's text in it
    changes: tuple[tuple[str, str, str], ...]
    variant: str
    level: str
    transition: str
    property: str
    encoding: str = "page-flag"
    code: str = "today"
    beside: tuple[str, ...] = ()
    whole: bool = False  # asked only where everything is wanted


MISTAKES = {
    "swap offsets that are not inverted": Mistake(
        (("arch/x86.yaml", '"(~entry << SWP_TYPE_BITS) >> SWP_OFFSET_SHIFT"',
          '"(entry << SWP_TYPE_BITS) >> SWP_OFFSET_SHIFT"'),
         ("arch/x86.yaml", "((~offset << SWP_OFFSET_SHIFT)", "((offset << SWP_OFFSET_SHIFT)")),
        "x86_64", "pte", "swap-out", "no-l1tf"),
    "frames without access that are not inverted": Mistake(
        (("arch/x86.yaml", '"val != 0 and (val & PRESENT) == 0"', '"False"'),), "x86_64", "pte",
        "numa-hint-set", "no-l1tf"),
    "migration entries of huge pages that are not inverted": Mistake(
        (("arch/x86.yaml", '"(~entry << SWP_TYPE_BITS) >> SWP_OFFSET_SHIFT"',
          '"(entry << SWP_TYPE_BITS) >> SWP_OFFSET_SHIFT"'),
         ("arch/x86.yaml", "((~offset << SWP_OFFSET_SHIFT)", "((offset << SWP_OFFSET_SHIFT)")),
        "x86_64", "pmd", "migrate-start-pmd", "no-l1tf", whole=True),
    "frames of hugetlbfs without access that are not inverted": Mistake(
        (("arch/x86.yaml", '"val != 0 and (val & PRESENT) == 0"', '"False"'),),
        "x86_64", "hugetlb", "hugetlb-mprotect", "no-l1tf", whole=True),
    "PAE's swap offsets that are not inverted": Mistake(
        (("arch/x86_32-pae.yaml", "((~u64(offset) <<", "((u64(offset) <<"),
         ("arch/x86_32-pae.yaml", "u32((~pte <<",
          "u32((pte <<"),
         ("arch/x86_32-pae.yaml", "(pte & SWP_ABOVE) == SWP_ABOVE", "(pte & SWP_ABOVE) == 0")),
        "x86_32-pae", "pte", "swap-out", "no-l1tf", whole=True),
    "a page of hugetlbfs without PSE": Mistake(
        (("arch/x86.yaml", 'body: "pte | PSE"', "body: pte"),), "x86_64", "hugetlb",
        "hugetlb-fault", "leaf-in-memory"),
    "a migration of hugetlbfs that ends without PSE": Mistake(
        (("specs/transitions/hugetlb.yaml", "arch_make_huge_pte(pte))", "pte)"),),
        "x86_64", "hugetlb", "hugetlb-migrate-end", "leaf-in-memory", whole=True),
    "a page of hugetlbfs without the mark of sparc64": Mistake(
        (("arch/sparc64.yaml", "(pte_mkhuge(pte) & ~szall()) | PMD_HUGE |",
          "(pte_mkhuge(pte) & ~szall()) |"),),
        "sparc64-sun4v", "hugetlb", "hugetlb-fault", "leaf-in-memory", whole=True),
    "a block of arm64 with the bit of a table": Mistake(
        (("arch/arm64.yaml", 'pgtable:pte_mkhuge", body: "pte & ~TABLE_BIT"',
          'pgtable:pte_mkhuge", body: pte'),),
        "arm64-4k+dbm", "hugetlb", "hugetlb-wp-copy", "leaf-in-memory", whole=True),
    "mremap that keeps a mark": Mistake(
        (("specs/transitions/move.yaml", "      if clear_uffd_wp:\n", "      if False:\n"),),
        "x86_64", "pte", "mremap-move", "marked-is-registered"),
    "mremap of a huge page that keeps a mark": Mistake(
        (("specs/transitions/huge.yaml", "          if clear_uffd_wp:\n",
          "          if False:\n"),),
        "x86_64", "pmd", "mremap-move-pmd", "marked-is-registered", whole=True),
    "mremap of hugetlbfs that keeps a mark": Mistake(
        (("specs/transitions/hugetlb.yaml", "if clear_uffd_wp and", "if False and"),),
        "x86_64", "hugetlb", "hugetlb-move", "marked-is-registered", whole=True),
    "fork that keeps a mark for a child that is not registered": Mistake(
        (("specs/transitions/fork.yaml", "      if not registered[child]:\n",
          "      if False:\n"),),
        "x86_64", "pte", "fork-pte", "marked-is-registered"),
    "fork of a swap entry that keeps a mark": Mistake(
        (("specs/transitions/fork.yaml", "      if not registered[child]:\n",
          "      if False:\n"),),
        "x86_64", "pte", "fork-swap-entry", "marked-is-registered", whole=True),
    "write protection of what is not registered": Mistake(
        (("specs/transitions/protect.yaml", " or not registered[p]:", ":"),),
        "x86_64", "pte", "uffd-wp-set", "marked-is-registered", whole=True),
    "unregistering that leaves other pages' marks": Mistake(
        (("specs/transitions/protect.yaml", "pte_clear_uffd_wp(old)", "old"),),
        "x86_64", "pte", "uffd-unregister-elsewhere", "marked-is-registered", beside=("*",),
        whole=True),
    "unregistering that leaves the marks of swap entries": Mistake(
        (("specs/transitions/protect.yaml", "          pte = pte_swp_clear_uffd_wp(pte)\n",
          "          pass\n"),),
        "x86_64", "pte", "mprotect-swap-entry", "marked-is-registered", whole=True),
    "a collapse of marked pages": Mistake(
        (("specs/transitions/huge.yaml", "      if uffd_wp(entry[p]):\n          return\n", ""),),
        "x86_64", "pmd", "collapse", "uffd-wp-exact", whole=True),
    "a swap-in that stays exclusive under stable writeback": Mistake(
        (("specs/transitions/swap.yaml", "if excl and writeback and stable:", "if False:"),),
        "x86_64", "pte", "swap-in", "stable-writeback"),
    "a swapoff that does not wait for writeback": Mistake(
        (("specs/transitions/swap.yaml", "      if writeback:\n          return\n", ""),),
        "x86_64", "pte", "swap-off", "stable-writeback", whole=True),
    "writing back what a device has exclusively": Mistake(
        (("specs/transitions/swap.yaml", " and unmapped() and no_extra_refs():",
          " and unmapped():"),),
        "x86_64", "pte", "write-back", "stable-writeback", beside=("device-writes-are-dirty",),
        whole=True),
    "reuse of a page whose slot is given back under writeback": Mistake(
        (("specs/transitions/fault.yaml", "if writeback or not swap_count_zero():",
          "if not swap_count_zero():"),),
        "x86_64", "pte", "wp-reuse", "stable-writeback", beside=("writeback-in-swap-cache",),
        whole=True),
    "access flags that change nothing": Mistake(
        (("arch/x86.yaml", "          set_pte(ptep, entry)\n", "          pass\n"),), "x86_64",
        "pte", "wp-reuse", "progress"),
    "a fault that forgets the access flag": Mistake(
        (("specs/transitions/fault.yaml", "      pte = pte_mkyoung(pte)\n", ""),),
        "arm64-4k", "pte", "write-fault-writable", "progress", beside=("frame",), whole=True),
    "a write fault that leaves a writable entry clean where the CPU does not set dirty": Mistake(
        (("specs/transitions/fault.yaml", "          pte = pte_mkdirty(pte)\n",
          "          pass\n"),),
        "riscv64", "pte", "write-fault-writable", "progress", whole=True),
    "an invalidated huge entry that names its frame": Mistake(
        (("arch/x86.yaml", '"pfn_pmd(pmd_pfn(pmd), pmd_flags(pmd) & ~(PRESENT | PROTNONE))"',
          '"pmd & ~(PRESENT | PROTNONE)"'),),
        "x86_64", "pmd", "static", "transient-entries"),
    "an invalidated huge entry that software takes for none": Mistake(
        (("arch/x86.yaml", '"(pmd & (PRESENT | PROTNONE | PSE)) != 0"',
          '"(pmd & (PRESENT | PROTNONE)) != 0"'),),
        "x86_64", "pmd", "static", "transient-entries", whole=True),
    "restoring a device's page without dirty": Mistake(
        (("specs/transitions/fault.yaml", "maybe_mkwrite(pte_mkdirty(pte), p, may_write[p])",
          "maybe_mkwrite(pte, p, may_write[p])"),),
        "x86_64", "pte", "restore-device-exclusive", "no-lost-dirty"),
    "merging a page that ptrace is about to write": Mistake(

                 (("specs/world.yaml", '"not no_extra_refs or not (writer[0] or writer[1])"',
                   '"True"'),),
        "x86_64", "pte", "ksm-stabilise", "writer-is-alone", whole=True),
    "a fork that does not wait for the lock under which ptrace writes": Mistake(
        (("specs/transitions/fork.yaml", "if not mmap_write_locked(parent) or", "if"),),
        "x86_64", "pte", "fork-swap-entry", "writer-is-alone", beside=("*",), whole=True),
}


def refuted(library: Library, group: Group, transition: str) -> set[str]:
    """The properties that a step does not keep, by induction alone: no trace is searched."""
    graph = Bits()
    prover = GroupProver(library.group_model(group), group, graph, BitsSolver(graph))
    asked = prover.builder.questions(lambda step, prop: step == transition)
    return {
        question.property.name for question in asked if isinstance(prover.decide(question), Refuted)
    }


@cache
def without(group: Group, transition: str) -> set[str]:
    """What fails without a mistake."""
    return refuted(load_library(), group, transition)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_noticed_by_one_property(name: str, tmp_path: Path, whole: bool) -> None:
    mistake = MISTAKES[name]
    if mistake.whole and not whole:
        pytest.skip("a sample is enough: --whole asks for all")
    shipped = load_library()
    for folder, of in (("arch", shipped.arch_folder), ("specs", shipped.spec_folder)):
        shutil.copytree(of, tmp_path / folder)
    for file, old, new in mistake.changes:
        path = tmp_path / file
        text = path.read_text()
        start = text.index(f"\n{mistake.transition}:") if "transitions" in file else 0
        end = text.find("\n\n", start) if "transitions" in file else len(text)
        assert old in text[start:end], old
        path.write_text(text[:start] + text[start:end].replace(old, new) + text[end:])
    group = Group(mistake.variant, mistake.level, mistake.encoding, mistake.code)
    library = load_library(tmp_path / "arch", tmp_path / "specs")
    found = refuted(library, group, mistake.transition) - without(group, mistake.transition)
    assert mistake.property in found
    assert "*" in mistake.beside or found == {mistake.property, *mistake.beside}
