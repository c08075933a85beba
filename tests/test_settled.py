# SPDX-License-Identifier: GPL-2.0-or-later
"""What is kept to be told again: nothing whose search the clock has ended."""

from __future__ import annotations

from dataclasses import replace

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
