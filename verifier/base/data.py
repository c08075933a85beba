# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the shipped data is: arch/, specs/ and hints/."""

from __future__ import annotations

from pathlib import Path

__all__ = ["data_folder"]


def data_folder(name: str) -> Path:
    """The folder of shipped YAML: inside an installed package, or beside it in a checkout."""
    here = Path(__file__).resolve().parents[1]
    packaged = here / "data" / name
    return packaged if packaged.is_dir() else here.parent / name
