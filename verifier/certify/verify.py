# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates checked from their files alone: nothing of the run that made them is trusted, nor the specs read.

For each unit: the hashes; the CNF, parsed strictly; its last clause says that one of the named obligations is violated;
each set of assumptions has an inhabitant whose values decide and satisfy the CNF's gates; and a checker that is not the
solver verifies the proof. What the CNF has to do with the claim in words is not checked here: docs/trust.md says how that
is covered.
"""

from __future__ import annotations

import gzip
import json
import re
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verifier.certify.check import Checker
from verifier.certify.dimacs import parse_cnf, write_cnf
from verifier.certify.make import INDEX, SCHEMA, digest
from verifier.errors import UsageError

__all__ = ["Report", "verify"]

LARGEST = 1 << 30  # bytes of one file, unpacked
BATCH = 64  # proofs of one process of the checker
_NAME = re.compile(r"units/[A-Za-z0-9][A-Za-z0-9_.+-]*\.(cnf|drat|smt2|json)\.gz", re.ASCII)
_PROOF = re.compile(r"(?:(?:d )?+(?:-?[1-9][0-9]{0,8} )*+0\n)++", re.ASCII)


@dataclass(frozen=True, slots=True)
class Report:
    """What was found: units and obligations that hold, and what is wrong, by unit."""

    units: int
    obligations: int
    wrong: dict[str, str]
    not_certified: int
    checker: str


class _Bad(Exception):
    """This unit's certificate does not hold."""


def verify(
    folder: Path, checker: Checker, timeout: float = 300, progress: Callable[[str], None] = lambda _: None
) -> Report:
    """Check every certificate of a folder; `timeout` in seconds is for one proof.

    Raises UsageError where the folder has no index of certificates, or the index is not one.
    """
    index = _index(folder)
    wrong: dict[str, str] = {}
    good = obligations = 0
    rows = index["units"]
    for start in range(0, len(rows), BATCH):
        with tempfile.TemporaryDirectory(prefix="pteproof-") as scratch:
            pairs, names, counts = [], [], []
            for number, row in enumerate(rows[start:start + BATCH]):
                name = str(row.get("name"))
                try:
                    count, cnf, proof = _unit(folder, row)
                except (_Bad, UsageError, KeyError, TypeError, ValueError, AttributeError) as error:
                    wrong[name] = str(error) if isinstance(error, (_Bad, UsageError)) else f"not a unit: {error!r}"
                    continue
                paths = Path(scratch, f"{number}.cnf"), Path(scratch, f"{number}.drat")
                for path, text in zip(paths, (cnf, proof), strict=True):
                    path.write_text(text)
                pairs.append(paths)
                names.append(name)
                counts.append(count)
            said = checker.check(pairs, timeout) if pairs else []
            for name, count, word in zip(names, counts, said, strict=True):
                if word:
                    wrong[name] = word
                else:
                    good += 1
                    obligations += count
        progress(f"{good + len(wrong)} of {len(rows)} certificates")
    return Report(good, obligations, wrong, len(index["not_certified"]), f"{checker.name} {checker.version}")


def _index(folder: Path) -> dict[str, Any]:
    path = folder / INDEX
    try:
        index = json.loads(path.read_text())
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; a run that was stopped leaves no index") from error
    except ValueError as error:
        raise UsageError(f"{path}: not JSON: {error}") from error
    if not isinstance(index, dict) or index.get("schema") != SCHEMA:
        raise UsageError(f"{path}: no index of {SCHEMA}")
    rows, left = index.get("units"), index.get("not_certified")
    if not isinstance(rows, list) or not all(isinstance(r, dict) for r in rows) or not isinstance(left, dict):
        raise UsageError(f"{path}: not as an index is")
    names = [str(r.get("name")) for r in rows]
    if not rows or len(set(names)) != len(names):
        raise UsageError(f"{path}: names no unit, or one twice")
    return index


