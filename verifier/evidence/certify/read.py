# SPDX-License-Identifier: GPL-2.0-or-later
"""What a folder of certificates says, read without trust: its index, and each unit by its files.

For a unit, its files have the digests of the index. The CNF, parsed strictly, consists of gates,
names and the violation of exactly the obligations that are listed. Every set of assumptions has an
inhabitant. The proof has DRAT's form. Whether the gates mean the claims is checked elsewhere
(verifier.evidence.certify.verify).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from verifier.base.errors import UsageError
from verifier.evidence.certify.content import GRAPHS
from verifier.evidence.certify.dimacs import parse_cnf
from verifier.evidence.certify.files import (
    INDEX,
    KINDS,
    SCHEMA,
    BadCertificate,
    digest,
    parse_json,
    read_packed,
    read_plain,
    unit_path,
)
from verifier.evidence.certify.gates import Circuit, read_circuit
from verifier.run.filters import Filters

__all__ = ["Index", "IndexRow", "Unit", "read_index", "read_unit"]

_PROOF = re.compile(r"(?:(?:d )?+(?:-?[1-9][0-9]{0,8} )*+0\n)++", re.ASCII)
_KEYS = ("schema", "tool", "proofs", "graph", "asked", "kernel", "specs", "units", "not_certified",
         "shown")
_TOLD = ("unit", "variables", "clauses", "obligations", "assumed", "inputs", "inhabitants")


@dataclass(frozen=True, slots=True)
class IndexRow:
    """A unit, as the index has it: its files' digests by kind."""

    name: str
    obligations: int
    digests: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Index:
    """`made_by` is the version of the program; `constants`: are constants folded?"""

    made_by: str
    constants: bool
    filters: Filters
    kernel: Mapping[str, str]
    specs: Mapping[str, str]
    rows: tuple[IndexRow, ...]
    not_certified: Mapping[str, str]
    shown: tuple[str, ...]

    def paths(self) -> set[str]:
        """All files of units."""
        return {unit_path(row.name, kind) for row in self.rows for kind in KINDS}


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit whose files fit together: each obligation's claim by its id, and texts by kind."""

    name: str
    said: Mapping[str, str]
    inhabitants: Mapping[str, Mapping[str, int]]
    clauses: list[list[int]]
    texts: Mapping[str, str]


def read_index(folder: Path) -> Index:
    """The index of a folder. UsageError where there is none, or it is not of the form."""
    path = folder / INDEX
    try:
        found = parse_json(read_plain(path))
        if found.get("schema") != SCHEMA:
            raise BadCertificate(f"no index of {SCHEMA}")
        return _index(found)
    except OSError as error:
        raise UsageError(
            f"{path}: {error.strerror}; a run that was stopped leaves no index"
        ) from error
    except BadCertificate as error:
        raise UsageError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"{path}: malformed index: {error!r}") from error


def _index(found: dict[str, Any]) -> Index:
    asked, graphs = found["asked"], {text: constants for constants, text in GRAPHS.items()}
    if (set(found) != set(_KEYS) or set(asked) != {f.name for f in fields(Filters)}
            or found["graph"] not in graphs):
        raise BadCertificate("malformed index")
    rows = tuple(_row(row) for row in found["units"])
    names = [row.name for row in rows]
    if not rows or len(set(names)) != len(names):
        raise BadCertificate("lists no unit, or one twice")
    return Index(
        str(found["tool"]["version"]), graphs[found["graph"]],
        Filters(*(_words(asked[f.name]) for f in fields(Filters))),
        _texts(found["kernel"]), _texts(found["specs"]), rows, _texts(found["not_certified"]),
        _words(found["shown"]))


def _row(row: dict[str, Any]) -> IndexRow:
    name, count, files = row["name"], row["obligations"], row["files"]
    if (set(row) != {"name", "obligations", "files"} or type(count) is not int
            or set(files) != set(KINDS)):
        raise BadCertificate("malformed row of a unit")
    for kind, entry in files.items():
        if set(entry) != {"path", "sha256"} or entry["path"] != unit_path(name, kind):
            raise BadCertificate(f"{entry['path']!r} is not where {name} has its {kind} file")
    return IndexRow(name, count, _texts({kind: entry["sha256"] for kind, entry in files.items()}))


def _words(found: Any) -> tuple[str, ...]:
    if not isinstance(found, list) or not all(isinstance(word, str) for word in found):
        raise BadCertificate("not a list of words")
    return tuple(found)


