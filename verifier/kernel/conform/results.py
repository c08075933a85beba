# SPDX-License-Identifier: GPL-2.0-or-later
"""What conform finds of one helper of one variant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from verifier.kernel.conform.atomic_results import Atomicity, MoreAtomic

__all__ = [
    "Absent",
    "Contradicted",
    "Differs",
    "Equal",
    "Inconclusive",
    "Result",
    "TooAtomic",
    "Unwritten",
]


@dataclass(frozen=True, slots=True)
class Equal:
    """For all inputs outside of `outside`, the model's helper and the kernel's give and do the
    same.
    """

    variant: str
    build: str
    helper: str
    rests_on: tuple[str, ...]
    outside: tuple[str, ...]
    seconds: float
    atomicity: Atomicity | None = None  # None: it takes no pointer to an entry, or nobody asked


@dataclass(frozen=True, slots=True)
class TooAtomic:
    """The two are equal where nobody else acts, but arch/ is more atomic.

    While the hardware acts, the kernel's helper comes to what arch/'s never does.
    """

    variant: str
    build: str
    helper: str
    atomicity: Atomicity
    more: MoreAtomic
    rests_on: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Differs:
    """On these inputs the two sides differ: parameter -> value; results and entries as words
    (booleans 0 and 1).

    Both sides were evaluated with plain integers, and differ there as well.
    """

    variant: str
    build: str
    helper: str
    inputs: Mapping[str, int]
    model: Mapping[str, int | None]
    kernel: Mapping[str, int | None]
    free: Mapping[str, int]  # features, keys and memory that the kernel's side depends on
    rests_on: tuple[str, ...]
    seconds: float
    atomicity: Atomicity | None = None  # of the kernel's alone: is it one step?


@dataclass(frozen=True, slots=True)
class Contradicted:
    """The solver says that the sides differ on these values; plain integers say that they do not.

    This is a defect of the tool.
    """

    variant: str
    build: str
    helper: str
    values: Mapping[str, int]
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Inconclusive:
    """Not known, and why: something is not modelled, behaviour is undefined, or the solver gave up.
    """

    variant: str
    build: str
    helper: str
    reason: str
    seconds: float
    atomicity: Atomicity | None = None


@dataclass(frozen=True, slots=True)
class Absent:
    """The model has this helper, and nothing in the kernel's headers has this name: it is one of
    our own.
    """

    variant: str
    build: str
    helper: str
    source: str


@dataclass(frozen=True, slots=True)
class Unwritten:
    """The kernel has this helper and the model has not.

    `lifted` says whether it could be lifted.
    """

    variant: str
    build: str
    helper: str
    lifted: bool
    reason: str


Result: TypeAlias = Equal | TooAtomic | Differs | Contradicted | Inconclusive | Absent | Unwritten
