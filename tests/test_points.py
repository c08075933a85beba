# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the hardware may act within a step: the places, that every algebra asks for the same there,
and what it finds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any, NamedTuple

import pytest
from test_language import WIDTH, Names, typed

from verifier.base.errors import Where
from verifier.engine.bits import Bits
from verifier.engine.bits_solver import BitsSolver
from verifier.engine.terms import Terms
from verifier.language.algebra import Algebra, Integers
from verifier.language.meanings import StateVar
from verifier.language.read_yaml import Source
from verifier.language.syntax import (
    BOOL,
    Assign,
    Call,
    Const,
    Do,
    Expr,
    Function,
    Hardware,
    If,
    Local,
    Return,
    State,
    Stmt,
    parts,
)
from verifier.language.values import Fresh
from verifier.model.points import with_points
from verifier.model.step import instances, run
from verifier.model.typed import Model
from verifier.model.world import symbolic_state
from verifier.prove.bits_way import GroupProver, graph_inputs
from verifier.prove.obligations import Group
from verifier.prove.results import Refuted
from verifier.run.library import Library

STATE = {"entry": StateVar(WIDTH, 2), "huge": StateVar(BOOL, 2), "shared": StateVar(BOOL, 2),
         "flag": StateVar(BOOL, None)}
HELPERS = {
    "get": ("get(ptep)", "ptep"), "put": ("put(ptep, pte)", "ptep = pte"),
    "some": ("some(pte)", "pte != 0"),
    "flush": ("flush(p:process)", "shared[p] = False"),
    "used": ("used(p:process)", "entry[p] != 0"),
    "used_by_other": ("used_by_other(p:process)", "used(other(p))"),
    "whoever": ("whoever(p:process)",
            "for i in range(2):\n    if entry[i] != 0:\n        return True\nreturn p == 0"),
}


class Texts(Names):
    """A scope with entries that code sees as memory has them."""

    def through(self, name: str, at: Where) -> Function | None:
        return None


def places(body: str, signature: str = "step(p:process, q:process, x:bool)") -> list[str]:
    """What stands in a code once it has its points, as words: `!p` is a point on p's entry."""
    return told(with_points(typed(signature, body, Texts(HELPERS, STATE)), WIDTH).body)


def told(body: Sequence[Stmt]) -> list[str]:
    found: list[str] = []
    for stmt in body:
        match stmt:
            case Hardware(State(_, _, index)):
                found.append(f"!{word(index)}")
            case Assign(target, value):
                found.append(f"{word(target)} = {word(value)}")
            case If(test, then, orelse):
                found += [f"if {word(test)}", *(f"> {one}" for one in told(then)),
                          *(f"< {one}" for one in told(orelse))]
            case Return(value):
                found.append("return" if value is None else f"return {word(value)}")
            case Do(value):
                found.append(word(value))
            case _:
                found.append(type(stmt).__name__)
    return found


def word(node: Expr | None) -> str:
    match node:
        case Local(_, name):
            return name
        case Const(_, value):
            return str(value)
        case State(_, name, index):
            return name if index is None else f"{name}[{word(index)}]"
        case Call(_, function, args):
            return f"{function.name}({', '.join(word(a) for a in args)})"
    assert node is not None
    return f"{type(node).__name__}({', '.join(word(part) for part in parts(node))})"


