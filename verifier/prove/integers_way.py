# SPDX-License-Identifier: GPL-2.0-or-later
"""The third way to decide: plain integers, over all values of the few bits that matter.

The graph says which assumptions a proof needs, and on which input bits these and the violation
depend. Where they are few, the plain evaluator tries every one of their values, with all other bits
at random. So no literal of ours and no solver is behind that answer: the graph only chooses what is
tried. What it leaves out is tried by chance alone.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

from verifier.engine.bits import Bits, Word
from verifier.engine.bits_solver import BitsSolver
from verifier.language.algebra import Integers
from verifier.language.evaluate import truth_of
from verifier.language.machine import Key
from verifier.language.syntax import BOOL
from verifier.model.step import run
from verifier.model.typed import Model
from verifier.model.world import World, key_name, state_keys
from verifier.prove.builder import Builder
from verifier.prove.obligations import Group, Question, Way
from verifier.prove.step_judge import StepJudge

__all__ = ["MOST_BITS", "PlainProof", "PlainChecker", "Violated"]

MOST_BITS = 20
ROUNDS = 8  # evaluations where hardly a bit matters

@dataclass(frozen=True, slots=True)
class _Named:
    """What an assumption is called, so that the plain evaluator finds it again.

    name    of a property, or of an assumption of the step, or empty: of `init`
    number  of the process whose property it is, or of the sentence of `init`; None: of the step
    """

    name: str
    number: int | None


@dataclass(frozen=True, slots=True)
class PlainProof:
    """No value of the bits that matter violates the question; `bits` is their largest number."""

    bits: int
    evaluations: int


@dataclass(frozen=True, slots=True)
class Violated:
    """Values of inputs where all assumptions that the proof needs hold, and the property fails."""

    values: dict[str, int | bool]


@dataclass(frozen=True, slots=True)
class _Claim:
    """Part of a question: under one label, violations of one process, or of one sentence."""

    ways: tuple[Way[Word, int], ...]
    needed: frozenset[_Named]
    bits: tuple[tuple[str, int], ...]  # input, place


class PlainChecker:
    """Decides what the graph proved of one group's questions, where few bits matter."""

    def __init__(
        self, model: Model, group: Group, builder: Builder[Word, int], graph: Bits,
        solver: BitsSolver, seconds: float = 30
    ) -> None:
        self.model, self.group, self.builder = model, group, builder
        self.seconds = seconds  # that one question may take
        self.graph, self.solver = graph, solver
        # of a node: the input bits that it depends on, as a set of bits
        self._depends: list[int] = []
        self._places: list[tuple[str, int]] = []

    def check(self, question: Question[Word, int]) -> PlainProof | Violated | None:
        """The answer for a question that the graph has proved.

        None where more than MOST_BITS bits matter, where it takes too long, or where it is not
        proved.
        """
        claims = []
        for ways in _parts(question):
            claim = self._claim(question, ways)
            if claim is None:
                return None
            claims.append(claim)
        if not claims:
            return None  # nothing could violate it: there is nothing to try
        chance = random.Random(question.id)
        tried, end = 0, time.monotonic() + self.seconds
        for claim in claims:
            for values in _all_values(claim.bits):
                tried += 1
                if not tried & 255 and time.monotonic() > end:
                    return None
                inputs = _Inputs(values, chance)
                if self._violated(question, claim, inputs):
                    return Violated(inputs.given)
        return PlainProof(max((len(c.bits) for c in claims), default=0), tried)

    def _claim(
        self, question: Question[Word, int], ways: tuple[Way[Word, int], ...]
    ) -> _Claim | None:
        bad = self.graph.any(*(w.bad for w in ways))
        named = self._assumptions(question, ways[0])
        core = self.solver.core([*named.values(), bad],
                                lambda literal: self._set(literal).bit_count())
        if core is None:
            return None
        relevant = 0
        for literal in core:
            relevant |= self._set(literal)
        if relevant.bit_count() > MOST_BITS:
            return None
        bits = tuple(self._places[place] for place in range(relevant.bit_length())
                     if relevant >> place & 1)
        wanted = set(core)
        return _Claim(ways, frozenset(name for name, literal in named.items() if literal in wanted),
                      bits)

    def _assumptions(self, question: Question[Word, int], way: Way[Word, int]) -> dict[_Named, int]:
        """What the way's proof may use, by names under which the plain evaluator finds it again."""
        if way.step is None:
            return {_Named("", number): literal
                    for number, literal in enumerate(question.given[way.label])}
        found = {_Named(name, process): literal
                 for (name, process), literal in self.builder.invariant.items()}
        return found | {_Named(name, None): literal for name, literal in way.step.named.items()}

    def _set(self, literal: int) -> int:
        graph, depends = self.graph, self._depends
        for node in range(len(depends), len(graph.nodes)):
            a, b = graph.nodes.sides(node)
            if a < 0:
                depends.append(1 << len(self._places))
                self._places.append(graph.input_of[node])
            else:
                depends.append(depends[a >> 1] | depends[b >> 1] if node else 0)
        return depends[literal >> 1]

    def _violated(self, question: Question[Word, int], claim: _Claim, inputs: _Inputs) -> bool:
        """With plain integers: does everything hold that the proof needs, and the property not?"""
        model, alg, way = self.model, Integers(), claim.ways[0]
        memory = model.memory(alg, inputs)
        if way.sentence:
            _, given, function = next(s for s in model.sentences(question.property)
                                      if s[0] == way.sentence)
            args = tuple(inputs(f"{way.sentence}.{p.name}", p.type) for p in function.params)
            world = World(model, alg, {}, inputs, memory)
            supposed = given is None or not claim.needed or bool(truth_of(world, given, args))
            return supposed and not truth_of(world, function, args)
        state: dict[Key, int | bool] = {key: inputs(key_name(key), kind)
                                        for key, kind in state_keys(model)}
        world = World(model, alg, state, inputs, memory)
        if way.instance is None:
            sentences = [function for _, function in model.init()]
            return all(truth_of(world, sentences[n.number], ()) for n in claim.needed
                       if n.number is not None) and not truth_of(
                world, model.property(question.property), (way.process,))
        for needed in claim.needed:
            if needed.number is not None and not truth_of(
                    world, model.property(model.spec.properties[needed.name]), (needed.number,)):
                return False
        step = run(model, alg, state, way.instance, self.group.code, inputs, memory)
        if not all(step.named.get(needed.name, True) for needed in claim.needed
                   if needed.number is None):
            return False
        plain = StepJudge(model, self.group, alg, inputs, memory)
        return any(w.bad for w in plain.ways(question.property, step) if w.process == way.process)


