# SPDX-License-Identifier: GPL-2.0-or-later
"""What became of patches, as plain data: pteproof.check-patch/1, whose schema is
patch_schema.json beside this file, and the answer that b4 asks for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from verifier.base.output import clean
from verifier.patches.outcome import PatchOutcome, SeriesOutcome
from verifier.report.patch_findings import findings

__all__ = ["b4_data", "patch_schema", "series_data"]

SCHEMA = "pteproof.check-patch/1"
_STATUS = {"error": "fail", "warning": "warn"}


def patch_schema() -> dict[str, Any]:
    """The JSON Schema of `series_data`."""
    path = Path(__file__).parent / "patch_schema.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def series_data(found: SeriesOutcome, all_broken: bool) -> dict[str, Any]:
    """A series as plain data.

    all_broken  also what failed before a patch; its number is there in any case
    """
    bad = found.first_bad()
    return {
        "schema": SCHEMA, "version": found.version, "notes": list(found.notes),
        "first_broken": None if bad is None else found.patches.index(bad),
        "patches": [_patch(patch, all_broken) for patch in found.patches],
    }


def _patch(patch: PatchOutcome, all_broken: bool) -> dict[str, Any]:
    shown = [one for one in patch.obligations if all_broken or one.word != "still broken"]
    return {
        "title": patch.title, "author": patch.author, "source": patch.source,
        "position": None if patch.position is None else list(patch.position),
        "base": patch.base or None, "verdict": patch.word, "files": list(patch.paths),
        "notes": list(patch.notes),
        "helpers": [asdict(one) for one in patch.helpers],
        "obligations": [asdict(one) for one in shown],
        "still_broken": len(patch.before()),
        "functions": [_listed(asdict(one)) for one in patch.functions],
        "sites": [asdict(one) for one in patch.sites],
        "incomplete": list(patch.incomplete),
    }


def _listed(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value
            for name, value in record.items()}


def b4_data(patch: PatchOutcome, all_broken: bool) -> list[dict[str, str]]:
    """What `b4 review` reads of a check: a list of findings, empty where nothing is touched.

    A patch that keeps everything has one entry, so that a pass is seen.
    """
    if patch.word == "untouched":
        return []
    found = list(findings(patch, all_broken))
    rows = [_entry(_STATUS.get(one.level, "warn"), one.text, one.details)
            for one in found if one.level in _STATUS or one.before]
    if patch.word == "kept":
        said = [*patch.notes, *(one.text for one in found if not one.before), *patch.paths]
        rows.append(_entry("pass", "nothing was found broken", "\n".join(said)))
    return rows


def _entry(status: str, summary: str, details: str) -> dict[str, str]:
    return {"tool": "pteproof", "status": status, "summary": clean(summary), "url": "",
            "details": clean(details)}
