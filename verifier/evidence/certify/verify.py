# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates checked without trust in the run that made them.

The files of each unit fit together (verifier.evidence.certify.read), and a checker that is not the
solver verifies its proof. Where there are specs, all that a unit says is made from them again and
has to be the same. The units, and what the index says was not proved, have to be all obligations of
the run. Without specs, the meaning of the gates is not checked.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from verifier import __version__
from verifier.base.errors import UsageError
from verifier.base.workers import Lost, each
from verifier.evidence.certify.check import Checker, Pair
from verifier.evidence.certify.content import AskedClaim, asked_for, content, kernels, spec_digests
from verifier.evidence.certify.files import INDEX, BadCertificate, strangers
from verifier.evidence.certify.read import Index, IndexRow, Unit, read_index, read_unit
from verifier.prove.results import Run, verdict_name
from verifier.run.filters import Filters
from verifier.run.library import Library

__all__ = ["Report", "stopped_before", "verify"]

BATCH = 64  # units whose CNF and proof lie unpacked at a time


@dataclass(slots=True)
class Report:
    """What was found.

    good       the number of obligations of each unit that holds
    wrong      what does not hold, and why: by unit, or by file
    unchecked  units that could not be checked, and why
    left       obligations without a certificate, with the verdicts that the index gives them
    shown      the number of steps that show what they are there for; the index alone says so
    open       those of `left` by which a run fails; without specs nobody knows, and it is empty
    meaning    were gates, claims and the list of obligations compared with the specs?
    """

    checker: str
    filters: Filters
    meaning: bool
    left: Mapping[str, str]
    shown: int = 0
    open: tuple[str, ...] = ()
    good: dict[str, int] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)
    unchecked: dict[str, str] = field(default_factory=dict)
    stopped: bool = False

    def words(self) -> list[str]:
        """A word for each thing that does not hold or is not known, for the exit code."""
        return [
            *("wrong" for _ in self.wrong),
            *("unchecked" for _ in self.unchecked),
            *("left open" for _ in self.open),
        ]

    @property
    def obligations(self) -> int:
        """The number of obligations that certificates prove."""
        return sum(self.good.values())


def verify(
    folder: Path, checker: Checker, library: Library | None, jobs: int = 1, timeout: float = 300,
    progress: Callable[[str], None] = lambda _: None,
) -> Report:
    """Check every certificate of a folder, against these specs or from its files alone.

    `timeout` in seconds is for one proof. Raises UsageError where the folder has no index of
    certificates, the index is malformed, or it is of other specs.
    """
    index = read_index(folder)
    report = Report(str(checker), index.filters, library is not None, index.not_certified,
                    len(index.shown))
    report.wrong |= strangers(folder, index.paths())
    expected: dict[str, frozenset[str]] = {}
    if library is not None:
        _same_specs(folder, index, library)
        expected = _expected(report, index, asked_for(library, index.filters))
    # What is wrong by its name or place is not opened: its contents decide nothing any more.
    rows = [row for row in index.rows if row.name not in report.wrong]
    try:
        for start in range(0, len(rows), BATCH):
            _batch(report, partial(_unit, folder, index, library, expected),
                   rows[start:start + BATCH], checker, jobs, timeout)
            progress(f"{len(report.good) + len(report.wrong)} of {len(rows)} certificates")
    except KeyboardInterrupt:
        report.stopped = True
    judged = {*report.good, *report.wrong, *report.unchecked}
    report.unchecked |= {row.name: "stopped before that" for row in rows if row.name not in judged}
    return report


def stopped_before(checker: Checker, library: Library, filters: Filters, run: Run) -> Report:
    """What is found of a run that was stopped before it had certificates: everything is left."""
    asked = asked_for(library, filters)
    verdicts = {r.obligation.id: verdict_name(r.verdict) for r in run.results}
    left = {identity: verdicts.get(identity, "unknown") for identity in asked}
    return Report(str(checker), filters, True, left,
                  open=tuple(i for i in asked if not asked[i].advisory), stopped=True)


def _batch(
    report: Report,
    work: Callable[[Path, tuple[int, IndexRow]], int | str],
    rows: Sequence[IndexRow],
    checker: Checker,
    jobs: int,
    timeout: float,
) -> None:
    """Check some units, whose CNF and proof lie unpacked meanwhile."""
    with tempfile.TemporaryDirectory(prefix="pteproof-") as scratch:
        counts: dict[str, int] = {}
        pairs: dict[str, Pair] = {}
        for (number, row), found in each(partial(work, Path(scratch)), enumerate(rows), jobs):
            if isinstance(found, Lost):
                report.unchecked[row.name] = found.why
            elif isinstance(found, str):
                report.wrong[row.name] = found
            else:
                counts[row.name], pairs[row.name] = found, _pair(Path(scratch), number)
        _proofs(report, checker, pairs, counts, jobs, timeout)


def _same_specs(folder: Path, index: Index, library: Library) -> None:
    """Raise UsageError at the first file of arch/ or specs/ that the certificates do not have."""
    here = spec_digests(library, index.filters)
    for name in sorted({*here, *index.specs}):
        if here.get(name) != index.specs.get(name):
            raise UsageError(f"{folder / INDEX}: of other specs: {name} is not the file that is "
                             "here; --arch-dir and --spec-dir "
                             "say where theirs are, --files-only does without")
    if dict(index.kernel) != kernels(library, index.filters):
        raise UsageError(f"{folder / INDEX}: of other specs: they were read in another Linux")


