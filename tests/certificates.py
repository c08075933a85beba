# SPDX-License-Identifier: GPL-2.0-or-later
"""A folder of certificates in a forger's hands: whatever is changed, all digests and counts are
made anew.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from verifier.cli import main
from verifier.engine.refute import refutation, satisfied
from verifier.evidence.certify.content import content
from verifier.evidence.certify.dimacs import parse_cnf, write_cnf
from verifier.evidence.certify.files import INDEX, KINDS, digest, unit_path
from verifier.run.library import Library

FILTERS = ["--arch", "x86_64", "--level", "pte", "--encoding", "option-c", "--code", "today",
           "--transition", "clear-young", "--transition", "init", "--jobs", "1", "--no-cache", "-q"]
GROUP = "x86_64/pte/option-c/today"
UNIT = f"{GROUP}/clear-young"


def certify(folder: Path, *more: str) -> Any:
    return CliRunner().invoke(main, ["certify", str(folder), *more])


class Forger:
    """One unit of a folder, read to be changed; `write` makes the folder fit together again."""

    def __init__(self, folder: Path, unit: str = UNIT) -> None:
        self.folder, self.unit = folder, unit
        self.index = json.loads((folder / INDEX).read_text())
        self.row = next(row for row in self.index["units"] if row["name"] == unit)
        self.told = json.loads(self.text("json"))
        self.clauses = parse_cnf(self.text("cnf"), "cnf")[1]
        self.proof, self.smt2 = self.text("drat"), self.text("smt2")

    def text(self, kind: str, unit: str = "") -> str:
        return gzip.decompress((self.folder / unit_path(unit or self.unit,
                                                        kind)).read_bytes()).decode()

    def prove(self) -> None:
        """The proof and the inhabitants that the changed clauses have, as an honest solver finds
        them.
        """
        lines = refutation(self.clauses)
        assert lines is not None, "the forged clauses can be satisfied"
        self.proof = "\n".join(lines) + "\n"
        self.told["inhabitants"] = {}
        for label, model in zip(self.told["assumed"],
                                satisfied(self.clauses[:-1], self.told["assumed"].values()),
                                strict=True):
            assert model is not None
            self.told["inhabitants"][label] = {
                name: sum(1 << i for i, bit in enumerate(bits) if bit in model)
                for name, bits in self.told["inputs"].items()}

    def name(self, variable: int, literal: int) -> None:
        """Let a named variable be another literal."""
        at = next(n for n, (a, b) in enumerate(zip(self.clauses, self.clauses[1:], strict=False))
                  if a[0] == -variable and b == [variable, -a[1]])
        self.clauses[at:at + 2] = [-variable, literal], [variable, -literal]

    def rename(self, unit: str) -> None:
        """Move the unit to another name, with its files."""
        for kind in KINDS:
            (self.folder / unit_path(self.unit, kind)).unlink()
        *group, code, step = unit.split("/")
        for o in self.told["obligations"]:
            o["id"] = "/".join((*group, step, code, o["id"].rpartition("/")[2]))
        self.unit = self.row["name"] = self.told["unit"] = unit

    def become(self, library: Library, unit: str) -> None:
        """Take everything that another honest unit says, under this one's name."""
        properties = frozenset(o["id"].rpartition("/")[2] for o in self.told["obligations"])
        other = content(library, unit, properties, True)
        theirs = json.loads(other.text({}))
        for mine, its in zip(self.told["obligations"], theirs["obligations"], strict=True):
            mine["violated"] = its["violated"]
        self.told |= {"assumed": theirs["assumed"], "inputs": theirs["inputs"]}
        self.clauses = other.claims.clauses
        self.prove()

    def write(self) -> None:
        variables = max(abs(x) for clause in self.clauses for x in clause)
        self.told |= {"variables": variables, "clauses": len(self.clauses)}
        self.put("cnf", write_cnf(variables, self.clauses))
        self.put("json", json.dumps(self.told, indent=1) + "\n")
        self.put("drat", self.proof)
        self.put("smt2", self.smt2)
        self.row["obligations"] = len(self.told["obligations"])
        self.write_index()

    def put(self, kind: str, text: str) -> None:
        path = unit_path(self.unit, kind)
        (self.folder / path).write_bytes(gzip.compress(text.encode()))
        self.row["files"][kind] = {"path": path, "sha256": digest(text.encode())}

    def change(self, kind: str, edit: Callable[[str], str]) -> None:
        """Change the text of one file, and nothing else but its digest."""
        self.put(kind, edit(self.text(kind)))
        self.write_index()

    def write_index(self) -> None:
        (self.folder / INDEX).write_text(json.dumps(self.index, indent=1) + "\n")

    def remove(self) -> None:
        """Take the unit out, files and all."""
        for kind in KINDS:
            (self.folder / unit_path(self.unit, kind)).unlink()
        self.index["units"].remove(self.row)
