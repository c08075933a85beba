# SPDX-License-Identifier: GPL-2.0-or-later
"""What is near a bad state: steps from there to a leaking store or to lost content.

The search is for what is near; it proves nothing. It begins in one constant state, so that most of
the first steps fold away, and what it finds depends on that state alone. It leaves out what would
cost most. Hardware and threads act between steps and not inside them. Frames and slots are of a
few. No new process becomes the third one. Steps that begin with another content are taken only
where a translation is left over that might hurt it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from verifier.base.errors import SolverError
from verifier.engine.answers import Sat, Unsat
from verifier.engine.bits import Bits, Word
from verifier.engine.bits_solver import BitsSolver
from verifier.engine.sat import STRONG_SAT
from verifier.language.machine import Key
from verifier.language.syntax import BOOL
from verifier.language.values import Fresh, Value, as_word
from verifier.model.spec import THIRD
from verifier.model.step import Instance, instances
from verifier.model.typed import Model
from verifier.model.world import turn_name
from verifier.prove.bits_way import graph_inputs
from verifier.prove.obligations import Group
from verifier.search.endings import BadState, Found, along, constant, ends
from verifier.search.ready_steps import ReadySteps
from verifier.search.rules import Rules
from verifier.search.sequences import Labels
from verifier.search.unrolling import Layer, Unrolling

__all__ = ["Near", "Tried", "ready_steps"]

TRIES = 3  # rejected sequences of one failure after which the search ends
CONFLICTS = 1000  # of one question; no seconds, so that every machine gives up alike


@dataclass(slots=True)
class Tried:
    """Sequences of one failure that were looked at.

    rejected  sequences that are no consequence
    avoided   labels of steps without which they would end in nothing
    """

    rejected: set[Labels] = field(default_factory=set)
    avoided: set[str] = field(default_factory=set)  # labels of steps

    def enough(self) -> bool:
        """Were so many rejected that the search ends?"""
        return len(self.rejected) >= TRIES


def ready_steps(model: Model, group: Group) -> ReadySteps:
    """All steps that what is near any bad state may be."""
    within = ({f"{event}{late}" for event in model.layout.variant.hardware
               for late in ("", "-late")} | {"load"}
              | {turn_name(step, process) for step in model.thread_steps for process in (0, 1)})

    def never(name: str) -> bool:
        """Hardware and threads do nothing inside a step."""
        what, _, at = name.partition("@")
        return bool(at) and what in within

    return ReadySteps(model, group, (i for actor in (0, 1) for i in _near(model, actor)), never)


def _near(model: Model, actor: int) -> Iterator[Instance]:
    """What a step may be: nobody new is a third process."""
    return (i for i in instances(model, actor) if THIRD not in i.roles)


class Near:
    """An unrolling that begins in a bad state.

    ready  the steps that there are

    `decided` says whether the last call of `candidates` had an answer to every question.
    """

    def __init__(self, model: Model, group: Group, bad: BadState, ready: ReadySteps) -> None:
        self.model, self.group = model, group
        self.decided = True
        # only these may be the last one: the layer that is asked for has no others
        self._bad, self._enders = bad, ready.enders(model.spec.ends)
        self._another = _left_over(bad.state)
        self._names: dict[str, Word] = {}
        self._layer: Layer | None = None
        # for each layer, the steps that may be a consequence and the condition that they are
        self._endings: list[list[tuple[Instance, int]]] = []
        # The failing step is the first.
        self._unrolled = Unrolling(
            model, group, Rules(frozenset(), good=False),
            lambda graph: BitsSolver(graph, STRONG_SAT, keep=True, limit=CONFLICTS),
            self._instances, self._fresh, depth=1, ready=ready)
        self._unrolled.state = constant(model, self._unrolled.graph, bad.state)
        self._names = {name: as_word(self._unrolled.graph, self._unrolled.state[name])
                       for name in ("pfn", "slot")}

    def candidates(self, number: int, tried: Tried) -> Iterator[Found]:
        """Sequences of `number` steps and one more that end so, each with other steps."""
        self.decided, unrolled = True, self._unrolled
        while number >= len(self._endings):
            self._deepen()
        while not tried.enough():
            given = [*self._bad.as_open(unrolled.graph), *unrolled.given[:number],
                     *self._avoid(tried, number)]
            endings = [(i, end) for i, end in self._endings[number] if i.label not in tried.avoided]
            answer = unrolled.solver.check(
                [*given, unrolled.graph.any(*(end for _, end in endings))], ()
            )
            if not isinstance(answer, Sat):
                self.decided = isinstance(answer, Unsat)
                return
            before = len(tried.rejected)
            for instance, end in endings:
                answer = unrolled.solver.check([*given, end],
                                               [f"{d}/choice" for d in range(2, number + 2)])
                self.decided &= isinstance(answer, (Sat, Unsat))
                if not isinstance(answer, Sat):
                    continue
                path = [s[int(answer.model.get(f"{d}/choice", 0))]
                        for d, s in enumerate(unrolled.choices[:number], 2)]
                found = along(self.model, self.group, self._bad, [*path, instance])
                if found is None:
                    raise SolverError(
                        f"{self.group}: {instance.label} after a failure cannot be followed"
                    )
                yield found
                break
            if len(tried.rejected) == before:
                return  # the caller took one, or the solver decided none

    def _avoid(self, tried: Tried, number: int) -> list[int]:
        """The conditions that no avoided step and no rejected sequence is chosen."""
        graph, found = self._unrolled.graph, []
        chosen: list[dict[str, int]] = []
        for depth, steps in enumerate(self._unrolled.choices[:number], 2):
            choice = graph.input_word(f"{depth}/choice", max(len(steps) - 1, 1).bit_length())
            told = tried.avoided.union(*tried.rejected)
            chosen.append({step.label: graph.eq(choice, graph.word(i, len(choice.bits)),
                                                len(choice.bits))
                           for i, step in enumerate(steps) if step.label in told})
            found += [literal ^ 1 for label, literal in chosen[-1].items()
                      if label in tried.avoided]
        for labels in tried.rejected:
            if (len(labels) == number + 1
                    and all(label in row for label, row in zip(labels, chosen, strict=False))):
                found.append(
                    graph.all(*(row[label] for label, row in zip(labels, chosen, strict=False))) ^ 1
                )
        return found

    def _deepen(self) -> None:
        """One step more: what ends so now, only then what else the step before may have been."""
        unrolled = self._unrolled
        if self._layer is not None:
            unrolled.add(self._layer, but=self._enders)
            unrolled.close(self._layer)
            unrolled.advance(self._layer)
        self._layer = layer = unrolled.begin()
        unrolled.add(layer, self._enders)
        self._endings.append([
            (step.instance, unrolled.graph.conj(enabled, bad))
            for step, enabled in zip(layer.steps, layer.enabled, strict=True)
            for bad in ends(self.model, step)
        ])

    def _instances(self, model: Model, actor: int) -> Iterator[Instance]:
        """What a step may be here."""
        return (i for i in _near(model, actor) if self._another or not i.tracks_new)

    def _fresh(self, graph: Bits, depth: int) -> Fresh:
        """The inputs of a step at a depth.

        Frames and slots differ from the present ones in a few bits.
        """
        inputs, names, ulong = graph_inputs(graph), self._names, self.model.layout.ulong
        free = {0, 1} | {bits + i for bits in _block_bits(self.model) for i in (0, 1)}

        def fresh(name: str, kind: int) -> Value:
            word = inputs(f"{depth}/{name}", kind)
            if kind == BOOL or kind != ulong or not names:
                return word
            assert isinstance(word, Word)
            near = names["slot" if "slot" in name else "pfn"]
            return graph.intern(
                tuple([bit if i in free else near.bits[i] for i, bit in enumerate(word.bits)])
            )

        return fresh


def _left_over(state: Mapping[Key, int | bool]) -> bool:
    """May a translation be cached that outlives the content?"""
    return any(bool(state.get((what, process), False)) for what in ("cached", "stale_write")
               for process in (0, 1))


def _block_bits(model: Model) -> set[int]:
    """The numbers of low bits of a frame that tell pages of one block apart, for each block size.
    """
    constants = model.layout.variant.constants
    sizes = {"pmd": "HPAGE_PMD_NR", "hugetlb": "HUGETLB_NR"}
    return {max(int(constants[name]) - 1, 1).bit_length() for level, name in sizes.items()
            if level == model.level.kind and name in constants}
