# SPDX-License-Identifier: GPL-2.0-or-later
"""What a command told is told again while arch/, specs/ and the program are the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from verifier.commands.execute import color
from verifier.output import tell, tell_error

if TYPE_CHECKING:
    from verifier.results import Run

__all__ = ["keep", "tell_again"]


def _kept(context: click.Context, command: str, given: dict[str, Any]) -> Any:
    """Where the output of this command on these inputs is kept; None where it says more than a text, or may not be kept."""
    more = ("tree", "cross", "no_cache", "json_file", "junit_file", "sarif_file", "dump_smt", "verbose")
    if any(given[name] for name in more) or given["helpers"] != "yaml":
        return None
    from importlib.metadata import version
    from shutil import get_terminal_size

    from verifier.arch import data_folder
    from verifier.cache import Told, cache_folder

    arch, specs = context.obj[0] or data_folder("arch"), context.obj[1] or data_folder("specs")
    here = Path(__file__).resolve().parent.parent  # the whole program
    files = [*sorted(arch.glob("*.yaml")), *sorted(specs.rglob("*.yaml")), *sorted(here.rglob("*.py"))]
    words = {name: value for name, value in given.items() if name != "jobs"}
    versions = [version(name) for name in ("z3-solver", "python-sat")]
    try:
        return Told(cache_folder(), files, command, repr(sorted(words.items())), str(arch), str(color(given)),
                    str(get_terminal_size().columns), *versions)
    except OSError:
        return None  # a file that cannot be read is told of by who reads it


def tell_again(context: click.Context, command: str, given: dict[str, Any]) -> int | None:
    """Tell again what this command told on these inputs before; its exit code, or None where it did not."""
    kept = _kept(context, command, given)
    found = None if kept is None else kept.read()
    if found is None:
        return None
    text, code, at = found
    tell(text, painted=color(given))
    tell_error(f"pteproof: told from the cache: on the same arch/, specs/ and program this was found on {at} "
               "(--no-cache decides it again)")
    return int(code)


def keep(context: click.Context, command: str, given: dict[str, Any], text: str, run: Run, stopped: bool) -> None:
    """Keep what was told, if it is what would be told again."""
    from verifier.results import Unknown, exit_code

    gave_up = any(isinstance(r.verdict, Unknown) and r.verdict.reason != "not-inductive" for r in run.results)
    kept = _kept(context, command, given)
    if kept is not None and not (stopped or run.contradictions or run.unfinished or gave_up):
        kept.keep(text, exit_code(run))
