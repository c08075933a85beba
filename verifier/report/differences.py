# SPDX-License-Identifier: GPL-2.0-or-later
"""What became of obligations, as text and as JSON (pteproof.difference/2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from verifier.base.columns import labelled, wrap
from verifier.model.typed import Model
from verifier.prove.difference import Difference
from verifier.report.moves import moves_text
from verifier.report.state_json import move, moves, number
from verifier.run.library import Library

__all__ = ["difference_data", "difference_text"]

_SAYS = {
    "broken": "in this state the old step keeps it, whatever it observes; the new one breaks it",
    "widened": "the new step breaks it in a state in which the old one is not taken: something "
               "that was required is not",
    "lost": "no state leads there any more",
    "fixed": "the old breaks it, the new proves it",
    "still broken": "the new breaks it, but in no state in which the old keeps it",
    "unknown": "it is not known",
    "added": "only the new has it",
    "gone": "only the old has it",
}
_QUIET = ("same", "kept")


def difference_text(library: Library, found: Sequence[Difference], verbose: bool,
                    quiet: bool) -> str:
    """What is worse with its values, the rest by name, and how many of each."""
    parts = []
    for one in found if not quiet else ():
        if one.word in _QUIET:
            if verbose:
                parts.append(labelled(f"{one.word:<12}  ", one.id))
            continue
        lines = [labelled(f"{one.word:<12}  ", one.id),
                 wrap(_SAYS[one.word] + (f"; {one.note}" if one.note else ""))]
        model = _model(library, one)
        if one.move is not None and one.old is not None:
            if one.trace:
                lines.append("  reached from a fresh mapping by the new's steps:\n"
                             + moves_text(model, one.trace))
            lines += ["  the new:\n" + moves_text(model, [one.move]),
                      "  the old, from the same state:\n" + moves_text(model, [one.old])]
        elif one.values:
            lines.append(
                wrap("for " + ", ".join(f"{n}={int(v):#x}" for n, v in one.values.items()))
            )
        parts.append("\n".join(lines))
    counts = Counter(one.word for one in found)
    order = (*_SAYS, *_QUIET)
    parts.append(wrap(f"Compared {len(found)}: "
                      + ", ".join(f"{counts[w]} {w}" for w in order if counts[w]) + ".", "", "  "))
    return "\n\n".join(parts) if not verbose else "\n".join(parts)


def _model(library: Library, one: Difference) -> Model:
    variant, level, encoding = one.id.split("/")[:3]
    return library.model(variant, encoding, level)


def difference_data(library: Library, found: Iterable[Difference]) -> dict[str, Any]:
    """The same as plain data; states as in the results of `prove`."""
    rows = []
    for one in found:
        model = _model(library, one)
        rows.append({"id": one.id, "transition": one.transition, "property": one.property,
                     "verdict": one.word,
                     "note": one.note, "new": None if one.move is None else move(model, one.move),
                     "old": None if one.old is None else move(model, one.old),
                     "trace": moves(model, one.trace),
                     "values": {n: number(v) for n, v in one.values.items()} if one.move is None
                     else {}})
    return {"schema": "pteproof.difference/2",
            "summary": dict(Counter(row["verdict"] for row in rows)), "results": rows}
