# SPDX-License-Identifier: GPL-2.0-or-later
"""What is printed and written: the JSON contract, JUnit, SARIF, text, decode and encode."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from verifier.base.errors import UsageError
from verifier.cli import main
from verifier.model.world import key_name
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
    filters = Filters(("x86_64+shstk", "arm64-4k"), ("pte",), ("option-c",), ("today", "option-c"),
                      asked)
    return prove(library, filters, Options(jobs=2))


def test_json_is_as_the_schema_says(library: Library, run: Run) -> None:
    found = json.loads("".join(forms.json_parts(library, run)))
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(found, schema())
    result = next(r for r in found["failures"] if r["id"] == SHADOW)
    assert result["verdict"] == "refuted"
    changes = result["counterexample"]["steps"][-1]["changes"]
    assert changes["entry.A"]["reads_as"] == changes["entry.B"]["reads_as"] == "exclusive"
    assert changes["entry.A"]["value"] == "0x8400000012345825"
    assert changes["entry.A"]["fields"] == {"PRESENT": "0x1", "USER": "0x1", "ACCESSED": "0x1",
                                            "SOFT_DIRTY": "0x1",
                                            "PFN": "0x12345", "SAVED_DIRTY": "0x1", "NX": "0x1"}
    assert ("pte_dirty" in changes["entry.A"]["helpers"]
            and "pte_write" not in changes["entry.A"]["helpers"])
    assert result["counterexample"]["replay"] == {"evaluator": True, "kernel": None,
                                                  "why": "not asked for"}
    told = {f"{p['step']}/{name}": "proved" for p in found["proofs"] for name in p["proved"]}
    told |= {f["id"]: f["verdict"] for f in found["failures"]}
    assert told == {r.obligation.id: verdict_name(r.verdict) for r in run.results}
    assert not any("inhabitant" in p for p in found["proofs"])


def test_json_with_inhabitants(library: Library, run: Run) -> None:
    found = json.loads("".join(forms.json_parts(library, run, inhabitants=True)))
    jsonschema.validate(found, schema())
    forks = [p for p in found["proofs"] if "/fork-pte/" in p["step"]]
    assert forks and all(p["inhabitant"]["transition"] == "fork-pte" for p in forks)


def test_a_story_of_the_json_can_be_told_again(library: Library, run: Run) -> None:
    """What a state does not name is false or 0x0, and a step without `before` starts where the one
    before it ended.
    """
    found = {f["id"]: f["counterexample"]
             for f in json.loads("".join(forms.json_parts(library, run)))["failures"]}
    stories = 0
    for result in run.results:
        counterexample = getattr(result.verdict, "counterexample", None)
        if counterexample is None or not counterexample.trace:
            continue
        written, state = found[result.obligation.id], dict[str, object]()
        real = [*counterexample.trace, *counterexample.leads_to]
        assert counterexample.trace[-1] == counterexample.move
        for step, move in zip([*written["steps"], *written["leads_to"]], real, strict=True):
            if "before" in step:
                state = {name: value for name, value in plain(step["before"]).items() if value}
            assert state == {key_name(k): v for k, v in move.before.items() if v}
            state = {name: value for name, value in (state | plain(step["changes"])).items()
                     if value}
            assert state == {key_name(k): v for k, v in move.after.items() if v}
            assert plain(step["inputs"]) == {name: value for name, value in move.inputs.items()
                                             if value}
            stories += 1
    assert stories > 10


def plain(values: dict[str, Any]) -> dict[str, object]:
    """The values of a state as the JSON has it, as numbers and truths."""
    found = {name: value["value"] if isinstance(value, dict) else value for name,
             value in values.items()}
    return {name: int(value, 16) if isinstance(value, str) else value for name,
            value in found.items()}


def test_lines_of_json_have_the_same_records(library: Library, tmp_path: Path) -> None:
    files = {form: tmp_path / form for form in ("json", "jsonl")}
    words = ["prove", "--arch", "x86_64", "--level", "pte", "--transition", "fork-pte",
             "--property", "no-*", "--no-cache"]
    done = CliRunner().invoke(main, [*words, *(word for form, file in files.items()
                                               for word in (f"--{form}", str(file)))])
    assert done.exit_code == 1, done.output
    whole = json.loads(files["json"].read_text())
    lines = [json.loads(line) for line in files["jsonl"].read_text().splitlines()]
    check = jsonschema.Draft202012Validator(schema()["$defs"]["line"]
                                            | {"$defs": schema()["$defs"]})
    for line in lines:
        check.validate(line)
    assert (lines[0]["line"] == "run" and lines[0]["asked"]["transition"] == ["fork-pte"]
            and lines[-1]["line"] == "end")
    assert lines[-1].items() >= {"summary": whole["summary"], "theorems": whole["theorems"]}.items()
    for kind, name in (("proofs", "proofs"), ("failure", "failures")):
        told = [{k: v for k, v in line.items() if k != "line"} for line in lines
                if line["line"] == kind]
        assert sorted(map(str, told)) == sorted(map(str, whole[name])) and told
    closed = [line["theorem"] for line in lines if line["line"] == "closed"]
    assert sorted(closed) == sorted(t["theorem"] for t in whole["theorems"])
    done = CliRunner().invoke(main, [*words, "--jsonl", "-"])
    assert [json.loads(line)["line"]
            for line in done.stdout.splitlines()].count("closed") == len(closed)


@pytest.mark.parametrize("option", ["--tree", "--baseline"])
def test_lines_of_json_are_not_of_what_is_judged_later(tmp_path: Path, option: str) -> None:
    earlier = tmp_path / "earlier"
    earlier.write_text('{"schema": "pteproof.result/2"}')
    done = CliRunner().invoke(main,
                              ["prove", "--arch", "x86_64", "--jsonl", "-", option, str(earlier)])
    assert done.exit_code == 2 and "need --json" in done.output


def test_junit_lists_proofs_too(library: Library, run: Run) -> None:
    root = ET.fromstring("".join(forms.junit_parts(library, run)))
    cases = list(root.iter("testcase"))
    assert len(cases) == len(run.results)
    refuted = [r for r in run.results if verdict_name(r.verdict) == "refuted"
               and r.obligation.kind != "advisory"]
    assert len(list(root.iter("failure"))) == len(refuted) > 0


def test_sarif_lists_proofs_too(library: Library, run: Run) -> None:
    found = json.loads("".join(forms.sarif_parts(library, run)))["runs"][0]["results"]
    assert len(found) == len(run.results)
    assert {r["kind"] for r in found} == {"pass", "fail"}
    assert any(r.get("locations") for r in found)


def test_text_fits_and_shows_both_entries(library: Library, run: Run) -> None:
    result = next(r for r in run.results if r.obligation.id == SHADOW)
    text = explain_text(library, result)
    for word in ("REFUTED", "0x8400000012345825", "0x8400000012345805", "store-leak",
                 "specs/transitions/fork.yaml",
                 "mm/memory.c:__copy_present_ptes", "reproduced by: evaluator"):
        assert word in text
    closing = forms.prove_text(library, run, True, False, False)
    assert closing.startswith(f"Ran {len(run.results)}: ")


def test_audit_is_worst_first(library: Library, run: Run) -> None:
    lines = forms.audit_text(library, run).splitlines()
    assert lines[0].startswith("no-false-exclusive  refuted") and "T21" in lines[0]
    assert lines[1].startswith("    0x") and " -> 0x" in lines[1]
    assert "pteproof explain " in lines[2]


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
    back = CliRunner().invoke(main, ["decode", "x86_64", result.output.strip()],
                              standalone_mode=False)
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
    (["ptep=0x867", "ptep_set_wrprotect(ptep)"],
     ["ptep_set_wrprotect(ptep): ptep = 0x0400000000000825"]),
    (["ptep=0x867", "ptep_get_and_clear(ptep)"],
     ["ptep_get_and_clear(ptep) = 0x0000000000000867",
      "ptep_get_and_clear(ptep): ptep = 0x0000000000000000"]),
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
    result = CliRunner().invoke(main,
                                ["explain", "loongarch/pte/page-flag/fork-flush/today/limits"])
    assert result.exit_code == 0
    assert ("loongarch/pte/page-flag/fork-flush/today/limits" in result.output
            and "loongarch+ptw/" not in result.output)
