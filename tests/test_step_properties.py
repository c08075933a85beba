# SPDX-License-Identifier: GPL-2.0-or-later
"""Properties of one step mean the same over the graph and over plain integers, whatever the step
does to the entry.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from verifier.engine.bits import Bits
from verifier.engine.bits_solver import BitsSolver
from verifier.language.read_yaml import Source
from verifier.model.spec import STEP
from verifier.model.typed import Model
from verifier.prove.bits_way import GroupProver
from verifier.prove.obligations import Group
from verifier.prove.recompute import violates
from verifier.prove.results import Refuted
from verifier.run.library import Library

# excuses no entry that the step leaves alone
NATURAL = "not pte_present(entry[p]) or not pte_write(entry[p])"


@pytest.mark.parametrize("transition", ["uprobe-replace", "pin-page", "force-write"])
def test_of_an_entry_that_did_not_change(library: Library, transition: str) -> None:
    """Such a property ended as a contradiction of the tool: by identity, the graph's entry had
    changed, the integer had not.
    """
    spec, group = library.spec, Group("x86_64", "pte", "page-flag", "today")
    prop = replace(spec.properties["within-vma"], name="natural", kind=STEP,
                   holds=Source(NATURAL, spec.properties["within-vma"].where))
    properties = {**spec.properties, "natural": prop}
    model = Model(replace(spec, properties=properties), library.layout("x86_64"),
                  spec.encodings["page-flag"], "pte")
    graph = Bits()
    prover = GroupProver(model, group, graph, BitsSolver(graph))
    for question in prover.builder.questions(lambda t, p: (t, p) == (transition, "natural")):
        # raises Contradiction where its values, recomputed, violate nothing
        verdict = prover.decide(question)
        assert isinstance(verdict, Refuted)
        move = verdict.counterexample.move
        assert violates(model, group, move, "natural")
        assert move.before["entry", 0] == move.after["entry", 0]
