# SPDX-License-Identifier: GPL-2.0-or-later
"""Values of constants, and the objects behind globals.

A global that is constant, or taken as initialised, has the bytes of its initialiser. All others are
free.
"""

from __future__ import annotations

from collections.abc import Callable

from verifier.kernel.llvm.access import scatter
from verifier.kernel.llvm.context import CallFrame, Context, resolved
from verifier.kernel.llvm.ir import (
    ConstantItems,
    ConstantText,
    Expr,
    Int,
    IntConst,
    IrFunction,
    IrLocal,
    Null,
    Operand,
    Pointer,
    Struct,
    Symbol,
    Type,
    TypedOperand,
    UndefOrPoison,
    Void,
    Zero,
)
from verifier.kernel.llvm.objects import Contents, Object
from verifier.kernel.llvm.read_module import Module
from verifier.kernel.llvm.values import LiftedWord, NotModelled, Truth, Value, ValueGroup
from verifier.kernel.llvm.ways import WayState

__all__ = ["constant", "global_object", "value_of"]


def value_of(l: Context, frame: CallFrame, typed: TypedOperand, state: WayState) -> Value:
    """The value of an operand."""
    if isinstance(typed.operand, IrLocal):
        try:
            return state.env[typed.operand.name]
        except KeyError:
            raise NotModelled(f"%{typed.operand.name} is not known here") from None
    return constant(l, frame.module, typed.type, typed.operand, state, frame)


def constant(
    l: Context,
    module: Module,
    kind: Type,
    operand: Operand,
    state: WayState | None = None,
    frame: CallFrame | None = None,
) -> Value:
    """The value of a constant of a type."""
    kind = resolved(module, kind)
    match operand:
        case IntConst(number) if isinstance(kind, Int):
            return (
                l.values.truth(bool(number & 1))
                if kind.width == 1
                else l.values.word(number, kind.width)
            )
        case Null():
            return l.values.address(None, l.values.word(0, l.pointer_width), l.pointer_width)
        case Symbol(name) if name in l.addresses:
            number, why = l.addresses[name]
            l.note(why)
            return l.values.address(None, l.values.word(number, l.pointer_width), l.pointer_width)
        case Symbol(name):
            return l.pointer(global_object(l, module, name))
        case Zero():
            return _filled(l, module, kind, False)
        case UndefOrPoison():
            return _filled(l, module, kind, True)
        case ConstantItems(items):
            return ValueGroup(tuple(constant(l, module, i.type, i.operand) for i in items))
        case ConstantText(value):
            return ValueGroup(tuple(l.values.word(b, 8) for b in value))
        case Expr(instr):
            shell = frame or CallFrame(module, IrFunction("constant", Void(), (), ()), {})
            found = l.step(shell, instr, state or WayState((), {}))
            if found is not None:
                return found
    raise NotModelled("a constant of an unknown kind")


def _filled(l: Context, module: Module, kind: Type, poison: bool) -> Value:
    """Zero or poison of a type."""
    kind = resolved(module, kind)
    match kind:
        case Int(1):
            return Truth(l.values.no, l.values.yes if poison else None)
        case Int(width):
            return l.values.poison_word(width) if poison else l.values.word(0, width)
        case Pointer():
            return l.values.with_poison(
                constant(l, module, kind, Null()), l.values.yes if poison else None
            )
        case Struct(fields):
            return ValueGroup(tuple(_filled(l, module, f, poison) for f in fields))
        case _:
            raise NotModelled("zero or poison of a large type")


def global_object(l: Context, module: Module, name: str) -> Object:
    """The object behind @name; constants have what they start with, all else is free."""
    module = _home(l, module, name)
    own = name in module.globals and module.globals[name].value is not None
    key = (module.name if own else "", name)
    if key not in l.globals:
        found = module.globals.get(name)
        size, initial = None, None
        if found is not None and not isinstance(found.type, Void):
            size = _size(module, found.type)
            if size == 0 and found.value is None:
                size = None  # extern T name[]: an array that is somewhere else
        if (
            found is not None
            and found.value is not None
            and (found.constant or name in l.as_initialised)
        ):
            initial = _constant_bytes(l, module, found.type, found.value)
            if not found.constant:
                l.note(f"{name} is as it was initialised")
        label = f"@{name}"
        free = l.object(label, size, 8)
        l.globals[key] = (
            free
            if initial is None
            else Object(label, size, 8, initial, readonly=found is not None and found.constant)
        )
    return l.globals[key]


def _home(l: Context, module: Module, name: str) -> Module:
    """The module whose global a name means: one's own where it defines it, else the first that
    defines it for all.
    """
    if name in module.globals and module.globals[name].value is not None:
        return module
    for other in l.program.modules:
        found = other.globals.get(name)
        if found is not None and found.value is not None and not found.local:
            return other
    return module


def _size(module: Module, kind: Type) -> int | None:
    try:
        return module.layout.size(kind)
    except KeyError:
        return None


def _constant_bytes(
    l: Context, module: Module, kind: Type, operand: Operand
) -> Callable[[int], LiftedWord]:
    """Reads the units of a constant; what is no number raises NotModelled when it is read."""

    def unit(offset: int) -> LiftedWord:
        contents: Contents = {}
        size = module.layout.size(kind)
        holder = Object("a constant", size, 8, lambda _: l.values.word(0, 64))
        if not isinstance(operand, Zero):
            contents = scatter(
                l, module, kind, constant(l, module, kind, operand), holder, 0, contents
            )
        bytes_ = [l.memory.read(contents, holder, at, 1) if at < size else l.values.word(0, 8)
                  for at in range(offset, offset + 8)]
        return l.memory.join([l.values.as_word(b) for b in bytes_])

    return unit
