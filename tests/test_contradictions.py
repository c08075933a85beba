# SPDX-License-Identifier: GPL-2.0-or-later
"""An error of the tool's own is one obligation's: it ends in exit 4, and what else was decided is
kept and written.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import pytest

import verifier.prove.builder
from verifier.base.errors import SolverError, SpecError, UsageError, Where, internal
from verifier.model.step import run as one_step
from verifier.prove.bits_way import GroupProver
from verifier.prove.results import Refuted, Run, Unknown, exit_code, verdict_name
from verifier.report.forms import json_parts
from verifier.run.filters import Filters
from verifier.run.library import Library
from verifier.run.scheduler import Options, prove
from verifier.search.consequence import Consequences
from verifier.search.trace import Search

GOOD = Filters(("x86_64",), ("pte",), ("option-c",), ("option-c",), ("tlb-flush", "fork-copy"))
BAD = Filters(("x86_64",), ("pte",), ("option-c",), ("today",), ("fork-pte",))
PINS = "tlb-flush/option-c/pin-stays"


def failed(run: Run) -> dict[str, Unknown]:
    """What went wrong, by obligation; the same is in the file of results."""
    unknown = {r.obligation.id: r.verdict for r in run.results if isinstance(r.verdict, Unknown)}
    found = {identity: verdict for identity, verdict in unknown.items()
             if verdict.reason == "contradiction"}
    assert exit_code(run) == 4 and len(run.contradictions) >= len(found)
    assert (all(any(what.startswith(f"{identity}: ") for what in run.contradictions)
                for identity in found))
    return found


def instead(monkeypatch: pytest.MonkeyPatch, where: Any, name: str, do: Callable[..., None],
            when: Callable[..., bool]) -> None:
    """A function that does something else first, on some arguments."""
    real = getattr(where, name)

    def changed(*args: Any, **named: Any) -> Any:
        if when(*args, **named):
            do()
        return real(*args, **named)

    monkeypatch.setattr(where, name, changed)


def raising(error: BaseException) -> Callable[[], None]:
    def do() -> None:
        raise error
    return do


@pytest.mark.parametrize("error", [SolverError("it broke"), AssertionError("so not"),
                                   RecursionError("deep"), MemoryError()])
def test_an_error_while_deciding_is_that_obligations(
    library: Library, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    instead(monkeypatch, GroupProver, "decide", raising(error), lambda self, q,
            *_: q.id.endswith(PINS))
    run = prove(library, GOOD, Options())
    (identity,) = failed(run)
    assert identity == "x86_64/pte/option-c/tlb-flush/option-c/pin-stays"
    assert (len(run.contradictions) == 1
            and run.contradictions[0].startswith(f"{identity}: {internal(error)}"))
    others = [verdict_name(r.verdict) for r in run.results if r.obligation.id != identity]
    assert len(others) > 40 and set(others) == {"proved"} and not run.unfinished
    assert {t.verdict for t in run.theorems} == {"unknown"}
    written = json.loads("".join(json_parts(library, run)))
    assert written["contradictions"] == list(run.contradictions) and len(written["failures"]) == 1
    assert sum(len(p["proved"]) for p in written["proofs"]) == len(others)


def test_an_error_while_a_step_is_built_is_that_transitions(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert vars(verifier.prove.builder)["run"] is one_step
    deep = raising(RecursionError("deep"))
    instead(monkeypatch, verifier.prove.builder, "run", deep, lambda model, alg, state, i,
            *_: i.name == "tlb-flush")
    run = prove(library, GOOD, Options())
    found = failed(run)
    assert len(found) > 20 and all("/tlb-flush/" in identity for identity in found)
    others = {
        verdict_name(r.verdict) for r in run.results if r.obligation.transition == "fork-copy"
    }
    assert others == {"proved"} and len(run.results) == len({r.obligation.id for r in run.results})


def test_an_error_of_a_search_is_that_obligations_and_others_have_their_traces(
    library: Library, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Library, "sequences", lambda self: {})
    before = {r.obligation.id: r.verdict for r in prove(library, BAD, Options()).results
              if isinstance(r.verdict, Refuted)}
    broken = raising(SolverError("no such trace"))
    instead(monkeypatch, Search, "_trace", broken, lambda self, values, last,
            prop: prop == "no-false-exclusive")
    run = prove(library, BAD, Options())
    (identity,) = failed(run)
    assert identity.endswith("/fork-pte/today/no-false-exclusive") and identity in before
    left = {r.obligation.id for r in run.results if isinstance(r.verdict, Refuted)
            and r.verdict.counterexample.trace}
    assert left == before.keys() - {identity} and left


def test_an_error_in_what_a_failure_leads_to_does_not_lose_the_failure(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    instead(monkeypatch, Consequences, "of", raising(MemoryError()), lambda self, *_: True)
    run = prove(library, BAD, Options(depth=4))
    assert not failed(run) and exit_code(run) == 4
    refuted = {r.obligation.id for r in run.results if isinstance(r.verdict, Refuted)}
    assert refuted and {what.split(": ")[0] for what in run.contradictions} <= refuted


def test_a_crash_names_the_obligation(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    instead(monkeypatch, GroupProver, "decide", lambda: os._exit(7), lambda self, q,
            *_: q.id.endswith(PINS))
    run = prove(library, GOOD, Options())
    (identity,) = failed(run)
    assert identity.endswith(PINS) and "died with 7" in run.contradictions[0]
    assert (
        {verdict_name(r.verdict) for r in run.results if r.obligation.id != identity} == {"proved"}
    )


def test_what_a_user_can_mend_stays_a_usage_error(library: Library,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = raising(SpecError(Where("specs/x.yaml", 3, 1), "no such word"))
    instead(monkeypatch, GroupProver, "decide", wrong, lambda self, *_: True)
    with pytest.raises(UsageError, match=r"x\.yaml:3:1: error: no such word"):
        prove(library, GOOD, Options())
