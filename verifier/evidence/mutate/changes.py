# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes to one node of a syntax tree, by which mistakes are made."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable
from typing import Any

__all__ = ["Change", "become", "drop", "invert", "put", "rename", "set_argument", "set_part",
           "swap", "without", "wrap"]

Change = Callable[[Any], None]


def _statements(lines: str) -> list[ast.stmt]:
    return ast.parse(lines).body


def drop(part: str, number: int) -> Change:
    """A statement of a body is left out."""
    return lambda node: getattr(node, part).pop(number)


def put(part: str, number: int, lines: str) -> Change:
    """Other lines stand in the place of a statement of a body."""
    def change(node: Any) -> None:
        getattr(node, part)[number:number + 1] = _statements(lines)

    return change


def swap(part: str, i: int, j: int) -> Change:
    """Two statements of a body change places."""
    def change(node: Any) -> None:
        body = getattr(node, part)
        body[i], body[j] = body[j], body[i]

    return change


def set_part(name: str, value: ast.AST) -> Change:
    """A part of the node is another one."""
    return lambda node: setattr(node, name, copy.deepcopy(value))


def become(other: ast.AST) -> Change:
    """The node turns into another one, in its place."""
    def change(node: Any) -> None:
        new = copy.deepcopy(other)
        node.__class__ = new.__class__
        node.__dict__.clear()
        node.__dict__.update(new.__dict__)

    return change


def rename(name: str) -> Change:
    """Another function is called."""
    return lambda node: setattr(node, "func", ast.Name(name, ast.Load()))


def set_argument(number: int, value: bool) -> Change:
    """An argument of a call is a constant."""
    def change(node: Any) -> None:
        node.args[number] = ast.Constant(value)

    return change


def wrap(number: int, mark: str) -> Change:
    """An argument of a call is marked."""
    def change(node: Any) -> None:
        node.args[number] = ast.Call(ast.Name(mark, ast.Load()), [node.args[number]], [])

    return change


def invert(node: Any) -> None:
    """A condition is its opposite."""
    node.test = ast.UnaryOp(ast.Not(), node.test)


def without(number: int) -> Change:
    """A part of a condition is left out."""
    def change(node: Any) -> None:
        node.values.pop(number)
        if len(node.values) == 1:
            become(node.values[0])(node)

    return change
