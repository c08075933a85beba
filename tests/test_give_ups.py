# SPDX-License-Identifier: GPL-2.0-or-later
"""The option-c code gives exclusivity up only where today's code does, on the same state and the
same luck.
"""

from __future__ import annotations

from typing import Any

import pytest

from verifier.engine.answers import Unsat
from verifier.engine.bits import Bits
from verifier.engine.bits_solver import BitsSolver
from verifier.language.evaluate import truth_of
from verifier.language.machine import Memory
from verifier.language.values import as_truth
from verifier.model.step import instances, run
from verifier.model.typed import Model
from verifier.model.world import World
from verifier.prove.bits_way import graph_inputs
from verifier.prove.builder import Builder
from verifier.prove.obligations import Group
from verifier.run.library import Library, load_library

SPEC = load_library().spec
TRANSITIONS = [t.name for t in SPEC.transitions.values() if "option-c" in t.codes]
VARIANTS = ("x86_64", "x86_64+shstk", "arm64-4k+dbm")


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("transition", TRANSITIONS)
def test_gives_up_only_where_today_does(library: Library, variant: str, transition: str) -> None:
    graph = Bits()
    ours = library.model(variant, "option-c")
    today = library.model(variant, "page-flag")
    inputs = graph_inputs(graph)

    def fresh(name: str, kind: int) -> Any:
        # both codes learn the same wherever they look
        return inputs(name.split("@", maxsplit=1)[0], kind)

    builder = Builder(ours, Group(variant, "pte", "option-c", "option-c"), graph, fresh)
    solver = BitsSolver(graph)
    for instance in instances(ours):
        if instance.name != transition:
            continue
        step = run(ours, graph, builder.state, instance, "option-c", fresh, Memory())
        state = dict(builder.state) | {"anon_exclusive": flag(ours, graph, builder.state, fresh)}
        before = run(today, graph, state, instance, "today", fresh, Memory())
        given = [*builder.hypothesis, *step.assumed, *before.assumed]
        assert not isinstance(solver.check(given), Unsat)
        for process in (0, 1):
            lost = graph.all(*(as_truth(graph, value) for value in (
                step.before["granted", process], step.after["reach", process],
                before.after["granted", process],
            )), graph.neg(as_truth(graph, step.after["granted", process])))
            assert isinstance(solver.check([*given, lost]), Unsat)


def flag(model: Model, graph: Bits, state: dict[Any, Any], fresh: Any) -> int:
    """PageAnonExclusive as today's kernel would have it: some process maps the page, and reads it
    as exclusive.
    """
    world = World(model, graph, state, fresh, Memory())
    reads = model.definition("readings", "exclusive_now")
    assert reads is not None
    where = [found for view in ("maps", "on_device", "in_device_memory")
             if (found := model.definition("views", view))]
    assert len(where) == 3
    return graph.any(*(
        graph.all(truth_of(world, reads, (p,)),
                  graph.any(*(truth_of(world, view, (p,)) for view in where)))
        for p in (0, 1)
    ))
