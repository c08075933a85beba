# SPDX-License-Identifier: GPL-2.0-or-later
"""Which variants the tests against a tree are about: a fixed few, or those that ARCH names (`make
test-kernel ARCH='loongarch parisc'`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import pytest
from sample import sampled

from verifier.kernel.conform.session import layouts

__all__ = ["TREE", "asked", "asked_few", "needs", "needs_tree"]

TREE = os.environ.get("KERNEL_TREE")
Test = TypeVar("Test", bound=Callable[..., Any])
NAMES = os.environ.get("ARCH", "").split()
# clang's own targets of both byte orders and both sizes, look-alikes of both, entries of several
# words, assembly of their own, code patched at boot
FIXED = (
    "x86_64",
    "x86_64+shstk",
    "arm64-4k",
    "arm64-4k+dbm",
    "arm64-64k",
    "riscv64",
    "riscv64+svadu",
    "s390",
    "s390-nonx",
    "arm-lpae",
    "alpha",
    "m68k",
    "powerpc64-hash-4k",
    "powerpc-e500",
    "powerpc-e500-64",
    "powerpc-8xx",
    "parisc+hugetlb",
    "sparc64-sun4v",
)
# Their kernels are configured and compiled for a handful of tests, which are run with --whole
DEAR = frozenset({"arm64-64k", "powerpc-e500", "powerpc-e500-64"})
VARIANTS = [layout.variant.name for layout in layouts(NAMES)] if NAMES else list(FIXED)

needs_tree = pytest.mark.skipif(not TREE, reason="needs a kernel tree: KERNEL_TREE=/path/to/linux")


def asked(among: Iterable[str] | None = None) -> list[str]:
    """The variants that are asked for, of some or of all."""
    return [v for v in VARIANTS if among is None or v in set(among)]


def asked_few(among: Iterable[str] | None, few: Iterable[str]) -> list[Any]:
    """Those that are asked for; where none is named, all but a few run with --whole alone."""
    found = asked(among)
    return list(found) if NAMES else sampled(found, set(few))


def needs(*variants: str) -> Callable[[Test], Test]:
    """A test about these variants, which takes a tree."""
    missing = [v for v in variants if v not in VARIANTS]
    skip = pytest.mark.skipif(
        not TREE or bool(missing),
        reason=f"make test-kernel ARCH='{' '.join(variants)}' runs it, where there is a tree",
    )
    dear = not NAMES and not DEAR.isdisjoint(variants)
    return lambda test: pytest.mark.whole(skip(test)) if dear else skip(test)
