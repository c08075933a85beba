# SPDX-License-Identifier: GPL-2.0-or-later
"""Commits are read without anything of the tree's repository having a say."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from verifier.base.errors import UsageError
from verifier.patches.read import read_series
from verifier.patches.read_git import read_range

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")
CLEAN = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "HOME": "/nonexistent",
    "GIT_AUTHOR_NAME": "A B",
    "GIT_AUTHOR_EMAIL": "a@b",
    "GIT_COMMITTER_NAME": "A B",
    "GIT_COMMITTER_EMAIL": "a@b",
}


def git(folder: Path, *words: str) -> str:
    return subprocess.run(
        ["git", *words], cwd=folder, env=CLEAN, capture_output=True, text=True, check=True
    ).stdout.strip()


def commit(tree: Path, message: str, **files: str) -> None:
    for name, text in files.items():
        (tree / f"{name}.c").write_text(text)
    git(tree, "add", "-A")
    git(tree, "commit", "-q", "-m", message)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Three commits: x is made, changed, and changed together with y."""
    found = tmp_path / "tree"
    found.mkdir()
    git(found, "init", "-q", "-b", "main")
    commit(found, "first", x="1\n")
    commit(found, "second", x="2\n")
    commit(found, "third", x="3\n", y="new\n")
    return found


@pytest.mark.parametrize(
    ("word", "subjects", "start"),
    [
        ("HEAD~2..", ["second", "third"], {"x.c": b"1\n", "y.c": None}),
        ("HEAD~2..HEAD", ["second", "third"], {"x.c": b"1\n", "y.c": None}),
        ("main~..main", ["third"], {"x.c": b"2\n", "y.c": None}),
        ("HEAD", ["third"], {"x.c": b"2\n", "y.c": None}),
        ("@", ["third"], {"x.c": b"2\n", "y.c": None}),
        ("start..", ["second", "third"], {"x.c": b"1\n", "y.c": None}),
    ],
)
def test_ranges_that_end_at_head(
    tree: Path, word: str, subjects: list[str], start: dict[str, bytes | None]
) -> None:
    git(tree, "tag", "-a", "-m", "x", "start", "HEAD~2")
    if word == "start..":
        git(tree, "pack-refs", "--all")
    found = read_range(word, tree)
    assert [patch.subject for patch in found.patches] == subjects
    assert found.start == start


def test_a_range_that_begins_at_head(tree: Path) -> None:
    git(tree, "checkout", "-q", "HEAD~2")
    found = read_range("..main", tree)
    assert [patch.subject for patch in found.patches] == ["second", "third"] and found.start is None


def test_a_worktree_and_borrowed_objects(tree: Path, tmp_path: Path) -> None:
    git(tree, "worktree", "add", "-q", "-b", "other", str(tmp_path / "work"))
    commit(tmp_path / "work", "of the worktree", z="z\n")
    assert [p.subject for p in read_range("main..", tmp_path / "work").patches] == [
        "of the worktree"
    ]
    git(tmp_path, "clone", "-q", "-s", str(tree), "shared")
    assert [p.subject for p in read_range("HEAD~1..", tmp_path / "shared").patches] == ["third"]


