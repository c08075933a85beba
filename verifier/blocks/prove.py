# SPDX-License-Identifier: GPL-2.0-or-later
"""Steps of a block of one size, asked of the solver: which properties does each keep?"""

from __future__ import annotations

from dataclasses import dataclass

from verifier.base.errors import SolverError
from verifier.blocks.model import BlockInstance, BlockModel, instances
from verifier.blocks.world import (
    BlockStep,
    BlockWorld,
    block_keys,
    failing,
    named,
    run_step,
)
from verifier.engine.answers import Sat, Undecided
from verifier.engine.bits import FALSE, Bits, Word
from verifier.engine.bits_solver import BitsSolver
from verifier.language.evaluate import truth_of
from verifier.language.machine import Memory
from verifier.language.values import Fresh, equal
from verifier.prove.bits_way import graph_inputs

__all__ = ["INIT", "OfSize", "decide", "violated"]

INIT = "init"


@dataclass(slots=True)
class OfSize:
    """What is found of a step in blocks of one size.

    broken  the properties that it breaks, each with an instance that does
    acts    does some state lead it to change anything?
    """

    broken: dict[str, BlockInstance | None]
    acts: bool


def decide(model: BlockModel, code: str, only: frozenset[str] | None = None) -> dict[str, OfSize]:
    """Each step of a code, by name, from every state that satisfies the invariant."""
    return _Size(model, code).decide(only)


class _Size:
    """The questions about blocks of one size, which share one symbolic state."""

    def __init__(self, model: BlockModel, code: str) -> None:
        self.model, self.code, self.graph = model, code, Bits()
        self.fresh = graph_inputs(self.graph)
        self.memo = model.memory(self.graph, self.fresh)
        self.solver = BitsSolver(self.graph)
        self.state = {key: self.fresh(named(key), kind) for key, kind in block_keys(model)}
        self.bad = failing(model, self.graph, self.state, self.fresh, self.memo)
        self.hypothesis = [c ^ 1 for conditions in self.bad.values() for c in conditions]

    def decide(self, only: frozenset[str] | None) -> dict[str, OfSize]:
        found: dict[str, OfSize] = {}
        if only is None:
            found[INIT] = self._initial()
        for instance in instances(self.model):
            if only is None or instance.name in only:
                self._instance(instance, found.setdefault(instance.name, OfSize({}, False)))
        return found

    def _initial(self) -> OfSize:
        world = BlockWorld(self.model, self.graph, self.state, self.fresh, self.memo)
        given = [truth_of(world, f, ()) for _, f in self.model.init()]
        broken: dict[str, BlockInstance | None] = {
            name: None for name, bad in self.bad.items()
            if self._holds([*given, self.graph.any(*bad)])
        }
        return OfSize(broken, self._holds(given))

    def _instance(self, instance: BlockInstance, found: OfSize) -> None:
        step = run_step(self.model, self.graph, self.state, instance, self.code, self.fresh,
                        self.memo)
        given = [*self.hypothesis, *step.assumed]
        found.acts = found.acts or self._holds([*given, self._changed(step)])
        bad = violated(self.model, self.graph, step, self.fresh, self.memo)
        left = {name: c for name, c in bad.items() if c != FALSE and name not in found.broken}
        if left and self._holds([*given, self.graph.any(*left.values())]):
            for name, condition in left.items():
                if self._holds([*given, condition]):
                    found.broken[name] = instance

    def _changed(self, step: BlockStep[Word, int]) -> int:
        graph = self.graph
        return graph.neg(graph.all(*(
            equal(graph, step.before[key], step.after[key], kind)
            for key, kind in block_keys(self.model) if step.after[key] is not step.before[key]
        )))

    def _holds(self, conditions: list[int]) -> bool:
        answer = self.solver.check(conditions)
        if isinstance(answer, Undecided):
            raise SolverError(f"a block of {self.model.size}: {answer.reason}")
        return isinstance(answer, Sat)


def violated(model: BlockModel, graph: Bits, step: BlockStep[Word, int], fresh: Fresh,
             memo: Memory[Word, int]) -> dict[str, int]:
    """The condition under which each property fails at a step."""
    found = {name: graph.any(*conditions)
             for name, conditions in failing(model, graph, step.after, fresh, memo).items()}
    for name, condition in step.violations.items():
        found[name] = graph.disj(found.get(name, FALSE), condition)
    return found
