# SPDX-License-Identifier: GPL-2.0-or-later
"""How a bad state is reached: a bounded search from a fresh mapping, shared by all targets.

All steps of a trace but the last keep every property, or whatever else the rules say. Whatever is
found is recomputed with plain integers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property

from verifier.base.errors import SolverError
from verifier.engine.answers import Sat, Undecided
from verifier.engine.bits import FALSE
from verifier.engine.bits_solver import BitsSolver
from verifier.language.machine import Key
from verifier.model.step import Instance
from verifier.model.typed import Model
from verifier.prove.obligations import Group
from verifier.prove.results import Move
from verifier.search.follow import Plan, broken, follow, retrace
from verifier.search.path import Path, Paths
from verifier.search.rules import Rules, Target
from verifier.search.sequences import Labels, steps_named
from verifier.search.unrolling import Layer, Unrolling

__all__ = ["NODES", "SLOW", "Search"]

# How hard one question to the unrolling may be: conflicts, which are alike on every machine.
HARD = 2_000
# Nodes that an unrolling may have for each second of its time, before it is made no deeper.
NODES = 15_000
SLOW = 5  # times the seconds that are asked for: how long it may take where a machine is slow


class Search:
    """The bounded search of one group for traces that keep to its rules.

    It ends where the unrolling has become large or a question hard: both are counted, so that it
    goes as deep on every machine.

    seconds   that it may take, about: NODES for each, and SLOW times as many by the clock, from now
              on; None: as it likes
    say       told how many steps are searched now
    """

    def __init__(
        self, model: Model, group: Group, rules: Rules, seconds: float | None = None,
        say: Callable[[int], None] = lambda depth: None,
    ) -> None:
        self.model = model
        self.group = group
        self.rules = rules
        self.deadline = None if seconds is None else time.monotonic() + SLOW * seconds
        self.large = None if seconds is None else int(NODES * seconds)
        self.say = say
        self.barred: set[Target] = set()  # steps found to break a property, that were not known to
        self.at: Target | None = None  # whose trace is looked for at the moment; None: everybody's
        self.hard = False  # was a question given up?
        self._unrolled: Unrolling | None = None

    @property
    def depth(self) -> int:
        """How many steps were searched to the end, of the unrolling that there is now."""
        return 0 if self._unrolled is None else self._unrolled.depth

    @cached_property
    def paths(self) -> Paths:
        """Where the sequences of steps that it finds become formulas.

        Several searches of a group may share it.
        """
        return Paths(self.model, self.group)

    def _begin(self) -> Unrolling:
        """A new unrolling, of no step, from a fresh state."""
        self._unrolled = None  # before the next one is made: they are large
        self._unrolled = found = Unrolling(
            self.model, self.group, self.rules,
            lambda graph: BitsSolver(graph, conflicts=HARD, keep=True, late=self.late))
        found.fix_init()
        return found

    def _bar(self) -> None:
        """From here on the rules know of the steps that were found to break a property."""
        self.rules = self.rules.also(self.barred)
        self.barred = set()

    def find(self, targets: list[Target], depth: int) -> Iterator[tuple[Target, tuple[Move, ...]]]:
        """Traces of at most `depth` steps, the shortest for each target that has one.

        A trace may take a step that breaks a property which the rules did not name, since a run
        that asks for few obligations does not know all that fail. Then that step is barred, and the
        search starts again.
        """
        left = list(targets)
        unrolled = self._begin()
        while left and unrolled.depth < depth and self._may_deepen(unrolled):
            self.say(unrolled.depth + 1)
            layer, last = unrolled.begin(), frozenset(transition for transition, _ in left)
            unrolled.add(layer, last)
            for target, trace in self._ends(unrolled, layer, list(left)):
                left.remove(target)
                yield target, trace
            if self.barred:
                self._bar()
                del unrolled  # before the next one is made: they are large
                unrolled = self._begin()
            elif self.hard or self.late():
                break  # not every target was asked for at this depth, or not to the end
            elif not left or unrolled.depth + 1 == depth or not self._may_deepen(unrolled):
                # what else the step may be matters to what comes after it alone
                unrolled.depth += 1
            else:
                unrolled.add(layer, but=last)
                unrolled.close(layer)
                unrolled.advance(layer)
            del layer  # before the next one is made: they are large

    def _may_deepen(self, unrolled: Unrolling) -> bool:
        """Is there room and time for one step more?"""
        return (self.large is None or len(unrolled.graph.nodes) <= self.large) and not self.late()

    def _ends(
            self, unrolled: Unrolling, layer: Layer, targets: list[Target]
    ) -> Iterator[tuple[Target, tuple[Move, ...]]]:
        """What of the targets the next step can end in.

        Each is asked for alone: one question about all may be far too hard.
        """
        chosen = [f"{d}/choice" for d in range(1, len(unrolled.choices) + 1)]
        for target in targets:
            self.at = target
            for number, step in enumerate(layer.steps):
                way = unrolled.graph.conj(layer.enabled[number],
                                          layer.bad[number].get(target[1], FALSE))
                if step.instance.name != target[0] or way == FALSE:
                    continue
                answer = unrolled.solver.check([*unrolled.given, way], chosen, hard=False)
                self.hard |= isinstance(answer, Undecided)
                if isinstance(answer, Sat):
                    trace = self._trace(answer.model, step.instance, target[1])
                    if trace is not None:
                        yield target, trace
                    break
            self.at = None
            if self.barred or self.late():
                return

    def late(self) -> bool:
        """Is its time over by the clock?"""
        return self.deadline is not None and time.monotonic() > self.deadline

    def _trace(
            self, model: dict[str, int | bool], last: Instance, prop: str
    ) -> tuple[Move, ...] | None:
        """The steps that the model chose, minimised and recomputed.

        None if they are no trace after all.
        """
        assert self._unrolled is not None
        chosen = [steps[int(model.get(f"{d}/choice", 0))]
                  for d, steps in enumerate(self._unrolled.choices, 1)]
        path = Path(self.rules, self.paths, [*chosen, last])
        values = path.values(prop)
        if values is None:
            raise SolverError(f"{self.group}: a trace to {last.label}/{prop} cannot be followed")
        return self.confirmed(path.plan(values), path.start(values), prop)

    def retrace(self, trace: tuple[Move, ...], target: Target) -> tuple[Move, ...] | None:
        """The choices of a trace, followed anew here; None if they lead elsewhere."""
        again = retrace(self.model, self.group, trace, target[1], not self.rules.good)
        return again if again is not None and again[-1].transition == target[0] else None

    def along(self, sequence: Labels, target: Target) -> tuple[Move, ...] | None:
        """A trace by the steps of another variant's, with values of its own.

        None where they do not lead there.
        """
        instances, prop = steps_named(self.model, sequence), target[1]
        if instances is None or instances[-1].name != target[0]:
            return None
        while (
            values := (path := Path(self.rules, self.paths, instances)).values(prop)
        ) is not None:
            found = self.confirmed(path.plan(values), path.start(values), prop)
            if not self.barred:
                return found
            self._bar()
        return None

    def confirmed(
            self, plan: Plan, start: Mapping[Key, int | bool], prop: str
    ) -> tuple[Move, ...] | None:
        """The trace as plain integers give it.

        What they find broken on the way is barred from then on.
        """
        if self.rules.further is not None:
            plan = tuple((instance, self.rules.further.without(inputs))
                         for instance, inputs in plan)
        prop = self.rules.named(prop)
        if not self.rules.good:
            return follow(self.model, self.group, plan, start, prop, through=True)
        self.barred |= broken(self.model, self.group, plan, start) - self.rules.failed
        return None if self.barred else follow(self.model, self.group, plan, start, prop)
