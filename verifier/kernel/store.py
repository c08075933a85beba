# SPDX-License-Identifier: GPL-2.0-or-later
"""The cache folder of kernel builds: an entry is there whole or not at all, whoever runs beside us or is interrupted.

An entry is made in a folder of another name and renamed when it is complete; a lock keeps two runs from making the
same one. What an interrupted run leaves is removed by the next that makes this entry.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from verifier.errors import ExtractionError

__all__ = ["cache_folder", "entry"]


def cache_folder() -> Path:
    """XDG_CACHE_HOME/pteproof/kernel."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "pteproof" / "kernel"


def entry(folder: Path, key: str, make: Callable[[Path], None]) -> Path:
    """The complete folder `key`, made by `make` where it is not there yet.

    `make` fills an empty folder and must not keep its path: it is renamed. ExtractionError where the disk is full or the
    cache cannot be written.
    """
    done = folder / key
    if done.is_dir():
        return done
    with writing(folder), _lock(folder / f"{key}.lock"):
        if done.is_dir():
            return done
        for left in folder.glob(f"{key}.part-*"):
            shutil.rmtree(left, ignore_errors=True)
        part = Path(tempfile.mkdtemp(prefix=f"{key}.part-", dir=folder))
        try:
            make(part)
            os.rename(part, done)
        finally:
            if part.exists():
                shutil.rmtree(part, ignore_errors=True)
    return done


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn what can go wrong with the cache folder into one error."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise ExtractionError(f"no space is left in the cache folder {folder}; set XDG_CACHE_HOME to another disk") from None
        raise ExtractionError(f"the cache folder {folder} cannot be used: {error.strerror}; set XDG_CACHE_HOME") from None


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
