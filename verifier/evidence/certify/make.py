# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates of what a run proved: claims, SMT-LIB, CNF and DRAT in a folder.

Others check them without this program; docs/certificates.md says what each file holds. A unit is
one step of a group. Its proofs share a CNF, which says that some of them is violated, and a proof
that this cannot be.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from verifier import __version__
from verifier.base.errors import UsageError
from verifier.base.workers import Lost, each
from verifier.engine.refute import refutation, satisfied
from verifier.engine.sat import PROOF_SAT
from verifier.engine.versions import solver_versions
from verifier.evidence.certify.blast import ClaimsCnf
from verifier.evidence.certify.content import (
    GRAPHS,
    AskedClaim,
    asked_for,
    content,
    kernels,
    spec_digests,
)
from verifier.evidence.certify.dimacs import write_cnf
from verifier.evidence.certify.files import INDEX, SCHEMA, UNITS, digest, is_unit_file, unit_path
from verifier.prove.results import Proved, Run, verdict_name
from verifier.run.filters import Filters
from verifier.run.library import Library

__all__ = ["Made", "make", "open_folder"]


class Refused(Exception):
    """What was proved has no refutation here: the tool contradicts itself."""


@dataclass(slots=True)
class Made:
    """What was proved and has no certificate: contradictions, and units whose process was lost."""

    contradictions: list[str] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)

    def words(self) -> list[str]:
        """A word for each, as exit codes have them."""
        return ["contradiction"] * len(self.contradictions) + ["lost"] * len(self.lost)


# by kind: what to write, and the digest of what it is packed from
Files = dict[str, tuple[bytes, str]]


def open_folder(folder: Path) -> None:
    """A new or empty folder, or one that has certificates already.

    UsageError where it is another.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        inside = {path.name for path in folder.iterdir()}
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}") from error
    if inside and INDEX not in inside and inside != {UNITS}:
        raise UsageError(f"{folder}: has other files than certificates")


def make(
    library: Library, run: Run, filters: Filters, folder: Path, jobs: int, constants: bool = True,
    progress: Callable[[str], None] = lambda _: None,
) -> Made:
    """Write the certificates of everything that a run of these filters proved.

    The index is written last, so that a run that was killed leaves none. Raises UsageError where
    files cannot be written.
    """
    open_folder(folder)
    asked = asked_for(library, filters)
    units = _units(run, asked)
    made = Made()
    rows: list[dict[str, Any]] = []
    try:
        (folder / INDEX).unlink(missing_ok=True)
        (folder / UNITS).mkdir(exist_ok=True)
        for path in (folder / UNITS).iterdir():
            if is_unit_file(path.name):
                path.unlink()
        for (unit, properties), found in each(partial(_unit, library, constants), units.items(),
                                              jobs):
            if isinstance(found, Lost) and found.killed:
                made.lost[unit] = found.why
            elif isinstance(found, Lost):
                made.contradictions.append(f"{unit}: {found.why}")
            elif isinstance(found, str):
                made.contradictions.append(f"{unit}: {found}")
            else:
                rows.append(_written(folder, unit, len(properties), found))
            progress(f"{len(rows)} of {len(units)} certificates")
        index = _index(library, run, filters, asked, rows, constants)
        (folder / INDEX).write_text(json.dumps(index, indent=1) + "\n")
    except OSError as error:
        raise UsageError(
            f"{error.filename or folder}: cannot be written: {error.strerror}"
        ) from error
    return made


def _units(run: Run, asked: Mapping[str, AskedClaim]) -> dict[str, frozenset[str]]:
    """The properties that were proved, by unit."""
    found: dict[str, set[str]] = {}
    for result in run.results:
        one = asked[result.obligation.id]
        if isinstance(result.verdict, Proved) and not one.effect:
            found.setdefault(one.unit, set()).add(one.property)
    return {unit: frozenset(properties) for unit, properties in sorted(found.items())}


def _index(
    library: Library, run: Run, filters: Filters, asked: Mapping[str, AskedClaim],
    rows: list[dict[str, Any]], constants: bool,
) -> dict[str, Any]:
    certified = {row["name"] for row in rows}
    verdicts = {r.obligation.id: r.verdict for r in run.results}
    left = {}
    shown = []
    for identity, one in asked.items():
        verdict = verdicts.get(identity)
        if isinstance(verdict, Proved) and one.effect:
            shown.append(identity)
        elif verdict is None or (isinstance(verdict, Proved) and one.unit not in certified):
            left[identity] = "unknown"
        elif not isinstance(verdict, Proved):
            left[identity] = verdict_name(verdict)
    return {
        "schema": SCHEMA, "tool": {"name": "pteproof", "version": __version__,
                                   "solvers": solver_versions()},
        "proofs": f"DRAT, by {PROOF_SAT}", "graph": GRAPHS[constants],
        "asked": {name: list(globs) for name, globs in asdict(filters).items()},
        "kernel": kernels(library, filters), "specs": spec_digests(library, filters),
        "units": sorted(rows, key=lambda row: str(row["name"])), "not_certified": left,
        "shown": shown,
    }


def _written(folder: Path, unit: str, obligations: int, files: Files) -> dict[str, Any]:
    """Write the files of a unit; its row of the index."""
    row: dict[str, Any] = {"name": unit, "obligations": obligations, "files": {}}
    for kind, (data, its_digest) in files.items():
        path = unit_path(unit, kind)
        (folder / path).write_bytes(data)
        row["files"][kind] = {"path": path, "sha256": its_digest}
    return row


def _unit(library: Library, constants: bool, task: tuple[str, frozenset[str]]) -> Files | str:
    """The files of a unit, packed; why there are none, where what was proved is not so."""
    try:
        texts = _texts(library, *task, constants)
    except Refused as error:
        return str(error)
    return {kind: (gzip.compress(text.encode(), 1, mtime=0), digest(text.encode()))
            for kind, text in texts.items()}


def _texts(library: Library, unit: str, properties: frozenset[str],
           constants: bool) -> dict[str, str]:
    found = content(library, unit, properties, constants)
    claims = found.claims
    proof = refutation(claims.clauses)
    if proof is None:
        raise Refused("what was proved is satisfiable as a CNF without folding")
    return {
        "cnf": write_cnf(claims.variables, claims.clauses), "drat": "\n".join(proof) + "\n",
        "smt2": found.smt2,
        "json": found.text(_inhabitants(claims)),
    }


def _inhabitants(claims: ClaimsCnf) -> dict[str, dict[str, int]]:
    """By label: values of the inputs that satisfy what is assumed."""
    inhabitants = {}
    models: Sequence[set[int] | None] = satisfied(claims.clauses[:-1], claims.assumed.values())
    for label, values in zip(claims.assumed, models, strict=True):
        if values is None:
            raise Refused(f"nothing satisfies what {label} assumes, so what was proved is vacuous")
        inhabitants[label] = {name: sum(1 << i for i, bit in enumerate(bits) if bit in values)
                              for name, bits in claims.inputs.items()}
    return inhabitants
