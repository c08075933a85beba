# SPDX-License-Identifier: GPL-2.0-or-later
"""Tasks in processes that may die: nothing hangs, nothing but what the dead process was at is lost.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from verifier.base.errors import SpecError, Where
from verifier.base.workers import Lost, each
from verifier.evidence.mutate import command
from verifier.evidence.mutate.command import run, text
from verifier.evidence.mutate.judge import judge as right
from verifier.evidence.mutate.mutants import Judged, Mutant
from verifier.run.library import Library


def square(n: int) -> int:
    if n == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    if n == 5:
        raise SpecError(Where("f", 1, 2), "five")
    if n == 7:
        os._exit(0)
    return n * n


@pytest.mark.parametrize("jobs", [1, 2, 20])
def test_what_dies_is_lost_alone(jobs: int) -> None:
    found = dict(each(square, range(10), jobs))
    assert found.pop(3) == Lost("its process ended with -9", killed=True)
    assert found.pop(5) == Lost("SpecError: f:1:2: error: five", killed=False)
    assert found.pop(7) == Lost("its process ended with 0", killed=True)
    assert found == {n: n * n for n in (0, 1, 2, 4, 6, 8, 9)}


def test_no_process_is_left_behind(tmp_path: Path) -> None:
    def note(n: int) -> int:
        (tmp_path / str(os.getpid())).touch()
        if n:
            time.sleep(60)
        return n

    tasks = each(note, range(3), 2)
    assert next(tasks) == (0, 0)
    tasks.close()
    for path in tmp_path.iterdir():
        with pytest.raises(ProcessLookupError):
            os.kill(int(path.name), 0)


def test_a_killed_judge_loses_its_mutant_alone(library: Library, tmp_path: Path,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["pte_mkyoung", "pte_mkold"]
    found = run(library, ["x86_64"], ["helper"], names=names, jobs=2)
    victim = found.judged[0].mutant.id

    def judge(library: Library, mutant: Mutant, *more: Any) -> Judged:
        if mutant.id == victim:
            os.kill(os.getpid(), signal.SIGKILL)
        return right(library, mutant, *more)

    monkeypatch.setattr(command, "judge", judge)
    state = tmp_path / "state"
    killed = run(library, ["x86_64"], ["helper"], names=names, jobs=2, state=state)
    assert ([j.mutant.id for j in killed.judged] == [j.mutant.id for j in found.judged]
            and len(found.judged) > 1)
    assert [(j.mutant.id, j.by) for j in killed.lost()] == [(victim, "its process ended with -9")]
    lines = list(text(killed, False))
    assert (any(line.startswith("lost") and victim in line for line in lines)
            and "1 lost." in lines[-1])
    # it is judged when the run goes on
    assert len(state.read_text().splitlines()) == len(killed.judged) - 1
