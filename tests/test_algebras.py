# SPDX-License-Identifier: GPL-2.0-or-later
"""The three algebras agree: plain integers, and-inverter graphs and z3 terms.

And least models are least.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import z3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from verifier.base.errors import SolverError
from verifier.engine.answers import Sat, Unsat
from verifier.engine.bits import FALSE, TRUE, Bits, Word
from verifier.engine.bits_solver import BitsSolver
from verifier.engine.least_model import minimise
from verifier.engine.terms import Terms
from verifier.language.algebra import Algebra, Integers

WIDTHS = (1, 7, 8, 32, 64)
BINARY = ("band", "bor", "bxor", "add", "sub", "mul", "shl", "lshr", "ashr")
COMPARE = ("eq", "ult", "slt")
SETTINGS = settings(max_examples=20, deadline=None, derandomize=True, database=None,
                    suppress_health_check=list(HealthCheck))


def values(width: int) -> st.SearchStrategy[int]:
    """Words, with corners and shift amounts about the width more often than chance has them."""
    top = (1 << width) - 1
    corners = {0, 1, top, top >> 1, (top >> 1) + 1, min(width, top), min(width - 1, top),
               min(width + 1, top)}
    return st.one_of(st.sampled_from(sorted(corners)), st.integers(0, min(top, 70)),
                     st.integers(0, top))


class Mixed:
    """Integers, Bits and Terms side by side.

    An operand is given to the latter as a constant or as an input.
    """

    def __init__(self) -> None:
        self.bits = Bits()
        self.terms = Terms()
        self.algebras: tuple[Algebra[Any, Any], ...] = (Integers(), self.bits, self.terms)
        self.given: dict[str, int | bool] = {}

    def word(self, name: str, value: int, width: int, free: bool) -> tuple[Any, ...]:
        if not free:
            return tuple(alg.word(value, width) for alg in self.algebras)
        self.given[name] = value
        return value, self.bits.input_word(name, width), self.terms.input_word(name, width)

    def boolean(self, name: str, value: bool, free: bool) -> tuple[Any, ...]:
        if not free:
            return tuple(alg.truth(value) for alg in self.algebras)
        self.given[name] = value
        return value, self.bits.input_bool(name), self.terms.input_bool(name)

    def apply(self, op: str, *args: Any) -> tuple[Any, ...]:
        """The operation in each algebra; a tuple of three stands for an operand, all else for
        itself.
        """
        return tuple(
            getattr(alg, op)(*(a[i] if isinstance(a, tuple) else a for a in args))
            for i, alg in enumerate(self.algebras)
        )

    def ground(self, term: Any) -> Any:
        """A term under the given values, as z3 simplifies it."""
        pairs: list[tuple[z3.ExprRef, z3.ExprRef]] = []
        for name, value in self.given.items():
            if name in self.terms.bools:
                pairs.append((self.terms.bools[name], z3.BoolVal(bool(value))))
            else:
                word = self.terms.words[name]
                pairs.append((word, z3.BitVecVal(value, word.size())))
        return z3.simplify(z3.substitute(term, *pairs))

    def agree_word(self, found: tuple[Any, ...], width: int) -> int:
        plain, bits, term = found
        assert 0 <= plain < 1 << width
        assert isinstance(bits, Word) and len(bits.bits) == width
        assert self.bits.intern(bits.bits) is bits
        read = sum(bit << i for i, bit in enumerate(self.bits.evaluate(bits.bits, self.given)))
        assert term.size() == width
        assert (read, self.ground(term).as_long()) == (plain, plain)
        return int(plain)

    def agree_bool(self, found: tuple[Any, ...]) -> bool:
        plain, literal, term = found
        assert isinstance(plain, bool)
        assert self.bits.evaluate([literal], self.given) == [plain]
        assert (
            z3.is_true(self.ground(term)) is plain and z3.is_false(self.ground(term)) is not plain
        )
        for alg, value in zip(self.algebras, found, strict=True):
            assert alg.known(value) in (None, plain)
        assert self.algebras[0].known(plain) is plain
        assert self.bits.known(literal) is {TRUE: True, FALSE: False}.get(literal)
        return plain


# Reference meanings, written anew.

def signed(a: int, width: int) -> int:
    return a - (1 << width) if a >= 1 << (width - 1) else a


def reference(op: str, a: int, b: int, width: int) -> int | bool:
    size = 1 << width
    meanings: dict[str, Callable[[], int | bool]] = {
        "band": lambda: a & b, "bor": lambda: a | b, "bxor": lambda: a ^ b,
        "add": lambda: (a + b) % size,
        "sub": lambda: (a - b) % size, "mul": lambda: a * b % size, "shl": lambda: a * 2**b % size,
        "lshr": lambda: a // 2**b, "ashr": lambda: (signed(a, width) // 2**b) % size,
        "eq": lambda: a == b,
        "ult": lambda: a < b, "slt": lambda: signed(a, width) < signed(b, width),
    }
    return meanings[op]()


def shift_safe(op: str, b: int) -> int:
    """2**b is only taken of shift amounts, which may be cut: beyond 200 nothing changes any more.
    """
    return min(b, 200) if op in ("shl", "lshr", "ashr") else b


FREE = st.tuples(st.booleans(), st.booleans())


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("op", [*BINARY, *COMPARE])
def test_operations_on_two_words(op: str, width: int) -> None:
    @SETTINGS
    @given(values(width), values(width), FREE)
    def holds(a: int, b: int, free: tuple[bool, bool]) -> None:
        m = Mixed()
        found = m.apply(op, m.word("a", a, width, free[0]), m.word("b", b, width, free[1]), width)
        expected = reference(op, a, shift_safe(op, b), width)
        assert (m.agree_bool(found) if op in COMPARE else m.agree_word(found, width)) == expected
        if not any(free) and op in COMPARE:
            assert m.bits.known(found[1]) is expected  # constants fold

    holds()


@pytest.mark.parametrize("width", WIDTHS)
def test_operations_on_one_operand_with_itself(width: int) -> None:
    @SETTINGS
    @given(values(width), st.sampled_from([*BINARY, *COMPARE]))
    def holds(a: int, op: str) -> None:
        m = Mixed()
        word = m.word("a", a, width, True)
        found = m.apply(op, word, word, width)
        expected = reference(op, a, shift_safe(op, a), width)
        assert (m.agree_bool(found) if op in COMPARE else m.agree_word(found, width)) == expected

    holds()


@pytest.mark.parametrize("width", WIDTHS)
def test_not_ite_extract_and_extensions(width: int) -> None:
    @SETTINGS
    @given(values(width), values(width), st.booleans(), FREE, st.booleans(), st.data())
    def holds(a: int, b: int, c: bool, free: tuple[bool, bool], free_c: bool,
              data: st.DataObject) -> None:
        m = Mixed()
        x, y = m.word("a", a, width, free[0]), m.word("b", b, width, free[1])
        test = m.boolean("c", c, free_c)
        assert m.agree_word(m.apply("bnot", x, width), width) == (1 << width) - 1 - a
        assert m.agree_word(m.apply("ite", test, x, y, width), width) == (a if c else b)
        assert m.agree_word(m.apply("ite", test, x, x, width), width) == a
        low = data.draw(st.integers(0, width - 1))
        size = data.draw(st.integers(1, width - low))
        assert m.agree_word(m.apply("extract", x, low, size), size) == a // 2**low % 2**size
        wide = data.draw(st.integers(width, 128))
        assert m.agree_word(m.apply("zext", x, width, wide), wide) == a
        assert m.agree_word(m.apply("sext", x, width, wide), wide) == signed(a, width) % 2**wide
        assert m.agree_word(m.apply("concat", x, y, width, width), 2 * width) == a * 2**width + b

    holds()


@settings(SETTINGS, max_examples=120)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=4),
       st.tuples(*[st.booleans()] * 6))
def test_operations_on_booleans(operands: list[tuple[bool, bool]], three: tuple[bool, ...]) -> None:
    m = Mixed()
    given_values = [v for v, _ in operands]
    mixed = [m.boolean(f"x{i}", v, free) for i, (v, free) in enumerate(operands)]
    assert m.agree_bool(m.apply("all", *mixed)) is all(given_values)
    assert m.agree_bool(m.apply("any", *mixed)) is any(given_values)
    a, b, c = (m.boolean(name, three[i], three[i + 3]) for i, name in enumerate("abc"))
    assert m.agree_bool(m.apply("neg", a)) is not three[0]
    assert m.agree_bool(m.apply("same", a, b)) is (three[0] == three[1])
    assert m.agree_bool(m.apply("choose", c, a, b)) is (three[0] if three[2] else three[1])
    assert m.agree_bool(m.apply("choose", c, a, a)) is three[0]
    assert m.agree_bool(m.apply("same", a, a)) is True
    assert m.agree_bool(m.apply("all", a, m.apply("neg", a))) is False
    assert m.agree_bool(m.apply("any", a, m.apply("neg", a))) is True


# Random trees: they are built once over inputs, and read under several values of them.

class Trees:
    """Draws a typed tree of operations over the inputs x, y, z, p and q."""

    def __init__(self, data: st.DataObject, width: int) -> None:
        self.draw = data.draw
        self.width = width
        self.budget = 14

    def word(self, width: int) -> Any:
        self.budget -= 1
        if self.budget <= 0:
            return self.leaf_node(width)
        kind = self.draw(st.sampled_from(
            ["leaf", "binary", "binary", "not", "ite", "ite", "cut", "grow", "join"]
        ))
        if kind == "binary":
            op = self.draw(st.sampled_from([o for o in BINARY if o != "mul" or width <= 8]))
            return (op, self.word(width), self.word(width), width)
        if kind == "not":
            return ("bnot", self.word(width), width)
        if kind == "ite":
            return ("ite", self.boolean(), self.word(width), self.word(width), width)
        if kind == "cut" and width < self.width:
            return ("extract", self.word(self.width), self.draw(st.integers(0, self.width - width)),
                    width)
        if kind == "grow" and width > 1:
            narrow = self.draw(st.integers(1, width))
            return (self.draw(st.sampled_from(["zext", "sext"])), self.word(narrow), narrow, width)
        if kind == "join" and width > 1:
            high = self.draw(st.integers(1, width - 1))
            return ("concat", self.word(high), self.word(width - high), high, width - high)
        return self.leaf_node(width)

    def leaf_node(self, width: int) -> Any:
        if width == self.width and self.draw(st.integers(0, 3)):
            return ("input", self.draw(st.sampled_from(["x", "y", "z"])), width)
        return ("word", self.draw(values(width)), width)

    def boolean(self) -> Any:
        self.budget -= 1
        kinds = ["compare", "compare", "compare", "input", "truth"]
        if self.budget > 0:
            kinds += ["all", "any", "neg", "same", "choose"]
        kind = self.draw(st.sampled_from(kinds))
        if kind == "compare":
            width = self.draw(st.sampled_from([self.width, self.width, 3]))
            return (self.draw(st.sampled_from(COMPARE)), self.word(width), self.word(width), width)
        if kind == "input":
            return ("input_bool", self.draw(st.sampled_from(["p", "q"])))
        if kind == "truth":
            return ("truth", self.draw(st.booleans()))
        size = {"neg": 1, "same": 2, "choose": 3}.get(kind) or self.draw(st.integers(0, 3))
        return (kind, *(self.boolean() for _ in range(size)))


def build(alg: Any, tree: Any, given_values: dict[str, int | bool]) -> Any:
    """A tree's value in an algebra; plain integers take the inputs' values."""
    if not isinstance(tree, tuple):
        return tree
    if tree[0] == "word":
        return alg.word(tree[1], tree[2])
    if tree[0] == "truth":
        return alg.truth(tree[1])
    if tree[0].startswith("input"):
        if isinstance(alg, Integers):
            return given_values[tree[1]]
        return (
            alg.input_bool(tree[1]) if tree[0] == "input_bool" else alg.input_word(tree[1], tree[2])
        )
    return getattr(alg, tree[0])(*(build(alg, part, given_values) for part in tree[1:]))


@pytest.mark.parametrize("width", WIDTHS)
def test_random_trees(width: int) -> None:
    @settings(SETTINGS, max_examples=40)
    @given(st.data(), st.booleans())
    def holds(data: st.DataObject, boolean: bool) -> None:
        m = Mixed()
        trees = Trees(data, width)
        tree = trees.boolean() if boolean else trees.word(width)
        for name in ("x", "y", "z"):
            m.terms.input_word(name, width)
        for name in ("p", "q"):
            m.terms.input_bool(name)
        bits, term = build(m.bits, tree, {}), build(m.terms, tree, {})
        for _ in range(3):
            m.given = {name: data.draw(values(width)) for name in ("x", "y", "z")}
            m.given |= {name: data.draw(st.booleans()) for name in ("p", "q")}
            found = (build(Integers(), tree, m.given), bits, term)
            if boolean:
                m.agree_bool(found)
            else:
                m.agree_word(found, width)

    holds()


@settings(SETTINGS, max_examples=60)
@given(st.data(), st.sampled_from([1, 3, 7, 8]))
def test_the_solvers_agree_on_random_conditions(data: st.DataObject, width: int) -> None:
    m = Mixed()
    tree = Trees(data, width).boolean()
    literal, term = build(m.bits, tree, {}), build(m.terms, tree, {})
    answer = BitsSolver(m.bits).check([literal])
    z3_solver = z3.Solver()
    z3_solver.add(term)
    assert isinstance(answer, Sat) is (z3_solver.check() == z3.sat)
    assert isinstance(answer, (Sat, Unsat))
    if isinstance(answer, Sat):
        model = {"x": 0, "y": 0, "z": 0, "p": False, "q": False} | answer.model
        assert build(Integers(), tree, model) is True


@settings(SETTINGS, max_examples=50)
@given(st.data())
def test_least_models_are_least(data: st.DataObject) -> None:
    """By trying everything: the first input is least, then the second, then the third."""
    m = Mixed()
    width = 3
    tree = Trees(data, width).boolean()
    order = data.draw(st.permutations(["x", "y", "z"]))
    for name in order:
        m.bits.input_word(name, width)
    literal = build(m.bits, tree, {})
    models = [
        dict(zip(order, words, strict=True))
        for words in itertools.product(range(1 << width), repeat=3)
        for p, q in itertools.product((False, True), repeat=2)
        if build(Integers(), tree, dict(zip(order, words, strict=True)) | {"p": p, "q": q})
    ]
    solver = BitsSolver(m.bits)
    if not models:
        with pytest.raises(SolverError,
                           match="nothing to minimise: the conditions contradict each other"):
            minimise(solver, [literal], order)
    else:
        assert minimise(solver, [literal], order) == models[0]


@pytest.mark.parametrize("width", [8, 32, 64])
def test_no_bit_of_a_least_model_can_be_lowered(width: int) -> None:
    @settings(SETTINGS, max_examples=25)
    @given(st.data())
    def holds(data: st.DataObject) -> None:
        m = Mixed()
        trees = Trees(data, width)
        low, high = sorted((data.draw(values(width)), data.draw(values(width))))
        x = m.bits.input_word("x", width)
        m.bits.input_word("y", width)
        conditions = [
            build(m.bits, trees.boolean(), {}),
            m.bits.neg(m.bits.ult(x, m.bits.word(low, width), width)),
            m.bits.neg(m.bits.ult(m.bits.word(high, width), x, width)),
        ]
        solver = BitsSolver(m.bits)
        if isinstance(solver.check(conditions), Unsat):
            return
        model = minimise(solver, conditions, ["x", "y"])
        for number, name in enumerate(("x", "y")):
            word, value = m.bits.inputs[name], int(model[name])
            before = [bit ^ 1 ^ (int(model["x"]) >> i & 1)
                      for i, bit in enumerate(m.bits.inputs["x"])] * number
            for bit in range(width):
                if value >> bit & 1:
                    above = [word[i] ^ 1 ^ (value >> i & 1) for i in range(bit + 1, width)]
                    lowered = [*conditions, *before, *above, word[bit] ^ 1]
                    assert isinstance(solver.check(lowered), Unsat)
            fixed = [word[i] ^ 1 ^ (value >> i & 1) for i in range(width)]
            assert isinstance(solver.check([*conditions, *before, *fixed]), Sat)

    holds()
