# SPDX-License-Identifier: GPL-2.0-or-later
"""Assembly of MIPS; what else its helpers need: the other of a pair of entries, and where a table
lies.
"""

from __future__ import annotations

import pytest

from verifier.kernel.asm.unlifted import KernelModels
from verifier.kernel.llvm.context import LinkedModules
from verifier.kernel.llvm.lift import Lifter
from verifier.kernel.llvm.objects import Object
from verifier.kernel.llvm.read_module import parse_module
from verifier.kernel.llvm.values import LiftedWord, NotModelled
from verifier.language.algebra import Integers

LAYOUT = (
    'target datalayout = "e-m:m-i8:8:32-i16:16:32-i64:64-n32:64-S128"\n@table = external global'
    " [512 x i64]\n"
)
BARRIER = (
    ".if (( 0x00 ) != -1) && ( {} ); .set push; .set mips64r2; .rept 1; sync 0x00; .endr; .set pop;"
    " .else; ; .endif\\09\\0A"
)
CMPXCHG = (
    "\\09.set\\09push\\0A\\09.set\\09noat\\0A\\09.set\\09push\\0A\\09.set\\09arch=r4000\\0A\\09"
    + BARRIER.format(0)
    + "1:\\09ll{d}\\09$0, $2\\09# __cmpxchg_asm \\0A\\09bne\\09$0, ${{3:z}},"
    " 2f\\0A\\09.set\\09pop\\0A\\09move\\09$$1, ${{4:z}}\\0A"
    + "\\09.set\\09arch=r4000\\0A\\09sc{s}\\09$$1, $1\\0A\\09{again}\\09$$1,"
    " 1b\\09\\0A\\09.set\\09pop\\0A2:\\09"
    + BARRIER.format("(1 << 31)")
)


class Nothing:
    """No word is free, but for the neighbour's."""

    def word(self, name: str, width: int) -> int:
        assert name == "neighbour of p[0]"
        return 0x80

    def boolean(self, name: str) -> bool:
        raise AssertionError(name)


def run(lines: str, memory: int = 0, a: int = 0, *, size: int = 8) -> tuple[int, int]:
    """f(ptr %p, i64 %a): its result, and the eight bytes behind %p."""
    text = f"{LAYOUT}define i64 @f(ptr %p, i64 %a) {{\nentry:\n{lines}\n}}\n"
    lifter = Lifter(
        Integers(),
        LinkedModules((parse_module(text, "test"),), "mips"),
        Nothing(),
        KernelModels(),
        addresses={"table": (0x4000, "there")},
    )
    entry = Object("p", size, size, lambda unit: LiftedWord(64, memory, memory))
    result, state = lifter.call("f", [lifter.pointer(entry), LiftedWord(64, a, a)])
    after = lifter.values.as_word(lifter.memory.read(state.memory.get(entry, {}), entry, 0, 8))
    assert (
        result is not None
        and after.poison is None
        and not any(u.condition for u in (*lifter.undefined, *lifter.lost))
    )
    return int(lifter.values.as_word(result).term), int(after.term)


def exchange(d: str, s: str, again: str, kind: str, target: str = "%p") -> str:
    text = CMPXCHG.format(d=d, s=s, again=again)
    return (
        f'  %v = trunc i64 %a to {kind}\n  %r = call {kind} asm sideeffect "{text}",'
        f' "=&r,=*^ZC,*^ZC,Jr,Jr,~{{memory}},~{{$1}}"(ptr elementtype({kind}) {target}, ptr'
        f" elementtype({kind}) %p, {kind} 5, {kind} %v)\n"
    )


@pytest.mark.parametrize("again", ["beqz", "beqzl"])
@pytest.mark.parametrize(("before", "after"), [(5, 9), (6, 6)])
def test_a_compare_and_exchange_of_eight_bytes(again: str, before: int, after: int) -> None:
    assert run(exchange("d", "d", again, "i64") + "  ret i64 %r", before, 9) == (before, after)


def test_a_compare_and_exchange_of_four_bytes_leaves_the_rest() -> None:
    high = 0xABCD << 32
    assert run(
        exchange("", "", "beqz", "i32") + "  %w = zext i32 %r to i64\n  ret i64 %w", high | 5, 9
    ) == (5, high | 9)


@pytest.mark.parametrize("code", [
    exchange("d", "", "beqz", "i64"), exchange("", "", "beqz", "i64"),
    "  %q = getelementptr i8, ptr %p, i64 8\n" + exchange("d", "d", "beqz", "i64", "%q"),
])
def test_what_is_no_compare_and_exchange_is_given_up(code: str) -> None:
    with pytest.raises(NotModelled):
        run(code + "  ret i64 %r", 5, 9)


def test_barriers_change_nothing() -> None:
    assert run(
        f'  call void asm sideeffect "{BARRIER.format("(1 << 0)")}", "~{{memory}}"()\n  ret i64 1',
        7,
    ) == (1, 7)


XOR = "  %n = ptrtoint ptr %p to i64\n  %x = xor i64 %n, {}\n  %q = inttoptr i64 %x to ptr\n"


def test_the_other_of_a_pair_is_an_entry_of_its_own() -> None:
    assert run(
        XOR.format(8)
        + "  %r = load i64, ptr %q, align 8\n  store i64 1, ptr %q, align 8\n  ret i64 %r",
        7,
    ) == (0x80, 7)


def test_the_other_of_the_other_is_the_entry() -> None:
    assert run(
        XOR.format(8)
        + "  %y = xor i64 %x, 8\n  %b = inttoptr i64 %y to ptr\n  store i64 1, ptr %b, align 8\n "
        " ret i64 0",
        7,
    ) == (0, 1)


@pytest.mark.parametrize("mask", [4, 16])
def test_another_mask_is_no_neighbour(mask: int) -> None:
    with pytest.raises(NotModelled, match="xor of the address"):
        run(XOR.format(mask) + "  ret i64 %x")


def test_the_address_of_a_table_is_a_number() -> None:
    code = (
        "  store i64 ptrtoint (ptr @table to i64), ptr %p, align 8\n  %t = icmp eq i64 %a, ptrtoint"
        " (ptr @table to i64)\n  %r = zext i1 %t to i64\n  ret i64 %r"
    )
    assert run(code, 0, 0x4000) == (1, 0x4000)
    assert run(code, 0, 0x4008) == (0, 0x4000)


def test_nothing_is_behind_that_number() -> None:
    with pytest.raises(NotModelled, match="address of an access is not known"):
        run("  %r = load i64, ptr @table, align 8\n  ret i64 %r")
