# SPDX-License-Identifier: GPL-2.0-or-later
"""Traces of a block: the least number of steps from an empty space to a property that fails.

Every step but the last keeps the invariant. What is found is made least, and then followed with
plain integers, without the solver.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from verifier.base.errors import Contradiction, SolverError
from verifier.blocks.model import FOLD, BlockInstance, BlockModel, instances
from verifier.blocks.prove import violated
from verifier.blocks.world import (
    BlockStep,
    BlockWorld,
    block_keys,
    failing,
    named,
    run_step,
)
from verifier.engine.answers import Sat
from verifier.engine.bits import FALSE, TRUE, Bits, Word
from verifier.engine.bits_solver import BitsSolver
from verifier.engine.least_model import minimise
from verifier.language.algebra import Integers
from verifier.language.evaluate import truth_of
from verifier.language.machine import Key, Memory
from verifier.language.syntax import BOOL
from verifier.language.values import Fresh, Value, equal, picked
from verifier.prove.bits_way import graph_inputs
from verifier.prove.recompute import input_reader
from verifier.search.path import prefixed

__all__ = ["BlockMove", "find"]


@dataclass(frozen=True, slots=True)
class BlockMove:
    """One step of a trace, with what it leaves open and the states around it, in plain values."""

    instance: BlockInstance
    inputs: Mapping[str, int | bool]
    before: Mapping[Key, int | bool]
    after: Mapping[Key, int | bool]


def find(model: BlockModel, code: str, targets: Iterable[tuple[str, str]], depth: int
         ) -> dict[tuple[str, str], tuple[BlockMove, ...]]:
    """The shortest traces of at most `depth` steps: each ends in a step that breaks a property.

    A target is a step and a property; one without a trace is not in the answer.
    """
    search, left = _Search(model, code), list(targets)
    found: dict[tuple[str, str], tuple[BlockMove, ...]] = {}
    for number in range(depth):
        for target in list(left):
            chosen = search.ends(*target)
            if chosen is not None:
                found[target] = _least(model, code, chosen, target[1])
                left.remove(target)
        if not left:
            break
        if number + 1 < depth:
            search.deepen()
    return found


class _Search:
    """All sequences of good steps from an empty space, one step more at a time."""

    def __init__(self, model: BlockModel, code: str) -> None:
        self.model, self.code, self.graph = model, code, Bits()
        self.solver = BitsSolver(self.graph, keep=True)
        self.depth = 0
        self.state, self.given = _empty(model, self.graph)
        self.layers: list[list[BlockStep[Word, int]]] = []

    def _fresh(self) -> Fresh:
        return prefixed(graph_inputs(self.graph), self.depth + 1)

    def _steps(self, only: str = "") -> list[BlockStep[Word, int]]:
        fresh = self._fresh()
        memo = self.model.memory(self.graph, graph_inputs(self.graph))
        found = []
        for instance in instances(self.model, (0, 1)):
            if not only or instance.name == only:
                step = run_step(self.model, self.graph, self.state, instance, self.code, fresh,
                                memo, folds=True)
                if self.graph.all(*step.assumed) != FALSE:
                    found.append(step)
        return found

    def ends(self, last: str, prop: str) -> list[BlockInstance] | None:
        """Steps that end in one called `last` that breaks the property; None where none do."""
        fresh = self._fresh()
        memo = self.model.memory(self.graph, graph_inputs(self.graph))
        choices = [_choice(number) for number in range(1, self.depth + 1)]
        for step in self._steps("" if last == FOLD else last):
            bad = self._breaks(step, last, prop, fresh, memo)
            if bad == FALSE:
                continue
            answer = self.solver.check([*self.given, *step.assumed, bad], choices)
            if isinstance(answer, Sat):
                return [*(layer[int(answer.model.get(name, 0))].instance
                          for name, layer in zip(choices, self.layers, strict=True)),
                        step.instance]
        return None

    def _breaks(self, step: BlockStep[Word, int], last: str, prop: str, fresh: Fresh,
                memo: Memory[Word, int]) -> int:
        """When the step breaks a property: for a fold, the fold in which it ends does."""
        bad = violated(self.model, self.graph, step, fresh, memo).get(prop, FALSE)
        if last != FOLD:
            return bad
        if step.instance.name not in (self.model.folds or {}):
            return FALSE
        before = run_step(self.model, self.graph, self.state, step.instance, self.code, fresh, memo)
        return self.graph.all(
            bad, *(c ^ 1 for c in violated(self.model, self.graph, before, fresh, memo).values()))

    def deepen(self) -> None:
        """Take one good step more, of any kind."""
        graph, steps = self.graph, self._steps()
        self.depth += 1
        choice = graph.input_word(_choice(self.depth), max(len(steps) - 1, 1).bit_length())
        taken = [graph.eq(choice, graph.word(n, len(choice.bits)), len(choice.bits))
                 for n in range(len(steps))]
        self.given.append(graph.any(*(
            graph.all(here, *step.assumed, *(c ^ 1 for c in step.violations.values()))
            for here, step in zip(taken, steps, strict=True))))
        after: dict[Key, Value] = {}
        for key, kind in block_keys(self.model):
            value = self.state[key]
            for here, step in zip(taken, steps, strict=True):
                if step.after[key] is not self.state[key]:
                    value = picked(graph, here, step.after[key], value, kind)
            after[key] = value
        self.state = after
        self.layers.append(steps)
        memo = self.model.memory(graph, graph_inputs(graph))
        bad = failing(self.model, graph, after, graph_inputs(graph), memo)
        self.given += [c ^ 1 for conditions in bad.values() for c in conditions if c ^ 1 != TRUE]


def _choice(depth: int) -> str:
    return f"{depth}/choice"


def _empty(model: BlockModel, graph: Bits) -> tuple[dict[Key, Value], list[int]]:
    """An empty address space, and what is given of it; what it fixes is a constant."""
    fresh = graph_inputs(graph)
    state = {key: fresh(named(key), kind) for key, kind in block_keys(model)}
    memo = model.memory(graph, fresh)
    given = _init(model, graph, state, fresh)
    bad = failing(model, graph, state, fresh, memo)
    given += [c ^ 1 for conditions in bad.values() for c in conditions]
    solver = BitsSolver(graph)
    for key, kind in block_keys(model):
        zero = graph.truth(False) if kind == BOOL else graph.word(0, kind)
        differs = graph.neg(equal(graph, state[key], zero, kind))
        if not isinstance(solver.check([*given, differs], ()), Sat):
            state[key] = zero
    return state, _init(model, graph, state, fresh)


def _init(model: BlockModel, graph: Bits, state: Mapping[Key, Value], fresh: Fresh) -> list[int]:
    world = BlockWorld(model, graph, state, fresh, model.memory(graph, fresh))
    return [truth_of(world, function, ()) for _, function in model.init()]


def _least(model: BlockModel, code: str, chosen: Sequence[BlockInstance], prop: str
           ) -> tuple[BlockMove, ...]:
    """The least values with which these steps lead there, followed with plain integers."""
    graph = Bits()
    state, given = _empty(model, graph)
    for number, instance in enumerate(chosen, 1):
        fresh = prefixed(graph_inputs(graph), number)
        memo = model.memory(graph, graph_inputs(graph))
        step = run_step(model, graph, state, instance, code, fresh, memo, folds=True)
        bad = violated(model, graph, step, fresh, memo)
        given += step.assumed
        given += ([bad.get(prop, FALSE)] if number == len(chosen)
                  else [condition ^ 1 for condition in bad.values()])
        state = step.after
    solver = BitsSolver(graph)
    given += _recognised(model, graph, solver, given)
    names = sorted(graph.support(given), key=_order)
    return _follow(model, code, chosen, minimise(solver, given, names), prop)


def _recognised(model: BlockModel, graph: Bits, solver: BitsSolver, given: Sequence[int]
                ) -> list[int]:
    """Conditions that inputs have the numbers that a reader recognises, where they may."""
    found: list[int] = []
    for name in sorted(graph.support(given), key=_order):
        value = model.spec.shown.get(name.rpartition("/")[2])
        if value is not None:
            width = len(graph.inputs[name])
            equals = graph.eq(graph.input_word(name, width), graph.word(value, width), width)
            if isinstance(solver.check([*given, *found, equals], ()), Sat):
                found.append(equals)
    return found


def _order(name: str) -> tuple[int, str]:
    """Inputs of the beginning first, then those of each step."""
    head = name.partition("/")[0]
    return (int(head) if head.isdigit() else 0, name)


def _follow(model: BlockModel, code: str, chosen: Sequence[BlockInstance],
            values: Mapping[str, int | bool], prop: str) -> tuple[BlockMove, ...]:
    """The steps with plain integers; Contradiction where they do not lead there."""
    alg, moves = Integers(), []
    read = input_reader(values)
    state: dict[Key, Value] = {key: read(named(key), kind) for key, kind in block_keys(model)}
    for number, instance in enumerate(chosen, 1):
        fresh = prefixed(read, number)
        memo = model.memory(alg, fresh)
        step = run_step(model, alg, state, instance, code, fresh, memo, folds=True)
        broken = {name for name, conditions in failing(model, alg, step.after, fresh, memo).items()
                  if any(conditions)}
        broken |= {name for name, condition in step.violations.items() if condition}
        if not all(step.assumed) or (prop in broken) != (number == len(chosen)):
            raise Contradiction(f"{instance.label}: what the solver found cannot be followed")
        own = {name.partition("/")[2]: value for name, value in values.items()
               if name.startswith(f"{number}/")}
        moves.append(BlockMove(instance, own, _plain(state), _plain(step.after)))
        state = step.after
    return tuple(moves)


def _plain(state: Mapping[Key, Value]) -> dict[Key, int | bool]:
    found: dict[Key, int | bool] = {}
    for key, value in state.items():
        if not isinstance(value, int):
            raise SolverError(f"{named(key)} is no plain value")
        found[key] = value
    return found
