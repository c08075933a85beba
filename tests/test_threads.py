# SPDX-License-Identifier: GPL-2.0-or-later
"""Threads that take no lock: between which steps GUP-fast's come, and what each part is for."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from sample import sampled

from verifier.base.errors import SpecError
from verifier.engine.bits import Bits
from verifier.engine.bits_solver import BitsSolver
from verifier.model.check import check_model
from verifier.prove.bits_way import GroupProver, graph_inputs
from verifier.prove.builder import Builder
from verifier.prove.obligations import Group
from verifier.prove.results import Refuted
from verifier.report.moves import moves_text
from verifier.run.filters import Filters
from verifier.run.library import Library, load_library
from verifier.run.plan import groups_of
from verifier.run.scheduler import Options, prove

HERE = Path(__file__).parent
LEVEL, TODAY, MENDED = "pte-lockless", "page-flag/today", "option-c/option-c"
FAST, KSM, SWAP = "threads/gup-fast", "transitions/ksm", "transitions/swap"
CLEAR = "          pte = ptep_clear_flush(entry[p])\n          if not no_extra"
LOOK = "          pte = ptep_get(entry[p])\n          if not no_extra"
HUGE, HUGETLB = "transitions/huge", "transitions/hugetlb"
COUNTS_BEFORE = (
    """      if fresh_huge_page(frame):
          huge[p] = True
          table = entry[p]
          entry[p] = EMPTY_PMD
          flushed(p)
          if tracks_new == 0 and not no_extra_refs():
              huge[p] = False
              entry[p] = table
              return
""",
    """      if tracks_new == 0 and not no_extra_refs():
          return
      if fresh_huge_page(frame):
          huge[p] = True
          entry[p] = EMPTY_PMD
          flushed(p)
""")
NOT_CLEARED = (
    """      anon_excl = exclusive(entry[p]) and not ksm
      pte = huge_ptep_clear_flush(entry[p])
""",
    """      anon_excl = exclusive(entry[p]) and not ksm
      pte = huge_ptep_get(entry[p])
""")
LOOKS_BEFORE = (
    """      old = pmdp_invalidate(entry[p])
      anon_excl = exclusive(old)
      if pmd_dirty(old):
          folio_dirty = True
      if anon_excl:
          if maybe_pinned():
              set_pmd_at(entry[p], old)
              return
""",
    """      pmd = pmdp_get(entry[p])
      if exclusive(pmd) and maybe_pinned():
          return
      old = pmdp_invalidate(entry[p])
      anon_excl = exclusive(old)
      if pmd_dirty(old):
          folio_dirty = True
      if anon_excl:
