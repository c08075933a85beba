# SPDX-License-Identifier: GPL-2.0-or-later
"""A series of patches, checked one after the other: each against what those before it made.

Texts are compared here: functions that specs/ speaks of, and uses of helpers. Whoever lifts code is
handed in as a `PatchJudge`. The tree is only read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from verifier.kernel.sites.definitions import same_code
from verifier.kernel.tree.tree import Tree
from verifier.meeting.site_changes import Changes, Use
from verifier.meeting.sites import Site, SiteClaims
from verifier.meeting.touched import (
    TouchedFunction,
    changed_sites,
    touched_functions,
    touched_names,
)
from verifier.patches.apply import ApplyError, Contents, apply_patch
from verifier.patches.outcome import (
    LiftedFunctions,
    LiftedOutcome,
    PatchOutcome,
    SeriesOutcome,
    SiteOutcome,
    SiteWord,
)
from verifier.patches.patch import Edited, Hunk, Patch, Series
from verifier.patches.paths import read_in_tree
from verifier.patches.scope import BUILD, HEADER, touched_paths

__all__ = ["PatchJudge", "check_series"]


class PatchJudge(Protocol):
    """Whoever lifts the kernel's code before and after a patch.

    before, after  the files that differ from the tree's then
    """

    def helpers(self, before: Edited, after: Edited, paths: Sequence[str]) -> LiftedOutcome:
        """The helpers that can be compiled with these files."""

    def functions(
        self, before: Edited, after: Edited, functions: Sequence[TouchedFunction],
    ) -> LiftedFunctions:
        """Each of these functions, compared with the codes of specs/, and what it keeps."""


def check_series(
    series: Series, tree: Tree, claims: SiteClaims, judge: PatchJudge,
    watch: Callable[[str], None] = lambda _: None,
) -> SeriesOutcome:
    """What becomes of each patch of a series.

    watch  is told which patch is looked at

    Raises ApplyError, with the tree's version and the patch's base, where one does not apply.
    """
    state: dict[str, bytes | None] = dict(series.start or {})
    found = []
    for patch in series.patches:
        watch(patch.title)
        before = dict(state)
        outcome, edited = _check(patch, before, tree, claims, judge)
        state.update(edited)
        found.append(outcome)
    return SeriesOutcome(tuple(found), series.notes, tree.version, str(tree.path))


def _contents(tree: Tree, state: Edited) -> Contents:
    return lambda path: state[path] if path in state else read_in_tree(tree.path, path)


def _check(
    patch: Patch, state: Edited, tree: Tree, claims: SiteClaims, judge: PatchJudge,
) -> tuple[PatchOutcome, Edited]:
    before = _contents(tree, state)
    ours = touched_paths(patch.paths())
    able, notes = _without_binaries(patch)
    try:
        applied = apply_patch(able, before)
    except ApplyError as error:
        raise error.on(_base(patch, tree)) from None
    notes += [*applied.notes, *_build_notes(ours)]
    outcome = PatchOutcome(patch.title, patch.source, patch.author, patch.position, base=patch.base,
                           places=_places(patch))
    code = [path for kind, paths in ours.items() if kind != BUILD for path in paths]
    if not code:
        missing = [f"{path}: it is not read; the tree's own configuration is used"
                   for path in ours.get(BUILD, ())]
        return replace(outcome, paths=tuple(ours.get(BUILD, ())), notes=tuple(notes),
                       incomplete=tuple(missing)), applied.edited
    after = {**state, **applied.edited}
    outcome = replace(outcome, paths=tuple(path for paths in ours.values() for path in paths),
                      notes=tuple(notes))
    return _judged(outcome, code, state, after, tree, claims, judge), applied.edited


def _judged(
    outcome: PatchOutcome, code: Sequence[str], state: Edited, after: Edited, tree: Tree,
    claims: SiteClaims, judge: PatchJudge,
) -> PatchOutcome:
    """The outcome with what texts and lifting say."""
    old, new = _contents(tree, state), _contents(tree, after)
    names = touched_names(old, new, code)
    if all(path.endswith((".c", ".h")) and same_code(old(path) or b"", new(path) or b"")
           for path in code):
        return replace(outcome, notes=(*outcome.notes, "only comments and white space change"))
    changes, sites = changed_sites(claims, old, new, code)
    helpers = judge.helpers(state, after, code)
    functions = touched_functions(claims, old, new, names, {one.helper for one in helpers.helpers})
    incomplete = [*helpers.incomplete]
    incomplete += [f"{file}: something changes that has no name; functions were not compared with "
                   "it" for file in names.nameless() if touched_paths([file]).get(HEADER)]
    notes = [f"{file}: it includes other files than before; functions that are not lifted were "
             "compared by their text" for file in names.including()]
    lifted = judge.functions(state, after, functions) if functions else LiftedFunctions()
    return replace(
        outcome, notes=(*outcome.notes, *notes, *helpers.notes),
        helpers=helpers.helpers, obligations=(*helpers.obligations, *lifted.obligations),
        functions=lifted.functions,
        sites=tuple(_sites(changes, sites)), incomplete=tuple(incomplete))


def _sites(changes: Changes, sites: Iterable[Site]) -> list[SiteOutcome]:
    """The uses that differ, with what models them."""
    there: dict[Use, list[Site]] = {}
    for site in sites:
        use = Use(site.use.file, site.use.function, site.use.helper, site.use.digest)
        there.setdefault(use, []).append(site)

    def made(word: SiteWord, use: Use, was: Use | None = None) -> SiteOutcome:
        site = there[use].pop(0) if there.get(use) else None
        return SiteOutcome(word, use.file, use.function, use.helper, site.use.line if site else 0,
                           site.status if site else "", str(was) if was else "")

    return [*(made("came", use) for use in changes.came),
            *(made("changed", now, was) for was, now in changes.changed),
            *(made("moved", now, was) for was, now in changes.moved),
            *(SiteOutcome("went", use.file, use.function, use.helper) for use in changes.went)]


def _without_binaries(patch: Patch) -> tuple[Patch, list[str]]:
    """The patch without binary files that no check is about; those of ours stay, and are refused.
    """
    dropped = [file for file in patch.files if file.binary and not touched_paths(file.paths())]
    kept = tuple(file for file in patch.files if file not in dropped)
    return replace(patch, files=kept), [f"{file.path}: a binary file, not looked at"
                                        for file in dropped]


def _places(patch: Patch) -> tuple[tuple[str, int], ...]:
    """Each file that a check is about, with the first line that changes of it."""
    return tuple((file.path, next((_first_line(hunk) for hunk in file.hunks), 1))
                 for file in patch.files if touched_paths(file.paths()))


def _first_line(hunk: Hunk) -> int:
    return max(hunk.new, 1) + hunk.context()[0]


def _build_notes(ours: dict[str, list[str]]) -> list[str]:
    return [f"{path}: the tree's own configuration is used" for path in ours.get(BUILD, ())]


def _base(patch: Patch, tree: Tree) -> str:
    """What the patch was applied to, and what it says that it is made for."""
    said = f"; the patch says base-commit {patch.base[:12]}" if patch.base else ""
    return f"the tree is Linux {tree.version}{said}"
