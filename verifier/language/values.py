# SPDX-License-Identifier: GPL-2.0-or-later
"""The values of expressions over an algebra: words, booleans, and indices, which are known numbers.

The type of an expression (verifier.language.syntax) says which of the three its value is. Texts are
typed before they run, and mypy knows nothing of that. So states, arguments and locals hold a Value,
which no operation of an algebra takes. The functions here make a word or a boolean of it where the
type is known.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, cast

from verifier.language.algebra import Algebra, B, W
from verifier.language.syntax import BOOL

__all__ = ["Fresh", "Value", "as_truth", "as_word", "equal", "picked"]

Value: TypeAlias = object
Fresh: TypeAlias = Callable[[str, int], Value]  # the name and the type of an input -> its value


def as_word(alg: Algebra[W, B], value: Value) -> W:
    """A value whose type is a word, as a word of this algebra. Nothing is checked."""
    return cast(W, value)


def as_truth(alg: Algebra[W, B], value: Value) -> B:
    """A value whose type is BOOL, as a boolean of this algebra. Nothing is checked."""
    return cast(B, value)


def equal(alg: Algebra[W, B], one: Value, two: Value, kind: int) -> B:
    """The condition that two values of a type are the same: BOOL, or a width in bits."""
    if kind == BOOL:
        return alg.same(cast(B, one), cast(B, two))
    return alg.eq(cast(W, one), cast(W, two), kind)


def picked(alg: Algebra[W, B], test: B, then: Value, orelse: Value, kind: int) -> Value:
    """Of two values of this type, the first where the test holds, else the second.

    The type is BOOL or a width in bits.
    """
    if kind == BOOL:
        return alg.choose(test, cast(B, then), cast(B, orelse))
    return alg.ite(test, cast(W, then), cast(W, orelse), kind)
