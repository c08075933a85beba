# SPDX-License-Identifier: GPL-2.0-or-later
"""blocks: neighbouring entries of a folio, proved for blocks of every size."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from verifier.base.errors import UsageError, nearest
from verifier.base.exits import Exit
from verifier.base.output import tell
from verifier.commands.options import GLOB, load, mailing

if TYPE_CHECKING:
    from verifier.blocks.contpte import Contpte
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
@click.option("--contpte", is_flag=True,
              help="CONFIG_ARM64_CONTPTE alone: contiguous blocks, without batches elsewhere")
@click.option("--json", "as_json", is_flag=True, help="as JSON")
@mailing
@click.pass_context
def blocks_command(context: click.Context, arch: tuple[str, ...], encoding: tuple[str, ...],
                   code: tuple[str, ...], transition: tuple[str, ...], sizes: tuple[int, ...],
                   depth: int, traces: bool, planted: bool, cross: bool, table: bool,
                   contpte: bool, as_json: bool) -> int:
    """Batches of neighbouring entries: fork, madvise, mprotect and others on several at once; and
    on arm64 contiguous blocks.
    """
    from verifier.blocks.contpte import load_contpte
    from verifier.blocks.read import load_blocks
    from verifier.report.blocks import (
        blocks_data,
        blocks_table,
        blocks_text,
        contpte_table,
        mistakes_text,
    )

    library = load(context)
    blocks = load_blocks(library.spec_folder, library.spec)
    own = load_contpte(library.spec_folder, blocks)
    asked = _Asked(library, blocks, own, (encoding, code), transition, sizes, depth, cross)
    variants = [v for v in _variants(library, arch) if not contpte or own.on(library.layout(v))]
    if not variants:
        raise UsageError("--contpte: of what --arch names none has contiguous blocks")
    if planted:
        mistakes = asked.mistakes(variants, contpte)
        tell(mistakes_text(mistakes))
        return Exit.HOLDS if all(one.as_said for one in mistakes) else Exit.REFUTED
    if table and contpte:
        (mended,) = asked.contiguous(variants[:1], ("option-c", "option-c"))
        tell(contpte_table(own, mended, asked.left_out(variants[0])))
        return Exit.REFUTED if mended.failures else Exit.HOLDS
    if table:
        both = [asked.batches(variants[:1], ("option-c", one), 0)[0]
                for one in ("today", "option-c")]
        tell(blocks_table(blocks, *both))
        return Exit.REFUTED if both[1].failures else Exit.HOLDS
    theorems = [] if contpte else asked.batches(variants)
    theorems += asked.contiguous(variants)
    if not theorems:
        raise UsageError("no encoding has such a code of a block")
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


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked: of which blocks, under which encodings and codes, of which steps and sizes."""

    library: Library
    blocks: Blocks
    contpte: Contpte
    globs: tuple[tuple[str, ...], tuple[str, ...]]
    transitions: tuple[str, ...]
    sizes: tuple[int, ...]
    depth: int
    cross: bool

    def batches(self, variants: Sequence[str], pair: tuple[str, str] | None = None,
                depth: int | None = None) -> list[BlockTheorem]:
        """The theorems of batches of entries that stand alone."""
        return [self._theorem(self.blocks, variant, *one, None, depth) for variant in variants
                for one in self._pairs(pair) if self._any(self.blocks)]

    def contiguous(self, variants: Sequence[str], pair: tuple[str, str] | None = None
                   ) -> list[BlockTheorem]:
        """Those of contiguous blocks, where a variant has them."""
        return [self._theorem(self.contpte.as_of(one[1]), variant, *one, self.contpte.folds)
                for variant in variants if self.contpte.on(self.library.layout(variant))
                for one in self._pairs(pair) if self._any(self.contpte.blocks)]

    def _any(self, blocks: Blocks) -> bool:
        """Is a step of these asked?"""
        return not self.transitions or bool(self._steps(blocks))

    def _pairs(self, pair: tuple[str, str] | None) -> list[tuple[str, str]]:
        from verifier.run.filters import matches

        return [pair] if pair is not None else [
            (encoding.name, code) for encoding in self.blocks.spec.encodings.values()
            for code in encoding.codes
            if matches(encoding.name, self.globs[0]) and matches(code, self.globs[1])]

    def _theorem(self, blocks: Blocks, variant: str, encoding: str, code: str,
                 folds: Mapping[str, tuple[str, ...]] | None, depth: int | None = None
                 ) -> BlockTheorem:
        from verifier.blocks.run import prove_blocks

        return prove_blocks(blocks, self.library.layout(variant), blocks.spec.encodings[encoding],
                            code, self.sizes, self._steps(blocks),
                            self.depth if depth is None else depth,
                            "bitwuzla" if self.cross else "", folds)

    def _steps(self, blocks: Blocks) -> tuple[str, ...]:
        from verifier.run.filters import matches

        known, globs = blocks.spec.transitions, self.transitions
        every = {**self.blocks.spec.transitions, **self.contpte.blocks.spec.transitions}
        if globs and not any(matches(name, globs) for name in every):
            raise UsageError(f"--transition {globs[0]}: matches nothing{nearest(globs[0], every)}")
        return tuple(name for name in known if globs and matches(name, globs))

    def mistakes(self, variants: Sequence[str], contpte: bool) -> list[Mistake]:
        """What becomes of planted mistakes."""
        from verifier.blocks.run import plant, plant_helper

        steps, found = self._steps(self.blocks), []
        for variant in variants:
            layout = self.library.layout(variant)
            if not contpte:
                found += [plant(self.blocks, layout, one) for one in self.blocks.planted
                          if not self.transitions or one.transition in steps]
            elif self.contpte.on(layout):
                found += [plant_helper(self.contpte, layout, one)
                          for one in self.contpte.mistakes()]
        return found

    def left_out(self, variant: str) -> list[Mistake]:
        """Each helper that is mended, as it is today among mended ones."""
        from verifier.blocks.run import plant_helper

        return [plant_helper(self.contpte, self.library.layout(variant), one, self.depth)
                for one in self.contpte.left_out()]
