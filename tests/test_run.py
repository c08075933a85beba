# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs: filters, exit codes, time limits that hold, stopping, the cache."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
import time
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from verifier.base.errors import UsageError
from verifier.base.store import read_sealed
from verifier.prove.obligations import Group, Obligation
from verifier.prove.recompute import instance_of
from verifier.prove.results import (
    Incomplete,
    Move,
    Proved,
    Refuted,
    Result,
    Run,
    Unknown,
    Vacuous,
    Verdict,
    exit_code,
    reason,
    verdict_name,
)
from verifier.report.explain import explain_text
from verifier.report.tables import prove_text
from verifier.run.filters import Filters
from verifier.run.library import KEPT, Library, load_library
from verifier.run.scheduler import Options, prove
from verifier.run.shared import Results
from verifier.search.follow import belongs, is_fresh, labels, retrace
from verifier.search.rules import Rules
from verifier.search.through import first_broken
from verifier.search.trace import Search

FORK = Filters(arch=("x86_64",), level=("pte",), encoding=("option-c",), code=("today", "option-c"),
               transition=("fork-pte",))


def ids(run: Run) -> dict[str, str]:
    return {r.obligation.id: verdict_name(r.verdict) for r in run.results}


def test_filters_choose(library: Library) -> None:
    run = prove(library, Filters(("x86_64",), ("pte",), ("option-c",), ("option-c",), ("fork-*",),
                                 ("no-*",)), Options())
    found = ids(run)
    assert found
    assert all("/fork-" in i and "/no-" in i and i.startswith("x86_64/pte/option-c/")
               for i in found)
    assert exit_code(run) == 0


@pytest.mark.parametrize("wrong", [
    Filters(arch=("x86-64",)), Filters(level=("p4d",)), Filters(encoding=("option-d",)),
    Filters(code=("tomorrow",)),
    Filters(transition=("fork-pt",)), Filters(property=("no-lost-dirt",)),
    Filters(arch=("arm64-4k",), transition=("clear-soft-dirty",), property=("soft-dirty-exact",)),
])
def test_a_filter_that_matches_nothing_is_an_error(library: Library, wrong: Filters) -> None:
    with pytest.raises(UsageError, match="nothing"):
        prove(library, wrong, Options())


def test_results_stand_in_the_order_of_their_ids() -> None:
    names = [(v, level, e, c) for v in ("v+x", "v", "v-y", "v0") for level in ("pte", "pmd")
             for e in ("o-s", "o") for c in "ba"]
    results = [Result(Obligation(Group(*name), t, (), "p", "step", "claim", 64), Proved(None), 0.0,
                      "bits")
               for name in names for t in ("t2", "t-1")]
    kept = Results()
    for result in results:
        kept.append(result)
    assert list(kept) == results and kept[5] == results[5] and kept[-1:] == tuple(results[-1:])
    assert list(kept.in_order()) == sorted(results, key=lambda r: r.obligation.id)


def test_few_models_stay_typed_and_others_are_freed_at_once() -> None:
    """Without Python's search for garbage: what a model holds does not hold the model."""
    library = load_library()
    kept = library.model("x86_64", "option-c")
    gc.disable()
    try:
        first = weakref.ref(library.model("alpha", "option-c"))
        for variant in library.variants()[:KEPT + 6]:
            library.check([Group(variant.name, "pte", "page-flag", "today")])
            assert library.model("x86_64", "option-c") is kept
        assert first() is None
    finally:
        gc.enable()


def _result(name: str, kind: str = "invariant") -> Result:
    verdicts: dict[str, Verdict] = {
        "proved": Proved(None), "vacuous": Vacuous("x"), "unknown": Unknown("timeout"),
        "incomplete": Incomplete("x"),
        "refuted": Refuted.__new__(Refuted),
    }
    obligation = Obligation(Group("v", "pte", "e", "c"), "t", (), name, kind, "claim", 64)
    return Result(obligation, verdicts[name], 0.0, "bits")


