# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run tells whoever watches it: how much there is to do, and each theorem as it closes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from verifier.prove.obligations import Group
from verifier.prove.results import Result

__all__ = ["Closed", "News", "Total", "Watch"]


@dataclass(frozen=True, slots=True)
class Total:
    """So much is asked for."""

    obligations: int
    theorems: int


@dataclass(frozen=True, slots=True)
class Closed:
    """All that was asked of a theorem is decided: how many have which verdict, `advice` apart."""

    group: Group
    counts: Mapping[str, int]


News: TypeAlias = "Result | str | Total | Closed"  # a text says what is being done
Watch: TypeAlias = Callable[[News], None]
