# SPDX-License-Identifier: GPL-2.0-or-later
"""Run what proves: with a progress bar, to texts and files, and to an exit code."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from verifier.base.columns import page
from verifier.base.errors import UsageError
from verifier.base.output import (
    STDOUT,
    LineWriter,
    one_line,
    open_outputs,
    tell_error,
    write_outputs,
)
from verifier.commands.options import check_names, load

if TYPE_CHECKING:
    from verifier.prove.results import Run
    from verifier.report.stream import Stream
    from verifier.run.filters import Filters
    from verifier.run.library import Library
    from verifier.run.news import Closed, News, Watch

__all__ = ["Progress", "color", "execute", "finish", "write_files"]

# written when the run has ended
_FILES = {"--json": "json_file", "--junit": "junit_file", "--sarif": "sarif_file"}
_STREAM = {"--jsonl": "jsonl_file"}  # written while it goes on


def execute(
    context: click.Context, filters: Filters, given: dict[str, Any],
    complete: Callable[[Library, Filters], Filters] | None = None,
    told: Callable[[Library, Filters], int | None] = lambda library, filters: None,
) -> tuple[Library, Run, bool]:
    """Run, with a progress bar; the run, and whether it was stopped.

    Where `told` tells it without a run, the command ends with the exit code that it gives.
    A request to stop is heard at any time, also while files are read or a kernel is built. What was
    not decided is told then.
    """
    open_outputs({option: given[key] for option, key in (_FILES | _STREAM).items()})
    if (given["jsonl_file"] is not None
            and (given["tree"] is not None or given.get("baseline") is not None)):
        raise UsageError("--jsonl is written while the run goes on; --tree and --baseline judge "
                         "afterwards, and need --json")
    library: Library | None = None
    stream: Stream | None = None
    known: list[Run] = []
    try:
        library = load(context, _version(given))
        if complete is not None:
            filters = complete(library, filters)
        check_names(filters, library)
        if (exit_code := told(library, filters)) is not None:
            context.exit(exit_code)
        stream = _stream(library, filters, given)
        run = _execute(library, filters, given, known, stream)
        stopped = bool(run.stopped)
    except KeyboardInterrupt:
        from verifier.prove.results import Run
        from verifier.run.scheduler import nothing
        from verifier.run.task_processes import STOPPED

        if library is None:  # nobody has counted what there is to decide
            run = Run((), (), {"not_covered": [], "not_applicable": []},
                      stopped=f"{STOPPED}, while reading")
            write_files(None, run, given)
            if (stream := _stream(None, filters, given)) is not None:
                stream.end(run)
            raise
        run, stopped = (replace(known[-1], stopped=STOPPED) if known
                        else nothing(library, filters, STOPPED), True)
        stream = stream or _stream(library, filters, given)
    if stream is not None:
        stream.end(run)
    return library, run, stopped


def _version(given: dict[str, Any]) -> str | None:
    """Of which version arch/ is read: where the helpers are a tree's own, of the tree's."""
    if given["helpers"] != "kernel" or given["tree"] is None:
        return None
    from verifier.kernel.tree.tree import open_tree

    return open_tree(given["tree"]).version


def _stream(library: Library | None, filters: Filters, given: dict[str, Any]) -> Stream | None:
    """What writes --jsonl, if it is asked for."""
    if given["jsonl_file"] is None:
        return None
    from verifier.report.stream import Stream

    return Stream(LineWriter(given["jsonl_file"]), library, filters, given["inhabitants"])


def _execute(library: Library, filters: Filters, given: dict[str, Any], known: list[Run],
             stream: Stream | None) -> Run:
    """The run; what is known of it before its end is put into `known`."""
    from verifier.base.store import cache_folder
    from verifier.kernel.tree.build_store import builds
    from verifier.run.plan import variants_of
    from verifier.run.scheduler import Options, Stopped, prove

    tree: Path | None = given["tree"]
    lifted = given["helpers"] == "kernel"
    solver = "bits" if given["solver"] == "auto" else given["solver"]
    if lifted and (tree is None or solver != "bits" or given["cross"] or given["dump_smt"]):
        raise UsageError("--helpers kernel needs --tree DIR and --solver bits, without "
                         "--cross-check and --dump-smt")
    if solver in ("bitwuzla", "cvc5"):
        from verifier.engine.smt_solvers import find_package
        find_package(solver)
    if tree is not None:
        from verifier.kernel.tree.toolchain import find_toolchain
        from verifier.kernel.tree.tree import open_tree
        open_tree(tree)
        find_toolchain()  # what is missing is said before anything is proved
    options = Options(
        given["jobs"] or os.cpu_count() or 1, given["timeout"], given["depth"],
        given["search_seconds"],
        None if given["no_cache"] or lifted or given["cross"] else cache_folder(), solver,
        Path("pteproof-disagreement") if given["cross"] else None, _thorough(filters, given),
    )
    with Progress(not given["quiet"],
                  filters.whole()) as progress, builds(given["no_cache"]) as kept:
        try:
            if lifted and tree is not None:
                from verifier.kernel.conform.session import kernel_helpers
                wanted = [library.layout(v.name) for v in variants_of(library, filters)]
                library.substitute = kernel_helpers(tree, wanted, progress, kept)
            if given["dump_smt"]:
                from verifier.evidence.export import dump_smt
                dump_smt(library, filters, given["dump_smt"], progress)
            run = prove(library, filters, options, progress if stream is None
                        else _both(progress, stream))
            known.append(run)
            if tree is not None:
                from verifier.meeting.counterexamples import replay_run
                run = replay_run(library, run, tree, progress, kept)
            return run
        except Stopped as stopped:
            return stopped.run


def _both(first: Watch, second: Watch) -> Watch:
    """Who hears what a run tells, if two want to."""
    def heard(news: News) -> None:
        first(news)
        second(news)

    return heard


def _thorough(filters: Filters, given: dict[str, Any]) -> bool:
    """Should it be searched what failures lead to?

    By default, if few obligations are asked for, or a file is written.
    """
    said: bool | None = given["consequences"]
    return (said if said is not None else not filters.whole()
            or any(given[key] for key in (_FILES | _STREAM).values()))


class Progress:
    """What a run says on standard error while it goes on.

    It is a line for each theorem as it closes, and a bar on a terminal. There is nothing unless
    `told`, and no line for a single theorem, nor unless `whole` theorems are asked for.
    """

    def __init__(self, told: bool, whole: bool = False) -> None:
        self.told, self.whole = told and not page().mail, whole
        self.bar: Any = None
        self.theorems = self.closed = 0
        self.since = time.monotonic()

    def __enter__(self) -> Progress:
        if self.told and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                Progress,
                TextColumn,
                TimeRemainingColumn,
            )
            from rich.table import Column

            what = TextColumn("{task.description}",
                              table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"))
            self.bar = Progress(BarColumn(16), MofNCompleteColumn(), TextColumn("left:"),
                                TimeRemainingColumn(), what,
                                console=Console(stderr=True), transient=True, expand=True)
            self.bar.start()
            self.task = self.bar.add_task("", total=None)
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.stop()

    def __call__(self, news: News) -> None:
        from verifier.run.news import Closed, Total

        if isinstance(news, Total):
            self.theorems = news.theorems
            if self.bar is not None:
                self.bar.update(self.task, total=news.obligations)
        elif isinstance(news, Closed):
            self.closed += 1
            if self.told and self.whole and self.theorems > 1:
                self._line(news)
        elif self.bar is not None and isinstance(news, str):
            self.bar.update(self.task, description=news)
        elif self.bar is not None:
            self.bar.advance(self.task)

    def _line(self, closed: Closed) -> None:
        counts = ", ".join(f"{number} {word}" for word, number in closed.counts.items())
        line = (f"[{self.closed}/{self.theorems}, {time.monotonic() - self.since:.0f} s] "
                f"{closed.group}: {counts}")
        if self.bar is not None:
            self.bar.console.print(line, highlight=False, markup=False)
        else:
            tell_error(line)


def color(given: dict[str, Any]) -> bool:
    """Is colour wanted on standard output?"""
    return (not page().mail and sys.stdout.isatty() and not given["no_color"]
            and not os.environ.get("NO_COLOR"))


def write_files(library: Library | None, run: Run, given: dict[str, Any]) -> bool:
    """Write the machine-readable results; was one of them, or --jsonl, standard output?

    Raises OutputError where one cannot be written.
    """
    from verifier.report import forms

    return write_outputs({option: given[key] for option, key in _FILES.items()}, {
        "--json": lambda: forms.json_parts(library, run, given["inhabitants"]),
        "--junit": lambda: forms.junit_parts(library, run),
        "--sarif": lambda: forms.sarif_parts(library, run)}) or given["jsonl_file"] == STDOUT


def finish(run: Run, stopped: bool) -> int:
    """Say what went wrong with the run itself; the exit code."""
    from verifier.prove.results import exit_code

    for what in run.contradictions:
        tell_error(f"pteproof: contradiction: {one_line(what)}")
    for group, why in () if stopped else run.unfinished:
        tell_error(f"pteproof: {group} is not finished: {one_line(why)}")
    if stopped:
        tell_error(f"pteproof: {reached(run)}")
    return exit_code(run)


def reached(run: Run) -> str:
    """How far a run came that was stopped, on one line."""
    from verifier.prove.results import tally

    left = {group for group, _ in run.unfinished}
    begun = len(left & {alike.group for alike in tally(run.results)})
    rest = "the others are not counted" if run.undecided is None else f"{run.undecided} are not"
    return (f"{run.stopped}: {len(run.results)} obligations are decided, {rest}; "
            f"of {len(run.theorems)} "
            f"theorems {len(run.theorems) - len(left)} are finished, {begun} are begun, "
            f"{len(left) - begun} were not reached; "
            "the same command goes on from the proofs that the cache has")
