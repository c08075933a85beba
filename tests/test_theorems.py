# SPDX-License-Identifier: GPL-2.0-or-later
"""Theorems by name, the first answer, what is said of theorems, and what a run does not ask until
it is wanted.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from verifier.base.exits import Exit
from verifier.cli import main
from verifier.engine.bits import Bits, Word
from verifier.engine.bits_solver import BitsSolver
from verifier.model.spec import ADVISORY
from verifier.prove.bits_way import GroupProver
from verifier.prove.obligations import Group, Question, Way
from verifier.prove.results import Refuted, Run, Unknown, verdict_name
from verifier.prove.terms_way import TermAnswers
from verifier.report.theorems import sentences, theorem_table
from verifier.run.filters import Filters
from verifier.run.library import Library
from verifier.run.news import Closed, Total
from verifier.run.plan import first_theorems, groups_of
from verifier.run.scheduler import Options, prove


@pytest.mark.parametrize(("theorem", "names", "rest", "covered"), [
    ("um", ("um", "um", "um"), ("pte", "page-flag", "today"), True),
    ("x86", ("x86_64", "x86", "x86"), (), True),
    ("x86_64", ("x86_64+shstk", "x86", "x86"), (), False),
    ("x86_64*/p*", ("x86_64+shstk",), ("pmd",), True),
    ("um/pte/option-c", ("um",), ("pte", "option-c", "thread"), True),
    ("um/pmd", ("um",), ("pte",), False),
    ("um/pte/option-c/thread", ("um",), ("pte", "option-c", "today"), False),
    ("um/pte/*/today", ("um",), ("pte",), True),
])
def test_which_theorems_a_name_covers(theorem: str, names: tuple[str, ...], rest: tuple[str, ...],
                                      covered: bool) -> None:
    assert Filters(theorems=(theorem,)).covers(names, *rest) is covered
    assert Filters().covers(names, *rest)


def test_the_first_answer_is_about_what_most_people_have(library: Library) -> None:
    wanted = first_theorems(library)
    groups, _ = groups_of(library, Filters(theorems=wanted))
    assert [str(group) for group in groups] == list(wanted) and len(wanted) == 6
    assert str(groups_of(library, Filters())[0][0]) == wanted[0], "what matters first comes first"


@pytest.mark.parametrize(("words", "said"), [
    (["x86_46"], "'x86_46' matches nothing; did you mean"), (["um/ptee"], "'ptee' matches nothing"),
    (["um/pte/page-flag/thread"], "match nothing"),
    (["um/pte/page-flag/today/frame"], "is no theorem"),
    (["um", "--level", "pmd"], "match nothing"),
])
def test_a_name_of_no_theorem_is_an_error(words: list[str], said: str) -> None:
    found = CliRunner().invoke(main, ["prove", *words])
    assert found.exit_code == Exit.WRONG_USE and said in found.output, found.output


@pytest.fixture(scope="module")
def um(library: Library) -> tuple[Run, list[object]]:
    """All theorems of user-mode Linux, quickly, and what was told of them meanwhile."""
    told: list[object] = []
    return prove(library, Filters(theorems=("um",)), Options(search_seconds=0, thorough=False),
                 told.append), told


def test_each_theorem_is_told_as_it_closes(um: tuple[Run, list[object]]) -> None:
    run, told = um
    closed = [news for news in told if isinstance(news, Closed)]
    assert [news for news in told if isinstance(news, Total)] == [Total(len(run.results), 4)]
    assert {news.group for news in closed} == {theorem.group for theorem in run.theorems}
    for news in closed:
        theorem = next(t for t in run.theorems if t.group == news.group)
        assert news.counts == {word: number for word, number in theorem.counts.items() if number}
        assert (
            sum(news.counts.values()) == sum(r.obligation.group == news.group for r in run.results)
        )


def test_advice_has_a_column_of_its_own(library: Library, um: tuple[Run, list[object]]) -> None:
    run, _ = um
    text = theorem_table(run)
    assert max(map(len, text.splitlines())) <= 80
    assert (text.splitlines()[0].split() == ["theorem", "verdict", "proved", "refuted", "unknown",
                                             "advice"])
    for theorem in run.theorems:
        mine = [r for r in run.results if r.obligation.group == theorem.group]
        serious = [r for r in mine if r.obligation.kind != ADVISORY]
        assert theorem.counts["refuted"] == sum(isinstance(r.verdict, Refuted) for r in serious)
        assert theorem.counts["advice"] == sum(verdict_name(r.verdict) != "proved"
                                               for r in mine) - sum(
            verdict_name(r.verdict) != "proved" for r in serious)


def test_a_theorem_is_compared_with_what_the_kernel_has_today(
    library: Library, um: tuple[Run, list[object]]
) -> None:
    run, _ = um
    failed = {str(t.group): {(r.obligation.transition, r.obligation.property) for r in run.results
                             if r.obligation.group == t.group and r.obligation.kind != ADVISORY
                             and verdict_name(r.verdict) != "proved"} for t in run.theorems}
    base = failed["um/pte/page-flag/today"]
    text = " ".join(sentences(library, run).split())
    assert f"today's kernel: proved, but for {len(base)} obligations, of " in text
    own = failed["um/pte/option-c/thread"] - base
    assert (f"option C as the thread words it: {len(own)} obligations not proved that are proved "
            "of today's kernel" in text)
    assert not failed["um/pte/option-c/option-c"] - base
    assert ("option C as mended: what is proved of today's kernel is proved; 1 is not proved today "
            "either." in text)
    assert all(len(line) <= 80 for line in sentences(library, run).splitlines())


def test_asking_of_many_at_once_changes_no_verdict(
    library: Library, um: tuple[Run, list[object]], monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, _ = um
    monkeypatch.setattr(GroupProver, "exclude", lambda self, questions: None)
    filters = Filters(theorems=("um/pte/option-c/thread", "um/pte/option-c/today"))
    alone = prove(library, filters, Options(search_seconds=0, thorough=False))
    one = {r.obligation.id: verdict_name(r.verdict) for r in alone.results}
    many = {r.obligation.id: verdict_name(r.verdict) for r in run.results}
    assert one == {name: many[name] for name in one} and set(one.values()) >= {"proved", "refuted"}


def test_questions_that_assume_other_things_are_asked_apart(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two questions with an instance, or a sentence, of the same name: what the one assumes proves
    nothing of the other.
    """
    group, graph = Group("um", "pte", "page-flag", "today"), Bits()
    prover = GroupProver(library.group_model(group), group, graph, BitsSolver(graph))
    bit = graph.input_bool("bit")
    monkeypatch.setattr(prover, "counterexample", lambda *_: None)  # of no entry: these are made up
    prop = library.spec.properties["unambiguous"]
    violated, kept = (Question[Word, int](name, "static", prop,
                                          [Way(None, None, None, bit, "same")], {"same": given})
                      for name, given in (("violated", (bit,)), ("kept", (graph.neg(bit),))))
    for questions in ([violated, kept], [kept, violated]):
        prover.exclude(questions)
        assert (isinstance(prover.decide(violated), Refuted)
                and verdict_name(prover.decide(kept)) == "proved")


