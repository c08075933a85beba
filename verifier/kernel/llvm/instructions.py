# SPDX-License-Identifier: GPL-2.0-or-later
"""What each instruction does to a state: arithmetic, memory, aggregates and calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from verifier.kernel.llvm.access import load, load_scalar, store, store_scalar
from verifier.kernel.llvm.constants import value_of
from verifier.kernel.llvm.context import CallFrame, Context, resolved
from verifier.kernel.llvm.ir import AsmText, Instr, Int, IrLocal, Struct, Symbol
from verifier.kernel.llvm.objects import Object
from verifier.kernel.llvm.places import number_of
from verifier.kernel.llvm.pointers import compare_addresses, element_address, word_on_address
from verifier.kernel.llvm.values import Address, LiftedWord, NotModelled, Truth, Value, ValueGroup
from verifier.kernel.llvm.ways import WayState

__all__ = ["STEPS", "compare_exchange"]

Step: TypeAlias = Callable[[Context, CallFrame, Instr, WayState], Value | None]


def _binary(l: Context, f: CallFrame, i: Instr, s: WayState) -> Value:
    a, b = (value_of(l, f, t, s) for t in i.operands)
    if isinstance(a, Truth) and isinstance(b, Truth):
        return l.ops.bits(i.op, a, b, i.flags)
    if isinstance(a, Address) or isinstance(b, Address):
        return word_on_address(l, i.op, a, b, i.flags)
    if not (isinstance(a, LiftedWord) and isinstance(b, LiftedWord)):
        raise NotModelled(f"{i.op} of something that is no word")
    if i.op in ("udiv", "sdiv", "urem", "srem"):
        result, undefined = l.ops.divide(i.op, a, b, "exact" in i.flags)
        l.undefine(s, undefined, "a division by 0, or one that overflows")
        return result
    return l.ops.binary(i.op, a, b, i.flags)


def _icmp(l: Context, f: CallFrame, i: Instr, s: WayState) -> Value:
    a, b = (value_of(l, f, t, s) for t in i.operands)
    if isinstance(a, Truth) and isinstance(b, Truth):
        a, b = (l.ops.widen(x, 1, False) for x in (a, b))
    if isinstance(a, Address) or isinstance(b, Address):
        return compare_addresses(l, i.flags[0], a, b)
    if not (isinstance(a, LiftedWord) and isinstance(b, LiftedWord)):
        raise NotModelled("a comparison of something that is no word")
    found = l.ops.compare(i.flags[0], a, b)
    if "samesign" in i.flags:
        found = Truth(found.term, l.values.either(found.poison, l.alg.neg(l.ops.same_sign(a, b))))
    return found


def _cast(l: Context, f: CallFrame, i: Instr, s: WayState) -> Value:
    value = value_of(l, f, i.operands[0], s)
    if i.op == "inttoptr":
        if isinstance(value, LiftedWord) and value.width != l.pointer_width:
            raise NotModelled("an address of another width")
        return l.values.as_address(value, l.pointer_width)
    if i.op == "ptrtoint":
        if i.type != Int(l.pointer_width):
            raise NotModelled("part of an address is used as a number")
        number = isinstance(value, Address) and all(c.base is None for c in value.cases)
        return l.values.as_word(value) if number else value
    if i.op == "bitcast":
        return value
    if isinstance(value, Address):
        value = number_of(l, value) or value
    if not isinstance(i.type, Int) or not isinstance(value, (LiftedWord, Truth)):
        raise NotModelled(f"{i.op} of something that is no word")
    if i.op == "trunc":
        if isinstance(value, Truth):
            raise NotModelled("trunc of i1")
        return l.ops.narrow(value, i.type.width, i.flags)
    return l.ops.widen(value, i.type.width, i.op == "sext", "nneg" in i.flags)


def _select(l: Context, f: CallFrame, i: Instr, s: WayState) -> Value:
    test, a, b = (value_of(l, f, t, s) for t in i.operands)
    if not isinstance(test, Truth):
        raise NotModelled("a select by something that is no truth")
    return l.values.with_poison(l.values.choose(test.term, a, b), test.poison)


def _freeze(l: Context, f: CallFrame, i: Instr, s: WayState) -> Value:
    """The value where it is not poison.

    Where it is, freeze gives anything: that is not guessed, and counts as undefined.
    """
    return l.certain(s, value_of(l, f, i.operands[0], s), "freeze of poison")


def _gep(l: Context, f: CallFrame, i: Instr, s: WayState) -> Value:
    pointer, *indices = (value_of(l, f, t, s) for t in i.operands)
    address = l.values.as_address(pointer, l.pointer_width)
    if i.aux is None:
        raise NotModelled("an address computation without a type")
    return element_address(l, f.module, i.aux, address, indices, i.flags)


def _alloca(l: Context, f: CallFrame, i: Instr, s: WayState) -> Value:
    if i.aux is None:
        raise NotModelled("an alloca without a type")
    obj = Object(f"%{i.dest}", f.module.layout.size(i.aux), 16)
    return l.pointer(obj)


def _load(l: Context, f: CallFrame, i: Instr, s: WayState) -> Value:
    return load(
        l,
        f.module,
        i.type,
        l.values.as_address(value_of(l, f, i.operands[0], s), l.pointer_width),
        s,
    )


def _store(l: Context, f: CallFrame, i: Instr, s: WayState) -> None:
    value, pointer = (value_of(l, f, t, s) for t in i.operands)
    store(l, f.module, i.operands[0].type, l.values.as_address(pointer, l.pointer_width), value, s)


def _cmpxchg(l: Context, f: CallFrame, i: Instr, s: WayState) -> Value:
    """Compare and exchange as one step.

    The weak form may fail without a reason; that only leads around again, and is left out.
    """
    pointer, expected, new = (value_of(l, f, t, s) for t in i.operands)
    with l.one_event():
        old, same = compare_exchange(
            l, l.values.as_address(pointer, l.pointer_width), expected, new, s
        )
    return ValueGroup((old, same))


def compare_exchange(
    l: Context, address: Address, expected: Value, new: Value, s: WayState
) -> tuple[LiftedWord, Truth]:
    """What was there, and whether it was what was expected; then the new value is there."""
    wanted = l.certain(s, expected, "a compare-and-exchange expects poison")
    if not isinstance(wanted, LiftedWord):
        raise NotModelled("a compare-and-exchange of something that is no word")
    old = l.values.as_word(load_scalar(l, address, wanted.width // 8, s))
    same = l.ops.compare("eq", old, wanted)
    l.undefine(s, same.poison, "a compare-and-exchange of poison")
    store_scalar(l, address, wanted.width // 8, l.values.choose(same.term, new, old), s)
    return old, Truth(same.term)


def _atomicrmw(l: Context, f: CallFrame, i: Instr, s: WayState) -> Value:
    pointer, value = (value_of(l, f, t, s) for t in i.operands)
    address = l.values.as_address(pointer, l.pointer_width)
    if not isinstance(i.type, Int):
        raise NotModelled("an atomic operation on something that is no word")
    with l.one_event():
        old = load_scalar(l, address, i.type.width // 8, s)
        store_scalar(l, address, i.type.width // 8, _modified(l, i.flags[0], old, value), s)
    return old


def _modified(l: Context, op: str, old: Value, value: Value) -> Value:
    if op == "xchg":
        return value
    if not (isinstance(old, LiftedWord) and isinstance(value, LiftedWord)):
        raise NotModelled("an atomic operation on something that is no word")
    if op in ("add", "sub", "and", "or", "xor"):
        return l.ops.binary(op, old, value, ())
    if op == "nand":
        return l.ops.binary(
            "xor", l.ops.binary("and", old, value, ()), l.values.word(-1, old.width), ()
        )
    if op in ("max", "min", "umax", "umin"):
        less = l.ops.compare(("ult" if op[0] == "u" else "slt"), old, value)
        first, second = (value, old) if op.endswith("max") else (old, value)
        return l.values.with_poison(l.values.choose(less.term, first, second), less.poison)
    raise NotModelled(f"atomic operation {op}")


def _extract(l: Context, f: CallFrame, i: Instr, s: WayState) -> Value:
    value = value_of(l, f, i.operands[0], s)
    for index in i.indices:
        if not isinstance(value, ValueGroup):
            raise NotModelled("a part of something that has none")
        value = value.parts[index]
    return value


def _insert(l: Context, f: CallFrame, i: Instr, s: WayState) -> Value:
    whole, part = (value_of(l, f, t, s) for t in i.operands)
    return _inserted(whole, part, i.indices)


def _inserted(whole: Value, part: Value, indices: tuple[int, ...]) -> Value:
    if not indices:
        return part
    if not isinstance(whole, ValueGroup):
        raise NotModelled("a part of something that has none")
    parts = list(whole.parts)
    parts[indices[0]] = _inserted(parts[indices[0]], part, indices[1:])
    return ValueGroup(tuple(parts))


def _fence(l: Context, f: CallFrame, i: Instr, s: WayState) -> None:
    return None


def _call_operation(l: Context, f: CallFrame, i: Instr, s: WayState) -> Value | None:
    """A call through a pointer that a table holds.

    It is called by the name of what the pointer leads to, where a model has one; the pointer is
    then not 0.
    """
    address = (
        l.certain(s, s.env[i.callee.name], "a call through poison")
        if isinstance(i.callee, IrLocal)
        else None
    )
    if (
        not isinstance(address, Address)
        or len(address.cases) != 1
        or not isinstance(address.cases[0].base, Object)
    ):
        raise NotModelled("a call through a pointer")
    target = address.cases[0].base
    if not l.models.known(l, target.name) or address.cases[0].offset.number != 0:
        raise NotModelled(f"a call through a pointer: {target.name[1:]}")
    # it is known where it points
    l.notes.pop(f"{target.name[1:]} points to an object of its own, or is 0", None)
    args = [
        l.promised(s, value_of(l, f, a, s), a.noundef, a.bounds, f"argument of {target.name[1:]}")
        for a in i.operands
    ]
    return l.models.call(l, target.name, i, args, s)


def _call(l: Context, f: CallFrame, i: Instr, s: WayState) -> Value | None:
    if isinstance(i.callee, AsmText):
        return l.models.asm(l, i.callee, i, [value_of(l, f, a, s) for a in i.operands], s)
    if isinstance(i.callee, IrLocal):
        return _call_operation(l, f, i, s)
    if not isinstance(i.callee, Symbol):
        raise NotModelled("a call through a pointer")
    name = i.callee.name
    args: list[Any] = []
    for typed in i.operands:
        if (
            typed.element is not None
            and not name.startswith("llvm.")
            and not l.models.known(l, name)
            and l.program.find(name, f.module) is None
        ):
            raise NotModelled(f"{name} is given a struct by reference")
        metadata = isinstance(typed.operand, Symbol) and typed.operand.name.startswith("!")
        args.append(
            None
            if metadata
            else l.promised(
                s, value_of(l, f, typed, s), typed.noundef, typed.bounds, f"argument of {name}"
            )
        )
    if not l.models.known(l, name):
        found = l.program.find(name, f.module)
        if found is not None:
            value, after = l.run(found[0], found[1], args, s)
            s.path, s.memory = after.path, after.memory
            kind = resolved(f.module, i.type)
            return (
                ValueGroup((value,))
                if isinstance(kind, Struct)
                and len(kind.fields) == 1
                and isinstance(value, LiftedWord)
                else value
            )  # static: returned as it is
    return l.models.call(l, name, i, args, s)


STEPS: dict[str, Step] = {
    **dict.fromkeys("add sub mul and or xor shl lshr ashr udiv sdiv urem srem".split(), _binary),
    **dict.fromkeys("zext sext trunc ptrtoint inttoptr bitcast".split(), _cast),
    "icmp": _icmp,
    "select": _select,
    "freeze": _freeze,
    "getelementptr": _gep,
    "alloca": _alloca,
    "load": _load,
    "store": _store,
    "cmpxchg": _cmpxchg,
    "atomicrmw": _atomicrmw,
    "extractvalue": _extract,
    "insertvalue": _insert,
    "fence": _fence,
    "call": _call,
}
