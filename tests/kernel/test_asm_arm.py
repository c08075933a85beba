# SPDX-License-Identifier: GPL-2.0-or-later
"""arm's set_pte_ext as machine code: what it leaves in memory, which calls lead to it, and what is
given up.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from verifier.kernel.asm.actions import assembly
from verifier.kernel.asm.arm import run_code
from verifier.kernel.asm.unlifted import KernelModels
from verifier.kernel.llvm.assembled import read_code
from verifier.kernel.llvm.context import LinkedModules
from verifier.kernel.llvm.lift import Lifter
from verifier.kernel.llvm.objects import Object
from verifier.kernel.llvm.read_module import parse_module
from verifier.kernel.llvm.values import LiftedWord, NotModelled, Value
from verifier.kernel.llvm.ways import WayState
from verifier.language.algebra import Integers

LAYOUT = 'target datalayout = "e-m:e-p:32:32-Fi8-i64:64-v128:64:128-a:0:32-n32-S64"\n'
Arguments = Callable[[Lifter, Object], list[Value]]


class Nothing:
    """Free words are 0."""

    def word(self, name: str, width: int) -> int:
        return 0

    def boolean(self, name: str) -> bool:
        return False


def disassembled(*lines: str) -> str:
    """What llvm-objdump prints of a function f at 0x10."""
    return "00000010 <f>:\n" + "".join(
        f"      {0x10 + 4 * n:x}:      \t{line}\n" for n, line in enumerate(lines)
    )


def lifter(text: str = LAYOUT, assembly: str = "") -> Lifter:
    return Lifter(
        Integers(),
        LinkedModules((parse_module(text, "test"),), "arm", read_code(assembly)),
        Nothing(),
        KernelModels(),
    )


def run(lines: tuple[str, ...], *words: int, size: int = 4, width: int = 32, start: int = 0) -> int:
    """f(address of an object, words): what the object holds afterwards."""
    l = lifter()
    entry, state = (
        Object("entry", size, 8, lambda unit: LiftedWord(64, start, start)),
        WayState((), {}, {}),
    )
    run_code(
        l,
        read_code(disassembled(*lines))["f"],
        [l.pointer(entry), *(LiftedWord(width, w, w) for w in words)],
        state,
    )
    after = l.values.as_word(l.memory.read(state.memory.get(entry, {}), entry, 0, size))
    assert after.poison is None
    return int(after.term)


@pytest.mark.parametrize(
    ("line", "result"),
    [
        ("orr r1, r1, #256", 0x1FF),
        ("bic r1, r1, #15", 0xF0),
        ("eor r1, r1, #0xff", 0),
        ("and r1, r1, #18", 18),
        ("add r1, r1, #1", 0x100),
        ("sub r1, r1, #1", 0xFE),
        ("orr r1, r1, r2", 0x2FF),
        ("mov r1, #7", 7),
        ("mov r1, r2", 0x200),
        ("nop", 0xFF),
        ("mcr p15, #0x0, r0, c7, c10, #0x1", 0xFF),
    ],
)
def test_what_instructions_compute(line: str, result: int) -> None:
    assert run((line, "str r1, [r0]", "bx lr"), 0xFF, 0x200) == result


@pytest.mark.parametrize(("value", "result"), [(0, 0x10), (1, 0x21), (2, 0x12), (3, 0x23)])
def test_conditions_follow_the_last_test_that_ran(value: int, result: int) -> None:
    code = ("tst r1, #1", "orrne r1, r1, #32", "orreq r1, r1, #16", "str r1, [r0]", "bx lr")
    assert run(code, value) == result


@pytest.mark.parametrize(("value", "result"), [(0, 1), (1, 1), (2, 1), (3, 0)])
def test_a_test_that_does_not_run_leaves_the_flag(value: int, result: int) -> None:
    assert (
        run(
            ("tst r1, #1", "tstne r1, #2", "mov r3, #0", "moveq r3, #1", "str r3, [r0]", "bx lr"),
            value,
        )
        == result
    )


@pytest.mark.parametrize(("value", "result"), [(0, 0), (1, 0x21), (3, 0x113)])
def test_branches_leave_out_what_they_leap_over(value: int, result: int) -> None:
    code = (
        "tst r1, #1",
        "beq 0x28 <f+0x18> @ imm = #0x10",
        "tst r1, #2",
        "orrne r1, r1, #0x110",
        "bne 0x28 <f+0x18>",
        "eor r1, r1, #0x20",
        "str r1, [r0]",
        "bx lr",
    )
    assert run(code, value) == result


@pytest.mark.parametrize(("value", "poison"), [(0, True), (1, False)])
def test_a_register_that_was_not_set_is_poison(value: int, poison: bool) -> None:
    l = lifter()
    entry, state = Object("entry", 4, 8), WayState((), {}, {})
    run_code(
        l,
        read_code(disassembled("tst r1, #1", "orrne r12, r1, #8", "str r12, [r0]", "bx lr"))["f"],
        [l.pointer(entry), LiftedWord(32, value, value)],
        state,
    )
    after = l.values.as_word(l.memory.read(state.memory[entry], entry, 0, 4))
    assert (after.poison is True) == poison
    assert poison or int(after.term) == 9


def test_a_condition_on_a_register_that_was_not_set_is_undefined() -> None:
    l = lifter()
    entry, state = Object("entry", 4, 8), WayState((), {}, {})
    lines = (
        "tst r1, #1",
        "orrne r12, r1, #8",
        "tst r12, #8",
        "orrne r1, r1, #16",
        "str r1, [r0]",
        "bx lr",
    )
    run_code(
        l, read_code(disassembled(*lines))["f"], [l.pointer(entry), LiftedWord(32, 0, 0)], state
    )
    assert [u.reason for u in l.undefined if u.condition] == ["a condition depends on poison"]


def test_a_pair_is_passed_in_even_registers_and_stored_as_one() -> None:
    assert (
        run(("orr r3, r3, #1", "strd r2, r3, [r0]", "bx lr"), 0x8000000012345678, size=8, width=64)
        == 0x8000000112345678
    )


@pytest.mark.parametrize(
    ("store", "size", "result"),
    [
        ("str r1, [r0]", 4, 5),
        ("str r1, [r0, #0x800]!", 4, 9),
        ("str r1, [r0], #0x800", 4, 5),
        ("streq r1, [r0]", 4, 5),
        ("strne r1, [r0]", 4, 9),
    ],
)
def test_stores(store: str, size: int, result: int) -> None:
    assert run(("tst r1, #2", store, "bx lr"), 5, size=size, start=9) == result


def test_older_cpus_return_with_mov() -> None:
    assert run(("str r1, [r0]", "mov pc, lr"), 5) == 5


def test_the_hardwares_copy_is_stored_where_there_is_room_for_it() -> None:
    l = lifter()
    both, state = Object("both", 2052, 8), WayState((), {}, {})
    run_code(
        l,
        read_code(disassembled("str r1, [r0], #2048", "orr r1, r1, #1", "str r1, [r0]", "bx lr"))[
            "f"
        ],
        [l.pointer(both), LiftedWord(32, 8, 8)],
        state,
    )
    assert [
        int(l.values.as_word(l.memory.read(state.memory[both], both, at, 4)).term)
        for at in (0, 2048)
    ] == [8, 9]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (("cmp r1, #0", "bx lr"), "machine code"),
        (("orrgt r1, r1, #1", "bx lr"), "machine code"),
        (("ldr r1, [r0]", "bx lr"), "machine code"),
        (("orrne r1, r1, #1", "bx lr"), "before any test"),
        (("mov r1, r5", "bx lr"), "r5 is not known"),
        (("eor r0, r0, #1", "bx lr"), "with an address"),
        (("tst r1, #1", "beq 0x10 <f>", "bx lr"), "branches back"),
        (("tst r1, #1", "beq 0x1c <f+0xc>", "bx lr", "bx lr"), "returns in its middle"),
        (("nop",), "no end"),
        (("b 0x14 <f+0x4>", "bx lr"), "always branches"),
        (("nop",) * 120, "too long"),
        (("bl 0x0 <f>", "bx lr"), "machine code"),
    ],
)
def test_what_is_not_known_is_given_up(lines: tuple[str, ...], reason: str) -> None:
    with pytest.raises(NotModelled, match=reason):
        run(lines, 1)


CALL = LAYOUT + """@processor = external global [12 x ptr], align 4
define void @g(ptr %p, i32 %a) {
entry:
  %f = load ptr, ptr getelementptr inbounds (i8, ptr @processor, i32 36), align 4
  call void %f(ptr %p, i32 %a)
  ret void
}
"""


def test_a_call_through_a_table_leads_to_the_function_that_is_bound() -> None:
    l = lifter(CALL, disassembled("orr r1, r1, #1", "str r1, [r0]", "bx lr"))
    entry = Object("entry", 4, 4)
    with pytest.raises(NotModelled, match=r"a call through a pointer: @processor\[36\]"):
        l.call("g", [l.pointer(entry), LiftedWord(32, 2, 2)])
    l.models = KernelModels(actions={"*@processor[36]": assembly("f", "bound")})
    _, state = l.call("g", [l.pointer(entry), LiftedWord(32, 2, 2)])
    assert int(l.values.as_word(l.memory.read(state.memory[entry], entry, 0, 4)).term) == 3
    assert "bound" in l.notes
    assert not l.outside and not l.undefined


def test_a_global_is_one_object_in_all_files_that_see_it() -> None:
    first = parse_module(
        LAYOUT
        + "@shared = external global i32\n@own = internal global i32 1\ndefine i32 @f() {\nentry:\n"
        "  call void @set()\n  %x = load i32, ptr @shared\n  %y = load i32, ptr @own\n  %z = add"
        " i32 %x, %y\n  ret i32 %z\n}\ndeclare void @set()\n",
        "first",
    )
    second = parse_module(
        LAYOUT
        + "@shared = global i32 0\n@own = internal global i32 2\ndefine void @set() {\nentry:\n"
        "  store i32 40, ptr @shared\n  store i32 7, ptr @own\n  ret void\n}\n",
        "second",
    )
    l = Lifter(
        Integers(),
        LinkedModules((first, second), "arm"),
        Nothing(),
        KernelModels(),
        None,
        frozenset({"own", "shared"}),
    )
    result, _ = l.call("f", [])
    assert result is not None
    assert int(l.values.as_word(result).term) == 41


def test_the_task_that_runs_is_one_object_on_arm64() -> None:
    """A register has its address: who adds to that stays within it, and finds what was stored."""
    read = 'call i64 asm "mrs $0, sp_el0", "=r"()'
    lines = (f"  %a = {read}\n  %p = inttoptr i64 %a to ptr\n  %q = getelementptr inbounds nuw i8,"
             f" ptr %p, i64 16\n  store i64 %v, ptr %q\n  %b = {read}\n  %r = inttoptr i64 %b to"
             " ptr\n  %s = getelementptr inbounds nuw i8, ptr %r, i64 16\n  %w = load i64, ptr %s\n"
             "  ret i64 %w")
    layout = 'target datalayout = "e-m:e-i8:8:32-i16:16:32-i64:64-i128:128-n32:64-S128-Fn32"\n'
    text = f"{layout}define i64 @f(i64 %v) {{\nentry:\n{lines}\n}}\n"
    l = Lifter(Integers(), LinkedModules((parse_module(text, "test"),), "arm64"), Nothing(),
               KernelModels())
    found, _ = l.call("f", [LiftedWord(64, 7, 7)])
    assert found is not None and l.values.as_word(found).term == 7
    assert not any(u.condition for u in (*l.undefined, *l.lost))
    assert any("sp_el0" in note for note in l.notes)
