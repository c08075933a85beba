# SPDX-License-Identifier: GPL-2.0-or-later
"""What is kept of kernel builds.

An entry is there whole, as it was made and of what is there now, or it is made anew.

An entry is a folder. Its name has the digest of what it was made from: data, the code that made it,
the tree's contents. Its manifest has a digest of each of its files, and of the files of the tree
that were read beyond what the name has. An entry is made in a folder of another name, which is
renamed when it is complete. A lock keeps two runs from making the same entry. What an interrupted
run leaves is removed by the next run that makes this entry.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from verifier.base import store
from verifier.base.digests import digest, program
from verifier.base.errors import ExtractionError
from verifier.kernel.tree.overlay import GONE, Overlay, affected

__all__ = [
    "USED",
    "Fact",
    "Origin",
    "builds",
    "cache_folder",
    "digest_of",
    "entry",
    "manifest_digest",
    "reads_of",
]

MANIFEST = "manifest.json"
Fact: TypeAlias = tuple[str, ...]  # verifier.kernel.tree.facts says what the words mean

# what all entries of trees rest on that this process has used, beside the program and its data
USED: set[Fact] = set()


@dataclass(frozen=True, slots=True)
class Origin:
    """The tree that an entry is made of.

    unchanged  is it still what the entry's name says?
    facts      what its name says of the tree, and of all else that is no part of this program
    overlay    the files of the tree that a patch has edited, as it has them
    """

    folder: Path
    unchanged: Callable[[], bool]
    facts: tuple[Fact, ...] = ()
    overlay: Overlay | None = None

    def digest_of(self, name: str) -> str:
        """The digest of a file of the tree as it reads: patched, where a patch has edited it."""
        if self.overlay is not None and name in self.overlay.digests:
            return self.overlay.digests[name]
        return digest_of(self.folder / name)

    def older(self, name: str, moment: int) -> bool:
        """Is this file as it was at a moment? A patched one is: nobody else writes it."""
        patched = self.overlay is not None and name in self.overlay.digests
        return patched or _older(self.folder / name, moment)


def cache_folder() -> Path:
    """Where builds are kept. ExtractionError where nobody says where home is."""
    base = store.cache_folder()
    if base is None:
        raise ExtractionError("no home folder, and so no place for builds; set XDG_CACHE_HOME")
    return base / "kernel"


def entry(
    folder: Path,
    name: str,
    rests_on: Sequence[object],
    make: Callable[[Path], Iterable[Path] | None],
    origin: Origin | None = None,
) -> Path:
    """The folder that `make` made from `rests_on`, now or before; its name begins with `name`.

    `make` fills an empty folder and must not keep its path: the folder is renamed. It returns the
    files that it read; those of the tree count. The code of its module, with all that this imports,
    is in the entry's name. What an entry of a tree rests on is put into USED. ExtractionError where
    the disk is full, the cache cannot be written, or the tree has changed while the entry was made.
    """
    done = _made(folder, name, rests_on, make, origin)
    if origin is not None:
        manifest = store.read_sealed(done / MANIFEST)
        if not isinstance(manifest, dict):
            raise ExtractionError(f"{done} was removed while it was used: run it again")
        USED.update(origin.facts)
        if origin.overlay is None:
            USED.update(("file", str(origin.folder / one), known)
                        for one, known in manifest["reads"].items())
    return done


def _made(
    folder: Path,
    name: str,
    rests_on: Sequence[object],
    make: Callable[[Path], Iterable[Path] | None],
    origin: Origin | None,
) -> Path:
    key = f"{name}-{digest(program(make.__module__), rests_on)[:16]}"
    done = folder / key
    if origin is None or origin.overlay is None:
        if _stands(done, origin):
            return done
    else:
        if _stands(done, origin) and not _hidden(done, origin.overlay):
            return done
        folder = origin.overlay.made
        done = folder / key
        if _stands(done, origin):
            return done
    with writing(folder), _lock(folder / f"{key}.lock"):
        if _stands(done, origin):
            return done
        for left in [*folder.glob(f"{key}.part-*"), done]:
            shutil.rmtree(left, ignore_errors=True)
        part = Path(tempfile.mkdtemp(prefix=f"{key}.part-", dir=folder))
        try:
            begun = time.time_ns()
            read = _read_of_tree(make(part) or (), origin)
            if origin is not None and not (
                origin.unchanged() and all(origin.older(one, begun) for one in read)
            ):
                raise ExtractionError(
                    f"{origin.folder} has changed while {name} was made from it; nothing is kept:"
                    " run it again"
                )
            reads = {one: origin.digest_of(one) for one in sorted(read)} if origin else {}
            store.write_sealed(part / MANIFEST, {"key": key, "files": _files(part), "reads": reads})
            os.rename(part, done)
        finally:
            if part.exists():
                shutil.rmtree(part, ignore_errors=True)
    return done


@contextmanager
def builds(no_cache: bool) -> Iterator[Path | None]:
    """Where a command's builds are kept: None for the usual place, or a folder that is removed
    again.
    """
    if not no_cache:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="pteproof-") as folder:
        yield Path(folder)


def manifest_digest(done: Path) -> str:
    """A digest of all that an entry holds and has read."""
    return hashlib.sha256((done / MANIFEST).read_bytes()).hexdigest()


def reads_of(done: Path) -> dict[str, str]:
    """The files of the tree that were read to make an entry, with their digests.

    None where the entry is not whole.
    """
    match store.read_sealed(done / MANIFEST):
        case {"reads": dict(reads)}:
            return {str(name): str(known) for name, known in reads.items()}
    return {}


def _stands(done: Path, origin: Origin | None) -> bool:
    """Is the entry there, as it was made, and are the files of the tree that it read what they
    were?
    """
    found = store.read_sealed(done / MANIFEST)
    match found:
        case {"key": done.name, "files": dict(files), "reads": dict(reads)}:
            if files != _files(done) or (origin is None and reads):
                return False
            return origin is None or all(
                origin.digest_of(one) == known for one, known in reads.items()
            )
    return False


def _hidden(done: Path, overlay: Overlay) -> bool:
    """May an added file be found in the place of one that was read to make an entry?"""
    if not overlay.added:
        return False
    built = (name for folder in overlay.allowed for *_, files in os.walk(folder) for name in files)
    return bool(affected(overlay.added, overlay.added, {*reads_of(done), *built}))


def _files(folder: Path) -> dict[str, str]:
    """Every file of an entry but its manifest, with its digest, or with where it leads."""
    found = {}
    for base, folders, files in os.walk(folder):
        for path in (Path(base) / name for name in [*files, *folders]):
            if path.is_symlink():
                found[str(path.relative_to(folder))] = f"link {os.readlink(path)}"
            elif path.is_file() and path != folder / MANIFEST:
                found[str(path.relative_to(folder))] = digest_of(path)
    return found


def digest_of(path: Path) -> str:
    """The digest of a file's contents, whatever links lead to it; GONE where there is none."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return GONE
    except OSError as error:
        raise ExtractionError(f"{path} cannot be read: {error.strerror}") from None


