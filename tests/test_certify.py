# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates hold where the run was right, and nothing that was tampered with does."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from certificates import FILTERS, UNIT, Forger, certify
from click.testing import Result

from verifier.base.errors import UsageError
from verifier.engine.answers import Unsat
from verifier.engine.bits_solver import BitsSolver
from verifier.evidence.certify.check import Checker, CheckerAnswer, find_checker
from verifier.evidence.certify.content import asked_for, content
from verifier.evidence.certify.dimacs import parse_cnf
from verifier.evidence.certify.files import INDEX
from verifier.evidence.certify.verify import verify
from verifier.model.spec import EFFECT
from verifier.run.filters import Filters
from verifier.run.library import Library
from verifier.run.scheduler import Options, prove

NAME = "x86_64--pte--option-c--today--clear-young"
ALONE = ["--arch", "x86_64", "--level", "pte", "--encoding", "option-c", "--code", "today",
         "--no-cache", "-q", "--jobs", "1"]


def flat(result: Result) -> str:
    """What a command printed, whatever the width of the page is."""
    return " ".join(result.output.split())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates") / "c"
    result = certify(folder, *FILTERS)
    assert result.exit_code == 0, result.output
    return folder


def test_certificates_hold_and_name_every_proof(made: Path, library: Library) -> None:
    report = verify(made, find_checker(), library)
    assert (not report.wrong and not report.unchecked and len(report.good) == 2
            and report.obligations > 20 and report.meaning)
    index = json.loads((made / INDEX).read_text())
    assert index["kernel"] == {"x86": "Linux 6.12.117"} and "specs/world.yaml" in index["specs"]
    told = json.loads(gzip.decompress((made / "units" / f"{NAME}.json.gz").read_bytes()))
    assert all("for all 64-bit entries" in o["claim"] for o in told["obligations"])
    smt = gzip.decompress((made / "units" / f"{NAME}.smt2.gz").read_bytes()).decode()
    assert smt.count("(check-sat)") == len(told["obligations"])


def test_a_unit_has_the_same_files_whatever_else_is_asked(made: Path, tmp_path: Path) -> None:
    result = certify(tmp_path / "d", *ALONE, "--transition", "clear-young")
    assert result.exit_code == 0, result.output
    found = sorted((tmp_path / "d" / "units").iterdir())
    assert len(found) == 4
    for path in found:
        assert path.read_bytes() == (made / "units" / path.name).read_bytes()


def test_what_is_asked_for_is_what_a_run_decides(library: Library) -> None:
    steps = ("init", "static", "clear-young", "hw-*")
    filters = Filters(("x86_64",), ("pte",), ("option-c",), ("today",), steps,
                      ("no-*", "frame", "*-leak", "reaches-*"))
    run = prove(library, filters, Options(depth=1, search_seconds=0))
    asked = asked_for(library, filters)
    assert set(asked) == {r.obligation.id for r in run.results}
    effects = {r.obligation.id for r in run.results if r.obligation.kind == EFFECT}
    assert {i for i, one in asked.items() if one.effect} == effects
    assert {one.kind for one in asked.values()} > {EFFECT}


def test_what_is_false_at_once_has_a_certificate_too(tmp_path: Path) -> None:
    result = certify(tmp_path / "d", *ALONE, "--transition", "tlb-flush", "--property", "frame")
    assert result.exit_code == 0 and "1 certificates of 1 obligations hold" in flat(result), (
        result.output)


def test_a_certificate_without_any_folding_holds_too(tmp_path: Path) -> None:
    result = certify(tmp_path / "d", *FILTERS, "--unfolded")
    assert result.exit_code == 0, result.output
    assert "0 do not" in result.output


@pytest.mark.parametrize(("edit", "message"), [
    (lambda text: "\n".join(line for n, line in enumerate(text.split("\n")) if n != 7), "promises"),
    (lambda text: "c hidden\n" + text, "not a header"),
    (lambda text: text + "1 0\n", "promises"),
    (lambda text: text.replace(" 0\n", " 0 \n", 1), "not a clause"),
])
def test_no_malformed_cnf_reaches_a_checker(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edit: Callable[[str], str],
    message: str
) -> None:
    """drat-trim answers 0 and VERIFIED on some of these.

    This checker verifies all that it is asked of.
    """
    folder = Path(shutil.copytree(made, tmp_path / "c"))
    Forger(folder).change("cnf", edit)
    monkeypatch.setattr(
        Checker,
        "check",
        lambda self, pairs, timeout: [CheckerAnswer("", verified=True) for _ in pairs],
    )
    report = verify(folder, Checker("x", ""), None)
    assert list(report.wrong) == [UNIT] and message in report.wrong[UNIT]


