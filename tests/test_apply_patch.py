# SPDX-License-Identifier: GPL-2.0-or-later
"""What is applied in memory is what `git apply` makes of it, or an error at file and hunk."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verifier.patches import apply as applying
from verifier.patches.apply import Applied, ApplyError, apply_patch
from verifier.patches.patch import Patch, PatchError
from verifier.patches.read_diff import read_diff

GIT = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")
LINES = st.lists(st.sampled_from([b"a\n", b"b\n", b"\n", b"c\r\n"]), max_size=20)
MARKS = "--- a/f\n+++ b/f\n"


def applied(diff: bytes | str, **files: bytes) -> Applied:
    text = diff if isinstance(diff, bytes) else diff.encode()
    return apply_patch(Patch("t", "", "", read_diff(text, "t")), files.get)


def git(folder: Path, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["git", *words], cwd=folder, input=stdin, capture_output=True, check=False
    )


@GIT
@settings(max_examples=60, deadline=None)
@given(LINES, LINES, LINES, st.integers(0, 3), st.booleans())
def test_as_git_apply(
    old: list[bytes], new: list[bytes], more: list[bytes], context: int, cut: bool
) -> None:
    """The change from old to new, on old with other lines before it, which may be like it."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as name:
        folder = Path(name)
        for side, lines in (("a", old), ("b", new)):
            (folder / side).mkdir()
            (folder / side / "f").write_bytes(b"".join(lines)[: -1 if cut else None])
        diff = git(folder, "diff", "--no-index", "--no-prefix", f"-U{context}", "a/f", "b/f").stdout
        if not diff:
            return
        base = b"".join([*more[:3], *old, *more[3:]])
        (folder / "f").write_bytes(base)
        done = git(folder, "apply", "-", stdin=diff)
        try:
            found = applied(diff, f=base).edited["f"]
        except ApplyError:
            found = None
        if found is None and b"\\ No newline" in diff:
            return  # git takes a line without an end for the same line with one
        assert found == ((folder / "f").read_bytes() if done.returncode == 0 else None)


def test_some_lines_off() -> None:
    found = applied(f"{MARKS}@@ -2,3 +2,3 @@\n x\n-y\n+Y\n z\n", f=b"1\n2\n3\nx\ny\nz\n")
    assert found.edited == {"f": b"1\n2\n3\nx\nY\nz\n"} and found.notes == (
        "f: hunk 1 applies +2 lines off",
    )


def test_no_hunk_changes_what_another_has_made() -> None:
    with pytest.raises(ApplyError, match=r"^t:8: hunk 2 of f does not apply at line 3"):
        applied(
            f"{MARKS}@@ -2,3 +2,3 @@\n x\n-y\n+Y\n z\n@@ -3,2 +3,2 @@\n-Y\n+Z\n z\n",
            f=b"1\nx\ny\nz\n2\n",
        )


GONE = "diff --git a/f b/f\ndeleted file mode 100644\n--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
NEW = "diff --git a/f b/f\nnew file mode 100644\n--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+x\n"
MOVED = (
    "diff --git a/f b/g\nsimilarity index 50%\n{0} from f\n{0} to g\n"
    "--- a/f\n+++ b/g\n@@ -1 +1 @@\n-x\n+y\n"
)


@pytest.mark.parametrize(
    ("diff", "files", "edited"),
    [
        (GONE, {"f": b"x\n"}, {"f": None}),
        (NEW, {}, {"f": b"x\n"}),
        (MOVED.format("rename"), {"f": b"x\n"}, {"f": None, "g": b"y\n"}),
        (MOVED.format("copy"), {"f": b"x\n"}, {"g": b"y\n"}),
        ("diff --git a/f b/f\nold mode 100644\nnew mode 100755\n", {"f": b"x\n"}, {"f": b"x\n"}),
    ],
    ids=["removed", "new", "rename", "copy", "mode"],
)
def test_files_that_come_and_go(
    diff: str, files: dict[str, bytes], edited: dict[str, bytes | None]
) -> None:
    assert applied(diff, **files).edited == edited


@pytest.mark.parametrize(
    ("diff", "files", "said"),
    [
        (GONE, {}, "t:1: there is no f"),
        (GONE, {"f": b"x\ny\n"}, "t:5: hunk 1 of f does not apply"),
        (NEW, {"f": b""}, "t:1: f is there already"),
        (MOVED.format("rename"), {"f": b"x\n", "g": b""}, "t:1: g is there already"),
        (
            f"{MARKS}@@ -1 +1 @@\n-x\n+y\n",
            {"f": b"y\n"},
            "t:3: hunk 1 of f does not apply at line 1; the file seems to have",
        ),
        (
            f"{MARKS}@@ -1 +1 @@\n-x\n+y\n",
            {"f": b"z\n"},
            "t:3: hunk 1 of f does not apply at line 1",
        ),
        (f"{MARKS}@@ -1 +1 @@\n-x\n+y\n", {"f": b"x\n\0"}, "t:1: f is no text"),
        (
            "diff --git a/f b/f\nindex 12..34\nBinary files a/f and b/f differ\n",
            {"f": b"x"},
            "t:1: f: a binary change",
        ),
        (
            "diff --git a/f b/f\nindex 12..34\nGIT binary patch\nliteral 1\nIc${Nk\n\n",
            {"f": b"x"},
            "t:1: f: a binary change",
        ),
    ],
    ids=[
        "removed",
        "removed, more lines",
        "new",
        "rename",
        "there already",
        "other",
        "no text",
        "binary",
        "binary by git",
    ],
)
def test_what_does_not_apply(diff: str, files: dict[str, bytes], said: str) -> None:
    with pytest.raises(PatchError) as caught:
        applied(diff, **files)
    assert str(caught.value).startswith(said), caught.value


def test_a_place_that_takes_too_long_to_find(monkeypatch: pytest.MonkeyPatch) -> None:
    base = b"\n" * 100_000
    hunk = "@@ -9,20001 +9,20001 @@\n" + " \n" * 20_000 + "-x\n+y\n"
    monkeypatch.setattr(applying, "MOST_COMPARED", 1_000_000)
    with pytest.raises(PatchError, match="takes too long to find"):
        applied(f"{MARKS}{hunk} \n".replace("20001", "20002"), f=base)


def test_a_file_that_becomes_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applying, "MOST_FILE", 3)
    with pytest.raises(PatchError, match="t:1: f becomes a file of more than 0 MByte"):
        applied(f"{MARKS}@@ -1 +1,2 @@\n x\n+yy\n", f=b"x\n")