@pytest.mark.parametrize(("body", "found"), [
    # the first access has none, a later one has one, whatever it does
    ("old = get(entry[p])\nput(entry[p], old)",
     ["old = get(entry[p])", "!p", "put(entry[p], old)"]),
    ("old = entry[p]\nentry[p] = old", ["old = entry[p]", "!p", "entry[p] = old"]),
    ("entry[p] = 0", ["entry[p] = 0"]),
    # a change of the world ahead of it is something to come between; a local and a test of one are
    # not
    ("flush(p)\nentry[p] = 0", ["flush(p)", "!p", "entry[p] = 0"]),
    ("flag = True\nentry[p] = 0", ["flag = 1", "!p", "entry[p] = 0"]),
    ("y = x\nif y:\n    entry[p] = 0", ["y = x", "if y", "> entry[p] = 0"]),
    ("if observed(p):\n    entry[p] = 0", ["if Observe(p)", "> entry[p] = 0"]),
    # several accesses of one statement: each but the last is a statement, its value a local
    ("put(entry[p], get(entry[p]))", ["access 1 = get(entry[p])", "!p", "put(entry[p], access 1)"]),
    ("entry[p] = entry[p]", ["access 1 = entry[p]", "!p", "entry[p] = access 1"]),
    ("y = some(entry[p]) or some(entry[p])",
     ["access 1 = entry[p]", "!p", "y = Logic(some(access 1), some(entry[p]))"]),
    ("put(entry[p], entry[q])", ["access 1 = entry[q]", "!p", "put(entry[p], access 1)"]),
    # branches: what may have come before on some way; a way that returns leads nowhere
    ("if x:\n    y = entry[p]\nentry[p] = 0", ["if x", "> y = entry[p]", "!p", "entry[p] = 0"]),
    ("if x:\n    y = entry[p]\n    return\nentry[p] = 0",
     ["if x", "> y = entry[p]", "> return", "entry[p] = 0"]),
    ("if some(entry[p]):\n    entry[p] = 0\nelse:\n    return",
     ["if some(entry[p])", "> !p", "> entry[p] = 0", "< return"]),
    ("if x:\n    return\nelse:\n    entry[p] = 0\nentry[p] = 1",
     ["if x", "> return", "< entry[p] = 0", "!p", "entry[p] = 1"]),
    # each process that is accessed, and none else; all that a view or procedure names within
    ("y = entry[p]\nentry[q] = y", ["y = entry[p]", "!q", "entry[q] = y"]),
    ("y = entry[p]\nif used(q):\n    flag = y == 0",
     ["y = entry[p]", "!q", "if used(q)", "> flag = Compare(y, 0)"]),
    ("y = entry[p]\nif used_by_other(p):\n    flag = y == 0",
     ["y = entry[p]", "!Binary(1, p)", "if used_by_other(p)", "> flag = Compare(y, 0)"]),
    ("y = entry[p]\nif whoever(p):\n    flag = y == 0",
     ["y = entry[p]", "!0", "!1", "if whoever(p)", "> flag = Compare(y, 0)"]),
    # a table that is not linked yet
    ("old = get(entry[p])\nhuge[p] = False\nput(entry[p], old)\nput(entry[p], old)",
     ["old = get(entry[p])", "!p", "huge[p] = 0", "put(entry[p], old)", "!p",
      "put(entry[p], old)"]),
    ("huge[p] = False\nentry[q] = 0\nentry[p] = 0",
     ["huge[p] = 0", "!q", "entry[q] = 0", "entry[p] = 0"]),
])
def test_where_points_stand(body: str, found: list[str]) -> None:
    assert places(body) == found


def test_points_have_labels_of_their_own() -> None:
    text = (
        "y = entry[p]\nif observed(p):\n    entry[p] = y\nelse:\n    put(entry[p], y)\nentry[p] = 0"
    )
    function = typed("step(p:process)", text, Texts(HELPERS, STATE))
    one, two = with_points(function, WIDTH), with_points(function, WIDTH)

    def sites(body: Sequence[Stmt]) -> list[int]:
        found = []
        for stmt in body:
            found += [stmt.site] if isinstance(stmt, Hardware) else []
            found += sites((*stmt.then, *stmt.orelse)) if isinstance(stmt, If) else []
        return found

    assert len(sites(one.body)) == len(set(sites(one.body))) == 3
    # those of the observation and the call come before
    assert sites(one.body) == sites(two.body) and min(sites(one.body)) > 2
    assert "access 1" not in function.kinds


