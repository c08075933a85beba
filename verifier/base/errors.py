# SPDX-License-Identifier: GPL-2.0-or-later
"""Every error that a user can cause, under one base class.

Logic raises; only the command line prints.
"""

from __future__ import annotations

import difflib
import errno
import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["USERS", "Contradiction", "ExtractionError", "OutputError", "PteproofError",
           "SolverError", "SpecError", "UsageError", "Where", "internal", "match_all", "nearest"]


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a file; line and column count from 1."""

    path: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


class PteproofError(Exception):
    """Any error of which the program itself is not the cause."""


class UsageError(PteproofError, ValueError):
    """The request makes no sense: an unknown name, an empty filter, a malformed value."""


class SpecError(PteproofError, ValueError):
    """A file of arch/ or specs/ is wrong, at the place `where`."""

    def __init__(self, where: Where, message: str) -> None:
        super().__init__(f"{where}: error: {message}")
        self.where = where
        self.message = message


class ExtractionError(PteproofError, RuntimeError):
    """Something of the kernel tree could not be found, built or lifted."""


class OutputError(PteproofError, RuntimeError):
    """A result could not be written to standard output or to a file."""


class SolverError(PteproofError, RuntimeError):
    """A solver failed, or two of them disagree."""


_SHORT = {errno.EMFILE: "too many open files", errno.ENFILE: "too many open files",
          errno.ENOMEM: "out of memory", errno.EAGAIN: "no more processes are allowed"}


class Contradiction(Exception):
    """Two parts of the tool disagree, such as a solver's values and their recomputation."""


# A user can mend these; the program is the cause of the others.
USERS = (UsageError, SpecError, ExtractionError)


def internal(error: BaseException) -> str:
    """One line about an error that only the program or the machine can cause: what and where.

    >>> internal(MemoryError())
    'out of memory'
    """
    if isinstance(error, (PteproofError, Contradiction)):
        return str(error)
    if isinstance(error, MemoryError):
        return "out of memory"
    if isinstance(error, OSError) and error.errno in _SHORT:
        return _SHORT[error.errno]
    try:
        from traceback import extract_tb
    except MemoryError:
        return "out of memory"
    frames = [frame for frame in extract_tb(error.__traceback__) if "verifier" in frame.filename]
    where = (f" ({'/'.join(frames[-1].filename.split('/')[-2:])}:{frames[-1].lineno})" if frames
             else "")
    return f"internal error: {type(error).__name__}: {str(error)[:300]}{where}"


def nearest(wrong: str, known: Iterable[str]) -> str:
    """A hint that names the closest known word, or an empty string.

    >>> nearest("pte_drity", ["pte_dirty", "pte_write"])
    '; did you mean pte_dirty?'
    """
    found = difflib.get_close_matches(wrong, list(known), n=1, cutoff=0.6)
    return f"; did you mean {found[0]}?" if found else ""


def match_all(what: str, globs: Iterable[str], known: Iterable[str]) -> None:
    """UsageError for the first shell glob that matches none of the known names.

    >>> match_all("helper", ["pte_*", "pte_drity"], ["pte_dirty"])
    Traceback (most recent call last):
    verifier.base.errors.UsageError: no helper matches pte_drity; did you mean pte_dirty?
    """
    names = list(known)
    for glob in globs:
        if not any(fnmatch.fnmatchcase(name, glob) for name in names):
            raise UsageError(f"no {what} matches {glob}{nearest(glob, names)}")
