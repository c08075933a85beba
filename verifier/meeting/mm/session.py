# SPDX-License-Identifier: GPL-2.0-or-later
"""Functions of mm/ as others ask for them: give a tree, a variant and names, get results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from verifier.base.errors import UsageError, match_all
from verifier.kernel.conform.decide import word
from verifier.kernel.conform.helpers import LiftedBuild
from verifier.kernel.mm.read_functions import load_functions
from verifier.kernel.tree.builds import build_for, load_builds
from verifier.kernel.tree.compile import compile_build
from verifier.kernel.tree.configure import configure, patched
from verifier.kernel.tree.overlay import Overlay
from verifier.kernel.tree.shapes import load_shapes
from verifier.kernel.tree.toolchain import find_toolchain
from verifier.kernel.tree.tree import open_tree
from verifier.meeting.mm.judge import MmBuild, MmResult, functions_for, judge_build
from verifier.run.library import load_library

__all__ = ["judge_functions", "judge_of_variants", "open_build", "verdict_words"]


def judge_functions(
    tree: Path, variant: str, names: Sequence[str] = ("*",),
    against: Sequence[tuple[str, str]] = (), *, overlay: Overlay | None = None,
    backend: str = "bits", timeout: float | None = 60, cache: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[MmResult, ...]:
    """Hold functions of a tree's mm/ against the steps of specs/.

    names    globs of records' names (verifier/kernel/mm/*.yaml)
    against  encodings and codes of the steps: which of them is a function equal to? Without:
             what Linux has now (`compared_with` of specs/first.yaml)
    overlay  files of the tree as a patch has them
    Raises UsageError (nothing matches, no tree) and ExtractionError (no compiler, the tree does not
    configure). A function that cannot be lifted is incomplete.
    """
    match_all("function", names, sorted(load_functions()))
    functions = functions_for(variant, names, open_tree(tree).version)
    if not functions:
        return ()
    mm = open_build(tree, variant, overlay=overlay, cache=cache, progress=progress)
    return tuple(judge_build(mm, functions, against or (mm.library.spec.first.compared_with,),
                             backend=backend, timeout=timeout))


def open_build(
    tree: Path, variant: str, *, overlay: Overlay | None = None, cache: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> MmBuild:
    """A tree for the functions of its mm/ on a variant, under an overlay that is there as long as
    it is used. UsageError and ExtractionError as above.
    """
    opened = open_tree(tree)
    build = build_for(load_builds(version=opened.version), variant)
    if build is None:
        raise UsageError(f"no kernel build stands for variant {variant}")
    configured = configure(opened, build, find_toolchain(), cache)
    if overlay is not None:
        configured = patched(configured, overlay, cache)
    shapes = load_shapes()
    built = LiftedBuild(compile_build(configured, shapes, cache), shapes)
    library = load_library(version=opened.version)
    return MmBuild(variant, configured, built, library, cache, progress)


def judge_of_variants(
    tree: Path, variants: Iterable[str], names: Sequence[str], **given: Any
) -> tuple[MmResult, ...]:
    """`judge_functions` for each variant that has functions of these names."""
    return tuple(result for variant in variants if functions_for(variant, names)
                 for result in judge_functions(tree, variant, **given, names=[
                     f.name for f in functions_for(variant, names)]))


def verdict_words(results: Iterable[MmResult]) -> list[str]:
    """The verdicts, as the words that exit codes have: proved, refuted, incomplete and so on."""
    return [word(result.found) for result in results]
