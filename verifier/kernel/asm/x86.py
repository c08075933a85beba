# SPDX-License-Identifier: GPL-2.0-or-later
"""Inline assembly of x86 whose results are in registers and flags of their own.

What each does is in the Intel SDM, volume 2 (CMPXCHG, CMPXCHG8B, BT, BTC, BTR, BTS, INC, DEC).
"""

from __future__ import annotations

from collections.abc import Mapping

from verifier.kernel.asm.operations import Operation, fixed
from verifier.kernel.asm.templates import Asm, position
from verifier.kernel.llvm.access import load_scalar, shifted, store_scalar
from verifier.kernel.llvm.instructions import compare_exchange
from verifier.kernel.llvm.ir import Int
from verifier.kernel.llvm.values import LiftedWord, NotModelled, Truth, Value

__all__ = ["OPERATIONS"]


def _cmpxchg(asm: Asm) -> Value | None:
    """lock cmpxchg: {ax} is what is expected and becomes what was there.

    The flag says whether they were equal.
    """
    flag, accumulator = position(asm, "={@ccz}", "={@cce}"), position(asm, "={ax}")
    expected = asm.tied(accumulator if accumulator is not None else -1)
    old, same = compare_exchange(
        asm.lifter, asm.address("mem"), expected, asm.arg("new"), asm.state
    )
    parts: dict[int, Value] = {accumulator if accumulator is not None else -1: old}
    if flag is not None:
        parts[flag] = asm.lifter.ops.widen(same, 8, False)
    return asm.results(parts)


def _cmpxchg8b(asm: Asm) -> Value | None:
    """lock cmpxchg8b: edx:eax is what is expected and becomes what was there, ecx:ebx is what is
    stored where both were equal.
    """
    l, flag = asm.lifter, position(asm, "={@cce}", "={@ccz}")
    low, high = (position(asm, f"={{{name}}}") for name in ("ax", "dx"))
    new_low, new_high = (position(asm, f"{{{name}}}") for name in ("bx", "cx"))
    if low is None or high is None or new_low is None or new_high is None:
        raise NotModelled("cmpxchg8b without its registers")
    new = [asm.args[asm.operands.argument(n)] for n in (new_low, new_high)]
    whole = load_scalar(l, asm.address("mem"), 8, asm.state)
    upper = l.ops.binary("lshr", l.values.as_word(whole), l.values.word(32, 64), ())
    olds = [
        l.values.as_word(l.ops.narrow(word, 32, ()))
        for word in (l.values.as_word(whole), l.values.as_word(upper))
    ]
    same = Truth(l.values.yes)
    for old, expected in zip(olds, (asm.tied(low), asm.tied(high)), strict=True):
        equal = l.ops.compare("eq", old, l.values.as_word(l.values.clean(expected)))
        l.undefine(asm.state, equal.poison, "a compare-and-exchange of poison")
        same = Truth(l.alg.all(same.term, equal.term))
    for at, (value, old) in enumerate(zip(new, olds, strict=True)):
        place = shifted(l, asm.address("mem"), 4 * at)
        store_scalar(l, place, 4, l.values.choose(same.term, value, old), asm.state)
    parts: dict[int, Value] = {low: olds[0], high: olds[1]}
    if flag is not None:
        parts[flag] = l.ops.widen(same, 8, False)
    return asm.results(parts)


def _bit(asm: Asm) -> Value | None:
    """btr, bts, btc: one bit of memory, a constant one, comes into the carry flag, if that is
    asked for, and is cleared, set or flipped.
    """
    l, bit = asm.lifter, asm.arg("bit")
    if not isinstance(bit, LiftedWord) or bit.number is None or bit.number >= 64:
        raise NotModelled("a bit instruction with no constant bit")
    flag = position(asm, "={@ccc}")
    if flag is None and asm.outputs():
        raise NotModelled("a bit instruction without its flag")
    size = asm.size()
    word = l.values.as_word(load_scalar(l, asm.address("mem"), size, asm.state))
    mask = l.values.word(1 << bit.number, 8 * size)
    old = l.ops.compare("ne", l.ops.binary("and", word, mask, ()), l.values.word(0, 8 * size))
    op, with_ = {
        "r": ("and", l.ops.binary("xor", mask, l.values.word(-1, 8 * size), ())),
        "s": ("or", mask),
        "c": ("xor", mask),
    }[asm.match["op"]]
    store_scalar(l, asm.address("mem"), size, l.ops.binary(op, word, with_, ()), asm.state)
    return asm.results({} if flag is None else {flag: l.ops.widen(old, 8, False)})