""")


def changed(folder: Path, file: str, old: str, new: str) -> Library:
    """The library with one text of specs/ changed, wherever it stands in the file."""
    shutil.copytree(HERE.parent / "specs", folder / "specs")
    path = folder / "specs" / f"{file}.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text, "the text has changed: plant the mistake anew"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return load_library(spec_folder=folder / "specs")


def refuted(library: Library, transition: str, of: str = TODAY, level: str = LEVEL,
            dropped: str = "", variant: str = "x86_64") -> set[str]:
    """The properties that a transition breaks from some state of the invariant."""
    encoding, code = of.split("/")
    group, graph = Group(variant, level, encoding, code), Bits()
    prover = GroupProver(library.group_model(group), group, graph, BitsSolver(graph))
    if dropped:
        prover.builder = Builder(prover.model, group, graph, graph_inputs(graph), None,
                                 frozenset([dropped]))
    return {q.property.name for q in prover.builder.questions(lambda t, p: t == transition)
            if q.property.kind != "advisory" and any(prover.possible(q, way) for way in q.ways)}


MISTAKES = {
    "no second look": (FAST, "if other_entry(p, walk_is_huge(), fast_pte[p]):", "if False:", {
        "pte": "ksm-write-protect pin-stays", "pmd": "migrate-start-pmd pin-stays",
        "hugetlb": "hugetlb-migrate-start pin-stays"}),
    "no second look of a reference": (
        FAST, "if other_entry(p, walk_is_huge(), fast_pte[p]):",
        "if fast_pins[p] and other_entry(p, walk_is_huge(), fast_pte[p]):",
        {"pte": "gup-fast-look no-false-exclusive"}),
    "the entry above is not read again": (
        "levels/pmd", "walk_huge:bool, e): not walk_huge or entry[p] != e",
        "walk_huge:bool, e): walk_huge and entry[p] != e", {"pmd": "collapse pin-stays"}),
    "what is not permitted is read": (FAST, "or not pte_access_permitted(pte, False)", "", {
        "pmd": "migrate-start-pmd pin-stays"}),
    "no sequence": (FAST, "fast_forked[parent] = True", "fast_forked[parent] = False", {
        "pte": "fork-pte pin-stays", "pmd": "fork-pmd pin-stays",
        "hugetlb": "hugetlb-fork pin-stays"}),
    "the sequence is not read again": (FAST, " or fast_forked[p]:", ":", {
        "pte": "fork-pte pin-stays", "pmd": "fork-pmd pin-stays",
        "hugetlb": "hugetlb-fork pin-stays"}),
    "the sequence is not asked whether it is odd": (FAST, "(pin and fast_forks[p]) or not (",
        "not (", {"pte": "fork-pte pin-stays", "hugetlb": "hugetlb-fork pin-stays"}),
    "exclusive is not asked for": (
        FAST, "or not gup_must_unshare(p, fast_pte[p], False):", "or True:", {
            "pte": "gup-fast-ask pin-stays", "pmd": "gup-fast-ask pin-stays",
            "hugetlb": "gup-fast-ask pin-stays"}),
    "an unmap does not end it": (FAST, "if fast_at[p] == 3:", "if False:", {
        "pte": "zap looked-again-stays", "hugetlb": "hugetlb-zap looked-again-stays"}),
    "KSM does not clear first": (KSM, CLEAR, LOOK, {"pte": "ksm-write-protect pin-stays"}),
    "reclaim does not count": (SWAP, "if no_extra_refs() and", "if (cpu or no_extra_refs()) and", {
        "pte": "lazyfree-discard pin-stays"}),
    "khugepaged counts before it unlinks": (HUGE, *COUNTS_BEFORE, {"pmd": "collapse pin-stays"}),
    "a split looks for pins before it invalidates": (
        HUGE, *LOOKS_BEFORE, {"pmd": "split-pmd-freeze pin-stays"}),
    "migration of hugetlb does not clear first": (
        HUGETLB, *NOT_CLEARED, {"hugetlb": "hugetlb-migrate-start pin-stays"}),
}


@pytest.mark.parametrize(("name", "level"), sampled(
    [(name, level) for name, mistake in MISTAKES.items() for level in mistake[3]],
    {(name, next(iter(mistake[3]))) for name, mistake in MISTAKES.items()}))
def test_a_mistake_without_the_lock_is_noticed(
    library: Library, tmp_path: Path, name: str, level: str
) -> None:
    file, old, new, where = MISTAKES[name]
    transition, broken = where[level].split()
    level = f"{level}-lockless"
    assert broken not in refuted(library, transition, level=level)
    assert broken in refuted(changed(tmp_path, file, old, new), transition, level=level)


NEEDED = {
    "maybe_pinned.a-grab-shows": "pte ksm-write-protect", "sole_ref.no-grab": "pte wp-reuse",
    "no_extra_refs.no-grab": "pte lazyfree-discard", "fresh_page.not-grabbed": "pte migrate-move",
    "fresh_huge_page.not-grabbed": "pmd huge-anon-write-fault",
    "cache_page.not-grabbed-as-writable": "pte uffd-continue",
}


@pytest.mark.parametrize("axiom", NEEDED)
def test_each_axiom_about_a_grab_is_needed(library: Library, axiom: str) -> None:
    level, transition = NEEDED[axiom].split()
    assert (refuted(library, transition, level=f"{level}-lockless", dropped=f"axiom {axiom}")
            > refuted(library, transition, level=f"{level}-lockless"))


def test_no_other_axiom_is_about_a_thread(library: Library) -> None:
    assert {f"{name}.{axiom.name}" for thread in library.spec.threads.values()
            for name in library.spec.observations for axiom in thread.axioms(name)} == {*NEEDED}


STEPS = load_library().spec.at(load_library().spec.levels[LEVEL]).transitions
LOOKED = ("fork-pte", "swap-out", "lazyfree-discard", "zap",
          *(name for name, step in STEPS.items() if step.turn is not None))
# Without threads these break pin-stays or are led to by what does (docs/findings.md).
AFTER_OTHERS = {"uprobe-replace", "migrate-start-device", "migrate-end-device"}


@pytest.mark.parametrize(("of", "transition"), sampled(
    [(of, name) for of in (TODAY, MENDED) for name in STEPS],
    {(of, name) for of in (TODAY, MENDED) for name in LOOKED}))
def test_nothing_else_breaks_among_threads(library: Library, of: str, transition: str) -> None:
    among = refuted(library, transition, of)
    if STEPS[transition].turn is not None:
        assert not among
    elif transition in AFTER_OTHERS:
        assert among - refuted(library, transition, of, "pte") <= {
            "pin-stays", "looked-again-stays", "looked-again-is-alone"}
    else:
        assert among == refuted(library, transition, of, "pte")


def test_tests_of_pins_without_the_lock_do_not_do_under_option_c(library: Library) -> None:
    """T39 and T43 ask for pins, and take write away behind that: GUP-fast comes between."""
    found = prove(library, Filters(("x86_64",), (LEVEL,), ("option-c",), ("today",),
                                   ("numa-hint-set", "clear-soft-dirty"), ("pin-stays",)),
                  Options(jobs=1, thorough=False))
    for result in found.results:
        verdict = result.verdict
        assert isinstance(verdict, Refuted) and verdict.counterexample.reached
        trace = verdict.counterexample.trace
        inside = {name.partition("@")[0] for name, value in trace[-1].inputs.items() if value}
        assert {"gup-fast-look.A", "gup-fast-ask.A"} <= inside
        text = moves_text(library.model("x86_64", "option-c", LEVEL), trace)
        assert re.search(r"inside it gup-fast of A:[ \w,]*look, ask ", " ".join(text.split()))
        plain = result.obligation.transition
        assert "pin-stays" not in refuted(library, plain, "option-c/today", "pte")
    assert len(found.results) == 2


@pytest.mark.parametrize("variant", sampled(
    ["riscv64+svadu", "loongarch", "s390", "arm64-4k", "powerpc64-radix", "mips64"],
    {"riscv64+svadu", "arm64-4k"}))
def test_an_invalid_huge_entry_is_read_where_nothing_refuses_it(
    library: Library, variant: str
) -> None:
    """docs/findings/gup-fast.md: pmd_access_permitted() of x86, arm64 and powerpc refuses it."""
    found = refuted(library, "split-pmd-freeze", level="pmd-lockless", variant=variant)
    assert ("pin-stays" in found) == (variant in ("riscv64+svadu", "loongarch", "s390"))


@pytest.mark.parametrize(("file", "old", "new", "message"), [
    (FAST, "  shows: grab", "  shows: grub", "unknown step 'grub'; did you mean grab"),
    (FAST, "    fork-pte:\n", "    fork-ptes:\n", "unknown transition 'fork-ptes'"),
    (FAST, "    unmap(p:process)", "    unmop(p:process)", "unknown action 'unmop'"),
    (FAST, "    sole_ref:", "    soul_ref:", "unknown observation 'soul_ref'"),
    (FAST, "    fast_forks:", "    resident:", "resident of gup-fast stands twice"),
    (FAST, "          fast_pte[p] = pte\n", "          fast_pte[p] = entry[p]\n",
     "gup-fast-read looks at an entry twice: it is two steps"),
    ("levels/pte-lockless", "[gup-fast]", "[gup-fasts]", "unknown thread 'gup-fasts'"),
    ("levels/pte-lockless", "like: pte", "like: pud", "pte-lockless is like no level 'pud'"),
    ("levels/pte-lockless", "like: pte", "like: pte\nnames: {a: b}",
     "pte-lockless is like pte, which says 'names' for it"),
    ("transitions/fork", "if exclusive(pte):", "if exclusive(pte) and fast_at[parent] == 0:",
     "fast_at"),
])
def test_what_is_wrong_about_a_thread_is_an_error(
    tmp_path: Path, file: str, old: str, new: str, message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        check_model(changed(tmp_path, file, old, new).model("x86_64", "page-flag", LEVEL))


def test_where_no_walk_is_without_the_lock_there_is_no_such_theorem(library: Library) -> None:
    groups, skipped = groups_of(library, Filters(level=(LEVEL,)))
    why = {one["variant"]: one["why"] for one in skipped if one.get("level") == LEVEL}
    assert why["um"] == "has no smp" and why["alpha"] == "has no gup_fast"
    assert {"x86_64", "arm64-4k"} <= {group.variant for group in groups}
    assert not {group.variant for group in groups} & why.keys()
