# SPDX-License-Identifier: GPL-2.0-or-later
"""examples/option-c: patch by patch, functions of mm/ become option C's code and keep its
properties, which they broke before; with one line wrong, they do not. Needs 6.12: KERNEL_TREE.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sample import sampled

from kernel.harness import needs_clang
from verifier.kernel.tree.overlay import overlay_of
from verifier.kernel.tree.tree import open_tree
from verifier.meeting.mm.judge import MmBuild, functions_for, judge_build
from verifier.meeting.mm.properties import MmKept, judge_properties
from verifier.meeting.mm.session import open_build
from verifier.patches.apply import apply_patch
from verifier.patches.paths import read_in_tree
from verifier.patches.read import read_series

TREE = os.environ.get("KERNEL_TREE")
pytestmark = [
    pytest.mark.skipif(TREE is None or not open_tree(TREE).version.startswith("6.12."),
                       reason="needs a tree of Linux 6.12: KERNEL_TREE"), needs_clang]
SERIES = Path(__file__).resolve().parents[2] / "examples" / "option-c"
THEOREM = ("option-c", "option-c")
# a patch, and the functions that become option C's code with it
PATCHES = {
    "0002-mprotect": ["can_change_pte_writable", "change_pte_range.*"],
    "0003-clear-refs": ["clear_soft_dirty"],
    "0004-fork": ["copy_present_ptes"],
    "0005-madvise-free": ["madvise_free_pte_range"],
    "0006-unmap": ["try_to_unmap_one.swap", "try_to_migrate_one"],
    "0007-migrate": ["remove_migration_pte"],
}
CASES = [(name, variant) for name in PATCHES for variant in ("x86_64", "arm64-4k")
         if (name, variant) != ("0003-clear-refs", "arm64-4k")]  # arm64 has no soft-dirty


def edited(last: str, wrong: bool = False) -> dict[str, bytes | None]:
    """The files as the series has them up to a patch, or up to the wrong one in its place."""
    state: dict[str, bytes | None] = {}

    def contents(name: str) -> bytes | None:
        return state[name] if name in state else read_in_tree(Path(str(TREE)), name)

    for path in sorted(SERIES.glob("*.patch")):
        if wrong and path.stem == last:
            path = SERIES / "wrong" / path.name
        for patch in read_series([str(path)], Path.cwd).patches:
            state.update(apply_patch(patch, contents).edited)
        if path.stem == last:
            return state
    raise AssertionError(last)


def opened(variant: str, overlay: object) -> MmBuild:
    return open_build(Path(str(TREE)), variant, overlay=overlay)  # type: ignore[arg-type]


def kept(mm: MmBuild, names: list[str]) -> dict[str, MmKept]:
    found = judge_properties(mm, functions_for(mm.variant, names), THEOREM)
    return {one.function.name: one for one in found}


@pytest.mark.parametrize(("name", "variant"), sampled(CASES, [
    ("0004-fork", "x86_64"), ("0005-madvise-free", "arm64-4k")]))
def test_each_patch_makes_functions_option_cs(name: str, variant: str) -> None:
    names = PATCHES[name]
    before = kept(opened(variant, None), names)
    assert all(one.broken for one in before.values()), before
    with overlay_of(Path(str(TREE)), edited(name)) as overlay:
        mm = opened(variant, overlay)
        results = judge_build(mm, functions_for(variant, names), [THEOREM])
        after = kept(mm, names)
    assert {r.function.name: r.verdict for r in results} == dict.fromkeys(
        (f.name for f in functions_for(variant, names)), "equal")
    assert before.keys() == after.keys()
    assert {n: ([*one.broken], one.open) for n, one in after.items()} == dict.fromkeys(
        after, ([], ""))


def test_one_line_wrong_is_refused() -> None:
    """fork does not clean the parent's entry: it says exclusive of what is shared now."""
    with overlay_of(Path(str(TREE)), edited("0004-fork", wrong=True)) as overlay:
        mm = opened("x86_64", overlay)
        (result,) = judge_build(mm, functions_for("x86_64", ["copy_present_ptes"]), [THEOREM])
        (one,) = kept(mm, ["copy_present_ptes"]).values()
    assert result.verdict == "differs"
    assert {"no-false-exclusive", "exclusive-only-granted"} <= one.broken.keys()


def test_the_wrong_series_differs_in_one_line() -> None:
    good, bad = ({*(folder / "0004-fork.patch").read_text().splitlines()}
                 for folder in (SERIES, SERIES / "wrong"))
    assert [line for line in good - bad if line[0] == "+"] == ["+\t\tpte = pte_mkclean(pte);"]
    assert not [line for line in bad - good if line[0] == "+"]


# the record of a function, and what `prove` says that today's code of its step breaks
TODAY = {
    "replace_page": ["uffd-wp-exact"],
    "madvise_free_pte_range": ["no-lost-dirty"],
    "try_to_unmap_one.swap": [],
}


@pytest.mark.parametrize("name", sampled(TODAY, ["replace_page"]))
def test_what_an_unpatched_function_breaks_is_what_its_step_breaks(name: str) -> None:
    mm = opened("x86_64", None)
    (one,) = judge_properties(mm, functions_for("x86_64", [name]), ("page-flag", "today"))
    assert [*one.broken] == TODAY[name] and not one.open
