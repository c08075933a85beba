# SPDX-License-Identifier: GPL-2.0-or-later
"""What `list` prints."""

from __future__ import annotations

from verifier.base.errors import UsageError, nearest
from verifier.model.spec import EFFECT, REACHES
from verifier.report import catalogue
from verifier.report.columns import table
from verifier.run.library import Library

__all__ = ["list_text"]


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
        rows.append([f"{REACHES}NAME", EFFECT, "some state leads the step to what it is there for (its `reaches`)"])
    elif what == "encodings":
        rows = [[e.name, " ".join(e.codes), e.describe] for e in library.spec.encodings.values()]
    elif what == "helpers":
        names = [arch] if arch else list(library.archs)
        rows = [[library.variant(n).name, h, library.layout(library.variant(n).name).helper(h).source]
                for n in names for h in library.layout(library.variant(n).name).helpers()]
    else:
        raise UsageError(f"cannot list {what!r}{nearest(what, ['archs', 'variants'])}")
    return "\n".join(table(rows, [""] * len(rows[0])).splitlines()[1:])
