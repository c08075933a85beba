# SPDX-License-Identifier: GPL-2.0-or-later
"""check-patch: does a patch to the kernel keep what held, and what does it change?

What a patch cannot touch is found out by the paths of its files alone, with nothing else loaded.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from verifier.base.errors import UsageError, match_all, nearest
from verifier.base.output import open_outputs, tell, tell_error, write_outputs
from verifier.commands.options import load, mailing

if TYPE_CHECKING:
    from verifier.kernel.tree.tree import Tree
    from verifier.patches.lifting import PatchLifter
    from verifier.patches.outcome import SeriesOutcome
    from verifier.patches.patch import Series
    from verifier.prove.difference import Difference
    from verifier.run.library import Library

__all__ = ["check_patch_command"]

_VALUES = ("  reached from", "  the new:", "  for ")  # where the values of an obligation begin


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked of a series: of which tree, for which variants, and how long traces may be."""

    tree: Path | None
    arch: tuple[str, ...]
    theorem: str | None
    depth: int


_FILES = {"json": "the result as JSON", "junit": "the result as JUnit XML",
          "sarif": "what is broken or not known as SARIF 2.1.0", "ktap": "the result as KTAP"}


def _filing(command: Callable[..., int]) -> Callable[..., int]:
    for name, what in reversed(_FILES.items()):
        command = click.option(f"--{name}", f"{name}_file", metavar="FILE",
                               help=f"write {what}; - is standard output")(command)
    return command


@click.command("check-patch")
@click.argument("patches", nargs=-1, metavar="[PATCH|RANGE|-]...")
@click.option("--tree", type=click.Path(path_type=Path),
              help="the Linux source tree that it is for, which is only read; default: the one that"
                   " one stands in")
@mailing
@_filing
@click.option("--arch", multiple=True, metavar="G",
              help="variants whose helpers are compiled: shell globs; default: those of the "
                   "architectures that are touched, and the first two for a header of all")
@click.option("--theorem", metavar="ENCODING/CODE",
              help="whose obligations helpers are judged by, and whose code and properties "
                   "functions of mm/; default: page-flag/today")
@click.option("--depth", type=click.IntRange(0, 40), default=8, show_default=True,
              help="steps of the longest trace of what is broken; 0: none is looked for")
@click.option("--b4", "for_b4", is_flag=True,
              help="one patch, by default on standard input; the JSON array that b4 asks for on "
                   "standard output")
@click.option("--format", "form", type=click.Choice(("text", "checkpatch")), default="text",
              help="checkpatch: a line for each finding, file:line: ERROR: text")
@click.option("--all-broken", is_flag=True, help="also list what failed before a patch")
@click.option("-q", "--quiet", is_flag=True, help="only the exit code and files")
@click.option("-v", "--verbose", is_flag=True, help="also what is unchanged")
@click.pass_context
def check_patch_command(
    context: click.Context, /, patches: tuple[str, ...], tree: Path | None, arch: tuple[str, ...],
    theorem: str | None, depth: int, for_b4: bool, form: str, all_broken: bool, quiet: bool,
    verbose: bool, **files: str | None,
) -> int:
    """Check what patches change of the kernel's page table entries, and whether they keep what
    held.

    A PATCH is a diff, a mail, or a mailbox with a series; - is standard input. A RANGE is a range
    of commits of the tree's git repository, such as HEAD~3.., or one commit.

    Nothing of a patch is run, and the tree stays as it is. Exit code 1 where something is broken, 3
    where something is touched that is not known.
    """
    from verifier.patches.read import read_series

    outputs = {f"--{name}": files[f"{name}_file"] for name in _FILES}
    outputs["--b4"] = "-" if for_b4 else None
    open_outputs(outputs)
    words = patches or (("-",) if for_b4 or not sys.stdin.isatty() else ())
    if not words:
        raise UsageError("give a patch, a range of commits as HEAD~3.., or - for standard input")
    series = read_series(words, lambda: _folder(tree))
    if for_b4 and len(series.patches) != 1:
        raise UsageError(f"--b4 takes one patch, and here are {len(series.patches)}")
    found = _found(context, series, _Question(tree, arch, theorem, depth), quiet or for_b4)
    if not _write(outputs, found, all_broken) and not quiet:
        _tell(found, _reproducing(words, arch, theorem), form, all_broken, verbose)
    from verifier.patches.outcome import exit_of_series

    return exit_of_series(found.patches)


def _reproducing(
    words: Sequence[str], arch: Sequence[str], theorem: str | None,
) -> list[str]:
    """The words of a command line that finds the same; files without their folders."""
    options = [word for name in arch for word in ("--arch", name)]
    options += ["--theorem", theorem] if theorem is not None else []
    return [*options, *(os.path.basename(word) if os.path.exists(word) else word for word in words)]


