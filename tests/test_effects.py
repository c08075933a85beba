# SPDX-License-Identifier: GPL-2.0-or-later
"""What a step is there for is an obligation of its own, beside its properties: by all ways to
decide.
"""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from verifier.base.errors import SpecError
from verifier.engine.bits import Bits
from verifier.engine.bits_solver import BitsSolver
from verifier.language.read_yaml import Source
from verifier.model.check import check_model
from verifier.model.typed import Model
from verifier.prove.bits_way import GroupProver
from verifier.prove.obligations import Group
from verifier.prove.results import Proved, Refuted, Vacuous, Verdict, reason
from verifier.prove.terms_way import TermProver
from verifier.run.filters import Filters
from verifier.run.library import Library, load_library
from verifier.run.plan import groups_of

GROUP = Group("x86_64", "pte", "option-c", "option-c")


def verdicts(library: Library, transition: str, code: str, terms: bool = False,
             level: str = "pte") -> dict[str, Verdict]:
    """Of a transition whose code is replaced."""
    spec = library.spec
    old = spec.transitions[transition]
    changed = replace(old, codes={**old.codes, "option-c": Source(code, old.where)} if code
                      else old.codes)
    model = Model(replace(spec, transitions={**spec.transitions, transition: changed}),
                  library.layout("x86_64"),
                  spec.encodings["option-c"], level)
    check_model(model)
    graph = Bits()
    make = TermProver if terms else GroupProver
    prover = make(model, replace(GROUP, level=level), graph, BitsSolver(graph))
    found = {q.property.name: prover.decide(q)
             for q in prover.builder.questions(lambda t, p: t == transition)}
    return (found | {a.property.name: prover.decide_aim(a)
                     for a in prover.builder.aims(lambda t, p: t == transition)})


def unshown(found: dict[str, Verdict]) -> set[str]:
    """What no state leads to; every other effect has a step that shows it."""
    effects = {name: verdict for name, verdict in found.items() if name.startswith("reaches-")}
    assert (effects and all(isinstance(v, Vacuous) or (isinstance(v, Proved) and v.inhabitant)
                            for v in effects.values()))
    assert not any(isinstance(v, Vacuous) for name, v in found.items() if name not in effects)
    return {reason(v) for v in effects.values() if isinstance(v, Vacuous)}


@pytest.mark.parametrize("terms", [False, True])
def test_a_step_that_does_nothing_is_vacuous(library: Library, terms: bool) -> None:
    found = verdicts(library, "tlb-flush", "pass", terms)
    assert unshown(found) == {"no state leads tlb-flush to flushed"}
    assert {type(v) for name, v in found.items() if name != "reaches-flushed"} == {Proved}
    assert set(map(type, verdicts(library, "tlb-flush", "", terms).values())) == {Proved}


@pytest.mark.parametrize(("transition", "level", "effect"), [
    ("page-table-free", "pmd", "no-table"),  # an entry that is a pte before, and a pmd after
    ("split-pmd", "pmd", "writable"),
    ("clear-young-pmd", "pmd", "old"),
    ("hugetlb-zap", "hugetlb", "gone"),
])
def test_at_other_levels_too(library: Library, transition: str, level: str, effect: str) -> None:
    told = unshown(verdicts(library, transition, "pass", level=level))
    assert f"no state leads {transition} to {effect}" in told
    assert set(map(type, verdicts(library, transition, "", level=level).values())) == {Proved}


def test_what_is_written_for_one_level_is_not_asked_for_at_another(library: Library) -> None:
    """Steps of ptes are steps of the level of huge entries as well.

    They say what they are there for as ptes.
    """
    found = verdicts(library, "tlb-flush", "pass", level="pmd")
    assert set(map(type, found.values())) == {Proved}


