# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates of what a run proved: a folder of claims, SMT-LIB, CNF and DRAT that others check without this program.

docs/certificates.md says what each file holds. A unit is one step of a group: its proofs share a CNF, which says that
some of them is violated, and a proof that this cannot be.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import multiprocessing as mp
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verifier import __version__
from verifier.certify.blast import Claims, Unfolded, claims_cnf
from verifier.certify.dimacs import write_cnf
from verifier.errors import UsageError
from verifier.export import conditions
from verifier.model import EFFECT
from verifier.obligations import Builder, Group, Question
from verifier.plan import Library
from verifier.processes import as_worker
from verifier.prove import claim, graph_inputs
from verifier.prove_terms import term_inputs
from verifier.results import Proved, Result, Run, verdict_name
from verifier.scopes import Model
from verifier.smtlib import Script, Smt
from verifier.solve import PROOF_SAT, refutation, satisfied, solver_versions

__all__ = ["INDEX", "SCHEMA", "Refused", "digest", "make", "open_folder"]

SCHEMA = "pteproof.certificates/1"
INDEX = "index.json"


class Refused(Exception):
    """What was proved has no refutation here: the tool contradicts itself."""


@dataclass(frozen=True, slots=True)
class Unit:
    """The proved obligations of one step of a group."""

    group: Group
    step: str
    results: tuple[Result, ...]

    @property
    def name(self) -> str:
        return f"{self.group}/{self.step}"

    @property
    def path(self) -> str:
        return self.name.replace("/", "--")


def digest(data: bytes) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def open_folder(folder: Path) -> None:
    """A new or empty folder, or one that has certificates already. UsageError where it is another."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        inside = {path.name for path in folder.iterdir()}
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}") from error
    if inside and INDEX not in inside and inside != {"units"}:
        raise UsageError(f"{folder}: holds something else than certificates")


def make(
    library: Library, run: Run, folder: Path, jobs: int, constants: bool = True,
    progress: Callable[[str], None] = lambda _: None,
) -> list[str]:
    """Write the certificates of everything that a run proved; what contradicts the run, which is nothing if all is well.

    The index is written last, so that a run that was killed leaves none. Raises UsageError where files cannot be written.
    """
    open_folder(folder)
    index = folder / INDEX
    units = _units(run)
    wrong: list[str] = []
    rows: list[dict[str, Any]] = []
    try:
        index.unlink(missing_ok=True)
        (folder / "units").mkdir(exist_ok=True)
        # one task for each group, so that the state of a group is built once
        groups = [[u for u in units if u.group == g] for g in dict.fromkeys(u.group for u in units)]
        with mp.get_context("fork").Pool(jobs, _start, (library, folder, constants)) as pool:
            for found, message in pool.imap_unordered(_group, groups):
                rows += found
                wrong += message
                progress(f"{len(rows)} of {len(units)} certificates")
        index.write_text(json.dumps(_index(library, run, units, rows, constants), indent=1) + "\n")
    except OSError as error:
        raise UsageError(f"{error.filename or folder}: cannot be written: {error.strerror}") from error
    return wrong


def _units(run: Run) -> list[Unit]:
    """What was proved, by step."""
    by_step: dict[tuple[Group, str], list[Result]] = {}
    for result in run.results:
        if isinstance(result.verdict, Proved) and result.obligation.kind != EFFECT:
            by_step.setdefault((result.obligation.group, result.obligation.transition), []).append(result)
    return [Unit(group, step, tuple(found)) for (group, step), found in sorted(by_step.items(), key=lambda i: str(i[0]))]


def _index(
    library: Library, run: Run, units: Sequence[Unit], rows: list[dict[str, Any]], constants: bool
) -> dict[str, Any]:
    archs = {library.variant(u.group.variant).arch for u in units}
    files = [*(library.arch_folder / f"{name}.yaml" for name in sorted(archs)), library.arch_folder / "generic.yaml",
             *sorted(library.spec_folder.rglob("*.yaml"))]
    shown = {f"arch/{p.name}" if p.parent == library.arch_folder else f"specs/{p.relative_to(library.spec_folder)}": p
             for p in files if p.is_file()}
    return {
        "schema": SCHEMA, "tool": {"name": "pteproof", "version": __version__, "solvers": solver_versions()},
        "proofs": f"DRAT, by {PROOF_SAT}", "graph": "constants folded" if constants else "nothing folded",
        "kernel": {name: library.archs[name].read for name in sorted(archs)},
        "specs": {name: digest(path.read_bytes()) for name, path in shown.items()},
        "units": sorted(rows, key=lambda row: str(row["name"])),
        "not_certified": {r.obligation.id: verdict_name(r.verdict) for r in run.results
                          if not isinstance(r.verdict, Proved)},
        "shown": [r.obligation.id for r in run.results if isinstance(r.verdict, Proved) and r.obligation.kind == EFFECT],
    }


_SHARED: list[Any] = []


def _start(library: Library, folder: Path, constants: bool) -> None:
    as_worker()
    _SHARED[:] = library, folder, constants


def _group(units: list[Unit]) -> tuple[list[dict[str, Any]], list[str]]:
    """The certificates of one group's units: rows of the index, and contradictions."""
    library, folder, constants = _SHARED
    group = units[0].group
    model = library.group_model(group)
    graph, smt = Unfolded(constants), Smt()
    builders = Builder(model, group, graph, graph_inputs(graph)), Builder(model, group, smt, term_inputs(smt))
    rows, wrong = [], []
    for unit in units:
        try:
            rows.append(_unit(model, unit, folder, graph, smt, *builders))
        except Refused as error:
            wrong.append(str(error))
    return rows, wrong


