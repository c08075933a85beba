# SPDX-License-Identifier: GPL-2.0-or-later
"""Every exit code of every command, and what it says.

No fault has the code of a verdict: a crash refutes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from types import MappingProxyType

__all__ = ["Exit", "exit_of", "for_bisect", "worst"]


class Exit(IntEnum):
    """An exit code; `says` is the line that README has of it."""

    says: str

    def __new__(cls, code: int, says: str) -> Exit:
        one = int.__new__(cls, code)
        one._value_ = code
        one.says = says
        return one

    HOLDS = 0, "everything asked was proved, and something was asked"
    REFUTED = 1, "refuted"
    WRONG_USE = 2, "usage or spec error: nothing was checked; a filter that matches nothing is one"
    OPEN = 3, "unknown, vacuous or incomplete"
    CONTRADICTION = (4, "the tool contradicts itself, or failed at an obligation: it is named, and "
                        "all else is decided and written")
    CRASH = 70, "an internal error: no verdict, whatever was said before"
    NO_OUTPUT = 74, "what was found could not be written: no verdict"
    BISECT_SKIP = 125, "with `--bisect`, in the place of 2 and 3"
    BISECT_STOP = 128, "with `--bisect`, in the place of all that must end a search: 4, 70, 74"
    STOPPED = 130, "stopped by an interrupt or a request to end; what was not decided is said"
    NO_READER = 141, "whoever read the output has closed it"


# The code of several results is the first of these among them. A code that is not in this table
# ends a command at once, and never meets another.
_WORST = (Exit.CONTRADICTION, Exit.REFUTED, Exit.OPEN, Exit.WRONG_USE)


def worst(codes: Iterable[int]) -> Exit:
    """The exit code of several results: the first of 4, 1, 3, 2 and 0 that is among them.

    >>> worst([0, 3, 1])
    <Exit.REFUTED: 1>
    """
    found = set(codes)
    return next((code for code in _WORST if code in found), Exit.HOLDS)


# The code of each word that a command has for what it found; None says nothing of what was asked.
_OF_WORD = MappingProxyType({
    # of obligations, helpers and laws
    "proved": Exit.HOLDS, "refuted": Exit.REFUTED, "contradiction": Exit.CONTRADICTION,
    "not applicable": None, "vacuous": Exit.OPEN, "unknown": Exit.OPEN, "incomplete": Exit.OPEN,
    "lost": Exit.OPEN,
    # of differences
    "broken": Exit.REFUTED, "widened": Exit.REFUTED, "still broken": Exit.HOLDS,
    "fixed": Exit.HOLDS, "kept": Exit.HOLDS, "same": Exit.HOLDS, "added": Exit.HOLDS,
    "gone": Exit.HOLDS,
    # of certificates
    "wrong": Exit.CONTRADICTION, "unchecked": Exit.OPEN, "left open": Exit.OPEN,
    # of mutants
    "unexplained": Exit.REFUTED, "stale": Exit.REFUTED,
    # of uses of helpers in a kernel tree
    "claimed": Exit.HOLDS, "later": Exit.HOLDS, "out of scope": Exit.HOLDS,
    "unclaimed": Exit.OPEN, "unparsed": Exit.OPEN,
})


def exit_of(words: Iterable[str], stopped: bool = False, nothing: Exit = Exit.WRONG_USE) -> Exit:
    """The exit code of verdicts by their words: 130 where the run was stopped, else the worst.

    `nothing` is the code where no word says anything of what was asked. Raises KeyError for a word
    that is not in the table, so that an unknown word never passes for proved.

    >>> exit_of(["proved", "unknown"]), exit_of(["not applicable"])
    (<Exit.OPEN: 3>, <Exit.WRONG_USE: 2>)
    >>> exit_of(["refuted"], stopped=True)
    <Exit.STOPPED: 130>
    """
    if stopped:
        return Exit.STOPPED
    found = {code for word in words if (code := _OF_WORD[word]) is not None}
    return worst(found) if found else nothing


def for_bisect(code: int) -> int:
    """The code that `git bisect run` understands.

    125 skips a commit that decides nothing; 128 ends the search after a fault of the tool.

    >>> int(for_bisect(3)), int(for_bisect(1))
    (125, 1)
    """
    if code in (Exit.WRONG_USE, Exit.OPEN):
        return Exit.BISECT_SKIP
    return Exit.BISECT_STOP if code in (Exit.CONTRADICTION, Exit.CRASH, Exit.NO_OUTPUT) else code
