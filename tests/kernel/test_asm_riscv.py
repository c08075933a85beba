# SPDX-License-Identifier: GPL-2.0-or-later
"""Assembly of riscv and hexagon: what atomics leave in memory and give, what alternatives choose,
and what is given up.
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

LAYOUT = 'target datalayout = "e-m:e-p:64:64-i64:64-i128:128-n32:64-S128"\n'
OLD = "886 :\\0A.option push\\0A.option norvc\\0A.option norelax\\0A{}\\0A.option pop\\0A887 :\\0A"
NEW = (
    ".if {} == 1\\0A.pushsection .alternative, \\22a\\22\\0A.4byte\\09((886b) - .)"
    " \\0A.4byte\\09((888f) - .) \\0A.2byte\\09{}\\0A.2byte 889f -"
    " 888f\\0A.4byte\\09{}\\0A.popsection\\0A.subsection 1\\0A888 :\\0A.option push\\0A.option"
    " norvc\\0A.option norelax\\0A{}\\0A.option pop\\0A889 :\\0A.org\\09. - (887b - 886b) + (889b -"
    " 888b)\\0A.org\\09. - (889b - 888b) + (887b - 886b)\\0A.previous\\0A.endif\\0A"
)


class Extensions:
    """The CPU has these extensions, and where below 0 errata; no word is free."""

    def __init__(self, *numbers: int) -> None:
        self.names = {f"extension {n}" if n >= 0 else f"erratum of T-Head {-n}" for n in numbers}

    def word(self, name: str, width: int) -> int:
        return 0

    def boolean(self, name: str) -> bool:
        assert name.startswith(("extension ", "erratum of T-Head "))
        return name in self.names


def run(
    lines: str, memory: int = 0, a: int = 0, *extensions: int, arch: str = "riscv"
) -> tuple[int, int]:
    """f(ptr %p, i64 %a): its result, and the eight bytes behind %p."""
    text = f"{LAYOUT}define i64 @f(ptr %p, i64 %a) {{\nentry:\n{lines}\n}}\n"
    lifter = Lifter(
        Integers(),
        LinkedModules((parse_module(text, "test"),), arch),
        Extensions(*extensions),
        KernelModels(),
    )
    entry = Object("p", 8, 8, lambda unit: LiftedWord(64, memory, memory))
    result, state = lifter.call("f", [lifter.pointer(entry), LiftedWord(64, a, a)])
    after = lifter.values.as_word(lifter.memory.read(state.memory.get(entry, {}), entry, 0, 8))
    assert after.poison is None and not any(u.condition for u in lifter.undefined)
    assert result is not None
    return int(lifter.values.as_word(result).term), int(after.term)


@pytest.mark.parametrize(
    ("op", "new"), [("swap", 0x0F), ("and", 0x03), ("or", 0xFF), ("xor", 0xFC), ("add", 0x102)]
)
def test_an_atomic_operation_gives_what_was_there(op: str, new: int) -> None:
    code = (
        f'  %r = call i64 asm sideeffect "\\09amo{op}.d.aqrl $0, $2, $1\\0A",'
        ' "=r,=*A,r,*A,~{memory}"(ptr elementtype(i64) %p, i64 %a, ptr elementtype(i64) %p)\n '
        " ret i64 %r"
    )
    assert run(code, 0xF3, 0x0F) == (0xF3, new)


def test_an_atomic_operation_without_a_result() -> None:
    code = '  call void asm sideeffect "\\09amoand.d zero, $1, $0", "=*A,r,*A,~{memory}"' \
           "(ptr elementtype(i64) %p, i64 %a, ptr elementtype(i64) %p)\n  ret i64 0"
    assert run(code, 0xF7, ~4 & (1 << 64) - 1) == (0, 0xF3)


@pytest.mark.parametrize(("has", "result"), [((), 0), ((29,), 3 << 61), ((30,), 0)])
def test_a_memory_type_needs_its_extension(has: tuple[int, ...], result: int) -> None:
    text = (
        OLD.format("li $0, 0\\09\\0Anop")
        + NEW.format(1, 0, 29, "li $0, $1\\09\\0Aslli $0,$0,$3")
        + NEW.format(0, "0x5b7", 0, "li $0, $2\\09\\0Aslli $0,$0,$4")
    )
    code = (
        f'  %r = call i64 asm "{text}", "=r,I,I,I,I"(i64 3, i64 31, i64 61, i64 59)\n  ret i64 %r'
    )
    assert run(code, 0, 0, *has)[0] == result


@pytest.mark.parametrize(
    ("has", "result"), [((), 0), ((29,), 3 << 61), ((-7,), 31 << 59), ((29, -7), 31 << 59)]
)
def test_a_memory_type_of_t_heads(has: tuple[int, ...], result: int) -> None:
    text = (
        OLD.format("li $0, 0\\09\\0Anop")
        + NEW.format(1, 0, 29, "li $0, $1\\09\\0Aslli $0,$0,$3")
        + NEW.format(1, "0x5b7", 7, "li $0, $2\\09\\0Aslli $0,$0,$4")
    )
    code = (
        f'  %r = call i64 asm "{text}", "=r,I,I,I,I"(i64 3, i64 31, i64 61, i64 59)\n  ret i64 %r'
    )
    assert run(code, 0, 0, *has)[0] == result
    with pytest.raises(NotModelled, match="assembly"):
        run(code.replace("0x5b7", "0x489"))


@pytest.mark.parametrize("on", [0, 1])
@pytest.mark.parametrize("has", [False, True])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (1, 7 << 60 | 1),
        (3 << 60 | 1, 3 << 60 | 1),
        (1 << 59, 1 << 59),
        (1 << 58, 7 << 60 | 1 << 58),
    ],
)
def test_normal_memory_of_t_heads(on: int, has: bool, before: int, after: int) -> None:
    steps = (
        "li      t3, $1",
        "slli    t3, t3, $3",
        "and     t3, $0, t3",
        "bne     t3, zero, 2f",
        "li      t3, $2",
        "slli    t3, t3, $3",
        "or      $0, $0, t3",
        "2:",
    )
    text = OLD.format(".rept\\097\\0Anop\\0A.endr\\0A") + NEW.format(
        on, "0x5b7", 7, "\\0A\\09".join(steps)
    )
    code = (
        f'  %r = call i64 asm sideeffect "{text}", "=r,I,I,I,0,~{{x28}}"(i64 31, i64 14, i64 59,'
        " i64 %a)\n  ret i64 %r"
    )
    assert run(code, 0, before, *((-7,) if has else ()))[0] == (after if on and has else before)


@pytest.mark.parametrize(
    ("old", "new", "jumps_with"), [("j ${2:l}", "nop", False), ("nop", "j ${2:l}", True)]
)
@pytest.mark.parametrize("has", [False, True])
def test_a_jump_that_is_patched(old: str, new: str, jumps_with: bool, has: bool) -> None:
    text = OLD.format(old) + NEW.format(1, "$0", "$1", new)
    code = (
        f'  callbr void asm sideeffect "{text}", "i,i,!i"(i64 0, i64 86) to label %on [label'
        " %off]\non:\n  ret i64 1\noff:\n  ret i64 2"
    )
    assert run(code, 0, 0, *((86,) if has else ()))[0] == (2 if has == jumps_with else 1)


def test_an_extension_of_a_vendor_is_given_up() -> None:
    text = OLD.format("nop") + NEW.format(1, "$0", "$1", "j ${2:l}")
    code = (
        f'  callbr void asm sideeffect "{text}", "i,i,!i"(i64 1463, i64 86) to label %on [label'
        " %off]\non:\n  ret i64 1\noff:\n  ret i64 2"
    )
    with pytest.raises(NotModelled, match="vendor"):
        run(code)


def test_unknown_assembly_is_given_up() -> None:
    for template in ("amoswap.d.aqrl $0, $2, 8($1)", "lr.d $0, $1"):
        code = (
            f'  %r = call i64 asm sideeffect "{template}", "=r,=*A,r,*A"(ptr elementtype(i64) %p,'
            " i64 %a, ptr elementtype(i64) %p)\n  ret i64 %r"
        )
        with pytest.raises(NotModelled, match="assembly"):
            run(code)
    code = (
        '  callbr void asm sideeffect "j ${0:l}", "!i"() to label %on [label %off]\non:\n  ret i64'
        " 1\noff:\n  ret i64 2"
    )
    with pytest.raises(NotModelled, match="asm goto"):
        run(code)


def test_hexagons_atomic_set() -> None:
    text = (
        "1:\\09r6 = memw_locked($0);\\0A\\09memw_locked($0,p0) = $1;\\0A\\09if (!P0) jump 1b;\\0A"
    )
    code = (
        f'  %v = trunc i64 %a to i32\n  call void asm sideeffect "{text}",'
        ' "r,r,~{memory},~{p0},~{r6}"(ptr %p, i32 %v)\n  ret i64 0'
    )
    assert run(code, 0xFFFF_FFFF_FFFF_FFFF, 5, arch="hexagon") == (0, 0xFFFF_FFFF_0000_0005)
