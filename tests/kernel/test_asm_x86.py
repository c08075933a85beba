# SPDX-License-Identifier: GPL-2.0-or-later
"""cmpxchg8b, which an entry of PAE's two words is changed by, words that are combined into memory
and a flag of that, and arguments that are copies of a structure.
"""

from __future__ import annotations

import pytest

from verifier.engine.terms import Terms
from verifier.kernel.asm.unlifted import KernelModels
from verifier.kernel.llvm.context import LinkedModules
from verifier.kernel.llvm.lift import Lifter
from verifier.kernel.llvm.objects import Object
from verifier.kernel.llvm.read_module import parse_module
from verifier.kernel.llvm.values import LiftedWord, NotModelled
from verifier.language.algebra import Integers

LAYOUT = (
    "target datalayout ="
    ' "e-m:e-p:32:32-p270:32:32-i64:32-i128:128-f64:32:64-f80:32-n8:16:32-S128"\n'
)
LOCK = (
    ".pushsection .smp_locks,\\22a\\22\\0A.balign 4\\0A.long 671f -"
    " .\\0A.popsection\\0A671:\\0A\\09lock "
)
TRY = LOCK + "cmpxchg8b $1\\0A\\09/* output condition code e*/\\0A"
OPERANDS = '"={@cce},=*m,={ax},={dx},{bx},{cx},*m,2,3,~{memory},~{dirflag},~{fpsr},~{flags}"'
OLD, NEW = 0x8000000012345067, 0x0000000700000005


class Nothing:
    """No word and no truth is free."""

    def word(self, name: str, width: int) -> int:
        raise AssertionError(name)

    def boolean(self, name: str) -> bool:
        raise AssertionError(name)


def run(text: str, memory: int, arg: int) -> tuple[int, int]:
    """f(ptr %p, i64 %a): its result, and the eight bytes behind %p."""
    lifter = Lifter(
        Integers(),
        LinkedModules((parse_module(LAYOUT + text, "test"),), "x86"),
        Nothing(),
        KernelModels(),
    )
    entry = Object("p", 8, 4, lambda unit: LiftedWord(64, memory, memory))
    result, state = lifter.call("f", [lifter.pointer(entry), LiftedWord(64, arg, arg)])
    after = lifter.values.as_word(lifter.memory.read(state.memory.get(entry, {}), entry, 0, 8))
    assert after.poison is None and not any(u.condition for u in lifter.undefined)
    assert result is not None
    return int(lifter.values.as_word(result).term), int(after.term)


def exchange(part: int, template: str = TRY, operands: str = OPERANDS) -> str:
    """%a is what is expected; part 0 of the result is the flag, 1 and 2 are what was there."""
    return f"""define i64 @f(ptr %p, i64 %a) {{
entry:
  %low = trunc i64 %a to i32
  %up = lshr i64 %a, 32
  %high = trunc nuw i64 %up to i32
  %r = call {{ i8, i32, i32 }} asm sideeffect "{template}", {operands}(ptr elementtype(i64) %p, i32 {NEW & 0xFFFFFFFF}, i32 {NEW >> 32}, ptr elementtype(i64) %p, i32 %low, i32 %high)
  %x = extractvalue {{ i8, i32, i32 }} %r, {part}
  %y = zext {"i8" if part == 0 else "i32"} %x to i64
  ret i64 %y
}}
"""


@pytest.mark.parametrize(("expected", "flag", "after"), [
    (OLD, 1, NEW), (OLD ^ 1, 0, OLD), (OLD ^ 1 << 63, 0, OLD), (OLD ^ 1 << 32, 0, OLD),
])
def test_both_words_are_compared_and_exchanged(expected: int, flag: int, after: int) -> None:
    assert run(exchange(0), OLD, expected) == (flag, after)
    assert run(exchange(1), OLD, expected) == (OLD & 0xFFFFFFFF, after)
    assert run(exchange(2), OLD, expected) == (OLD >> 32, after)


def test_what_is_no_cmpxchg8b_is_given_up() -> None:
    with pytest.raises(NotModelled, match="assembly"):
        run(exchange(0, LOCK + "cmpxchg16b $1\\0A"), OLD, OLD)
    with pytest.raises(NotModelled, match="registers"):
        run(exchange(0, operands=OPERANDS.replace("{bx}", "{si}")), OLD, OLD)


