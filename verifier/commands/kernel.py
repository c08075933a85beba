# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands that need a kernel tree, conform and laws: they print what other modules find."""

from __future__ import annotations

import fnmatch
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from verifier.base.columns import fold
from verifier.base.errors import UsageError
from verifier.base.exits import Exit
from verifier.base.output import open_outputs, tell, tell_error, write_outputs
from verifier.commands.options import mailing
from verifier.commands.told import keep, tell_again
from verifier.kernel.tree.build_store import builds
from verifier.kernel.tree.tree import find_tree, open_tree
from verifier.prove.baseline import Baseline, compare, read_baseline, said

if TYPE_CHECKING:
    from verifier.kernel.conform.session import Conformance
    from verifier.meeting.claims import BlockClaim
    from verifier.meeting.mm.judge import MmResult
    from verifier.model.arch import Layout

__all__ = ["conform_command", "laws_command"]


def _tree(given: Path | None) -> Path:
    """The tree that was given, else the one that one stands in."""
    found = given or find_tree(Path.cwd())
    if found is None:
        raise UsageError("give a kernel tree with --tree, or run this inside one")
    return found


def _progress(quiet: bool) -> Any:
    shown = not quiet and sys.stderr.isatty()
    return (lambda text: tell_error(f"... {text}")) if shown else (lambda _: None)


_OPTIONS = (
    click.option(
        "--tree",
        type=click.Path(path_type=Path),
        help="a Linux source tree; default: the one that one stands in. "
        "Its build files run as you, in a jail if bubblewrap works",
    ),
    click.option(
        "--arch", "variants", multiple=True, default=("*",),
        help="variants or architectures; a shell glob, repeatable"
    ),
    click.option(
        "--build", help="a kernel build of verifier/kernel/archs, in place of each variant's own"
    ),
    click.option("--timeout", type=float, default=60.0, help="seconds for one question"),
    click.option("--json", "json_file", metavar="FILE",
                 help="the results as JSON; - is standard output"),
    click.option("--junit", "junit_file", metavar="FILE",
                 help="the results as JUnit; - is standard output"),
    # cli.py makes them
    click.option("--bisect", is_flag=True, expose_value=False,
                 help="exit codes for git bisect run"),
    click.option("--no-cache", is_flag=True, help="build and decide anew, and keep nothing"),
    click.option(
        "--baseline",
        type=click.Path(path_type=Path),
        metavar="RESULT",
        help="the JSON of an earlier run: say what is new, and let the exit code speak of that "
             "only",
    ),
    click.option("-q", "--quiet", is_flag=True, help="only the exit code and files"),
    click.option("-v", "--verbose", is_flag=True, help="also what is equal, and what it rests on"),
)


def _against(
    before: Baseline | None, data: dict[str, Any], names: tuple[str, ...], code: int
) -> tuple[dict[str, Any], list[str], int]:
    """The results as JSON, the text, and the exit code, beside an earlier run where there is one.
    """
    if before is None or code in (Exit.WRONG_USE, Exit.CONTRADICTION, Exit.STOPPED):
        return data, [], code
    variants = {row["variant"] for row in data["results"]}

    def asked(identity: str) -> bool:
        variant, *_, name = identity.split("/")
        return variant in variants and any(fnmatch.fnmatchcase(name, glob) for glob in names)

    now = ((row["id"], this) for row in data["results"] if (this := said(row)) is not None)
    found = compare(before, now, asked)
    return {**data, "exit": found.exit_code(),
            "baseline": found.data()}, list(found.lines()), found.exit_code()


def _stopped(undecided: tuple[str, ...]) -> int:
    """Say on one line what a stopped run did not come to the end of."""
    if not undecided:
        return 0
    tell_error(f"pteproof: stopped by an interrupt or a request to end: {len(undecided)} variants "
               "have no answer, the first is "
               f"{undecided[0]}; the same command finds what was built until then in the cache")
    return Exit.STOPPED


