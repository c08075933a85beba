# SPDX-License-Identifier: GPL-2.0-or-later
"""Mistakes of patches: every kind is made, what is true stays as it is, each is judged rightly, and
no survivor of a fixed sample is without a reason."""

from __future__ import annotations

import ast
import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from verifier.base.errors import SpecError
from verifier.cli import main
from verifier.evidence.mutate.command import SPECIFIED, patch_word, run, unneeded_reasons
from verifier.evidence.mutate.mutants import Mutant, patch_mutants
from verifier.evidence.mutate.patches import KINDS, patches
from verifier.evidence.mutate.planted import judge_patch
from verifier.evidence.mutate.rules import MistakeRules, read_rules
from verifier.language.read_yaml import Source
from verifier.model.texts import name_of
from verifier.prove.results import Refuted
from verifier.run.filters import Filters
from verifier.run.library import Library, load_library
from verifier.run.scheduler import Options, prove

TODAY, OPTION_C = "x86_64/pte/page-flag/today", "x86_64/pte/option-c/option-c"


@pytest.fixture(scope="module")
def rules(library: Library) -> MistakeRules:
    return read_rules(library.spec_folder, library.spec)


@pytest.mark.parametrize(("text", "mistake", "new"), [
    ("flush(p)", "flush: drop `flush(p)`", "pass"),
    ("gather(p)", "flush: `flush_later` for `gather(p)`", "flush_later(p)"),
    ("x = ptep_clear_flush(entry[p])",
     "flush: `ptep_get_and_clear` for `ptep_clear_flush(entry[p])`",
     "x = ptep_get_and_clear(entry[p])"),
    ("batch(p, pte_dirty(x))", "flush: `pte_dirty(x)` is False in `batch(p, pte_dirty(x))`",
     "batch(p, False)"),
    ("if maybe_pinned():\n    return", "test: `maybe_pinned()` is False", "if False:\n    return"),
    ("x = ptep_get(entry[p])\nflush(p)\nx = ptep_get(entry[p])",
     "re-read: `x` for `ptep_get(entry[p])`",
     "x = ptep_get(entry[p])\nflush(p)\nx = x"),
    ("x = entry[p]\ny = ptep_get_and_clear(entry[p])",
     "re-read: `x` for what `ptep_get_and_clear(entry[p])` gives",
     "x = entry[p]\nptep_get_and_clear(entry[p])\ny = x"),
    ("x = ptep_get(entry[p])\nset_pte_at(entry[p], pte_mkold(ptep_get(entry[p])))",
     "re-read: `x` for `ptep_get(entry[p])`",
     "x = ptep_get(entry[p])\nset_pte_at(entry[p], pte_mkold(x))"),
    ("ptep_set_wrprotect(entry[p])",
     "split: `ptep_set_wrprotect(entry[p])` as `set_pte_at(entry[p], "
     "pte_wrprotect(ptep_get(entry[p])))`",
     "set_pte_at(entry[p], pte_wrprotect(ptep_get(entry[p])))"),
    ("x = ptep_modify_prot_start(entry[p])",
     "split: `x = ptep_modify_prot_start(entry[p])` as `x = ptep_get(entry[p])`",
     "x = ptep_get(entry[p])"),
    ("x = pte_mkdirty(pte_mkyoung(x))", "mark: no `pte_mkyoung` in `pte_mkyoung(x)`",
     "x = pte_mkdirty(x)"),
    ("set_pte_at(entry[p], x)", "mark: pte_mkdirty in `set_pte_at(entry[p], x)`",
     "set_pte_at(entry[p], pte_mkdirty(x))"),
    ("x = swp_entry_to_pte(slot)\nset_pte_at(entry[p], x)",
     "mark: pte_swp_mkexclusive in `set_pte_at(entry[p], x)`",
     "x = swp_entry_to_pte(slot)\nset_pte_at(entry[p], pte_swp_mkexclusive(x))"),
    ("flush(p)\nset_pte_at(entry[p], x)", "order: `set_pte_at(entry[p], x)` before `flush(p)`",
     "set_pte_at(entry[p], x)\nflush(p)"),
    ("if pte_write(x) and (not ksm):\n    flush(p)",
     "branch: without `not ksm` in `pte_write(x) and (not ksm)`",
     "if pte_write(x):\n    flush(p)"),
    ("if pte_write(x):\n    flush(p)", "branch: not `pte_write(x)`",
     "if not pte_write(x):\n    flush(p)"),
    ("if pte_write(x):\n    flush(p)\nif pte_dirty(x):\n    folio_dirty = True",
     "branch: `pte_dirty(x)` and `pte_write(x)`",
     "if pte_write(x):\n    flush(p)\nif pte_dirty(x) and pte_write(x):\n    folio_dirty = True"),
    ("x = make_readable_migration_entry(pfn)",
     "twin: `make_writable_migration_entry` for `make_readable_migration_entry(pfn)`",
     "x = make_writable_migration_entry(pfn)"),
    ("if sole_ref(p):\n    flush(p)\n    return\nflush(p)", "return: no return under `sole_ref(p)`",
     "if sole_ref(p):\n    flush(p)\nflush(p)"),
    ("folio_dirty = True", "state: drop `folio_dirty = True`", "pass"),
])
def test_every_kind_of_mistake_is_made(
    rules: MistakeRules, text: str, mistake: str, new: str
) -> None:
    found = {what: text for _, what, text in patches(text, rules)}
    assert found[mistake] == new
    assert mistake.partition(":")[0] in KINDS


