# SPDX-License-Identifier: GPL-2.0-or-later
"""Option C's fork cleans entries before dup_mmap flushes: what mends it, what does not, and what
each mend rests on.

Each candidate is the shipped code with texts replaced, and the lemma as the candidate needs it.
Whatever fails of the whole induction, and does not fail of the shipped code, is the candidate's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from verifier.base.errors import Where
from verifier.engine.bits import Bits
from verifier.engine.bits_solver import BitsSolver
from verifier.language.read_yaml import Source
from verifier.model.check import check_model
from verifier.model.spec import ADVISORY
from verifier.model.typed import Model
from verifier.prove.bits_way import GroupProver
from verifier.prove.obligations import Group
from verifier.prove.results import Move, Proved
from verifier.run.library import Library
from verifier.search.follow import follow
from verifier.search.path import Path, Paths
from verifier.search.rules import Rules
from verifier.search.sequences import steps_named

Edits = Mapping[str, tuple[tuple[str, str], ...]]

OWES = "begin_fork(parent)\nflush_later(parent)"
CLEANS = ("pte = ptep_get(entry[parent])\nif pte_dirty(pte):\n    folio_dirty = "
          "True\nset_pte_at(entry[parent], pte_mkclean(pte))")
ASKS = "batch(p, pte_dirty(pte) or tlb_flush_pending(p))"
LATER = ("swap-out", "lazyfree-discard", "migrate-start")
OWED = "(folio_dirty and fork_window[p] and due[p])"
BATCHED = "(batched_write[p] and folio_dirty)"

# The steps that may run while a process forks, that take entries away, or that end such a window.
# With --whole all are asked.
WINDOW = ("fork-pte", "fork-flush", "swap-out", "swap-in", "lazyfree-discard", "migrate-start",
          "migrate-end", "migrate-move", "write-back", "write-back-end", "free-swap-cache-folio",
          "zap", "stale-store", "tlb-flush", "load-translation", "hw-store")


def fork(*edits: tuple[str, str]) -> Edits:
    """Fork owes no flush that anybody sees; and these texts of its code are others."""
    return {"fork-pte": ((OWES, "begin_fork(parent)"), *edits)}


def reclaim(writable: str) -> Edits:
    """What mm/rmap.c:set_tlb_ubc_flush_pending takes for writable."""
    return dict.fromkeys(LATER, ((ASKS, f"batch(p, {writable})"),))


@dataclass(frozen=True)
class Candidate:
    """Codes with texts replaced, the lemma that goes with them, and what fails then."""

    edits: Edits
    lemma: tuple[tuple[str, str], ...] = ()
    fails: frozenset[str] = frozenset()
    more: Edits = field(default_factory=dict)  # other lemmas that say what is flushed before IO


AS_TODAY = ((f" or {OWED}", ""),)
BY_WINDOW = ((OWED, "(folio_dirty and fork_window[p])"),)
TAKEN = frozenset({"swap-out/stale-is-ours", "migrate-start/stale-is-ours"})
UNMENDED = {**fork(), **reclaim("pte_dirty(pte)")}
CANDIDATES = {
    # As shipped; and each half of it alone.
    "shipped": Candidate({}),
    "reclaim does not ask": Candidate(reclaim("pte_dirty(pte)"), fails=TAKEN),
    "fork does not raise": Candidate(fork(), fails=frozenset({"fork-pte/stale-is-ours"})),
    "unmended, with a lemma that asks for the folio alone": Candidate(
        UNMENDED, BY_WINDOW, TAKEN),
    # A flush for each page table, before its entries are cleaned.
    "fork flushes first": Candidate(
        {**fork((CLEANS, f"flush(parent)\n{CLEANS}")), **reclaim("pte_dirty(pte)")}, AS_TODAY
    ),
    # The entries stay dirty until the one flush: exclusive, while the child maps the page. Nor can
    # the pass tell them from those that fork has copied for the child, which are exclusive.
    "a second pass": Candidate(
        {**fork((CLEANS, CLEANS.rpartition("\n")[0])), **reclaim("pte_dirty(pte)"),
         "fork-flush": (("end_fork(p)", "end_fork(p)\nif maps(p) and not pte_write(entry[p]) and "
                                        "pte_dirty(entry[p]):\n"
                                        "    folio_dirty = True\n    set_pte_at(entry[p], "
                                        "pte_mkclean(ptep_get(entry[p])))"),)},
        AS_TODAY, frozenset({"fork-pte/no-false-exclusive", "fork-pte/exclusive-only-granted",
                             "fork-flush/no-false-shared", "fork-flush/pin-stays"})),
    # Every entry that is taken away counts as dirty; or that of a dirty folio; or pageout flushes
    # whatever is batched.
    "always writable": Candidate({**fork(), **reclaim("True")}, BY_WINDOW),
    "a dirty folio": Candidate({**fork(), **reclaim("pte_dirty(pte) or folio_dirty")}, BY_WINDOW),
    "pageout flushes": Candidate(
        {**UNMENDED, "write-back": (("flush_batched_dirty(0)", "flush_batched(0)"),
                                    ("flush_batched_dirty(1)", "flush_batched(1)"))},
        (*BY_WINDOW, (BATCHED, "(batched[p] and folio_dirty)")),
        more={"writeback-in-swap-cache": (("batched_write[p]", "batched[p]"),),
              "translation-within-entry": (("(batched_write[p] or not stale_write[p])", "True"),)}),
}


def changed(library: Library, variant: str, candidate: Candidate) -> Model:
    """Option C at ptes with the candidate's texts."""
    spec = library.spec
    transitions = dict(spec.transitions)
    for name, edits in candidate.edits.items():
        old = transitions[name]
        code = old.codes.get("option-c", old.codes["today"])
        text = code.text
        for before, after in edits:
            assert text.count(before) == 1, (name, before, text)
            text = text.replace(before, after)
        # texts are known by their places
        place = Where(code.where.path, code.where.line, code.where.column + 1)
        transitions[name] = replace(old, codes={**old.codes, "option-c": Source(text, place)})
    properties = dict(spec.properties)
    for name, edits in {"stale-is-ours": candidate.lemma, **candidate.more}.items():
        lemma = properties[name]
        assert lemma.holds is not None
        text = lemma.holds.text
        for before, after in edits:
            assert text.count(before) == 1, (before, text)
            text = text.replace(before, after)
        properties[name] = replace(lemma, holds=Source(text, lemma.holds.where))
    spec = replace(spec, transitions=transitions, properties=properties)
    model = Model(spec, library.layout(variant), spec.encodings["option-c"], "pte")
    check_model(model)
    return model


