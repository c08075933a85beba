# SPDX-License-Identifier: GPL-2.0-or-later
"""Every helper of an architecture is the kernel's: a fixed set here, any others by `make test-kernel ARCH='loongarch hexagon'`. Nothing is incomplete."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from verifier.kernel.conform import Differs, Equal, Inconclusive
from verifier.kernel.session import conform, layouts

TREE = os.environ.get("KERNEL_TREE")
pytestmark = pytest.mark.skipif(not TREE, reason="needs a kernel tree: KERNEL_TREE=/path/to/linux")

# clang's own targets of both byte orders and both sizes, look-alikes of both, and one whose entries are stored by a file of assembly
SET = ("x86_32", "x86_32-pae", "s390", "riscv64", "riscv64+svadu", "riscv32", "openrisc", "alpha", "xtensa", "arc", "arm-lpae")
VARIANTS = [layout.variant.name for layout in layouts((os.environ.get("ARCH") or " ".join(SET)).split())]


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_helper_is_the_kernels(variant: str) -> None:
    results = [r for r in conform(Path(TREE or ""), [variant], timeout=30).results if r.variant == variant]  # not all of an architecture's
    assert [r.helper for r in results if isinstance(r, Differs)] == []
    assert sum(isinstance(r, Equal) for r in results) >= 80
    assert {r.helper: r.reason for r in results if isinstance(r, Inconclusive)} == {}
