# SPDX-License-Identifier: GPL-2.0-or-later
"""The catalogue of the kernel's places: for `list transitions`, docs/transitions.md and runs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from verifier.model.catalogue import Catalogue, Row

__all__ = ["coverage_line", "page", "rows"]

WIDTH = 100
_KINDS = {"not": "Not modelled", "later": "Not yet", "partly": "But for"}
_HOW = {"set": "Set", "cleared": "Taken away", "asked": "Asked for, and something follows from it",
        "asserted": "Asserted alone"}


def rows(catalogue: Catalogue) -> list[list[str]]:
    """Number, place, and what happens, with what models it."""
    return [[row.number, row.site, f"{_said(row)}. {_by(catalogue.covered_by(row))}"]
            for row in catalogue.rows()]


def _by(names: Sequence[str]) -> str:
    return f"Modelled by {', '.join(names)}." if names else "Nothing models it."


def coverage_line(found: object) -> str:
    """One line of a run's summary: the numbers of rows that nothing models though something could.
    """
    if not isinstance(found, dict) or not found.get("rows"):
        return ""
    later = [gap["row"] for gap in found["open"] if gap["kind"] == "later"]
    partly = len([gap for gap in found["open"] if gap["kind"] == "partly"])
    return (f"catalogue: {found['modelled']} of {found['rows']} places of the kernel are modelled, "
            f"{partly} of them in part; "
            f"not yet: {' '.join(later) or 'none'} (coverage.catalogue in the JSON result says "
            "what and why)")


def page(catalogue: Catalogue) -> str:
    """docs/transitions.md."""
    modelled = catalogue.covered()
    lines = ["# Transitions", "", *_wrapped(
        "Every place of Linux 6.12.117 that makes, changes, moves or drops an entry of an "
        "anonymous page, or decides by one, "
        "as far as reading the source found them; with what models it. This page is made of "
        "specs/catalogue.yaml, of the "
        "transitions and of the hardware events that name its rows, by make docs; a test fails "
        "where it is stale. "
        f"{len(modelled)} of {len(catalogue.rows())} rows are modelled, "
        f"{len([row for row in modelled if row.partly])} of them in part.")]
    for section in catalogue.sections:
        lines += ["", f"## {section.title}", ""]
        for row in section.rows:
            lines += _wrapped(
                f"- **{row.number}** `{row.site}`: {row.what}. {_models(catalogue, row)}", "  "
            )
    lines += ["", "## Where the page flag is used", "", *_wrapped(
        "Each use of PageAnonExclusive in the source, and the rows that it belongs to.")]
    for how, sites in catalogue.uses.items():
        lines += ["", f"{_HOW[how]}:", ""]
        lines += [line for site, numbers in sites.items()
                  for line in _wrapped(f"- `{site}`: {', '.join(numbers)}", "  ")]
    return "\n".join(lines) + "\n"


def _models(catalogue: Catalogue, row: Row) -> str:
    parts = []
    names = catalogue.models[row.number]
    if names:
        parts.append(f"*Modelled by* {', '.join(names)}.")
    if row.claims:
        parts.append(f"*Claimed in* {', '.join(f'`verifier/{name}`' for name in row.claims)}.")
    if row.why:
        parts.append(f"*{_KINDS[row.kind]}*: {row.why}.")
    elif not parts:
        parts.append("*On no architecture that is here.*")
    return " ".join(parts)


def _said(row: Row) -> str:
    return row.what + (f"; {row.kind}: {row.why}" if row.why else "")


def _wrapped(text: str, indent: str = "") -> Iterator[str]:
    yield from textwrap.wrap(text, WIDTH, subsequent_indent=indent, break_on_hyphens=False,
                             break_long_words=False)
