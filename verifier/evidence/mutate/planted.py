# SPDX-License-Identifier: GPL-2.0-or-later
"""What notices the mistakes of kernel patches, planted in the codes of one group.

A mistake is

- refuted, where a property that was proved of the step can be violated in one step from a state
  that satisfies the invariant
- an effect, where no state leads any more to what the step is there for
- worse, where a property that was already refuted is violated in a state in which the original
  text keeps it, whatever it observes
- equivalent, by proof, where the step is the same from every state
- narrower, by proof, where each of its steps changes nothing, or is a step of the original text if
  that observes something else or is given another boolean to choose by
- surviving, otherwise

No traces are searched for. A state that breaks the induction is enough, since the original text has
none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from verifier.base.errors import SpecError, Where
from verifier.engine.answers import Sat, Undecided, Unsat
from verifier.engine.bits import Bits, Word
from verifier.engine.bits_solver import BitsSolver
from verifier.evidence.mutate.judge import AS_AN_EFFECT
from verifier.evidence.mutate.mutants import Judged, Mutant, calls_of
from verifier.language.read_yaml import Source
from verifier.language.syntax import BOOL
from verifier.language.values import Fresh
from verifier.model.spec import STATIC, Transition
from verifier.model.step import Instance, Step, instances, run
from verifier.model.texts import name_of
from verifier.model.typed import Model
from verifier.model.world import key_name, state_keys
from verifier.prove.bits_way import graph_inputs
from verifier.prove.builder import Builder
from verifier.prove.difference import Differences, Pair
from verifier.prove.obligations import Group, obligation_id
from verifier.prove.step_judge import StepJudge
from verifier.run.library import Library

__all__ = ["NARROWER", "WORSE", "judge_patch"]

WORSE = "worse:"
NARROWER = "narrower:"
CONFLICTS = 200_000  # after which a question is given up
STEPS = 2000  # that are kept of texts as they were
NODES = 4_000_000  # of a graph, after which a session starts afresh


def judge_patch(library: Library, mutant: Mutant) -> Judged:
    """Is the mistake noticed, in its group?"""
    group = Group(*mutant.variant.split("/"))
    name, _, code = mutant.name.partition(".")
    try:
        return _judged(_session(library, group), mutant, name, code)
    except SpecError as error:
        return Judged(mutant, "refused", error.message)


def _judged(session: _Session, mutant: Mutant, about: str, code: str) -> Judged:
    model, names = session.varied(mutant, about, code), [about] if code else session.users(about)
    planted = {name: session.taken(model, name) for name in names}
    for name in names:
        told = session.refuted(name, planted[name])
        if told:
            return Judged(mutant, "survived" if told.startswith("the solver") else "killed", told)
    for name in names:
        told = session.lost_effect(name, planted[name])
        if told:
            return Judged(mutant, "killed", f"{AS_AN_EFFECT} {told}")
    if all(session.same(name, model, planted[name]) for name in names):
        return Judged(mutant, "equivalent", "the same step from every state")
    if all(session.within(name, planted[name]) for name in names):
        return Judged(mutant, "equivalent",
                      f"{NARROWER} no step that the text as it was may not take, or nothing")
    for name in names:
        told = session.worse(name, model)
        if told:
            return Judged(mutant, "killed", f"{WORSE} {told}")
    return Judged(mutant, "survived", "no verdict changes")


@dataclass(slots=True)
class _Taken:
    """A step by one text: its assumptions, and its inputs in the order they were asked for."""

    model: Model
    step: Step[Word, int]
    given: tuple[int, ...]
    names: list[str]


@dataclass(slots=True)
class _Base:
    """What is known of the original step: properties proved, properties refuted, effects shown."""

    proved: frozenset[str]
    refuted: frozenset[str]
    effects: frozenset[str]
    taken: list[_Taken]


_SESSIONS: dict[tuple[int, Group], _Session] = {}


def _session(library: Library, group: Group) -> _Session:
    """The session of a group; one is kept, as mistakes come group by group."""
    key = (id(library), group)
    known = _SESSIONS.get(key)
    if known is None or len(known.graph.nodes) > NODES:
        while _SESSIONS:
            _SESSIONS.popitem()[1].close()
        _SESSIONS[key] = known = _Session(library, group)
    return known


class _Session:
    """One symbolic state and one solver, for all mistakes of a group."""

    def __init__(self, library: Library, group: Group) -> None:
        self.library, self.group = library, group
        self.model = library.group_model(group)
        self.graph = Bits()
        self.solver = BitsSolver(self.graph, limit=CONFLICTS)
        self.inputs = graph_inputs(self.graph)
        self.builder = Builder(self.model, group, self.graph, self.inputs)
        self.fixed = {key_name(key) for key, _ in state_keys(self.model)}
        self._bases: dict[str, _Base] = {}
        self._chosen: dict[tuple[str, tuple[tuple[str, int], ...]], list[str]] = {}
        self._others: dict[object, Step[Word, int]] = {}
        self._differences: Differences | None = None

    def close(self) -> None:
        self.solver.close()
        if self._differences is not None:
            self._differences.solver.close()

    def place(self, name: str, code: str) -> Where:
        """Where a text stands."""
        if code:
            return self.model.spec.transitions[name].codes[code].where
        return next(p.body.where for p in self.model.spec.procedures if name_of(p) == name)

    def varied(self, mutant: Mutant, name: str, code: str) -> Model:
        """The model with a mistake in it."""
        return self.model.varied(name, Source(mutant.text, self.place(name, code)), code)

    def users(self, procedure: str) -> list[str]:
        """The steps of this level that call a procedure."""
        def uses(t: Transition) -> bool:
            written = t.code(self.group.code)
            missing = set(self.model.layout.variant.absent).intersection(t.needs)
            return (t.takes(self.model.level) and not missing and written is not None
                    and procedure in calls_of(written[1].text))

        return [t.name for t in self.model.spec.transitions.values() if uses(t)]

    def taken(
        self, model: Model, name: str, called: Callable[[str], str] | None = None
    ) -> list[_Taken]:
        """The steps of a name, whose inputs may be `called` otherwise."""
        found = []
        for instance in instances(model):
            if instance.name == name:
                names: dict[str, None] = {}
                step = self.step(model, instance, _listening(names, called, self.inputs))
                found.append(
                    _Taken(model, step, (*self.builder.hypothesis, *step.assumed), list(names))
                )
        return found

    def step(self, model: Model, instance: Instance, fresh: Fresh) -> Step[Word, int]:
        return run(model, self.graph, self.builder.state, instance, self.group.code, fresh,
                   self.builder.memory)

    def of(self, model: Model) -> StepJudge[Word, int]:
        """What says how steps of a model violate properties."""
        return StepJudge(model, self.group, self.graph, self.builder.fresh, self.builder.memory)

    def base(self, name: str) -> _Base:
        if name not in self._bases:
            taken = self.taken(self.model, name)
            broken, known = set[str](), set[str]()
            for one in taken:
                for prop, bad in self.bad(one):
                    known.add(prop)
                    if prop not in broken and not self.never((*one.given, bad)):
                        broken.add(prop)
            shown = frozenset(self.shown(taken))
            self._bases[name] = _Base(frozenset(known - broken), frozenset(broken), shown, taken)
        return self._bases[name]

    def never(self, conditions: tuple[int, ...]) -> bool:
        return isinstance(self.solver.check(conditions, ()), Unsat)

    def bad(self, one: _Taken) -> Iterator[tuple[str, int]]:
        """Each property, and where a step violates it."""
        judge = self.of(one.model)
        for prop in judge.properties():
            if prop.kind != STATIC:
                yield prop.name, int(self.graph.any(*(w.bad for w in judge.ways(prop, one.step))))

    def refuted(self, name: str, planted: list[_Taken]) -> str:
        """The first obligation that was proved and is no more; one question an instance."""
        proved = self.base(name).proved
        for one in planted:
            bad = [(prop, where) for prop, where in self.bad(one) if prop in proved]
            answer = self.solver.check((*one.given, self.graph.any(*(where for _, where in bad))),
                                       ())
            if isinstance(answer, Undecided):
                return f"the solver gave up: {answer.reason}"
            if isinstance(answer, Sat):
                prop = next(prop for prop, where in bad if not self.never((*one.given, where)))
                return f"{obligation_id(self.group, name, prop)} is refuted, was proved"
        return ""

    def shown(self, taken: list[_Taken]) -> set[str]:
        """The effects of a step that some state shows."""
        found = set[str]()
        for one in taken:
            for effect, condition in self.of(one.model).effects(one.step):
                if (effect not in found and isinstance(
                    self.solver.check((*one.given, condition), ()), Sat
                )):
                    found.add(effect)
        return found

    def lost_effect(self, name: str, planted: list[_Taken]) -> str:
        """What the step was there for and does no more, or an instance that no state takes."""
        lost = sorted(self.base(name).effects - self.shown(planted))
        if lost:
            return f"{obligation_id(self.group, name, lost[0])} is vacuous, was proved"
        gone = next((one for one in planted if self.never(one.given)), None)
        return "" if gone is None else f"no state takes {gone.step.instance.label} any more"

    def worse(self, name: str, model: Model) -> str:
        """An obligation that stays refuted and is violated in a state where the original keeps it.
        """
        refuted = self.base(name).refuted
        if not refuted:
            return ""
        if self._differences is None:
            self._differences = Differences(Pair(self.model, self.model, self.group))
        found = self._differences.against(model).of(name, lambda prop: prop in refuted)
        return next((f"{d.id} is {d.word}" for d in found if d.worse()), "")

    def same(self, name: str, model: Model, planted: list[_Taken]) -> bool:
        """Is it the same step from every state that satisfies the invariant?

        Observations at corresponding places are the same, and one without a counterpart is free.
        Under these names of the inputs, which are as good as any, both texts have the same
        assumptions, violations and state after.
        """
        for number, (one, two) in enumerate(zip(self.base(name).taken, planted, strict=True)):
            names = _corresponding(one.names, two.names)
            if any(new != old for new, old in names.items()):
                two = self.taken(model, name, _renaming(names))[number]
            differs = self.unlike(one.step, two.step)
            taken = self.graph.any(*(x ^ 1 for x in two.step.assumed))
            if not self.never((*two.given, differs)) or not self.never((*one.given, taken)):
                return False
        return True

    def unlike(self, one: Step[Word, int], two: Step[Word, int]) -> int:
        """The first may not be taken, or does not come to the same."""
        graph = self.graph
        return int(graph.any(
            *(x ^ 1 for x in one.assumed),
            *(self.unequal(a, two.after[key]) for key, a in one.after.items()),
            *(graph.xor(one.violations.get(p, 0), two.violations.get(p, 0))
              for p in {*one.violations, *two.violations})))

    def unequal(self, a: Any, b: Any) -> int:
        graph = self.graph
        return int(
            graph.xor(a, b) if isinstance(a, int) else graph.neg(graph.eq(a, b, len(a.bits)))
        )

    def within(self, name: str, planted: list[_Taken]) -> bool:
        """Is every step one that the original may take from the same state, or no change at all?

        What the original observes is free, and so are the booleans that the transition leaves open.
        The original is tried with these as the mistake has them, and with each of them true, false
        or negated. An event without a counterpart in the mistake does not happen.
        """
        graph = self.graph
        for one, two in zip(self.base(name).taken, planted, strict=True):
            open_ = [n for n in one.names if n in graph.bools and n not in self.fixed
                     and ("@" not in n or n.partition("@")[0] in self.model.observations)]
            tried: list[tuple[tuple[str, int], ...]] = [
                (), *(((n, value),) for n in open_ for value in (0, 1, graph.inputs[n][0] ^ 1))]
            step = two.step
            still = graph.any(*step.violations.values(),
                              *(self.unequal(step.before[key], a) for key, a in step.after.items()))
            unlike = [self.unlike(self.chosen(one.step.instance, values, two.names), step)
                      for values in tried]
            if not self.never((*two.given, still, *unlike)):
                return False
        return True

    def chosen(self, instance: Instance, values: tuple[tuple[str, int], ...],
               after: list[str]) -> Step[Word, int]:
        """The original step with some open inputs fixed, the others as at corresponding places."""
        key = (instance.label, values)
        fixed = dict(values)
        if key not in self._chosen:
            names: dict[str, None] = {}

            def plain(name: str, kind: int) -> Any:
                names[name] = None
                return fixed[name] if name in fixed else self.inputs(name, kind)

            self.step(self.model, instance, plain)
            self._chosen[key] = [n for n in names if n not in fixed]
        known = {old: new for new, old in _corresponding(self._chosen[key], after).items()}
        other = (key, tuple(known.get(n, "") for n in self._chosen[key]))
        if other not in self._others:
            if len(self._others) > STEPS:
                self._others.clear()
            def fresh(name: str, kind: int) -> Any:
                if name in fixed:
                    return fixed[name]
                if "@" in name and name not in known:
                    return self.graph.truth(False) if kind == BOOL else self.graph.word(0, kind)
                return self.inputs(known.get(name, name), kind)

            self._others[other] = self.step(self.model, instance, fresh)
        return self._others[other]


def _renaming(names: dict[str, str]) -> Callable[[str], str]:
    return lambda name: names.get(name, name)


def _listening(names: dict[str, None], called: Callable[[str], str] | None, inputs: Fresh) -> Fresh:
    def fresh(name: str, kind: int) -> Any:
        names[name] = None
        return inputs(name if called is None else called(name), kind)

    return fresh


def _corresponding(before: list[str], after: list[str]) -> dict[str, str]:
    """Observations of one run -> those of another at corresponding places, or new names.

    The mapping is one to one.
    """
    old, new = ([n for n in names if "@" in n] for names in (before, after))
    mine, theirs = ([n.partition("@")[0] for n in names] for names in (old, new))
    found = {n: f"new {n}" for n in new}
    for block in SequenceMatcher(None, mine, theirs, autojunk=False).get_matching_blocks():
        found |= dict(
            zip(new[block.b:block.b + block.size], old[block.a:block.a + block.size], strict=True)
        )
    return found


