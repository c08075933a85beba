# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line. Only this module prints; what it needs is imported when a command needs it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from verifier import __version__
from verifier.errors import PteproofError, UsageError
from verifier.processes import stop_on_request

if TYPE_CHECKING:
    from verifier.plan import Filters, Library
    from verifier.results import Result, Run

__all__ = ["main"]

USAGE, CONTRADICTION = 2, 4
_GLOB = "a shell glob; may be given several times"


_LATER = {
    "conform": ("verifier.kernel.commands", "conform_command"),
    "laws": ("verifier.kernel.commands", "laws_command"),
}


class _Group(click.Group):
    """Commands of other modules are imported when they are asked for; errors end in one line and exit code 2."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *_LATER])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _LATER:
            return super().get_command(ctx, cmd_name)
        from importlib import import_module

        module, name = _LATER[cmd_name]
        found: click.Command = getattr(import_module(module), name)
        return found

    def main(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["standalone_mode"] = False
        stop_on_request()
        try:
            code = super().main(*args, **kwargs)
            sys.stdout.flush()
            sys.exit(code if isinstance(code, int) else 0)
        except click.exceptions.Abort:
            sys.exit(130)
        except click.ClickException as error:
            error.show()
            sys.exit(USAGE)
        except PteproofError as error:
            click.echo(f"pteproof: {error}" if isinstance(error, UsageError) else str(error), err=True)
            sys.exit(USAGE)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            sys.exit(141)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pteproof")
@click.option("--arch-dir", type=click.Path(path_type=Path), help="load architectures from here, not the shipped ones")
@click.option("--spec-dir", type=click.Path(path_type=Path), help="load specs from here, not the shipped ones")
@click.pass_context
def main(context: click.Context, arch_dir: Path | None, spec_dir: Path | None) -> None:
    """Prove what the Linux kernel's page table entries may encode, or show the values that break it."""
    context.obj = (arch_dir, spec_dir)


def _library(context: click.Context) -> Library:
    from verifier.plan import load_library

    arch_dir, spec_dir = context.obj
    return load_library(arch_dir, spec_dir)


def _check_own(context: click.Context, library: Library, arch: str) -> None:
    """A user's own architecture is checked whole, also what one value does not need."""
    if context.obj[0] is not None:
        library.layout(library.variant(arch).name).check()


def _filters(command: Callable[..., Any]) -> Callable[..., Any]:
    for name in ("property", "transition", "code", "encoding", "level", "arch"):
        command = click.option(f"--{name}", multiple=True, metavar="G", help=_GLOB)(command)
    return command


