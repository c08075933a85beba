# SPDX-License-Identifier: GPL-2.0-or-later
"""A Run as SARIF 2.1.0: proofs are results of kind pass, failures of kind fail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from verifier import __version__
from verifier.plan import Library
from verifier.results import Result, Run, reason, verdict_name

__all__ = ["sarif_parts"]

PLACE = '"results go here"'
_KIND = {"proved": "pass", "refuted": "fail", "vacuous": "open", "unknown": "open", "incomplete": "open"}


def sarif_parts(library: Library, run: Run) -> Iterator[str]:
    """One SARIF run; a rule for each property, a place in specs/ for each result."""
    head = json.dumps(_head(library), indent=1)
    before, behind = head.split(PLACE)
    yield before
    for number, result in enumerate(run.results):
        yield (",\n    " if number else "[\n    ") + json.dumps(_result(library, result), indent=1).replace("\n", "\n    ")
    yield ("\n   ]" if run.results else "[]") + behind


def _head(library: Library) -> dict[str, Any]:
    rules = [
        {"id": p.name, "shortDescription": {"text": p.claim}, "defaultConfiguration": {
            "level": "note" if p.kind == "advisory" else "error"}}
        for p in library.spec.properties.values()
    ]
    effects = sorted({effect.as_property().name for t in library.spec.transitions.values() for effect in t.reaches})
    rules += [{"id": name, "shortDescription": {"text": "some state leads the step to what it is there for"},
               "defaultConfiguration": {"level": "error"}} for name in effects]
    driver = {"name": "pteproof", "version": __version__, "rules": rules}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": json.loads(PLACE)}],
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
