# SPDX-License-Identifier: GPL-2.0-or-later
"""Patches applied to contents in memory, as `git apply` does it: exactly, or some lines off.

No program is run and nothing is written, so a patch cannot reach anything but its own files. A test
compares this with `git apply`. The contents before a patch come from a function of paths, which
reads the tree, or what earlier patches made of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from verifier.patches.patch import MOST_FILE, Edited, FileChange, Hunk, Patch, PatchError

__all__ = ["Applied", "ApplyError", "Contents", "apply_patch"]

MOST_COMPARED = 20_000_000  # lines of one file that are compared to find the places of its hunks

Contents = Callable[[str], bytes | None]  # path in the tree -> its bytes, None: there is no file


class ApplyError(PatchError):
    """A patch does not apply: the message names the file, the hunk and why."""

    def on(self, base: str) -> ApplyError:
        """The same error with what the patch was applied to."""
        return ApplyError(self.where, f"{self.message} ({base})")


@dataclass(frozen=True, slots=True)
class Applied:
    """The files that one patch changes, with their new bytes, and what was not exact about it."""

    edited: Edited
    notes: tuple[str, ...]


def apply_patch(patch: Patch, contents: Contents) -> Applied:
    """All changes of a patch, or none.

    Raises ApplyError at the first file or hunk that does not fit, and PatchError for a file that is
    no text.
    """
    edited: dict[str, bytes | None] = {}
    notes: list[str] = []
    for file in patch.files:
        where = f"{patch.source}:{file.line}"
        if file.binary:
            raise PatchError(where, f"{file.path}: a binary change")
        before = _before(file, contents, where)
        after, off = _after(before, file, patch.source)
        notes += [f"{file.path}: hunk {number} applies {lines:+d} lines off"
                  for number, lines in off]
        if file.old is not None and file.kind in ("rename", "removed"):
            edited[file.old] = None
        if file.new is not None:
            edited[file.new] = after
    return Applied(edited, tuple(notes))


def _before(file: FileChange, contents: Contents, where: str) -> bytes:
    """The file as it has to be there; nothing may be there where a new one is made."""
    if file.new is not None and file.new != file.old and contents(file.new) is not None:
        raise ApplyError(where, f"{file.new} is there already")
    if file.old is None:
        return b""
    before = contents(file.old)
    if before is None:
        raise ApplyError(where, f"there is no {file.old}")
    if b"\0" in before and file.hunks:
        raise PatchError(where, f"{file.old} is no text")
    return before


def _after(
    before: bytes, file: FileChange, source: str,
) -> tuple[bytes, list[tuple[int, int]]]:
    """The bytes after all hunks; each hunk that is not where it says, with the lines it is off."""
    image = _Image(split_lines(before))
    off: list[tuple[int, int]] = []
    for number, hunk in enumerate(file.hunks, 1):
        where = f"{source}:{hunk.line}"
        at = image.find(hunk, where)
        if at is None:
            raise ApplyError(where, f"hunk {number} of {file.path} does not apply at line "
                             f"{hunk.old}{_hint(image.lines, file.hunks)}")
        if at != hunk.place():
            off.append((number, at - hunk.place()))
        image.put(hunk, at)
    if file.kind == "removed" and image.lines:
        raise ApplyError(f"{source}:{file.line}", f"{file.path} has lines that are not removed")
    return _joined(image.lines, file, source), off


class _Image:
    """The lines of a file while hunks are applied, as git keeps them.

    made  of each line, whether a hunk has been there: no other one may match it
    left  how many lines may still be compared, so that no patch takes for ever
    """

    def __init__(self, lines: list[bytes]) -> None:
        self.lines, self.made = lines, [False] * len(lines)
        self.left = MOST_COMPARED

    def find(self, hunk: Hunk, where: str) -> int | None:
        """The place nearest to where a hunk belongs at which all its lines are.

        One that begins at the first line belongs there, and one that ends without context belongs
        to the end of the file.
        """
        before = hunk.before()
        last = len(self.lines) - len(before)
        begin, end = hunk.old <= 1, hunk.context()[1] == 0
        start = 0 if begin else last if end else min(hunk.place(), len(self.lines))
        able = [start] if begin or end else _outwards(start, last)
        for at in able:
            if self.left < 0:
                raise PatchError(where, "a hunk whose place takes too long to find")
            if 0 <= at <= last and not (end and at != last) and self._fits(before, at):
                return at
        return None

    def _fits(self, before: list[bytes], at: int) -> bool:
        self.left -= 1
        if before and before[0] != self.lines[at]:
            return False
        self.left -= len(before)
        behind = at + len(before)
        return self.lines[at:behind] == before and not any(self.made[at:behind])

    def put(self, hunk: Hunk, at: int) -> None:
        """Replace the lines at this place."""
        behind, after = at + len(hunk.before()), hunk.after()
        self.lines[at:behind] = after
        self.made[at:behind] = [True] * len(after)


def _outwards(start: int, last: int) -> Iterator[int]:
    """start, then alternately one line further on and one further back."""
    yield start
    for distance in range(1, max(start, last - start) + 1):
        yield from (start + distance, start - distance)


def _joined(lines: Iterable[bytes], file: FileChange, source: str) -> bytes:
    found = b"".join(lines)
    if len(found) > MOST_FILE:
        raise PatchError(f"{source}:{file.line}",
                         f"{file.path} becomes a file of more than {MOST_FILE >> 20} MByte")
    return found


def split_lines(text: bytes) -> list[bytes]:
    """Lines with their ends; only a line feed ends one.

    >>> split_lines(b"a\\r\\nb")
    [b'a\\r\\n', b'b']
    """
    lines = [line + b"\n" for line in text.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def _hint(lines: list[bytes], hunks: tuple[Hunk, ...]) -> str:
    """Is the whole change there already?"""
    text = b"".join(lines)
    there = all(b"".join(hunk.after()) in text for hunk in hunks)
    return "; the file seems to have this change already" if there else ""
