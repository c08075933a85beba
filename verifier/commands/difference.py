# SPDX-License-Identifier: GPL-2.0-or-later
"""difference: two sets of helpers or texts, side by side."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from verifier.base.errors import SpecError, UsageError
from verifier.base.exits import exit_of
from verifier.base.output import open_outputs, tell, write_outputs
from verifier.commands.execute import Progress
from verifier.commands.options import check_names, filtering, mailing, make_filters

if TYPE_CHECKING:
    from verifier.prove.difference import Difference
    from verifier.run.filters import Filters
    from verifier.run.library import Library

__all__ = ["difference"]

_PATH = click.Path(path_type=Path)


@click.command()
@filtering
@mailing
@click.option("--old-arch-dir", type=_PATH, metavar="DIR",
              help="the old architectures; default: the same as the new")
@click.option("--old-spec-dir", type=_PATH, metavar="DIR",
              help="the old specs; default: the same as the new")
@click.option("--old-tree", type=_PATH, metavar="DIR",
              help="the old has this kernel tree's own helpers, lifted")
@click.option(
    "--tree", type=_PATH, metavar="DIR", help="the new has this kernel tree's own helpers, lifted"
)
@click.option("--depth", type=click.IntRange(0, 40), default=8,
              help="steps of the longest trace; 0: none is looked for")
@click.option("--search-seconds", type=click.FloatRange(0), default=60.0,
              help="seconds of the search for one trace")
@click.option(
    "--json", "json_file", metavar="FILE", help="write the result as JSON; - is standard output"
)
@click.option("-q", "--quiet", is_flag=True, help="the closing line only")
@click.option("-v", "--verbose", is_flag=True, help="also what is the same")
@click.pass_context
def difference(context: click.Context, /, **given: Any) -> int:
    """Is there a state in which the old keeps a property, and the new (--arch-dir, --spec-dir,
    --tree) breaks it?
    """
    from verifier.report.differences import difference_data, difference_text

    if not any(given[name] for name in ("old_arch_dir", "old_spec_dir", "old_tree", "tree")):
        raise UsageError(
            "give what to compare with: --old-arch-dir, --old-spec-dir, --old-tree or --tree"
        )
    files = {"--json": given["json_file"]}
    open_outputs(files)
    filters = make_filters(given)
    with Progress(not given["quiet"]) as progress:
        old, new = _libraries(context, filters, given, progress)
        found = list(
            _compared(old, new, filters, given["depth"], given["search_seconds"], progress)
        )
    if not found:
        raise UsageError("nothing is left by these filters that both sides have")
    if not write_outputs(
        files, {"--json": lambda: [json.dumps(difference_data(new, found), indent=1)]}
    ):
        tell(difference_text(new, found, given["verbose"], given["quiet"]))
    return exit_of(one.word for one in found)


def _libraries(context: click.Context, filters: Filters, given: dict[str, Any],
               progress: Progress) -> tuple[Library, Library]:
    from verifier.run.library import load_library
    from verifier.run.plan import variants_of

    arch_dir, spec_dir = context.obj
    new = load_library(arch_dir, spec_dir)
    check_names(filters, new)
    old = _old_library(given["old_arch_dir"] or arch_dir, given["old_spec_dir"], spec_dir)
    for library, tree in ((old, given["old_tree"]), (new, given["tree"])):
        if tree is not None:
            from verifier.kernel.conform.session import kernel_helpers

            library.substitute = kernel_helpers(
                tree, [library.layout(v.name) for v in variants_of(library, filters)], progress
            )
    return old, new


def _old_library(arch_dir: Path | None, old: Path | None, spec_dir: Path | None) -> Library:
    """What is compared with; an error in old specs says whose they are."""
    from verifier.run.library import load_library

    if old is None:
        return load_library(arch_dir, spec_dir)
    if (old / "world.yaml").is_file() and not (old / "first.yaml").exists():
        raise UsageError(f"{old} has no first.yaml: this version does not read specs that are older"
                         " than that file; give --old-spec-dir a folder that has it")
    try:
        return load_library(arch_dir, old)
    except SpecError as error:
        raise SpecError(error.where, f"{error.message} (in --old-spec-dir {old})") from None


def _compared(
    old: Library, new: Library, filters: Filters, depth: int, seconds: float, progress: Progress
) -> Iterator[Difference]:
    """What became of each obligation, group by group."""
    from verifier.model.check import check_model
    from verifier.prove.difference import Differences, Pair
    from verifier.run.filters import matches
    from verifier.run.plan import groups_of, nothing_matches
    from verifier.search.beyond import with_trace

    groups = groups_of(new, filters)[0]
    if not groups:
        raise nothing_matches(filters, new)
    before = set(groups_of(old, filters)[0])
    for group in (g for g in groups if g in before):
        pair = Pair(old.group_model(group), new.group_model(group), group)
        for model in (pair.old, pair.new):
            check_model(model)
        differences = Differences(pair)
        for step in differences.steps():
            progress(f"{group}: {step}")
            if not matches(step, filters.transition):
                continue
            for one in differences.of(step, lambda prop: matches(prop, filters.property)):
                searched = one.word == "broken" and one.move is not None and depth > 0
                yield with_trace(pair, one, depth, seconds, new.sequences()) if searched else one

