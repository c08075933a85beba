# SPDX-License-Identifier: GPL-2.0-or-later
"""What is asked for, by shell globs of names."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Filters", "matches"]


@dataclass(frozen=True, slots=True)
class Filters:
    """Shell globs; an empty tuple lets everything through."""

    arch: tuple[str, ...] = ()
    level: tuple[str, ...] = ()
    encoding: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    transition: tuple[str, ...] = ()
    property: tuple[str, ...] = ()
    theorems: tuple[str, ...] = ()  # variant[/level[/encoding[/code]]], each a glob

    def whole(self) -> bool:
        """Does every obligation of a group pass?"""
        return not self.transition and not self.property

    def wants(self, transition: str, prop: str) -> bool:
        """Does the obligation of this step and property pass?"""
        return matches(transition, self.transition) and matches(prop, self.property)


    def covers(self, names: Iterable[str], level: str = "", encoding: str = "",
               code: str = "") -> bool:
        """Is a theorem that begins so asked for, on a variant with these names?"""
        known = tuple(names)
        return (not self.theorems or any(_begins(theorem.split("/"), known, (level, encoding, code))
                                         for theorem in self.theorems))


def _begins(parts: Sequence[str], names: Sequence[str], rest: Sequence[str]) -> bool:
    return len(parts) <= 1 + len(rest) and any(fnmatch.fnmatchcase(name, parts[0])
                                               for name in names) and all(
        not name or fnmatch.fnmatchcase(name, glob)
        for name, glob in zip(rest, parts[1:], strict=False))


def matches(name: str, globs: tuple[str, ...]) -> bool:
    """Does the name match one of the globs, or are there none?"""
    return not globs or any(fnmatch.fnmatchcase(name, glob) for glob in globs)
