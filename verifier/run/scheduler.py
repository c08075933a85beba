# SPDX-License-Identifier: GPL-2.0-or-later
"""A run: what filters let through becomes tasks, and what these tell becomes one Run at the end."""

from __future__ import annotations

import time
from collections.abc import Sequence

from verifier.base.errors import UsageError
from verifier.prove.obligations import Group
from verifier.prove.results import (
    Run,
)
from verifier.run.extents import extent_of, number_asked, theorems
from verifier.run.filters import Filters, matches
from verifier.run.grounds import code
from verifier.run.library import Library
from verifier.run.messages import Task
from verifier.run.news import Total, Watch
from verifier.run.plan import (
    askable,
    coverage_of,
    groups_of,
    nothing_matches,
    variants_of,
)
from verifier.run.task_processes import STOPPED, Options, TaskProcesses
from verifier.run.tasks import dearest_first, tasks

__all__ = ["Options", "Stopped", "nothing", "prove"]

COUNTING = 0.5  # seconds that a stopped run may still take to count what it did not decide


class Stopped(Exception):
    """The user stopped the run; `run` has what was done until then."""

    def __init__(self, run: Run) -> None:
        super().__init__("stopped")
        self.run = run


def prove(
    library: Library, filters: Filters, options: Options, progress: Watch = lambda news: None
) -> Run:
    """Decide everything that the filters let through.

    Raises UsageError where nothing matches, SpecError where a text is wrong, and Stopped on an
    interrupt, with all processes ended.
    """
    start = time.perf_counter()
    unproved = [v for v in variants_of(library, filters) if v.unproved]
    groups, skipped = groups_of(library, filters)
    if not groups and unproved and unproved == variants_of(library, filters):
        raise UsageError(f"nothing to prove for {unproved[0].name}: {unproved[0].unproved}")
    if not groups:
        raise nothing_matches(filters, library)
    _something(library, groups, filters)
    loaded = start
    scheduler = TaskProcesses(library, options, progress)
    try:
        library.check(groups, lambda group, model: scheduler.know(extent_of(model, group, filters)))
        loaded = time.perf_counter()
        progress(Total(sum(known.obligations for known in scheduler.extents.values()), len(groups)))
        asked = scheduler.extents
        scheduler.run(dearest_first(library, _tasks(library, groups, filters, options),
                                    lambda group: asked[group].obligations))
    except KeyboardInterrupt:
        scheduler.stop()
        raise Stopped(
            _finish(library, groups, filters, skipped, scheduler, start, loaded, STOPPED)
        ) from None
    finally:
        scheduler.end()
    return _finish(library, groups, filters, skipped, scheduler, start, loaded)


def nothing(library: Library, filters: Filters, why: str) -> Run:
    """A run that was ended before anything was decided: all that was asked for, as not decided."""
    groups, skipped = groups_of(library, filters)
    now = time.perf_counter()
    scheduler = TaskProcesses(library, Options(), lambda news: None)
    return _finish(library, groups, filters, skipped, scheduler, now, now, why)


def _something(library: Library, groups: Sequence[Group], filters: Filters) -> None:
    """UsageError where a filter of transitions or properties leaves nothing to ask."""
    events = {f"hw-{e}" for group in groups for e in library.variant(group.variant).hardware}
    if not (any(matches(n, filters.transition)
                for n in ("init", "static", *library.spec.transitions, *events))
            and any(matches(p, filters.property) for name in library.spec.transitions
                    for p in askable(library, name))):
        raise nothing_matches(filters, library)
    for group in groups:
        model = library.group_model(group)
        if number_asked(model, group, filters):
            return
    raise nothing_matches(filters, library)


def _tasks(library: Library, groups: Sequence[Group], filters: Filters,
           options: Options) -> list[Task]:
    """One task for each encoding and code: a trace of one variant is the first guess on the next.

    Few groups are a task each, so that no processor waits for another. The number of tasks depends
    on the filters alone, so a report is the same for every number of processes.
    """
    known = "" if options.cache is None else code()
    return tasks(library, groups, filters, Task(
        (), filters, options.depth, options.search_seconds, options.cache, known, options.solver,
        options.cross, options.timeout, thorough=options.thorough))


def _finish(
    library: Library, groups: Sequence[Group], filters: Filters, skipped: list[dict[str, str]],
    scheduler: TaskProcesses, start: float, loaded: float, stopped: str = "",
) -> Run:
    from verifier.engine.versions import solver_versions

    results = scheduler.results.in_order()
    coverage = coverage_of(library, groups, filters, skipped)
    if scheduler.helpers:
        coverage["helpers"] = sorted(scheduler.helpers)
    seconds = {"load": loaded - start, "solve": sum(results.seconds),
               "elapsed": time.perf_counter() - start}
    told = {group for group, _ in scheduler.unfinished}
    unfinished = [*scheduler.unfinished,
                  *((g, stopped or "ended before its end") for g in groups
                    if g not in scheduler.finished | told)]
    _count_rest(library, groups, filters, scheduler)
    verdicts = theorems(groups, scheduler.extents, filters.whole(), results, scheduler.finished)
    return Run(results, tuple(verdicts), coverage, seconds, solver_versions(),
               tuple(scheduler.contradictions),
               tuple(unfinished), stopped)


def _count_rest(
    library: Library, groups: Sequence[Group], filters: Filters, scheduler: TaskProcesses
) -> None:
    """After a stop, count what is not counted yet, but for no longer than a user waits for an end.
    """
    late = time.monotonic() + COUNTING
    for group in groups:
        if group not in scheduler.extents:
            if time.monotonic() > late:
                return
            scheduler.know(extent_of(library.group_model(group), group, filters))
