# SPDX-License-Identifier: GPL-2.0-or-later
"""Laws on the helpers of arch/ (no tree needed): all hold or do not apply, and a law that is false
is refuted.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from kernel.odd import odd_backend, other_bit
from verifier.base.errors import UsageError
from verifier.kernel.conform.laws import (
    LawContradicted,
    LawFails,
    LawHolds,
    LawReport,
    NotApplicable,
    NotKnown,
    judge_law,
    judge_laws,
    laws_json,
    laws_junit,
    laws_text,
)
from verifier.kernel.conform.session import layouts
from verifier.language.read_yaml import Source
from verifier.model.laws import load_laws

# what fails: docs/findings/arm64.md says why
MAKES_DIRTY = {("any-mkwrite-keeps-dirty", "pte"), ("any-mkwrite-keeps-dirty", "pmd")}


@pytest.mark.parametrize(
    ("variant", "fails"),
    [
        ("x86_64", set()),
        ("x86_64+shstk", set()),
        ("arm64-4k", MAKES_DIRTY),
        ("arm64-64k+dbm", MAKES_DIRTY),
    ],
)
def test_the_laws_hold(variant: str, fails: set[tuple[str, str]]) -> None:
    report = judge_laws(None, [variant])
    assert {
        (r.law.name, r.law.level) for r in report.results if isinstance(r, (LawFails, NotKnown))
    } == fails
    assert sum(isinstance(r, LawHolds) for r in report.results) >= 50
    assert report.exit_code == (1 if fails else 0)


@pytest.mark.skipif(
    not os.environ.get("KERNEL_TREE"), reason="needs a kernel tree: KERNEL_TREE=/path/to/linux"
)
def test_laws_are_judged_where_the_kernels_helpers_leave_something_open() -> None:
    """A helper whose behaviour is undefined on some values says so: the law is judged, not the
    program ended.
    """
    report = judge_laws(
        Path(os.environ["KERNEL_TREE"]), ["x86_64"], ["any-*", "ptep-get-and-clear-clears"]
    )
    assert len(report.results) > 30 and all(isinstance(r, LawHolds) for r in report.results)


def test_soft_dirty_laws_do_not_apply_to_arm64() -> None:
    report = judge_laws(None, ["arm64-4k"], ["*soft-dirty*"])
    assert report.results and all(isinstance(r, NotApplicable) for r in report.results)
    assert report.exit_code == 2


def test_a_false_law_is_refuted_with_values() -> None:
    (layout,) = layouts(["x86_64"])
    law = next(
        law for law in load_laws() if law.name == "young-after-mkyoung" and law.level == "pte"
    )
    wrong = replace(law, holds=Source("pte_dirty(pte_mkyoung(pte))", law.holds.where))
    result = judge_law(wrong, layout, None)
    assert isinstance(result, LawFails) and not result.values["pte"] & 0x40


def test_a_law_of_nothing_is_not_proved() -> None:
    (layout,) = layouts(["x86_64"])
    law = next(
        law for law in load_laws() if law.name == "young-after-mkyoung" and law.level == "pte"
    )
    empty = replace(law, when=Source("pte_young(pte) and not pte_young(pte)", law.holds.where))
    result = judge_law(empty, layout, None)
    assert isinstance(result, NotKnown) and "vacuous" in result.reason


def test_a_filter_that_matches_nothing_is_an_error() -> None:
    with pytest.raises(UsageError, match="no law matches"):
        judge_laws(None, ["x86_64"], ["no-such-law"])


def test_a_refutation_that_does_not_replay_is_a_contradiction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Bit 6 of the word that refutes is the other one: then the law holds of it."""
    (layout,) = layouts(["x86_64"])
    law = next(
        law for law in load_laws() if law.name == "young-after-mkyoung" and law.level == "pte"
    )
    wrong = replace(law, holds=Source("pte_dirty(pte_mkyoung(pte))", law.holds.where))
    monkeypatch.setattr(
        "verifier.kernel.conform.laws.make_backend", lambda *_: odd_backend(other_bit("pte", 6))
    )
    report = LawReport((judge_law(wrong, layout, None),), {})
    assert isinstance(report.results[0], LawContradicted) and report.exit_code == 4
    (row,) = laws_json(report)["results"]
    assert (row["verdict"], row["replayed"], row["values"]) == (
        "contradiction",
        False,
        {"pte": "0x40"},
    )
    assert "pte = 0x40 refutes, says the solver; what is claimed holds of them" in laws_text(report)
    assert "<error" in laws_junit(report) and "<failure" not in laws_junit(report)


def test_a_refutation_says_that_it_was_computed_again() -> None:
    (layout,) = layouts(["x86_64"])
    law = next(
        law for law in load_laws() if law.name == "young-after-mkyoung" and law.level == "pte"
    )
    wrong = replace(law, holds=Source("pte_dirty(pte_mkyoung(pte))", law.holds.where))
    (row,) = laws_json(LawReport((judge_law(wrong, layout, None),), {}))["results"]
    assert (row["verdict"], row["replayed"], row["values"]) == ("refuted", True, {"pte": "0x0"})
