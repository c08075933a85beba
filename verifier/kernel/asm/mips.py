# SPDX-License-Identifier: GPL-2.0-or-later
"""Inline assembly of MIPS: compare-and-exchange by ll and sc, and barriers.

ll and sc of the kernel's cmpxchg() start again until nobody came between, so the whole is one step. `.if` chooses barriers by the
configuration; either way they change nothing.
"""

from __future__ import annotations

from verifier.kernel.asm.templates import Asm, Statement, nothing
from verifier.kernel.llvm.instructions import compare_exchange
from verifier.kernel.llvm.values import Incomplete, Value, Word

__all__ = ["MODELS"]

_SIZES = {"": 32, "d": 64}


def _cmpxchg(asm: Asm) -> Value:
    """ll, compare, sc, and again where the store failed. Both memory operands are one place."""
    l, width = asm.lifter, _SIZES[asm.match["size"]]
    expected, new = asm.arg("expected"), asm.arg("new")
    if not (isinstance(expected, Word) and isinstance(new, Word) and expected.width == new.width == width):
        raise Incomplete("a compare-and-exchange of something that is no word of its size")
    target, source = asm.address("target"), asm.address("mem")
    if [(c.base, c.offset.number) for c in target.cases] != [(c.base, c.offset.number) for c in source.cases]:
        raise Incomplete("a compare-and-exchange of two places")
    old, _ = compare_exchange(l, source, expected, new, asm.state)
    return asm.results({0: old})


_BARRIER = (
    r"\.if \(\( \S+ \) != -1\) && \( (?:0|\(1 << \d+\)) \); \.set push; \.set mips\w+; \.rept \d+; sync \S+; \.endr; \.set pop; "
    r"\.else; ; \.endif"
)
_SET = r"\.set (?:arch=\w+|mips\w+)"

MODELS: tuple[Statement, ...] = (
    Statement(
        r"\.set push \.set noat \.set push "
        + _SET
        + " "
        + _BARRIER
        + r" 1: ll(?P<size>d?) \$0, \$(?P<mem>\d+) # __cmpxchg_asm "
        r"bne \$0, \$\{(?P<expected>\d+):z\}, 2f \.set pop move \$\$1, \$\{(?P<new>\d+):z\} "
        + _SET
        + r" sc(?P=size) \$\$1, \$(?P<target>\d+) beqzl? \$\$1, 1b \.set pop 2: "
        + _BARRIER,
        _cmpxchg,
        atomic=True,
    ),
    Statement(_BARRIER, nothing("memory barriers")),
)
