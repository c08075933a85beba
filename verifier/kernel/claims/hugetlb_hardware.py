# SPDX-License-Identifier: GPL-2.0-or-later
"""The hardware beside a page of hugetlb that has several entries: arm64's and riscv's.

It changes one entry of a block. Claims say that this is what may happen to the block's fold.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from verifier.kernel.claims.decide_claims import EntryBlock
from verifier.kernel.claims.hugetlb_blocks import (
    Geometry,
    aligned,
    alike,
    first_is_of_a_block,
    fold,
)
from verifier.kernel.conform.decide import ClaimQuestion, Setting, decide, word
from verifier.kernel.conform.questions import make_backend
from verifier.language.evaluate import call
from verifier.language.machine import Machine
from verifier.model.arch import Layout

__all__ = ["hardware_on_blocks"]


def hardware_on_blocks(
    layout: Layout, g: Geometry, backend: str = "bits"
) -> list[tuple[str, str, str]]:
    """For each event of the hardware on one entry of a block: its name, and two verdicts.

    The first: the event is one that may happen to the fold, or nothing where no store lands. The
    second: what is read of one entry alone stays what is read of the fold, as far as option C asks.
    """
    return [
        (
            name,
            _hardware(layout, g, name, _as_for_the_fold, backend),
            _hardware(layout, g, name, _one_for_all, backend),
        )
        for name in layout.variant.hardware
    ]


def _as_for_the_fold(b: EntryBlock, acted: EntryBlock, event: str) -> Any:
    record, when, entry = b.layout.event(event)
    old, new = fold(b), fold(acted)
    right = b.alg.all(
        call(b.machine, when, (old,)), alike(b, new, call(b.machine, entry, (old,)))
    )
    return right if record.stores else b.alg.any(right, alike(b, new, old))


def _one_for_all(b: EntryBlock, acted: EntryBlock, event: str) -> Any:
    """GUP-fast reads one entry. Of a page that is not writable, one entry is dirty only if all are.

    No event makes one entry differ from the rest.
    """
    return b.if_(_uniform(b), _uniform(acted))


def _uniform(b: EntryBlock) -> Any:
    first = b.before[0]
    return b.alg.any(
        b("pte_write", first),
        b.alg.all(*[b.alg.same(b("pte_dirty", e), b("pte_dirty", first)) for e in b.before]),
    )


def _hardware(
    layout: Layout,
    g: Geometry,
    event: str,
    holds: Callable[[EntryBlock, EntryBlock, str], Any],
    backend: str,
) -> str:
    """The verdict for all entries of the page: the first that is not `proved`."""
    asked = make_backend(backend, 60)
    found = (
        word(decide(asked, partial(_acting, layout, g, event, holds, n))) for n in range(g.entries)
    )
    return next((verdict for verdict in found if verdict != "proved"), "proved")


def _acting(
    layout: Layout,
    g: Geometry,
    event: str,
    holds: Callable[[EntryBlock, EntryBlock, str], Any],
    n: int,
    setting: Setting,
) -> ClaimQuestion[None]:
    """The event happens to one entry of a page."""
    alg, machine = setting.alg, Machine(setting.alg)
    _, when, entry = layout.event(event)
    before = tuple(setting.free.input_word(f"entry[{n}]", 64) for n in range(g.entries))
    b = EntryBlock(layout, alg, machine, before, (), None, None, {})
    plain = [b("pte_mkold", b("pte_mkclean", e)) for e in before]
    same = [
        b.same(
            p,
            alg.add(
                plain[0], alg.word(n * g.frames << layout.variant.constants["PAGE_SHIFT"], 64), 64
            ),
        )
        for n, p in enumerate(plain)
    ]
    given = (
        first_is_of_a_block(b),
        aligned(b, g, before[0]),
        *same,
        *([b("pte_well_formed", e) for e in before] if g.frames else []),
        call(machine, when, (before[n],)),
    )
    acted = (*before[:n], call(machine, entry, (before[n],)), *before[n + 1:])
    right = holds(b, EntryBlock(layout, alg, machine, acted, (), None, None, {}), event)
    return ClaimQuestion(given, (), alg.neg(right), None)