@pytest.mark.parametrize("text", [
    "map_into(p, q)", "resident = False", "assert pte_write(x), 'progress'", "hardware(entry[p])",
    "if tracks_new == 0:\n    reuse(p)",
    "if child != THIRD:\n    add_new_anon(child, frame, True)", "may_write[p] = False"])
def test_what_is_true_stays_as_it_is(rules: MistakeRules, text: str) -> None:
    assert [what for kind, what, _ in patches(text, rules) if kind != "state"] == []


def _said(text: str, rules: MistakeRules) -> Counter[str]:
    """The statements of a text that say what is true."""
    called = (n.func.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call)
              and isinstance(n.func, ast.Name))
    return Counter(name for name in called if name in rules.truth)


def test_no_mistake_of_any_code_touches_what_is_true(
    library: Library, rules: MistakeRules, whole: bool
) -> None:
    kinds = Counter[str]()
    asked = list(library.spec.transitions.values())
    if not whole:
        asked = [t for t in asked if "pte" in t.levels][::3]
    for transition in asked:
        for source in transition.codes.values():
            for kind, what, new in patches(source.text, rules, transition.levels[0]):
                assert _said(new, rules) == _said(source.text, rules), f"{transition.name}: {what}"
                kinds[kind] += 1
    assert set(kinds) == set(KINDS)


def test_what_stands_in_no_list_is_an_error(library: Library) -> None:
    """A new action is not taken for truth, nor for code, by default."""
    forgotten = replace(library.spec.actions[0], signature="flush_all(p:process)")
    spec = replace(library.spec, actions=(*library.spec.actions, forgotten))
    with pytest.raises(SpecError, match="flush_all stands in neither list"):
        read_rules(library.spec_folder, spec)
    fewer = replace(library.spec,
                    actions=tuple(a for a in library.spec.actions if name_of(a) != "flush"))
    with pytest.raises(SpecError, match="no action 'flush'"):
        read_rules(library.spec_folder, fewer)


@pytest.mark.whole
def test_every_mistake_has_an_id_of_its_own(library: Library) -> None:
    found = [m.id for m in patch_mutants(library, ["x86_64"])]
    assert len(found) > 5000 and len(found) == len(set(found))
    groups = {f"x86_64/{level}/{'/'.join(pair)}" for level in library.spec.levels
              for pair in library.spec.first.patches.theorems}
    assert {m.split()[1] for m in found} == groups


def changed(library: Library, group: str, name: str, old: str, new: str) -> Mutant:
    transition, _, code = name.partition(".")
    text = library.spec.transitions[transition].codes[code].text if code else next(
        p.body.text for p in library.spec.procedures if name_of(p) == name)
    assert old in text
    return Mutant("patch", group, name, "", text.replace(old, new, 1), "")


@pytest.mark.parametrize(("group", "name", "old", "new", "word", "by"), [
    (TODAY, "fork-pte.today", "needs_cow_for_dma(parent)", "False", "refuted", "pin-stays"),
    (TODAY, "swap-out.today", "pte = ptep_clear_flush(entry[p])",
     "pte = ptep_get_and_clear(entry[p])", "refuted", "is refuted"),
    (OPTION_C, "wp-copy.option-c", "pte = pte_mkdirty_nosoft(pte)", "pte = pte_mkold(pte)",
     "refuted", "is refuted"),
    (TODAY, "fork-pte.today", "pte = pte_mkold(pte)\n", "", "effect", "reaches-old-in-the-child"),
    (TODAY, "fork-pte.today", "pte = pte_mkold(pte)\n", "pte = pte_mkold(pte_mkold(pte))\n",
     "equivalent", "the same step"),
    (TODAY, "swap-out.today", "elif defers_flush(defer):", "elif not defers_flush(defer):",
     "narrower",
     "may not take"),
    (TODAY, "can_change_pte_writable", "exclusive(e) and not ksm", "not ksm", "refuted",
     "no-false-exclusive"),
    (TODAY, "fork-pte.today", "pte = pte_mkold(pte)\n", "pte = pte_mkold(pte, pte)\n", "",
     "takes 1 argument"),
])
def test_a_mistake_is_judged(
        library: Library, group: str, name: str, old: str, new: str, word: str, by: str
) -> None:
    found = judge_patch(library, changed(library, group, name, old, new))
    assert (patch_word(found), by in found.by) == (word, True), found.by


