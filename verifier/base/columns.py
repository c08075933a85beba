# SPDX-License-Identifier: GPL-2.0-or-later
"""Text in lines and columns that fit a page: a terminal of 80 columns, or a mail of 72.

Only a word that is longer than a line (the id of an obligation) reaches beyond, and then it stands
alone on its line.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import zip_longest

__all__ = ["MAIL", "Page", "columns", "fold", "labelled", "on_page", "page", "table", "wrap"]

GAP = 2  # spaces between columns
LEAST = 9  # columns that a cell with several words keeps


@dataclass(frozen=True, slots=True)
class Page:
    """What a text is made for. A mail has neither colours nor progress bars."""

    width: int = 80
    mail: bool = False


TERMINAL, MAIL = Page(), Page(72, True)
_PAGE = ContextVar("page", default=TERMINAL)


def page() -> Page:
    """The page that is written on now."""
    return _PAGE.get()


@contextmanager
def on_page(wanted: Page) -> Iterator[None]:
    """Within this, texts are made for that page."""
    token = _PAGE.set(wanted)
    try:
        yield
    finally:
        _PAGE.reset(token)


def wrap(text: str, indent: str = "  ", later: str | None = None, width: int | None = None) -> str:
    """Text in lines of the page, the first indented by `indent`, the others by `later`, or as the
    first.
    """
    return textwrap.fill(text, width or page().width, initial_indent=indent,
                         subsequent_indent=indent if later is None else later,
                         break_on_hyphens=False, break_long_words=False)


def fold(text: str) -> str:
    """Each line that is too long as several, the further ones indented by four columns more.

    >>> print(fold("a: " + "word " * 16))
    a: word word word word word word word word word word word word word word word
        word
    """
    return "\n".join(line if len(line) <= page().width else _folded(line)
                     for line in text.split("\n"))


def _folded(line: str) -> str:
    indent = line[:len(line) - len(line.lstrip())]
    return wrap(line.strip(), indent, indent + " " * 4)


def labelled(label: str, name: str) -> str:
    """A word and a name beside it; the name below, where it would reach beyond the page.

    >>> print(labelled("REFUTED   ", "a" * 78))
    REFUTED
      aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    """
    return (f"{label}{name}" if len(label) + len(name) <= page().width
            else f"{label.rstrip()}\n  {name}")


def table(rows: Sequence[Sequence[str]], head: Sequence[str], numbers: int | None = None) -> str:
    """Rows in columns, as `columns` sets them; from the column `numbers` on they stand to the
    right.

    Where that is too wide, the columns that do not fit stand in a table below, beside the first
    column again. A first cell that leaves no room for columns of numbers has a line of its own.

    >>> print(table([["a", "1"], ["bcd", "22"]], ["x", "y"]))
    x    y
    a    1
    bcd  22
    >>> print(table([["a" * 75, "1"], ["bcd", "22"]], ["x", "number"], numbers=1))
    x    number
    aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
              1
    bcd      22
    """
    if numbers is not None:
        return _beside(rows, head, numbers)
    parts: list[str] = []
    left = list(range(1, len(head)))
    while left or not parts:
        some = left[:1]
        while (len(some) < len(left)
                and _fits([[row[i] for i in [0, *left[:len(some) + 1]]] for row in (head, *rows)])):
            some = left[:len(some) + 1]
        shown = [0, *some]
        parts.append("\n".join(line
                               for lines in columns([[row[i] for i in shown]
                                                     for row in (head, *rows)]) for line in lines))
        left = left[len(some):]
    return "\n\n".join(parts)


def _beside(rows: Sequence[Sequence[str]], head: Sequence[str], numbers: int) -> str:
    every = [head, *rows]
    widths = [max(len(row[i]) for row in every) for i in range(len(head))]
    room = page().width - sum(width + GAP for width in widths[1:])
    widths[0] = max((len(row[0]) for row in every if len(row[0]) <= room), default=0)
    lines = []
    for row in every:
        cells = list(row)
        if len(cells[0]) > widths[0]:
            lines.append(cells[0])
            cells[0] = ""
        lines.append((" " * GAP).join(cell.ljust(width) if number < numbers else cell.rjust(width)
                                      for number, (cell,
                                                   width) in enumerate(zip(cells, widths,
                                                                           strict=True))).rstrip())
    return "\n".join(lines)


def columns(
    rows: Sequence[Sequence[str]], room: int | None = None, whole: Collection[int] = (),
) -> list[list[str]]:
    """The lines of each row: columns as wide as they have to be, or as a line allows, with the
    words of a cell in several lines.

    whole  columns whose cells stay on one line

    >>> columns([["a", "one two three"], ["b", "three"]], 14)
    [['a  one two', '   three'], ['b  three']]
    """
    widths = _widths(rows, page().width if room is None else room, whole)
    found = []
    for row in rows:
        cells = [textwrap.wrap(cell, width, break_on_hyphens=False, break_long_words=False) if cell
                 else []
                 for cell, width in zip(row, widths, strict=True)]
        found.append([(" " * GAP).join(part.ljust(width)
                                       for part, width in zip(line, widths, strict=True)).rstrip()
                      for line in zip_longest(*cells, fillvalue="")] or [""])
    return found


def _widths(rows: Sequence[Sequence[str]], room: int, whole: Collection[int] = ()) -> list[int]:
    """As wide as the longest cell; where that is too much for a line, the widest columns give way
    down to their longest words.
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    least = [_least([row[i] for row in rows]) for i in range(len(rows[0]))]
    while sum(widths) + GAP * (len(widths) - 1) > room:
        able = [i for i, width in enumerate(widths) if width > least[i] and i not in whole]
        if not able:
            break
        widths[max(able, key=lambda i: widths[i])] -= 1
    return widths


def _least(cells: Sequence[str]) -> int:
    longest = max((len(word) for cell in cells for word in re.split(r"\s+", cell)), default=0)
    return min(max(longest, LEAST), max(len(cell) for cell in cells))


def _fits(rows: Sequence[Sequence[str]]) -> bool:
    return sum(_widths(rows, page().width)) + GAP * (len(rows[0]) - 1) <= page().width
