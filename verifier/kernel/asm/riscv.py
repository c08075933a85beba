# SPDX-License-Identifier: GPL-2.0-or-later
"""Inline assembly of riscv: atomic operations on memory, and alternatives, which are `extension N` as a truth.

amoswap and amoand store in one step and give what was there. An alternative of the kernel has its old text first, and is
replaced at boot where the CPU has the extension, or T-Head's erratum (`erratum of T-Head N`); one that the configuration leaves
out (`.if 0 == 1`) never is.
"""

from __future__ import annotations

import re
from typing import Any

from verifier.kernel.asm.templates import Asm, Statement, nothing
from verifier.kernel.llvm.access import load_scalar, store_scalar
from verifier.kernel.llvm.context import Context
from verifier.kernel.llvm.values import Incomplete, Value, Word

__all__ = ["MODELS", "branch"]

_SIZES = {"w": 4, "d": 8}


def _amo(asm: Asm) -> Value | None:
    """amoswap, amoand and the like: what the register has is combined into memory, and what was there is the result."""
    l, size = asm.lifter, _SIZES[asm.match["size"]]
    value = asm.arg("value")
    if not isinstance(value, Word) or value.width != 8 * size:
        raise Incomplete("an atomic operation with something that is no word of its size")
    old = l.values.as_word(load_scalar(l, asm.address("mem"), size, asm.state))
    new = value if asm.match["op"] == "swap" else l.ops.binary(asm.match["op"], old, value, ())
    store_scalar(l, asm.address("mem"), size, new, asm.state)
    return None if asm.match["old"] == "zero" else asm.results({int(asm.match["old"].lstrip("$")): old})


def _number(asm: Asm, group: str) -> int:
    value = asm.arg(group)
    if not isinstance(value, Word) or value.number is None:
        raise Incomplete("an alternative with an operand that is no constant")
    return value.number


def _memory_type(asm: Asm) -> Value:
    """ALT_SVPBMT: 0, or with Svpbmt, or on T-Head, a constant shifted left."""
    l = asm.lifter
    chosen = l.values.choose(_extension(l, int(asm.match["extension"])),
                             l.values.word(_number(asm, "value") << _number(asm, "shift"), 64), l.values.word(0, 64))
    if asm.match["on"] == "1":
        theirs = l.values.word(_number(asm, "value2") << _number(asm, "shift2"), 64)
        chosen = l.values.choose(_erratum(l, int(asm.match["erratum"])), theirs, chosen)
    return asm.results({0: chosen})


def _normal_memory(asm: Asm) -> Value:
    """ALT_THEAD_PMA: the word, and on T-Head with the type of normal memory where it has none. t3 is scratch."""
    l, number = asm.lifter, int(asm.match["word"])
    word = asm.tied(number)
    if not isinstance(word, Word) or word.width != 64:
        raise Incomplete("a memory type of something that is no word")
    if asm.match["on"] == "0":
        return asm.results({number: word})
    mask, normal = (l.values.word(_number(asm, g) << _number(asm, "shift"), 64) for g in ("mask", "normal"))
    none = l.ops.compare("eq", l.ops.binary("and", word, mask, ()), l.values.word(0, 64))
    typed = l.values.choose(none.term, l.ops.binary("or", word, normal, ()), word)
    return asm.results({number: l.values.choose(_erratum(l, int(asm.match["erratum"])), typed, word)})


def _extension(l: Context, number: int) -> Any:
    return l.inputs.boolean(f"extension {number}")


def _erratum(l: Context, number: int) -> Any:
    return l.inputs.boolean(f"erratum of T-Head {number}")


