# SPDX-License-Identifier: GPL-2.0-or-later
"""two-words: what may a mixture of halves say, where an entry is read while it is stored?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from verifier.base.errors import UsageError
from verifier.base.exits import Exit
from verifier.base.output import open_outputs, tell, write_outputs
from verifier.commands.options import GLOB, load, mailing

if TYPE_CHECKING:
    from verifier.halves.judge import JudgedRead
    from verifier.halves.two_words import TwoWords
    from verifier.run.library import Library

__all__ = ["two_words_command"]


@click.command("two-words")
@click.option("--arch", multiple=True, metavar="G", help=GLOB)
@click.option("--way", multiple=True, metavar="G", help=GLOB)
@click.option("--rule", multiple=True, metavar="G", help=GLOB)
@click.option("--trace", "traces", is_flag=True, help="show the traces, one line a step")
@click.option("--json", "json_file", metavar="FILE",
              help="every claim with its verdict and trace as JSON; - is standard output")
@mailing
@click.pass_context
def two_words_command(context: click.Context, arch: tuple[str, ...], way: tuple[str, ...],
                      rule: tuple[str, ...], traces: bool, json_file: str | None) -> int:
    """Entries of two words, read by halves without the lock while they are stored by halves.

    Exit code 1 where a claim fails of what the kernel has looked at twice.
    """
    import json

    from verifier.halves.read import load_two_words
    from verifier.report.two_words import two_words_data, two_words_text

    open_outputs({"--json": json_file})
    library = load(context)
    words = load_two_words(library.spec_folder)
    found = list(_judged(library, words, arch, way, rule))
    if not found:
        raise UsageError("no variant, way or rule of specs/two-words.yaml is so called")
    if not write_outputs({"--json": json_file},
                         {"--json": lambda: [json.dumps(two_words_data(found), indent=2)]}):
        tell(two_words_text(words, found, traces))
    last = {name for name, one in words.ways.items() if one.look != "none" and not one.kind}
    return Exit.REFUTED if any(not one.holds and one.way in last for one in found) else Exit.HOLDS


def _judged(library: Library, words: TwoWords, arch: tuple[str, ...], way: tuple[str, ...],
            rule: tuple[str, ...]) -> list[JudgedRead]:
    from verifier.halves.run import judge_all
    from verifier.run.filters import matches

    def wanted(names: tuple[str, ...], globs: tuple[str, ...]) -> bool:
        return not globs or any(matches(name, globs) for name in names)

    variants = [name for name in words.layouts if wanted((name, library.variant(name).arch), arch)]
    ways = [name for name in words.ways if wanted((name,), way)]
    rules = [name for name in words.rules if wanted((name,), rule)]
    return judge_all(library, words, variants, ways, rules)
