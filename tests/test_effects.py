# SPDX-License-Identifier: GPL-2.0-or-later
"""A step that never does what it is there for proves nothing: by all ways to decide."""

from __future__ import annotations

from dataclasses import replace
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


def verdicts(library: Library, transition: str, code: str, terms: bool = False) -> dict[str, Verdict]:
    """Of a transition whose code is replaced."""
    spec = library.spec
    old = spec.transitions[transition]
    changed = replace(old, codes={**old.codes, "option-c": Source(code, old.where)} if code else old.codes)
    model = Model(replace(spec, transitions={**spec.transitions, transition: changed}), library.layout("x86_64"),
                  spec.encodings["option-c"])
    model.check()
    graph = Bits()
    make = TermProver if terms else GroupProver
    prover = make(model, GROUP, graph, BitsSolver(graph))
    return {q.property.name: prover.decide(q) for q in prover.builder.questions(lambda t, p: t == transition)}


@pytest.mark.parametrize("terms", [False, True])
def test_a_step_that_does_nothing_is_vacuous(library: Library, terms: bool) -> None:
    found = verdicts(library, "tlb-flush", "pass", terms)
    assert set(map(type, found.values())) == {Vacuous}
    assert {reason(v) for v in found.values()} == {"no state leads tlb-flush to flushed"}
    assert set(map(type, verdicts(library, "tlb-flush", "", terms).values())) == {Proved}


def test_what_is_refuted_stays_so(library: Library) -> None:
    found = verdicts(library, "take-reference", "set_pte_at(entry[p], pte_mkwrite(entry[p], shadow_stack[p]))")
    assert isinstance(found["no-false-exclusive"], Refuted)
    assert isinstance(found["limits"], Vacuous)


def test_every_transition_says_what_it_is_there_for(library: Library) -> None:
    """Those of huge entries do not yet."""
    spoken = [t for t in library.spec.transitions.values() if "/huge" not in t.where.path]
    assert len(spoken) > 40 and [t.name for t in spoken if not t.reaches] == []


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
    """What a step is there for is written for ptes: other levels may lack what it names."""
    groups = library.groups(Filters(("x86_64", "arm64-4k", "s390"), (), ("option-c",), ("option-c",)))[0]
    assert len({g.level for g in groups}) > 1
    library.check(groups)