def _parts(question: Question[Word, int]) -> list[tuple[Way[Word, int], ...]]:
    """The ways to violate a question: together where they are of one instance and process."""
    found: dict[tuple[str, int | None, str], list[Way[Word, int]]] = {}
    for way in question.ways:
        found.setdefault((way.label, way.process, way.sentence), []).append(way)
    return [tuple(ways) for ways in found.values()]


def _all_values(bits: tuple[tuple[str, int], ...]) -> Iterator[dict[str, list[int]]]:
    """For every value of these bits: input -> the mask of its bits among them, and their value."""
    masks: dict[str, int] = {}
    for name, place in bits:
        masks[name] = masks.get(name, 0) | 1 << place
    for number in range(max(ROUNDS, 1 << len(bits))):
        values = {name: [mask, 0] for name, mask in masks.items()}
        for which, (name, place) in enumerate(bits):
            values[name][1] |= (number >> which & 1) << place
        yield values


class _Inputs:
    """Inputs for one evaluation: given bits, and the others by chance; a name keeps its value."""

    def __init__(self, values: dict[str, list[int]], chance: random.Random) -> None:
        self.values, self.chance = values, chance
        self.given: dict[str, int | bool] = {}

    def __call__(self, name: str, kind: int) -> int | bool:
        found = self.given.get(name)
        if found is None:
            mask, value = self.values.get(name, (0, 0))
            number = self.chance.getrandbits(1 if kind == BOOL else kind) & ~mask | value
            found = self.given[name] = bool(number) if kind == BOOL else number
        return found

