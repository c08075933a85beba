# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of archs/: what the kernel's side is told of each architecture, as data.

common.yaml there says what the keys mean. Here the files are found and read, once. Who uses a key
reads what stands under it: `builds` is builds.py's, the others are asm/read_table.py's.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from verifier.language.read_yaml import Table, read_yaml

__all__ = ["SHOWN", "arch_files", "kernels_of"]

SHOWN = "verifier/kernel/archs"  # what places of errors begin with
_KEYS = ("builds", "assembly", "calls", "harmless")


def arch_files(folder: Path | None = None) -> tuple[Table, ...]:
    """The contents of each file of a folder, by name; without one, of archs/, which is read once.

    SpecError where one is no such file.
    """
    return _shipped() if folder is None else _read(folder)


@cache
def _shipped() -> tuple[Table, ...]:
    return _read(Path(__file__).parents[1] / "archs")


def _read(folder: Path) -> tuple[Table, ...]:
    found = []
    for path in sorted(folder.glob("*.yaml")):
        top = read_yaml(path, f"{SHOWN}/{path.name}")
        top.only(_KEYS, "the file")
        found.append(top)
    return tuple(found)


def kernels_of(top: Table) -> frozenset[str]:
    """The folders of the kernel's arch/ that a file's builds are of; none for common.yaml."""
    builds = top.need("builds", Table, "the file")
    records = [builds.need(name, Table, "builds") for name in builds]
    return frozenset(r.text("kernel", "a build") for r in records if "kernel" in r)
