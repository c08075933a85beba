# SPDX-License-Identifier: GPL-2.0-or-later
"""What a command told is told again while arch/, specs/, hints/, the program, and the kernel trees
that it has built are the same.

Where a file of arch/ or specs/ has changed, `prove` loads them and tells again what it told of the
same data (verifier/run/grounds.py): a comment, another architecture, another encoding or a step of
another level takes nothing away.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from verifier.base.columns import page
from verifier.base.data import data_folder
from verifier.base.output import tell, tell_error
from verifier.base.store import cache_folder, read_sealed, write_sealed
from verifier.commands.execute import color

if TYPE_CHECKING:
    from verifier.run.filters import Filters
    from verifier.run.library import Library

__all__ = ["Told", "keep", "tell_again", "tell_of_the_same"]


_KEY = "verifier.commands.told"  # where the context has what was keyed before anything was loaded
_DATA = "verifier.commands.told: data"  # where it has the key of what was loaded
_MORE = (  # where one of these is given, a command says more than a text
    "tree", "cross", "no_cache", "json_file", "jsonl_file", "junit_file", "sarif_file", "dump_smt",
    "verbose", "baseline")
_IDLE = ("jobs", "no_cache")  # options that change nothing of what is told


class Told:
    """What a whole command told, under a digest of all that it was told from: one file for each set
    of inputs.

    Only what would be told again is kept: no run that was stopped, gave up for want of time or
    memory, or contradicted itself.
    """

    def __init__(self, folder: Path | None, key: str) -> None:
        self.path = None if folder is None else folder / "told" / f"{key[:32]}.json"

    def read(self) -> tuple[str, int, str, str] | None:
        """The text, the exit code, on what that was found, and when.

        None where it was never told, a tree has changed, or the file is not as it was written.
        """
        match read_sealed(self.path):
            case {"text": str(text), "exit": int(code), "at": str(at), "facts": list(facts)}:
                what = "arch/, specs/ and program"
                if facts:
                    from verifier.kernel.tree.facts import all_hold

                    if not all_hold([tuple(fact) for fact in facts]):
                        return None
                    what = f"tree, {what}"
                return text, code, what, at
        return None

    def keep(self, text: str, code: int, at: str = "") -> None:
        """Keep it, as found at that time or now; a folder that cannot be written is no error."""
        if self.path is not None:
            data = {"text": text, "exit": code, "at": at or time.strftime("%Y-%m-%d %H:%M:%S"),
                    "facts": _facts()}
            write_sealed(self.path, data)


def _facts() -> list[Sequence[str]]:
    """What this process has used of kernel trees."""
    store = sys.modules.get("verifier.kernel.tree.build_store")  # whoever builds has loaded it
    return [] if store is None else sorted(store.USED)


@dataclass(frozen=True, slots=True)
class _Inputs:
    """What a command tells from: its key, and the digests of all files of arch/, specs/, hints/ and
    of the program's own data.

    rest  the key but for the files of arch/ and specs/
    """

    key: str
    rest: str
    files: Mapping[Path, str]

    def cover(self, opened: Mapping[Path, str]) -> bool:
        """Was everything that was read among the files, and as it is in the key?"""
        return all(self.files.get(path) == found for path, found in opened.items())


def _inputs(context: click.Context, command: str, given: dict[str, Any]) -> _Inputs | None:
    """What this command tells from; None where it says more than a text, or may not be kept."""
    if any(given.get(name) for name in _MORE) or given.get("helpers", "yaml") != "yaml":
        return None
    from verifier.base.digests import PACKAGE, digest, digest_files, program

    arch_dir, spec_dir = context.obj or (None, None)
    folders = [arch_dir or data_folder("arch"), spec_dir or data_folder("specs"),
               data_folder("hints"), PACKAGE]
    words = {name: value for name, value in given.items() if name not in _IDLE}
    try:
        files = [digest_files(folder) for folder in folders]
        rest = digest(program("verifier.cli"), command, repr(sorted(words.items())),
                      [str(f) for f in folders], files[2:], _painted(given), repr(page()))
    except OSError:
        return None  # a file that cannot be read is told of by who reads it
    rows = ((folder / name, found) for folder, those in zip(folders, files, strict=True)
            for name, found in those.items())
    return _Inputs(digest(rest, files), rest, {path.absolute(): found for path, found in rows})


def _painted(given: dict[str, Any]) -> bool:
    return "no_color" in given and color(given)


def tell_again(context: click.Context, command: str, given: dict[str, Any],
               silently: bool = False) -> int | None:
    """Tell again what this command told on the same inputs; its exit code, or None."""
    inputs = context.meta[_KEY] = _inputs(context, command, given)
    return None if inputs is None else _tell(inputs.key, given, silently)


def _tell(key: str, given: dict[str, Any], silently: bool = False, also: str = "",
          same: str = "") -> int | None:
    """Tell what is kept under this key, and keep it under another as well; its exit code, or None.

    `same` says what is as it was, where it is not what the entry says.
    """
    found = Told(cache_folder(), key).read()
    if found is None:
        return None
    text, code, what, at = found
    if also:
        Told(cache_folder(), also).keep(text, code, at)
    if text:
        tell(text, painted=_painted(given))
    if not silently:
        tell_error(f"pteproof: told from the cache: on the same {same or what} this was found on "
                   f"{at} (--no-cache decides it again)")
    return code


def tell_of_the_same(context: click.Context, given: dict[str, Any], library: Library,
                     filters: Filters) -> int | None:
    """Tell again what `prove` told of whole theorems on the same data; its exit code, or None.

    The text of less than that quotes lines of files, which are no data.
    """
    inputs = context.meta.get(_KEY)
    if inputs is None or not filters.whole():
        return None
    from verifier.base.digests import digest
    from verifier.language.read_yaml import OPENED
    from verifier.run.grounds import of_theorems

    key = context.meta[_DATA] = digest(inputs.rest, of_theorems(library, filters))
    return _tell(key, given, also=inputs.key if inputs.cover(OPENED) else "",
                 same="data and program")


def keep(context: click.Context, command: str, given: dict[str, Any], text: str, code: int) -> None:
    """Keep what was told, if the same command would tell it again, and its inputs are unchanged."""
    from verifier.language.read_yaml import OPENED

    inputs = context.meta.get(_KEY)
    if inputs is not None and inputs.cover(OPENED) and inputs == _inputs(context, command, given):
        for key in (inputs.key, context.meta.get(_DATA)):
            if key is not None:
                Told(cache_folder(), key).keep(text, code)
