# SPDX-License-Identifier: GPL-2.0-or-later
"""No line of arch/, specs/, the data in verifier/ and prose has more than 100 columns.

Not meant are hints/, which is generated, rows of tables, and blocks that quote what a command prints. README.md and
docs/findings/ are not held to it yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pages import ROOT

MOST = 100
DATA = [path for folder in ("arch", "specs", "verifier") for path in sorted((ROOT / folder).rglob("*.yaml"))]
PROSE = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "bench" / "README.md"} - {ROOT / "README.md"})


def quoted(lines: list[str]) -> Iterator[tuple[int, str]]:
    """The lines of a page with their numbers, without rows of tables and without what a command printed."""
    printed = False
    for number, line in enumerate(lines, 1):
        if not line.startswith("    ") and line.strip():
            printed = False
        if not printed and not line.startswith("|"):
            yield number, line
        printed = printed or line.startswith("    $ ")


@pytest.mark.parametrize("path", DATA, ids=lambda p: str(p.relative_to(ROOT)))
def test_lines_of_data(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert not [number for number, line in enumerate(lines, 1) if len(line) > MOST]


@pytest.mark.parametrize("path", PROSE, ids=lambda p: str(p.relative_to(ROOT)))
def test_lines_of_prose(path: Path) -> None:
    assert not [number for number, line in quoted(path.read_text().splitlines()) if len(line) > MOST]
