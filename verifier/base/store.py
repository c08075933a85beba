# SPDX-License-Identifier: GPL-2.0-or-later
"""Files that are kept between runs, each sealed by a digest of itself.

The seal is a digest of the file's name and of all that follows. A file that was edited, cut off,
renamed or copied over another is ignored and made anew. So is a file that another user owns or may
write to: who can write a file can write its digest as well.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
from pathlib import Path
from typing import BinaryIO

__all__ = ["cache_folder", "read_regular", "read_sealed", "write_sealed", "write_whole"]

_MARK = "pteproof sealed"


def cache_folder() -> Path | None:
    """XDG_CACHE_HOME/pteproof, else ~/.cache/pteproof.

    None where there is no home folder: nothing is kept then.
    """
    base = os.environ.get("XDG_CACHE_HOME")
    if base:
        return Path(base).absolute() / "pteproof"
    try:
        return Path.home() / ".cache" / "pteproof"
    except RuntimeError:
        return None


def read_regular(path: Path, most: int = -1) -> bytes:
    """The first `most` bytes of a regular file, or all of it.

    Raises OSError for anything else: reading a FIFO may wait forever, and some devices never end.
    """
    with _regular(path) as file:
        return file.read(most)


def _regular(path: Path) -> BinaryIO:
    """A regular file, opened. OSError where it is none."""
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(None, "not a regular file", str(path))
    return file


def _read_own(path: Path) -> bytes:
    """A file that nobody else may have written.

    OSError where another user owns it, or others may write to it.
    """
    with _regular(path) as file:
        status = os.fstat(file.fileno())
        if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise OSError(None, "others may have written it", str(path))
        return file.read()


def read_sealed(path: Path | None) -> object:
    """The data of JSON in a sealed file of this user.

    None where it is missing, its seal is broken, or others may have written it.
    """
    if path is None:
        return None
    try:
        head, _, body = _read_own(path).decode("utf-8").partition("\n")
        return json.loads(body) if head == _seal(path, body) else None
    except (OSError, ValueError, RecursionError):
        return None


def write_sealed(path: Path, data: object) -> None:
    """Replace a file by this data of JSON, under a seal.

    A file that cannot be written is no error: it only saves time.
    """
    body = json.dumps(data, separators=(",", ":"))
    write_whole(path, f"{_seal(path, body)}\n{body}")


def _seal(path: Path, body: str) -> str:
    sealed = f"{path.name}\n{body}".encode("utf-8", "surrogatepass")
    return f"{_MARK} {hashlib.sha256(sealed).hexdigest()}"


def write_whole(path: Path, text: str) -> None:
    """Replace a file whole, or leave it as it was.

    A full or read-only disk is no error: the file only saves time.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, suffix=".tmp",
                                         encoding="utf-8") as file:
            temporary = Path(file.name)
            try:
                file.write(text)
                file.close()
                os.replace(temporary, path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
    except OSError:
        return