def planted(library: Library, group: Group, transition: str, old: str, new: str) -> Model:
    """A model in which a code of a transition says something else."""
    step = library.spec.transitions[transition]
    name, source = step.code(group.code) or ("", None)
    assert source is not None and old in source.text, transition
    wrong = replace(
        step, codes={**step.codes, name: Source(source.text.replace(old, new), source.where)}
    )
    spec = replace(library.spec, transitions={**library.spec.transitions, transition: wrong})
    encoding = spec.encodings[group.encoding]
    return Model(spec, library.layout(group.variant, encoding.overlay), encoding, group.level)


def refuted(model: Model, group: Group, transition: str) -> set[str]:
    """The properties that a step does not keep, by induction.

    Each counterexample is recomputed with plain integers.
    """
    graph = Bits()
    prover = GroupProver(model, group, graph, BitsSolver(graph))
    asked = prover.builder.questions(lambda step, prop: step == transition)
    return {
        question.property.name for question in asked if isinstance(prover.decide(question), Refuted)
    }


def asked(model: Model, alg: Algebra[Any, Any], inputs: Fresh) -> dict[str, set[str]]:
    """The inputs that each step asks for over an algebra."""
    found: dict[str, set[str]] = {}
    for instance in instances(model):
        names = found.setdefault(instance.label, set())

        def fresh(name: str, kind: int, names: set[str] = names) -> Any:
            names.add(name)
            return inputs(name, kind)

        run(model, alg, symbolic_state(model, inputs), instance, "today", fresh,
            model.memory(alg, inputs))
    return found


@pytest.mark.parametrize(
    ("variant", "level"), [("x86_64", "pte"), ("arm64-4k+dbm", "pmd"), ("s390", "hugetlb")]
)
def test_every_algebra_asks_for_the_same(library: Library, variant: str, level: str) -> None:
    """Plain integers look at one way of each branch, and never ask for what formulas have not."""
    model = library.model(variant, "page-flag", level)
    graph, terms, chance = Bits(), Terms(), Random(7)

    def term(name: str, kind: int) -> Any:
        return terms.input_bool(name) if kind == BOOL else terms.input_word(name, kind)

    bits = asked(model, graph, graph_inputs(graph))
    assert any("load@" in name for names in bits.values() for name in names)
    assert asked(model, terms, term) == bits
    values: dict[str, Any] = {}

    def read(name: str, kind: int) -> Any:
        return values.setdefault(name, bool(chance.getrandbits(1)) if kind == BOOL
                                 else chance.getrandbits(kind))

    for _ in range(20):
        values.clear()
        for label, names in asked(model, Integers(), read).items():
            assert names <= bits[label]


class Planted(NamedTuple):
    """A step that is no longer one exchange, or flushes too early, and what notices it."""

    level: str
    transition: str
    old: str
    new: str
    noticed: str
    whole: bool = False


PLANTED = [
    Planted("pte", "mprotect-pte", "ptep_modify_prot_start", "ptep_get", "no-lost-dirty"),
    Planted("pte", "clear-young", "ptep_test_and_clear_young(entry[p])",
            "set_pte_at(entry[p], pte_mkold(entry[p]))",
            "no-lost-dirty"),
    Planted("pte", "write-fault-writable", "ptep_set_access_flags(entry[p], pte, write)",
            "set_pte_at(entry[p], pte)",
            "no-lost-dirty"),
    Planted("pte", "wp-copy", "ptep_clear_flush(entry[p])",
            "flush(p)\n    ptep_get_and_clear(entry[p])", "translation-follows"),
    Planted("pmd", "split-pmd", "pmdp_invalidate", "pmdp_get", "no-lost-dirty"),
]


@pytest.mark.parametrize("one", PLANTED, ids=lambda one: one.transition)
def test_a_step_that_is_not_atomic_is_refuted(library: Library, one: Planted, whole: bool) -> None:
    if one.whole and not whole:
        pytest.skip("a sample is enough: --whole asks for all")
    group = Group("x86_64", one.level, "page-flag", "today")
    assert one.noticed not in refuted(library.group_model(group), group, one.transition)
    assert (one.noticed in refuted(planted(library, group, one.transition, one.old, one.new), group,
                                   one.transition))
