# SPDX-License-Identifier: GPL-2.0-or-later
"""What is kept to be told again: nothing whose search the clock has ended."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from verifier.cli import main
from verifier.language import read_yaml
from verifier.prove.results import OVER, Unknown, settled
from verifier.run.filters import Filters
from verifier.run.library import load_library
from verifier.run.scheduler import Options, prove


def test_a_search_that_the_clock_has_ended_is_not_settled() -> None:
    asked = Filters(("sh-64k",), ("pte",), ("page-flag",), ("today",), ("fork-pte",))
    run = prove(load_library(), asked, Options(depth=0, thorough=False))
    assert settled(run)
    for detail, kept in (("no trace", True), (f"no trace{OVER}", False),
                         (f"no trace{OVER} by steps that break nothing", False)):
        first = replace(run.results[0], verdict=Unknown("not-inductive", detail))
        assert settled(replace(run, results=[first, *run.results[1:]])) is kept


def test_what_a_bound_left_unknown_is_told_again_and_what_the_clock_left_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No seconds are a bound, and another bound, another depth and --no-cache ask anew."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    # what other tests of this process have read is no input of a command
    monkeypatch.setattr(read_yaml, "OPENED", {})
    words = ["prove", "x86_64/pte/option-c/today", "--transition", "wp-reuse"]
    bound = ("--depth", "2", "--search-seconds", "0")
    clock = ("--depth", "2", "--search-seconds", "1e-9")

    def again(*more: str) -> bool:
        found = CliRunner().invoke(main, [*words, *more])
        assert "1 unknown" in found.stdout
        return "told from the cache" in found.stderr

    assert not again(*bound) and again(*bound)
    assert not again(*clock) and not again(*clock)
    assert not again("--depth", "1", *bound[2:]) and not again(*bound, "--no-cache")
