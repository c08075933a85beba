# SPDX-License-Identifier: GPL-2.0-or-later
"""What became of patches, in the lines that kernel developers read: checkpatch's, and KTAP."""

from __future__ import annotations

import re
from collections.abc import Iterator

from verifier.base.output import clean, one_line
from verifier.patches.outcome import PatchOutcome, SeriesOutcome
from verifier.report.patch_findings import Finding, findings, named

__all__ = ["cases", "checkpatch_text", "ktap_text"]

_WORD = {"error": "ERROR", "warning": "WARNING", "note": "CHECK"}


def checkpatch_text(found: SeriesOutcome, all_broken: bool) -> str:
    """A line for each finding, as scripts/checkpatch.pl --terse writes it: `file:line: ERROR:`."""
    return "\n".join(
        one_line(f"{one.path or patch.source}:{max(one.line, 1)}: {_WORD[one.level]}: {one.text}")
        for patch in found.patches for one in findings(patch, all_broken))


def ktap_text(found: SeriesOutcome, all_broken: bool) -> str:
    """KTAP 1 (Documentation/dev-tools/ktap.rst): a test for each patch, a subtest for each finding.
    """
    lines = ["KTAP version 1", f"1..{len(found.patches)}"]
    for number, patch in enumerate(found.patches, 1):
        name = _ktap_name(named(patch))
        if patch.word == "untouched":
            lines.append(f"ok {number} {name} # SKIP nothing that is checked is touched")
            continue
        rows = list(cases(patch, all_broken))
        lines += ["  KTAP version 1", f"  1..{len(rows)}"]
        for count, (one, ok) in enumerate(rows, 1):
            lines += [f"  # {line}" for line in clean(one.details).splitlines()]
            lines.append(f"  {'ok' if ok else 'not ok'} {count} {_ktap_name(one.name)}"
                         + _directive(one, ok))
        ok = patch.word == "kept"
        error = " # ERROR not all of it is known" if patch.word == "incomplete" else ""
        lines.append(f"{'ok' if ok else 'not ok'} {number} {name}{error}")
    return "\n".join(lines)


def cases(patch: PatchOutcome, all_broken: bool) -> Iterator[tuple[Finding, bool]]:
    """Every finding, and whether it is a pass; a patch without any has one."""
    found = list(findings(patch, all_broken))
    yield from ((one, one.level == "note" and not one.before) for one in found)
    if not found:
        text = "nothing was found broken"
        yield Finding("note", "patch", text, "", 0, text), True


def _directive(one: Finding, ok: bool) -> str:
    if one.before:
        return " # XFAIL it failed before as well"
    return "" if ok or one.level == "error" else f" # ERROR {_ktap_name(one.text)}"


def _ktap_name(text: str) -> str:
    """On one line, without the mark that begins a directive."""
    return re.sub(r"\s*#\s*", " ", one_line(text))
