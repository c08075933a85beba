# SPDX-License-Identifier: GPL-2.0-or-later
"""Inline assembly of riscv: memory types, which alternatives of the kernel choose.

An alternative has its old text first. It is replaced at boot where the CPU has the extension
(`extension N`) or T-Head's erratum (`erratum of T-Head N`). One that the configuration leaves out
(`.if 0 == 1`) is never replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from verifier.kernel.asm.operations import Operation, fixed
from verifier.kernel.asm.templates import Asm
from verifier.kernel.llvm.context import Context
from verifier.kernel.llvm.values import LiftedWord, NotModelled, Value

__all__ = ["OPERATIONS"]


def _number(asm: Asm, group: str) -> int:
    """An operand that is a constant. NotModelled where it is none."""
    value = asm.arg(group)
    if not isinstance(value, LiftedWord) or value.number is None:
        raise NotModelled("an alternative with an operand that is no constant")
    return value.number


def _memory_type(asm: Asm) -> Value | None:
    """ALT_SVPBMT: 0, or with Svpbmt, or on T-Head, a constant shifted left."""
    l = asm.lifter
    chosen = l.values.choose(
        _extension(l, int(asm.match["extension"])),
        l.values.word(_number(asm, "value") << _number(asm, "shift"), 64),
        l.values.word(0, 64),
    )
    if asm.match["on"] == "1":
        theirs = l.values.word(_number(asm, "value2") << _number(asm, "shift2"), 64)
        chosen = l.values.choose(_erratum(l, int(asm.match["erratum"])), theirs, chosen)
    return asm.results({0: chosen})


def _normal_memory(asm: Asm) -> Value | None:
    """ALT_THEAD_PMA: the word, which on T-Head gets the type of normal memory if it has no type.

    t3 is scratch.
    """
    l, number = asm.lifter, int(asm.match["word"])
    word = asm.tied(number)
    if not isinstance(word, LiftedWord) or word.width != 64:
        raise NotModelled("a memory type of something that is no word")
    if asm.match["on"] == "0":
        return asm.results({number: word})
    mask, normal = (
        l.values.word(_number(asm, g) << _number(asm, "shift"), 64) for g in ("mask", "normal")
    )
    none = l.ops.compare("eq", l.ops.binary("and", word, mask, ()), l.values.word(0, 64))
    typed = l.values.choose(none.term, l.ops.binary("or", word, normal, ()), word)
    return asm.results(
        {number: l.values.choose(_erratum(l, int(asm.match["erratum"])), typed, word)}
    )


def _extension(l: Context, number: int) -> Any:
    return l.inputs.boolean(f"extension {number}")


def _erratum(l: Context, number: int) -> Any:
    return l.inputs.boolean(f"erratum of T-Head {number}")


OPERATIONS: Mapping[str, Operation] = {
    "memory-type": fixed(
        _memory_type, "extension", "value", "shift", "on", "erratum", "value2", "shift2"
    ),
    "normal-memory": fixed(_normal_memory, "word", "mask", "shift", "normal", "on", "erratum"),
}
