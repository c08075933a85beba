# SPDX-License-Identifier: GPL-2.0-or-later
"""A text of the small language with one mistake: every way to make one, from its syntax alone."""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["variations"]

Change = Callable[[Any], Any]

_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitOr, ast.LShift: ast.RShift,
    ast.RShift: ast.LShift, ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add,
}
_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
}


def variations(text: str) -> Iterator[tuple[str, str]]:
    """Each mistake of a text: what was done, and the new text.

    Each differs from the others and from the text, in words and in meaning. Statements are dropped.
    Conditions are made true, and false. Operators and comparisons are exchanged with their nearest
    relatives. A complement or negation is dropped. A number becomes one more.

    >>> [new for _, new in variations("pte | 1")]
    ['pte & 1', 'pte | 2']
    """
    tree = ast.parse(text)
    seen = {ast.unparse(tree)}
    said: Counter[str] = Counter()
    for what, place, change in [*_of_statements(tree), *_of_expressions(tree)]:
        changed = copy.deepcopy(tree)
        node = list(ast.walk(changed))[place]
        change(node)
        ast.fix_missing_locations(changed)
        new = ast.unparse(_filled(changed))
        if new not in seen:
            seen.add(new)
            said[what] += 1
            yield what if said[what] == 1 else f"{what} ({said[what]})", new


def _filled(tree: ast.AST) -> ast.AST:
    """Bodies that have become empty get a pass."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.If, ast.For, ast.Module)) and not node.body:
            node.body = [ast.Pass()]
    return tree


def _of_statements(tree: ast.Module) -> Iterator[tuple[str, int, Change]]:
    for place, node in enumerate(ast.walk(tree)):
        for part in ("body", "orelse"):
            body = getattr(node, part, None)
            if not isinstance(body, list):
                continue
            for number, stmt in enumerate(body):
                value = isinstance(stmt, ast.Expr) and not isinstance(stmt.value, ast.Call)
                if value or isinstance(stmt, (ast.Pass, ast.Return)):
                    continue
                yield f"drop `{_short(stmt)}`", place, _drop(part, number)


def _of_expressions(tree: ast.Module) -> Iterator[tuple[str, int, Change]]:
    for place, node in enumerate(ast.walk(tree)):
        shown = f"`{_short(node)}`" if isinstance(node, (ast.expr, ast.If)) else ""
        match node:
            case ast.If() | ast.IfExp():
                for value in (True, False):
                    yield f"`{_short(node.test)}` is {value}", place, _set(
                        "test", ast.Constant(value)
                    )
            case ast.BinOp() if type(node.op) in _OPERATORS:
                yield f"another operator in {shown}", place, _set("op", _OPERATORS[type(node.op)]())
            case ast.Compare() if type(node.ops[0]) in _COMPARISONS:
                yield f"another comparison in {shown}", place, _set(
                    "ops", [_COMPARISONS[type(node.ops[0])]()]
                )
            case ast.BoolOp():
                yield f"another operator in {shown}", place, _set(
                    "op", ast.Or() if isinstance(node.op, ast.And) else ast.And()
                )
            case ast.UnaryOp():
                yield f"{shown} without its operator", place, _operand
            case ast.Constant() if type(node.value) is int:
                yield f"{node.value} is {node.value + 1}", place, _set("value", node.value + 1)


def _short(node: ast.AST) -> str:
    return ast.unparse(node).split("\n")[0]


def _drop(part: str, number: int) -> Change:
    return lambda node: getattr(node, part).pop(number)


def _set(name: str, value: object) -> Change:
    return lambda node: setattr(node, name, value)


def _operand(node: Any) -> None:
    """Drop a negation or complement: the node becomes `x and x` or `x | x`, which are x."""
    operand, negates = node.operand, isinstance(node.op, ast.Not)
    node.__class__ = ast.BoolOp if negates else ast.BinOp
    if negates:
        node.op, node.values = ast.And(), [operand, operand]
    else:
        node.left, node.op, node.right = operand, ast.BitOr(), operand
