# SPDX-License-Identifier: GPL-2.0-or-later
"""LLVM's intermediate representation, as far as the kernel's helpers use it: types, operands,
instructions, layout.

Everything is frozen data. `read_module` makes it from clang's text, and `lift` gives it a meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

__all__ = [
    "Array",
    "AsmText",
    "BasicBlock",
    "DataLayout",
    "Expr",
    "IrFunction",
    "Global",
    "Instr",
    "Int",
    "IntConst",
    "ConstantItems",
    "IrLocal",
    "Named",
    "Null",
    "Operand",
    "IrParam",
    "Pointer",
    "Struct",
    "Symbol",
    "ConstantText",
    "Type",
    "TypedOperand",
    "UndefOrPoison",
    "Void",
    "Zero",
]


@dataclass(frozen=True, slots=True)
class Int:
    """iN: a word of `width` bits; i1 is a truth value."""

    width: int


@dataclass(frozen=True, slots=True)
class Pointer:
    """ptr: the address of something."""


@dataclass(frozen=True, slots=True)
class Void:
    """No value; also stands for labels and metadata."""


@dataclass(frozen=True, slots=True)
class Array:
    """An array: how many elements, and their type."""

    count: int
    element: Type


@dataclass(frozen=True, slots=True)
class Struct:
    """A structure: the types of its fields, and whether they lie without gaps."""

    fields: tuple[Type, ...]
    packed: bool = False


@dataclass(frozen=True, slots=True)
class Named:
    """A struct type by its name in the module."""

    name: str


Type: TypeAlias = Int | Pointer | Void | Array | Struct | Named


@dataclass(frozen=True, slots=True)
class IrLocal:
    """A value of the function, by name."""

    name: str


@dataclass(frozen=True, slots=True)
class Symbol:
    """@name: a function or a global."""

    name: str


@dataclass(frozen=True, slots=True)
class IntConst:
    """A constant integer; its width is its type's."""

    value: int


@dataclass(frozen=True, slots=True)
class Null:
    """The pointer 0."""


@dataclass(frozen=True, slots=True)
class Zero:
    """zeroinitializer of any type."""


@dataclass(frozen=True, slots=True)
class UndefOrPoison:
    """undef or poison. Both are read as poison, which allows no more than undef does."""


@dataclass(frozen=True, slots=True)
class ConstantItems:
    """A constant array or struct."""

    items: tuple[TypedOperand, ...]


@dataclass(frozen=True, slots=True)
class ConstantText:
    """A constant string: its bytes."""

    value: bytes


@dataclass(frozen=True, slots=True)
class Expr:
    """A constant expression: the instruction that it would be."""

    instr: Instr


@dataclass(frozen=True, slots=True)
class AsmText:
    """Inline assembly in a callee's place."""

    template: str
    constraints: str


Operand: TypeAlias = (
    IrLocal
    | Symbol
    | IntConst
    | Null
    | Zero
    | UndefOrPoison
    | ConstantItems
    | ConstantText
    | Expr
    | AsmText
)


@dataclass(frozen=True, slots=True)
class TypedOperand:
    """An operand with its type, and of an argument the attributes that bind its value."""

    type: Type
    operand: Operand
    noundef: bool = False
    bounds: tuple[int, int] | None = None  # range(a, b): from a up to b - 1, wrapping
    element: Type | None = None  # elementtype or byval


@dataclass(frozen=True, slots=True)
class Instr:
    """One instruction.

    op        LLVM's name; `asm` operands stand in `callee`
    type      the type of the result
    operands  in LLVM's order; of phi the incoming values, of switch the value and then the cases
    labels    blocks: targets of br, switch and callbr, incoming blocks of phi
    flags     nuw, nsw, exact, inbounds, volatile, ...; the predicate of icmp, the operation of
              atomicrmw
    aux       the type that getelementptr, alloca, load and store work on
    indices   of extractvalue and insertvalue
    bounds    !range or range(): what the result is promised to be within
    noundef   the result is promised not to be poison
    line      its location in the module's line table
    """

    op: str
    dest: str | None
    type: Type
    operands: tuple[TypedOperand, ...] = ()
    labels: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    aux: Type | None = None
    indices: tuple[int, ...] = ()
    callee: Operand | None = None
    bounds: tuple[int, int] | None = None
    noundef: bool = False
    line: int | None = None


@dataclass(frozen=True, slots=True)
class BasicBlock:
    """A basic block: its label, and its instructions, the last of which ends it."""

    label: str
    instrs: tuple[Instr, ...]

    @property
    def successors(self) -> tuple[str, ...]:
        """The labels of the blocks that the last instruction may go to."""
        last = self.instrs[-1]
        return last.labels if last.op in ("br", "switch", "callbr") else ()


@dataclass(frozen=True, slots=True)
class IrParam:
    """A parameter of a function: its name, its type, and what is promised of its value."""

    name: str
    type: Type
    noundef: bool
    bounds: tuple[int, int] | None
    element: Type | None  # of byval


@dataclass(frozen=True, slots=True)
class IrFunction:
    """A function with its body."""

    name: str
    returns: Type
    params: tuple[IrParam, ...]
    blocks: tuple[BasicBlock, ...]
    bounds: tuple[int, int] | None = None
    noundef: bool = False


@dataclass(frozen=True, slots=True)
class Global:
    """A global variable.

    `value` is what it starts with, None where another file defines it. `local`: no other file sees
    it.
    """

    name: str
    type: Type
    constant: bool
    value: Operand | None
    local: bool = False


@dataclass(frozen=True, slots=True)
class DataLayout:
    """Byte order, and the sizes and offsets of types in memory."""

    big_endian: bool = False
    pointer_bytes: int = 8
    int_align: Mapping[int, int] = field(default_factory=dict)
    named: Mapping[str, Type] = field(default_factory=dict)

    def resolve(self, kind: Type) -> Type:
        """The struct behind a name. KeyError where it is opaque."""
        while isinstance(kind, Named):
            kind = self.named[kind.name]
        return kind

    def align(self, kind: Type) -> int:
        """The alignment of a type, in bytes."""
        kind = self.resolve(kind)
        match kind:
            case Int(width):
                size = self._int_bytes(width)
                return self.int_align.get(width, min(size, 8))
            case Pointer():
                return self.pointer_bytes
            case Array(_, element):
                return self.align(element)
            case Struct(fields, packed):
                return 1 if packed else max((self.align(f) for f in fields), default=1)
            case _:
                return 1

    def size(self, kind: Type) -> int:
        """Bytes from one element of an array to the next."""
        kind = self.resolve(kind)
        match kind:
            case Int(width):
                size, align = self._int_bytes(width), self.align(kind)
                return -(-size // align) * align
            case Pointer():
                return self.pointer_bytes
            case Array(count, element):
                return count * self.size(element)
            case Struct():
                return self._struct(kind)[1]
            case _:
                return 0

    def offset(self, kind: Struct, index: int) -> int:
        """Where a field of a structure begins, in bytes."""
        return self._struct(kind)[0][index]

    def _struct(self, kind: Struct) -> tuple[list[int], int]:
        offsets, at, widest = [], 0, 1
        for part in kind.fields:
            align = 1 if kind.packed else self.align(part)
            at = -(-at // align) * align
            offsets.append(at)
            at += self.size(part)
            widest = max(widest, align)
        return offsets, -(-at // widest) * widest

    @staticmethod
    def _int_bytes(width: int) -> int:
        size = 1
        while size * 8 < width:
            size *= 2
        return size
