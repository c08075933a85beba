# SPDX-License-Identifier: GPL-2.0-or-later
"""The algebra of z3 terms, as the spec has them, and z3 as a solver over them.

No other module names z3. Importing this one imports z3, so it is imported only where a term is
wanted. Terms are made with z3's C functions: the operators of its Python classes take five times as
long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias, TypeVar

import z3
from z3 import z3core

from verifier.base.errors import SolverError
from verifier.engine.answers import Answer, Sat, Solver, Undecided, Unsat
from verifier.language.algebra import Integers
from verifier.language.syntax import BOOL

__all__ = ["TermBool", "TermWord", "Terms", "z3_solver"]

_INTEGERS = Integers()


class TermWord(z3.BitVecRef):
    """A word: z3's own, and what is known of it.

    number   its value, of a constant
    shifted  of a word that is another one, shifted to the right by a constant: the other word, the
             constant, the width
    """

    number: int | None = None
    shifted: tuple[TermWord, int, int] | None = None


class _Number(TermWord, z3.BitVecNumRef):
    """A constant."""


class TermBool(z3.BoolRef):
    """A boolean: z3's own."""


T = TypeVar("T", TermWord, TermBool)
# z3's C functions: of a context and two terms; of a context and an array of so many terms
_Two: TypeAlias = Callable[[object, z3.Ast, z3.Ast], z3.Ast]
_Many: TypeAlias = Callable[[object, int, object], z3.Ast]


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
        self._ref = self.context.ref()
        self._true = self._truth(z3.BoolVal(True, self.context).ast)
        self._false = self._truth(z3.BoolVal(False, self.context).ast)
        self._constants: dict[tuple[int, int], TermWord] = {}
        self.words: dict[str, TermWord] = {}
        self.bools: dict[str, TermBool] = {}

    @property
    def inputs(self) -> dict[str, TermWord | TermBool]:
        """All inputs by name."""
        return {**self.words, **self.bools}

    def input_word(self, name: str, width: int) -> TermWord:
        """A free word; the same name gives the same word."""
        if name not in self.words:
            self.words[name] = self._word(z3.BitVec(name, width, self.context).ast)
        return self.words[name]

    def input_bool(self, name: str) -> TermBool:
        """A free boolean; the same name gives the same boolean."""
        if name not in self.bools:
            self.bools[name] = self._truth(z3.Bool(name, self.context).ast)
        return self.bools[name]

    def input(self, name: str, kind: int) -> TermWord | TermBool:
        """An input by its name and its type."""
        return self.input_bool(name) if kind == BOOL else self.input_word(name, kind)

    # Each constant is one object that carries its value, so that folding asks nothing of z3.

    def word(self, value: int, width: int) -> TermWord:
        found = self._constants.get((value, width))
        if found is None:
            found = self._constants[value, width] = _Number(
                z3.BitVecVal(value, width, self.context).ast, self.context)
            found.number = value & ((1 << width) - 1)
        return found

    def truth(self, value: bool) -> TermBool:
        return self._true if value else self._false

    def known(self, value: TermBool) -> bool | None:
        return True if value is self._true else False if value is self._false else None

    def _word(self, ast: z3.Ast) -> TermWord:
        return TermWord(ast, self.context)

    def _truth(self, ast: z3.Ast) -> TermBool:
        return TermBool(ast, self.context)

    def _two(self, name: str, make: _Two, a: TermWord, b: TermWord, width: int) -> TermWord:
        """A word of two; a constant if both are."""
        x, y = a.number, b.number
        if x is not None and y is not None:
            return self.word(getattr(_INTEGERS, name)(x, y, width), width)
        return self._word(make(self._ref, a.ast, b.ast))

    def band(self, a: TermWord, b: TermWord, width: int) -> TermWord:
        for one, other in ((a, b), (b, a)):
            number = one.number
            if number == 0:
                return one
            if number == (1 << width) - 1:
                return other
        return a if _same(a, b) else self._two("band", z3core.Z3_mk_bvand, a, b, width)

    def bor(self, a: TermWord, b: TermWord, width: int) -> TermWord:
        for one, other in ((a, b), (b, a)):
            number = one.number
            if number == 0:
                return other
            if number == (1 << width) - 1:
                return one
        return a if _same(a, b) else self._two("bor", z3core.Z3_mk_bvor, a, b, width)

    def bxor(self, a: TermWord, b: TermWord, width: int) -> TermWord:
        if a.number == 0:
            return b
        return a if b.number == 0 else self._two("bxor", z3core.Z3_mk_bvxor, a, b, width)

    def bnot(self, a: TermWord, width: int) -> TermWord:
        return (self._word(z3core.Z3_mk_bvnot(self._ref, a.ast)) if a.number is None
                else self.word(~a.number, width))

    def add(self, a: TermWord, b: TermWord, width: int) -> TermWord:
        if a.number == 0:
            return b
        return a if b.number == 0 else self._two("add", z3core.Z3_mk_bvadd, a, b, width)

    def sub(self, a: TermWord, b: TermWord, width: int) -> TermWord:
        return a if b.number == 0 else self._two("sub", z3core.Z3_mk_bvsub, a, b, width)

    def mul(self, a: TermWord, b: TermWord, width: int) -> TermWord:
        return self._two("mul", z3core.Z3_mk_bvmul, a, b, width)

    def shl(self, a: TermWord, b: TermWord, width: int) -> TermWord:
        return a if b.number == 0 else self._two("shl", z3core.Z3_mk_bvshl, a, b, width)

    def lshr(self, a: TermWord, b: TermWord, width: int) -> TermWord:
        amount = b.number
        found = a if amount == 0 else self._two("lshr", z3core.Z3_mk_bvlshr, a, b, width)
        if amount is not None and 0 < amount < width and found.number is None:
            found.shifted = a, amount, width  # extract takes its bits from `a`, without the shift
        return found

    def ashr(self, a: TermWord, b: TermWord, width: int) -> TermWord:
        return a if b.number == 0 else self._two("ashr", z3core.Z3_mk_bvashr, a, b, width)

    def _compare(self, name: str, make: _Two, a: TermWord, b: TermWord, width: int) -> TermBool:
        x, y = a.number, b.number
        if x is not None and y is not None:
            return self.truth(getattr(_INTEGERS, name)(x, y, width))
        if _same(a, b):
            return self.truth(name == "eq")
        return self._truth(make(self._ref, a.ast, b.ast))

    def eq(self, a: TermWord, b: TermWord, width: int) -> TermBool:
        return self._compare("eq", z3core.Z3_mk_eq, a, b, width)

    def ult(self, a: TermWord, b: TermWord, width: int) -> TermBool:
        return self._compare("ult", z3core.Z3_mk_bvult, a, b, width)

    def slt(self, a: TermWord, b: TermWord, width: int) -> TermBool:
        return self._compare("slt", z3core.Z3_mk_bvslt, a, b, width)

    def extract(self, a: TermWord, low: int, width: int) -> TermWord:
        number = a.number
        if number is not None:
            return self.word(_INTEGERS.extract(number, low, width), width)
        if a.shifted is not None:
            whole, amount, whole_width = a.shifted
            if low + width + amount <= whole_width:
                return self.extract(whole, low + amount, width)
        return self._word(z3core.Z3_mk_extract(self._ref, low + width - 1, low, a.ast))

    def zext(self, a: TermWord, narrow: int, width: int) -> TermWord:
        number = a.number
        if number is not None:
            return self.word(number, width)
        return self._word(z3core.Z3_mk_zero_ext(self._ref, width - narrow, a.ast))

    def sext(self, a: TermWord, narrow: int, width: int) -> TermWord:
        number = a.number
        if number is not None:
            return self.word(_INTEGERS.sext(number, narrow, width), width)
        return self._word(z3core.Z3_mk_sign_ext(self._ref, width - narrow, a.ast))

    def concat(self, high: TermWord, low: TermWord, high_width: int, low_width: int) -> TermWord:
        x, y = high.number, low.number
        if x is not None and y is not None:
            return self.word(x << low_width | y, high_width + low_width)
        return self._word(z3core.Z3_mk_concat(self._ref, high.ast, low.ast))

    def ite(self, c: TermBool, a: TermWord, b: TermWord, width: int) -> TermWord:
        known = self.known(c)
        if known is not None:
            return a if known else b
        return a if _same(a, b) else self._word(z3core.Z3_mk_ite(self._ref, c.ast, a.ast, b.ast))

    def _join(
        self, make: _Many, neutral: TermBool, strong: TermBool,
        values: tuple[TermBool, ...],
    ) -> TermBool:
        kept = [v for v in values if v is not neutral]
        if any(v is strong for v in kept):
            return strong
        if len(kept) < 2:
            return kept[0] if kept else neutral
        array = (z3.Ast * len(kept))(*(v.ast for v in kept))
        return self._truth(make(self._ref, len(kept), array))

    def all(self, *values: TermBool) -> TermBool:
        return self._join(z3core.Z3_mk_and, self._true, self._false, values)

    def any(self, *values: TermBool) -> TermBool:
        return self._join(z3core.Z3_mk_or, self._false, self._true, values)

    def neg(self, a: TermBool) -> TermBool:
        known = self.known(a)
        return (self._truth(z3core.Z3_mk_not(self._ref, a.ast)) if known is None
                else self.truth(not known))

    def same(self, a: TermBool, b: TermBool) -> TermBool:
        for one, other in ((a, b), (b, a)):
            known = self.known(one)
            if known is not None:
                return other if known else self.neg(other)
        return self._true if _same(a, b) else self._truth(z3core.Z3_mk_eq(self._ref, a.ast, b.ast))

    def choose(self, c: TermBool, a: TermBool, b: TermBool) -> TermBool:
        known = self.known(c)
        if known is not None:
            return a if known else b
        return a if _same(a, b) else self._truth(z3core.Z3_mk_ite(self._ref, c.ast, a.ast, b.ast))


