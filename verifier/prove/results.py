# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run says: verdicts as a sum type, states in concrete values, results. Data only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol, TypeAlias, assert_never, runtime_checkable

from verifier.base.exits import Exit, exit_of
from verifier.language.machine import Key
from verifier.model.spec import ADVISORY
from verifier.prove.baseline import PROVED, Compared, Said
from verifier.prove.obligations import Group, Obligation

__all__ = [
    "OVER", "Alike", "Counterexample", "Incomplete", "Move", "Proved", "Refuted", "Result", "Run",
    "State", "TheoremResult", "Unknown", "Vacuous", "Verdict", "counted_as", "exit_code",
    "not_proved", "open_ones", "reason", "recounted", "said", "settled", "tally", "verdict_name",
]

State: TypeAlias = Mapping[Key, int | bool]


@dataclass(frozen=True, slots=True)
class Move:
    """One step of a trace: which instance, with which inputs, from which state to which."""

    transition: str
    event: bool
    roles: tuple[int, ...]
    tracks_new: bool
    inputs: Mapping[str, int | bool]
    before: State
    after: State


@dataclass(frozen=True, slots=True)
class Counterexample:
    """A state and a step that violate a property.

    trace     the steps from a fresh mapping to the violation and its step; empty if none is known
    reached   was the state reached from a fresh mapping?
    depth     steps of the trace, or the depth searched in vain
    leads_to  steps from the bad state to a store-leak or dropped-newer; `ends` says which
    searched  steps up to which such an end was searched in vain; 0: not searched, or one was found
    rejected  the number of sequences that end so, but may without the failure as well
    thorough  are the values the least, and was it asked what they lead to?
    unproved  obligations of the steps in leads_to that are not proved, by id
    """

    move: Move
    process: int | None
    trace: tuple[Move, ...] = ()
    reached: bool = False
    depth: int = 0
    leads_to: tuple[Move, ...] = ()
    consequence: str = ""
    searched: int = 0
    rejected: int = 0
    unproved: tuple[str, ...] = ()
    thorough: bool = True
    replayed: bool | None = None
    kernel: bool | None = None
    kernel_why: str = "not asked for"


@dataclass(frozen=True, slots=True)
class Proved:
    """No step violates the property; the inhabitant is a step that satisfies what is assumed."""

    inhabitant: Move | None


@dataclass(frozen=True, slots=True)
class Refuted:
    """A trace from an initial state leads to a step that violates the property."""

    counterexample: Counterexample
    inhabitant: Move | None = None


@dataclass(frozen=True, slots=True)
class Vacuous:
    """No state satisfies the assumptions of this instance, or none leads to its effect."""

    instance: str
    effect: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """It was not decided: timeout, memory, solver, not-inductive, stopped or contradiction.

    A contradiction is an error of the tool's own.
    """

    reason: str
    detail: str = ""
    counterexample: Counterexample | None = None


@dataclass(frozen=True, slots=True)
class Incomplete:
    """A part of what the obligation is about is not modelled, so nothing is claimed."""

    reason: str


Verdict: TypeAlias = Proved | Refuted | Vacuous | Unknown | Incomplete


@dataclass(frozen=True, slots=True)
class Result:
    """The verdict on one obligation."""

    obligation: Obligation
    verdict: Verdict
    seconds: float
    solver: str
    cached: bool = False
    assumptions: tuple[str, ...] = ()
    ways: tuple[str, ...] = ()  # of what fails: every way in which its property can be violated


class Alike(NamedTuple):
    """What a count of results tells apart: few of them stand for millions."""

    group: Group
    verdict: str
    kind: str
    solver: str
    cached: bool

    def counted_as(self) -> str:
        """The word that a theorem counts them under: the verdict, or `advice` for failed advice."""
        return "advice" if self.kind == ADVISORY and self.verdict != "proved" else self.verdict


@runtime_checkable
class _Columns(Protocol):
    """Results that can be counted, and those picked out that fail, without making each."""

    def tally(self) -> Counter[Alike]: ...
    def not_proved(self) -> Iterator[Result]: ...


def tally(results: Iterable[Result]) -> Counter[Alike]:
    """How many results of each kind there are."""
    if isinstance(results, _Columns):
        return results.tally()
    return Counter(map(_alike, results))


def not_proved(results: Iterable[Result]) -> Iterator[Result]:
    """The results that are not proved, advice among them, in their order."""
    if isinstance(results, _Columns):
        return results.not_proved()
    return (r for r in results if not isinstance(r.verdict, Proved))


def _alike(r: Result) -> Alike:
    return Alike(r.obligation.group, verdict_name(r.verdict), r.obligation.kind, r.solver, r.cached)


