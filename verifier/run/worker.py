# SPDX-License-Identifier: GPL-2.0-or-later
"""The work of one process: some groups, one after the other.

Says what it is at before it starts, so that whoever waits can tell what took too long.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, islice, takewhile
from pathlib import Path
from typing import Any

from verifier.base.errors import USERS, SpecError, internal
from verifier.base.processes import give_back
from verifier.engine.bits import Bits
from verifier.engine.solve import BitsSolver
from verifier.model.spec import ADVISORY, EFFECT, STATIC
from verifier.model.step import asked, instances, step_names
from verifier.model.typed import Model
from verifier.prove.bits_way import Contradiction, GroupProver, obligation_of
from verifier.prove.obligations import Aim, Group, Obligation, Question, obligation_id
from verifier.prove.results import Counterexample, Move, Proved, Refuted, Result, Unknown, Vacuous
from verifier.run.cache import Cache
from verifier.run.grounds import code, grounds
from verifier.run.plan import Filters, Library
from verifier.run.recall import NOT_INDUCTIVE, stands
from verifier.search.consequence import Consequences
from verifier.search.path import Paths, Target
from verifier.search.sequences import KIN, LEADS_TO, Labels, akin
from verifier.search.trace import Hints, Search

ADVICE, ELSEWHERE, THROUGH = 6, 3, 5  # steps
# Properties of which nothing worse is searched for: they are that themselves, or lose neither content nor isolation.
ENDS_ITSELF = ("store-leak", "dropped-newer", "soft-dirty-exact", "uffd-wp-exact", "frame", "no-spurious-dirty")

__all__ = ["At", "Contradicts", "Done", "Failed", "Finished", "Task", "Unreached", "work"]


@dataclass(frozen=True, slots=True)
class Task:
    """Groups, and what of them is asked for."""

    groups: tuple[Group, ...]
    filters: Filters
    depth: int = 8
    search_seconds: float = 30.0
    cache: Path | None = None
    code: str = ""  # the digest of this program as it was when the run began, where there is a cache
    solver: str = "bits"
    cross: Path | None = None  # decide by two ways; where to leave what they disagree on
    timeout: float = 60.0  # seconds of one question to the second way
    skip: frozenset[str] = frozenset()  # obligations that are decided already


@dataclass(frozen=True, slots=True)
class At:
    """What the process starts on now: building, deciding or searching; of a group, and of which obligations, if of some."""

    what: str
    group: Group | None = None
    obligations: tuple[Obligation, ...] = ()
    stage: str = "building"


@dataclass(frozen=True, slots=True)
class Done:
    """An obligation is decided. `again`: its inhabitant is that of the result told before, and is not sent twice."""

    result: Result
    again: bool = False


@dataclass(frozen=True, slots=True)
class Unreached:
    """Everything of a group is decided but these: they fail, and how they are reached is searched for next.

    Each stands as it is here, as unknown first and as refuted once its trace is found, until its `Done` is told.
    """

    results: tuple[Result, ...]


@dataclass(frozen=True, slots=True)
class Finished:
    """Every obligation of a group that was asked for has been told; `helpers` says whose helpers, where not arch/'s."""

    group: Group
    helpers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Contradicts:
    """The tool contradicts itself, or failed: about the obligation, or the group, that comes first in the words."""

    what: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The process cannot go on, for a reason that the user can mend."""

    message: str


Say = Callable[[Any], None]


@dataclass(slots=True)
class _Group:
    """The state of work on one group."""

    group: Group
    model: Model
    cache: Cache
    consequences: Consequences
    open: list[Result] = field(default_factory=list)
    wrong: dict[Target, str] = field(default_factory=dict)  # what went wrong in the search for their traces
    failed: set[Target] = field(default_factory=set)  # told from the cache
    refuted: set[Target] = field(default_factory=set)  # what induction did not prove, in this run
    unproved: dict[str, tuple[str, ...]] = field(default_factory=dict)  # of a step that something leads to: what of its own fails
    cut: set[Target] = field(default_factory=set)  # a search for these was stopped before its end


def work(library: Library, task: Task, say: Say) -> None:
    """Decide everything of a task, telling each result as it is known. After an error of the program's own the rest goes on."""
    worker = _Worker(library, task, say)
    for group in task.groups:
        try:
            worker.group(group)
        except USERS as error:
            return say(Failed(str(error)))
        except Exception as error:
            say(Contradicts(f"{group}: {internal(error)}"))


