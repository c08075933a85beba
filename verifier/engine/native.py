# SPDX-License-Identifier: GPL-2.0-or-later
"""The graph in C where it was compiled, else the one in Python: both give the same numbers."""

from __future__ import annotations

from functools import cache
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import cast

from verifier.base.compiled import compiled
from verifier.engine.graph import Graph

__all__ = ["SOURCE", "core", "load", "new_graph"]

SOURCE = Path(__file__).with_name("_graph.c")


def new_graph() -> Graph:
    """An empty graph: the native one has all methods of the other, and does not inherit from it."""
    native = _native()
    return Graph() if native is None else cast(Graph, native.Graph())


def core() -> str:
    """The words for the graph that new_graph() gives."""
    return "Python core" if _native() is None else "native core"


@cache
def _native() -> ModuleType | None:
    found = compiled(SOURCE)
    try:
        return None if found is None else load(found)
    except ImportError:  # of another kind of processor, or damaged
        return None


def load(path: Path) -> ModuleType:
    """The compiled module in that file; ImportError where it cannot be loaded."""
    name = "verifier.engine._graph"
    loader = ExtensionFileLoader(name, str(path))
    module = loader.create_module(ModuleSpec(name, loader, origin=str(path)))
    loader.exec_module(module)
    return module
