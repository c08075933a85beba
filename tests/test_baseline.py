# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run says beyond an earlier one: planted failures are new, worse, gone or lost, and the
exit code speaks of these.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from jsonschema import validate

import verifier.prove.baseline
from verifier.base.errors import UsageError
from verifier.cli import main
from verifier.prove.baseline import Baseline, Said, compare, read_baseline
from verifier.report.result_json import schema
from verifier.run.library import Library

RESULT = "pteproof.result/2"
WORDS = ("prove", "--arch", "x86_64", "--level", "pte", "--encoding", "option-c", "--code", "today",
         "--jobs", "1")
STEPS = ("--transition", "clear-young", "--transition", "uffd-wp-set", "--transition",
         "mremap-move", "--property", "no-*", "--property", "reaches-*", "--property",
         "translation-follows")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("baseline")


@pytest.fixture(scope="module")
def run(folder: Path) -> Callable[..., Result]:
    def found(*words: str, specs: Path | None = None) -> Result:
        before = ["--spec-dir", str(specs)] if specs else []
        return CliRunner().invoke(main, [*before, *words],
                                  env={"XDG_CACHE_HOME": str(folder / "cache")})

    return found


@pytest.fixture(scope="module")
def earlier(folder: Path, run: Callable[..., Result]) -> Path:
    path = folder / "earlier.json"
    assert run(*WORDS, *STEPS, "--json", str(path)).exit_code == 1
    return path


def changed(library: Library, folder: Path, name: str, file: str, step: str, old: str,
            new: str) -> Path:
    """specs/ in which a step's text is another."""
    specs = folder / name
    shutil.copytree(library.spec_folder, specs)
    path = specs / "transitions" / file
    text = path.read_text()
    at = text.index(f"\n{step}:")
    end = text.find("\n\n", text.index("  code:", at))
    assert old in text[at:end]
    path.write_text(text[:at] + text[at:end].replace(old, new) + text[end:])
    return specs


def flat(found: Result) -> str:
    """What a command printed, whatever the width of the page is."""
    return " ".join(found.output.split())


def test_what_stands_as_before_fails_nothing(earlier: Path, run: Callable[..., Result],
                                             folder: Path) -> None:
    again = folder / "again.json"
    found = run(*WORDS, *STEPS, "--baseline", str(earlier), "--json", str(again))
    told = json.loads(again.read_text())
    validate(told, schema())
    assert found.exit_code == 0, found.output
    assert (told["summary"]["refuted"]
            and not any(told["baseline"][part] for part in ("new", "worse", "gone", "lost")))
    serious = told["failures"]
    assert (told["baseline"]["same"] == len(serious)
            and all(r["ways"] for r in serious if r["verdict"] == "refuted"))
    shown = run(*WORDS, *STEPS, "--baseline", str(earlier), "-q")
    assert shown.exit_code == 0 and "0 fail that did not" in flat(shown)
    assert run(*WORDS, *STEPS).exit_code == 1


def test_a_new_failure_beside_old_ones(earlier: Path, run: Callable[..., Result], library: Library,
                                       folder: Path) -> None:
    """uffd-wp-set loses dirty already; mremap that forgets to mark soft-dirty is new, and a flush
    that is left out is VACUOUS, and refuted."""
    specs = changed(library, folder, "new", "move.yaml", "mremap-move", "flush(p)", "pass")
    found = run(*WORDS, *STEPS, "--baseline", str(earlier), specs=specs)
    assert found.exit_code == 1, found.output
    assert ("new x86_64/pte/option-c/mremap-move/today/reaches-flushed: vacuous; was proved"
            in flat(found))
    assert ("new x86_64/pte/option-c/mremap-move/today/translation-follows: refuted; was "
            "proved" in flat(found))
    specs = changed(library, folder, "refuted", "move.yaml", "mremap-move",
                    "pte = ptep_get_and_clear(entry[p])",
                    "pte = pte_mkwrite(ptep_get_and_clear(entry[p]), shadow_stack[p])")
    found = run(*WORDS, *STEPS, "--baseline", str(earlier), specs=specs)
    assert (found.exit_code == 1
            and "mremap-move/today/no-false-exclusive: refuted; was proved" in flat(found))


def test_what_is_refuted_already_fails_in_a_new_way(
    earlier: Path, run: Callable[..., Result], library: Library, folder: Path
) -> None:
    told = {r["id"]: r for r in json.loads(earlier.read_text())["failures"]}
    refuted = next(i for i, r in told.items() if r["verdict"] == "refuted"
                   and r["kind"] != "advisory")
    kept = Said("refuted", frozenset(told[refuted]["ways"]))
    ((_, now),) = [("", kept)]
    before = Baseline("b", {refuted: Said("refuted", frozenset({"another way"}))})
    found = compare(before, [(refuted, now)])
    assert [c.id for c in found.worse] == [refuted] and found.exit_code() == 1
    assert "which kept it" in found.worse[0].why


