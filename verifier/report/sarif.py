# SPDX-License-Identifier: GPL-2.0-or-later
"""A Run as SARIF 2.1.0: proofs are results of kind pass, failures of kind fail."""

from __future__ import annotations

from typing import Any

from verifier import __version__
from verifier.plan import Library
from verifier.results import Result, Run, reason, verdict_name

__all__ = ["as_sarif"]

_KIND = {"proved": "pass", "refuted": "fail", "vacuous": "open", "unknown": "open", "incomplete": "open"}


def as_sarif(library: Library, run: Run) -> dict[str, Any]:
    """One SARIF run; a rule for each property, a place in specs/ for each result."""
    rules = [
        {"id": p.name, "shortDescription": {"text": p.claim}, "defaultConfiguration": {
            "level": "note" if p.kind == "advisory" else "error"}}
        for p in library.spec.properties.values()
    ]
    driver = {"name": "pteproof", "version": __version__, "rules": rules}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": [_result(library, r) for r in run.results]}],
    }


def _result(library: Library, result: Result) -> dict[str, Any]:
    o = result.obligation
    name = verdict_name(result.verdict)
    found: dict[str, Any] = {
        "ruleId": o.property, "kind": _KIND[name],
        "message": {"text": f"{name}: {o.id}. {reason(result.verdict)} {o.claim}"},
        "level": "none" if _KIND[name] != "fail" else "note" if o.kind == "advisory" else "error",
    }
    transition = library.spec.transitions.get(o.transition)
    chosen = transition.code(o.group.code) if transition is not None else None
    if chosen is not None:
        where = chosen[1].where
        found["locations"] = [{"physicalLocation": {
            "artifactLocation": {"uri": where.path}, "region": {"startLine": where.line, "startColumn": where.column},
        }}]
    return found
