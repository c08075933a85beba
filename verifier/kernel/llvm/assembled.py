# SPDX-License-Identifier: GPL-2.0-or-later
"""Functions of the kernel's assembly files as they were assembled: instructions by address, from a
disassembly.

What an instruction means is said elsewhere, for an architecture (verifier/kernel/asm/arm.py). Here
is only what stands where.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["MachineCode", "read_code"]

_LABEL = re.compile(r"(?P<at>[0-9a-f]+) <(?P<name>[^>]+)>:")
_LINE = re.compile(r"\s*(?P<at>[0-9a-f]+):\s+(?P<text>\S.*)")


@dataclass(frozen=True, slots=True)
class MachineCode:
    """The instructions of one section, by address."""

    lines: Mapping[int, str]
    start: int

    def after(self, at: int) -> int | None:
        """The address of the next instruction."""
        return min((other for other in self.lines if other > at), default=None)


def read_code(text: str) -> dict[str, MachineCode]:
    """Name of a function -> its code, from what llvm-objdump -d --no-show-raw-insn prints.

    >>> text = "00000018 <f>:\\n  18:\\ttst\\tr2, #1  @ a remark\\n  1c:\\tbx\\tlr\\n"
    >>> code = read_code(text)["f"]
    >>> code.lines[code.start], code.lines[code.after(code.start)]
    ('tst r2, #1', 'bx lr')
    """
    found: dict[str, MachineCode] = {}
    lines: dict[int, str] = {}
    for row in text.splitlines():
        if row.startswith("Disassembly of section"):
            lines = {}
        elif label := _LABEL.fullmatch(row.strip()):
            found[label["name"]] = MachineCode(lines, int(label["at"], 16))
        elif line := _LINE.fullmatch(row):
            lines[int(line["at"], 16)] = " ".join(line["text"].partition("@")[0].split())
    return found
