# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates hold where the run was right, and nothing that was tampered with does."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from verifier.certify.check import Checker, find_checker
from verifier.certify.dimacs import parse_cnf
from verifier.certify.make import INDEX, digest
from verifier.certify.verify import verify
from verifier.cli import main
from verifier.errors import UsageError
from verifier.solve import BitsSolver, Unsat

FILTERS = ["--arch", "x86_64", "--level", "pte", "--encoding", "option-c", "--code", "today", "--transition", "clear-young",
           "--transition", "init", "--jobs", "1", "--no-cache", "-q"]
UNIT = "x86_64--pte--option-c--today--clear-young"


def certify(folder: Path, *more: str) -> Any:
    return CliRunner().invoke(main, ["certify", str(folder), *more])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates") / "c"
    result = certify(folder, *FILTERS)
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    for path in made.rglob("*"):
        if path.is_file():
            target = tmp_path / path.relative_to(made)
            target.parent.mkdir(exist_ok=True, parents=True)
            target.write_bytes(path.read_bytes())
    return tmp_path


def change(folder: Path, kind: str, edit: Callable[[str], str], rehash: bool = True) -> None:
    """Change a file of the unit, and its hash in the index with it."""
    path = folder / "units" / f"{UNIT}.{kind}.gz"
    data = edit(gzip.decompress(path.read_bytes()).decode()).encode()
    path.write_bytes(gzip.compress(data))
    if rehash:
        index = json.loads((folder / INDEX).read_text())
        row = next(r for r in index["units"] if r["files"][kind]["path"].endswith(path.name))
        row["files"][kind]["sha256"] = digest(data)
        (folder / INDEX).write_text(json.dumps(index))


def wrong(folder: Path) -> dict[str, str]:
    return verify(folder, find_checker()).wrong


def test_certificates_hold_and_name_every_proof(made: Path) -> None:
    report = verify(made, find_checker())
    assert not report.wrong and report.units == 2 and report.obligations > 20
    index = json.loads((made / INDEX).read_text())
    assert index["kernel"] == {"x86": "Linux 6.12.117"} and "specs/world.yaml" in index["specs"]
    told = json.loads(gzip.decompress((made / "units" / f"{UNIT}.json.gz").read_bytes()))
    assert all("for all 64-bit entries" in o["claim"] for o in told["obligations"])
    smt = gzip.decompress((made / "units" / f"{UNIT}.smt2.gz").read_bytes()).decode()
    assert smt.count("(check-sat)") == len(told["obligations"])


def test_the_same_specs_give_the_same_files(made: Path, tmp_path: Path) -> None:
    assert certify(tmp_path / "d", *FILTERS).exit_code == 0
    for path in (made / "units").iterdir():
        assert path.read_bytes() == (tmp_path / "d" / "units" / path.name).read_bytes()


def test_a_certificate_without_any_folding_holds_too(tmp_path: Path) -> None:
    result = certify(tmp_path / "d", *FILTERS, "--unfolded")
    assert result.exit_code == 0, result.output
    assert "0 do not" in result.output


def drop_line(number: int) -> Callable[[str], str]:
    return lambda text: "\n".join(line for n, line in enumerate(text.split("\n")) if n != number)


def other_last_clause(text: str) -> str:
    lines = text.rstrip("\n").split("\n")
    return "\n".join([*lines[:-1], "1 0"]) + "\n"


def describe(**changes: Any) -> Callable[[str], str]:
    return lambda text: json.dumps(json.loads(text) | changes)


def all_zero(text: str) -> str:
    told = json.loads(text)
    told["inhabitants"] = {label: dict.fromkeys(found, 0) for label, found in told["inhabitants"].items()}
    return json.dumps(told)


