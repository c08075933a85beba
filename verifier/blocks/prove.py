# SPDX-License-Identifier: GPL-2.0-or-later
"""Steps of a block of one size, asked of a solver: which properties does each keep?"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Generic

from verifier.base.errors import Contradiction, SolverError
from verifier.blocks.model import BlockInstance, BlockModel, instances, one_of_each
from verifier.blocks.world import (
    BlockStep,
    BlockWorld,
    block_keys,
    failing,
    named,
    run_step,
)
from verifier.engine.answers import Sat, Solver, Undecided
from verifier.engine.bits import Bits
from verifier.engine.bits_solver import BitsSolver
from verifier.engine.smt_solvers import smt_solver
from verifier.engine.smtlib import Smt
from verifier.language.algebra import Algebra, B, W
from verifier.language.evaluate import truth_of
from verifier.language.machine import Key, Memory
from verifier.language.values import Fresh, Value, equal
from verifier.prove.bits_way import graph_inputs

__all__ = ["BITS", "INIT", "OfSize", "agreed", "decide", "violated"]

INIT = "init"
BITS = "bits"


@dataclass(slots=True)
class OfSize:
    """What is found of a step in blocks of one size.

    broken  the properties that it breaks, each with an instance that does
    acts    does some state lead it to change anything?
    """

    broken: dict[str, BlockInstance | None]
    acts: bool


def decide(model: BlockModel, code: str, only: frozenset[str] | None = None, solver: str = BITS,
           ordered: Collection[str] | None = None) -> dict[str, OfSize]:
    """Each step of a code, by name, from every state that satisfies the invariant.

    `ordered` are the steps to which it matters which of two pages comes first; None: it may matter
    to all. Of the others one instance of each kind is asked.
    `solver` is bits, or bitwuzla or cvc5, which are asked of terms.
    """
    if solver == BITS:
        graph = Bits()
        return _Size(model, code, graph, graph_inputs(graph), BitsSolver(graph), ordered
                     ).decide(only)
    terms = Smt()
    return _Size(model, code, terms, terms.input, smt_solver(solver, terms), ordered).decide(only)


def agreed(model: BlockModel, code: str, only: frozenset[str] | None, other: str,
           ordered: Collection[str] | None = None) -> dict[str, OfSize]:
    """The same by two ways that share no bit-blasting; Contradiction where they differ."""
    one, two = (decide(model, code, only, solver, ordered) for solver in (BITS, other))
    for step, found in one.items():
        if (found.broken.keys(), found.acts) != (two[step].broken.keys(), two[step].acts):
            raise Contradiction(f"{step} in a block of {model.size}: bits says that it breaks "
                                f"{sorted(found.broken)}, {other} {sorted(two[step].broken)}")
    return one


class _Size(Generic[W, B]):
    """The questions about blocks of one size, which share one symbolic state."""

    def __init__(self, model: BlockModel, code: str, alg: Algebra[W, B], fresh: Fresh,
                 solver: Solver[B], ordered: Collection[str] | None) -> None:
        self.ordered = model.spec.transitions if ordered is None else ordered
        self.model, self.code, self.alg, self.fresh, self.solver = model, code, alg, fresh, solver
        self.memo: Memory[W, B] = model.memory(alg, fresh)
        self.state: dict[Key, Value] = {
            key: fresh(named(key), kind) for key, kind in block_keys(model)}
        self.bad = failing(model, alg, self.state, fresh, self.memo)
        self.hypothesis = [alg.neg(c) for conditions in self.bad.values() for c in conditions]

    def decide(self, only: frozenset[str] | None) -> dict[str, OfSize]:
        """What is found of each step."""
        found: dict[str, OfSize] = {}
        if only is None:
            found[INIT] = self._initial()
        for instance in self._instances():
            if only is None or instance.name in only:
                self._instance(instance, found.setdefault(instance.name, OfSize({}, False)))
        return found

    def _instances(self) -> Iterator[BlockInstance]:
        every = list(instances(self.model, apart=True))
        for _, same in groupby(every, lambda one: one.name):
            group = list(same)
            yield from group if group[0].name in self.ordered else one_of_each(self.model, group)

    def _initial(self) -> OfSize:
        world = BlockWorld(self.model, self.alg, self.state, self.fresh, self.memo)
        given = [truth_of(world, f, ()) for _, f in self.model.init()]
        broken: dict[str, BlockInstance | None] = {
            name: None for name, bad in self.bad.items()
            if self._holds([*given, self.alg.any(*bad)])
        }
        return OfSize(broken, self._holds(given))

    def _instance(self, instance: BlockInstance, found: OfSize) -> None:
        step = run_step(self.model, self.alg, self.state, instance, self.code, self.fresh,
                        self.memo)
        given = [*self.hypothesis, *step.assumed]
        found.acts = found.acts or self._holds([*given, self._changed(step)])
        bad = violated(self.model, self.alg, step, self.fresh, self.memo)
        left = {name: c for name, c in bad.items()
                if self.alg.known(c) is not False and name not in found.broken}
        if left and self._holds([*given, self.alg.any(*left.values())]):
            for name, condition in left.items():
                if self._holds([*given, condition]):
                    found.broken[name] = instance

    def _changed(self, step: BlockStep[W, B]) -> B:
        alg = self.alg
        return alg.neg(alg.all(*(
            equal(alg, step.before[key], step.after[key], kind)
            for key, kind in block_keys(self.model) if step.after[key] is not step.before[key]
        )))

    def _holds(self, conditions: list[B]) -> bool:
        answer = self.solver.check(conditions)
        if isinstance(answer, Undecided):
            raise SolverError(f"a block of {self.model.size}: {answer.reason}")
        return isinstance(answer, Sat)


def violated(model: BlockModel, alg: Algebra[W, B], step: BlockStep[W, B], fresh: Fresh,
             memo: Memory[W, B]) -> Mapping[str, B]:
    """The condition under which each property fails at a step."""
    found = {name: alg.any(*conditions)
             for name, conditions in failing(model, alg, step.after, fresh, memo).items()}
    for name, condition in step.violations.items():
        before = found.get(name)
        found[name] = condition if before is None else alg.any(before, condition)
    return found
