# SPDX-License-Identifier: GPL-2.0-or-later
"""Races of specs/races.yaml: verdicts, what herd7 said of the same tests, and mistakes in the file.

tests/herd7.tsv has what herd7 7.57 answered with the linux-kernel.cfg of 6.12.117: the test, a
digest of its text, and whether it can end so (no where its observation was Never).
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sample import sampled

from verifier.base.data import data_folder
from verifier.base.errors import SpecError
from verifier.cli import main
from verifier.races.judge_races import JudgedRace, judge_race
from verifier.races.race import Races
from verifier.races.read_races import load_races

RACES = load_races(data_folder("specs"))
FEW = ("ksm", "madv-free", "unmap", "free-table", "discard-dropped", "device-exclusive")
ANSWERS = [tuple(line.split("\t")) for line in
           Path(__file__).with_name("herd7.tsv").read_text().splitlines()]


def judged(race: str) -> list[JudgedRace]:
    return list(judge_race(RACES, RACES.races[race]))


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args])


# By encoding and code, the verdicts of SC, TSO and LKMM as written; of its cases where they differ.
OK, WEAK, LKMM, BAD = "ok ok ok", "ok BAD BAD", "ok ok BAD", "BAD BAD BAD"
WRITTEN = {
    "swap-out": {OK}, "ksm": {OK}, "ksm-reference": {WEAK}, "uffd-move": {WEAK}, "fork": {LKMM},
    "fork-two-threads": {LKMM}, "discard-held": {OK}, "discard-dropped": {OK}, "madv-free": {OK},
    "mprotect": {OK}, "numa-hint": {OK}, "device-exclusive": {OK}, "unmap": {OK},
    "free-table": {OK}, "collapse": {OK}, "fork-hugetlb": {LKMM}, "clear-soft-dirty": {OK},
    "huge-migration": {OK, BAD},
}
NOT_ASKED_OF_HERD7 = {"fork-two-threads", "fork-hugetlb", "clear-soft-dirty", "huge-migration"}
TODAY_UNDER_C = {"madv-free": {OK, BAD}, "mprotect": {BAD}, "numa-hint": {BAD},
                 "clear-soft-dirty": {BAD},
                 "device-exclusive": {OK, BAD}}


@pytest.mark.parametrize("race", sampled(WRITTEN, FEW))
def test_verdicts_and_what_herd7_said(race: str) -> None:
    found = judged(race)
    written = [one for one in found if one.kind == "as written"]
    for under in RACES.races[race].under:
        expected = TODAY_UNDER_C[race] if under == "option-c/today" else WRITTEN[race]
        assert {one.verdict for one in written if one.case.under == under} == expected, under
    assert all(not any(one.bad.values()) for one in found if one.kind == "mended")
    answers = {name: (digest, said) for name, digest, said in ANSWERS}
    for one in found:
        if one.label in answers:
            digest, said = answers[one.label]
            text = " ".join(one.text.split())
            assert hashlib.sha256(text.encode()).hexdigest()[:16] == digest, (
                f"herd7's answer on {one.label} is of another text")
            assert one.bad["LKMM"] == (said == "yes"), one.label


def test_every_race_is_judged_here_and_most_by_herd7() -> None:
    assert set(WRITTEN) == set(RACES.races)
    assert len(ANSWERS) >= 200 and len({name for name, _, _ in ANSWERS}) == len(ANSWERS)
    known = {name.partition("+")[0] for name, _, _ in ANSWERS}
    assert set(RACES.races) - known == NOT_ASKED_OF_HERD7


# What goes bad without it, and in which model first, under page-flag and under option C.
NEEDED = [
    ("ksm", "B3/B4 smp_mb", LKMM, LKMM), ("ksm", "B4/B5 smp_rmb", LKMM, None),
    ("ksm", "A1/A2 smp_mb", WEAK, WEAK), ("ksm", "A3/A4 smp_mb", LKMM, None),
    ("ksm", "no second look (B4)", BAD, BAD), ("ksm", "no look at the flag (B5)", BAD, None),
    ("ksm", "the entry is not cleared first (A1)", BAD, BAD),
    ("ksm", "the entry comes back as it was", None, BAD),
    ("unmap", "B3/B4 atomic", LKMM, LKMM), ("unmap", "clear/put atomic", LKMM, LKMM),
    ("unmap", "no second look (B4)", BAD, BAD),
    ("free-table", "unlink/free grace period", BAD, BAD),
    ("free-table", "interrupts on (reader)", BAD, BAD),
    ("discard-dropped", "ref/dirty smp_rmb", LKMM, LKMM),
    ("discard-dropped", "dirty/put atomic", LKMM, LKMM),
]


@pytest.mark.parametrize("race", sorted({row[0] for row in NEEDED}))
def test_what_is_needed(race: str) -> None:
    found = judged(race)
    for _, name, flag, option_c in (row for row in NEEDED if row[0] == race):
        for under, expected in (("page-flag/today", flag), ("option-c/option-c", option_c)):
            verdicts = {one.verdict for one in found
                        if one.name == name and one.case.under == under}
            assert (verdicts - {OK} or {OK}) == {expected} if expected else not verdicts, (
                name, under, verdicts)


def test_an_invalid_huge_entry_is_the_cause() -> None:
    """Where it permits no access, migration of a huge page is ok under every model."""
    written = {one.case.chosen: one.verdict for one in judged("huge-migration")
               if one.kind == "as written"}
    assert written == {(kind, read): OK if read == "refuses-invalid" else BAD
                       for kind in ("read-only", "writable")
                       for read in ("refuses-invalid", "reads-invalid")}


@pytest.mark.whole
def test_every_barrier_and_every_mistake_but_these_is_needed() -> None:
    idle: dict[str, bool] = {}
    for race in RACES.races:
        base: dict[tuple[object, ...], JudgedRace] = {}
        for one in judged(race):
            key = one.case.chosen, one.case.under
            if one.kind in ("as written", "mended"):
                base[key] = one
            else:
                idle[one.name] = idle.get(one.name, True) and one.bad == base[key].bad
    assert {name for name, so in idle.items() if so} == {
        "seq/B1 smp_rmb", "B5/seq smp_rmb", "seq/share smp_wmb",
        "no second look at the entry above",
    }


def test_the_command(tmp_path: Path) -> None:
    good = run("races", "unmap", "--herd", tmp_path / "tests")
    assert good.exit_code == 0 and "ok ok ok" in good.output
    assert max(map(len, good.output.splitlines())) <= 80
    text = (tmp_path / "tests" / "unmap+page-flag+today+0.litmus").read_text()
    assert text.startswith("C unmap+page-flag+today+0\n") and "exists (0:done=1" in text
    bad = run("races", "uffd-*", "--json", "-")
    data = json.loads(bad.output)
    assert bad.exit_code == 1 and data["schema"] == "pteproof.races/1"
    assert data["tests"][0]["bad"] == {"SC": False, "TSO": True, "LKMM": True}
    wrong = run("races", "forks")
    assert wrong.exit_code == 2 and "no race matches forks; did you mean fork?" in wrong.output


def changed(tmp_path: Path, old: str, new: str) -> Races:
    shutil.copytree(data_folder("specs"), tmp_path / "specs")
    path = tmp_path / "specs" / "races.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return load_races(tmp_path / "specs")


@pytest.mark.parametrize(("old", "new", "message"), [
    ("threads: [pin, unmap]", "threads: [pin, unmapp]", "unknown thread 'unmapp'; did you mean"),
    ("when: [dropped]", "when: [droped]", "thread get: no race has the words droped"),
    ("value: RO_DIRTY,", "value: RO_DIRT,", "unknown value 'RO_DIRT'; did you mean RO_DIRTY"),
    ("type: atomic", "type: atomc", "a type is one of int, atomic, lock, pointer"),
    ('barrier: "B3/B4 atomic"', 'mend: "x"\n        part: "y"', "one of barrier, part and mend"),
    ('- {needs: "got"}', '- {needs: "got", do: "x;"}', "has either 'do' or 'needs'"),
    ("    site: mm/ksm.c:write_protect_page", "    sight: x", "unknown key 'sight' in a thread"),
])
def test_a_mistake_in_the_file(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        changed(tmp_path, old, new)