def test_an_abbreviated_commit(tree: Path) -> None:
    first = git(tree, "rev-parse", "--short=12", "HEAD~1")
    assert [patch.subject for patch in read_range(f"{first}..", tree).patches] == ["third"]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("nothing.patch", "no such file, and no branch, tag or commit nothing.patch"),
        ("HEAD~9..", "no commit HEAD~9"),
        ("HEAD...main", "a range has two dots"),
        ("HEAD..", "no commits"),
        ("--output=/tmp/x..", "no commit or range"),
        ("-n1", "no commit or range"),
        ("HEAD@{1}..", "no commit or range"),
        (":/first..", "no commit or range"),
        ("HEAD~2..HEAD~1", "neither begins nor ends at HEAD"),
        ("a\x1bb", "no commit or range"),
        ("../../x..HEAD", "no commit or range"),
    ],
)
def test_what_is_no_range(tree: Path, word: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_range(word, tree)
    assert said in str(caught.value) and "\x1b" not in str(caught.value)


def test_a_range_stands_alone(tree: Path) -> None:
    with pytest.raises(UsageError, match="a range of commits stands alone"):
        read_series(["HEAD", "HEAD~1"], lambda: tree)


def test_no_repository(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no git repository"):
        read_range("HEAD", tmp_path)


def test_a_merge_and_an_empty_commit(tree: Path) -> None:
    git(tree, "commit", "-q", "--allow-empty", "-m", "empty")
    with pytest.raises(UsageError, match="1 commits, of which 1 have no change"):
        read_range("HEAD", tree)
    git(tree, "checkout", "-q", "-b", "side", "HEAD~2")
    commit(tree, "side", z="z\n")
    git(tree, "merge", "-q", "-m", "merged", "main")
    with pytest.raises(UsageError, match="is a merge"):
        read_range("HEAD~1..", tree)


def test_a_link_in_a_commit(tree: Path) -> None:
    (tree / "link").symlink_to("/etc/passwd")
    commit(tree, "link")
    with pytest.raises(UsageError, match="a symbolic link"):
        read_range("HEAD", tree)


def test_nothing_of_the_repository_has_a_say(tree: Path, tmp_path: Path) -> None:
    """Everything that git would run or obey leaves a trace or changes what is read."""
    trace = tmp_path / "trace"
    program = tree / "evil"
    program.write_text(f"#!/bin/sh\necho ran >> {trace}\ncat\n")
    program.chmod(0o755)
    wanted = read_range("HEAD~2..", tree)
    for name in (
        "core.fsmonitor",
        "core.pager",
        "pager.format-patch",
        "pager.log",
        "diff.external",
        "diff.evil.textconv",
        "diff.evil.command",
        "filter.evil.smudge",
        "filter.evil.clean",
        "gpg.program",
        "core.sshCommand",
        "core.editor",
        "alias.format-patch",
        "credential.helper",
        "core.gitProxy",
    ):
        git(tree, "config", name, f"!{program}" if name.startswith("alias") else str(program))
    git(tree, "config", "core.hooksPath", str(tmp_path))
    for name, value in (
        ("diff.noprefix", "true"),
        ("format.attach", "true"),
        ("format.signature", "x"),
        ("diff.renames", "false"),
        ("format.headers", "X-Y: z"),
        ("log.showSignature", "true"),
        ("diff.algorithm", "patience"),
        ("diff.context", "0"),
        ("format.noprefix", "true"),
        ("color.ui", "always"),
    ):
        git(tree, "config", name, value)
    (tree / ".git" / "info").mkdir(exist_ok=True)
    for place in (tree / ".gitattributes", tree / ".git" / "info" / "attributes"):
        place.write_text("* diff=evil filter=evil -text\n")
    for hook in ("post-checkout", "pre-commit", "reference-transaction", "fsmonitor-watchman"):
        shutil.copy(program, tree / ".git" / "hooks" / hook)
    first = git(tree, "rev-parse", "HEAD~1")
    (tree / ".git" / "refs" / "replace").mkdir()
    (tree / ".git" / "refs" / "replace" / first).write_text(git(tree, "rev-parse", "HEAD") + "\n")
    trace.unlink(missing_ok=True)  # git itself has run some of it above
    assert read_range("HEAD~2..", tree) == wanted
    assert not trace.exists()


def test_the_environment_has_no_say(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = read_range("HEAD~2..", tree)
    monkeypatch.setenv("GIT_DIR", str(tmp_path))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "/bin/false")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "diff.noprefix")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "true")
    assert read_range("HEAD~2..", tree) == wanted


def test_the_tree_stays_as_it_is(tree: Path) -> None:
    def seen() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in sorted(tree.rglob("*")) if path.is_file()}

    before = seen()
    read_range("HEAD~2..", tree)
    assert seen() == before
