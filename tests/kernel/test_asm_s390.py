# SPDX-License-Identifier: GPL-2.0-or-later
"""Assembly of s390: what each known instruction leaves in memory and gives, and that what is not
known is given up.
"""

from __future__ import annotations

import pytest

from verifier.kernel.asm.unlifted import KernelModels, calls_of
from verifier.kernel.llvm.context import LinkedModules
from verifier.kernel.llvm.lift import Lifter
from verifier.kernel.llvm.objects import Object
from verifier.kernel.llvm.read_module import parse_module
from verifier.kernel.llvm.values import LiftedWord, NotModelled
from verifier.language.algebra import Integers

LAYOUT = 'target datalayout = "E-m:e-i1:8:16-i8:8:16-i64:64-f128:64-v128:64-a:8:16-n32:64"\n'
PHYS = (
    "define internal i64 @__phys_addr(i64 %x) {\nentry:\n  %r = add i64 %x, 4096\n  ret i64 %r\n}\n"
)


class Free:
    """Every free word is the same odd number, so that nothing can rest on it."""

    def word(self, name: str, width: int) -> int:
        return 0x5A5A5A5A5A5A5A5B & ((1 << width) - 1)

    def boolean(self, name: str) -> bool:
        return name == "facility 194"


def run(lines: str, memory: int, *args: int, kind: str = "i64") -> tuple[int | None, int, bool]:
    """f(ptr %p, i64 %a, i64 %b): its result, the eight bytes behind %p, and whether a way was given
    up.
    """
    text = f"{LAYOUT}{PHYS}define {kind} @f(ptr %p, i64 %a, i64 %b) {{\nentry:\n{lines}\n}}\n"
    lifter = Lifter(
        Integers(),
        LinkedModules((parse_module(text, "test"),), "s390"),
        Free(),
        KernelModels(actions=calls_of("s390")),
    )
    entry = Object("p", 8, 8, lambda unit: LiftedWord(64, memory, memory))
    a, b = (*args, 0, 0)[:2]
    result, state = lifter.call(
        "f", [lifter.pointer(entry), LiftedWord(64, a, a), LiftedWord(64, b, b)]
    )
    after = lifter.values.as_word(lifter.memory.read(state.memory.get(entry, {}), entry, 0, 8))
    assert after.poison is None and not any(u.condition for u in lifter.undefined)
    return (
        (None if result is None else int(lifter.values.as_word(result).term)),
        int(after.term),
        any(u.condition for u in lifter.lost),
    )


def fetch(op: str, width: int) -> str:
    value = "%a" if width == 64 else "%v"
    narrow = "" if width == 64 else "  %v = trunc i64 %a to i32\n"
    wide = "  ret i64 %r" if width == 64 else "  %z = zext i32 %r to i64\n  ret i64 %z"
    return (
        f'{narrow}  %r = call i{width} asm sideeffect "{op}\\09$0,$2,$1\\0A\\0A",'
        f' "=d,=*QS,d,*QS,~{{cc}},~{{memory}}"(ptr elementtype(i{width}) %p, i{width} {value}, ptr'
        f" elementtype(i{width}) %p)\n{wide}"
    )


OPS = {
    "laa": lambda x, y: x + y,
    "lan": lambda x, y: x & y,
    "lao": lambda x, y: x | y,
    "lax": lambda x, y: x ^ y,
}


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize(
    ("memory", "value"),
    [(0x0123456789ABCDEF, 0xFF), (0xFFFFFFFFFFFFFFFF, 1), (0, 0xFFFFFFFFFFFFFFFF)],
)
def test_interlocked_access_gives_the_old_and_stores_the_new(
    op: str, memory: int, value: int
) -> None:
    assert run(fetch(op + "g", 64), memory, value) == (
        memory,
        OPS[op](memory, value) & (1 << 64) - 1,
        False,
    )
    # big-endian: four bytes at the address are the high half
    high, low = memory >> 32, memory & 0xFFFFFFFF
    new = OPS[op](high, value & 0xFFFFFFFF) & 0xFFFFFFFF
    assert run(fetch(op, 32), memory, value) == (high, new << 32 | low, False)


@pytest.mark.parametrize(("expected", "after"), [(0x400, 0x123), (0x401, 0x400)])
def test_compare_and_swap(expected: int, after: int) -> None:
    lines = (
        '  %r = call i64 asm sideeffect "\\09csg\\09$0,$2,$1",'
        ' "=d,=*QS,d,0,*QS,~{cc},~{memory}"(ptr elementtype(i64) %p, i64 %b, i64 %a, ptr'
        " elementtype(i64) %p)\n  ret i64 %r"
    )
    assert run(lines, 0x400, expected, 0x123) == (0x400, after, False)


