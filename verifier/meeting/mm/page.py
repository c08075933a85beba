# SPDX-License-Identifier: GPL-2.0-or-later
"""The page about functions of mm/: which are held against which step, and under what."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from verifier.kernel.mm.functions import Calls, MmFunction

__all__ = ["functions_page"]

_HEAD = """\
<!-- SPDX-License-Identifier: GPL-2.0-or-later -->
# Functions of mm/, held against steps

`pteproof conform` lifts functions of the kernel's mm/ whole, static ones too, and proves that the
step of `specs/` which is about them says what they do to the entry, and to the flags of the page
that are named here. This page is made of `verifier/kernel/mm/*.yaml` by a test
(`tests/test_mm_page.py`); `tests/kernel/test_mm.py` shows on a kernel tree that each comes out
equal, and that mistakes which are planted in the kernel's C do not.

Equal means: for all entries, flags of the page and of the vma for which the step's requirements,
the model's invariants and the conditions below hold, both sides leave the same. No way through the
function is lost: one that is not modelled, or undefined, makes the function incomplete. What the
step is there for is possible within what is compared, or is named here. What functions return is
compared only where the page says so. Not compared are batches of more than one entry, and what the
hardware does within the function.

Flushes are compared on x86_64. What the step says is flushed, due or batched, the function has to
flush, to leave to mmu_gather, or to note for reclaim's batch, of the same mm; it may flush more. A
flush counts while the entry is none that the hardware walks, or where it changes no more. Which
addresses a flush is about is not compared, nor flushes of a page that goes where the model tracks
the one that comes.

Where a difference was met, the step was mended, or a condition below says where the two differ:

- mprotect stored an entry that is not present although it does not change; the kernel does not
  (arm64-4k, 0x10000000000600: `set_pte_at()` would take bit 52 from it). The step was mended.
- change_pte_range leaves a dirty lazyfree page alone as if it were of a file, and pages of this
  node; the step of NUMA hints marks them. It may do more than the kernel does.
- The entry that swapoff looks for is compared whole but for its marks; `swapped(p)` of the model
  takes other bits of it for anything.
- A vma with VM_DROPPABLE may lose a dirty page; the model has no such vma.
"""
_ELSEWHERE = {"flush": "a flush that the step tells of", "due": "a flush that the step leaves due",
              "batched": "a flush that the step batches",
              "batched_write": "that the step batches a dirty entry"}


def functions_page(functions: Iterable[MmFunction], calls: Calls) -> str:
    """The page, as Markdown."""
    functions = list(functions)
    lines = [_HEAD, "| function | step | where | also compared |", "|---|---|---|---|"]
    lines += [
        f"| `{f.file}:{f.function}`{_covers(f)} | {f.transition} ({', '.join(f.variants)}) | "
        f"{', '.join(c.name for c in f.where) or 'everywhere'} | "
        f"{', '.join((*f.compare, *(['its result'] if f.result else []))) or '-'} |"
        for f in functions
    ]
    lines += ["", "## What each comparison takes for given", ""]
    for f in functions:
        lines += [f"`{f.name}`", "", *_given(f), ""]
    lines += ["## What stands in for what is called", "",
              "Everything else that these functions call is lifted with them.", "",
              *(f"- `{name}`: {stub.because}" for name, stub in sorted(calls.stubs.items())), "",
              "These change no entry, no flag of a page and no vma:", "",
              *(f"- `{name}` {why}" for name, why in sorted(calls.nothing.items())), ""]
    return "\n".join(_folded(line) for line in lines)


def _covers(f: MmFunction) -> str:
    return "".join(f", `{name}`" for name in f.covers)


def _folded(line: str) -> str:
    """A line of a list in lines of a page's width; all others are left as they are."""
    if not line.startswith("- "):
        return line
    return textwrap.fill(line, 100, subsequent_indent="  ", break_long_words=False,
                         break_on_hyphens=False)


def _given(f: MmFunction) -> Iterator[str]:
    for c in f.where:
        yield f"- {c.name}: `{' '.join(c.holds.text.split())}`, since {c.because}"
    for observed, why in f.always.items():
        yield f"- {observed} is true: {why}"
    for observed, why in f.never.items():
        yield f"- {observed} is false: {why}"
    for effect, why in f.unreached.items():
        yield f"- the step's {effect} is not within: {why}"
    for flush, why in f.elsewhere.items():
        yield f"- {_ELSEWHERE[flush]} is not asked of it: {why}"
    for step, why in f.also.items():
        yield f"- {step} runs it too: {why}"
    for name, why in f.outside.items():
        yield f"- not compared where {name}: {why}"
    for stub in f.stubs:
        yield f"- `{stub.name}`: {stub.because}"
    yield f"- the world {f.world.name}"
