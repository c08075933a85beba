# SPDX-License-Identifier: GPL-2.0-or-later
"""Run what proves: with a progress bar, to texts and files, and to an exit code."""

from __future__ import annotations

import os
import sys
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from verifier.commands.options import load
from verifier.errors import UsageError

if TYPE_CHECKING:
    from verifier.plan import Filters, Library
    from verifier.results import Result, Run

__all__ = ["CONTRADICTION", "Progress", "color", "execute", "finish", "write_files"]

CONTRADICTION = 4


def execute(context: click.Context, filters: Filters, given: dict[str, Any]) -> tuple[Library, Run, bool]:
    """Run, with a progress bar; the run, and whether it was stopped."""
    from verifier.run import Options, Stopped, prove
    from verifier.store import cache_folder

    library = load(context)
    tree: Path | None = given["tree"]
    lifted = given["helpers"] == "kernel"
    solver = "bits" if given["solver"] == "auto" else given["solver"]
    if lifted and (tree is None or solver != "bits" or given["cross"] or given["dump_smt"]):
        raise UsageError("--helpers kernel needs --tree DIR and --solver bits, without --cross-check and --dump-smt")
    if solver in ("bitwuzla", "cvc5"):
        from verifier.smt_solvers import find_package
        find_package(solver)
    if tree is not None:
        from verifier.kernel.toolchain import find_toolchain
        from verifier.kernel.tree import open_tree
        open_tree(tree)
        find_toolchain()  # what is missing is said before anything is proved
    options = Options(
        given["jobs"] or os.cpu_count() or 1, given["timeout"], given["depth"], given["search_seconds"],
        None if given["no_cache"] or lifted or given["cross"] else cache_folder(), solver,
        Path("pteproof-disagreement") if given["cross"] else None,
    )
    with Progress(not given["quiet"] and sys.stderr.isatty()) as progress:
        try:
            if lifted and tree is not None:
                from verifier.kernel.session import kernel_helpers
                wanted = [library.layout(v.name) for v in library.wanted(filters)]
                library.substitute = kernel_helpers(tree, wanted, progress)
            if given["dump_smt"]:
                from verifier.export import dump_smt
                dump_smt(library, filters, given["dump_smt"], progress)
            run = prove(library, filters, options, progress)
            if tree is not None:
                from verifier.kernel.counterexamples import replay_run
                run = replay_run(library, run, tree, progress)
            return library, run, False
        except Stopped as stopped:
            return library, stopped.run, True


class Progress:
    """A bar on standard error where that is a terminal, else nothing."""

    def __init__(self, shown: bool) -> None:
        self.shown = shown
        self.count = 0
        self.bar: Any = None

    def __enter__(self) -> Progress:
        if self.shown:
            from rich.console import Console
            from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

            self.bar = Progress(SpinnerColumn(), TextColumn("{task.completed} obligations"), TimeElapsedColumn(),
                                TextColumn("{task.description}"), console=Console(stderr=True), transient=True)
            self.bar.start()
            self.task = self.bar.add_task("", total=None)
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.stop()

    def __call__(self, news: Result | str) -> None:
        if self.bar is None:
            return
        if isinstance(news, str):
            self.bar.update(self.task, description=news)
        else:
            self.bar.advance(self.task)


def color(given: dict[str, Any]) -> bool:
    """Is colour wanted on standard output?"""
    return sys.stdout.isatty() and not given["no_color"] and not os.environ.get("NO_COLOR")


def write_files(library: Library, run: Run, given: dict[str, Any]) -> bool:
    """Write the machine-readable results; was one of them standard output?"""
    from verifier import report

    took_stdout = False
    for key, render in (("json_file", report.json_parts), ("junit_file", report.junit_parts),
                        ("sarif_file", report.sarif_parts)):
        name = given[key]
        if name is None:
            continue
        parts = chain(render(library, run), "\n")
        if name == "-":
            for part in parts:
                click.echo(part, nl=False)
            took_stdout = True
            continue
        try:
            with open(name, "w") as file:
                file.writelines(parts)
        except OSError as error:
            raise UsageError(f"{name}: cannot be written: {error.strerror}") from error
    return took_stdout


def finish(run: Run, stopped: bool) -> int:
    """Say what went wrong with the run itself; the exit code."""
    from verifier.results import exit_code

    for what in run.contradictions:
        click.echo(f"pteproof: contradiction: {what}", err=True)
    for group, why in () if stopped else run.unfinished:
        click.echo(f"pteproof: {group} is not finished: {why}", err=True)
    if stopped:
        click.echo(f"pteproof: stopped; {len(run.results)} obligations were decided until then", err=True)
        return 130
    return exit_code(run)
