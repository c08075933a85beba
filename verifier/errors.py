# SPDX-License-Identifier: GPL-2.0-or-later
"""Every error that a user can cause, under one base. Logic raises; only the command line prints."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["ExtractionError", "PteproofError", "SolverError", "SpecError", "UsageError", "Where", "nearest"]


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a file; line and column count from 1."""

    path: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


class PteproofError(Exception):
    """Any error of this program that is not a defect of it."""


class UsageError(PteproofError, ValueError):
    """What was asked for makes no sense: an unknown name, a filter that matches nothing, a malformed value."""


class SpecError(PteproofError, ValueError):
    """A file of arch/ or specs/ is wrong, at a place."""

    def __init__(self, where: Where, message: str) -> None:
        super().__init__(f"{where}: error: {message}")
        self.where = where
        self.message = message


class ExtractionError(PteproofError, RuntimeError):
    """Something of the kernel tree could not be found, built or lifted."""


class SolverError(PteproofError, RuntimeError):
    """A solver failed, or two of them disagree."""


def nearest(wrong: str, known: Iterable[str]) -> str:
    """A hint that names the closest known word, or an empty string.

    >>> nearest("pte_drity", ["pte_dirty", "pte_write"])
    '; did you mean pte_dirty?'
    """
    found = difflib.get_close_matches(wrong, list(known), n=1, cutoff=0.6)
    return f"; did you mean {found[0]}?" if found else ""
