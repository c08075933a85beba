# SPDX-License-Identifier: GPL-2.0-or-later
"""Inline assembly of powerpc: what updates entries by reservation, stores of two halves, and traps.

A loop of ldarx and stdcx. (lwarx and stwcx. with 32 bits) is one step: the store succeeds only
where nobody came between. One that waits while an entry is busy (another CPU fills the hash table)
is left once it is not. What it finds then is that CPU's, so busy entries are outside of the model.
"""

from __future__ import annotations

from collections.abc import Mapping

from verifier.kernel.asm.operations import Operation, Parameters, fixed
from verifier.kernel.asm.templates import Asm, Model
from verifier.kernel.llvm.access import load_scalar, store_scalar
from verifier.kernel.llvm.context import Context
from verifier.kernel.llvm.undefined import Undefinedness
from verifier.kernel.llvm.values import LiftedWord, NotModelled, Value
from verifier.kernel.llvm.ways import WayState

__all__ = ["OPERATIONS"]

WARNING = 1  # BUGFLAG_WARNING
BUSY = "an entry that another CPU holds busy, which is waited for"


def _wait(l: Context, state: WayState, entry: LiftedWord, busy: LiftedWord) -> None:
    """and. and bne-: around again while one of these bits is set."""
    bits = l.ops.binary("and", entry, busy, ())
    again = l.alg.neg(l.alg.eq(bits.term, l.alg.word(0, bits.width), bits.width))
    if l.alg.known(again) is not False:
        l.outside.append(Undefinedness(l.alg.all(l.paths.condition(state.path), again), BUSY))


def _word(asm: Asm, group: str, width: int) -> LiftedWord:
    """The argument of a group, a word of so many bits."""
    value = asm.arg(group)
    if not isinstance(value, LiftedWord) or value.width != width:
        raise NotModelled(f"assembly with an operand that is no word of {width} bits")
    return value


def _update(given: Parameters) -> Model:
    """pte_update: bits are cleared, then others set.

    The results are what was there (`old`) and what is there now (`new`).

    Where the pattern has `busy`, the loop waits while one of these bits is set.
    """
    size: int = given["size"]

    def model(asm: Asm) -> Value | None:
        l, place, width = asm.lifter, asm.address("mem"), 8 * size
        old = l.values.as_word(load_scalar(l, place, size, asm.state))
        if asm.has("busy"):
            _wait(l, asm.state, old, _word(asm, "busy", width))
        clear = l.ops.binary("xor", _word(asm, "clear", width), l.values.word(-1, width), ())
        new = l.ops.binary("or", l.ops.binary("and", old, clear, ()), _word(asm, "set", width), ())
        store_scalar(l, place, size, new, asm.state)
        return asm.results({asm.number("old"): old, asm.number("new"): new})

    return model


def _set_bits(asm: Asm) -> Value | None:
    """Bits are set. The register of what was there becomes what is there."""
    l, place = asm.lifter, asm.address("mem")
    old = l.values.as_word(load_scalar(l, place, 8, asm.state))
    busy = _word(asm, "busy", 64)
    _wait(l, asm.state, old, busy)
    new = l.ops.binary("or", _word(asm, "set", 64), old, ())
    store_scalar(l, place, 8, new, asm.state)
    found = l.ops.binary("and", old, busy, ())
    return asm.results({asm.number("old"): new, asm.number("scratch"): found})


def _trap(asm: Asm) -> None:
    """twi always traps, tdnei where a word is not 0.

    With the flag a warning is printed and execution goes on.

    Without it, execution ends: behaviour is undefined where it traps.
    """
    l, flags = asm.lifter, asm.arg("flags")
    if not isinstance(flags, LiftedWord) or flags.number is None:
        raise NotModelled("a trap of no constant kind")
    if flags.number & WARNING:
        l.note("WARN: a warning is printed and execution goes on")
        return
    when = l.values.yes
    if asm.has("tested"):
        when = l.alg.neg(l.alg.eq(_word(asm, "tested", 64).term, l.alg.word(0, 64), 64))
    l.undefine(asm.state, when, "BUG")


def _store_halves(asm: Asm) -> None:
    """__set_pte_at of 32 bits: an entry of 64 bits, its high half first. These are two stores."""
    l, value = asm.lifter, _word(asm, "value", 64)
    for group, low in (("high", 32), ("low", 0)):
        half = LiftedWord(
            32,
            l.alg.extract(value.term, low, 32),
            None if value.number is None else value.number >> low & 0xFFFFFFFF,
            value.poison,
        )
        store_scalar(l, asm.address(group), 4, half, asm.state)


OPERATIONS: Mapping[str, Operation] = {
    "update": Operation(_update, ("mem", "old", "new", "clear", "set"), needs={"size": int}),
    "set-bits": fixed(_set_bits, "mem", "old", "busy", "set", "scratch"),
    "trap": fixed(_trap, "flags"),
    "store-halves": fixed(_store_halves, "high", "low", "value"),
}
