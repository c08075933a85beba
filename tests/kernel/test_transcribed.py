# SPDX-License-Identifier: GPL-2.0-or-later
"""The steps of races stand in the kernel's functions that they name, in their order."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from verifier.base.data import data_folder
from verifier.races.race import Races
from verifier.races.read_races import load_races
from verifier.races.transcribed import transcription_errors

TREE = os.environ.get("KERNEL_TREE")
pytestmark = pytest.mark.skipif(TREE is None, reason="needs a kernel tree: KERNEL_TREE")


def errors(races: Races) -> list[str]:
    assert TREE is not None
    return transcription_errors(races, Path(TREE))


def planted(folder: Path, old: str, new: str) -> list[str]:
    """What is found of the races with one text changed, wherever it stands."""
    text = (data_folder("specs") / "races.yaml").read_text(encoding="utf-8")
    assert old in text, "the text has changed: plant the mistake anew"
    (folder / "specs").mkdir()
    (folder / "specs" / "races.yaml").write_text(text.replace(old, new), encoding="utf-8")
    return errors(load_races(folder / "specs"))


def test_every_step_stands_where_it_says() -> None:
    races = load_races(data_folder("specs"))
    assert errors(races) == []
    barriers = [step for thread in races.threads.values() for step in thread.steps
                if step.kind == "barrier"]
    assert not [step for step in barriers if not step.source], "a barrier names its function"


@pytest.mark.parametrize(("old", "new", "message"), [
    pytest.param("mm/gup.c:try_get_folio", "mm/gup.c:try_get_folios",
                 "no function mm/gup.c:try_get_folios", id="a function that is not there"),
    pytest.param("calls: [smp_load_acquire]", "calls: [smp_rmb]",
                 "__seqprop_sequence has no smp_rmb", id="another barrier"),
    pytest.param("calls: [pte_is_pinned, ptep_modify_prot_start]",
                 "calls: [ptep_modify_prot_start, pte_is_pinned]",
                 "pte_is_pinned stands before", id="another order"),
    pytest.param("site: mm/gup.c:gup_fast_pmd_leaf", "site: mm/gup.c:gup_fast_leaf",
                 "no function mm/gup.c:gup_fast_leaf", id="a site that is not there"),
])
def test_a_wrong_transcription_is_found(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert any(message in error for error in planted(tmp_path, old, new))
