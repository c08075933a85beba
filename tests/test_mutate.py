# SPDX-License-Identifier: GPL-2.0-or-later
"""Mutants are made, judged and counted rightly.

A fixed sample has no survivor that is not explained.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from verifier.cli import main
from verifier.evidence.mutate.command import KINDS, run
from verifier.evidence.mutate.judge import judge
from verifier.evidence.mutate.mutants import Mutant, mutants
from verifier.evidence.mutate.variations import variations
from verifier.run.library import Library


def test_every_kind_of_variation() -> None:
    text = "a = x & 3\nif not b:\n    f(a)\nreturn a == 0 and ~x != 1"
    found = dict(variations(text))
    assert found["drop `f(a)`"] == "a = x & 3\nif not b:\n    pass\nreturn a == 0 and ~x != 1"
    assert found["drop `a = x & 3`"].startswith("if not b")
    assert "if True" in found["`not b` is True"] and "if False" in found["`not b` is False"]
    assert "a = x | 3" in found["another operator in `x & 3`"] and "x & 4" in found["3 is 4"]
    assert "a != 0" in found["another comparison in `a == 0`"]
    assert ("x | x" in found["`~x` without its operator"]
            and "b and b" in found["`not b` without its operator"])
    assert len(set(found.values())) == len(found) and text not in found.values()


def test_what_is_done_twice_is_told_apart() -> None:
    text = "if a:\n    f(b)\nelif c:\n    f(b)\nf(b)"
    found = dict(variations(text))
    assert found["drop `f(b)`"] == "if a:\n    f(b)\nelif c:\n    f(b)"
    assert found["drop `f(b)` (2)"] == "if a:\n    pass\nelif c:\n    f(b)\nf(b)"
    assert found["drop `f(b)` (3)"] == "if a:\n    f(b)\nelif c:\n    pass\nf(b)"


@pytest.mark.whole
def test_every_mutant_has_an_id_of_its_own(library: Library) -> None:
    """By which judgements are kept, and explained: those of the twin would stand for it."""
    variants = ["x86_64", "powerpc64-hash"]
    found = [m.id for m in mutants(library, variants, KINDS)]
    assert len(found) > 3000 and len(found) == len(set(found))
    assert found == [m.id for m in mutants(library, variants, KINDS)]


def mutant(kind: str, variant: str, name: str, text: str, what: str = "") -> Mutant:
    return Mutant(kind, variant, name, what, text, "")


UNASKED = """\
if not mmap_locked(p):
    return
pmd = pmd_mkyoung(pmdp_get(entry[p]))
if write:
    pmd = pmd_mkdirty(pmd)
