# SPDX-License-Identifier: GPL-2.0-or-later
"""Plain integers over the few bits that matter: they agree with what is proved, and notice what the
graph gets wrong.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from verifier.engine.bits import FALSE, Bits, Word
from verifier.engine.bits_solver import BitsSolver
from verifier.prove.bits_way import GroupProver, graph_inputs
from verifier.prove.builder import Builder
from verifier.prove.integers_way import MOST_BITS, PlainChecker, PlainProof, Violated
from verifier.prove.obligations import Group, Question
from verifier.prove.results import Proved, exit_code
from verifier.run.filters import Filters
from verifier.run.library import Library
from verifier.run.scheduler import Options, prove

GROUP = Group("x86_64", "pte", "option-c", "option-c")


def checker(library: Library) -> tuple[Builder[Word, int], PlainChecker, GroupProver]:
    graph = Bits()
    model = library.model(GROUP.variant, GROUP.encoding)
    solver = BitsSolver(graph)
    prover = GroupProver(model, GROUP, graph, solver)
    assert prover.builder.alg is graph and graph_inputs(graph) is not None
    return prover.builder, PlainChecker(model, GROUP, prover.builder, graph, solver), prover


def question(builder: Builder[Word, int], transition: str, prop: str) -> Question[Word, int]:
    return next(builder.questions(lambda t, p: (t, p) == (transition, prop)))


def test_integers_agree_with_what_is_proved_and_decide_a_good_part(library: Library) -> None:
    builder, plain, prover = checker(library)
    found = []
    steps = ("fork-flush", "clear-young", "zap", "hw-store")
    for asked in builder.questions(lambda t, p: t in steps):
        assert isinstance(prover.decide(asked), Proved)
        answer = plain.check(asked)
        assert not isinstance(answer, Violated), (asked.id, answer)
        if answer is not None:
            assert answer.bits <= MOST_BITS and answer.evaluations >= 8
            assert answer.evaluations >= 1 << answer.bits
            found.append(answer.bits)
    assert len(found) > 30 and max(found) > 3


def test_a_fresh_state_is_looked_at_too(library: Library) -> None:
    builder, plain, _ = checker(library)
    assert plain.check(question(builder, "init", "swapcache-is-resident")) is not None


def test_what_is_not_proved_is_not_decided(library: Library) -> None:
    builder, plain, _ = checker(library)
    asked = question(builder, "clear-young", "dma-needs-pin")
    assert isinstance(plain.check(asked), PlainProof)
    builder.invariant.clear()
    assert plain.check(asked) is None


def test_a_violation_that_the_graph_lost_is_found(library: Library) -> None:
    builder, plain, _ = checker(library)
    asked = question(builder, "clear-young", "dma-needs-pin")
    for way in asked.ways:
        way.bad = FALSE  # so that nothing seems to be needed for the proof
    found = plain.check(asked)
    assert isinstance(found, Violated)
    assert ((found.values["dma.A"] and not found.values["pinned.A"])
            or (found.values["dma.B"] and not found.values["pinned.B"]))


def test_where_there_is_no_time_there_is_no_answer(library: Library) -> None:
    builder, plain, _ = checker(library)
    plain.seconds = -1.0
    assert plain.check(question(builder, "pin-page", "dma-needs-pin")) is None


def test_a_disagreement_is_a_contradiction_with_the_values(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PlainChecker, "check", lambda self,
                        asked: Violated({"dma.A": True, "pinned.A": False}))
    filters = Filters(("x86_64",), ("pte",), ("option-c",), ("option-c",), ("clear-young",),
                      ("dma-needs-pin",))
    run = prove(library, filters, Options(cross=tmp_path / "d"))
    assert len(run.contradictions) == 1 and exit_code(run) == 4
    assert "the bit graph and z3 say proved, plain integers refuted" in run.contradictions[0]
    (where,) = (tmp_path / "d").iterdir()
    told: dict[str, Any] = json.loads((where / "obligation.json").read_text())
    assert (told["bits"], told["z3"], told["integers"]) == ("proved", "proved", "refuted")
    assert told["values"] == {"dma.A": 1, "pinned.A": 0}


def test_each_result_says_which_ways_decided(library: Library, tmp_path: Path) -> None:
    filters = Filters(("x86_64",), ("pte",), ("option-c",), ("option-c",), ("clear-young",))
    run = prove(library, filters, Options(cross=tmp_path / "d"))
    said = {r.obligation.property: r.solver for r in run.results}
    assert said["dma-needs-pin"] == "bits, z3 and plain integers over 2 bits"
    assert said["reach-is-reference"] == "bits and z3"
