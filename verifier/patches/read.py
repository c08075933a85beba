# SPDX-License-Identifier: GPL-2.0-or-later
"""Patches from files, standard input and git: each source is looked at, and read as what it is."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from verifier.base.errors import UsageError
from verifier.base.output import one_line
from verifier.base.store import read_regular
from verifier.patches.patch import MOST_INPUT, MOST_PATCHES, Patch, PatchError, Series
from verifier.patches.read_diff import has_diff, read_diff

__all__ = ["read_series", "read_text"]

STANDARD_INPUT = "standard input"
# What `git show` and `git log -p` begin a commit with.
_COMMIT = re.compile(rb"^commit ([0-9a-f]{40}|[0-9a-f]{64})(?: \(.*\))?$", re.MULTILINE)


def read_series(words: Sequence[str], tree: Callable[[], Path]) -> Series:
    """The patches that the words of a command line name, one behind the other.

    A word is a file, `-` for standard input, or else a commit or a range of commits of the tree's
    own repository. A range stands alone. Only then the tree is asked for.

    Raises UsageError where a source is missing or has no patch in it.
    """
    found: list[Series] = []
    for word in words:
        if word == "-":
            found.append(read_text(_standard_input(), STANDARD_INPUT))
        elif os.path.exists(word):
            found.append(read_text(_file(word), word))
        else:
            from verifier.patches.read_git import read_range

            if len(words) > 1:
                raise UsageError(f"{one_line(word)}: no such file; a range of commits stands alone")
            return read_range(word, tree())
    patches = tuple(patch for series in found for patch in series.patches)
    if len(patches) > MOST_PATCHES:
        raise UsageError(f"more than {MOST_PATCHES} patches")
    return Series(patches, tuple(note for series in found for note in series.notes))


def read_text(text: bytes, source: str) -> Series:
    """The patches in one text: mails, what `git show` prints, or a bare diff.

    >>> read_text(b"--- a/x\\n+++ b/x\\n@@ -1 +1 @@\\n-a\\n+b\\n", "fix.diff").patches[0].title
    'fix.diff'
    """
    if len(text) > MOST_INPUT:
        raise PatchError(source, f"more than {MOST_INPUT >> 20} MByte")
    if not has_diff(text) and b"base64" not in text:
        raise PatchError(source, "there is no patch in it")
    from verifier.patches.read_mail import looks_like_mail, read_mails

    if looks_like_mail(text):
        return read_mails(text, source)
    commits = list(_COMMIT.finditer(text))
    if len(commits) > 1:
        raise PatchError(source, f"{len(commits)} commits, in an order that is not known; give "
                         "what git format-patch writes, or a range as HEAD~3..")
    subject, author = _shown(text) if commits else ("", "")
    return Series((Patch(source, subject, author, read_diff(text, source)),))


def _shown(text: bytes) -> tuple[str, str]:
    """Subject and author of a commit as `git show` prints it."""
    head = text[:65_536].decode("utf-8", "replace")
    author = re.search(r"^Author: +(.*)$", head, re.MULTILINE)
    subject = re.search(r"^    (\S.*)$", head, re.MULTILINE)
    return subject[1].strip() if subject else "", author[1].strip() if author else ""


def _file(name: str) -> bytes:
    try:
        return read_regular(Path(name), MOST_INPUT + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"{one_line(name)}: cannot be read as a patch: {why}") from None


def _standard_input() -> bytes:
    try:
        return sys.stdin.buffer.read(MOST_INPUT + 1)
    except (OSError, ValueError, AttributeError) as error:
        raise UsageError(f"standard input cannot be read: {error}") from None
