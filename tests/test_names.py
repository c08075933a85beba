# SPDX-License-Identifier: GPL-2.0-or-later
"""How helpers are called in kernels that have other names for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from verifier.base.errors import SpecError
from verifier.kernel.tree import shapes
from verifier.kernel.tree.shapes import Shape, load_shapes

WAYS: dict[str, list[Shape]] = {}
for _shape in load_shapes():
    WAYS.setdefault(_shape.helper, []).append(_shape)


def ways(helper: str) -> list[Shape]:
    return WAYS[helper]


@pytest.mark.parametrize(
    ("helper", "calls"),
    [
        ("pte_uffd_wp", ["pte_uffd_wp({0})", "pte_uffd({0})"]),
        ("pmd_swp_mkuffd_wp", ["pmd_swp_mkuffd_wp({0})", "pmd_swp_mkuffd({0})"]),
        ("pte_to_swp_entry", ["pte_to_swp_entry({0})", "softleaf_from_pte({0})"]),
        ("pte_swp_uffd_wp_any", ["pte_swp_uffd_wp_any({0})"]),
        ("page_base", ["_PAGE_BASE"]),
    ],
)
def test_the_own_name_is_tried_first_and_then_those_of_other_versions(
    helper: str, calls: list[str]
) -> None:
    assert [shape.call for shape in ways(helper)] == calls
    assert [shape.number for shape in ways(helper)] == list(range(len(calls)))


def test_every_rule_is_for_a_helper_that_is_there() -> None:
    rules = shapes._load_names()
    assert len(rules) > 20
    assert not [rule for rule in rules if not any(rule.covers(helper) for helper in WAYS)]


def test_a_way_is_one_line_of_c() -> None:
    text = ways("is_swap_pte")[1].text()
    assert "!!(!pte_none(__pte(a0)) && !pte_present(__pte(a0)))" in text and "\n" not in text


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ('{helper: "pte_(", c: x}', "pte_("),
        ("{helper: pte_none, c: x, between: [6.12.117]}", "two versions"),
        ("{helper: pte_none}", "c"),
        ("{helper: pte_none, c: x, since: y}", "since"),
    ],
)
def test_a_rule_that_is_wrong_is_one_error_with_its_place(
    rule: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "names.yaml").write_text(f"names:\n  - {rule}\n")
    monkeypatch.setattr(shapes, "__file__", str(tmp_path / "shapes.py"))
    with pytest.raises(SpecError, match=r"names.yaml:2:\d+.*" + said.replace("(", r"\(")):
        shapes._load_names()
