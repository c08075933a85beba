# SPDX-License-Identifier: GPL-2.0-or-later
"""What nothing needs goes: dropping any axiom, requirement or give-up changes some verdict.

Each is dropped alone, and the transitions that use it are decided again in some groups, until one
verdict differs from what it was.
"""

from __future__ import annotations

from functools import cache

import pytest
from sample import sampled

from verifier.engine.answers import Sat
from verifier.engine.bits import Bits
from verifier.engine.bits_solver import BitsSolver
from verifier.model.texts import name_of
from verifier.prove.bits_way import GroupProver, graph_inputs
from verifier.prove.builder import Builder
from verifier.prove.obligations import Group
from verifier.run.library import load_library

LIBRARY = load_library()
CODES = (("page-flag", "today"), ("option-c", "option-c"), ("option-c", "today"))
GROUPS = {
    level: tuple(Group(variant, level, encoding, code) for variant in variants
                 for encoding, code in CODES)
    for level, variants in {
        "pte": ("x86_64+shstk", "arm64-4k+dbm", "x86_64+stray-dirty", "riscv64", "s390", "xtensa",
                "sparc64-sun4v"),
        "pmd": ("x86_64+shstk", "riscv64"), "pte-lockless": ("x86_64+shstk",),
        "hugetlb": ("x86_64+shstk", "riscv64", "mips64", "arm64-4k", "powerpc-e500-64"),
    }.items()
}


def level_of(transition: str) -> str:
    """The lowest level at which there is such a transition."""
    found = LIBRARY.spec.transitions[transition]
    return LIBRARY.spec.first_level(found).name


def groups(transition: str) -> tuple[Group, ...]:
    """Where it is decided; at the level of small pages also among huge ones, which some of it may
    be there for.
    """
    level = level_of(transition)
    return GROUPS[level] if level != "pte" else (*GROUPS["pte"], GROUPS["pmd"][1])


@cache
def verdicts(group: Group, transition: str, dropped: frozenset[str]) -> dict[str, str]:
    """Property -> verdict of one transition, with some assumptions left out."""
    graph = Bits()
    prover = GroupProver(LIBRARY.group_model(group), group, graph, BitsSolver(graph))
    if dropped:
        prover.builder = Builder(prover.model, group, graph, graph_inputs(graph), None, dropped)
    found = {}
    for question in prover.builder.questions(lambda t, p: t == transition):
        given = {label: prover.inhabited(label, g) for label, g in question.given.items()}
        bad = any(prover.possible(question, way) for way in question.ways)
        found[question.property.name] = ("refuted" if bad else "proved" if all(given.values())
                                         else "vacuous")
    return found


def changes(transition: str, dropped: str) -> bool:
    """Does some verdict of the transition change in some group?"""
    return any(
        verdicts(group, transition, frozenset([dropped])) != verdicts(
            group, transition, frozenset()
        )
        for group in groups(transition)
    )


def users(observation: str) -> list[str]:
    """The transitions whose codes look at an observation, themselves or through a procedure."""
    texts = {name_of(p): p.body.text
             for p in (*LIBRARY.spec.procedures, *(f.text for f in LIBRARY.spec.flushes))}
    through = {name for name, text in texts.items() if f"{observation}(" in text}
    found = []
    for transition in LIBRARY.spec.transitions.values():
        words = " ".join(source.text for source in transition.codes.values())
        if any(f"{name}(" in words for name in {observation, *through}):
            found.append(transition.name)
    return found


AXIOMS = [(o, a.name) for o, record in LIBRARY.spec.observations.items() for a in record.axioms]
REQUIRES = [(t.name, a.name) for t in LIBRARY.spec.transitions.values() for a in t.requires
            if not a.traces]
FOR_TRACES = [(t.name, a.name) for t in LIBRARY.spec.transitions.values() for a in t.requires
              if a.traces]
