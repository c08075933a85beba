# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel side as others use it: give a tree and variants, get libraries of lifted helpers, or
results of conform.

report = conform(Path("linux-6.12"), ["x86_64*", "arm64-4k"]) library =
library_for(Path("linux-6.12"), layout)
"""

from __future__ import annotations

import fnmatch
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from verifier.base.data import data_folder
from verifier.base.errors import UsageError, match_all
from verifier.base.exits import Exit, exit_of
from verifier.kernel.conform.conform import conform_variant
from verifier.kernel.conform.helpers import LiftedBuild
from verifier.kernel.conform.lifted_library import KernelHelpers
from verifier.kernel.conform.results import (
    Absent,
    Contradicted,
    Differs,
    Equal,
    Inconclusive,
    Result,
    TooAtomic,
    Unwritten,
)
from verifier.kernel.tree.build import Build
from verifier.kernel.tree.builds import build_for, load_builds, named_build
from verifier.kernel.tree.compile import compile_build
from verifier.kernel.tree.configure import configure
from verifier.kernel.tree.shapes import load_shapes
from verifier.kernel.tree.toolchain import find_toolchain
from verifier.kernel.tree.tree import open_tree
from verifier.model.arch import Layout
from verifier.model.read_arch import load_archs, load_generic
from verifier.model.read_levels import load_levels
from verifier.model.read_versions import WHOLE

__all__ = [
    "Conformance",
    "Stage",
    "build_library",
    "conform",
    "exit_code",
    "kernel_helpers",
    "layouts",
    "level_names",
    "library_for",
]


@dataclass(frozen=True, slots=True)
class Stage:
    """How long a part of the work took, in seconds."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Conformance:
    """What conform found on one tree.

    unbuilt    variants that no build stands for
    refused    per build the options that the tree's configuration did not take
    undecided  variants that a run which was stopped did not come to the end of
    jails      per build the jail that it was configured in, now or before
    """

    tree: str
    version: str
    results: tuple[Result, ...]
    stages: tuple[Stage, ...]
    unbuilt: tuple[str, ...]
    refused: tuple[tuple[str, tuple[str, ...]], ...]
    undecided: tuple[str, ...] = ()
    jails: tuple[tuple[str, str], ...] = ()


def layouts(
    globs: Sequence[str], folder: Path | None = None, version: str = WHOLE
) -> list[Layout]:
    """The variants of arch/ whose name, or whose architecture's, matches a glob, as they are in a
    version of the kernel.

    UsageError where none does.
    """
    archs = load_archs(folder, version=version)
    generic = load_generic(folder or data_folder("arch"), version)
    found = [
        Layout(arch, variant, generic)
        for arch in archs.values()
        for variant in arch.variants.values()
        if any(
            fnmatch.fnmatchcase(name, g)
            for name in (variant.name, arch.name, arch.kernel)
            for g in globs
        )
    ]
    names = [
        name
        for arch in archs.values()
        for variant in arch.variants.values()
        for name in (variant.name, arch.name, arch.kernel)
    ]
    match_all("variant", globs, names)
    return found


def level_names() -> dict[str, Callable[[str], str]]:
    """Of each level that specs/ is about: how names of texts about ptes are called there."""
    return {name: level.translated for name, level in load_levels(data_folder("specs")).items()}


def build_library(
    tree: Path, build: Build, cache: Path | None = None
) -> tuple[LiftedBuild, tuple[Stage, ...], tuple[str, ...]]:
    """The lifted helpers of a build of a tree, what it took, and the options that were refused."""
    opened = open_tree(tree)
    tools = find_toolchain()
    shapes = load_shapes()
    configured = configure(opened, build, tools, cache)
    compiled = compile_build(configured, shapes, cache)
    start = time.perf_counter()
    library = LiftedBuild(compiled, shapes)
    parsed = time.perf_counter() - start
    stages = (
        Stage(f"configure {build.name}", configured.seconds),
        Stage(f"compile {build.name}", compiled.seconds),
        Stage(f"read {build.name}", parsed),
    )
    return library, stages, configured.refused


def library_for(tree: Path, layout: Layout, cache: Path | None = None) -> LiftedBuild:
    """The lifted helpers that stand for a variant. UsageError where no build does."""
    build = build_for(load_builds(version=open_tree(tree).version), layout.variant.name)
    if build is None:
        raise UsageError(f"no kernel build stands for variant {layout.variant.name}")
    return build_library(tree, build, cache)[0]


