# SPDX-License-Identifier: GPL-2.0-or-later
"""A group's obligations are decided: from the cache, else by the prover that the task asks for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import chain

from verifier.base.errors import USERS
from verifier.engine.bits import Bits, Word
from verifier.engine.bits_solver import BitsSolver
from verifier.model.step import asked, step_names
from verifier.prove.bits_way import Contradiction, GroupProver, obligation_of
from verifier.prove.obligations import Aim, Obligation, Question, obligation_id
from verifier.prove.prover import Prover
from verifier.prove.results import Counterexample, Move, Proved, Refuted, Result, Unknown, Vacuous
from verifier.run.depths import allowed, in_vain
from verifier.run.group_work import GroupWork, blame
from verifier.run.messages import At, Done
from verifier.run.plan import askable
from verifier.run.recall import stands

__all__ = ["counterexample", "decide", "from_cache", "new_prover", "wanted_transitions"]


def new_prover(state: GroupWork) -> Prover:
    """The prover that the task asks for, on a graph of its own."""
    model, group, graph = state.model, state.group, Bits()
    if state.work.library.substitute is not None:
        from verifier.prove.other_helpers import SubstitutedProver
        return SubstitutedProver(model, group, graph, BitsSolver(graph))
    if state.work.task.cross is not None:
        from verifier.prove.all_ways import CrossProver
        second = "z3" if state.work.task.solver == "bits" else state.work.task.solver
        return CrossProver(model, group, graph, BitsSolver(graph), second, state.work.task.timeout,
                           state.work.task.cross)
    if state.work.task.solver != "bits":
        from verifier.prove.terms_way import TermProver
        return TermProver(model, group, graph, BitsSolver(graph), state.work.task.solver)
    return GroupProver(model, group, graph, BitsSolver(graph))


def wanted_transitions(state: GroupWork) -> list[str]:
    """The steps of which an obligation is asked for, in the order of specs/."""
    filters, library = state.work.task.filters, state.work.library
    return [
        n for n in step_names(state.model) if any(filters.wants(n, p) for p in askable(library, n))
    ]


def from_cache(state: GroupWork, prover: Prover, name: str) -> list[str]:
    """Tell what is known already; the names of the properties that are left to decide."""
    left, failures = [], []
    for prop in asked(state.model, name, state.group.code):
        if not state.work.task.filters.wants(name, prop.name):
            continue
        found = state.cache.proved(name, prop.name)
        obligation = obligation_of(state.model, state.group, name, prop)
        if found is False:
            failed = _recalled(state, obligation)
            if failed is None:
                left.append(prop.name)
            elif obligation.id not in state.work.task.skip:
                failures.append(failed)
            continue
        if obligation.id not in state.work.task.skip:
            inhabitant = found if isinstance(found, Move) else None
            assumed = state.cache.assumed(name, prop.name) or ()
            state.work.say(Done(Result(obligation, Proved(inhabitant), 0.0, prover.name, True,
                                       assumed)))
    # after the proofs: most of these have one inhabitant, which is sent once
    for failed in failures:
        state.work.say(Done(failed))
    return left


def _recalled(state: GroupWork, obligation: Obligation) -> Result | None:
    """How the obligation failed before, recomputed; None where that is not known any more."""
    target, result = (obligation.transition, obligation.property), state.cache.failed(obligation)
    if result is None or not stands(state.model, state.group, target[1], target[0], result.verdict,
                                    state.consequences.again):
        return None
    verdict = result.verdict
    shown = verdict.counterexample if isinstance(verdict, (Refuted, Unknown)) else None
    if state.work.task.thorough and shown is not None and not shown.thorough:
        return None  # its values are not the least, and nobody asked what it leads to
    if isinstance(verdict, Refuted):
        found = verdict.counterexample
        state.work.hints.keep(state.model, state.group, "/".join(target), found.trace)
        state.work.hints.keep_consequence(state.model, state.group, target, found.leads_to)
    elif isinstance(verdict, Unknown) and verdict.counterexample is not None:
        steps, nodes = allowed(state, target)
        before = state.cache.searched(obligation)
        if verdict.counterexample.depth < steps and not (before[0] >= steps and before[1] >= nodes):
            return None  # less was searched
        in_vain(state, target)
    if not isinstance(verdict, Vacuous):
        state.failed.add(target)
    return result


def decide(state: GroupWork, prover: Prover, name: str, props: list[str]) -> Prover:
    """Decide a transition's obligations; the prover to go on with.

    That is a new one after an error of the old one's own.
    """
    left = [p for p in props if obligation_id(state.group, name, p) not in state.work.task.skip]

    def wanted(transition: str, prop: str) -> bool:
        return transition == name and prop in left

    questions: Iterator[Question[Word, int] | Aim[int]] | None = None
    while left:
        try:
            if questions is None:
                first = list(prover.builder.questions(wanted))
                prover.exclude(first)
                questions = chain(first, prover.builder.aims(wanted))
            question = next(questions, None)
        except USERS:
            raise
        except Exception as error:
            for prop in (p for p in asked(state.model, name, state.group.code) if p.name in left):
                blame(state, obligation_of(state.model, state.group, name, prop), error)
            return new_prover(state)
        if question is None:
            break
        left.remove(question.property.name)
        if not _decided(state, prover, question):
            return decide(state, new_prover(state), name, left)
    return prover


def counterexample(state: GroupWork, result: Result) -> Counterexample:
    """The failure of a step with its least values.

    `decide` leaves them out, since a trace mostly takes their place.
    """
    transition, prop = result.obligation.transition, result.obligation.property
    prover = new_prover(state)
    for question in prover.builder.questions(lambda t, p: (t, p) == (transition, prop)):
        verdict = prover.decide(question)
        if isinstance(verdict, Refuted):
            return verdict.counterexample
    raise Contradiction(f"{result.obligation.id}: refuted, but not when it was asked again")


def _decided(state: GroupWork, prover: Prover, question: Question[Word, int] | Aim[int]) -> bool:
    """Decide one obligation and tell it; False where the prover failed and is trusted no longer."""
    name = question.transition
    obligation = obligation_of(state.model, state.group, name, question.property)
    state.work.say(At(question.id, state.group, (obligation,), "deciding"))
    start = time.perf_counter()
    prover.solver.how = ""
    try:
        last = name in ("init", "static")  # no trace takes the place of its values
        verdict = (prover.decide_aim(question) if isinstance(question, Aim)
                   else prover.decide(question, last))
        broken = (prover.broken(question) if isinstance(verdict, Refuted)
                  and isinstance(question, Question) else ())
    except USERS:
        raise
    except Exception as error:
        blame(state, obligation, error)
        return isinstance(error, Contradiction)
    result = Result(obligation, verdict, time.perf_counter() - start, prover.way(),
                    assumptions=() if isinstance(question, Aim) else question.assumed(),
                    ways=broken)
    if isinstance(verdict, Proved):
        state.cache.keep(name, question.property.name, verdict.inhabitant, result.assumptions,
                         isinstance(question, Aim))
    if isinstance(verdict, Refuted) and name not in ("init", "static"):
        state.open.append(result)
        state.refuted.add((name, question.property.name))
        return True
    if isinstance(verdict, Vacuous):
        state.cache.keep_failure(result)
    state.work.say(Done(result))
    return True
