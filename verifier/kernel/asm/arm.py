# SPDX-License-Identifier: GPL-2.0-or-later
"""Machine code of arm with 32 bits, for one function: a CPU's set_pte_ext, which the kernel has in
assembly.

The code is what the kernel's assembly file assembles to. It runs over registers that are words of
the algebra. Instructions have the conditions eq and ne alone, and branches lead forward; anything
else makes what calls it incomplete. Each entry may have a copy for the hardware, 2048 bytes on
(arch/arm/include/asm/pgtable-2level.h). Behind a pointer to one entry there is no copy, and what is
stored there is left out; `hardware_pte` reads it from an array that has both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from verifier.kernel.llvm.access import load_scalar, shifted, store_scalar
from verifier.kernel.llvm.assembled import MachineCode
from verifier.kernel.llvm.context import Context
from verifier.kernel.llvm.objects import Object
from verifier.kernel.llvm.values import Address, LiftedWord, NotModelled, Truth, Value
from verifier.kernel.llvm.ways import WayState

__all__ = ["COPY", "run_code"]

COPY = 2048  # PTE_HWTABLE_OFF, arch/arm/include/asm/pgtable-2level.h
MOST = 100  # instructions of one call

_REGISTERS = {**{f"r{n}": n for n in range(16)}, "sp": 13, "lr": 14, "pc": 15}
_REG = r"(?:r\d+|sp|lr)"
_CONDITION = r"(?P<cond>eq|ne)?"
_VALUE = rf"(?:#(?P<number>-?(?:0x[0-9a-f]+|\d+))|(?P<source>{_REG}))"
_RETURNS = ("bx lr", "mov pc, lr")
_OPS = {"and": "and", "orr": "or", "eor": "xor", "add": "add", "sub": "sub"}

_ALU = re.compile(
    rf"(?P<op>and|orr|eor|bic|add|sub){_CONDITION} (?P<dest>{_REG}), (?P<left>{_REG}), {_VALUE}"
)
_MOVE = re.compile(rf"mov{_CONDITION} (?P<dest>{_REG}), {_VALUE}")
_TEST = re.compile(rf"tst{_CONDITION} (?P<left>{_REG}), {_VALUE}")
_BRANCH = re.compile(rf"b{_CONDITION} 0x(?P<to>[0-9a-f]+) <[^>]*>")
_STORE = re.compile(
    rf"str{_CONDITION} (?P<value>{_REG}), \[(?P<base>{_REG})(?:,"
    r" #(?P<before>0x[0-9a-f]+|\d+)\]!?|\](?:, #(?P<after>0x[0-9a-f]+|\d+))?)"
)
_PAIR = re.compile(rf"strd (?P<low>{_REG}), (?P<high>{_REG}), \[(?P<base>{_REG})\]")
_NOTHING = re.compile(rf"nop|mcr{_CONDITION} p15, #0x0, r0, c7, c10, #0x(?:1|4)")


@dataclass(slots=True)
class _Machine:
    """Registers, the zero flag, and the condition under which execution is here.

    `pending`: target of a branch ahead -> the condition under which execution has gone there.
    """

    lifter: Context
    state: WayState
    registers: dict[int, Value]
    zero: Truth | None = None
    here: Any = None  # None: always
    pending: dict[int, Any] = field(default_factory=dict)

    def register(self, name: str) -> Value:
        """A register's value. NotModelled where nothing known is in it."""
        number = _REGISTERS[name]
        if number not in self.registers:
            raise NotModelled(f"{name} is not known in a function of assembly")
        return self.registers[number]

    def operand(self, match: re.Match[str]) -> Value:
        """The last operand of an instruction: a constant or a register."""
        if match["number"] is None:
            return self.register(match["source"])
        return self.lifter.values.word(int(match["number"], 0), 32)

    def when(self, condition: str | None) -> Any:
        """Under which condition an instruction runs here; None: always."""
        if condition is None:
            return self.here
        if self.zero is None:
            raise NotModelled("a condition before any test")
        alg, poison = self.lifter.alg, self.zero.poison
        if poison is not None:
            self.lifter.undefine(
                self.state,
                poison if self.here is None else alg.all(self.here, poison),
                "a condition depends on poison",
            )
        term = self.zero.term if condition == "eq" else alg.neg(self.zero.term)
        return term if self.here is None else alg.all(self.here, term)

    def set(self, name: str, value: Value, condition: Any) -> None:
        """Give a register a value where the condition holds.

        Elsewhere it keeps its own; one that had none is poison there.
        """
        number, values = _REGISTERS[name], self.lifter.values
        if condition is not None and number in self.registers:
            value = values.choose(condition, value, self.registers[number])
        elif condition is not None:
            value = values.with_poison(value, self.lifter.alg.neg(condition))
        self.registers[number] = value

    def word(self, value: Value) -> LiftedWord:
        """The value as a word. NotModelled where it is an address."""
        if not isinstance(value, LiftedWord):
            raise NotModelled("assembly computes with an address")
        return value


