# SPDX-License-Identifier: GPL-2.0-or-later
"""What conform found of atomicity, as text and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from verifier.kernel.conform.atomic_results import (
    Atomicity,
    AtomicityUnknown,
    Disturbed,
    LessAtomic,
    MoreAtomic,
    NotCompared,
    Same,
)
from verifier.kernel.conform.fields import entry_text
from verifier.model.arch import Layout

__all__ = ["atomicity_counts", "atomicity_json", "atomicity_lines", "disturbed_lines"]

_WORDS = {
    Same: "same",
    MoreAtomic: "arch more atomic",
    LessAtomic: "arch less atomic",
    AtomicityUnknown: "undecided",
    NotCompared: "not compared",
}


def disturbed_lines(run: Disturbed, layout: Layout | None) -> list[str]:
    """A run that the other side does not have."""
    rows = [f"    {name} = {entry_text(value, layout)}" for name, value in run.inputs.items()]
    rows += [f"    with {name} = {value:#x}" for name, value in run.free.items()]
    rows += [f"    the hardware: {event}, {where}" for event, where in run.events]
    rows += [] if run.result is None else [f"    result = {entry_text(run.result, layout)}"]
    rows.append(
        f"    entry at the end = {entry_text(run.entry, layout)}, {'a' if run.stored else 'no'}"
        " store of user mode happened"
    )
    return rows if run.replayed else [*rows, "    plain integers do not show this"]


def atomicity_lines(found: Atomicity | None, layout: Layout | None, verbose: bool) -> list[str]:
    """What a reader should know of the atomicity of one helper, a line each.

    The helper is equal, or not equal for other reasons. `verbose`: all that is known.
    """
    if found is None:
        return []
    rows = []
    match found.compared:
        case MoreAtomic(run):
            rows += [
                "    and arch/ is more atomic than the kernel, whose helper also comes to this:",
                *disturbed_lines(run, layout),
            ]
        case LessAtomic(run):
            rows += [
                "    arch/ lets the hardware in where the kernel does not, and comes to this:",
                *disturbed_lines(run, layout),
            ]
        case NotCompared(reason) if verbose:
            rows.append(f"    atomicity is not compared: {reason}")
        case Same() if verbose:
            rows.append("    atomicity: the same")
    if verbose:
        rows += _steps(found)
    return rows


def _steps(found: Atomicity) -> list[str]:
    match found.one_step:
        case Disturbed(events=events):
            rows = ["    not one step: " + "; ".join(f"{event} {where}" for event, where in events)]
        case AtomicityUnknown(reason):
            rows = [f"    one step or not is not known: {reason}"]
        case _:
            rows = ["    one step"]
    rows += [f"    {found.plain} plain accesses of the entry"] if found.plain else []
    return rows + ([f"    {found.parts} accesses to a part of the entry"] if found.parts else [])


def atomicity_counts(results: Iterable[Any], variant: str) -> list[str]:
    """One sentence for a variant, if anything was compared."""
    found = [
        a
        for r in results
        if r.variant == variant and (a := getattr(r, "atomicity", None)) is not None
    ]
    asked = [a for a in found if not isinstance(a.compared, NotCompared)]
    if not asked:
        return []
    counts = Counter(_WORDS[type(a.compared)] for a in asked)
    steps = sum(isinstance(a.one_step, Disturbed) for a in found)
    seconds = sum(a.seconds for a in found)
    told = ", ".join(f"{counts[word]} {word}" for word in _WORDS.values() if counts[word])
    return [
        f"of {len(asked)} helpers on pointers: {told}; {steps} are not one step in the kernel"
        f" ({seconds:.1f} s)"
    ]


def atomicity_json(found: Atomicity) -> dict[str, Any]:
    """As plain data: `verdict` against arch/, `one_step` of the kernel's helper alone (null: not
    known).
    """
    one_step = None if isinstance(found.one_step, AtomicityUnknown) else found.one_step is True
    told: dict[str, Any] = {
        "verdict": _WORDS[type(found.compared)],
        "one_step": one_step,
        "plain_accesses": found.plain,
        "part_accesses": found.parts,
        "seconds": round(found.seconds, 4),
    }
    match found.compared:
        case MoreAtomic(run) | LessAtomic(run):
            told["run"] = _run(run)
        case AtomicityUnknown(reason) | NotCompared(reason):
            told["reason"] = reason
    match found.one_step:
        case Disturbed():
            told["not_one_step"] = _run(found.one_step)
        case AtomicityUnknown(reason):
            told["one_step_reason"] = reason
    return told


def _run(run: Disturbed) -> dict[str, Any]:
    return {
        "inputs": {name: f"{value:#x}" for name, value in run.inputs.items()},
        "with": {name: f"{value:#x}" for name, value in run.free.items()},
        "hardware": [{"event": event, "where": where} for event, where in run.events],
        "result": None if run.result is None else f"{run.result:#x}",
        "entry": f"{run.entry:#x}",
        "stored": run.stored,
        "replay": run.replayed,
    }