def test_what_takes_an_event_is_asked_where_there_is_one(library: Library) -> None:
    """clear_soft_dirty_pmd keeps it where another CPU makes the entry young under its hands."""
    code = library.spec.transitions["clear-soft-dirty-pmd"].codes["option-c"].text
    blind = code.replace("pmd_clear_soft_dirty(pmd)", "pmd_mkold(pmd_clear_soft_dirty(pmd))")
    assert blind != code
    found = verdicts(library, "clear-soft-dirty-pmd", blind, level="pmd")
    assert unshown(found) == {"no state leads clear-soft-dirty-pmd to young-in-between"}
    spec = library.spec
    # no such event; one CPU
    for variant, asked in (("x86_64", True), ("s390", False), ("mips32-huge", False)):
        model = Model(spec, library.layout(variant), spec.encodings["option-c"], "pmd")
        names = [
            e.name for e in model.effects(spec.transitions["clear-soft-dirty-pmd"], "option-c")
        ]
        assert "old-stays-old" in names and ("young-in-between" in names) == asked


def test_nothing_that_fails_hides_another(library: Library) -> None:
    """A grant without a reason is refuted, and the effect that is gone with it is VACUOUS: both are
    told.
    """
    found = verdicts(
        library, "take-reference", "set_pte_at(entry[p], pte_mkwrite(entry[p], shadow_stack[p]))"
    )
    assert isinstance(found["no-false-exclusive"], Refuted)
    assert isinstance(found["limits"], Proved)
    assert unshown(found)


def test_a_missing_flush_shows_both(library: Library) -> None:
    """Today's uffd-wp-set under option-c, without its flush: the lost dirty is refuted, beside the
    effect.
    """
    code = library.spec.transitions["uffd-wp-set"].codes["today"].text
    blind = code.replace("flush_later(p)", "pass")
    assert blind != code
    refuted = {n for n, v in verdicts(library, "uffd-wp-set", code).items()
               if isinstance(v, Refuted)}
    found = verdicts(library, "uffd-wp-set", blind)
    assert refuted and refuted < {n for n, v in found.items() if isinstance(v, Refuted)}
    assert isinstance(found["translation-within-entry"], Refuted)
    assert unshown(found) == {"no state leads uffd-wp-set to flush-is-due"}


def test_every_transition_says_what_it_is_there_for(library: Library) -> None:
    spoken = library.spec.transitions.values()
    assert len(spoken) > 90 and [t.name for t in spoken if not t.reaches] == []


def test_every_word_of_an_effect_tells_variants_apart(library: Library) -> None:
    """One that is misspelt would leave an effect out everywhere, or nowhere."""
    variants = library.variants()
    for transition in library.spec.transitions.values():
        for effect in transition.reaches:
            assert all(any(need in v.absent for v in variants) for need in effect.needs), effect
            assert (all(any(event in v.hardware for v in variants)
                        for event in effect.hardware)), effect
            assert (all(any(fnmatchcase(v.name, glob) for v in variants)
                        for glob in effect.not_on)), effect


@pytest.mark.parametrize(("wrong", "said"), [
    ("{x: {holds: 'nothing_of_that_name(p)'}}", "nothing_of_that_name"),
    ("{x: {holds: 'maps(p)', codes: [tomorrow]}}", "unknown code 'tomorrow'"),
    ("{x: {hold: 'maps(p)'}}", "hold"),
    ("{x: {holds: 'entry[p]'}}", "is not a boolean"),
])
def test_mistakes_are_pointed_at(tmp_path: Path, wrong: str, said: str, library: Library) -> None:
    import shutil

    specs = tmp_path / "specs"
    shutil.copytree(library.spec_folder, specs)
    path = specs / "transitions" / "gup.yaml"
    text = path.read_text()
    at = text.index("  reaches:", text.index("tlb-flush:"))
    path.write_text(text[:at] + f"  reaches: {wrong}\n" + text[text.index("  code:", at):])
    with pytest.raises(SpecError, match=said):
        check_model(load_library(library.arch_folder, specs).model("x86_64", "option-c"))


def test_all_levels_load(library: Library) -> None:
    """What a step is there for is written for one level: others may lack what it names."""
    groups = groups_of(library, Filters(("x86_64", "arm64-4k", "s390"), (), ("option-c",),
                                        ("option-c",)))[0]
    assert len({g.level for g in groups}) > 1
    library.check(groups)


