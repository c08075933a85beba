# SPDX-License-Identifier: GPL-2.0-or-later
"""The bit graph means what plain integers mean, and folds what it should fold."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trees import COMPARE, WIDTHS, build, numbers, plain, reader, truths, values, words

from verifier.engine.bits import FALSE, TRUE, Bits, Word
from verifier.language.algebra import Integers

TOGETHER = (*COMPARE, "band", "bor", "bxor", "add", "sub", "mul", "shl", "lshr", "ashr")


def number(graph: Bits, word: Word, given: dict[str, int | bool]) -> int:
    return sum(bit << i for i, bit in enumerate(graph.evaluate(word.bits, given)))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("op", TOGETHER)
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_an_operation_agrees_with_integers(op: str, width: int, data: st.DataObject) -> None:
    graph, x, y = Bits(), data.draw(numbers(width)), data.draw(numbers(width))
    free = getattr(graph, op)(graph.input_word("x", width), graph.input_word("y", width), width)
    half = getattr(graph, op)(graph.input_word("x", width), graph.word(y, width), width)
    fixed = getattr(graph, op)(graph.word(x, width), graph.word(y, width), width)
    expected = getattr(Integers(), op)(x, y, width)
    for result in (free, half, fixed):
        if op in COMPARE:
            assert graph.evaluate([result], {"x": x, "y": y}) == [expected]
        else:
            assert number(graph, result, {"x": x, "y": y}) == expected
    assert fixed == int(expected) if op in COMPARE else set(fixed.bits) <= {FALSE, TRUE}


@pytest.mark.parametrize("width", WIDTHS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_an_expression_agrees_with_integers(width: int, data: st.DataObject) -> None:
    word, truth, given = data.draw(words(width, 3)), data.draw(truths(width, 3)), data.draw(
        values(width)
    )
    graph = Bits()
    assert (
        number(graph, build(graph, word, width, reader(graph)), given) == plain(word, width, given)
    )
    assert (graph.evaluate([build(graph, truth, width, reader(graph))],
                           given) == [plain(truth, width, given)])


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_equality_of_choices_is_a_choice_of_equalities(data: st.DataObject) -> None:
    """What eq() makes of words that are masked, flipped and chosen holds just where the words are
    equal.
    """
    graph, alg, width = Bits(), Integers(), 16
    given: dict[str, int | bool] = {f"w{i}": data.draw(numbers(width)) for i in range(3)}
    given |= {f"b{i}": data.draw(st.booleans()) for i in range(4)}
    free = [(graph.input_word(f"w{i}", width), int(given[f"w{i}"])) for i in range(3)]
    flags = [(graph.input_bool(f"b{i}"), bool(given[f"b{i}"])) for i in range(4)]
    free += [(graph.word(k, width), k) for k in (0, 0xFF0, data.draw(numbers(width)))]
    for _ in range(6):
        (a, i), (b, j) = data.draw(st.sampled_from(free)), data.draw(st.sampled_from(free))
        c, k = data.draw(st.sampled_from([*flags, (a.bits[3], bool(i >> 3 & 1))]))
        op = data.draw(st.sampled_from(("ite", "ite", "band", "bxor")))
        if op == "ite":
            free.append((graph.ite(c, a, b, width), alg.ite(k, i, j, width)))
        else:
            free.append((getattr(graph, op)(a, b, width), getattr(alg, op)(i, j, width)))
    for (a, i), (b, j) in itertools.combinations(free[3:], 2):
        assert graph.evaluate([graph.eq(a, b, width)], given) == [i == j]


@pytest.mark.parametrize("first", ["flag", "word"])
@settings(max_examples=20, deadline=None)
@given(x=numbers(16), y=numbers(16), mask=st.sampled_from((0xFFFF, 0x0FF0)), flag=st.booleans())
def test_equality_of_flipped_words(first: str, x: int, y: int, mask: int, flag: bool) -> None:
    """A condition that flips a word, as x86 does with the frame of an entry that is not present, is
    split on too.
    """
    graph = Bits()
    if first == "flag":
        graph.input_bool("flag")
    free, other, bit = graph.input_word("x",
                                        16), graph.input_word("y", 16), graph.input_bool("flag")
    flips = graph.ite(bit, graph.word(mask, 16), graph.word(0, 16), 16)
    flipped = graph.bxor(free, flips, 16)
    targets = [(other, value) for value in (x, y, x ^ mask, x ^ 0xFFFF)]
    targets += [(graph.word(value, 16), value) for _, value in targets]
    for target, value in targets:
        result = graph.eq(flipped, target, 16)
        given: dict[str, int | bool] = {"x": x, "y": value, "flag": flag}
        assert graph.evaluate([result], given) == [(x ^ mask if flag else x) == value]
        result = graph.eq(graph.bnot(flipped, 16), target, 16)
        assert graph.evaluate([result], given) == [(x ^ mask if flag else x) ^ 0xFFFF == value]
    both = graph.bxor(free, graph.word(mask, 16), 16)
    expected = graph.mux(bit, graph.eq(both, other, 16), graph.eq(free, other, 16))
    assert graph.eq(flipped, other, 16) == expected


def test_gates_over_all_values_of_four_inputs() -> None:
    """Every gate of gates, folded or not, and every choice that mux_of() recognises, has the right
    truth table.
    """
    graph = Bits()
    rows = [
        dict(zip("abcd", bits, strict=True)) for bits in itertools.product((False, True), repeat=4)
    ]

    def table(literal: int) -> tuple[bool, ...]:
        return tuple(graph.evaluate([literal], row)[0] for row in rows)

    pool = [FALSE, TRUE, *(graph.input_bool(name) ^ flip for name in "abcd" for flip in (0, 1))]
    pool += [graph.conj(x, y) ^ flip for x, y in itertools.combinations(pool[2:], 2)
             for flip in (0, 1)][::3]
    tables = {literal: table(literal) for literal in pool}
    for x, y in itertools.product(pool, pool[::2]):
        both, parity = table(graph.conj(x, y)), table(graph.xor(x, y))
        assert both == tuple(p and q for p, q in zip(tables[x], tables[y], strict=True))
        assert parity == tuple(p != q for p, q in zip(tables[x], tables[y], strict=True))
    choices = 0
    for node in range(1, len(graph.nodes)):
        choice = graph.nodes.mux_of(node)
        if choice is not None:
            rows_of = zip(*map(table, choice), strict=True)
            assert table(2 * node) == tuple(yes if chosen else no for chosen, yes, no in rows_of)
            choices += 1
    assert choices > 10


def test_what_folds() -> None:
    graph = Bits()
    a, b, c = (graph.input_bool(name) for name in "abc")
    assert graph.conj(a, a ^ 1) == FALSE
    assert graph.conj(a, graph.conj(a, b)) == graph.conj(a, b)
    assert graph.conj(a ^ 1, graph.conj(a, b)) == FALSE
    assert graph.conj(a, graph.conj(a ^ 1, b) ^ 1) == a
    assert graph.conj(a, graph.conj(a, b) ^ 1) == graph.conj(a, b ^ 1)
    assert graph.xor(a, a ^ 1) == TRUE
    assert graph.xor(a ^ 1, b) == graph.xor(a, b) ^ 1
    assert graph.mux(c, a, a) == a
    assert graph.mux(c, TRUE, FALSE) == c
    assert graph.known(graph.all(a, TRUE)) is None
    x, y = graph.input_word("x", 64), graph.input_word("y", 64)
    assert graph.band(x, y, 64) is graph.band(x, y, 64)
    assert graph.eq(x, y, 64) == graph.eq(y, x, 64)
    assert graph.eq(graph.ite(c, x, y, 64), graph.ite(c, x, y, 64), 64) == TRUE


def test_conjunctions_that_are_taken_apart_contradict() -> None:
    graph = Bits()
    a, b, c = (graph.input_bool(name) for name in "abc")
    both = graph.all(a, b, c ^ 1)
    contradict = graph.nodes.contradict
    assert (not contradict([both, TRUE]) and not contradict([both, graph.disj(a, c)])
            and not contradict([]))
    for part in (a, b, c ^ 1):
        assert contradict([both, part ^ 1]) and not contradict([both, part])
    assert contradict([graph.conj(a, b), graph.conj(a, b) ^ 1])
    assert contradict([a, b, graph.conj(a, b) ^ 1])
    assert contradict([FALSE]) and contradict([TRUE, FALSE])


def test_inputs_and_support() -> None:
    graph = Bits()
    x, flag = graph.input_word("x", 8), graph.input_bool("flag")
    assert graph.input_word("x", 8) is x
    assert graph.input_bool("flag") == flag
    low = graph.eq(graph.extract(x, 0, 2), graph.word(3, 2), 2)
    assert graph.support([low]) == {"x"}
    assert graph.support([graph.any(low, flag), TRUE]) == {"x", "flag"}
    assert graph.support([TRUE]) == set()
    assert graph.nodes.sides(low >> 1) == x.bits[:2]
    assert graph.nodes.sides(x.bits[0] >> 1)[0] < 0 and graph.input_of[x.bits[1] >> 1] == ("x", 1)
