# SPDX-License-Identifier: GPL-2.0-or-later
"""Arithmetic, comparison and conversion of words, with LLVM's conditions for poison.

Every promise (nuw, nsw, exact, disjoint, nneg, a shift within the width) becomes a condition of the
result's poison. A division has conditions under which behaviour is undefined.
"""

from __future__ import annotations

from typing import Any

from verifier.kernel.llvm.values import LiftedWord, NotModelled, Truth, Values

__all__ = ["Ops"]

_PYTHON = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b,
    "and": lambda a, b: a & b, "or": lambda a, b: a | b, "xor": lambda a, b: a ^ b,
}
_ALGEBRA = {"add": "add", "sub": "sub", "mul": "mul", "and": "band", "or": "bor", "xor": "bxor"}


class Ops:
    """The operations on words and truths over one algebra."""

    def __init__(self, values: Values) -> None:
        self.values = values
        self.alg = values.alg

    def const(self, number: int, width: int) -> Any:
        """A constant of so many bits, as the algebra's word."""
        return self.alg.word(number & ((1 << width) - 1), width)

    def sign(self, term: Any, width: int) -> Any:
        """Is the highest bit set?"""
        return self.alg.slt(term, self.const(0, width), width)

    def binary(self, op: str, a: LiftedWord, b: LiftedWord, flags: tuple[str, ...]) -> LiftedWord:
        """The result, poison where an operand is or where a flag's promise is broken."""
        width = a.width
        if op in ("shl", "lshr", "ashr"):
            return self._shift(op, a, b, flags)
        if op not in _ALGEBRA:
            raise NotModelled(f"operation {op}")
        number = None
        if a.number is not None and b.number is not None:
            number = _PYTHON[op](a.number, b.number) & ((1 << width) - 1)
        term = self.const(number, width) if number is not None else self._apply(op, a, b)
        broken = [self._promise(op, flag, a, b, term) for flag in flags]
        poison = self.values.either(a.poison, b.poison, *broken)
        return LiftedWord(width, term, number, poison)

    def _apply(self, op: str, a: LiftedWord, b: LiftedWord) -> Any:
        """The term; an operand that does not change the other is left away."""
        for one, other in ((a, b), (b, a)):
            if one.number == 0 and (op in ("or", "xor", "add") or (op == "sub" and one is b)):
                return other.term
            if one.number == 0 and op in ("and", "mul"):
                return self.const(0, a.width)
            if op == "and" and one.number == (1 << a.width) - 1:
                return other.term
        if op == "xor" and a.number == (1 << a.width) - 1:
            return self.alg.bnot(b.term, a.width)
        if op == "xor" and b.number == (1 << a.width) - 1:
            return self.alg.bnot(a.term, a.width)
        return getattr(self.alg, _ALGEBRA[op])(a.term, b.term, a.width)

    def _promise(self, op: str, flag: str, a: LiftedWord, b: LiftedWord, result: Any) -> Any:
        """The condition under which a flag's promise is broken."""
        alg, width = self.alg, a.width
        if flag == "disjoint" and op == "or":
            return alg.neg(alg.eq(alg.band(a.term, b.term, width), self.const(0, width), width))
        if op == "mul" and flag in ("nuw", "nsw"):
            return self._mul_overflows(flag, a, b)
        if op == "add" and flag == "nuw":
            return alg.ult(result, a.term, width)
        if op == "sub" and flag == "nuw":
            return alg.ult(a.term, b.term, width)
        if op in ("add", "sub") and flag == "nsw":
            left = alg.bxor(a.term, result, width)
            right = (
                alg.bxor(b.term, result, width) if op == "add" else alg.bxor(a.term, b.term, width)
            )
            return self.sign(alg.band(left, right, width), width)
        raise NotModelled(f"flag {flag} of {op}")

    def _mul_overflows(self, flag: str, a: LiftedWord, b: LiftedWord) -> Any:
        alg, width = self.alg, a.width
        widen = alg.zext if flag == "nuw" else alg.sext
        product = alg.mul(
            widen(a.term, width, 2 * width), widen(b.term, width, 2 * width), 2 * width
        )
        back = widen(alg.extract(product, 0, width), width, 2 * width)
        return alg.neg(alg.eq(product, back, 2 * width))

    def _shift(self, op: str, a: LiftedWord, b: LiftedWord, flags: tuple[str, ...]) -> LiftedWord:
        alg, width = self.alg, a.width
        number = None
        if a.number is not None and b.number is not None and b.number < width:
            signed = (
                a.number - (1 << width) if op == "ashr" and a.number >> (width - 1) else a.number
            )
            number = (a.number << b.number if op == "shl" else signed >> b.number) & (
                (1 << width) - 1
            )
        if number is not None:
            term = self.const(number, width)
        else:
            term = a.term if b.number == 0 else getattr(alg, op)(a.term, b.term, width)
        wide = None
        if b.number is None:
            wide = alg.neg(alg.ult(b.term, self.const(width, width), width))
        elif b.number >= width:
            wide = self.values.yes
        broken = [wide]
        for flag in flags:
            back = {"nuw": "lshr", "nsw": "ashr", "exact": "shl"}.get(flag)
            if back is None or (flag == "exact") == (op == "shl"):
                raise NotModelled(f"flag {flag} of {op}")
            broken.append(alg.neg(alg.eq(getattr(alg, back)(term, b.term, width), a.term, width)))
        return LiftedWord(width, term, number, self.values.either(a.poison, b.poison, *broken))

    def divide(self, op: str, a: LiftedWord, b: LiftedWord, exact: bool) -> tuple[LiftedWord, Any]:
        """udiv, urem, sdiv or srem, and the condition under which it is undefined."""
        alg, width = self.alg, a.width
        undefined = self.values.either(b.poison, alg.eq(b.term, self.const(0, width), width))
        left, right = a.term, b.term
        negative = self.values.no
        if op[0] == "s":
            least = self.const(1 << (width - 1), width)
            overflow = alg.all(
                alg.eq(left, least, width), alg.eq(right, self.const(-1, width), width)
            )
            undefined = self.values.either(undefined, overflow)
            flip_left, flip_right = self.sign(left, width), self.sign(right, width)
            negative = alg.neg(alg.same(flip_left, flip_right)) if op == "sdiv" else flip_left
            left, right = self._magnitude(left, flip_left, width), self._magnitude(
                right, flip_right, width
            )
        quotient, rest = self._long_division(left, right, width, b.number)
        result = quotient if op in ("udiv", "sdiv") else rest
        result = alg.ite(negative, alg.sub(self.const(0, width), result, width), result, width)
        inexact = None
        if exact:
            inexact = alg.neg(alg.eq(rest, self.const(0, width), width))
        return LiftedWord(width, result, None, self.values.either(a.poison, inexact)), undefined

    def _magnitude(self, term: Any, flip: Any, width: int) -> Any:
        return self.alg.ite(flip, self.alg.sub(self.const(0, width), term, width), term, width)

    def _long_division(
        self, left: Any, right: Any, width: int, number: int | None
    ) -> tuple[Any, Any]:
        """Quotient and rest of unsigned words; what a division by 0 gives is not used."""
        alg = self.alg
        if number is not None and number > 0 and number & (number - 1) == 0:
            shift = number.bit_length() - 1
            return (alg.lshr(left, self.const(shift, width), width),
                    alg.band(left, self.const(number - 1, width), width))
        quotient, rest = self.const(0, width + 1), self.const(0, width + 1)
        divisor = alg.zext(right, width, width + 1)
        one = self.const(1, width + 1)
        for bit in range(width - 1, -1, -1):
            low = alg.zext(alg.extract(left, bit, 1), 1, width + 1)
            rest = alg.bor(alg.shl(rest, one, width + 1), low, width + 1)
            fits = alg.neg(alg.ult(rest, divisor, width + 1))
            rest = alg.ite(fits, alg.sub(rest, divisor, width + 1), rest, width + 1)
            quotient = alg.ite(
                fits,
                alg.bor(quotient, self.const(1 << bit, width + 1), width + 1),
                quotient,
                width + 1,
            )
        return alg.extract(quotient, 0, width), alg.extract(rest, 0, width)

    def compare(self, predicate: str, a: LiftedWord, b: LiftedWord) -> Truth:
        """icmp on words."""
        alg, width = self.alg, a.width
        poison = self.values.either(a.poison, b.poison)
        if predicate in ("eq", "ne"):
            term = alg.eq(a.term, b.term, width)
            if a.number is not None and b.number is not None:
                term = alg.truth(a.number == b.number)
            return Truth(alg.neg(term) if predicate == "ne" else term, poison)
        x, y = (a, b) if predicate[1:] in ("lt", "ge") else (b, a)
        if a.number is not None and b.number is not None:
            half = 1 << (width - 1) if predicate[0] == "s" else 0
            assert x.number is not None and y.number is not None
            less = alg.truth(x.number ^ half < y.number ^ half)
        else:
            less = (alg.slt if predicate[0] == "s" else alg.ult)(x.term, y.term, width)
        return Truth(alg.neg(less) if predicate[1:] in ("ge", "le") else less, poison)

    def same_sign(self, a: LiftedWord, b: LiftedWord) -> Any:
        """The truth that both words are negative or neither is, as signed numbers."""
        return self.alg.same(self.sign(a.term, a.width), self.sign(b.term, b.width))

    def bits(self, op: str, a: Truth, b: Truth, flags: tuple[str, ...]) -> Truth:
        """and, or, xor (add and sub are xor) on truths."""
        alg = self.alg
        poison = self.values.either(a.poison, b.poison)
        if op == "and":
            return Truth(alg.all(a.term, b.term), poison)
        if op == "or":
            overlap = alg.all(a.term, b.term) if "disjoint" in flags else None
            return Truth(alg.any(a.term, b.term), self.values.either(poison, overlap))
        if op in ("xor", "add", "sub") and not flags:
            return Truth(self.exclusive(a.term, b.term), poison)
        raise NotModelled(f"operation {op} on i1")

    def exclusive(self, a: Any, b: Any) -> Any:
        """a or b, but not both."""
        alg = self.alg
        for one, other in ((a, b), (b, a)):
            known = alg.known(one)
            if known is not None:
                return alg.neg(other) if known else other
        return alg.neg(alg.same(a, b))

    def widen(
        self, value: LiftedWord | Truth, width: int, signed: bool, nneg: bool = False
    ) -> LiftedWord:
        """zext or sext."""
        alg = self.alg
        if isinstance(value, Truth):
            known = alg.known(value.term)
            one = (1 << width) - 1 if signed else 1
            number = None if known is None else one if known else 0
            term = alg.ite(value.term, self.const(one, width), self.const(0, width), width)
            return LiftedWord(
                width, term, number, self.values.either(value.poison, value.term if nneg else None)
            )
        number = value.number
        if number is not None and signed and number >> (value.width - 1):
            number |= (1 << width) - (1 << value.width)
        term = (alg.sext if signed else alg.zext)(value.term, value.width, width)
        broken = self.sign(value.term, value.width) if nneg else None
        return LiftedWord(width, term, number, self.values.either(value.poison, broken))

    def narrow(self, value: LiftedWord, width: int, flags: tuple[str, ...]) -> LiftedWord | Truth:
        """trunc; to a truth for one bit."""
        alg = self.alg
        term = alg.extract(value.term, 0, width)
        broken = []
        for flag in flags:
            if flag not in ("nuw", "nsw"):
                raise NotModelled(f"flag {flag} of trunc")
            back = (alg.zext if flag == "nuw" else alg.sext)(term, width, value.width)
            broken.append(alg.neg(alg.eq(back, value.term, value.width)))
        poison = self.values.either(value.poison, *broken)
        number = None if value.number is None else value.number & ((1 << width) - 1)
        if width == 1:
            truth = (
                alg.truth(bool(number)) if number is not None else alg.eq(term, self.const(1, 1), 1)
            )
            return Truth(truth, poison)
        return LiftedWord(width, term, number, poison)

    def outside(self, value: LiftedWord, bounds: tuple[int, int]) -> Any:
        """The condition that a word is not within a range(a, b), which may wrap."""
        alg, width = self.alg, value.width
        low, high = (self.const(b, width) for b in bounds)
        mask = (1 << width) - 1
        above, below = alg.neg(alg.ult(value.term, low, width)), alg.ult(value.term, high, width)
        if bounds[1] & mask == 0:
            return alg.neg(above)
        inside = (
            alg.all(above, below) if bounds[0] & mask < bounds[1] & mask else alg.any(above, below)
        )
        return alg.neg(inside)
