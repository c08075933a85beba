# SPDX-License-Identifier: GPL-2.0-or-later
"""A small model of a SPARC V9 CPU: object files, patched as the kernel does at boot, and functions
that only compute.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Image", "load", "run"]

MASK = (1 << 64) - 1
HOME = 0xDEAD0000  # where functions are called from
MOST = 400  # instructions of one call


@dataclass(frozen=True)
class Image:
    """The text of an object file for one kind of CPU, and where functions begin in it."""

    text: bytes
    functions: dict[str, int]


def load(data: bytes, patches: tuple[str, ...]) -> Image:
    """An ELF object of 64 bits.

    What the sections of these names hold is put in its place: `.word ADDRESS`, instructions.
    """
    start, = struct.unpack(">Q", data[40:48])
    count, names = struct.unpack(">HH", data[60:64])
    headers = [
        struct.unpack(">IIQQQQIIQQ", data[start + 64 * n : start + 64 * n + 64])
        for n in range(count)
    ]
    contents = [data[h[4]:h[4] + h[5]] for h in headers]
    named = [_string(contents[names], h[0]) for h in headers]
    symbols = [
        (_string(contents[h[6]], s[0]), s[3], s[4])
        for n, h in enumerate(headers)
        if h[1] == 2
        for s in struct.iter_unpack(">IBBHQQ", contents[n])
    ]
    at = named.index(".text")
    text = bytearray(contents[at])
    for patch in patches:
        size = 4 * int(patch[patch.index("insn") - 1])
        for n, h in enumerate(headers):
            if h[1] != 4 or named[h[7]] != patch:
                continue
            for offset, info, addend in struct.iter_unpack(">QQq", contents[n]):
                assert symbols[info >> 32][1] == at
                place = symbols[info >> 32][2] + addend
                text[place:place + size] = contents[h[7]][offset + 4:offset + 4 + size]
    return Image(
        bytes(text), {name: value for name, section, value in symbols if section == at and name}
    )


def _string(table: bytes, at: int) -> str:
    return table[at:table.index(b"\0", at)].decode()


@dataclass
class Cpu:
    """Registers: globals, out, local and in; the program counter and the next one; was the last
    result 0?
    """

    registers: list[int] = field(default_factory=lambda: [0] * 32)
    pc: int = 0
    next: int = 4
    zero: bool = False

    def get(self, number: int) -> int:
        return self.registers[number] if number else 0

    def put(self, number: int, value: int) -> None:
        self.registers[number] = value & MASK


def run(image: Image, name: str, *args: int) -> int:
    """What a function returns, called with these words."""
    cpu = Cpu(pc=image.functions[name], next=image.functions[name] + 4)
    cpu.registers[8:8 + len(args)] = args
    cpu.put(15, HOME)
    for _ in range(MOST):
        if cpu.pc == HOME + 8:
            return cpu.get(8)
        word, = struct.unpack(">I", image.text[cpu.pc:cpu.pc + 4])
        target, annul = _step(cpu, word)
        cpu.pc, cpu.next = (target, target + 4) if annul else (cpu.next, target)
    raise AssertionError(f"{name} does not return")


def _step(cpu: Cpu, word: int) -> tuple[int, bool]:
    """One instruction: where to go after the next one, and is the next one left out?"""
    if word >> 30 == 0:
        return _branch_or_sethi(cpu, word)
    assert word >> 30 == 2, f"{word:#010x} at {cpu.pc:#x}"
    op, rd, a = word >> 19 & 63, word >> 25 & 31, cpu.get(word >> 14 & 31)
    b = _signed(word & 0x1FFF, 13) if word >> 13 & 1 else cpu.get(word & 31)
    after = cpu.next + 4
    if op == 0x38:  # jmpl
        cpu.put(rd, cpu.pc)
        after = a + b
    elif op == 0x3C:  # save: what was out is in
        cpu.registers[8:] = [0] * 16 + cpu.registers[8:16]
        cpu.put(rd, a + b)
    elif op == 0x3D:  # restore; what the caller had in and local is not kept
        cpu.registers[8:16] = cpu.registers[24:32]
        cpu.put(rd, a + b)
    elif op in (0x25, 0x26):
        wide = word >> 12 & 1
        count = b & (63 if wide else 31)
        cpu.put(rd, a << count if op == 0x25 else (a if wide else a & 0xFFFFFFFF) >> count)
    elif op == 0x2F:  # movr
        if _holds(word >> 10 & 7, a):
            cpu.put(rd, _signed(word & 0x3FF, 10) if word >> 13 & 1 else b)
    else:
        cpu.put(rd, _ARITHMETIC[op & 15](a, b))
        assert op & 15 == op or op in (0x11, 0x12, 0x14), f"{word:#010x} at {cpu.pc:#x}"
        cpu.zero = _ARITHMETIC[op & 15](a, b) & MASK == 0 if op & 16 else cpu.zero
    return after, False


_ARITHMETIC: dict[int, Callable[[int, int], int]] = {
    0: lambda a, b: a + b,
    1: lambda a, b: a & b,
    2: lambda a, b: a | b,
    3: lambda a, b: a ^ b,
    4: lambda a, b: a - b,
    5: lambda a, b: a & ~b,
    6: lambda a, b: a | ~b,
    7: lambda a, b: ~(a ^ b),
}


def _branch_or_sethi(cpu: Cpu, word: int) -> tuple[int, bool]:
    kind, annul = word >> 22 & 7, bool(word >> 29 & 1)
    if kind == 4:
        cpu.put(word >> 25 & 31, (word & 0x3FFFFF) << 10)
        return cpu.next + 4, False
    assert kind in (1, 3), f"{word:#010x} at {cpu.pc:#x}"
    if kind == 3:  # a branch on a register
        taken = _holds(word >> 25 & 7, cpu.get(word >> 14 & 31))
        distance = _signed((word >> 20 & 3) << 14 | word & 0x3FFF, 16)
    else:
        taken = {8: True, 1: cpu.zero, 9: not cpu.zero}[word >> 25 & 15]
        distance = _signed(word & 0x7FFFF, 19)
    if taken:
        return cpu.pc + 4 * distance, annul and kind == 1 and word >> 25 & 15 == 8
    return cpu.next + 4, annul


def _holds(condition: int, value: int) -> bool:
    signed = _signed(value, 64)
    return {
        1: signed == 0,
        2: signed <= 0,
        3: signed < 0,
        5: signed != 0,
        6: signed > 0,
        7: signed >= 0,
    }[condition]


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> bits - 1 & 1 else value
