# SPDX-License-Identifier: GPL-2.0-or-later
"""Blocks of entries: the cut-off, its premises, what is proved, refuted and planted."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from shutil import copytree

import pytest
from sample import sampled

from verifier.base.errors import Contradiction, SpecError, Where
from verifier.blocks import prove as asking
from verifier.blocks.cut_off import cut_off, cut_off_of
from verifier.blocks.model import BlockModel
from verifier.blocks.premises import frame_alone
from verifier.blocks.prove import BITS, OfSize, agreed, decide
from verifier.blocks.read import Blocks, Planted, load_blocks
from verifier.blocks.run import plant, prove_blocks
from verifier.blocks.search import find
from verifier.language.read_yaml import Source
from verifier.model.texts import Axiom, Definition
from verifier.run.library import Library, load_library

LIBRARY = load_library()
BLOCKS = load_blocks(LIBRARY.spec_folder, LIBRARY.spec)
LARGE = [v.name for v in LIBRARY.variants() if "huge_pmd" not in v.absent and not v.unproved]
THEOREMS = [(encoding.name, code) for encoding in BLOCKS.spec.encodings.values()
            for code in encoding.codes]
HARMLESS = {"zap-batch", "mlock-batch", "madvise-cold-batch"}


@pytest.fixture(scope="module")
def blocks() -> Blocks:
    return BLOCKS


def model(library: Library, blocks: Blocks, size: int, variant: str = "x86_64",
          encoding: str = "option-c") -> BlockModel:
    return BlockModel(blocks.spec, library.layout(variant), blocks.spec.encodings[encoding], size)


def broken(found: dict[str, set[str]]) -> dict[str, set[str]]:
    return {step: props for step, props in found.items() if props}


def failures(one: BlockModel, code: str, only: frozenset[str] | None = None
             ) -> dict[str, set[str]]:
    return broken({step: set(what.broken) for step, what in decide(one, code, only).items()})


def test_option_c_as_mended_is_proved_at_the_cut_off(library: Library, blocks: Blocks) -> None:
    size = cut_off(blocks.spec, blocks.spec.encodings["option-c"], "option-c", blocks.numbers)
    found = decide(model(library, blocks, size), "option-c")
    assert size == 5
    assert {step for step, one in found.items() if one.broken} == set()
    assert all(one.acts for one in found.values())


def test_todays_code_is_proved_under_the_page_flag(library: Library, blocks: Blocks) -> None:
    assert failures(model(library, blocks, 2, encoding="page-flag"), "today") == {}


EXCLUSIVE = {"no-false-exclusive", "exclusive-only-granted"}
SHARED = {"no-false-shared", "pin-stays"}
ALONE = {"fork-batch": EXCLUSIVE, "madvise-free-batch": SHARED, "mprotect-batch": SHARED}


def test_todays_code_is_refuted_under_option_c(library: Library, blocks: Blocks) -> None:
    """What fails in a block of one is no matter of batches; what two add is."""
    assert failures(model(library, blocks, 1), "today") == ALONE
    two = failures(model(library, blocks, 2), "today")
    assert two == ALONE | {
        "fork-batch": {*EXCLUSIVE, "pin-stays"}, "mprotect-batch": EXCLUSIVE | SHARED,
        "mremap-batch": EXCLUSIVE, "unmap-lazyfree-batch": EXCLUSIVE}
    assert not HARMLESS & two.keys()


@pytest.mark.parametrize("step, prop, steps", sampled([
    ("fork-batch", "no-false-exclusive", 2), ("fork-batch", "pin-stays", 5),
    ("mremap-batch", "no-false-exclusive", 4),
], {("fork-batch", "no-false-exclusive", 2)}))
def test_traces_from_an_empty_space(library: Library, blocks: Blocks, step: str, prop: str,
                                    steps: int) -> None:
    trace = find(model(library, blocks, 2), "today", [(step, prop)], 6)[step, prop]
    assert len(trace) == steps and trace[-1].instance.name == step
    assert trace[0].before["folio_dirty"] is False
    for one, following in pairwise(trace):
        assert one.after == following.before


def test_no_trace_is_made_up(library: Library, blocks: Blocks) -> None:
    target = ("fork-batch", "no-false-exclusive")
    assert find(model(library, blocks, 2), "option-c", [target], 3) == {}


FEW = {"first-and-last", "two-kinds", "first-entry", "folio-first-page", "replicates-write",
       "out-of-bounds", "restores-write"}


@pytest.mark.parametrize("one", [
    pytest.param(one, id=f"{one.transition}-{one.name}",
                 marks=() if one.name in FEW else pytest.mark.whole) for one in BLOCKS.planted])
def test_planted_mistakes_are_noticed_in_as_small_a_block_as_they_say(
    library: Library, blocks: Blocks, one: Planted
) -> None:
    assert plant(blocks, library.layout("x86_64"), one).as_said


WRITABLE = {"no-false-exclusive", "writable-is-exclusive"}


def test_a_shadow_stack_is_not_seen_by_a_batch_that_respects_write(
    library: Library, blocks: Blocks
) -> None:
    """docs/blocks.md, Findings."""
    one = model(library, blocks, 2, "x86_64+shstk", "page-flag")
    assert failures(one, "today", frozenset({"mprotect-batch", "fork-batch"})) == {
        "mprotect-batch": WRITABLE}


def test_public_bugs_are_among_the_planted() -> None:
    assert {one.commit for one in BLOCKS.planted} == {
        "", "f822a9a81a31", "cac1db8c3aad", "354dffd29575"}


def test_a_mistake_that_two_entries_do_not_show_is_within_the_cut_off(blocks: Blocks) -> None:
    one = next(p for p in blocks.planted if p.name == "two-kinds")
    found = cut_off_of(blocks.spec, blocks.spec.encodings["option-c"],
                       blocks.spec.transitions[one.transition], one.code, blocks.numbers)
    assert 2 < one.smallest <= found.pages


def text(code: str) -> Source:
    return Source(code, Where("test.yaml", 1, 1))


@pytest.mark.parametrize("code, why", [
    ("for i in range(BLOCK):\n    x = pte_dirty(entry[p][i])\nif x:\n    mlocked = True",
     "the last round of a loop says what x is"),
    ("x = False\nfor i in range(BLOCK):\n    x = x or pte_dirty(entry[p][i])",
     "a loop hands x on"),
    ("for i in range(BLOCK):\n    if mlocked:\n        mlocked = False",
     "a loop hands on a value of the folio"),
    ("for i in range(BLOCK):\n    folio_dirty = pte_dirty(entry[p][i])",
     "a loop hands on a value of the folio"),
    ("for i in range(BLOCK):\n    if pte_dirty(entry[p][i]):\n        return",
     "a loop returns"),
    ("for i in range(BLOCK):\n    if any(pte_dirty(entry[p][n]) for n in range(BLOCK)):\n"
     "        set_pte_at(entry[p][i], entry[p][i])",
     "asks for the whole block while it changes it"),
    ("for i in range(BLOCK):\n    for n in range(BLOCK):\n        pass", "a loop within a loop"),
    ("for i in range(BLOCK):\n    entry[p][0] = entry[p][i]", "sets what is not of its own page"),
    ("for i in range(BLOCK):\n    pfn = pfn + i", "the number of a page (i) is used"),
    ("mlocked = entry[p][1] == entry[p][0]", "neither the round's, a parameter nor the"),
    ("mlocked = any(any(maps(p, i) for n in range(BLOCK)) for i in range(BLOCK))",
     "a question about the block within another"),
])
def test_texts_without_a_cut_off_are_refused(blocks: Blocks, code: str, why: str) -> None:
    step = blocks.spec.transitions["mlock-batch"]
    changed = replace(step, codes={"today": text(code)})
    with pytest.raises(SpecError) as error:
        cut_off_of(blocks.spec, blocks.spec.encodings["option-c"], changed, "today", blocks.numbers)
    assert why in str(error.value)


@pytest.mark.parametrize("sentence", [
    "any(maps(p, i) for i in range(BLOCK))", "not all(maps(p, i) for i in range(BLOCK))",
    "mlocked == all(maps(p, i) for i in range(BLOCK))", "not alike(p)",
])
def test_a_sentence_that_demands_a_witness_is_refused(blocks: Blocks, sentence: str) -> None:
    step = blocks.spec.transitions["mlock-batch"]
    changed = replace(step, requires=(Axiom("x", text(sentence), "test"),))
    with pytest.raises(SpecError, match="demands that some entry"):
        cut_off_of(blocks.spec, blocks.spec.encodings["option-c"], changed, "today", blocks.numbers)


def test_atoms_of_definitions_count_at_each_call(blocks: Blocks) -> None:
    step = blocks.spec.transitions["mlock-batch"]
    twice = replace(step, codes={"today": text("if alike(p) and alike(other(p)):\n    pass")})
    found = cut_off_of(blocks.spec, blocks.spec.encodings["option-c"], twice, "today",
                       blocks.numbers)
    assert len(found.atoms) == 2 and found.named == {"0"} and found.pages == 4


def test_helpers_that_look_at_the_frame_are_told(library: Library, blocks: Blocks) -> None:
    assert frame_alone(model(library, blocks, 2))[1] == []
    assert "pte_advance_pfn" in frame_alone(model(library, blocks, 2, "powerpc-e500"))[1]


@pytest.mark.whole
@pytest.mark.parametrize("variant", LARGE)
def test_helpers_of_all_variants_with_large_folios(library: Library, blocks: Blocks,
                                                   variant: str) -> None:
    assert frame_alone(model(library, blocks, 2, variant))[1] == []


LOST = {"hw-store_unseen": {"no-lost-dirty"}}
STRAY = {"hw-stray-dirty": EXCLUSIVE}
# docs/blocks.md, Findings; stray-dirty variants are there to refute option C
KNOWN = {
    **{(arc, encoding): LOST for arc in ("arc", "arc+smp")
       for encoding in ("option-c", "page-flag")},
    **{(f"{x86}+stray-dirty", "option-c"): STRAY for x86 in ("x86_64", "x86_32", "x86_32-pae")},
    ("x86_64+shstk", "page-flag"): dict.fromkeys(
        ("unmap-lazyfree-batch", "mprotect-batch", "mremap-batch"), WRITABLE),
}


@pytest.mark.whole
@pytest.mark.parametrize("encoding, code", THEOREMS)
@pytest.mark.parametrize("variant", LARGE)
def test_one_more_entry_changes_nothing(library: Library, blocks: Blocks, variant: str,
                                        encoding: str, code: str) -> None:
    size = cut_off(blocks.spec, blocks.spec.encodings[encoding], code, blocks.numbers)
    one, two = (failures(model(library, blocks, number, variant, encoding), code)
                for number in (size, size + 1))
    assert one == two
    if encoding == "page-flag" or code == "option-c":
        assert one == KNOWN.get((variant, encoding), {})


def test_a_page_that_is_not_there_is_an_error(library: Library, blocks: Blocks) -> None:
    wrong = replace(blocks.spec, views=(*blocks.spec.views, Definition(
        "second(p:process)", Where("test.yaml", 1, 1), text("entry[p][2]"))))
    one = BlockModel(wrong, library.layout("x86_64"), wrong.encodings["option-c"], 2)
    with pytest.raises(SpecError, match="index out of range; entry has 2"):
        one.definition("views", "second")


def test_a_run_says_what_it_stands_for(library: Library, blocks: Blocks) -> None:
    layout, encoding = library.layout("x86_64"), blocks.spec.encodings["option-c"]
    few = prove_blocks(blocks, layout, encoding, "today", (1, 2), ("fork-batch",), 2)
    assert not few.every_size and few.refuted
    assert {(one.property, one.smallest, len(one.trace)) for one in few.failures} == {
        ("no-false-exclusive", 1, 2), ("exclusive-only-granted", 1, 2), ("pin-stays", 2, 0)}


def test_terms_say_what_bits_say(library: Library, blocks: Blocks) -> None:
    one = model(library, blocks, 2)
    steps = frozenset({"fork-batch", "mprotect-batch", "zap-batch", "hw-store"})
    found = agreed(one, "today", steps, "bitwuzla")
    assert set(found) == steps and set(found["zap-batch"].broken) == set()


def test_solvers_that_differ_are_a_contradiction(library: Library, blocks: Blocks,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    def made_up(model: BlockModel, code: str, only: frozenset[str] | None,
                solver: str = BITS, ordered: frozenset[str] | None = None
                ) -> dict[str, OfSize]:
        return {"zap-batch": OfSize({} if solver == BITS else {"pin-stays": None}, True)}

    monkeypatch.setattr(asking, "decide", made_up)
    with pytest.raises(Contradiction, match="zap-batch in a block of 2"):
        agreed(model(library, blocks, 2), "today", None, "bitwuzla")


@pytest.mark.whole
def test_terms_say_what_bits_say_at_the_cut_off(library: Library, blocks: Blocks) -> None:
    for code in ("today", "option-c"):
        agreed(model(library, blocks, 5), code, None, "bitwuzla")


@pytest.mark.parametrize("old, new, why", [
    ("breaks: pin-stays", "breaks: pin-stay", "unknown: 'pin-stay'"),
    ("      of: option-c", "      of: option-d", "unknown: 'option-d'"),
    ("  hazards: [B1, B3, B4]", "  hazard: [B1, B3, B4]", "unknown key 'hazard'"),
    ('      because: "mm/memory.c:copy_pte_range, the child\'s table is new"', "",
     "does not name the kernel line"),
])
def test_what_is_wrong_in_a_file_of_blocks_is_told(tmp_path: Path, old: str, new: str,
                                                   why: str) -> None:
    copytree(LIBRARY.spec_folder / "blocks", tmp_path / "specs" / "blocks")
    path = tmp_path / "specs" / "blocks" / "transitions" / "fork.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(SpecError, match=r"fork\.yaml") as error:
        load_blocks(tmp_path / "specs", LIBRARY.spec)
    assert why in str(error.value)
