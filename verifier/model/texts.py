# SPDX-License-Identifier: GPL-2.0-or-later
"""Texts of specs/ that have names, as frozen data: variables, definitions, axioms, observations."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from verifier.base.errors import Where
from verifier.language.read_yaml import Source

__all__ = ["Axiom", "Definition", "Elsewhere", "Flush", "Observation", "Variable", "name_of"]


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of the world; `each` says that there is one for each of the two processes.

    `page`: there is one for each page of a block.
    """

    name: str
    type: str
    each: bool
    truth: bool
    describe: str
    page: bool = False
    thread: str = ""  # whose local it is: no other code sees it


@dataclass(frozen=True, slots=True)
class Definition:
    """A named text: a view, a reading, an action, a procedure."""

    signature: str
    at: Where
    body: Source


@dataclass(frozen=True, slots=True)
class Flush:
    """What a helper does beside changing the entry, run when a text's call of it has ended.

    The text takes the process and the helper's result, or the process and its entry before and
    after the call.
    """

    text: Definition
    not_on: Mapping[str, str]  # glob of variants -> why it does not
    waits: bool = False  # does it wait for handlers under way, from its beginning on?
    # glob of variants -> why it does there; empty: on all
    only_on: Mapping[str, str] = field(default_factory=dict)

    def lacks(self, variant: str) -> bool:
        """Does the helper do nothing of this on the variant?"""
        if self.only_on and not _named(variant, self.only_on):
            return True
        return _named(variant, self.not_on)


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Actions that are different on some variants."""

    glob: str
    because: str
    actions: tuple[Definition, ...]

    def on(self, variant: str) -> bool:
        """Is it about this variant?"""
        return _named(variant, (self.glob,))


def _named(variant: str, globs: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(variant, glob) for glob in globs)


@dataclass(frozen=True, slots=True)
class Axiom:
    """A sentence that may be taken as given, and the kernel's reason."""

    name: str
    holds: Source
    because: str
    traces: bool = False  # only keeps traces realistic: no proof rests on it


@dataclass(frozen=True, slots=True)
class Observation:
    """Something that code looks up outside of entries, with the axioms that bind it to the truth.

    `kernel` names the kernel's functions for it.
    """

    signature: str
    at: Where
    kernel: str
    axioms: tuple[Axiom, ...]


def name_of(text: Definition | Observation) -> str:
    """The name in a signature."""
    return text.signature.split("(")[0].strip()
