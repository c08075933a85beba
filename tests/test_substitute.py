# SPDX-License-Identifier: GPL-2.0-or-later
"""Substituted helpers are the model everywhere: what is proved, how a failure is reached, how it is
replayed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from verifier.language.algebra import Algebra
from verifier.language.machine import LIFTED, Memory
from verifier.language.syntax import BOOL, Function
from verifier.model.arch import Layout
from verifier.prove.obligations import Group
from verifier.prove.recompute import replay
from verifier.prove.results import Incomplete, Proved, Refuted, Result, Run, Unknown
from verifier.run.filters import Filters
from verifier.run.library import Library, load_library
from verifier.run.scheduler import Options, prove
from verifier.search.follow import retrace

GROUP = Group("x86_64", "pte", "page-flag", "today")
LOST = Filters(("x86_64",), ("pte",), ("page-flag",), ("today",), ("clear-soft-dirty",),
               ("no-lost-dirty",))
Body = Callable[["Answers", Any], Any]  # of a helper that takes an entry, and perhaps more


class Answers(Memory[Any, Any]):
    """Some helpers by bodies of the test's. An unsettled one has a condition, over its entry."""

    def __init__(self, alg: Algebra[Any, Any], fresh: Callable[[str, int], Any], layout: Layout,
                 of: Helpers) -> None:
        super().__init__()
        self.alg, self.fresh, self.layout, self.of = alg, fresh, layout, of
        self.asked: dict[str, Any] = {}

    def __missing__(self, key: tuple[Function, tuple[Any, ...]]) -> Any:
        function, args = key
        name = function.name
        if self.layout.function(name) is not function or name not in self.of.bodies:
            raise KeyError(key)
        if name in self.of.unsettled:
            found = self.alg.all(self.of.unsettled[name](self, args[0]))
            self.asked[f"{name}: made up"] = self.alg.any(
                found, self.asked.get(f"{name}: made up", self.alg.truth(False))
            )
        return self.of.bodies[name](self, args[0])

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def take(self) -> dict[str, Any]:
        found, self.asked = self.asked, {}
        return found

    def without(self, entry: Any, *fields: str) -> Any:
        mask = sum(self.layout.fields[name].mask for name in fields)
        return self.alg.band(entry, self.alg.word(~mask & (1 << 64) - 1, 64), 64)

    def has(self, entry: Any, name: str) -> Any:
        bit = self.alg.word(self.layout.fields[name].mask, 64)
        return self.alg.neg(self.alg.eq(self.alg.band(entry, bit, 64), self.alg.word(0, 64), 64))


@dataclass
class Helpers:
    """A `Substitute`."""

    bodies: dict[str, Body]
    unsettled: dict[str, Body] = field(default_factory=dict)

    def __hash__(self) -> int:
        return id(self)

    def stands_for(self, layout: Layout) -> str:
        return ""

    def memory(self, layout: Layout, alg: Algebra[Any, Any],
               fresh: Callable[[str, int], Any]) -> Answers:
        return Answers(alg, fresh, layout, self)


def loses_dirty(m: Answers, entry: Any) -> Any:
    return m.without(entry, "RW", "DIRTY", "SAVED_DIRTY")


def as_it_is(m: Answers, entry: Any) -> Any:
    """x86_64's pte_mkwrite, of a mapping without shadow stacks."""
    entry = m.without(entry, "SAVED_DIRTY")
    return m.alg.bor(entry, m.alg.word(m.layout.fields["RW"].mask, 64), 64)


def dirtied(m: Answers, entry: Any) -> Any:
    """x86_64's pte_mkdirty, of a writable entry or of a CPU without shadow stacks."""
    marks = m.layout.fields["DIRTY"].mask | m.layout.fields["SOFT_DIRTY"].mask
    return m.alg.bor(entry, m.alg.word(marks, 64), 64)


def run_with(helpers: Helpers | None, filters: Filters = LOST,
             **options: Any) -> tuple[Library, Run]:
    library = load_library()
    library.substitute = helpers
    return library, prove(library, filters, Options(**options))


def verdict(run: Run) -> Any:
    (result,) = run.results
    assert isinstance(result, Result) and not run.contradictions
    return result.verdict


def test_a_wrong_helper_is_refuted_with_a_trace_that_only_it_takes() -> None:
    library, run = run_with(Helpers({"pte_wrprotect": loses_dirty}))
    found = verdict(run)
    assert isinstance(found, Refuted)
    counterexample = found.counterexample
    assert counterexample.reached and counterexample.replayed and len(counterexample.trace) > 1
    assert (retrace(library.group_model(GROUP), GROUP, counterexample.trace,
                    "no-lost-dirty") == counterexample.trace)
    library.substitute = None
    assert retrace(library.group_model(GROUP), GROUP, counterexample.trace, "no-lost-dirty") is None
    assert isinstance(verdict(prove(library, LOST, Options())), Proved)


@pytest.mark.whole
def test_what_helpers_leave_open_is_the_same_at_every_step() -> None:
    """Either nothing is ever made dirty, or nothing loses its dirty bit: a trace that does both is
    none.
    """
    def odd(m: Answers) -> Any:
        return m.fresh(f"{LIFTED}odd", BOOL)

    both: dict[str, Body] = {
        "pte_wrprotect": lambda m, e: m.alg.ite(odd(m), loses_dirty(m, e), m.without(e, "RW"), 64),
        "pte_mkwrite": lambda m, e: m.alg.ite(odd(m), e, as_it_is(m, e), 64),
        "pte_mkdirty": lambda m, e: m.alg.ite(odd(m), e, dirtied(m, e), 64),
    }
    _, run = run_with(Helpers(both), depth=4)
    found = verdict(run)
    assert isinstance(found, Unknown) and found.reason == "not-inductive"
    _, run = run_with(Helpers({**both, "pte_mkwrite": as_it_is, "pte_mkdirty": dirtied}), depth=4)
    assert isinstance(verdict(run), Refuted)
    assert all(move.inputs[f"{LIFTED}odd"] for move in verdict(run).counterexample.trace)


def test_an_obligation_that_meets_what_is_not_settled_is_incomplete_by_name() -> None:
    _, run = run_with(
        Helpers({"pte_wrprotect": loses_dirty}, {"pte_wrprotect": lambda m, e: m.has(e, "DIRTY")})
    )
    assert verdict(run) == Incomplete("pte_wrprotect: made up")
    _, run = run_with(
        Helpers({"pte_wrprotect": loses_dirty}, {"pte_wrprotect": lambda m, e: m.alg.truth(False)})
    )
    assert isinstance(verdict(run), Refuted)


def test_no_step_of_a_trace_meets_what_is_not_settled() -> None:
    """A page that can be written is marked dirty: where that is not settled, no such step is one of
    a trace.
    """
    helpers = Helpers({"pte_wrprotect": loses_dirty, "pte_mkdirty": dirtied})
    library, run = run_with(helpers, depth=3)
    trace = verdict(run).counterexample.trace
    library.substitute = Helpers(helpers.bodies, {"pte_mkdirty": lambda m, e: m.alg.truth(True)})
    again = [replay(library.group_model(GROUP), GROUP, move) for move in trace]
    assert (
        not all(allowed for _, allowed, _ in again) and dict(again[-1][2]) == dict(trace[-1].after)
    )
    assert retrace(library.group_model(GROUP), GROUP, trace, "no-lost-dirty") is None
    found = verdict(prove(library, LOST, Options(depth=3)))
    assert isinstance(found, Unknown) and found.reason == "not-inductive"
