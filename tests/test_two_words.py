# SPDX-License-Identifier: GPL-2.0-or-later
"""Entries of two words: what a mixture may say, by which order of stores and which second look."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import replace
from functools import cache
from pathlib import Path
from shutil import copytree

import pytest
from click.testing import CliRunner
from sample import sampled

from verifier.base.errors import SpecError
from verifier.cli import main
from verifier.halves.judge import JudgedRead, judge
from verifier.halves.model import WordModel
from verifier.halves.moments import stages
from verifier.halves.read import load_two_words
from verifier.halves.run import judge_all
from verifier.language.algebra import Integers
from verifier.run.library import load_library

LIBRARY = load_library()
WORDS = load_two_words(LIBRARY.spec_folder)
GUP = WORDS.readers["gup-fast"]
PAE, XPA, SH = "x86_32-pae", "mips32-xpa", "sh-x2tlb+smp"


@cache
def model(variant: str, encoding: str = "option-c") -> WordModel:
    return WordModel(WORDS, LIBRARY.model(variant, encoding))


@cache
def judged(variant: str, way: str, rule: str, encoding: str = "option-c",
           reader: str = "gup-fast") -> dict[str, JudgedRead]:
    found = judge(model(variant, encoding), WORDS.ways[way], WORDS.readers[reader],
                  WORDS.rules[rule])
    return {one.claim: one for one in found}


def broken(variant: str, way: str, rule: str, encoding: str = "option-c",
           reader: str = "gup-fast") -> set[str]:
    return {name for name, one in judged(variant, way, rule, encoding, reader).items()
            if not one.holds}


def test_x86_takes_what_comes_back_for_another_page() -> None:
    """Only where an entry comes back: mprotect clears an entry and stores it again, with no flush
    between. A second look by halves may meet the same a second time; one load of both may not.
    """
    assert broken(PAE, "first-read", "stays-gone") == set()
    assert broken(PAE, "second-look", "same-page") == {"page", "whole"}
    assert broken(PAE, "whole-look", "same-page") == set()
    one = judged(PAE, "second-look", "same-page")["page"]
    assert [met.load for met in one.run] == ["low", "high", "low", "low", "high"]
    assert one.run[0].memory == 0x512345025 and one.read == 0x12345025


def test_the_page_flag_is_that_of_the_page_which_the_mixture_names() -> None:
    assert "exclusive" in broken(PAE, "second-look", "same-page", "page-flag")
    assert "exclusive" not in broken(PAE, "second-look", "same-page", "option-c")


def test_mips_takes_away_the_high_word_first() -> None:
    """What its comment says of present to not present is not so there: the low word goes last."""
    assert broken(XPA, "first-read", "stays-gone") == {"page", "whole"}
    assert broken(XPA, "clears-low-first", "stays-gone") == {"whole"}
    one = judged(XPA, "first-read", "stays-gone")["page"]
    assert one.run[-1].change == "clears" and one.run[-1].memory not in (
        one.run[-1].before, one.run[-1].after)


def test_sh_has_its_frame_in_the_low_word() -> None:
    assert broken(SH, "first-read", "same-page") == {"whole"}


@pytest.mark.parametrize(("variant", "way", "rule", "breaks"), sampled([
    (PAE, "no-check", "stays-gone", "page"), (PAE, "turned", "stays-gone", "page"),
    (SH, "turned", "stays-gone", "write"), (SH, "turned", "stays-gone", "exclusive"),
    ("mips32-36bit", "no-check", "same-page", "page"),
], [(PAE, "no-check", "stays-gone", "page"), (SH, "turned", "stays-gone", "exclusive")]))
def test_planted_mistakes_are_refuted(variant: str, way: str, rule: str, breaks: str) -> None:
    assert breaks in broken(variant, way, rule)


def test_a_fault_compares_under_the_lock() -> None:
    assert broken(PAE, "first-read", "any", reader="fault") == {"none", "swap-entry"}
    assert broken(PAE, "compared", "any", reader="fault") == set()


@pytest.mark.parametrize("variant", WORDS.layouts)
def test_what_memory_has_while_it_is_stored(variant: str) -> None:
    """Where the first read is by halves, set_pte_at stores two, the high word first."""
    alg, layout = Integers(), LIBRARY.layout(variant)
    old, new = 0x1111111122222222, 0x3333333344444444
    found = [word for _, word in stages(alg, layout.helper("set_pte"), {"ptep": old, "pte": new})]
    between = [word for word in found[1:-1] if word != old]
    assert between == ([] if WORDS.layouts[variant].reads == ("both",) else [0x3333333322222222])


@pytest.mark.parametrize(("way", "rule"), sampled(
    [(way.name, rule) for way in WORDS.ways.values() if "gup-fast" in way.readers
     for rule in WORDS.rules], [("second-look", "stays-gone"), ("whole-look", "same-page")]))
def test_nothing_is_vacuous(way: str, rule: str) -> None:
    """The reader goes on with something, in each way and under each rule."""
    never = replace(GUP.claims[0], of=replace(GUP.claims[0].of, text="False"))
    words = replace(WORDS, readers={"gup-fast": replace(GUP, claims=(never,))})
    (one,) = judge(WordModel(words, LIBRARY.model(PAE, "option-c")), words.ways[way],
                   words.readers["gup-fast"], words.rules[rule])
    assert not one.holds


def changed(tmp_path: Path, *pairs: tuple[str, str]) -> Path:
    folder = tmp_path / "specs"
    copytree(LIBRARY.spec_folder, folder)
    path = folder / "two-words.yaml"
    text = path.read_text()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    path.write_text(text)
    return folder


@pytest.mark.parametrize(("old", "new", "says"), [
    ("reads: [low, high, low]", "reads: [high, low]", "reads are"),
    ("of: [none, swapped]", "of: [nothing]", "unknown in of"),
    ("look: halves", "look: twice", "a look is one of"),
    ("kind: mend", "kind: bad", "a kind is one of"),
    ("interrupts: kept off", "interrupts: maybe", "interrupts are"),
    ("rules: [stays-gone", "rules: [gone", "unknown in rules"),
    ("describe: \"takes a swap entry away\"", "says: \"\"", "unknown key"),
])
def test_mistakes_in_the_file_are_told(tmp_path: Path, old: str, new: str, says: str) -> None:
    folder = changed(tmp_path, (old, new))
    with pytest.raises(SpecError, match=says):
        load_two_words(folder)


def test_a_text_that_is_no_sentence_is_told(tmp_path: Path) -> None:
    words = load_two_words(changed(tmp_path, ('of: "v == e"', 'of: "e"')))
    with pytest.raises(SpecError, match="no text of a boolean"):
        WordModel(words, LIBRARY.model(PAE, "option-c"))


def test_an_architecture_of_one_word_is_told() -> None:
    with pytest.raises(SpecError, match="entries of one word"):
        WordModel(WORDS, LIBRARY.model("x86_32", "option-c"))


def said(*args: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["two-words", *args])
    return result.exit_code, result.output


def test_the_command_says_it_as_text_and_as_data() -> None:
    words = ("--arch", PAE, "--way", "second-look", "--rule", "same-page")
    code, text = said(*words, "--trace")
    assert code == 1 and "read: 0x0000000012345025" in text and "high word 0x0" in text
    code, text = said(*words, "--json", "-")
    rows = {(one["claim"], one["encoding"]): one for one in json.loads(text)["claims"]}
    assert code == 1 and rows["page", ""]["verdict"] == "BAD" and len(rows["page", ""]["run"]) == 5
    assert rows["exclusive", "option-c"]["verdict"] == "ok"
    assert said("--arch", "x86_64")[0] == 2


def test_where_one_load_reads_both_nothing_is_asked_of_halves() -> None:
    found: Collection[JudgedRead] = judge_all(LIBRARY, WORDS, ["arm-lpae"], list(WORDS.ways),
                                              list(WORDS.rules))
    assert {one.kind for one in found} == {""} and all(one.holds for one in found)
