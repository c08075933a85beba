# SPDX-License-Identifier: GPL-2.0-or-later
"""What a word and a boolean are: the operations that every interpretation of the language has.

The evaluator (verifier.language.evaluate) and the lifter of the kernel's C
(verifier.kernel.llvm.lift) build values only through an Algebra. There are four: plain integers
(Integers, here), literals of an and-inverter graph (verifier.engine.bits), z3 terms
(verifier.engine.terms), and SMT-LIB terms of no solver (verifier.engine.smtlib).
"""

from __future__ import annotations

from typing import Protocol, TypeVar

__all__ = ["Algebra", "B", "Integers", "W"]

W = TypeVar("W")  # a word
B = TypeVar("B")  # a boolean


class Algebra(Protocol[W, B]):
    """Unsigned words of a fixed width, and booleans.

    `width` is in bits; it is that of the result, and of the operands where nothing else is said.
    Shifts by the width or more give 0 (ashr: all copies of the sign); there is no undefined value.
    """

    def word(self, value: int, width: int) -> W:
        """The constant `value`, modulo 2**width."""
    def truth(self, value: bool) -> B:
        """The constant true or false."""
    def known(self, value: B) -> bool | None:
        """The value of a boolean that is a constant, else None."""

    def band(self, a: W, b: W, width: int) -> W:
        """Bitwise and."""
    def bor(self, a: W, b: W, width: int) -> W:
        """Bitwise or."""
    def bxor(self, a: W, b: W, width: int) -> W:
        """Bitwise exclusive or."""
    def bnot(self, a: W, width: int) -> W:
        """Bitwise complement."""
    def add(self, a: W, b: W, width: int) -> W:
        """a + b, modulo 2**width."""
    def sub(self, a: W, b: W, width: int) -> W:
        """a - b, modulo 2**width."""
    def mul(self, a: W, b: W, width: int) -> W:
        """a * b, modulo 2**width."""
    def shl(self, a: W, b: W, width: int) -> W:
        """a shifted left by b bits; 0 where b >= width."""
    def lshr(self, a: W, b: W, width: int) -> W:
        """a shifted right by b bits, zeros from the left; 0 where b >= width."""
    def ashr(self, a: W, b: W, width: int) -> W:
        """a shifted right by b bits, copies of the highest bit from the left."""
    def eq(self, a: W, b: W, width: int) -> B:
        """a equals b."""
    def ult(self, a: W, b: W, width: int) -> B:
        """a < b, both unsigned."""
    def slt(self, a: W, b: W, width: int) -> B:
        """a < b, both in two's complement."""
    def extract(self, a: W, low: int, width: int) -> W:
        """`width` bits of a, from bit `low` up."""

    def zext(self, a: W, narrow: int, width: int) -> W:
        """The `narrow` bits of a with zeros above, `width` bits in all."""
    def sext(self, a: W, narrow: int, width: int) -> W:
        """The `narrow` bits of a with copies of the highest above, `width` bits in all."""
    def concat(self, high: W, low: W, high_width: int, low_width: int) -> W:
        """`high` above `low`, high_width + low_width bits in all."""
    def ite(self, c: B, a: W, b: W, width: int) -> W:
        """The word a where c holds, else b."""
    def all(self, *values: B) -> B:
        """Conjunction; true of no values."""
    def any(self, *values: B) -> B:
        """Disjunction; false of no values."""
    def neg(self, a: B) -> B:
        """Not a."""
    def same(self, a: B, b: B) -> B:
        """a if and only if b."""

    def choose(self, c: B, a: B, b: B) -> B:
        """The boolean a where c holds, else b."""


class Integers:
    """The plain interpretation: a word is an int in range(2**width), a boolean is a bool.

    >>> alg = Integers()
    >>> hex(alg.bnot(0x0F, 8)), alg.shl(1, 8, 8), alg.ashr(0x80, 3, 8)
    ('0xf0', 0, 240)
    """

    def word(self, value: int, width: int) -> int:
        return value & ((1 << width) - 1)

    def truth(self, value: bool) -> bool:
        return value

    def known(self, value: bool) -> bool | None:
        return value

    def band(self, a: int, b: int, width: int) -> int:
        return a & b

    def bor(self, a: int, b: int, width: int) -> int:
        return a | b

    def bxor(self, a: int, b: int, width: int) -> int:
        return a ^ b

    def bnot(self, a: int, width: int) -> int:
        return ~a & ((1 << width) - 1)

    def add(self, a: int, b: int, width: int) -> int:
        return (a + b) & ((1 << width) - 1)

    def sub(self, a: int, b: int, width: int) -> int:
        return (a - b) & ((1 << width) - 1)

    def mul(self, a: int, b: int, width: int) -> int:
        return (a * b) & ((1 << width) - 1)

    def shl(self, a: int, b: int, width: int) -> int:
        return (a << b) & ((1 << width) - 1) if b < width else 0

    def lshr(self, a: int, b: int, width: int) -> int:
        return a >> b if b < width else 0

    def ashr(self, a: int, b: int, width: int) -> int:
        return self.word(_signed(a, width) >> min(b, width), width)

    def eq(self, a: int, b: int, width: int) -> bool:
        return a == b

    def ult(self, a: int, b: int, width: int) -> bool:
        return a < b

    def slt(self, a: int, b: int, width: int) -> bool:
        return _signed(a, width) < _signed(b, width)

    def extract(self, a: int, low: int, width: int) -> int:
        return (a >> low) & ((1 << width) - 1)

    def zext(self, a: int, narrow: int, width: int) -> int:
        return a

    def sext(self, a: int, narrow: int, width: int) -> int:
        return self.word(_signed(a, narrow), width)

    def concat(self, high: int, low: int, high_width: int, low_width: int) -> int:
        return (high << low_width) | low

    def ite(self, c: bool, a: int, b: int, width: int) -> int:
        return a if c else b

    def all(self, *values: bool) -> bool:
        return all(values)

    def any(self, *values: bool) -> bool:
        return any(values)

    def neg(self, a: bool) -> bool:
        return not a

    def same(self, a: bool, b: bool) -> bool:
        return a == b

    def choose(self, c: bool, a: bool, b: bool) -> bool:
        return a if c else b


def _signed(a: int, width: int) -> int:
    return a - (1 << width) if a >> (width - 1) & 1 else a
