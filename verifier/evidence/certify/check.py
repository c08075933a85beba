# SPDX-License-Identifier: GPL-2.0-or-later
"""Checkers of DRAT proofs, each run as a program of its own.

drat-trim is run where it is on PATH, else dratify, a Python package with an optional engine in
Rust; one process checks many proofs. Neither has found the proofs that it checks. The answer of a
checker counts by its exact words and its exit code.
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

from verifier.base.errors import UsageError

__all__ = [
    "AUTO",
    "DRATIFY",
    "DRAT_TRIM",
    "Checker",
    "Pair",
    "CheckerAnswer",
    "checkers",
    "find_checker",
]

AUTO, DRAT_TRIM, DRATIFY = "auto", "drat-trim", "dratify"
FINE = "died with 0"
VERIFIED, REJECTED = "s VERIFIED", "s NOT VERIFIED"
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


Pair = tuple[Path, Path]  # a CNF and its proof


@dataclass(frozen=True, slots=True)
class CheckerAnswer:
    """What a checker says of a proof: it verified it, it rejected it, or neither, as when it died.
    """

    words: str
    verified: bool = False
    rejected: bool = False


@dataclass(frozen=True, slots=True)
class Checker:
    """A program that checks proofs of unsatisfiability."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    def check(self, pairs: Sequence[Pair], timeout: float) -> list[CheckerAnswer]:
        """The answer for each pair of a CNF and a proof; `timeout` in seconds is for each.

        Where the checker dies or hangs, the pair in hand has no answer, and it starts again behind
        it.
        """
        if self.name == DRAT_TRIM:
            return [self._drat_trim(cnf, proof, timeout) for cnf, proof in pairs]
        found: list[CheckerAnswer] = []
        while len(found) < len(pairs):
            said, how = self._dratify(pairs[len(found):], timeout)
            found += said
            if len(found) < len(pairs):
                found.append(CheckerAnswer(f"{self.name} {how}"))
        return found[:len(pairs)]

    def _dratify(self, pairs: Sequence[Pair], timeout: float) -> tuple[list[CheckerAnswer], str]:
        """What one process says, and how it ended."""
        asked = "".join(f"{cnf}\t{proof}\n" for cnf, proof in pairs)
        try:
            done = subprocess.run([sys.executable, "-I", "-c", _DRATIFY], input=asked.encode(),
                                  capture_output=True,
                                  timeout=timeout * len(pairs) + 10, check=False)
            told, how = done.stdout, f"died with {done.returncode}"
        except subprocess.TimeoutExpired as error:
            told, how = error.stdout or b"", "took too long"
        lines = told.decode(errors="replace").split("\n")[:-1]
        if len(lines) > len(pairs):
            return [], "says more than it was asked"
        if how != FINE and len(lines) == len(pairs):
            lines.pop()  # it ended wrongly all the same
        return [CheckerAnswer("", verified=True) if line == VERIFIED else
                CheckerAnswer(f"{self.name} says {line!r}", rejected=line.startswith("s REJECTED"))
                for line in lines], how

    def _drat_trim(self, cnf: Path, proof: Path, timeout: float) -> CheckerAnswer:
        try:
            done = subprocess.run([DRAT_TRIM, str(cnf), str(proof), "-t", str(int(timeout) + 1)],
                                  capture_output=True, text=True, errors="replace",
                                  timeout=timeout + 10, check=False)
        except subprocess.TimeoutExpired:
            return CheckerAnswer(f"{DRAT_TRIM} took too long")
        said = [line for line in done.stdout.replace("\r", "\n").split("\n")
                if line.startswith("s ")]
        if done.returncode == 0 and said == [VERIFIED]:
            return CheckerAnswer("", verified=True)
        return CheckerAnswer(f"{DRAT_TRIM} says {said} with code {done.returncode}",
                    rejected=done.returncode == 1 and said == [REJECTED])


def checkers() -> list[Checker]:
    """Those that are installed; drat-trim, which is older and more widely used, first."""
    found = []
    path = shutil.which(DRAT_TRIM)
    if path:
        found.append(Checker(DRAT_TRIM, f"({path})"))
    if importlib.util.find_spec(DRATIFY) is not None:
        native = importlib.util.find_spec("cdclkit_native") is not None
        engine = f" (native engine {version('cdclkit-native')})" if native else ""
        found.append(Checker(DRATIFY, version(DRATIFY) + engine))
    return found


def find_checker(name: str = AUTO) -> Checker:
    """The checker of this name, or the first that is installed. UsageError where there is none."""
    found = checkers()
    for one in found:
        if name in (AUTO, one.name):
            return one
    if name == DRAT_TRIM:
        raise UsageError("drat-trim is not on PATH: install Debian's package drat-trim (from "
                         "Debian 13 on), or build it; "
                         "or --checker dratify")
    if name == DRATIFY:
        raise UsageError(
            "dratify is not installed: pip install 'pteproof[certify]'; or --checker drat-trim"
        )
    raise UsageError("no checker of proofs: install drat-trim, or pip install 'pteproof[certify]'")
