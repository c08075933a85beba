# SPDX-License-Identifier: GPL-2.0-or-later
"""What `list` prints."""

from __future__ import annotations

from collections.abc import Sequence

from verifier.base.columns import columns, page, wrap
from verifier.base.errors import UsageError, nearest
from verifier.model.spec import EFFECT, REACHES
from verifier.report import catalogue
from verifier.run.library import Library

__all__ = ["list_text"]

LEAST = 36  # columns that the text of a line needs beside what it is about
BELOW = " " * 6
FOREVER = 1000


def list_text(library: Library, what: str, arch: str | None) -> str:
    """One line for each thing that there is."""
    if arch is not None:
        library.variant(arch)
    if what == "archs":
        rows = [[a.name, a.read, " ".join(a.variants)] for a in library.archs.values()]
    elif what == "variants":
        rows = [[v.name, v.arch, v.describe] for v in library.variants()]
    elif what == "transitions":
        rows = catalogue.rows(library.catalogue)
    elif what == "properties":
        rows = [[p.name, p.kind, p.claim] for p in library.spec.properties.values()]
        rows.append([f"{REACHES}NAME", EFFECT,
                     "some state leads the step to what it is there for (its `reaches`)"])
    elif what == "encodings":
        rows = [[e.name, " ".join(e.codes), e.describe] for e in library.spec.encodings.values()]
    elif what == "helpers":
        return "\n\n".join(_helpers(library, library.variant(n).name)
                           for n in ([arch] if arch else library.archs))
    else:
        raise UsageError(f"cannot list {what!r}{nearest(what, ['archs', 'variants'])}")
    return _lines(rows)


def _helpers(library: Library, variant: str) -> str:
    layout = library.layout(variant)
    return "\n".join([f"{variant}:", *(wrap(f"{name}  {layout.helper(name).source}", "  ", BELOW)
                                       for name in layout.helpers())])


def _lines(rows: Sequence[Sequence[str]]) -> str:
    """Columns, the last of which has its words in several lines; where too little is left for it,
    it stands below.
    """
    short = [row[:-1] for row in rows]
    heads = [line for (line,) in columns(short, FOREVER)]
    beside = max(map(len, heads)) + 2
    if page().width - beside < LEAST:
        return "\n".join(
            f"{head}\n{wrap(row[-1], BELOW)}" for head, row in zip(heads, rows, strict=True)
        )
    return "\n".join(wrap(row[-1], head.ljust(beside), " " * beside)
                     for head, row in zip(heads, rows, strict=True))