pmdp_set_access_flags(entry[p], pmd, write)
"""  # without what it asserts


@pytest.mark.parametrize(("one", "compared", "verdict", "by"), [
    (mutant("helper", "x86_64", "pte_dirty", "(pte & DIRTY) != 0"), {"pte_dirty"}, "killed",
     "conform compares pte_dirty"),
    (mutant("helper", "x86_64", "pte_dirty", "(pte & DIRTY) != 0"), set(), "killed", "x86_64/pte/"),
    (mutant("helper", "x86_64", "pte_dirty", "0 != (pte & (SAVED_DIRTY | DIRTY))"), set(),
     "equivalent", "the same function"),
    (mutant("helper", "x86_64", "pte_dirty", "pte & nonsense"), set(), "refused", "nonsense"),
    (mutant("code", "", "huge-write-fault-writable.today", UNASKED), set(), "survived",
     "no verdict"),
    (mutant("field", "x86_64", "ACCESSED", "6"), {"pte_young"}, "refused", "on one bit"),
    (mutant("field", "arm64-4k", "AF", "59"), {"pte_young"}, "killed",
     "conform compares pte_young"),
    (mutant("requires", "", "fork-pte.maps", ""), set(), "killed", "x86_64"),
])
def test_a_mutant_is_judged(library: Library, one: Mutant, compared: set[str], verdict: str,
                            by: str) -> None:
    found = judge(library, one, frozenset(compared), ("x86_64", "x86_64+shstk"))
    assert found.verdict == verdict and by in found.by


def test_where_a_verdict_is_refuted_already_the_states_tell(library: Library) -> None:
    """MADV_FREE of huge pages loses dirty in swap, today.

    Without its look at the map count it does so elsewhere too.
    """
    source = library.spec.transitions["madvise-free-pmd"].codes["today"].text
    blind = source.replace("if not mapcount_one(p):\n    return\n", "")
    assert blind != source
    found = judge(library, mutant("code", "", "madvise-free-pmd.today", blind), frozenset(),
                  ("x86_64",))
    assert (found.verdict == "killed"
            and found.by.endswith("no-lost-dirty is violated where it was not"))
    again = judge(library, mutant("code", "", "madvise-free-pmd.today", source), frozenset(),
                  ("x86_64",))
    assert again.verdict == "equivalent"


def test_a_helper_is_judged_where_it_is_used(library: Library) -> None:
    one = mutant("helper", "x86_64", "huge_pte_hw_reserved", "pte_hw_writable(pte)")
    found = judge(library, one, frozenset(), ())
    assert found.verdict == "killed" and found.by.startswith("x86_64/hugetlb/")


@pytest.mark.whole
def test_a_dropped_point_of_hardware_is_not_called_equivalent(library: Library) -> None:
    one = mutant("helper", "m68k", "ptep_set_access_flags",
                 "changed = not pte_same(ptep_get(ptep), entry)\nif changed:\n    "
                 "set_pte_at(ptep, entry)\nreturn changed", "drop `hardware(ptep)`")
    assert judge(library, one, frozenset(["ptep_set_access_flags"]), ()).verdict == "survived"


def test_a_code_that_comes_to_the_same_is_equivalent(library: Library) -> None:
    """To set the entry to itself would not be the same: the hardware may act before it."""
    source = library.spec.transitions["clear-young"].codes["today"].text
    one = mutant("code", "", "clear-young.today", source + "\nfolio_dirty = folio_dirty")
    assert judge(library, one, frozenset(), ("x86_64",)).verdict == "equivalent"


def test_a_fixed_sample_has_no_survivor_without_a_reason(library: Library, whole: bool) -> None:
    size = 60 if whole else 12
    score = run(library, ["x86_64", "arm64-4k", "s390"], ["helper", "field"], sample=size, jobs=2)
    assert [one.mutant.id for one in score.unexplained()] == []
    assert (len(score.judged) == size
            and sum(one.verdict == "killed" for one in score.judged) > size / 2)


def test_a_fixed_sample_of_codes_has_none_either(library: Library, whole: bool) -> None:
    size = 40 if whole else 12
    score = run(library, ["x86_64"], ["code"], sample=size, jobs=2)
    assert [one.mutant.id for one in score.unexplained()] == []
    assert (sum(one.mutant.place.startswith("specs/transitions/huge")
                for one in score.judged) > size / 5)
    assert (len(score.judged) == size
            and sum(one.verdict == "killed" for one in score.judged) > size / 2)


def test_a_requirement_that_is_left_out_is_noticed(library: Library) -> None:
    """Of all, tests/test_needed.py says so."""
    score = run(library, ["x86_64"], ["requires"],
                names=["fork-pte.*", "hugetlb-fork.*"], jobs=2)
    assert (
        [one.mutant.id for one in score.judged if one.verdict not in ("killed", "equivalent")] == []
    )
    assert len(score.judged) > 4


def test_a_run_goes_on_from_its_state(library: Library, tmp_path: Path) -> None:
    state = tmp_path / "state"
    names = ("pte_young", "pte_mkold")
    first = run(library, ["x86_64"], ["helper"], names=names, state=state)
    kept = state.read_text()
    state.write_text(kept + '{"cut o')
    again = run(library, ["x86_64"], ["helper"], names=names, state=state)
    assert again.judged == first.judged and state.read_text() == kept + '{"cut o'


def test_what_matches_nothing_is_an_error() -> None:
    for words in (["--name", "no-such"], ["--arch", "vax"]):
        result = CliRunner().invoke(main, ["mutate", *words])
        assert result.exit_code == 2 and "match" in result.output
