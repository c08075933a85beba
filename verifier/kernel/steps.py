# SPDX-License-Identifier: GPL-2.0-or-later
"""What each instruction does to a state: arithmetic, memory, aggregates and calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from verifier.kernel.constants import resolved
from verifier.kernel.ir import Array, AsmText, Instr, Int, Local, Pointer, Struct, Symbol, Type
from verifier.kernel.memory import Contents, Object
from verifier.kernel.pointers import compare_addresses, element_address, word_on_address
from verifier.kernel.undefined import Undefinedness
from verifier.kernel.values import Address, Case, Group, Incomplete, Truth, Value, Word

if TYPE_CHECKING:
    from verifier.kernel.irparse import Module
    from verifier.kernel.lift import Frame, Lifter
    from verifier.kernel.paths import State

__all__ = ["STEPS", "load", "scatter", "store"]

Step: TypeAlias = "Callable[[Lifter, Frame, Instr, State], Value | None]"


def _binary(l: Lifter, f: Frame, i: Instr, s: State) -> Value:
    a, b = (l.value(f, t, s) for t in i.operands)
    if isinstance(a, Truth) and isinstance(b, Truth):
        return l.ops.bits(i.op, a, b, i.flags)
    if isinstance(a, Address) or isinstance(b, Address):
        return word_on_address(l, i.op, a, b, i.flags)
    if not (isinstance(a, Word) and isinstance(b, Word)):
        raise Incomplete(f"{i.op} of something that is no word")
    if i.op in ("udiv", "sdiv", "urem", "srem"):
        result, undefined = l.ops.divide(i.op, a, b, "exact" in i.flags)
        l.undefine(s, undefined, "a division by 0, or one that overflows")
        return result
    return l.ops.binary(i.op, a, b, i.flags)


def _icmp(l: Lifter, f: Frame, i: Instr, s: State) -> Value:
    a, b = (l.value(f, t, s) for t in i.operands)
    if isinstance(a, Truth) and isinstance(b, Truth):
        a, b = (l.ops.widen(x, 1, False) for x in (a, b))
    if isinstance(a, Address) or isinstance(b, Address):
        return compare_addresses(l, i.flags[0], a, b)
    if not (isinstance(a, Word) and isinstance(b, Word)):
        raise Incomplete("a comparison of something that is no word")
    found = l.ops.compare(i.flags[0], a, b)
    if "samesign" in i.flags:
        found = Truth(found.term, l.values.either(found.poison, l.alg.neg(l.ops.same_sign(a, b))))
    return found


def _cast(l: Lifter, f: Frame, i: Instr, s: State) -> Value:
    value = l.value(f, i.operands[0], s)
    if i.op == "inttoptr":
        if isinstance(value, Word) and value.width != l.pointer_width:
            raise Incomplete("an address of another width")
        return l.values.as_address(value, l.pointer_width)
    if i.op == "ptrtoint":
        if i.type != Int(l.pointer_width):
            raise Incomplete("part of an address is used as a number")
        number = isinstance(value, Address) and all(c.base is None for c in value.cases)
        return l.values.as_word(value) if number else value
    if i.op == "bitcast":
        return value
    if not isinstance(i.type, Int) or not isinstance(value, (Word, Truth)):
        raise Incomplete(f"{i.op} of something that is no word")
    if i.op == "trunc":
        if isinstance(value, Truth):
            raise Incomplete("trunc of i1")
        return l.ops.narrow(value, i.type.width, i.flags)
    return l.ops.widen(value, i.type.width, i.op == "sext", "nneg" in i.flags)


def _select(l: Lifter, f: Frame, i: Instr, s: State) -> Value:
    test, a, b = (l.value(f, t, s) for t in i.operands)
    if not isinstance(test, Truth):
        raise Incomplete("a select by something that is no truth")
    return l.values.with_poison(l.values.choose(test.term, a, b), test.poison)


def _freeze(l: Lifter, f: Frame, i: Instr, s: State) -> Value:
    """The value where it is not poison; anything where it is, which we do not guess: it counts as undefined."""
    return l.certain(s, l.value(f, i.operands[0], s), "freeze of poison")


def _gep(l: Lifter, f: Frame, i: Instr, s: State) -> Value:
    pointer, *indices = (l.value(f, t, s) for t in i.operands)
    address = l.values.as_address(pointer, l.pointer_width)
    if i.aux is None:
        raise Incomplete("an address computation without a type")
    return element_address(l, f.module, i.aux, address, indices, i.flags)


def _alloca(l: Lifter, f: Frame, i: Instr, s: State) -> Value:
    if i.aux is None:
        raise Incomplete("an alloca without a type")
    obj = Object(f"%{i.dest}", f.module.layout.size(i.aux), 16)
    return l.pointer(obj)


def _cases(l: Lifter, address: Address, s: State, reading: bool = False) -> list[Case]:
    """The cases of an address that is about to be used. One that is no object is given up, and the others are kept.

    What a lifter with `free_loads` reads of one that is no object is anything.
    """
    l.undefine(s, address.poison, "an address is poison")
    kept = []
    for case in address.cases:
        where = l.alg.all(l.paths.condition(s.path), case.when)
        if not isinstance(case.base, Object) and reading and l.free_loads:
            kept.append(case)
            continue
        if not isinstance(case.base, Object):
            l.lost.append(Undefinedness(where, "the address of an access is not known"))
            continue
        kept.append(case)
        if case.base.null is not None:
            null = l.alg.all(where, case.base.null)
            if l.alg.known(null) is not False:
                l.outside.append(Undefinedness(null, f"{case.base.name[1:]} is 0"))
    if not kept:
        l.lost.pop()
        raise Incomplete("the address of an access is not known")
    return kept


def load_scalar(l: Lifter, address: Address, size: int, s: State) -> Value:
    """`size` bytes from an address."""
    if l.windows is not None:
        l.windows.before(l, address, size, s)
    found: Value | None = None
    for case in _cases(l, address, s, reading=True):
        value = _load_case(l, case, size, s)
        found = value if found is None else l.values.choose(case.when, value, found)
    if found is None:
        raise Incomplete("an address without a case")
    return found


def _load_case(l: Lifter, case: Case, size: int, s: State) -> Value:
    if l.free_loads and (not isinstance(case.base, Object) or (case.base.free and case.base.size is None and case.offset.number is None)):
        return l.anything(case.base, case.offset, size, s)
    contents = s.memory.get(case.base, {})
    if case.offset.number is not None:
        return l.memory.read(contents, case.base, case.offset.number, size)
    slots = l.memory.slots(case.base, case.offset, size)
    l.undefine(s, l.alg.all(case.when, l.alg.neg(l.alg.any(*[c for c, _ in slots]))), f"an access outside {case.base.name}")
    found = l.memory.read(contents, case.base, slots[-1][1], size)
    for condition, at in slots[:-1]:
        found = l.values.choose(condition, l.memory.read(contents, case.base, at, size), found)
    return found


def store_scalar(l: Lifter, address: Address, size: int, value: Value, s: State) -> None:
    """`size` bytes to an address."""
    if l.windows is not None:
        l.windows.before(l, address, size, s)
    value = l.memory.stored(value, size)
    cases = _cases(l, address, s)
    for case in cases:
        contents = s.memory.get(case.base, {})
        if case.offset.number is not None:
            slots = [(l.values.yes, case.offset.number)]
        else:
            slots = l.memory.slots(case.base, case.offset, size)
            outside = l.alg.neg(l.alg.any(*[c for c, _ in slots]))
            l.undefine(s, l.alg.all(case.when, outside), f"an access outside {case.base.name}")
        for condition, at in slots:
            when = condition if len(cases) == 1 else l.alg.all(case.when, condition)
            new = value
            if l.alg.known(when) is not True:
                new = l.values.choose(when, value, l.memory.read(contents, case.base, at, size))
            contents = l.memory.write(contents, case.base, at, size, new)
        s.memory[case.base] = contents


def load(l: Lifter, module: Module, kind: Type, address: Address, s: State) -> Value:
    """A value of any type from memory."""
    kind = resolved(l, module, kind)
    match kind:
        case Int(width):
            size = -(-width // 8)
            found = load_scalar(l, address, size, s)
            if width == 8 * size or isinstance(found, Address):
                return found
            word = l.values.as_word(found)
            # LLVM: the upper bits of an odd type were written as 0
            broken = l.alg.neg(l.alg.eq(l.alg.lshr(word.term, l.alg.word(width, 8 * size), 8 * size),
                                        l.alg.word(0, 8 * size), 8 * size))
            l.undefine(s, broken, "an odd word with bits above it")
            return l.ops.narrow(word, width, ())
        case Pointer():
            return _load_pointer(l, address, s)
        case Struct(fields):
            parts = [load(l, module, field, shifted(l, address, module.layout.offset(kind, n)), s)
                     for n, field in enumerate(fields)]
            return Group(tuple(parts))
        case Array(count, element):
            step = module.layout.size(element)
            return Group(tuple(load(l, module, element, shifted(l, address, n * step), s) for n in range(count)))
        case _:
            raise Incomplete("a load of an unknown type")


def _load_pointer(l: Lifter, address: Address, s: State) -> Address:
    """A pointer from memory. One that a free object holds from the start points to an object of its own."""
    if len(address.cases) == 1 and isinstance(address.cases[0].base, Object):
        obj, at = address.cases[0].base, address.cases[0].offset.number
        size = l.pointer_width // 8
        touched = any(p < (at or 0) + size and (at or 0) < p + n for p, (n, _) in s.memory.get(obj, {}).items())
        if obj.free and at is not None and not touched and not any(p == at for p, _ in obj.pointers):
            _cases(l, address, s)
            return l.pointee(obj, at)
    return l.values.as_address(load_scalar(l, address, l.pointer_width // 8, s), l.pointer_width)


def store(l: Lifter, module: Module, kind: Type, address: Address, value: Value, s: State) -> None:
    """A value of any type to memory."""
    kind = resolved(l, module, kind)
    match kind:
        case Int(width):
            store_scalar(l, address, -(-width // 8), value, s)
        case Pointer():
            store_scalar(l, address, l.pointer_width // 8, value, s)
        case Struct(fields) if isinstance(value, Group):
            for n, (field, part) in enumerate(zip(fields, value.parts, strict=True)):
                store(l, module, field, shifted(l, address, module.layout.offset(kind, n)), part, s)
        case Array(_, element) if isinstance(value, Group):
            step = module.layout.size(element)
            for n, part in enumerate(value.parts):
                store(l, module, element, shifted(l, address, n * step), part, s)
        case _:
            raise Incomplete("a store of an unknown type")


def shifted(l: Lifter, address: Address, offset: int) -> Address:
    """The address so many bytes on."""
    if offset == 0:
        return address
    step = l.values.word(offset, l.pointer_width)
    cases = tuple(Case(c.when, c.base, l.ops.binary("add", c.offset, step, ())) for c in address.cases)
    return Address(cases, address.width, address.poison)


def scatter(l: Lifter, module: Module, kind: Type, value: Value, obj: Object, at: int, contents: Contents) -> Contents:
    """Write a constant of any type into contents."""
    from verifier.kernel.paths import State

    state = State((), {}, {obj: contents})
    store(l, module, kind, l.pointer(obj, at), value, state)
    return state.memory[obj]


def _load(l: Lifter, f: Frame, i: Instr, s: State) -> Value:
    return load(l, f.module, i.type, l.values.as_address(l.value(f, i.operands[0], s), l.pointer_width), s)


def _store(l: Lifter, f: Frame, i: Instr, s: State) -> None:
    value, pointer = (l.value(f, t, s) for t in i.operands)
    store(l, f.module, i.operands[0].type, l.values.as_address(pointer, l.pointer_width), value, s)


def _cmpxchg(l: Lifter, f: Frame, i: Instr, s: State) -> Value:
    """Compare and exchange as one step; the weak form does not fail without a reason, which only leads around again."""
    pointer, expected, new = (l.value(f, t, s) for t in i.operands)
    with l.one_event():
        old, same = compare_exchange(l, l.values.as_address(pointer, l.pointer_width), expected, new, s)
    return Group((old, same))


def compare_exchange(l: Lifter, address: Address, expected: Value, new: Value, s: State) -> tuple[Word, Truth]:
    """What was there, and whether it was what was expected; then the new value is there."""
    wanted = l.certain(s, expected, "a compare-and-exchange expects poison")
    if not isinstance(wanted, Word):
        raise Incomplete("a compare-and-exchange of something that is no word")
    old = l.values.as_word(load_scalar(l, address, wanted.width // 8, s))
    same = l.ops.compare("eq", old, wanted)
    l.undefine(s, same.poison, "a compare-and-exchange of poison")
    store_scalar(l, address, wanted.width // 8, l.values.choose(same.term, new, old), s)
    return old, Truth(same.term)


def _atomicrmw(l: Lifter, f: Frame, i: Instr, s: State) -> Value:
    pointer, value = (l.value(f, t, s) for t in i.operands)
    address = l.values.as_address(pointer, l.pointer_width)
    if not isinstance(i.type, Int):
        raise Incomplete("an atomic operation on something that is no word")
    with l.one_event():
        old = load_scalar(l, address, i.type.width // 8, s)
        store_scalar(l, address, i.type.width // 8, _modified(l, i.flags[0], old, value), s)
    return old


def _modified(l: Lifter, op: str, old: Value, value: Value) -> Value:
    if op == "xchg":
        return value
    if not (isinstance(old, Word) and isinstance(value, Word)):
        raise Incomplete("an atomic operation on something that is no word")
    if op in ("add", "sub", "and", "or", "xor"):
        return l.ops.binary(op, old, value, ())
    if op == "nand":
        return l.ops.binary("xor", l.ops.binary("and", old, value, ()), l.values.word(-1, old.width), ())
    if op in ("max", "min", "umax", "umin"):
        less = l.ops.compare(("ult" if op[0] == "u" else "slt"), old, value)
        first, second = (value, old) if op.endswith("max") else (old, value)
        return l.values.with_poison(l.values.choose(less.term, first, second), less.poison)
    raise Incomplete(f"atomic operation {op}")


def _extract(l: Lifter, f: Frame, i: Instr, s: State) -> Value:
    value = l.value(f, i.operands[0], s)
    for index in i.indices:
        if not isinstance(value, Group):
            raise Incomplete("a part of something that has none")
        value = value.parts[index]
    return value


def _insert(l: Lifter, f: Frame, i: Instr, s: State) -> Value:
    whole, part = (l.value(f, t, s) for t in i.operands)
    return _inserted(whole, part, i.indices)


def _inserted(whole: Value, part: Value, indices: tuple[int, ...]) -> Value:
    if not indices:
        return part
    if not isinstance(whole, Group):
        raise Incomplete("a part of something that has none")
    parts = list(whole.parts)
    parts[indices[0]] = _inserted(parts[indices[0]], part, indices[1:])
    return Group(tuple(parts))


def _fence(l: Lifter, f: Frame, i: Instr, s: State) -> None:
    return None


def _call_operation(l: Lifter, f: Frame, i: Instr, s: State) -> Value | None:
    """A call through a pointer that a table holds: by the name of what the pointer leads to, where a model has one, and so is not 0."""
    address = l.certain(s, s.env[i.callee.name], "a call through poison") if isinstance(i.callee, Local) else None
    if not isinstance(address, Address) or len(address.cases) != 1 or not isinstance(address.cases[0].base, Object):
        raise Incomplete("a call through a pointer")
    target = address.cases[0].base
    if not l.models.known(target.name) or address.cases[0].offset.number != 0:
        raise Incomplete(f"a call through a pointer: {target.name[1:]}")
    l.notes.pop(f"{target.name[1:]} points to an object of its own, or is 0", None)  # it is known where it points
    args = [l._promised(s, l.value(f, a, s), a.noundef, a.bounds, f"argument of {target.name[1:]}") for a in i.operands]
    return l.models.call(l, target.name, i, args, s)


def _call(l: Lifter, f: Frame, i: Instr, s: State) -> Value | None:
    if isinstance(i.callee, AsmText):
        return l.models.asm(l, i.callee, i, [l.value(f, a, s) for a in i.operands], s)
    if isinstance(i.callee, Local):
        return _call_operation(l, f, i, s)
    if not isinstance(i.callee, Symbol):
        raise Incomplete("a call through a pointer")
    name = i.callee.name
    args: list[Any] = []
    for typed in i.operands:
        if typed.element is not None and not name.startswith("llvm.") and not l.models.known(name) and l.program.find(name, f.module) is None:
            raise Incomplete(f"{name} is given a struct by reference")
        metadata = isinstance(typed.operand, Symbol) and typed.operand.name.startswith("!")
        args.append(None if metadata else l._promised(s, l.value(f, typed, s), typed.noundef, typed.bounds, f"argument of {name}"))
    if not l.models.known(name):
        found = l.program.find(name, f.module)
        if found is not None:
            value, after = l.run(found[0], found[1], args, s)
            s.path, s.memory = after.path, after.memory
            kind = resolved(l, f.module, i.type)
            return Group((value,)) if isinstance(kind, Struct) and len(kind.fields) == 1 and isinstance(value, Word) else value  # static: returned as it is
    return l.models.call(l, name, i, args, s)


STEPS: dict[str, Step] = {
    **dict.fromkeys("add sub mul and or xor shl lshr ashr udiv sdiv urem srem".split(), _binary),
    **dict.fromkeys("zext sext trunc ptrtoint inttoptr bitcast".split(), _cast),
    "icmp": _icmp, "select": _select, "freeze": _freeze, "getelementptr": _gep, "alloca": _alloca, "load": _load,
    "store": _store, "cmpxchg": _cmpxchg, "atomicrmw": _atomicrmw, "extractvalue": _extract, "insertvalue": _insert,
    "fence": _fence, "call": _call,
}
