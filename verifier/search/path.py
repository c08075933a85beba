# SPDX-License-Identifier: GPL-2.0-or-later
"""One fixed sequence of steps as a formula."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from verifier.engine.answers import Sat
from verifier.engine.bits import TRUE, Bits, Word
from verifier.engine.bits_solver import BitsSolver
from verifier.engine.least_model import minimise
from verifier.language.evaluate import truth_of
from verifier.language.machine import LIFTED, Key, Memory
from verifier.language.syntax import BOOL
from verifier.language.values import Fresh, as_truth
from verifier.model.step import Instance, Step, run
from verifier.model.typed import OF_VMA, Model
from verifier.model.world import World, key_name, state_keys
from verifier.prove.bits_way import granted, graph_inputs, order, preference, readable
from verifier.prove.obligations import Group
from verifier.prove.step_judge import StepJudge
from verifier.search.follow import Plan
from verifier.search.rules import Rules

__all__ = ["Path", "Paths", "of_step", "prefixed", "settled"]


class Paths:
    """Sequences of steps of one group as formulas of one graph; common beginnings are built once.
    """

    def __init__(self, model: Model, group: Group, least: bool = True) -> None:
        self.model, self.group, self.least = model, group, least
        self.graph = Bits()
        self.solver = BitsSolver(self.graph)
        self.inputs = graph_inputs(self.graph)
        self.memo = model.memory(self.graph, self.inputs)
        self.start = {key: self.inputs(f"0/{key_name(key)}", kind)
                      for key, kind in state_keys(model)}
        self.init = [truth_of(World(model, self.graph, self.start, self.inputs, self.memo), f, ())
                     for _, f in model.init()]
        self._known: dict[tuple[str, ...], Step[Word, int]] = {}

    def steps(
        self, path: list[Instance]
    ) -> Iterator[tuple[Step[Word, int], StepJudge[Word, int], World[Word, int]]]:
        """Each step, who says what it violates, and the world before it."""
        state, labels = self.start, tuple(instance.label for instance in path)
        for depth, instance in enumerate(path, 1):
            fresh = prefixed(self.inputs, depth)
            # A step depends on the steps before it alone, so sequences share what they begin with.
            step = self._known.get(labels[:depth])
            if step is None:
                # What is taken between here and settled() is what this step has asked of helpers:
                # their answers are its assumptions, and nobody else's.
                self.memo.take()
                step = run(self.model, self.graph, state, instance, self.group.code, fresh,
                           self.memo)
                step.assumed.append(settled(self.graph, self.memo))
                self._known[labels[:depth]] = step
            yield (step, StepJudge(self.model, self.group, self.graph, fresh, self.memo),
                   World(self.model, self.graph, state, fresh, self.memo))
            state = step.after


class Path:
    """The formula of one fixed sequence of instances: small enough to minimise its values."""

    def __init__(self, rules: Rules, paths: Paths, path: list[Instance]) -> None:
        self.rules, self.paths, self.path = rules, paths, path
        self.model, self.graph, self.solver = paths.model, paths.graph, paths.solver

    def values(self, prop: str) -> dict[str, int | bool] | None:
        """Values under which the last step violates the property and the others keep the rules.

        None without any. They are the least ones where `paths.least`, else the first that the
        solver finds.
        """
        conditions, wishes = list(self.paths.init), []
        for depth, (step, judge, before) in enumerate(self.paths.steps(self.path), 1):
            conditions += step.assumed
            last = depth == len(self.path)
            for name, bad in self.rules.violated(judge, step,
                                                 self.rules.held(before,
                                                                 self.paths.group.code)).items():
                if last and name == prop:
                    conditions.append(bad)
                    told = self.model.spec.properties[self.rules.named(prop)]
                    wishes.append(preference(judge, told, step, judge.ways(told, step)))
                # A trace shows the first failure: no step before the last may break anything that
                # would be reported by itself.
                elif not last and not self.rules.tolerates(name):
                    conditions.append(bad ^ 1)
            conditions.append(settled(self.graph, self.paths.memo))
        # Where values are made least anyway, only whether there are any is asked: no model is
        # built.
        answer = self.solver.check(conditions, () if self.paths.least else None)
        if not isinstance(answer, Sat):
            return None
        if not self.paths.least:
            return answer.model
        # First the wishes that the conditions allow, then the least values under these: so the
        # values are the same whatever solver, machine or order of work.
        names = self.graph.support(conditions)
        pleasant = [*self._alike(), *self._pleasant(names)]
        conditions += granted(self.solver, conditions, [*wishes, *pleasant])
        return minimise(
            self.solver, conditions, order(self.graph, names | self.graph.support(pleasant))
        )

    def _alike(self) -> Iterator[int]:
        """Wishes: the mapping may be read, and both processes may do the same, as after a fork."""
        start = {key: as_truth(self.graph, value) for key, value in self.paths.start.items()}
        yield start["may_read", 0]
        for flag in OF_VMA:
            yield self.graph.same(start[flag, 0], start[flag, 1])

    def _pleasant(self, names: set[str]) -> Iterator[int]:
        """Frames that a reader recognises, and pages that can be read."""
        width = self.model.layout.ulong
        for depth in range(1, len(self.path) + 1):
            if f"{depth}/vm_read" in names:
                yield readable(self.graph, f"{depth}/")
            for name, value in self.model.spec.shown.items():
                if f"{depth}/{name}" in names:
                    word = self.graph.input_word(f"{depth}/{name}", width)
                    yield self.graph.eq(word, self.graph.word(value + depth - 1, width), width)

    def start(self, values: Mapping[str, int | bool]) -> dict[Key, int | bool]:
        """The fresh state that the values name."""
        return {
            key: bool(values.get(f"0/{key_name(key)}", False)) if kind == BOOL
            else int(values.get(f"0/{key_name(key)}", 0))
            for key, kind in state_keys(self.model)
        }

    def plan(self, values: Mapping[str, int | bool]) -> Plan:
        """The steps, each with its inputs."""
        found = []
        for depth, instance in enumerate(self.path, 1):
            found.append((instance, of_step(values, depth)))
        return tuple(found)


def of_step(values: Mapping[str, int | bool], depth: int) -> dict[str, int | bool]:
    """The inputs of one step of several, by their own names.

    Inputs of lifted helpers have no depth: they are the same in all steps.
    """
    mark = f"{depth}/"
    return {n.removeprefix(mark): v for n, v in values.items() if n.startswith((mark, LIFTED))
            and n != f"{mark}choice"}


def settled(graph: Bits, memo: Memory[Word, int]) -> int:
    """The condition that the answers of helpers since the last call are settled."""
    return graph.any(*memo.take().values()) ^ TRUE


def prefixed(inputs: Fresh, depth: int) -> Fresh:
    """The inputs of one step of several."""
    return lambda name, kind: inputs(f"{depth}/{name}", kind)
