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


def changed(folder: Path, file: str, old: str, new: str) -> Library:
    """The library with one text of specs/ changed, wherever it stands in the file."""
    shutil.copytree(HERE.parent / "specs", folder / "specs")
    path = folder / "specs" / f"{file}.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text, "the text has changed: plant the mistake anew"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return load_library(spec_folder=folder / "specs")


def refuted(library: Library, transition: str, of: str = TODAY, level: str = LEVEL,
            dropped: str = "") -> set[str]:
    """The properties that a transition of x86_64 breaks from some state of the invariant."""
    encoding, code = of.split("/")
    group, graph = Group("x86_64", level, encoding, code), Bits()
    prover = GroupProver(library.group_model(group), group, graph, BitsSolver(graph))
    if dropped:
        prover.builder = Builder(prover.model, group, graph, graph_inputs(graph), None,
                                 frozenset([dropped]))
    return {q.property.name for q in prover.builder.questions(lambda t, p: t == transition)
            if q.property.kind != "advisory" and any(prover.possible(q, way) for way in q.ways)}


@pytest.mark.parametrize(("file", "old", "new", "transition", "broken"), [
    pytest.param(FAST, "if ptep_get(entry[p]) != fast_pte[p]:", "if False:", "ksm-write-protect",
                 "pin-stays", id="no second look"),
    pytest.param(FAST, "fast_forked[parent] = True", "fast_forked[parent] = False", "fork-pte",
                 "pin-stays", id="no sequence"),
    pytest.param(FAST, " or fast_forked[p]:", ":", "fork-pte", "pin-stays",
                 id="the sequence is not read again"),
    pytest.param(FAST, "if fast_forks[p] or not (", "if not (", "fork-pte", "pin-stays",
                 id="the sequence is not asked whether it is odd"),
    pytest.param(FAST, "or not gup_must_unshare(p, fast_pte[p], False):", "or True:",
                 "gup-fast-pin-ask", "pin-stays", id="exclusive is not asked for"),
    pytest.param(FAST, "if fast_at[p] == 3:", "if False:", "zap", "looked-again-stays",
                 id="an unmap does not end it"),
    pytest.param(KSM, CLEAR, LOOK, "ksm-write-protect", "pin-stays", id="KSM does not clear first"),
    pytest.param(SWAP, "if no_extra_refs() and", "if (cpu or no_extra_refs()) and",
                 "lazyfree-discard", "pin-stays", id="reclaim does not count"),
])
def test_a_mistake_without_the_lock_is_noticed(
    library: Library, tmp_path: Path, file: str, old: str, new: str, transition: str, broken: str
) -> None:
    assert broken not in refuted(library, transition)
    assert broken in refuted(changed(tmp_path, file, old, new), transition)


NEEDED = {
    "maybe_pinned.a-grab-shows": "ksm-write-protect", "sole_ref.no-grab": "wp-reuse",
    "no_extra_refs.no-grab": "lazyfree-discard", "fresh_page.not-grabbed": "migrate-move",
    "cache_page.not-grabbed-as-writable": "uffd-continue",
}


@pytest.mark.parametrize("axiom", NEEDED)
def test_each_axiom_about_a_grab_is_needed(library: Library, axiom: str) -> None:
    transition = NEEDED[axiom]
    assert (refuted(library, transition, dropped=f"axiom {axiom}")
            > refuted(library, transition))


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
        assert {"gup-fast-pin-look.A", "gup-fast-pin-ask.A"} <= inside
        text = moves_text(library.model("x86_64", "option-c", LEVEL), trace)
        assert re.search(r"inside it gup-fast-pin of A:[ \w,]*look, ask ", " ".join(text.split()))
        plain = result.obligation.transition
        assert "pin-stays" not in refuted(library, plain, "option-c/today", "pte")
    assert len(found.results) == 2


@pytest.mark.parametrize(("file", "old", "new", "message"), [
    (FAST, "  shows: grab", "  shows: grub", "unknown step 'grub'; did you mean grab"),
    (FAST, "    fork-pte:\n", "    fork-ptes:\n", "unknown transition 'fork-ptes'"),
    (FAST, "    unmap(p:process)", "    unmop(p:process)", "unknown action 'unmop'"),
    (FAST, "    sole_ref:", "    soul_ref:", "unknown observation 'soul_ref'"),
    (FAST, "    fast_forks:", "    resident:", "resident of gup-fast-pin stands twice"),
    (FAST, "          fast_pte[p] = pte\n", "          fast_pte[p] = ptep_get(entry[p])\n",
     "gup-fast-pin-read looks at an entry twice: it is two steps"),
    ("levels/pte-lockless", "[gup-fast-pin]", "[gup-fast-pins]", "unknown thread 'gup-fast-pins'"),
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
