# SPDX-License-Identifier: GPL-2.0-or-later
"""A Run as JSON: the public contract pteproof.result/2, whose schema is schema.json beside this
file.

Most of a run is proofs, which say little: they stand together, a line for each step. What fails is
a line each, in full.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from verifier import __version__
from verifier.model.typed import Model
from verifier.prove.results import (
    Counterexample,
    Incomplete,
    Proved,
    Result,
    Run,
    TheoremResult,
    Unknown,
    Vacuous,
    reason,
    tally,
    verdict_name,
)
from verifier.report.state_json import NAMES, move, moves
from verifier.report.why import why
from verifier.run.library import Library

__all__ = ["SCHEMA", "head", "json_parts", "opening", "records", "schema", "text"]

SCHEMA = "pteproof.result/2"
_WORDS = ("proved", "refuted", "vacuous", "unknown", "incomplete", "advice")


def schema() -> dict[str, Any]:
    """The JSON Schema of a result; of each line of `--jsonl` it has one under `$defs`."""
    found: dict[str, Any] = json.loads((Path(__file__).parent / "schema.json").read_text())
    return found


def text(value: object) -> str:
    """One line of JSON, in ASCII."""
    return json.dumps(value, separators=(",", ":"))


def json_parts(library: Library | None, run: Run, inhabitants: bool = False) -> Iterator[str]:
    """The text of the whole run, line by line: it can be far larger than the run is."""
    yield text(opening(library) | head(run))[:-1]
    for kind, name in (("proofs", "proofs"), ("failure", "failures")):
        yield f',\n"{name}":['
        number = 0
        for number, (_, record) in enumerate(records(library, run.results, inhabitants, (kind,)),
                                             1):
            yield (",\n" if number > 1 else "\n") + text(record)
        yield "\n]" if number else "]"
    yield "}\n"


def records(
    library: Library | None, results: Iterable[Result], inhabitants: bool,
    kinds: Collection[str] = ("proofs", "failure"),
) -> Iterator[tuple[str, dict[str, Any]]]:
    """For each step, one record of what is proved, then one for each obligation that is not.

    inhabitants  with a step that satisfies everything that is assumed
    kinds        which of the two
    """
    for _, found in groupby(results, lambda r: (r.obligation.group, r.obligation.transition)):
        assert library is not None, "who has results has read specs/"
        failures = []
        alike: dict[object, list[Result]] = {}
        for result in found:
            if not isinstance(result.verdict, Proved):
                failures.append(result)
                continue
            shown = id(result.verdict.inhabitant) if inhabitants else 0
            alike.setdefault((result.solver, result.cached, result.assumptions, shown),
                             []).append(result)
        if "proofs" in kinds:
            yield from (("proofs", _proofs(library, those, inhabitants))
                        for those in alike.values())
        if "failure" in kinds:
            yield from (("failure", _failure(library, one, inhabitants)) for one in failures)


def opening(library: Library | None) -> dict[str, Any]:
    """What is known before anything is decided: the program, and what the properties claim."""
    claims = {} if library is None else {
        p.name: {"kind": p.kind, "claim": p.claim} for p in library.spec.properties.values()}
    return {"schema": SCHEMA, "tool": {"version": __version__}, "properties": claims}


def head(run: Run) -> dict[str, Any]:
    """What a run comes to, without its results."""
    counts: Counter[str] = Counter()
    for alike, number in tally(run.results).items():
        counts[alike.counted_as()] += number
    return {
        "solvers": dict(run.solvers),
        "summary": {**{word: counts[word] for word in _WORDS}, "undecided": run.undecided},
        "complete": not run.cut_short(),
        "stopped": run.stopped or None,
        "coverage": dict(run.coverage),
        **({} if run.compared is None else {"baseline": run.compared.data()}),
        "seconds": {name: round(value, 3) for name, value in run.seconds.items()},
        "contradictions": list(run.contradictions),
        "theorems": [_theorem(t) for t in run.theorems],
    }


def _theorem(found: TheoremResult) -> dict[str, Any]:
    """What a theorem comes to."""
    return {
        "theorem": str(found.group), "verdict": found.verdict, "whole": found.whole,
        "lemmas": list(found.lemmas),
        "counts": {**found.counts, "undecided": found.undecided},
    }


def _proofs(library: Library, alike: Sequence[Result], inhabitants: bool) -> dict[str, Any]:
    """What was proved of a step in one way: under the same assumptions, by the same solver."""
    first = alike[0]
    return {
        "step": first.obligation.id.rpartition("/")[0],
        "catalogue": list(first.obligation.catalogue), "solver": first.solver,
        "cached": first.cached, "seconds": round(sum(r.seconds for r in alike), 5),
        "assumptions": list(first.assumptions),
        "proved": [r.obligation.property for r in alike],
        **_inhabitant(library, first, inhabitants),
    }


def _inhabitant(library: Library, result: Result, wanted: bool) -> dict[str, Any]:
    found = getattr(result.verdict, "inhabitant", None) if wanted else None
    return ({} if found is None
            else {"inhabitant": move(library.group_model(result.obligation.group), found)})


def _failure(library: Library, result: Result, inhabitants: bool) -> dict[str, Any]:
    """What is not proved, in full."""
    o, verdict = result.obligation, result.verdict
    found: dict[str, Any] = {
        "id": o.id, "verdict": verdict_name(verdict), "kind": o.kind, "claim": o.claim,
        "catalogue": list(o.catalogue),
        "seconds": round(result.seconds, 5), "solver": result.solver, "cached": result.cached,
        "assumptions": list(result.assumptions), "counterexample": None,
    }
    if result.ways:
        found["ways"] = list(result.ways)
    counterexample = getattr(verdict, "counterexample", None)
    if counterexample is not None:
        found["counterexample"] = _counterexample(library.group_model(o.group), result,
                                                  counterexample)
    if isinstance(verdict, Unknown):
        found["reason"], found["detail"] = verdict.reason, verdict.detail
    elif isinstance(verdict, (Vacuous, Incomplete)):
        found["reason"] = reason(verdict)
    return found | _inhabitant(library, result, inhabitants)


def _counterexample(model: Model, result: Result, found: Counterexample) -> dict[str, Any]:
    shown = why(model, result.obligation.group, found.move, result.obligation.property,
                found.process)
    return {
        "steps": moves(model, found.trace or (found.move,)), "reached": found.reached,
        "depth": found.depth,
        "process": None if found.process is None else NAMES[found.process],
        "fails": None if shown is None else {
            "process": shown.process, "says": shown.says,
            "terms": [{"term": t.reads, "before": t.before, "after": t.after}
                      for t in shown.terms]},
        "leads_to": moves(model, found.leads_to, found.move.after), "consequence": found.consequence
        or None,
        "searched": found.searched, "rejected": found.rejected, "unproved": list(found.unproved),
        "replay": {"evaluator": found.replayed, "kernel": found.kernel, "why": found.kernel_why},
    }
