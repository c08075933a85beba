# SPDX-License-Identifier: GPL-2.0-or-later
"""Random expressions that any algebra can build: a tree is drawn once and read by each."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from hypothesis import strategies as st

from verifier.language.algebra import Algebra, Integers

WIDTHS = (1, 7, 8, 32, 64)
BINARY = ("band", "bor", "bxor", "add", "sub", "shl", "lshr", "ashr")
COMPARE = ("eq", "ult", "slt")
WORDS, TRUTHS = ("x", "y", "z"), ("p", "q")
Tree = tuple[Any, ...]
Values = dict[str, int | bool]


@cache
def words(width: int, depth: int) -> st.SearchStrategy[Tree]:
    """Trees of a word."""
    leaf = st.one_of(
        st.sampled_from(WORDS).map(lambda name: ("input", name)),
        numbers(width).map(lambda value: ("word", value)),
    )
    if depth == 0:
        return leaf
    one, bool_ = st.deferred(lambda: words(width, depth - 1)), st.deferred(
        lambda: truths(width, depth - 1)
    )
    return st.one_of(
        leaf,
        st.tuples(st.sampled_from(BINARY), one, one),
        st.tuples(st.just("bnot"), one),
        st.tuples(st.just("ite"), bool_, one, one),
        st.tuples(st.sampled_from(("zext", "sext")), st.integers(1, width), one),
        st.tuples(st.just("halves"), st.integers(0, width), one, one),
    )


@cache
def truths(width: int, depth: int) -> st.SearchStrategy[Tree]:
    """Trees of a boolean."""
    leaf = st.one_of(
        st.sampled_from(TRUTHS).map(lambda name: ("flag", name)),
        st.booleans().map(lambda value: ("truth", value))
    )
    if depth == 0:
        return leaf
    one, word = st.deferred(lambda: truths(width, depth - 1)), st.deferred(
        lambda: words(width, depth - 1)
    )
    return st.one_of(
        leaf,
        st.tuples(st.sampled_from(COMPARE), word, word),
        st.tuples(st.sampled_from(("all", "any", "choose")), one, one, one),
        st.tuples(st.just("same"), one, one),
        st.tuples(st.just("neg"), one),
    )


@cache
def numbers(width: int) -> st.SearchStrategy[int]:
    """Values of a word, small ones and amounts of shifts more often."""
    top = (1 << width) - 1
    return st.one_of(st.integers(0, top), st.integers(0, min(top, 2 * width)), st.just(top))


@cache
def values(width: int) -> st.SearchStrategy[Values]:
    """A value for each input."""
    fixed: dict[str, st.SearchStrategy[Any]] = {name: numbers(width) for name in WORDS}
    return st.fixed_dictionaries({**fixed, **dict.fromkeys(TRUTHS, st.booleans())})


def build(alg: Algebra[Any, Any], tree: Tree, width: int, read: Callable[[str, int], Any]) -> Any:
    """The tree in an algebra; `read` gives the input of a name and width, 0 for a boolean."""
    op, *rest = tree
    if op == "input":
        return read(rest[0], width)
    if op == "flag":
        return read(rest[0], 0)
    if op == "word":
        return alg.word(rest[0], width)
    if op == "truth":
        return alg.truth(rest[0])
    if op in ("zext", "sext"):
        return getattr(alg, op)(alg.extract(build(alg, rest[1], width, read), 0, rest[0]), rest[0],
                                width)
    if op == "halves":
        high, low = build(alg, rest[1], width, read), build(alg, rest[2], width, read)
        if not 0 < rest[0] < width:
            return high
        cut = rest[0]
        return alg.concat(alg.extract(high, cut, width - cut), alg.extract(low, width - cut, cut),
                          width - cut, cut)
    args = [build(alg, arg, width, read) for arg in rest]
    if op in ("all", "any", "choose", "same", "neg"):
        return getattr(alg, op)(*args)
    return getattr(alg, op)(*args, width)


def plain(tree: Tree, width: int, given: Values) -> Any:
    """The tree's value."""
    return build(Integers(), tree, width, lambda name, _: given[name])


def reader(alg: Any) -> Callable[[str, int], Any]:
    """Free inputs of an algebra that has them."""
    return lambda name, width: alg.input_word(name, width) if width else alg.input_bool(name)
