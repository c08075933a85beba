# SPDX-License-Identifier: GPL-2.0-or-later
"""What is found of the atomicity of one helper.

How arch/ and the kernel compare, and a run that shows where they differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

__all__ = [
    "Atomicity",
    "Compared",
    "Disturbed",
    "LessAtomic",
    "MoreAtomic",
    "NotCompared",
    "Same",
    "AtomicityUnknown",
]


@dataclass(frozen=True, slots=True)
class Same:
    """Both sides have the same outcomes."""


@dataclass(frozen=True, slots=True)
class NotCompared:
    """Nobody asked, or there is nothing to compare: why."""

    reason: str


@dataclass(frozen=True, slots=True)
class AtomicityUnknown:
    """It is not known, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Disturbed:
    """A run in which the hardware acts and that comes to what the other side never comes to.

    inputs    parameter of the model -> value; free: what else it depends on
    result    of the helper; entry: what is left; stored: did a user's store happen?
    events    what happened: event, and where
    replayed  plain integers show it too
    """

    inputs: Mapping[str, int]
    free: Mapping[str, int]
    result: int | None
    entry: int
    stored: bool
    events: tuple[tuple[str, str], ...]
    replayed: bool


@dataclass(frozen=True, slots=True)
class MoreAtomic:
    """arch/ is more atomic than the kernel, whose helper comes to this."""

    run: Disturbed


@dataclass(frozen=True, slots=True)
class LessAtomic:
    """arch/'s text lets the hardware in where the kernel does not: it comes to this."""

    run: Disturbed


Compared: TypeAlias = Same | MoreAtomic | LessAtomic | AtomicityUnknown | NotCompared


@dataclass(frozen=True, slots=True)
class Atomicity:
    """What is known of one helper of one variant.

    compared  arch/ against the kernel
    one_step  of the kernel's helper alone: True, a run that one step does not have, or why it is
              not known
    seconds   of processor time
    plain     accesses to the entry that another compiler may tear, merge or repeat
    parts     accesses to a part of the entry
    """

    compared: Compared
    one_step: bool | Disturbed | AtomicityUnknown
    seconds: float
    plain: int = 0
    parts: int = 0
