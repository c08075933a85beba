# SPDX-License-Identifier: GPL-2.0-or-later
"""Checkers of DRAT proofs, each run as a program of its own. What they say counts by its exact words and code.

drat-trim is run where it is on PATH, else dratify (a Python package, with an engine in Rust where that is installed):
one process for many proofs. Neither has found the proofs that it checks.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from verifier.errors import UsageError

__all__ = ["Checker", "checkers", "find_checker"]

VERIFIED = "s VERIFIED"
_DRATIFY = """
import sys
try:
    import cdclkit
except ImportError:
    pass
import dratify
for line in sys.stdin:
    cnf, _, proof = line.rstrip("\\n").partition("\\t")
    try:
        with open(cnf) as c, open(proof) as p:
            result = dratify.check_proof(dratify.parse_dimacs(c.read()), p.read())
        good = result.ok is True and result.reached_empty is True
        print("s VERIFIED" if good else f"s REJECTED {result.reason}", flush=True)
    except Exception as error:
        print("s FAILED", type(error).__name__, flush=True)
"""


@dataclass(frozen=True, slots=True)
class Checker:
    """A program that checks proofs of unsatisfiability."""

    name: str
    version: str

    def check(self, pairs: Sequence[tuple[Path, Path]], timeout: float) -> list[str]:
        """For each pair of a CNF and a proof: "" where the checker verified it, else what it said instead.

        `timeout` in seconds is for each; a checker that dies or hangs has verified nothing of what it had not told.
        """
        if self.name == "drat-trim":
            return [self._drat_trim(cnf, proof, timeout) for cnf, proof in pairs]
        asked = "".join(f"{cnf}\t{proof}\n" for cnf, proof in pairs)
        try:
            done = subprocess.run([sys.executable, "-I", "-c", _DRATIFY], input=asked, capture_output=True, text=True,
                                  timeout=timeout * len(pairs) + 10, check=False)
        except subprocess.TimeoutExpired:
            return [f"{self.name} took too long"] * len(pairs)
        lines = done.stdout.split("\n")[:-1]
        if done.returncode != 0 or len(lines) != len(pairs):
            return [f"{self.name} died with {done.returncode}"] * len(pairs)
        return ["" if line == VERIFIED else f"{self.name} says {line!r}" for line in lines]

    def _drat_trim(self, cnf: Path, proof: Path, timeout: float) -> str:
        try:
            done = subprocess.run(["drat-trim", str(cnf), str(proof), "-t", str(int(timeout) + 1)], capture_output=True,
                                  text=True, errors="replace", timeout=timeout + 10, check=False)
        except subprocess.TimeoutExpired:
            return "drat-trim took too long"
        said = [line for line in done.stdout.replace("\r", "\n").split("\n") if line.startswith("s ")]
        fine = done.returncode == 0 and said == [VERIFIED]
        return "" if fine else f"drat-trim says {said} with code {done.returncode}"


def checkers() -> list[Checker]:
    """Those that are installed, the quickest first."""
    found = []
    if shutil.which("drat-trim"):
        found.append(Checker("drat-trim", "on PATH"))
    if importlib.util.find_spec("dratify") is not None:
        native = importlib.util.find_spec("cdclkit_native") is not None
        engine = f", native engine {version('cdclkit-native')}" if native else ""
        found.append(Checker("dratify", version("dratify") + engine))
    return found


def find_checker() -> Checker:
    """The quickest. UsageError where none is installed."""
    found = checkers()
    if not found:
        raise UsageError("no checker of proofs: install drat-trim, or pip install 'pteproof[certify]'")
    return found[0]
