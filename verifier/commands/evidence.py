# SPDX-License-Identifier: GPL-2.0-or-later
"""certify, export, mutate: why to believe what is proved."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from verifier.base.columns import fold
from verifier.base.errors import UsageError
from verifier.base.exits import Exit, exit_of, worst
from verifier.base.output import one_line, open_outputs, tell, tell_error, write_outputs
from verifier.commands.execute import Progress, execute, finish
from verifier.commands.options import check_names, filtering, load, mailing, make_filters, running

if TYPE_CHECKING:
    from verifier.evidence.certify.check import Checker
    from verifier.evidence.certify.verify import Report
    from verifier.run.library import Library

__all__ = ["certify", "export", "mutate"]


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--verify", is_flag=True,
              help="prove nothing: check the certificates that DIR has, beside arch/ and specs/")
@click.option("--files-only", is_flag=True,
              help="with --verify: ask no specs, so that what the gates mean is not checked")
@click.option("--checker", type=click.Choice(["auto", "drat-trim", "dratify"]), default="auto",
              help="who checks proofs; auto is drat-trim where it is on PATH")
@click.option("--unfolded", is_flag=True,
              help="fold not even constants: the files are some ten times as large")
@filtering
@running
@click.option("--json", "json_file", metavar="FILE",
              help="write what was found of certificates as JSON; - is standard output")
@click.option("--junit", "junit_file", metavar="FILE", help="write the same as JUnit XML")
@mailing
@click.pass_context
def certify(context: click.Context, /, folder: Path, verify: bool, **given: Any) -> int:
    """Prove, and leave for each proof a certificate that another program checks; with --verify,
    check them again.
    """
    from verifier.evidence.certify.check import find_checker
    from verifier.evidence.certify.verify import verify as verify_folder
    from verifier.report.certified import certified_parts, certified_text

    _consistent(context, verify, given)
    open_outputs(_outputs(given))
    checker = find_checker(given["checker"])
    codes = []
    if verify:
        library = None if given["files_only"] else load(context)
    else:
        library, code, stopped = _make(context, folder, given, checker)
        if stopped is not None:
            write_outputs(_outputs(given), certified_parts(stopped))
            return Exit.STOPPED
        codes.append(code)
    with Progress(not given["quiet"]) as progress:
        report = verify_folder(folder, checker, library, _jobs(given), max(given["timeout"], 300),
                               progress)
    if not write_outputs(_outputs(given), certified_parts(report)):
        tell(fold(certified_text(folder, report, given["quiet"], given["verbose"])))
    codes.append(exit_of(report.words(), nothing=Exit.HOLDS))
    return Exit.STOPPED if report.stopped else worst(codes)


CHECKING = {"folder", "verify", "files_only", "checker", "jobs", "timeout", "json_file",
            "junit_file", "quiet", "verbose", "no_color"}


def _consistent(context: click.Context, verify: bool, given: dict[str, Any]) -> None:
    """UsageError for an option that would change nothing."""
    if not verify and given["files_only"]:
        raise UsageError("--files-only goes with --verify")
    if given["helpers"] != "yaml":
        raise UsageError("certificates are of arch/'s helpers: --helpers kernel has none")
    for option in context.command.params if verify else ():
        name = option.name or ""
        if (name not in CHECKING
                and context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE):
            raise UsageError(f"{option.opts[0]} has no meaning with --verify: the index of DIR "
                             "says what was asked for")


def _jobs(given: dict[str, Any]) -> int:
    found: int = given["jobs"] or os.cpu_count() or 1
    return found


def _outputs(given: dict[str, Any]) -> dict[str, str | None]:
    return {"--json": given["json_file"], "--junit": given["junit_file"]}


def _make(
    context: click.Context, folder: Path, given: dict[str, Any], checker: Checker,
) -> tuple[Library, int, Report | None]:
    """Run, and write the certificates of what was proved; the exit code.

    What has no certificate is told. A run that was stopped gives its report.
    """
    from verifier.evidence.certify.make import make, open_folder
    from verifier.evidence.certify.verify import stopped_before

    open_folder(folder)
    asked = given | dict.fromkeys(("json_file", "jsonl_file", "junit_file", "sarif_file"))
    filters = make_filters(asked)
    library, run, stopped = execute(context, filters, asked)
    code = finish(run, stopped)
    try:
        if stopped:
            raise KeyboardInterrupt
        with Progress(not given["quiet"]) as progress:
            made = make(library, run, filters, folder, _jobs(given), not given["unfolded"],
                        progress)
    except KeyboardInterrupt:
        return library, code, stopped_before(checker, library, filters, run)
    for what in made.contradictions:
        tell_error(f"pteproof: contradiction: {one_line(what)}")
    for unit, why in made.lost.items():
        tell_error(f"pteproof: {unit} has no certificate: {why}")
    return library, worst([code, exit_of(made.words(), nothing=Exit.HOLDS)]), None


@click.command()
@click.argument("identity", metavar="ID")
@click.option("--format", "form", type=click.Choice(["smtlib", "cbmc"]), default="smtlib",
              help="SMT-LIB 2, or C for CBMC")
@click.pass_context
def export(context: click.Context, identity: str, form: str) -> int:
    """One obligation as SMT-LIB 2 (unsat is proved), or as a C program for CBMC or a compiler."""
    from verifier.evidence.export import harness, named, script

    library = load(context)
    if form == "cbmc":
        tell(harness(library, identity), end="")
    else:
        tell(script(library, *named(library, identity)), end="")
    return Exit.HOLDS


@click.command()
@click.option("--arch", multiple=True, metavar="G",
              help="whose helpers and fields; default: each architecture's default variant")
@click.option("--kind", multiple=True,
              type=click.Choice(["helper", "field", "code", "requires", "patch"]),
              help="default: all; patch is what patches to the kernel do wrong")
@click.option("--name", "names", multiple=True, metavar="G",
              help="helpers, fields, TRANSITION.CODE")
@click.option("--sample", type=click.IntRange(1), default=None,
              help="so many of them, always the same")
@click.option("--jobs", type=click.IntRange(1, 256), default=None,
              help="processes; default: the cores")
@click.option("--state", type=click.Path(path_type=Path),
              help="a file that keeps judgements: a stopped run goes on from there")
@click.option(
    "--json", "json_file", metavar="FILE", help="every judgement as JSON; - is standard output"
)
@click.option("-v", "--verbose", is_flag=True, help="every mutant, also those that were noticed")
@click.option("-q", "--quiet", is_flag=True, help="no progress bar")
@mailing
@click.pass_context
def mutate(context: click.Context, /, **given: Any) -> int:
    """Plant mistakes in arch/ and specs/ and see what notices them; 1 where one survives without a
    reason, or the other way.
    """
    from verifier.evidence.mutate.command import KINDS, as_json, run, text
    from verifier.run.filters import Filters
    from verifier.run.plan import variants_of

    files = {"--json": given["json_file"]}
    open_outputs(files)
    library = load(context)
    check_names(Filters(given["arch"]), library)
    wanted = [v.name for v in variants_of(library, Filters(given["arch"]))] if given["arch"] else [
        library.variant(name).name for name in library.archs]
    with Progress(not given["quiet"]) as progress:
        score = run(library, wanted, given["kind"] or KINDS, names=given["names"],
                    sample=given["sample"] or 0,
                    jobs=given["jobs"] or os.cpu_count() or 1, state=given["state"],
                    progress=progress,
                    patched=wanted if given["arch"] else library.spec.first.patches.variants)
    if not write_outputs(files, {"--json": lambda: [json.dumps(as_json(score), indent=1)]}):
        tell(fold("\n".join(text(score, given["verbose"]))))
    return exit_of(score.words(), nothing=Exit.HOLDS)
