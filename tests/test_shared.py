# SPDX-License-Identifier: GPL-2.0-or-later
"""Results that a run keeps: equal to those that were told, equal parts one object, and few bytes
each.
"""

from __future__ import annotations

import pickle
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest

from verifier.prove.obligations import Group
from verifier.prove.results import (
    Counterexample,
    Move,
    Proved,
    Refuted,
    Result,
    Unknown,
    not_proved,
    tally,
)
from verifier.run.filters import Filters
from verifier.run.library import Library
from verifier.run.messages import Done, Task
from verifier.run.scheduler import Options, prove
from verifier.run.shared import Packed, Results, Shared
from verifier.run.worker import work

FORK = Filters(("x86_64",), ("pte",), ("option-c",), ("today",), ("fork-*", "static"), ())


@pytest.fixture(scope="module")
def told(library: Library) -> list[Result]:
    found: list[Result] = []
    group = Group("x86_64", "pte", "option-c", "today")
    work(library, Task((group,), FORK, depth=2), lambda m: found.append(m.result)
         if isinstance(m, Done) else None)
    return sorted(found, key=lambda r: r.obligation.id)


def test_what_is_kept_is_what_was_told(told: list[Result]) -> None:
    shared = Shared()
    kept = [shared.result(pickle.loads(pickle.dumps(result))) for result in told]
    assert kept == told
    assert {type(r.verdict) for r in kept} >= {Proved, Refuted}
    for one, other in zip(kept, told, strict=True):
        move = getattr(one.verdict, "inhabitant", None)
        if move is not None:
            assert isinstance(move.before, Packed)
            assert {k: (type(v), v) for k, v in move.before.items()} == {
                k: (type(v), v)
                for k, v in other.verdict.inhabitant.before.items()}  # type: ignore[union-attr]


def test_columns_are_counted_as_results_are(told: list[Result]) -> None:
    columns, shared = Results(), Shared()
    for result in told[:-1]:
        columns.append(shared.result(result))
    assert tally(columns) == tally(told[:-1])
    columns.append(shared.result(told[-1]))  # what was counted before it came is not told again
    assert tally(columns) == tally(told) == tally(iter(told))
    assert len({alike.verdict for alike in tally(told)}) > 1
    assert list(not_proved(columns)) == list(not_proved(told)) == [
        r for r in told if not isinstance(r.verdict, Proved)]
    assert list(columns.in_order()) == told


def test_a_truth_is_no_number() -> None:
    shared = Shared()
    one, other = shared.packed({"a": True}), shared.packed({"a": 1})
    assert one["a"] is True and other["a"] is not True
    with pytest.raises(KeyError):
        shared.packed({"a": True})["b"]


def test_counterexamples_without_an_answer_are_kept_too() -> None:
    move = Move("t", False, (0,), False, {"x": 1}, {"pfn": 1}, {"pfn": 2})
    verdict = Unknown("not-inductive", "why", Counterexample(move, 0, (move,), False, 1, (move,)))
    found = Shared().verdict(verdict)
    assert found == verdict
    assert isinstance(found, Unknown) and found.counterexample is not None
    assert isinstance(found.counterexample.trace[0].after, Packed)


def test_a_run_keeps_an_inhabitant_once_and_the_cache_does_not_change_that(
    library: Library, tmp_path: Path
) -> None:
    for _ in range(2):
        run = prove(library, FORK, Options(cache=tmp_path, depth=1))
        moves: dict[str, set[int]] = {}
        for r in run.results:
            if (isinstance(r.verdict, Proved) and r.verdict.inhabitant is not None
                    and r.obligation.kind != "effect"):
                moves.setdefault(r.obligation.transition, set()).add(id(r.verdict.inhabitant))
        assert {"fork-pte", "fork-swap-entry"} <= set(moves)
        # a refuted obligation between two proved ones breaks the row, so that it is sent again
        assert (all(len(found) <= 1 + sum(isinstance(r.verdict, Refuted) for r in run.results)
                    for found in moves.values()))
    assert all(r.cached for r in run.results if isinstance(r.verdict, Proved))


def test_a_result_more_costs_little(told: list[Result]) -> None:
    (result, *_) = [
        r for r in told if isinstance(r.verdict, Proved) and r.verdict.inhabitant is not None
    ]
    shared, data = Shared(), pickle.dumps(result)
    first = shared.result(pickle.loads(data))
    tracemalloc.start()
    kept = [shared.result(pickle.loads(data) if n % 100 == 0 else replace(first), first.verdict)
            for n in range(2000)]
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(kept) == 2000 and used / len(kept) < 400
