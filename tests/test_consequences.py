# SPDX-License-Identifier: GPL-2.0-or-later
"""What a failure leads to is shown only where it does not come about without it.

What else fails on the way is named.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import verifier.search.endings
import verifier.search.near
from verifier.prove.obligations import Group
from verifier.prove.recompute import replay, step_move
from verifier.prove.results import Counterexample, Refuted, Run
from verifier.report.explain import consequence_words, explain_text
from verifier.report.forms import json_parts
from verifier.run.filters import Filters
from verifier.run.library import Library
from verifier.run.scheduler import Options, prove
from verifier.search.consequence import Consequences
from verifier.search.sequences import steps_named

GROUP = Group("x86_64", "pte", "page-flag", "today")
UNSHARED = ("fork-pte[AB]", "madvise-free[B]", "lazyfree-discard[A]")


@pytest.fixture(scope="module")
def unshared(library: Library) -> Run:
    filters = Filters(("x86_64",), ("pte",), ("page-flag",), ("today",), ("wp-copy",),
                      ("no-lost-dirty",))
    return prove(library, filters, Options())


def counterexample(run: Run) -> Counterexample:
    (result,) = run.results
    assert isinstance(result.verdict, Refuted)
    return result.verdict.counterexample


def test_an_unshared_copy_is_lost_in_three_steps_and_what_fails_on_the_way_is_named(
    library: Library, unshared: Run
) -> None:
    found, model = counterexample(unshared), library.group_model(GROUP)
    assert (
        [m.transition for m in found.leads_to] == ["fork-pte", "madvise-free", "lazyfree-discard"]
    )
    assert found.consequence == "dropped-newer" and not found.searched
    # a copy of that page would be no loss
    assert all(m.transition != "zero-page-fault" for m in found.trace)
    state = dict(found.move.after)
    for move in found.leads_to:  # with plain integers
        assert dict(move.before) == state
        violated, allowed, state = replay(model, GROUP, move)
        assert allowed and dict(move.after) == state
    assert "dropped-newer" in violated
    base = "x86_64/pte/page-flag"
    assert ({f"{base}/fork-pte/today/no-lost-dirty",
             f"{base}/madvise-free/today/no-lost-dirty"} <= set(found.unproved))
    assert not any("lazyfree-discard" in name for name in found.unproved)  # it is proved
    text = " ".join(explain_text(library, unshared.results[0]).split())
    assert "do not end so" in text and all(name in text for name in found.unproved)
    assert f'"unproved":["{found.unproved[0]}"' in "".join(json_parts(library, unshared))


def test_what_comes_about_without_the_failure_is_not_its_consequence(
    library: Library, unshared: Run
) -> None:
    """A step that does no harm, taken where the harm is done already."""
    model, found = library.group_model(GROUP), counterexample(unshared).move
    path = steps_named(model, ("clear-young[A]",))
    assert path is not None
    harmless = step_move(model, GROUP, path[0], dict(found.after), {})
    assert replay(model, GROUP, harmless)[1]
    consequences = Consequences(model, GROUP)
    assert (consequences.again(harmless, consequences.of(found, known=[UNSHARED],
                                                         depth=0).steps)[1] == "dropped-newer")
    end = consequences.of(harmless, known=[UNSHARED], depth=0)
    assert (end.steps, end.ends, end.rejected) == ((), "", 1)


def test_what_a_later_step_does_alone_is_not_its_consequence(library: Library) -> None:
    """A breakpoint makes the same clean copy, whatever was before it."""
    model = library.group_model(GROUP)
    consequences = Consequences(model, GROUP)
    alone, not_alone = steps_named(model, ("uprobe-replace[A+]", *UNSHARED)), steps_named(
        model, ("tlb-flush[A]", UNSHARED[2])
    )
    assert alone is not None and not_alone is not None
    assert consequences._alone(alone) and not consequences._alone(not_alone)


def test_where_the_solver_gives_up_nothing_is_shown(library: Library, unshared: Run,
                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    real = verifier.search.endings._ending

    def gives_up(model: Any, group: Any, graph: Any, start: Any, path: Any, limit: int,
                 bad: Any = None) -> Any:
        return (None, False) if limit else real(model, group, graph, start, path, limit, bad)

    monkeypatch.setattr(verifier.search.endings, "_ending", gives_up)
    end = Consequences(library.group_model(GROUP), GROUP).of(
        counterexample(unshared).move, known=[UNSHARED], depth=0
    )
    assert not end.steps and end.rejected == 1


def test_the_search_finds_it_and_says_how_far_it_went(library: Library, unshared: Run,
                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    consequences = Consequences(library.group_model(GROUP), GROUP)
    move = counterexample(unshared).move
    short = consequences.of(move, depth=2)
    assert not short.steps and short.searched == 2
    assert len(consequences.of(move).steps) == 3
    monkeypatch.setattr(verifier.search.near, "TRIES", 0)
    anew = Consequences(library.group_model(GROUP), GROUP)
    assert anew.of(move).searched == 0  # nothing was tried, and so nothing searched in vain


def test_a_bad_state_is_searched_once_and_another_one_anew(
    library: Library, unshared: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One from which the state before, or what was tried, differs is another one."""
    real, begun = verifier.search.near.Near, []

    def near(*args: Any) -> Any:
        begun.append(args)
        return real(*args)

    monkeypatch.setattr("verifier.search.consequence.Near", near)
    consequences = Consequences(library.group_model(GROUP), GROUP)
    move = counterexample(unshared).move
    first = consequences.of(move, depth=1)
    assert consequences.of(move, depth=1) == first and len(begun) == 1
    assert consequences.of(replace(move, transition="uprobe-replace"), depth=1) == first
    assert len(begun) == 1
    for other in (replace(move, before=move.after),
                  replace(move, after={**move.after, "writeback": not move.after["writeback"]})):
        consequences.of(other, depth=1)
    assert len(begun) == 3


def test_a_search_in_vain_says_no_more_than_how_deep_it_was(unshared: Run) -> None:
    found = replace(counterexample(unshared), leads_to=(), consequence="", unproved=())
    cases = ((4, 0, "within 4 steps. What more"), (5, 1, "One that does may end so"),
             (0, 3, "3 that do"))
    for searched, rejected, words in cases:
        (told,) = consequence_words(replace(found, searched=searched, rejected=rejected))
        assert words in told and ("within" in told) == bool(searched)
