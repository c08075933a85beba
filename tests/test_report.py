# SPDX-License-Identifier: GPL-2.0-or-later
"""What is printed and written: the JSON contract, JUnit, SARIF, text, decode and encode."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import jsonschema
import pytest
from click.testing import CliRunner

from verifier.base.errors import UsageError
from verifier.cli import main
from verifier.prove.results import Run, verdict_name
from verifier.report import forms
from verifier.report.decode import parse_value
from verifier.report.explain import explain_text
from verifier.report.result_json import schema
from verifier.run.filters import Filters
from verifier.run.library import Library
from verifier.run.scheduler import Options, prove

SHADOW = "x86_64+shstk/pte/option-c/fork-pte/today/no-false-exclusive"


@pytest.fixture(scope="module")
def run(library: Library) -> Run:
    asked = ("fork-pte", "static", "init")
    filters = Filters(("x86_64+shstk", "arm64-4k"), ("pte",), ("option-c",), ("today", "option-c"), asked)
    return prove(library, filters, Options(jobs=2))


def test_json_is_as_the_schema_says(library: Library, run: Run) -> None:
    found = json.loads("".join(forms.json_parts(library, run)))
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(found, schema())
    result = next(r for r in found["results"] if r["id"] == SHADOW)
    assert result["verdict"] == "refuted"
    after = result["counterexample"]["after"]
    assert after["entry.A"]["exclusive"] and after["entry.B"]["exclusive"]
    assert after["entry.A"]["value"] == "0x8400000012345825"
    assert not after["entry.A"]["helpers"]["pte_write"]
    assert result["counterexample"]["replay"] == {"evaluator": True, "kernel": None, "why": "not asked for"}
    assert found["summary"]["refuted"] == sum(r["verdict"] == "refuted" for r in found["results"])
    assert all(r["inhabitant"] for r in found["results"] if r["verdict"] == "proved" and r["transition"] == "fork-pte")


def test_junit_lists_proofs_too(library: Library, run: Run) -> None:
    root = ET.fromstring("".join(forms.junit_parts(library, run)))
    cases = list(root.iter("testcase"))
    assert len(cases) == len(run.results)
    refuted = [r for r in run.results if verdict_name(r.verdict) == "refuted" and r.obligation.kind != "advisory"]
    assert len(list(root.iter("failure"))) == len(refuted) > 0


def test_sarif_lists_proofs_too(library: Library, run: Run) -> None:
    found = json.loads("".join(forms.sarif_parts(library, run)))["runs"][0]["results"]
    assert len(found) == len(run.results)
    assert {r["kind"] for r in found} == {"pass", "fail"}
    assert any(r.get("locations") for r in found)


def test_text_fits_and_shows_both_entries(library: Library, run: Run) -> None:
    result = next(r for r in run.results if r.obligation.id == SHADOW)
    text = explain_text(library, result)
    assert all(len(line) <= 110 for line in text.splitlines())
    for word in ("REFUTED", "0x8400000012345825", "0x8400000012345805", "store-leak", "specs/transitions/fork.yaml",
                 "mm/memory.c:__copy_present_ptes", "reproduced by: evaluator"):
        assert word in text
    closing = forms.prove_text(library, run, True, False, False)
    assert closing.startswith(f"Ran {len(run.results)}: ")


def test_audit_is_worst_first(library: Library, run: Run) -> None:
    lines = forms.audit_text(library, run).splitlines()
    assert lines[0].split()[:3] == ["property", "row", "site"]
    assert lines[1].startswith("no-false-exclusive")
    assert "T21" in lines[1]
    assert " -> 0x" in lines[1]


@pytest.mark.parametrize(("variant", "value", "words"), [
    ("x86_64", "8000000012345025", ["PRESENT|USER|ACCESSED|PFN=0x12345|NX", "maybe shared"]),
    ("x86_64", "0x8400000012345825", ["SAVED_DIRTY", "exclusive if"]),
    ("x86_64", "c7fbfffffdb97400", ["readable migration"]),
    ("x86_64", "0", ["none"]),
    ("x86_64+shstk", "12345045", ["pte_shstk", "exclusive if"]),
    ("arm64", "60000012345fc3", ["VALID|TABLE_BIT|USER|RDONLY", "maybe shared"]),
    ("arm64-64k", "8800000012340fc3", ["pte_dirty"]),
])
def test_decode(variant: str, value: str, words: list[str]) -> None:
    result = CliRunner().invoke(main, ["decode", variant, value], standalone_mode=False)
    for word in words:
        assert word in result.output


@pytest.mark.parametrize("settings", [
    ["PFN=0x12345", "PRESENT=1"],
    ["PFN=0x12345", "present=1", "write=1", "dirty=1"],
    ["pfn=0x12345", "PRESENT=1", "write=0", "SAVED_DIRTY=1"],
])
def test_encode(settings: list[str]) -> None:
    result = CliRunner().invoke(main, ["encode", "x86_64", *settings], standalone_mode=False)
    assert len(result.output.strip()) == 16
    back = CliRunner().invoke(main, ["decode", "x86_64", result.output.strip()], standalone_mode=False)
    for word in settings:
        name, _, number = word.partition("=")
        if name.islower() and name != "pfn":
            side = "true" if number == "1" else "false"
            text = " ".join(back.output.split())
            part = text.split("true:")[1].split("false:")
            assert f"pte_{name}" in part[0 if side == "true" else 1].split()


@pytest.mark.parametrize(("texts", "lines"), [
    (["pte_wrprotect(0x867)"], ["pte_wrprotect(0x867) = 0x0400000000000825"]),
    (["pte=0x867", "pte_write(pte)", "pte_write(pte_wrprotect(pte))"],
     ["pte_write(pte) = true", "pte_write(pte_wrprotect(pte)) = false"]),
    (["ptep=0x867", "ptep_set_wrprotect(ptep)"], ["ptep_set_wrprotect(ptep): ptep = 0x0400000000000825"]),
    (["ptep=0x867", "ptep_get_and_clear(ptep)"],
     ["ptep_get_and_clear(ptep) = 0x0000000000000867", "ptep_get_and_clear(ptep): ptep = 0x0000000000000000"]),
])
def test_call(texts: list[str], lines: list[str]) -> None:
    result = CliRunner().invoke(main, ["call", "x86_64", *texts], standalone_mode=False)
    assert result.output.splitlines() == lines


def test_encode_refuses_what_no_entry_has(library: Library) -> None:
    from verifier.model.encode import encode_entry

    with pytest.raises(UsageError, match="no entry"):
        encode_entry(library.layout("x86_64"), ["present=1", "none=1"])
    with pytest.raises(UsageError, match="did you mean DIRTY"):
        encode_entry(library.layout("x86_64"), ["DIRYT=1"])


def test_values_are_as_an_oops_prints_them() -> None:
    assert parse_value("8000000012345025", 64) == 0x8000000012345025
    for wrong in ("", "xyz", "1" * 17, "-1", "0x"):
        with pytest.raises(UsageError):
            parse_value(wrong, 64)


def test_explain_tells_of_the_one_that_it_names() -> None:
    """loongarch is an architecture, too; its other variant has a verdict of its own."""
    result = CliRunner().invoke(main, ["explain", "loongarch/pte/page-flag/fork-flush/today/limits"])
    assert result.exit_code == 0
    assert "loongarch/pte/page-flag/fork-flush/today/limits" in result.output and "loongarch+ptw/" not in result.output
