# SPDX-License-Identifier: GPL-2.0-or-later
"""The term interpretation: words and booleans are z3 terms, as the spec has them.

z3 is imported when this module is, so it is imported only where a term is wanted.
"""

from __future__ import annotations

from typing import Any

import z3

__all__ = ["Terms"]


class Terms:
    """The Algebra over z3's bitvectors and booleans. Only constants are folded, and conditions that are constants."""

    def __init__(self, context: z3.Context | None = None) -> None:
        self.context = context or z3.main_ctx()
        self.inputs: dict[str, Any] = {}
        self.bools: set[str] = set()
        self._true = z3.BoolVal(True, self.context)
        self._false = z3.BoolVal(False, self.context)

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

    def word(self, value: int, width: int) -> Any:
        return z3.BitVecVal(value, width, self.context)

    def truth(self, value: bool) -> Any:
        return self._true if value else self._false

    def known(self, value: Any) -> bool | None:
        if z3.is_true(value):
            return True
        return False if z3.is_false(value) else None

    def band(self, a: Any, b: Any, width: int) -> Any:
        return a & b

    def bor(self, a: Any, b: Any, width: int) -> Any:
        return a | b

    def bxor(self, a: Any, b: Any, width: int) -> Any:
        return a ^ b

    def bnot(self, a: Any, width: int) -> Any:
        return ~a

    def add(self, a: Any, b: Any, width: int) -> Any:
        return a + b

    def sub(self, a: Any, b: Any, width: int) -> Any:
        return a - b

    def mul(self, a: Any, b: Any, width: int) -> Any:
        return a * b

    def shl(self, a: Any, b: Any, width: int) -> Any:
        return a << b

    def lshr(self, a: Any, b: Any, width: int) -> Any:
        return z3.LShR(a, b)

    def ashr(self, a: Any, b: Any, width: int) -> Any:
        return a >> b

    def eq(self, a: Any, b: Any, width: int) -> Any:
        if a.eq(b):
            return self._true
        if z3.is_bv_value(a) and z3.is_bv_value(b):
            return self.truth(a.as_long() == b.as_long())
        return a == b

    def ult(self, a: Any, b: Any, width: int) -> Any:
        return z3.ULT(a, b)

    def slt(self, a: Any, b: Any, width: int) -> Any:
        return a < b

    def extract(self, a: Any, low: int, width: int) -> Any:
        return z3.Extract(low + width - 1, low, a)

    def zext(self, a: Any, narrow: int, width: int) -> Any:
        return z3.ZeroExt(width - narrow, a)

    def sext(self, a: Any, narrow: int, width: int) -> Any:
        return z3.SignExt(width - narrow, a)

    def concat(self, high: Any, low: Any, high_width: int, low_width: int) -> Any:
        return z3.Concat(high, low)

    def ite(self, c: Any, a: Any, b: Any, width: int) -> Any:
        known = self.known(c)
        if known is not None:
            return a if known else b
        return a if a.eq(b) else z3.If(c, a, b)

    def all(self, *values: Any) -> Any:
        kept = [v for v in values if self.known(v) is not True]
        if any(self.known(v) is False for v in kept):
            return self._false
        return kept[0] if len(kept) == 1 else z3.And(*kept) if kept else self._true

    def any(self, *values: Any) -> Any:
        kept = [v for v in values if self.known(v) is not False]
        if any(self.known(v) is True for v in kept):
            return self._true
        return kept[0] if len(kept) == 1 else z3.Or(*kept) if kept else self._false

    def neg(self, a: Any) -> Any:
        known = self.known(a)
        return z3.Not(a) if known is None else self.truth(not known)

    def same(self, a: Any, b: Any) -> Any:
        return self._true if a.eq(b) else a == b

    def choose(self, c: Any, a: Any, b: Any) -> Any:
        known = self.known(c)
        if known is not None:
            return a if known else b
        return a if a.eq(b) else z3.If(c, a, b)
