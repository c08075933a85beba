# SPDX-License-Identifier: GPL-2.0-or-later
"""Laws of entries before and after a patch: which does the kernel keep before and break after?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field, replace

from verifier.kernel.conform.changed import Libraries
from verifier.kernel.conform.decide import (
    ClaimFails,
    ClaimHolds,
    ClaimQuestion,
    ClaimVacuous,
    Setting,
    decide,
    why,
)
from verifier.kernel.conform.law_claim import LawClaim, LawPut
from verifier.kernel.conform.laws import LawFails, LawHolds, NotApplicable, judge_law
from verifier.kernel.conform.questions import make_backend
from verifier.model.arch import Layout
from verifier.model.laws import Law, load_laws

__all__ = ["LawChange", "law_changes"]


@dataclass(frozen=True, slots=True)
class LawChange:
    """What became of one law of one variant.

    word    broken        false after for the values, and not before
            still broken  false after, but for no values for which it was true before
            fixed         false before, proved after
            kept          proved before and after
            unknown       it is not known, and why
    values  of the law's parameters; `free`: what else it depends on and is not 0
    """

    variant: str
    law: str
    level: str
    says: str
    word: str
    values: Mapping[str, int] = field(default_factory=dict)
    free: Mapping[str, int] = field(default_factory=dict)
    why: str = ""


def law_changes(
    libraries: Libraries, layout: Layout, changed: Set[str], timeout: float = 60
) -> Iterator[LawChange]:
    """What became of each law that speaks of a changed helper, or of what arch/ makes of one."""
    for law in load_laws():
        if _speaks_of(law, layout, changed):
            after = judge_law(law, layout, libraries.new, timeout=timeout)
            if not isinstance(after, NotApplicable):
                yield _change(libraries, layout, law, isinstance(after, LawHolds), timeout)


def _speaks_of(law: Law, layout: Layout, changed: Set[str]) -> bool:
    """Does the text name a changed helper, or one whose body in arch/ comes to one?"""
    seen: set[str] = set()
    left = re.findall(r"\w+", f"{law.holds.text} {law.when.text if law.when else ''}")
    while left:
        name = left.pop()
        if name not in seen:
            seen.add(name)
            if name in layout.helpers():
                left += re.findall(r"\w+", layout.text(name).body.text)
    return bool(seen & changed)


def _change(
    libraries: Libraries, layout: Layout, law: Law, holds: bool, timeout: float
) -> LawChange:
    found = LawChange(layout.variant.name, law.name, law.level, law.holds.text.strip(), "kept")
    if holds:
        before = judge_law(law, layout, libraries.old, timeout=timeout)
        return replace(found, word="fixed") if isinstance(before, LawFails) else found
    claim = LawClaim.of(law, layout)

    def ask(setting: Setting) -> ClaimQuestion[LawPut]:
        """After, the law is false only where it was false before."""
        alg = setting.alg
        old, new = (claim.put(layout, side, setting) for side in (libraries.old, libraries.new))
        fails, failed = (alg.all(side.speaks, side.wrong) for side in (new, old))
        return ClaimQuestion(
            (), (*old.undefined, *new.undefined), alg.all(fails, alg.neg(failed)), new
        )

    names = claim.names
    match decide(make_backend("z3", timeout), ask, names):
        case ClaimFails(values):
            free = {n: v for n, v in values.items() if v and n not in names}
            told = {name: values.get(name, 0) for name in names}
            return replace(found, word="broken", values=told, free=free)
        case ClaimHolds() | ClaimVacuous():
            return replace(found, word="still broken")
        case verdict:
            return replace(found, word="unknown", why=why(verdict))
