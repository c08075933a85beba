# SPDX-License-Identifier: GPL-2.0-or-later
"""Text in lines and columns that fit into a mail."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

__all__ = ["WIDTH", "table", "wrap"]

WIDTH = 102


def table(rows: Sequence[Sequence[str]], head: Sequence[str]) -> str:
    """Columns as wide as they have to be, two spaces apart.

    >>> print(table([["a", "1"], ["bcd", "22"]], ["x", "y"]))
    x    y
    a    1
    bcd  22
    """
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def wrap(text: str, indent: str = "  ") -> str:
    """Text in lines of WIDTH columns."""
    return textwrap.fill(text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
