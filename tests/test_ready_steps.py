# SPDX-License-Identifier: GPL-2.0-or-later
"""A step that is built once and put into a graph is the step that is built there."""

from __future__ import annotations

import pytest
from sample import sampled

from verifier.engine.answers import Unsat
from verifier.engine.bits import FALSE, Bits
from verifier.engine.bits_solver import BitsSolver
from verifier.language.machine import Key
from verifier.language.values import Fresh, Value, equal
from verifier.model.spec import THIRD
from verifier.model.step import Instance, instances, run
from verifier.model.typed import Model
from verifier.model.world import key_name, state_keys
from verifier.prove.bits_way import graph_inputs
from verifier.prove.obligations import Group
from verifier.run.library import Library
from verifier.search.near import ready_steps
from verifier.search.path import prefixed, settled

GROUPS = ["x86_64/pte/option-c/thread", "um/pte/page-flag/today", "x86_64/pmd/option-c/option-c"]


def without_hardware(model: Model, fresh: Fresh) -> Fresh:
    hardware = {f"{event}{late}" for event in model.layout.variant.hardware
                for late in ("", "-late")} | {"load"}
    return lambda name, kind: (FALSE if "@" in name and name.split("@")[0] in hardware
                               else fresh(name, kind))


def start(model: Model, graph: Bits) -> dict[Key, Value]:
    """A state of which some is known: A's flags; of B no bit of the entry above the eighth."""
    inputs = graph_inputs(graph)
    state = {key: inputs(f"1/{key_name(key)}", kind) for key, kind in state_keys(model)}
    state |= {key: graph.truth(bool(number % 2)) for number, key in enumerate(state)
              if isinstance(key, tuple) and key[1] == 0 and isinstance(state[key], int)}
    width = model.layout.width
    state["entry", 1] = graph.intern((*graph.input_bits("1/entry.B", width)[:8],
                                      *(FALSE,) * (width - 8)))
    return state


@pytest.mark.parametrize("name", sampled(GROUPS, GROUPS[:1]))
def test_a_ready_step_is_the_step_that_is_built_there(library: Library, name: str) -> None:
    group = Group(*name.split("/"))
    model, graph = library.group_model(group), Bits()
    state, solver = start(model, graph), BitsSolver(graph)
    fresh = without_hardware(model, prefixed(graph_inputs(graph), 2))
    chosen: list[Instance] = [i for i in instances(model) if THIRD not in i.roles]
    memo = model.memory(graph, graph_inputs(graph))
    differ, violated = [], 0
    for instance, ready in zip(
            chosen, ready_steps(model, group).put(graph, state, chosen, fresh), strict=True):
        step = run(model, graph, state, instance, group.code, fresh, memo)
        step.assumed.append(settled(graph, memo))
        assert ready.instance is instance and ready.before == step.before == state
        differ += [graph.neg(equal(graph, step.after[key], ready.after[key], kind))
                   for key, kind in state_keys(model)]
        differ.append(graph.xor(graph.all(*step.assumed), graph.all(*ready.assumed)))
        names = {*step.violations, *ready.violations}
        differ += [graph.xor(step.violations.get(name, FALSE), ready.violations.get(name, FALSE))
                   for name in names]
        violated += any(value != FALSE for value in ready.violations.values())
        # what the step is known to leave alone stays the same object
        assert all(ready.after[key] is value for key, value in state.items()
                   if step.after[key] is value)
    assert len(chosen) > 50 and violated > 3
    assert isinstance(solver.check([graph.any(*differ)]), Unsat)