def test_an_exchange_with_what_was_read_succeeds_for_every_value() -> None:
    """The loop of try_cmpxchg64 ends after one round over terms too, without a question to a
    solver.
    """
    text = f"""define i64 @f(ptr %p, i64 %a) {{
entry:
  %old = load i64, ptr %p, align 4
  %low = trunc i64 %old to i32
  %up = lshr i64 %old, 32
  %high = trunc nuw i64 %up to i32
  br label %again

again:
  %e0 = phi i32 [ %low, %entry ], [ %w0, %again ]
  %e1 = phi i32 [ %high, %entry ], [ %w1, %again ]
  %r = call {{ i8, i32, i32 }} asm sideeffect "{TRY}", {OPERANDS}(ptr elementtype(i64) %p, i32 5, i32 7, ptr elementtype(i64) %p, i32 %e0, i32 %e1)
  %flag = extractvalue {{ i8, i32, i32 }} %r, 0
  %w0 = extractvalue {{ i8, i32, i32 }} %r, 1
  %w1 = extractvalue {{ i8, i32, i32 }} %r, 2
  %done = trunc nuw i8 %flag to i1
  br i1 %done, label %end, label %again

end:
  ret i64 %old
}}
"""
    terms = Terms()
    lifter = Lifter(
        terms,
        LinkedModules((parse_module(LAYOUT + text, "test"),), "x86"),
        Nothing(),
        KernelModels(),
    )
    entry = Object("p", 8, 4, lambda unit: LiftedWord(64, terms.input_word("p", 64)))
    _, state = lifter.call("f", [lifter.pointer(entry), LiftedWord(64, terms.input_word("a", 64))])
    assert lifter._walked == 3
    after = lifter.values.as_word(lifter.memory.read(state.memory[entry], entry, 0, 8))
    assert str(terms.eq(after.term, terms.word(NEW, 64), 64)) in ("True", str(terms.truth(True)))


COMBINED = """define i64 @f(ptr %p, i64 %a) {{
entry:
  %v = trunc i64 %a to i32
  %r = call i32 asm sideeffect "{op}l $2,$1{note}", "={{@cc{flag}}},=*m,er,*m,~{{memory}},~{{dirflag}},~{{fpsr}},~{{flags}}"(ptr elementtype(i32) %p, i32 %v, ptr elementtype(i32) %p)
  %y = zext i32 %r to i64
  ret i64 %y
}}
"""


@pytest.mark.parametrize("note", ["", "\\0A\\09/* output condition code e*/\\0A"])
@pytest.mark.parametrize(("op", "flag", "memory", "arg", "found", "after"), [
    ("sub", "e", 5, 5, 1, 0), ("sub", "e", 5, 1, 0, 4), ("sub", "s", 5, 6, 1, 0xFFFFFFFF),
    ("add", "s", 5, 6, 0, 11), ("and", "z", 5, 2, 1, 0), ("or", "z", 0, 0, 1, 0),
])
def test_a_flag_says_what_a_combined_word_is(
    op: str, flag: str, memory: int, arg: int, found: int, after: int, note: str
) -> None:
    text = COMBINED.format(op=op, flag=flag, note=note)
    assert run(text.replace('"' + op, f'"{LOCK}{op}'), memory, arg) == (found, after)


BYVAL = """%union.pte_t = type { i64 }
define internal i64 @set(ptr %where, ptr byval(%union.pte_t) align 4 %entry) {
entry:
  %v = load i64, ptr %entry, align 4
  store i64 0, ptr %entry, align 4
  store i64 %v, ptr %where, align 4
  ret i64 %v
}
define i64 @f(ptr %p, i64 %a) {
entry:
  %mine = alloca %union.pte_t, align 4
  store i64 %a, ptr %mine, align 4
  %r = call i64 @set(ptr %p, ptr byval(%union.pte_t) align 4 %mine)
  %left = load i64, ptr %mine, align 4
  ret i64 %left
}
"""


def test_a_structure_by_value_is_a_copy() -> None:
    assert run(BYVAL, OLD, NEW) == (NEW, NEW)


def test_a_structure_for_a_function_that_is_not_here_is_given_up() -> None:
    text = (
        BYVAL[: BYVAL.index("define internal")]
        + "declare i64 @set(ptr, ptr)\n"
        + BYVAL[BYVAL.index("define i64 @f") :]
    )
    with pytest.raises(NotModelled, match="a struct by reference"):
        run(text, OLD, NEW)
