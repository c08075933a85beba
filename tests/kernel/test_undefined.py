# SPDX-License-Identifier: GPL-2.0-or-later
"""Undefined behaviour is never taken for a value: what breaks a promise shows up as a condition,
exactly where it does.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from verifier.kernel.asm.unlifted import KernelModels
from verifier.kernel.llvm.context import LinkedModules
from verifier.kernel.llvm.lift import Lifter
from verifier.kernel.llvm.objects import Object
from verifier.kernel.llvm.read_module import parse_module
from verifier.kernel.llvm.read_words import IrError
from verifier.kernel.llvm.values import LiftedWord, NeverReturns, NotModelled, Truth
from verifier.language.algebra import Integers

LAYOUT = 'target datalayout = "e-m:e-i64:64-i128:128-n8:16:32:64-S128"\n'


class NoInputs:
    def word(self, name: str, width: int) -> int:
        raise NotModelled(f"free word {name}")

    def boolean(self, name: str) -> bool:
        raise NotModelled(f"free truth {name}")


def _holding(value: int, unit: int) -> LiftedWord:
    return LiftedWord(64, value, value)


def run(text: str, *args: int, name: str = "f") -> tuple[int | None, bool]:
    """The result, and whether behaviour is undefined (the result being poison included)."""
    module = parse_module(LAYOUT + text, "test")
    alg = Integers()
    lifter = Lifter(alg, LinkedModules((module,), "x86"), NoInputs(), KernelModels())
    try:
        function = module.function(name)
    except IrError as error:
        raise NotModelled(str(error)) from error
    assert function is not None
    values: list[Any] = []
    for param, arg in zip(function.params, args, strict=True):
        width = getattr(param.type, "width", None)
        if width is None:
            values.append(lifter.pointer(Object(param.name, 8, 8, partial(_holding, arg))))
        else:
            values.append(Truth(bool(arg)) if width == 1 else LiftedWord(width, arg, arg))
    try:
        result, _ = lifter.call(name, values)
    except NeverReturns:
        return None, True
    undefined = any(u.condition for u in lifter.undefined)
    if result is not None and lifter.values.poison(result):
        undefined = True
    return (int(result.term) if isinstance(result, (LiftedWord, Truth)) else None), undefined


def body(lines: str, params: str = "i64 %a, i64 %b", kind: str = "i64") -> str:
    return f"define {kind} @f({params}) {{\nentry:\n{lines}\n}}\n"


CASES = [
    ("add nuw", "  %r = add nuw i64 %a, %b\n  ret i64 %r", (1, 2), ((1 << 64) - 1, 1)),
    ("add nsw", "  %r = add nsw i64 %a, %b\n  ret i64 %r", ((1 << 64) - 1, 1), ((1 << 63) - 1, 1)),
    ("sub nuw", "  %r = sub nuw i64 %a, %b\n  ret i64 %r", (2, 1), (1, 2)),
    ("sub nsw", "  %r = sub nsw i64 %a, %b\n  ret i64 %r", (1, 2), (1 << 63, 1)),
    ("mul nuw", "  %r = mul nuw i64 %a, %b\n  ret i64 %r", (1 << 62, 2), (1 << 63, 2)),
    ("mul nsw", "  %r = mul nsw i64 %a, %b\n  ret i64 %r", ((1 << 64) - 1, 5), (1 << 62, 2)),
    ("shl nuw", "  %r = shl nuw i64 %a, %b\n  ret i64 %r", (1, 63), (3, 63)),
    ("shl nsw", "  %r = shl nsw i64 %a, %b\n  ret i64 %r", (1, 62), (1, 63)),
    ("a shift as wide as the word", "  %r = shl i64 %a, %b\n  ret i64 %r", (1, 63), (1, 64)),
    ("a wide shift to the right", "  %r = lshr i64 %a, %b\n  ret i64 %r", (1, 63), (0, 64)),
    ("a wide arithmetic shift", "  %r = ashr i64 %a, %b\n  ret i64 %r", (1, 63), (0, 200)),
    ("lshr exact", "  %r = lshr exact i64 %a, %b\n  ret i64 %r", (8, 3), (9, 3)),
    ("or disjoint", "  %r = or disjoint i64 %a, %b\n  ret i64 %r", (1, 2), (3, 2)),
    ("udiv exact", "  %r = udiv exact i64 %a, %b\n  ret i64 %r", (12, 4), (13, 4)),
    ("division by 0", "  %r = udiv i64 %a, %b\n  ret i64 %r", (12, 4), (12, 0)),
    (
        "signed division that overflows",
        "  %r = sdiv i64 %a, %b\n  ret i64 %r",
        (12, 4),
        (1 << 63, (1 << 64) - 1),
    ),
    (
        "zext nneg",
        "  %t = trunc i64 %a to i32\n  %r = zext nneg i32 %t to i64\n  ret i64 %r",
        (5, 0),
        (1 << 31, 0),
    ),
    (
        "trunc nuw",
        "  %t = trunc nuw i64 %a to i32\n  %r = zext i32 %t to i64\n  ret i64 %r",
        (5, 0),
        (1 << 32, 0),
    ),
    (
        "trunc nsw",
        "  %t = trunc nsw i64 %a to i32\n  %r = zext i32 %t to i64\n  ret i64 %r",
        ((1 << 64) - 1, 0),
        (1 << 31, 0),
    ),
    (
        "assume",
        "  %c = icmp ult i64 %a, %b\n  call void @llvm.assume(i1 %c)\n  ret i64 %a",
        (1, 2),
        (2, 2),
    ),
    (
        "unreachable",
        (
            "  %c = icmp eq i64 %a, %b\n  br i1 %c, label %no, label %yes\nyes:\n  ret i64"
            " %a\nno:\n  unreachable"
        ),
        (1, 2),
        (2, 2),
    ),
    (
        "a branch on poison",
        (
            "  %s = add nuw i64 %a, %b\n  %c = icmp eq i64 %s, 7\n  br i1 %c, label %x, label"
            " %y\nx:\n  ret i64 1\ny:\n  ret i64 2"
        ),
        (3, 4),
        ((1 << 64) - 1, 8),
    ),
    (
        "a switch on poison",
        (
            "  %s = add nuw i64 %a, %b\n  switch i64 %s, label %x [\n    i64 7, label %y\n  ]\nx:\n"
            "  ret i64 1\ny:\n  ret i64 2"
        ),
        (3, 4),
        ((1 << 64) - 1, 8),
    ),
    (
        "poison chosen by select",
        (
            "  %s = add nuw i64 %a, %b\n  %c = icmp eq i64 %b, 0\n  %r = select i1 %c, i64 5, i64"
            " %s\n  ret i64 %r"
        ),
        (3, 4),
        ((1 << 64) - 1, 8),
    ),
    (
        "freeze of poison",
        "  %s = add nuw i64 %a, %b\n  %r = freeze i64 %s\n  ret i64 %r",
        (3, 4),
        ((1 << 64) - 1, 8),
    ),
    (
        "range of a call",
        "  %r = call range(i64 0, 10) i64 @g(i64 %a)\n  ret i64 %r",
        (9, 0),
        (10, 0),
    ),
    (
        "noundef argument",
        "  %s = add nuw i64 %a, %b\n  %r = call i64 @h(i64 noundef %s)\n  ret i64 %r",
        (3, 4),
        ((1 << 64) - 1, 8),
    ),
]
EXTRA = (
    "define i64 @g(i64 %x) {\nentry:\n  ret i64 %x\n}\ndefine i64 @h(i64 %x) {\nentry:\n  ret i64"
    " 1\n}\ndeclare void @llvm.assume(i1)\n"
)


@pytest.mark.parametrize(("what", "lines", "fine", "broken"), CASES, ids=[c[0] for c in CASES])
def test_a_broken_promise_is_undefined(
    what: str, lines: str, fine: tuple[int, int], broken: tuple[int, int]
) -> None:
    assert not run(body(lines) + EXTRA, *fine)[1]
    assert run(body(lines) + EXTRA, *broken)[1]


def test_poison_that_is_not_chosen_does_no_harm() -> None:
    lines = (
        "  %s = add nuw i64 %a, %b\n  %c = icmp eq i64 %b, 1\n  %r = select i1 %c, i64 5, i64 %s\n "
        " ret i64 %r"
    )
    assert run(body(lines), (1 << 64) - 1, 1) == (5, False)


def test_the_stack_is_poison_until_it_is_written() -> None:
    read = "  %p = alloca i64\n  %r = load i64, ptr %p\n  ret i64 %r"
    written = "  %p = alloca i64\n  store i64 %a, ptr %p\n  %r = load i64, ptr %p\n  ret i64 %r"
    assert run(body(read), 1, 2)[1]
    assert run(body(written), 1, 2) == (1, False)
    again = (
        "  %p = alloca i64\n  store i64 %a, ptr %p\n  call void @llvm.lifetime.start.p0(i64 8, ptr"
        " %p)\n  %r = load i64, ptr %p\n  ret i64 %r"
    )
    assert run(body(again), 1, 2)[1]


def test_half_of_what_is_read_was_never_written() -> None:
    lines = (
        "  %p = alloca i64\n  %t = trunc i64 %a to i32\n  store i32 %t, ptr %p\n  %r = load i64,"
        " ptr %p\n  ret i64 %r"
    )
    assert run(body(lines), 1, 2)[1]


REFUSED = [
    ("unknown assembly", '  %r = call i64 asm "rdtsc", "=r"()\n  ret i64 %r', "rdtsc"),
    (
        "a template with more behind it",
        (
            '  %r = call i64 asm "xchgq ${0:q}, $1\\0Anop", "=r,=*m,0,*m"(ptr elementtype(i64) @g0,'
            " i64 1, ptr elementtype(i64) @g0)\n  ret i64 %r"
        ),
        "xchgq",
    ),
    ("an unknown call", "  %r = call i64 @elsewhere(i64 %a)\n  ret i64 %r", "elsewhere"),
    (
        "an unknown address",
        "  %p = inttoptr i64 %a to ptr\n  %r = load i64, ptr %p\n  ret i64 %r",
        "address",
    ),
    (
        "a number made of an object's address",
        "  %p = ptrtoint ptr @g0 to i64\n  %r = mul i64 %p, 3\n  ret i64 %r",
        "address",
    ),
    (
        "an intrinsic that is not known",
        "  %r = call i64 @llvm.readcyclecounter()\n  ret i64 %r",
        "readcyclecounter",
    ),
    (
        "a vector",
        "  %v = insertelement <2 x i64> poison, i64 %a, i64 0\n  ret i64 %a",
        "insertelement",
    ),
    ("an unknown flag", "  %r = add sometimes i64 %a, %b\n  ret i64 %r", "sometimes"),
    (
        "a loop without an end",
        (
            "  br label %x\nx:\n  %i = phi i64 [ 0, %entry ], [ %j, %x ]\n  %j = add i64 %i, 1\n "
            " %c = icmp eq i64 %j, %a\n  br i1 %c, label %y, label %x\ny:\n  ret i64 %j"
        ),
        "does not end",
    ),
    (
        "operand bundles",
        '  call void @llvm.assume(i1 true) [ "align"(ptr @g0, i64 64) ]\n  ret i64 %a',
        "bundles",
    ),
    ("a write to a constant", "  store i64 %a, ptr @k\n  ret i64 %a", "constant"),
    (
        "two loops in one",
        (
            "  %c = icmp eq i64 %a, 1\n  br i1 %c, label %x, label %y\nx:\n  %d = icmp eq i64 %b,"
            " 1\n  br i1 %d, label %y, label %z\ny:\n  br label %x\nz:\n  ret i64 1"
        ),
        "more than one entry",
    ),
]


@pytest.mark.parametrize(("what", "lines", "why"), REFUSED, ids=[c[0] for c in REFUSED])
def test_what_is_not_known_is_incomplete(what: str, lines: str, why: str) -> None:
    text = "@g0 = external global i64\n@k = constant i64 5\ndeclare i64 @elsewhere(i64)\n" + body(
        lines
    )
    with pytest.raises(NotModelled, match=why):
        run(text, 1 << 20, 7)


def test_addresses_of_objects_keep_what_is_known_of_them() -> None:
    lines = (
        "  %n = ptrtoint ptr %p to i64\n  %m = and i64 %n, 7\n  %z = icmp eq ptr %p, null\n  %x ="
        " zext i1 %z to i64\n  %r = add i64 %m, %x\n  ret i64 %r"
    )
    assert run(body(lines, "ptr %p"), 5) == (0, False)
    beyond = "  %n = ptrtoint ptr %p to i64\n  %r = and i64 %n, 4095\n  ret i64 %r"
    with pytest.raises(NotModelled, match="free word address of p"):
        run(body(beyond, "ptr %p"), 5)
    down = (
        "  %n = ptrtoint ptr %p to i64\n  %m = and i64 %n, -4096\n  %q = inttoptr i64 %m to ptr\n "
        " %r = load i64, ptr %q\n  ret i64 %r"
    )
    with pytest.raises(NotModelled, match="free word address of p"):
        run(body(down, "ptr %p"), 5)
