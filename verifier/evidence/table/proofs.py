# SPDX-License-Identifier: GPL-2.0-or-later
"""Which variants' theorems hold, and what refutes the others.

They are proved anew, or told from the cache. A theorem that is not proved names its serious
obligations that are not, that is, all but the advisory ones, each with the entry before and after
the step that shows it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from verifier.prove.results import Counterexample, Result, Run, settled, verdict_name
from verifier.run.filters import Filters
from verifier.run.library import Library
from verifier.run.news import Watch
from verifier.run.plan import variants_of
from verifier.run.scheduler import Options, prove

__all__ = ["Failure", "Proofs", "Theorem", "proofs"]


@dataclass(frozen=True, slots=True)
class Failure:
    """A serious obligation that is not proved.

    `entry` is the entry before and after, where a step shows it.
    """

    transition: str
    property: str
    kind: str
    verdict: str
    entry: tuple[int, int] | None = None
    steps: int = 0  # of the trace from a fresh mapping


@dataclass(frozen=True, slots=True)
class Theorem:
    """One theorem of one variant at one level."""

    variant: str
    level: str
    encoding: str
    code: str
    verdict: str
    proved: int  # serious obligations that are
    failures: tuple[Failure, ...]
    properties: frozenset[str]  # what was asked


@dataclass(frozen=True, slots=True)
class Proofs:
    """All theorems of some variants; `unproved` says of which variants there are none, and why."""

    theorems: tuple[Theorem, ...]
    unproved: Mapping[str, str]
    claims: Mapping[str, str]  # property -> what it says
    asked: tuple[tuple[str, str], ...]  # encoding and code of each column
    contradictions: tuple[str, ...] = ()
    settled: bool = True  # would the same be found again


def proofs(
    library: Library, arch: tuple[str, ...], options: Options, progress: Watch = lambda news: None
) -> Proofs:
    """The theorems of the variants that the globs match."""
    asked = library.spec.first.table
    encodings, codes = zip(*asked, strict=True)
    filters = Filters(arch, encoding=tuple(dict.fromkeys(encodings)),
                      code=tuple(dict.fromkeys(codes)))
    unproved = {v.name: v.unproved for v in variants_of(library, filters) if v.unproved}
    claims = {name: prop.claim for name, prop in library.spec.properties.items()}
    if len(unproved) == len(variants_of(library, filters)):
        return Proofs((), unproved, claims, asked)
    run = prove(library, filters, options, progress)
    return Proofs(tuple(_theorems(run)), unproved, claims, asked, run.contradictions, settled(run))


def _theorems(run: Run) -> list[Theorem]:
    serious: dict[object, list[Result]] = {}
    for result in run.results:
        if result.obligation.kind != "advisory":
            serious.setdefault(result.obligation.group, []).append(result)
    found = []
    for theorem in run.theorems:
        group, results = theorem.group, serious.get(theorem.group, [])
        failures = tuple(_failure(r) for r in results if verdict_name(r.verdict) != "proved")
        found.append(Theorem(group.variant, group.level, group.encoding, group.code,
                             theorem.verdict,
                             len(results) - len(failures), failures,
                             frozenset(r.obligation.property for r in results)))
    return found


def _failure(result: Result) -> Failure:
    shown: Counterexample | None = getattr(result.verdict, "counterexample", None)
    name, obligation = verdict_name(result.verdict), result.obligation
    what = (obligation.transition, obligation.property, obligation.kind, name)
    return Failure(*what) if shown is None else Failure(*what, _entry(shown), len(shown.trace))


def _entry(shown: Counterexample) -> tuple[int, int] | None:
    """The entry that the step changes, or that of who acts."""
    move = shown.move
    mine = [p for p in move.roles if ("entry", p) in move.before]
    if not mine:
        return None
    process = next((p for p in mine if move.before["entry", p] != move.after["entry", p]), mine[0])
    return int(move.before["entry", process]), int(move.after["entry", process])


def of(found: Proofs, encoding: str, code: str) -> Sequence[Theorem]:
    """The theorems of one encoding and code."""
    return [t for t in found.theorems if (t.encoding, t.code) == (encoding, code)]
