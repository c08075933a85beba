# SPDX-License-Identifier: GPL-2.0-or-later
"""What a bad state leads to: a store that another process sees, or content that is lost.

Steps on the way may fail themselves: a failure is often lost content only together with another one. So that a loss which has
nothing to do with the failure is not shown as what it leads to, the solver is asked for the same steps from the state before the
failing step, with inputs of their own; and, of a later step that breaks something more, for the rest of the steps from any state
that satisfies the invariant. Where these can end so, or where the solver gives up, the steps are no consequence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from verifier.base.errors import SolverError
from verifier.engine.bits import FALSE, Bits, Word
from verifier.engine.solve import STRONG_SAT, BitsSolver, Sat, Unsat
from verifier.language.algebra import Integers
from verifier.language.machine import LIFTED, Key
from verifier.language.syntax import BOOL
from verifier.model.spec import ADVISORY, INVARIANT, LEMMA, THIRD
from verifier.model.step import Instance, Step, World, instances, invariants, key_name, run, state_keys
from verifier.model.typed import Model
from verifier.prove.bits_way import graph_inputs, input_reader, replay, step_move
from verifier.prove.obligations import Group
from verifier.prove.results import Move
from verifier.search.follow import steps_here
from verifier.search.path import of_step, prefixed, settled
from verifier.search.sequences import Labels, steps_named
from verifier.search.trace import Layer, Search

__all__ = ["NEAR", "Consequences", "Ending"]

NEAR = 5  # steps, at most, to a consequence
TRIES = 3  # sequences of one failure that turn out to be no consequence, before the search ends
CONFLICTS = 1_000  # of one question to the search: how hard it may be, alike on every machine
HARD = 200_000  # of the question whether the same steps end so without the failure
ENDS = ("store-leak", "dropped-newer")


@dataclass(frozen=True, slots=True)
class Ending:
    """What a failure leads to.

    steps     the steps from the bad state; none where none were found
    ends      which property the last one violates
    searched  of how many steps at most everything was asked for in vain; 0 where one was found, or nobody searched
    rejected  sequences that end so, but may without the failure as well
    """

    steps: tuple[Move, ...] = ()
    ends: str = ""
    searched: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class _Bad:
    """A bad state, the one before the failing step, and what lifted helpers left open there: it stays as it was."""

    state: Mapping[Key, int | bool]
    before: Mapping[Key, int | bool]
    open: Mapping[str, int | bool]

    @staticmethod
    def of(move: Move) -> _Bad:
        return _Bad(move.after, move.before, {name: value for name, value in move.inputs.items() if name.startswith(LIFTED)})

    def as_open(self, graph: Bits) -> list[int]:
        """The conditions that it is so; what no step on the way has asked for is 0, as it is there."""
        return [bit ^ (not int(self.open.get(name, 0)) >> i & 1)
                for name, bits in graph.inputs.items() if name.startswith(LIFTED) for i, bit in enumerate(bits)]


@dataclass(slots=True)
class _Tried:
    """Sequences of one failure that were looked at: which are no consequence, and which steps they would be nothing without."""

    rejected: set[Labels] = field(default_factory=set)
    avoided: set[str] = field(default_factory=set)  # labels of steps


class Consequences(Search):
    """What bad states of one group lead to. One unrolling begins in all of those that are known when it is made.

    It is a search for what is near, not a proof that nothing is. What it begins in is constant, and it leaves out what would cost
    most: hardware acts between steps and not inside them, frames and slots are of a few, nobody new comes to be a third process,
    and steps that begin with another content are taken only where a translation is left over that might hurt it.
    """

    good = False

    def __init__(self, model: Model, group: Group) -> None:
        super().__init__(model, group, set())
        self._bads: list[_Bad] = []
        self._layer: Layer | None = None
        self._endings: list[list[tuple[Instance, int]]] = []  # of each layer: steps that may be a consequence, and when
        self._names: dict[str, Word] = {}
        self._hardware = {f"{event}{late}" for event in model.layout.variant.hardware for late in ("", "-late")} | {"load"}
        self._another = False
        self._known: dict[Labels, bool] = {}  # do steps end so from some state that satisfies the invariant?

    def expect(self, moves: Iterable[Move]) -> None:
        """These bad states will be asked for."""
        self._bads = [_Bad.of(move) for move in moves]
        self._layer, self._endings = None, []

    def of(self, move: Move, last: Sequence[Move] = (), known: Iterable[Labels] = (), depth: int = NEAR) -> Ending:
        """Steps from where a failing move came to, to a store that leaks or content that is lost, and which.

        last    such steps from another state: tried first, as they are
        known   what such steps were elsewhere: tried then, with other values
        """
        bad, tried = _Bad.of(move), _Tried()
        found = self.again(move, last)
        if found[0] and self._follows(bad, found[0], tried):
            return Ending(*found)
        for labels in known:
            if len(tried.rejected) >= TRIES:
                tried.rejected.clear()  # what was known elsewhere is no search
            along = _along(self.model, self.group, bad, steps_named(self.model, labels))
            if along is not None and self._follows(bad, along[0], tried):
                return Ending(*along, rejected=len(tried.rejected))
        searched = 0
        for number in range(depth):
            for found in self._candidates(bad, number, tried):
                if self._follows(bad, found[0], tried):
                    return Ending(*found, rejected=len(tried.rejected))
            if len(tried.rejected) >= TRIES or not self._decided:
                break
            searched = number + 1
        return Ending(searched=searched, rejected=len(tried.rejected))

    def again(self, move: Move, steps: Sequence[Move]) -> Found:
        """These steps from where a failing move came to, if they end so, recomputed; whether they follow from it is not asked."""
        return (_again(self.model, self.group, _Bad.of(move), steps) if steps else None) or ((), "")

    def _follows(self, bad: _Bad, steps: Sequence[Move], tried: _Tried) -> bool:
        """Is it what the failure leads to? Not where the same steps may end so from the state before it, or a part of them alone.

        Then the step that does the damage is avoided, and the search goes on without it.
        """
        path = steps_here(self.model, steps)
        assert path is not None, "they have just been followed"
        labels = tuple(instance.label for instance in path)
        if labels in tried.rejected:
            return False
        without = _without(self.model, self.group, bad, path)
        if without is not None:
            culprit = next((label for label, move in zip(labels, without, strict=False) if self._breaks(move)), "")
        else:
            culprit = next((labels[i] for i in range(1, len(path)) if self._breaks_more(steps[i]) and self._alone(path[i:])), "")
            if not culprit:
                return True
        tried.rejected.add(labels)
        if culprit:
            tried.avoided.add(culprit)
        return False

    def _breaks(self, move: Move) -> bool:
        """Does the move violate a property?"""
        violated, _, _ = replay(self.model, self.group, move)
        return any(self.model.spec.properties[name].kind != ADVISORY for name in violated)

    def _breaks_more(self, move: Move) -> bool:
        """Does the move violate what held before it?"""
        violated, _, after = replay(self.model, self.group, move)
        steps = {name for name in violated if self.model.spec.properties[name].kind not in (INVARIANT, LEMMA, ADVISORY)}
        return bool(steps - {*ENDS}) or bool(self._lost(after, move) - self._lost(move.before, move))

    def _lost(self, state: Mapping[Key, int | bool], move: Move) -> set[tuple[str, int]]:
        """The invariants that do not hold in a state, and of whom."""
        reader = input_reader(dict(move.inputs))
        world = World(self.model, Integers(), dict(state), reader, self.model.memory(Integers(), reader))
        return {(name, process) for name, process, holds in invariants(self.model, world, self.group.code) if not holds}

    def _alone(self, path: Sequence[Instance]) -> bool:
        """May the steps end so from a state that satisfies the invariant?"""
        labels = tuple(instance.label for instance in path)
        if labels not in self._known:
            self._known[labels] = _sound_ends(self.model, self.group, path)
        return self._known[labels]

    def _candidates(self, bad: _Bad, number: int, tried: _Tried) -> Iterator[Found]:
        """Sequences of so many steps and one more that end so, each of others; and whether all were asked for."""
        self._decided = True
        if bad not in self._bads:
            self._bads, self._layer, self._endings = [bad], None, []
        while number >= len(self._endings):
            self._unroll()
        while len(tried.rejected) < TRIES:
            given = [*self._is(bad), *bad.as_open(self.graph), *self.given[:number], *self._avoid(tried, number)]
            endings = [(i, ends) for i, ends in self._endings[number] if i.label not in tried.avoided]
            answer = self.solver.check([*given, self.graph.any(*(ends for _, ends in endings))], ())
            if not isinstance(answer, Sat):
                self._decided = isinstance(answer, Unsat)
                return
            before = len(tried.rejected)
            for instance, ends in endings:
                answer = self.solver.check([*given, ends], [f"{d}/choice" for d in range(2, number + 2)])
                self._decided &= isinstance(answer, (Sat, Unsat))
                if not isinstance(answer, Sat):
                    continue
                path = [s[int(answer.model.get(f"{d}/choice", 0))] for d, s in enumerate(self.choices[:number], 2)]
                found = _along(self.model, self.group, bad, [*path, instance])
                if found is None:
                    raise SolverError(f"{self.group}: {instance.label} after a failure cannot be followed")
                yield found
                break
            if len(tried.rejected) == before:
                return  # it was taken, or not even the hard way decides it

    def _avoid(self, tried: _Tried, number: int) -> list[int]:
        """The conditions that steps that are avoided are not chosen, nor sequences that are rejected."""
        graph, found = self.graph, []
        chosen: list[dict[str, int]] = []
        for depth, steps in enumerate(self.choices[:number], 2):
            choice = graph.input_word(f"{depth}/choice", max(len(steps) - 1, 1).bit_length())
            told = tried.avoided.union(*tried.rejected)
            chosen.append({step.label: graph.eq(choice, graph.word(i, len(choice.bits)), len(choice.bits))
                           for i, step in enumerate(steps) if step.label in told})
            found += [literal ^ 1 for label, literal in chosen[-1].items() if label in tried.avoided]
        for labels in tried.rejected:
            if len(labels) == number + 1 and all(label in row for label, row in zip(labels, chosen, strict=False)):
                found.append(graph.all(*(row[label] for label, row in zip(labels, chosen, strict=False))) ^ 1)
        return found

    def _unroll(self) -> None:
        """One step more; the first one from the bad states."""
        if self._layer is not None:
            self._advance(self._layer)
        else:
            self._begin_bad()
        self._layer = layer = self._deepen()
        self._endings.append([
            (step.instance, self.graph.conj(enabled, bad))
            for step, enabled in zip(layer.steps, layer.enabled, strict=True) for bad in _ends(step)
        ])

    def _begin_bad(self) -> None:
        """A new unrolling, of no step, from one of the bad states."""
        self._restart()
        self.solver = BitsSolver(self.graph, STRONG_SAT, keep=True, limit=CONFLICTS)
        self.depth = 1  # the failure was the first step
        which = self.graph.input_word("bad", max(len(self._bads) - 1, 1).bit_length())
        self._another = any(_left_over(bad.state) for bad in self._bads)
        for key, kind in state_keys(self.model):
            values = [int(bad.state[key]) for bad in self._bads]
            if kind == BOOL:
                self.state[key] = self._pick(which, values, values[0])
            else:
                self.state[key] = self._pick_word(which, [self.graph.word(value, kind) for value in values], kind)
        self._names = {"pfn": self.state["pfn"], "slot": self.state["slot"]}

    def _is(self, bad: _Bad) -> list[int]:
        """The conditions that the unrolling starts in this state."""
        number, which = self._bads.index(bad), self.graph.input_word("bad", max(len(self._bads) - 1, 1).bit_length())
        return [bit ^ (not number >> i & 1) for i, bit in enumerate(which.bits)]

    def _instances(self, actor: int) -> Iterator[Instance]:
        return (i for i in instances(self.model, actor) if THIRD not in i.roles and (self._another or not i.tracks_new))

    def _fresh(self, depth: int) -> Callable[[str, int], Any]:
        """Inputs of a step: hardware does nothing inside it, and frames and slots differ from the present ones in a few bits."""
        inputs, names, ulong = graph_inputs(self.graph), self._names, self.model.layout.ulong
        free = {0, 1} | {bits + i for bits in _block_bits(self.model) for i in (0, 1)}

        def fresh(name: str, kind: int) -> Any:
            what, _, at = name.partition("@")
            if at and what in self._hardware:
                return FALSE
            word = inputs(f"{depth}/{name}", kind)
            if kind == BOOL or kind != ulong or not names:
                return word
            near = names["slot" if "slot" in name else "pfn"]
            return self.graph.intern(tuple([bit if i in free else near.bits[i] for i, bit in enumerate(word.bits)]))

        return fresh


Found = tuple[tuple[Move, ...], str]  # the steps, and what the last one is


def _left_over(state: Mapping[Key, int | bool]) -> bool:
    """May a translation be cached that outlives the content?"""
    return any(bool(state.get((what, process), False)) for what in ("cached", "stale_write") for process in (0, 1))


def _block_bits(model: Model) -> set[int]:
    """How many low bits of a frame tell the pages of one block apart, at the levels that there are."""
    constants = model.layout.variant.constants
    sizes = {"pmd": "HPAGE_PMD_NR", "hugetlb": "HUGETLB_NR"}
    return {max(int(constants[name]) - 1, 1).bit_length() for level, name in sizes.items()
            if level == model.level.name and name in constants}


def _constant(model: Model, graph: Bits, state: Mapping[Key, int | bool]) -> dict[Key, Any]:
    return {key: graph.truth(bool(state[key])) if kind == BOOL else graph.word(int(state[key]), kind)
            for key, kind in state_keys(model)}


def _ends(step: Step) -> list[int]:
    """The conditions that the step is a consequence."""
    return [bad for prop in ENDS if (bad := step.violations.get(prop, FALSE)) != FALSE]


def _along(model: Model, group: Group, bad: _Bad, path: Sequence[Instance] | None) -> Found | None:
    """These steps from this state, with values of their own; nothing if they do not lead there, or are none of this model."""
    if path is None:
        return None
    values, _ = _values(model, group, bad, bad.state, path)
    if values is None:
        return None
    moves = _moves(model, group, bad, bad.state, path, values)
    found = _again(model, group, bad, moves)
    if found is None:
        raise SolverError(f"{group}: {', '.join(move.transition for move in moves)} after a failure cannot be followed")
    return found


def _without(model: Model, group: Group, bad: _Bad, path: Sequence[Instance]) -> list[Move] | None:
    """The same steps from the state before the failure where they may end so as well; None where it is decided that they do not.

    Where the solver gives up, that is not known, and there are no values: no moves.
    """
    values, decided = _values(model, group, bad, bad.before, path, HARD)
    if values is None:
        return None if decided else []
    return _moves(model, group, bad, bad.before, path, values)


def _values(
    model: Model, group: Group, bad: _Bad, start: Mapping[Key, int | bool], path: Sequence[Instance], limit: int = 0,
) -> tuple[Mapping[str, int | bool] | None, bool]:
    """Values under which the steps end so from a state, if there are any; and whether that was decided."""
    graph = Bits()
    return _ending(model, group, graph, _constant(model, graph, start), path, limit, bad)


def _sound_ends(model: Model, group: Group, path: Sequence[Instance]) -> bool:
    """May the steps end so from some state that satisfies the invariant? So it is said as well where the solver gives up."""
    graph = Bits()
    inputs = graph_inputs(graph)
    start = {key: inputs(key_name(key), kind) for key, kind in state_keys(model)}
    values, decided = _ending(model, group, graph, start, path, HARD)
    return values is not None or not decided


def _ending(
    model: Model, group: Group, graph: Bits, start: dict[Key, Any], path: Sequence[Instance], limit: int, bad: _Bad | None = None,
) -> tuple[Mapping[str, int | bool] | None, bool]:
    """Values under which the steps end so, if there are any, and whether that was decided; without a bad state, from any that
    satisfies the invariant."""
    inputs = graph_inputs(graph)
    memo = model.memory(graph, inputs)
    present, given = start, []
    if bad is None:
        given += [c for _, _, c in invariants(model, World(model, graph, start, inputs, memo), group.code)]
    for number, instance in enumerate(path, 2):
        step = run(model, graph, present, instance, group.code, prefixed(inputs, number), memo)
        given += step.assumed
        present = step.after
    given += [settled(graph, memo), *(bad.as_open(graph) if bad else ())]
    solver, decided = BitsSolver(graph, limit=limit), True
    for ends in _ends(step):
        answer = solver.check([*given, ends])
        if isinstance(answer, Sat):
            return answer.model, True
        decided &= isinstance(answer, Unsat)
    return None, decided


def _moves(
    model: Model, group: Group, bad: _Bad, start: Mapping[Key, int | bool], path: Sequence[Instance],
    values: Mapping[str, int | bool],
) -> list[Move]:
    """The steps that a solver found, as plain integers give them."""
    moves: list[Move] = []
    present = dict(start)
    for number, instance in enumerate(path, 2):
        moves.append(step_move(model, group, instance, present, {**of_step(values, number), **bad.open}))
        present = dict(moves[-1].after)
    return moves


def _again(model: Model, group: Group, bad: _Bad, hint: Sequence[Move]) -> Found | None:
    """The steps of a hint from this state, if they still end in a store that leaks or in lost content."""
    path = steps_here(model, hint)
    if path is None:
        return None
    moves: list[Move] = []
    violated: set[str] = set()
    present = dict(bad.state)
    for instance, old in zip(path, hint, strict=True):
        own = {name: value for name, value in old.inputs.items() if not name.startswith(LIFTED)}
        move = step_move(model, group, instance, present, {**own, **bad.open})
        violated, allowed, after = replay(model, group, move)
        if not allowed:
            return None
        moves.append(move)
        present = after
    return next(((tuple(moves), p) for p in ENDS if p in violated), None)
