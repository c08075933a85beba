# SPDX-License-Identifier: GPL-2.0-or-later
"""What is lifted of a patched kernel, and what is not: whatever is not is said by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from verifier.base.errors import ExtractionError
from verifier.kernel.tree.builds import build_for, load_builds
from verifier.kernel.tree.tree import open_tree
from verifier.meeting.patched_helpers import PatchQuestion
from verifier.meeting.touched import TouchedFunction
from verifier.model.arch import Layout
from verifier.patches.lift_functions import FunctionQuestion, judge_touched, not_lifted
from verifier.patches.lift_helpers import Show, judge_variants
from verifier.patches.outcome import LiftedFunctions, LiftedOutcome
from verifier.patches.patch import Edited
from verifier.patches.scope import HEADER, kind_of

__all__ = ["PatchLifter", "Variants"]

_COMPILED = (".c", ".h", ".S", ".inc")


@dataclass(frozen=True, slots=True)
class Variants:
    """Which variants a patch is compiled for.

    every  all that have a build
    first  those that a header for all architectures is compiled for, where nobody names any
    named  globs that somebody has named; empty: none
    """

    every: tuple[str, ...]
    first: tuple[str, ...]
    named: tuple[str, ...] = ()

    def of(self, paths: Sequence[str]) -> tuple[tuple[str, ...], str]:
        """The variants that are asked for, and what is said of others.

        A file of an architecture is compiled for its variants alone.
        """
        if self.named:
            return self.named, ""
        builds = load_builds()
        kernels = {path.split("/")[1] for path in paths if path.startswith("arch/")}
        own = [name for name in self.every
               if (build := build_for(builds, name)) is not None and build.kernel in kernels]
        if all(path.startswith("arch/") for path in paths):
            return tuple(own), "" if own else f"nobody models {', '.join(sorted(kernels))}"
        asked = tuple(dict.fromkeys((*own, *self.first)))
        others = len([name for name in self.every if name not in asked])
        return asked, (f"helpers were looked at for {', '.join(asked)}; {others} other variants "
                       "were not (--arch '*' looks at all)")


@dataclass(frozen=True, slots=True)
class PatchLifter:
    """Lifts helpers and functions of mm/ of a tree, before and after a patch.

    codes     encodings and codes that functions are held against: the first one's properties are
              asked of them too
    layouts   the layout of a variant, by its name
    show      an obligation as a reader sees it
    claims    property -> what it says
    sites     step -> its place in the kernel, as file:function
    progress  is told what is being done
    """

    tree: Path
    variants: Variants
    question: PatchQuestion
    codes: Sequence[tuple[str, str]]
    layouts: Callable[[str], Layout]
    show: Show
    claims: Mapping[str, str]
    sites: Mapping[str, str]
    progress: Callable[[str], None]

    def helpers(self, before: Edited, after: Edited, paths: Sequence[str]) -> LiftedOutcome:
        """The helpers of the variants that these files are compiled for.

        Of other files than headers, these are the sources that the builds name. Where the tree
        cannot be built, each of the files is incomplete.
        """
        builds = load_builds(version=open_tree(self.tree).version)
        sources = {source for build in builds.values() for source in build.sources}
        paths = [path for path in paths if kind_of(path) == HEADER or path in sources]
        if not paths:
            return LiftedOutcome()
        variants, said = self.variants.of(paths)
        if not variants:
            return LiftedOutcome(notes=(said,) if said else ())
        try:
            found = judge_variants(self.tree, _code(before), _code(after),
                                   replace(self.question, variants=variants), self.show,
                                   self.claims, self.progress)
        except ExtractionError as error:
            why = str(error).splitlines()[0]
            return LiftedOutcome(incomplete=tuple(
                f"{path}: the helpers that are compiled with it were not lifted: {why}"
                for path in paths))
        return replace(found, notes=(*found.notes, said)) if said else found

    def functions(
        self, before: Edited, after: Edited, functions: Sequence[TouchedFunction],
    ) -> LiftedFunctions:
        """Held against specs/ where there is a compiler; else incomplete, by name."""
        asked = FunctionQuestion(self.tree, self.codes, self.layouts, self.claims, self.sites,
                                 self.progress)
        try:
            return judge_touched(asked, _code(before), _code(after), functions)
        except ExtractionError as error:
            return LiftedFunctions(tuple(not_lifted(one, f"it was not lifted: {error}")
                                         for one in functions))


def _code(edited: Edited) -> Edited:
    """The files that a compiler may read; names of others may be what no overlay takes."""
    return {path: content for path, content in edited.items() if path.endswith(_COMPILED)}
