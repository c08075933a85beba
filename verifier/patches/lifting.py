# SPDX-License-Identifier: GPL-2.0-or-later
"""What is lifted of a patched kernel, and what is not: whatever is not is said by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from verifier.base.errors import ExtractionError
from verifier.meeting.touched import TouchedFunction
from verifier.model.arch import Layout
from verifier.patches.check import LiftedOutcome
from verifier.patches.lift_functions import judge_touched, not_lifted
from verifier.patches.outcome import FunctionOutcome
from verifier.patches.patch import Edited
from verifier.patches.scope import HEADER, kind_of

__all__ = ["PatchLifter"]


_OF_HELPERS = ("arch/", "mm/pgtable-generic.c")


class PatchLifter:
    """Lifts functions of mm/; every file that helpers are compiled with is incomplete by name.

    layouts   the layout of a variant, by its name
    progress  is told what is being done
    """

    def __init__(
        self, tree: Path, layouts: Callable[[str], Layout],
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.tree, self.layouts, self.progress = tree, layouts, progress

    def helpers(self, before: Edited, after: Edited, paths: Sequence[str]) -> LiftedOutcome:
        """Incomplete for each file that helpers are compiled with, as its name says."""
        return LiftedOutcome(incomplete=tuple(
            f"{path}: the helpers that are compiled with it are not lifted" for path in paths
            if kind_of(path) == HEADER or path.startswith(_OF_HELPERS)))

    def functions(
        self, before: Edited, after: Edited, functions: Sequence[TouchedFunction],
    ) -> list[FunctionOutcome]:
        """Held against specs/ where there is a compiler; else incomplete, by name."""
        try:
            return judge_touched(self.tree, before, after, functions, self.layouts, self.progress)
        except ExtractionError as error:
            return [not_lifted(one, f"it was not lifted: {error}") for one in functions]
