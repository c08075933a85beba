# SPDX-License-Identifier: GPL-2.0-or-later
"""Steps that are known to lead to a failure save a search, and decide nothing."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from verifier.base.data import data_folder
from verifier.base.errors import SpecError
from verifier.model.step import instances
from verifier.prove.results import Refuted, Run, verdict_name
from verifier.run.filters import Filters
from verifier.run.library import Library, load_library
from verifier.run.plan import groups_of
from verifier.run.scheduler import Options, prove
from verifier.search.sequences import FILE, LEADS_TO, read_sequences
from verifier.search.trace import Search

ROOT = Path(__file__).resolve().parent.parent
FILTERS = Filters(("x86_64",), ("pte",), ("option-c",), ("today",),
                  ("fork-pte", "madvise-free", "ksm-*"))
FORK = replace(FILTERS, transition=("fork-pte",))  # whose searches end within their time
FALSE = """
option-c:
  today:
    no-such-step[A] fork-pte[AB]:
      fork-pte[AB]: no-lost-dirty
    fresh:
      fork-pte[AB]: no-lost-dirty no-false-exclusive through/stale-child
    anon-write-fault[A+] fork-pte[AB]:
      fork-pte[AB]: no-lost-dirty no-such-property
"""


def with_sequences(folder: Path, text: str) -> Library:
    """What is shipped, with other sequences."""
    folder.mkdir()
    (folder / FILE).write_text(text)
    found = load_library()
    found._sequences = read_sequences(folder)
    return found


def verdicts(run: Run) -> dict[str, str]:
    return {r.obligation.id: verdict_name(r.verdict) for r in run.results}


def lengths(run: Run) -> dict[str, int]:
    return {r.obligation.id: r.verdict.counterexample.depth for r in run.results
            if isinstance(r.verdict, Refuted)}


def leading(run: Run) -> dict[str, bool]:
    """Does a failure lead to a store that leaks, or to content that is lost?"""
    return {r.obligation.id: bool(r.verdict.counterexample.leads_to) for r in run.results
            if isinstance(r.verdict, Refuted)}


def test_the_shipped_sequences_are_of_steps_that_there_are(library: Library) -> None:
    known = library.sequences()
    assert known == read_sequences(data_folder("hints")) and len(known) > 300
    groups, _ = groups_of(library, Filters(encoding=("option-c",), code=("today",)))
    models = (library.group_model(group) for group in groups)
    steps = {frozenset(i.label for actor in (0, 1) for i in instances(model, actor))
             for model in models}
    for (encoding, code, target), sequences in known.items():
        assert code in library.spec.encodings[encoding].codes
        transition, _, prop = target.removeprefix("through/").partition("/")
        assert target == LEADS_TO or prop in library.spec.properties, target
        for labels in sequences:
            assert target == LEADS_TO or labels[-1].partition("[")[0] == transition
            assert any(have.issuperset(labels) for have in steps), labels


def test_what_is_known_is_not_searched(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    def find(*_: object) -> None:
        raise AssertionError("searched")

    monkeypatch.setattr(Search, "find", find)
    found = prove(library, FILTERS, Options())
    assert "refuted" in verdicts(found).values()
    assert not found.unfinished


@pytest.mark.whole
def test_without_sequences_and_with_false_ones_the_same_is_told(
    library: Library, tmp_path: Path, whole: bool
) -> None:
    """A step that is not there, sequences that lead nowhere, a property that nobody knows."""
    filters = (FILTERS if whole
               else replace(FORK, property=("no-false-*", "no-lost-*", "frame", "pin-stays")))
    shipped = prove(library, filters, Options())
    for number, text in enumerate(("{}", FALSE)):
        run = prove(with_sequences(tmp_path / str(number), text), filters, Options())
        assert verdicts(run) == verdicts(shipped)
        assert leading(run) == leading(shipped)
        assert any(leading(run).values())
        longer = any(length > lengths(shipped)[name] for name, length in lengths(run).items())
        # a search finds the shortest; what is led astray may go a long way round
        assert not longer or number == 1


def test_no_longer_trace_than_is_asked_for(library: Library) -> None:
    deep = lengths(prove(library, FORK, Options()))
    longest = max(deep.values())
    assert longest > 2
    run = prove(library, FORK, Options(depth=longest - 1))
    assert max(lengths(run).values()) < longest
    assert ({n for n, v in verdicts(run).items() if v == "unknown"} == {
        n for n, length in deep.items() if length == longest
    })


def test_the_shipped_sequences_say_that_they_are_generated() -> None:
    head = runpy.run_path(str(ROOT / "bench" / "sequences.py"))["HEAD"]
    text = (data_folder("hints") / FILE).read_text()
    assert text.startswith(head) and text.splitlines()[0].startswith("# Generated by `make hints`")


def test_hints_are_no_part_of_specs(library: Library, tmp_path: Path) -> None:
    """A file of that name in a folder of specs is not read: hints are the shipped ones, which
    decide nothing.
    """
    assert not (library.spec_folder / FILE).exists()
    shutil.copytree(library.spec_folder, tmp_path / "specs")
    (tmp_path / "specs" / FILE).write_text("7\n")
    assert load_library(None, tmp_path / "specs").sequences() == library.sequences()


def test_a_folder_without_the_file(tmp_path: Path) -> None:
    assert read_sequences(tmp_path) == {}


@pytest.mark.parametrize(("text", "message"), [
    ("option-c: 1\n", "hints/sequences.yaml:1:11: error: 'option-c' must be a mapping"),
    ("option-c:\n  today: []\n", "hints/sequences.yaml:2:10: error: 'today' must be a mapping"),
    ("option-c:\n  today:\n    fresh: fork\n",
     "hints/sequences.yaml:3:12: error: 'fresh' must be a mapping"),
    ("option-c:\n  today:\n    fork-pte[AB] hw-dirty: {}\n",
     "3:5: error: 'hw-dirty' is no step, such as fork-pte[AB]"),
    ("option-c:\n  today:\n    fresh:\n      fork-pte: frame\n",
     "4:7: error: 'fork-pte' is no step, such as fork-pte[AB]"),
    ("option-c:\n  today:\n    fresh:\n      fork-pte[AB]: 7\n",
     "4:21: error: 'fork-pte[AB]' must be a text"),
    ("option-c:\n  today:\n    ' ': {}\n",
     "3:5: error: a sequence has at least one step; none is called fresh"),
    ("option-c:\n  today:\n    leads-to: fork\n", "3:15: error: 'leads-to' must be a list"),
    ("option-c:\n  today:\n    leads-to:\n      - 7\n",
     "4:9: error: leads-to must be a list of words"),
])
def test_what_has_not_the_form_is_refused_at_its_place(text: str, message: str,
                                                       tmp_path: Path) -> None:
    folder = tmp_path / "hints"
    folder.mkdir()
    (folder / FILE).write_text(text)
    with pytest.raises(SpecError) as error:
        read_sequences(folder)
    assert message in str(error.value)


def test_what_runs_have_kept_is_written_as_it_is_read(tmp_path: Path) -> None:
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    filters = ("--arch", "x86_64", "--level", "pte", "--encoding", "option-c", "--code", "today",
               "--transition", "fork-pte")
    for words, code in ((("-m", "verifier", "prove", "-q", *filters), 1),
                        (("bench/sequences.py",), 0)):
        done = subprocess.run([sys.executable, *words], check=False, cwd=ROOT, env=env, timeout=300,
                              capture_output=True, text=True)
        assert done.returncode == code, done.stderr
    (tmp_path / FILE).write_text(done.stdout)
    found = read_sequences(tmp_path)
    assert (found["option-c", "today", "fork-pte/no-false-exclusive"] == (
        ("anon-write-fault[A+]", "fork-pte[AB]"),
    ))
    assert found["option-c", "today", LEADS_TO] == (("pin-page[A]", "device-store[A]"),)
    assert {target.partition("/")[0] for _, _, target in found} == {"fork-pte", LEADS_TO}


def test_of_each_failure_what_most_have_and_then_what_the_others_have() -> None:
    most = runpy.run_path(str(ROOT / "bench" / "sequences.py"))["most"]
    groups = {("a", "t"): {"1", "2"}, ("b", "t"): {"1", "2", "3"}, ("c", "d", "t"): {"4"}}
    assert most(groups, 6) == [("b", "t"), ("c", "d", "t")]
    assert most(groups, 1) == [("b", "t")]


def test_what_is_added_is_tried_after_what_is_known() -> None:
    """A shorter one, or one that comes first, would change what is shown of other variants."""
    bench = runpy.run_path(str(ROOT / "bench" / "sequences.py"))
    known = {("e", "c", "t/p"): (("b[A]", "t[A]"),), ("e", "c", LEADS_TO): (("x[A]", "y[A]"),)}
    found = bench["empty"]()
    found["e"]["c"]["t/p"] |= {
        ("t[A]",): {"1"}, ("a[A]", "t[A]"): {"2"}, ("c[A]", "t[A]"): {"3"},
        ("a[A]", "b[A]", "t[A]"): {"4"},
    }
    found["e"]["c"]["t/q"][("t[A]",)] = {"1"}
    found["e"]["c"][LEADS_TO][("z[A]",)] = {"1"}
    targets = bench["added"](SimpleNamespace(sequences=lambda: known), found)["e"]["c"]
    assert set(targets["t/p"]) == {("b[A]", "t[A]"), ("c[A]", "t[A]"), ("a[A]", "b[A]", "t[A]")}
    assert set(targets["t/q"]) == {("t[A]",)}
    assert set(targets[LEADS_TO]) == {("x[A]", "y[A]")}