def _texts(found: Any) -> dict[str, str]:
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        raise BadCertificate("not a table of texts")
    return found


def read_unit(folder: Path, row: IndexRow) -> Unit:
    """A unit, with everything checked that its files alone can show, but for the proof itself.

    Raises BadCertificate at the first thing that does not hold.
    """
    try:
        texts = {kind: _text(folder, row, kind) for kind in KINDS}
        told = parse_json(texts["json"].encode())
        variables, clauses = parse_cnf(texts["cnf"], unit_path(row.name, "cnf"))
        if _PROOF.fullmatch(texts["drat"]) is None:
            raise BadCertificate("the proof is not DRAT")
        said = _obligations(row, told, variables, len(clauses))
        _meant(told, read_circuit(variables, clauses))
        return Unit(row.name, said, told["inhabitants"], clauses, texts)
    except UsageError as error:
        raise BadCertificate(str(error)) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadCertificate(f"not a unit: {error!r}") from error


def _text(folder: Path, row: IndexRow, kind: str) -> str:
    """A file of a unit, as the index has it."""
    path = unit_path(row.name, kind)
    try:
        data = read_packed(folder / path)
    except (OSError, BadCertificate) as error:
        raise BadCertificate(
            f"{path}: {error.strerror if isinstance(error, OSError) else error}"
        ) from error
    if digest(data) != row.digests[kind]:
        raise BadCertificate(f"{path}: its digest differs from the index")
    return data.decode("ascii")


def _obligations(
    row: IndexRow, told: dict[str, Any], variables: int, clauses: int
) -> dict[str, str]:
    """The claims of the obligations that are told, by id.

    They are some of the unit's, each once.
    """
    if (set(told) != set(_TOLD)
            or any(set(o) != {"id", "claim", "violated"} for o in told["obligations"])):
        raise BadCertificate("not a unit: it has other keys")
    said = {str(o["id"]): o["claim"] for o in told["obligations"]}
    if told["unit"] != row.name or (told["variables"], told["clauses"]) != (variables, clauses):
        raise BadCertificate("what is said of the CNF is wrong")
    if not said or not len(said) == len(told["obligations"]) == row.obligations:
        raise BadCertificate("obligations are listed twice, or not at all")
    for identity, claim in said.items():
        parts = identity.split("/")
        if len(parts) != 6 or "/".join((*parts[:3], parts[4], parts[3])) != row.name:
            raise BadCertificate(f"{identity} is not of this unit")
        if not isinstance(claim, str) or not claim:
            raise BadCertificate(f"{identity} claims nothing")
    return said


def _meant(told: dict[str, Any], circuit: Circuit) -> None:
    """Check the meaning of the variables, and that every set of assumptions has an inhabitant.

    The inhabitants must violate nothing.
    """
    violated, assumed, inputs = [o["violated"]
                                 for o in told["obligations"]], told["assumed"], told["inputs"]
    if circuit.violation != violated:
        raise BadCertificate("the last clause does not say that one of the obligations is violated")
    if not assumed:
        raise BadCertificate("no set of assumptions is named")
    if [own for own, _ in circuit.names] != [*assumed.values(), *violated]:
        raise BadCertificate(
            "the variables that are named are not those of assumptions and obligations"
        )
    bits = [bit for found in inputs.values() for bit in found if bit]
    if len(set(bits)) != len(bits) or set(bits) != circuit.inputs:
        raise BadCertificate("the inputs are not the variables that nothing defines")
    if list(told["inhabitants"]) != list(assumed):
        raise BadCertificate("some set of assumptions has no inhabitant")
    given: dict[int, int] = {}
    for number, values in enumerate(told["inhabitants"].values()):
        if list(values) != list(inputs):
            raise BadCertificate("an inhabitant does not have exactly the inputs")
        for name, found in inputs.items():
            value = values[name]
            if type(value) is not int or value < 0 or value >> len(found):
                raise BadCertificate(f"{value!r} is no value of the input {name}")
            for place, bit in enumerate(found):
                given[bit] = given.get(bit, 0) | (value >> place & 1) << number
    known = circuit.values(given, len(assumed))
    for number, (label, variable) in enumerate(assumed.items()):
        if not known[variable] >> number & 1:
            raise BadCertificate(f"the inhabitant of {label} does not satisfy what is assumed")
        if any(known[v] >> number & 1 for v in violated):
            raise BadCertificate(f"the inhabitant of {label} violates an obligation")
