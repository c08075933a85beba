# SPDX-License-Identifier: GPL-2.0-or-later
"""A step that never does what it is there for proves nothing: by all ways to decide."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from verifier.bits import Bits
from verifier.errors import SpecError
from verifier.load import Source
from verifier.obligations import Group
from verifier.plan import Filters, Library, load_library
from verifier.prove import GroupProver, Refuted
from verifier.prove_terms import TermProver
from verifier.results import Proved, Vacuous, Verdict, reason
from verifier.scopes import Model
from verifier.solve import BitsSolver

GROUP = Group("x86_64", "pte", "option-c", "option-c")


def verdicts(library: Library, transition: str, code: str, terms: bool = False, level: str = "pte") -> dict[str, Verdict]:
    """Of a transition whose code is replaced."""
    spec = library.spec
    old = spec.transitions[transition]
    changed = replace(old, codes={**old.codes, "option-c": Source(code, old.where)} if code else old.codes)
    model = Model(replace(spec, transitions={**spec.transitions, transition: changed}), library.layout("x86_64"),
                  spec.encodings["option-c"], level)
    model.check()
    graph = Bits()
    make = TermProver if terms else GroupProver
    prover = make(model, replace(GROUP, level=level), graph, BitsSolver(graph))
    return {q.property.name: prover.decide(q) for q in prover.builder.questions(lambda t, p: t == transition)}


@pytest.mark.parametrize("terms", [False, True])
def test_a_step_that_does_nothing_is_vacuous(library: Library, terms: bool) -> None:
    found = verdicts(library, "tlb-flush", "pass", terms)
    assert set(map(type, found.values())) == {Vacuous}
    assert {reason(v) for v in found.values()} == {"no state leads tlb-flush to flushed"}
    assert set(map(type, verdicts(library, "tlb-flush", "", terms).values())) == {Proved}


@pytest.mark.parametrize(("transition", "level", "effect"), [
    ("page-table-free", "pmd", "no-table"),  # an entry that is a pte before, and a pmd after
    ("split-pmd", "pmd", "writable"),
    ("clear-young-pmd", "pmd", "old"),
    ("hugetlb-zap", "hugetlb", "gone"),
])
def test_at_other_levels_too(library: Library, transition: str, level: str, effect: str) -> None:
    found = verdicts(library, transition, "pass", level=level)
    told = {reason(v) for v in found.values() if isinstance(v, Vacuous)}
    assert told == {f"no state leads {transition} to {effect}"}
    assert set(map(type, verdicts(library, transition, "", level=level).values())) == {Proved}


def test_what_is_written_for_one_level_is_not_asked_for_at_another(library: Library) -> None:
    """Steps of ptes are steps of the level of huge entries as well; they say what they are there for as ptes."""
    found = verdicts(library, "tlb-flush", "pass", level="pmd")
    assert set(map(type, found.values())) == {Proved}


def test_what_takes_an_event_is_asked_where_there_is_one(library: Library) -> None:
    """clear_soft_dirty_pmd keeps it where another CPU makes the entry young under its hands."""
    code = library.spec.transitions["clear-soft-dirty-pmd"].codes["option-c"].text
    blind = code.replace("if pmd_young(old):\n    pmd = pmd_mkyoung(pmd)\n", "")
    assert blind != code
    found = verdicts(library, "clear-soft-dirty-pmd", blind, level="pmd")
    assert {reason(v) for v in found.values()} == {"no state leads clear-soft-dirty-pmd to young-in-between"}
    spec = library.spec
    for variant, asked in (("x86_64", True), ("s390", False), ("mips32-huge", False)):  # no such event; one CPU
        model = Model(spec, library.layout(variant), spec.encodings["option-c"], "pmd")
        names = [n for n, _ in model.effects(spec.transitions["clear-soft-dirty-pmd"], "option-c")]
        assert "old-stays-old" in names and ("young-in-between" in names) == asked


def test_what_is_refuted_stays_so(library: Library) -> None:
    found = verdicts(library, "take-reference", "set_pte_at(entry[p], pte_mkwrite(entry[p], shadow_stack[p]))")
    assert isinstance(found["no-false-exclusive"], Refuted)
    assert isinstance(found["limits"], Vacuous)


def test_every_transition_says_what_it_is_there_for(library: Library) -> None:
    spoken = library.spec.transitions.values()
    assert len(spoken) > 90 and [t.name for t in spoken if not t.reaches] == []


def test_every_word_of_an_effect_tells_variants_apart(library: Library) -> None:
    """One that is misspelt would leave an effect out everywhere, or nowhere."""
    variants = library.variants()
    for transition in library.spec.transitions.values():
        for effect in transition.reaches:
            assert all(any(need in v.absent for v in variants) for need in effect.needs), effect
            assert all(any(event in v.hardware for v in variants) for event in effect.hardware), effect
            assert all(any(fnmatchcase(v.name, glob) for v in variants) for glob in effect.not_on), effect


@pytest.mark.parametrize(("wrong", "said"), [
    ("{x: {holds: 'nothing_of_that_name(p)'}}", "nothing_of_that_name"),
    ("{x: {holds: 'maps(p)', codes: [tomorrow]}}", "unknown code 'tomorrow'"),
    ("{x: {hold: 'maps(p)'}}", "hold"),
    ("{x: {holds: 'entry[p]'}}", "is not a boolean"),
])
def test_mistakes_are_pointed_at(tmp_path: Path, wrong: str, said: str, library: Library) -> None:
    import shutil

    specs = tmp_path / "specs"
    shutil.copytree(library.spec_folder, specs)
    path = specs / "transitions" / "gup.yaml"
    text = path.read_text()
    at = text.index("  reaches:", text.index("tlb-flush:"))
    path.write_text(text[:at] + f"  reaches: {wrong}\n" + text[text.index("  code:", at):])
    with pytest.raises(SpecError, match=said):
        load_library(library.arch_folder, specs).model("x86_64", "option-c").check()


def test_all_levels_load(library: Library) -> None:
    """What a step is there for is written for one level: others may lack what it names."""
    groups = library.groups(Filters(("x86_64", "arm64-4k", "s390"), (), ("option-c",), ("option-c",)))[0]
    assert len({g.level for g in groups}) > 1
    library.check(groups)
