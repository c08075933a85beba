# SPDX-License-Identifier: GPL-2.0-or-later
"""No line of arch/, specs/, the data in verifier/, and prose has more than 100 columns.

Code is ruff's (pyproject.toml). Not meant are hints/, which is generated, rows of tables, and what
a block quotes of what a command prints. The command itself is meant: a backslash at its end goes on
in the next line.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pages import ROOT

from verifier.commands.prove import GO_ON

MOST = 100
DATA = [path for folder in ("arch", "specs", "verifier")
        for path in sorted((ROOT / folder).rglob("*.yaml"))]
PROSE = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "bench" / "README.md"})


def quoted(lines: list[str]) -> Iterator[tuple[int, str]]:
    """The lines of a page with their numbers.

    Rows of tables and what a command printed are left out.
    """
    printed = command = False
    last = ""
    for number, line in enumerate(lines, 1):
        if not line.startswith("    ") and line.strip():
            printed = False
        if not printed and not line.startswith("|"):
            yield number, line
        command = line.startswith("    $ ") or (command and last.endswith("\\"))
        printed = printed or (command and not line.endswith("\\"))
        last = line


@pytest.mark.parametrize("path", DATA, ids=lambda p: str(p.relative_to(ROOT)))
def test_lines_of_data(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert not [number for number, line in enumerate(lines, 1) if len(line) > MOST]


@pytest.mark.parametrize("path", PROSE, ids=lambda p: str(p.relative_to(ROOT)))
def test_lines_of_prose(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert not [number for number, line in quoted(lines) if len(line) > MOST]


def test_what_the_first_answer_ends_with_fits_a_mail() -> None:
    assert GO_ON.count("\n") == 3 and max(map(len, GO_ON.splitlines())) <= 72
