# SPDX-License-Identifier: GPL-2.0-or-later
"""The lifter says what the machine does: the same intermediate representation, compiled and run,
here or by qemu-user.
"""

from __future__ import annotations

import functools
import shutil
from pathlib import Path

import pytest

from kernel.asked import TREE, asked, asked_few, needs, needs_tree
from verifier.kernel.conform.helpers import LiftedBuild, known_features
from verifier.kernel.conform.session import layouts
from verifier.kernel.replay.native import Native, native_code
from verifier.kernel.replay.values import compare_native, replay_native
from verifier.kernel.tree.builds import build_for, load_builds
from verifier.kernel.tree.compile import Compiled, compile_build
from verifier.kernel.tree.configure import configure
from verifier.kernel.tree.shapes import load_shapes
from verifier.kernel.tree.toolchain import find_toolchain
from verifier.kernel.tree.tree import open_tree
from verifier.model.arch import Layout

HERE = ("x86_64", "x86_64+shstk")
ARM64 = ("arm64-4k", "arm64-16k", "arm64-64k")
POWERPC = ("powerpc64-radix", "powerpc64-hash", "powerpc64-radix-4k", "powerpc64-hash-4k")


@functools.cache
def opened(variant: str) -> tuple[Compiled, LiftedBuild, Layout]:
    build, shapes = build_for(load_builds(), variant), load_shapes()
    assert build is not None
    compiled = compile_build(
        configure(open_tree(Path(TREE or "")), build, find_toolchain()), shapes
    )
    (layout,) = layouts([variant])
    return compiled, LiftedBuild(compiled, shapes), layout


@needs_tree
@pytest.mark.parametrize("variant", asked(HERE))
def test_lifted_helpers_do_what_the_machine_does(variant: str) -> None:
    compiled, library, layout = opened(variant)
    features = known_features(library, layout.variant.features)
    with Native(native_code(compiled, library), library, features) as native:
        compared = compare_native(library, native, features, count=60)
        assert not compared.mismatches
        assert compared.points > 10_000
        entry = 0x8000000000000867  # present, writable, dirty
        found = replay_native(native, library, layout, "ptep_set_wrprotect", {"ptep": entry})
        assert found is not None and found == replay_native(
            None, library, layout, "ptep_set_wrprotect", {"ptep": entry}
        )
        assert found.entries["ptep"] == (entry & ~0x42) | 1 << 58


@needs_tree
@pytest.mark.skipif(
    shutil.which("qemu-aarch64") is None or shutil.which("aarch64-linux-gnu-gcc") is None,
    reason="needs qemu-user, gcc-aarch64-linux-gnu and libc6-dev-arm64-cross",
)
@pytest.mark.parametrize("variant", asked_few(ARM64, ("arm64-4k",)))
def test_lifted_helpers_do_what_an_emulated_machine_does(variant: str) -> None:
    compiled, library, layout = opened(variant)
    features = known_features(library, layout.variant.features)
    with Native(native_code(compiled, library, emulate=True), library, features) as native:
        compared = compare_native(library, native, features, count=60)
        assert not compared.mismatches
        assert compared.points > 10_000


emulates_powerpc = pytest.mark.skipif(
    shutil.which("qemu-ppc64le") is None or shutil.which("powerpc64le-linux-gnu-gcc") is None,
    reason="needs qemu-user, gcc-powerpc64le-linux-gnu and libc6-dev-ppc64el-cross",
)


@needs_tree
@emulates_powerpc
@pytest.mark.parametrize("variant", asked(POWERPC))
def test_lifted_helpers_of_powerpc_do_what_an_emulated_machine_does(variant: str) -> None:
    """Its loops of ldarx and stdcx. are run, branches of static keys are patched, and entries lie
    big-endian in memory.
    """
    compiled, library, layout = opened(variant)
    features = known_features(library, layout.variant.features)
    with Native(
        native_code(compiled, library, emulate=True, features=features), library, features
    ) as native:
        compared = compare_native(library, native, features, count=60)
        assert not compared.mismatches
        assert compared.points > 10_000
        other = {
            name: not value if "mmu_feature_keys+96" in name else value
            for name, value in features.items()
        }
        assert compare_native(
            library, native, other, count=60, helpers=["set_pte_at", "pte_same", "pte_none"]
        ).mismatches


@emulates_powerpc
@needs("powerpc64-hash-4k")
def test_what_a_build_takes_to_return_a_constant_does_as_machine_code_too() -> None:
    """huge_page_shift is 24 there, which no level of the tables maps: nothing of that size
    migrates, whatever the struct says.
    """
    compiled, library, layout = opened("powerpc64-hash-4k")
    features = known_features(library, layout.variant.features)
    assert library.facts.returned()["huge_page_shift"] == 24
    with Native(
        native_code(compiled, library, emulate=True, features=features), library, features
    ) as native:
        found = native.call(library.shapes["hugepage_migration_supported"], {})
        assert found is not None and found.result == 0
