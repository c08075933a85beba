# SPDX-License-Identifier: GPL-2.0-or-later
"""prove on the kernel's own helpers, and counterexamples in the kernel's own code.

Needs a tree: KERNEL_TREE.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from sample import sampled

from verifier.kernel.conform.session import kernel_helpers
from verifier.meeting.counterexamples import replay_run
from verifier.prove.results import Refuted, Run, verdict_name
from verifier.run.filters import Filters
from verifier.run.library import load_library
from verifier.run.plan import groups_of
from verifier.run.scheduler import Options, prove

TREE = os.environ.get("KERNEL_TREE")
pytestmark = pytest.mark.skipif(not TREE, reason="needs a kernel tree: KERNEL_TREE=/path/to/linux")
OPTIONS = Options(jobs=2, search_seconds=60)
CODES = [
    ("x86_64+shstk", "option-c", "today"),
    ("x86_64+shstk", "option-c", "option-c"),
    ("arm64-4k+dbm", "page-flag", "today"),
]


def tree() -> Path:
    assert TREE is not None
    return Path(TREE)


def verdicts(run: Run) -> dict[str, str]:
    return {r.obligation.id: verdict_name(r.verdict) for r in run.results}


@pytest.mark.parametrize(("variant", "encoding", "code"), sampled(CODES, CODES[1:]))
def test_verdicts_on_the_kernels_helpers_are_those_on_archs(
    variant: str, encoding: str, code: str
) -> None:
    filters, options = Filters((variant,), ("pte",), (encoding,), (code,)), replace(
        OPTIONS, depth=1
    )
    ours = prove(load_library(), filters, options)
    library = load_library()
    library.substitute = kernel_helpers(tree(), [library.layout(variant)])
    theirs = prove(library, filters, options)
    assert not theirs.contradictions and verdicts(theirs) == verdicts(ours)
    told = theirs.coverage["helpers"]
    assert isinstance(told, list) and any("helpers are the kernel's" in text for text in told)


def test_an_overlay_is_not_the_kernels() -> None:
    library = load_library()
    library.substitute = kernel_helpers(tree(), [library.layout("x86_64")])
    groups, skipped = groups_of(library, Filters(("x86_64",)))
    assert groups and all(g.encoding != "option-c-saved" for g in groups)
    assert any(s["encoding"] == "option-c-saved" and "overlay" in s["why"] for s in skipped)


def test_a_wrong_helper_of_arch_changes_nothing(tmp_path: Path) -> None:
    """arch/'s pte_wrprotect may say what it likes: the kernel's is asked."""
    import shutil

    from verifier.base.data import data_folder
    folder = tmp_path / "arch"
    shutil.copytree(data_folder("arch"), folder)
    text = (folder / "x86.yaml").read_text()
    wrong = text.replace("pte_mksaveddirty(pte & ~RW)", "pte & ~(RW | DIRTY)")
    assert wrong != text
    (folder / "x86.yaml").write_text(wrong)
    filters = Filters(
        ("x86_64+shstk",), ("pte",), ("page-flag",), ("today",), ("fork-pte", "ksm-write-protect")
    )
    right = prove(load_library(), filters, replace(OPTIONS, depth=2))
    library = load_library(folder)
    changed = prove(library, filters, replace(OPTIONS, depth=2))
    library.substitute = kernel_helpers(tree(), [library.layout("x86_64+shstk")])
    theirs = prove(library, filters, replace(OPTIONS, depth=2))
    assert verdicts(changed) != verdicts(right)
    for identity, verdict in verdicts(theirs).items():
        if verdict == "proved":
            assert verdicts(right)[identity] == "proved"


@pytest.mark.parametrize(
    ("variant", "how"), [("x86_64", "machine code"), ("arm64-4k", "lifted code")]
)
def test_counterexamples_are_reproduced_by_the_kernels_code(variant: str, how: str) -> None:
    steps = (
        "anon-write-fault",
        "fork-*",
        "mprotect-*",
        "numa-*",
        "uffd-wp-*",
        "madvise-free",
        "wp-copy",
        "swap-*",
    )
    filters = Filters((variant,), ("pte",), ("option-c",), ("today",), steps)
    library = load_library()
    run = replay_run(library, prove(library, filters, replace(OPTIONS, depth=3)), tree())
    found = [r.verdict.counterexample for r in run.results if isinstance(r.verdict, Refuted)]
    assert len(found) >= 10 and not run.contradictions
    assert all(c.kernel is True and c.kernel_why.startswith(how) for c in found), {
        c.kernel_why for c in found
    }
    assert any(c.kernel_why == how for c in found)


def test_a_counterexample_that_the_kernel_does_not_show_is_a_contradiction() -> None:
    filters = Filters(
        ("x86_64",), ("pte",), ("option-c",), ("today",), ("fork-pte",), ("no-false-exclusive",)
    )
    library = load_library()
    run = prove(library, filters, OPTIONS)
    (result,) = run.results
    assert isinstance(result.verdict, Refuted)
    move = result.verdict.counterexample.trace[-1]
    after = {**move.after, ("entry", 0): int(move.after["entry", 0]) ^ 2}
    trace = (*result.verdict.counterexample.trace[:-1], replace(move, after=after))
    wrong = replace(
        result.verdict, counterexample=replace(result.verdict.counterexample, trace=trace)
    )
    found = replay_run(library, replace(run, results=(replace(result, verdict=wrong),)), tree())
    assert len(found.contradictions) == 1 and "goes another way" in found.contradictions[0]
