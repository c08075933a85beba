# SPDX-License-Identifier: GPL-2.0-or-later
"""What became of a patch: frozen records, for every form in which it is said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from verifier.base.exits import Exit, worst

__all__ = ["BROKEN", "FunctionOutcome", "HelperOutcome", "LiftedFunctions",
           "LiftedOutcome", "ObligationOutcome",
           "PatchOutcome", "SeriesOutcome", "SiteOutcome", "exit_of_series"]

BROKEN = ("broken", "widened")  # words for what the patch breaks
_OPEN = ("lost", "unknown")  # words for what nobody knows to be kept

SiteWord = Literal["came", "went", "moved", "changed"]
PatchWord = Literal["untouched", "kept", "incomplete", "broken"]


@dataclass(frozen=True, slots=True)
class HelperOutcome:
    """One helper of one variant, before and after the patch.

    word           unchanged, changed, added, gone or incomplete
    call           the arguments on which the two sides differ
    before, after  what it returns or leaves in the entry then, decoded
    why            what was not understood, where it is incomplete; else how they differ
    """

    variant: str
    helper: str
    word: Literal["unchanged", "changed", "added", "gone", "incomplete"]
    call: str = ""
    before: str = ""
    after: str = ""
    why: str = ""

    def shown(self) -> list[str]:
        """How the two sides of one that is changed differ, a line each.

        A side that has no such outcome is left out: `why` then says what the other comes to.
        """
        sides = (("", self.why), ("before  ", self.before), ("after   ", self.after))
        return [f"{name}{text}" for name, text in sides if text]


@dataclass(frozen=True, slots=True)
class ObligationOutcome:
    """One property at one step, or a law of helpers, before and after the patch.

    id    as `prove` and `explain` have it
    word  broken, widened, lost, unknown, fixed or still broken
    claim what the property says
    shown the values and the trace, as lines of text
    data  the same as plain data
    """

    id: str
    word: str
    claim: str = ""
    note: str = ""
    shown: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LiftedOutcome:
    """What lifting says of the helpers that a patch can reach.

    incomplete  what was not decided, but for helpers and obligations that say so themselves
    notes       what else is to be said, such as which variants were not looked at
    """

    helpers: tuple[HelperOutcome, ...] = ()
    obligations: tuple[ObligationOutcome, ...] = ()
    incomplete: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FunctionOutcome:
    """One function of the kernel that specs/ speaks of and that the patch changes.

    word   equal, differs or incomplete
    codes  the codes of specs/ whose steps it is equal to afterwards, such as today
    steps  the transitions and events that model it
    line   where it stands afterwards; 0 where that is not known
    shown  the values on which it differs, as lines of text; of one that is equal, what was proved
    why    what changes of it, and why it is not decided where it is incomplete
    """

    file: str
    function: str
    word: Literal["equal", "differs", "incomplete"]
    codes: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    line: int = 0
    why: str = ""
    shown: str = ""

    @property
    def place(self) -> str:
        """File and function, as the catalogue has them."""
        return f"{self.file}:{self.function}"


@dataclass(frozen=True, slots=True)
class LiftedFunctions:
    """What lifting says of the functions that a patch changes.

    obligations  the properties that what a function leaves breaks, or broke before
    """

    functions: tuple[FunctionOutcome, ...] = ()
    obligations: tuple[ObligationOutcome, ...] = ()


@dataclass(frozen=True, slots=True)
class SiteOutcome:
    """One use of a helper of entries that the patch adds, removes, moves or changes.

    line    where it stands afterwards; 0 where it went
    status  what models it afterwards: claimed, later, out of scope, unclaimed, unparsed; empty
            where it went
    """

    word: SiteWord
    file: str
    function: str
    helper: str
    line: int = 0
    status: str = ""
    was: str = ""


@dataclass(frozen=True, slots=True)
class PatchOutcome:
    """What became of one patch.

    base        the commit that it says it is made for, or empty
    paths       the files of it that a check is about
    places      the same as they are afterwards, each with the first line that changes
    notes       what a reader should know that is neither good nor bad
    incomplete  what was not decided, by name and with its reason, beside functions and helpers that
                say so themselves
    """

    title: str
    source: str
    author: str = ""
    position: tuple[int, int] | None = None
    base: str = ""
    paths: tuple[str, ...] = ()
    places: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()
    helpers: tuple[HelperOutcome, ...] = ()
    obligations: tuple[ObligationOutcome, ...] = ()
    functions: tuple[FunctionOutcome, ...] = ()
    sites: tuple[SiteOutcome, ...] = ()
    incomplete: tuple[str, ...] = ()

    def broken(self) -> list[ObligationOutcome]:
        """What held before the patch and fails after it."""
        return [one for one in self.obligations if one.word in BROKEN]

    def before(self) -> list[ObligationOutcome]:
        """What failed before the patch as well."""
        return [one for one in self.obligations if one.word == "still broken"]

    def undecided(self) -> list[str]:
        """Every thing that is not known, in a line each."""
        found = [f"{f.place}: {f.why}" for f in self.functions if f.word != "equal"]
        found += [f"{h.variant}: {h.helper}: {h.why}" for h in self.helpers
                  if h.word in ("incomplete", "gone")]
        found += [f"{o.id}: {o.word}: {o.note or o.claim}" for o in self.obligations
                  if o.word in _OPEN]
        found += [f"{s.file}:{s.line}: {s.helper}: {s.status}"
                  for s in self.sites if s.status in ("unclaimed", "unparsed")]
        return [*found, *self.incomplete]

    @property
    def word(self) -> PatchWord:
        """One word for all of it: what is broken weighs most, and nothing open is a pass."""
        if self.broken():
            return "broken"
        if self.undecided():
            return "incomplete"
        return "kept" if self.paths else "untouched"


_EXITS = {"broken": Exit.REFUTED, "incomplete": Exit.OPEN, "kept": Exit.HOLDS,
          "untouched": Exit.HOLDS}


@dataclass(frozen=True, slots=True)
class SeriesOutcome:
    """What became of a series: of each patch, on top of those before it.

    version, tree  of the kernel that it was applied to
    """

    patches: tuple[PatchOutcome, ...]
    notes: tuple[str, ...] = ()
    version: str = ""
    tree: str = ""

    def first_bad(self) -> PatchOutcome | None:
        """The first patch that breaks something."""
        return next((patch for patch in self.patches if patch.word == "broken"), None)


def exit_of_series(patches: Iterable[PatchOutcome]) -> Exit:
    """0: nothing was found broken, or nothing that is checked is touched; 1: something is broken;
    3: not all is known.

    >>> exit_of_series([PatchOutcome("a", "a"), PatchOutcome("b", "b", incomplete=("x",))])
    <Exit.OPEN: 3>
    """
    return worst(_EXITS[patch.word] for patch in patches)
