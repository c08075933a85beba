# SPDX-License-Identifier: GPL-2.0-or-later
"""Assembly of powerpc with 32 bits: what an update by reservation and a store in halves leave in
memory and give; what flushes clear.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from verifier.engine.answers import Sat
from verifier.kernel.asm.actions import clearing, returning
from verifier.kernel.asm.unlifted import KernelModels
from verifier.kernel.conform.entries import entry_value, laid_object
from verifier.kernel.conform.questions import make_backend
from verifier.kernel.llvm.context import LinkedModules
from verifier.kernel.llvm.lift import Lifter
from verifier.kernel.llvm.objects import Object
from verifier.kernel.llvm.read_module import parse_module
from verifier.kernel.llvm.values import EndlessLoop, LiftedWord, NotModelled, Value
from verifier.kernel.tree.build import Build
from verifier.kernel.tree.builds import load_builds
from verifier.language.algebra import Integers

LAYOUT = 'target datalayout = "E-m:e-p:32:32-Fn32-i64:64-n32"\n'
UPDATE = (
    '"1:\\09lwarx\\09$0, 0, $3\\0A\\09andc\\09$1, $0, $4\\0A\\09or\\09$1, $1,'
    ' $5\\0A\\09stwcx.\\09$1, 0, $3\\0A\\09bne-\\091b"'
)


class Nothing:
    """No word is free, and no truth."""

    def word(self, name: str, width: int) -> int:
        raise AssertionError(name)

    def boolean(self, name: str) -> bool:
        raise AssertionError(name)


def run(lines: str, memory: int, *args: tuple[int, int], size: int = 4) -> tuple[int, int]:
    """f(ptr %p, %a0, %a1, ...) of (value, bits): its result, and the bytes behind %p."""
    declared = ", ".join(["ptr %p", *(f"i{bits} %a{n}" for n, (_, bits) in enumerate(args))])
    text = f"{LAYOUT}define i32 @f({declared}) {{\nentry:\n{lines}\n}}\n"
    lifter = Lifter(
        Integers(),
        LinkedModules((parse_module(text, "test"),), "powerpc"),
        Nothing(),
        KernelModels(),
    )
    first = memory << (64 - 8 * size)
    entry = Object("p", size, size, lambda unit: LiftedWord(64, first, first))
    values: list[Value] = [
        lifter.pointer(entry),
        *(LiftedWord(bits, value, value) for value, bits in args),
    ]
    result, state = lifter.call("f", values)
    after = lifter.values.as_word(lifter.memory.read(state.memory.get(entry, {}), entry, 0, size))
    assert after.poison is None and not any(u.condition for u in lifter.undefined)
    assert result is not None
    return int(lifter.values.as_word(result).term), int(after.term)


def update(part: int) -> str:
    """The loop of pte_update on %p, %a0 being what it clears and %a1 what it sets; its result's
    part.
    """
    return f"""  %r = call {{ i32, i32 }} asm sideeffect {UPDATE}, "=&r,=&r,=*m,r,r,r,*m,~{{cr0}}"(ptr elementtype(i32) %p, ptr %p, i32 %a0, i32 %a1, ptr elementtype(i32) %p)
  %v = extractvalue {{ i32, i32 }} %r, {part}
  ret i32 %v"""


def test_an_update_clears_then_sets_and_gives_what_was_there() -> None:
    assert run(update(0), 0x12345785, (0x400, 32), (0x80, 32)) == (0x12345785, 0x12345385)
    assert run(update(0), 0x12345785, (0x485, 32), (0x1, 32)) == (0x12345785, 0x12345301)
    assert run(update(0), 0x12345787, (0xFFFFFFFD, 32), (0xABCDE105, 32)) == (
        0x12345787,
        0xABCDE107,
    )


def test_the_other_register_has_what_is_there_now() -> None:
    assert run(update(1), 0x12345785, (0x400, 32), (0x80, 32)) == (0x12345385, 0x12345385)


def test_another_loop_is_not_known() -> None:
    wrong = update(0).replace("andc", "and")
    with pytest.raises(NotModelled, match="assembly"):
        run(wrong, 0, (0, 32), (0, 32))


def test_an_entry_is_stored_in_halves() -> None:
    code = """  %q = getelementptr i8, ptr %p, i32 4
  call void asm sideeffect "stw${0:X} $2,$0\\0Ambar\\0Astw${1:X} ${2:L},$1", "=*m,=*m,r,~{memory}"(ptr elementtype(i64) %p, ptr elementtype(i8) %q, i64 %a0)
  ret i32 0"""
    assert run(code, 0, (0x123456789ABCDEF0, 64), size=8) == (0, 0x123456789ABCDEF0)


def test_half_of_an_entry_is_none() -> None:
    code = """  %q = getelementptr i8, ptr %p, i32 4
  call void asm sideeffect "stw${0:X} $2,$0\\0Ambar\\0Astw${1:X} ${2:L},$1", "=*m,=*m,r,~{memory}"(ptr elementtype(i64) %p, ptr elementtype(i8) %q, i32 %a0)
  ret i32 0"""
    with pytest.raises(NotModelled, match="no word of 64 bits"):
        run(code, 0, (1, 32), size=8)


FLUSH = "  %r = call i32 @flush(ptr %p)\n  ret i32 {}"


def flushed(returned: str) -> tuple[int, int]:
    """f(ptr %p), which calls @flush, a function that clears bit 1 of the entry at %p."""
    entries: dict[str, Object] = {}
    text = (
        f"{LAYOUT}declare i32 @flush(ptr)\ndefine i32 @f(ptr %p)"
        f" {{\nentry:\n{FLUSH.format(returned)}\n}}\n"
    )
    models = KernelModels(actions={"flush": clearing(entries, 2, "a flush")})
    lifter = Lifter(
        Integers(), LinkedModules((parse_module(text, "test"),), "powerpc"), Nothing(), models
    )
    entries["p"] = Object("p", 4, 4, lambda unit: LiftedWord(64, 0x103 << 32, 0x103 << 32))
    result, state = lifter.call("f", [lifter.pointer(entries["p"])])
    after = lifter.values.as_word(
        lifter.memory.read(state.memory.get(entries["p"], {}), entries["p"], 0, 4)
    )
    assert list(lifter.notes) == ["a flush"]
    assert result is not None
    found = lifter.values.as_word(result)
    if found.poison is not None:
        raise NotModelled("poison")
    return int(found.term), int(after.term)


def test_a_flush_clears_a_bit_of_the_entry() -> None:
    assert flushed("7") == (7, 0x101)


def test_what_a_flush_returns_is_not_known() -> None:
    with pytest.raises(NotModelled, match="poison"):
        flushed("%r")


@pytest.mark.parametrize(("value", "null"), [(0, 1), (4, None)])
def test_a_function_that_returns_no_page(value: int, null: int | None) -> None:
    text = (
        f"{LAYOUT}declare ptr @page()\ndefine i32 @f() {{\nentry:\n  %r = call ptr @page()\n  %n ="
        " icmp eq ptr %r, null\n  %v = zext i1 %n to i32\n  ret i32 %v\n}\n"
    )
    lifter = Lifter(
        Integers(),
        LinkedModules((parse_module(text, "test"),), "powerpc"),
        Nothing(),
        KernelModels(actions={"page": returning(value, "none")}),
    )
    if null is None:
        with pytest.raises(NotModelled, match="no word"):
            lifter.call("f", [])
    else:
        result, _ = lifter.call("f", [])
        assert result is not None and int(lifter.values.as_word(result).term) == null


def build_of(tmp_path: Path, entries: str) -> Build:
    """A build whose entries lie so."""
    (tmp_path / "x.yaml").write_text(
        "builds:\n  b:\n    kernel: powerpc\n    make: powerpc\n    base: d\n    entries:"
        f" [{entries}]\n",
        encoding="utf-8",
    )
    return load_builds(tmp_path)["b"]


@pytest.mark.parametrize(("stored", "equal"), [(4, True), (3, False)])
def test_an_entry_of_four_words_has_to_stay_so(tmp_path: Path, stored: int, equal: bool) -> None:
    lies = build_of(tmp_path, "four times").entries
    lines = "\n".join(
        f"  %q{n} = getelementptr i8, ptr %p, i32 {4 * n}\n  store i32 5, ptr %q{n}"
        for n in range(stored)
    )
    text = (
        f"{LAYOUT}define i32 @f(ptr %p) {{\nentry:\n  %v = load i32, ptr %p\n{lines}\n  ret i32"
        " %v\n}\n"
    )
    lifter = Lifter(
        Integers(),
        LinkedModules((parse_module(text, "test"),), "powerpc"),
        Nothing(),
        KernelModels(),
    )
    entry = laid_object(lifter, lies, "p", 0x12345621, 4)
    result, state = lifter.call("f", [lifter.pointer(entry)])
    assert entry.size == 16
    assert result is not None and int(lifter.values.as_word(result).term) == 0x12345621
    assert entry_value(lifter, lies, state, entry) == 5
    assert [u.condition for u in lifter.undefined] == [not equal]


LOOP = """entry:
  %many = icmp ugt i32 %n, 3
  br i1 %many, label %out, label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  %j = add i32 %i, 1
  %more = icmp ult i32 %j, %n
  br i1 %more, label %loop, label %out
out:
  %r = phi i32 [ 7, %entry ], [ %j, %loop ]
  ret i32 %r
"""


def test_the_end_of_a_loop_is_asked_of_the_solver() -> None:
    backend = make_backend("z3", 30)
    program = LinkedModules(
        (parse_module(f"{LAYOUT}define i32 @f(i32 %n) {{\n{LOOP}}}\n", "test"),), "powerpc"
    )
    n = backend.free.input_word("n", 32)
    with pytest.raises(EndlessLoop, match="does not end"):
        Lifter(backend.alg, program, Nothing(), KernelModels()).call("f", [LiftedWord(32, n)])
    lifter = Lifter(
        backend.alg,
        program,
        Nothing(),
        KernelModels(),
        lambda way: isinstance(backend.check([way]), Sat),
    )
    result, _ = lifter.call("f", [LiftedWord(32, n)])
    assert result is not None
    found = lifter.values.as_word(result).term
    for number, expected in ((0, 1), (1, 1), (3, 3), (4, 7)):
        is_it = backend.alg.eq(n, backend.alg.word(number, 32), 32)
        wrong = backend.alg.neg(backend.alg.eq(found, backend.alg.word(expected, 32), 32))
        assert not isinstance(backend.check([is_it, wrong]), Sat)