def _asked(
    files: dict[str, str | None], tree: Path | None, names: tuple[str, ...], verbose: bool,
    **given: Any
) -> dict[str, Any]:
    """What a command is asked, as verifier.commands.told takes it.

    Other commands say more with a tree, or with --verbose; these say the same each time. So the two
    have other names here. UsageError where the tree is none.
    """
    of = None if tree is None else str(open_tree(tree).path)
    return {**given, "of": of, "names": names, "every": verbose,
            "json_file": files["--json"], "junit_file": files["--junit"]}


def _found_again(code: int, undecided: tuple[str, ...]) -> bool:
    """Would the same be found again? Not where a run was stopped, contradicts itself, or gave up a
    question for want of time or memory.
    """
    from verifier.kernel.conform.questions import GAVE_UP

    return not (undecided or GAVE_UP or code == Exit.CONTRADICTION)


def _common(command: Any) -> Any:
    for option in reversed(_OPTIONS):
        command = option(command)
    return mailing(command)


def _conformed(
    tree: Path, variants: tuple[str, ...], helpers: tuple[str, ...], build: str | None,
    timeout: float, arch_dir: Path | None, no_cache: bool, quiet: bool, atomicity: bool,
    functions: bool, blocks: bool | None,
) -> tuple[Conformance, Mapping[str, Layout], tuple[MmResult, ...], tuple[BlockClaim, ...]]:
    """What is found of helpers, with the layouts; of functions of mm/; and of blocks of entries."""
    from verifier.kernel.conform.session import conform, layouts
    from verifier.kernel.mm.read_functions import load_functions
    from verifier.meeting.claims import claim_names, claims_of_variants
    from verifier.meeting.mm.session import judge_of_variants

    progress = _progress(quiet)
    with builds(no_cache) as cache:
        report = conform(tree, variants, helpers, build=build, timeout=timeout, arch_dir=arch_dir,
                         cache=cache, progress=progress, atomicity=atomicity,
                         others=[*(sorted(load_functions()) if functions else ()),
                                 *(() if blocks is False else claim_names())])
        named = {layout.variant.name: layout
                 for layout in layouts(variants, arch_dir, report.version)}
        alone = build is not None or report.undecided  # no more is asked then
        of_mm = judge_of_variants(tree, {} if alone or not functions else named, helpers,
                                  timeout=timeout, cache=cache, progress=progress)
        of_blocks = claims_of_variants(
            tree, [] if alone or blocks is False else list(named.values()), helpers,
            every=bool(blocks), timeout=timeout, cache=cache, progress=progress)
    return report, named, of_mm, of_blocks


@click.command("conform")
@_common
@click.option("--helper", "helpers", multiple=True, default=("*",),
              help="helpers; a shell glob, repeatable")