@pytest.mark.parametrize(
    ("old", "after", "even"),
    [(0x00001000, 0xABCD000000001020, 0x00001000), (0x00001004, 0xABCD000000001000, 0x00001000)],
)
def test_compare_and_swap_and_purge_swaps_the_low_half(old: int, after: int, even: int) -> None:
    lines = """  %q = getelementptr i8, ptr %p, i64 4
  %n = ptrtoint ptr %q to i64
  %o = or i64 %n, 1
  %old = zext i64 %a to i128
  %new = zext i64 %b to i128
  %high = shl i128 %old, 64
  %pair = or i128 %high, %new
  %r = call i128 asm sideeffect "\\09csp\\09$0,$2", "=&d,=*m,d,0,*m,~{cc}"(ptr elementtype(i32) %q, i64 %o, i128 %pair, ptr elementtype(i32) %q)
  %s = lshr i128 %r, 64
  %t = trunc i128 %s to i64
  ret i64 %t"""
    assert run(lines, 0xABCD000000001000, old, old | 0x20 | 0x1000) == (even, after, False)


def entry_asm(template: str, address: str = "%a") -> str:
    more = ", i64 %b" if "$4" in template else ""
    constraints = "=*m,a,a,a,i,*m" if more else "=*m,a,a,i,*m"
    return (
        f'  call void asm sideeffect "{template}", "{constraints}"(ptr elementtype(i64) %p, i64'
        f" 4096, i64 {address}{more}, i32 0, ptr elementtype(i64) %p)\n  ret void"
    )


@pytest.mark.parametrize(("template", "before", "after"), [
    ("\\09ipte\\09$1,$2,0,$3", 0x12345013F, 0x12345053F),
    ("\\09idte\\09$1,0,$2,$3", 0x123453403, 0x123453423),
    ("\\09idte\\09$1,$3,$2,$4", 0x123453403, 0x123453423),
    (".insn\\09rrf,0xb98b0000,$1,$2,%r0,$3", 0x12345033F, 0x12345013F),
])
def test_instructions_on_an_entry_change_one_bit(template: str, before: int, after: int) -> None:
    assert run(entry_asm(template), before, 0x1000, kind="void") == (None, after, False)


@pytest.mark.parametrize(
    ("address", "given_up"),
    [(0x100000, False), (0x103000, False), (0x100800, True), (0x100001, True)],
)
def test_idte_of_more_than_one_entry_is_given_up(address: int, given_up: bool) -> None:
    assert run(entry_asm("\\09idte\\09$1,0,$2,$3"), 0x400, address, kind="void")[2] is given_up


OPTIONS = """  %n = ptrtoint ptr %p to i64
  %t = call i64 @__phys_addr(i64 %n)
  %r = call { i64, i64 } asm sideeffect "\\09ipte\\09$2,$0,$1,$3", "=a,=a,a,i,0,1,~{memory}"(i64 TABLE, i32 0, i64 %a, i64 %b)
  ret void"""


@pytest.mark.parametrize(
    ("options", "given_up"),
    [(0x7FFFF000, False), (0x7FFFFC00, False), (0x1, True), (0x7FFFF0FF, True)],
)
def test_ipte_with_options_finds_its_entry_by_the_physical_address(
    options: int, given_up: bool
) -> None:
    _, after, lost = run(OPTIONS.replace("TABLE", "%t"), 0x12345013F, 0x1000, options, kind="void")
    assert after == 0x12345053F and lost is given_up


def test_ipte_of_an_unknown_entry_is_incomplete() -> None:
    with pytest.raises(NotModelled, match="entry that is not known"):
        run(OPTIONS.replace("TABLE", "%a"), 0, kind="void")


def test_a_physical_address_that_was_moved_is_no_entry_any_more() -> None:
    moved = OPTIONS.replace("TABLE", "%u").replace("  %r =", "  %u = add i64 %t, 8\n  %r =")
    with pytest.raises(NotModelled, match="entry that is not known"):
        run(moved, 0, kind="void")


def test_the_physical_address_of_a_number_is_what_c_computes() -> None:
    assert run("  %t = call i64 @__phys_addr(i64 %a)\n  ret i64 %t", 0, 0x5000)[0] == 0x6000


def patched(one: str, other: str, kind: int = 1, number: str = "0") -> str:
    """Assembly of one kind of machine, and what takes its place at boot on the other."""
    when = f"(1 << 28 $| {kind} << 20 $| ({number}) << 0)"
    return (
        f".pushsection .altinstr_replacement, \\22ax\\22\\0A6641:\\0A\\09{other}\\0A6651:\\0A.popsection"
        f"\\0A661:\\0A\\09{one}\\0A662:\\0A.pushsection .altinstructions,\\22a\\22\\0A\\09.long 661b - ."
        f"\\0A\\09.long 6641b - .\\0A\\09.long {when}\\0A\\09.byte 662b-661b\\0A.popsection\\0A"
    )


