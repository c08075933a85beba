# SPDX-License-Identifier: GPL-2.0-or-later
"""bitwuzla and cvc5 as solvers of the spec's own terms (verifier.engine.smtlib).

Both are optional: `pip install pteproof[solvers]`.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType

from verifier.base.errors import SolverError, UsageError
from verifier.engine.answers import Answer, Sat, Solver, Undecided, Unsat
from verifier.engine.smtlib import Smt, Term, cone
from verifier.language.syntax import BOOL

__all__ = ["find_package", "smt_solver"]

# the algebra's operation -> the name of its kind in the package
_BITWUZLA = {
    "band": "BV_AND", "bor": "BV_OR", "bxor": "BV_XOR", "bnot": "BV_NOT", "add": "BV_ADD",
    "sub": "BV_SUB", "mul": "BV_MUL", "shl": "BV_SHL", "lshr": "BV_SHR", "ashr": "BV_ASHR",
    "eq": "EQUAL", "ult": "BV_ULT", "slt": "BV_SLT", "extract": "BV_EXTRACT",
    "zext": "BV_ZERO_EXTEND", "sext": "BV_SIGN_EXTEND", "concat": "BV_CONCAT", "ite": "ITE",
    "all": "AND", "any": "OR", "neg": "NOT", "same": "EQUAL",
}
_CVC5 = {
    "band": "BITVECTOR_AND", "bor": "BITVECTOR_OR", "bxor": "BITVECTOR_XOR",
    "bnot": "BITVECTOR_NOT", "add": "BITVECTOR_ADD", "sub": "BITVECTOR_SUB",
    "mul": "BITVECTOR_MULT", "shl": "BITVECTOR_SHL", "lshr": "BITVECTOR_LSHR",
    "ashr": "BITVECTOR_ASHR", "eq": "EQUAL", "ult": "BITVECTOR_ULT", "slt": "BITVECTOR_SLT",
    "extract": "BITVECTOR_EXTRACT", "zext": "BITVECTOR_ZERO_EXTEND",
    "sext": "BITVECTOR_SIGN_EXTEND", "concat": "BITVECTOR_CONCAT", "ite": "ITE", "all": "AND",
    "any": "OR", "neg": "NOT", "same": "EQUAL",
}


def indices(term: Term) -> list[int]:
    """The indices of an indexed operator of SMT-LIB.

    extract has its high and low bit, an extension the number of bits that it adds.
    """
    match term.op:
        case "extract":
            low, width = term.params
            return [low + width - 1, low]
        case "zext" | "sext":
            narrow, width = term.params
            return [width - narrow]
    return []


class _Translated:
    """An incremental solver that is told of a term when it first needs it."""

    name: str

    def __init__(self, smt: Smt) -> None:
        self.smt = smt
        self._known: dict[int, object] = {}

    def check(self, conditions: Iterable[Term]) -> Answer:
        """Do the conditions hold together? A model has the inputs that they depend on.

        Raises SolverError where the solver fails.
        """
        wanted = list(conditions)
        below = cone(wanted)
        try:
            for term in below:
                if term.at not in self._known:
                    self._known[term.at] = self._translate(term)
            return self._ask([self._known[c.at] for c in wanted],
                             [t for t in below if t.op == "input"])
        except RuntimeError as error:
            raise SolverError(f"{self.name} failed: {error}") from error

    def _translate(self, term: Term) -> object:
        raise NotImplementedError

    def _ask(self, conditions: list[object], inputs: list[Term]) -> Answer:
        raise NotImplementedError


class _Bitwuzla(_Translated):
    name = "bitwuzla"

    def __init__(self, smt: Smt, timeout: float | None) -> None:
        super().__init__(smt)
        self.b = find_package("bitwuzla")
        self.manager = self.b.TermManager()
        options = self.b.Options()
        options.set(self.b.Option.PRODUCE_MODELS, True)
        if timeout is not None:
            options.set(self.b.Option.TIME_LIMIT_PER, max(1, int(timeout * 1000)))
        self.solver = self.b.Bitwuzla(self.manager, options)

    def _sort(self, width: int) -> object:
        return self.manager.mk_bool_sort() if width == BOOL else self.manager.mk_bv_sort(width)

    def _translate(self, term: Term) -> object:
        make = self.manager
        if term.op == "const":
            if term.width == BOOL:
                return make.mk_true() if term.number else make.mk_false()
            return make.mk_bv_value(self._sort(term.width), term.number)
        if term.op == "input":
            return make.mk_const(self._sort(term.width), term.name)
        kind = getattr(self.b.Kind, _BITWUZLA[term.op])
        return make.mk_term(kind, [self._known[a.at] for a in term.args], indices(term))

    def _ask(self, conditions: list[object], inputs: list[Term]) -> Answer:
        self.solver.push(1)
        try:
            for condition in conditions:
                self.solver.assert_formula(condition)
            found = self.solver.check_sat()
            if found == self.b.Result.UNSAT:
                return Unsat()
            if found != self.b.Result.SAT:
                return Undecided("bitwuzla gave up, in the time that it had")
            values: dict[str, int | bool] = {}
            for term in inputs:
                value = self.solver.get_value(self._known[term.at])
                values[term.name] = (bool(value.value()) if term.width == BOOL
                                     else int(value.value(10)))
            return Sat(values)
        finally:
            self.solver.pop(1)


class _Cvc5(_Translated):
    name = "cvc5"

    def __init__(self, smt: Smt, timeout: float | None) -> None:
        super().__init__(smt)
        self.c = find_package("cvc5")
        self.manager = self.c.TermManager()
        self.solver = self.c.Solver(self.manager)
        self.solver.setLogic("QF_BV")
        self.solver.setOption("incremental", "true")
        self.solver.setOption("produce-models", "true")
        if timeout is not None:
            self.solver.setOption("tlimit-per", str(max(1, int(timeout * 1000))))

    def _sort(self, width: int) -> object:
        return (
            self.manager.getBooleanSort() if width == BOOL else self.manager.mkBitVectorSort(width)
        )

    def _translate(self, term: Term) -> object:
        make = self.manager
        if term.op == "const":
            if term.width == BOOL:
                return make.mkBoolean(bool(term.number))
            return make.mkBitVector(term.width, str(term.number), 10)
        if term.op == "input":
            return make.mkConst(self._sort(term.width), term.name)
        kind = getattr(self.c.Kind, _CVC5[term.op])
        found = indices(term)
        return make.mkTerm(make.mkOp(kind, *found) if found else kind,
                           *(self._known[a.at] for a in term.args))

    def _ask(self, conditions: list[object], inputs: list[Term]) -> Answer:
        self.solver.push(1)
        try:
            for condition in conditions:
                self.solver.assertFormula(condition)
            found = self.solver.checkSat()
            if found.isUnsat():
                return Unsat()
            if not found.isSat():
                return Undecided(f"cvc5 gave up: {found.getUnknownExplanation()}")
            values: dict[str, int | bool] = {}
            for term in inputs:
                value = self.solver.getValue(self._known[term.at])
                told = (value.getBooleanValue() if term.width == BOOL
                        else int(value.getBitVectorValue(10)))
                values[term.name] = told
            return Sat(values)
        finally:
            self.solver.pop(1)


_SOLVERS: dict[str, type[_Bitwuzla] | type[_Cvc5]] = {"bitwuzla": _Bitwuzla, "cvc5": _Cvc5}


def find_package(name: str) -> ModuleType:
    """The Python package of bitwuzla or cvc5; UsageError where it is not installed."""
    try:
        if name == "bitwuzla":
            import bitwuzla as found
        else:
            import cvc5 as found
    except ImportError:
        raise UsageError(
            f"--solver {name}: its package is not installed; pip install 'pteproof[solvers]'"
        ) from None
    package: ModuleType = found
    return package


def smt_solver(name: str, smt: Smt, timeout: float | None = None) -> Solver[Term]:
    """`bitwuzla` or `cvc5`, for conditions that are built over these terms.

    `timeout` is for one question, in seconds; the solver itself keeps to it, roughly. Raises
    UsageError where the solver's package is not installed.
    """
    return _SOLVERS[name](smt, timeout)
