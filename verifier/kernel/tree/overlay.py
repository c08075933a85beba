# SPDX-License-Identifier: GPL-2.0-or-later
"""Files of a kernel tree as a patch has them: the compiler reads them, and the tree stays as it is.

They lie in a scratch folder. clang is told to read them in the place of the tree's (-ivfsoverlay),
and finds nothing else but the tree, the build, and what we wrote ourselves: a file that is included
from anywhere else is not there. Other tools do not know of the overlay.

What clang says it has read is checked: a file that the patch has edited must be the scratch
folder's (else the overlay had silently no effect), and nothing may lie outside of the folders named
above.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from verifier.base.errors import ExtractionError, UsageError

__all__ = ["GONE", "Edited", "Overlay", "affected", "overlay_of"]

Edited: TypeAlias = Mapping[str, bytes | None]  # path in the tree -> its new content; None: removed
_SCRATCH = "pteproof-patch-"
_LOCK = "lock"  # of a scratch folder: held as long as its run lives
_YOUNG = 60  # seconds in which a run has made its folder and locked it
GONE = "not there"  # in the place of the digest of a file that is not there
_PLAIN = re.compile(r"[A-Za-z0-9_.,+=@~%/-]+")  # no name of the kernel's has anything else


@dataclass(frozen=True, slots=True)
class Overlay:
    """A tree's edited files in a scratch folder.

    tree     the tree, without links in its path
    folder   the scratch folder: `files` has the edited files, `made` what is compiled of them
    digests  path in the tree -> the SHA-256 of its new content, or GONE
    added    those that the tree has not got
    allowed  what may be read beside the tree and the scratch folder: the configured build, and
             trees that the tree has links to
    """

    tree: Path
    folder: Path
    digests: Mapping[str, str]
    added: frozenset[str]
    allowed: tuple[Path, ...] = ()

    @property
    def files(self) -> Path:
        """Where the edited files are, under their paths in the tree."""
        return self.folder / "files"

    @property
    def made(self) -> Path:
        """Where is kept what is compiled of edited files, as long as the scratch folder is."""
        return self.folder / "made"

    def reading(self, *folders: Path) -> Overlay:
        """The same, where the compiler may read these folders too."""
        return replace(self, allowed=(*self.allowed, *folders))

    def flags(self) -> tuple[str, ...]:
        """What clang is told; writes the file that it names.

        Files stand before the folder that has them: else clang takes the folder's.
        """
        roots: list[dict[str, object]] = []
        for name in self.digests:
            at = self.tree / name
            leads = {"name": at.name, "type": "file", "external-contents": str(self.files / name)}
            roots.append({"name": str(at.parent), "type": "directory", "contents": [leads]})
        for folder in dict.fromkeys((self.tree, self.folder, *self.allowed)):
            remap = {"type": "directory-remap", "external-contents": str(folder)}
            roots.append({"name": str(folder), **remap})
        text = json.dumps({
            "version": 0,
            "case-sensitive": "true",
            "use-external-names": "true",
            "redirecting-with": "redirect-only",
            "roots": roots,
        })
        file = self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.yaml"
        file.write_text(text, encoding="utf-8")
        return ("-ivfsoverlay", str(file))

    def name_of(self, path: str) -> str | None:
        """The path in the tree of a file that the compiler says it has read.

        None for one of the build's or of ours. ExtractionError where the patch made the compiler
        read what is no part of the kernel, or where the overlay had no effect.
        """
        path = os.path.normpath(path)
        if _below(path, self.files):
            return os.path.relpath(path, self.files)
        if not any(_below(os.path.realpath(path), place) for place in self._places()):
            raise ExtractionError(
                f"the patched tree makes the compiler read {path}, which is no part of the kernel"
            )
        if not _below(path, self.tree):
            return None
        name = os.path.relpath(path, self.tree)
        if name in self.digests:
            raise ExtractionError(f"the compiler has read {path}, and not the patched {name}")
        return name

    def _places(self) -> Iterable[str]:
        return map(os.path.realpath, (self.tree, self.folder, *self.allowed))


@contextmanager
def overlay_of(tree: Path, edited: Edited) -> Iterator[Overlay]:
    """The overlay of these edits of a tree, in a scratch folder that is removed at the end.

    A run that is killed leaves its folder; the next one removes it.

    UsageError for a name that is no path of a file in the tree.
    """
    root = Path(os.path.realpath(tree))
    for name in edited:
        _check_name(root, name)
    _remove_left()
    with tempfile.TemporaryDirectory(prefix=_SCRATCH) as scratch, open(
        Path(scratch) / _LOCK, "w", encoding="utf-8"
    ) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = Path(os.path.realpath(scratch))
        digests: dict[str, str] = {}
        (folder / "files").mkdir()
        (folder / "made").mkdir()
        for name, content in sorted(edited.items()):
            digests[name] = GONE if content is None else hashlib.sha256(content).hexdigest()
            if content is not None:
                _write(folder / "files" / name, name, content)
        added = frozenset(name for name in edited if not os.path.lexists(root / name))
        yield Overlay(root, folder, digests, added)


def _remove_left() -> None:
    """Removes scratch folders of this user whose run lives no more: nobody holds their locks."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_SCRATCH}*"):
        try:
            found = folder.lstat()
            if (not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid()
                    or time.time() - found.st_mtime < _YOUNG):
                continue
            with open(folder / _LOCK, encoding="utf-8") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue  # somebody lives there, or it is gone


def _check_name(root: Path, name: str) -> None:
    path = PurePosixPath(name)
    if (path.is_absolute() or ".." in path.parts or str(path) != name or name == "."
            or not _PLAIN.fullmatch(name)):
        raise UsageError(f"{name!r} is no path of a file in a tree")
    if Path(os.path.realpath(root / path.parent)) != root / path.parent:
        raise UsageError(f"{name!r}: a folder of its path is a link")


def _write(path: Path, name: str, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise UsageError(f"{name} cannot be written to {path}: {error.strerror}") from None


def affected(
    edited: Iterable[str], added: Collection[str], read: Iterable[str]
) -> tuple[str, ...]:
    """The edited files that can change what was made by reading these files.

    `read` are paths in the tree, and names of other files that were read. An added file counts
    where any of them has its name: an `#include` that found that one may find this one first.
    """
    paths = set(read)
    names = {os.path.basename(path) for path in paths}
    return tuple(
        name for name in edited
        if name in paths or (name in added and os.path.basename(name) in names)
    )


def _below(path: str, folder: Path | str) -> bool:
    return path.startswith(f"{folder}{os.sep}")
