# SPDX-License-Identifier: GPL-2.0-or-later
"""The command `certify`, in words."""

from __future__ import annotations

import json
from pathlib import Path

from verifier.certify.verify import Report

__all__ = ["report_json", "report_text"]


def report_text(folder: Path, report: Report) -> str:
    """What --verify found, for people."""
    lines = [f"{name}: {why}" for name, why in sorted(report.wrong.items())]
    lines.append(f"{folder}: {report.units} certificates of {report.obligations} obligations hold, {len(report.wrong)} do "
                 f"not; checked by {report.checker}.")
    if report.not_certified:
        lines.append(f"{report.not_certified} obligations of the run were not proved and have no certificate; "
                     f"{folder}/index.json lists them.")
    return "\n".join(lines)


def report_json(report: Report) -> str:
    """The same as JSON."""
    return json.dumps({
        "schema": "pteproof.certified/1", "units": report.units, "obligations": report.obligations, "wrong": report.wrong,
        "not_certified": report.not_certified, "checker": report.checker,
    }, indent=1)