def _read(folder: Path, row: dict[str, Any], kind: str) -> str:
    """A file of a unit, as the index has it."""
    entry = row["files"][kind]
    if _NAME.fullmatch(entry["path"]) is None or not entry["path"].endswith(f".{kind}.gz"):
        raise _Bad(f"{entry['path']!r} is no file of a unit")
    path = folder / entry["path"]
    try:
        with gzip.open(path) as stream:
            data = stream.read(LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise _Bad(f"{entry['path']}: cannot be read: {error}") from error
    if len(data) > LARGEST:
        raise _Bad(f"{entry['path']}: larger than {LARGEST} bytes")
    if digest(data) != entry["sha256"]:
        raise _Bad(f"{entry['path']}: its contents are not those that the index has")
    return data.decode("ascii")


def _unit(folder: Path, row: dict[str, Any]) -> tuple[int, str, str]:
    """The number of obligations of a unit, its CNF and its proof, all of the form; _Bad where they are not."""
    told = json.loads(_read(folder, row, "json"))
    _read(folder, row, "smt2")
    variables, clauses = parse_cnf(_read(folder, row, "cnf"), row["files"]["cnf"]["path"])
    proof = _read(folder, row, "drat")
    if _PROOF.fullmatch(proof) is None:
        raise _Bad("the proof is not DRAT")
    violated = [o["violated"] for o in told["obligations"]]
    ids = [o["id"] for o in told["obligations"]]
    if told["unit"] != row["name"] or (told["variables"], told["clauses"]) != (variables, len(clauses)):
        raise _Bad("what is told of the CNF is not what it is")
    if not ids or len(set(ids)) != len(ids) or row["obligations"] != len(ids) or len(set(violated)) != len(violated):
        raise _Bad("obligations are told twice, or not at all")
    if any(not _belongs(i, row["name"]) for i in ids) or not all(o["claim"] for o in told["obligations"]):
        raise _Bad("an obligation is not of this unit, or claims nothing")
    if clauses[-1] != violated:
        raise _Bad("the last clause does not say that one of the obligations is violated")
    _inhabited(told, clauses[:-1])
    return len(ids), write_cnf(variables, clauses), proof


def _belongs(identity: str, unit: str) -> bool:
    """Is variant/level/encoding/step/code/property of the unit variant/level/encoding/code/step?"""
    parts = identity.split("/")
    return len(parts) == 6 and "/".join((*parts[:3], parts[4], parts[3])) == unit


def _inhabited(told: dict[str, Any], clauses: list[list[int]]) -> None:
    """Every set of assumptions holds for some values, and they violate nothing."""
    violated = {o["violated"] for o in told["obligations"]}
    if not told["assumed"]:
        raise _Bad("nothing is assumed, not even nothing")
    for label, variable in told["assumed"].items():
        values = told["inhabitants"][label]
        literals = []
        for name, bits in told["inputs"].items():
            value = int(values[name])
            literals += [bit if value >> i & 1 else -bit for i, bit in enumerate(bits) if bit]
        found = _decided(clauses, literals)
        if found is None or variable not in found:
            raise _Bad(f"the inhabitant of {label} does not satisfy what is assumed")
        if any(-v not in found for v in violated):
            raise _Bad(f"the inhabitant of {label} violates an obligation, or does not decide whether it does")


def _decided(clauses: list[list[int]], literals: list[int]) -> set[int] | None:
    """The literals that follow from these, in one pass: each clause holds, or decides its highest variable.

    None where one cannot hold, or is not decided: gates have to stand in the order of what they depend on.
    """
    known = set(literals)
    for clause in clauses:
        if any(x in known for x in clause):
            continue
        highest = max(clause, key=abs)
        if -highest in known or any(-x not in known for x in clause if x != highest):
            if any(-x not in known for x in clause):
                continue  # not decided yet: another clause of this gate does
            return None
        known.add(highest)
    if any(not any(x in known for x in clause) for clause in clauses):
        return None
    return known
