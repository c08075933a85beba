# SPDX-License-Identifier: GPL-2.0-or-later
"""A Run as JUnit XML: a suite for each theorem, with proofs, failures and what is undecided."""

from __future__ import annotations

from collections.abc import Iterator

from junitparser import Error, Failure, JUnitXml, TestCase, TestSuite

from verifier.base.output import clean
from verifier.prove.obligations import Group
from verifier.prove.results import Result, Run, open_ones, reason, verdict_name

__all__ = ["junit_parts"]


def junit_parts(run: Run) -> Iterator[str]:
    """The parts of the XML.

    Refuted is a failure; unknown, vacuous and incomplete are errors; an advisory finding is a
    remark. Obligations without a verdict are one error for each theorem, with their number.
    """
    document = JUnitXml("pteproof")
    document.update_statistics()
    of: dict[Group, list[Result]] = {}
    for result in run.results:
        of.setdefault(result.obligation.group, []).append(result)
    why = dict(run.unfinished)
    suites = []
    for theorem in run.theorems:
        suite = TestSuite(clean(str(theorem.group)))
        suite.add_property("theorem", theorem.verdict)
        cases = [_case(result) for result in of.get(theorem.group, ())]
        if theorem.undecided != 0 or theorem.group in why:
            text = why.get(theorem.group) or "no verdict"
            cases.append(_error(_place(theorem.group), f"{open_ones(theorem)}: {text}",
                                "undecided"))
        suites.append(_suite(document, suite, cases))
    said = [_error("pteproof", f"contradiction: {what}", "contradiction")
            for what in run.contradictions]
    if run.cut_short():
        said.append(_error("pteproof", run.cut_short(), "stopped"))
    if said:
        suites.append(_suite(document, TestSuite("pteproof"), said))
    document.time = round(document.time, 3)
    yield _text(document).removesuffix("/>").rstrip() + ">"
    yield from suites
    yield "</testsuites>"


def _suite(document: JUnitXml, suite: TestSuite, cases: list[TestCase]) -> str:
    """The text of a suite with its cases, counted in the document."""
    for case in cases:
        suite.append(case)
    suite.update_statistics()
    for count in ("tests", "failures", "errors", "time"):
        setattr(document, count, getattr(document, count) + getattr(suite, count))
    return _text(suite)


def _text(element: JUnitXml | TestSuite) -> str:
    """In ASCII, whatever the encoding of a file or a terminal is."""
    text = element.tostring()
    return (text.decode() if isinstance(text, bytes)
            else str(text)).encode("ascii", "xmlcharrefreplace").decode()


def _place(group: Group) -> str:
    return str(group).replace("/", ".")


def _error(place: str, why: str, name: str) -> TestCase:
    case = TestCase(name, clean(place), 0)
    case.result = [Error(clean(why), name)]
    return case


def _case(result: Result) -> TestCase:
    o = result.obligation
    case = TestCase(clean(f"{o.transition}/{o.property}"), clean(_place(o.group)),
                    round(result.seconds, 6))
    name = verdict_name(result.verdict)
    if name == "proved":
        return case
    if o.kind == "advisory":
        case.system_out = clean(f"advisory: {name}: {o.claim}")
    elif name == "refuted":
        case.result = [Failure(clean(o.claim), "refuted")]
    else:
        case.result = [Error(clean(reason(result.verdict) or o.claim), name)]
    return case
