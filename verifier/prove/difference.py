# SPDX-License-Identifier: GPL-2.0-or-later
"""Two sets of helpers or texts: where does the old keep a property, and the new break it?

Both are asked about the same state and the same inputs of the step. What a side observes, and what
the hardware does within it, is its own. The old keeps the property in a state where it does so
*whatever* it observes; the new breaks it where it *may*. So an unchanged text breaks nothing, even
if it is refuted. Where the assumptions differ, since a requirement was dropped, states in which
both may take the step are asked about first, and then those in which only the new may: `widened`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from itertools import islice

from verifier.base.errors import UsageError
from verifier.engine.answers import Sat, Unsat
from verifier.engine.bits import Bits, Word
from verifier.engine.bits_solver import BitsSolver
from verifier.engine.least_model import minimise
from verifier.language.algebra import Integers
from verifier.language.syntax import BOOL
from verifier.language.values import Fresh, Value
from verifier.model.step import Instance, instances, run
from verifier.model.typed import Model
from verifier.model.world import key_name, state_keys
from verifier.prove.bits_way import Contradiction, GroupProver, graph_inputs, order
from verifier.prove.builder import Builder
from verifier.prove.obligations import Aim, Group, Question
from verifier.prove.recompute import input_reader, instance_of, plain_state, replay, step_move
from verifier.prove.results import Move, Proved

__all__ = ["Difference", "Differences", "Pair", "here", "lucks", "own"]

ROUNDS = 64  # lucks of the keeper that are looked at for one question
LUCKS = 1024  # so many ways through a step are tried with plain integers


@dataclass(frozen=True, slots=True)
class Difference:
    """What became of one obligation.

    word  what it is
    broken  in some state the old keeps it and the new breaks it
    widened  the new breaks it in a state in which the old does not take the step
    fixed  only the other way round, and nowhere broken
    still broken  the new breaks it, but nowhere where the old keeps it
    kept  both prove it
    same  the very same question
    added, gone  only one of the two has it
    lost  no state leads any more to what the step is there for
    unknown  it could not be decided

    `move` is the step of the new, `old` what the old makes of the same state.
    """

    id: str
    transition: str
    property: str
    word: str
    move: Move | None = None
    old: Move | None = None
    values: Mapping[str, int | bool] = field(default_factory=dict)
    trace: tuple[Move, ...] = ()
    note: str = ""

    def worse(self) -> bool:
        """Does the new break or lose something that the old has?"""
        return self.word in ("broken", "widened", "lost")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two models of one group."""

    old: Model
    new: Model
    group: Group


@dataclass(slots=True)
class _Side:
    """One of the two over the shared graph; `mark` begins the names of what it alone observes."""

    model: Model
    mark: str
    builder: Builder[Word, int]
    # the present transition's questions, by property
    asked: dict[str, Question[Word, int]] = field(default_factory=dict)
    # the present transition's questions under each luck, by property
    lucks: dict[tuple[tuple[str, int | bool], ...], dict[str, Question[Word, int]]] = field(
        default_factory=dict
    )


def own(name: str) -> bool:
    """Is an input the step's own, an observation or an event? Otherwise it is the caller's."""
    return "@" in name


