# SPDX-License-Identifier: GPL-2.0-or-later
"""sites: every place of a kernel tree that uses a helper of entries, and what models it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from verifier.base.errors import UsageError
from verifier.base.exits import Exit, exit_of
from verifier.base.output import open_outputs, tell, write_outputs
from verifier.commands.options import load

if TYPE_CHECKING:
    from verifier.meeting.site_changes import Use

__all__ = ["sites_command"]


@click.command("sites")
@click.option(
    "--tree",
    type=click.Path(path_type=Path),
    help="a Linux source tree, which is read and never run; default: the one that one stands in",
)
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="what --keep wrote of another kernel: say what moved, changed, came and went; "
    "default: what is shipped of 6.12, on another version",
)
@click.option(
    "--keep",
    "keep_file",
    metavar="FILE",
    help="write the uses, a line each, for a later --baseline",
)
@click.option("--json", "json_file", metavar="FILE", help="every use as JSON; - is standard output")
@click.option("-v", "--verbose", is_flag=True, help="every use, with what models it")
@click.pass_context
def sites_command(
    context: click.Context,
    tree: Path | None,
    baseline: Path | None,
    keep_file: str | None,
    json_file: str | None,
    verbose: bool,
) -> int:
    """Find every use of a helper of entries, and what models it.

    Looked for are helpers of dirty, write, soft-dirty, uffd-wp and exclusive marks, and those that
    replace entries.

    Exit code 3 where a use is in a function that nobody has looked at, or was not understood.
    """
    import json

    from verifier.kernel.sites.scan import scan_tree
    from verifier.kernel.tree.tree import find_tree, open_tree
    from verifier.meeting.site_changes import Use, compare_uses, write_uses
    from verifier.meeting.sites import judge, load_claims
    from verifier.report.site_list import sites_data, sites_text

    files = {"--json": json_file, "--keep": keep_file}
    open_outputs(files)
    where = tree or find_tree(Path.cwd())
    if where is None:
        raise UsageError("give a kernel tree with --tree, or run this inside one")
    opened = open_tree(where)
    library = load(context)
    claims = load_claims(library.spec_folder, library.catalogue)
    before = _baseline(baseline, opened.version)
    sites = list(judge(claims, scan_tree(opened.path, claims.wanted)))
    if not sites:
        raise UsageError(f"{opened.path}: no use of any helper; is this a whole tree?")
    uses = [Use(s.use.file, s.use.function, s.use.helper, s.use.digest) for s in sites]
    changes = (before[0], compare_uses(before[1], uses)) if before else None
    gone = claims.gone(sites)
    took = write_outputs(
        files,
        {
            "--json": lambda: [
                json.dumps(sites_data(opened.version, sites, gone, changes), indent=2)
            ],
            "--keep": lambda: [write_uses(opened.version, uses)],
        },
    )
    if not took:
        tell(sites_text(opened.version, sites, gone, changes, verbose))
    return exit_of((site.status for site in sites), nothing=Exit.HOLDS)


def _baseline(given: Path | None, version: str) -> tuple[str, list[Use]] | None:
    """What the uses are compared with: the file that was given, else the shipped one.

    None where the tree is of the version that the shipped one is of.
    """
    from verifier.base.data import data_folder
    from verifier.meeting.site_changes import read_uses

    if given is not None:
        return read_uses(given)
    shipped = data_folder("hints") / "sites.tsv"
    if not shipped.is_file():
        return None
    found = read_uses(shipped)
    return found if found[0].split(".")[:2] != version.split(".")[:2] else None
