# SPDX-License-Identifier: GPL-2.0-or-later
"""A Run as SARIF 2.1.0: proofs are results of kind pass, failures of kind fail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from verifier import __version__
from verifier.prove.results import Result, Run, open_ones, reason, verdict_name
from verifier.run.library import Library

__all__ = ["sarif_parts"]

PLACE = '"results go here"'
_KIND = {"proved": "pass", "refuted": "fail", "vacuous": "open", "unknown": "open",
         "incomplete": "open"}


def sarif_parts(library: Library | None, run: Run) -> Iterator[str]:
    """The parts of one SARIF run: a rule for each property, a place in specs/ for each result.

    What was not decided is a notification.
    """
    head = json.dumps(_head(library, run), indent=1)
    before, behind = head.split(PLACE)
    yield before
    for number, result in enumerate(run.results):
        assert library is not None, "who has results has read specs/"
        yield ((",\n    " if number else "[\n    ")
               + json.dumps(_result(library, result), indent=1).replace("\n", "\n    "))
    yield ("\n   ]" if run.results else "[]") + behind


def _head(library: Library | None, run: Run) -> dict[str, Any]:
    rules = [] if library is None else _rules(library)
    driver = {"name": "pteproof", "version": __version__, "rules": rules}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "invocations": [_invocation(run)],
                  "results": json.loads(PLACE)}],
    }


def _rules(library: Library) -> list[dict[str, Any]]:
    """A rule for each property, and for each effect that a step is there for."""
    spec = library.spec
    effects = {effect.as_property().name for t in spec.transitions.values() for effect in t.reaches}
    told = [(p.name, p.claim, "note" if p.kind == "advisory" else "error")
            for p in spec.properties.values()]
    told += [(name, "some state leads the step to what it is there for", "error")
             for name in sorted(effects)]
    return [{"id": name, "shortDescription": {"text": text},
             "defaultConfiguration": {"level": level}}
            for name, text, level in told]


def _invocation(run: Run) -> dict[str, Any]:
    """Whether the run came to its end, and what is open if not; a refutation is no failure of it.
    """
    why = dict(run.unfinished)
    said = [f"contradiction: {what}" for what in run.contradictions]
    said += [run.cut_short()] if run.cut_short() else []
    said += [f"{t.group}: {open_ones(t)}: {why.get(t.group) or 'no verdict'}"
             for t in run.theorems if t.undecided != 0 or t.group in why]
    found: dict[str, Any] = {"executionSuccessful": not said}
    if said:
        found["toolExecutionNotifications"] = [{"level": "error", "message": {"text": text}}
                                               for text in said]
    return found


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
            "artifactLocation": {"uri": quote(where.path)},
            "region": {"startLine": where.line, "startColumn": where.column},
        }}]
    return found
