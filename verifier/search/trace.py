# SPDX-License-Identifier: GPL-2.0-or-later
"""How a bad state is reached: bounded search from a fresh mapping, one unrolling shared by all targets.

A step of the unrolling chooses among all instances of both processes and every hardware event. All steps of a
trace but the last keep every property; for what induction has proved that need not be asked again, so only
steps that failed some obligation are checked. So the invariant holds in every state of a trace but the last: it follows, and is
said all the same, since a solver that knows it finds out much sooner what cannot be reached. Whatever is found is recomputed
with plain integers.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from verifier.base.errors import SolverError
from verifier.engine.bits import FALSE, TRUE, Bits, Word
from verifier.engine.solve import BitsSolver, Sat
from verifier.language.evaluate import call
from verifier.language.machine import Key
from verifier.language.syntax import BOOL
from verifier.model.step import Instance, Step, World, instances, invariants, key_name, run, state_keys
from verifier.model.typed import Model
from verifier.prove.bits_way import graph_inputs
from verifier.prove.obligations import Builder, Group
from verifier.prove.results import Move
from verifier.search.follow import Plan, broken, follow, labels, retrace
from verifier.search.path import Path, Paths, Rules, Target, settled
from verifier.search.sequences import Labels, steps_named

__all__ = ["Hints", "Layer", "Search"]

OTHERS = 3  # traces to one target, of different steps
PATIENT = 200_000  # conflicts: a second solver would have to be told of the whole unrolling, and takes as much room again


@dataclass(slots=True)
class Hints:
    """Traces found elsewhere: tried first, and believed only when they are recomputed.

    traces        the last one, by level, encoding, code and target
    others        the steps of those that differ in steps, by encoding, code and target; the last that was found comes first
    consequences  what a failure leads to, the last one that was looked for; empty where there was none
    endings       the steps of those, by encoding and code; the shortest first
    """

    traces: dict[tuple[str, str, str, str], tuple[Move, ...]] = field(default_factory=dict)
    others: dict[tuple[str, str, str], list[Labels]] = field(default_factory=dict)
    consequences: dict[tuple[str, str, str, Target], tuple[Move, ...]] = field(default_factory=dict)
    endings: dict[tuple[str, str], list[Labels]] = field(default_factory=dict)
    in_vain: set[tuple[Any, ...]] = field(default_factory=set)  # searched to the full depth, of an architecture and of any

    def keep(self, model: Model, group: Group, name: str, trace: tuple[Move, ...]) -> None:
        """Remember a trace to this target."""
        self.traces[group.level, group.encoding, group.code, name] = trace
        _first(self.others.setdefault((group.encoding, group.code, name), []), labels(model, trace))

    def keep_consequence(self, model: Model, group: Group, target: Target, steps: tuple[Move, ...]) -> None:
        """Remember what a failure leads to, or that it leads nowhere near."""
        self.consequences[group.level, group.encoding, group.code, target] = steps
        if steps:
            endings = self.endings.setdefault((group.encoding, group.code), [])
            _first(endings, labels(model, steps))
            endings.sort(key=len)


def _first(known: list[Labels], steps: Labels) -> None:
    """Put steps before others, and forget what was there too long."""
    known[:] = [steps, *(other for other in known if other != steps)][:OTHERS]


@dataclass(slots=True)
class Layer:
    """One step of the unrolling: the choices, and under which condition each is a good step."""

    steps: list[Step]
    enabled: list[int]
    bad: list[dict[str, int]]  # of each choice: property -> condition that it is violated
    choice: Word
    ok: int


class Search(Rules):
    """The bounded search of one group. `failed` are the obligations that induction did not prove."""

    good = True  # does every state but the last satisfy the invariant?
    mark = ""  # before the names under which its traces are kept as hints
    words = ""  # what is said of them while it searches

    def __init__(
        self, model: Model, group: Group, failed: set[Target], deadline: float | None = None,
        say: Callable[[int], None] = lambda depth: None,
    ) -> None:
        super().__init__(model, group, failed)
        self.deadline = deadline
        self.say = say
        self.barred: set[Target] = set()  # steps found to break a property, that were not known to
        self.stopped = False
        self.depth = 0
        self.at: Target | None = None  # whose trace is looked for at the moment; None: everybody's

    @cached_property
    def paths(self) -> Paths:
        """Where the sequences of steps that it finds become formulas; several searches of a group may share it."""
        return Paths(self.model, self.group)

    def _restart(self) -> None:
        """A new unrolling, of no step."""
        self.graph = Bits()
        self.solver = BitsSolver(self.graph, conflicts=PATIENT, keep=True, late=self.late)
        self._forget()
        self.choices: list[list[Instance]] = []  # of each step taken, by the number that its choice has
        self.given: list[int] = []
        self.state: dict[Key, Any] = {}
        self.depth = 0

    def _forget(self) -> None:
        """Answers of helpers from here on. What lifted ones leave open is the same at every depth."""
        self.memo = self.model.memory(self.graph, graph_inputs(self.graph))

    def _fresh(self, depth: int) -> Callable[[str, int], Any]:
        inputs = graph_inputs(self.graph)
        return lambda name, kind: inputs(f"{depth}/{name}", kind)

    def _begin(self) -> None:
        """Unroll from a fresh state; what init fixes is put in as a constant, so that the first steps fold."""
        self._restart()
        fresh = self._fresh(0)
        state = {key: fresh(key_name(key), kind) for key, kind in state_keys(self.model)}
        builder = Builder(self.model, self.group, self.graph, fresh, self.memo)
        conditions = [call(self._world(state), f, ()) for _, f in self.model.init()]
        conditions += list(builder.invariant.values())
        for key, kind in state_keys(self.model):
            zero: Any = self.graph.truth(False) if kind == BOOL else self.graph.word(0, kind)
            differs = state[key] if kind == BOOL else self.graph.neg(self.graph.eq(state[key], zero, kind))
            if not isinstance(self.solver.check([*conditions, differs], ()), Sat):
                state[key] = zero
        self.given = [call(self._world(state), f, ()) for _, f in self.model.init()]
        self.state = state

    def _world(self, state: dict[Key, Any]) -> World:
        return World(self.model, self.graph, state, self._fresh(0), self.memo)

    def find(self, targets: list[Target], depth: int) -> Iterator[tuple[Target, tuple[Move, ...]]]:
        """Traces of at most `depth` steps, the shortest for each target; what is not found is not yielded.

        Where a trace takes a step that breaks a property which `failed` did not name, that step is barred and the
        search starts again: a run that asks for few obligations does not know all that fail.
        """
        left = list(targets)
        self._begin()
        while left and self.depth < depth and not self.late():
            self.say(self.depth + 1)
            layer = self._deepen()
            for target, trace in self._ends(layer, list(left)):
                left.remove(target)
                yield target, trace
            if self.barred:
                self.failed |= self.barred
                self.barred = set()
                self._begin()
            elif self.late():
                break  # not every target was asked for at this depth
            else:
                self._advance(layer)
            del layer  # before the next one is made: they are large
        self.stopped = bool(left) and self.depth < depth

    def _ends(self, layer: Layer, targets: list[Target]) -> Iterator[tuple[Target, tuple[Move, ...]]]:
        """What of the targets the next step can end in. Each is asked for alone: one question about all may be far too hard."""
        for target in targets:
            self.at = target
            for number, step in enumerate(layer.steps):
                way = self.graph.conj(layer.enabled[number], layer.bad[number].get(target[1], FALSE))
                if step.instance.name != target[0] or way == FALSE:
                    continue
                answer = self.solver.check([*self.given, way], [f"{d}/choice" for d in range(1, len(self.choices) + 1)])
                if isinstance(answer, Sat):
                    trace = self._trace(answer.model, step.instance, target[1])
                    if trace is not None:
                        yield target, trace
                    break
            self.at = None
            if self.barred or self.late():
                return

    def late(self) -> bool:
        """Is its time over?"""
        return self.deadline is not None and time.monotonic() > self.deadline

    def _deepen(self) -> Layer:
        """All steps from the present state."""
        fresh = self._fresh(self.depth + 1)
        builder = Builder.of_steps(self.model, self.group, self.graph, fresh, self.memo)
        steps, enabled, bad = [], [], []
        held = self.held(self._world(self.state))
        for actor in (0, 1):
            involved = self._involved(actor)
            for instance in self._instances(actor):
                if involved == FALSE or (actor == 1 and not self._acts(instance)):
                    continue
                self.memo.take()
                step = run(self.model, self.graph, self.state, instance, self.group.code, fresh, self.memo)
                possible = self.graph.all(involved, *step.assumed)
                if possible == FALSE or all(step.after[k] is v for k, v in step.before.items()):
                    continue
                steps.append(step)
                bad.append(self.violated(builder, step, held))
                enabled.append(self.graph.conj(possible, settled(self.graph, self.memo)))
        width = max(len(steps) - 1, 1).bit_length()
        choice = self.graph.input_word(f"{self.depth + 1}/choice", width)
        good = [self.graph.all(e, *(b ^ 1 for name, b in bads.items() if not self.tolerates(s.instance.name, name)))
                for s, e, bads in zip(steps, enabled, bad, strict=True)]
        return Layer(steps, enabled, bad, choice, self._pick(choice, good, FALSE))

    def _instances(self, actor: int) -> Iterator[Instance]:
        """What a step may be."""
        return instances(self.model, actor)

    def _involved(self, actor: int) -> int:
        """B acts once it has an entry: until then, what it could do A can do as well."""
        if actor == 0:
            return TRUE
        world = World(self.model, self.graph, self.state, self._fresh(0), self.memo)
        empty = self.model.definition("views", "empty")
        assert empty is not None
        return int(call(world, empty, (1,))) ^ 1

    def _acts(self, instance: Instance) -> bool:
        """Does it matter who acts? Not where no text names the process."""
        transition = instance.transition
        if transition is None or len(transition.roles) > 1:
            return True
        texts = [*transition.codes.values(), *(a.holds for a in transition.requires)]
        return any(re.search(rf"\b{transition.roles[0]}\b", text.text) for text in texts)

    def _pick(self, choice: Word, values: list[Any], default: Any) -> Any:
        """The chosen one of several literals."""
        level = list(values) + [default] * ((1 << len(choice.bits)) - len(values))
        for bit in choice.bits:
            level = [self.graph.mux(bit, level[i + 1], level[i]) for i in range(0, len(level), 2)]
        return level[0]

    def _pick_word(self, choice: Word, values: list[Word], width: int) -> Word:
        if all(v is values[0] for v in values):
            return values[0]
        columns = zip(*(v.bits for v in values), strict=True)
        return self.graph.intern(tuple(self._pick(choice, list(column), column[0]) for column in columns))

    def _advance(self, layer: Layer) -> None:
        """Take one good step. Of what was worked out for it, only what it may be is needed any more."""
        self.choices.append([step.instance for step in layer.steps])
        self.given.append(layer.ok)
        self.depth += 1
        following: dict[Key, Any] = {}
        for key, kind in state_keys(self.model):
            values = [step.after[key] for step in layer.steps]
            following[key] = (
                self._pick(layer.choice, values, values[0]) if kind == BOOL
                else self._pick_word(layer.choice, values, kind)
            )
        self.state = following
        self._forget()
        self.graph.forget()
        if self.good:
            self.given += [c for _, _, c in invariants(self.model, self._world(following), self.group.code) if c != TRUE]

    def _trace(self, model: dict[str, int | bool], last: Instance, prop: str) -> tuple[Move, ...] | None:
        """The steps that the model chose, minimised and recomputed; None if they are no trace after all."""
        chosen = [steps[int(model.get(f"{d}/choice", 0))] for d, steps in enumerate(self.choices, 1)]
        path = Path(self, self.paths, [*chosen, last])
        values = path.minimal(prop)
        if values is None:
            raise SolverError(f"{self.group}: a trace to {last.label}/{prop} cannot be followed")
        return self.confirmed(path.plan(values), path.start(values), prop)

    def retrace(self, trace: tuple[Move, ...], target: Target) -> tuple[Move, ...] | None:
        """The trace's choices, followed anew here; None if they lead elsewhere, or are none here."""
        again = retrace(self.model, self.group, trace, target[1], not self.good)
        return again if again is not None and again[-1].transition == target[0] else None

    def along(self, sequence: Labels, target: Target) -> tuple[Move, ...] | None:
        """A trace by the steps of another variant's, with values of its own; None where they do not lead there."""
        instances, prop = steps_named(self.model, sequence), target[1]
        if instances is None or instances[-1].name != target[0]:
            return None
        while (values := (path := Path(self, self.paths, instances)).minimal(prop)) is not None:
            found = self.confirmed(path.plan(values), path.start(values), prop)
            if not self.barred:
                return found
            self.failed |= self.barred
            self.barred = set()
        return None

    def confirmed(self, plan: Plan, start: Mapping[Key, int | bool], prop: str) -> tuple[Move, ...] | None:
        """The trace as plain integers give it. What they find broken on the way is barred from then on."""
        self.barred |= broken(self.model, self.group, plan, start) - self.failed
        return None if self.barred else follow(self.model, self.group, plan, start, prop)
