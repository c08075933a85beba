# SPDX-License-Identifier: GPL-2.0-or-later
"""What is asked for, by shell globs of names."""

from __future__ import annotations

import fnmatch
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

    def whole(self) -> bool:
        """Does every obligation of a group pass?"""
        return not self.transition and not self.property

    def wants(self, transition: str, prop: str) -> bool:
        """Does the obligation of this step and property pass?"""
        return matches(transition, self.transition) and matches(prop, self.property)


def matches(name: str, globs: tuple[str, ...]) -> bool:
    """Does the name match one of the globs, or are there none?"""
    return not globs or any(fnmatch.fnmatchcase(name, glob) for glob in globs)