def _expected(
    report: Report, index: Index, asked: Mapping[str, AskedClaim]
) -> dict[str, frozenset[str]]:
    """The obligations that each unit has to certify: those that the index gives no verdict.

    Units that should not be there, and units that are missing, go into what is wrong.
    """
    told = [*index.not_certified, *index.shown]
    report.wrong |= {i: "the run has no such obligation" for i in told if i not in asked}
    report.wrong |= {i: "is shown, and is nothing that a step is there for, or has another verdict "
                        "as well"
                     for i in index.shown if i in asked
                     and (not asked[i].effect or i in index.not_certified)}
    report.open = tuple(i for i in index.not_certified if i in asked and not asked[i].advisory)
    found: dict[str, set[str]] = {}
    for identity, one in asked.items():
        if one.effect and identity not in told:
            report.wrong[identity] = "the index leaves it out"
        elif not one.effect and identity not in index.not_certified:
            found.setdefault(one.unit, set()).add(identity)
    rows = {row.name for row in index.rows}
    report.wrong |= {unit: f"the index leaves it out: {min(ids)} has neither a certificate nor a "
                           "verdict"
                     for unit, ids in found.items() if unit not in rows}
    report.wrong |= dict.fromkeys(
        rows - found.keys(), "the run has no such unit with anything left to certify"
    )
    return {unit: frozenset(ids) for unit, ids in found.items()}


def _pair(scratch: Path, number: int) -> Pair:
    return scratch / f"{number}.cnf", scratch / f"{number}.drat"


def _unit(
    folder: Path, index: Index, library: Library | None, expected: Mapping[str, frozenset[str]],
    scratch: Path,
    task: tuple[int, IndexRow],
) -> int | str:
    """Leave a unit's CNF and proof for a checker; its number of obligations, or what is wrong."""
    number, row = task
    try:
        unit = read_unit(folder, row)
        if library is not None:
            _as_specs_say(library, index, unit, expected[row.name])
    except BadCertificate as error:
        return str(error)
    # A checker is given what was read here, not the folder's files, which may change meanwhile.
    for path, text in zip(_pair(scratch, number), (unit.texts["cnf"], unit.texts["drat"]),
                          strict=True):
        path.write_text(text)
    return len(unit.said)


def _as_specs_say(library: Library, index: Index, unit: Unit, expected: frozenset[str]) -> None:
    """Raise BadCertificate where anything is not what the specs make of the obligations."""
    for identity in sorted(expected ^ unit.said.keys()):
        if identity in expected:
            raise BadCertificate(f"{identity} has neither a certificate nor a verdict")
        raise BadCertificate(
            f"{identity} is not asked for"
            if identity not in index.not_certified
            else f"{identity} is certified, and the index says that it is not"
        )
    here = content(library, unit.name,
                   frozenset(identity.rpartition("/")[2] for identity in expected), index.constants)
    for identity, claim in here.said.items():
        if unit.said[identity] != claim:
            raise BadCertificate(
                f"the claim of {identity} is not the specs': it should say {claim!r}"
            )
    made_by = ("" if index.made_by == __version__
               else f" (made by version {index.made_by}, checked by {__version__})")
    # The gates are made anew and compared, not trusted: a proof about other gates proves nothing.
    if unit.clauses != here.claims.clauses:
        raise BadCertificate("the gates are not those of its obligations: clause "
                  f"{_differs(unit.clauses, here.claims.clauses)}{made_by}")
    if unit.texts["json"] != here.text(unit.inhabitants):
        raise BadCertificate("what is said of the CNF's variables is wrong")
    if unit.texts["smt2"] != here.smt2:
        differs = _differs(unit.texts["smt2"].split("\n"), here.smt2.split("\n"))
        raise BadCertificate(f"the SMT-LIB file is not the specs': line {differs}{made_by}")


def _differs(found: Sequence[object], wanted: Sequence[object]) -> str:
    """The first place where two differ, and what is there."""
    at = next((n for n, (a, b) in enumerate(zip(found, wanted, strict=False)) if a != b),
              min(len(found), len(wanted)))
    shown = [repr(lines[at])[:80] if at < len(lines) else "missing" for lines in (found, wanted)]
    return f"{at + 1} is {shown[0]}, and should be {shown[1]}"


def _proofs(
    report: Report, checker: Checker, pairs: Mapping[str, Pair], counts: Mapping[str, int],
    jobs: int, timeout: float,
) -> None:
    """Have the proofs checked, and sort the units by what is said of them."""
    names = list(pairs)
    shares: Sequence[list[str]] = [share for share in (names[n::jobs] for n in range(jobs))
                                   if share]
    for share, said in each(lambda s: checker.check([pairs[name] for name in s], timeout), shares,
                            jobs):
        if isinstance(said, Lost):
            report.unchecked |= dict.fromkeys(share, said.why)
            continue
        for name, one in zip(share, said, strict=True):
            if one.verified:
                report.good[name] = counts[name]
            elif one.rejected:
                report.wrong[name] = one.words
            else:
                report.unchecked[name] = one.words
