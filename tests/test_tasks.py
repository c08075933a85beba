# SPDX-License-Identifier: GPL-2.0-or-later
"""Who hands traces on to whom, and that a report is the same for every number of processes and
every order.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from verifier.prove.obligations import Group
from verifier.prove.results import Run
from verifier.run.filters import Filters
from verifier.run.library import Library
from verifier.run.messages import Task
from verifier.run.plan import groups_of
from verifier.run.scheduler import Options, prove
from verifier.run.tasks import dearest_first, forerunners, tasks

FORK = Filters(("x86_64", "arm64-4k", "arm64-4k+dbm"), ("pte",), ("option-c",), ("today", "thread"),
               ("fork-pte", "wp-reuse"))


def test_the_first_of_an_architecture_hands_its_traces_on(library: Library) -> None:
    groups, _ = groups_of(library, FORK)
    before = forerunners(library, groups)
    x86, arm, dbm = (Group(variant, "pte", "option-c", "today")
                     for variant in ("x86_64", "arm64-4k", "arm64-4k+dbm"))
    ours = [group for group in groups if group.variant.startswith("arm64")
            and group.code == "today"]
    assert set(ours) == {arm, dbm} and x86 not in before
    assert before[ours[0]] == x86 and before[ours[1]] == ours[0]


def test_every_theorem_is_in_one_task_and_waits_for_none_after_it(library: Library) -> None:
    groups, _ = groups_of(library, Filters())
    found = tasks(library, groups, Filters(), Task((), Filters()))
    assert sorted(map(str, (group for task in found
                            for group in task.groups))) == sorted(map(str, groups))
    known: set[Group] = set()
    left = list(found)
    while left:  # in rounds of what may run at the same time
        ready = [task for task in left if known.issuperset(task.after)]
        assert ready
        known.update(group for task in ready for group in task.groups)
        left = [task for task in left if task not in ready]
    leading = {group for task in found for group in task.after}
    assert all(task.leads == bool(leading & {*task.groups}) for task in found)


def test_what_is_told_first_starts_first_and_then_the_dearest(library: Library) -> None:
    """What most people ask comes as it stands, then what others wait for. A dear task of the rest
    is not left for the end.
    """
    groups, _ = groups_of(library, Filters())
    cost = {group: 7 * number % 101 for number, group in enumerate(groups)}
    before = tasks(library, groups, Filters(), Task((), Filters()))
    found = dearest_first(library, before, cost.__getitem__)
    assert sorted(map(id, found)) == sorted(map(id, before)) and found != before
    first = library.spec.first.prove
    wanted = [task for task in found if any(
        group.variant in first.variants and (group.encoding, group.code) in first.theorems
        for group in task.groups)]
    leading = [task for task in found if task.leads and task not in wanted]
    rest = found[len(wanted) + len(leading):]
    assert wanted == [task for task in before if task in wanted]
    assert found[:len(wanted) + len(leading)] == wanted + leading
    spent = [sum(cost[group] for group in task.groups) for task in rest]
    assert len(spent) > 100 and spent == sorted(spent, reverse=True)


def told(run: Run) -> list[Any]:
    assert not run.contradictions and not run.unfinished
    return [replace(result, seconds=0.0) for result in run.results]


@pytest.fixture(scope="module")
def one_process(library: Library) -> list[Any]:
    return told(prove(library, FORK, Options(jobs=1)))


@pytest.mark.parametrize("jobs", [2, 3])
def test_a_report_is_the_same_for_every_number_of_processes(
        library: Library, one_process: list[Any], jobs: int
) -> None:
    assert any(result.verdict.__class__.__name__ == "Refuted" for result in one_process)
    assert told(prove(library, FORK, Options(jobs=jobs))) == one_process


def test_a_report_is_the_same_for_every_order(
    library: Library, one_process: list[Any], monkeypatch: pytest.MonkeyPatch,
) -> None:
    def shuffled(
            library: Library, groups: Sequence[Group], filters: Filters, task: Task
    ) -> list[Task]:
        found = tasks(library, groups, filters, task)
        random.Random(7).shuffle(found)
        return found

    monkeypatch.setattr("verifier.run.scheduler.tasks", shuffled)
    assert told(prove(library, FORK, Options(jobs=2))) == one_process
