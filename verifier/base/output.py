# SPDX-License-Identifier: GPL-2.0-or-later
"""What is written for people and programs: standard output and files.

Text is cleaned here and nowhere else. Control characters, bidirectional marks and other invisible
characters could change what a terminal shows, or break XML; they are written as Python escapes them
(\\x1b). A file is written whole or not at all.
"""

from __future__ import annotations

import errno
import io
import os
import re
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from verifier.base.errors import OutputError, UsageError

__all__ = ["STDOUT", "LineWriter", "STREAM_ERRORS", "clean", "hold_streams", "one_line",
           "open_outputs", "tell", "tell_error", "write_file", "write_outputs"]

STDOUT = "-"
STREAM_ERRORS = (errno.ENOSPC, errno.EIO, errno.EBADF, errno.EFBIG, errno.EDQUOT)
_COLOR = re.compile("\x1b\\[(?:0|1|31|32)m")  # bold and the colours of reports
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164"
    "\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\U000e0000-\U000e0fff]")


def clean(text: str) -> str:
    """The text with every invisible character escaped; lines and tabs stay.

    >>> print(clean("a\\x1b[2Jb\\u202ec"))
    a\\x1b[2Jb\\u202ec
    """
    return _UNSEEN.sub(lambda found: ascii(found[0])[1:-1], text)


def one_line(text: str) -> str:
    """The cleaned text on one line, for what may contain line breaks, such as file names.

    >>> print(one_line("a\\nb"))
    a\\nb
    """
    return clean(text).replace("\n", "\\n").replace("\t", "\\t")


def hold_streams() -> None:
    """Prepare the standard streams before any file is opened.

    No file may get the number of a standard stream that is closed. Characters that the encoding of
    a stream lacks are escaped. Raises OutputError where standard output is closed.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if sys.stderr is None:
        sys.stderr = io.StringIO()  # nobody reads it
    if sys.stdout is None:
        raise OutputError("standard output is closed")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def tell(text: str, end: str = "\n", painted: bool = False) -> None:
    """Write to standard output at once; OutputError where that fails.

    `painted` says that the text has our own colours in it, which are kept.
    """
    if painted:
        pieces, colors = _COLOR.split(text), _COLOR.findall(text)
        text = "".join(clean(p) + c for p, c in zip(pieces, [*colors, ""], strict=True))
    else:
        text = clean(text)
    try:
        sys.stdout.write(text + end)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        raise OutputError(
            f"standard output cannot be written: {getattr(error, 'strerror', None) or error}"
        ) from error


def tell_error(text: str) -> None:
    """Write lines to standard error.

    Where that is closed or full nobody can be told; the exit code says it.
    """
    try:
        sys.stderr.write(clean(text) + "\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        return


def open_outputs(named: Mapping[str, str | None]) -> None:
    """Check, before anything is decided, that all these files can be written.

    `named` maps an option to its file, `-` for standard output, or None. Raises UsageError where a
    file cannot be written, or where two options name the same one.
    """
    seen: dict[str, str] = {}
    for option, name in named.items():
        if name is None:
            continue
        place = name if name == STDOUT else os.path.realpath(name)
        if place in seen and not _special(Path(place)):
            what = "standard output" if name == STDOUT else name
            raise UsageError(f"{seen[place]} and {option} cannot both be written to {what}")
        seen[place] = option
        if name != STDOUT and not _special(Path(place)):
            try:
                _try(Path(place))
            except (OSError, ValueError) as error:
                raise UsageError(
                    f"{name}: cannot be written: {getattr(error, 'strerror', None) or error}"
                ) from error


def _try(path: Path) -> None:
    """OSError where a file of this name could not be written, or could not be put in its place."""
    if path.is_dir():
        raise IsADirectoryError(0, "Is a directory")
    handle, name = _beside(path)
    os.close(handle)
    os.unlink(name)
    if path.exists():
        with path.open("ab"):
            pass


def _beside(path: Path) -> tuple[int, str]:
    from tempfile import mkstemp

    return mkstemp(prefix=f".{path.name[:100]}.", suffix=".part", dir=path.parent)


def _special(path: Path) -> bool:
    """Is it a device, a FIFO or a socket, which must not be replaced by a file?"""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def write_outputs(
    named: Mapping[str, str | None], render: Mapping[str, Callable[[], Iterable[str]]]
) -> bool:
    """Write all files that are asked for; was one of them standard output?

    `render` has the parts of each by its option. A file that cannot be written does not keep the
    others back; OutputError is raised for the first such file at the end.
    """
    failed: OutputError | None = None
    for option, name in named.items():
        if name is None:
            continue
        try:
            if name == STDOUT:
                for part in _ended(render[option]()):
                    tell(part, end="")
            else:
                write_file(Path(name), _ended(render[option]()))
        except OutputError as error:
            failed = failed or error
    if failed is not None:
        raise failed
    return STDOUT in named.values()


def _ended(parts: Iterable[str]) -> Iterator[str]:
    """The parts, and the end of a line behind the last."""
    last = ""
    for last in parts:
        yield last
    if not last.endswith("\n"):
        yield "\n"


class LineWriter:
    """Writes a file or standard output line by line, so that another program can read along.

    Raises OutputError where that fails.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        try:
            if name == STDOUT:
                self.file = None
            else:
                self.file = Path(name).open("w", encoding="utf-8", buffering=1)  # noqa: SIM115
        except (OSError, ValueError) as error:
            raise self._failed(error) from error

    def __call__(self, line: str) -> None:
        if self.file is None:
            tell(line)
            return
        try:
            self.file.write(line + "\n")
        except (OSError, ValueError) as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> OutputError:
        return OutputError(
            f"{self.name}: cannot be written: {getattr(error, 'strerror', None) or error}"
        )


def write_file(name: Path, parts: Iterable[str]) -> None:
    """Write a file whole or not at all; OutputError says why not.

    The old file stays until all of the new one is written. A link stays, and its target is
    replaced. A device or a FIFO is written to.
    """
    path = Path(os.path.realpath(name))
    try:
        if _special(path):
            with path.open("w", encoding="utf-8") as file:
                file.writelines(parts)
            return
        handle, part = _beside(path)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.writelines(parts)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(part, _mode(path))
            os.replace(part, path)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
    except (OSError, ValueError) as error:
        raise OutputError(
            f"{name}: cannot be written: {getattr(error, 'strerror', None) or error}"
        ) from error


def _mode(path: Path) -> int:
    """The permissions of the file that is replaced, or those of any new one."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