def run_code(l: Context, code: MachineCode, args: list[Value], state: WayState) -> None:
    """Run a function that returns nothing.

    Arguments come in r0 to r3: words of 32 bits, and words of 64 bits in pairs of registers, the
    first of which is even. Raises NotModelled for anything that is not known.
    """
    machine = _Machine(l, state, _passed(l, args))
    at: int | None = code.start
    for _ in range(MOST):
        if at is None:
            raise NotModelled("a function of assembly has no end")
        if at in machine.pending:
            ahead = machine.pending.pop(at)
            machine.here = (
                l.alg.any(machine.here, ahead)
                if machine.pending and machine.here is not None
                else None
            )
        text = code.lines[at]
        if text in _RETURNS:
            if machine.here is not None:
                raise NotModelled("a function of assembly returns in its middle")
            return
        _step(machine, at, text)
        at = code.after(at)
    raise NotModelled("a function of assembly is too long")


def _passed(l: Context, args: list[Value]) -> dict[int, Value]:
    """Registers as the procedure call standard fills them."""
    if l.layout.big_endian:
        raise NotModelled("assembly of big-endian arm")
    found: dict[int, Value] = {}
    number = 0
    for arg in args:
        if isinstance(arg, LiftedWord) and arg.width == 64:
            number += number % 2
            for part in (0, 1):
                found[number + part] = LiftedWord(
                    32,
                    l.alg.extract(arg.term, 32 * part, 32),
                    None if arg.number is None else arg.number >> 32 * part & 0xFFFFFFFF,
                    arg.poison,
                )
            number += 2
        elif isinstance(arg, Address) or (isinstance(arg, LiftedWord) and arg.width == 32):
            found[number] = arg
            number += 1
        else:
            raise NotModelled("assembly is given something that is no word of 32 or 64 bits")
    if number > 4:
        raise NotModelled("assembly is given more than four registers")
    return found


def _step(m: _Machine, at: int, text: str) -> None:
    l = m.lifter
    if match := _ALU.fullmatch(text):
        left, right = m.register(match["left"]), m.operand(match)
        if isinstance(left, Address):
            if match["op"] != "add" or not isinstance(right, LiftedWord) or right.number is None:
                raise NotModelled("assembly computes with an address")
            result: Value = shifted(l, left, right.number)
        elif match["op"] == "bic":
            result = l.ops.binary(
                "and",
                m.word(left),
                l.ops.binary("xor", m.word(right), l.values.word(-1, 32), ()),
                (),
            )
        else:
            result = l.ops.binary(_OPS[match["op"]], m.word(left), m.word(right), ())
        m.set(match["dest"], result, m.when(match["cond"]))
    elif match := _MOVE.fullmatch(text):
        m.set(match["dest"], m.operand(match), m.when(match["cond"]))
    elif match := _TEST.fullmatch(text):
        both = l.ops.binary("and", m.word(m.register(match["left"])), m.word(m.operand(match)), ())
        found, condition = l.ops.compare("eq", both, l.values.word(0, 32)), m.when(match["cond"])
        if condition is not None and m.zero is not None:
            found = Truth(
                l.alg.choose(condition, found.term, m.zero.term),
                l.values.either(found.poison, m.zero.poison),
            )
        elif condition is not None:
            raise NotModelled("a first test that may not run")
        m.zero = found
    elif match := _BRANCH.fullmatch(text):
        _branch(m, at, int(match["to"], 16), match["cond"])
    elif match := _STORE.fullmatch(text):
        base = l.values.as_address(m.register(match["base"]), 32)
        place = shifted(l, base, int(match["before"] or "0", 0))
        _store(m, place, 4, m.register(match["value"]), m.when(match["cond"]))
        if text.endswith("!"):
            m.set(match["base"], place, m.when(match["cond"]))
        elif match["after"]:
            m.set(match["base"], shifted(l, base, int(match["after"], 0)), m.when(match["cond"]))
    elif match := _PAIR.fullmatch(text):
        low, high = (m.word(m.register(match[name])) for name in ("low", "high"))
        both = LiftedWord(
            64,
            l.alg.concat(high.term, low.term, 32, 32),
            None,
            l.values.either(high.poison, low.poison),
        )
        _store(m, l.values.as_address(m.register(match["base"]), 32), 8, both, m.here)
    elif not _NOTHING.fullmatch(text):
        raise NotModelled(f"machine code: {text!r}")


def _branch(m: _Machine, at: int, to: int, condition: str | None) -> None:
    """Those who branch are away until their target comes."""
    if to <= at:
        raise NotModelled("assembly that branches back")
    alg, gone = m.lifter.alg, m.when(condition)
    if condition is None or gone is None:
        raise NotModelled("assembly that always branches")
    m.pending[to] = alg.any(m.pending[to], gone) if to in m.pending else gone
    stay = alg.neg(gone)
    m.here = stay if m.here is None else alg.all(m.here, stay)


def _store(m: _Machine, place: Address, size: int, value: Value, condition: Any) -> None:
    l = m.lifter
    outside = [
        c
        for c in place.cases
        if isinstance(c.base, Object)
        and c.base.size is not None
        and c.offset.number is not None
        and c.offset.number >= COPY
        and c.offset.number + size > c.base.size
    ]
    if len(outside) == len(place.cases) > 0:
        l.note(f"the hardware's copy of an entry, {COPY} bytes on, is hardware_pte's")
        return
    if condition is not None:
        value = l.values.choose(condition, value, load_scalar(l, place, size, m.state))
    store_scalar(l, place, size, value, m.state)
