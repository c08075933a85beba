# SPDX-License-Identifier: GPL-2.0-or-later
"""What a solver answers: sat with a model, unsat, or unknown with a reason.

A solver is given conditions of one algebra, all of which have to hold together. A model gives every
named input a value; inputs that the conditions do not depend on are left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

__all__ = ["Answer", "Sat", "Solver", "Undecided", "Unsat"]


@dataclass(frozen=True, slots=True)
class Sat:
    """The conditions hold together under these values of the inputs."""

    model: dict[str, int | bool]


@dataclass(frozen=True, slots=True)
class Unsat:
    """No values of the inputs satisfy the conditions."""


@dataclass(frozen=True, slots=True)
class Undecided:
    """The solver gave up: timeout, memory, or its own words."""

    reason: str


Answer: TypeAlias = Sat | Unsat | Undecided
Condition_contra = TypeVar("Condition_contra", contravariant=True)  # a boolean of the algebra


class Solver(Protocol[Condition_contra]):
    """Decides conditions of one algebra."""

    name: str

    def check(self, conditions: Iterable[Condition_contra]) -> Answer:
        """Do the conditions hold together?"""
        ...