TRACED = sorted({t for t, _ in FOR_TRACES})
GIVE_UPS = [t.name for t in LIBRARY.spec.transitions.values() if t.gives_up]


# Where to look first; the others come after.
TELLING = ("numa-hint-set-pmd", "clear-soft-dirty-pmd", "wp-reuse", "fork-pte", "ksm-stabilise",
           "migrate-move", "make-device-exclusive", "swap-in", "madvise-free-pmd")


@pytest.mark.parametrize(("observation", "axiom"), AXIOMS)
def test_every_axiom_is_needed(observation: str, axiom: str) -> None:
    steps = sorted(users(observation), key=lambda step: step not in TELLING)
    assert any(changes(t, f"axiom {observation}.{axiom}") for t in steps)


@pytest.mark.parametrize(("transition", "requirement"), REQUIRES)
def test_every_requirement_is_needed(transition: str, requirement: str) -> None:
    assert changes(transition, f"requires {requirement}")


@pytest.mark.parametrize(("transition", "requirement"), FOR_TRACES)
def test_what_is_there_for_traces_excludes_something(transition: str, requirement: str) -> None:
    """Some state satisfies all that is assumed but for this requirement."""
    assert (
        any(excludes(group, transition, f"requires {requirement}") for group in groups(transition))
    )


@pytest.mark.parametrize("transition", sampled(TRACED, TRACED[::3]))
def test_no_proof_rests_on_what_is_there_for_traces(transition: str) -> None:
    dropped = frozenset(f"requires {name}" for t, name in FOR_TRACES if t == transition)
    for group in groups(transition):
        assert verdicts(group, transition, dropped) == verdicts(group, transition, frozenset())


def excludes(group: Group, transition: str, requirement: str) -> bool:
    """Is there a step that this requirement alone forbids?"""
    graph = Bits()
    model = LIBRARY.group_model(group)
    solver = BitsSolver(graph)
    builder = Builder(model, group, graph, graph_inputs(graph))
    for question in builder.questions(lambda t, p: (t, p) == (transition, "limits")):
        for way in question.ways:
            assert way.step is not None
            rest = [v for name, v in way.step.named.items() if name != requirement]
            forbidden = graph.neg(way.step.named[requirement])
            if isinstance(solver.check([*builder.hypothesis, *rest, forbidden]), Sat):
                return True
    return False


@pytest.mark.parametrize("transition", GIVE_UPS)
def test_every_give_up_is_needed(transition: str) -> None:
    assert changes(transition, "action give_up")


LEMMAS = [p.name for p in LIBRARY.spec.properties.values() if p.kind == "lemma"]


def needs_lemma(group: Group, lemma: str) -> bool:
    """Is something proved there that is not without this lemma?"""
    graph = Bits()
    prover = GroupProver(LIBRARY.group_model(group), group, graph, BitsSolver(graph))
    if not any(name == lemma for name, _ in prover.builder.invariant):
        return False
    prover.builder = Builder(prover.model, group, graph, graph_inputs(graph), None,
                             frozenset([f"lemma {lemma}"]))
    return any(
        any(prover.possible(question, way) for way in question.ways)
        and verdicts(group, question.transition, frozenset())[question.property.name] == "proved"
        for question in prover.builder.questions(lambda t, p: t not in ("init", "static"))
    )


NEEDED_ON = {  # where to look first
    "clear-bits-stay-clear": "xtensa", "well-formed": "arm64-4k+dbm",
    "no-shadow-stack-elsewhere": "arm64-4k+dbm", "no-huge-migration-elsewhere": "powerpc-e500-64",
    "stores-flush": "sparc64-sun4v", "batched-where-deferred": "s390",
}


@pytest.mark.parametrize("lemma", LEMMAS)
def test_every_lemma_is_needed(lemma: str) -> None:
    groups = [group for level in GROUPS for group in GROUPS[level]]
    assert (any(needs_lemma(g, lemma)
                for g in sorted(groups, key=lambda g: g.variant != NEEDED_ON.get(lemma))))
