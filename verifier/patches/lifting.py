# SPDX-License-Identifier: GPL-2.0-or-later
"""What is lifted of a patched kernel, and what is not: whatever is not is said by name."""

from __future__ import annotations

from collections.abc import Sequence

from verifier.meeting.touched import TouchedFunction
from verifier.patches.check import LiftedOutcome
from verifier.patches.outcome import FunctionOutcome
from verifier.patches.patch import Edited
from verifier.patches.scope import HEADER, kind_of

__all__ = ["NotLifted"]


_OF_HELPERS = ("arch/", "mm/pgtable-generic.c")


class NotLifted:
    """Nothing is lifted: every function and every header is incomplete by name."""

    def helpers(self, before: Edited, after: Edited, paths: Sequence[str]) -> LiftedOutcome:
        """Incomplete for each file that helpers are compiled with, as its name says."""
        return LiftedOutcome(incomplete=tuple(
            f"{path}: the helpers that are compiled with it are not lifted" for path in paths
            if kind_of(path) == HEADER or path.startswith(_OF_HELPERS)))

    def functions(
        self, before: Edited, after: Edited, functions: Sequence[TouchedFunction],
    ) -> list[FunctionOutcome]:
        """Incomplete, each with what of it changes."""
        return [FunctionOutcome(
            one.file, one.function, "incomplete", steps=one.by, line=one.line,
            why=f"{one.why}; " + ("it is not lifted" if one.by
                                  else f"nothing models it yet ({', '.join(one.rows)})"))
            for one in functions]
