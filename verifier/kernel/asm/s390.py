# SPDX-License-Identifier: GPL-2.0-or-later
"""Inline assembly of s390 on entries, and the one function of its headers that needs an address as
a number.

What the instructions do to an entry is in the z/Architecture Principles of Operation: IPTE and IDTE
set the invalid bit of one entry, RDP clears the protection bit of one, CS and CSP compare and swap.
The address of a page and the pointer to its entry belong together; that is the callers' duty, and
noted. A way on which an instruction could change further entries is given up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from verifier.kernel.asm.operations import Operation, fixed
from verifier.kernel.asm.templates import Asm
from verifier.kernel.llvm.access import load_scalar, store_scalar
from verifier.kernel.llvm.context import Context
from verifier.kernel.llvm.instructions import compare_exchange
from verifier.kernel.llvm.ir import Instr
from verifier.kernel.llvm.objects import Object
from verifier.kernel.llvm.undefined import Undefinedness
from verifier.kernel.llvm.values import Address, LiftedWord, NotModelled, Value
from verifier.kernel.llvm.ways import WayState

__all__ = ["OPERATIONS", "Physical", "physical_address"]

PAGE_INVALID, PAGE_PROTECT, TABLE_INVALID = 0x400, 0x200, 0x20
_PREMISE = "that is what the address given with it is translated by"


@dataclass(frozen=True, slots=True, eq=False)
class Physical(LiftedWord):
    """The physical address of a known place: a free number, and the place."""

    place: Address | None = None


def _lowcore(asm: Asm, offset: int = 0) -> Address:
    """get_lowcore(): one of two addresses, patched at boot, and always the same object."""
    l = asm.lifter
    key = ("", "lowcore")
    if key not in l.globals:
        l.globals[key] = l.object("@lowcore", None)
    return l.pointer(l.globals[key], offset)


def _load_of_lowcore(asm: Asm) -> Value | None:
    """A word of the lowcore at a constant offset, at whichever of the two addresses it is."""
    offset = asm.arg("offset")
    if not isinstance(offset, LiftedWord) or offset.number is None:
        raise NotModelled("a load of the lowcore at no constant offset")
    found = load_scalar(asm.lifter, _lowcore(asm, offset.number), asm.size(), asm.state)
    return asm.results({asm.number("to"): found})


def _compare_and_swap_pair(asm: Asm) -> Value | None:
    """csp: the even register of a pair is compared with four bytes and gets what was there.

    Where they are equal, the odd register is stored.
    """
    l, number = asm.lifter, int(asm.match["pair"])
    pair = asm.tied(number)
    if not isinstance(pair, LiftedWord) or pair.width != 128:
        raise NotModelled("csp of something that is no pair of registers")
    expected, new = (
        LiftedWord(32, l.alg.extract(pair.term, 64, 32), None, pair.poison),
        LiftedWord(32, l.alg.extract(pair.term, 0, 32), None, pair.poison),
    )
    old, _ = compare_exchange(l, _memory(asm), expected, new, asm.state)
    word = l.values.as_word(old)
    term = l.alg.concat(
        l.alg.concat(l.alg.extract(pair.term, 96, 32), word.term, 32, 32),
        l.alg.extract(pair.term, 0, 64),
        64,
        64,
    )
    l.note("csp swaps four bytes; the translation buffer is not part of an entry")
    return asm.results(
        {number: LiftedWord(128, term, None, l.values.either(pair.poison, word.poison))}
    )


def _memory(asm: Asm) -> Address:
    """The memory operand, which the template need not name."""
    at = asm.operands.argument(asm.operands.constraints.index("=*m"))
    return asm.lifter.values.as_address(asm.args[at], asm.lifter.pointer_width)


def _change(asm: Asm, place: Address, op: str, mask: int) -> None:
    """Set or clear bits of the entry at a place."""
    l = asm.lifter
    entry = l.values.as_word(load_scalar(l, place, 8, asm.state))
    store_scalar(l, place, 8, l.ops.binary(op, entry, l.values.word(mask, 64), ()), asm.state)


def _one_entry(asm: Asm, register: Value, mask: int, what: str) -> None:
    """Give up the way where the low bits of a register ask for more than one entry, or for another
    operation.
    """
    l = asm.lifter
    bits = l.ops.binary("and", l.values.as_word(register), l.values.word(mask, 64), ())
    more = l.alg.neg(l.alg.eq(bits.term, l.alg.word(0, 64), 64))
    if l.alg.known(more) is not False:
        l.lost.append(Undefinedness(l.alg.all(l.paths.condition(asm.state.path), more), what))


def _ipte(asm: Asm) -> None:
    """ipte, its entry an operand: sets the invalid bit."""
    asm.lifter.note(f"ipte sets the invalid bit of one entry: {_PREMISE}")
    _change(asm, _memory(asm), "or", PAGE_INVALID)


def _ipte_options(asm: Asm) -> Value | None:
    """ipte with options: the entry is at a physical address.

    The low byte of the options is the number of further entries.
    """
    table = asm.arg("table")
    if not isinstance(table, Physical) or table.place is None:
        raise NotModelled("ipte of an entry that is not known")
    _one_entry(asm, asm.tied(int(asm.match["options"])), 0xFF, "ipte of more than one entry")
    asm.lifter.note(f"ipte sets the invalid bit of one entry: {_PREMISE}")
    _change(asm, table.place, "or", PAGE_INVALID)
    return asm.results({})


def _idte(asm: Asm) -> None:
    """idte: sets the invalid bit.

    The low bits of its address are the number of further entries, and ask for another operation.
    """
    _one_entry(asm, asm.arg("address"), 0xFFF, "idte of more than one entry")
    asm.lifter.note(f"idte sets the invalid bit of one entry: {_PREMISE}")
    _change(asm, _memory(asm), "or", TABLE_INVALID)


def _rdp(asm: Asm) -> None:
    """rdp: clears the protection bit."""
    asm.lifter.note(f"rdp clears the protection bit of one entry: {_PREMISE}")
    _change(asm, _memory(asm), "and", ~PAGE_PROTECT)


def physical_address(l: Context, instr: Instr, args: list[Any], state: WayState) -> Value | None:
    """__pa(): of the address of an object, any number of 64 bits, which is remembered with the
    object.

    Of a number it is what C computes.
    """
    (place,) = args
    if isinstance(place, Address) and any(isinstance(c.base, Object) for c in place.cases):
        names = " or ".join(
            f"{c.base.name}+{c.offset.number}" for c in place.cases if isinstance(c.base, Object)
        )
        l.note("the physical address of an entry may be any number")
        return Physical(
            64, l.inputs.word(f"physical address of {names}", 64), None, place.poison, place
        )
    found = l.program.find("__phys_addr", l.program.modules[0])
    if found is None:
        raise NotModelled("calls __phys_addr, which is not here")
    value, after = l.run(found[0], found[1], args, state)
    state.path, state.memory = after.path, after.memory
    return value


OPERATIONS: Mapping[str, Operation] = {
    "lowcore": fixed(_lowcore),
    "load-of-lowcore": fixed(_load_of_lowcore, "to", "offset"),
    "compare-exchange-pair": fixed(_compare_and_swap_pair, "pair"),
    "ipte": fixed(_ipte),
    "ipte-at-physical-address": fixed(_ipte_options, "table", "options"),
    "idte": fixed(_idte, "address"),
    "rdp": fixed(_rdp),
}
