# SPDX-License-Identifier: GPL-2.0-or-later
"""What there is to say of a patch, finding by finding: every form for programs is made of these."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from verifier.patches.outcome import ObligationOutcome, PatchOutcome, SiteOutcome

__all__ = ["Finding", "findings", "named", "site_text"]

_STATUS = {"unclaimed": "in a function that nobody has looked at",
           "unparsed": "which the parser did not understand"}

Level = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found.

    level    error: the patch breaks it; warning: it is not known; note: neither
    rule     what kind of thing it is: a property's name, or incomplete, function, helper, site
    name     which one, such as an obligation's id
    path, line   where in the patched tree; line 0 where that is not known
    details  further lines: values, traces
    before   it failed before the patch as well
    """

    level: Level
    rule: str
    name: str
    path: str
    line: int
    text: str
    details: str = ""
    before: bool = False


def named(patch: PatchOutcome) -> str:
    """A patch by its number and its subject.

    >>> named(PatchOutcome("mm: keep", "x", position=(2, 5)))
    '[2/5] mm: keep'
    """
    return f"[{patch.position[0]}/{patch.position[1]}] {patch.title}" if patch.position \
        else patch.title


def findings(patch: PatchOutcome, all_broken: bool = False) -> Iterator[Finding]:
    """Everything that was found, the worst first.

    all_broken  also what failed before the patch
    """
    path, line = patch.places[0] if patch.places else ("", 0)
    for one in patch.obligations:
        if one in patch.broken():
            yield _of_obligation(one, "error", path, line)
    for one in patch.obligations:
        if one.word in ("lost", "unknown"):
            yield _of_obligation(one, "warning", path, line)
    for function in patch.functions:
        where = (function.file, function.line)
        if function.word == "equal":
            text = f"{function.place} is as the specs' code: {', '.join(function.codes)}"
            yield Finding("note", "function", function.place, *where, text)
        else:
            yield Finding("warning", "function", function.place, *where,
                          f"{function.word}: {function.place}: {function.why}", function.shown)
    for helper in patch.helpers:
        name = f"{helper.variant}: {helper.helper}"
        if helper.word in ("incomplete", "gone", "added"):
            yield Finding("note" if helper.word == "added" else "warning", "helper", name, path,
                          line, f"{helper.word}: {name}: {helper.why}")
        elif helper.word == "changed":
            yield Finding("note", "helper", name, path, line,
                          f"{name}: another result of {helper.call}",
                          "\n".join(helper.shown()))
    for site in patch.sites:
        yield Finding("warning" if site.status in ("unclaimed", "unparsed") else "note", "site",
                      f"{site.file}:{site.function}", site.file, site.line, site_text(site))
    for text in patch.incomplete:
        yield Finding("warning", "incomplete", text.partition(":")[0], path, line, text)
    for one in patch.obligations:
        if one.word == "fixed" or (one.word == "still broken" and all_broken):
            yield _of_obligation(one, "note", path, line)


def _of_obligation(one: ObligationOutcome, level: Level, path: str, line: int) -> Finding:
    said = "; ".join(text for text in (one.claim, one.note) if text)
    return Finding(level, one.id.rpartition("/")[2], one.id, path, line,
                   f"{one.word}: {one.id}" + (f": {said}" if said else ""), one.shown,
                   one.word == "still broken")


def site_text(site: SiteOutcome) -> str:
    """One line about a use of a helper that is not as it was."""
    function = site.function or "(outside of functions)"
    came = f" (was {site.was})" if site.was and site.word == "moved" else ""
    status = f", {_STATUS.get(site.status, site.status)}" if site.status else ""
    return f"{site.word}: {function}: {site.helper}{came}{status}"
