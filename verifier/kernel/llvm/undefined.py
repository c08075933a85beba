# SPDX-License-Identifier: GPL-2.0-or-later
"""A condition under which a claim about lifted code says nothing, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Undefinedness"]


@dataclass(frozen=True, slots=True)
class Undefinedness:
    """The algebra's condition, and the reason in words."""

    condition: Any
    reason: str
