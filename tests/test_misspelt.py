# SPDX-License-Identifier: GPL-2.0-or-later
"""Names and outputs are looked at before work begins: each command says what is wrong, in one line,
and begins nothing.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from verifier.cli import main
from verifier.kernel.tree.tree import MARKS

ID = "x86_64/pte/option-c/{}/{}/{}"
OBLIGATION = ID.format("fork-pte", "today", "no-false-exclusive")
FILTERS = (("--arch", "x86-64", "x86_64"), ("--level", "ptee", "pte"),
           ("--encoding", "option-d", "option-c"),
           ("--code", "tody", "today"), ("--transition", "fork-ptee", "fork-pte"),
           ("--property", "uffd-wp-exac", "uffd-wp-exact"))
RIGHT = {"--arch": "x86_64", "--level": "pte", "--encoding": "option-c", "--code": "today",
         "--transition": "fork-pte",
         "--property": "uffd-wp-exact"}
PROVING = (("prove",), ("audit",), ("certify", "{new}"), ("prove", "--unneeded"),
           ("difference", "--old-spec-dir", "specs"))
OF_ONE = (
    (("explain", ID.format("fork-ptee", "today", "frame")), "fork-pte"),
    (("export", ID.format("fork-ptee", "today", "frame")), "fork-pte"),
    (("explain", ID.format("fork-pte", "tody", "frame")), "today"),
    (("explain", ID.format("fork-pte", "today", "fram")), "frame"),
    *((("explain", "--diff", *words), right) for *words, right in (
        ("tody", "thread", "fork-pte", "today"), ("today", "thraed", "fork-pte", "thread"),
        ("today", "thread", "fork-ptee", "fork-pte"),
        ("today", "thread", "fork-pte", "--level", "ptee", "pte"),
        ("today", "thread", "fork-pte", "--encoding", "option-d", "option-c"))),
    (("explain", "x86-64/pte/option-c/fork-pte/today/frame"), "x86_64"),
    (("prove", "x86-64/pte"), "x86_64"),
    (("decode", "x86-64", "1"), "x86_64"), (("encode", "x86-64", "PFN=1"), "x86_64"),
    (("call", "x86-64", "1"), "x86_64"),
    (("decode", "x86_64", "1", "--encoding", "option-d"), "option-c"),
    (("encode", "x86_64", "PFM=1"), "PFN"),
    (("call", "x86_64", "pte_drity(0)"), "pte_dirty"),
    (("list", "helpers", "--arch", "x86-64"), "x86_64"),
    (("table", "--arch", "x86-64"), "x86_64"), (("mutate", "--arch", "x86-64"), "x86_64"),
    (("mutate", "--arch", "nios2", "--kind", "helper", "--name", "pte_drity"), "pte_dirty"),
    (("laws", "--helpers", "yaml", "--law", "nolaw"), ""),
    (("laws", "--helpers", "yaml", "--arch", "x86-64"), "x86_64"),
)
FILES = (
    *((command, option) for command in (("prove",), ("audit",), ("explain", OBLIGATION))
      for option in ("--json", "--junit", "--sarif")),
    (("prove",), "--jsonl"), (("certify", "{new}"), "--json"), (("certify", "{new}"), "--junit"),
    (("mutate",), "--json"),
    (("difference", "--old-spec-dir", "specs"), "--json"),
    (("laws", "--helpers", "yaml"), "--json"),
    (("laws", "--helpers", "yaml"), "--junit"), (("conform", "--tree", "{tree}"), "--json"),
    (("conform", "--tree", "{tree}"), "--junit"),
)


@pytest.fixture(autouse=True)
def nothing_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever would decide, build or plant something ends the test."""
    def begun(*given: object, **named: object) -> None:
        raise AssertionError("work has begun")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for place in ("verifier.run.scheduler.prove", "verifier.prove.difference.Differences.of",
                  "verifier.evidence.unneeded.needs",
                  "verifier.evidence.table.compute.table",
                  "verifier.kernel.conform.session.build_library",
                  "verifier.evidence.mutate.command.each"):
        monkeypatch.setattr(place, begun)


def tree(folder: Path) -> str:
    """What looks like a kernel tree, as far as nothing is built."""
    for name in MARKS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 1\n")
    return str(folder)


def refused(*words: str) -> str:
    """The one line that a command ends with, exit code 2."""
    found = CliRunner().invoke(main, words)
    assert found.exit_code == 2, (found.output, found.exception)
    assert found.stdout == "" and len(found.stderr.splitlines()) == 1, found.output
    return found.stderr


@pytest.mark.parametrize("command", PROVING, ids=" ".join)
@pytest.mark.parametrize(("option", "wrong", "right"), FILTERS)
def test_a_misspelt_name_is_said_though_others_match(
    command: tuple[str, ...], option: str, wrong: str, right: str, tmp_path: Path
) -> None:
    words = [word.replace("{new}", str(tmp_path / "new")) for word in command]
    assert f"did you mean {right}?" in refused(*words, option, wrong)
    assert f"did you mean {right}?" in refused(*words, option, RIGHT[option], option, wrong)


@pytest.mark.parametrize(("command", "right"), OF_ONE, ids=lambda one: " ".join(one)
                         if isinstance(one, tuple) else one)
def test_a_misspelt_name_of_one_thing(command: tuple[str, ...], right: str) -> None:
    assert (f"did you mean {right}?" if right else "matches nolaw") in refused(*command)


@pytest.mark.parametrize(("option", "wrong", "right"), [
    ("--helper", "pte_drity", "pte_dirty"), ("--arch", "x86-64", "x86_64"),
    ("--build", "x86x", "x86_64")])
def test_a_misspelt_name_builds_nothing(
        option: str, wrong: str, right: str, tmp_path: Path
) -> None:
    assert f"did you mean {right}?" in refused("conform", "--tree", tree(tmp_path), option, wrong)


@pytest.mark.parametrize(("command", "option"), FILES, ids=lambda one: " ".join(one)
                         if isinstance(one, tuple) else one)
@pytest.mark.parametrize("place", ["no/such/folder/x", "folder", "file/x"])
def test_an_output_that_cannot_be_written_is_said_first(
    command: tuple[str, ...], option: str, place: str, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    words = [word.replace("{new}", str(tmp_path / "new")).replace("{tree}", str(tmp_path))
             for word in command]
    said = refused(*words, option, str(tmp_path / place))
    assert f"{tmp_path / place}: cannot be written" in said
