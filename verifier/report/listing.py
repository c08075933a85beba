# SPDX-License-Identifier: GPL-2.0-or-later
"""What `list` prints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from textwrap import indent

from verifier.base.columns import columns, fold, page, wrap
from verifier.base.errors import UsageError, nearest
from verifier.model.arch_records import GENERIC, Arch, Text
from verifier.model.read_like import bare
from verifier.model.spec import EFFECT, REACHES
from verifier.report import catalogue
from verifier.run.library import Library

__all__ = ["list_text"]

LEAST = 36  # columns that the text of a line needs beside what it is about
BELOW = " " * 6
FOREVER = 1000


def list_text(library: Library, what: str, arch: str | None) -> str:
    """A line for each thing that there is; of helpers, all that stands of them in arch/."""
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
    layout.check()
    return "\n".join([f"{variant}:", *(_helper(library, layout.arch, layout.text(name))
                                       for name in layout.helpers())])


def _helper(library: Library, arch: Arch, text: Text) -> str:
    """A helper as it stands: its place in arch/ and how it came to the variant, the kernel's place,
    and its body.
    """
    at = text.body.where
    place = f"{at.path}:{at.line} ({_origin(library, arch, text)})  {text.source}"
    return "\n".join([wrap(text.key, "  ", BELOW), wrap(place, BELOW),
                      fold(indent(text.body.text.strip(), f"{BELOW}    "))])


def _origin(library: Library, arch: Arch, text: Text) -> str:
    """By what a variant has a helper: its own file, one that this is like, or generic.yaml; and for
    which variants this version of it is.
    """
    file = PurePath(text.body.where.path).stem
    base = arch.like[0] if arch.like else ""
    if file == GENERIC:
        found = "generic"
    elif file != arch.name:
        found = f"like {file}"
    elif base and bare(text.key) in library.archs[base].helpers:
        found = f"own, differs from {base}"
    else:
        found = "own"
    if text.variants:
        found += f", for variants {' '.join(text.variants)}"
    if text.absent:
        found += f", where absent: {' '.join(text.absent)}"
    return found


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
