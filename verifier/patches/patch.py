# SPDX-License-Identifier: GPL-2.0-or-later
"""What a patch is: files with hunks, and a series of such patches. Nothing here knows the kernel.

The bounds are for patches that strangers send. They are far above what a series has that people can
review.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from verifier.base.errors import UsageError
from verifier.base.output import one_line

__all__ = [
    "MOST_FILE",
    "MOST_FILES",
    "MOST_HUNKS",
    "MOST_INPUT",
    "MOST_PATCHES",
    "Edited",
    "FileChange",
    "Hunk",
    "Patch",
    "PatchError",
    "Series",
]

MOST_INPUT = 32 << 20  # bytes of one file, mail, mbox or standard input
MOST_PATCHES = 500  # of a series
MOST_FILES = 4_000  # of a patch
MOST_HUNKS = 40_000  # of a patch
MOST_FILE = 16 << 20  # bytes of a file of the tree, before and after

# Path in the tree -> its new bytes; None where the file is removed.
Edited = Mapping[str, bytes | None]

Kind = Literal["change", "new", "removed", "rename", "copy"]


class PatchError(UsageError):
    """A patch is refused. `where` is its source and line, such as `fix.patch:12`."""

    def __init__(self, where: str, message: str) -> None:
        super().__init__(f"{one_line(where)}: {one_line(message)}")
        self.where, self.message = where, message


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines that replace lines.

    old, new  the first line on each side, counted from 1; 0 where a side has no lines
    lines     each with its mark (" ", "-" or "+") in front, and its end of line unless the file
              ends without one
    line      the line of its header in the source
    """

    old: int
    new: int
    lines: tuple[bytes, ...]
    line: int

    def before(self) -> list[bytes]:
        """The lines that have to be there."""
        return [text[1:] for text in self.lines if text[:1] != b"+"]

    def after(self) -> list[bytes]:
        """The lines that stand there afterwards."""
        return [text[1:] for text in self.lines if text[:1] != b"-"]

    def place(self) -> int:
        """How many lines stand before it, once all earlier hunks of its file are in place."""
        return max(self.new - 1, 0)

    def context(self) -> tuple[int, int]:
        """How many lines at its beginning and at its end stay as they are.

        >>> Hunk(1, 1, (b" a", b"+b", b" c", b" d"), 1).context()
        (1, 2)
        """
        marks = [text[:1] for text in self.lines]
        kept = [i for i, mark in enumerate(marks) if mark != b" "]
        return (kept[0], len(marks) - 1 - kept[-1]) if kept else (len(marks), len(marks))


@dataclass(frozen=True, slots=True)
class FileChange:
    """What a patch does to one file.

    old, new  its path in the tree before and after; None where there is none
    modes     the modes that the patch names, before and after: "100644"
    binary    its new content is not there as lines
    line      the line in the source at which it begins
    """

    kind: Kind
    old: str | None
    new: str | None
    hunks: tuple[Hunk, ...] = ()
    modes: tuple[str | None, str | None] = (None, None)
    binary: bool = False
    line: int = 0

    @property
    def path(self) -> str:
        """The path after the change, or before it where the file is removed."""
        return self.new or self.old or ""

    def paths(self) -> tuple[str, ...]:
        """Every path that it names."""
        return tuple(dict.fromkeys(path for path in (self.old, self.new) if path is not None))


@dataclass(frozen=True, slots=True)
class Patch:
    """One patch.

    source    where it was read: a file, `standard input`, or a commit
    position  its number and how many there are, as `[PATCH 2/5]` says; None where nothing does
    base      the commit that it says it is made for; empty where it says none
    """

    source: str
    subject: str
    author: str
    files: tuple[FileChange, ...]
    position: tuple[int, int] | None = None
    base: str = ""

    @property
    def title(self) -> str:
        """Its subject, or where it was read if it has none."""
        return self.subject or self.source

    def paths(self) -> Iterator[str]:
        """Every path that it names, before and after."""
        seen = dict.fromkeys(path for file in self.files for path in file.paths())
        return iter(seen)


@dataclass(frozen=True, slots=True)
class Series:
    """Patches in the order in which they are applied.

    notes  what a reader of the input should know, such as an older version that was left out
    start  the contents that the first patch is made for, where they are not those of the tree: of
           a range of commits that ends at HEAD
    """

    patches: tuple[Patch, ...]
    notes: tuple[str, ...] = ()
    start: Edited | None = None
