# SPDX-License-Identifier: GPL-2.0-or-later
"""The term interpretation: words and booleans are z3 terms, as the spec has them.

Importing this module imports z3, so it is imported only where a term is wanted. Terms are made with
z3's C functions: the operators of its Python classes take five times as long.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import z3
from z3 import z3core

from verifier.language.algebra import Integers

__all__ = ["Terms"]

_INTEGERS = Integers()


class Terms:
    """The Algebra over z3's bitvectors and booleans.

    Only constants, neutral operands and parts of a shifted word are folded.

    >>> terms = Terms()
    >>> x = terms.input_word("x", 8)
    >>> terms.band(x, terms.word(0, 8), 8), terms.add(x, x, 8), terms.known(terms.eq(x, x, 8))
    (0, x + x, True)
    """

    def __init__(self) -> None:
        self.context = z3.main_ctx()
        self.inputs: dict[str, Any] = {}
        self.bools: set[str] = set()
        self._ref = self.context.ref()
        self._true = z3.BoolVal(True, self.context)
        self._false = z3.BoolVal(False, self.context)
        self._constants: dict[tuple[int, int], Any] = {}

    def input_word(self, name: str, width: int) -> Any:
        """A free word; the same name gives the same word."""
        if name not in self.inputs:
            self.inputs[name] = z3.BitVec(name, width, self.context)
        return self.inputs[name]

    def input_bool(self, name: str) -> Any:
        """A free boolean; the same name gives the same boolean."""
        if name not in self.inputs:
            self.bools.add(name)
            self.inputs[name] = z3.Bool(name, self.context)
        return self.inputs[name]

    # Each constant is one object that carries its value, so that folding asks nothing of z3.

    def word(self, value: int, width: int) -> Any:
        found = self._constants.get((value, width))
        if found is None:
            found = self._constants[value, width] = z3.BitVecVal(value, width, self.context)
            found.number = value & ((1 << width) - 1)
        return found

    def truth(self, value: bool) -> Any:
        return self._true if value else self._false

    def known(self, value: Any) -> bool | None:
        return True if value is self._true else False if value is self._false else None

    def _word(self, ast: Any) -> Any:
        return z3.BitVecRef(ast, self.context)

    def _truth(self, ast: Any) -> Any:
        return z3.BoolRef(ast, self.context)

    def _two(self, name: str, make: Callable[..., Any], a: Any, b: Any, width: int) -> Any:
        """A word of two; a constant if both are."""
        x, y = _number(a), _number(b)
        if x is not None and y is not None:
            return self.word(getattr(_INTEGERS, name)(x, y, width), width)
        return self._word(make(self._ref, a.ast, b.ast))

    def band(self, a: Any, b: Any, width: int) -> Any:
        for one, other in ((a, b), (b, a)):
            number = _number(one)
            if number == 0:
                return one
            if number == (1 << width) - 1:
                return other
        return a if _same(a, b) else self._two("band", z3core.Z3_mk_bvand, a, b, width)

    def bor(self, a: Any, b: Any, width: int) -> Any:
        for one, other in ((a, b), (b, a)):
            number = _number(one)
            if number == 0:
                return other
            if number == (1 << width) - 1:
                return one
        return a if _same(a, b) else self._two("bor", z3core.Z3_mk_bvor, a, b, width)

    def bxor(self, a: Any, b: Any, width: int) -> Any:
        if _number(a) == 0:
            return b
        return a if _number(b) == 0 else self._two("bxor", z3core.Z3_mk_bvxor, a, b, width)

    def bnot(self, a: Any, width: int) -> Any:
        number = _number(a)
        return (self._word(z3core.Z3_mk_bvnot(self._ref, a.ast)) if number is None
                else self.word(~number, width))

    def add(self, a: Any, b: Any, width: int) -> Any:
        if _number(a) == 0:
            return b
        return a if _number(b) == 0 else self._two("add", z3core.Z3_mk_bvadd, a, b, width)

    def sub(self, a: Any, b: Any, width: int) -> Any:
        return a if _number(b) == 0 else self._two("sub", z3core.Z3_mk_bvsub, a, b, width)

    def mul(self, a: Any, b: Any, width: int) -> Any:
        return self._two("mul", z3core.Z3_mk_bvmul, a, b, width)

    def shl(self, a: Any, b: Any, width: int) -> Any:
        return a if _number(b) == 0 else self._two("shl", z3core.Z3_mk_bvshl, a, b, width)

    def lshr(self, a: Any, b: Any, width: int) -> Any:
        amount = _number(b)
        found = a if amount == 0 else self._two("lshr", z3core.Z3_mk_bvlshr, a, b, width)
        if amount is not None and 0 < amount < width and _number(found) is None:
            found.shifted = a, amount, width  # extract takes its bits from `a`, without the shift
        return found

    def ashr(self, a: Any, b: Any, width: int) -> Any:
        return a if _number(b) == 0 else self._two("ashr", z3core.Z3_mk_bvashr, a, b, width)

    def _compare(self, name: str, make: Callable[..., Any], a: Any, b: Any, width: int) -> Any:
        x, y = _number(a), _number(b)
        if x is not None and y is not None:
            return self.truth(getattr(_INTEGERS, name)(x, y, width))
        if _same(a, b):
            return self.truth(name == "eq")
        return self._truth(make(self._ref, a.ast, b.ast))

    def eq(self, a: Any, b: Any, width: int) -> Any:
        return self._compare("eq", z3core.Z3_mk_eq, a, b, width)

    def ult(self, a: Any, b: Any, width: int) -> Any:
        return self._compare("ult", z3core.Z3_mk_bvult, a, b, width)

    def slt(self, a: Any, b: Any, width: int) -> Any:
        return self._compare("slt", z3core.Z3_mk_bvslt, a, b, width)

    def extract(self, a: Any, low: int, width: int) -> Any:
        number = _number(a)
        if number is not None:
            return self.word(_INTEGERS.extract(number, low, width), width)
        whole, amount, whole_width = getattr(a, "shifted", (None, 0, 0))
        if whole is not None and low + width + amount <= whole_width:
            return self.extract(whole, low + amount, width)
        return self._word(z3core.Z3_mk_extract(self._ref, low + width - 1, low, a.ast))

    def zext(self, a: Any, narrow: int, width: int) -> Any:
        number = _number(a)
        if number is not None:
            return self.word(number, width)
        return self._word(z3core.Z3_mk_zero_ext(self._ref, width - narrow, a.ast))

    def sext(self, a: Any, narrow: int, width: int) -> Any:
        number = _number(a)
        if number is not None:
            return self.word(_INTEGERS.sext(number, narrow, width), width)
        return self._word(z3core.Z3_mk_sign_ext(self._ref, width - narrow, a.ast))

    def concat(self, high: Any, low: Any, high_width: int, low_width: int) -> Any:
        x, y = _number(high), _number(low)
        if x is not None and y is not None:
            return self.word(x << low_width | y, high_width + low_width)
        return self._word(z3core.Z3_mk_concat(self._ref, high.ast, low.ast))

    def ite(self, c: Any, a: Any, b: Any, width: int) -> Any:
        known = self.known(c)
        if known is not None:
            return a if known else b
        return a if _same(a, b) else self._word(z3core.Z3_mk_ite(self._ref, c.ast, a.ast, b.ast))

    def _join(self, make: Callable[..., Any], neutral: Any, strong: Any,
              values: tuple[Any, ...]) -> Any:
        kept = [v for v in values if v is not neutral]
        if any(v is strong for v in kept):
            return strong
        if len(kept) < 2:
            return kept[0] if kept else neutral
        array = (z3.Ast * len(kept))(*(v.ast for v in kept))
        return self._truth(make(self._ref, len(kept), array))

    def all(self, *values: Any) -> Any:
        return self._join(z3core.Z3_mk_and, self._true, self._false, values)

    def any(self, *values: Any) -> Any:
        return self._join(z3core.Z3_mk_or, self._false, self._true, values)

    def neg(self, a: Any) -> Any:
        known = self.known(a)
        return (self._truth(z3core.Z3_mk_not(self._ref, a.ast)) if known is None
                else self.truth(not known))

    def same(self, a: Any, b: Any) -> Any:
        for one, other in ((a, b), (b, a)):
            known = self.known(one)
            if known is not None:
                return other if known else self.neg(other)
        return self._true if _same(a, b) else self._truth(z3core.Z3_mk_eq(self._ref, a.ast, b.ast))

    def choose(self, c: Any, a: Any, b: Any) -> Any:
        known = self.known(c)
        if known is not None:
            return a if known else b
        return a if _same(a, b) else self._truth(z3core.Z3_mk_ite(self._ref, c.ast, a.ast, b.ast))


def _number(word: Any) -> int | None:
    """The value of a constant word, else None."""
    found: int | None = getattr(word, "number", None)
    return found


def _same(a: Any, b: Any) -> bool:
    """Are these one term? z3 keeps equal terms once."""
    return a is b or bool(a.ast.value == b.ast.value)
