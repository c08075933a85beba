# SPDX-License-Identifier: GPL-2.0-or-later
"""What is kept between runs: every input that is edited changes the key, and what is edited by hand is refused."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from verifier import grounds
from verifier.grounds import Grounds
from verifier.obligations import Group
from verifier.plan import Filters, Library, load_library

GROUP = Group("x86_64", "pmd", "option-c", "today")
# One transition with proofs, failures with traces and with consequences, and one without a trace within two steps.
FEW = Filters(("x86_64",), ("pte",), ("option-c",), ("today",), ("fork-pte", "swap-out", "wp-reuse"))


# What a proof rests on: data.

def grounds_of(library: Library, code: str = "code", solver: str = "bits", depth: int = 8, group: Group = GROUP) -> Grounds:
    return grounds.grounds(library, group, library.group_model(group), code, solver, depth)


def edits(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Of each file that the group sees: a text that stands there, and what replaces it. All load."""
    yield "arch/x86.yaml", "body: pte & PRESENT | PROTNONE", ""
    yield from ()


def library_of(folder: Path) -> Library:
    return load_library(folder / "arch", folder / "specs")


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    shipped = load_library()
    shutil.copytree(shipped.arch_folder, folder / "arch")
    shutil.copytree(shipped.spec_folder, folder / "specs")
    for path in (folder / "arch").glob("*.yaml"):
        if path.stem not in ("x86", "alpha", "generic"):
            path.unlink()  # loading all takes longer
    return folder


# file -> what stands there, what replaces it, and whether a proof about fork-pmd, and whether a failure, rests on it
EDITS = {
    "arch/x86.yaml": ("describe: ", "describe: x ", True, True),
    "arch/generic.yaml": ("source: ", "source: x", True, True),
    "arch/alpha.yaml": ("describe: ", "describe: x ", False, False),
    "specs/world.yaml": ("describe: ", "describe: x ", True, True),
    "specs/properties.yaml": ("because: ", "because: x ", True, True),
    "specs/encodings/option-c.yaml": ("describe: ", "describe: x ", True, True),
    "specs/encodings/page-flag.yaml": ("describe: ", "describe: x ", False, False),
    "specs/levels/pmd.yaml": ("describe: ", "describe: x ", True, True),
    "specs/levels/pte.yaml": ("describe: ", "describe: x ", True, True),
    "specs/levels/hugetlb.yaml": ("describe: ", "describe: x ", True, True),
    "specs/transitions/gup.yaml": ("describe: ", "describe: x ", False, True),
    "specs/survivors.yaml": ("survivors:", "survivors: ", False, False),
    "specs/sequences.yaml": ("fresh", "fresh ", False, False),
    "specs/laws.yaml": ("source: ", "source: x ", False, False),
    "specs/traits.yaml": ("source: ", "source: x ", False, False),
}
