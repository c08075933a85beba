# SPDX-License-Identifier: GPL-2.0-or-later
"""Which mistakes are noticed, and by what.

A mutant of arch/ is killed if `conform` compares the helper, or if a verdict changes; conform tells
any two different functions apart by a value. A mutant of specs/ is killed if a verdict changes, or
if something that is already refuted is violated from a state from which the original keeps it. A
mutant that does not load is refused. One that is proved to be the same function or step as the
original is equivalent. All others survive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from functools import lru_cache
from itertools import product
from typing import Any

from verifier.base.errors import SpecError
from verifier.engine.answers import Sat
from verifier.engine.bits import Bits, Word
from verifier.engine.bits_solver import BitsSolver
from verifier.engine.least_model import minimise
from verifier.evidence.mutate.mutants import Judged, Mutant
from verifier.language.machine import Machine
from verifier.language.read_yaml import Source
from verifier.language.syntax import BOOL, Function
from verifier.model.arch import Layout
from verifier.model.check import check_model
from verifier.model.spec import Transition
from verifier.model.step import Step
from verifier.model.typed import Model
from verifier.prove.bits_way import GroupProver, graph_inputs
from verifier.prove.builder import Builder
from verifier.prove.obligations import Group
from verifier.prove.results import verdict_name
from verifier.run.library import Library

__all__ = ["AS_AN_EFFECT", "UNPROVED", "judge", "transition_of"]

AS_AN_EFFECT = "as an effect:"
UNPROVED = "conform does not compare it, and transitions are not proved:"


def judge(library: Library, mutant: Mutant, compared: frozenset[str],
          variants: tuple[str, ...]) -> Judged:
    """Is the mutant noticed?

    `compared` has the helpers that conform knows how to call; `variants` are those on which
    transitions are decided.
    """
    try:
        if mutant.kind in ("helper", "field"):
            return _judge_layout(library, mutant, compared)
        return _judge_transition(library, mutant, variants)
    except SpecError as error:
        return Judged(mutant, "refused", error.message)
    except KeyError as error:
        return Judged(mutant, "refused", f"names what is not there: {error}")


def _judge_layout(library: Library, mutant: Mutant, compared: frozenset[str]) -> Judged:
    layout = library.layout(mutant.variant)
    if mutant.kind == "helper":
        changed = layout.with_body(mutant.name, mutant.text)
    else:
        changed = layout.with_field(mutant.name, int(mutant.text))
    names = sorted(layout.helpers(), key=lambda name: name != mutant.name)
    changed.check()
    same = True
    for name in names:
        if mutant.kind == "helper" and name != mutant.name and (same or name not in compared):
            continue  # one that calls it, and that conform compares
        shown = _difference(layout, changed, name)
        if shown is not None:
            same = False
            if name in compared:
                return Judged(mutant, "killed", f"conform compares {name}: it differs at {shown}")
    if same and "drop `hardware(" not in mutant.what:
        return Judged(mutant, "equivalent", "the same function of every argument")
    variant = library.variant(mutant.variant)
    levels, effect = _levels_of(library, mutant), ""
    for level, (encoding, code) in (product(levels, library.spec.first.mutants.theorems)
                                    if not variant.unproved else ()):
        group = Group(mutant.variant, level, encoding, code)
        model = Model(library.spec, changed, library.spec.encodings[encoding], level)
        check_model(model)
        before = _baseline(library, group, None)
        told = _changed_verdict(group, before, model, None)
        if told:
            return Judged(mutant, "killed", told)
        effect = effect or _changed_effect(group, before, model, None)
    if effect:
        return Judged(mutant, "killed", effect)
    told = "no verdict changes" if levels else "nothing uses it"
    why = (f"{UNPROVED} {variant.unproved}" if variant.unproved
           else f"{told}, and conform does not compare it")
    return Judged(mutant, "survived", why)


def _levels_of(library: Library, mutant: Mutant) -> list[str]:
    """The level of ptes where it uses a helper, else the levels that do; the first for a field."""
    _LIBRARY[:] = [library]
    absent = library.variant(mutant.variant).absent
    levels = [n for n, level in library.spec.levels.items() if not absent.intersection(level.needs)]
    users = [n for n in levels if mutant.kind == "field"
             or mutant.name in _used(mutant.variant, n, id(library))]
    return users[:1] if levels[:1] == users[:1] else users


@lru_cache(maxsize=16)
def _used(variant: str, level: str, library_id: int) -> frozenset[str]:
    """The names of all that the typed texts of a level call, under whatever encoding."""
    found: set[str] = set()
    left: list[Any] = []
    for encoding in dict.fromkeys(
        encoding for encoding, _ in _LIBRARY[0].spec.first.mutants.theorems
    ):
        model = _LIBRARY[0].model(variant, encoding, level)
        check_model(model)
        left += model.typed()
    seen: set[int] = set()
    while left:
        node = left.pop()
        if isinstance(node, tuple):
            left += node
        elif is_dataclass(node) and id(node) not in seen:
            seen.add(id(node))
            left += [getattr(node, part.name) for part in fields(node)]
            if isinstance(node, Function):
                found.add(node.name)
    return frozenset(found)


def _difference(layout: Layout, changed: Layout, name: str) -> str | None:
    """Arguments on which a helper of two layouts differs, if there are any."""
    one, two = layout.helper(name), changed.helper(name)
    graph = Bits()
    inputs = graph_inputs(graph)
    first = _evaluated(graph, one, {p.name: inputs(p.name, p.type) for p in one.params})
    second = _evaluated(graph, two, {p.name: inputs(p.name, p.type) for p in two.params})
    wrong = []
    for (a, kind), (b, other) in zip(first, second, strict=True):
        if kind != other:
            return "its type"
        if kind is not None and a is not None and b is not None:
            wrong.append(graph.xor(a, b) if kind == BOOL else graph.neg(graph.eq(a, b, kind)))
    differs = graph.any(*wrong)
    solver = BitsSolver(graph)
    try:
        if not isinstance(solver.check([differs], ()), Sat):
            return None
        values = minimise(solver, [differs], sorted(graph.support([differs])))
    finally:
        solver.close()
    return ", ".join(f"{k}={int(v):#x}" for k, v in sorted(values.items())) or "every argument"


def _evaluated(graph: Bits, function: Any, args: Mapping[str, Any]) -> list[tuple[Any, int | None]]:
    """What a helper returns and what it leaves in its by-reference entries, with their types."""
    from verifier.language.evaluate import evaluated

    result, values = evaluated(Machine(graph), function, args)
    return [(result, function.returns if result is not None else None),
            *((values[p.name], p.type) for p in function.params if p.by_ref)]


def _judge_transition(library: Library, mutant: Mutant, variants: tuple[str, ...]) -> Judged:
    name, _, part = mutant.name.partition(".")
    transition = library.spec.transitions[name]
    if mutant.kind == "code":
        source = transition.codes[part]
        changed = replace(
            transition, codes={**transition.codes, part: Source(mutant.text, source.where)}
        )
    else:
        changed = replace(
            transition, requires=tuple(a for a in transition.requires if a.name != part)
        )
    spec = replace(library.spec, transitions={**library.spec.transitions, name: changed})
    same, ran, effect = True, False, ""
    for variant in variants:
        absent = library.variant(variant).absent
        among = [n for n, one in spec.levels.items()
                 if (transition.takes(one) if mutant.kind == "code" else transition.at(one))]
        levels = [level for level in among if not absent.intersection(spec.levels[level].needs)]
        for level, (encoding, code) in product(levels, library.spec.first.mutants.theorems):
            written = transition.code(code)
            if mutant.kind == "code" and (written is None or written[0] != part):
                continue
            if absent.intersection(transition.needs):
                continue
            ran = True
            group = Group(variant, level, encoding, code)
            record = spec.encodings[encoding]
            model = Model(spec, library.layout(variant, record.overlay), record, level)
            before = _baseline(library, group, name)
            told = (_changed_verdict(group, before, model, name)
                    or _violated_elsewhere(library, group, before, model, name))
            if told:
                return Judged(mutant, "killed", told)
            effect = effect or _changed_effect(group, before, model, name)
            same = same and mutant.kind == "code" and _same_step(library, group, model, name)
    if effect:
        return Judged(mutant, "killed", effect)
    if not ran:
        return Judged(mutant, "survived", "no group decides this code")
    if same:
        return Judged(mutant, "equivalent", "the same step from every state, in every group")
    return Judged(mutant, "survived", "no verdict changes")


def _prover(model: Model, group: Group) -> GroupProver:
    graph = Bits()
    return GroupProver(model, group, graph, BitsSolver(graph))


@lru_cache(maxsize=64)
def _kept(group: Group, transition: str | None, library_id: int) -> dict[str, str]:
    return _verdicts(_LIBRARY[0].group_model(group), group, transition)


_LIBRARY: list[Library] = []


def _baseline(library: Library, group: Group, transition: str | None) -> dict[str, str]:
    _LIBRARY[:] = [library]
    return _kept(group, transition, id(library))


def _verdicts(model: Model, group: Group, transition: str | None) -> dict[str, str]:
    """Obligation -> proved, refuted or vacuous; of one transition, or of all."""
    prover = _prover(model, group)
    try:
        def wanted(step: str, prop: str) -> bool:
            return transition in (None, step)

        found = {q.id: _word(prover, q) for q in prover.builder.questions(wanted)}
        return (found | {aim.id: verdict_name(prover.decide_aim(aim))
                         for aim in prover.builder.aims(wanted)})
    finally:
        prover.solver.close()


def _word(prover: GroupProver, question: Any) -> str:
    if any(prover.possible(question, way) for way in question.ways):
        return "refuted"
    return ("proved" if all(prover.inhabited(label, g) for label, g in question.given.items())
            else "vacuous")


def _changed_verdict(group: Group, before: Mapping[str, str], model: Model,
                     transition: str | None) -> str:
    """The first verdict on a property that is another than before."""
    prover = _prover(model, group)
    try:
        for question in prover.builder.questions(lambda t, p: transition in (None, t)):
            word = _word(prover, question)
            if before.get(question.id) != word:
                return f"{question.id} is {word}, was {before.get(question.id)}"
    finally:
        prover.solver.close()
    return ""


def _changed_effect(group: Group, before: Mapping[str, str], model: Model,
                    transition: str | None) -> str:
    """As `_changed_verdict`, on what the steps are there for."""
    prover = _prover(model, group)
    try:
        for aim in prover.builder.aims(lambda t, p: transition in (None, t)):
            word = verdict_name(prover.decide_aim(aim))
            if before.get(aim.id) != word:
                return f"{AS_AN_EFFECT} {aim.id} is {word}, was {before.get(aim.id)}"
    finally:
        prover.solver.close()
    return ""


def _violated_elsewhere(library: Library, group: Group, before: Mapping[str, str], changed: Model,
                        name: str) -> str:
    """An obligation that stays refuted, and that a step violates which does not with the original.

    Both run under the same choices: an observation says the same wherever they look, and the
    hardware acts always or never.
    """
    refuted = [i for i, word in before.items() if word == "refuted"]
    if not refuted:
        return ""
    graph = Bits()
    solver, inputs = BitsSolver(graph), graph_inputs(graph)
    asked = []
    for model in (library.group_model(group), changed):
        builder = Builder(model, group, graph, lambda name,
                          kind: inputs(name.partition("@")[0], kind))
        asked.append({q.id: q for q in builder.questions(lambda t, p: t == name)})
    try:
        for one, two in ((asked[0][i], asked[1][i]) for i in refuted):
            for label, given in two.given.items():
                kept = graph.neg(graph.any(*(w.bad for w in one.ways if w.label == label)))
                bad = graph.any(*(w.bad for w in two.ways if w.label == label))
                if isinstance(solver.check([*one.given[label], *given, kept, bad], ()), Sat):
                    return f"{two.id} is violated where it was not"
    finally:
        solver.close()
    return ""


def _same_step(library: Library, group: Group, changed: Model, name: str) -> bool:
    """Do both codes give the same state and violations, from every state that is assumed?"""
    graph = Bits()
    solver = BitsSolver(graph)
    steps: list[list[Step[Word, int]]] = []
    hypothesis: tuple[int, ...] = ()
    for model in (library.group_model(group), changed):
        builder = Builder(model, group, graph, graph_inputs(graph))
        hypothesis = builder.hypothesis
        steps.append(_steps(builder, name))
    try:
        for one, two in zip(*steps, strict=True):
            wrong = [graph.neg(_equal(graph, a, two.after[key], changed.layout.width))
                     for key, a in one.after.items()]
            wrong += [graph.xor(one.violations.get(p, 0), two.violations.get(p, 0))
                      for p in {*one.violations, *two.violations}]
            for given, other in ((one.assumed, two.assumed), (two.assumed, one.assumed)):
                if isinstance(solver.check([*hypothesis, *given,
                                            graph.any(*wrong, *(x ^ 1 for x in other))], ()), Sat):
                    return False
    finally:
        solver.close()
    return True


def _steps(builder: Builder[Word, int], name: str) -> list[Step[Word, int]]:
    from verifier.model.step import instances, run

    return [run(builder.model, builder.alg, builder.state, i, builder.group.code, builder.fresh,
                builder.memory)
            for i in instances(builder.model) if i.name == name]


def _equal(graph: Bits, a: Any, b: Any, width: int) -> int:
    return graph.same(a, b) if isinstance(a, int) else graph.eq(a, b, len(a.bits))


def transition_of(mutant: Mutant, library: Library) -> Transition | None:
    """The transition that a mutant is about; None for a helper, a field or a procedure."""
    return library.spec.transitions.get(mutant.name.partition(".")[0])