@click.option(
    "--atomicity/--no-atomicity", default=True,
    help="compare also what helpers come to while the hardware acts; default: yes"
)
@click.option(
    "--functions/--no-functions", default=True,
    help="compare also functions of mm/ with the steps of specs/; default: yes"
)
@click.option(
    "--blocks/--no-blocks", default=None,
    help="ask also what functions do to blocks of entries; default: to arm64's contiguous ones, "
         "and not to pages of hugetlb"
)
@click.pass_context
def conform_command(
    context: click.Context, /, tree: Path | None, variants: tuple[str, ...], build: str | None,
    timeout: float,
    json_file: str | None, junit_file: str | None, no_cache: bool, quiet: bool, verbose: bool,
    helpers: tuple[str, ...],
    baseline: Path | None, atomicity: bool, functions: bool,
    blocks: bool | None,
) -> int:
    """Hold arch/ against the kernel's own C: which helpers are equal, and on which values others
    differ. Of some variants also hold the steps of specs/ against functions of mm/, and claims
    against functions that change blocks of entries.
    """
    from verifier.kernel.conform.report import as_json, as_junit, as_text
    from verifier.kernel.conform.session import exit_code
    from verifier.meeting.claims import claim_cases, claim_lines, claim_rows
    from verifier.meeting.mm.report import function_cases, function_lines, function_rows
    from verifier.meeting.mm.session import verdict_words

    files = {"--json": json_file, "--junit": junit_file}
    open_outputs(files)
    tree = _tree(tree)
    key = _asked(files, tree, helpers, verbose, variants=variants, build=build, timeout=timeout,
                 atomicity=atomicity, functions=functions, blocks=blocks, baseline=baseline,
                 quiet=quiet, no_cache=no_cache)
    told = tell_again(context, "conform", key, silently=quiet)
    if told is not None:
        return told
    arch_dir = context.obj[0] if context.obj else None
    before = read_baseline(baseline, "pteproof.conform/1") if baseline else None
    report, named, of_mm, of_blocks = _conformed(
        tree, variants, helpers, build, timeout, arch_dir, no_cache, quiet, atomicity, functions,
        blocks)
    code = _stopped(report.undecided) or exit_code(
        report.results, [*verdict_words(of_mm), *(one.result.verdict for one in of_blocks)])
    data = as_json(report)
    data |= {"exit": code,
             "results": [*data["results"], *function_rows(of_mm), *claim_rows(of_blocks)]}
    data, against, code = _against(before, data, helpers, code)
    took = write_outputs(files, {
        "--json": lambda: [json.dumps(data, indent=2)],
        "--junit": lambda: [as_junit(
            report, [*function_cases(of_mm), *claim_cases(of_blocks)])],
    })
    text = ""
    if not quiet and not took:
        text = fold("\n".join([as_text(report, named, verbose),
                               *function_lines(of_mm, named, verbose),
                               *claim_lines(of_blocks, verbose), *against]))
        tell(text)
    if _found_again(code, report.undecided):
        keep(context, "conform", key, text, code)
    return code


@click.command("laws")
@_common
@click.option("--law", "names", multiple=True, default=("*",),
              help="laws; a shell glob, repeatable")
@click.option("--helpers", "source", type=click.Choice(["kernel", "yaml"]), default="kernel",
              help="whose helpers")
@click.pass_context
def laws_command(
    context: click.Context, /, tree: Path | None, variants: tuple[str, ...], build: str | None,
    timeout: float,
    json_file: str | None, junit_file: str | None, no_cache: bool, quiet: bool, verbose: bool,
    names: tuple[str, ...],
    source: str,
    baseline: Path | None,
) -> int:
    """The kernel's own laws of entries, for all values: which hold, and on which values others do
    not.
    """
    from verifier.kernel.conform.laws import judge_laws, laws_json, laws_junit, laws_text

    files = {"--json": json_file, "--junit": junit_file}
    open_outputs(files)
    tree = _tree(tree) if source == "kernel" else None
    key = _asked(files, tree, names, verbose, variants=variants, build=build, timeout=timeout,
                 baseline=baseline, quiet=quiet, no_cache=no_cache)
    told = tell_again(context, "laws", key, silently=quiet)
    if told is not None:
        return told
    arch_dir = context.obj[0] if context.obj else None
    before = read_baseline(baseline, "pteproof.laws/1") if baseline else None
    with builds(no_cache) as cache:
        found = judge_laws(tree, variants, names,
                           build=build, timeout=timeout,
                           arch_dir=arch_dir, cache=cache, progress=_progress(quiet))
    _stopped(found.undecided)
    data, against, code = _against(before, laws_json(found), names, found.exit_code)
    took = write_outputs(files, {"--json": lambda: [json.dumps(data, indent=2)],
                                 "--junit": lambda: [laws_junit(found)]})
    text = ""
    if not quiet and not took:
        text = fold("\n".join([laws_text(found, verbose), *against]))
        tell(text)
    if _found_again(code, found.undecided):
        keep(context, "laws", key, text, code)
    return code
