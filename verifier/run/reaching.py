# SPDX-License-Identifier: GPL-2.0-or-later
"""How the failures of a group are reached.

Known traces are tried first, then steps that break nothing are searched, then steps after another
failure.
"""

from __future__ import annotations

from dataclasses import replace

from verifier.base.errors import USERS, internal
from verifier.base.processes import give_back
from verifier.prove.results import OVER, Counterexample, Move, Refuted, Result, Unknown
from verifier.run.deciding import counterexample
from verifier.run.depths import allowed, depth_for, in_vain, searched
from verifier.run.ending import with_consequence
from verifier.run.group_work import GroupWork, blame, target_of
from verifier.run.hinting import all_hinted, along, reached, remember, searcher
from verifier.run.messages import Contradicts, Done
from verifier.run.recall import NOT_INDUCTIVE
from verifier.search.rules import Rules, Target
from verifier.search.through import first_broken, through

__all__ = ["tell_traces", "with_trace"]

THROUGH = 5  # steps


def tell_traces(state: GroupWork) -> None:
    """Find how each failed obligation is reached; what is not found is unknown: not inductive."""
    failed = {target_of(r) for r in state.open}
    serious = {
        t for t in failed | state.failed if state.model.spec.properties[t[1]].kind != "advisory"
    }
    found = all_hinted(state, Rules(frozenset(serious)), sorted(failed))
    left = [t for t in sorted(failed) if t not in found]
    depths = {t: depth_for(state, t) for t in left}
    elsewhere = {t for t in left if searched(state, t)[1:] in state.work.hints.in_vain}
    for limit in sorted(set(depths.values())):
        left = [t for t, d in depths.items() if d == limit and t not in found]
        if not left or not limit:
            continue
        traces, depth = _search(state, Rules(frozenset(serious) | set(left)), left, limit)
        found |= traces
        for target in left:
            depths[target] = depth
            if target not in found and target not in state.cut:
                in_vain(state, target)
    after = _through(state, [t for t in depths if t not in found and t not in state.wrong],
                     elsewhere)
    found |= {t: trace for t, trace in after.items()
              if first_broken(state.model, state.group, trace) is None}
    while state.open:
        result = state.open[0]
        target = target_of(result)
        if state.work.task.thorough and target not in found and target not in after:
            result = replace(result, verdict=Refuted(counterexample(state, result)))
        told = with_trace(state, result, found, depths.get(target, 0), after.get(target, ()))
        if target in state.wrong and isinstance(told.verdict, Unknown):
            blame(state, result.obligation, state.wrong[target], told.verdict.counterexample)
        else:
            if target in state.wrong:
                state.work.say(Contradicts(f"{result.obligation.id}: {state.wrong[target]}"))
            elif isinstance(told.verdict, Refuted) or target not in state.cut:
                state.cache.keep_failure(told, *allowed(state, target))
            state.work.say(Done(told))
        del state.open[0]


def _search(
    state: GroupWork, rules: Rules, targets: list[Target], limit: int,
) -> tuple[dict[Target, tuple[Move, ...]], int]:
    """Traces of at most `limit` steps, and the depth that was searched.

    The unrolling is freed before anything else is done.
    """
    found: dict[Target, tuple[Move, ...]] = {}
    depth, left = 0, list(targets)
    while left:
        search = searcher(state, rules)
        try:
            for target, trace in search.find(left, limit):
                found[target] = trace
                remember(state, rules.mark + "/".join(target), trace)
                reached(state, rules, target, trace)
            blamed: list[Target] = []
        except USERS:
            raise
        # of what it was about, and if it was about none, of all: others are searched anew
        except Exception as error:
            blamed = [t for t in left if t not in found and search.at in (None, t)]
            state.wrong |= dict.fromkeys(blamed, internal(error))
        depth, rules = search.depth, search.rules
        if depth < limit and search.late():
            state.cut |= set(left) - found.keys()
        left = [t for t in left if t not in found and t not in blamed] if blamed else []
        del search
        give_back()
    return found, depth


def _through(
    state: GroupWork, left: list[Target], elsewhere: set[Target]
) -> dict[Target, tuple[Move, ...]]:
    """Traces after a step that breaks a property, for targets that no good steps reach.

    Advice is left out. What was searched in vain on another variant (`elsewhere`) is not searched
    again: only known steps are tried.
    """
    left = [t for t in left if state.model.spec.properties[t[1]].kind != "advisory"]
    if not left:
        return {}
    found = all_hinted(state, through(left), left)
    left = [t for t in left if t not in found and t not in elsewhere]
    steps = min(state.work.task.depth, THROUGH) if state.work.task.search_seconds else 0
    return found | (_search(state, through(left), left, steps)[0] if left and steps else {})


def with_trace(
    state: GroupWork, result: Result, found: dict[tuple[str, str], tuple[Move, ...]], depth: int,
    after: tuple[Move, ...] = (),
) -> Result:
    """The result as it is told: refuted with its trace, or unknown where none was found.

    `depth` is the number of steps that was searched. `after` is a trace after another failure; it
    says what to mend first.
    """
    target = target_of(result)
    assert isinstance(result.verdict, Refuted)
    trace = found.get(target)
    before = result.verdict.counterexample
    if trace is None:
        detail = (f"no trace of up to {depth} steps leads there from a fresh "
                  f"mapping{OVER if target in state.cut else ''}")
        thorough = state.work.task.thorough
        unreached = replace(before, depth=depth, thorough=thorough)
        if after:
            first = first_broken(state.model, state.group, after)
            assert first is not None
            detail += (f" by steps that break nothing; after {first[0]} breaks {first[1]} it is "
                       "reached: mend that first")
            unreached = Counterexample(after[-1], before.process, after, depth=depth,
                                       thorough=thorough, replayed=True)
        return replace(result, verdict=Unknown(NOT_INDUCTIVE, detail, unreached))
    return replace(result, verdict=Refuted(with_consequence(state, target, along(before, trace))))
