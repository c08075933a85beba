# SPDX-License-Identifier: GPL-2.0-or-later
"""The tasks of a run: which theorems are worked on together, and whose traces they are handed.

A trace of one variant is the first guess on the next, and what was searched in vain there is
searched less deep here. So who hands on to whom is settled before anything runs, by the order of
the theorems alone, and what a task finds depends on those that it waits for and on nothing else: a
report is the same for every number of processes, and in whatever order they end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from verifier.prove.obligations import Group
from verifier.run.filters import Filters
from verifier.run.library import Library
from verifier.run.messages import Task

__all__ = ["dearest_first", "forerunners", "tasks"]

FEW = 12  # groups


def forerunners(library: Library, groups: Sequence[Group]) -> dict[Group, Group]:
    """Group -> the one whose traces it is handed: the first of its architecture, of its level,
    encoding and code.

    The first of an architecture is handed those of the first of all, which is handed none and is
    not in the result.
    """
    first: dict[tuple[str, ...], Group] = {}
    found: dict[Group, Group] = {}
    for group in groups:
        theorem = (group.level, group.encoding, group.code)
        ours = first.setdefault((*theorem, library.variant(group.variant).arch), group)
        before = first.setdefault(theorem, group) if ours is group else ours
        if before is not group:
            found[group] = before
    return found


def tasks(library: Library, groups: Sequence[Group], filters: Filters, task: Task) -> list[Task]:
    """The tasks for these groups, in their order; `task` has all but the groups.

    What others wait for is a task each, and so are few groups, so that no processor waits for
    another. Else it is one for each variant and level, whose models are typed once.
    """
    before = forerunners(library, groups)
    together: dict[tuple[str, ...], list[Group]] = {}
    for group in groups:
        alone = len(groups) <= FEW or group not in before
        theorem = (group.encoding, group.code) if alone else ()
        together.setdefault((group.variant, group.level, *theorem), []).append(group)
    return [task.about(tuple(found), _waits_for(found, before), bool({*found} & {*before.values()}))
            for found in together.values()]


def dearest_first(
    library: Library, found: Sequence[Task], asked: Callable[[Group], int]
) -> list[Task]:
    """The tasks in the order in which they start, so that no dear one is left for the end.

    What most people want to know comes first, as specs/first.yaml has it; then what others wait
    for; then all others, the dearest first: an obligation is as dear as any other (`asked` has a
    theorem's number of them).
    """
    first = library.spec.first.prove

    def wanted(group: Group) -> bool:
        return group.variant in first.variants and (group.encoding, group.code) in first.theorems

    def order(task: Task) -> tuple[int, int]:
        if any(wanted(group) for group in task.groups):
            return 0, 0
        return (1, 0) if task.leads else (2, -sum(asked(group) for group in task.groups))

    return sorted(found, key=order)


def _waits_for(groups: Sequence[Group], before: Mapping[Group, Group]) -> tuple[Group, ...]:
    return tuple(dict.fromkeys(before[group] for group in groups if group in before))
