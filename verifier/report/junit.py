# SPDX-License-Identifier: GPL-2.0-or-later
"""A Run as JUnit XML: a suite for each theorem, proofs listed too."""

from __future__ import annotations

from junitparser import Error, Failure, JUnitXml, TestCase, TestSuite

from verifier.results import Result, Run, reason, verdict_name

__all__ = ["as_junit"]


def as_junit(run: Run) -> str:
    """Refuted is a failure; unknown, vacuous and incomplete are errors; an advisory finding is a remark."""
    document = JUnitXml("pteproof")
    for theorem in run.theorems:
        suite = TestSuite(str(theorem.group))
        suite.add_property("theorem", theorem.verdict)
        for result in run.results:
            if result.obligation.group == theorem.group:
                suite.add_testcase(_case(result))
        document.add_testsuite(suite)
    document.update_statistics()
    text = document.tostring()
    return text.decode() if isinstance(text, bytes) else str(text)


def _case(result: Result) -> TestCase:
    o = result.obligation
    case = TestCase(f"{o.transition}/{o.property}", str(o.group).replace("/", "."), round(result.seconds, 6))
    name = verdict_name(result.verdict)
    if name == "proved":
        return case
    if o.kind == "advisory":
        case.system_out = f"advisory: {name}: {o.claim}"
    elif name == "refuted":
        case.result = [Failure(o.claim, "refuted")]
    else:
        case.result = [Error(reason(result.verdict) or o.claim, name)]
    return case
