# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel tree in which some files read otherwise: what the compiler sees, and nothing on disk.

The tree is configured as it stands; clang then reads the changed files in the place of its own
(-ivfsoverlay).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from verifier.kernel.conform.helpers import LiftedBuild, known_features
from verifier.kernel.conform.lifted_library import KernelHelpers
from verifier.kernel.conform.session import level_names
from verifier.kernel.replay.native import Native, native_code
from verifier.kernel.replay.replayer import Replayer
from verifier.kernel.tree.builds import build_for, load_builds
from verifier.kernel.tree.compile import Compiled, compile_build
from verifier.kernel.tree.configure import configure
from verifier.kernel.tree.shapes import load_shapes
from verifier.kernel.tree.toolchain import find_toolchain
from verifier.kernel.tree.tree import open_tree
from verifier.model.arch import Layout

__all__ = ["ChangedTree", "edited"]


def edited(tree: Path, edits: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Files of the tree with one text in the place of another, which stands there once."""
    found = {}
    for name, (old, new) in edits.items():
        text = (tree / name).read_text()
        assert text.count(old) == 1, f"{name} is written in another way now"
        found[name] = text.replace(old, new)
    return found


class ChangedTree:
    """The kernel's helpers of one variant, compiled from a tree with changed files; `files`: path
    in the tree -> text.
    """

    def __init__(self, tree: Path, layout: Layout, files: Mapping[str, str], folder: Path) -> None:
        self.path, self.layout, self.folder = tree, layout, folder
        opened = open_tree(tree)
        build = build_for(load_builds(), layout.variant.name)
        assert build is not None
        configured = configure(opened, build, find_toolchain())
        roots = []
        for number, (name, text) in enumerate(files.items()):
            file = folder / f"{number}.txt"
            file.write_text(text)
            at = opened.path / name
            contents = [{"name": at.name, "type": "file", "external-contents": str(file)}]
            roots.append({"name": str(at.parent), "type": "directory", "contents": contents})
        overlay = folder / "overlay.yaml"
        overlay.write_text(
            json.dumps(
                {
                    "version": 0,
                    "case-sensitive": "true",
                    "use-external-names": "false",
                    "roots": roots,
                }
            )
        )
        what = hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()
        command = (*configured.command, "-ivfsoverlay", str(overlay))
        changed = replace(
            configured,
            key=f"changed-{what[:16]}",
            rests_on=(*configured.rests_on, what),
            command=command,
        )
        self.compiled: Compiled = compile_build(changed, load_shapes(), folder)
        self.library = LiftedBuild(self.compiled, load_shapes())

    def helpers(self) -> KernelHelpers:
        """What `--helpers kernel` substitutes."""
        return KernelHelpers({self.layout.variant.name: self.library}, "changed", level_names())

    def replayer(self, tree: Path, cache: Path | None = None) -> Replayer:
        """What replays counterexamples, on machine code where this computer runs it."""
        made = _Replayer(tree, cache)
        made.changed = self
        return made


class _Replayer(Replayer):
    changed: ChangedTree

    def _open(self, layout: Layout) -> tuple[LiftedBuild, Native | None]:
        changed, variant = self.changed, layout.variant.name
        assert variant == changed.layout.variant.name
        if variant not in self._natives:
            self._natives[variant] = None
            if changed.compiled.configured.build.kernel == "x86":
                folder = native_code(changed.compiled, changed.library, changed.folder)
                self._natives[variant] = Native(
                    folder,
                    changed.library,
                    known_features(changed.library, layout.variant.features),
                )
        return changed.library, self._natives[variant]
