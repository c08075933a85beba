# SPDX-License-Identifier: GPL-2.0-or-later
"""What is read at an address that is not known: given up, or, where asked for, anything, but the
same again while nothing is stored.
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

LAYOUT = 'target datalayout = "e-m:e-i64:64-n8:16:32:64-S128"\n'
TWICE = (
    "  %q = inttoptr i64 %a to ptr\n  %x = load i64, ptr %q\n{between}  %r = inttoptr i64 %b to"
    " ptr\n  %y = load i64, ptr %r\n  %z = xor i64 %x, %y\n  ret i64 %z"
)
INDEXED = (
    "  %q = getelementptr i64, ptr %o, i64 %a\n  %x = load i64, ptr %q\n{between}  %r ="
    " getelementptr i64, ptr %o, i64 %b\n  %y = load i64, ptr %r\n  %z = xor i64 %x, %y\n  ret"
    " i64 %z"
)


class Named:
    """Every free word is another number, by its name."""

    def word(self, name: str, width: int) -> int:
        number = 0
        for letter in reversed(name):
            number = 31 * number + ord(letter)
        return number * 0x9E3779B97F4A7C15 & (1 << width) - 1

    def boolean(self, name: str) -> bool:
        return False


def run(lines: str, a: int, b: int, free_loads: bool = True) -> tuple[int, Lifter]:
    text = f"{LAYOUT}define i64 @f(ptr %p, ptr %o, i64 %a, i64 %b) {{\nentry:\n{lines}\n}}\n"
    lifter = Lifter(
        Integers(), LinkedModules((parse_module(text, "test"),), "none"), Named(), KernelModels()
    )
    lifter.free_loads = free_loads
    entry = Object("p", 8, 8, lambda unit: LiftedWord(64, 7, 7))
    result, _ = lifter.call(
        "f",
        [
            lifter.pointer(entry),
            lifter.pointer(lifter.object("o", None)),
            LiftedWord(64, a),
            LiftedWord(64, b),
        ],
    )
    assert result is not None
    return int(lifter.values.as_word(result).term), lifter


@pytest.mark.parametrize("code", [TWICE, INDEXED])
def test_the_same_address_gives_the_same(code: str) -> None:
    found, lifter = run(code.format(between=""), 0x1000, 0x1000)
    assert found == 0 and not [u for u in (*lifter.undefined, *lifter.lost) if u.condition]
    assert "what is read at an address that is not known may be anything" in lifter.notes


@pytest.mark.parametrize("code", [TWICE, INDEXED])
def test_another_address_gives_something_else(code: str) -> None:
    assert run(code.format(between=""), 0x1000, 0x1008)[0] != 0


@pytest.mark.parametrize("code", [TWICE, INDEXED])
def test_after_a_store_it_is_something_else(code: str) -> None:
    """The store might have been there."""
    assert run(code.format(between="  store i64 1, ptr %p\n"), 0x1000, 0x1000)[0] != 0


@pytest.mark.parametrize("code", [TWICE, INDEXED])
def test_it_is_given_up_unless_asked_for(code: str) -> None:
    with pytest.raises(NotModelled):
        run(code.format(between=""), 0x1000, 0x1000, free_loads=False)


def test_a_store_there_is_given_up() -> None:
    with pytest.raises(NotModelled):
        run("  %q = inttoptr i64 %a to ptr\n  store i64 1, ptr %q\n  ret i64 0", 0x1000, 0)
