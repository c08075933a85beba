# SPDX-License-Identifier: GPL-2.0-or-later
"""Names of files in a patch: which ones are names at all, and whose contents may be read.

A name stays in the tree, and is what a reader sees: no `..`, no character that a terminal does not
show. A file of the tree is read only where neither it nor a folder above it is a symbolic link.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import ExitStack
from pathlib import Path

from verifier.base.output import clean
from verifier.patches.patch import MOST_FILE, PatchError

__all__ = ["DEV_NULL", "checked_path", "read_in_tree", "unquoted"]

DEV_NULL = "/dev/null"
MOST_NAME = 4_096  # bytes of a path, as Linux has it
_ESCAPES = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, '"': 34, "\\": 92}
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(rb"\\([0-3][0-7]{2}|.)")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


def unquoted(name: bytes, where: str) -> bytes:
    """A name as git writes it: in quotes and with escapes where it has unusual characters.

    >>> unquoted(b'"a/\\\\303\\\\244.c"', "x") == "a/ä.c".encode()
    True
    """
    if not name.startswith(b'"'):
        return name
    found = _QUOTED.fullmatch(name)
    if found is None:
        raise PatchError(where, f"{_shown(name)}: a quoted name without its end")
    return _ESCAPE.sub(lambda escape: _character(escape[1], where), found[1])


def _character(escape: bytes, where: str) -> bytes:
    if len(escape) == 3:
        return bytes([int(escape, 8)])
    if escape.decode("latin-1") not in _ESCAPES:
        raise PatchError(where, f"\\{_shown(escape)}: no escape that git writes")
    return bytes([_ESCAPES[escape.decode("latin-1")]])


def checked_path(name: bytes, where: str) -> str:
    """A path that stays in the tree, as text. PatchError says what is wrong with another one.

    >>> checked_path(b"mm/memory.c", "x")
    'mm/memory.c'
    >>> checked_path(b"mm/../../etc/passwd", "x")
    Traceback (most recent call last):
    verifier.patches.patch.PatchError: x: mm/../../etc/passwd: the path leads out of the tree
    """
    if len(name) > MOST_NAME:
        raise PatchError(where, f"a path of {len(name):,} bytes")
    try:
        text = name.decode("utf-8")
    except UnicodeDecodeError:
        raise PatchError(where, f"{_shown(name)}: the path is no UTF-8") from None
    if clean(text) != text or "\n" in text or "\t" in text:
        raise PatchError(where, f"{text}: the path has characters that cannot be seen")
    parts = text.split("/")
    if text.startswith("/"):
        raise PatchError(where, f"{text}: an absolute path")
    if ".." in parts:
        raise PatchError(where, f"{text}: the path leads out of the tree")
    if "" in parts or "." in parts:
        raise PatchError(where, f"{text or 'an empty name'}: not a path as git writes it")
    if any(part.lower() == ".git" for part in parts):
        raise PatchError(where, f"{text}: the path leads into a git repository")
    return text


def _shown(name: bytes) -> str:
    return name[:200].decode("latin-1")


def read_in_tree(tree: Path, path: str) -> bytes | None:
    """The bytes of a file of the tree; None where there is none.

    PatchError for a symbolic link, on the way as well, for what is no regular file, and for one of
    more than MOST_FILE bytes.
    """
    *folders, name = path.split("/")
    with ExitStack() as opened:
        here = os.open(tree, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        opened.callback(os.close, here)
        for depth, one in enumerate((*folders, name)):
            last = depth == len(folders)
            try:
                found = os.stat(one, dir_fd=here, follow_symlinks=False)
            except FileNotFoundError:
                return None
            except OSError as error:
                raise PatchError(path, f"cannot be read: {error.strerror}") from None
            _check_kind(found.st_mode, last, "/".join((*folders[:depth], one)))
            try:
                here = os.open(one, _FILE if last else _FOLDER, dir_fd=here)
            except OSError as error:
                raise PatchError(path, f"cannot be read: {error.strerror}") from None
            opened.callback(os.close, here)
        if not stat.S_ISREG(os.fstat(here).st_mode):
            raise PatchError(path, "not a regular file")
        with open(here, "rb", closefd=False) as file:
            content = file.read(MOST_FILE + 1)
    if len(content) > MOST_FILE:
        raise PatchError(path, f"a file of more than {MOST_FILE >> 20} MByte")
    return content


def _check_kind(mode: int, last: bool, path: str) -> None:
    if stat.S_ISLNK(mode):
        raise PatchError(path, "a symbolic link of the tree; what it leads to is not read")
    if not (stat.S_ISREG(mode) if last else stat.S_ISDIR(mode)):
        raise PatchError(path, "not a regular file" if last else "not a folder")
