# SPDX-License-Identifier: GPL-2.0-or-later
"""The term interpretation without a solver: a graph of SMT-LIB terms, each kept once.

Only operations on constants are computed, so the terms are the spec's own text. Scripts in SMT-LIB
2 (here), C programs (verifier.engine.c_program) and other solvers (verifier.engine.smt_solvers) get
them, and so share no bit-blasting with the bit graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from verifier.language.algebra import Integers
from verifier.language.syntax import BOOL

__all__ = ["OPERATORS", "Script", "Smt", "Term", "cone", "quoted"]

_INTEGERS = Integers()

# the algebra's operation -> SMT-LIB's
OPERATORS = {
    "band": "bvand", "bor": "bvor", "bxor": "bvxor", "bnot": "bvnot", "add": "bvadd",
    "sub": "bvsub", "mul": "bvmul", "shl": "bvshl", "lshr": "bvlshr", "ashr": "bvashr", "eq": "=",
    "ult": "bvult", "slt": "bvslt", "extract": "extract", "zext": "zero_extend",
    "sext": "sign_extend", "concat": "concat", "ite": "ite", "all": "and", "any": "or",
    "neg": "not", "same": "=", "choose": "ite",
}


class Term:
    """A node of the graph: an operation on other nodes, an input, or a constant.

    `op` is the algebra's operation, "input" (its name in `name`) or "const" (its value in
    `number`). `width` is in bits; a boolean's is BOOL.
    """

    __slots__ = ("args", "at", "name", "number", "op", "params", "width")

    def __init__(
        self, at: int, op: str, args: tuple[Term, ...], params: tuple[int, ...], width: int,
        number: int | None, name: str,
    ) -> None:
        self.at, self.op, self.args, self.params, self.width = at, op, args, params, width
        self.number, self.name = number, name

    def __repr__(self) -> str:
        return (
            self.name or (str(self.number) if self.number is not None else f"{self.op}@{self.at}")
        )


def _words(op: str) -> Callable[[Smt, Term, Term, int], Term]:
    """The algebra's operation on two words that gives a word."""
    def make(self: Smt, a: Term, b: Term, width: int) -> Term:
        return self._make(op, (a, b), width, width)
    return make


def _compares(op: str) -> Callable[[Smt, Term, Term, int], Term]:
    """The algebra's operation on two words that gives a boolean."""
    def make(self: Smt, a: Term, b: Term, width: int) -> Term:
        return self._make(op, (a, b), BOOL, width)
    return make


class Smt:
    """The Algebra over such terms; a boolean's width is verifier.language.syntax.BOOL.

    >>> smt = Smt()
    >>> x = smt.input_word("x", 8)
    >>> smt.add(x, smt.word(1, 8), 8) is smt.add(x, smt.word(1, 8), 8)
    True
    >>> smt.add(smt.word(2, 8), smt.word(3, 8), 8)
    5
    """

    def __init__(self) -> None:
        self.terms: list[Term] = []
        self.inputs: dict[str, Term] = {}
        self._known: dict[tuple[object, ...], Term] = {}
        self._true, self._false = self.truth(True), self.truth(False)

    def _node(
        self, op: str, args: tuple[Term, ...], params: tuple[int, ...], width: int,
        number: int | None = None, name: str = "",
    ) -> Term:
        key = (op, args, params, width, number, name)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = Term(len(self.terms), op, args, params, width, number, name)
            self.terms.append(found)
        return found

    def _make(self, op: str, args: tuple[Term, ...], width: int, *params: int) -> Term:
        """An operation; its value where all operands are constants.

        `params` are the numbers that the algebra's method takes behind the operands.
        """
        numbers = [a.number for a in args]
        if None not in numbers:
            given = [bool(n) if a.width == BOOL else n for a, n in zip(args, numbers, strict=True)]
            value = getattr(_INTEGERS, op)(*given, *params)
            return self.truth(value) if width == BOOL else self.word(value, width)
        return self._node(op, args, params, width)

    def input_word(self, name: str, width: int) -> Term:
        """A free word; the same name gives the same word."""
        return self.inputs.setdefault(name, self._node("input", (), (), width, None, name))

    def input_bool(self, name: str) -> Term:
        """A free boolean; the same name gives the same boolean."""
        return self.input_word(name, BOOL)

    def input(self, name: str, kind: int) -> Term:
        """An input by its name and its type."""
        return self.input_word(name, kind)

    def word(self, value: int, width: int) -> Term:
        return self._node("const", (), (), width, value & ((1 << width) - 1))

    def truth(self, value: bool) -> Term:
        return self._node("const", (), (), BOOL, int(value))

    def known(self, value: Term) -> bool | None:
        return None if value.number is None else bool(value.number)

    band, bor, bxor, add, sub, mul = map(_words, ("band", "bor", "bxor", "add", "sub", "mul"))
    shl, lshr, ashr = map(_words, ("shl", "lshr", "ashr"))
    eq, ult, slt = map(_compares, ("eq", "ult", "slt"))

    def bnot(self, a: Term, width: int) -> Term:
        return self._make("bnot", (a,), width, width)

    def extract(self, a: Term, low: int, width: int) -> Term:
        return self._make("extract", (a,), width, low, width)

    def zext(self, a: Term, narrow: int, width: int) -> Term:
        return self._make("zext", (a,), width, narrow, width)

    def sext(self, a: Term, narrow: int, width: int) -> Term:
        return self._make("sext", (a,), width, narrow, width)

    def concat(self, high: Term, low: Term, high_width: int, low_width: int) -> Term:
        return self._make("concat", (high, low), high_width + low_width, high_width, low_width)

    def ite(self, c: Term, a: Term, b: Term, width: int) -> Term:
        if c.number is not None:
            return a if c.number else b
        return self._node("ite", (c, a, b), (), width)

    def all(self, *values: Term) -> Term:
        return self._join("all", self._true, self._false, values)

    def any(self, *values: Term) -> Term:
        return self._join("any", self._false, self._true, values)

    def _join(self, op: str, neutral: Term, strong: Term, values: tuple[Term, ...]) -> Term:
        kept = [v for v in values if v is not neutral]
        if any(v is strong for v in kept):
            return strong
        if len(kept) < 2:
            return kept[0] if kept else neutral
        return self._node(op, tuple(kept), (), BOOL)

    def neg(self, a: Term) -> Term:
        return self._make("neg", (a,), BOOL)

    def same(self, a: Term, b: Term) -> Term:
        return self._make("same", (a, b), BOOL)

    def choose(self, c: Term, a: Term, b: Term) -> Term:
        return self.ite(c, a, b, BOOL)


