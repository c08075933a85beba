# SPDX-License-Identifier: GPL-2.0-or-later
"""A refutation shows its point: the values that are printed, and nothing else, decide that the property's sentence fails."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import pytest
from seen import shown, shows
from told import Tool

from verifier.errors import SpecError
from verifier.plan import Library
from verifier.read_specs import load_spec
from verifier.report.show import explain_text
from verifier.report.why import reasons
from verifier.scopes import Model

# Of each property that may fail: where it does. tests/test_verdicts.py looks at every refutation of its matrix.
ELSEWHERE = {
    "hardware-safe": "csky-v1/pte/page-flag/write-fault-writable/today/hardware-safe",
    "write-needs-vma": "mips32-36bit/pte/page-flag/mprotect-pte/today/write-needs-vma",
    "dropped-newer": "loongarch/pte/page-flag/lazyfree-discard/today/dropped-newer",
    "frame": "sh-x2tlb/pte/page-flag/mprotect-pte/today/frame",
    "soft-dirty-exact": "x86_64/pmd/page-flag/split-pmd/today/soft-dirty-exact",
    "leaf-in-memory": "mips64/hugetlb/page-flag/hugetlb-poison/today/leaf-in-memory",
    "marker-stays": "s390/hugetlb/page-flag/hugetlb-poison/today/marker-stays",
    "reach-is-reference": "arm-lpae/pmd/page-flag/mprotect-pmd/today/reach-is-reference",
    "no-lost-dirty": "x86_32/pmd/page-flag/madvise-free-pmd/today/no-lost-dirty",
    "well-formed": "mips32-xpa/pte/page-flag/clear-young/today/well-formed",
    "pin-stays": "x86_64/pmd/option-c/numa-hint-set-pmd/today/pin-stays",
}


@pytest.fixture(scope="module")
def tool(library: Library) -> Tool:
    return Tool(library)


@pytest.mark.parametrize(("name", "identity"), ELSEWHERE.items())
def test_a_refutation_of_each_property_shows_its_point(library: Library, tool: Tool, name: str, identity: str) -> None:
    result = tool.result(identity)
    told = shown(library, result)
    assert told is not None and shows(library, library.spec.properties[name], told), told
    text = " ".join(explain_text(library, result).split())
    for term in told.terms:
        assert f"{term.reads} {term.after}" in text or f"{term.reads} {term.before} -> {term.after}" in text


def test_a_permission_that_stays_is_shown_as_one(tool: Tool) -> None:
    """SuperH's mprotect takes no permission away: the counterexample is an entry that is writable afterwards."""
    lines = [line for line in tool.explain(ELSEWHERE["frame"])[1].splitlines() if "mprotect-pte  " in line]
    assert lines and lines[0].split()[4] == "1"  # the column of write


def test_what_a_reference_holder_sees_is_shown(tool: Tool) -> None:
    text = tool.explain("x86_64/hugetlb/page-flag/hugetlb-wp-reuse/today/no-false-exclusive")[1]
    assert "B holds a reference" in text and "reader[B] 1" in text


def test_nothing_says_that_no_data_is_lost(tool: Tool) -> None:
    text = " ".join(tool.explain("x86_64/pte/page-flag/wp-copy/today/no-lost-dirty")[1].split())
    assert "droppable" not in text
    assert "none was found within 2 steps. What more steps lead to was not asked." in text


def test_reasons_take_what_decides() -> None:
    def of(text: str, **values: bool) -> list[str]:
        def value(node: ast.expr) -> bool:
            return bool(eval(ast.unparse(node), {}, values))

        return [ast.unparse(n) for n in reasons(ast.parse(text, mode="eval").body, value)]

    assert of("not (a and b) or c", a=True, b=True, c=False) == ["a", "b", "c"]
    assert of("a and b and c", a=True, b=False, c=False) == ["b"]
    assert of("a if c else b", a=False, b=True, c=True) == ["c", "a"]
    assert of("a == b", a=True, b=False) == ["a", "b"]


@pytest.mark.parametrize(("line", "message"), [
    ("  shows: not newer[p]\n", "has no `holds`, so it has to say what a refutation shows"),
    ("  shows: not pinned[p]\n", "does not say what is shown where this fails"),
])
def test_a_property_that_shows_nothing_does_not_load(library: Library, tmp_path: Path, line: str, message: str) -> None:
    shutil.copytree(library.spec_folder, tmp_path / "specs")
    path = tmp_path / "specs" / "properties.yaml"
    assert line in path.read_text()
    path.write_text(path.read_text().replace(line, ""))
    with pytest.raises(SpecError, match=message):
        spec = load_spec(tmp_path / "specs")
        Model(spec, library.layout("x86_64"), spec.encodings["page-flag"]).check()
