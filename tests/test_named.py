# SPDX-License-Identifier: GPL-2.0-or-later
"""The program knows no property and no transition by its name, and what specs/ says in their place
is checked.
"""

from __future__ import annotations

import ast
import re
import shutil
from pathlib import Path

import pytest

from verifier.base.data import data_folder
from verifier.base.errors import SpecError
from verifier.model.check import check_model
from verifier.model.read_specs import load_spec
from verifier.model.typed import Model
from verifier.run.library import Library

PACKAGE = Path(__file__).resolve().parent.parent / "verifier"


def test_no_property_and_no_transition_is_named_in_the_program(library: Library) -> None:
    known = library.spec.properties.keys() | library.spec.transitions.keys()
    found = [f"{path.relative_to(PACKAGE)}:{node.lineno}: {node.value}"
             for path in sorted(PACKAGE.rglob("*.py"))
             for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)
             and node.value in known]
    assert not found, "what is said of it belongs to specs/"


def test_what_is_first_is_there(library: Library) -> None:
    first = library.spec.first
    known = {v.name for v in library.variants()}
    for asked in (first.prove, first.mutants, first.patches):
        assert set(asked.variants) <= known and asked.variants and asked.theorems


@pytest.fixture
def specs(tmp_path: Path) -> Path:
    return Path(shutil.copytree(data_folder("specs"), tmp_path / "specs"))


@pytest.mark.parametrize(("file", "old", "new", "message"), [
    ("properties", "consequence: end", "consequence: ends",
     "a consequence is end or none, not 'ends'"),
    ("properties", "claim: \"the frame and the slot",
     "consequence: end\n  claim: \"the frame and the slot",
     "a search ends at what an assert records"),
    ("properties", "comparable: pte_present", "",
     "frame compares entries, so it has to name the view"),
    ("properties", "comparable: pte_present", "comparable: pte_pfn", "pte_pfn is no boolean"),
    ("properties", "comparable: pte_present", "comparable: swp_entry",
     "compares by swp_entry, which reads no entry alone"),
    ("properties", "comparable: pte_present", "comparable: pte_presence",
     "compares by unknown view 'pte_presence'; did you mean pte_present"),
    ("properties", "hardware_changes: [young]", "hardware_changes: [yong]",
     "no component 'yong'; did you mean young"),
    ("properties", "claim: \"the frame and the slot",
     "others_stay: true\n  claim: \"the frame and the slot",
     "others_stay says how entries are compared, and limits has no `compares`"),
    ("properties", "causes: [write", "compares: {soft_dirty: soft_dirty}\n  causes: [write",
     "a step property compares entries"),
    ("first", "compared_with: page-flag/today", "compared_with: page-flag",
     "a theorem is ENCODING/CODE, not 'page-flag'"),
    ("first", "audit: option-c/today", "audit: option-d/today",
     "unknown encoding 'option-d'; did you mean option-c"),
    ("first", "compared_with: page-flag/today", "compared_with: page-flag/thread",
     "page-flag is not proved for 'thread'"),
    ("first", "level: pte", "level: ptes", "unknown level 'ptes'; did you mean pte"),
    ("first", "- frame", "- fram", "unknown property 'fram'; did you mean frame"),
    ("first", "- frame", "- store-leak", "property store-leak stands twice"),
    ("world", "waiting: [flush, flushed]", "waiting: [flash]",
     "unknown action 'flash'; did you mean flush"),
    ("world", "shown: {pfn:", "shown: {pfm:",
     "no variable or input 'pfm' is an unsigned long; did you mean pfn"),
])
def test_a_role_that_says_nothing_is_an_error(
    specs: Path, library: Library, file: str, old: str, new: str, message: str,
) -> None:
    path = specs / f"{file}.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(SpecError, match=re.escape(message)) as found:
        spec = load_spec(specs)
        check_model(Model(spec, library.layout("x86_64"), spec.encodings["page-flag"], "pte"))
    assert f"specs/{file}.yaml:" in str(found.value), "the place"