@pytest.mark.parametrize(("names", "code"), [
    (["proved"], 0), (["proved", "refuted"], 1), (["proved", "unknown"], 3), (["vacuous"], 3),
    (["incomplete"], 3),
    (["refuted", "unknown"], 1),
])
def test_the_worst_verdict_is_the_exit_code(names: list[str], code: int) -> None:
    assert exit_code(Run(tuple(_result(n) for n in names), (), {})) == code


def test_contradictions_win_and_advice_fails_nothing() -> None:
    assert exit_code(Run((_result("refuted"),), (), {}, contradictions=("x",))) == 4
    assert exit_code(Run((_result("refuted", "advisory"), _result("proved")), (), {})) == 0


def test_the_cache_gives_the_same_and_is_keyed_by_the_text(
        library: Library, tmp_path: Path
) -> None:
    options = Options(cache=tmp_path, depth=2)
    first, second = prove(library, FORK, options), prove(library, FORK, options)
    assert ids(first) == ids(second)
    assert not any(r.cached for r in first.results)
    assert all(r.cached for r in second.results)
    files = list((tmp_path / "proofs").glob("*.json"))
    assert files
    for file in files:
        file.write_text(file.read_text()[:-20])
    assert ids(prove(library, FORK, options)) == ids(first)


def test_a_changed_spec_is_proved_anew(library: Library, tmp_path: Path) -> None:
    import shutil

    from verifier.run.library import load_library

    specs = tmp_path / "specs"
    shutil.copytree(library.spec_folder, specs)
    options = Options(cache=tmp_path / "cache", depth=4)
    ours = load_library(None, specs)
    asked = replace(FORK, code=("option-c",), property=("pin-stays", "no-*"))
    prove(ours, asked, options)
    fork = specs / "transitions" / "fork.yaml"
    guard = "          if needs_cow_for_dma(parent):\n              return\n"
    fork.write_text(fork.read_text().replace(guard, ""))
    changed = prove(load_library(None, specs), asked, options)
    pins = [r for r in changed.results if r.obligation.id.endswith("fork-pte/option-c/pin-stays")]
    assert [verdict_name(r.verdict) for r in pins] == ["refuted"]
    assert not any(r.cached for r in changed.results)


def test_two_runs_at_once_keep_the_cache_whole(library: Library, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "verifier.cli", "prove", "--arch", "x86_64", "--level", "pte",
               "--encoding",
               "option-c", "--code", "option-c", "--transition", "fork-*", "-q"]
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    runs = [subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [run.wait(120) for run in runs] == [0, 0]
    for file in tmp_path.rglob("*.json"):
        found = read_sealed(file)
        assert isinstance(found, dict), file
        kind = file.parent.name
        assert found["text"] if kind == "told" else found["proofs"] if kind == "proofs" else found
    assert not list(tmp_path.rglob("*.tmp"))


def test_what_was_told_is_told_again_until_something_changes(tmp_path: Path) -> None:
    specs = tmp_path / "specs"
    shutil.copytree(load_library().spec_folder, specs)
    command = [sys.executable, "-m", "verifier", "--spec-dir", str(specs), "prove", "--arch",
               "x86_64", "--level", "pte",
               "--encoding", "option-c", "--code", "today", "--transition", "fork-pte",
               "--property", "no-*"]
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}

    def tell(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *more], env=env, capture_output=True, text=True,
                              check=False)

    first, second = tell(), tell()
    assert first.returncode == second.returncode == 1
    assert first.stdout == second.stdout
    assert "told from the cache" in second.stderr and "told from the cache" not in first.stderr
    for more in (["--no-cache"], ["--json", "-"], ["--depth", "3"], ["-v"]):
        assert "told from the cache" not in tell(*more).stderr
    for file in (tmp_path / "cache" / "pteproof" / "told").iterdir():
        file.write_text("{}")
    assert "told from the cache" not in tell().stderr
    fork = specs / "transitions" / "fork.yaml"
    fork.write_text(fork.read_text() + "\n")
    assert "told from the cache" not in tell().stderr


