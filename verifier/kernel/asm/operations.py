# SPDX-License-Identifier: GPL-2.0-or-later
"""What assembly of several architectures does: load, store, exchange, combine, and nothing.

An `assembly` table (archs/*.yaml) names an operation by its key here, after `does:`. Operands are
groups of the statement's pattern: `mem` is the place in memory, `value` what is combined with it,
`old` the register that gets what was there. A result that no group names is poison: it must not be
used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from verifier.kernel.asm.templates import Asm, Model
from verifier.kernel.llvm.access import load_scalar, store_scalar
from verifier.kernel.llvm.instructions import compare_exchange
from verifier.kernel.llvm.ir import Int, Struct
from verifier.kernel.llvm.values import LiftedWord, NotModelled, Value

__all__ = ["OPERATIONS", "Operation", "Parameters", "fixed"]

Parameters: TypeAlias = Mapping[str, Any]


class Operation(NamedTuple):
    """One thing that a statement may do.

    make      what it does, from the parameters that a statement gives
    operands  the groups that its pattern must have
    needs     parameters, name -> str or int: each is given, or is a group of the pattern
    takes     those that may be left away
    """

    make: Callable[[Parameters], Model]
    operands: tuple[str, ...] = ()
    needs: Mapping[str, type] = {}
    takes: Mapping[str, type] = {}


def fixed(model: Model, *operands: str) -> Operation:
    """An operation without parameters."""
    return Operation(lambda _: model, operands)


def _nothing(given: Parameters) -> Model:
    """It does nothing to an entry, has no result, and is noted."""

    def model(asm: Asm) -> None:
        if asm.outputs():
            raise NotModelled(f"{given['note']} with a result")
        asm.lifter.note(given["note"])

    return model


def _register(given: Parameters) -> Model:
    """The result's first part is a free word of this name; the others are 0."""

    def model(asm: Asm) -> Value | None:
        l, name = asm.lifter, given["name"]
        l.note(given["note"])
        kind = asm.instr.type
        kinds = kind.fields if isinstance(kind, Struct) else (kind,)
        parts: dict[int, Value] = {}
        for number, (out, kind) in enumerate(zip(asm.outputs(), kinds, strict=True)):
            if not isinstance(kind, Int):
                raise NotModelled(f"{name} is no word")
            free = LiftedWord(kind.width, l.inputs.word(name, kind.width))
            parts[out] = free if number == 0 else l.values.word(0, kind.width)
        return asm.results(parts)

    return model


def _object(given: Parameters) -> Model:
    """The result is the address of an object of this name, always the same, of which nothing is
    known.
    """

    def model(asm: Asm) -> Value | None:
        l, key = asm.lifter, ("", f"object {given['name']}")
        l.note(given["note"])
        if key not in l.globals:
            l.globals[key] = l.object(f"@{given['name']}", None)
        (out,) = asm.outputs()
        return asm.results({out: l.pointer(l.globals[key])})

    return model


def _load(given: Parameters) -> Model:
    """The result is what stands in memory."""

    def model(asm: Asm) -> Value | None:
        size = asm.size(given.get("size"))
        return asm.results(
            {asm.number("to"): load_scalar(asm.lifter, asm.address("mem"), size, asm.state)}
        )

    return model


def _store(given: Parameters) -> Model:
    """A register's word comes into memory."""

    def model(asm: Asm) -> None:
        value = asm.lifter.values.as_word(asm.arg("value"))
        store_scalar(asm.lifter, asm.address("mem"), asm.size(given.get("size")), value, asm.state)

    return model


def _fetch(given: Parameters) -> Model:
    """A word is combined into memory, and what was there is the result.

    With the op `swap` it takes its place.

    The word is `value`, or what is tied to `old`. It may be wider than the instruction's memory, as
    constants are; then its low bits count, if there is no result.
    """

    def model(asm: Asm) -> Value | None:
        l, op = asm.lifter, given.get("op") or asm.match["op"]
        value = asm.given("value")
        if not isinstance(value, LiftedWord):
            raise NotModelled("memory is combined with something that is no word")
        size = asm.size(given.get("size", value.width // 8))
        if value.width > 8 * size and not asm.outputs():
            value = l.values.as_word(l.ops.narrow(value, 8 * size, ()))
        if value.width != 8 * size:
            raise NotModelled("memory is combined with a word of another size")
        old = load_scalar(l, asm.address("mem"), size, asm.state)
        new = value if op == "swap" else l.ops.binary(op, l.values.as_word(old), value, ())
        store_scalar(l, asm.address("mem"), size, new, asm.state)
        return asm.results({asm.number("old"): old} if asm.has("old") else {})

    return model


def _compare_exchange(asm: Asm) -> Value | None:
    """Where memory has `expected` (or what is tied to `old`), `new` comes there; `old` gets what
    was there.

    Where the pattern has a second place, `target`, that must be the same place.
    """
    expected, new, place = asm.given("expected"), asm.arg("new"), asm.address("mem")
    if asm.has("size") and not all(
        isinstance(v, LiftedWord) and v.width == 8 * asm.size() for v in (expected, new)
    ):
        raise NotModelled("a compare-and-exchange of something that is no word of its size")
    if asm.has("target"):
        same, target = (
            [(c.base, c.offset.number) for c in a.cases] for a in (place, asm.address("target"))
        )
        if same != target:
            raise NotModelled("a compare-and-exchange of two places")
    old, _ = compare_exchange(asm.lifter, place, expected, new, asm.state)
    return asm.results({asm.number("old"): old})


OPERATIONS: Mapping[str, Operation] = {
    "nothing": Operation(_nothing, needs={"note": str}),
    "register": Operation(_register, needs={"name": str, "note": str}),
    "object": Operation(_object, needs={"name": str, "note": str}),
    "load": Operation(_load, ("mem", "to"), needs={"size": int}),
    "store": Operation(_store, ("mem", "value"), needs={"size": int}),
    "fetch": Operation(_fetch, ("mem",), needs={"op": str}, takes={"size": int}),
    "compare-exchange": fixed(_compare_exchange, "mem", "new", "old"),
}