def _read_of_tree(paths: Iterable[Path], origin: Origin | None) -> set[str]:
    """The names of those of these files that are in the tree.

    ExtractionError where a patch has made the compiler read a file of elsewhere.
    """
    if origin is None:
        return set()
    absolute = {os.path.normpath(path) for path in paths}
    if origin.overlay is not None:
        return {name for path in absolute if (name := origin.overlay.name_of(path)) is not None}
    tree = f"{origin.folder}{os.sep}"
    return {path.removeprefix(tree) for path in absolute if path.startswith(tree)}


def _older(path: Path, moment: int) -> bool:
    """Is a file as it was at this moment, in nanoseconds?

    True also of a file that was not there.

    A file that comes and goes is not seen. The time of the file's status tells when it was moved
    here; but that time changes also where a hard link to it is made.
    """
    try:
        status = path.stat()
    except OSError:
        return True
    return status.st_mtime_ns < moment and (status.st_nlink > 1 or status.st_ctime_ns < moment)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn what can go wrong with the cache folder into one error."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise ExtractionError(
                f"no space is left in the cache folder {folder}; set XDG_CACHE_HOME to another disk"
            ) from None
        raise ExtractionError(
            f"the cache folder {folder} cannot be used: {error.strerror}; set XDG_CACHE_HOME"
        ) from None


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
