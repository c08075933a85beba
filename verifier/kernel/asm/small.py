# SPDX-License-Identifier: GPL-2.0-or-later
"""Inline assembly of architectures whose helpers have next to none: loongarch's barriers, hexagon's atomic_set(), arm's control register."""

from __future__ import annotations

from verifier.kernel.asm.templates import Asm, Statement, nothing, symbol
from verifier.kernel.llvm.access import load_scalar, store_scalar

__all__ = ["ARM", "HEXAGON", "LOONGARCH"]


def _hexagon_set(asm: Asm) -> None:
    """memw_locked, a load and a store until nobody came between: the word is stored. r6 is scratch."""
    l = asm.lifter
    load_scalar(l, asm.address("mem"), 4, asm.state)
    store_scalar(l, asm.address("mem"), 4, l.values.as_word(asm.arg("value")), asm.state)


HEXAGON: tuple[Statement, ...] = (
    Statement(
        r"1: r6 = memw_locked\(\$(?P<mem>\d+)\); memw_locked\(\$(?P=mem),p0\) = \$(?P<value>\d+); if \(!P0\) jump 1b;",
        _hexagon_set,
        atomic=True,
    ),
)
LOONGARCH: tuple[Statement, ...] = (Statement(r"dbar \$\d+", nothing("memory barriers")),)
ARM: tuple[Statement, ...] = (
    Statement(r"mrc p15, 0, \$0, c1, c0, 0 @ get CR", symbol("control register", "mrc reads the control register")),
    Statement(r"mrc p15, 0, \$0, c0, c1, 4", symbol("ID_MMFR0", "mrc reads the register ID_MMFR0")),
    Statement(r"1: \.long \(\(0xe7f001f2\) .* \.pushsection __bug_table,.*", nothing("BUG: the kernel stops")),
    Statement(r"(?:dsb|dmb|isb)(?: (?:ish|ishst|st|sy))?", nothing("memory barriers")),
    Statement(
        r".*mcr(?:ne|eq)? p15, 0, \$\d+, c(?:8|7), c\d+, \d.*", nothing("cleans caches, or flushes the translation buffer")
    ),
)
