# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run says: verdicts as a sum type, states in concrete values, results. Data only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, assert_never

from verifier.machine import Key
from verifier.obligations import Group, Obligation

__all__ = [
    "EXIT", "Counterexample", "Incomplete", "Move", "Proved", "Refuted", "Result", "Run", "State", "TheoremResult",
    "Unknown", "Vacuous", "Verdict", "exit_code", "reason", "verdict_name", "worst",
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

    trace      the steps from a fresh mapping that lead to the violation, the last one included; empty if none was found
    reached    was the state reached from a fresh mapping?
    depth      steps of the trace, or the depth searched in vain
    leads_to   steps from the bad state to a store-leak or dropped-newer, and which of them
    searched   how many steps at most such an end was searched for in vain; 0 where nobody searched, or one was found
    """

    move: Move
    process: int | None
    trace: tuple[Move, ...] = ()
    reached: bool = False
    depth: int = 0
    leads_to: tuple[Move, ...] = ()
    consequence: str = ""
    searched: int = 0
    replayed: bool | None = None
    kernel: bool | None = None
    kernel_why: str = "not asked for"


@dataclass(frozen=True, slots=True)
class Proved:
    inhabitant: Move | None


@dataclass(frozen=True, slots=True)
class Refuted:
    counterexample: Counterexample
    inhabitant: Move | None = None


@dataclass(frozen=True, slots=True)
class Vacuous:
    """No state satisfies what is assumed, for this instance; or none leads its step to the effect that it is there for."""

    instance: str
    effect: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """reason: timeout, memory, solver, not-inductive."""

    reason: str
    detail: str = ""
    counterexample: Counterexample | None = None


@dataclass(frozen=True, slots=True)
class Incomplete:
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


@dataclass(frozen=True, slots=True)
class TheoremResult:
    """A theorem's verdict is the worst of its steps'; `lemmas` are the invariants that its induction used."""

    group: Group
    verdict: str
    lemmas: tuple[str, ...]
    counts: Mapping[str, int]
    whole: bool  # was the whole theorem asked for?


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that one run says."""

    results: Sequence[Result]
    theorems: tuple[TheoremResult, ...]
    coverage: Mapping[str, object]
    seconds: Mapping[str, float] = field(default_factory=dict)
    solvers: Mapping[str, str] = field(default_factory=dict)
    contradictions: tuple[str, ...] = ()
    unfinished: tuple[tuple[Group, str], ...] = ()  # groups of which something was not decided, and why


def verdict_name(verdict: Verdict) -> str:
    """The word of the contract."""
    return type(verdict).__name__.lower()


def reason(verdict: Verdict) -> str:
    """Why there is no answer, in words; empty where there is one."""
    match verdict:
        case Unknown(why, detail):
            return f"{why}: {detail}" if detail else why
        case Vacuous(instance, effect):
            return f"no state leads {instance} to {effect}" if effect else f"nothing satisfies what is assumed of {instance}"
        case Incomplete(why):
            return why
        case Proved() | Refuted():
            return ""
        case _:
            assert_never(verdict)


# Exit codes of the contract; the worst wins in the order 4, 1, 3, 2, 0.
EXIT = {"proved": 0, "refuted": 1, "vacuous": 3, "unknown": 3, "incomplete": 3}


def exit_code(run: Run) -> int:
    """0 everything proved; 1 refuted; 3 unknown, vacuous or incomplete; 4 the tool contradicts itself.

    An advisory property never fails a run.
    """
    if run.contradictions:
        return 4
    codes = {3} if run.unfinished or not run.results else set()
    codes |= {EXIT[verdict_name(r.verdict)] for r in run.results if r.obligation.kind != "advisory"}
    return next((code for code in (1, 3) if code in codes), 0)


def worst(codes: Iterable[int]) -> int:
    """The exit code of several results: 4, then 1, 3, 2 and 0."""
    found = set(codes)
    return next((code for code in (4, 1, 3, 2) if code in found), 0)
