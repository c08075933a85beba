# SPDX-License-Identifier: GPL-2.0-or-later
"""certify, export, mutate: why to believe what is proved."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from verifier.commands.execute import Progress, execute, finish
from verifier.commands.options import filtering, load, make_filters, running
from verifier.errors import UsageError
from verifier.exits import Exit, worst
from verifier.output import tell, tell_error

__all__ = ["certify", "export", "mutate"]


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--verify", is_flag=True, help="check the certificates of DIR from its files alone")
@click.option("--unfolded", is_flag=True, help="fold not even constants: the files are some ten times as large")
@filtering
@running
@click.pass_context
def certify(context: click.Context, /, folder: Path, verify: bool, unfolded: bool, **given: Any) -> int:
    """Prove, and leave for each proof a certificate that another program checks; with --verify, check them again."""
    from verifier.certify.check import find_checker
    from verifier.certify.command import report_json, report_text
    from verifier.certify.verify import verify as verify_folder
    from verifier.results import exit_code

    checker = find_checker()
    codes = []
    with Progress(not given["quiet"] and sys.stderr.isatty()) as progress:
        if not verify:
            from verifier.certify.make import make, open_folder

            open_folder(folder)
            asked = dict(given)
            library, run, stopped = execute(context, make_filters(asked), asked)
            if stopped:
                return finish(run, stopped)
            for what in make(library, run, folder, given["jobs"] or os.cpu_count() or 1, not unfolded, progress):
                tell_error(f"pteproof: contradiction: {what}")
                codes.append(Exit.CONTRADICTION)
            codes.append(exit_code(run))
        report = verify_folder(folder, checker, max(given["timeout"], 300), progress)
    codes.append(Exit.CONTRADICTION if report.wrong else Exit.HOLDS)
    tell(report_json(report) if given["json_file"] == "-" else report_text(folder, report))
    return worst(codes)


@click.command()
@click.argument("identity", metavar="ID")
@click.option("--format", "form", type=click.Choice(["smtlib", "cbmc"]), default="smtlib", help="SMT-LIB 2, or C for CBMC")
@click.pass_context
def export(context: click.Context, identity: str, form: str) -> int:
    """One obligation as SMT-LIB 2 (unsat is proved), or as a C program for CBMC or a compiler."""
    from verifier.export import harness, named, script

    library = load(context)
    if form == "cbmc":
        tell(harness(library, identity), end="")
    else:
        tell(script(library, *named(library, identity)), end="")
    return Exit.HOLDS


@click.command()
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

    library = load(context)
    wanted = [v.name for v in library.wanted(Filters(given["arch"]))] if given["arch"] else [
        library.variant(name).name for name in library.archs]
    if not wanted:
        raise UsageError(f"no variant matches {', '.join(given['arch'])}")
    with Progress(not given["quiet"] and sys.stderr.isatty()) as progress:
        score = run(library, wanted, given["kind"] or KINDS, names=given["names"], sample=given["sample"] or 0,
                    jobs=given["jobs"] or os.cpu_count() or 1, state=given["state"], progress=progress)
    tell("\n".join(text(score, given["verbose"])))
    return Exit.REFUTED if score.unexplained() else Exit.HOLDS