def test_a_solver_that_gives_up_on_an_inhabitant_proves_nothing(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TermAnswers, "inhabited", lambda self, label, given: None)
    filters = Filters(("um",), ("pte",), ("page-flag",), ("today",), ("zap",), ("frame",))
    found = prove(library, filters, Options(solver="z3"))
    assert found.results and all(isinstance(r.verdict, Unknown) for r in found.results)


def test_what_nobody_asked_of_a_failure_is_asked_when_it_is_wanted(
    library: Library, tmp_path: Path
) -> None:
    """A quick run keeps its failures; one that is to show what they lead to decides these again."""
    filters = Filters(("x86_64",), ("pte",), ("option-c",), ("today",), ("fork-pte",),
                      ("no-false-exclusive",))
    quick = prove(library, filters, Options(cache=tmp_path, thorough=False)).results[0]
    assert isinstance(quick.verdict, Refuted) and not quick.verdict.counterexample.thorough
    assert not quick.verdict.counterexample.leads_to and quick.verdict.counterexample.trace
    whole = prove(library, filters, Options(cache=tmp_path)).results[0]
    assert (isinstance(whole.verdict, Refuted) and whole.verdict.counterexample.thorough
            and not whole.cached)
    assert whole.verdict.counterexample.consequence == "store-leak"
    again = prove(library, filters, Options(cache=tmp_path, thorough=False)).results[0]
    assert again.cached and again.verdict == whole.verdict


def test_what_is_not_reached_has_its_least_values_where_they_are_shown(library: Library) -> None:
    filters = Filters(("um",), ("pte",), ("option-c",), ("today",), ("swap-in-copy",),
                      ("no-false-shared",))
    shown, quick = (prove(library, filters,
                          Options(search_seconds=0, thorough=thorough)).results[0].verdict
                    for thorough in (True, False))
    assert isinstance(shown, Unknown) and isinstance(quick, Unknown)
    assert (shown.counterexample and shown.counterexample.thorough and quick.counterexample
            and not quick.counterexample.thorough)
    assert shown.counterexample.move.inputs["frame"] == 0x12346, "a frame that a reader recognises"
