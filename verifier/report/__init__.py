# SPDX-License-Identifier: GPL-2.0-or-later
"""One Run, in the forms that people and programs read. Nothing here prints or decides."""

from __future__ import annotations

import json

from verifier.plan import Library
from verifier.report.show import decode_text, explain_text, list_text, more_text
from verifier.report.tables import audit_text, prove_text
from verifier.results import Run

__all__ = [
    "audit_text", "decode_text", "explain_text", "json_text", "junit_text", "list_text", "more_text", "prove_text",
    "sarif_text",
]


def json_text(library: Library, run: Run) -> str:
    """The run as JSON: schema pteproof.result/1."""
    from verifier.report.result_json import as_json

    return json.dumps(as_json(library, run), separators=(",", ":"))


def junit_text(library: Library, run: Run) -> str:
    """The run as JUnit XML."""
    from verifier.report.junit import as_junit

    return as_junit(run)


def sarif_text(library: Library, run: Run) -> str:
    """The run as SARIF 2.1.0."""
    from verifier.report.sarif import as_sarif

    return json.dumps(as_sarif(library, run), indent=1)
