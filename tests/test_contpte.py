# SPDX-License-Identifier: GPL-2.0-or-later
"""Contiguous blocks of arm64: what is proved, refuted and planted, and what the argument rests on.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from click.testing import CliRunner
from sample import sampled

from verifier.base.errors import SpecError
from verifier.blocks.contpte import HelperMistake, load_contpte
from verifier.blocks.cut_off import cut_off, cut_off_of
from verifier.blocks.model import BlockModel, instances, one_of_each
from verifier.blocks.premises import frame_alone
from verifier.blocks.prove import decide
from verifier.blocks.read import load_blocks
from verifier.blocks.run import plant_helper, prove_blocks
from verifier.cli import main
from verifier.language.read_yaml import Source
from verifier.run.filters import Filters
from verifier.run.library import load_library
from verifier.run.plan import coverage_of, groups_of

LIBRARY = load_library()
BLOCKS = load_blocks(LIBRARY.spec_folder, LIBRARY.spec)
CONTPTE = load_contpte(LIBRARY.spec_folder, BLOCKS)
ARM64 = [v.name for v in LIBRARY.variants() if CONTPTE.on(LIBRARY.layout(v.name))]
DBM = "arm64-4k+dbm"
EXCLUSIVE = {"no-false-exclusive", "exclusive-only-granted"}


def model(size: int, variant: str = DBM, encoding: str = "option-c", code: str = "option-c"
          ) -> BlockModel:
    spec = CONTPTE.as_of(code).spec
    return BlockModel(spec, LIBRARY.layout(variant), spec.encodings[encoding], size, CONTPTE.folds)


def failures(one: BlockModel, code: str) -> dict[str, set[str]]:
    found = decide(one, code, ordered=())
    assert all(step.acts for step in found.values())
    return {name: set(step.broken) for name, step in found.items() if step.broken}


def test_arm64_alone_has_contiguous_blocks() -> None:
    assert {LIBRARY.layout(name).arch.name for name in ARM64} == {"arm64"} and len(ARM64) == 9


@pytest.mark.parametrize("variant, size", sampled(
    [*product(ARM64, (2, 11)), (DBM, 16)], {(DBM, 2), ("arm64-16k", 2), ("arm64-64k+pa52", 2)}))
def test_option_c_as_mended_is_proved(variant: str, size: int) -> None:
    assert failures(model(size, variant), "option-c") == {}


@pytest.mark.parametrize("variant, size", sampled(
    [*product(ARM64, (2, 11))], {(DBM, 2), ("arm64-4k", 3)}))
def test_todays_code_is_proved_under_the_page_flag(variant: str, size: int) -> None:
    assert failures(model(size, variant, "page-flag", "today"), "today") == {}


def test_todays_code_is_refuted_under_option_c() -> None:
    shared = {"no-false-shared", "pin-stays"}
    assert failures(model(2, code="today"), "today") == {
        "fold": EXCLUSIVE, "unshare": EXCLUSIVE, "mremap-batch": EXCLUSIVE,
        "fork-batch": {*EXCLUSIVE, "pin-stays"}, "madvise-free-batch": shared,
        "mprotect-batch": EXCLUSIVE | shared}


def named(one: HelperMistake) -> str:
    return f"{one.helper}.{one.name}"


LEFT = {named(one): one for one in CONTPTE.left_out()}


@pytest.mark.parametrize("name, step, steps", [
    ("__contpte_try_fold.today", "fold", 3),
    ("contpte_ptep_set_access_flags.today", "unshare", 4),
])
def test_each_mended_rule_is_necessary(name: str, step: str, steps: int) -> None:
    """The rest is mended; with today's text of one helper it takes so many steps to fail."""
    found = plant_helper(CONTPTE, LIBRARY.layout(DBM), LEFT[name], 5)
    assert {(one.step, one.property, len(one.trace)) for one in found.failures} == {
        (step, prop, steps) for prop in EXCLUSIVE}
    assert found.smallest == 2


def test_what_is_mended_is_what_has_a_trace() -> None:
    assert set(LEFT) == {"__contpte_try_fold.today", "contpte_ptep_set_access_flags.today"}


FEW = {"__contpte_try_fold.first-and-last", "contpte_convert.drops-dirty"}


@pytest.mark.parametrize("one", [
    pytest.param(one, id=named(one), marks=() if named(one) in FEW else pytest.mark.whole)
    for one in CONTPTE.mistakes()])
def test_planted_mistakes_are_noticed_in_as_small_a_block_as_they_say(one: HelperMistake) -> None:
    assert plant_helper(CONTPTE, LIBRARY.layout(DBM), one).as_said


