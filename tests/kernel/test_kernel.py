# SPDX-License-Identifier: GPL-2.0-or-later
"""Against a real tree, given by KERNEL_TREE: arch/ is what the kernel does, and the lifter says
what the machine does.
"""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import pytest
from sample import sampled

from kernel.odd import odd_backend
from verifier.base.data import data_folder
from verifier.base.store import read_sealed
from verifier.engine.answers import Sat
from verifier.kernel.claims.contpte import CLAIMS, prove_block_claims
from verifier.kernel.claims.decide_claims import Claim, prove_claim
from verifier.kernel.conform.conform import conform_variant
from verifier.kernel.conform.questions import make_backend
from verifier.kernel.conform.report import as_json, as_junit, as_text
from verifier.kernel.conform.results import Contradicted, Differs, Equal
from verifier.kernel.conform.session import Conformance, build_library, conform, exit_code, layouts
from verifier.kernel.replay.replayer import Replayer
from verifier.kernel.tree.builds import load_builds
from verifier.model.arch import Layout
from verifier.model.read_arch import load_archs, load_generic

TREE = os.environ.get("KERNEL_TREE")
pytestmark = pytest.mark.skipif(not TREE, reason="needs a kernel tree: KERNEL_TREE=/path/to/linux")

def tree() -> Path:
    assert TREE is not None
    return Path(TREE)


def test_two_solvers_agree() -> None:
    helpers = ["pte_w*", "pte_mk*", "ptep_*", "pmd_mod*", "*swp*"]
    with_z3 = conform(tree(), ["x86_64+shstk"], helpers, backend="z3")
    with_bits = conform(tree(), ["x86_64+shstk"], helpers, backend="bits")
    assert [(type(r), r.helper) for r in with_z3.results] == [
        (type(r), r.helper) for r in with_bits.results
    ]


def test_a_changed_helper_differs_with_a_value() -> None:
    """The overlay changes pte_wrprotect and pmd_wrprotect: those, and what calls them, differ, and
    nothing else.
    """
    archs, generic = load_archs(), load_generic(data_folder("arch"))
    arch = archs["x86"]
    layout = Layout(arch, arch.variants["x86_64"], generic, "saved-only")
    library, _, _ = build_library(tree(), load_builds()["x86_64"])
    results = conform_variant(
        library,
        layout,
        ["pte_wrprotect", "pte_mkdirty", "ptep_set_wrprotect", "pte_mkclean", "pte_dirty"],
    )
    found = {r.helper: r for r in results}
    assert isinstance(found["pte_mkclean"], Equal) and isinstance(found["pte_dirty"], Equal)
    assert isinstance(found["pte_mkdirty"], Equal)
    for helper in ("pte_wrprotect", "ptep_set_wrprotect"):
        result = found[helper]
        assert isinstance(result, Differs) and result.model != result.kernel


def test_a_difference_that_does_not_replay_is_a_contradiction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """0 in the place of the entry that shows a difference: neither equal nor different, and exit 4.
    """
    archs, generic = load_archs(), load_generic(data_folder("arch"))
    arch = archs["x86"]
    library, _, _ = build_library(tree(), load_builds()["x86_64"])
    layout = Layout(arch, arch.variants["x86_64"], generic, "saved-only")
    (differs,) = conform_variant(library, layout, ["pte_wrprotect"])
    assert isinstance(differs, Differs)
    backend = odd_backend(lambda number, answer: Sat({}) if isinstance(answer, Sat) else answer)
    monkeypatch.setattr("verifier.kernel.conform.conform.make_backend", lambda *_: backend)
    (found,) = conform_variant(library, layout, ["pte_wrprotect"])
    assert isinstance(found, Contradicted) and exit_code([found, differs]) == 4, found
    report = Conformance("a tree", "6.12", (found,), (), (), ())
    (row,) = as_json(report)["results"]
    assert (row["verdict"], row["replay"]) == ("contradiction", False) and "says" in as_text(
        report, {}
    )
    assert "<error" in as_junit(report) and "<failure" not in as_junit(report)


def test_the_tree_is_not_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Configured and compiled in an empty cache, with the newest file of the tree noted before and
    after.

    The user's environment would break the build, if it saw it; and what is read beyond the tree's
    identity is noted.
    """
    for name in ("KCFLAGS", "KCPPFLAGS", "HOSTCFLAGS", "CPATH", "MAKEFLAGS"):
        monkeypatch.setenv(name, "-no-such-flag -include /nowhere.h")
    def newest() -> str:
        return subprocess.run(
            ["find", str(tree()), "-newer", str(mark)], capture_output=True, text=True, check=True
        ).stdout

    mark = tmp_path / "mark"
    mark.write_text("")
    build_library(tree(), load_builds()["x86_64"], tmp_path / "cache")
    assert newest() == ""
    assert not list((tmp_path / "cache").glob("*.part-*"))
    read: dict[str, object] = {}
    for manifest in (tmp_path / "cache").glob("*/manifest.json"):
        if "-ir-" not in manifest.parent.name:
            kept = read_sealed(manifest)
            assert isinstance(kept, dict)
            read |= kept["reads"]
    assert {
        "kernel/bounds.c",
        "init/Kconfig",
        "lib/Kconfig.debug",
        "kernel/time/timeconst.bc",
        "drivers/Kconfig",
    } <= read.keys()
    assert len(read) > 1500 and not any(name.startswith("../") for name in read)


@pytest.mark.parametrize("variant", sampled(["arm64-4k", "arm64-64k"], ["arm64-4k"]))
def test_contiguous_blocks(variant: str) -> None:
    library, _, _ = build_library(tree(), load_builds()[variant])
    (layout,) = layouts([variant])
    results = prove_block_claims(library, layout)
    assert [r.verdict for r in results] == ["proved"] * len(CLAIMS), [
        r for r in results if r.verdict != "proved"
    ]


def test_a_false_claim_about_a_block_is_refuted() -> None:
    library, _, _ = build_library(tree(), load_builds()["arm64-4k"])
    (layout,) = layouts(["arm64-4k"])
    claim = Claim(
        "contpte_wrprotect_ptes", "nothing changes", {"addr": 0, "nr": -1}, lambda b: b.each(b.same)
    )
    assert prove_claim(library, layout, claim, 16, make_backend("z3", 60)).verdict == "refuted"
    claim = Claim(
        "contpte_ptep_get",
        "dirty is that of the entry in hand",
        {"orig_pte": "orig"},
        lambda b: b.alg.same(b("pte_dirty", b.result), b("pte_dirty", b.args["orig_pte"])),
    )
    assert prove_claim(library, layout, claim, 16, make_backend("bits", 60)).verdict == "refuted"


def test_replay_of_values() -> None:
    with Replayer(tree()) as replayer:
        for variant, value, helper, native in (
            ("x86_64", 0x867, "pte_wrprotect", True),
            ("arm64-4k", 0x8000000000743, "pte_wrprotect", False),
        ):
            (layout,) = layouts([variant])
            found = replayer.run(layout, helper, {"pte": value})
            assert found.outcome is not None and found.native == (
                native and platform.machine() == "x86_64"
            )
            (dirty,) = [
                replayer.run(layout, "pte_dirty", {"pte": found.outcome.result or 0}).outcome
            ]
            assert dirty is not None and dirty.result == 1
            assert (
                replayer.run(layout, "pte_hw_writable", {"pte": value}).why
                == "this kernel has no helper pte_hw_writable"
            )