def failing(library: Library, variant: str, candidate: Candidate, whole: bool) -> frozenset[str]:
    """What induction does not prove of option-c/option-c: of all steps, or of those that the window
    may meet.
    """
    model, graph = changed(library, variant, candidate), Bits()
    prover = GroupProver(model, Group(variant, "pte", "option-c", "option-c"), graph,
                         BitsSolver(graph))
    return frozenset(f"{q.transition}/{q.property.name}"
                     for q in prover.builder.questions(lambda t, p: whole or t in WINDOW)
                     if q.property.kind != ADVISORY and not isinstance(prover.decide(q), Proved))


@pytest.fixture(scope="module")
def shipped(library: Library, whole: bool) -> frozenset[str]:
    return failing(library, "x86_64", CANDIDATES["shipped"], whole)


@pytest.mark.parametrize("name", CANDIDATES)
def test_a_candidate(library: Library, shipped: frozenset[str], whole: bool, name: str) -> None:
    """It fails where it should, and nowhere else.

    What the shipped code fails too is today's, and stands in docs/findings.md.
    """
    assert failing(library, "x86_64", CANDIDATES[name], whole) - shipped == CANDIDATES[name].fails


STORY = ("anon-write-fault[A+]", "add-to-swap[A]", "fork-pte[AB]", "swap-out[A]", "swap-out[B]",
         "write-back[A]",
         "stale-store[A]", "write-back-end[A]", "free-swap-cache-folio[A]")


# Steps before the last may break lemmas: what is asked is whether content is lost in the end.
LOST = Rules(frozenset([("free-swap-cache-folio", "dropped-newer")]))


def story(model: Model) -> tuple[Move, ...] | None:
    """Fork, reclaim of both entries, IO, a store through the parent's translation, and the folio is
    freed: recomputed.
    """
    group = Group("x86_64", "pte", "option-c", "option-c")
    steps = steps_named(model, STORY)
    assert steps is not None
    path = Path(LOST, Paths(model, group), steps)
    values = path.values("dropped-newer")
    return (None if values is None else follow(model, group, path.plan(values), path.start(values),
                                               "dropped-newer", through=True))


def test_a_store_is_lost_without_the_mend(library: Library) -> None:
    """The parent stores after its page was written to swap.

    The entry that reclaim took away was read-only and clean.
    """
    moves = story(changed(library, "x86_64", Candidate(UNMENDED)))
    assert moves is not None
    fault, forked, taken, stored = moves[0], moves[2], moves[3], moves[6]
    assert (fault.after["entry", 0] == 0x8000000012345867
            and forked.after["entry", 0] == 0x8000000012345825)
    assert forked.after["stale_write", 0] and forked.after["fork_window", 0]
    assert taken.after["batched", 0] and not taken.after["batched_write", 0]
    assert not stored.before["newer", 0] and stored.after["newer", 0] and stored.after["newer", 1]
    assert story(changed(library, "x86_64", CANDIDATES["shipped"])) is None
