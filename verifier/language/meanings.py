# SPDX-License-Identifier: GPL-2.0-or-later
"""What the names in a text may mean: constants, variables, helpers, observations and types.

A Scope says it: the layout of an architecture, or a section of specs/.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from verifier.base.errors import Where
from verifier.language.syntax import BOOL, INDEX, Const, Function, Param

__all__ = ["MAX_WIDTH", "WORD", "Scope", "StateVar", "parse_type"]

MAX_WIDTH = 128
WORD = re.compile(r"u([1-9][0-9]{0,2})\Z")  # a type: a word of so many bits


@dataclass(frozen=True, slots=True)
class StateVar:
    """A variable of the world: its type, how many there are, and whether code may set it.

    `count` is None where there is one without an index. `pages`: there is one for each page of a
    block too, behind the index if there is one.
    """

    type: int
    count: int | None = None
    writable: bool = True
    pages: int | None = None


class Scope(Protocol):
    """What the names in a text mean."""

    width: int  # bits of an entry
    ulong: int
    marks: bool  # may a text say where the hardware may act?

    def constant(self, name: str) -> Const | int | None:
        """A typed constant (a field, a feature), a plain number, or None."""

    def state(self, name: str) -> StateVar | None:
        """The variable of the world of this name, or None."""

    def through(self, name: str, at: Where) -> Function | None:
        """The helper by which a text reads this variable of a process, or None.

        There is one where memory has another form than code sees, as with huge_ptep_get of s390.
        """

    def function(self, name: str, at: Where) -> Function | None:
        """The helper, view or procedure of this name, or None. `at` is where the text calls it."""

    def observation(self, name: str) -> tuple[Param, ...] | None:
        """The parameters of the observation of this name, or None."""

    def names(self) -> Iterable[str]:
        """All known names, for hints."""


def parse_type(word: str, scope: Scope) -> int | None:
    """The type that an annotation names, or None: bool, process, page, pte, ulong, u1 to u128."""
    plain = {"bool": BOOL, "process": INDEX, "page": INDEX, "pte": scope.width,
             "ulong": scope.ulong}
    if word in plain:
        return plain[word]
    found = WORD.match(word)
    return int(found[1]) if found and int(found[1]) <= MAX_WIDTH else None