def test_a_solver_that_hangs_is_killed(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time limit holds although the solver never returns; the rest goes on."""
    from verifier.prove.bits_way import GroupProver

    real = GroupProver.decide

    def hang(self: GroupProver, question, least=True):  # type: ignore[no-untyped-def]
        if question.property.name == "pin-stays":
            time.sleep(600)
        return real(self, question, least)

    monkeypatch.setattr(GroupProver, "decide", hang)
    filters = Filters(("x86_64",), ("pte",), ("option-c",), ("option-c",), ("tlb-flush",))
    start = time.monotonic()
    run = prove(library, filters, Options(timeout=1.0))
    assert time.monotonic() - start < 30
    found = {r.obligation.property: r for r in run.results}
    hung = found.pop("pin-stays").verdict
    assert isinstance(hung, Unknown)
    assert hung.reason == "timeout"
    assert len(found) > 15
    assert {verdict_name(r.verdict) for r in found.values()} == {"proved"}
    assert exit_code(run) == 3


def test_a_search_that_hangs_is_killed_and_its_values_are_told(
        library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    from verifier.search.trace import Search

    monkeypatch.setattr("verifier.run.task_processes.GRACE", 0.5)
    monkeypatch.setattr(Search, "find", lambda self, left, limit: time.sleep(600))
    monkeypatch.setattr(Library, "sequences", lambda self: {})
    filters = Filters(("x86_64", "arm64-4k"), ("pte",), ("option-c",), ("today",), ("fork-pte",))
    run = prove(library, filters, Options(jobs=2, timeout=6, search_seconds=0.1))
    failed = [r.verdict for r in run.results if not isinstance(r.verdict, Proved)]
    assert len(failed) >= 4 and not run.unfinished and exit_code(run) == 3
    for verdict in failed:
        assert (isinstance(verdict, Unknown) and verdict.reason == "timeout"
                and ": traces: killed after " in verdict.detail)
        assert verdict.counterexample and verdict.counterexample.move.transition == "fork-pte"
    assert {str(t.group): t.verdict for t in run.theorems} == {
        "x86_64/pte/option-c/today": "unknown", "arm64-4k/pte/option-c/today": "unknown"}


def test_a_trace_that_is_found_is_told_although_the_search_goes_on_and_is_killed(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = Search.find

    def hangs(
            self: Search, left: list[tuple[str, str]], limit: int
    ) -> Iterator[tuple[tuple[str, str], tuple[Move, ...]]]:
        self.deadline = self.large = None
        yield next(find(self, left, limit))
        time.sleep(600)

    monkeypatch.setattr("verifier.run.task_processes.GRACE", 0.5)
    monkeypatch.setattr(Search, "find", hangs)
    monkeypatch.setattr(Library, "sequences", lambda self: {})
    filters = Filters(("x86_64",), ("pte",), ("option-c",), ("today",), ("fork-pte",))
    run = prove(library, filters, Options(timeout=4, search_seconds=0.1))
    failed = [r.verdict for r in run.results if not isinstance(r.verdict, Proved)]
    (refuted,) = [v for v in failed if isinstance(v, Refuted)]
    assert (refuted.counterexample.reached
            and refuted.counterexample.trace[-1].transition == "fork-pte")
    others = [v for v in failed if isinstance(v, Unknown)]
    assert others and len(others) == len(failed) - 1 and {v.reason for v in others} == {"timeout"}
    assert not run.unfinished and exit_code(run) == 1


@pytest.mark.whole
def test_solvers_agree_on_a_sample(library: Library) -> None:
    """The bit graph and z3 give the same verdicts."""
    for filters in (
        Filters(("x86_64+shstk",), ("pte",), ("option-c",), ("today",),
                ("fork-pte", "mprotect-pte", "static")),
        Filters(("arm64-16k+dbm",), ("pte",), ("page-flag",), (), ("fork-pte", "madvise-free")),
    ):
        bits, z3 = (prove(library, filters, Options(jobs=2, depth=1, solver=name))
                    for name in ("bits", "z3"))
        assert ids(bits) == ids(z3)
        assert not bits.contradictions
        assert not z3.contradictions


def test_advice_that_is_asked_for_is_searched_as_deep_as_all_else(
        library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A migration of a device-exclusive entry takes its bits for a dirty bit: three steps."""
    filters = Filters(("x86_64+stray-dirty",), ("pte",), ("page-flag",), ("today",),
                      ("migrate-start-device",),
                      ("no-spurious-dirty",))
    # what nobody asked for is searched less deep
    monkeypatch.setattr("verifier.run.depths.ADVICE", 1)
    found = prove(library, filters, Options(search_seconds=300)).results
    assert [verdict_name(r.verdict) for r in found] == ["refuted"]
    assert isinstance(found[0].verdict, Refuted) and found[0].verdict.counterexample.depth == 3


def test_what_one_level_leads_to_is_not_followed_at_another(library: Library) -> None:
    """A stray Dirty bit leads to a store through ptes by a step that hugetlb has not got."""
    filters = Filters(("x86_32+stray-dirty",), ("pte", "hugetlb"), ("option-c",), ("option-c",),
                      ("hw-stray-dirty",),
                      ("no-false-exclusive",))
    run = prove(library, filters, Options(jobs=1))
    assert ([verdict_name(r.verdict) for r in run.results] == ["refuted", "refuted"]
            and not run.unfinished)


def test_a_trace_of_another_variant_is_none_where_a_step_or_its_beginning_is_missing(
        library: Library
) -> None:
    """riscv with 32 bits migrates pages of hugetlbfs, SuperH does not.

    Nothing else there is in the way.
    """
    names = (("hugetlb",), ("option-c",), ("today",), ("hugetlb-mprotect",), ("no-false-shared",))
    found = prove(library, Filters(("riscv32",), *names), Options()).results[0].verdict
    assert isinstance(found, Refuted)
    trace = found.counterexample.trace
    assert "hugetlb-migrate-end" in [move.transition for move in trace]
    group = Group("riscv32", "hugetlb", "option-c", "today")
    assert retrace(library.group_model(group), group, trace, "no-false-shared") is not None
    later = replace(trace[0], before={**trace[0].before,
                                      ("shadow_stack", 1): not trace[0].before["shadow_stack", 1]})
    used = replace(trace[0], before={**trace[0].before, "folio_dirty": True})
    for start in (later, used):
        assert retrace(library.group_model(group), group, (start, *trace[1:]),
                       "no-false-shared") is None
    group = Group("sh", "hugetlb", "option-c", "today")
    other = library.group_model(group)
    missing = {move.transition for move in trace if not belongs(other, instance_of(other, move))}
    assert missing == {"hugetlb-migrate-start", "hugetlb-migrate-end"}
    assert retrace(other, group, trace, "no-false-shared") is None


def test_a_trace_of_another_variant_is_found_by_its_steps_where_its_values_are_none_here(
        library: Library
) -> None:
    names = (("pmd",), ("option-c",), ("today",), ("fork-pmd",), ("stale-child",))
    found = prove(library, Filters(("mips64",), *names), Options()).results[0].verdict
    assert isinstance(found, Refuted)
    trace, target = found.counterexample.trace, ("fork-pmd", "stale-child")
    group = Group("x86_64", "pmd", "option-c", "today")
    search = Search(library.group_model(group), group, Rules(frozenset([target])))
    assert search.retrace(trace, target) is None
    steps = labels(library.model("mips64", "option-c", "pmd"), trace)
    again = search.along(steps, target)
    assert again is not None
    assert [move.transition for move in again] == [move.transition for move in trace]
    assert search.retrace(again, target) == again  # with plain integers
    assert search.along(steps, ("madvise-free", "stale-child")) is None
    assert search.along(steps[:-1], target) is None


def test_a_trace_maps_pages_that_can_be_read_where_it_may(library: Library) -> None:
    """A forced write to a private mapping fails whatever its protection.

    PROT_NONE would fail as well.
    """
    filters = Filters(("x86_64",), ("pte",), ("option-c",), ("today",), ("anon-write-fault",),
                      ("no-false-shared",))
    (result,) = prove(library, filters, Options()).results
    assert isinstance(result.verdict, Refuted)
    (move,) = result.verdict.counterexample.trace
    assert (move.before["may_read", 0], move.before["may_write", 0]) == (True, False)
    assert move.after["entry", 0] == 0x8000000012345025


def test_what_only_another_failure_leads_to_is_unknown_and_says_what_to_mend_first(
        library: Library
) -> None:
    filters = Filters(("x86_64",), ("hugetlb",), ("option-c",), ("today",), ("hugetlb-wp-reuse",),
                      ("no-false-shared",))
    run = prove(library, filters, Options(depth=5))
    (result,) = run.results
    assert isinstance(result.verdict, Unknown)
    assert ("by steps that break nothing; after hugetlb-fault breaks no-false-shared it is reached"
            in result.verdict.detail)
    found = result.verdict.counterexample
    assert found is not None
    assert not found.reached
    assert found.trace[-1].transition == "hugetlb-wp-reuse"
    model, group = library.group_model(result.obligation.group), result.obligation.group
    assert is_fresh(model, found.trace[0].before)
    assert first_broken(model, group, found.trace) == ("hugetlb-fault", "no-false-shared")
    for trace in (found.trace, found.trace[:2]):
        # not by steps of which each keeps everything
        assert retrace(model, group, trace, "no-false-shared") is None
    assert retrace(model, group, found.trace, "no-false-shared", through=True) == found.trace
    # what breaks first is refuted
    assert retrace(model, group, found.trace[:1], "no-false-shared") == found.trace[:1]
    # it did not hold before
    assert retrace(model, group, found.trace[:2], "no-false-shared", through=True) is None
    assert "reached after an earlier step has broken a property" in explain_text(library, result)
    assert prove_text(library, replace(run, results=(result,) * 50), False, False,
                      False).count("mend that first.\nUNKNOWN") == 49


PRODUCTS = ("pte_dirty(pte): {source: \"pgtable:pte_dirty\", "
            "body: \"(pte & (DIRTY | SAVED_DIRTY)) != 0\"}")


def test_what_is_built_forever_is_killed_and_named(
        library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """380 products of 128 bits: no solver is asked anything before the limit."""
    shutil.copytree(library.arch_folder, tmp_path / "arch")
    x86 = tmp_path / "arch" / "x86.yaml"
    lines = ["x = u128(pte)", *(f"x = x * (x + {i}) + u128(pte)" for i in range(380)),
             "return (pte & (DIRTY | SAVED_DIRTY)) != 0 and (x != 5 or x == 5)"]
    text = ('pte_dirty(pte):\n    source: "pgtable:pte_dirty"\n    body: |\n'
            + "".join(f"      {line}\n" for line in lines))
    assert PRODUCTS in x86.read_text()
    x86.write_text(x86.read_text().replace(PRODUCTS, text))
    monkeypatch.setattr("verifier.run.task_processes.GRACE", 1.0)
    filters = Filters(("x86_64",), ("pte",), ("option-c",), ("option-c",), ("init", "static"))
    run = prove(load_library(tmp_path / "arch"), filters, Options(timeout=1))
    late = [r for r in run.results if isinstance(r.verdict, Unknown)]
    said = [*(reason(r.verdict) for r in late), *(why for _, why in run.unfinished)]
    assert (said and exit_code(run) == 3
            and all("building" in why and "killed after 2 s" in why for why in said))
    assert run.undecided or {r.obligation.transition for r in late} <= {"static", "init"}
    assert sum(r.seconds for r in late) < run.seconds["elapsed"] < 60