def kernel_helpers(
    tree: Path,
    wanted: Sequence[Layout],
    progress: Callable[[str], None] = lambda _: None,
    cache: Path | None = None,
) -> KernelHelpers:
    """The lifted helpers of a tree for these variants, where a build stands for them."""
    opened = open_tree(tree)
    builds = load_builds(version=opened.version)
    made: dict[str, LiftedBuild] = {}
    found = {}
    for layout in wanted:
        build = build_for(builds, layout.variant.name)
        if build is not None:
            if build.name not in made:
                progress(f"building {build.name}")
                made[build.name] = build_library(opened.path, build, cache)[0]
            found[layout.variant.name] = made[build.name]
    return KernelHelpers(found, opened.version, level_names())


def conform(
    tree: Path,
    variants: Sequence[str] = ("*",),
    helpers: Sequence[str] = ("*",),
    *,
    build: str | None = None,
    backend: str = "z3",
    timeout: float | None = 60,
    arch_dir: Path | None = None,
    cache: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
    atomicity: bool = True,
    others: Sequence[str] = (),
) -> Conformance:
    """Hold arch/ against a kernel tree: every helper of these variants whose name matches.

    build      the name of a build to use in place of each variant's own
    progress   told what is being done
    atomicity  compare also what helpers can come to while the hardware acts
    others     names that are compared elsewhere: globs may match these alone
    Raises UsageError (nothing matches, no tree) and ExtractionError (no compiler, the tree does not
    build).
    """
    opened = open_tree(tree)
    builds = load_builds(version=opened.version)
    asked = layouts(variants, arch_dir, opened.version)
    names = {name for layout in asked for name in layout.helpers()}
    shapes = (shape.helper for shape in load_shapes())
    match_all("helper", helpers, sorted({*names, *shapes, *others}))
    chosen, unbuilt = _by_build(asked, builds, build)
    levels = level_names() if atomicity else None
    results: list[Result] = []
    stages: list[Stage] = []
    refused, jails = [], []
    left = [layout.variant.name for its_layouts in chosen.values() for layout in its_layouts]
    try:
        for name, its_layouts in chosen.items():
            progress(f"building {name}")
            library, taken, lost = build_library(opened.path, builds[name], cache)
            stages += taken
            refused.append((name, lost))
            jails.append((name, library.jail))
            for layout in its_layouts:
                progress(f"comparing {layout.variant.name}")
                start = time.perf_counter()
                results += conform_variant(library, layout, helpers, backend, timeout, levels)
                stages.append(Stage(f"compare {layout.variant.name}", time.perf_counter() - start))
                left.remove(layout.variant.name)
    except KeyboardInterrupt:
        pass  # what is left says so
    if not results and not left and not any(
        fnmatch.fnmatchcase(name, glob) for name in others for glob in helpers
    ):
        raise UsageError(f"no helper matches {', '.join(helpers)}")
    return Conformance(
        str(opened.path), opened.version, tuple(results), tuple(stages), tuple(unbuilt),
        tuple(refused), tuple(left), tuple(jails),
    )


def _by_build(
    asked: Sequence[Layout], builds: Mapping[str, Build], build: str | None
) -> tuple[dict[str, list[Layout]], list[str]]:
    """The layouts of each build, and the variants for which no build stands.

    `build` is the name of one for all. Raises UsageError where nothing is left.
    """
    chosen: dict[str, list[Layout]] = {}
    unbuilt = []
    for layout in asked:
        found = (
            named_build(builds, build)
            if build is not None
            else build_for(builds, layout.variant.name)
        )
        if found is None or found.kernel != layout.arch.kernel:
            unbuilt.append(layout.variant.name)
        else:
            chosen.setdefault(found.name, []).append(layout)
    if not chosen:
        raise UsageError(f"no kernel build stands for {', '.join(unbuilt)}")
    return chosen, unbuilt


def exit_code(results: Iterable[Result], others: Iterable[str] = ()) -> Exit:
    """The exit code of these results, and of others' verdicts as words.

    0: all equal; 1: something differs; 2: nothing was compared; 3: something is not known; 4: a
    difference that does not replay.
    """
    return exit_of([*(_word(result) for result in results), *others])


def _word(result: Result) -> str:
    """What a result of conform is, as a word that exit codes have."""
    match result:
        case Equal():
            return "proved"
        case Differs():
            return "refuted"
        case Contradicted():
            return "contradiction"
        case TooAtomic(more=more):
            return "refuted" if more.run.replayed else "contradiction"
        case Inconclusive():
            return "incomplete"
        case Absent() | Unwritten():
            return "not applicable"