def test_a_file_that_the_index_does_not_know_does_not_hold(made: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(made, tmp_path / "c"))
    path = folder / "units" / f"{NAME}.smt2.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + b"; more\n"))
    assert "its digest differs from the index" in verify(folder, find_checker(), None).wrong[UNIT]


def test_old_certificates_make_room_for_new_ones(made: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(made, tmp_path / "c"))
    result = certify(folder, *ALONE, "--transition", "init")
    assert result.exit_code == 0 and len(list((folder / "units").iterdir())) == 4, result.output


def test_a_folder_without_an_index_is_one_error(tmp_path: Path) -> None:
    result = certify(tmp_path, "--verify")
    assert result.exit_code == 2 and "index.json" in result.output
    (tmp_path / "other").write_text("mine")
    result = certify(tmp_path, *FILTERS)
    assert result.exit_code == 2 and "has other files than certificates" in result.output
    assert (tmp_path / "other").read_text() == "mine"


def test_what_was_proved_wrongly_gets_no_certificate(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine calls everything unsatisfiable that has no model asked for, so it proves what is
    false.
    """
    right = BitsSolver.check

    def broken(self: BitsSolver, conditions: Any, names: Any = None, hard: bool = True) -> Any:
        return Unsat() if names == () else right(self, conditions, names, hard)

    monkeypatch.setattr(BitsSolver, "check", broken)
    result = certify(tmp_path / "d", "--arch", "x86_64", "--encoding", "option-c", "--code",
                     "today", "--transition", "fork-pte",
                     "--property", "no-false-exclusive", "--transition", "clear-young",
                     "--no-cache", "-q")
    assert result.exit_code == 4, result.output
    assert "fork-pte: what was proved is satisfiable" in result.output


def kill_at(monkeypatch: pytest.MonkeyPatch, module: str, unit: str) -> None:
    """The process that builds this unit is killed from outside, as a kernel out of memory does it.
    """
    right = f"verifier.evidence.certify.{module}.content"
    build = content

    def killed(library: Any, name: str, *more: Any) -> Any:
        if name == unit:
            os.kill(os.getpid(), signal.SIGKILL)
        return build(library, name, *more)

    monkeypatch.setattr(right, killed)


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_killed_worker_loses_its_unit_alone(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: str
) -> None:
    kill_at(monkeypatch, "make", UNIT)
    folder = tmp_path / "c"
    result = certify(folder, *FILTERS, "--jobs", jobs)
    assert result.exit_code == 3, result.output
    assert f"pteproof: {UNIT} has no certificate: its process ended with -9" in result.output
    index = json.loads((folder / INDEX).read_text())
    (unit,) = index["units"]
    assert unit["obligations"] > 20
    assert f"1 certificates of {unit['obligations']} obligations hold, 0 do not" in flat(result)
    left = index["not_certified"]
    assert (len(left) > 10 and set(left.values()) == {"unknown"}
            and all("/clear-young/" in i for i in left))


def test_a_killed_worker_is_no_forgery(
        made: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kill_at(monkeypatch, "verify", UNIT)
    result = certify(made, "--verify", "--jobs", "2", "--json", str(tmp_path / "j"), "--junit",
                     str(tmp_path / "x"))
    assert result.exit_code == 3
    assert f"{UNIT}: not checked: its process ended with -9" in result.output
    unchecked = json.loads((tmp_path / "j").read_text())["unchecked"]
    assert unchecked == {UNIT: "its process ended with -9"}
    suite = ElementTree.parse(tmp_path / "x").getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "0", "1")


def test_json_and_junit_say_what_does_not_hold(made: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(made, tmp_path / "c"))
    Forger(folder).change("drat", lambda text: "0\n")
    result = certify(folder, "--verify", "--json", "-", "--junit", str(tmp_path / "x"), "-q")
    assert result.exit_code == 4
    found = json.loads(result.stdout)
    assert (list(found["wrong"]) == [UNIT] and found["units"] == 1
            and found["meaning_checked"] is True)
    suite = ElementTree.parse(tmp_path / "x").getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "1", "0")


@pytest.mark.parametrize(("more", "message"), [
    (["--verify", "--arch", "x86_64"], "--arch has no meaning with --verify"),
    (["--verify", "--depth", "3"], "--depth has no meaning with --verify"),
    (["--verify", "--unfolded"], "--unfolded has no meaning with --verify"),
    (["--files-only"], "--files-only goes with --verify"),
    (["--sarif", "f"], "--sarif"),
    (["--helpers", "kernel", "--tree", "."], "certificates are of arch/'s helpers"),
])
def test_an_option_that_would_change_nothing_is_an_error(
        tmp_path: Path, more: list[str], message: str
) -> None:
    result = certify(tmp_path / "d", *more)
    assert result.exit_code == 2 and message in result.output


def a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> Checker:
    """A drat-trim that is this shell script."""
    script = tmp_path / "drat-trim"
    script.write_text(f"#!/bin/sh\n{text}\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return find_checker("drat-trim")


@pytest.mark.parametrize(("text", "rejected"), [
    ("printf 's VERIFIED \\n'", False), ("printf 's NOT VERIFIED\\n'; exit 1", True),
    ("printf 's NOT VERIFIED\\n'", False),
    ("printf 'c s VERIFIED\\n'", False), ("exit 0", False),
    ("printf 's VERIFIED\\ns VERIFIED\\n'", False),
    ("printf 's VERIFIED\\n'; exit 1", False), ("printf 's TIMEOUT\\n'", False),
    ("kill -9 $$", False),
])
def test_a_checkers_answer_counts_by_its_exact_words_and_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, rejected: bool
) -> None:
    (said,) = a_program(tmp_path, monkeypatch, text).check([(tmp_path / "a", tmp_path / "b")], 5)
    assert (not said.verified and said.rejected == rejected
            and said.words.startswith("drat-trim says"))
    (said,) = a_program(tmp_path, monkeypatch,
                        "echo 's VERIFIED'").check([(tmp_path / "a", tmp_path / "b")], 5)
    assert said.verified and not said.words


def test_a_checker_that_gives_no_answer_is_no_forgery(
        made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_program(tmp_path, monkeypatch, "kill -9 $$")
    result = certify(made, "--verify", "--checker", "drat-trim")
    assert result.exit_code == 3
    assert f"{UNIT}: not checked: drat-trim says [] with code -9" in flat(result)


def test_the_checker_can_be_chosen_and_is_named(
        made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_program(tmp_path, monkeypatch, "echo 's VERIFIED'")
    for name, said in (("auto", "drat-trim ("), ("drat-trim", "drat-trim ("),
                       ("dratify", "dratify 0")):
        result = certify(made, "--verify", "--files-only", "--checker", name)
        assert result.exit_code == 0 and f"proofs checked by {said}" in flat(result), result.output


def test_drat_trim_agrees(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real one where it is on PATH.

    Elsewhere asking for it is one line that says how to get it.
    """
    if shutil.which("drat-trim") is None:
        result = certify(made, "--verify", "--checker", "drat-trim")
        assert (result.exit_code == 2
                and "drat-trim is not on PATH: install Debian's package drat-trim" in result.output)
        return
    report = verify(made, find_checker("drat-trim"), None)
    assert len(report.good) == 2 and report.checker.startswith("drat-trim")
    folder = Path(shutil.copytree(made, tmp_path / "c"))
    Forger(folder).change("drat", lambda text: "0\n")
    wrong = verify(folder, find_checker("drat-trim"), None).wrong
    assert "drat-trim says ['s NOT VERIFIED'] with code 1" in wrong[UNIT]


def test_dratify_goes_on_behind_what_it_died_of(
        made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its script kills itself at one of three pairs; the others are answered."""
    script = ("import os, sys\nfor line in sys.stdin:\n"
              "    os.kill(os.getpid(), 9) if 'bad' in line else print('s VERIFIED', flush=True)\n")
    monkeypatch.setattr("verifier.evidence.certify.check._DRATIFY", script)
    said = find_checker("dratify").check([(Path(name), Path("p"))
                                          for name in ("one", "bad", "two")], 5)
    assert ([s.verified for s in said] == [True, False, True]
            and said[1].words == "dratify died with -9")


def test_no_checker_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verifier.evidence.certify.check.checkers", list)
    with pytest.raises(UsageError, match="no checker of proofs"):
        find_checker()
    with pytest.raises(UsageError, match="dratify is not installed"):
        find_checker("dratify")


def test_a_large_cnf_with_a_wrong_line_points_at_it() -> None:
    text = "p cnf 9 3\n1 2 0\n3 x 0\n4 0\n"
    with pytest.raises(UsageError, match=r"f:3:1: error: not a clause"):
        parse_cnf(text, "f")
