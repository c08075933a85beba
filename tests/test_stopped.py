# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs that are stopped: at any moment, soon, with exit code 130.

In every format what was not decided is not decided.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from verifier.cli import main
from verifier.model.arch import Layout
from verifier.model.laws import Law
from verifier.model.step import asked, step_names
from verifier.prove.obligations import Group
from verifier.prove.results import Run, exit_code
from verifier.report.forms import json_parts, junit_parts, prove_text, sarif_parts
from verifier.report.result_json import schema
from verifier.run.filters import Filters
from verifier.run.library import Library
from verifier.run.scheduler import Options, Stopped, nothing, prove

FORMATS = ("json", "junit", "sarif")
LATE = 10.0  # seconds: two on a machine of one's own
# What is patched into the program says where it is, and waits there until it is stopped.
WAIT = "import sys, time; sys.stderr.write('here\\n'); sys.stderr.flush(); time.sleep(60)"
AT = {
    "reading": f"import verifier.run.library as m\ndef wait(*a):\n {WAIT}\nm.load_library = wait",
    "typing": f"import verifier.run.library as m\ndef wait(*a):\n {WAIT}\nm.Library.check = wait",
    "deciding": ("import verifier.run.task_processes as m\nreal = m.TaskProcesses._tell\n"
                 "def wait(self, result):\n real(self, result)\n"
                 f" if len(self.results) == 40:\n  {WAIT}\nm.TaskProcesses._tell = wait"),
}


