# SPDX-License-Identifier: GPL-2.0-or-later
"""What was proved before, kept under XDG_CACHE_HOME/pteproof, and where traces were found.

A proof is kept under a digest of everything that it rests on: the architecture's file and the generic one, the
world, properties, encoding and this transition, this program's sources, and the solver's version. Only `proved` is
kept. Traces are kept as hints: they are recomputed before they are believed. A file that is not as it should be is
ignored; files are replaced whole, so a killed run or two at once lose nothing but time.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from verifier.load import MAX_BYTES, read_regular
from verifier.machine import Key
from verifier.obligations import Group
from verifier.results import Move

__all__ = ["Cache", "Told", "cache_folder", "digest_files", "move_from_json", "move_to_json"]


def cache_folder() -> Path:
    """Where the cache lives."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "pteproof"


def digest_files(paths: Iterable[Path], *more: str) -> str:
    """A digest of the contents of files and of some words."""
    total = hashlib.sha256()
    for path in paths:
        total.update(hashlib.sha256(read_regular(path, MAX_BYTES + 1)).digest())
    for word in more:
        total.update(hashlib.sha256(word.encode()).digest())
    return total.hexdigest()


def _key_text(key: Key) -> str:
    return key if isinstance(key, str) else f"{key[0]}.{key[1]}"


def _text_key(text: str) -> Key:
    name, dot, index = text.partition(".")
    return (name, int(index)) if dot else name


def move_to_json(move: Move) -> dict[str, Any]:
    """A move as plain data."""
    return {
        "transition": move.transition, "event": move.event, "roles": list(move.roles), "tracks_new": move.tracks_new,
        "inputs": dict(move.inputs), "before": {_key_text(k): v for k, v in move.before.items()},
        "after": {_key_text(k): v for k, v in move.after.items()},
    }


def move_from_json(data: Mapping[str, Any]) -> Move:
    """The move that plain data describes. KeyError, TypeError or ValueError where it does not."""
    inputs = {str(k): v for k, v in data["inputs"].items()}
    if not all(isinstance(v, int) for v in [*inputs.values(), *data["before"].values(), *data["after"].values()]):
        raise ValueError("values are numbers")
    return Move(
        str(data["transition"]), bool(data["event"]), tuple(int(r) for r in data["roles"]), bool(data["tracks_new"]),
        inputs, {_text_key(k): v for k, v in data["before"].items()},
        {_text_key(k): v for k, v in data["after"].items()},
    )


class Told:
    """What a whole command told, under a digest of all that it was told from: one file for each set of inputs.

    Only what would be told again is kept: no run that was stopped, gave up for want of time or memory, or contradicted itself.
    """

    def __init__(self, folder: Path | None, files: Iterable[Path], *words: str) -> None:
        self.path = None if folder is None else folder / "told" / f"{digest_files(files, *words)[:32]}.json"

    def read(self) -> tuple[str, int, str] | None:
        """The text, the exit code and when that was; None where it was never told, or the file is not as it should be."""
        try:
            found = json.loads(self.path.read_text()) if self.path else None
            return None if found is None else (str(found["text"]), int(found["exit"]), str(found["at"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, text: str, code: int) -> None:
        """Keep it; a folder that cannot be written is no error."""
        if self.path is not None:
            at = time.strftime("%Y-%m-%d %H:%M:%S")
            write_whole(self.path, json.dumps({"text": text, "exit": code, "at": at}))


class Cache:
    """One group's file: proofs by transition, and traces."""

    def __init__(self, group: Group, digests: Mapping[str, str], folder: Path | None) -> None:
        self.digests = digests
        name = hashlib.sha256(str(group).encode()).hexdigest()[:24]
        self.path = None if folder is None else folder / "proofs" / f"{name}.json"
        self.data: dict[str, Any] = {"proofs": {}, "traces": {}}
        self._inhabitants: dict[str, Move] = {}  # of transitions, read once
        self._read()
        self.changed = False

    def _read(self) -> None:
        if self.path is None:
            return
        try:
            found = json.loads(self.path.read_text())
            for part, kept in self.data.items():
                if isinstance(found, dict) and isinstance(found.get(part), dict):
                    kept.update(found[part])
        except (OSError, ValueError):
            return

    def proved(self, transition: str, prop: str) -> Move | bool:
        """Was it proved on the same grounds? The inhabitant then, or True where there is none."""
        entry = self.data["proofs"].get(transition)
        if not isinstance(entry, dict) or entry.get("digest") != self.digests.get(transition):
            return False
        if prop not in entry.get("properties", ()):
            return False
        if not entry.get("inhabitant"):
            return True
        try:
            if transition not in self._inhabitants:
                self._inhabitants[transition] = move_from_json(entry["inhabitant"])
        except (KeyError, TypeError, ValueError):
            return False
        return self._inhabitants[transition]

    def keep(self, transition: str, prop: str, inhabitant: Move | None) -> None:
        digest = self.digests.get(transition)
        if self.path is None or digest is None:
            return
        entry = self.data["proofs"].get(transition)
        if not isinstance(entry, dict) or entry.get("digest") != digest:
            entry = {"digest": digest, "properties": [], "inhabitant": None}
            self.data["proofs"][transition] = entry
        if prop not in entry["properties"]:
            entry["properties"].append(prop)
        if inhabitant is not None and entry["inhabitant"] is None:
            entry["inhabitant"] = move_to_json(inhabitant)
        self.changed = True

    def hint(self, name: str) -> tuple[Move, ...]:
        """A trace that was found before; the caller recomputes it."""
        try:
            return tuple(move_from_json(m) for m in self.data["traces"].get(name, ()))
        except (KeyError, TypeError, ValueError, AttributeError):
            return ()

    def keep_hint(self, name: str, trace: tuple[Move, ...]) -> None:
        self.data["traces"][name] = [move_to_json(m) for m in trace]
        self.changed = True

    def write(self) -> None:
        """Replace the file."""
        if self.path is not None and self.changed:
            write_whole(self.path, json.dumps(self.data, separators=(",", ":")))


def write_whole(path: Path, text: str) -> None:
    """Replace a file whole. A full or read-only disk is no error: the cache is only for speed."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, suffix=".tmp") as file:
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
