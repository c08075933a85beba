# SPDX-License-Identifier: GPL-2.0-or-later
"""Look-ups answer at once: they load what they need and nothing else, and tell again what nothing
has changed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from verifier.base.data import data_folder
from verifier.cli import main

HEAVY = {"z3", "pysat", "rich", "llvmlite", "junitparser", "verifier.run.library",
         "verifier.prove.results",
         "verifier.kernel.tree.jail"}
# nothing of arch/ was read
ANY = {"yaml", "verifier.model.arch", "verifier.language.syntax", "verifier.language.read_yaml"}
DIFF = ("explain", "--diff", "today", "option-c", "fork-pte")
FRAME = "nios2/pte/page-flag/fork-pte/today/frame"
FORK = "x86_64/pte/option-c/fork-pte/today/no-false-exclusive"


def asked(*words: str) -> tuple[str, str, set[str]]:
    """What a command of a fresh interpreter prints, on both streams, and which modules it has
    loaded.
    """
    code = f"""
import sys
from verifier.cli import main
try:
    main({list(words)!r})
except SystemExit as ended:
    assert ended.code in (0, 1, 3), ended.code
print("LOADED", *sys.modules)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                           timeout=120, check=False)
    assert found.returncode == 0, found.stderr
    told, _, loaded = found.stdout.rpartition("LOADED")
    return told, found.stderr, set(loaded.split())


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize("words", [
    ("--version",), ("decode", "x86_64", "8000000012345025"),
    ("decode", "arm64-4k", "0", "--encoding", "option-c-saved"),
    ("encode", "x86_64", "PFN=0x12"), ("call", "x86_64", "pte_mkdirty(0)"), DIFF,
], ids=lambda words: words[0])
def test_one_value_loads_no_run(words: tuple[str, ...]) -> None:
    assert not asked(*words)[2] & (HEAVY if words[0] != "encode" else HEAVY - {"pysat"})


@pytest.mark.parametrize("words", [
    ("list", "variants"), ("list", "helpers", "--arch", "x86_64"),
    ("explain", FORK, "--no-consequences"),
    ("table", "--arch", "nios2"), DIFF,
], ids=lambda words: " ".join(words[:2]))
def test_what_was_told_is_told_again_from_nothing_else(words: tuple[str, ...]) -> None:
    first, _, loaded = asked(*words)
    assert first and loaded & ANY
    again, said, loaded = asked(*words)
    assert again == first and not loaded & (HEAVY | ANY)
    assert ("told from the cache" in said) == (words[0] != "list" and words != DIFF)


def test_a_list_is_read_again_where_a_file_has_changed(tmp_path: Path) -> None:
    shutil.copytree(data_folder("arch"), tmp_path / "arch")
    words = ("--arch-dir", str(tmp_path / "arch"), "list", "archs")
    first = asked(*words)[0]
    assert asked(*words)[0] == first and "nios2" in first
    (tmp_path / "arch" / "nios2.yaml").unlink()
    again = asked(*words)[0]
    assert "nios2" not in again and again.count("\n") == first.count("\n") - 1


def test_what_was_told_is_told_of_the_same_question_alone() -> None:
    few = ("prove", "nios2/pte/page-flag/today", "--search-seconds", "0", "--quiet")
    more = (("--transition", "fork-pte"), ("--transition", "wp-reuse"), ("--property", "pin-stays"))
    for one in more:
        assert "told from the cache" not in asked(*few, *one)[1], one
    for one in more:
        assert "told from the cache" in asked(*few, *one)[1], one


@pytest.mark.parametrize(("words", "painted"), [
    (DIFF, ("\x1b[31m-    clear_exclusive()\x1b[0m", "\x1b[32m+flush_later(parent)\x1b[0m")),
    (("explain", FRAME, "--no-cache"), (f"\x1b[1mPROVED  {FRAME}\x1b[0m",)),
], ids=["diff", "obligation"])
def test_what_is_explained_is_painted_on_a_terminal_alone(
    words: tuple[str, ...], painted: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = CliRunner().invoke(main, words).stdout
    for place in ("prove", "told"):
        monkeypatch.setattr(f"verifier.commands.{place}.color", lambda given: True)
    for _ in ("told first", "told again"):
        shown = CliRunner().invoke(main, words).stdout
        assert "\\x1b" not in shown and all(line in shown.splitlines() for line in painted)
        assert without_time(re.sub("\x1b\\[[0-9]+m", "", shown)) == without_time(plain)
    assert "\x1b" not in plain


def without_time(text: str) -> str:
    """A text without how it was decided, and how long that took."""
    return re.sub("(?m)^  decided .*", "", text)


def test_a_proof_that_is_recalled_is_explained_as_when_it_was_made(tmp_path: Path) -> None:
    cold, _, _ = asked("explain", FRAME)
    shutil.rmtree(tmp_path / "cache" / "pteproof" / "told")
    warm, said, _ = asked("explain", FRAME)
    assert "told from the cache" not in said and "PROVED" in warm
    assert "assumes the invariant; " in warm and without_time(warm) == without_time(cold)