LOWCORES = {"llilh": patched("llilh $0,0", "llilh $0,$1"),
            "lghi": patched("lghi\\09$0,0", "llilh\\09$0,$1")}


@pytest.mark.parametrize("name", LOWCORES)
def test_the_lowcore_is_one_object(name: str) -> None:
    call = f'call ptr asm "{LOWCORES[name]}", "=d,i"(i64 7)'
    lines = (
        f"  %x = {call}\n  %y = {call}\n  store i64 %a, ptr %x\n  %r = load i64, ptr %y\n  ret"
        " i64 %r"
    )
    assert run(lines, 0, 0x1234)[0] == 0x1234


@pytest.mark.parametrize(("load", "width", "at", "found"), [
    ("lg", 64, 8, 0x123456789), ("ly", 32, 8, 0x1), ("ly", 32, 12, 0x23456789),
    ("lg", 64, 16, 0x5A5A5A5A5A5A5A5B),
])
def test_a_word_of_the_lowcore_is_where_the_offset_says(
    load: str, width: int, at: int, found: int
) -> None:
    text = patched(f"{load}\\09$0,$1(%r0)", f"{load}\\09$0,$2(%r0)")
    lines = (
        f'  %x = call ptr asm "{LOWCORES["lghi"]}", "=d,i"(i64 7)\n  %q = getelementptr i8, ptr %x,'
        f" i64 8\n  store i64 %a, ptr %q\n  %r = call i{width} asm \"{text}\", \"=d,i,i\"(i64 {at},"
        f" i64 459680)\n  {'%z = add i64 %r, 0' if width == 64 else '%z = zext i32 %r to i64'}\n"
        "  ret i64 %z"
    )
    assert run(lines, 0, 0x123456789)[0] == found


def test_other_offsets_in_the_two_places_of_a_load_are_no_load_of_the_lowcore() -> None:
    text = patched("lg $0,$1(%r0)", "ly $0,$2(%r0)")
    with pytest.raises(NotModelled, match="assembly"):
        run(f'  %r = call i64 asm "{text}", "=d,i,i"(i64 8, i64 16)\n  ret i64 %r', 0)


def test_counting_in_the_lowcore_changes_no_entry() -> None:
    text = patched("agsi\\09$1(%r0),$2", "agsi\\09$3(%r0),$2")
    call = (f'  call void asm "{text}", "=*m,i,i,i,*m,~{{cc}}"(ptr elementtype(i64) null, i64 936,'
            " i32 1, i64 459688, ptr elementtype(i64) null)\n  ret void")
    assert run(call, 0x12345013F, kind="void") == (None, 0x12345013F, False)


@pytest.mark.parametrize(("op", "after"), [("agsi", 0x500000002), ("asi", 0x800000005)])
def test_a_constant_is_added_to_memory(op: str, after: int) -> None:
    width = 64 if op == "agsi" else 32
    call = (f'  call void asm sideeffect "{op}\\09$0,$1", "=*QS,i,*QS,~{{cc}},~{{memory}}"(ptr'
            f" elementtype(i{width}) %p, i{width} -3, ptr elementtype(i{width}) %p)\n  ret void")
    before = 0x500000005 if op == "agsi" else 0xB00000005
    assert run(call, before, kind="void") == (None, after, False)


@pytest.mark.parametrize(("kind", "number", "found"), [(0, 194, 1), (0, 51, 2), (1, 194, 2)])
def test_a_branch_asks_for_a_facility_or_a_feature_of_the_machine(
    kind: int, number: int, found: int
) -> None:
    text = patched("brcl 15,${1:l}", "brcl 0,0", kind, "$0")
    lines = (f'  callbr void asm sideeffect "{text}", "i,!i"(i64 {number}) to label %has [label'
             " %lacks]\nhas:\n  ret i64 1\nlacks:\n  ret i64 2")
    assert run(lines, 0)[0] == found


@pytest.mark.parametrize(
    "template",
    [
        "\\09ipte\\09$1,$2,0,$3\\0A\\09ipte\\09$1,$2,0,$3",
        "\\09iske\\09$1,$2",
        "\\09idte\\09$1,$2,0,$3,0",
    ],
)
def test_other_assembly_is_incomplete(template: str) -> None:
    with pytest.raises(NotModelled, match="assembly"):
        run(entry_asm(template), 0, kind="void")