@dataclass(frozen=True, slots=True)
class TheoremResult:
    """The verdict of a theorem, which is the worst of its obligations'.

    lemmas     the invariants that its induction used
    whole      was the whole theorem asked for, and every obligation of it decided?
    undecided  obligations that were asked for and have no verdict; None where the run was stopped
               before they were counted
    """

    group: Group
    verdict: str
    lemmas: tuple[str, ...]
    counts: Mapping[str, int]
    whole: bool
    undecided: int | None = 0


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that one run says."""

    results: Sequence[Result]
    theorems: tuple[TheoremResult, ...]
    coverage: Mapping[str, object]
    seconds: Mapping[str, float] = field(default_factory=dict)
    solvers: Mapping[str, str] = field(default_factory=dict)
    contradictions: tuple[str, ...] = ()
    # groups of which something was not decided, and why
    unfinished: tuple[tuple[Group, str], ...] = ()
    stopped: str = ""  # by whom or what the run was ended before its end
    compared: Compared | None = None  # with an earlier run

    @property
    def undecided(self) -> int | None:
        """The number of obligations without a verdict; None where they were not counted yet."""
        if self.stopped and not self.theorems:
            return None
        found = [t.undecided for t in self.theorems]
        return None if None in found else sum(number for number in found if number is not None)

    def cut_short(self) -> str:
        """Why this is not the whole answer; empty where it is."""
        if self.stopped:
            return self.stopped
        return f"{len(self.unfinished)} theorems are not finished" if self.unfinished else ""


def open_ones(theorem: TheoremResult) -> str:
    """How many obligations of a theorem have no verdict, in words."""
    if theorem.undecided is None:
        return "its obligations are not counted and not decided"
    return f"{theorem.undecided} obligations are not decided"


def said(result: Result) -> Said:
    """A result as an earlier run would tell it."""
    name = verdict_name(result.verdict)
    if isinstance(result.verdict, Proved):
        return PROVED
    shown: Counterexample | None = getattr(result.verdict, "counterexample", None)
    leads_to = "" if shown is None else shown.consequence
    return Said(name, frozenset(result.ways), leads_to, result.obligation.kind == ADVISORY)


def recounted(theorem: TheoremResult, results: Iterable[Result]) -> TheoremResult:
    """A theorem whose verdicts have become weaker: what was refuted may be incomplete now."""
    mine = [r for r in results if r.obligation.group == theorem.group]
    counts = dict.fromkeys(theorem.counts, 0)
    for result in mine:
        counts[counted_as(result)] += 1
    words = {verdict_name(r.verdict) for r in mine if r.obligation.kind != ADVISORY}
    verdict = next((w for w in ("refuted", "vacuous", "unknown", "incomplete") if w in words),
                   theorem.verdict)
    return replace(theorem, counts=counts, verdict=verdict)


def counted_as(result: Result) -> str:
    """The word that a theorem counts a result under: its verdict, or `advice` for failed advice."""
    return _alike(result).counted_as()


def verdict_name(verdict: Verdict) -> str:
    """The word of the contract."""
    return type(verdict).__name__.lower()


def reason(verdict: Verdict) -> str:
    """Why there is no answer, in words; empty where there is one."""
    match verdict:
        case Unknown(why, detail):
            return f"{why}: {detail}" if detail else why
        case Vacuous(instance, effect):
            return (f"no state leads {instance} to {effect}" if effect
                    else f"nothing satisfies what is assumed of {instance}")
        case Incomplete(why):
            return why
        case Proved() | Refuted():
            return ""
        case _:
            assert_never(verdict)


# what a verdict says whose search the clock has ended
OVER = " (then the time of the search was over)"


def settled(run: Run) -> bool:
    """Would the same be found again?

    Not where a run was stopped, contradicts itself, or gave up for want of time or memory.
    """
    gave_up = any(isinstance(r.verdict, Unknown)
                  and (r.verdict.reason != "not-inductive" or OVER in r.verdict.detail)
                  for r in not_proved(run.results))
    return not (run.stopped or run.contradictions or run.unfinished or gave_up)


def exit_code(run: Run) -> Exit:
    """The exit code of a run.

    Advisory properties never fail one. Beside an earlier run, only what is new or worse counts.
    """
    words = ["contradiction"] if run.contradictions else []
    words += ["unknown"] if run.unfinished or not run.results else []
    if run.compared is not None:
        words += run.compared.words()
    else:
        words += {alike.verdict for alike in tally(run.results) if alike.kind != ADVISORY}
    return exit_of(words, bool(run.stopped), nothing=Exit.HOLDS)  # advice alone fails no run
