# SPDX-License-Identifier: GPL-2.0-or-later
"""Mistakes of kernel patches, planted in the codes of one group after the other, and what notices them.

A mistake is refuted where a property that was proved of the step can be violated in one step from a state that satisfies the
invariant; shows as an effect where no state leads any more to what the step is there for; makes things worse where a property
was refuted already, and is violated in a state in which the text as it was keeps it, whatever it observes. It is equivalent
where the step is the same from every state. All others survive. No traces are searched for: a state that breaks the
induction is enough, for the text without the mistake has none.

Narrower, by proof too, is a mistake all of whose steps are steps of the text as it was, if that had observed something else or
had been given another boolean to choose by, or that change nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Any

from verifier.bits import Bits
from verifier.difference import Differences, Pair
from verifier.errors import SpecError
from verifier.load import Source
from verifier.model import Transition, name_of
from verifier.mutate.judge import AS_AN_EFFECT, Judged, Mutant
from verifier.mutate.patches import patches
from verifier.mutate.rules import Rules, read_rules
from verifier.obligations import Builder, Group, Question
from verifier.plan import Library
from verifier.prove import graph_inputs
from verifier.scopes import Model
from verifier.solve import BitsSolver, Sat, Undecided, Unsat
from verifier.steps import Fresh, Instance, Step, instances, key_name, run, state_keys
from verifier.syntax import BOOL

__all__ = ["NARROWER", "PAIRS", "WORSE", "judge_patch", "patch_mutants"]

PAIRS = (("page-flag", "today"), ("option-c", "option-c"))
WORSE = "worse:"
NARROWER = "narrower:"
CONFLICTS = 200_000  # after which a question is given up
NODES = 4_000_000  # of a graph, after which a session starts afresh
OURS = ("hardware_event", "hardware_load")  # procedures that are the hardware's


def patch_mutants(library: Library, variants: Iterable[str], wanted: Callable[[str], bool] = lambda name: True) -> list[Mutant]:
    """Every mistake in every code and procedure of these variants' groups; its variant is written as the group."""
    rules, spec, found = read_rules(library.spec_folder, library.spec), library.spec, []
    for variant in variants:
        absent = library.variant(variant).absent
        for level, record in spec.levels.items():
            if absent.intersection(record.needs) or library.variant(variant).unproved:
                continue
            for encoding, code in PAIRS:
                overlay = spec.encodings[encoding].overlay
                if overlay is not None and overlay not in library.archs[library.variant(variant).arch].overlays:
                    continue
                group = str(Group(variant, level, encoding, code))
                for name, text in _texts(library, level, code, absent):
                    if wanted(name):
                        found += [Mutant("patch", group, name, what, new, str(text.where))
                                  for _, what, new in _planted(text.text, rules, level)]
    return found


@lru_cache(maxsize=1024)
def _kept(text: str, key: int, level: str) -> tuple[tuple[str, str, str], ...]:
    return tuple(patches(text, _RULES[key], level))


_RULES: dict[int, Rules] = {}


def _planted(text: str, rules: Rules, level: str) -> tuple[tuple[str, str, str], ...]:
    _RULES[id(rules)] = rules
    return _kept(text, id(rules), level)


def _texts(library: Library, level: str, code: str, absent: frozenset[str] | set[str]) -> Iterator[tuple[str, Source]]:
    """TRANSITION.CODE, or a procedure, and its text: what runs in a group on entries of the level."""
    used = set[str]()
    for transition in library.spec.transitions.values():
        written = transition.code(code)
        if level in transition.levels and written is not None and not set(absent).intersection(transition.needs):
            used |= _called(written[1].text)
            yield f"{transition.name}.{written[0]}", written[1]
    for procedure in library.spec.procedures:
        if name_of(procedure) in used and name_of(procedure) not in OURS:
            yield name_of(procedure), procedure.body


def _called(text: str) -> set[str]:
    return {n.func.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}


