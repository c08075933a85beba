# SPDX-License-Identifier: GPL-2.0-or-later
"""Assumptions that no proof needs: each is left out of every proof in turn.

They are the conjuncts of the invariant, the axioms and the requirements. One that no proof needs
hides a mistake: it does not say what it was meant to say, or something else says too much.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from verifier.engine.answers import Unsat
from verifier.engine.bits import Bits, Word
from verifier.engine.bits_solver import BitsSolver
from verifier.language.read_yaml import Source
from verifier.model.spec import INVARIANT, LEMMA, STATIC
from verifier.prove.bits_way import graph_inputs
from verifier.prove.builder import Builder
from verifier.prove.obligations import Question, Way
from verifier.run.filters import Filters
from verifier.run.library import Library
from verifier.run.plan import groups_of

__all__ = ["Assumption", "Needs", "needs"]


@dataclass(frozen=True, slots=True, order=True)
class Assumption:
    """A conjunct of what proofs assume.

    `kind` is invariant, lemma, axiom or requires; `place` is where it stands in specs/.
    """

    kind: str
    name: str
    place: str


# when a hardware event may happen: part of the event, not an assumption of a proof
WHEN = Assumption("event", "when", "")


@dataclass(frozen=True, slots=True)
class Needs:
    """Which assumptions are needed, and by how many proofs that was asked.

    needed    assumption -> an obligation that is not proved without it
    unneeded  assumptions without which every proof still holds
    proofs    the number of proofs that were tried
    """

    needed: dict[Assumption, str]
    unneeded: tuple[Assumption, ...]
    proofs: int


def needs(
    library: Library, filters: Filters, progress: Callable[[str], None] = lambda _: None
) -> Needs:
    """Leave each assumption out of every proof that uses it, until one fails.

    Requirements that are only there for traces are not counted: no proof may rest on them, and a
    test checks that none does.
    """
    needed: dict[Assumption, str] = {}
    seen: dict[Assumption, None] = {}
    proofs = 0
    for group in groups_of(library, filters)[0]:
        progress(f"{group}: what is needed")
        graph = Bits()
        solver = BitsSolver(graph)
        builder = Builder(library.group_model(group), group, graph, graph_inputs(graph))
        for question in builder.questions(filters.wants):
            if question.property.kind == STATIC or question.transition == "init":
                continue
            for way in question.ways:
                given = _named(library, builder, question, way)
                if not isinstance(solver.check((*question.given[way.label], way.bad), ()), Unsat):
                    break
                proofs += 1
                seen |= dict.fromkeys(given.keys() - {WHEN})
                for one in given.keys() - needed.keys() - {WHEN}:
                    rest = [literal for other, literals in given.items() if other != one
                            for literal in literals]
                    if not isinstance(solver.check((*rest, way.bad), ()), Unsat):
                        needed[one] = question.id
    return Needs(needed, tuple(sorted(seen.keys() - needed.keys())), proofs)


def _named(
    library: Library, builder: Builder[Word, int], question: Question[Word, int],
    way: Way[Word, int],
) -> dict[Assumption, list[int]]:
    """What the proof of one way assumes, by assumption; requirements for traces are left out."""
    spec = library.spec
    found: dict[Assumption, list[int]] = {}
    for (name, _), literal in builder.invariant.items():
        prop = spec.properties[name]
        assert prop.kind in (INVARIANT, LEMMA)
        found.setdefault(Assumption(prop.kind, name, _place(prop.holds)), []).append(literal)
    assert way.step is not None
    for name, literal in way.step.named.items():
        kind, _, rest = name.partition(" ")
        if kind == "requires":
            transition = spec.transitions[question.transition]
            axiom = next(a for a in transition.requires if a.name == rest)
            if not axiom.traces:
                found.setdefault(Assumption(kind, f"{transition.name}.{rest}", _place(axiom.holds)),
                                 []).append(literal)
        elif kind == "axiom":
            observation, _, sentence = rest.partition(".")
            axiom = next(a for a in spec.observations[observation].axioms if a.name == sentence)
            found.setdefault(Assumption(kind, rest, _place(axiom.holds)), []).append(literal)
        else:
            found.setdefault(WHEN, []).append(literal)
    return found


def _place(source: Source | None) -> str:
    return "" if source is None else str(source.where)


def lines(found: Needs) -> Iterator[str]:
    """The report as lines of text."""
    for one in found.unneeded:
        yield f"unneeded  {one.kind} {one.name}  ({one.place})"
    yield (f"{found.proofs} proofs, each without each of its assumptions: {len(found.needed)} "
           "assumptions are needed, "
           f"{len(found.unneeded)} by none of these proofs.")
