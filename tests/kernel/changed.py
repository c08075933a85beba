# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel tree in which some files read otherwise: what the compiler sees, and nothing on disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from verifier.kernel.conform.helpers import LiftedBuild
from verifier.kernel.conform.lifted_library import KernelHelpers
from verifier.kernel.conform.session import level_names
from verifier.kernel.replay.replayer import Replayer
from verifier.kernel.tree.builds import build_for, load_builds
from verifier.kernel.tree.compile import compile_build
from verifier.kernel.tree.configure import configure, patched
from verifier.kernel.tree.overlay import Overlay, overlay_of
from verifier.kernel.tree.shapes import load_shapes
from verifier.kernel.tree.toolchain import find_toolchain
from verifier.kernel.tree.tree import open_tree
from verifier.model.arch import Layout

__all__ = ["ChangedTree", "changed_tree", "edited"]


def edited(tree: Path, edits: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Files of the tree with one text in the place of another, which stands there once."""
    found = {}
    for name, (old, new) in edits.items():
        text = (tree / name).read_text()
        assert text.count(old) == 1, f"{name} is written in another way now"
        found[name] = text.replace(old, new)
    return found


@dataclass(frozen=True)
class ChangedTree:
    """The kernel's helpers of one variant, compiled from a tree with changed files."""

    layout: Layout
    overlay: Overlay
    library: LiftedBuild

    def helpers(self) -> KernelHelpers:
        """What `--helpers kernel` substitutes."""
        return KernelHelpers({self.layout.variant.name: self.library}, "changed", level_names())

    def replayer(self, tree: Path, cache: Path | None = None) -> Replayer:
        """What replays counterexamples, on machine code where this computer runs it."""
        return Replayer(tree, cache, self.overlay)


@contextmanager
def changed_tree(tree: Path, layout: Layout, files: Mapping[str, str]) -> Iterator[ChangedTree]:
    """A tree in which these files (path in the tree -> text) read otherwise."""
    build, shapes = build_for(load_builds(), layout.variant.name), load_shapes()
    assert build is not None
    configured = configure(open_tree(tree), build, find_toolchain())
    with overlay_of(tree, {name: text.encode() for name, text in files.items()}) as overlay:
        compiled = compile_build(patched(configured, overlay), shapes)
        yield ChangedTree(layout, overlay, LiftedBuild(compiled, shapes))
