# SPDX-License-Identifier: GPL-2.0-or-later
"""Every helper of an architecture is the kernel's: a fixed set here, any others by `make test-kernel ARCH='loongarch hexagon'`.

What is INCOMPLETE is listed with its reason: nothing else may be.
"""

from __future__ import annotations

import fnmatch
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

# glob of variant/helper -> why a maintainer would accept it
INCOMPLETE = {
    "*/make_hwpoison_entry": "BUGs unless the page is locked",
    "s390*/pmdp_establish": "the kernel has none of that name for s390",
    "powerpc64*/set_p[tm][ed]": "the kernel has none of that name for powerpc with 64 bits",
    "powerpc64*/pmdp_establish": "the kernel has none of that name for powerpc",
    "powerpc-8xx-16k/set_huge_pte_at": "each of a page's words has the address of its own 4 KByte, so the four of an entry are not equal",
    "powerpc-8xx-16k/huge_ptep_modify_prot_commit": "the same",
    "powerpc-*/set_pte": "the kernel has none of that name for powerpc",
    "parisc*/mk_pte": "struct page is found by mem_section",
    "parisc*/pte_accessible": "an atomic counter's lock is found by hashing its address",
    "parisc*/ptep_clear_flush": "flushes a page that is found by mem_section",
    "alpha/ptep_clear_flush_young": "alpha's inline functions are `extern inline`, which an out-of-line caller calls",
    "m68k*/mk_pte": "the solver gives up on a division by the size of struct page",
    "mips64*/mk_*": "the kernel takes the page, whose frame it finds by the section in the page's flags",
    "arm/set_p[mt][de]": "the kernel has none of that name for arm",
    "arm-*/set_p[mt][de]": "the kernel has none of that name for arm",
    "loongarch*/*": "writes or compares with the address of an empty table, which no header knows",
    "sparc64*/set_p[tm][ed]": "SPARC with 64 bits has none of that name, SPARC with 32 bits has",
    "sparc64*/pmdp_establish": "it is static in arch/sparc/mm/tlb.c",
    "sparc64-sun4u/move_pte": "pfn_valid() looks a frame up in a table",
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_helper_is_the_kernels(variant: str) -> None:
    results = [r for r in conform(Path(TREE or ""), [variant], timeout=30).results if r.variant == variant]  # not all of an architecture's
    assert [r.helper for r in results if isinstance(r, Differs)] == []
    assert sum(isinstance(r, Equal) for r in results) >= 80
    left = {r.helper: r.reason for r in results if isinstance(r, Inconclusive)}
    for helper, reason in left.items():
        assert any(fnmatch.fnmatchcase(f"{variant}/{helper}", glob) for glob in INCOMPLETE), f"{helper}: {reason}"
