# SPDX-License-Identifier: GPL-2.0-or-later
"""Do the properties hold of what a function of mm/ leaves, whether or not a step of specs/ says it?

Entries and flags are as the lifted function leaves them; everything else is as the step tells it:
who reaches the page, who has given it up, what is owed. Where the function may have done nothing,
the truth may be as it was as well. What breaks a property is wrong under both accounts.

A flush that the step tells of and the function does not make is none. Not asked: what the hardware
does within the function, and what the step asserts on its way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from verifier.base.errors import ExtractionError
from verifier.engine.answers import Unsat
from verifier.kernel.conform.decide import (
    ClaimFails,
    ClaimHolds,
    ClaimQuestion,
    Setting,
    Verdict,
    decide,
    why,
)
from verifier.kernel.conform.questions import Backend, make_backend
from verifier.kernel.llvm.read_module import Module
from verifier.kernel.llvm.values import NotModelled
from verifier.kernel.mm.functions import Calls, MmFunction
from verifier.kernel.mm.lifted import LiftedFunction
from verifier.kernel.mm.read_functions import load_calls
from verifier.language.algebra import Algebra
from verifier.meeting.mm.flush_sides import with_flushes
from verifier.meeting.mm.judge import MmBuild, both_sides, entry_left
from verifier.meeting.mm.spec_side import SpecSide
from verifier.model.spec import ADVISORY, STATIC, Property
from verifier.model.step import Step, applying
from verifier.prove.obligations import Group

__all__ = ["Left", "MmKept", "judge_properties"]


@dataclass(frozen=True, slots=True)
class Left:
    """What is shown of what a function leaves.

    violated  property -> it fails, as the step tells the truth
    entries   role -> its entry before, and as the function leaves it
    effects   what the step is there for -> where it shows in what the function leaves
    given     what is taken for given
    """

    violated: dict[str, Any]
    entries: dict[str, tuple[Any, Any]]
    effects: dict[str, Any]
    given: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class MmKept:
    """What became of the properties of a theorem at one function.

    broken  property -> values for which it fails
    asked   how many properties were asked
    open    why not all is known; empty where all is
    """

    function: MmFunction
    group: Group
    broken: Mapping[str, ClaimFails[Left]]
    asked: int
    open: str
    seconds: float


def judge_properties(
    mm: MmBuild, functions: Sequence[MmFunction], theorem: tuple[str, str],
) -> list[MmKept]:
    """The properties of a theorem (an encoding and a code), asked of what each function leaves.

    Functions of which only the result is compared are left out.
    """
    _, calls = load_calls(version=mm.configured.tree.version)
    return [_kept(f, mm, calls, Group(mm.variant, f.level, *theorem))
            for f in functions if f.result is None]


def _kept(function: MmFunction, mm: MmBuild, calls: Calls, group: Group) -> MmKept:
    start, backend = time.perf_counter(), make_backend("bits", None)
    broken: dict[str, ClaimFails[Left]] = {}
    names = [p.name for p in _properties(mm, group)]
    try:
        ask = partial(_question, function, mm.of(function), mm, calls, group)
    except (NotModelled, ExtractionError) as error:
        said = str(error).splitlines()[0]
    else:
        found = _decided(backend, ask)
        if isinstance(found, ClaimFails):
            broken, said = _each(backend, ask, names, found)
        else:
            said = _missing(function, found, backend)
    return MmKept(function, group, broken, len(names), said, time.perf_counter() - start)


def _decided(backend: Backend, ask: Callable[..., ClaimQuestion[Left]]) -> Verdict[Left]:
    return decide(backend, ask, [f"entry.{letter}" for letter in "AB"])


def _each(
    backend: Backend, ask: Callable[..., ClaimQuestion[Left]], names: Sequence[str],
    first: ClaimFails[Left],
) -> tuple[dict[str, ClaimFails[Left]], str]:
    """Which properties are broken, with values for each; and why that is not known of others."""
    broken: dict[str, ClaimFails[Left]] = {}
    unknown = []
    for name in names:
        one: Verdict[Left] = first if first.shown.violated.get(name) is True \
            else _decided(backend, partial(ask, only=name))
        if isinstance(one, ClaimFails):
            broken[name] = one
        elif not isinstance(one, ClaimHolds):
            unknown.append(f"{name}: {why(one)}")
    return broken, "; ".join(unknown)


def _missing(function: MmFunction, found: Verdict[Left], backend: Backend) -> str:
    """Why it is not known that all is kept: what the step is there for has to show, too."""
    if not isinstance(found, ClaimHolds):
        return why(found)
    gone = [name for name, shows in found.shown.effects.items()
            if name.removeprefix("reaches-") not in function.unreached
            and isinstance(backend.check([*found.shown.given, shows]), Unsat)]
    return f"what the step is there for does not show: {', '.join(gone)}" if gone else ""


def _properties(mm: MmBuild, group: Group) -> list[Property]:
    """What is asked: what never fails a run, and what is about entries alone, is not."""
    model = mm.library.model(group.variant, group.encoding, group.level)
    return [p for p in applying(model, group.code) if p.kind not in (ADVISORY, STATIC)]


def _question(
    function: MmFunction, modules: Sequence[Module], mm: MmBuild, calls: Calls, group: Group,
    setting: Setting, only: str = "",
) -> ClaimQuestion[Left]:
    """That no property is violated by what the function leaves, over an algebra.

    only  of one property
    """
    alg = setting.alg
    model = mm.library.model(group.variant, group.encoding, group.level)
    spec, lifted = both_sides(function, modules, mm, calls, group, setting)
    entries = {role: (spec.step.before["entry", number], entry_left(lifted, role, model, alg))
               for number, role in enumerate(model.spec.transitions[function.transition].roles)
               if role in lifted.entries}
    told = _left(function, spec, lifted, {role: after for role, (_, after) in entries.items()}, alg)
    idle = _idle(told, model.variables)
    properties = _properties(mm, group)
    violated = {p.name: _violated(spec, p, told, alg) for p in properties
                if only in ("", p.name)}
    otherwise = alg.any(*(_violated(spec, p, idle, alg) for p in properties))
    given = (*spec.given.values(), *(alg.neg(u.condition) for u in lifted.outside))
    return ClaimQuestion(given, lifted.undefined, alg.all(alg.any(*violated.values()), otherwise),
                         Left(violated, entries, dict(spec.judge.effects(told)), given))


def _violated(spec: SpecSide, prop: Property, step: Step[Any, Any], alg: Any) -> Any:
    return alg.any(*(way.bad for way in spec.judge.ways(prop, step)))


def _left(
    function: MmFunction, spec: SpecSide, lifted: LiftedFunction, entries: Mapping[str, Any],
    alg: Algebra[Any, Any],
) -> Step[Any, Any]:
    """The step with the entries and flags that the function leaves, and its flushes."""
    step, roles = spec.step, tuple(spec.entries)
    after = dict(step.after)
    after.update({("entry", roles.index(role)): entry for role, entry in entries.items()})
    after.update({name: lifted.flags[name] for name in function.compare if name in after})
    left: Step[Any, Any] = Step(step.instance, step.before, after, step.assumed, step.violations)
    return with_flushes(function, lifted, left, alg)


def _idle(step: Step[Any, Any], variables: Mapping[str, Any]) -> Step[Any, Any]:
    """The same with the truth as it was before."""
    after = {key: step.before[key] if variables[key if isinstance(key, str) else key[0]].truth
             else value for key, value in step.after.items()}
    return Step(step.instance, step.before, after, step.assumed, {})
