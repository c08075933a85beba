# SPDX-License-Identifier: GPL-2.0-or-later
"""Arithmetic on addresses.

An object lies nowhere in particular; a result that would depend on where is NotModelled, unless the
objects are placed (`places`).

Of an address the object is known, the offset in it, the object's alignment, and that it is not 0.
"""

from __future__ import annotations

from verifier.kernel.llvm.context import Context, resolved
from verifier.kernel.llvm.ir import Array, Struct, Type
from verifier.kernel.llvm.objects import Object
from verifier.kernel.llvm.places import number_of
from verifier.kernel.llvm.read_module import Module
from verifier.kernel.llvm.undefined import Undefinedness
from verifier.kernel.llvm.values import Address, Case, LiftedWord, NotModelled, Truth, Value

__all__ = ["compare_addresses", "element_address", "word_on_address"]


def element_address(
    l: Context,
    module: Module,
    kind: Type,
    address: Address,
    indices: list[Value],
    flags: tuple[str, ...],
) -> Address:
    """getelementptr: the address of an element of an array or struct."""
    offset = l.values.word(0, l.pointer_width)
    for number, value in enumerate(indices):
        index = _index(l, value)
        if number == 0:
            offset = _plus(l, offset, index, module.layout.size(kind))
            continue
        kind = resolved(module, kind)
        if isinstance(kind, Struct) and index.number is not None:
            offset = l.ops.binary(
                "add",
                offset,
                l.values.word(module.layout.offset(kind, index.number), l.pointer_width),
                (),
            )
            kind = kind.fields[index.number]
        elif isinstance(kind, Array):
            kind = kind.element
            offset = _plus(l, offset, index, module.layout.size(kind))
        else:
            raise NotModelled("an address within something that has no parts")
    poison = l.values.either(address.poison, *[l.values.poison(i) for i in indices])
    cases, broken = [], []
    for case in address.cases:
        sum_ = l.ops.binary("add", case.offset, offset, ())
        cases.append(Case(case.when, case.base, sum_))
        if flags and offset.number != 0:
            # clang promises that the sum stays within; where it does not, the address is poison.
            # Of an address that is just a number, it is said outside of what a claim is about.
            outside = _outside(l, case, offset, sum_)
            if (
                l.free_loads
                and not isinstance(case.base, Object)
                and offset.number is not None
                and outside is not None
            ):
                l.outside.append(
                    Undefinedness(
                        l.alg.all(outside, case.when),
                        "a structure that lies across the end of the address space",
                    )
                )
                continue
            broken.append(l.values.both(outside, case.when))
    return Address(tuple(cases), address.width, l.values.either(poison, *broken))


def _index(l: Context, value: Value) -> LiftedWord:
    """An index as a word of an address' width, sign-extended."""
    word = l.values.as_word(value)
    if word.width < l.pointer_width:
        return l.ops.widen(word, l.pointer_width, True)
    if word.width > l.pointer_width:
        raise NotModelled("an index wider than an address")
    return word


def _plus(l: Context, offset: LiftedWord, index: LiftedWord, size: int) -> LiftedWord:
    step = l.ops.binary("mul", index, l.values.word(size, l.pointer_width), ())
    # A shift is one row of wires, a product is an adder for each bit.
    if size & (size - 1) == 0 and index.number is None and size > 1:
        step = l.ops.binary("shl", index, l.values.word(size.bit_length() - 1, l.pointer_width), ())
    return l.ops.binary("add", offset, step, ())


def _outside(l: Context, case: Case, offset: LiftedWord, sum_: LiftedWord) -> object:
    """The condition under which inbounds (or nusw, nuw) is broken: None is never.

    Within an object of known size: the sum is outside of it. Of an address that is a number: the
    sum wraps. An object of unknown size is as large as it has to be.
    """
    alg, width = l.alg, l.pointer_width
    if isinstance(case.base, Object):
        if case.base.size is None:
            return None
        return alg.ult(alg.word(case.base.size, width), sum_.term, width)
    negative = l.ops.sign(offset.term, width)
    wraps = alg.ult(sum_.term, case.offset.term, width)
    return alg.neg(alg.same(negative, wraps))


def word_on_address(l: Context, op: str, a: Value, b: Value, flags: tuple[str, ...]) -> Value:
    """An operation on words of which one is an object's address; on words, where that is placed."""
    try:
        return _on_object(l, op, a, b, flags)
    except NotModelled:
        left, right = number_of(l, a), number_of(l, b)
        if left is None or right is None:
            raise
        return l.ops.binary(op, left, right, flags)


def _on_object(l: Context, op: str, a: Value, b: Value, flags: tuple[str, ...]) -> Value:
    """add, sub, and, or, xor on words of which one is an object's address."""
    if isinstance(a, LiftedWord) and op in ("add", "and", "or", "xor"):
        a, b = b, a
    if isinstance(a, Address) and isinstance(b, Address) and op == "sub":
        return _distance(l, a, b)
    if (
        not isinstance(a, Address)
        or not isinstance(b, LiftedWord)
        or any(f not in ("nuw", "nsw", "disjoint") for f in flags)
    ):
        raise NotModelled(f"{op} of the address of an object")
    cases = []
    for case in a.cases:
        if op in ("add", "sub"):
            moved = l.ops.binary(op, case.offset, b, ())
            cases.append(Case(case.when, case.base, moved))
        elif op in ("and", "or") and b.number is not None and isinstance(case.base, Object):
            found = _masked(l, op, case, b.number)
            if isinstance(found, LiftedWord):
                if len(a.cases) > 1:
                    raise NotModelled("low bits of one of several addresses")
                return LiftedWord(
                    found.width, found.term, found.number, l.values.either(a.poison, found.poison)
                )
            cases.append(found)
        elif (
            op == "xor" and isinstance(case.base, Object) and _is_of_pair(case.base, case.offset, b)
        ):
            cases.append(Case(case.when, l.neighbour(case.base), case.offset))
        else:
            raise NotModelled(f"{op} of the address of an object")
    return Address(tuple(cases), a.width, l.values.either(a.poison, b.poison))


