# SPDX-License-Identifier: GPL-2.0-or-later
"""Patches to the kernel itself: what docs/check-patch.md shows is what is said of it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from textwrap import dedent

import pytest
from click.testing import CliRunner

from verifier.cli import main

TREE = os.environ.get("KERNEL_TREE")
pytestmark = pytest.mark.skipif(TREE is None, reason="needs a kernel tree: KERNEL_TREE")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "check-patch.md"


def blocks(heading: str) -> list[str]:
    """The indented blocks of a section."""
    section = PAGE.read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    return [dedent(block) for block in re.findall(r"(?:^(?:    .*)?\n)+", section, re.MULTILINE)
            if block.strip()]


def test_the_worked_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    diff, said = blocks("A worked example")
    (tmp_path / "linux-6.12").symlink_to(str(TREE))
    (tmp_path / "dirty-first.diff").write_text(re.sub("^$", " ", diff.strip(), flags=re.M) + "\n")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(
        main, ["check-patch", "dirty-first.diff", "--tree", "linux-6.12"], catch_exceptions=False
    )
    assert done.exit_code == 3, done.output
    shown = done.output.replace(str(Path(str(TREE)).resolve()), "linux-6.12")
    assert re.sub(r"Linux [\d.]+", "Linux", shown).strip() == re.sub(
        r"Linux [\d.]+", "Linux", said).strip()
