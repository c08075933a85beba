# SPDX-License-Identifier: GPL-2.0-or-later
"""Ways through a program, and how two are merged where they meet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from verifier.language.algebra import B, W
from verifier.language.machine import Frame, Key, Machine
from verifier.language.syntax import INDEX
from verifier.language.values import Value, picked

__all__ = ["Reached", "join", "join_values", "merge"]

K = TypeVar("K", str, Key)  # what a value is kept under: a local or a state variable


@dataclass(slots=True)
class Reached(Generic[B]):
    """The state that one way through a program has reached."""

    state: dict[Key, Value]
    values: dict[str, Value]
    returned: B | None
    result: Value


def merge(m: Machine[W, B], test: B, then: Value, orelse: Value, kind: int) -> Value:
    """`then` where the test holds, else `orelse`; None stands for no value, which is never read."""
    if then is orelse or orelse is None or kind == INDEX:
        return then
    if then is None:
        return orelse
    return picked(m.alg, test, then, orelse, kind)


def join(
    m: Machine[W, B], frame: Frame[W, B], test: B, then: Reached[B], orelse: Reached[B]
) -> None:
    """Merge two ways: `then` where the test holds, else `orelse`."""
    m.state = join_values(m, test, then.state, orelse.state, m.kinds)
    frame.values = join_values(m, test, then.values, orelse.values, frame.function.kinds)
    if then.returned is None and orelse.returned is None:
        return
    # None means "on no way so far": code without a return builds no terms for it.
    no = m.alg.truth(False)
    left = no if then.returned is None else then.returned
    right = no if orelse.returned is None else orelse.returned
    frame.returned = m.alg.choose(test, left, right)
    if m.alg.known(frame.returned) is False:
        frame.returned = None
    frame.result = merge(m, test, then.result, orelse.result, frame.function.returns)


def join_values(
    m: Machine[W, B], test: B, then: dict[K, Value], orelse: dict[K, Value], kinds: dict[str, int]
) -> dict[K, Value]:
    """The values of two ways by what they are kept under, merged where they differ."""
    # Most values are the same object on both ways, and need no term.
    joined = dict(orelse)
    for key, value in then.items():
        other = joined.get(key)
        if other is not value:
            joined[key] = merge(m, test, value, other,
                                kinds[key if isinstance(key, str) else key[0]])
    return joined
