# SPDX-License-Identifier: GPL-2.0-or-later
"""Inline assembly of arm64: compare and exchange, registers, and alternatives, which are
`alternative N` as a truth.
"""

from __future__ import annotations

import re
from typing import Any

from verifier.kernel.asm.templates import Asm, Statement, nothing, symbol
from verifier.kernel.llvm.access import load_scalar, store_scalar
from verifier.kernel.llvm.context import Context
from verifier.kernel.llvm.instructions import compare_exchange
from verifier.kernel.llvm.values import Incomplete, Value, Word

__all__ = ["ARM64", "alternative"]


def _arm64_cas(asm: Asm) -> Value:
    """cas: compares with the tied register, which gets what was there."""
    number = int(asm.match["old"])
    old, _ = compare_exchange(asm.lifter, asm.address("mem"), asm.tied(number), asm.arg("new"), asm.state)
    return asm.results({number: old})


def _arm64_llsc_cas(asm: Asm) -> Value:
    """ldxr, compare, stxr, and again where the store failed."""
    old, _ = compare_exchange(asm.lifter, asm.address("mem"), asm.arg("expected"), asm.arg("new"), asm.state)
    return asm.results({int(asm.match["old"]): old})


def _arm64_swap(asm: Asm) -> Value:
    """ldxr and stxr until it succeeds, or swp."""
    value = asm.arg("new")
    if not isinstance(value, Word):
        raise Incomplete("swp of something that is no word")
    old = load_scalar(asm.lifter, asm.address("mem"), value.width // 8, asm.state)
    store_scalar(asm.lifter, asm.address("mem"), value.width // 8, value, asm.state)
    return asm.results({int(asm.match["old"]): old})


_ALT = (r"\.if 1 == 1 661: (?P<first>.*?) 662: \.pushsection \.altinstructions,\"a\" \.word 661b - \. \.word 663f ?- \. "
        r"\.hword (?P<cap>\S+) \.byte 662b-661b \.byte 664f-663f \.popsection \.subsection 1 663: (?P<second>.*?) 664: "
        r"\.org \. - \(664b-663b\) \+ \(662b-661b\) \.org \. - \(662b-661b\) \+ \(664b-663b\) \.previous \.endif")
ARM64 = (
    Statement(
        r"\.arch_extension lse cas(?:a|l|al)? \$\{(?P<old>\d+):[xw]\}, \$\{(?P<new>\d+):[xw]\}, \$(?P<mem>\d+)",
        _arm64_cas,
        atomic=True,
    ),
    Statement(
        r"prfm pstl1strm, \$(?P<mem>\d+) 1: ldxr \$(?P<old>\d+), \$(?P=mem) eor \$(?P<t>\d+), \$(?P=old), \$(?P<expected>\d+) "
        r"cbnz \$(?P=t), 2f st[l]?xr \$\{(?P=t):w\}, \$(?P<new>\d+), \$(?P=mem) cbnz \$\{(?P=t):w\}, 1b (?:dmb ish )?2:",
        _arm64_llsc_cas,
        atomic=True,
    ),
    Statement(
        _ALT.replace(
            "(?P<first>.*?)",
            r"prfm pstl1strm, \$(?P<mem>\d+) 1: ld[a]?xr \$(?P<old>\d+), \$(?P=mem) "
            r"st[l]?xr \$\{(?P<t>\d+):w\}, \$(?P<new>\d+), \$(?P=mem) cbnz \$\{(?P=t):w\}, 1b(?: dmb ish)?",
        ).replace(
            "(?P<second>.*?)",
            r"\.arch_extension lse swp(?:a|l|al)? \$(?P=new), \$(?P=old), \$(?P=mem)"
            r"(?: \.rept \d+ nop \.endr)?(?: nop)*",
        ),
        _arm64_swap,
        atomic=True,
    ),
    Statement(r"mrs \$0, tcr_el1", symbol("tcr_el1", "mrs reads the register tcr_el1")),
    Statement(
        r"\.irp num,.* mrs_s \$0, \(\(\(3\) << 19\) \| \(\(3\) << 16\) \| \(\(10\) << 12\) \| \(\(2\) << 8\) \| "
        r"\(\(4\) << 5\)\) \.purgem mrs_s",
        symbol("por_el0", "mrs_s reads the register por_el0"),
    ),
    Statement(r"(?:dsb|dmb) (?:ish|ishst|ishld|nsh|nshst|sy|st|ld|osh|oshst|oshld)|isb|yield|csdb", nothing("memory barriers")),
    Statement(
        r"(?:\.arch \S+ )?tlbi \w+(?:, \$(?:0|\{0:x\}))?(?: .*)?",
        nothing("tlbi: the translation buffer is not part of an entry"),
    ),
    Statement(r"\.pushsection __bug_table,.*", nothing("WARN: a warning is printed and execution goes on")),
)


def alternative(l: Context, template: str, args: list[Value]) -> list[Any]:
    """arm64's alternatives: a branch that is patched in, or one that is patched out, where the cpu
    has something.
    """
    cap = args[0]
    if not isinstance(cap, Word) or cap.number is None:
        raise Incomplete("an alternative of no constant number")
    has = l.inputs.boolean(f"alternative {cap.number}")
    patched_out = re.fullmatch(
        r"\.if 1 == 1 661: b \$\{1:l\} 662: \.pushsection \.altinstructions,\"a\" \.word 661b - \. \.word alt_cb_patch_nops ?- \. "
        r"\.hword \(1 << 15\) \| \(\$0\) \.byte 662b-661b \.byte 664f-663f \.popsection 663: 664: \.endif",
        template,
    )
    if patched_out:
        return [has, l.alg.neg(has)]
    patched_in = re.fullmatch(_ALT, template)
    if patched_in and patched_in["first"] == "nop" and patched_in["second"] == "b ${1:l}" and patched_in["cap"] == "$0":
        return [l.alg.neg(has), has]
    raise Incomplete(f"asm goto: {template[:120]!r}")
