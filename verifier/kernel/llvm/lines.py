# SPDX-License-Identifier: GPL-2.0-or-later
"""Where an instruction comes from: file, line and function, as the line tables of LLVM's text say.

A function that was inlined leaves a chain: the line in it, then the line of the call, and so on
outwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Line", "Lines", "told"]

_ROW = re.compile(r"!(\d+) = (?:distinct )?(!DI\w+)\((.*)\)$")
_FIELD = re.compile(r'(\w+): (?:!(\d+)|(\d+)|"((?:[^"\\]|\\.)*)")')
_SCOPES = 64  # how deep scopes nest at most


@dataclass(frozen=True, slots=True)
class Line:
    """A place in a source file, and the function that it is in."""

    file: str
    number: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.number}"


class Lines:
    """The line table of one module, from the rows of its metadata.

    Rows are read when they are asked for.
    """

    def __init__(self, rows: Iterable[str] = ()) -> None:
        self._rows = {int(m[1]): (m[2], m[3]) for row in rows if (m := _ROW.match(row))}
        self._known: dict[int, tuple[str, dict[str, str]]] = {}

    def chain(self, number: int | None) -> tuple[Line, ...]:
        """The places that a location stands for, the innermost first; none where the table does not
        say.
        """
        found: list[Line] = []
        while number is not None and len(found) < _SCOPES:
            _, fields = self._row(number)
            if "line" not in fields or "scope" not in fields:
                break
            file, function = self._scope(int(fields["scope"]))
            found.append(Line(file, int(fields["line"]), function))
            number = int(fields["inlinedAt"]) if "inlinedAt" in fields else None
        return tuple(found)

    def _row(self, number: int) -> tuple[str, dict[str, str]]:
        if number not in self._known:
            kind, text = self._rows.get(number, ("", ""))
            self._known[number] = kind, {
                m[1]: m[2] or m[3] or m[4] or "" for m in _FIELD.finditer(text)
            }
        return self._known[number]

    def _scope(self, number: int) -> tuple[str, str]:
        """The file and function of a scope: blocks lie in others, up to a function's."""
        file = ""
        for _ in range(_SCOPES):
            kind, fields = self._row(number)
            if not file and "file" in fields:
                file = self._row(int(fields["file"]))[1].get("filename", "")
            if kind == "!DISubprogram" or "scope" not in fields:
                return file.removeprefix("./"), fields.get("name", "")
            number = int(fields["scope"])
        return file, ""


_PRIMITIVES = re.compile(
    r"(?:^|/)(?:atomic\w*|cmpxchg\w*|bitops|instrumented|non-atomic|rwonce)(?:[-.\w]*\.h|/)"
)


def told(chain: tuple[Line, ...]) -> str:
    """A chain in words: where it is, and where that was called.

    Generated code is left out, and so are the files in which primitives are written.

    >>> told((Line("asm/atomic.h", 7, "xchg"), Line("asm/pgtable.h", 9, "ptep_get_and_clear"),
    ...       Line("/x/wrappers.c", 3, "w")))
    'asm/pgtable.h:9'
    """
    kernels = [
        line
        for line in chain
        if not line.file.endswith("/wrappers.c") and line.file != "wrappers.c"
    ]
    users = [line for line in kernels if not _PRIMITIVES.search(line.file)]
    return ", from ".join(map(str, users or kernels)) or "a line that is not known"