def _test_bit(asm: Asm) -> Value | None:
    """bt: one bit of memory, a constant one, comes into the carry flag."""
    l, bit, flag = asm.lifter, asm.arg("bit"), position(asm, "={@ccc}")
    if not isinstance(bit, LiftedWord) or bit.number is None or bit.number >= 64 or flag is None:
        raise NotModelled("a bit that is tested, and no constant one")
    word = l.values.as_word(load_scalar(l, asm.address("mem"), 8, asm.state))
    mask = l.values.word(1 << bit.number, 64)
    found = l.ops.compare("ne", l.ops.binary("and", word, mask, ()), l.values.word(0, 64))
    return asm.results({flag: l.ops.widen(found, 8, False)})


def _count(asm: Asm) -> Value | None:
    """inc, dec: memory is one more or less; a flag says whether it is 0 now, or negative."""
    l, size = asm.lifter, asm.size()
    old = l.values.as_word(load_scalar(l, asm.address("mem"), size, asm.state))
    one = l.values.word(1, 8 * size)
    new = l.ops.binary("add" if asm.match["op"] == "inc" else "sub", old, one, ())
    store_scalar(l, asm.address("mem"), size, new, asm.state)
    return asm.results(_flags(asm, new))


def _combine(asm: Asm) -> Value | None:
    """or, and, add, sub: a word is combined into memory; a flag says whether memory is 0 now, or
    negative. Of a constant that is wider the low bits count.
    """
    l, size, value = asm.lifter, asm.size(), asm.arg("value")
    if not isinstance(value, LiftedWord):
        raise NotModelled("memory is combined with something that is no word")
    if value.width > 8 * size:
        value = l.values.as_word(l.ops.narrow(value, 8 * size, ()))
    if value.width != 8 * size:
        raise NotModelled("memory is combined with a word of another size")
    old = l.values.as_word(load_scalar(l, asm.address("mem"), size, asm.state))
    new = l.ops.binary(asm.match["op"], old, value, ())
    store_scalar(l, asm.address("mem"), size, new, asm.state)
    return asm.results(_flags(asm, new))


def _flags(asm: Asm, new: LiftedWord) -> dict[int, Value]:
    """What the zero and the sign flag say of a result, where they are asked for."""
    l, nothing = asm.lifter, asm.lifter.values.word(0, new.width)
    asked = {"={@cce}": "eq", "={@ccz}": "eq", "={@ccs}": "slt"}
    found: dict[int, Value] = {}
    for constraint, predicate in asked.items():
        at = position(asm, constraint)
        if at is not None:
            found[at] = l.ops.widen(l.ops.compare(predicate, new, nothing), 8, False)
    return found


def _of_this_cpu(asm: Asm) -> Value | None:
    """A variable of this CPU, read through %gs: it may be anything, at each read."""
    l, kind = asm.lifter, asm.instr.type
    if not isinstance(kind, Int):
        raise NotModelled("a variable of this CPU that is no word")
    l.note("a variable of this CPU may be anything")
    free = l.inputs.word(f"of this CPU at {l.place()}", kind.width)
    return asm.results({asm.number("to"): LiftedWord(kind.width, free)})


OPERATIONS: Mapping[str, Operation] = {
    "cmpxchg": fixed(_cmpxchg, "mem", "new"),
    "cmpxchg8b": fixed(_cmpxchg8b, "mem"),
    "test-and-change-bit": fixed(_bit, "mem", "bit", "op", "size"),
    "test-bit": fixed(_test_bit, "mem", "bit"),
    "combine": fixed(_combine, "mem", "value", "op", "size"),
    "count": fixed(_count, "mem", "op", "size"),
    "of-this-cpu": fixed(_of_this_cpu, "to"),
}
