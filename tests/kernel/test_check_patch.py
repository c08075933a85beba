# SPDX-License-Identifier: GPL-2.0-or-later
"""Patches to the kernel itself: what docs/check-patch.md shows is what is said of it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from textwrap import dedent

import pytest
from click.testing import CliRunner

from kernel.harness import needs_clang
from verifier.cli import main
from verifier.kernel.tree.tree import open_tree

TREE = os.environ.get("KERNEL_TREE")
pytestmark = [
    pytest.mark.skipif(TREE is None, reason="needs a kernel tree: KERNEL_TREE"), needs_clang]
PAGE = Path(__file__).resolve().parents[2] / "docs" / "check-patch.md"


def blocks(heading: str) -> list[str]:
    """The indented blocks of a section."""
    section = PAGE.read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    return [dedent(block) for block in re.findall(r"(?:^(?:    .*)?\n)+", section, re.MULTILINE)
            if block.strip()]


def test_the_worked_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    diff, said = blocks("A worked example")
    (tmp_path / "linux-6.12").symlink_to(str(TREE))
    (tmp_path / "dirty-first.diff").write_text(re.sub("^$", " ", diff.strip(), flags=re.M) + "\n")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(
        main, ["check-patch", "dirty-first.diff", "--tree", "linux-6.12"], catch_exceptions=False
    )
    assert done.exit_code == 1, done.output
    shown = done.output.replace(str(Path(str(TREE)).resolve()), "linux-6.12")
    rest = re.sub(r"Linux [\d.]+", "Linux", shown)
    for part in re.split(r"(?m)^ *\.\.\.\n", re.sub(r"Linux [\d.]+", "Linux", said).strip()):
        assert part in rest, done.output
        rest = rest.split(part, 1)[1]


# A change of mm/gup.c:can_follow_write_pte, what is said of it, and the exit code.
FOLLOW = """\
--- a/mm/gup.c
+++ b/mm/gup.c
@@ -831,6 +831,4 @@
 \t\treturn false;

 \t/* ... and a write-fault isn't required for other reasons. */
-\tif (pte_needs_soft_dirty_wp(vma, pte))
-\t\treturn false;
 \treturn !userfaultfd_pte_wp(vma, pte);
"""
SAME = """\
--- a/mm/gup.c
+++ b/mm/gup.c
@@ -833,5 +833,5 @@
 \t/* ... and a write-fault isn't required for other reasons. */
 \tif (pte_needs_soft_dirty_wp(vma, pte))
 \t\treturn false;
-\treturn !userfaultfd_pte_wp(vma, pte);
+\treturn userfaultfd_pte_wp(vma, pte) ? false : true;
 }
"""


@pytest.mark.parametrize(("diff", "code", "said"), [
    (FOLLOW, 3, "differs: mm/gup.c:can_follow_write_pte: its text changes; it is not pin-page of "
     "today's code any more"),
    (SAME, 0, "equal: mm/gup.c:can_follow_write_pte: to the specs' code today"),
], ids=["another", "the same"])
def test_a_function_is_lifted_as_the_patch_has_it(diff: str, code: int, said: str) -> None:
    if _version() != "6.12":
        pytest.skip("the lines are those of 6.12")
    done = CliRunner().invoke(main, ["check-patch", "-", "--tree", str(TREE)], input=diff)
    assert done.exit_code == code, done.output
    assert said in " ".join(done.output.split())


# A change of arch/x86/include/asm/pgtable.h:pte_mkold.
OLD = """\
--- a/arch/x86/include/asm/pgtable.h
+++ b/arch/x86/include/asm/pgtable.h
@@ -1,5 +1,5 @@
-static inline pte_t pte_mkold(pte_t pte)
+static inline pte_t pte_mkold(pte_t {name})
 {{
-\treturn pte_clear_flags(pte, _PAGE_ACCESSED);
+\treturn pte_clear_flags({name}, {bits});
 }}

"""


@pytest.mark.parametrize(("name", "bits", "code", "said"), [
    ("e", "_PAGE_ACCESSED", 0, ["kept", "x86_64: unchanged in meaning:"]),
    ("pte", "_PAGE_ACCESSED | _PAGE_DIRTY", 1, [
        "broken x86_64/pte/law/any-mkold-keeps-dirty", "x86_64/pte/page-flag/fork-pte/today/",
        "x86_64: pte_mkold changes: pte_mkold: pte=0x40 (DIRTY) before result 0x40 (DIRTY) after "
        "result 0x0 (0)"]),
], ids=["another name", "loses dirty"])
def test_a_helper_before_and_after(name: str, bits: str, code: int, said: list[str]) -> None:
    text = (Path(str(TREE)) / "arch/x86/include/asm/pgtable.h").read_text()
    line = text[:text.index("static inline pte_t pte_mkold")].count("\n") + 1
    diff = OLD.format(name=name, bits=bits).replace("-1,5 +1,5", f"-{line},5 +{line},5")
    done = CliRunner().invoke(main, ["check-patch", "-", "--tree", str(TREE), "--arch", "x86_64",
                                     "--depth", "0"], input=diff)
    assert done.exit_code == code, done.output
    shown = " ".join(done.output.split())
    assert not [one for one in said if one not in shown], done.output


def _version() -> str:
    return ".".join(open_tree(str(TREE)).version.split(".")[:2])
