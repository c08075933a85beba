# SPDX-License-Identifier: GPL-2.0-or-later
"""What was found of certificates, as text, JSON and JUnit XML."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from junitparser import Error, Failure, JUnitXml, TestCase, TestSuite

from verifier.base.output import clean
from verifier.evidence.certify.verify import Report
from verifier.run.filters import Filters

__all__ = ["certified_json", "certified_junit", "certified_parts", "certified_text"]

FEW = 10  # obligations that are named
MEANING = {
    True: "Gates, claims, SMT-LIB files and the list of obligations are those that arch/ and "
          "specs/ give here.",
    False: "What the gates mean was not checked, nor what the run covers: the specs were not asked "
           "(--files-only).",
}


def certified_text(folder: Path, report: Report, quiet: bool, verbose: bool) -> str:
    """For people. What does not hold is always named."""
    lines = [f"{name}: {why}" for name, why in sorted(report.wrong.items())]
    lines += [f"{name}: not checked: {why}" for name, why in sorted(report.unchecked.items())]
    if verbose:
        lines += [
            f"{name}: {count} obligations hold" for name, count in sorted(report.good.items())
        ]
    unchecked = f", {len(report.unchecked)} could not be checked" if report.unchecked else ""
    lines.append(f"{folder}: {len(report.good)} certificates of {report.obligations} obligations "
                 f"hold, {len(report.wrong)} do "
                 f"not{unchecked}; proofs checked by {report.checker}.")
    lines.append(MEANING[report.meaning])
    if quiet:
        return "\n".join(lines)
    lines.append(f"Asked for: {_filters(report.filters)}.")
    if report.shown:
        lines.append(f"{report.shown} steps were shown by the run to lead to what they are there "
                     "for; that has no certificate.")
    if report.left:
        lines += _left(report.left, verbose)
    return "\n".join(lines)


def _filters(filters: Filters) -> str:
    words = (" ".join(f"--{name} {glob}" for name, globs in asdict(filters).items()
                      for glob in globs) or "everything")
    return words if filters.whole() else f"{words}, so no theorem as a whole"


def _left(left: Mapping[str, str], verbose: bool) -> Iterator[str]:
    """Obligations without a certificate."""
    counts = ", ".join(f"{n} {verdict}" for verdict, n in sorted(Counter(left.values()).items()))
    yield f"{len(left)} obligations of the run have no certificate ({counts}, as the index says):"
    shown = list(left.items()) if verbose else list(left.items())[:FEW]
    yield from (f"  {identity}: {verdict}" for identity, verdict in shown)
    if len(shown) < len(left):
        yield f"  and {len(left) - len(shown)} more (-v shows all)"


def certified_parts(report: Report) -> Mapping[str, Callable[[], Iterator[str]]]:
    """What the command's options write."""
    return {"--json": lambda: certified_json(report), "--junit": lambda: certified_junit(report)}


def certified_json(report: Report) -> Iterator[str]:
    """The text of the JSON: schema pteproof.certified/2."""
    yield json.dumps({
        "schema": "pteproof.certified/2", "units": len(report.good),
        "obligations": report.obligations, "holds": report.good, "wrong": report.wrong,
        "unchecked": report.unchecked, "not_certified": report.left, "shown": report.shown,
        "stopped": report.stopped,
        "meaning_checked": report.meaning, "asked": asdict(report.filters),
        "checker": report.checker,
    }, indent=1)


def certified_junit(report: Report) -> Iterator[str]:
    """JUnit XML with a case for each certificate and for each mistake in the folder.

    An obligation without a certificate is an error.
    """
    suite = TestSuite("certificates")
    suite.add_property("meaning checked", str(report.meaning).lower())
    suite.add_property("checker", report.checker)
    for name in report.good:
        suite.append(TestCase(name, "certificates"))
    for name, why in report.wrong.items():
        suite.append(_failed(name, Failure(clean(why), "does not hold")))
    for name, why in report.unchecked.items():
        suite.append(_failed(name, Error(clean(why), "not checked")))
    if report.stopped:
        suite.append(
            _failed("pteproof", Error("stopped by an interrupt or a request to end", "stopped"))
        )
    for name in report.open:
        suite.append(_failed(name, Error(report.left[name], "no certificate")))
    suite.update_statistics()
    document = JUnitXml("pteproof")
    document.append(suite)
    document.update_statistics()
    text = document.tostring()
    yield (text.decode() if isinstance(text, bytes)
           else str(text)).encode("ascii", "xmlcharrefreplace").decode()


def _failed(name: str, how: Failure | Error) -> TestCase:
    case = TestCase(clean(name), "certificates")
    case.result = [how]
    return case
