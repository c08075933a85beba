# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls of SPARC's: a word that is stored under a lock, and operations of the caches and the TLB that a table points to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from verifier.algebra import Integers
from verifier.kernel.asm_sparc import CALLS
from verifier.kernel.irparse import parse_module
from verifier.kernel.lift import Lifter, Program
from verifier.kernel.memory import Object
from verifier.kernel.models import KernelModels
from verifier.kernel.values import Incomplete, Word

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
"""


class Nothing:
    """No pointer is 0, and no word is asked for."""

    def word(self, name: str, width: int) -> int:
        raise AssertionError(name)

    def boolean(self, name: str) -> bool:
        return False


def run(name: str, actions: Mapping[str, Any]) -> tuple[int, Lifter]:
    lifter = Lifter(Integers(), Program((parse_module(TEXT, "test"),), "sparc"), Nothing(), KernelModels(actions))
    entry = Object("p", 4, 4, lambda unit: Word(64, 7 << 32, 7 << 32))
    result, _ = lifter.call(name, [lifter.pointer(entry), Word(32, 9, 9)])
    assert result is not None and not any(u.condition for u in (*lifter.undefined, *lifter.lost, *lifter.outside))
    return int(lifter.values.as_word(result).term), lifter


def test_a_counter_is_set() -> None:
    assert run("set", CALLS)[0] == 9


def test_a_call_through_a_table_is_what_the_models_know_it_for() -> None:
    told = []
    found, _ = run("through", {"**@ops[0][28]": lambda l, instr, args, state: told.append(len(args))})
    assert found == 7 and told == [2]


@pytest.mark.parametrize("actions", [{}, {"**@ops[0][24]": lambda l, instr, args, state: None}])
def test_another_call_through_a_table_is_not_guessed(actions: Mapping[str, Any]) -> None:
    with pytest.raises(Incomplete, match=r"a call through a pointer: \*@ops\[0\]\[28\]"):
        run("through", actions)