def _running(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of everything that proves."""
    options = [
        click.option("--jobs", type=click.IntRange(1, 256), default=None, help="processes; default: the cores"),
        click.option("--timeout", type=click.FloatRange(0.01), default=60.0, help="seconds for one obligation"),
        click.option("--depth", type=click.IntRange(1, 40), default=6, help="steps of the longest trace"),
        click.option("--search-seconds", type=click.FloatRange(0), default=120.0, help="seconds of one group's search"),
        click.option("--solver", type=click.Choice(["auto", "bits", "z3", "bitwuzla", "cvc5"]), default="auto",
                     help="who decides; auto is bits: folding, then SAT solvers on one and-inverter graph"),
        click.option("--cross-check", "cross", is_flag=True,
                     help="decide by bits and by z3 (or the one of --solver); uses no cache"),
        click.option("--dump-smt", "dump_smt", type=click.Path(path_type=Path), metavar="DIR",
                     help="write what is asked as SMT-LIB 2, a file for each step of each code"),
        click.option("--tree", type=click.Path(path_type=Path), help="a Linux source tree, to replay in"),
        click.option("--helpers", type=click.Choice(["yaml", "kernel"]), default="yaml",
                     help="whose helpers: those of arch/, or with --tree the kernel's own, lifted"),
        click.option("--no-cache", is_flag=True, help="neither read nor keep proofs of earlier runs"),
        click.option("--json", "json_file", metavar="FILE", help="write the result as JSON; - is standard output"),
        click.option("--junit", "junit_file", metavar="FILE", help="write the result as JUnit XML"),
        click.option("--sarif", "sarif_file", metavar="FILE", help="write the result as SARIF 2.1.0"),
        click.option("-q", "--quiet", is_flag=True, help="the closing line only"),
        click.option("-v", "--verbose", is_flag=True, help="every obligation, also the proved ones"),
        click.option("--no-color", is_flag=True, help="no colour (as with NO_COLOR)"),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _make_filters(given: dict[str, Any]) -> Filters:
    from verifier.plan import Filters

    return Filters(*(given.pop(name) for name in ("arch", "level", "encoding", "code", "transition", "property")))


def _execute(context: click.Context, filters: Filters, given: dict[str, Any]) -> tuple[Library, Run, bool]:
    """Run, with a progress bar; the run, and whether it was stopped."""
    from verifier.cache import cache_folder
    from verifier.run import Options, Stopped, prove

    library = _library(context)
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
    with _Progress(not given["quiet"] and sys.stderr.isatty()) as progress:
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


class _Progress:
    """A bar on standard error where that is a terminal, else nothing."""

    def __init__(self, shown: bool) -> None:
        self.shown = shown
        self.count = 0
        self.bar: Any = None

    def __enter__(self) -> _Progress:
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


def _color(given: dict[str, Any]) -> bool:
    return sys.stdout.isatty() and not given["no_color"] and not os.environ.get("NO_COLOR")


def _write_files(library: Library, run: Run, given: dict[str, Any]) -> bool:
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


def _finish(run: Run, stopped: bool) -> int:
    from verifier.results import exit_code

    for what in run.contradictions:
        click.echo(f"pteproof: contradiction: {what}", err=True)
    for group, why in () if stopped else run.unfinished:
        click.echo(f"pteproof: {group} is not finished: {why}", err=True)
    if stopped:
        click.echo(f"pteproof: stopped; {len(run.results)} obligations were decided until then", err=True)
        return 130
    return exit_code(run)


@main.command()
@_filters
@_running
@click.option("--unneeded", is_flag=True, help="list the assumptions that none of these proofs needs, instead of the verdicts")
@click.pass_context
def prove(context: click.Context, /, unneeded: bool, **given: Any) -> int:
    """Prove or refute the obligations that the filters let through; without filters, all."""
    from verifier import report

    if unneeded:
        return _unneeded(_library(context), _make_filters(given), given)
    told = _told(context, "prove", given)
    if told is not None:
        return told
    key = dict(given)
    library, run, stopped = _execute(context, _make_filters(given), given)
    if not _write_files(library, run, given):
        text = report.prove_text(library, run, given["quiet"], given["verbose"], _color(given))
        click.echo(text, color=True)
        _keep(context, "prove", key, text, run, stopped)
    return _finish(run, stopped)


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
    here = Path(__file__).resolve().parent
    files = [*sorted(arch.glob("*.yaml")), *sorted(specs.rglob("*.yaml")), *sorted(here.rglob("*.py"))]
    words = {name: value for name, value in given.items() if name != "jobs"}
    versions = [version(name) for name in ("z3-solver", "python-sat")]
    try:
        return Told(cache_folder(), files, command, repr(sorted(words.items())), str(arch), str(_color(given)),
                    str(get_terminal_size().columns), *versions)
    except OSError:
        return None  # a file that cannot be read is told of by who reads it


def _told(context: click.Context, command: str, given: dict[str, Any]) -> int | None:
    """Tell again what this command told on these inputs before; its exit code, or None where it did not."""
    kept = _kept(context, command, given)
    found = None if kept is None else kept.read()
    if found is None:
        return None
    text, code, at = found
    click.echo(text, color=True)
    click.echo(f"pteproof: told from the cache: on the same arch/, specs/ and program this was found on {at} "
               "(--no-cache decides it again)", err=True)
    return int(code)


def _keep(context: click.Context, command: str, given: dict[str, Any], text: str, run: Run, stopped: bool) -> None:
    """Keep what was told, if it is what would be told again."""
    from verifier.results import Unknown, exit_code

    gave_up = any(isinstance(r.verdict, Unknown) and r.verdict.reason != "not-inductive" for r in run.results)
    kept = _kept(context, command, given)
    if kept is not None and not (stopped or run.contradictions or run.unfinished or gave_up):
        kept.keep(text, exit_code(run))


def _unneeded(library: Library, filters: Filters, given: dict[str, Any]) -> int:
    from verifier.plan import nothing_matches
    from verifier.unneeded import lines, needs

    with _Progress(not given["quiet"] and sys.stderr.isatty()) as progress:
        found = needs(library, filters, progress)
    if not found.proofs:
        raise nothing_matches(filters, library)
    click.echo("\n".join(lines(found)))
    return 0


@main.command()
@_filters
@_running
@click.pass_context
def audit(context: click.Context, /, **given: Any) -> int:
    """What today's code breaks under an encoding: the work list, worst first. Default: --encoding option-c."""
    from dataclasses import replace

    from verifier import report

    told = _told(context, "audit", given)
    if told is not None:
        return told
    key = dict(given)
    filters = _make_filters(given)
    filters = replace(filters, encoding=filters.encoding or ("option-c",), code=filters.code or ("today",))
    library, run, stopped = _execute(context, filters, given)
    if not _write_files(library, run, given):
        text = report.audit_text(library, run)
        click.echo(text, color=True)
        _keep(context, "audit", key, text, run, stopped)
    return _finish(run, stopped)


@main.command()
@click.argument("identity", metavar="ID")
@click.option("--more", type=click.IntRange(1, 100), default=1, help="as many counterexamples, by more than the frame")
@_running
@click.pass_context
def explain(context: click.Context, /, identity: str, more: int, **given: Any) -> int:
    """One obligation: the claim, the verdict, the values, the trace, the replay."""
    from dataclasses import replace

    from verifier import report
    from verifier.plan import Filters

    parts = identity.split("/")
    if len(parts) != 6:
        raise UsageError(f"{identity!r} is no obligation: variant/level/encoding/transition/code/property")
    variant, level, encoding, transition, code, prop = (part.replace("[", "[[]") for part in parts)
    filters = Filters((variant,), (level,), (encoding,), (code,), (transition,), (prop,))
    library, run, stopped = _execute(context, filters, given)
    named = tuple(r for r in run.results if r.obligation.id == identity)  # an architecture may have a variant of its own name
    run = replace(run, results=named) if named and not stopped else run
    if not _write_files(library, run, given):
        for result in run.results:
            click.echo(report.explain_text(library, result, _color(given)), color=True)
            if more > 1:
                click.echo(report.more_text(library, result, more))
    return _finish(run, stopped)


@main.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--verify", is_flag=True, help="check the certificates of DIR from its files alone")
@click.option("--unfolded", is_flag=True, help="fold not even constants: the files are some ten times as large")
@_filters
@_running
@click.pass_context
def certify(context: click.Context, /, folder: Path, verify: bool, unfolded: bool, **given: Any) -> int:
    """Prove, and leave for each proof a certificate that another program checks; with --verify, check them again."""
    from verifier.certify.check import find_checker
    from verifier.certify.command import report_json, report_text
    from verifier.certify.verify import verify as verify_folder
    from verifier.results import exit_code, worst

    checker = find_checker()
    codes = []
    with _Progress(not given["quiet"] and sys.stderr.isatty()) as progress:
        if not verify:
            from verifier.certify.make import make, open_folder

            open_folder(folder)
            asked = dict(given)
            library, run, stopped = _execute(context, _make_filters(asked), asked)
            if stopped:
                return _finish(run, stopped)
            for what in make(library, run, folder, given["jobs"] or os.cpu_count() or 1, not unfolded, progress):
                click.echo(f"pteproof: contradiction: {what}", err=True)
                codes.append(CONTRADICTION)
            codes.append(exit_code(run))
        report = verify_folder(folder, checker, max(given["timeout"], 300), progress)
    codes.append(CONTRADICTION if report.wrong else 0)
    click.echo(report_json(report) if given["json_file"] == "-" else report_text(folder, report))
    return worst(codes)


@main.command()
@click.option("--arch", multiple=True, metavar="G", help="whose helpers and fields; default: each architecture's default variant")
@click.option("--kind", multiple=True, type=click.Choice(["helper", "field", "code", "requires"]), help="default: all")
@click.option("--name", "names", multiple=True, metavar="G", help="helpers, fields, TRANSITION.CODE")
@click.option("--sample", type=click.IntRange(1), default=None, help="so many of them, always the same")
@click.option("--jobs", type=click.IntRange(1, 256), default=None, help="processes; default: the cores")
@click.option("--state", type=click.Path(path_type=Path), help="a file that keeps judgements: a stopped run goes on from there")
@click.option("-v", "--verbose", is_flag=True, help="every mutant, also those that were noticed")
@click.option("-q", "--quiet", is_flag=True, help="no progress bar")
@click.pass_context
def mutate(context: click.Context, /, **given: Any) -> int:
    """Plant mistakes in arch/ and specs/ and see whether anything notices; 1 where one survives without an explanation."""
    from verifier.mutate.command import KINDS, run, text
    from verifier.plan import Filters

    library = _library(context)
    wanted = [v.name for v in library.wanted(Filters(given["arch"]))] if given["arch"] else [
        library.variant(name).name for name in library.archs]
    if not wanted:
        raise UsageError(f"no variant matches {', '.join(given['arch'])}")
    with _Progress(not given["quiet"] and sys.stderr.isatty()) as progress:
        score = run(library, wanted, given["kind"] or KINDS, names=given["names"], sample=given["sample"] or 0,
                    jobs=given["jobs"] or os.cpu_count() or 1, state=given["state"], progress=progress)
    click.echo("\n".join(text(score, given["verbose"])))
    return 1 if score.unexplained() else 0


@main.command("table")
@click.option("--arch", multiple=True, metavar="G", help=_GLOB)
@click.option("--format", "form", type=click.Choice(["text", "markdown", "json"]), default="text")
@click.option("--proofs", is_flag=True, help="the theorems too, property by property; takes minutes the first time")
@click.option("--jobs", type=click.IntRange(1, 256), default=None, help="processes of --proofs; default: the cores")
@click.option("--no-cache", is_flag=True, help="--proofs neither reads nor keeps proofs of earlier runs")
@click.option("-v", "--verbose", is_flag=True, help="also statements that hold, or fail, on all alike; lemmas, and every entry")
@click.option("-q", "--quiet", is_flag=True, help="no progress bar")
@click.pass_context
def table_command(context: click.Context, /, arch: tuple[str, ...], form: str, verbose: bool, quiet: bool, **proving: Any) -> int:
    """Which architecture does what: bits, spare bits, statements with the values that tell them apart. All is computed."""
    from verifier.cache import cache_folder
    from verifier.plan import Filters
    from verifier.run import Options, Stopped
    from verifier.table.compute import table
    from verifier.table.proofs import proofs
    from verifier.table.show import show

    library, found = _library(context), None
    wanted = [v.name for v in library.wanted(Filters(arch))]
    if not wanted:
        raise UsageError(f"no variant matches {', '.join(arch)}")
    with _Progress(not quiet and sys.stderr.isatty()) as progress:
        rows = table(library, wanted, progress)
        if proving["proofs"]:
            cache = None if proving["no_cache"] else cache_folder()
            try:
                found = proofs(library, arch, Options(proving["jobs"] or os.cpu_count() or 1, cache=cache), progress)
            except Stopped as stopped:
                return _finish(stopped.run, True)
    click.echo(show(rows, form, verbose, found))
    for what in found.contradictions if found is not None else ():
        click.echo(f"pteproof: contradiction: {what}", err=True)
    return CONTRADICTION if found is not None and found.contradictions else 0


@main.command()
@click.argument("identity", metavar="ID")
@click.option("--format", "form", type=click.Choice(["smtlib", "cbmc"]), default="smtlib", help="SMT-LIB 2, or C for CBMC")
@click.pass_context
def export(context: click.Context, identity: str, form: str) -> int:
    """One obligation as SMT-LIB 2 (unsat is proved), or as a C program for CBMC or a compiler."""
    from verifier.export import harness, named, script

    library = _library(context)
    if form == "cbmc":
        click.echo(harness(library, identity), nl=False)
    else:
        click.echo(script(library, *named(library, identity)), nl=False)
    return 0


@main.command()
@click.argument("arch")
@click.argument("values", metavar="VALUE...", nargs=-1, required=True)
@click.option("--encoding", default="option-c", help="whose reading of exclusive to show")
@click.option("--json", "as_json", is_flag=True, help="as JSON")
@click.pass_context
def decode(context: click.Context, arch: str, values: tuple[str, ...], encoding: str, as_json: bool) -> int:
    """Every field and helper of an entry value, as an oops prints it; exclusive or not."""
    from verifier import report

    library = _library(context)
    _check_own(context, library, arch)
    if encoding not in library.spec.encodings:
        from verifier.errors import nearest
        raise UsageError(f"unknown encoding {encoding!r}{nearest(encoding, library.spec.encodings)}")
    click.echo(report.decode_text(library, library.variant(arch).name, values, encoding, as_json))
    return 0


@main.command()
@click.argument("arch")
@click.argument("settings", metavar="FIELD=V...", nargs=-1, required=True)
@click.pass_context
def encode(context: click.Context, arch: str, settings: tuple[str, ...]) -> int:
    """The entry value for fields and abstract states, such as PFN=0x12345 present=1 write=0 dirty=1."""
    from verifier.encode import encode_entry

    library = _library(context)
    _check_own(context, library, arch)
    layout = library.layout(library.variant(arch).name)
    click.echo(f"{encode_entry(layout, settings):0{layout.width // 4}x}")
    return 0


_LISTS = ("archs", "variants", "transitions", "properties", "encodings", "helpers")


@main.command("list")
@click.argument("what", type=click.Choice(_LISTS))
@click.option("--arch", default=None, help="whose helpers; default: each architecture's default variant")
@click.pass_context
def list_command(context: click.Context, what: str, arch: str | None) -> int:
    """What there is."""
    from verifier import report

    click.echo(report.list_text(_library(context), what, arch))
    return 0


if __name__ == "__main__":
    main()
