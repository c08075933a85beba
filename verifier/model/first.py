# SPDX-License-Identifier: GPL-2.0-or-later
"""What is asked first, and where nobody names anything, as frozen data."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Asked", "First", "Theorem"]

Theorem = tuple[str, str]  # an encoding and a code


@dataclass(frozen=True, slots=True)
class Asked:
    """Variants, and what is asked of each."""

    variants: tuple[str, ...]
    theorems: tuple[Theorem, ...]


@dataclass(frozen=True, slots=True)
class First:
    """What is asked and told first, and where nobody names anything: specs/first.yaml."""

    prove: Asked
    level: str  # of what `prove` proves
    compared_with: Theorem  # what Linux has now
    audit: Theorem
    table: tuple[Theorem, ...]
    mutants: Asked
    patches: Asked
    worst: tuple[str, ...]  # properties by what a failure costs
