# SPDX-License-Identifier: GPL-2.0-or-later
"""A Run as JUnit XML: a suite for each theorem, proofs listed too."""

from __future__ import annotations

from collections.abc import Iterator

from junitparser import Error, Failure, JUnitXml, TestCase, TestSuite

from verifier.obligations import Group
from verifier.results import Result, Run, reason, verdict_name

__all__ = ["junit_parts"]


def junit_parts(run: Run) -> Iterator[str]:
    """Refuted is a failure; unknown, vacuous and incomplete are errors; an advisory finding is a remark."""
    document = JUnitXml("pteproof")
    document.update_statistics()
    of: dict[Group, list[Result]] = {}
    for result in run.results:
        of.setdefault(result.obligation.group, []).append(result)
    suites = []
    for theorem in run.theorems:
        suite = TestSuite(str(theorem.group))
        suite.add_property("theorem", theorem.verdict)
        for result in of.get(theorem.group, ()):
            suite.append(_case(result))
        suite.update_statistics()
        for count in ("tests", "failures", "errors", "time"):
            setattr(document, count, getattr(document, count) + getattr(suite, count))
        suites.append(_text(suite))
    document.time = round(document.time, 3)
    yield _text(document).removesuffix("/>").rstrip() + ">"
    yield from suites
    yield "</testsuites>"


def _text(element: JUnitXml | TestSuite) -> str:
    text = element.tostring()
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
