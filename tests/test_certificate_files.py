# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of a certificate, made by hand and without a solver: each way to be malformed is said.

`tests/test_forgeries.py` forges certificates of a run. Here is the least unit that there can be: an
input, an assumption that says that it is true, and an obligation that is never violated.
"""

from __future__ import annotations

import copy
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from verifier.base.errors import UsageError
from verifier.evidence.certify.files import KINDS, SCHEMA, BadCertificate, digest, unit_path
from verifier.evidence.certify.read import read_index, read_unit
from verifier.run.filters import Filters

UNIT = "x86_64/pte/option-c/today/zap"
OBLIGATION = "x86_64/pte/option-c/zap/today/frame"
# variable 1 is false, 2 the input, 3 the assumption, 4 the violation
CNF = "p cnf 4 6\n-1 0\n-3 2 0\n3 -2 0\n-4 1 0\n4 -1 0\n4 0\n"
TOLD: dict[str, Any] = {
    "unit": UNIT, "variables": 4, "clauses": 6,
    "obligations": [{"id": OBLIGATION, "claim": "it holds", "violated": 4}],
    "assumed": {"zap": 3}, "inputs": {"x": [2]}, "inhabitants": {"zap": {"x": 1}},
}
INDEX: dict[str, Any] = {
    "schema": SCHEMA, "tool": {"name": "pteproof", "version": "1"}, "proofs": {},
    "graph": "constants folded",
    "asked": {name: [] for name in Filters.__slots__},
    "kernel": {}, "specs": {}, "not_certified": {}, "shown": [],
}

Change = Callable[[dict[str, Any]], object]


def folder(path: Path, told: dict[str, Any], index: Change = lambda found: None,
           cnf: str = CNF, drat: str = "0\n") -> Path:
    """A folder with the one unit, and the index of what is really in it, changed at the end."""
    files = {}
    texts = {"cnf": cnf, "drat": drat, "json": json.dumps(told), "smt2": "(check-sat)\n"}
    (path / "units").mkdir()
    for kind in KINDS:
        name, data = unit_path(UNIT, kind), texts[kind].encode()
        (path / name).write_bytes(gzip.compress(data))
        files[kind] = {"path": name, "sha256": digest(data)}
    whole = {**copy.deepcopy(INDEX), "units": [{"name": UNIT, "obligations": 1, "files": files}]}
    index(whole)
    (path / "index.json").write_text(json.dumps(whole))
    return path


def test_the_least_unit_is_read(tmp_path: Path) -> None:
    found = folder(tmp_path, TOLD)
    index = read_index(found)
    (row,) = index.rows
    unit = read_unit(found, row)
    assert dict(unit.said) == {OBLIGATION: "it holds"} and len(unit.clauses) == 6
    assert index.paths() == {unit_path(UNIT, kind) for kind in KINDS}


@pytest.mark.parametrize(("change", "message"), [
    (lambda i: i.update(schema="x"), "no index of pteproof.certificates/2"),
    (lambda i: i.update(more=1), "malformed index"),
    (lambda i: i["asked"].update(more=[]), "malformed index"),
    (lambda i: i.update(units=[]), "lists no unit, or one twice"),
    (lambda i: i["units"].append(i["units"][0]), "lists no unit, or one twice"),
    (lambda i: i["units"][0].update(obligations="1"), "malformed row of a unit"),
    (lambda i: i["units"][0]["files"].pop("drat"), "malformed row of a unit"),
    (lambda i: i["units"][0]["files"]["cnf"].update(path="x"), "'x' is not where"),
    (lambda i: i["units"][0].update(name="x"), "'x' is no name of a unit"),
    (lambda i: i.update(specs=[]), "not a table of texts"),
    (lambda i: i.update(kernel={"x86": 1}), "not a table of texts"),
    (lambda i: i.update(shown="x"), "not a list of words"),
    (lambda i: i.update(units=[1]), "malformed index"),
    (lambda i: i.update(shown=[1.5]), "1.5 is no whole number"),
])
def test_an_index_that_is_malformed(tmp_path: Path, change: Change, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_index(folder(tmp_path, TOLD, change))


@pytest.mark.parametrize(("text", "message"), [
    ("[]", "not a JSON object"), ("{", "not JSON"), ('{"a": 1, "a": 2}', "key 'a' stands twice"),
])
def test_an_index_that_is_no_object(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "index.json").write_text(text)
    with pytest.raises(UsageError, match=message):
        read_index(tmp_path)


def test_a_folder_without_an_index(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a run that was stopped leaves no index"):
        read_index(tmp_path)


def changed(**values: object) -> dict[str, Any]:
    return {**copy.deepcopy(TOLD), **values}


def obligations(**values: object) -> dict[str, Any]:
    return changed(obligations=[{**TOLD["obligations"][0], **values}])


@pytest.mark.parametrize(("told", "message"), [
    (changed(more=1), "not a unit: it has other keys"),
    (obligations(more=1), "not a unit: it has other keys"),
    (changed(obligations=[1]), "not a unit: "),
    (changed(unit="x"), "what is said of the CNF is wrong"),
    (changed(clauses=7), "what is said of the CNF is wrong"),
    (changed(obligations=TOLD["obligations"] * 2), "obligations are listed twice, or not at all"),
    (changed(obligations=[]), "obligations are listed twice, or not at all"),
    (obligations(id="x86_64/pte/option-c/map/today/frame"), "is not of this unit"),
    (obligations(id="x"), "x is not of this unit"),
    (obligations(claim=""), "claims nothing"),
    (obligations(violated=3), "does not say that one of the obligations is violated"),
    (changed(assumed={}), "no set of assumptions is named"),
    (changed(assumed={"zap": 2}), "not those of assumptions and obligations"),
    (changed(inputs={}), "the inputs are not the variables that nothing defines"),
    (changed(inputs={"x": [2, 2]}), "the inputs are not the variables that nothing defines"),
    (changed(inhabitants={}), "some set of assumptions has no inhabitant"),
    (changed(inhabitants={"zap": {}}), "an inhabitant does not have exactly the inputs"),
    (changed(inhabitants={"zap": {"x": 2}}), "2 is no value of the input x"),
    (changed(inhabitants={"zap": {"x": True}}), "True is no value of the input x"),
    (changed(inhabitants={"zap": {"x": 0}}), "does not satisfy what is assumed"),
])
def test_a_unit_that_is_malformed(tmp_path: Path, told: dict[str, Any], message: str) -> None:
    found = folder(tmp_path, told)
    with pytest.raises(BadCertificate, match=message):
        read_unit(found, read_index(found).rows[0])


def test_an_inhabitant_that_violates(tmp_path: Path) -> None:
    """The obligation is violated where the input is true, as the assumption says that it is."""
    found = folder(tmp_path, TOLD, cnf=CNF.replace("-4 1 0\n4 -1 0", "-4 2 0\n4 -2 0"))
    with pytest.raises(BadCertificate, match="the inhabitant of zap violates an obligation"):
        read_unit(found, read_index(found).rows[0])


@pytest.mark.parametrize(("cnf", "drat", "message"), [
    (CNF, "x\n", "the proof is not DRAT"), (CNF, "", "the proof is not DRAT"),
    (CNF.replace("4 6", "4 7"), "0\n", "the header promises 7 clauses"),
    (CNF.replace("-1 0\n", "1 0\n", 1), "0\n", "clause 1 does not say that variable 1 is false"),
    (CNF.replace("3 -2 0", "3 -1 0"), "0\n", "clause 2 is neither part of a definition nor"),
    (CNF.replace("-3 2 0\n3 -2 0", "-2 3 0\n2 -3 0"), "0\n", "or by what comes behind it"),
])
def test_files_that_do_not_fit(tmp_path: Path, cnf: str, drat: str, message: str) -> None:
    found = folder(tmp_path, TOLD, cnf=cnf, drat=drat)
    with pytest.raises(BadCertificate, match=message):
        read_unit(found, read_index(found).rows[0])


def test_a_file_that_is_another_or_missing(tmp_path: Path) -> None:
    found = folder(tmp_path, TOLD)
    row = read_index(found).rows[0]
    (found / unit_path(UNIT, "cnf")).write_bytes(gzip.compress(b"p cnf 1 1\n1 0\n"))
    with pytest.raises(BadCertificate, match="its digest differs from the index"):
        read_unit(found, row)
    (found / unit_path(UNIT, "cnf")).write_bytes(b"plain")
    with pytest.raises(BadCertificate, match="is not packed with gzip"):
        read_unit(found, row)
    (found / unit_path(UNIT, "cnf")).unlink()
    with pytest.raises(BadCertificate, match="No such file"):
        read_unit(found, row)
