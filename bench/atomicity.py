# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of docs/atomicity.md: of each variant, how many helpers have the same outcomes in arch/
and in the kernel.

    python bench/atomicity.py --tree DIR [VARIANT ...] > table.md

One row is printed as soon as a variant is done: helpers on pointers whose outcomes are the same, of
those compared; those that are not one step in the kernel; what differs and what is not known, by
name; seconds of processor time, for outcomes alone. Variants in the order given, else those of the
architectures that most machines have first.
"""

from __future__ import annotations

import sys
from pathlib import Path

from verifier.base.errors import PteproofError
from verifier.kernel.conform.atomic_results import (
    Atomicity,
    AtomicityUnknown,
    Disturbed,
    LessAtomic,
    MoreAtomic,
    NotCompared,
    Same,
)
from verifier.kernel.conform.conform import conform_variant
from verifier.kernel.conform.results import Differs, Inconclusive, Result
from verifier.kernel.conform.session import layouts, level_names, library_for

FIRST = ("x86", "arm64", "riscv", "s390", "powerpc", "loongarch", "mips")
HEAD = ("| variant | the same / compared | not one step | differs | not known "
        "| values differ or not known | seconds |\n"
        "|---|---|---|---|---|---|---|")


def main(arguments: list[str]) -> int:
    if arguments[:1] != ["--tree"] or len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    print(HEAD, flush=True)
    for variant in arguments[2:] or in_order():
        try:
            # not all of an architecture's
            (layout,) = [found for found in layouts([variant]) if found.variant.name == variant]
            library = library_for(Path(arguments[1]), layout)
            print(row(variant, conform_variant(library, layout, levels=level_names())), flush=True)
        except PteproofError as error:
            print(f"| {variant} | {error} | | | | | |", flush=True)
    return 0


def in_order() -> list[str]:
    """Every variant, the architectures of FIRST before the others."""
    found = layouts(["*"])
    known = [x for first in FIRST for x in found if x.arch.kernel == first]
    return [x.variant.name for x in (*known, *(x for x in found if x not in known))]


def row(variant: str, results: list[Result]) -> str:
    found: dict[str, Atomicity] = {r.helper: a for r in results
                                   if (a := getattr(r, "atomicity", None)) is not None}
    asked = {name: a for name, a in found.items() if not isinstance(a.compared, NotCompared)}
    same = sum(isinstance(a.compared, Same) for a in asked.values())
    steps = sum(isinstance(a.one_step, Disturbed) for a in asked.values())
    differs = [f"{name} ({'more' if isinstance(a.compared, MoreAtomic) else 'less'}"
               " atomic in arch/)"
               for name, a in asked.items() if isinstance(a.compared, (MoreAtomic, LessAtomic))]
    open_ = [
        f"{name}: {a.compared.reason}"
        for name, a in asked.items()
        if isinstance(a.compared, AtomicityUnknown)
    ]
    values = [r for r in results if isinstance(r, Differs)
              or (isinstance(r, Inconclusive) and r.helper not in asked)]
    seconds = sum(a.seconds for a in found.values())
    cells = (f"{same}/{len(asked)}", str(steps), "; ".join(differs), "; ".join(open_),
             str(len(values)), f"{seconds:.1f}")
    return f"| {variant} | {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
