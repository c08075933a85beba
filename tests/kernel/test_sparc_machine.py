# SPDX-License-Identifier: GPL-2.0-or-later
"""What patched.py says in C of SPARC's patched assembly is what that does: assembled, patched, and
run on a model of the CPU.
"""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

import pytest

from kernel.harness import CLANG, needs_clang
from kernel.sparc_machine import load, run
from kernel.test_patched import EXPECTED, GIVEN, TEXT
from verifier.kernel.conform.session import layouts
from verifier.kernel.tree.builds import load_builds
from verifier.kernel.tree.compiler import ADDED
from verifier.kernel.tree.configure import configure
from verifier.kernel.tree.shapes import HEAD, load_shapes
from verifier.kernel.tree.toolchain import find_toolchain
from verifier.kernel.tree.toolchain import run as run_command
from verifier.kernel.tree.tree import open_tree
from verifier.language.algebra import Integers
from verifier.language.evaluate import call
from verifier.language.machine import Machine

TREE = os.environ.get("KERNEL_TREE")
SUN4V = (".sun4v_1insn_patch", ".sun4v_2insn_patch")
KINDS = {
    "sparc64-sun4u": (),
    "sparc64-sun4v": SUN4V,
    "sparc64-sun4v+m7": (*SUN4V, ".sun_m7_2insn_patch"),
}
HELPERS = (
    "pte_write",
    "pte_dirty",
    "pte_young",
    "pte_exec",
    "pte_present",
    "pte_pfn",
    "pte_mkdirty",
    "pte_mkclean",
    "pte_mkold",
    "pte_mkyoung",
    "pte_mkwrite_novma",
    "pte_wrprotect",
    "pte_mkhuge",
    "pte_modify",
    "pmd_mkhuge",
    "__pte_mkhwwrite",
)


def assembled(source: Path) -> bytes:
    target = source.with_suffix(".o")
    done = subprocess.run(
        [str(CLANG), "--target=sparcv9-linux-gnu", "-O1", "-c", "-o", str(target), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    if "No available targets" in done.stderr or "unable to create target" in done.stderr:
        pytest.skip("this clang has no SPARC")
    assert done.returncode == 0, done.stderr
    return target.read_bytes()


@needs_clang
@pytest.mark.parametrize("kind", range(3))
def test_what_is_said_of_patched_code_is_what_it_does(tmp_path: Path, kind: int) -> None:
    source = tmp_path / "a.c"
    source.write_text(TEXT)
    image = load(assembled(source), list(KINDS.values())[kind])
    for name, expected in EXPECTED.items():
        assert [run(image, name, a) for a in GIVEN] == [expected[kind](a) for a in GIVEN], name


@pytest.mark.skipif(not TREE, reason="needs a kernel tree: KERNEL_TREE=/path/to/linux")
def test_the_kernels_helpers_as_machine_code(tmp_path: Path) -> None:
    """Wrappers compiled with their assembly, for each kind of CPU, against arch/sparc64.yaml."""
    configured = configure(
        open_tree(Path(TREE or "")), load_builds()["sparc64-sun4v"], find_toolchain()
    )
    # the first shape of a helper is 6.12.117's; others are other versions'
    shapes = {s.helper: s for s in reversed(load_shapes()) if s.helper in HELPERS}
    source, target = tmp_path / "w.c", tmp_path / "w.o"
    source.write_text(HEAD + "\n".join(s.text() for s in shapes.values()) + "\n")
    flags = [f for f in ADDED if f not in ("-S", "-emit-llvm")]
    done = run_command(
        [*configured.command, *flags, "-c", "-o", str(target), str(source)],
        configured.folder,
        tree=Path(TREE or ""),
        writes=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    chance = random.Random(1)
    for layout in layouts(list(KINDS)):
        image = load(target.read_bytes(), KINDS[layout.variant.name])
        for name, shape in shapes.items():
            function = layout.helper(name)
            for _ in range(100):
                args = [
                    chance.getrandbits(64) if chance.random() < 0.7 else 1 << chance.randrange(64)
                    for _ in function.params
                ]
                expected = call(Machine(Integers()), function, tuple(args))
                assert run(image, shape.wrapper, *args) == expected, (
                    layout.variant.name,
                    name,
                    [hex(a) for a in args],
                )