@pytest.fixture(scope="module")
def unflushed(tmp_path_factory: pytest.TempPathFactory, library: Library) -> Path:
    """specs/ whose tlb-flush does nothing."""
    import shutil

    specs = tmp_path_factory.mktemp("unflushed") / "specs"
    shutil.copytree(library.spec_folder, specs)
    path = specs / "transitions" / "gup.yaml"
    text = path.read_text()
    at = text.index("  code:", text.index("tlb-flush:"))
    path.write_text(text[:at] + text[at:].replace("finish(p)", "pass", 1))
    return specs


def test_every_format_tells_it(unflushed: Path, tmp_path: Path) -> None:
    """Counted, exit 3, part of the theorem, asked for by name, and the step that shows an effect
    comes from the cache too.
    """
    import json

    from click.testing import CliRunner
    from jsonschema import validate

    from verifier.cli import main
    from verifier.report.result_json import schema

    files = {name: str(tmp_path / f"it.{name}") for name in ("json", "junit", "sarif")}
    words = ["--spec-dir", str(unflushed), "prove", "--arch", "x86_64", "--level", "pte",
             "--encoding", "option-c", "--code", "option-c", "--transition", "tlb-*", "--jobs", "1"]
    options = [word for name, path in files.items() for word in (f"--{name}", path)]
    for again in (False, True):
        done = CliRunner().invoke(main, [*words, *options], env={"XDG_CACHE_HOME": str(tmp_path)})
        assert done.exit_code == 3, done.output
        told = json.loads(Path(files["json"]).read_text())
        validate(told, schema())
        assert told["summary"]["vacuous"] == 1 and told["theorems"][0]["verdict"] == "vacuous"
        assert told["theorems"][0]["counts"]["vacuous"] == 1
        (flushed,) = [r for r in told["failures"] if r["id"].endswith("/reaches-flushed")]
        assert (flushed["verdict"], flushed["kind"]) == ("vacuous", "effect")
        assert [p["cached"] for p in told["proofs"] if "store-leak" in p["proved"]] == [again]
    assert "VACUOUS" in done.output and "tlb-flush/option-c/reaches-flushed" in done.output
    assert "no state leads tlb-flush to flushed" in Path(files["junit"]).read_text()
    assert '"ruleId": "reaches-flushed"' in Path(files["sarif"]).read_text()
    right = CliRunner().invoke(main, [*words[2:], "--property", "reaches-*"],
                               env={"XDG_CACHE_HOME": str(tmp_path)})
    assert (right.exit_code, "Ran 1: 1 proved" in right.output) == (0, True), right.output


def test_a_step_that_shows_an_effect_is_its_own_from_the_cache_too(
    library: Library, tmp_path: Path
) -> None:
    from verifier.prove.recompute import leads_to
    from verifier.run.scheduler import Options, prove

    filters = Filters(("x86_64",), ("pte",), ("option-c",), ("option-c",), ("mremap-move",))
    model = library.group_model(GROUP)
    for again in (False, True):
        run = prove(library, filters, Options(cache=tmp_path))
        effects = [r for r in run.results if r.obligation.kind == "effect"]
        assert len(effects) > 4 and {r.cached for r in effects} == {again}
        for result in effects:
            assert isinstance(result.verdict, Proved) and result.verdict.inhabitant is not None
            assert (leads_to(model, GROUP, result.verdict.inhabitant,
                             result.obligation.property)), result.obligation.id


def test_no_property_is_called_like_an_effect(library: Library, tmp_path: Path) -> None:
    import shutil

    specs = tmp_path / "specs"
    shutil.copytree(library.spec_folder, specs)
    path = specs / "properties.yaml"
    path.write_text(path.read_text().replace("\nno-lost-dirty:", "\nreaches-dirty:"))
    with pytest.raises(SpecError, match="no property"):
        load_library(library.arch_folder, specs)