def judge_patch(library: Library, mutant: Mutant) -> Judged:
    """Is the mistake noticed? In its group alone."""
    group = Group(*mutant.variant.split("/"))
    session = _session(library, group)
    name, _, code = mutant.name.partition(".")
    text = Source(mutant.text, session.place(name, code))
    names = [name] if code else session.users(name)
    try:
        model = session.model.varied(name, text, code)
        return _judged(session, mutant, model, names)
    except SpecError as error:
        return Judged(mutant, "refused", error.message)


def _judged(session: _Session, mutant: Mutant, model: Model, names: list[str]) -> Judged:
    asked = {name: session.asked(model, name) for name in names}
    for name in names:
        told = session.refuted(name, asked[name])
        if told:
            return Judged(mutant, "survived" if told.startswith("the solver") else "killed", told)
    for name in names:
        told = session.lost_effect(name, model) or session.no_more(asked[name])
        if told:
            return Judged(mutant, "killed", f"{AS_AN_EFFECT} {told}")
    if all(session.same(name, model) for name in names):
        return Judged(mutant, "equivalent", "the same step from every state")
    if all(session.within(name, model) for name in names):
        return Judged(mutant, "equivalent", f"{NARROWER} no step that the text as it was may not take, or nothing")
    for name in names:
        told = session.worse(name, model)
        if told:
            return Judged(mutant, "killed", f"{WORSE} {told}")
    return Judged(mutant, "survived", "no verdict changes")


@dataclass(slots=True)
class _Base:
    """What is known of a step as it was: the properties that are proved, and refuted; the effects that show."""

    proved: frozenset[str]
    refuted: frozenset[str]
    effects: frozenset[str]
    steps: list[tuple[Step, list[str]]] = field(default_factory=list)  # and the inputs of each, in the order they were asked for


_SESSIONS: dict[tuple[int, Group], _Session] = {}


def _session(library: Library, group: Group) -> _Session:
    """The session of a group; one is kept, as mistakes come group by group."""
    key = (id(library), group)
    known = _SESSIONS.get(key)
    if known is None or len(known.graph.left) > NODES:
        for old in _SESSIONS.values():
            old.solver.close()
        _SESSIONS.clear()
        _SESSIONS[key] = known = _Session(library, group)
    return known