class Differences:
    """Asks about each transition and property of a group."""

    def __init__(self, pair: Pair) -> None:
        names = [[(key_name(key), kind) for key, kind in state_keys(model)]
                 for model in (pair.old, pair.new)]
        if names[0] != names[1]:
            raise UsageError(
                f"{pair.group}: the two have different states: they cannot be compared"
            )
        self.pair, self.group = pair, pair.group
        self.graph = Bits()
        self.solver = BitsSolver(self.graph)
        inputs = graph_inputs(self.graph)
        self.old = _Side(pair.old, "old ", self._builder(pair.old, lambda n,
                                                         k: inputs(f"old {n}" if own(n) else n, k)))
        self.new = _Side(pair.new, "", self._builder(pair.new, inputs))
        self._provers: dict[Model, GroupProver] = {}
        self.alike = self._prover(pair.old).builder
        self._names = {name for name, _ in names[0]}

    def against(self, new: Model) -> Differences:
        """The same old side with another new one, over the same graph, solver and state."""
        found = copy(self)
        found.pair = replace(self.pair, new=new)
        found._provers = {self.pair.old: self._prover(self.pair.old)}
        builder = self.new.builder
        found.new = _Side(new, "", builder.with_model(new, new.memory(self.graph, builder.fresh)))
        return found

    def _prover(self, model: Model) -> GroupProver:
        """Who decides what one side's steps lead to, each under the same inputs."""
        if model not in self._provers:
            self._provers[model] = GroupProver(model, self.group, self.graph, self.solver)
        return self._provers[model]

    def _builder(self, model: Model, fresh: Fresh) -> Builder[Word, int]:
        return Builder(model, self.group, self.graph, fresh)

    def steps(self) -> list[str]:
        """The names of all steps that either has: `init`, `static`, transitions and events."""
        found = [instance.name for model in (self.pair.old, self.pair.new)
                 for instance in instances(model)]
        return ["init", "static", *dict.fromkeys(found)]

    def of(
        self, transition: str, wanted: Callable[[str], bool] = lambda prop: True
    ) -> Iterator[Difference]:
        """What became of the obligations of a transition (or event, `init`, `static`)."""
        def mine(name: str, prop: str) -> bool:
            return name == transition and wanted(prop)

        alike, new = ({q.property.name: q for q in one.questions(mine)}
                      for one in (self.alike, self.new.builder))
        unlike = {prop for prop in {**alike, **new} if prop not in alike or prop not in new
                  or _formulas(alike[prop]) != _formulas(new[prop])}
        old = ({q.property.name: q for q in self.old.builder.questions(
            lambda name, prop: mine(name, prop) and prop in unlike)} if unlike else {})
        self.old.asked, self.new.asked, self.old.lucks, self.new.lucks = old, new, {}, {}
        for prop in {**alike, **new}:
            if prop not in alike or prop not in new:
                question = new.get(prop) or alike[prop]
                word = "gone" if prop not in new else "added"
                yield Difference(question.id, transition, prop, word)
            elif prop in unlike:
                yield self._judge(old[prop], new[prop])
            else:
                yield Difference(new[prop].id, transition, prop, "same")
        yield from self._effects(mine)

    def _effects(self, mine: Callable[[str, str], bool]) -> Iterator[Difference]:
        """What the step is there for: does some state still lead there?"""
        aims = [{a.id: a for a in one.aims(mine)} for one in (self.alike, self.new.builder)]
        for identity in dict.fromkeys((*aims[0], *aims[1])):
            was, now = (one.get(identity) for one in aims)
            aim = now or was
            assert aim is not None
            if was is None or now is None:
                word = "gone" if now is None else "added"
            elif _aimed(was) == _aimed(now):
                word = "same"
            else:
                word = _effect_word(*(
                    isinstance(self._prover(model).decide_aim(one), Proved)
                    for model, one in ((self.pair.old, was), (self.pair.new, now))))
            yield Difference(identity, aim.transition, aim.property.name, word)

    def _judge(self, old: Question[Word, int], new: Question[Word, int]) -> Difference:
        for word, both in (("broken", True), ("widened", False)):
            for label in new.given:
                values = (self._beyond(self.old, self.new, old, new, label, both)
                          if label in old.given else None)
                if values is not None:
                    return self._shown(word, new, label, values)
        breaks = [any(self._may(q, label) for label in q.given) for q in (old, new)]
        if any(self._open(q) for q in (old, new)):
            return Difference(new.id, new.transition, new.property.name, "unknown",
                              note="what a lifted helper does is not known")
        word = "still broken" if breaks[1] else "fixed" if breaks[0] else "kept"
        note = (
            "" if new.given.keys() <= old.given.keys() else "the step has instances that it had not"
        )
        return Difference(new.id, new.transition, new.property.name, word, note=note)

    def mends(self, transition: str, prop: str) -> Mapping[str, int | bool] | None:
        """A state in which the old breaks it and the new keeps it; of the last transition of `of`.

        None, too, where both ask the same.
        """
        if prop not in self.old.asked:
            return None
        old, new = self.old.asked[prop], self.new.asked[prop]
        labels = (label for label in old.given if label in new.given)
        found = (self._beyond(self.new, self.old, new, old, label, True) for label in labels)
        return next((values for values in found if values is not None), None)

    def _open(self, question: Question[Word, int]) -> bool:
        unsettled = self.graph.any(*question.unsettled.values())
        return any(not isinstance(self.solver.check((*given, unsettled), ()), Unsat)
                   for given in question.given.values())

    def _bad(self, question: Question[Word, int], label: str) -> tuple[int, ...]:
        """It is violated: the step is assumed, what it does is settled, and some way is taken."""
        settled = self.graph.neg(self.graph.any(*question.unsettled.values()))
        return (*question.given[label], settled,
                self.graph.any(*(w.bad for w in question.ways if w.label == label)))

    def _may(self, question: Question[Word, int], label: str) -> bool:
        return not isinstance(self.solver.check(self._bad(question, label), ()), Unsat)

    def _beyond(
        self, keeper: _Side, breaker: _Side, kept: Question[Word, int], broken: Question[Word, int],
        label: str, both: bool
    ) -> dict[str, int | bool] | None:
        """Least values under which the breaker violates and the keeper never does."""
        conditions = list(self._bad(broken, label))
        if both:
            conditions += [
                *kept.given[label], self.graph.neg(self.graph.any(*kept.unsettled.values()))
            ]
        for known in keeper.lucks.values():
            conditions.append(
                self.graph.neg(self.graph.all(*self._bad(known[kept.property.name], label)))
            )
        for _ in range(ROUNDS):
            if not isinstance(self.solver.check(conditions, ()), Sat):
                return None
            values = minimise(
                self.solver, conditions, order(self.graph, self.graph.support(conditions))
            )
            bad_luck = self._luck(kept, label, values)
            if bad_luck is None:
                return values
            again = self._with(keeper, kept.transition, bad_luck)[kept.property.name]
            conditions.append(self.graph.neg(self.graph.all(*self._bad(again, label))))
        raise UsageError(
            f"{broken.id}: more than {ROUNDS} observations matter in the text that is compared with"
        )

    def _luck(self, kept: Question[Word, int], label: str,
              values: Mapping[str, int | bool]) -> dict[str, int | bool] | None:
        """Observations with which the keeper violates the property too in this state, or None."""
        bad = self._bad(kept, label)
        fixed = [literal ^ (int(values.get(name, 0)) >> bit & 1 ^ 1)
                 for name in sorted(self.graph.support(bad)) if not own(name)
                 for bit, literal in enumerate(self.graph.inputs[name])]
        answer = self.solver.check([*bad, *fixed])
        return ({n: v for n, v in answer.model.items() if own(n)} if isinstance(answer, Sat)
                else None)

    def _with(
        self, side: _Side, transition: str, luck: Mapping[str, int | bool]
    ) -> dict[str, Question[Word, int]]:
        """The questions of a side where what it observes is fixed."""
        key = tuple(sorted(luck.items()))
        if key not in side.lucks:
            inputs, graph = graph_inputs(self.graph), self.graph

            def fresh(name: str, kind: int) -> Value:
                if not own(name):
                    return inputs(name, kind)
                value = luck.get(side.mark + name, 0)
                return graph.truth(bool(value)) if kind == BOOL else graph.word(int(value), kind)

            questions = self._builder(side.model, fresh).questions(lambda t, p: t == transition)
            side.lucks[key] = {q.property.name: q for q in questions}
        return side.lucks[key]

    def _shown(self, word: str, new: Question[Word, int], label: str,
               values: dict[str, int | bool]) -> Difference:
        """The difference, recomputed with plain integers on both sides."""
        instance, prop = new.instances.get(label), new.property.name
        if instance is None:
            return Difference(new.id, new.transition, prop, word, values=values)
        state = plain_state(self.pair.new, values)
        inputs = {n: v for n, v in values.items() if n not in self._names}
        theirs = {n: v for n, v in inputs.items() if not n.startswith("old ")}
        move = step_move(self.pair.new, self.group, instance, state, theirs)
        mine = {n.removeprefix("old "): v for n, v in inputs.items() if not own(n)
                or n.startswith("old ")}
        old = step_move(self.pair.old, self.group, here(self.pair.old, instance), state, mine)
        violated, allowed, _ = replay(self.pair.new, self.group, move)
        if not allowed or prop not in violated:
            raise Contradiction(
                f"{new.id}: the solver's values, recomputed, break nothing in the new"
            )
        if any(prop in broken and may
               for _, broken, may in islice(lucks(self.pair.old, self.group, old), LUCKS)):
            raise Contradiction(
                f"{new.id}: the solver's values, recomputed, break it in the old as well"
            )
        return Difference(new.id, new.transition, prop, word, move, old, values)