def _folder(tree: Path | None) -> Path:
    """The tree that was given, else the folder that one stands in, or the tree around it."""
    if tree is not None:
        return tree
    from verifier.kernel.tree.tree import find_tree

    return find_tree(Path.cwd()) or Path.cwd()


def _found(
    context: click.Context, series: Series, asked: _Question, quiet: bool,
) -> SeriesOutcome:
    from verifier.patches.scope import untouched

    nothing = untouched(series)
    if nothing is not None:
        return nothing
    from verifier.kernel.tree.tree import find_tree, open_tree
    from verifier.meeting.sites import load_claims
    from verifier.patches.check import check_series

    where = asked.tree or find_tree(Path.cwd())
    if where is None:
        raise UsageError("give a kernel tree with --tree, or run this inside one")
    opened = open_tree(where)
    library = load(context)
    shown = not quiet and sys.stderr.isatty()
    watch = (lambda text: tell_error(f"... {text}")) if shown else (lambda _: None)
    return check_series(series, opened, load_claims(library.spec_folder, library.catalogue),
                        _lifter(opened, library, asked, watch), watch)


def _lifter(
    tree: Tree, library: Library, asked: _Question, watch: Callable[[str], None],
) -> PatchLifter:
    """Whoever lifts the kernel's code, for the variants that are asked for."""
    from verifier.meeting.patched_helpers import PatchQuestion
    from verifier.patches.lifting import PatchLifter, Variants
    from verifier.report.differences import difference_data, difference_text

    def show(found: Difference) -> tuple[str, Mapping[str, Any]]:
        """The lines with an obligation's values, and its record of JSON."""
        lines = difference_text(library, [found], False, False).splitlines()[:-2]
        start = next((i for i, line in enumerate(lines) if line.startswith(_VALUES)), len(lines))
        return "\n".join(lines[start:]), difference_data(library, [found])["results"][0]

    every = tuple(variant.name for variant in library.variants())
    first = library.spec.first
    match_all("variant", asked.arch, [*every, *library.archs])
    theorem = _theorem(library, asked.theorem)
    return PatchLifter(
        tree.path, Variants(every, first.prove.variants, asked.arch),
        PatchQuestion(theorems=(theorem,), depth=asked.depth),
        tuple(dict.fromkeys((theorem, first.compared_with, *first.prove.theorems))),
        library.layout, show,
        {p.name: p.claim for p in library.spec.properties.values()},
        {t.name: t.site for t in library.spec.transitions.values()}, watch)


def _theorem(library: Library, named: str | None) -> tuple[str, str]:
    """The encoding and the code that are named, else those of what Linux has now."""
    if named is None:
        return library.spec.first.compared_with
    known = {f"{encoding.name}/{code}": (encoding.name, code)
             for encoding in library.spec.encodings.values() for code in encoding.codes}
    if named not in known:
        raise UsageError(f"no theorem {named}{nearest(named, known)}")
    return known[named]


def _write(outputs: dict[str, str | None], found: SeriesOutcome, all_broken: bool) -> bool:
    """Write the files that are asked for; was one of them standard output?"""
    def data() -> list[str]:
        from verifier.report.patch_data import series_data

        return [json.dumps(series_data(found, all_broken), indent=1)]

    def b4() -> list[str]:
        from verifier.report.patch_data import b4_data

        return [json.dumps(b4_data(found.patches[0], all_broken), indent=1)]

    def junit() -> list[str]:
        from verifier.report.patch_machines import patches_junit

        return [patches_junit(found, all_broken)]

    def sarif() -> list[str]:
        from verifier.report.patch_machines import patches_sarif

        return [json.dumps(patches_sarif(found, all_broken), indent=1)]

    def ktap() -> list[str]:
        from verifier.report.patch_ktap import ktap_text

        return [ktap_text(found, all_broken)]

    return write_outputs(outputs, {"--json": data, "--junit": junit, "--sarif": sarif,
                                   "--ktap": ktap, "--b4": b4})


def _tell(
    found: SeriesOutcome, words: Sequence[str], form: str, all_broken: bool, verbose: bool,
) -> None:
    from verifier.base.columns import page

    if form == "checkpatch":
        from verifier.report.patch_ktap import checkpatch_text

        text = checkpatch_text(found, all_broken)
        if text:
            tell(text)
    elif page().mail:
        from verifier.report.patch_text import mail_text

        tell(mail_text(found, words, all_broken))
    else:
        from verifier.report.patch_text import series_text

        tell(series_text(found, all_broken, verbose))