def test_the_cut_off_has_a_witness_for_each_atom_of_fold() -> None:
    """A page, the last one, and one entry each that is unlike, dirty, clean, dirty, young."""
    blocks = CONTPTE.as_of("option-c")
    encoding = blocks.spec.encodings["option-c"]
    fold = cut_off_of(blocks.spec, encoding, blocks.spec.transitions["fold"], "option-c",
                      blocks.numbers)
    assert fold.named == {"0", "LAST"} and len(fold.atoms) == 5
    assert fold.witnesses == 3  # dirty of each process, and of what fails
    assert cut_off(blocks.spec, encoding, "option-c", blocks.numbers) == fold.pages == 11
    smallest = [one.smallest for one in CONTPTE.mistakes() if one.name == "first-and-last"]
    assert smallest == [3] and fold.pages > 3


def test_a_property_that_demands_an_entry_for_each_page_has_no_cut_off() -> None:
    blocks = CONTPTE.as_of("option-c")
    spec = blocks.spec
    lost = spec.properties["no-lost-dirty"]
    text = "any(entry[p][j] == entry[p][i] for j in range(BLOCK))"
    wrong = replace(spec, properties={
        **spec.properties, lost.name: replace(lost, holds=Source(text, lost.where))})
    with pytest.raises(SpecError, match="another entry for each page"):
        cut_off(wrong, spec.encodings["option-c"], "option-c", blocks.numbers)


@pytest.mark.parametrize("variant", sampled(ARM64, {DBM, "arm64-64k+pa52"}))
def test_frames_are_but_carried_along(variant: str) -> None:
    asked, refused = frame_alone(model(2, variant))
    assert refused == [] and "at_frame" in asked


def test_a_frame_that_is_looked_at_is_told() -> None:
    blocks = CONTPTE.as_of("option-c")
    spec = blocks.spec
    views = tuple(replace(view, body=Source("pfn_pte(frame_number + 1, pte_pgprot(e))", view.at))
                  if view.signature.startswith("at_frame") else view for view in spec.views)
    one = BlockModel(replace(spec, views=views), LIBRARY.layout(DBM), spec.encodings["option-c"], 2,
                     CONTPTE.folds)
    assert frame_alone(one)[1] == ["at_frame"]


def test_one_instance_of_each_kind_of_page() -> None:
    every = [one for one in instances(model(9), apart=True) if one.name == "hw-store"]
    kinds = {one.pages for one in one_of_each(model(9), every)}
    assert len(every) == 81
    assert kinds == {(0,), (1,), (8,), (0, 1), (0, 8), (1, 0), (1, 2), (1, 8), (8, 0), (8, 1)}


@pytest.mark.whole
def test_all_instances_say_what_one_of_each_kind_says() -> None:
    one = model(3, code="today")
    every, few = decide(one, "today"), decide(one, "today", ordered=())
    assert {name: set(found.broken) for name, found in every.items()} == {
        name: set(found.broken) for name, found in few.items()}


def test_a_run_says_that_it_is_about_contpte() -> None:
    blocks = CONTPTE.as_of("option-c")
    found = prove_blocks(blocks, LIBRARY.layout("arm64-16k"), blocks.spec.encodings["option-c"],
                         "option-c", (2,), ("fold",), folds=CONTPTE.folds)
    assert found.name == "arm64-16k/contpte/option-c/option-c"
    assert (found.size, found.cut_off, found.every_size, found.failures) == (128, 11, False, [])


def test_the_command_shows_contiguous_blocks_of_arm64() -> None:
    told = CliRunner().invoke(main, [
        "blocks", "--contpte", "--arch", "arm64-4k", "--code", "option-c", "--transition", "fold",
        "--size", "2"])
    assert told.exit_code == 0
    assert "arm64-4k/contpte/option-c/option-c: PROVED" in told.output
    assert "CONFIG_ARM64_CONTPTE" in told.output
    none = CliRunner().invoke(main, ["blocks", "--contpte"])
    assert "none has contiguous" in str(none.output) + str(none.exception)


def test_theorems_of_arm64_say_that_contpte_is_in_none() -> None:
    arm64, x86 = (str(coverage_of(LIBRARY, groups_of(LIBRARY, Filters(arch=(name,)))[0][:1],
                                  Filters(), ())["not_covered"])
                  for name in ("arm64-4k", "x86_64"))
    assert "CONFIG_ARM64_CONTPTE is in none of these theorems" in arm64
    assert "CONTPTE" not in x86
