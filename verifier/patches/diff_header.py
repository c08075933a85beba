# SPDX-License-Identifier: GPL-2.0-or-later
"""What a diff says of a file before its hunks: one file, under names that all agree.

A name that is said differently in two places would be checked as one file and applied as another.
A name without a/ or b/ in front could be any file, so it is refused as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from verifier.patches.patch import FileChange, Hunk, Kind, PatchError
from verifier.patches.paths import DEV_NULL, checked_path, unquoted

__all__ = ["DiffHeader"]

_PREFIXES = ((b"a/", b"b/"), (b"i/", b"w/"), (b"c/", b"i/"), (b"c/", b"w/"), (b"o/", b"w/"),
             (b"w/", b"i/"), (b"1/", b"2/"))  # with diff.mnemonicPrefix, too


@dataclass(slots=True)
class DiffHeader:
    """What the lines between `diff --git` and the first hunk say of one file.

    line      the line in the source at which they begin
    names     what stands behind `diff --git `
    old, new  the names of the lines --- and +++, unquoted
    moved     "from" and "to" of a rename or a copy
    """

    line: int
    names: bytes = b""
    old: bytes | None = None
    new: bytes | None = None
    moved: dict[str, bytes] = field(default_factory=dict)
    modes: list[str | None] = field(default_factory=lambda: [None, None])
    kind: Kind = "change"
    binary: bool = False

    def change(self, source: str, hunks: tuple[Hunk, ...]) -> FileChange:
        """The change that all of it says with one voice; PatchError where it does not."""
        return _change(self, f"{source}:{self.line}", hunks)


def _change(header: DiffHeader, where: str, hunks: tuple[Hunk, ...]) -> FileChange:
    old, new = _names(header, where)
    kind = header.kind
    if kind == "change" and old is None:
        kind = "new"
    if kind == "change" and new is None:
        kind = "removed"
    if old is not None and new is not None and (old != new) != (kind in ("rename", "copy")):
        raise PatchError(where, f"two names of one file: {old} and {new}")
    if (kind == "new") != (old is None) or (kind == "removed") != (new is None):
        raise PatchError(where, f"the header and the lines --- and +++ of {new or old} disagree")
    if kind == "new" and any(hunk.before() for hunk in hunks):
        raise PatchError(where, f"{new}: a new file that has lines already")
    if kind == "removed" and any(hunk.after() for hunk in hunks):
        raise PatchError(where, f"{old}: a removed file that keeps lines")
    if kind == "change" and not hunks and not header.binary and header.modes[0] == header.modes[1]:
        raise PatchError(where, f"{new}: a file without a change")
    return FileChange(kind, old, new, hunks, (header.modes[0], header.modes[1]), header.binary,
                      header.line)


def _names(header: DiffHeader, where: str) -> tuple[str | None, str | None]:
    """The paths before and after, each said alike wherever it is said."""
    said: list[tuple[bytes | None, bytes | None]] = []
    if header.old is not None and header.new is not None:
        said.append(_stripped(header.old, header.new, where, bool(header.names)))
    if header.moved:
        if set(header.moved) != {"from", "to"}:
            raise PatchError(where, "only one of the two names of a file that moved")
        said.append((header.moved["from"], header.moved["to"]))
    if header.names:
        said += _of_git_line(header, where, said)
    found: list[str | None] = []
    for side in (0, 1):
        names = {pair[side] for pair in said if pair[side] is not None}
        absent = header.kind == ("new", "removed")[side] or any(pair[side] is None for pair in said)
        if len(names) > 1:
            shown = ", ".join(sorted(repr(name.decode("latin-1")) for name in names if name))
            raise PatchError(where, f"the names of one file differ: {shown}")
        name = next(iter(names), None)
        found.append(None if absent or name is None else checked_path(name, where))
    for pair in said:  # names of sides that are not there are looked at, too
        for name in pair:
            if name is not None:
                checked_path(name, where)
    return found[0], found[1]


def _of_git_line(
    header: DiffHeader, where: str, said: list[tuple[bytes | None, bytes | None]],
) -> list[tuple[bytes | None, bytes | None]]:
    """The two names of a line `diff --git`; spaces in them are told apart by what else is said."""
    text = header.names
    pairs: list[tuple[bytes, bytes]] = []
    if text.startswith(b'"') or text.endswith(b'"'):
        found = re.fullmatch(rb'("(?:[^"\\]|\\.)*"|\S+) ("(?:[^"\\]|\\.)*"|\S+)', text)
        if found is not None:
            pairs = [(unquoted(found[1], where), unquoted(found[2], where))]
    else:
        pairs = [(text[:i], text[i + 1:]) for i, char in enumerate(text) if char == 32]
    able = [pair for pair in pairs if _prefix(*pair) is not None]
    stripped = [(old[2:], new[2:]) for old, new in able]
    if header.moved:
        fits = [pair for pair in stripped if pair == said[-1]]
    else:
        fits = [pair for pair in stripped if pair[0] == pair[1]]
    if len(fits) != 1:
        raise PatchError(where, "the line diff --git does not have one file as a/NAME b/NAME"
                         + ("" if able else "; make it with --src-prefix=a/ --dst-prefix=b/"))
    return [*fits]


def _prefix(old: bytes, new: bytes) -> tuple[bytes, bytes] | None:
    return next(((a, b) for a, b in _PREFIXES if old.startswith(a) and new.startswith(b)), None)


def _stripped(
    old: bytes, new: bytes, where: str, of_git: bool,
) -> tuple[bytes | None, bytes | None]:
    """The names of the lines --- and +++ without the folder in front: a/ and b/, or two trees."""
    null = DEV_NULL.encode()
    if old == null and new == null:
        raise PatchError(where, "neither of the lines --- and +++ has a file")
    if null in (old, new):
        name = new if old == null else old
        if name[:2] not in {prefix for pair in _PREFIXES for prefix in pair}:
            raise PatchError(where, f"{name.decode('latin-1')}: no a/ or b/ in front of the name")
        return (None, name[2:]) if old == null else (name[2:], None)
    if _prefix(old, new) is not None:
        return old[2:], new[2:]
    (first, _, rest), (second, _, other) = old.partition(b"/"), new.partition(b"/")
    if of_git or first == second or rest != other or not rest:
        raise PatchError(where, f"{new.decode('latin-1')}: no a/ and b/ in front of the names")
    return rest, other
