# SPDX-License-Identifier: GPL-2.0-or-later
"""Two ways that share no blasting agree.

Where one is broken, that is seen, and the bundle shows which.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import z3
from click.testing import CliRunner
from pysat.formula import CNF
from pysat.solvers import Solver as SatSolver
from sample import sampled

from verifier.cli import main
from verifier.engine.answers import Unsat
from verifier.engine.bits_solver import BitsSolver
from verifier.prove.results import Refuted, exit_code
from verifier.run.filters import Filters
from verifier.run.library import Library
from verifier.run.scheduler import Options, prove


def satisfiable(cnf: Path) -> bool:
    with SatSolver(name="glucose4", bootstrap_with=CNF(from_file=str(cnf))) as solver:
        return bool(solver.solve())


def z3_says(file: Path) -> bool:
    solver = z3.Solver()
    solver.from_file(str(file))
    found = solver.check()
    assert found != z3.unknown
    return bool(found == z3.sat)


CASES = [("x86_64+shstk", "fork-pte"), ("arm64-4k+dbm", "fork-pte")]


@pytest.mark.parametrize(("variant", "transition"), sampled(CASES, CASES[1:]))
def test_both_ways_agree(library: Library, variant: str, transition: str, tmp_path: Path) -> None:
    asked = ("no-*", "pin-*", "frame", "stale-*")
    filters = Filters((variant,), ("pte",), ("option-c",), ("today",), (transition, "hw-store"),
                      asked)
    run = prove(library, filters, Options(jobs=2, cross=tmp_path / "d", depth=2))
    alone = prove(library, filters, Options(jobs=2, depth=2))
    assert not run.contradictions and not (tmp_path / "d").exists()
    said = [{r.obligation.id: type(r.verdict) for r in found.results} for found in (run, alone)]
    assert said[0] == said[1]
    assert any(isinstance(r.verdict, Refuted) for r in run.results)


def test_a_broken_engine_is_found_and_the_bundle_shows_it(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bit side calls everything unsatisfiable that has no model asked for, so it does not see
    what is false.
    """
    right = BitsSolver.check

    def broken(self: BitsSolver, conditions: Any, names: Any = None, **how: Any) -> Any:
        return Unsat() if names == () else right(self, conditions, names, **how)

    monkeypatch.setattr(BitsSolver, "check", broken)
    filters = Filters(("x86_64",), ("pte",), ("option-c",), ("today",), ("fork-pte",),
                      ("no-false-exclusive",))
    run = prove(library, filters, Options(cross=tmp_path / "d"))
    assert len(run.contradictions) == 1 and exit_code(run) == 4
    assert "z3 says refuted" in run.contradictions[0]
    (where,) = (tmp_path / "d").iterdir()
    told = json.loads((where / "obligation.json").read_text())
    assert (told["bits"], told["z3"]) == ("proved", "refuted")
    answers: dict[str, list[bool]] = {}
    for row in told["questions"]:
        by_z3, by_sat = z3_says(where / f"{row['file']}.smt2"), satisfiable(
            where / f"{row['file']}.cnf"
        )
        assert by_z3 == by_sat
        answers.setdefault(row["satisfiable means"], []).append(by_z3)
    assert all(answers["inhabited"]) and any(answers["refuted"])
    header = re.search(r"^p cnf (\d+) (\d+)$", next(where.glob("*given.cnf")).read_text(), re.M)
    assert header is not None and int(header[1]) > 0


def test_the_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = (
        "prove --arch x86_64 --level pte --encoding page-flag --transition clear-young"
        " --cross-check --jobs 1"
    )
    found = CliRunner().invoke(main, words.split())
    assert found.exit_code == 0, found.output
    assert not list(tmp_path.iterdir())
