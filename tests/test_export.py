# SPDX-License-Identifier: GPL-2.0-or-later
"""What is exported asks the same: the script's answer is the verdict, and the C program fails on
exactly the violating values.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import z3
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from test_algebras import SETTINGS, Trees, build, values

from verifier.cli import main
from verifier.engine.c_program import c_harness, c_name
from verifier.engine.smtlib import Smt, cone
from verifier.language.algebra import Integers
from verifier.language.syntax import BOOL
from verifier.run.library import load_library

CLANG = shutil.which("clang-19") or shutil.which("clang")
PROVED = "x86_64/pte/option-c/fork-pte/option-c/no-false-exclusive"
REFUTED = "x86_64/pte/option-c/fork-pte/today/no-false-exclusive"


@pytest.mark.parametrize(("identity", "answer"), [(PROVED, z3.unsat), (REFUTED, z3.sat)])
def test_the_scripts_answer_is_the_verdict(identity: str, answer: z3.CheckSatResult) -> None:
    text = CliRunner().invoke(main, ["export", identity]).output
    assert f"; {identity}" in text and "for all 64-bit entries" in text
    solver = z3.Solver(ctx=z3.Context())
    solver.from_string(text.replace("(push 1)", "").replace("(pop 1)", ""))
    assert solver.check() == answer


def test_dump_smt_writes_a_file_for_each_step(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["prove", "--arch", "x86_64", "--level", "pte", "--encoding",
                                       "option-c", "--code", "today",
                                       "--transition", "fork-*", "--dump-smt", str(tmp_path / "d"),
                                       "-q", "--no-cache", "--depth", "2"])
    assert result.exit_code == 1
    names = {path.name for path in (tmp_path / "d").iterdir()}
    assert "x86_64--pte--option-c--today--fork-pte.smt2" in names
    assert (len(names) == sum(n.startswith("fork-") and "pte" in t.levels
                              for n, t in load_library().spec.transitions.items()))


def test_what_is_no_obligation_is_an_error() -> None:
    for identity in ("x86_64", "x86_64/pte/option-c/fork-pte/today/no-such",
                     "x86_64/pte/option-c/no-such/today/frame"):
        for form in ("smtlib", "cbmc"):
            assert CliRunner().invoke(main, ["export", identity, "--format", form]).exit_code == 2


def test_the_c_of_an_obligation_is_whole() -> None:
    text = CliRunner().invoke(main, ["export", REFUTED, "--format", "cbmc"]).output
    assert "unsigned __CPROVER_bitvector[64]" in text and text.count("assert(!") == 1
    assert f"nondet_{c_name('entry.A')}(void)" in text


def fails(folder: Path, program: str, given_values: dict[str, int | bool],
          inputs: dict[str, int]) -> bool:
    """Compile and run the program on these values: does its assertion fail?"""
    rows = []
    for name, width in inputs.items():
        value = int(given_values.get(name, 0))
        kind = "bool" if width == BOOL else f"u{width}"
        parts = " | ".join(f"(({kind}){value >> at & 0xffffffff:#x}u{f' << {at}' if at else ''})"
                           for at in range(0, width or 1, 32))
        rows.append(f"static {kind} nondet_{c_name(name)}(void) {{ return {parts}; }}")
    (folder / "values.h").write_text("\n".join(rows) + "\n")
    (folder / "harness.c").write_text(program)
    subprocess.run([str(CLANG), "-std=c2x", "-w", "-O1", "-DPTEPROOF_VALUES", "harness.c", "-o",
                    "harness"], cwd=folder,
                   check=True, timeout=120)
    done = subprocess.run([str(folder / "harness")], capture_output=True, text=True, check=False,
                          timeout=60)
    assert done.returncode == 0 or "Assertion" in done.stderr
    return done.returncode != 0


@pytest.mark.skipif(CLANG is None, reason="needs clang with _BitInt; make test-kernel has it")
@pytest.mark.parametrize("width", [1, 7, 32, 64])
def test_the_c_of_random_conditions_does_what_the_language_says(width: int, tmp_path: Path) -> None:
    @settings(SETTINGS, max_examples=8)
    @given(st.data())
    def holds(data: st.DataObject) -> None:
        tree = Trees(data, width).boolean()
        smt = Smt()
        term = build(smt, tree, {})
        chosen: dict[str, int | bool] = {n: data.draw(values(width)) for n in ("x", "y", "z")}
        chosen |= {n: data.draw(st.booleans()) for n in ("p", "q")}
        inputs = {t.name: t.width for t in cone([term]) if t.op == "input"}
        assert (fails(tmp_path, c_harness(["random"], term), chosen,
                      inputs) is build(Integers(), tree, chosen))

    holds()
