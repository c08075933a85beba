# SPDX-License-Identifier: GPL-2.0-or-later
"""What a command told is told again while arch/, specs/, hints/ and the program are the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from verifier.base.output import tell, tell_error
from verifier.commands.execute import color

if TYPE_CHECKING:
    from verifier.prove.results import Run

__all__ = ["keep", "tell_again"]


_KEY = "verifier.commands.told"  # where the context has what was keyed before anything was loaded


@dataclass(frozen=True, slots=True)
class _Inputs:
    """What a command tells from: its key, and the digests of all files of arch/, specs/ and hints/."""

    key: str
    files: Mapping[Path, str]

    def cover(self, opened: Mapping[Path, str]) -> bool:
        """Was everything that was read among the files, and as it is in the key?"""
        return all(self.files.get(path) == found for path, found in opened.items())


def _inputs(context: click.Context, command: str, given: dict[str, Any]) -> _Inputs | None:
    """What this command tells from; None where it says more than a text, or may not be kept."""
    more = ("tree", "cross", "no_cache", "json_file", "jsonl_file", "junit_file", "sarif_file", "dump_smt", "verbose", "baseline")
    if any(given.get(name) for name in more) or given["helpers"] != "yaml":
        return None
    from shutil import get_terminal_size

    from verifier.base.digests import digest, digest_files, program
    from verifier.model.arch import data_folder

    folders = [context.obj[0] or data_folder("arch"), context.obj[1] or data_folder("specs"), data_folder("hints")]
    words = {name: value for name, value in given.items() if name != "jobs"}
    try:
        files = [digest_files(folder) for folder in folders]
        key = digest(program("verifier.cli"), command, repr(sorted(words.items())), [str(f) for f in folders], files,
                     color(given), get_terminal_size().columns)
    except OSError:
        return None  # a file that cannot be read is told of by who reads it
    rows = ((folder / name, found) for folder, those in zip(folders, files, strict=True) for name, found in those.items())
    return _Inputs(key, {path.absolute(): found for path, found in rows})


def tell_again(context: click.Context, command: str, given: dict[str, Any]) -> int | None:
    """Tell again what this command told on these inputs before; its exit code, or None where it did not."""
    from verifier.base.store import cache_folder
    from verifier.run.cache import Told

    inputs = context.meta[_KEY] = _inputs(context, command, given)
    found = None if inputs is None else Told(cache_folder(), inputs.key).read()
    if found is None:
        return None
    text, code, at = found
    tell(text, painted=color(given))
    tell_error(f"pteproof: told from the cache: on the same arch/, specs/ and program this was found on {at} "
               "(--no-cache decides it again)")
    return int(code)


def keep(context: click.Context, command: str, given: dict[str, Any], text: str, run: Run, stopped: bool) -> None:
    """Keep what was told, if it is what would be told again, and nothing that it was told from has changed meanwhile."""
    from verifier.base.store import cache_folder
    from verifier.language.read_yaml import OPENED
    from verifier.prove.results import Unknown, exit_code
    from verifier.run.cache import Told

    gave_up = any(isinstance(r.verdict, Unknown) and r.verdict.reason != "not-inductive" for r in run.results)
    inputs = context.meta.get(_KEY)
    if inputs is None or stopped or run.contradictions or run.unfinished or gave_up:
        return
    if inputs.cover(OPENED) and inputs == _inputs(context, command, given):
        Told(cache_folder(), inputs.key).keep(text, exit_code(run))
