# SPDX-License-Identifier: GPL-2.0-or-later
"""A solver whose answers are tampered with on their way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from verifier.engine.answers import Answer, Sat, Solver
from verifier.kernel.conform.questions import Backend, make_backend

__all__ = ["odd_backend", "other_bit"]

Change = Callable[[int, Answer], Answer]


@dataclass
class _Odd:
    real: Solver[Any]
    change: Change
    name: str = "odd"
    asked: int = 0

    def check(self, conditions: Iterable[Any]) -> Answer:
        self.asked += 1
        return self.change(self.asked, self.real.check(conditions))


def odd_backend(change: Change) -> Backend:
    """z3, each of whose answers passes through a function of the question's number and the answer.
    """
    backend = make_backend("z3", 30)
    return replace(backend, solver=_Odd(backend.solver, change))


def other_bit(name: str, bit: int) -> Change:
    """A bit of an input is the other one in every model."""
    def change(number: int, answer: Answer) -> Answer:
        return (
            Sat({**answer.model, name: int(answer.model.get(name, 0)) ^ 1 << bit})
            if isinstance(answer, Sat)
            else answer
        )

    return change
