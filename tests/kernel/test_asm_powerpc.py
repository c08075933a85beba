# SPDX-License-Identifier: GPL-2.0-or-later
"""Assembly of powerpc with 64 bits: what updates leave in memory and give, what waits, what traps,
and what is given up.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from verifier.base.errors import SpecError
from verifier.kernel.asm.unlifted import KernelModels
from verifier.kernel.conform.entries import entry_value, laid_object
from verifier.kernel.llvm.context import LinkedModules
from verifier.kernel.llvm.lift import Lifter
from verifier.kernel.llvm.objects import Object
from verifier.kernel.llvm.read_module import parse_module
from verifier.kernel.llvm.values import LiftedWord, NotModelled
from verifier.kernel.tree.builds import load_builds
from verifier.language.algebra import Integers

LAYOUT = 'target datalayout = "e-m:e-Fn32-i64:64-i128:128-n32:64-S128-v256:256:256-v512:512:512"\n'
RADIX = (
    "1:\\09ldarx\\09$0,0,$3\\09\\09#"
    " pte_update\\0A\\09andc\\09$1,$0,$5\\09\\0A\\09or\\09$1,$1,$4\\09\\0A"
    "\\09stdcx.\\09$1,0,$3\\09\\09\\0A"
    "\\09bne-\\091b"
)
HASH = (
    "1:\\09ldarx\\09$0,0,$3\\09\\09# pte_update\\0A\\09and.\\09$1,$0,$6\\0A\\09bne-\\091b"
    " \\0A\\09andc\\09$1,$0,$4 \\0A\\09or\\09$1,$1,$7\\0A\\09stdcx.\\09$1,0,$3 \\0A\\09bne-\\091b"
)
FLAGS = (
    "1:\\09ldarx\\09$0,0,$4\\0A\\09\\09and.\\09$1,$0,$6\\0A\\09\\09bne-\\091b"
    " \\0A\\09\\09or\\09$0,$3,$0\\0A\\09\\09stdcx.\\09$0,0,$4\\0A\\09\\09bne-\\091b"
)
SWAP = (
    "\\0Async \\0A1:\\09ldarx\\09$0,0,$2\\09\\09#"
    " __cmpxchg_u64\\0A\\09cmpd\\090,$0,$3\\0A\\09bne-\\092f\\0A"
    "\\09stdcx.\\09$4,0,$2\\0A\\09bne-\\091b\\0Async"
    " \\0A\\0A2:"
)
BUG = (
    ".section __bug_table,\\22aw\\22\\0A2:\\09.4byte 1b - .\\0A\\09.4byte $0 - .\\0A\\09.short $1,"
    " $2\\0A.org 2b+$3\\0A.previous\\0A"
)
ONES = (1 << 64) - 1


class Free:
    """Every free word is the same odd number, so that nothing can rest on it."""

    def word(self, name: str, width: int) -> int:
        return 0x5A5A5A5A5A5A5A5B & ((1 << width) - 1)

    def boolean(self, name: str) -> bool:
        return False


def run(lines: str, memory: int = 0, a: int = 0, b: int = 0, c: int = 0) -> tuple[int, int, Lifter]:
    """f(ptr %p, i64 %a, i64 %b, i64 %c): its result, the eight bytes behind %p, and who knows what
    was given up.
    """
    text = (
        f"{LAYOUT}%struct.pte_t = type {{ i64 }}\ndefine i64 @f(ptr %p, i64 %a, i64 %b, i64 %c)"
        f" {{\nentry:\n{lines}\n}}\n"
    )
    lifter = Lifter(
        Integers(), LinkedModules((parse_module(text, "test"),), "powerpc"), Free(), KernelModels()
    )
    entry = Object("p", 8, 8, lambda unit: LiftedWord(64, memory, memory))
    result, state = lifter.call(
        "f", [lifter.pointer(entry), *(LiftedWord(64, w, w) for w in (a, b, c))]
    )
    after = lifter.values.as_word(lifter.memory.read(state.memory.get(entry, {}), entry, 0, 8))
    assert after.poison is None
    assert result is not None
    return int(lifter.values.as_word(result).term), int(after.term), lifter


def pair(text: str, constraints: str, args: str, part: int = 0) -> str:
    return (f'  %r = call {{ i64, i64 }} asm sideeffect "{text}", "{constraints}"({args})\n'
            f"  %x = extractvalue {{ i64, i64 }} %r, {part}\n  ret i64 %x")


def outside(lifter: Lifter) -> list[str]:
    return [u.reason for u in lifter.outside if u.condition]


@pytest.mark.parametrize(("part", "result"), [(0, 0xF3), (1, 0xF5)])
def test_an_update_clears_and_sets_and_gives_what_was_there(part: int, result: int) -> None:
    args = "ptr elementtype(%struct.pte_t) %p, ptr %p, i64 %a, i64 %b"
    found, after, lifter = run(pair(RADIX, "=&r,=&r,=*m,r,r,r,~{cc}", args, part), 0xF3, 0x05, 0x02)
    assert (found, after) == (result, 0xF5)
    assert not outside(lifter)


def test_what_is_set_stays_where_it_is_cleared_too() -> None:
    args = "ptr elementtype(%struct.pte_t) %p, ptr %p, i64 %a, i64 %b"
    assert run(pair(RADIX, "=&r,=&r,=*m,r,r,r,~{cc}", args), 0xFF, 0x0F, ONES)[:2] == (0xFF, 0x0F)


def hash_update(old: int, clear: int, set_: int, busy: int) -> tuple[int, int, Lifter]:
    args = (
        "ptr elementtype(%struct.pte_t) %p, ptr %p, i64 %a, ptr elementtype(%struct.pte_t) %p, i64"
        " %b, i64 %c"
    )
    return run(pair(HASH, "=&r,=&r,=*m,r,r,*m,r,r,~{cc}", args), old, clear, busy, set_)


def test_an_update_of_the_hash_mmu_waits_while_the_entry_is_busy() -> None:
    found, after, lifter = hash_update(0xB3, 0x02, 0x100, 0x40)
    assert (found, after) == (0xB3, 0x1B1)
    assert not outside(lifter)
    assert outside(hash_update(0xF3, 0x02, 0x100, 0x40)[2]) == [
        "an entry that another CPU holds busy, which is waited for"
    ]


def test_access_flags_are_added() -> None:
    args = (
        "ptr elementtype(%struct.pte_t) %p, i64 %a, ptr %p, ptr elementtype(%struct.pte_t) %p,"
        " i64 %b"
    )
    code = pair(FLAGS, "=&r,=&r,=*m,r,r,*m,r,~{cc}", args)
    found, after, lifter = run(code, 0x81, 0x06, 0x40)
    assert (found, after) == (0x87, 0x87)
    assert not outside(lifter)
    assert outside(run(code, 0xC1, 0x06, 0x40)[2])


@pytest.mark.parametrize(("expected", "after"), [(0xF3, 0x11), (0xF2, 0xF3)])
def test_compare_and_swap(expected: int, after: int) -> None:
    code = (
        f'  %r = call i64 asm sideeffect "{SWAP}", "=&r,=*m,r,r,r,*m,~{{cc}},~{{memory}}"(ptr'
        " elementtype(i64) %p, ptr %p, i64 %a, i64 %b, ptr elementtype(i64) %p)\n  ret i64 %r"
    )
    assert run(code, 0xF3, expected, 0x11)[:2] == (0xF3, after)


def trap(flags: int, text: str, tested: str = "") -> tuple[Any, ...]:
    kinds, values = ("i,i,i,i,r", f", i64 {tested}") if tested else ("i,i,i,i", "")
    code = (
        f'  call void asm sideeffect "{text}{BUG}", "{kinds}"(ptr @file, i32 1, i32 {flags}, i64'
        f" 16{values})\n  ret i64 7"
    )
    module = (
        f'@file = private constant [2 x i8] c"x\\00"\n{LAYOUT}define i64 @f(i64 %a)'
        f" {{\nentry:\n{code}\n}}\n"
    )
    found = []
    for a in (0, 1):
        lifter = Lifter(
            Integers(),
            LinkedModules((parse_module(module, "test"),), "powerpc"),
            Free(),
            KernelModels(),
        )
        lifter.call("f", [LiftedWord(64, a, a)])
        found.append(any(u.condition for u in lifter.undefined))
    return tuple(found)


def test_a_warning_goes_on_and_a_bug_does_not() -> None:
    conditional, always = "1:\\09tdnei  $4, 0\\0A", "1:\\09twi 31, 0, 0\\0A"
    assert trap(2305, conditional, "%a") == (False, False)
    assert trap(0, conditional, "%a") == (False, True)
    assert trap(2305, always) == (False, False)
    assert trap(0, always) == (True, True)


def test_atomic_variables_have_four_bytes() -> None:
    load = (
        '  %r = call i32 asm sideeffect "lwz${1:U}${1:X} $0,$1", "=r,*m<>"(ptr elementtype(i32)'
        " %p)\n  %x = zext i32 %r to i64\n  ret i64 %x"
    )
    assert run(load, 0x1_2345_6789)[0] == 0x2345_6789
    store = (
        '  %v = trunc i64 %a to i32\n  call void asm sideeffect "stw${0:U}${0:X} $1,$0",'
        ' "=*m<>,r"(ptr elementtype(i32) %p, i32 %v)\n  ret i64 0'
    )
    assert run(store, ONES, 5)[1] == 0xFFFF_FFFF_0000_0005


def test_unknown_assembly_is_given_up() -> None:
    for template in (
        "ldarx $0,0,$1",
        RADIX.replace("andc", "and"),
        HASH.replace("$1,0,$3", "$0,0,$3"),
        "mfspr $0,0x11F",
    ):
        code = (
            f'  %r = call i64 asm sideeffect "{template}", "=r,r,r,r,r,r,r,r"(ptr %p, i64 %a, i64'
            " %a, i64 %a, i64 %a, i64 %a, i64 %a)\n  ret i64 %r"
        )
        with pytest.raises(NotModelled, match="assembly"):
            run(code)


def test_entries_lie_big_endian_where_a_build_says_so(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(
        "builds:\n  b:\n    kernel: powerpc\n    make: powerpc\n    base: d\n    entries:"
        " [big-endian, in tables]\n    features: {cpu_radix: {keys: mmu_feature_keys, number:"
        " MMU_FTR_TYPE_RADIX}}\n",
        encoding="utf-8",
    )
    build = load_builds(tmp_path)["b"]
    assert (
        build.features["cpu_radix"].expression
        == "sizeof(mmu_feature_keys[0]) * __builtin_ctzl(MMU_FTR_TYPE_RADIX)"
    )
    text = (
        f"{LAYOUT}define i64 @f(ptr %p) {{\nentry:\n  %v = load i64, ptr %p\n  store i64 1, ptr"
        " %p\n  ret i64 %v\n}\n"
    )
    program = LinkedModules((parse_module(text, "test"),), "powerpc")
    lifter = Lifter(Integers(), program, Free(), KernelModels())
    entry = laid_object(lifter, build.entries, "p", 0x0102030405060708, 8)
    result, state = lifter.call("f", [lifter.pointer(entry)])
    assert result is not None
    assert lifter.values.as_word(result).term == 0x0807060504030201
    assert entry_value(lifter, build.entries, state, entry) == 1 << 56
    assert lifter.values.as_word(lifter.memory.read({}, entry, 8, 8)).term == 0x5A5A5A5A5A5A5A5B


def test_a_feature_is_in_one_place(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(
        "builds:\n  b:\n    kernel: k\n    make: k\n    base: d\n"
        "    features: {f: {keys: a, name: b, number: C}}\n",
        encoding="utf-8",
    )
    with pytest.raises(SpecError, match="a feature has"):
        load_builds(tmp_path)
