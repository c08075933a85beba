# SPDX-License-Identifier: GPL-2.0-or-later
"""The state of work on one group, and what all groups of one process share."""

from __future__ import annotations

from dataclasses import dataclass, field

from verifier.base.errors import internal
from verifier.model.typed import Model
from verifier.prove.obligations import Group, Obligation
from verifier.prove.results import Counterexample, Result, Unknown
from verifier.run.cache import Cache
from verifier.run.library import Library
from verifier.run.messages import Contradicts, Done, Say, Task
from verifier.search.consequence import Consequences
from verifier.search.hints import Hints
from verifier.search.rules import Target

__all__ = ["GroupWork", "Work", "blame", "target_of"]


@dataclass(frozen=True, slots=True)
class Work:
    """What all groups of a process share: library, task, listener, and traces found so far."""

    library: Library
    task: Task
    say: Say
    hints: Hints = field(default_factory=Hints)


@dataclass(slots=True)
class GroupWork:
    """The state of work on one group."""

    work: Work
    group: Group
    model: Model
    cache: Cache
    consequences: Consequences
    open: list[Result] = field(default_factory=list)
    # target -> what went wrong in the search for its trace
    wrong: dict[Target, str] = field(default_factory=dict)
    failed: set[Target] = field(default_factory=set)  # failures told from the cache
    refuted: set[Target] = field(default_factory=set)  # what induction did not prove, in this run
    # step -> obligations of its own that fail, for reports of what leads to it
    unproved: dict[str, tuple[str, ...]] = field(default_factory=dict)
    cut: set[Target] = field(default_factory=set)  # a search for these was stopped before its end


def target_of(result: Result) -> Target:
    """The step and the property that a result is about."""
    return result.obligation.transition, result.obligation.property


def blame(state: GroupWork, obligation: Obligation, error: Exception | str,
          counterexample: Counterexample | None = None) -> None:
    """Tell an error of the tool's own about an obligation, which gets no other verdict."""
    what = error if isinstance(error, str) else internal(error)
    what = what.removeprefix(f"{obligation.id}: ")
    state.work.say(Contradicts(f"{obligation.id}: {what}"))
    state.work.say(Done(Result(obligation, Unknown("contradiction", what, counterexample), 0.0,
                               state.work.task.solver)))
