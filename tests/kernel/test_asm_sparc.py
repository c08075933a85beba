# SPDX-License-Identifier: GPL-2.0-or-later
"""What SPARC's C calls, or does with memory: a word stored under a lock, operations that a table
points to, a memset of any length.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from verifier.kernel.asm.unlifted import KernelModels, calls_of
from verifier.kernel.conform.atomicity import lets_hardware_in
from verifier.kernel.conform.session import layouts
from verifier.kernel.llvm.context import LinkedModules
from verifier.kernel.llvm.lift import Lifter
from verifier.kernel.llvm.objects import Object
from verifier.kernel.llvm.read_module import parse_module
from verifier.kernel.llvm.values import LiftedWord, NotModelled
from verifier.language.algebra import Integers

TEXT = """target datalayout = "E-m:e-p:32:32-i64:64-f128:64-n32-S64"
@ops = external global ptr
declare void @arch_atomic_set(ptr, i32)
define i32 @set(ptr %p, i32 %a) {
entry:
  call void @arch_atomic_set(ptr %p, i32 %a)
  %r = load i32, ptr %p
  ret i32 %r
}
define i32 @through(ptr %p, i32 %a) {
entry:
  %table = load ptr, ptr @ops
  %at = getelementptr i8, ptr %table, i32 28
  %call = load ptr, ptr %at
  call void %call(ptr %p, i32 %a)
  %r = load i32, ptr %p
  ret i32 %r
}
@init = external global i32
define i32 @others(ptr %p, i32 %a) {
entry:
  %one = load ptr, ptr @ops
  %same = icmp eq ptr %one, @init
  %r = select i1 %same, i32 1, i32 2
  ret i32 %r
}
declare void @llvm.memset.p0.i32(ptr, i8, i32, i1)
define i32 @clear(ptr %p, i32 %a) {
entry:
  call void @llvm.memset.p0.i32(ptr %p, i8 -1, i32 %a, i1 false)
  %r = load i32, ptr %p
  ret i32 %r
}
"""


class Nothing:
    """No pointer is 0, and no word is asked for."""

    def word(self, name: str, width: int) -> int:
        raise AssertionError(name)

    def boolean(self, name: str) -> bool:
        return False


def run(
    name: str, actions: Mapping[str, Any], a: int = 9, undefined: int = 0
) -> tuple[int, Lifter]:
    lifter = Lifter(
        Integers(),
        LinkedModules((parse_module(TEXT, "test"),), "sparc"),
        Nothing(),
        KernelModels(actions),
    )
    entry = Object("p", 4, 4, lambda unit: LiftedWord(64, 7 << 32, 7 << 32))
    result, _ = lifter.call(name, [lifter.pointer(entry), LiftedWord(32, a)])
    assert result is not None and not any(u.condition for u in (*lifter.lost, *lifter.outside))
    assert sum(bool(u.condition) for u in lifter.undefined) == undefined
    return int(lifter.values.as_word(result).term), lifter


def test_a_counter_is_set() -> None:
    assert run("set", calls_of("sparc"))[0] == 9


def test_a_call_through_a_table_is_what_the_models_know_it_for() -> None:
    told = []
    found, _ = run(
        "through", {"**@ops[0][28]": lambda l, instr, args, state: told.append(len(args))}
    )
    assert found == 7 and told == [2]


@pytest.mark.parametrize("actions", [{}, {"**@ops[0][24]": lambda l, instr, args, state: None}])
def test_another_call_through_a_table_is_not_guessed(actions: Mapping[str, Any]) -> None:
    with pytest.raises(NotModelled, match=r"a call through a pointer: \*@ops\[0\]\[28\]"):
        run("through", actions)


def test_what_a_pointer_leads_to_is_an_object_of_its_own() -> None:
    assert run("others", {})[0] == 2


@pytest.mark.parametrize(
    ("length", "left"), [(0, 7), (1, 0xFF000007), (3, 0xFFFFFF07), (4, 0xFFFFFFFF)]
)
def test_as_many_bytes_are_set_as_a_length_says(length: int, left: int) -> None:
    assert run("clear", {}, length)[0] == left


def test_no_bytes_are_set_behind_an_object() -> None:
    run("clear", {}, 5, undefined=1)


@pytest.mark.parametrize(("variant", "lets"), [("sparc32+smp", True), ("riscv64", False)])
def test_the_hardware_comes_into_what_calls_what_lets_it_in(variant: str, lets: bool) -> None:
    """On riscv, ptep_get_and_clear is one instruction."""
    (layout,) = layouts([variant])
    assert lets_hardware_in(layout.helper("ptep_clear_flush").body) == lets
    assert lets_hardware_in(layout.helper("ptep_set_access_flags").body)
