# SPDX-License-Identifier: GPL-2.0-or-later
"""z3 terms mean what plain integers mean; constants fold without z3."""

from __future__ import annotations

from typing import Any

import pytest
import z3
from hypothesis import given, settings
from hypothesis import strategies as st
from trees import COMPARE, WIDTHS, Values, build, numbers, plain, reader, truths, values, words

from verifier.engine.terms import Terms
from verifier.language.algebra import Integers

TOGETHER = (*COMPARE, "band", "bor", "bxor", "add", "sub", "mul", "shl", "lshr", "ashr")


def value(terms: Terms, term: Any, given: Values) -> Any:
    """The term's value, computed by z3."""
    pairs: list[tuple[z3.ExprRef, z3.ExprRef]] = [
        (free, z3.BitVecVal(int(given[name]), free.size())) for name, free in terms.words.items()
    ]
    pairs += [(free, z3.BoolVal(bool(given[name]))) for name, free in terms.bools.items()]
    result = z3.simplify(z3.substitute(term, *pairs)) if pairs else z3.simplify(term)
    return z3.is_true(result) if z3.is_bool(result) else result.as_long()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("op", TOGETHER)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_an_operation_agrees_with_integers(op: str, width: int, data: st.DataObject) -> None:
    terms, x, y = Terms(), data.draw(numbers(width)), data.draw(numbers(width))
    a, b = terms.input_word("x", width), terms.input_word("y", width)
    j, k = terms.word(x, width), terms.word(y, width)
    expected = getattr(Integers(), op)(x, y, width)
    for one, other in ((a, b), (a, k), (j, b), (j, k)):
        assert value(terms, getattr(terms, op)(one, other, width), {"x": x, "y": y}) == expected
    folded = getattr(terms, op)(j, k, width)
    assert (
        terms.known(folded) is expected if op in COMPARE else folded is terms.word(expected, width)
    )


@pytest.mark.parametrize("width", WIDTHS)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_an_expression_agrees_with_integers(width: int, data: st.DataObject) -> None:
    word, truth, given = data.draw(words(width, 3)), data.draw(truths(width, 3)), data.draw(
        values(width)
    )
    terms = Terms()
    assert (
        value(terms, build(terms, word, width, reader(terms)), given) == plain(word, width, given)
    )
    assert (
        value(terms, build(terms, truth, width, reader(terms)), given) == plain(truth, width, given)
    )


@settings(max_examples=60, deadline=None)
@given(x=numbers(16), shift=st.integers(1, 15), low=st.integers(0, 15), width=st.integers(1, 16))
def test_a_part_of_what_was_shifted_is_a_part(x: int, shift: int, low: int, width: int) -> None:
    width = min(width, 16 - low)
    terms = Terms()
    whole = terms.input_word("x", 16)
    part = terms.extract(terms.lshr(whole, terms.word(shift, 16), 16), low, width)
    assert value(terms, part, {"x": x}) == (x >> shift >> low) & ((1 << width) - 1)
    if shift + low + width <= 16:
        assert terms.known(terms.eq(part, terms.extract(whole, shift + low, width), width)) is True


def test_what_is_known() -> None:
    terms = Terms()
    x, p = terms.input_word("x", 8), terms.input_bool("p")
    no, yes = terms.truth(False), terms.truth(True)
    assert terms.input_word("x", 8) is x
    assert terms.known(p) is None
    assert terms.known(terms.all(p, no)) is False
    assert terms.known(terms.any(p, yes)) is True
    assert terms.all(yes, p) is p
    assert terms.known(terms.all()) is True
    assert terms.known(terms.any()) is False
    assert terms.known(terms.same(p, p)) is True
    assert terms.same(p, yes) is p
    assert terms.known(terms.eq(x, x, 8)) is True
    assert terms.known(terms.ult(x, x, 8)) is False
    assert terms.known(terms.eq(terms.band(x, terms.word(0, 8), 8), terms.word(0, 8), 8)) is True
    assert terms.ite(yes, x, terms.word(1, 8), 8) is x
    assert terms.choose(no, p, yes) is yes
    assert terms.band(x, terms.word(0xFF, 8), 8) is x
