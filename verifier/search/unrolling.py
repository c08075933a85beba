# SPDX-License-Identifier: GPL-2.0-or-later
"""All sequences of steps from one beginning, as formulas of one graph, one step more at a time.

A step of the unrolling chooses among all instances of both processes and every hardware event. What
induction has proved of a step need not be checked again, so only steps that failed some obligation
are. The invariant holds in every state but the last. That follows, but it is asserted all the same:
a solver that knows it finds out much sooner what cannot be reached.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass

from verifier.engine.answers import Sat
from verifier.engine.bits import FALSE, TRUE, Bits, Word
from verifier.engine.bits_solver import BitsSolver
from verifier.language.evaluate import truth_of
from verifier.language.machine import Key
from verifier.language.syntax import BOOL
from verifier.language.values import Fresh, Value, as_truth, as_word, equal
from verifier.model.step import Instance, Step, instances, invariants, run
from verifier.model.typed import Model
from verifier.model.world import World, key_name, state_keys
from verifier.prove.bits_way import graph_inputs
from verifier.prove.builder import Builder
from verifier.prove.obligations import Group
from verifier.prove.step_judge import StepJudge
from verifier.search.path import prefixed, settled
from verifier.search.ready_steps import ReadySteps
from verifier.search.rules import Rules

__all__ = ["Layer", "Unrolling", "free"]


@dataclass(slots=True)
class Layer:
    """One step of the unrolling: the choices, and the condition under which each is a good step."""

    steps: list[Step[Word, int]]
    enabled: list[int]
    bad: list[dict[str, int]]  # of each choice: property -> condition that it is violated
    choice: Word
    ok: int


def free(graph: Bits, depth: int) -> Fresh:
    """The inputs of a step at a depth, without bounds."""
    return prefixed(graph_inputs(graph), depth)


class Unrolling:
    """The states after a number of steps under some rules, and the next layer of steps.

    solver     makes a solver for the unrolling's own graph
    instances  what a step may be, by who acts
    fresh      the inputs of the step at a depth
    ready      these steps, built once before; None: each is built where it is needed

    `state` is the state after the steps so far; it may be set before the first. `given` has the
    conditions that the steps so far are good, and `choices` the instances of each, by the number
    that chooses one.
    """

    def __init__(
        self, model: Model, group: Group, rules: Rules, solver: Callable[[Bits], BitsSolver],
        instances: Callable[[Model, int], Iterator[Instance]] = instances,
        fresh: Callable[[Bits, int], Fresh] = free,
        depth: int = 0,
        ready: ReadySteps | None = None,
    ) -> None:
        self.model, self.group, self.rules = model, group, rules
        self.graph = Bits()
        self.solver = solver(self.graph)
        self.depth = depth
        self._instances, self._fresh, self._ready = instances, fresh, ready
        self.choices: list[list[Instance]] = []
        self.given: list[int] = []
        self.state: dict[Key, Value] = {}
        self._forget()

    def _forget(self) -> None:
        """Start a new memory of answers, on the same inputs of lifted helpers."""
        self.memo = self.model.memory(self.graph, graph_inputs(self.graph))

    def fix_init(self) -> None:
        """Begin in a fresh state; what init fixes becomes a constant, so that the first steps fold.
        """
        fresh = self._fresh(self.graph, 0)
        state = {key: fresh(key_name(key), kind) for key, kind in state_keys(self.model)}
        builder = Builder(self.model, self.group, self.graph, fresh, self.memo)
        conditions = [truth_of(self._world(state), f, ()) for _, f in self.model.init()]
        conditions += list(builder.invariant.values())
        for key, kind in state_keys(self.model):
            zero = self.graph.truth(False) if kind == BOOL else self.graph.word(0, kind)
            differs = self.graph.neg(equal(self.graph, state[key], zero, kind))
            if not isinstance(self.solver.check([*conditions, differs], ()), Sat):
                state[key] = zero
        self.given = [truth_of(self._world(state), f, ()) for _, f in self.model.init()]
        self.state = state

    def _world(self, state: dict[Key, Value]) -> World[Word, int]:
        return World(self.model, self.graph, state, self._fresh(self.graph, 0), self.memo)

    def deepen(self) -> Layer:
        """The layer of all steps from the present state."""
        layer = self.begin()
        self.add(layer)
        self.close(layer)
        return layer

    def begin(self) -> Layer:
        """A layer after the present state, of no step yet."""
        return Layer([], [], [], Word(()), FALSE)

    def add(self, layer: Layer, names: Set[str] | None = None, but: Set[str] = frozenset()) -> None:
        """The steps of these names (None: of all) from the present state.

        Those that were added before are left out.
        """
        fresh = self._fresh(self.graph, self.depth + 1)
        judge = StepJudge(self.model, self.group, self.graph, fresh, self.memo)
        held = self.rules.held(self._world(self.state), self.group.code)
        for actor in (0, 1):
            involved = self._involved(actor)
            chosen = [instance for instance in self._instances(self.model, actor)
                      if involved != FALSE and instance.name not in but
                      and (actor == 0 or acts(instance))
                      and (names is None or instance.name in names)]
            for step in self._steps(chosen, fresh):
                possible = self.graph.all(involved, *step.assumed)
                if possible == FALSE or all(step.after[k] is v for k, v in step.before.items()):
                    continue
                layer.steps.append(step)
                layer.bad.append(self.rules.violated(judge, step, held))
                layer.enabled.append(self.graph.conj(possible, settled(self.graph, self.memo)))

    def _steps(self, chosen: list[Instance], fresh: Fresh) -> Iterator[Step[Word, int]]:
        """These steps from the present state, one after the other."""
        if self._ready is not None:
            yield from self._ready.put(self.graph, self.state, chosen, fresh)
            return
        for instance in chosen:
            self.memo.take()  # from here on, what this step asks of helpers
            yield run(self.model, self.graph, self.state, instance, self.group.code, fresh,
                      self.memo)

    def close(self, layer: Layer) -> None:
        """The layer has all steps to choose among: which is taken, and whether that is a good one.
        """
        layer.choice = self.graph.input_word(f"{self.depth + 1}/choice",
                                             max(len(layer.steps) - 1, 1).bit_length())
        good = [self.graph.all(e, *(b ^ 1 for name, b in bads.items()
                                    if not self.rules.tolerates(name)))
                for e, bads in zip(layer.enabled, layer.bad, strict=True)]
        layer.ok = self.pick(layer.choice, good, FALSE)

    def _involved(self, actor: int) -> int:
        """B acts once it has an entry: until then, what it could do A can do as well."""
        if actor == 0:
            return TRUE
        world = self._world(self.state)
        empty = self.model.definition("views", "empty")
        assert empty is not None
        return truth_of(world, empty, (1,)) ^ 1

    def pick(self, choice: Word, values: list[int], default: int) -> int:
        """The chosen one of several literals."""
        level = list(values) + [default] * ((1 << len(choice.bits)) - len(values))
        for bit in choice.bits:
            level = [self.graph.mux(bit, level[i + 1], level[i]) for i in range(0, len(level), 2)]
        return level[0]

    def pick_word(self, choice: Word, values: list[Word], width: int) -> Word:
        """The chosen one of several words of `width` bits."""
        if all(v is values[0] for v in values):
            return values[0]
        columns = zip(*(v.bits for v in values), strict=True)
        return self.graph.intern(tuple(self.pick(choice, list(column), column[0])
                                       for column in columns))

    def advance(self, layer: Layer) -> None:
        """Take one good step.

        Of what was worked out for it, only what it may be is needed any more.
        """
        self.choices.append([step.instance for step in layer.steps])
        self.given.append(layer.ok)
        self.depth += 1
        following: dict[Key, Value] = {}
        for key, kind in state_keys(self.model):
            values = [step.after[key] for step in layer.steps]
            if kind == BOOL:
                truths = [as_truth(self.graph, value) for value in values]
                following[key] = self.pick(layer.choice, truths, truths[0])
            else:
                words = [as_word(self.graph, value) for value in values]
                following[key] = self.pick_word(layer.choice, words, kind)
        self.state = following
        self._forget()
        self.graph.forget()
        if self.rules.good:
            world = self._world(following)
            self.given += [c for _, _, c in invariants(self.model, world, self.group.code)
                           if c != TRUE]


def acts(instance: Instance) -> bool:
    """Does it matter who acts? Not where no text names the process."""
    transition = instance.transition
    if transition is None or len(transition.roles) > 1:
        return True
    texts = [*transition.codes.values(), *(a.holds for a in transition.requires)]
    return any(re.search(rf"\b{transition.roles[0]}\b", text.text) for text in texts)