def stopped(folder: Path, at: str, request: signal.Signals,
            *words: str) -> tuple[int, str, str, dict[str, Path]]:
    """Exit code, standard output and error, and files of a command that was stopped where `at`
    says.
    """
    files = {name: folder / name for name in FORMATS}
    options = [word for name in FORMATS for word in (f"--{name}", str(files[name]))]
    program = f"{AT[at]}\nfrom verifier.cli import main\nmain({[*words, *options]!r})"
    run = subprocess.Popen(["env", "--default-signal=INT,HUP,TERM", sys.executable, "-c", program],
                           stdout=subprocess.PIPE,
                           # a job in the background would ignore it
                           stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert run.stderr is not None and run.stderr.readline() == "here\n"
    start = time.monotonic()
    os.kill(run.pid, request)
    told, errors = run.communicate(timeout=60)
    assert time.monotonic() - start < LATE
    with pytest.raises(ProcessLookupError):
        os.killpg(run.pid, 0)
    return run.returncode, told, errors, files


@pytest.mark.parametrize("request_to_stop", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("at", AT)
def test_a_stopped_run_is_green_nowhere(tmp_path: Path, at: str,
                                        request_to_stop: signal.Signals) -> None:
    words = ("prove", "--arch", "x86_64", "--level", "pte", "--encoding", "option-c", "--code",
             "option-c", "--no-cache", "--jobs", "1")
    code, told, errors, files = stopped(tmp_path, at, request_to_stop, *words)
    assert code == 130 and len(errors.splitlines()) == 1 and errors.startswith("pteproof: stopped")
    found = json.loads(files["json"].read_text())
    jsonschema.validate(found, schema())
    assert ("catalogue" in found["coverage"]) is (at != "reading")  # which was not read yet
    assert not found["complete"] and found["stopped"].startswith("stopped by")
    assert (found["summary"]["undecided"] is None if at == "reading"
            else found["summary"]["undecided"] > 1000)
    assert ([(t["verdict"], t["whole"]) for t in found["theorems"]] == (
        [] if at == "reading" else [("unknown", False)]
    ))
    decided = len(found["failures"]) + sum(len(p["proved"]) for p in found["proofs"])
    assert decided >= 40 if at == "deciding" else decided == 0
    root = ET.parse(files["junit"]).getroot()
    assert (
        int(root.attrib["errors"]) == len(list(root.iter("error"))) == (1 if at == "reading" else 2)
    )
    sarif = json.loads(files["sarif"].read_text())["runs"][0]["invocations"][0]
    assert (not sarif["executionSuccessful"]
            and sarif["toolExecutionNotifications"][0]["level"] == "error")
    if at != "reading":
        assert f"{found['summary']['undecided']} are not" in errors
        told_by_junit = next(root.iter("error")).attrib["message"]
        assert f"{found['summary']['undecided']} obligations are not decided" in told_by_junit
        assert (
            len(told.splitlines()) < 24 and f"{found['summary']['undecided']} not decided" in told
        )


def test_what_was_not_reached_is_one_line(library: Library) -> None:
    run = nothing(library, Filters(), "stopped")
    assert len(run.theorems) > 700 and exit_code(run) == 130
    counted = [t.undecided for t in run.theorems if t.undecided is not None]
    assert run.undecided is None and 0 < len(counted) < len(run.theorems) and min(counted) > 10
    text = prove_text(library, run, False, False, False)
    assert f"not reached: {len(run.theorems)} theorems" in text and len(text.splitlines()) < 8


def test_what_is_counted_is_what_is_asked(library: Library) -> None:
    """Also at levels that stand beside another, and where filters leave little."""
    few = Filters(("riscv64",), ("pmd",), ("option-c",), ("option-c",),
                  ("init", "static", "fork-*", "hw-*"), ("*e*",))
    for filters in (few, Filters(("sh-64k",), ("pte",), ("page-flag",), (), (), ("frame",))):
        run = prove(library, filters, Options(depth=1))
        assert [t.undecided for t in run.theorems] == [0] and len(run.results) > 20
    group = Group("sh", "pte", "page-flag", "today")
    model = library.group_model(group)
    every = sum(len(asked(model, name, "today")) for name in step_names(model))
    assert every > 1000 > len(asked(model, "init", "today")) > 5


def test_a_group_that_died_is_green_nowhere(library: Library,
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    """Without anybody's request: a process that died while it built its questions."""
    from verifier.prove.bits_way import GroupProver

    def die(self: GroupProver, *args: object) -> None:
        os._exit(9)

    monkeypatch.setattr(GroupProver, "__init__", die)
    run = prove(library, Filters(("sh-64k",), ("pte",), ("page-flag",), ("today",)), Options())
    check: dict[str, Callable[[str], bool]] = {
        "json": lambda text: not json.loads(text)["complete"]
        and json.loads(text)["theorems"][0]["verdict"] == "unknown",
        "junit": lambda text: len(list(ET.fromstring(text).iter("error"))) == 3,
        "sarif": lambda text: not json.loads(text)["runs"][0]["invocations"][0][
            "executionSuccessful"
        ],
    }
    assert (exit_code(run) == 4 and run.undecided is not None and run.undecided > 1000
            and not run.stopped)
    for name, render in (("json", json_parts), ("junit", junit_parts), ("sarif", sarif_parts)):
        assert check[name]("".join(render(library, run)))


def test_a_stopped_search_tells_the_values_that_it_has(library: Library,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    from verifier.search.trace import Search

    def ask(self: object, left: object, limit: object) -> None:
        os.kill(os.getppid(), signal.SIGINT)
        time.sleep(600)

    monkeypatch.setattr(Search, "find", ask)
    monkeypatch.setattr(Library, "sequences", lambda self: {})
    filters = Filters(("x86_64",), ("pte",), ("option-c",), ("today",), ("fork-pte",))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(Stopped) as caught:
            prove(library, filters, Options())
    finally:
        signal.signal(signal.SIGINT, before)
    run: Run = caught.value.run
    reasons = {getattr(r.verdict, "reason", "") for r in run.results}
    assert reasons == {"", "stopped"} and not run.undecided and exit_code(run) == 130


@pytest.mark.parametrize("name", ["z3", "bits"])
def test_a_solver_that_hears_an_interrupt_hands_it_on(name: str) -> None:
    """Both install handlers of their own while they search."""
    words = f"""
import os, random, signal, sys, time
from verifier.engine.bits import Bits
from verifier.engine.bits_solver import BitsSolver
from verifier.engine.terms import z3_solver
signal.signal(signal.SIGINT, signal.default_int_handler)
if {name == 'z3'}:
    from verifier.engine.terms import Terms
    alg = Terms()
    solver = z3_solver(alg, incremental=False, timeout=60)
else:
    alg = Bits()
    solver = BitsSolver(alg, "minisat22")
x, y = (alg.input_word(n, 64) for n in "xy")
small = [alg.ult(alg.word(1, 64), v, 64) for v in (x, y)]
small += [alg.ult(v, alg.word(1 << 33, 64), 64) for v in (x, y)]
hard = [alg.eq(alg.mul(x, y, 64), alg.word(0xc0ffee1234567891, 64), 64), *small]
pid = os.getpid()
if os.fork() == 0:
    time.sleep(1.5)
    os.kill(pid, signal.SIGINT)
    os._exit(0)
try:
    print(solver.check(hard))
except KeyboardInterrupt:
    print("heard")
"""
    found = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True,
                           timeout=60, check=False)
    assert found.stdout == "heard\n", found.stderr


def test_laws_that_were_stopped_are_green_nowhere(tmp_path: Path,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    from verifier.kernel.conform import laws

    real, judged = laws.judge_law, list[str]()

    def judge(law: Law, layout: Layout, *more: object) -> laws.LawResult:
        judged.append(layout.variant.name)
        if layout.variant.name == "sh":
            raise KeyboardInterrupt
        return real(law, layout, None)

    monkeypatch.setattr(laws, "judge_law", judge)
    names = tmp_path / "json", tmp_path / "junit"
    words = ("laws", "--helpers", "yaml", "--arch", "nios2", "--arch", "sh", "--law", "*young*")
    found = CliRunner().invoke(main, [*words, "--json", str(names[0]), "--junit", str(names[1])])
    assert (found.exit_code == 130 and len(found.stderr.splitlines()) == 1
            and "variants have no answer" in found.stderr)
    told = json.loads(names[0].read_text())
    assert (told["exit"] == 130 and "sh" in told["undecided"]
            and {r["variant"] for r in told["results"]} >= {"nios2"})
    errors = list(ET.parse(names[1]).getroot().iter("error"))
    assert (len(errors) == len(told["undecided"]) and all("not judged" in error.attrib["message"]
                                                          for error in errors))