def _same(a: T, b: T) -> bool:
    """Are these one term? z3 keeps equal terms once."""
    return a is b or bool(a.ast.value == b.ast.value)


class _Z3Solver:
    """z3 over its own terms: one solver with push and pop, or a fresh one for each question."""

    def __init__(self, terms: Terms, incremental: bool, timeout: float | None) -> None:
        self.terms = terms
        self.incremental = incremental
        self.timeout = timeout
        self.name = "z3"
        self._solver = self._make()

    def _make(self) -> z3.Solver:
        solver = z3.SimpleSolver() if self.incremental else z3.SolverFor("QF_BV")
        if self.timeout is not None:
            solver.set("timeout", int(self.timeout * 1000))
        return solver

    def check(self, conditions: Iterable[TermBool]) -> Answer:
        """Do the conditions hold together? SolverError where z3 fails."""
        try:
            if not self.incremental:
                return self._ask(self._make(), conditions)
            self._solver.push()
            try:
                return self._ask(self._solver, conditions)
            finally:
                self._solver.pop()
        except z3.Z3Exception as error:
            raise SolverError(f"z3 failed: {error}") from error

    def _ask(self, solver: z3.Solver, conditions: Iterable[TermBool]) -> Answer:
        solver.add(*conditions)
        found = solver.check()
        if found == z3.unsat:
            return Unsat()
        if found == z3.unknown:
            # z3 has heard Ctrl-C in our place.
            if "interrupted from keyboard" in solver.reason_unknown():
                raise KeyboardInterrupt
            return Undecided(solver.reason_unknown())
        return Sat(self._values(solver.model()))

    def _values(self, model: z3.ModelRef) -> dict[str, int | bool]:
        values: dict[str, int | bool] = {}
        for declaration in model.decls():
            name = declaration.name()
            value = model[declaration]
            if name in self.terms.bools:
                values[name] = z3.is_true(value)
            elif name in self.terms.words:
                values[name] = value.as_long()
        return values


def z3_solver(
    terms: Terms, incremental: bool = True, timeout: float | None = None
) -> Solver[TermBool]:
    """z3 for conditions that are built over these Terms.

    `timeout` is for one question, in seconds; z3 itself keeps to it, roughly. `incremental`: one
    solver with push and pop, else a fresh one for each question.
    """
    return _Z3Solver(terms, incremental, timeout)