class _Session:
    """One symbolic state and one solver, for all mistakes of a group."""

    def __init__(self, library: Library, group: Group) -> None:
        self.library, self.group = library, group
        self.model = library.group_model(group)
        self.graph = Bits()
        self.solver = BitsSolver(self.graph, limit=CONFLICTS)
        self.builder = Builder(self.model, group, self.graph, graph_inputs(self.graph))
        self.fixed = {key_name(key) for key, _ in state_keys(self.model)}
        self._bases: dict[str, _Base] = {}

    def place(self, name: str, code: str) -> Any:
        if code:
            return self.model.spec.transitions[name].codes[code].where
        return next(p.body.where for p in self.model.spec.procedures if name_of(p) == name)

    def users(self, procedure: str) -> list[str]:
        """The steps of this level that call a procedure."""
        def uses(t: Transition) -> bool:
            written = t.code(self.group.code)
            missing = set(self.model.layout.variant.absent).intersection(t.needs)
            return self.group.level in t.levels and not missing and written is not None and procedure in _called(written[1].text)

        return [t.name for t in self.model.spec.transitions.values() if uses(t)]

    def varied(self, model: Model) -> Builder:
        """A builder over the same state and hypothesis."""
        found = copy(self.builder)
        found.model, found._kept = model, None
        return found

    def asked(self, model: Model, name: str) -> list[Question]:
        return list(self.varied(model).questions(lambda t, p: t == name))

    def base(self, name: str) -> _Base:
        if name not in self._bases:
            questions = self.asked(self.model, name)
            broken = frozenset(q.property.name for q in questions if self.violated(q))
            proved = frozenset(q.property.name for q in questions) - broken
            self._bases[name] = _Base(proved, broken, frozenset(self.shown(self.model, name)), self.recorded(self.model, name))
        return self._bases[name]

    def violated(self, question: Question) -> bool:
        return any(not isinstance(self.solver.check((*given, self.bad(question, label)), ()), Unsat)
                   for label, given in question.given.items())

    def bad(self, question: Question, label: str) -> int:
        return int(self.graph.any(*(w.bad for w in question.ways if w.label == label)))

    def refuted(self, name: str, asked: list[Question]) -> str:
        """The first obligation that was proved and is no more; all of an instance are asked about at once."""
        proved = self.base(name).proved
        mine = [q for q in asked if q.property.name in proved]
        for label, given in (mine[0].given.items() if mine else ()):
            bad = [self.bad(q, label) for q in mine]
            answer = self.solver.check((*given, self.graph.any(*bad)))
            if isinstance(answer, Undecided):
                return f"the solver gave up: {answer.reason}"
            if isinstance(answer, Sat):
                seen = self.graph.evaluate(bad, answer.model)
                return f"{next(q.id for q, holds in zip(mine, seen, strict=True) if holds)} is refuted, was proved"
        return ""

    def no_more(self, asked: list[Question]) -> str:
        """An instance that no state takes any more."""
        for label, given in (asked[0].given.items() if asked else ()):
            if isinstance(self.solver.check(given, ()), Unsat):
                return f"no state takes {label} any more"
        return ""

    def shown(self, model: Model, name: str) -> Iterator[str]:
        """The effects of a step that some state shows."""
        for aim in self.varied(model).aims(lambda t, p: t == name):
            if any(isinstance(self.solver.check((*given, condition), ()), Sat) for _, given, condition in aim.shown):
                yield aim.property.name

    def lost_effect(self, name: str, model: Model) -> str:
        before = self.base(name).effects
        lost = sorted(before.difference(self.shown(model, name))) if before else []
        return f"{name} {lost[0]} is vacuous, was proved" if lost else ""

    def worse(self, name: str, model: Model) -> str:
        """An obligation that is refuted, as before, and violated in a state in which the text as it was keeps it."""
        refuted = self.base(name).refuted
        if not refuted:
            return ""
        differences = Differences(Pair(self.model, model, self.group))
        try:
            return next((f"{d.id} is {d.word}" for d in differences.of(name, lambda prop: prop in refuted) if d.worse()), "")
        finally:
            differences.solver.close()

    def recorded(self, model: Model, name: str, called: Callable[[str], str] = lambda name: name) -> list[tuple[Step, list[str]]]:
        """The steps of a name, each with the inputs that it asked for, which are `called` otherwise."""
        found, inputs = [], graph_inputs(self.graph)
        for instance in self.instances(model, name):
            names: dict[str, None] = {}
            found.append((self.step(model, instance, _listening(names, called, inputs)), list(names)))
        return found

    def instances(self, model: Model, name: str) -> list[Instance]:
        return [i for i in instances(model) if i.name == name]

    def step(self, model: Model, instance: Instance, fresh: Fresh) -> Step:
        return run(model, self.graph, self.builder.state, instance, self.group.code, fresh, self.builder.memory)

    def same(self, name: str, model: Model) -> bool:
        """Is it the same step from every state that satisfies the invariant?

        What is observed at corresponding places is the same, and what has no place in the other is free: under these names of
        the inputs, which are as good as any, both have the same assumptions, violations and state after.
        """
        for number, (one, before) in enumerate(self.base(name).steps):
            plain = self.recorded(model, name)[number][1]
            names = _corresponding(before, plain)
            two = self.recorded(model, name, _renaming(names))[number][0]
            if not self._alike(one, two):
                return False
        return True

    def within(self, name: str, model: Model) -> bool:
        """Is every step one that the text as it was may take from the same state, or no change at all?

        What that text observes is its own affair, and so are booleans that the transition leaves open: it is tried as the
        mistake has them, and with each of them true, false, or turned round; what has no place in the mistake does not happen.
        """
        graph = self.graph
        for (one, before), (two, after) in zip(self.base(name).steps, self.recorded(model, name), strict=True):
            choices = [n for n in before if n in graph.bools and n not in self.fixed]
            tried: list[dict[str, int]] = [{}, *({n: value} for n in choices for value in (0, 1, graph.inputs[n][0] ^ 1))]
            unlike = [self._differs(self.chosen(one.instance, values, after), two) for values in tried]
            still = graph.any(*two.violations.values(), *(self._unequal(two.before[key], a) for key, a in two.after.items()))
            if not isinstance(self.solver.check([*self.builder.hypothesis, *two.assumed, still, *unlike], ()), Unsat):
                return False
        return True

    def chosen(self, instance: Instance, values: dict[str, int], after: list[str]) -> Step:
        """A step as it was, with some of what is left open fixed, and the rest as at the corresponding places of another."""
        inputs, graph = graph_inputs(self.graph), self.graph
        names: dict[str, None] = {}

        def plain(name: str, kind: int) -> Any:
            names[name] = None
            return values[name] if name in values else inputs(name, kind)

        self.step(self.model, instance, plain)
        known = {old: new for new, old in _corresponding([n for n in names if n not in values], after).items()}

        def fresh(name: str, kind: int) -> Any:
            if name in values:
                return values[name]
            if "@" in name and name not in known:
                return graph.truth(False) if kind == BOOL else graph.word(0, kind)
            return inputs(known.get(name, name), kind)

        return self.step(self.model, instance, fresh)

    def _differs(self, one: Step, two: Step) -> int:
        """The first may not be taken, or does not come to the same."""
        graph = self.graph
        return int(graph.any(
            *(x ^ 1 for x in one.assumed), *(self._unequal(a, two.after[key]) for key, a in one.after.items()),
            *(graph.xor(one.violations.get(p, 0), two.violations.get(p, 0)) for p in {*one.violations, *two.violations})))

    def _alike(self, one: Step, two: Step) -> bool:
        graph = self.graph
        wrong = [self._unequal(a, two.after[key]) for key, a in one.after.items()]
        wrong += [graph.xor(one.violations.get(p, 0), two.violations.get(p, 0)) for p in {*one.violations, *two.violations}]
        for given, other in ((one.assumed, two.assumed), (two.assumed, one.assumed)):
            differs = graph.any(*wrong, *(x ^ 1 for x in other))
            if not isinstance(self.solver.check([*self.builder.hypothesis, *given, differs], ()), Unsat):
                return False
        return True

    def _unequal(self, a: Any, b: Any) -> int:
        graph = self.graph
        return int(graph.xor(a, b) if isinstance(a, int) else graph.neg(graph.eq(a, b, len(a.bits))))


def _renaming(names: dict[str, str]) -> Callable[[str], str]:
    return lambda name: names.get(name, name)


def _listening(names: dict[str, None], called: Callable[[str], str], inputs: Fresh) -> Fresh:
    def fresh(name: str, kind: int) -> Any:
        names[name] = None
        return inputs(called(name), kind)

    return fresh


def _corresponding(before: list[str], after: list[str]) -> dict[str, str]:
    """Observations of one run -> those of another at the corresponding places, or names of their own: one to one."""
    old, new = ([n for n in names if "@" in n] for names in (before, after))
    mine, theirs = ([n.partition("@")[0] for n in names] for names in (old, new))
    found = {n: f"new {n}" for n in new}
    for block in SequenceMatcher(None, mine, theirs, autojunk=False).get_matching_blocks():
        found |= dict(zip(new[block.b:block.b + block.size], old[block.a:block.a + block.size], strict=True))
    return found


