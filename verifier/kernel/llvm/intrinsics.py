# SPDX-License-Identifier: GPL-2.0-or-later
"""LLVM's intrinsic functions: @llvm.bswap, umax, assume, memcpy and their like."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from verifier.kernel.llvm.access import load_scalar, shifted, store_scalar
from verifier.kernel.llvm.context import Context
from verifier.kernel.llvm.ir import Instr, Int
from verifier.kernel.llvm.objects import Object
from verifier.kernel.llvm.values import Address, LiftedWord, NotModelled, Truth, Value, ValueGroup
from verifier.kernel.llvm.ways import WayState

__all__ = ["intrinsic"]

MOST_BYTES = 65536  # moved or set by one call
MOST_OF_ANY = 64  # set by one call, where their number is not constant

Intrinsic: TypeAlias = "Callable[[Context, list[Any], WayState], Value | None]"


def intrinsic(
    l: Context, name: str, instr: Instr, args: list[Any], state: WayState
) -> Value | None:
    """Do what @llvm.NAME does. NotModelled where it is not known."""
    if "bundle" in instr.flags:
        raise NotModelled(f"{name} with operand bundles")
    base = name.removeprefix("llvm.")
    while base:
        found = _INTRINSICS.get(base)
        if found is not None:
            return found(l, args, state)
        base = base.rpartition(".")[0]
    if base_of(name) == "read_register" and isinstance(instr.type, Int):
        # so whatever comes of it is undefined, never taken as known
        return l.values.poison_word(instr.type.width)
    raise NotModelled(f"intrinsic {name}")


def base_of(name: str) -> str:
    """llvm.read_register.i64 -> read_register."""
    return name.removeprefix("llvm.").partition(".")[0]


def _nothing(l: Context, args: list[Any], s: WayState) -> None:
    return None


def _lifetime_start(l: Context, args: list[Any], s: WayState) -> None:
    """What was on the stack there is gone."""
    for case in l.values.as_address(args[-1], l.pointer_width).cases:
        if isinstance(case.base, Object) and case.base.initial is None:
            s.memory[case.base] = {}


def _assume(l: Context, args: list[Any], s: WayState) -> None:
    truth = l.certain(s, args[0], "llvm.assume of poison")
    if not isinstance(truth, Truth):
        raise NotModelled("llvm.assume of something that is no truth")
    l.undefine(s, l.alg.neg(truth.term), "an assumption of the compiler's is false")


def _first(l: Context, args: list[Any], s: WayState) -> Value:
    found: Value = args[0]
    return found


def _not_constant(l: Context, args: list[Any], s: WayState) -> Truth:
    """LLVM may say of any value that it is no constant; code has to be right with that answer."""
    return l.values.truth(False)


def _words(args: list[Any]) -> list[LiftedWord]:
    if not all(isinstance(a, LiftedWord) for a in args):
        raise NotModelled("an intrinsic on something that is no word")
    return args


def _bswap(l: Context, args: list[Any], s: WayState) -> LiftedWord:
    (a,) = _words(args)
    bytes_ = [
        LiftedWord(
            8, l.alg.extract(a.term, at, 8), None if a.number is None else a.number >> at & 255
        )
        for at in range(0, a.width, 8)
    ]
    found = bytes_[0]
    for byte in bytes_[1:]:
        number = (
            None if found.number is None or byte.number is None else found.number << 8 | byte.number
        )
        found = LiftedWord(
            found.width + 8, l.alg.concat(found.term, byte.term, found.width, 8), number
        )
    return LiftedWord(found.width, found.term, found.number, a.poison)


def _bitreverse(l: Context, args: list[Any], s: WayState) -> LiftedWord:
    (a,) = _words(args)
    term = l.alg.extract(a.term, 0, 1)
    for at in range(1, a.width):
        term = l.alg.concat(term, l.alg.extract(a.term, at, 1), at, 1)
    return LiftedWord(a.width, term, None, a.poison)


def _extreme(predicate: str, largest: bool) -> Intrinsic:
    def choose(l: Context, args: list[Any], s: WayState) -> Value:
        a, b = _words(args)
        less = l.ops.compare(predicate, a, b)
        return l.values.with_poison(
            l.values.choose(less.term, b if largest else a, a if largest else b), less.poison
        )

    return choose


def _abs(l: Context, args: list[Any], s: WayState) -> Value:
    word, poisons = args
    (a,) = _words([word])
    negative = l.ops.sign(a.term, a.width)
    minus = l.ops.binary("sub", l.values.word(0, a.width), a, ())
    least = l.alg.all(
        poisons.term, l.alg.eq(a.term, l.alg.word(1 << (a.width - 1), a.width), a.width)
    )
    return l.values.with_poison(l.values.choose(negative, minus, a), least)


def _funnel(left: bool) -> Intrinsic:
    def shift(l: Context, args: list[Any], s: WayState) -> LiftedWord:
        a, b, amount = _words(args)
        width = a.width
        if width & (width - 1):
            raise NotModelled("a funnel shift of an odd width")
        by = l.ops.binary("and", amount, l.values.word(width - 1, width), ())
        wide = l.alg.concat(a.term, b.term, width, width)
        far = l.alg.zext(by.term, width, 2 * width)
        if left:
            term = l.alg.extract(l.alg.shl(wide, far, 2 * width), width, width)
        else:
            term = l.alg.extract(l.alg.lshr(wide, far, 2 * width), 0, width)
        return LiftedWord(width, term, None, l.values.either(a.poison, b.poison, amount.poison))

    return shift


def _ctpop(l: Context, args: list[Any], s: WayState) -> LiftedWord:
    (a,) = _words(args)
    total = l.alg.word(0, a.width)
    for at in range(a.width):
        bit = l.alg.zext(l.alg.extract(a.term, at, 1), 1, a.width) if a.width > 1 else a.term
        total = l.alg.add(total, bit, a.width)
    return LiftedWord(a.width, total, None, a.poison)


def _count_zeros(leading: bool) -> Intrinsic:
    def count(l: Context, args: list[Any], s: WayState) -> Value:
        word, poisons = args
        (a,) = _words([word])
        found = l.values.word(a.width, a.width)
        bits = range(a.width) if leading else range(a.width - 1, -1, -1)
        result: Value = found
        for at in bits:
            here = l.alg.eq(l.alg.extract(a.term, at, 1), l.alg.word(1, 1), 1)
            number = a.width - 1 - at if leading else at
            result = l.values.choose(here, l.values.word(number, a.width), result)
        zero = l.alg.all(poisons.term, l.alg.eq(a.term, l.alg.word(0, a.width), a.width))
        return l.values.with_poison(result, a.poison, zero)

    return count


def _overflowing(op: str, flag: str) -> Intrinsic:
    def compute(l: Context, args: list[Any], s: WayState) -> ValueGroup:
        a, b = _words(args)
        plain = l.ops.binary(op, a, b, ())
        broken = l.ops._promise(op, flag, a, b, plain.term)
        return ValueGroup((plain, Truth(broken, plain.poison)))

    return compute


def _saturating(op: str) -> Intrinsic:
    def compute(l: Context, args: list[Any], s: WayState) -> Value:
        a, b = _words(args)
        plain = l.ops.binary(op, a, b, ())
        limit = l.values.word(-1 if op == "add" else 0, a.width)
        broken = l.ops._promise(op, "nuw", a, b, plain.term)
        return l.values.with_poison(
            l.values.choose(broken, limit, l.values.clean(plain)), plain.poison
        )

    return compute


def _length(length: Value) -> int:
    if not isinstance(length, LiftedWord) or length.number is None or length.number > MOST_BYTES:
        raise NotModelled("memory of no constant size is moved")
    return length.number


def _memcpy(l: Context, args: list[Any], s: WayState) -> None:
    """Copy by words where both sides have words, so that addresses stay whole."""
    to, source = (l.values.as_address(a, l.pointer_width) for a in args[:2])
    length = _length(args[2])
    pieces, at = [], 0
    while at < length:
        size = 8 if length - at >= 8 else 4 if length - at >= 4 else 1
        pieces.append((at, size, load_scalar(l, shifted(l, source, at), size, s)))
        at += size
    for at, size, value in pieces:
        store_scalar(l, shifted(l, to, at), size, value, s)


def _memset(l: Context, args: list[Any], s: WayState) -> None:
    to, byte = l.values.as_address(args[0], l.pointer_width), args[1]
    room = _room(to)
    if isinstance(args[2], LiftedWord) and args[2].number is None and room is not None:
        _memset_within(l, to, byte, args[2], room, s)
        return
    length, at = _length(args[2]), 0
    eight = l.memory.join([byte] * 8)
    while at < length:
        size = 8 if length - at >= 8 else 1
        store_scalar(l, shifted(l, to, at), size, eight if size == 8 else byte, s)
        at += size


def _room(to: Address) -> int | None:
    """The bytes from an address to the end of its object, where both are known."""
    if len(to.cases) != 1 or not isinstance(to.cases[0].base, Object):
        return None
    size, at = to.cases[0].base.size, to.cases[0].offset.number
    return (
        size - at if size is not None and at is not None and 0 <= size - at <= MOST_OF_ANY else None
    )


def _memset_within(
    l: Context, to: Address, byte: Value, length: LiftedWord, room: int, s: WayState
) -> None:
    """As many bytes as the length says; more than the object has is undefined."""
    length = l.values.as_word(l.certain(s, length, "a length is poison"))
    l.undefine(
        s,
        l.ops.compare("ugt", length, l.values.word(room, length.width)).term,
        "memory outside an object is set",
    )
    for at in range(room):
        place = shifted(l, to, at)
        within = l.ops.compare("ugt", length, l.values.word(at, length.width)).term
        store_scalar(l, place, 1, l.values.choose(within, byte, load_scalar(l, place, 1, s)), s)


def _ptrmask(l: Context, args: list[Any], s: WayState) -> Value:
    from verifier.kernel.llvm.pointers import word_on_address

    return word_on_address(l, "and", args[0], args[1], ())


_INTRINSICS: dict[str, Intrinsic] = {
    "lifetime.start": _lifetime_start,
    "lifetime.end": _nothing,
    "assume": _assume,
    "expect": _first,
    "is.constant": _not_constant,
    "bswap": _bswap,
    "bitreverse": _bitreverse,
    "abs": _abs,
    "ctpop": _ctpop,
    "umax": _extreme("ult", True),
    "umin": _extreme("ult", False),
    "smax": _extreme("slt", True),
    "smin": _extreme("slt", False),
    "fshl": _funnel(True),
    "fshr": _funnel(False),
    "ctlz": _count_zeros(True),
    "cttz": _count_zeros(False),
    "uadd.with.overflow": _overflowing("add", "nuw"),
    "sadd.with.overflow": _overflowing("add", "nsw"),
    "usub.with.overflow": _overflowing("sub", "nuw"),
    "ssub.with.overflow": _overflowing("sub", "nsw"),
    "umul.with.overflow": _overflowing("mul", "nuw"),
    "smul.with.overflow": _overflowing("mul", "nsw"),
    "uadd.sat": _saturating("add"),
    "usub.sat": _saturating("sub"),
    "memcpy": _memcpy,
    "memmove": _memcpy,
    "memset": _memset,
    "ptrmask": _ptrmask,
    "experimental.noalias.scope.decl": _nothing,
}