def _unit(
    model: Model, unit: Unit, folder: Path, graph: Unfolded, smt: Smt, bits: Builder, terms: Builder
) -> dict[str, Any]:
    names = {r.obligation.property for r in unit.results}

    def wanted(step: str, prop: str) -> bool:
        return step == unit.step and prop in names

    questions = list(bits.questions(wanted))
    claims = claims_cnf(graph, questions)
    proof = refutation(claims.clauses)
    if proof is None:
        raise Refused(f"{unit.name}: what was proved is satisfiable as a CNF without folding")
    script = Script([f"pteproof: {unit.name}", "each question asks for a violation: unsat is proved"])
    said = {}
    for question in terms.questions(wanted):
        said[question.id] = claim(model, unit.group, question)
        script.ask([question.id, said[question.id]], conditions(smt, question), "unsat")
    files = {
        "cnf": write_cnf(claims.variables, claims.clauses), "drat": "\n".join(proof) + "\n", "smt2": script.text(),
        "json": json.dumps(_described(unit, questions, claims, said), indent=1) + "\n",
    }
    row: dict[str, Any] = {"name": unit.name, "obligations": len(said), "files": {}}
    for kind, text in files.items():
        data = text.encode()
        path = folder / "units" / f"{unit.path}.{kind}.gz"
        path.write_bytes(gzip.compress(data, 1, mtime=0))
        row["files"][kind] = {"path": f"units/{path.name}", "sha256": digest(data)}
    return row


def _described(unit: Unit, questions: Sequence[Question], claims: Claims, said: dict[str, str]) -> dict[str, Any]:
    """What the variables of a unit's CNF are."""
    inhabitants = {}
    models = satisfied(claims.clauses[:-1], claims.assumed.values())
    for label, values in zip(claims.assumed, models, strict=True):
        if values is None:
            raise Refused(f"{unit.name}: nothing satisfies what {label} assumes, so what was proved is vacuous")
        inhabitants[label] = {name: sum(1 << i for i, bit in enumerate(bits) if bit in values)
                              for name, bits in claims.inputs.items()}
    return {
        "unit": unit.name, "variables": claims.variables, "clauses": len(claims.clauses),
        "obligations": [{"id": q.id, "claim": said[q.id], "violated": claims.violated[q.id]} for q in questions],
        "assumed": claims.assumed, "inputs": claims.inputs, "inhabitants": inhabitants,
    }
