# SPDX-License-Identifier: GPL-2.0-or-later
"""A Run as JSON: the public contract pteproof.result/1, whose schema is schema.json beside this file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from verifier import __version__
from verifier.language.evaluate import call
from verifier.model.arch import Layout
from verifier.model.spec import Level
from verifier.model.step import key_name
from verifier.model.typed import Model
from verifier.prove.results import (
    Counterexample,
    Incomplete,
    Move,
    Result,
    Run,
    State,
    Unknown,
    Vacuous,
    reason,
    verdict_name,
)
from verifier.report.moves import reads_as, shown
from verifier.report.why import why
from verifier.run.library import Library

__all__ = ["json_parts", "schema"]

_SHOWN = ("pte_present", "pte_write", "pte_dirty", "pte_young", "pte_soft_dirty", "pte_uffd_wp", "pte_swp_exclusive")
_WORDS = ("proved", "refuted", "vacuous", "unknown", "incomplete")


def schema() -> dict[str, Any]:
    """The JSON Schema of a result."""
    found: dict[str, Any] = json.loads((Path(__file__).parent / "schema.json").read_text())
    return found


def json_parts(library: Library | None, run: Run) -> Iterator[str]:
    """The text of the whole run, result by result: it can be far larger than the run is."""
    yield json.dumps(_head(run), separators=(",", ":"))[:-1] + ',"results":['
    show = _Shown()
    for number, result in enumerate(run.results):
        assert library is not None, "who has results has read specs/"
        yield ("," if number else "") + _result(library, result, show)
    yield "]}"


def _head(run: Run) -> dict[str, Any]:
    counts = Counter(verdict_name(r.verdict) for r in run.results)
    return {
        "schema": "pteproof.result/1",
        "tool": {"version": __version__, "solvers": dict(run.solvers)},
        "summary": {**{word: counts[word] for word in _WORDS}, "undecided": run.undecided},
        "complete": not run.cut_short(),
        "stopped": run.stopped or None,
        "coverage": dict(run.coverage),
        **({} if run.compared is None else {"baseline": run.compared.data()}),
        "seconds": {name: round(value, 3) for name, value in run.seconds.items()},
        "contradictions": list(run.contradictions),
        "theorems": [
            {"variant": t.group.variant, "level": t.group.level, "encoding": t.group.encoding, "code": t.group.code,
             "verdict": t.verdict, "whole": t.whole, "lemmas": list(t.lemmas), "counts": {**t.counts, "undecided": t.undecided}}
            for t in run.theorems
        ],
    }


class _Shown:
    """Inhabitants as JSON. Obligations that stand together have the same one, which is decoded once."""

    def __init__(self) -> None:
        self.last: Move | None = None
        self.text = ""

    def move(self, model: Model, move: Move) -> str:
        if move is not self.last:
            self.last, self.text = move, _text(_move(model, move))
        return self.text


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))


def _result(library: Library, result: Result, show: _Shown) -> str:
    o = result.obligation
    model = library.group_model(o.group)
    verdict = result.verdict
    found: dict[str, Any] = {
        "id": o.id, "variant": o.group.variant, "level": o.group.level, "encoding": o.group.encoding,
        "transition": o.transition, "catalogue": list(o.catalogue), "code": o.group.code, "property": o.property,
        "kind": o.kind, "claim": o.claim, "verdict": verdict_name(verdict), "seconds": round(result.seconds, 6),
        "solver": result.solver, "cached": result.cached, "assumptions": list(result.assumptions),
        "inhabitant": None, "counterexample": None,
    }
    if result.ways:
        found["ways"] = list(result.ways)
    counterexample = getattr(verdict, "counterexample", None)
    if counterexample is not None:
        found["counterexample"] = _counterexample(model, result, counterexample)
    if isinstance(verdict, Unknown):
        found["reason"], found["detail"] = verdict.reason, verdict.detail
    elif isinstance(verdict, (Vacuous, Incomplete)):
        found["reason"] = reason(verdict)
    inhabitant = getattr(verdict, "inhabitant", None)
    if inhabitant is None:
        return _text(found)
    # No string of JSON has these characters in it: a quote in a string has a backslash before it.
    return _text(found).replace('"inhabitant":null', f'"inhabitant":{show.move(model, inhabitant)}', 1)


def _counterexample(model: Model, result: Result, found: Counterexample) -> dict[str, Any]:
    shown = why(model, result.obligation.group, found.move, result.obligation.property, found.process)
    return {
        "before": state(model, found.move.before), "after": state(model, found.move.after),
        "inputs": dict(found.move.inputs), "process": found.process, "roles": ["AB3"[r] for r in found.move.roles],
        "trace": _moves(model, found.trace), "reached": found.reached, "depth": found.depth,
        "leads_to": _moves(model, found.leads_to), "consequence": found.consequence or None,
        "searched": found.searched, "rejected": found.rejected, "unproved": list(found.unproved),
        "fails": None if shown is None else {
            "process": shown.process, "says": shown.says,
            "terms": [{"term": t.reads, "before": t.before, "after": t.after} for t in shown.terms]},
        "replay": {"evaluator": found.replayed, "kernel": found.kernel, "why": found.kernel_why},
    }


def _moves(model: Model, moves: Sequence[Move]) -> list[dict[str, Any]]:
    return [_move(model, move) for move in moves]


def _move(model: Model, move: Move) -> dict[str, Any]:
    return {
        "transition": move.transition, "roles": ["AB3"[r] for r in move.roles], "tracks_new": move.tracks_new,
        "inputs": dict(move.inputs), "before": state(model, move.before), "after": state(model, move.after),
    }


def state(model: Model, values: State) -> dict[str, Any]:
    """A state by the names of its variables; entries decoded."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if not isinstance(key, str) and key[0] == "entry":
            decoded = entry(model, model.level_in(values, key[1]), int(value))
            decoded["exclusive"] = reads_as(model, values, key[1]).endswith("exclusive")
            found[key_name(key)] = decoded
        else:
            found[key_name(key)] = value if isinstance(value, bool) else f"0x{value:x}"
    return found


def _fields(layout: Layout, value: int) -> dict[str, int]:
    """The fields that are not 0; bits without a name under `unknown`."""
    found = {f.name: (value & f.mask) >> f.low for f in layout.fields.values() if value & f.mask}
    left = value
    for f in layout.fields.values():
        left &= ~f.mask
    return found | ({"unknown": left} if left else {})


def entry(model: Model, level: Level, value: int) -> dict[str, Any]:
    """An entry of a level: its value, its fields that are not 0, what the helpers say."""
    machine, layout = shown(model), model.layout
    names = [name for name in map(level.translated, _SHOWN) if layout.function(name) is not None]
    return {
        "value": f"0x{value:0{layout.width // 4}x}",
        "fields": _fields(layout, value),
        "helpers": {name: bool(call(machine, layout.helper(name), (model.seen(machine, value, level),))) for name in names},
    }