def cone(terms: Iterable[Term]) -> list[Term]:
    """Everything that the terms depend on, arguments first."""
    seen: dict[int, Term] = {}
    todo = list(terms)
    while todo:
        term = todo.pop()
        if term.at not in seen:
            seen[term.at] = term
            todo += term.args
    return [seen[at] for at in sorted(seen)]


def quoted(name: str) -> str:
    """A name, quoted for SMT-LIB."""
    return f"|{name}|"


def _sort(width: int) -> str:
    return "Bool" if width == BOOL else f"(_ BitVec {width})"


def _head(term: Term) -> str:
    """The operator with its indices."""
    op = OPERATORS[term.op]
    match term.op:
        case "extract":
            low, width = term.params
            return f"(_ extract {low + width - 1} {low})"
        case "zext" | "sext":
            narrow, width = term.params
            return f"(_ {op} {width - narrow})"
    return op


class Script:
    """An SMT-LIB 2 script of questions about shared terms, each between push and pop.

    Comments before a question say what it is.
    """

    def __init__(self, header: Sequence[str] = ()) -> None:
        self.lines = [*(f"; {line}" for line in header), "(set-logic QF_BV)"]
        self._texts: dict[int, str] = {}

    def ask(self, comments: Sequence[str], conditions: Sequence[Term], status: str = "",
            alone: bool = False) -> None:
        """Add a question: do the conditions hold together?

        A question that stands `alone` is not put between push and pop. `status` is the known
        answer, sat or unsat.
        """
        self._define(conditions)
        self.lines += [f"; {line}" for line in comments]
        said = [f"(set-info :status {status})"] if status else []
        body = [*said, *(f"(assert {self._texts[c.at]})" for c in conditions), "(check-sat)"]
        self.lines += body if alone else ["(push 1)", *body, "(pop 1)"]

    def _define(self, terms: Sequence[Term]) -> None:
        for term in cone(terms):
            if term.at in self._texts:
                continue
            if term.op == "const":
                truth = "true" if term.number else "false"
                self._texts[term.at] = (
                    truth if term.width == BOOL else f"(_ bv{term.number} {term.width})"
                )
            elif term.op == "input":
                self._texts[term.at] = quoted(term.name)
                self.lines.append(f"(declare-const {quoted(term.name)} {_sort(term.width)})")
            else:
                args = " ".join(self._texts[a.at] for a in term.args)
                self.lines.append(
                    f"(define-fun t{term.at} () {_sort(term.width)} ({_head(term)} {args}))"
                )
                self._texts[term.at] = f"t{term.at}"

    def text(self) -> str:
        """The whole script."""
        return "\n".join([*self.lines, "(exit)"]) + "\n"
