# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory read and written through addresses: words, and values of any type made of them."""

from __future__ import annotations

from verifier.kernel.llvm.context import Context, resolved
from verifier.kernel.llvm.ir import Array, Int, Pointer, Struct, Type
from verifier.kernel.llvm.objects import Contents, Object
from verifier.kernel.llvm.places import led_by_number
from verifier.kernel.llvm.read_module import Module
from verifier.kernel.llvm.undefined import Undefinedness
from verifier.kernel.llvm.values import Address, Case, NotModelled, Value, ValueGroup
from verifier.kernel.llvm.ways import WayState

__all__ = ["load", "load_scalar", "scatter", "shifted", "store", "store_scalar"]


def _cases(l: Context, address: Address, s: WayState, reading: bool = False) -> list[Case]:
    """The cases of an address that is about to be used.

    A case that is no object is given up, and the others are kept. With free_loads, a load from such
    a case returns an arbitrary value.
    """
    l.undefine(s, address.poison, "an address is poison")
    kept = []
    for case in led_by_number(l, address, s).cases if l.placed else address.cases:
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
        raise NotModelled("the address of an access is not known")
    return kept


def load_scalar(l: Context, address: Address, size: int, s: WayState) -> Value:
    """`size` bytes from an address."""
    if l.windows is not None:
        l.windows.before(l, address, size, s)
    found: Value | None = None
    for case in _cases(l, address, s, reading=True):
        value = _load_case(l, case, size, s)
        found = value if found is None else l.values.choose(case.when, value, found)
    if found is None:
        raise NotModelled("an address without a case")
    return found


def _load_case(l: Context, case: Case, size: int, s: WayState) -> Value:
    if l.free_loads and (
        not isinstance(case.base, Object)
        or (case.base.free and case.base.size is None and case.offset.number is None)
    ):
        return l.anything(case.base, case.offset, size, s)
    contents = s.memory.get(case.base, {})
    if case.offset.number is not None:
        return l.memory.read(contents, case.base, case.offset.number, size)
    slots = l.memory.slots(case.base, case.offset, size)
    l.undefine(
        s,
        l.alg.all(case.when, l.alg.neg(l.alg.any(*[c for c, _ in slots]))),
        f"an access outside {case.base.name}",
    )
    found = l.memory.read(contents, case.base, slots[-1][1], size)
    for condition, at in slots[:-1]:
        found = l.values.choose(condition, l.memory.read(contents, case.base, at, size), found)
    return found


def store_scalar(l: Context, address: Address, size: int, value: Value, s: WayState) -> None:
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


def load(l: Context, module: Module, kind: Type, address: Address, s: WayState) -> Value:
    """A value of any type from memory."""
    kind = resolved(module, kind)
    match kind:
        case Int(width):
            size = -(-width // 8)
            found = load_scalar(l, address, size, s)
            if width == 8 * size or isinstance(found, Address):
                return found
            word = l.values.as_word(found)
            # LLVM: the upper bits of an odd type were written as 0
            broken = l.alg.neg(
                l.alg.eq(
                    l.alg.lshr(word.term, l.alg.word(width, 8 * size), 8 * size),
                    l.alg.word(0, 8 * size),
                    8 * size,
                )
            )
            l.undefine(s, broken, "an odd word with bits above it")
            return l.ops.narrow(word, width, ())
        case Pointer():
            return _load_pointer(l, address, s)
        case Struct(fields):
            parts = [load(l, module, field, shifted(l, address, module.layout.offset(kind, n)), s)
                     for n, field in enumerate(fields)]
            return ValueGroup(tuple(parts))
        case Array(count, element):
            step = module.layout.size(element)
            return ValueGroup(
                tuple(
                    load(l, module, element, shifted(l, address, n * step), s) for n in range(count)
                )
            )
        case _:
            raise NotModelled("a load of an unknown type")


def _load_pointer(l: Context, address: Address, s: WayState) -> Address:
    """A pointer from memory.

    One that a free object holds from the start points to an object of its own.
    """
    if len(address.cases) == 1 and isinstance(address.cases[0].base, Object):
        obj, at = address.cases[0].base, address.cases[0].offset.number
        size = l.pointer_width // 8
        touched = any(
            p < (at or 0) + size and (at or 0) < p + n
            for p, (n, _) in s.memory.get(obj, {}).items()
        )
        if (
            obj.free
            and at is not None
            and not touched
            and not any(p == at for p, _ in obj.pointers)
        ):
            _cases(l, address, s)
            return l.pointee(obj, at)
    return l.values.as_address(load_scalar(l, address, l.pointer_width // 8, s), l.pointer_width)


def store(
    l: Context, module: Module, kind: Type, address: Address, value: Value, s: WayState
) -> None:
    """A value of any type to memory."""
    kind = resolved(module, kind)
    match kind:
        case Int(width):
            store_scalar(l, address, -(-width // 8), value, s)
        case Pointer():
            store_scalar(l, address, l.pointer_width // 8, value, s)
        case Struct(fields) if isinstance(value, ValueGroup):
            for n, (field, part) in enumerate(zip(fields, value.parts, strict=True)):
                store(l, module, field, shifted(l, address, module.layout.offset(kind, n)), part, s)
        case Array(_, element) if isinstance(value, ValueGroup):
            step = module.layout.size(element)
            for n, part in enumerate(value.parts):
                store(l, module, element, shifted(l, address, n * step), part, s)
        case _:
            raise NotModelled("a store of an unknown type")


def shifted(l: Context, address: Address, offset: int) -> Address:
    """The address so many bytes on."""
    if offset == 0:
        return address
    step = l.values.word(offset, l.pointer_width)
    cases = tuple(
        Case(c.when, c.base, l.ops.binary("add", c.offset, step, ())) for c in address.cases
    )
    return Address(cases, address.width, address.poison)


def scatter(
    l: Context, module: Module, kind: Type, value: Value, obj: Object, at: int, contents: Contents
) -> Contents:
    """Write a constant of any type into contents."""
    state = WayState((), {}, {obj: contents})
    store(l, module, kind, l.pointer(obj, at), value, state)
    return state.memory[obj]