def test_where_it_is_refuted_already_it_is_worse(library: Library) -> None:
    """MADV_FREE of huge pages loses dirty in swap, today.

    Without its look at the map count it does so elsewhere too.
    """
    group = "x86_64/pmd/page-flag/today"
    found = judge_patch(library, changed(library, group, "madvise-free-pmd.today",
                                         "mapcount_one(p)", "True"))
    assert patch_word(found) in ("worse", "refuted") and "no-lost-dirty" in found.by


def test_a_refuted_mistake_has_a_trace(library: Library) -> None:
    """What the fast way calls refuted is refuted in full, from a fresh address space, as `pteproof
    prove` would tell it.
    """
    mutant = changed(library, TODAY, "fork-pte.today", "needs_cow_for_dma(parent)", "False")
    assert patch_word(judge_patch(library, mutant)) == "refuted"
    transition = library.spec.transitions["fork-pte"]
    source = transition.codes["today"]
    planted = replace(transition,
                      codes={**transition.codes, "today": Source(mutant.text, source.where)})
    spec = replace(library.spec, transitions={**library.spec.transitions, "fork-pte": planted})
    other = Library(library.archs, library.generic, spec, library.arch_folder, library.spec_folder)
    filters = Filters(("x86_64",), ("pte",), ("page-flag",), ("today",), ("fork-pte",),
                      ("pin-stays",))
    result, = prove(other, filters, Options(jobs=1, depth=4)).results
    assert isinstance(result.verdict, Refuted) and result.verdict.counterexample.reached
    assert len(result.verdict.counterexample.trace) > 0


def test_a_fixed_sample_has_no_survivor_without_a_reason(library: Library, whole: bool) -> None:
    size = 1000 if whole else 16
    score = run(library, [], ["patch"], sample=size, jobs=2)
    words = Counter(patch_word(one) for one in score.judged)
    assert [one.mutant.id for one in score.unexplained()] == []
    assert words["refuted"] > size * 2 / 5 and words["equivalent"] > 0 and len(score.judged) == size


def test_the_command_counts_by_level_and_kind_and_writes_json(tmp_path: Path) -> None:
    words = ["mutate", "--kind", "patch", "--name", "fork-flush.*", "--jobs", "1", "-q"]
    result = CliRunner().invoke(main, words)
    assert "mistakes of patches" in result.output and "pte page-flag/today" in result.output
    CliRunner().invoke(main, [*words, "--json", str(tmp_path / "found.json")])
    data = json.loads((tmp_path / "found.json").read_text())
    assert (data["schema"] == "pteproof.mutants/1"
            and data["summary"]["mutants"] == len(data["mutants"]) > 4)
    verdicts = {"killed", "survived", "equivalent", "refused"}
    assert {row["verdict"] for row in data["mutants"]} <= verdicts


def test_a_reason_that_nothing_needs_is_told() -> None:
    """Where all was judged that it may be about, and there alone."""
    reasons = {"patch * fork-pte.*: mark: *": "", "patch * no-such-step.*": "", "helper * x: *": ""}
    survivors = ["patch x86_64/pte/page-flag/today fork-pte.today: mark: "
                 "pte_wrprotect in `set_pte_at(entry[child], pte)`"]
    assert unneeded_reasons(reasons, survivors, ["patch"], True) == ("patch * no-such-step.*",)
    assert unneeded_reasons(reasons, survivors, ["patch"], False) == ()
    assert unneeded_reasons(reasons, survivors, ["helper"], True) == ()
    assert unneeded_reasons(reasons, [], SPECIFIED, True) == ("helper * x: *",)


def test_a_survivor_without_a_reason_fails(tmp_path: Path) -> None:
    """A page that is mapped old breaks nothing: with no reason for it the command says so."""
    specs = tmp_path / "specs"
    shutil.copytree(load_library().spec_folder, specs)
    (specs / "survivors.yaml").write_text('survivors:\n  "patch * fork-flush.*": "nothing"\n')
    words = ["--kind", "patch", "--name", "anon-write-fault.today", "--sample", "40", "--jobs", "1",
             "-q"]
    result = CliRunner().invoke(main, ["--spec-dir", str(specs), "mutate", *words])
    assert result.exit_code == 1 and "SURVIVED" in result.output
