# SPDX-License-Identifier: GPL-2.0-or-later
"""What a patch does to the kernel's helpers of entries, and to what rests on them.

Each helper is lifted before and after. Where one has changed, the difference is judged: what the
kernel kept before and breaks after. What it broke before hides nothing. The tree stays as it is,
and nothing of the patch is run but its helpers, in a jail, to replay what was found.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from verifier.base.errors import ExtractionError
from verifier.kernel.conform.changed import (
    HelperChange,
    Libraries,
    helper_changes,
    unknown_helpers,
)
from verifier.kernel.conform.helpers import LiftedBuild
from verifier.kernel.conform.law_changes import LawChange, law_changes
from verifier.kernel.conform.lifted_library import KernelHelpers
from verifier.kernel.conform.same_code import same_code
from verifier.kernel.conform.session import layouts, level_names
from verifier.kernel.replay.replayer import Replayer
from verifier.kernel.tree.build import Build
from verifier.kernel.tree.builds import build_for, load_builds
from verifier.kernel.tree.compile import Compiled, compile_build
from verifier.kernel.tree.configure import configure, configured_from, patched
from verifier.kernel.tree.include_graph import readers
from verifier.kernel.tree.overlay import Edited, Overlay, affected, overlay_of
from verifier.kernel.tree.shapes import load_shapes
from verifier.kernel.tree.toolchain import find_toolchain
from verifier.kernel.tree.tree import Tree, open_tree
from verifier.meeting.counterexamples import replay_trace
from verifier.model.arch import Layout
from verifier.model.check import check_model
from verifier.prove.difference import Difference, Differences, Pair
from verifier.prove.obligations import Group
from verifier.prove.touched import helpers_called
from verifier.run.filters import Filters
from verifier.run.library import Library, load_library
from verifier.run.plan import groups_of
from verifier.search.beyond import with_trace

__all__ = ["PatchQuestion", "PatchedVariant", "judge_helpers"]

_NOTHING: Edited = {}
_SAME = ("same", "kept")  # what is not told of obligations


@dataclass(frozen=True, slots=True)
class PatchQuestion:
    """What is asked of a patch.

    variants   globs of variants, or of architectures
    theorems   which pairs of encoding and code are judged; none: `compared_with` of
               specs/first.yaml, what Linux has now
    levels     globs of levels; none: all
    steps      transitions and events that are judged; none: all
    depth      steps of the longest trace; 0: none is looked for
    seconds    of processor time for the search for traces, for each variant
    few        of each property, so many failures get a trace and a replay
    enough     seconds of processor time after which nothing more is compared, once something is
               broken
    """

    variants: tuple[str, ...] = ("*",)
    theorems: tuple[tuple[str, str], ...] = ()
    levels: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    depth: int = 8
    seconds: float = 20.0
    few: int = 3
    enough: float = 60.0


@dataclass(frozen=True, slots=True)
class PatchedVariant:
    """What a patch does to one variant whose build reads an edited file.

    helpers      what became of each helper; those with the same code are `unchanged`, too
    laws         laws of entries that speak of a changed helper, but for those that are kept
    differences  obligations that are not proved before and after; empty where no helper changed
    compared     how many obligations were compared: those of steps that may call a changed helper
    replays      id of what is broken -> does the patched kernel's own code show it (None: it cannot
                 be said), and how it was run, or why not
    incomplete   what is not known, each by name
    contradictions  what the solver says is broken and the patched kernel's code does not show: a
                 defect of this tool
    notes        what else is to be said
    """

    variant: str
    build: str
    helpers: tuple[HelperChange, ...] = ()
    laws: tuple[LawChange, ...] = ()
    differences: tuple[Difference, ...] = ()
    compared: int = 0
    replays: Mapping[str, tuple[bool | None, str]] = field(default_factory=dict)
    incomplete: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)

    def changed(self) -> tuple[HelperChange, ...]:
        """The helpers of which it is not proved that they are what they were."""
        return tuple(one for one in self.helpers if one.word != "unchanged")

    def worse(self) -> bool:
        """Is something broken or lost that was kept?"""
        return any(one.worse() for one in self.differences) or any(
            one.word == "broken" for one in self.laws
        )


@dataclass(slots=True)
class _Told:
    """What was found so far, of all variants: enough is known where something is broken and time is
    up. A patch to a helper that every step calls breaks hundreds of obligations of each variant.

    Time is the processor's: as much is told where the machine is busy.
    """

    until: float
    few: int
    broken: bool = False
    to_search: float = 0  # seconds that are left for traces
    _of_property: Counter[str] = field(default_factory=Counter)

    def enough(self) -> bool:
        return self.broken and time.process_time() > self.until

    def in_full(self, one: Difference) -> bool:
        """Does this failure get a trace and a replay? The first few of a property do."""
        self.broken |= one.worse()
        if not one.worse() or one.move is None:
            return False
        self._of_property[one.property] += 1
        return self._of_property[one.property] <= self.few


@dataclass(frozen=True, slots=True)
class _Patch:
    """The edits of a tree, and those before them, if there are some."""

    tree: Tree
    overlay: Overlay
    earlier: Overlay | None
    cache: Path | None
    told: _Told


@dataclass(frozen=True, slots=True)
class _Sides:
    """One build of a tree and of the patched tree."""

    old: Compiled
    new: Compiled
    libraries: Libraries


def judge_helpers(
    tree: Path, edited: Edited, asked: PatchQuestion = PatchQuestion(), *,
    before: Edited = _NOTHING,
    cache: Path | None = None, progress: Callable[[str], None] = lambda _: None,
) -> tuple[PatchedVariant, ...]:
    """What a patch does to each variant that is asked for and whose build reads an edited file.

    `before` has what earlier patches of a series have edited: `edited` is all of that and this
    patch. Where no build reads an edited file, no compiler is started.

    ExtractionError where the tree itself cannot be built. UsageError where there is no tree or no
    such variant, or no jail in which a patch may be compiled.
    """
    opened = open_tree(tree)
    builds = load_builds(version=opened.version)
    by_build: dict[str, list[Layout]] = {}
    for layout in layouts(asked.variants, version=opened.version):
        build = build_for(builds, layout.variant.name)
        if build is not None:
            by_build.setdefault(build.name, []).append(layout)
    names = {name: builds[name].kernel for name in by_build}
    may_change = readers(opened, names, {*edited, *before}, cache).builds()
    found: list[PatchedVariant] = []
    with overlay_of(opened.path, edited) as overlay, overlay_of(opened.path, before) as earlier:
        told = _Told(time.process_time() + asked.enough, asked.few)
        patch = _Patch(opened, overlay, earlier if before else None, cache, told)
        for name in (name for name in by_build if name in may_change):
            progress(f"building {name}, before and after")
            found += _judged(patch, builds[name], by_build[name], asked, progress)
    return tuple(found)


def _judged(
    patch: _Patch, build: Build, its_layouts: Sequence[Layout], asked: PatchQuestion,
    progress: Callable[[str], None],
) -> Iterator[PatchedVariant]:
    start = time.perf_counter()
    sides = _sides(patch, build)
    if sides is None:
        return
    for layout in its_layouts:
        found = PatchedVariant(layout.variant.name, build.name)
        if isinstance(sides, PatchedVariant):
            yield replace(sides, variant=layout.variant.name)
            continue
        progress(f"comparing helpers of {layout.variant.name}")
        built = time.perf_counter()
        changes = tuple(helper_changes(sides.libraries, layout, level_names()))
        lifted = time.perf_counter()
        found = replace(
            found, helpers=changes, notes=_notes(sides, patch.overlay),
            incomplete=unknown_helpers(changes),
        )
        if found.changed():
            found = _with_differences(found, sides.libraries, layout, asked, patch, progress)
        yield replace(found, seconds={
            "build": built - start, "helpers": lifted - built,
            "differences": time.perf_counter() - lifted,
        })
        start = time.perf_counter()


def _sides(patch: _Patch, build: Build) -> _Sides | PatchedVariant | None:
    """Both sides of a build; None where it reads no edited file; why it is not known."""
    shapes, start, cache = load_shapes(), time.perf_counter(), patch.cache
    configured = configure(patch.tree, build, find_toolchain(), cache)
    compile_build(configured, shapes, cache)  # the tree itself has to build
    try:
        earlier = patch.earlier
        base = configured if earlier is None else patched(configured, earlier, cache)
        old = compile_build(base, shapes, cache)
        new = compile_build(patched(configured, patch.overlay, cache), shapes, cache)
        if (new.texts, new.assembly, new.wrappers) == (old.texts, old.assembly, old.wrappers):
            return None
        libraries = Libraries(
            LiftedBuild(old, shapes), LiftedBuild(new, shapes), same_code(old, new, shapes)
        )
    except (ExtractionError, RecursionError) as error:
        why = str(error) if isinstance(error, ExtractionError) else "its code nests too deeply"
        seconds = {"build": time.perf_counter() - start}
        return PatchedVariant("", build.name, incomplete=(why,), seconds=seconds)
    return _Sides(old, new, libraries)


def _notes(sides: _Sides, overlay: Overlay) -> tuple[str, ...]:
    """What the patch edits that a configuration is made of."""
    return tuple(
        f"{name} was read when the kernel was configured: the tree's configuration is used"
        for name in affected(
            overlay.digests, overlay.added, configured_from(sides.old.configured)
        )
    )


def _with_differences(
    found: PatchedVariant, libraries: Libraries, layout: Layout, asked: PatchQuestion,
    patch: _Patch, progress: Callable[[str], None],
) -> PatchedVariant:
    """What the changed helpers do to laws and obligations."""
    changed = frozenset(one.helper for one in found.changed())
    progress(f"comparing laws of {found.variant}")
    laws = tuple(one for one in law_changes(libraries, layout, changed) if one.word != "kept")
    version = patch.tree.version
    old, new = (load_library(version=version) for _ in range(2))
    for library, helpers in ((old, libraries.old), (new, libraries.new)):
        library.substitute = KernelHelpers({found.variant: helpers}, version, level_names())
    everything: list[Difference] = []
    full, without, patch.told.to_search = set[str](), list[str](), asked.seconds
    for group in _groups(new, found.variant, asked):
        if patch.told.enough():
            without.append(f"{group.level} (every step)")
            continue
        progress(f"comparing {group}")
        pair = _pair(old, new, group)
        steps = [step for step in helpers_called(pair.new, group).by(changed)
                 if not asked.steps or step in asked.steps]
        differences = Differences(pair) if steps else None
        while steps and differences is not None and not patch.told.enough():
            everything += _of_step(differences, steps.pop(0), new, asked, patch.told, full)
        without += [f"{group.level} ({len(steps)} steps)"] if steps else []
    told = tuple(one for one in everything if one.word not in _SAME)
    unknown = (f"{one.id}: {one.note}" for one in told if one.word == "unknown")
    progress(f"replaying what is broken of {found.variant}")
    replays = _replays(new, patch, [one for one in told if one.id in full])
    notes = [f"enough is broken, and the time is up: of {found.variant} not compared any more are "
             f"{', '.join(without)}"] if without else []
    return replace(
        found, notes=(*found.notes, *notes), laws=laws, differences=told,
        compared=len(everything), replays=replays,
        contradictions=tuple(f"{name}: the tool contradicts itself: {why}"
                             for name, (shown, why) in replays.items() if shown is False),
        incomplete=(*found.incomplete, *unknown,
                    *(f"law {one.law}: {one.why}" for one in laws if one.word == "unknown")),
    )


def _replays(
    library: Library, patch: _Patch, told: Sequence[Difference]
) -> dict[str, tuple[bool | None, str]]:
    """What is broken, in the code of the patched kernel."""
    found = {}
    with Replayer(patch.tree.path, patch.cache, patch.overlay) as replayer:
        for one in told:
            if one.worse() and one.move is not None:
                variant, level, encoding, _, code, _ = one.id.split("/")
                group = Group(variant, level, encoding, code)
                moves = one.trace or (one.move,)
                found[one.id] = replay_trace(library, replayer, group, moves, one.property)
    return found


def _groups(new: Library, variant: str, asked: PatchQuestion) -> Iterator[Group]:
    """The groups that are judged."""
    theorems = asked.theorems or (new.spec.first.compared_with,)
    encodings, codes = (tuple(dict.fromkeys(words)) for words in zip(*theorems, strict=True))
    groups, _ = groups_of(new, Filters((variant,), asked.levels, encodings, codes))
    for group in groups:
        if (group.encoding, group.code) in theorems and group.variant == variant:
            yield group


def _pair(old: Library, new: Library, group: Group) -> Pair:
    """The models of a group on both sides."""
    pair = Pair(old.group_model(group), new.group_model(group), group)
    for model in (pair.old, pair.new):
        check_model(model)
    return pair


def _of_step(
    differences: Differences, step: str, library: Library, asked: PatchQuestion, told: _Told,
    full: set[str],
) -> Iterator[Difference]:
    """What became of each obligation of a step; with traces of what is broken, while there is time.

    The ids of those that are told in full go into `full`.
    """
    for one in differences.of(step):
        in_full = told.in_full(one)
        if in_full:
            full.add(one.id)
        if in_full and one.word == "broken" and asked.depth and told.to_search > 0:
            start = time.process_time()
            yield with_trace(differences.pair, one, asked.depth, told.to_search,
                             library.sequences())
            told.to_search -= time.process_time() - start
        elif one.worse() and one.move is not None and not in_full:
            yield replace(one, note=f"neither traced nor replayed, as {told.few} others that break "
                                    f"{one.property} were")
        else:
            yield one
