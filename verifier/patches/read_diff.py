# SPDX-License-Identifier: GPL-2.0-or-later
"""A unified diff, read strictly: whatever is not understood within it is refused.

Libraries for diffs pass over what they do not know: a hunk with a malformed header becomes a
remark. Then another change would be checked than the one that somebody applies. So this reads as
git does, and refuses where git guesses.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from verifier.patches.diff_header import DiffHeader
from verifier.patches.patch import MOST_FILES, MOST_HUNKS, FileChange, Hunk, Kind, PatchError
from verifier.patches.paths import unquoted

__all__ = ["has_diff", "read_diff"]

_BEGINS = re.compile(rb"^(?:diff --git |--- [^\n]+\n\+\+\+ [^\n]+\n@@ -)", re.MULTILINE)
_HUNK = re.compile(rb"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@(?:[ \t].*)?\r?\n?")
_STAMP = re.compile(rb"\t.*", re.DOTALL)
_SIGNATURE = (b"-- \n", b"--\n", b"-- \r\n")
_MODES = ("100644", "100755")
_LINKS = {"120000": "a symbolic link", "160000": "a submodule", "040000": "a folder"}


class _Reader:
    """Lines with the place of the next one."""

    def __init__(self, text: bytes, source: str, first: int) -> None:
        self.lines = _lines(text)
        self.source, self.first, self.at = source, first, 0
        self.hunks = 0

    def here(self, offset: int = 0) -> str:
        """The source and the line, for a reader."""
        return f"{self.source}:{self.number() + offset}"

    def number(self) -> int:
        """The line in the source that is read next."""
        return self.first + self.at

    def peek(self) -> bytes:
        """The next line; empty at the end."""
        return self.lines[self.at] if self.at < len(self.lines) else b""

    def refuse(self, message: str, offset: int = 0) -> PatchError:
        """An error at the line that is read next."""
        return PatchError(self.here(offset), message)


def _lines(text: bytes) -> list[bytes]:
    """Lines that end at a line feed alone, as git has them."""
    found = [line + b"\n" for line in text.split(b"\n")]
    found[-1] = found[-1][:-1]
    return found if found[-1] else found[:-1]


def has_diff(text: bytes) -> bool:
    """Does a diff begin somewhere in this text?"""
    return _BEGINS.search(text) is not None


def read_diff(text: bytes, source: str, first: int = 1) -> tuple[FileChange, ...]:
    """The files of a diff, with any text before it.

    source, first  where the text was read, and the number of its first line there

    Raises PatchError, with the line, for whatever is no clean change of regular text files.

    >>> [f] = read_diff(b"--- a/x.c\\n+++ b/x.c\\n@@ -1 +1 @@\\n-a\\n+b\\n", "x")
    >>> f.kind, f.path, f.hunks[0].lines
    ('change', 'x.c', (b'-a\\n', b'+b\\n'))
    """
    begins = _BEGINS.search(text)
    if begins is None:
        return ()
    if b"\0" in text:
        number = first + text.count(b"\n", 0, text.index(b"\0"))
        raise PatchError(f"{source}:{number}", "a NUL byte; a patch is text")
    before = text.count(b"\n", 0, begins.start())
    reader = _Reader(text[begins.start():], source, first + before)
    files: list[FileChange] = []
    while reader.at < len(reader.lines):
        line = reader.peek()
        if line.startswith(b"diff --git "):
            files.append(_git_file(reader))
        elif line.startswith(b"--- ") and _next(reader, 1).startswith(b"+++ "):
            files.append(_plain_file(reader))
        else:
            _pass_over(reader, line)
        if len(files) > MOST_FILES:
            raise reader.refuse(f"more than {MOST_FILES:,} files in one patch")
    _check_once(files, source)
    return tuple(files)


def _next(reader: _Reader, ahead: int) -> bytes:
    at = reader.at + ahead
    return reader.lines[at] if at < len(reader.lines) else b""


def _pass_over(reader: _Reader, line: bytes) -> None:
    """Text between two files. What looks like a piece of a change is none of it."""
    if line in _SIGNATURE:
        _pass_signature(reader)
        return
    if (line[:1] in b"+-" and line.strip()) or line.startswith(b"@@"):
        raise reader.refuse("a line of a change that belongs to no hunk")
    if line.startswith((b"rename ", b"copy ", b"old mode ", b"new mode ", b"GIT binary patch")):
        raise reader.refuse("a line of a header that belongs to no file")
    reader.at += 1


def _pass_signature(reader: _Reader) -> None:
    """Behind the line of a signature there is no change, but perhaps the next patch."""
    reader.at += 1
    while reader.at < len(reader.lines) and not reader.peek().startswith(b"diff --git "):
        if reader.peek().startswith(b"@@ -"):
            raise reader.refuse("a hunk behind the signature of a mail")
        reader.at += 1


def _check_once(files: list[FileChange], source: str) -> None:
    seen: dict[str, FileChange] = {}
    for file in files:
        for path in file.paths() if file.kind != "copy" else (file.path,):
            if path in seen:
                raise PatchError(f"{source}:{file.line}",
                                 f"{path} stands already in line {seen[path].line}")
            seen[path] = file


def _git_file(reader: _Reader) -> FileChange:
    header = DiffHeader(reader.number(), reader.peek().rstrip(b"\r\n")[len(b"diff --git "):])
    reader.at += 1
    while reader.at < len(reader.lines):
        line = reader.peek().rstrip(b"\r\n")
        said = next((word for word in _EXTENDED if line.startswith(word)), None)
        if said is None:
            break
        _EXTENDED[said](header, line[len(said):], reader)
        reader.at += 1
        if header.binary:
            _pass_binary(reader)
            return header.change(reader.source, ())
    if reader.peek().startswith(b"--- "):
        _marks(reader, header)
        return header.change(reader.source, _hunks(reader))
    if reader.peek().startswith(b"@@"):
        raise reader.refuse("a hunk without the lines --- and +++")
    return header.change(reader.source, ())


def _plain_file(reader: _Reader) -> FileChange:
    header = DiffHeader(reader.number())
    _marks(reader, header)
    hunks = _hunks(reader)
    if not hunks:
        raise reader.refuse("the lines --- and +++ without a hunk")
    return header.change(reader.source, hunks)


def _marks(reader: _Reader, header: DiffHeader) -> None:
    """The lines --- and +++."""
    for sign in (b"--- ", b"+++ "):
        line = reader.peek()
        if not line.startswith(sign):
            raise reader.refuse(f"no line {sign.decode().strip()} where one belongs")
        name = unquoted(_STAMP.sub(b"", line[4:].rstrip(b"\r\n")), reader.here())
        if sign == b"--- ":
            header.old = name
        else:
            header.new = name
        reader.at += 1


def _set_mode(side: int) -> Callable[[DiffHeader, bytes, _Reader], None]:
    def act(header: DiffHeader, rest: bytes, reader: _Reader) -> None:
        header.modes[side] = _mode(rest, reader)
    return act


def _set_kind(kind: Kind, side: int) -> Callable[[DiffHeader, bytes, _Reader], None]:
    def act(header: DiffHeader, rest: bytes, reader: _Reader) -> None:
        header.kind, header.modes[side] = kind, _mode(rest, reader)
    return act


def _set_moved(kind: Kind, side: str) -> Callable[[DiffHeader, bytes, _Reader], None]:
    def act(header: DiffHeader, rest: bytes, reader: _Reader) -> None:
        header.kind = kind
        header.moved[side] = unquoted(rest, reader.here())
    return act


def _set_index(header: DiffHeader, rest: bytes, reader: _Reader) -> None:
    words = rest.split()
    if len(words) > 1:
        mode = _mode(words[1], reader)
        header.modes = [header.modes[0] or mode, header.modes[1] or mode]


def _set_binary(header: DiffHeader, rest: bytes, reader: _Reader) -> None:
    header.binary = True


def _nothing(header: DiffHeader, rest: bytes, reader: _Reader) -> None:
    return


_EXTENDED: dict[bytes, Callable[[DiffHeader, bytes, _Reader], None]] = {
    b"old mode ": _set_mode(0),
    b"new mode ": _set_mode(1),
    b"deleted file mode ": _set_kind("removed", 0),
    b"new file mode ": _set_kind("new", 1),
    b"copy from ": _set_moved("copy", "from"),
    b"copy to ": _set_moved("copy", "to"),
    b"rename from ": _set_moved("rename", "from"),
    b"rename to ": _set_moved("rename", "to"),
    b"similarity index ": _nothing,
    b"dissimilarity index ": _nothing,
    b"index ": _set_index,
    b"GIT binary patch": _set_binary,
    b"Binary files ": _set_binary,
}


def _mode(text: bytes, reader: _Reader) -> str:
    mode = text.strip().decode("latin-1")
    if mode in _LINKS:
        raise reader.refuse(f"{_LINKS[mode]} (mode {mode}); only regular files are checked")
    if mode not in _MODES:
        raise reader.refuse(f"mode {mode[:20]}; only {' and '.join(_MODES)} are checked")
    return mode


def _pass_binary(reader: _Reader) -> None:
    """The lines of a binary change are not read."""
    while reader.at < len(reader.lines) and not reader.peek().startswith((b"diff --git ", b"--- ")):
        if reader.peek() in _SIGNATURE:
            return
        reader.at += 1


def _hunks(reader: _Reader) -> tuple[Hunk, ...]:
    found: list[Hunk] = []
    while reader.peek().startswith(b"@@"):
        found.append(_hunk(reader))
        reader.hunks += 1
        if reader.hunks > MOST_HUNKS:
            raise reader.refuse(f"more than {MOST_HUNKS:,} hunks in one patch")
    return tuple(found)


def _hunk(reader: _Reader) -> Hunk:
    number = reader.number()
    head = _HUNK.fullmatch(reader.peek())
    if head is None:
        raise reader.refuse("a hunk whose header is not @@ -LINE,COUNT +LINE,COUNT @@")
    reader.at += 1
    left, right = (1 if count is None else int(count) for count in (head[2], head[4]))
    lines: list[bytes] = []
    while left > 0 or right > 0:
        line = reader.peek()
        mark = line[:1]
        if not line:
            raise reader.refuse("the patch ends within a hunk")
        if line in (b"\n", b"\r\n"):  # a mail program took the space away
            line, mark = b" " + line, b" "
        if mark not in (b" ", b"-", b"+"):
            raise reader.refuse("a line within a hunk that begins with none of space, - and +")
        left -= mark != b"+"
        right -= mark != b"-"
        lines.append(line if line.endswith(b"\n") else line + b"\n")
        reader.at += 1
        _no_newline(reader, lines)
    if left < 0 or right < 0:
        raise reader.refuse("a hunk that has other numbers of lines than its header says", -1)
    if not any(line[:1] != b" " for line in lines):
        raise PatchError(f"{reader.source}:{number}", "a hunk that changes nothing")
    return Hunk(int(head[1]), int(head[3]), tuple(lines), number)


def _no_newline(reader: _Reader, lines: list[bytes]) -> None:
    """`\\ No newline at end of file`: the line before it has no end; the words are translated."""
    if reader.peek().startswith(b"\\ "):
        lines[-1] = lines[-1][:-1]
        reader.at += 1
