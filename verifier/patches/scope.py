# SPDX-License-Identifier: GPL-2.0-or-later
"""Which files of a kernel tree a check can be about, by their paths alone.

This is the first question about a patch, and for most patches the last one: it loads nothing. It
says yes too often rather than too seldom.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from verifier.patches.outcome import PatchOutcome, SeriesOutcome
from verifier.patches.patch import Series

__all__ = ["BUILD", "HEADER", "SOURCE", "kind_of", "touched_paths", "untouched"]

HEADER = "header"  # helpers may be compiled with it
SOURCE = "source"  # it may use helpers
BUILD = "build"  # it says how the kernel is configured and built

# Headers of devices and file systems, which no header of memory management includes.
_FOREIGN = "dt-bindings|drm|media|sound|rdma|scsi|ufs|pcmcia|target"
_KINDS = (
    (BUILD, r"(?:Makefile|Kbuild|Kconfig)|scripts/.*"
            r"|(?:init|lib|kernel|mm|usr|virt)/(?:.*/)?Kconfig.*|(?:mm|kernel)/Makefile|arch/[^/]+/(?:Makefile.*|Kbuild|Kconfig.*|Kconfig/.*|configs/.*"
            r"|tools/.*|(?:mm|include)/(?:.*/)?(?:Makefile|Kbuild|Kconfig.*))"),
    (HEADER, rf"include/(?!(?:{_FOREIGN})/).*|arch/[^/]+/(?:.*/)?[^/]+\.h|kernel/bounds\.c"
             r"|arch/[^/]+/kernel/asm-offsets[^/]*\.c|tools/include/.*|.*\.h\.in"),
    (SOURCE, r"(?:mm|fs/proc|kernel|virt/kvm)/.*\.[ch]|fs/exec\.c"
             r"|arch/[^/]+/(?:mm|kernel|lib)/.*\.[chS]"),
)
_ALL = tuple((kind, re.compile(pattern)) for kind, pattern in _KINDS)


def kind_of(path: str) -> str | None:
    """HEADER, SOURCE or BUILD; None for a file that no check is about.

    >>> [kind_of(p) for p in ("mm/Kconfig", "include/linux/mm.h", "mm/memory.c", "drivers/a/b.h")]
    ['build', 'header', 'source', None]
    """
    return next((kind for kind, pattern in _ALL if pattern.fullmatch(path)), None)


def touched_paths(paths: Iterable[str]) -> dict[str, list[str]]:
    """Kind -> the paths of this kind, in their order; a kind without any is not there."""
    found: dict[str, list[str]] = {}
    for path in paths:
        kind = kind_of(path)
        if kind is not None:
            found.setdefault(kind, []).append(path)
    return found


def untouched(series: Series) -> SeriesOutcome | None:
    """The outcome where no patch has a file that a check is about; None where one has."""
    if any(touched_paths(patch.paths()) for patch in series.patches):
        return None
    return SeriesOutcome(tuple(PatchOutcome(patch.title, patch.source, patch.author, patch.position)
                               for patch in series.patches), series.notes)
