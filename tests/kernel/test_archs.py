# SPDX-License-Identifier: GPL-2.0-or-later
"""Every helper of a variant is the kernel's, in what it gives and in how atomic it is, and nothing
is incomplete.
"""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from kernel.asked import TREE, asked_few, needs_tree
from verifier.kernel.conform.conform import conform_variant
from verifier.kernel.conform.helpers import LiftedBuild
from verifier.kernel.conform.results import Differs, Equal, Inconclusive, TooAtomic
from verifier.kernel.conform.session import build_library, exit_code, layouts, level_names
from verifier.kernel.tree.builds import build_for, load_builds


@functools.cache
def library(build: str) -> LiftedBuild:
    return build_library(Path(TREE or ""), load_builds()[build])[0]


# one of each kind of code, look-alikes of both byte orders among them
FEW = ("x86_64", "arm64-4k+dbm", "riscv64+svadu", "s390", "alpha", "m68k", "powerpc64-hash-4k",
       "parisc+hugetlb")


@needs_tree
@pytest.mark.parametrize("variant", asked_few(None, FEW))
def test_every_helper_is_the_kernels(variant: str) -> None:
    build = build_for(load_builds(), variant)
    assert build is not None
    # not all of an architecture's
    (layout,) = [found for found in layouts([variant]) if found.variant.name == variant]
    results = conform_variant(library(build.name), layout, timeout=30, levels=level_names())
    assert [r.helper for r in results if isinstance(r, TooAtomic)] == []
    assert [r.helper for r in results if isinstance(r, Differs)] == []
    assert sum(isinstance(r, Equal) for r in results) >= 100
    assert {r.helper: r.reason for r in results if isinstance(r, Inconclusive)} == {}
    assert exit_code(results) == 0
