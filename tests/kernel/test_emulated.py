# SPDX-License-Identifier: GPL-2.0-or-later
"""arch/ beside the kernel's helpers as the architecture's own compiler makes them, run by
qemu-user; `make test-kernel ARCH='sparc64-sun4u mips64'`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kernel.asked import NAMES, TREE, asked, needs, needs_tree
from verifier.base.errors import ExtractionError
from verifier.kernel.conform.helpers import LiftedBuild
from verifier.kernel.conform.session import layouts
from verifier.kernel.replay.emulated import _answers, compare_emulated, missing_packages, unpatched
from verifier.kernel.tree.builds import build_for, load_builds
from verifier.kernel.tree.compile import compile_build
from verifier.kernel.tree.compiler import Configured
from verifier.kernel.tree.configure import configure
from verifier.kernel.tree.shapes import load_shapes
from verifier.kernel.tree.toolchain import find_toolchain
from verifier.kernel.tree.tree import open_tree
from verifier.model.arch import Layout

BUILDS = load_builds()
HERE = ("alpha", "m68k")  # in CI; others take packages that it does not install
EMULATED = [
    v
    for v in asked(None if NAMES else HERE)
    if (b := build_for(BUILDS, v)) is not None and b.emulated is not None
]


def opened(variant: str) -> tuple[Configured, LiftedBuild, Layout]:
    """The variant's build, or a skip that says what to install."""
    build = build_for(BUILDS, variant)
    assert build is not None and build.emulated is not None
    if missing := missing_packages(build.emulated):
        pytest.skip(f"needs {' '.join(missing)}")
    return lifted(variant)


def lifted(variant: str) -> tuple[Configured, LiftedBuild, Layout]:
    """The variant's build, whether its code can be run or not."""
    build = build_for(BUILDS, variant)
    assert build is not None
    (layout,) = [found for found in layouts([variant]) if found.variant.name == variant]
    shapes = load_shapes()
    configured = configure(open_tree(Path(TREE or "")), build, find_toolchain())
    return configured, LiftedBuild(compile_build(configured, shapes), shapes), layout


@needs_tree
@pytest.mark.parametrize("variant", EMULATED)
def test_the_machine_does_what_arch_says(variant: str) -> None:
    configured, library, layout = opened(variant)
    if why := unpatched(library, layout):
        pytest.skip(why)
    found = compare_emulated(configured, library, layout)
    assert not found.disagreements
    assert found.helpers >= 90 and found.points >= 9_000


@needs_tree
@pytest.mark.skipif("m68k" not in EMULATED, reason="about m68k")
def test_another_variant_is_noticed() -> None:
    """protection_map has CACHE040 for a 68040, and for a 68030 has not."""
    configured, library, _ = opened("m68k")
    (other,) = [found for found in layouts(["m68k-030"]) if found.variant.name == "m68k-030"]
    found = compare_emulated(configured, library, other)
    assert (
        {"private_prot"}
        <= {d.helper for d in found.disagreements}
        <= {"private_prot", "PAGE_NONE", "PAGE_SHARED", "PAGE_COPY", "PAGE_READONLY", "PAGE_KERNEL"}
    )


def test_what_is_lacking_is_said() -> None:
    emulated = BUILDS["m68k"].emulated
    assert emulated is not None and missing_packages(emulated) in ((), emulated.packages)
    assert emulated.packages == ("gcc-m68k-linux-gnu", "libc6-dev-m68k-cross", "qemu-user")


@needs("sparc64-sun4v")
def test_a_variant_whose_code_is_patched_is_not_run() -> None:
    configured, library, layout = lifted("sparc64-sun4v")
    assert unpatched(library, layout) == "its code is patched at boot for cpu_sun4v"
    with pytest.raises(ExtractionError, match="patched at boot"):
        compare_emulated(configured, library, layout)


def test_a_program_that_ends_early_has_trapped(tmp_path: Path) -> None:
    """What it was at, and the other points of that helper; the next helper is asked of a new one.
    """
    program = tmp_path / "p.py"
    program.write_text(
        "import sys\nfor line in sys.stdin:\n    n, a = line.split()\n    if n == '1' and a =="
        " '5':\n        break\n    print(n, a, flush=True)\n"
    )
    found = _answers([sys.executable, str(program)], ["0 1", "1 4", "1 5", "1 6", "2 7"])
    assert found == ["0 1", "1 4", "trap", "trap", "2 7"]
    program.write_text("import sys\nsys.exit('no such CPU')\n")
    with pytest.raises(ExtractionError, match="no such CPU"):
        _answers([sys.executable, str(program)], ["0 1"])
