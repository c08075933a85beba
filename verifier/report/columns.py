# SPDX-License-Identifier: GPL-2.0-or-later
"""Text in lines and columns that fit into a mail."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

__all__ = ["WIDTH", "table", "wrap"]

WIDTH = 102


def table(rows: Sequence[Sequence[str]], head: Sequence[str], numbers: int | None = None) -> str:
    """Columns as wide as they have to be, two spaces apart; from the column `numbers` on they stand to the right.

    >>> print(table([["a", "1"], ["bcd", "22"]], ["x", "y"]))
    x    y
    a    1
    bcd  22
    """
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    right = len(head) if numbers is None else numbers

    def cell(number: int, text: str) -> str:
        return text.ljust(widths[number]) if number < right else text.rjust(widths[number])

    return "\n".join("  ".join(cell(i, text) for i, text in enumerate(line)).rstrip() for line in lines)


def wrap(text: str, indent: str = "  ", later: str | None = None) -> str:
    """Text in lines of WIDTH columns, the first indented by `indent`, the others by `later`, or as the first."""
    return textwrap.fill(text, WIDTH, initial_indent=indent, subsequent_indent=indent if later is None else later,
                         break_on_hyphens=False)
