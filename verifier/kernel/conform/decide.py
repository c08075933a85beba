# SPDX-License-Identifier: GPL-2.0-or-later
"""What is claimed of lifted code, decided: one way for helpers, laws, blocks of entries, and
functions of mm/.

A claim is put over any algebra. The solver is asked over its own algebra. What refutes the claim is
put again over plain integers: both sides are computed anew from the values, and only what is wrong
there too is `Fails`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from verifier.engine.answers import Sat, Undecided, Unsat
from verifier.kernel.conform.inputs import Free, Given
from verifier.kernel.conform.questions import Backend
from verifier.kernel.llvm.undefined import Undefinedness
from verifier.kernel.llvm.values import NotModelled
from verifier.language.algebra import Algebra, Integers

__all__ = [
    "ClaimContradicted",
    "ClaimFails",
    "ClaimHolds",
    "ClaimQuestion",
    "Setting",
    "ClaimUndefined",
    "ClaimUnknown",
    "ClaimVacuous",
    "Verdict",
    "assumed",
    "decide",
    "why",
    "word",
]

Shown = TypeVar("Shown")


class Setting(Protocol):
    """Over what a claim is put: an algebra, its free words, and whether a condition may hold."""

    @property
    def alg(self) -> Algebra[Any, Any]:
        """The algebra that the claim is put over."""
    @property
    def free(self) -> Free:
        """Where free words and truths come from, by name."""
    def possible(self, condition: Any) -> bool:
        """May the condition hold?"""


@dataclass(frozen=True, slots=True)
class PlainWitness:
    """Plain integers, with the values of a witness for what is free."""

    free: Given
    alg: Integers = field(default_factory=Integers)

    def possible(self, condition: bool) -> bool:
        """Does the condition hold for these values?"""
        return condition


@dataclass(frozen=True, slots=True)
class ClaimQuestion(Generic[Shown]):
    """A claim over one algebra.

    given      conditions under which something is claimed
    undefined  where behaviour is undefined or not modelled, so that nothing can be said
    wrong      what is claimed is false
    shown      what a caller tells of it
    """

    given: tuple[Any, ...]
    undefined: tuple[Undefinedness, ...]
    wrong: Any
    shown: Shown


@dataclass(frozen=True, slots=True)
class ClaimHolds(Generic[Shown]):
    """Of all values that are given, none is undefined or wrong, and there are some.

    `shown` is over the solver's algebra.
    """

    shown: Shown


@dataclass(frozen=True, slots=True)
class ClaimFails(Generic[Shown]):
    """Wrong, and not undefined, for these values of all that is free.

    Both the solver and plain integers say so.
    """

    values: Mapping[str, int]
    shown: Shown


@dataclass(frozen=True, slots=True)
class ClaimUndefined:
    """Nowhere wrong, but for these values, and perhaps others, undefined or not modelled."""

    values: Mapping[str, int]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClaimVacuous:
    """Nothing is as the claim takes for given."""


@dataclass(frozen=True, slots=True)
class ClaimUnknown:
    """The code is not modelled, or a solver gave up."""

    reason: str


@dataclass(frozen=True, slots=True)
class ClaimContradicted:
    """The solver says that these values refute the claim; plain integers say that they do not.

    This is a defect of the tool.
    """

    values: Mapping[str, int]
    reason: str


Verdict: TypeAlias = (
    ClaimHolds[Shown]
    | ClaimFails[Shown]
    | ClaimUndefined
    | ClaimVacuous
    | ClaimUnknown
    | ClaimContradicted
)
Ask: TypeAlias = Callable[[Setting], ClaimQuestion[Shown]]


class _NothingGiven(NotModelled):
    """What is assumed holds of nothing, so that there is nothing to lift."""


def assumed(setting: Setting, given: Sequence[Any]) -> None:
    """A premise, for what puts a claim and lifts code under it to call.

    Nothing is lifted where the premise holds of nothing.
    """
    if not setting.possible(setting.alg.all(*given)):
        raise _NothingGiven("nothing is as assumed")


def decide(backend: Backend, ask: Ask[Shown], first: Sequence[str] = ()) -> Verdict[Shown]:
    """Does what `ask` puts hold of all values?

    Where it does not, the values are the least: of the inputs named first, then of the rest.
    """
    try:
        question = ask(backend)
    except _NothingGiven:
        return ClaimVacuous()
    except NotModelled as error:
        return ClaimUnknown(str(error))
    alg, given = backend.alg, question.given
    undefined = alg.any(*[u.condition for u in question.undefined])
    either = backend.check([*given, alg.any(undefined, question.wrong)])
    if isinstance(either, Undecided):
        return _gave_up("is it ever wrong or undefined", either)
    if isinstance(either, Unsat):
        return _is_something_given(backend, question)
    refuting = [*given, alg.neg(undefined), question.wrong]
    answer = either if alg.known(undefined) is False else backend.check(refuting)
    match answer:
        case Sat(model):
            return _replayed(ask, backend.small(refuting, first, model))
        case Undecided():
            return _gave_up("is it ever wrong where nothing is undefined", answer)
        case Unsat():
            return _undefined(backend, question, first)


def _gave_up(asked: str, answer: Undecided) -> ClaimUnknown:
    return ClaimUnknown(f"the solver gave up ({asked}?): {answer.reason}")


def _is_something_given(
    backend: Backend, question: ClaimQuestion[Shown]
) -> ClaimHolds[Shown] | ClaimVacuous | ClaimUnknown:
    """The verdict where nothing that is given is wrong or undefined."""
    match answer := backend.check(question.given):
        case Sat():
            return ClaimHolds(question.shown)
        case Unsat():
            return ClaimVacuous()
        case Undecided():
            return _gave_up("is anything as assumed", answer)


def _undefined(
    backend: Backend, question: ClaimQuestion[Shown], first: Sequence[str]
) -> ClaimUndefined | ClaimUnknown:
    """Which reasons apply to something that is given, with values for the first of them."""
    kinds: dict[str, list[Any]] = {}
    for part in question.undefined:
        kinds.setdefault(part.reason, []).append(part.condition)
    reasons: list[str] = []
    values: Mapping[str, int | bool] = {}
    for reason, conditions in kinds.items():
        asked = [*question.given, backend.alg.any(*conditions)]
        match backend.check(asked):
            case Sat(model):
                values = values if reasons else backend.small(asked, first, model)
                reasons.append(reason)
            case Undecided():
                reasons.append(f"perhaps {reason}")
            case Unsat():
                pass
    if not reasons:
        return ClaimUnknown("the solver contradicts itself: undefined, but for none of the reasons")
    return ClaimUndefined({name: int(value) for name, value in values.items()}, tuple(reasons))


def _replayed(
    ask: Ask[Shown], values: Mapping[str, int | bool]
) -> ClaimFails[Shown] | ClaimContradicted | ClaimUnknown:
    """The verdict on values that a solver says refute: computed again, with plain integers."""
    free = Given(values)
    told = {name: int(value) for name, value in values.items()}
    try:
        again = ask(PlainWitness(free))
    except _NothingGiven:
        return ClaimContradicted(told, "the premise does not hold of them")
    except NotModelled as error:
        return ClaimUnknown(
            f"values that may refute cannot be followed with plain integers ({_text(told)}):"
            f" {error}"
        )
    if not all(again.given):
        return ClaimContradicted(told, "the premise does not hold of them")
    reasons = [u.reason for u in again.undefined if u.condition]
    if reasons:
        return ClaimContradicted(told, f"behaviour is undefined for them: {reasons[0]}")
    if not again.wrong:
        return ClaimContradicted(told, "what is claimed holds of them")
    return ClaimFails(dict(free.asked), again.shown)


# Verdicts in words

def word(verdict: Verdict[Any]) -> str:
    """proved, refuted, incomplete, or contradiction."""
    match verdict:
        case ClaimHolds():
            return "proved"
        case ClaimFails():
            return "refuted"
        case ClaimUndefined() | ClaimVacuous() | ClaimUnknown():
            return "incomplete"
        case ClaimContradicted():
            return "contradiction"


def why(verdict: Verdict[Any]) -> str:
    """What is to be said of a verdict; of one that refutes, the values."""
    match verdict:
        case ClaimHolds():
            return ""
        case ClaimFails(values=values):
            return _text(values)
        case ClaimUndefined(values, reasons):
            return f"behaviour is undefined for {_text(values)}: {'; '.join(reasons)}"
        case ClaimVacuous():
            return "vacuous: nothing is as the claim takes for given"
        case ClaimUnknown(reason):
            return reason
        case ClaimContradicted(values, reason):
            return (
                f"the tool contradicts itself: the solver says that {_text(values)} refutes;"
                f" {reason}"
            )


def _text(values: Mapping[str, int]) -> str:
    """Values that are not 0; free words may be many."""
    told = [f"{name} = {value:#x}" for name, value in values.items() if value]
    rest = ["all else 0"] if len(told) < len(values) else []
    return ", ".join(told + rest) or "any value"
