# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything public has a docstring: modules, classes, functions, methods.

A method needs none of its own where it has the meaning of another one that has: of the method that
it overrides, or, in a class with all methods of a Protocol, of the Protocol's method.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from pages import ROOT

MODULES = sorted((ROOT / "verifier").rglob("*.py"))


class Class:
    """A class as its text says: its methods, and whether they have docstrings."""

    def __init__(self, node: ast.ClassDef) -> None:
        self.name = node.name
        self.bases = [b.value if isinstance(b, ast.Subscript) else b for b in node.bases]
        self.own = {x.name: ast.get_docstring(x) is not None
                    for x in node.body if isinstance(x, ast.FunctionDef)}
        assigned = [n.id for x in node.body if isinstance(x, ast.Assign)
                    for t in x.targets for n in ast.walk(t) if isinstance(n, ast.Name)]
        self.has = {*self.own, *assigned}

    def base_names(self) -> list[str]:
        return [b.id if isinstance(b, ast.Name) else b.attr
                for b in self.bases if isinstance(b, (ast.Name, ast.Attribute))]


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def classes() -> dict[str, list[Class]]:
    """All classes of the package by name: a name may stand in several modules."""
    found: dict[str, list[Class]] = {}
    for path in MODULES:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(Class(node))
    return found


def inherited(one: Class) -> set[str]:
    """The methods that a base class, or a Protocol that the class has all methods of, documents."""
    found: set[str] = set()
    for name in one.base_names():
        for base in classes().get(name, ()):
            found |= {m for m, documented in base.own.items() if documented} | inherited(base)
    for protocols in classes().values():
        for protocol in protocols:
            if "Protocol" in protocol.base_names() and set(protocol.own) <= one.has:
                found |= {m for m, documented in protocol.own.items() if documented}
    return found


def missing(tree: ast.Module) -> Iterator[str]:
    """What is public, has no docstring and inherits none."""
    if ast.get_docstring(tree) is None:
        yield "the module"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            if ast.get_docstring(node) is None:
                yield node.name
            if isinstance(node, ast.ClassDef):
                one = Class(node)
                documented = inherited(one)
                yield from (f"{node.name}.{method}" for method, its in one.own.items()
                            if not its and not method.startswith("_") and method not in documented)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_everything_public_has_a_docstring(path: Path) -> None:
    assert not list(missing(parsed(path)))


PUBLIC = '''"""A module."""
class One:
    """A class."""
    def told(self): """It says."""
    def silent(self): ...
    def _private(self): ...
class Two(One):
    """Another."""
    def told(self): ...
    def own(self): ...
def function(): ...
'''


def test_what_has_none_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = ast.parse(PUBLIC)
    found = {node.name: [Class(node)] for node in tree.body if isinstance(node, ast.ClassDef)}
    monkeypatch.setattr("test_docstrings.classes", lambda: found)
    assert list(missing(tree)) == ["One.silent", "Two.own", "function"]
    assert list(missing(ast.parse("x = 1"))) == ["the module"]
