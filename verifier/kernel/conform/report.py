# SPDX-License-Identifier: GPL-2.0-or-later
"""Results of conform as text, as JSON and as JUnit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from verifier.base.exits import Exit
from verifier.base.output import clean
from verifier.kernel.conform.atomic_words import (
    atomicity_counts,
    atomicity_json,
    atomicity_lines,
    disturbed_lines,
)
from verifier.kernel.conform.conform import level_of
from verifier.kernel.conform.fields import entry_text
from verifier.kernel.conform.results import (
    Absent,
    Contradicted,
    Differs,
    Equal,
    Inconclusive,
    Result,
    TooAtomic,
    Unwritten,
)
from verifier.kernel.conform.session import Conformance, exit_code
from verifier.model.arch import Layout

__all__ = ["as_json", "as_junit", "as_text", "entry_text", "junit_text"]

_VERDICTS: Mapping[type, str] = {
    Equal: "equal",
    Differs: "differs",
    TooAtomic: "too-atomic",
    Contradicted: "contradiction",
    Inconclusive: "incomplete",
    Absent: "ours",
    Unwritten: "unwritten",
}


def as_text(report: Conformance, layouts: Mapping[str, Layout], verbose: bool = False) -> str:
    """What differs and what is not known, line by line, and the counts."""
    lines = []
    for result in report.results:
        lines += _lines(result, layouts.get(result.variant), verbose)
    for variant in dict.fromkeys(r.variant for r in report.results):
        counts = Counter(_VERDICTS[type(r)] for r in report.results if r.variant == variant)
        lines.append(
            f"{variant}: " + ", ".join(f"{counts[v]} {v}" for v in _VERDICTS.values() if counts[v])
        )
        lines += [
            f"{variant}: while the hardware acts, {text}"
            for text in atomicity_counts(report.results, variant)
        ]
    for name, options in report.refused:
        if options:
            lines.append(f"build {name}: this tree does not take {', '.join(options)}")
    lines += [f"build {name}: was made in this jail: {jail}" for name, jail in report.jails]
    lines += [f"{variant}: no kernel build stands for it" for variant in report.unbuilt]
    lines.append(
        f"Linux {report.version}: "
        + ", ".join(f"{s.name} {s.seconds:.1f} s" for s in report.stages)
    )
    return "\n".join(lines)


def _lines(result: Result, layout: Layout | None, verbose: bool) -> list[str]:
    head = f"{result.variant}/{level_of(result.helper)}/{result.helper}"
    match result:
        case Equal(rests_on=notes, outside=outside, atomicity=atomicity):
            told = atomicity_lines(atomicity, layout, verbose)
            if not verbose:
                return [f"equal      {head}", *told] if told else []
            return [
                f"equal      {head}",
                *told,
                *(f"    rests on: {n}" for n in notes),
                *(f"    not for: {o}" for o in outside),
            ]
        case TooAtomic(more=more):
            return [
                (
                    f"too-atomic {head}: arch/ is more atomic than the kernel, whose helper also"
                    " comes to this"
                ),
                *disturbed_lines(more.run, layout),
            ]
        case Differs():
            rows = [f"differs    {head}"]
            rows += [
                f"    {name} = {entry_text(value, layout)}" for name, value in result.inputs.items()
            ]
            rows += [
                f"    with {name} = {value:#x}" for name, value in result.free.items() if value
            ]
            for side, found in (("arch/", result.model), ("kernel", result.kernel)):
                rows += [
                    f"    {side:7} {k} = {'nothing' if v is None else entry_text(v, layout)}"
                    for k, v in found.items()
                ]
            return [*rows, *atomicity_lines(result.atomicity, layout, verbose)]
        case Contradicted(values=values, reason=reason):
            return [
                f"contradiction {head}: the solver says that {_listed(values)} shows a difference;"
                f" {reason}"
            ]
        case Inconclusive(reason=reason):
            return [f"incomplete {head}: {reason}"]
        case Absent(source=source):
            return [f"ours       {head} ({source})"] if verbose else []
        case Unwritten(lifted=lifted, reason=reason):
            return [f"unwritten  {head}{'' if lifted else ': ' + reason}"]


def as_json(report: Conformance) -> dict[str, Any]:
    """The report as plain data; words are hexadecimal texts."""
    return {
        "schema": "pteproof.conform/1",
        "tree": report.tree,
        "version": report.version,
        "summary": dict(Counter(_VERDICTS[type(r)] for r in report.results)),
        "exit": Exit.STOPPED if report.undecided else exit_code(report.results),
        "seconds": {s.name: round(s.seconds, 3) for s in report.stages},
        "undecided": list(report.undecided),
        "unbuilt": list(report.unbuilt),
        "refused_options": {name: list(options) for name, options in report.refused},
        "jails": dict(report.jails),
        "results": [_json(result) for result in report.results],
    }


def _json(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = {
        "id": f"{result.variant}/{level_of(result.helper)}/{result.helper}",
        "variant": result.variant,
        "build": result.build,
        "level": level_of(result.helper),
        "helper": result.helper,
        "verdict": _VERDICTS[type(result)],
    }
    match result:
        case Equal(rests_on=notes, outside=outside, seconds=seconds):
            found |= {
                "rests_on": list(notes),
                "not_for": list(outside),
                "seconds": round(seconds, 4),
            }
        case TooAtomic(rests_on=notes, seconds=seconds):
            found |= {"rests_on": list(notes), "seconds": round(seconds, 4)}
        case Differs():
            found |= {
                "inputs": _hex(result.inputs),
                "arch": _hex(result.model),
                "kernel": _hex(result.kernel),
                "with": _hex(result.free),
                "replay": True,
                "rests_on": list(result.rests_on),
                "seconds": round(result.seconds, 4),
            }
        case Contradicted(values=values, reason=reason, seconds=seconds):
            found |= {
                "inputs": _hex(values),
                "replay": False,
                "reason": reason,
                "seconds": round(seconds, 4),
            }
        case Inconclusive(reason=reason, seconds=seconds):
            found |= {"reason": reason, "seconds": round(seconds, 4)}
        case Absent(source=source):
            found |= {"source": source}
        case Unwritten(lifted=lifted, reason=reason):
            found |= {"lifted": lifted, "reason": reason}
    atomicity = getattr(result, "atomicity", None)
    return found | ({} if atomicity is None else {"atomicity": atomicity_json(atomicity)})


def _hex(values: Mapping[str, int | None]) -> dict[str, str | None]:
    return {name: None if value is None else f"{value:#x}" for name, value in values.items()}


def _listed(values: Mapping[str, int]) -> str:
    return ", ".join(f"{name} = {value:#x}" for name, value in values.items())


def as_junit(report: Conformance, more: Sequence[tuple[str, str, float, str, str]] = ()) -> str:
    """One test case for each helper that was compared, and `more` cases (see junit_text)."""
    cases = []
    for result in report.results:
        match result:
            case Equal(atomicity=atomicity):
                cases.append(
                    (
                        result.variant,
                        result.helper,
                        result.seconds,
                        "",
                        "\n".join(atomicity_lines(atomicity, None, True)),
                    )
                )
            case TooAtomic():
                cases.append(
                    (
                        result.variant,
                        result.helper,
                        result.seconds,
                        "failure",
                        "\n".join(_lines(result, None, True)),
                    )
                )
            case Differs():
                cases.append(
                    (
                        result.variant,
                        result.helper,
                        result.seconds,
                        "failure",
                        "\n".join(_lines(result, None, True)),
                    )
                )
            case Contradicted():
                cases.append(
                    (
                        result.variant,
                        result.helper,
                        result.seconds,
                        "error",
                        "\n".join(_lines(result, None, True)),
                    )
                )
            case Inconclusive(reason=reason):
                cases.append((result.variant, result.helper, result.seconds, "error", reason))
    cases += [
        (variant, "undecided", 0.0, "error", "not compared: the run was stopped")
        for variant in report.undecided
    ]
    return junit_text("conform", [*cases, *more])


def junit_text(name: str, cases: Sequence[tuple[str, str, float, str, str]]) -> str:
    """JUnit XML of one suite.

    A case is (class, name, seconds, "", "failure" or "error", text); without a failure the text is
    output.
    """
    from junitparser import Error, Failure, JUnitXml, TestCase, TestSuite

    suite = TestSuite(name)
    for classname, case_name, seconds, kind, text in cases:
        text = clean(text)
        case = TestCase(clean(case_name), classname=clean(classname), time=seconds)
        if kind:
            result = (Failure if kind == "failure" else Error)(
                text.splitlines()[0] if text else kind
            )
            result.text = text
            case.result = [result]
        elif text:
            case.system_out = text
        suite.add_testcase(case)
    xml = JUnitXml()
    xml.add_testsuite(suite)
    found: bytes = xml.tostring()
    return found.decode().encode("ascii", "xmlcharrefreplace").decode()
