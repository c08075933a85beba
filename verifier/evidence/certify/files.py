# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of a folder of certificates: their names, and how untrusted ones are read.

A file is plain and lies where the name of its unit says. Links, pipes and files of no unit are
refused.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import zlib
from pathlib import Path
from typing import Any

from verifier.base.store import read_regular

__all__ = [
    "INDEX",
    "KINDS",
    "SCHEMA",
    "UNITS",
    "BadCertificate",
    "digest",
    "is_unit_file",
    "parse_json",
    "read_packed",
    "read_plain",
    "strangers",
    "unit_path",
]

SCHEMA = "pteproof.certificates/2"
INDEX = "index.json"
UNITS = "units"
KINDS = ("cnf", "drat", "json", "smt2")
LARGEST = 1 << 30  # bytes of one file, unpacked
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*(?:/[A-Za-z0-9][A-Za-z0-9_.+-]*){4}", re.ASCII)


class BadCertificate(Exception):
    """A certificate, or a file of one, is not in the form that it must have."""


def digest(data: bytes) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def unit_path(name: str, kind: str) -> str:
    """The path, within the folder, of a unit's file of one kind.

    A unit's name is variant/level/encoding/code/step; BadCertificate for anything else.

    >>> unit_path("x86_64/pte/option-c/today/zap", "cnf")
    'units/x86_64--pte--option-c--today--zap.cnf.gz'
    """
    if _NAME.fullmatch(name) is None or "--" in name:
        raise BadCertificate(f"{name!r} is no name of a unit")
    return f"{UNITS}/{name.replace('/', '--')}.{kind}.gz"


def is_unit_file(name: str) -> bool:
    """Could `make` have written a file of this name, within units/?"""
    stem, dot, rest = name.partition(".gz")
    return dot == ".gz" and not rest and stem.rpartition(".")[2] in KINDS and stem.count("--") == 4


def strangers(folder: Path, known: set[str]) -> dict[str, str]:
    """What should not lie in the folder, by its path within it, and why.

    `known` has the paths of all units' files.
    """
    units = folder / UNITS
    found = {path.name for path in folder.iterdir()} - {INDEX, UNITS}
    if units.is_symlink() or not units.is_dir():
        return {UNITS: "is no folder"} | dict.fromkeys(sorted(found), "no unit has it")
    found |= {f"{UNITS}/{path.name}" for path in units.iterdir()} - known
    return dict.fromkeys(sorted(found), "no unit has it")


def read_plain(path: Path) -> bytes:
    """The contents of a plain file.

    Raises BadCertificate where it is a link or too large, OSError where it cannot be read.
    """
    if path.is_symlink():
        raise BadCertificate("is a link, not a file")
    return _whole(read_regular(path, LARGEST + 1))


def read_packed(path: Path) -> bytes:
    """The contents of a plain file that is packed with gzip.

    Raises BadCertificate where it is not one, OSError where it cannot be read.
    """
    data = io.BytesIO(read_plain(path))
    try:
        with gzip.open(data) as stream:
            return _whole(stream.read(LARGEST + 1))
    except (OSError, EOFError, zlib.error) as error:
        raise BadCertificate(f"is not packed with gzip: {error}") from error


def _whole(data: bytes) -> bytes:
    if len(data) > LARGEST:
        raise BadCertificate(f"is larger than {LARGEST} bytes")
    return data


def parse_json(data: bytes) -> dict[str, Any]:
    """A JSON object, read so strictly that all readers agree on it.

    Raises BadCertificate where it is none, or has a key twice at any depth.
    """
    try:
        found = json.loads(data, object_pairs_hook=_once, parse_constant=_no_number,
                           parse_float=_no_number)
    except (ValueError, RecursionError) as error:
        raise BadCertificate(f"not JSON: {error}") from error
    if not isinstance(found, dict):
        raise BadCertificate("not a JSON object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"key {next(k for k in keys if keys.count(k) > 1)!r} stands twice")
    return found


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no whole number")
