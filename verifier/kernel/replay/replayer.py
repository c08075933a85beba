# SPDX-License-Identifier: GPL-2.0-or-later
"""Replay of counterexamples in the kernel's own code: one tree, any variant, any helper, as machine
code where possible.

with Replayer(Path("linux-6.12")) as replayer:
    found = replayer.run(layout, "pte_wrprotect", {"pte": 0x8000000000000867})

The code of a patched tree runs in bubblewrap or not at all, and only where the patch has brought no
assembly: an assembler reads files that are no part of the kernel.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from verifier.base.errors import ExtractionError, UsageError
from verifier.kernel.conform.helpers import LiftedBuild, known_features
from verifier.kernel.llvm.values import NotModelled
from verifier.kernel.replay.native import MachineOutcome, Native, native_code
from verifier.kernel.replay.values import replay_native
from verifier.kernel.tree.builds import build_for, load_builds
from verifier.kernel.tree.compile import Compiled, compile_build
from verifier.kernel.tree.configure import configure, patched
from verifier.kernel.tree.jail import BUBBLEWRAP, kind
from verifier.kernel.tree.overlay import Overlay
from verifier.kernel.tree.shapes import load_shapes
from verifier.kernel.tree.toolchain import BOUNDS, find_toolchain
from verifier.kernel.tree.tree import open_tree
from verifier.model.arch import Layout

__all__ = ["Replayed", "Replayer"]

_ASSEMBLY = re.compile(r'\basm [a-z ]*"(?:[^"\\]|\\.)*"')


@dataclass(frozen=True, slots=True)
class Replayed:
    """What the kernel's code gave, or why there is nothing.

    `native` says whether it ran as machine code.
    """

    outcome: MachineOutcome | None
    native: bool
    why: str = ""


class Replayer:
    """Libraries and processes of one tree, made when they are first needed. Use it in a `with`."""

    def __init__(
        self, tree: Path, cache: Path | None = None, overlay: Overlay | None = None
    ) -> None:
        self.tree = open_tree(tree)
        self.cache = cache
        self.overlay = overlay  # files of the tree as a patch has them
        # helpers that some kernel has
        self.listed = frozenset(shape.helper for shape in load_shapes())
        self._libraries: dict[str, LiftedBuild] = {}
        self._natives: dict[str, Native | None] = {}

    def run(self, layout: Layout, helper: str, args: Mapping[str, int]) -> Replayed:
        """A helper on values, by the model's names of its parameters; entries come back under the
        same names.

        UsageError where no build stands for the variant, or a value is missing.
        """
        library, native = self._open(layout)
        if helper not in library.shapes:
            return Replayed(None, native is not None, f"this kernel has no helper {helper}")
        try:
            outcome = replay_native(native, library, layout, helper, args)
        except NotModelled as error:
            return Replayed(None, native is not None, str(error))
        return Replayed(
            outcome,
            native is not None,
            "" if outcome is not None else "behaviour is undefined or out of scope there",
        )

    def _open(self, layout: Layout) -> tuple[LiftedBuild, Native | None]:
        variant = layout.variant.name
        build = build_for(load_builds(version=self.tree.version), variant)
        if build is None:
            raise UsageError(f"no kernel build stands for variant {variant}")
        base = compiled = None
        if build.name not in self._libraries or variant not in self._natives:
            shapes = load_shapes()
            configured = configure(self.tree, build, find_toolchain(), self.cache)
            base = compiled = compile_build(configured, shapes, self.cache)
            if self.overlay is not None:
                of_patch = patched(configured, self.overlay, self.cache)
                compiled = compile_build(of_patch, shapes, self.cache)
            self._libraries.setdefault(build.name, LiftedBuild(compiled, shapes))
        library = self._libraries[build.name]
        if base is not None and compiled is not None:
            self._natives[variant] = self._native(base, compiled, library, layout)
        return library, self._natives[variant]

    def _native(
        self, base: Compiled, compiled: Compiled, library: LiftedBuild, layout: Layout
    ) -> Native | None:
        """The machine code; None where the lifted code stands in, as on another kind of computer.
        """
        features = known_features(library, layout.variant.features)
        try:
            if self.overlay is None:
                return Native(native_code(compiled, library, self.cache), library, features)
            if kind() != BUBBLEWRAP or not _assembly(compiled) <= _assembly(base):
                return None
            folder = native_code(compiled, library, self.overlay.made, bounds=BOUNDS)
            return Native(folder, library, features, narrow=True)
        except ExtractionError:
            return None

    def close(self) -> None:
        """End the processes that run machine code."""
        for native in self._natives.values():
            if native is not None:
                native.close()
        self._natives.clear()

    def __enter__(self) -> Replayer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _assembly(compiled: Compiled) -> set[str]:
    """The texts of all assembly in the intermediate representation."""
    return {found for text in compiled.texts.values() for found in _ASSEMBLY.findall(text)}
