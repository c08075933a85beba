# SPDX-License-Identifier: GPL-2.0-or-later
"""Inline assembly of powerpc with 32 bits: an entry's update by reservation, its store in two halves. What all of powerpc has: powerpc.py.

A loop of lwarx and stwcx. is one step: the store succeeds only where nobody came between. A store in two halves is two
stores, the high half first.
"""

from __future__ import annotations

from verifier.kernel.asm.templates import Asm, Statement, nothing
from verifier.kernel.llvm.access import load_scalar, store_scalar
from verifier.kernel.llvm.values import Incomplete, Value, Word

__all__ = ["MODELS"]


def _word(asm: Asm, group: str, width: int = 32) -> Word:
    value = asm.arg(group)
    if not isinstance(value, Word) or value.width != width:
        raise Incomplete(f"assembly with an operand that is no word of {width} bits")
    return value


def _update(asm: Asm) -> Value:
    """pte_update: bits are cleared, then others set. Gives what was there; the other register holds what is there now."""
    l, place = asm.lifter, asm.address("mem")
    old = l.values.as_word(load_scalar(l, place, 4, asm.state))
    kept = l.ops.binary("and", old, l.ops.binary("xor", _word(asm, "clear"), l.values.word(-1, 32), ()), ())
    new = l.ops.binary("or", kept, _word(asm, "set"), ())
    store_scalar(l, place, 4, new, asm.state)
    return asm.results({int(asm.match["old"]): old, int(asm.match["new"]): new})


def _store_halves(asm: Asm) -> None:
    """__set_pte_at: an entry of 64 bits, its high half first."""
    l, value = asm.lifter, _word(asm, "value", 64)
    for group, low in (("high", 32), ("low", 0)):
        half = Word(
            32,
            l.alg.extract(value.term, low, 32),
            None if value.number is None else value.number >> low & 0xFFFFFFFF,
            value.poison,
        )
        store_scalar(l, asm.address(group), 4, half, asm.state)


MODELS: tuple[Statement, ...] = (
    Statement(
        r"1: lwarx \$(?P<old>\d+), 0, \$(?P<mem>\d+) andc \$(?P<new>\d+), \$(?P=old), \$(?P<clear>\d+) or \$(?P=new), \$(?P=new), \$(?P<set>\d+) "
        r"stwcx\. \$(?P=new), 0, \$(?P=mem) bne- 1b",
        _update,
        atomic=True,
    ),
    Statement(
        r"stw\$\{(?P<high>\d+):X\} \$(?P<value>\d+),\$(?P=high) mbar stw\$\{(?P<low>\d+):X\} \$\{(?P=value):L\},\$(?P=low)",
        _store_halves,
    ),
    Statement(r"mbar", nothing("memory barriers")),
)
