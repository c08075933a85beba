# SPDX-License-Identifier: GPL-2.0-or-later
"""Mistakes in the steps that fill an address with a page of the page cache, of KSM, of userfaultfd
or of a driver: noticed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import pytest

from verifier.engine.bits import Bits
from verifier.engine.bits_solver import BitsSolver
from verifier.language.read_yaml import Source
from verifier.model.spec import Spec
from verifier.model.typed import Model
from verifier.prove.bits_way import GroupProver
from verifier.prove.obligations import Group
from verifier.prove.results import Proved, Refuted
from verifier.run.library import Library


class Mistake(NamedTuple):
    """What is replaced in a step's code, or in a procedure that it calls, and a property that it
    breaks then.
    """

    transition: str
    old: str
    new: str
    property: str
    level: str = "pte"
    code: str = "today"
    procedure: str = ""


WRITABLE = "pte = pte_mkwrite(pte, shadow_stack[p])"
MISTAKES = {
    # A page of the page cache is read-only and dirty (CVE-2022-2590): PageAnon has to be asked for.
    "reuse without PageAnon": Mistake(
        "wp-reuse", "if not (exclusive(old) and not ksm):", "if not exclusive(old):",
        "no-false-exclusive", code="option-c"),
    "forced writes without PageAnon": Mistake(
        "force-write", "if ksm or not exclusive(e):", "if not exclusive(e):", "store-leak",
        code="option-c", procedure="can_follow_write_pte"),
    "mprotect without PageAnon": Mistake(
        "mprotect-pte", "return exclusive(e) and not ksm", "return exclusive(e)",
        "no-false-exclusive", code="option-c", procedure="can_change_pte_writable"),
    "pins without PageAnon": Mistake(
        "pin-page", "not write and (ksm or not exclusive(e))", "not write and not exclusive(e)",
        "pin-stays", code="option-c", procedure="gup_must_unshare"),
    "reuse of hugetlbfs without PageAnon": Mistake(
        "hugetlb-wp-reuse", "if ksm or not folio_trylock()", "if not folio_trylock()",
        "no-false-exclusive", "hugetlb", "option-c"),
    "UFFDIO_CONTINUE maps writable": Mistake(
        "uffd-continue", "    if wp:\n", f"    {WRITABLE}\n    if wp:\n", "no-false-exclusive"),
    "UFFDIO_CONTINUE takes the page for its own": Mistake(
        "uffd-continue", "clear_exclusive()", "set_exclusive()", "flag-is-used"),
    "UFFDIO_CONTINUE of hugetlbfs maps writable": Mistake(
        "hugetlb-uffd-continue", "huge_pte_wrprotect(mk_huge_pte(", "huge_pte_mkwrite(mk_huge_pte(",
        "no-false-exclusive", "hugetlb"),
    "a page of the cache in the swap cache": Mistake("add-to-swap", "not page_cache and ", "",
                                                     "page-cache-is-shared"),
    "UFFDIO_COPY leaves the entry clean": Mistake("uffd-copy", "pte_mkdirty(mk_pte(",
                                                  "pte_mkold(mk_pte(", "no-lost-dirty"),
    "UFFDIO_COPY maps writable without VM_WRITE": Mistake("uffd-copy", "if may_write[p]:",
                                                          "if True:", "within-vma"),
    "UFFDIO_COPY forgets the mark": Mistake("uffd-copy", "pte = pte_mkuffd_wp(pte)", "pass",
                                            "uffd-wp-exact"),
    "UFFDIO_COPY of hugetlbfs maps writable under the mark": Mistake(
        "hugetlb-uffd-copy", "if may_write[p] and not wp:", "if True:", "within-vma", "hugetlb"),
    "a copy of a file's page that is clean": Mistake(
        "cow-fault", "maybe_mkwrite(pte_mkdirty(pte)", "maybe_mkwrite(pte_mkold(pte)",
        "no-lost-dirty"),
    "a driver's page writable without VM_WRITE": Mistake("migrate-insert", "if may_write[p]:",
                                                         "if True:", "within-vma"),
    "a driver's page in place of another": Mistake(
        "migrate-insert", "add_new_anon(p, frame, False)", "pass", "reach-is-reference"),
    "a driver's read-only page that is clean": Mistake(
        "migrate-insert", "pte = pte_mkdirty_nosoft(pte)", "pass", "no-false-shared",
        code="option-c"),
    # KSM.
    "swap-in takes a KSM page for its own": Mistake(
        "swap-in", "if not ksm and (excl or sole_ref(p)):", "if excl or sole_ref(p) or ksm:",
        "no-false-exclusive"),
    "swap-in's copy is not exclusive": Mistake(
        "swap-in-copy", "pte = pte_mkdirty_nosoft(pte)", "pass", "no-false-shared",
        code="option-c"),
    "swapoff's copy is not exclusive": Mistake(
        "swap-off-copy", "pte = pte_mkdirty_nosoft(pte)", "pass", "no-false-shared",
        code="option-c"),
    "swap-in's copy has no flag": Mistake(
        "swap-in-copy", "set_exclusive()", "clear_exclusive()", "no-false-shared",
        procedure="add_new_anon"),
    "swap-in's copy is clean": Mistake("swap-in-copy", "folio_dirty = True", "pass",
                                       "no-lost-dirty"),
    "swap-in's copy writable under the mark": Mistake(
        "swap-in-copy", "not (registered[p] and pte_uffd_wp(pte))", "True", "uffd-wp-is-read-only"),
    # The zero page in place of a page that migrates; marks.
    "the zero page before the flush": Mistake("migrate-end-zero-page", "flush_batched(p)", "pass",
                                              "translation-follows"),
    "the zero page without soft-dirty": Mistake(
        "migrate-end-zero-page", "pte = pte_mksoft_dirty(pte)", "pass", "soft-dirty-exact"),
    "the zero page without the mark": Mistake("migrate-end-zero-page", "pte = pte_mkuffd_wp(pte)",
                                              "pass", "uffd-wp-exact"),
    "the zero page, counted for KSM": Mistake(
        "migrate-end-zero-page", "pte_mkspecial(pfn_pte(", "pte_mkdirty(pfn_pte(",
        "reaches-no-mark-of-ksm"),
    "the mark goes, and dirty with it": Mistake(
        "uffd-wp-async", "pte_clear_uffd_wp(ptep_get(entry[p]))",
        "pte_mkclean(pte_clear_uffd_wp(ptep_get(entry[p])))",
        "no-lost-dirty"),
    "the LRU cleans what it reports": Mistake(
        "lru-gen-walk", "folio_dirty = True", "entry[p] = pte_mkclean(entry[p])", "no-lost-dirty"),
}


def planted(spec: Spec, mistake: Mistake) -> Spec:
    """The spec with the mistake in it."""
    if mistake.procedure:
        found = next(p for p in spec.procedures if p.signature.startswith(mistake.procedure + "("))
        assert mistake.old in found.body.text
        body = Source(found.body.text.replace(mistake.old, mistake.new), found.body.where)
        return replace(spec, procedures=tuple(replace(p, body=body) if p is found else p
                                              for p in spec.procedures))
    transition = spec.transitions[mistake.transition]
    written = transition.code(mistake.code)
    assert written is not None and mistake.old in written[1].text
    text = Source(written[1].text.replace(mistake.old, mistake.new), written[1].where)
    changed = replace(transition, codes={**transition.codes, mistake.code: text})
    return replace(spec, transitions={**spec.transitions, mistake.transition: changed})


def verdict(library: Library, spec: Spec, mistake: Mistake) -> bool:
    """Does the step keep the property, or show the effect?"""
    encoding = "page-flag" if mistake.code == "today" else "option-c"
    model = Model(spec, library.layout("x86_64"), spec.encodings[encoding], mistake.level)
    graph = Bits()
    group = Group("x86_64", mistake.level, encoding, mistake.code)
    prover = GroupProver(model, group, graph, BitsSolver(graph))

    def wanted(step: str, prop: str) -> bool:
        return (step, prop) == (mistake.transition, mistake.property)

    if mistake.property.startswith("reaches-"):
        (aim,) = prover.builder.aims(wanted)
        return isinstance(prover.decide_aim(aim), Proved)
    (question,) = prover.builder.questions(wanted)
    return not isinstance(prover.decide(question), Refuted)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_noticed(library: Library, name: str) -> None:
    mistake = MISTAKES[name]
    assert verdict(library, library.spec, mistake), "the step as it is"
    assert not verdict(library, planted(library.spec, mistake), mistake)


# What today's code breaks: KSM copies a page while reclaim has yet to flush what led to it;
# PAGEMAP_SCAN marks a migration entry and leaves it writable, so that its end forgets the mark
# (mm/migrate.c:remove_migration_pte).
@pytest.mark.parametrize(("transition", "prop"), [
    ("swap-in-copy", "translation-follows"), ("swap-off-copy", "translation-follows"),
    ("pagemap-scan-wp", "uffd-wp-is-read-only")])
def test_what_todays_code_breaks(library: Library, transition: str, prop: str) -> None:
    assert not verdict(library, library.spec, Mistake(transition, "", "", prop))
