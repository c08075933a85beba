# SPDX-License-Identifier: GPL-2.0-or-later
"""One instruction of LLVM's textual form.

READERS has a reader for each, which takes what stands behind the name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from verifier.kernel.llvm.ir import Instr, Int, Operand, Pointer, Struct, Symbol, TypedOperand, Void
from verifier.kernel.llvm.read_words import Tokens, unquote

__all__ = ["CALL_WORDS", "READERS", "read_call"]

Reader: TypeAlias = Callable[[str, str | None, Tokens], Instr]

_BINARY = frozenset("add sub mul and or xor shl lshr ashr udiv sdiv urem srem".split())
_CASTS = frozenset("zext sext trunc ptrtoint inttoptr bitcast".split())
_FLAGS = frozenset("nuw nsw exact disjoint nneg inbounds nusw samesign".split())
_ORDERS = frozenset("unordered monotonic acquire release acq_rel seq_cst".split())
_PREDICATES = frozenset("eq ne ugt uge ult ule sgt sge slt sle".split())
CALL_WORDS = frozenset("tail musttail notail fastcc coldcc ccc".split())


def _binary(op: str, dest: str | None, t: Tokens) -> Instr:
    flags = t.flags(_FLAGS)
    left = t.typed()
    t.need(",")
    right = TypedOperand(left.type, t.operand(left.type))
    return Instr(op, dest, left.type, (left, right), flags=flags)


def _cast(op: str, dest: str | None, t: Tokens) -> Instr:
    flags = t.flags(_FLAGS)
    value = t.typed()
    t.need("to")
    return Instr(op, dest, t.type(), (value,), flags=flags)


def _icmp(op: str, dest: str | None, t: Tokens) -> Instr:
    flags = t.flags(_FLAGS)
    predicate = t.next()
    if predicate not in _PREDICATES:
        t.fail(f"predicate {predicate!r}")
    left = t.typed()
    t.need(",")
    right = TypedOperand(left.type, t.operand(left.type))
    return Instr(op, dest, Int(1), (left, right), flags=(predicate, *flags))


def _select(op: str, dest: str | None, t: Tokens) -> Instr:
    operands = [t.typed()]
    for _ in range(2):
        t.need(",")
        operands.append(t.typed())
    return Instr(op, dest, operands[1].type, tuple(operands))


def _freeze(op: str, dest: str | None, t: Tokens) -> Instr:
    value = t.typed()
    return Instr(op, dest, value.type, (value,))


def _phi(op: str, dest: str | None, t: Tokens) -> Instr:
    kind = t.type()
    values, labels = [], []
    while True:
        t.need("[")
        values.append(TypedOperand(kind, t.operand(kind)))
        t.need(",")
        labels.append(unquote(t.next()))
        t.need("]")
        if not t.take(","):
            return Instr(op, dest, kind, tuple(values), tuple(labels))
        if t.kind() == "meta":
            return Instr(op, dest, kind, tuple(values), tuple(labels))


def _load(op: str, dest: str | None, t: Tokens) -> Instr:
    flags = t.flags(frozenset(("atomic", "volatile")))
    kind = t.type()
    t.need(",")
    pointer = t.typed()
    flags += t.flags(_ORDERS)
    return Instr(op, dest, kind, (pointer,), flags=flags, aux=kind)


def _store(op: str, dest: str | None, t: Tokens) -> Instr:
    flags = t.flags(frozenset(("atomic", "volatile")))
    value = t.typed()
    t.need(",")
    pointer = t.typed()
    flags += t.flags(_ORDERS)
    return Instr(op, None, Void(), (value, pointer), flags=flags, aux=value.type)


def _gep(op: str, dest: str | None, t: Tokens) -> Instr:
    flags = t.flags(_FLAGS)
    aux = t.type()
    operands = []
    while t.take(","):
        if t.kind() == "meta":
            break
        operands.append(t.typed())
    return Instr(op, dest, Pointer(), tuple(operands), flags=flags, aux=aux)


def _alloca(op: str, dest: str | None, t: Tokens) -> Instr:
    aux = t.type()
    if t.take(","):
        if t.peek() != "align":
            t.fail("an alloca of several")
        t.next()
        t.number()
    return Instr(op, dest, Pointer(), aux=aux)


def _br(op: str, dest: str | None, t: Tokens) -> Instr:
    if t.take("label"):
        return Instr(op, None, Void(), labels=(unquote(t.next()),))
    test = t.typed()
    labels = []
    for _ in range(2):
        t.need(",")
        t.need("label")
        labels.append(unquote(t.next()))
    return Instr(op, None, Void(), (test,), tuple(labels))


def _switch(op: str, dest: str | None, t: Tokens) -> Instr:
    values = [t.typed()]
    t.need(",")
    t.need("label")
    labels = [unquote(t.next())]
    t.need("[")
    while not t.take("]"):
        values.append(t.typed())
        t.need(",")
        t.need("label")
        labels.append(unquote(t.next()))
    return Instr(op, None, Void(), tuple(values), tuple(labels))


def _ret(op: str, dest: str | None, t: Tokens) -> Instr:
    if t.take("void"):
        return Instr(op, None, Void())
    return Instr(op, None, Void(), (t.typed(),))


def _bare(op: str, dest: str | None, t: Tokens) -> Instr:
    if op == "fence":
        if t.take("syncscope"):
            t.skip_group()
        t.flags(_ORDERS)
    return Instr(op, dest, Void())


def _cmpxchg(op: str, dest: str | None, t: Tokens) -> Instr:
    flags = t.flags(frozenset(("weak", "volatile")))
    pointer = t.typed()
    t.need(",")
    expected = t.typed()
    t.need(",")
    new = t.typed()
    t.flags(_ORDERS)
    kind = Struct((expected.type, Int(1)))
    return Instr(op, dest, kind, (pointer, expected, new), flags=flags, aux=expected.type)


def _atomicrmw(op: str, dest: str | None, t: Tokens) -> Instr:
    t.take("volatile")
    operation = t.next()
    pointer = t.typed()
    t.need(",")
    value = t.typed()
    t.flags(_ORDERS)
    return Instr(op, dest, value.type, (pointer, value), flags=(operation,), aux=value.type)


def _extractvalue(op: str, dest: str | None, t: Tokens) -> Instr:
    value = t.typed()
    values = [value]
    if op == "insertvalue":
        t.need(",")
        values.append(t.typed())
    indices = []
    while t.take(","):
        if t.kind() != "number":
            break
        indices.append(t.number())
    return Instr(op, dest, value.type, tuple(values), indices=tuple(indices))


def read_call(op: str, dest: str | None, t: Tokens) -> Instr:
    """A call: its flags, its type, what is called, the arguments, and what is promised of the
    result.
    """
    t.flags(CALL_WORDS)
    noundef, bounds, _ = t.attributes()
    kind = t.type()
    if t.peek() == "(":  # a function type, of a callee with "..."
        t.skip_group()
    callee: Operand
    callee = t.asm() if t.take("asm") else t.operand(Pointer())
    t.need("(")
    arguments = []
    while not t.take(")"):
        arguments.append(_argument(t))
        t.take(",")
    flags: tuple[str, ...] = ()
    while t.kind() == "group" or t.peek() in (
        "nounwind",
        "noreturn",
        "memory",
        "convergent",
        "cold",
    ):
        t.next()
        if t.peek() == "(":
            t.skip_group()
    if t.take("["):
        flags = ("bundle",)
        while not t.take("]"):
            t.next()
    labels: list[str] = []
    if op == "callbr":
        t.need("to")
        t.need("label")
        labels.append(unquote(t.next()))
        t.need("[")
        while not t.take("]"):
            t.need("label")
            labels.append(unquote(t.next()))
            t.take(",")
    return Instr(
        op, dest, kind, tuple(arguments), tuple(labels), flags, None, (), callee, bounds, noundef
    )


def _argument(t: Tokens) -> TypedOperand:
    """An argument of a call; metadata arguments (of read_register) are kept as their words."""
    if t.take("metadata"):
        words = [t.next()]
        while t.peek() not in (",", ")"):
            words.append(t.next())
        return TypedOperand(Void(), Symbol(" ".join(words)))
    return t.typed()


READERS: dict[str, Reader] = {
    "icmp": _icmp, "select": _select, "freeze": _freeze, "phi": _phi, "load": _load,
    "store": _store, "getelementptr": _gep, "alloca": _alloca, "br": _br, "switch": _switch,
    "ret": _ret, "unreachable": _bare, "fence": _bare, "cmpxchg": _cmpxchg,
    "atomicrmw": _atomicrmw, "extractvalue": _extractvalue, "insertvalue": _extractvalue,
    "callbr": read_call,
    **dict.fromkeys(_BINARY, _binary), **dict.fromkeys(_CASTS, _cast),
}
