# SPDX-License-Identifier: GPL-2.0-or-later
"""A helper of arch/ that is changed a little is never `equal`: each mutant is found, with a value
that shows it.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from verifier.base.data import data_folder
from verifier.kernel.conform.results import Differs
from verifier.kernel.conform.session import conform

TREE = os.environ.get("KERNEL_TREE")
pytestmark = pytest.mark.skipif(not TREE, reason="needs a kernel tree: KERNEL_TREE=/path/to/linux")

# file, variant, helper, what stands there, what stands there instead
MUTANTS = [
    ("x86", "x86_64", "pte_dirty", "(pte & (DIRTY | SAVED_DIRTY)) != 0", "(pte & DIRTY) != 0"),
    ("x86", "x86_64", "pte_wrprotect", "pte_mksaveddirty(pte & ~RW)", "pte & ~RW"),
    ("x86", "x86_64", "pte_mkclean", "pte & ~(DIRTY | SAVED_DIRTY)", "pte & ~DIRTY"),
    ("x86", "x86_64", "pte_present", "(pte & (PRESENT | PROTNONE)) != 0", "(pte & PRESENT) != 0"),
    ("x86", "x86_64+shstk", "pte_write", "(pte & RW) != 0 or pte_shstk(pte)", "(pte & RW) != 0"),
    (
        "x86",
        "x86_64",
        "pmd_present",
        "(pmd & (PRESENT | PROTNONE | PSE)) != 0",
        "(pmd & (PRESENT | PROTNONE)) != 0",
    ),
    ("x86", "x86_64", "pte_swp_mkexclusive", "pte | SWP_EXCLUSIVE", "pte | SWP_UFFD_WP"),
    ("x86", "x86_64", "ptep_set_wrprotect", "ptep = pte_wrprotect(ptep)", "ptep = ptep"),
    ("arm64", "arm64-4k", "pte_mkcont", "pte | CONT | VALID | TABLE_BIT", "pte | CONT | VALID"),
]


@pytest.mark.parametrize(
    ("arch", "variant", "helper", "old", "new"), MUTANTS, ids=[f"{m[0]}-{m[2]}" for m in MUTANTS]
)
def test_a_mutant_is_found(
    tmp_path: Path, arch: str, variant: str, helper: str, old: str, new: str
) -> None:
    folder = tmp_path / "arch"
    shutil.copytree(data_folder("arch"), folder)
    path = folder / f"{arch}.yaml"
    # in its line, or in those below that belong to it
    pattern = rf"(^  {helper}\([^\n]*(?:\n   +[^\n]*)*?){re.escape(old)}"
    changed, count = re.subn(pattern, lambda m: m[1] + new, path.read_text(), count=1, flags=re.M)
    assert count == 1, f"{helper} is written in another way now"
    path.write_text(changed)
    (result,) = conform(Path(TREE or ""), [variant], [helper], arch_dir=folder).results
    assert isinstance(result, Differs)
