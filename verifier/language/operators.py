# SPDX-License-Identifier: GPL-2.0-or-later
"""What operators do: the values of expressions that call nothing, over an algebra.

Operands may call: their rules are looked up in the same tables, which evaluate.py completes.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import cast

from verifier.language.algebra import B, W
from verifier.language.joining import merge
from verifier.language.machine import Frame, Key, Machine, of_page
from verifier.language.rules import IndexRule, TruthRule, WordRule, row
from verifier.language.syntax import (
    BOOL,
    INDEX,
    Binary,
    Compare,
    Const,
    Convert,
    IfExp,
    Local,
    Logic,
    Not,
    State,
)
from verifier.language.values import Value

__all__ = ["INDICES", "TRUTHS", "VALUES", "WORDS", "key_of"]


def _const(m: Machine[W, B], frame: Frame[W, B], node: Const) -> Value:
    if node.type == BOOL:
        return m.alg.truth(bool(node.value))
    return node.value if node.type == INDEX else m.alg.word(node.value, node.type)


def _local(m: Machine[W, B], frame: Frame[W, B], node: Local) -> Value:
    return frame.values[node.name]


def key_of(m: Machine[W, B], frame: Frame[W, B], node: State) -> Key:
    """What a state variable is kept under in the machine, its process and page evaluated."""
    name = node.name
    if node.page is not None:
        name = of_page(name, INDICES[type(node.page)](m, frame, node.page))
    return name if node.index is None else (name, INDICES[type(node.index)](m, frame, node.index))


def _state(m: Machine[W, B], frame: Frame[W, B], node: State) -> Value:
    return m.state[key_of(m, frame, node)]


def _not(m: Machine[W, B], frame: Frame[W, B], node: Not) -> Value:
    if node.type == BOOL:
        return m.alg.neg(TRUTHS[type(node.value)](m, frame, node.value))
    return m.alg.bnot(WORDS[type(node.value)](m, frame, node.value), node.type)


def _binary(m: Machine[W, B], frame: Frame[W, B], node: Binary) -> Value:
    if node.type == INDEX:
        one = INDICES[type(node.left)](m, frame, node.left)
        two = INDICES[type(node.right)](m, frame, node.right)
        return one + two if node.op == "add" else one - two
    left = WORDS[type(node.left)](m, frame, node.left)
    right = WORDS[type(node.right)](m, frame, node.right)
    operation: Callable[[W, W, int], W] = getattr(m.alg, node.op)
    return operation(left, right, node.type)

# the order of indices, by Compare.op
_ORDERS: dict[str, Callable[[int, int], bool]] = {
    "eq": operator.eq, "ne": operator.ne, "ult": operator.lt, "ule": operator.le,
}


def _compare(m: Machine[W, B], frame: Frame[W, B], node: Compare) -> B:
    alg, of = m.alg, node.of
    if of == INDEX:
        one = INDICES[type(node.left)](m, frame, node.left)
        two = INDICES[type(node.right)](m, frame, node.right)
        return alg.truth(_ORDERS[node.op](one, two))
    if of == BOOL:
        equal = alg.same(TRUTHS[type(node.left)](m, frame, node.left),
                         TRUTHS[type(node.right)](m, frame, node.right))
        return equal if node.op == "eq" else alg.neg(equal)
    left = WORDS[type(node.left)](m, frame, node.left)
    right = WORDS[type(node.right)](m, frame, node.right)
    if node.op == "ult":
        return alg.ult(left, right, of)
    if node.op == "ule":
        return alg.neg(alg.ult(right, left, of))
    equal = alg.eq(left, right, of)
    return equal if node.op == "eq" else alg.neg(equal)


def _logic(m: Machine[W, B], frame: Frame[W, B], node: Logic) -> B:
    """`and` and `or`; operands behind a known answer are not evaluated."""
    stop = node.op == "any"
    values = []
    for value_node in node.values:
        value = TRUTHS[type(value_node)](m, frame, value_node)
        known = m.alg.known(value)
        if known is stop:
            return value
        if known is None:
            values.append(value)
    return m.alg.any(*values) if stop else m.alg.all(*values)


def _ifexp(m: Machine[W, B], frame: Frame[W, B], node: IfExp) -> Value:
    test = TRUTHS[type(node.test)](m, frame, node.test)
    known = m.alg.known(test)
    if known is not None:
        chosen = node.then if known else node.orelse
        return VALUES[type(chosen)](m, frame, chosen)
    # Both sides may be evaluated: the typer refuses one that changes anything (`calm`).
    then = VALUES[type(node.then)](m, frame, node.then)
    orelse = VALUES[type(node.orelse)](m, frame, node.orelse)
    return merge(m, test, then, orelse, node.type)


def _convert(m: Machine[W, B], frame: Frame[W, B], node: Convert) -> W:
    alg, width, of = m.alg, node.type, node.value.type
    if of == INDEX:
        return alg.word(INDICES[type(node.value)](m, frame, node.value), width)
    if of == BOOL:
        test = TRUTHS[type(node.value)](m, frame, node.value)
        return alg.ite(test, alg.word(1, width), alg.word(0, width), width)
    value = WORDS[type(node.value)](m, frame, node.value)
    return (alg.zext(value, of, width) if of < width else alg.extract(value, 0, width) if of > width
            else value)

# A table by class: a chain of tests would be tried anew at every node. A node's type says which of
# the four names it is looked up under: they are one table, and only mypy sees them differ.
# verifier.language.evaluate adds calls and observations, which it alone can walk.
VALUES = dict([
    row(Const, _const), row(Local, _local), row(State, _state), row(Not, _not),
    row(Binary, _binary), row(Compare, _compare), row(Logic, _logic), row(IfExp, _ifexp),
    row(Convert, _convert),
])
WORDS = cast("dict[type, WordRule]", VALUES)

TRUTHS = cast("dict[type, TruthRule]", VALUES)

INDICES = cast("dict[type, IndexRule]", VALUES)