@pytest.mark.parametrize(("kind", "edit", "message"), [
    ("drat", lambda text: "0\n", " says "),
    ("drat", lambda text: "hello\n", "not DRAT"),
    ("drat", lambda text: "1 0 0\n0\n", "not DRAT"),
    ("cnf", drop_line(7), "promises"),
    ("cnf", other_last_clause, "does not say that one of the obligations is violated"),
    ("cnf", lambda text: text.replace("\n1 0\n", "\n-1 0\n").replace("\n-1 0\n", "\n1 0\n", 1), "the inhabitant of"),
    ("cnf", lambda text: "c hidden\n" + text, "not a header"),
    ("json", describe(unit="another"), "not what it is"),
    ("json", describe(obligations=[]), "told twice, or not at all"),
    ("json", describe(assumed={}), "nothing is assumed"),
    ("json", all_zero, "does not satisfy what is assumed"),
    ("json", lambda text: "[]", "not a unit"),
    ("json", lambda text: text.replace("clear-young/today", "zap/today"), "not of this unit"),
])
def test_what_was_tampered_with_does_not_hold(copy: Path, kind: str, edit: Callable[[str], str], message: str) -> None:
    change(copy, kind, edit)
    found = wrong(copy)
    assert list(found) == [UNIT.replace("--", "/")] and message in found[UNIT.replace("--", "/")]


def test_a_file_that_the_index_does_not_know_does_not_hold(copy: Path) -> None:
    change(copy, "smt2", lambda text: text + "; more\n", rehash=False)
    assert "not those that the index has" in wrong(copy)[UNIT.replace("--", "/")]


def test_an_index_cannot_lead_out_of_its_folder(copy: Path) -> None:
    text = (copy / INDEX).read_text().replace(f"units/{UNIT}.cnf.gz", "units/../../etc/passwd.cnf.gz")
    (copy / INDEX).write_text(text)
    assert "is no file of a unit" in wrong(copy)[UNIT.replace("--", "/")]


def test_a_folder_without_an_index_is_one_error(tmp_path: Path) -> None:
    result = certify(tmp_path, "--verify")
    assert result.exit_code == 2 and "index.json" in result.output
    (tmp_path / "other").write_text("mine")
    result = certify(tmp_path, *FILTERS)
    assert result.exit_code == 2 and "holds something else" in result.output
    assert (tmp_path / "other").read_text() == "mine"


def test_what_was_proved_wrongly_gets_no_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine calls everything unsatisfiable that has no model asked for, so it proves what is false."""
    right = BitsSolver.check

    def broken(self: BitsSolver, conditions: Any, names: Any = None) -> Any:
        return Unsat() if names == () else right(self, conditions, names)

    monkeypatch.setattr(BitsSolver, "check", broken)
    result = certify(tmp_path / "d", "--arch", "x86_64", "--encoding", "option-c", "--code", "today", "--transition", "fork-pte",
                     "--property", "no-false-exclusive", "--transition", "clear-young", "--no-cache", "-q")
    assert result.exit_code == 4, result.output
    assert "fork-pte: what was proved is satisfiable" in result.output


@pytest.mark.parametrize("answer", ["s VERIFIED \n", "s NOT VERIFIED\n", "c s VERIFIED\n", "", "s VERIFIED\ns VERIFIED\n"])
def test_a_checkers_answer_counts_by_its_exact_words(
    answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "drat-trim"
    script.write_text(f"#!/bin/sh\nprintf '%s' '{answer}'\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    said = Checker("drat-trim", "x").check([(tmp_path / "a", tmp_path / "b")], 5)
    assert said[0] and said[0].startswith("drat-trim says")
    script.write_text("#!/bin/sh\necho 's VERIFIED'\nexit 1\n")
    assert "with code 1" in Checker("drat-trim", "x").check([(tmp_path / "a", tmp_path / "b")], 5)[0]


def test_no_checker_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verifier.certify.check.checkers", list)
    with pytest.raises(UsageError, match="no checker of proofs"):
        find_checker()


def test_a_large_cnf_with_a_wrong_line_points_at_it() -> None:
    text = "p cnf 9 3\n1 2 0\n3 x 0\n4 0\n"
    with pytest.raises(UsageError, match=r"f:3:1: error: not a clause"):
        parse_cnf(text, "f")
