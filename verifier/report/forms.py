# SPDX-License-Identifier: GPL-2.0-or-later
"""One Run, in the forms that people and programs read. Nothing here prints or decides."""

from __future__ import annotations

from collections.abc import Iterator

from verifier.prove.results import Run
from verifier.report.explain import explain_text, more_text
from verifier.report.tables import audit_text, prove_text
from verifier.run.library import Library

__all__ = [
    "audit_text", "explain_text", "json_parts", "junit_parts", "more_text", "prove_text",
    "sarif_parts",
]


def json_parts(library: Library | None, run: Run, inhabitants: bool = False) -> Iterator[str]:
    """The run as JSON, in parts: schema pteproof.result/2."""
    from verifier.report import result_json

    return result_json.json_parts(library, run, inhabitants)


def junit_parts(library: Library | None, run: Run) -> Iterator[str]:
    """The run as JUnit XML, in parts."""
    from verifier.report import junit

    return junit.junit_parts(run)


def sarif_parts(library: Library | None, run: Run) -> Iterator[str]:
    """The run as SARIF 2.1.0, in parts."""
    from verifier.report import sarif

    return sarif.sarif_parts(library, run)
