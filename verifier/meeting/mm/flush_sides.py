# SPDX-License-Identifier: GPL-2.0-or-later
"""Flushes that a step of specs/ tells of, and those that the function makes.

What the step says is flushed, due or batched has to be so by the function: else the step would say
more than the kernel does. A function that flushes more than that is as good.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from verifier.kernel.mm.functions import MmFunction
from verifier.kernel.mm.lifted import LiftedFunction
from verifier.language.algebra import Algebra
from verifier.language.machine import Key
from verifier.model.step import Step

__all__ = ["flushes_of", "with_flushes"]

_ENDED = ("cached", "stale_write")  # what a flush ends, of a process
# what comes of a step -> by which of the function's doings
_COMES = {"due": "leaves a flush for later", "batched": "batches",
          "batched_write": "batches a dirty one"}


def flushes_of(
    function: MmFunction, lifted: LiftedFunction, step: Step[Any, Any], alg: Algebra[Any, Any]
) -> Iterator[tuple[str, Any, Any]]:
    """What of flushes is compared: its name, whether the function does it, and whether the step
    says it. Nothing where flushes are not noted.
    """
    if not lifted.flushes:
        return
    for number, role in enumerate(step.instance.transition.roles if step.instance.transition
                                  else ()):
        done = _done(function, lifted, step, role, number, alg)
        ended = [_changes(step, (name, number), True, alg) for name in _ENDED]
        if "flush" not in function.elsewhere:
            yield f"flush of {role}", done["flush"], alg.any(*ended)
        for name in _COMES:
            if name not in function.elsewhere:
                yield f"{name} of {role}", done[name], _changes(step, (name, number), False, alg)


def with_flushes(
    function: MmFunction, lifted: LiftedFunction, step: Step[Any, Any], alg: Algebra[Any, Any]
) -> Step[Any, Any]:
    """The step in which nothing is flushed, due or batched that the function leaves so."""
    if not lifted.flushes or step.instance.transition is None:
        return step
    after = dict(step.after)
    for number, role in enumerate(step.instance.transition.roles):
        done = _done(function, lifted, step, role, number, alg)
        if "flush" not in function.elsewhere:
            for name in _ENDED:
                key = name, number
                kept = alg.all(_changes(step, key, True, alg), alg.neg(done["flush"]))
                after[key] = alg.any(after[key], kept)
        for name in _COMES:
            if name not in function.elsewhere:
                key = name, number
                missing = alg.all(_changes(step, key, False, alg), alg.neg(done[name]))
                after[key] = alg.all(after[key], alg.neg(missing))
    return replace(step, after=after)


def _done(
    function: MmFunction, lifted: LiftedFunction, step: Step[Any, Any], role: str, number: int,
    alg: Algebra[Any, Any],
) -> dict[str, Any]:
    """What the function does of a role. Flushes are noted of the first entry's process alone."""
    if role != function.entries()[0].input:
        return dict.fromkeys(("flush", *_COMES), alg.truth(False))
    told = lifted.flushes
    batched = alg.all(told["flushes what is batched"], step.before["batched", number])
    return {"flush": alg.any(told["flushes"], batched),
            **{name: told[doing] for name, doing in _COMES.items()}}


def _changes(step: Step[Any, Any], key: Key, was: bool, alg: Algebra[Any, Any]) -> Any:
    """It was so before, and is not after."""
    before, after = step.before[key], step.after[key]
    return alg.all(before, alg.neg(after)) if was else alg.all(alg.neg(before), after)
