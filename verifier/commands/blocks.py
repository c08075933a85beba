# SPDX-License-Identifier: GPL-2.0-or-later
"""blocks: neighbouring entries of a folio, proved for blocks of every size."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from verifier.base.errors import UsageError, nearest
from verifier.base.exits import Exit
from verifier.base.output import tell
from verifier.commands.options import GLOB, load, mailing

if TYPE_CHECKING:
    from verifier.blocks.read import Blocks
    from verifier.blocks.run import BlockTheorem, Mistake
    from verifier.run.library import Library

__all__ = ["blocks_command"]


@click.command("blocks")
@click.option("--arch", multiple=True, metavar="G", help=GLOB)
@click.option("--encoding", multiple=True, metavar="G", help=GLOB)
@click.option("--code", multiple=True, metavar="G", help=GLOB)
@click.option("--transition", multiple=True, metavar="G", help=GLOB)
@click.option("--size", "sizes", multiple=True, type=click.IntRange(1, 64),
              help="of the block; default: all that stand for every size")
@click.option("--depth", type=click.IntRange(0, 12), default=6, show_default=True,
              help="steps of the longest trace; 0: search for none")
@click.option("--trace", "traces", is_flag=True, help="show the traces, one line a step")
@click.option("--planted", is_flag=True,
              help="plant the mistakes of specs/blocks/, and see that each is noticed")
@click.option("--cross-check", "cross", is_flag=True,
              help="decide by bits and by bitwuzla, which have to agree")
@click.option("--table", is_flag=True,
              help="option C with today's code and as mended, side by side")
@click.option("--json", "as_json", is_flag=True, help="as JSON")
@mailing
@click.pass_context
def blocks_command(context: click.Context, arch: tuple[str, ...], encoding: tuple[str, ...],
                   code: tuple[str, ...], transition: tuple[str, ...], sizes: tuple[int, ...],
                   depth: int, traces: bool, planted: bool, cross: bool, table: bool,
                   as_json: bool) -> int:
    """Batches of neighbouring entries: fork, madvise, mprotect and others on several at once."""
    from verifier.blocks.read import load_blocks
    from verifier.report.blocks import (
        blocks_data,
        blocks_table,
        blocks_text,
        mistakes_text,
    )

    library = load(context)
    blocks = load_blocks(library.spec_folder, library.spec)
    variants = _variants(library, arch)
    steps = _steps(blocks, transition)
    if planted:
        mistakes = _mistakes(library, blocks, variants, steps)
        tell(mistakes_text(mistakes))
        return Exit.HOLDS if all(one.as_said for one in mistakes) else Exit.REFUTED
    if table:
        both = _theorems(library, blocks, variants[:1], (("option-c",), ("today", "option-c")), (),
                         sizes, 0, cross)
        tell(blocks_table(blocks, *both))
        return Exit.REFUTED if both[1].failures else Exit.HOLDS
    theorems = _theorems(library, blocks, variants, (encoding, code), steps, sizes, depth, cross)
    tell(json.dumps(blocks_data(theorems), indent=1) if as_json
         else blocks_text(blocks, theorems, traces))
    if any(one.refuted for one in theorems):
        return Exit.REFUTED
    return Exit.OPEN if any(one.failures or one.idle for one in theorems) else Exit.HOLDS


def _variants(library: Library, globs: tuple[str, ...]) -> list[str]:
    """The variants that are asked for and have large folios; the first one where none is named."""
    from verifier.run.filters import Filters
    from verifier.run.plan import nothing_matches, variants_of

    asked = Filters(arch=globs or library.spec.first.prove.variants[:1])
    found = [v.name for v in variants_of(library, asked)
             if not v.unproved and "huge_pmd" not in v.absent]
    if not found:
        raise nothing_matches(asked, library)
    return found


def _steps(blocks: Blocks, globs: tuple[str, ...]) -> tuple[str, ...]:
    from verifier.run.filters import matches

    known = blocks.spec.transitions
    found = tuple(name for name in known if globs and matches(name, globs))
    if globs and not found:
        raise UsageError(f"--transition {globs[0]}: matches nothing{nearest(globs[0], known)}")
    return found


def _theorems(library: Library, blocks: Blocks, variants: list[str],
              globs: tuple[tuple[str, ...], tuple[str, ...]], steps: tuple[str, ...],
              sizes: tuple[int, ...], depth: int, cross: bool) -> list[BlockTheorem]:
    from verifier.blocks.run import prove_blocks
    from verifier.run.filters import matches

    pairs = [(encoding, code) for encoding in blocks.spec.encodings.values()
             for code in encoding.codes if matches(encoding.name, globs[0])
             and matches(code, globs[1])]
    if not pairs:
        raise UsageError("no encoding has such a code of a block")
    return [prove_blocks(blocks, library.layout(variant), encoding, code, sizes, steps, depth,
                         "bitwuzla" if cross else "")
            for variant in variants for encoding, code in pairs]


def _mistakes(library: Library, blocks: Blocks, variants: list[str], steps: tuple[str, ...]
              ) -> list[Mistake]:
    from verifier.blocks.run import plant

    return [plant(blocks, library.layout(variant), one) for variant in variants
            for one in blocks.planted if not steps or one.transition in steps]