def _effect_word(was: bool, now: bool) -> str:
    """What became of an effect that some state led to before, and does now."""
    if was == now:
        return "kept" if now else "still broken"
    return "fixed" if now else "lost"


def _formulas(question: Question[Word, int]) -> tuple[object, ...]:
    """What is asked, as literals: where two questions have the same, they are the same."""
    return question.given, tuple((w.label, w.process, w.component, w.sentence, w.bad)
                                 for w in question.ways), question.unsettled


def _aimed(aim: Aim[int]) -> tuple[object, ...]:
    """What leads to an effect, as literals."""
    return [(one.label, given, shown) for one, given, shown in aim.shown], aim.unsettled


def here(model: Model, instance: Instance) -> Instance:
    """An instance of another model's transition, as one of this model's."""
    if instance.transition is None:
        return instance
    return replace(instance, transition=model.spec.transitions[instance.name])


def lucks(
    model: Model, group: Group, move: Move
) -> Iterator[tuple[dict[str, int | bool], set[str], bool]]:
    """Every run of a step with plain integers, whatever it observes: what it violates, if allowed.

    What is asked for depends on earlier answers: a code that returns early asks for less. So each
    run says what comes next, and each way through the code is taken once. A free word is as the
    move has it.
    """
    instance = instance_of(model, move)
    open_: list[dict[str, int | bool]] = [{}]
    while open_:
        given = open_.pop()
        asked: dict[str, int | bool] = {}

        def listening(name: str, kind: int, given: dict[str, int | bool] = given,
                      asked: dict[str, int | bool] = asked) -> Value:
            if not own(name) or kind != BOOL:
                return input_reader(move.inputs)(name, kind)
            return asked.setdefault(name, given.get(name, False))

        alg = Integers()
        run(model, alg, dict(move.before), instance, group.code, listening,
            model.memory(alg, listening), lazy=True)
        names = list(asked)
        open_ += [{**{n: asked[n] for n in names[:i]}, names[i]: True}
                  for i in range(len(given), len(names))]
        tried = step_move(model, group, instance, dict(move.before), {**move.inputs, **asked})
        violated, allowed, _ = replay(model, group, tried)
        yield asked, violated, allowed
