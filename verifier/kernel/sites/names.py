# SPDX-License-Identifier: GPL-2.0-or-later
"""Which helpers are looked for, and in which files of a kernel tree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

__all__ = ["Wanted"]


@dataclass(frozen=True)
class Wanted:
    """Helpers by kind (`dirty`: ("pte_dirty", ...)), and the files to read as globs below the tree.

    A name may be a regular expression that matches whole identifiers.
    """

    kinds: dict[str, tuple[str, ...]]
    files: tuple[str, ...]

    @cached_property
    def pattern(self) -> re.Pattern[bytes]:
        """Any helper's name, as a whole word of the text."""
        names = "|".join(f"(?:{name})" for group in self.kinds.values() for name in group)
        return re.compile(rf"(?<![A-Za-z0-9_])(?:{names})(?![A-Za-z0-9_])".encode())

    def kind_of(self, helper: str) -> str:
        """The kind that a helper's name belongs to. KeyError for a name that is not wanted."""
        for kind, names in self.kinds.items():
            if any(re.fullmatch(name, helper) for name in names):
                return kind
        raise KeyError(helper)

    @cached_property
    def _covered(self) -> re.Pattern[str]:
        words = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
        globs = (re.split(r"(\*\*/|\*|\?|\[[^\]]*\])", glob) for glob in self.files)
        return re.compile("|".join(
            "".join(words.get(part, part if part.startswith("[") else re.escape(part))
                    for part in glob) for glob in globs))

    def covers(self, path: str) -> bool:
        """Is a file of this name one of those that are read?

        >>> wanted = Wanted({}, ("mm/**/*.[ch]", "fs/proc/*.[ch]"))
        >>> [wanted.covers(f) for f in ("mm/x.c", "mm/a/x.h", "fs/proc/a/x.c", "xmm/x.c", "mm/x.S")]
        [True, True, False, False, False]
        """
        return self._covered.fullmatch(path) is not None

    def find_files(self, tree: Path) -> Iterator[Path]:
        """The regular files of a tree that are read, by name. Symbolic links are left out."""
        found = {path for glob in self.files for path in tree.glob(glob)}
        return iter(sorted(path for path in found if path.is_file() and not path.is_symlink()))