class _Worker:
    def __init__(self, library: Library, task: Task, say: Say) -> None:
        self.library, self.task, self.say = library, task, say
        self.hints = Hints()

    def group(self, group: Group) -> None:
        model = self.library.group_model(group)
        known = grounds(self.library, group, model, self.task.code, self.task.solver, self.task.depth)
        cache = Cache(group, known, self.task.cache)
        state = _Group(group, model, cache, Consequences(model, group))
        self.say(At(f"{group}: building", group))
        prover = self.prover(model, group)
        for name in self.wanted_transitions(model):
            props = self.from_cache(state, prover, name)
            if props:
                told = tuple(obligation_of(model, group, name, p) for p in asked(model, name, group.code) if p.name in props)
                self.say(At(f"{group}: building {name}", group, tuple(o for o in told if o.id not in self.task.skip)))
                prover = self.decide(state, prover, name, props)
        helpers = prover.helpers()
        del prover  # its graph and solvers: a search needs the room
        if state.open:
            give_back()
            self.write(cache)
            self.say(At(f"{group}: traces", group, stage="searching"))
            self.say(Unreached(tuple(self.with_trace(state, result, {}, 0) for result in state.open)))
        try:
            self.traces(state)
        except USERS:
            raise
        except Exception as error:  # what is left of these has no trace; the rest of the run has its verdicts
            for result in state.open:
                self.blame(result.obligation, error, getattr(result.verdict, "counterexample", None))
        self.write(cache)
        self.say(Finished(group, helpers))

    def write(self, cache: Cache) -> None:
        """Write what was found, unless the program has been edited meanwhile: what it found is then nobody's."""
        if self.task.cache is not None and cache.changed and code() == self.task.code:
            cache.write()

    def prover(self, model: Model, group: Group) -> GroupProver:
        graph = Bits()
        if self.library.substitute is not None:
            from verifier.prove.other_helpers import SubstitutedProver
            return SubstitutedProver(model, group, graph, BitsSolver(graph))
        if self.task.cross is not None:
            from verifier.prove.all_ways import CrossProver
            second = "z3" if self.task.solver == "bits" else self.task.solver
            return CrossProver(model, group, graph, BitsSolver(graph), second, self.task.timeout, self.task.cross)
        if self.task.solver != "bits":
            from verifier.prove.terms_way import TermProver
            return TermProver(model, group, graph, BitsSolver(graph), self.task.solver)
        return GroupProver(model, group, graph, BitsSolver(graph))

    def wanted_transitions(self, model: Model) -> list[str]:
        return [n for n in step_names(model) if any(self.task.filters.wants(n, p) for p in self.library.asked(n))]

    def from_cache(self, state: _Group, prover: GroupProver, name: str) -> list[str]:
        """Tell what is known already; the names of the properties that are left to decide."""
        left, failures = [], []
        for prop in asked(state.model, name, state.group.code):
            if not self.task.filters.wants(name, prop.name):
                continue
            found = state.cache.proved(name, prop.name)
            obligation = obligation_of(state.model, state.group, name, prop)
            if found is False:
                failed = self.recalled(state, obligation)
                if failed is None:
                    left.append(prop.name)
                elif obligation.id not in self.task.skip:
                    failures.append(failed)
                continue
            if obligation.id not in self.task.skip:
                inhabitant = found if isinstance(found, Move) else None
                self.say(Done(Result(obligation, Proved(inhabitant), 0.0, prover.name, cached=True)))
        for failed in failures:  # after the proofs: most of these have one inhabitant, which is sent once
            self.say(Done(failed))
        return left

    def recalled(self, state: _Group, obligation: Obligation) -> Result | None:
        """How the obligation failed before, recomputed; None where nothing is known, or it does not come out the same."""
        target, result = (obligation.transition, obligation.property), state.cache.failed(obligation)
        if result is None or not stands(state.model, state.group, target[1], target[0], result.verdict,
                                        state.consequences.again):
            return None
        verdict = result.verdict
        if isinstance(verdict, Refuted):
            found = verdict.counterexample
            self.hints.keep(state.model, state.group, "/".join(target), found.trace)
            self.hints.keep_consequence(state.model, state.group, target, found.leads_to)
        elif isinstance(verdict, Unknown) and verdict.counterexample is not None:
            if verdict.counterexample.depth < self.depth_for(state, target):
                return None  # it was searched less deep
            self.in_vain(state, target)
        if not isinstance(verdict, Vacuous):
            state.failed.add(target)
        return result

    def decide(self, state: _Group, prover: GroupProver, name: str, props: list[str]) -> GroupProver:
        """Decide a transition's obligations; the prover to go on with, a new one after an error of its own."""
        left = [p for p in props if obligation_id(state.group, name, p) not in self.task.skip]

        def wanted(transition: str, prop: str) -> bool:
            return transition == name and prop in left

        questions: Iterator[Question | Aim] = chain(prover.builder.questions(wanted), prover.builder.aims(wanted))
        while left:
            try:
                question = next(questions, None)
            except USERS:
                raise
            except Exception as error:
                for prop in (p for p in asked(state.model, name, state.group.code) if p.name in left):
                    self.blame(obligation_of(state.model, state.group, name, prop), error)
                return self.prover(state.model, state.group)
            if question is None:
                break
            left.remove(question.property.name)
            if not self.decided(state, prover, question):
                return self.decide(state, self.prover(state.model, state.group), name, left)
        return prover

    def decided(self, state: _Group, prover: GroupProver, question: Question | Aim) -> bool:
        """Decide one obligation, and tell it. False where the prover failed, and is to be trusted no longer."""
        name = question.transition
        obligation = obligation_of(state.model, state.group, name, question.property)
        self.say(At(question.id, state.group, (obligation,), "deciding"))
        start = time.perf_counter()
        prover.solver.how = ""
        try:
            verdict = prover.decide_aim(question) if isinstance(question, Aim) else prover.decide(question)
            broken = prover.broken(question) if isinstance(verdict, Refuted) and isinstance(question, Question) else ()
        except USERS:
            raise
        except Exception as error:
            self.blame(obligation, error)
            return isinstance(error, Contradiction)
        result = Result(obligation, verdict, time.perf_counter() - start, prover.way(),
                        assumptions=() if isinstance(question, Aim) else prover.assumed(question), ways=broken)
        if isinstance(verdict, Proved):
            state.cache.keep(name, question.property.name, verdict.inhabitant, isinstance(question, Aim))
        if isinstance(verdict, Refuted) and name not in ("init", "static"):
            state.open.append(result)
            state.refuted.add((name, question.property.name))
            return True
        if isinstance(verdict, Vacuous):
            state.cache.keep_failure(result)
        self.say(Done(result))
        return True

    def blame(self, obligation: Obligation, error: Exception | str, counterexample: Counterexample | None = None) -> None:
        """A contradiction, or an error, of the tool's own: this obligation's; it has no other verdict."""
        what = error if isinstance(error, str) else internal(error)
        what = what.removeprefix(f"{obligation.id}: ")
        self.say(Contradicts(f"{obligation.id}: {what}"))
        self.say(Done(Result(obligation, Unknown("contradiction", what, counterexample), 0.0, self.task.solver)))

    def traces(self, state: _Group) -> None:
        """Find how each failed obligation is reached; what is not found is unknown: not inductive."""
        failed = {(r.obligation.transition, r.obligation.property) for r in state.open}
        serious = {t for t in failed | state.failed if state.model.spec.properties[t[1]].kind != "advisory"}
        found = self.all_hinted(state, Search, serious, sorted(failed))
        left = [t for t in sorted(failed) if t not in found]
        depths = {t: self.depth_for(state, t) for t in left}
        elsewhere = {t for t in left if self.searched(state, t)[1:] in self.hints.in_vain}
        for limit in sorted(set(depths.values())):
            left = [t for t, d in depths.items() if d == limit and t not in found]
            if not left or not limit:
                continue
            reached, depth = self.search(state, Search, serious | set(left), left, limit)
            found |= reached
            for target in left:
                depths[target] = depth
                if target not in found:
                    self.in_vain(state, target)
        through = self.through(state, [t for t in depths if t not in found and t not in state.wrong], elsewhere)
        found |= {t: trace for t, trace in through.items() if self.first_broken(state, trace) is None}
        state.consequences.expect(trace[-1] for target, trace in found.items() if self.leads_somewhere(state, target))
        while state.open:
            result = state.open[0]
            target = (result.obligation.transition, result.obligation.property)
            told = self.with_trace(state, result, found, depths.get(target, 0), through.get(target, ()))
            if target in state.wrong and isinstance(told.verdict, Unknown):
                self.blame(result.obligation, state.wrong[target], told.verdict.counterexample)
            else:
                if target in state.wrong:
                    self.say(Contradicts(f"{result.obligation.id}: {state.wrong[target]}"))
                elif isinstance(told.verdict, Refuted) or target not in state.cut:
                    state.cache.keep_failure(told)
                self.say(Done(told))
            del state.open[0]

    def search(
        self, state: _Group, kind: type[Search], failed: set[Target], targets: list[Target], limit: int,
    ) -> tuple[dict[Target, tuple[Move, ...]], int]:
        """Traces of at most `limit` steps, and how deep was searched. The unrolling is let go before anything else is done."""
        found: dict[Target, tuple[Move, ...]] = {}
        depth, left = 0, list(targets)
        while left:
            search = self.searcher(state, kind, failed)
            try:
                for target, trace in search.find(left, limit):
                    found[target] = trace
                    self.remember(state, kind.mark + "/".join(target), trace)
                    self.reached(state, kind, target, trace)
                blamed: list[Target] = []
            except USERS:
                raise
            except Exception as error:  # of what it was about, and if it was about none, of all: others are searched anew
                blamed = [t for t in left if t not in found and search.at in (None, t)]
                state.wrong |= dict.fromkeys(blamed, internal(error))
            depth = search.depth
            if depth < limit:
                state.cut |= set(left) - found.keys()
            left = [t for t in left if t not in found and t not in blamed] if blamed else []
            del search
            give_back()
        return found, depth

    def searcher(self, state: _Group, kind: type[Search], failed: set[tuple[str, str]]) -> Search:
        return kind(state.model, state.group, failed, time.monotonic() + self.task.search_seconds,
                    lambda d: self.say(At(f"{state.group}: traces of {d} steps{kind.words}", state.group, stage="searching")))

    def through(self, state: _Group, left: list[Target], elsewhere: set[Target]) -> dict[Target, tuple[Move, ...]]:
        """Of what no good steps lead to, unless it is advice: steps that do, after one that breaks a property.

        What was searched in vain on another variant (`elsewhere`) is not searched for again: known steps are tried.
        """
        left = [t for t in left if state.model.spec.properties[t[1]].kind != "advisory"]
        if not left:
            return {}
        from verifier.search.through import Through

        found = self.all_hinted(state, Through, set(left), left)
        left = [t for t in left if t not in found and t not in elsewhere]
        return found | (self.search(state, Through, set(left), left, min(self.task.depth, THROUGH))[0] if left else {})

    def first_broken(self, state: _Group, trace: tuple[Move, ...]) -> tuple[str, str] | None:
        """The first step of a trace that breaks a property before its last step, and which."""
        from verifier.search.through import first_broken
        return first_broken(state.model, state.group, trace)

    def depth_for(self, state: _Group, target: tuple[str, str]) -> int:
        """How deep to search: less for advice that nobody asked for, and where another variant was searched in vain."""
        searched, depth = self.searched(state, target), self.task.depth
        if searched[1:] in self.hints.in_vain:
            depth = min(depth, ELSEWHERE)
        if state.model.spec.properties[target[1]].kind == "advisory" and self.task.filters.whole():
            return 0 if searched in self.hints.in_vain else min(depth, ADVICE)
        return depth

    def in_vain(self, state: _Group, target: Target) -> None:
        """Remember that no trace was found."""
        self.hints.in_vain |= {self.searched(state, target), self.searched(state, target)[1:]}

    def searched(self, state: _Group, target: Target) -> tuple[str, str, str, str, Target]:
        """What a search in vain is remembered by."""
        group = state.group
        return state.model.layout.arch.name, group.level, group.encoding, group.code, target

    def all_hinted(
        self, state: _Group, kind: type[Search], failed: set[tuple[str, str]], targets: list[tuple[str, str]],
    ) -> dict[tuple[str, str], tuple[Move, ...]]:
        """Traces that need no search. What their steps have in common is built once."""
        if not targets:
            return {}
        found, paths = {}, Paths(state.model, state.group)
        for target in targets:
            search = self.searcher(state, kind, failed | {target})
            search.paths = paths
            try:
                trace = self.hinted(state, search, target)
            except USERS:
                raise
            except Exception as error:
                state.wrong[target] = internal(error)
                trace, paths = (), Paths(state.model, state.group)
            if trace:
                found[target] = trace
                self.reached(state, kind, target, trace)
        return found

    def hinted(self, state: _Group, search: Search, target: tuple[str, str]) -> tuple[Move, ...]:
        """A trace that was found elsewhere and leads there too: with its own values, or by its steps with others."""
        name, group = search.mark + "/".join(target), state.group
        known = [state.cache.hint(name), self.hints.traces.get((group.level, group.encoding, group.code, name), ())]
        steps = self.known(self.hints.others.get((group.encoding, group.code, name), ()), group, name)
        ways: list[tuple[Callable[..., tuple[Move, ...] | None], tuple[Any, ...]]] = [(search.retrace, t) for t in known if t]
        ways += [(search.along, s) for s in steps]
        for way, hint in chain(ways, ((search.along, s) for s in self.akin(state, search, target))):
            try:
                again = way(hint, target) if len(hint) <= self.task.depth else None
            except (KeyError, IndexError, TypeError, SpecError):  # no trace of this model
                continue
            if again is not None:
                self.remember(state, name, again)
                return again
        return ()

    def known(self, found: Iterable[Labels], group: Group, name: str) -> list[Labels]:
        """Steps that this run has found, and those of specs/ after them."""
        return list(dict.fromkeys([*found, *self.library.sequences().get((group.encoding, group.code, name), ())]))

    def akin(self, state: _Group, search: Search, target: Target) -> Iterator[Labels]:
        """Steps that led to a failure like it, while there is time; none where another variant was searched in vain.

        None after a failure, either: what that leads to is looked for where nothing else was found.
        """
        if search.mark or self.searched(state, target)[1:] in self.hints.in_vain:
            return
        last = [i.label for i in instances(state.model) if i.name == target[0]]
        found = akin(self.library.sequences(), state.group.encoding, state.group.code, target, last)
        yield from takewhile(lambda _: not search.late(), islice(found, KIN))

    def remember(self, state: _Group, name: str, trace: tuple[Move, ...]) -> None:
        self.hints.keep(state.model, state.group, name, trace)
        state.cache.keep_hint(name, trace)

    def with_trace(
        self, state: _Group, result: Result, found: dict[tuple[str, str], tuple[Move, ...]], depth: int,
        through: tuple[Move, ...] = (),
    ) -> Result:
        target = (result.obligation.transition, result.obligation.property)
        assert isinstance(result.verdict, Refuted)
        trace = found.get(target)
        before = result.verdict.counterexample
        if trace is None:
            detail = f"no trace of up to {depth} steps leads there from a fresh mapping"
            unreached = replace(before, depth=depth)
            if through:
                first = self.first_broken(state, through)
                assert first is not None
                detail += f" by steps that break nothing; after {first[0]} breaks {first[1]} it is reached: mend that first"
                unreached = Counterexample(through[-1], before.process, through, depth=depth, replayed=True)
            return replace(result, verdict=Unknown(NOT_INDUCTIVE, detail, unreached))
        reached = _along(before, trace)
        return replace(result, verdict=Refuted(self.with_consequence(state, target, reached)))

    def reached(self, state: _Group, kind: type[Search], target: Target, trace: tuple[Move, ...]) -> None:
        """Tell that a failure is reached, before anything else is searched for: who cuts that short keeps this."""
        if kind.mark:
            return  # after a step that breaks a property
        for result in state.open:
            if (result.obligation.transition, result.obligation.property) == target and isinstance(result.verdict, Refuted):
                verdict = Refuted(_along(result.verdict.counterexample, trace))
                self.say(Unreached((replace(result, verdict=verdict),)))

    def leads_somewhere(self, state: _Group, target: Target) -> bool:
        """May it lead to what another process sees, or to lost content, and is that not known to be far?"""
        last = self.hints.consequences.get((state.group.level, state.group.encoding, state.group.code, target))
        return target[1] not in ENDS_ITSELF and (last != () or bool(state.cache.hint(_leads_to(target))))

    def with_consequence(self, state: _Group, target: Target, counterexample: Counterexample) -> Counterexample:
        """What it leads to: a store that another process sees, or content that is lost."""
        if not self.leads_somewhere(state, target):
            return counterexample
        group = state.group
        last = self.hints.consequences.get((group.level, group.encoding, group.code, target))
        known = self.known(self.hints.endings.get((group.encoding, group.code), ()), group, LEADS_TO)
        try:
            end = state.consequences.of(counterexample.move, state.cache.hint(_leads_to(target)) or last or (), known)
            unproved = self.unproved(state, end.steps)
        except USERS:
            raise
        except Exception as error:  # it is refuted all the same
            state.wrong[target] = internal(error)
            state.consequences = Consequences(state.model, group)
            return counterexample
        self.hints.keep_consequence(state.model, group, target, end.steps)
        if end.steps:
            state.cache.keep_hint(_leads_to(target), end.steps)
        return replace(counterexample, leads_to=end.steps, consequence=end.ends, searched=end.searched, rejected=end.rejected,
                       unproved=unproved)

    def unproved(self, state: _Group, steps: Iterable[Move]) -> tuple[str, ...]:
        """Of the steps that a failure leads to: obligations of their own that are not proved. Those not asked for are decided."""
        names = list(dict.fromkeys(move.transition for move in steps))
        for name in names:
            if name not in state.unproved:
                state.unproved[name] = self.failing(state, name)
        return tuple(found for name in names for found in state.unproved[name])

    def failing(self, state: _Group, name: str) -> tuple[str, ...]:
        """The obligations of a step that induction does not prove, advice left out."""
        props = [p for p in asked(state.model, name, state.group.code) if p.kind not in (ADVISORY, EFFECT, STATIC)]
        failing = {prop for transition, prop in state.failed | state.refuted if transition == name}
        left = {p.name for p in props if p.name not in failing and state.cache.proved(name, p.name) is False
                and (not self.task.filters.wants(name, p.name) or obligation_id(state.group, name, p.name) in self.task.skip)}
        if left:
            prover = self.prover(state.model, state.group)
            questions = prover.builder.questions(lambda transition, prop: transition == name and prop in left)
            failing |= {q.property.name for q in questions if isinstance(prover.decide(q), Refuted)}
        return tuple(obligation_id(state.group, name, p.name) for p in props if p.name in failing)


def _leads_to(target: Target) -> str:
    """Under what the steps are kept that a failure leads to."""
    return f"{LEADS_TO}/{'/'.join(target)}"


def _along(before: Counterexample, trace: tuple[Move, ...]) -> Counterexample:
    """A counterexample as it is reached from a fresh mapping; what it leads to is not said."""
    return Counterexample(trace[-1], before.process, trace, True, len(trace), replayed=True)