def _alternative(old: str, new: str, vendor: str, number: str, *, on: str = "1", first: bool = True) -> str:
    """A pattern for ALTERNATIVE(), or for what ALTERNATIVE_2() adds to it; all are patterns."""
    start = r"886 : \.option push \.option norvc \.option norelax " + old + r" \.option pop 887 : " if first else ""
    return (start + rf"\.if {on} == 1 \.pushsection \.alternative, \"a\" \.4byte \(\(886b\) - \.\) \.4byte \(\(888f\) - \.\) "
            rf"\.2byte {vendor} \.2byte 889f - 888f \.4byte {number} \.popsection \.subsection 1 "
            rf"888 : \.option push \.option norvc \.option norelax {new} \.option pop 889 : "
            r"\.org \. - \(887b - 886b\) \+ \(889b - 888b\) \.org \. - \(889b - 888b\) \+ \(887b - 886b\) \.previous \.endif")


_ERRATUM, _ON = r"(?P<erratum>\d+)", "(?P<on>[01])"
_SVPBMT = (
    _alternative(r"li \$0, 0 nop", r"li \$0, \$(?P<value>\d+) slli \$0,\$0,\$(?P<shift>\d+)", "0", r"(?P<extension>\d+)")
    + " "
    + _alternative("", r"li \$0, \$(?P<value2>\d+) slli \$0,\$0,\$(?P<shift2>\d+)", "0x5b7", _ERRATUM, on=_ON, first=False)
)
_PMA = _alternative(r"\.rept 7 nop \.endr", r"li t3, \$(?P<mask>\d+) slli t3, t3, \$(?P<shift>\d+) and t3, \$(?P<word>\d+), t3 "
                    r"bne t3, zero, 2f li t3, \$(?P<normal>\d+) slli t3, t3, \$(?P=shift) or \$(?P=word), \$(?P=word), t3 2:",
                    "0x5b7", _ERRATUM, on=_ON)
_OUT = _alternative(r"j \$\{(?P<label>\d+):l\}", "nop", r"(?:0|\$(?P<vendor>\d+))", r"(?:(?P<extension>\d+)|\$(?P<operand>\d+))")
_IN = _alternative("nop", r"j \$\{(?P<label>\d+):l\}", r"(?:0|\$(?P<vendor>\d+))", r"(?:(?P<extension>\d+)|\$(?P<operand>\d+))")

MODELS: tuple[Statement, ...] = (
    Statement(
        r"amo(?P<op>swap|and|or|xor|add)\.(?P<size>[wd])(?:\.aqrl|\.aq|\.rl)? (?P<old>zero|\$\d+), \$(?P<value>\d+), \$(?P<mem>\d+)",
        _amo,
        atomic=True,
    ),
    Statement(_SVPBMT, _memory_type),
    Statement(_PMA, _normal_memory),
    Statement(r"1: ebreak \.pushsection __bug_table,.*", nothing("WARN: a warning is printed and execution goes on")),
    Statement(r"fence (?:rw|r|w),(?:rw|r|w)|fence (?:iorw|ior|iow),(?:iorw|ior|iow)", nothing("memory barriers")),
    Statement(
        _alternative(r"sfence\.vma \$0", r"sfence\.vma", r"0x[0-9a-f]+", r"\d+"),
        nothing("sfence.vma: the translation buffer is not part of an entry"),
    ),
    Statement(r"sfence\.vma(?: \$0)?", nothing("sfence.vma: the translation buffer is not part of an entry")),
)


def branch(l: Context, template: str, args: list[Any], labels: int) -> list[Any]:
    """asm goto: for the fall-through and the label, when it goes there. A jump that is patched out, or one that is patched in."""
    for pattern, jumps_with in ((_OUT, False), (_IN, True)):
        match = re.fullmatch(pattern, template)
        if match is None or labels != 2:
            continue
        if match["vendor"] is not None:
            vendor = args[int(match["vendor"])]
            if not isinstance(vendor, Word) or vendor.number != 0:
                raise Incomplete("an extension of a vendor")
        number = int(match["extension"]) if match["extension"] is not None else None
        if number is None:
            operand = args[int(match["operand"])]
            number = operand.number if isinstance(operand, Word) else None
        if number is None:
            raise Incomplete("an alternative of no constant number")
        has = _extension(l, number)
        return [l.alg.neg(has), has] if jumps_with else [has, l.alg.neg(has)]
    raise Incomplete(f"asm goto: {template[:120]!r}")
