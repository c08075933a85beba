# SPDX-License-Identifier: GPL-2.0-or-later
"""What became of patches, as JUnit XML and as SARIF."""

from __future__ import annotations

import hashlib
from typing import Any

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from verifier import __version__
from verifier.base.output import clean
from verifier.patches.outcome import PatchOutcome, SeriesOutcome
from verifier.report.patch_findings import Finding, findings, named
from verifier.report.patch_ktap import cases

__all__ = ["patches_junit", "patches_sarif"]


def patches_junit(found: SeriesOutcome, all_broken: bool) -> str:
    """JUnit XML: a suite for each patch. What is not known is an error, and never a pass."""
    document = JUnitXml("pteproof check-patch")
    for patch in found.patches:
        suite = TestSuite(clean(named(patch)))
        suite.add_property("verdict", patch.word)
        if patch.word == "untouched":
            case = TestCase("nothing that is checked is touched", clean(patch.source), 0)
            case.result = [Skipped("nothing that is checked is touched")]
            suite.add_testcase(case)
        else:
            for one, ok in cases(patch, all_broken):
                suite.add_testcase(_junit_case(one, ok))
        document.add_testsuite(suite)
    document.update_statistics()
    text = document.tostring()
    return text.decode() if isinstance(text, bytes) else str(text)


def _junit_case(one: Finding, ok: bool) -> TestCase:
    case = TestCase(clean(one.name), clean(one.path.replace("/", ".") or "patch"), 0)
    if one.before:
        case.result = [Skipped(clean(one.text))]
    elif not ok:
        kind = Failure if one.level == "error" else Error
        case.result = [kind(clean(one.text), one.rule)]
    elif one.text != one.name:
        case.system_out = clean(one.text)
    if one.details and not ok:
        case.system_out = clean(one.details)
    return case


def patches_sarif(found: SeriesOutcome, all_broken: bool) -> dict[str, Any]:
    """SARIF 2.1.0: results are failures and what is not known, in the kernel's files."""
    results = [_sarif_result(patch, one) for patch in found.patches
               for one in findings(patch, all_broken) if one.level != "note" or one.before]
    rules = sorted({result["ruleId"] for result in results})
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "pteproof", "version": __version__,
                                "rules": [{"id": rule} for rule in rules]}},
            "invocations": [{"executionSuccessful": True}],
            "results": results,
        }],
    }


def _sarif_result(patch: PatchOutcome, one: Finding) -> dict[str, Any]:
    text = clean(f"{named(patch)}: {one.text}" + (f"\n{one.details}" if one.details else ""))
    digest = hashlib.sha256(f"{one.rule}\0{one.name}\0{one.path}".encode()).hexdigest()[:32]
    place = {"artifactLocation": {"uri": one.path or patch.source, "uriBaseId": "%SRCROOT%"},
             "region": {"startLine": max(one.line, 1)}}
    failed = one.level == "error" or one.before
    level = "error" if one.level == "error" else "note" if one.before else "none"
    return {"ruleId": one.rule, "kind": "fail" if failed else "open", "level": level,
            "message": {"text": text}, "locations": [{"physicalLocation": place}],
            "partialFingerprints": {"pteproof/1": digest}}
