# SPDX-License-Identifier: GPL-2.0-or-later
"""Inline assembly of arm64 that changes memory in one step.

Arm ARM (DDI 0487), C6.2: LDADD, LDCLR, LDEOR, LDSET, and ST* of these, which return nothing. The
loop of ldxr and stxr of arch/arm64/include/asm/atomic_ll_sc.h comes to the same.
"""

from __future__ import annotations

from collections.abc import Mapping

from verifier.kernel.asm.operations import Operation, fixed
from verifier.kernel.asm.templates import Asm
from verifier.kernel.llvm.access import load_scalar, store_scalar
from verifier.kernel.llvm.values import LiftedWord, NotModelled, Value

__all__ = ["OPERATIONS"]

# What an instruction does to what is in memory; bic and clr clear the bits that are given.
_OPS = {
    "add": "add", "sub": "sub", "orr": "or", "set": "or", "eor": "xor", "and": "and",
    "bic": "clear", "clr": "clear",
}


def _change(asm: Asm) -> Value | None:
    """Memory and `value` make what is in memory then; `old` gets what was there, `new` what is."""
    l, value = asm.lifter, asm.arg("value")
    if not isinstance(value, LiftedWord):
        raise NotModelled("memory is changed by something that is no word")
    op, width = _OPS[asm.match["op"]], value.width
    before = l.values.as_word(load_scalar(l, asm.address("mem"), width // 8, asm.state))
    if op == "clear":
        op, value = "and", l.ops.binary("xor", value, l.values.word(-1, width), ())
    after = l.ops.binary(op, before, value, ())
    store_scalar(l, asm.address("mem"), width // 8, after, asm.state)
    parts: dict[int, Value] = {
        asm.number(name): found for name, found in (("old", before), ("new", after))
        if asm.has(name)
    }
    return asm.results(parts)


OPERATIONS: Mapping[str, Operation] = {"change": fixed(_change, "mem", "value", "op")}
