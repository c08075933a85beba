# SPDX-License-Identifier: GPL-2.0-or-later
"""Theorems about blocks: every step of a code at each size up to the cut-off, and so at all."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from verifier.blocks.contpte import CONTPTE, Contpte, HelperMistake
from verifier.blocks.cut_off import cut_off, cut_off_of
from verifier.blocks.model import BlockModel, check_blocks
from verifier.blocks.premises import frame_alone
from verifier.blocks.prove import INIT, agreed, decide
from verifier.blocks.read import LEVEL, Blocks, Planted
from verifier.blocks.search import BlockMove, find
from verifier.model.arch import Layout
from verifier.model.spec import Encoding

__all__ = ["BlockFailure", "BlockTheorem", "Mistake", "plant", "plant_helper", "prove_blocks"]

SMALL = 3  # sizes of contiguous blocks that are asked for what breaks in them


@dataclass(frozen=True, slots=True)
class BlockFailure:
    """A step that breaks a property: in how small a block, and how that is reached.

    trace  steps from an empty space, or none where none was found
    """

    step: str
    property: str
    smallest: int
    trace: tuple[BlockMove, ...] = ()
    searched: int = 0


@dataclass(slots=True)
class BlockTheorem:
    """A code under an encoding on a variant: what its steps keep, in blocks of every size.

    sizes    the sizes that were asked
    cut_off  the size whose proof is one of every size
    looking  helpers that look at the frame of an entry: then no other size is claimed
    idle     steps that change nothing in a block of any of these sizes
    """

    variant: str
    encoding: str
    code: str
    sizes: tuple[int, ...]
    cut_off: int
    looking: tuple[str, ...]
    steps: tuple[str, ...] = ()
    failures: list[BlockFailure] = field(default_factory=list)
    idle: tuple[str, ...] = ()
    models: dict[int, BlockModel] = field(default_factory=dict)
    size: int | None = None  # of contiguous blocks, which have one

    @property
    def name(self) -> str:
        """The name of the theorem, as `prove` would have it."""
        level = LEVEL if self.size is None else CONTPTE
        return f"{self.variant}/{level}/{self.encoding}/{self.code}"

    @property
    def every_size(self) -> bool:
        """Is what was asked all that there is to ask?"""
        needed = {self.cut_off} if self.size is not None else set(range(1, self.cut_off + 1))
        return not self.looking and needed <= set(self.sizes)

    @property
    def refuted(self) -> bool:
        """Is a failure reached from an empty space?"""
        return any(one.trace for one in self.failures)


def prove_blocks(blocks: Blocks, layout: Layout, encoding: Encoding, code: str,
                 sizes: Collection[int] = (), only: Collection[str] = (), depth: int = 0,
                 other: str = "", folds: Mapping[str, tuple[str, ...]] | None = None
                 ) -> BlockTheorem:
    """The theorem of a code; at the sizes up to the cut-off, where none are given.

    `other` is a solver that has to agree. `folds` are those of contiguous blocks, which are as
    long as the architecture says: the cut-off stands for that, and small blocks are asked for what
    breaks alone.
    """
    size = None if folds is None else layout.variant.constants["CONT_PTES"]
    enough = _enough(blocks, encoding, code, size)
    asked = tuple(sorted(sizes)) or _sizes(enough, size)
    models = {n: BlockModel(blocks.spec, layout, encoding, n, folds) for n in asked}
    check_blocks(models[asked[0]])
    looking = tuple(frame_alone(models[asked[0]])[1])
    found = BlockTheorem(layout.variant.name, encoding.name, code, asked, enough, looking,
                         models=models, size=size)
    ordered = _ordered(blocks, encoding, code) if not looking else None
    first, acting = _decided(models, code, frozenset(only) if only else None, other, ordered)
    found.steps = tuple(acting)
    found.idle = tuple(name for name, acts in acting.items() if not acts and name != INIT)
    found.failures = _with_traces(models, code, first, depth)
    return found


def _enough(blocks: Blocks, encoding: Encoding, code: str, size: int | None) -> int:
    """The size that stands for all, or the one that there is where that is smaller."""
    found = cut_off(blocks.spec, encoding, code, blocks.numbers)
    return found if size is None else min(found, size)


def _sizes(enough: int, size: int | None) -> tuple[int, ...]:
    return tuple(range(1, enough + 1)) if size is None else (*range(1, SMALL + 1), enough)


def _ordered(blocks: Blocks, encoding: Encoding, code: str) -> frozenset[str]:
    """The steps to which it matters which of two pages comes first."""
    return frozenset(
        t.name for t in blocks.spec.transitions.values()
        if cut_off_of(blocks.spec, encoding, t, code, blocks.numbers).ordered)


def _decided(models: Mapping[int, BlockModel], code: str, only: frozenset[str] | None,
             other: str = "", ordered: Collection[str] | None = None
             ) -> tuple[dict[tuple[str, str], int], dict[str, bool]]:
    """The smallest block in which each step breaks a property; and does each step do anything?"""
    first: dict[tuple[str, str], int] = {}
    acting: dict[str, bool] = {}
    for size, model in models.items():
        found = (agreed(model, code, only, other, ordered) if other
                 else decide(model, code, only, ordered=ordered))
        for name, one in found.items():
            acting[name] = acting.get(name, False) or one.acts
            for prop in one.broken:
                first.setdefault((name, prop), size)
    return first, acting


def _with_traces(models: Mapping[int, BlockModel], code: str, first: Mapping[tuple[str, str], int],
                 depth: int) -> list[BlockFailure]:
    found = []
    for size in sorted(set(first.values())):
        targets = [target for target, smallest in first.items() if smallest == size]
        traces = find(models[size], code, targets, depth) if depth else {}
        found += [BlockFailure(step, prop, size, traces.get((step, prop), ()), depth)
                  for step, prop in targets]
    return found


@dataclass(frozen=True, slots=True)
class Mistake:
    """What became of a planted mistake: in how small a block is it noticed, if at all?"""

    planted: Planted | HelperMistake
    variant: str
    smallest: int | None
    failures: tuple[BlockFailure, ...]

    @property
    def as_said(self) -> bool:
        """Does it break what its text says, in as small a block as it says?"""
        return self.smallest == self.planted.smallest


def plant(blocks: Blocks, layout: Layout, planted: Planted, depth: int = 0) -> Mistake:
    """A mistake in blocks of the sizes up to the one that it says."""
    encoding = blocks.spec.encodings[planted.encoding]
    models = {size: BlockModel(blocks.spec, layout, encoding, size)
              for size in range(1, planted.smallest + 1)}
    first, _ = _decided(models, planted.code, frozenset((planted.transition,)))
    wanted = {target: size for target, size in first.items() if target[1] == planted.breaks}
    return Mistake(planted, layout.variant.name, min(wanted.values(), default=None),
                   tuple(_with_traces(models, planted.code, wanted, depth)))


def plant_helper(contpte: Contpte, layout: Layout, mistake: HelperMistake, depth: int = 0
                 ) -> Mistake:
    """A mistake in a helper of contiguous blocks: which step does it break, in how small a block?
    """
    blocks = contpte.as_of(mistake.of, mistake)
    encoding = blocks.spec.encodings[mistake.encoding]
    models = {n: BlockModel(blocks.spec, layout, encoding, n, contpte.folds)
              for n in range(1, mistake.smallest + 1)}
    first, _ = _decided(models, mistake.of, None, "", _ordered(blocks, encoding, mistake.of))
    wanted = {target: n for target, n in first.items() if mistake.breaks in ("", target[1])}
    return Mistake(mistake, layout.variant.name, min(wanted.values(), default=None),
                   tuple(_with_traces(models, mistake.of, wanted, depth)))
