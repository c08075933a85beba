# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/mm-functions.md says what the records of verifier/kernel/mm say."""

from __future__ import annotations

from pathlib import Path

import pytest

from verifier.kernel.mm.read_functions import load_calls, load_functions
from verifier.meeting.mm.page import functions_page
from verifier.run.library import load_library

PAGE = Path(__file__).resolve().parent.parent / "docs/mm-functions.md"


def test_the_page_is_made_of_the_records(request: pytest.FixtureRequest) -> None:
    text = functions_page(load_functions().values(), load_calls()[1])
    if request.config.getoption("--update-docs"):
        PAGE.write_text(text, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == text


def test_records_name_steps_effects_observations_and_variants_that_there_are() -> None:
    library = load_library()
    variants = {v.name for v in library.variants()}
    for f in load_functions().values():
        step = library.spec.transitions[f.transition]
        assert {a.input for a in f.entries()} <= set(step.roles), f.name
        assert f.unreached.keys() <= {effect.name for effect in step.reaches}, f.name
        assert (f.always.keys() | f.never.keys()) <= library.spec.observations.keys(), f.name
        assert f.variants and set(f.variants) <= variants, f.name
        assert set(f.compare) <= f.world.flags.keys(), f.name