def _is_of_pair(obj: Object, offset: LiftedWord, mask: LiftedWord) -> bool:
    """Is this the address of an entry, and the mask its size?

    Then the two make the address of the other entry of the pair.
    """
    return offset.number == 0 and obj.size is not None and obj.size == obj.align == mask.number


def _masked(l: Context, op: str, case: Case, mask: int) -> Case | LiftedWord:
    """An address rounded down, or its low bits, as far as the object's alignment says."""
    align, full = case.base.align, (1 << l.pointer_width) - 1
    if op == "or":
        low = l.ops.binary("or", case.offset, l.values.word(mask, l.pointer_width), ())
        if 0 <= mask < align:
            return Case(case.when, case.base, low)
    elif mask < align:
        return l.ops.binary("and", case.offset, l.values.word(mask, l.pointer_width), ())
    elif (~mask & full) < align and (~mask & full) & ((~mask & full) + 1) == 0:
        return Case(
            case.when,
            case.base,
            l.ops.binary("and", case.offset, l.values.word(mask, l.pointer_width), ()),
        )
    some, high = (
        mask & (mask + 1) == 0 and mask < 1 << 16,
        (~mask & full) & ((~mask & full) + 1) == 0 and (~mask & full) < 1 << 16,
    )
    if op == "and" and (some or high) and case.offset.number is not None:
        return _some_bits(l, case, mask)
    raise NotModelled(f"the address of {case.base.name} is masked beyond its alignment")


def _some_bits(l: Context, case: Case, mask: int) -> LiftedWord:
    """The low or high bits of an address: known below the object's alignment, and free above it."""
    width, align = l.pointer_width, case.base.align
    free = l.inputs.word(f"address of {case.base.name}+{case.offset.number}", width)
    high = l.ops.binary(
        "and", LiftedWord(width, free), l.values.word(mask & ~(align - 1), width), ()
    )
    return l.ops.binary(
        "or", high, l.values.word((case.offset.number or 0) & (align - 1) & mask, width), ()
    )


def _distance(l: Context, a: Address, b: Address) -> LiftedWord:
    """The bytes between two places of one object."""
    if len(a.cases) != 1 or len(b.cases) != 1 or a.cases[0].base is not b.cases[0].base:
        raise NotModelled("the distance between two objects")
    found = l.ops.binary("sub", a.cases[0].offset, b.cases[0].offset, ())
    return LiftedWord(
        found.width, found.term, found.number, l.values.either(a.poison, b.poison, found.poison)
    )


def compare_addresses(l: Context, predicate: str, a: Value, b: Value) -> Truth:
    """icmp on addresses: equal or not; order only within one object, of numbers, or as placed."""
    try:
        return _compared(l, predicate, a, b)
    except NotModelled:
        left, right = number_of(l, a), number_of(l, b)
        if left is None or right is None:
            raise
        return l.ops.compare(predicate, left, right)


def _compared(l: Context, predicate: str, a: Value, b: Value) -> Truth:
    """icmp on addresses of objects that lie nowhere in particular."""
    left, right = l.values.as_address(a, l.pointer_width), l.values.as_address(b, l.pointer_width)
    truth = l.values.no
    for x in left.cases:
        for y in right.cases:
            here = l.alg.all(x.when, y.when, _compare_cases(l, predicate, x, y))
            truth = l.alg.any(truth, here)
    return Truth(truth, l.values.either(left.poison, right.poison))


def _compare_cases(l: Context, predicate: str, x: Case, y: Case) -> object:
    if x.base is y.base:
        return l.ops.compare(predicate, x.offset, y.offset).term
    if predicate in ("eq", "ne"):
        both = isinstance(x.base, Object) and isinstance(y.base, Object)
        null_case = next(
            (c for c in (x, y) if isinstance(c.base, Object) and c.base.null is not None), None
        )
        if null_case is not None:
            other = y if null_case is x else x
            if both and other.base.null is not None and x.offset.number == y.offset.number == 0:
                # two objects of their own, or 0: equal where both are 0
                equal = l.alg.all(x.base.null, y.base.null)
                return equal if predicate == "eq" else l.alg.neg(equal)
            if other.base is None and other.offset.number == 0 and null_case.offset.number == 0:
                return null_case.base.null if predicate == "eq" else l.alg.neg(null_case.base.null)
            if both and null_case.offset.number == 0 and other.base.null is None and _inside(other):
                # an object of its own, or 0: the other is neither
                return l.alg.truth(predicate == "ne")
            raise NotModelled(f"the address {null_case.base.name[1:]} is compared with another")
        null = any(c.base is None and c.offset.number == 0 for c in (x, y))
        if null or (both and _inside(x) and _inside(y)):
            return l.alg.truth(predicate == "ne")
    raise NotModelled("addresses of two objects are compared")


def _near(case: Case) -> bool:
    """An object's address, or one so little behind it that it is not 0."""
    return (
        isinstance(case.base, Object)
        and case.offset.number is not None
        and case.offset.number < 1 << 24
    )


def _inside(case: Case) -> bool:
    """Is the offset within the object? One past its end may be another's beginning.

    A free object of unknown size is as large as it has to be.
    """
    number, size = case.offset.number, case.base.size
    if number is None:
        return False
    return bool(number == 0 or (number < 1 << 24 if size is None else number < size))