@pytest.mark.parametrize(("was", "now", "worse"), [
    (Said("refuted", frozenset("ab")), Said("refuted", frozenset("a")), False),
    (Said("refuted", frozenset("a")), Said("refuted", frozenset("ab")), True),
    (Said("refuted", frozenset("a")), Said("refuted", frozenset("a"), "store-leak"), True),
    (Said("refuted", frozenset("a"), "store-leak"), Said("refuted", frozenset("a")), False),
    (Said("refuted", frozenset("a"), "store-leak"),
     Said("refuted", frozenset("a"), "dropped-newer"), True),
    (Said("unknown", frozenset("a")), Said("refuted", frozenset("a")), True),
    (Said("refuted", frozenset("a")), Said("unknown", frozenset("a")), False),
    (Said("unknown"), Said("vacuous"), True),
])
def test_what_a_new_way_is(was: Said, now: Said, worse: bool) -> None:
    found = compare(Baseline("b", {"i": was}), [("i", now)])
    assert (len(found.worse), found.same) == ((1, 0) if worse else (0, 1))
    assert bool(found.exit_code()) is worse


def test_what_is_gone_and_what_is_lost(earlier: Path, run: Callable[..., Result], library: Library,
                                       folder: Path) -> None:
    """A step that is left out of specs/ takes its proofs with it: exit 3.

    One that nobody asks for is not missed.
    """
    specs = folder / "without"
    shutil.copytree(library.spec_folder, specs)
    path = specs / "transitions" / "move.yaml"
    path.write_text(path.read_text().replace("\nmremap-move:", "\nmremap-away:"))
    found = run(*WORDS, "--transition", "mremap-*", "--transition", "clear-young", "--baseline",
                str(earlier), specs=specs)
    assert (found.exit_code == 3
            and "lost x86_64/pte/option-c/mremap-move/today/no-lost-dirty" in flat(found))
    found = run(*WORDS, "--transition", "clear-young", "--baseline", str(earlier))
    assert found.exit_code == 0 and " 0 proofs are lost" in flat(found)


def test_it_is_read_in_pieces(earlier: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read_baseline(earlier, RESULT)
    told = json.loads(earlier.read_text())
    failures = {r["id"] for r in told["failures"]}
    assert (whole.said.keys() == failures | {f"{p['step']}/{name}" for p in told["proofs"]
                                             for name in p["proved"]})
    assert {i for i, s in whole.said.items() if s.fails} == failures
    for size in (7, 1000):
        monkeypatch.setattr(verifier.prove.baseline, "CHUNK", size)
        assert read_baseline(earlier, RESULT) == whole
    earlier.with_name("pretty.json").write_text(json.dumps(told, indent=2))
    assert read_baseline(earlier.with_name("pretty.json"), RESULT).said == whole.said


def result(**changes: Any) -> str:
    row = ({"id": "a", "verdict": "refuted", "kind": "step", "ways": ["w"], "counterexample": None}
           | changes)
    return json.dumps({"schema": RESULT, "failures": [row]})


@pytest.mark.parametrize(("text", "said"), [
    (None, "no such file"), ("", "it is not JSON, or cut off"),
    ("[]", "it is not JSON, or cut off"),
    (result()[:-3], "it is not JSON, or cut off"),
    (result() + "x", "something stands behind its end"),
    (result(ways=[]), "of an earlier version"), (result(ways=[3]), "its ways are no texts"),
    (result(verdict="fine"), "'fine' is no verdict"), (result(verdict=[]), "not as results are"),
    (result().replace("result/2", "result/1"), "is pteproof.result/1, not pteproof.result/2"),
    (result().replace("pteproof.result/2", "pteproof.laws/1"), "no earlier run of this command"),
    ('{"results": [3]}', "not as results are"),
    ('{"results": ' + "[" * 100000, "not as results are"),
    ('{"summary": 3}', "is no result"),
    (json.dumps({"schema": RESULT, "failures": [{"id": "a", "verdict": "vacuous"}] * 2}), "twice"),
    (json.dumps({"schema": RESULT, "proofs": [{"step": "a", "proved": ["b", "c", "b"]}]}), "twice"),
    (json.dumps({"schema": RESULT, "proofs": [{"step": "a"}]}), "not as results are"),
    (json.dumps({"schema": RESULT, "proofs": [{"step": "a", "proved": "b"}]}),
     "not as results are"),
])
def test_what_is_none_is_one_line(text: str | None, said: str, tmp_path: Path,
                                  run: Callable[..., Result]) -> None:
    """Before anything is proved: the architecture that it names does not exist, and that is not
    what is said.
    """
    path = tmp_path / "it.json"
    if text is not None:
        path.write_text(text)
    found = run("prove", "--arch", "no-such", "--baseline", str(path))
    assert found.exit_code == 2 and found.stderr.count("\n") == 1, found.stderr
    assert str(path) in found.stderr and said in found.stderr


def test_laws(tmp_path: Path, run: Callable[..., Result]) -> None:
    """The laws that arch/ breaks stand as before.

    One that it did not break is new, another value is a new way.
    """
    words = ("laws", "--helpers", "yaml", "--arch", "sparc64", "--arch", "x86_64", "--law",
             "*-mkclean", "--law", "frame-*")
    path = tmp_path / "laws.json"
    assert run(*words, "-q", "--json", str(path)).exit_code in (0, 1)
    told = json.loads(path.read_text())
    assert run(*words, "--baseline", str(path)).exit_code == 0
    row = next(r for r in told["results"] if r["verdict"] == "proved")
    row |= {"verdict": "refuted", "values": {"pte": "0x1"}}
    path.write_text(json.dumps(told))
    found = run(*words, "--baseline", str(path))
    assert found.exit_code == 0 and f"gone      {row['id']}" in found.output
    with pytest.raises(UsageError, match="no earlier run of this command"):
        read_baseline(path, RESULT)
