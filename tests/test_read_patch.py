# SPDX-License-Identifier: GPL-2.0-or-later
"""Patches from strangers are read as git reads them, or refused in one clear line."""

from __future__ import annotations

import base64
import quopri
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verifier.base.errors import UsageError
from verifier.base.output import clean
from verifier.patches import patch as bounds
from verifier.patches import read as reading
from verifier.patches import read_diff as diffs
from verifier.patches import read_mail as mails
from verifier.patches.patch import PatchError, Series
from verifier.patches.paths import checked_path, read_in_tree
from verifier.patches.read import read_series, read_text

HUNK = "@@ -1,3 +1,3 @@ void f(void)\n a\n-b\n+c\n d\n"
DIFF = (
    "diff --git a/mm/x.c b/mm/x.c\nindex 1234567..89abcde 100644\n"
    f"--- a/mm/x.c\n+++ b/mm/x.c\n{HUNK}"
)


def read(text: str | bytes) -> Series:
    return read_text(text if isinstance(text, bytes) else text.encode(), "t")


def mail(subject: str, body: str = DIFF, **headers: str) -> str:
    said = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in headers.items())
    return (
        f"From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\n"
        f"From: A B <a@b>\nSubject: {subject}\n{said}\nWhat it does.\n---\n mm/x.c | 2 +-\n\n"
        f"{body}-- \n2.47.0\n\n"
    )


@pytest.mark.parametrize(
    ("text", "kind", "old", "new"),
    [
        (DIFF, "change", "mm/x.c", "mm/x.c"),
        (
            f"--- a/mm/x.c\t2024-01-01\n+++ b/mm/x.c\t2024-01-02\n{HUNK}",
            "change",
            "mm/x.c",
            "mm/x.c",
        ),
        (f"--- linux.orig/mm/x.c\n+++ linux/mm/x.c\n{HUNK}", "change", "mm/x.c", "mm/x.c"),
        (
            "diff --git a/a.c b/a.c\nnew file mode 100644\nindex 0000000..1234567\n--- /dev/null\n"
            "+++ b/a.c\n@@ -0,0 +1 @@\n+x\n",
            "new",
            None,
            "a.c",
        ),
        (
            "diff --git a/a.c b/a.c\nnew file mode 100644\nindex 0000000..e69de29\n",
            "new",
            None,
            "a.c",
        ),
        (
            "diff --git a/a.c b/a.c\ndeleted file mode 100644\nindex 1234567..0000000\n--- a/a.c\n"
            "+++ /dev/null\n@@ -1 +0,0 @@\n-x\n",
            "removed",
            "a.c",
            None,
        ),
        (
            "diff --git a/a.c b/b.c\nsimilarity index 100%\nrename from a.c\nrename to b.c\n",
            "rename",
            "a.c",
            "b.c",
        ),
        (
            "diff --git a/a.c b/b.c\nsimilarity index 90%\ncopy from a.c\ncopy to b.c\n--- a/a.c\n"
            "+++ b/b.c\n@@ -1 +1 @@\n-x\n+y\n",
            "copy",
            "a.c",
            "b.c",
        ),
        ("diff --git a/a.c b/a.c\nold mode 100644\nnew mode 100755\n", "change", "a.c", "a.c"),
        (
            "diff --git a/a b.c b/a b.c\nold mode 100644\nnew mode 100755\n",
            "change",
            "a b.c",
            "a b.c",
        ),
        (
            "diff --git i/a.c w/a.c\nindex 12..34 100644\n"
            "--- i/a.c\n+++ w/a.c\n@@ -1 +1 @@\n-x\n+y\n",
            "change",
            "a.c",
            "a.c",
        ),
        (
            'diff --git "a/\\303\\244.c" "b/\\303\\244.c"\n'
            '--- "a/\\303\\244.c"\n+++ "b/\\303\\244.c"\n'
            "@@ -1 +1 @@\n-x\n+y\n",
            "change",
            "ä.c",
            "ä.c",
        ),
    ],
    ids=[
        "git",
        "plain",
        "two trees",
        "new",
        "empty",
        "removed",
        "rename",
        "copy",
        "mode",
        "space",
        "mnemonic",
        "quoted",
    ],
)
def test_forms_of_a_diff(text: str, kind: str, old: str | None, new: str | None) -> None:
    [file] = read(text).patches[0].files
    assert (file.kind, file.old, file.new) == (kind, old, new)


def test_lines_without_an_end() -> None:
    text = (
        "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n"
        "\\ Kein Zeilenumbruch am Dateiende.\n"
    )
    assert read(text).patches[0].files[0].hunks[0].lines == (b"-a", b"+b")


def test_a_line_of_context_that_lost_its_space() -> None:
    text = "--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n\n-a\n+b\n"
    assert read(text).patches[0].files[0].hunks[0].lines == (b" \n", b"-a\n", b"+b\n")


# What is refused, and what is said of it.
HEAD = "diff --git a/mm/x.c b/mm/x.c\n"
MARKS = "--- a/mm/x.c\n+++ b/mm/x.c\n"
HOSTILE = {
    "absolute": ("--- a//etc/passwd\n+++ b//etc/passwd\n" + HUNK, "an absolute path"),
    "leads out": ("--- a/../../x\n+++ b/../../x\n" + HUNK, "leads out of the tree"),
    "leads out within": ("--- a/mm/../../x\n+++ b/mm/../../x\n" + HUNK, "leads out of the tree"),
    "dot": ("--- a/./x\n+++ b/./x\n" + HUNK, "not a path as git writes it"),
    "repository": ("--- a/.git/config\n+++ b/.git/config\n" + HUNK, "into a git repository"),
    "repository, other case": (
        "--- a/x/.GIT/hooks/a\n+++ b/x/.GIT/hooks/a\n" + HUNK,
        "into a git repository",
    ),
    "renamed out": ("diff --git a/a.c b/../b.c\nrename from a.c\nrename to ../b.c\n", "leads out"),
    "symbolic link": (
        HEAD + "new file mode 120000\n--- /dev/null\n+++ b/mm/x.c\n@@ -0,0 +1 @@\n+/etc/passwd\n",
        "a symbolic link",
    ),
    "becomes a link": (HEAD + "old mode 100644\nnew mode 120000\n", "a symbolic link"),
    "link by index": (HEAD + "index 12..34 120000\n" + MARKS + HUNK, "a symbolic link"),
    "submodule": (HEAD + "index 12..34 160000\n" + MARKS + HUNK, "a submodule"),
    "odd mode": (HEAD + "old mode 100644\nnew mode 104755\n", "mode 104755"),
    "newline": ('--- "a/x\\ny"\n+++ "b/x\\ny"\n' + HUNK, "cannot be seen"),
    "escape": ('--- "a/x\\033[2Jy"\n+++ "b/x\\033[2Jy"\n' + HUNK, "cannot be seen"),
    "raw escape": ("--- a/x\x1b[2J\n+++ b/x\x1b[2J\n" + HUNK, "cannot be seen"),
    "bidirectional": ("--- a/x\u202ey\n+++ b/x\u202ey\n" + HUNK, "cannot be seen"),
    "no UTF-8": ('--- "a/\\377"\n+++ "b/\\377"\n' + HUNK, "is no UTF-8"),
    "NUL in a name": ('--- "a/x\\000"\n+++ "b/x\\000"\n' + HUNK, "cannot be seen"),
    "NUL": (DIFF.replace("+c", "+c\0"), "a NUL byte"),
    "two names": ("--- a/mm/x.c\n+++ b/mm/y.c\n" + HUNK, "two names"),
    "two names by git": (HEAD + "--- a/mm/y.c\n+++ b/mm/y.c\n" + HUNK, "names of one file differ"),
    "another file behind the header": (
        "diff --git a/drivers/x.c b/drivers/x.c\n" + MARKS + HUNK,
        "names of one file differ",
    ),
    "no prefix": ("--- mm/x.c\n+++ mm/x.c\n" + HUNK, "no a/ and b/"),
    "no prefix by git": ("diff --git mm/x.c mm/x.c\n--- mm/x.c\n+++ mm/x.c\n" + HUNK, "a/"),
    "no prefix, new": ("--- /dev/null\n+++ mm/x.c\n@@ -0,0 +1 @@\n+x\n", "no a/ or b/"),
    "half a rename": ("diff --git a/a.c b/b.c\nrename from a.c\n", "only one of the two names"),
    "short hunk": (HEAD + MARKS + "@@ -1,3 +1,3 @@\n a\n-b\n+c\n", "ends within a hunk"),
    "long hunk": (HEAD + MARKS + "@@ -1,1 +1,1 @@\n-b\n+c\n+d\n", "belongs to no hunk"),
    "wrong count": (HEAD + MARKS + "@@ -1,1 +1,2 @@\n-a\n-b\n+c\n+d\n", "other numbers of lines"),
    "malformed header": (HEAD + MARKS + "@@ -1,3 +1,3\n a\n-b\n+c\n d\n", "whose header is not"),
    "second header malformed": (DIFF + "@@ -9 +9 @ \n-x\n+y\n", "whose header is not"),
    "huge numbers": (HEAD + MARKS + f"@@ -{'9' * 40} +1 @@\n-a\n+b\n", "whose header is not"),
    "hunk without a file": (DIFF + "\n\n@@ -1 +1 @@\n-a\n+b\n", "belongs to no hunk"),
    "hunk behind the signature": (
        DIFF + "-- \n2.47\n@@ -1 +1 @@\n-a\n+b\n",
        "behind the signature",
    ),
    "odd line": (HEAD + MARKS + "@@ -1,3 +1,3 @@\n a\n*b\n+c\n d\n", "begins with none of"),
    "nothing": (HEAD + MARKS + "@@ -1,2 +1,2 @@\n a\n b\n", "changes nothing"),
    "no change": (HEAD + "index 12..34 100644\n", "without a change"),
    "twice": (DIFF + DIFF, "stands already in line 1"),
    "new with lines": (
        HEAD + "new file mode 100644\n--- /dev/null\n+++ b/mm/x.c\n" + HUNK,
        "has lines already",
    ),
    "removed that stays": (
        HEAD + "deleted file mode 100644\n--- a/mm/x.c\n+++ /dev/null\n" + HUNK,
        "keeps lines",
    ),
    "neither": ("--- /dev/null\n+++ /dev/null\n" + HUNK, "neither of the lines"),
    "no patch": ("hello\n", "no patch in it"),
    "empty": ("", "no patch in it"),
    "two commits": (
        f"commit {'1' * 40}\nAuthor: a\n\n    x\n\n{DIFF}\ncommit {'2' * 40}\n\n    y\n",
        "2 commits",
    ),
    "unfinished quotes": ('--- "a/x\n+++ "b/x"\n' + HUNK, "without its end"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_refused(name: str) -> None:
    text, said = HOSTILE[name]
    with pytest.raises(PatchError) as caught:
        read(text)
    assert said in str(caught.value), caught.value
    assert str(caught.value).startswith("t") and "\n" not in str(caught.value)
    assert clean(str(caught.value)) == str(caught.value)


@pytest.mark.parametrize(
    ("name", "most", "text", "said"),
    [
        ("MOST_FILES", 1, DIFF + DIFF.replace("x.c", "y.c"), "more than 1 files"),
        ("MOST_HUNKS", 1, DIFF + "@@ -9 +9 @@\n-x\n+y\n", "more than 1 hunks"),
    ],
)
def test_bounds_of_a_diff(
    name: str,
    most: int,
    text: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert read(text)
    monkeypatch.setattr(diffs, name, most)
    with pytest.raises(PatchError, match=said):
        read(text)


def test_a_file_of_100_megabytes(tmp_path: Path) -> None:
    big = tmp_path / "big.patch"
    with big.open("wb") as file:
        file.write(DIFF.encode())
        file.truncate(100 << 20)
    with pytest.raises(PatchError, match="more than 32 MByte"):
        read_series([str(big)], lambda: tmp_path)
    (tmp_path / "mm").mkdir()
    with (tmp_path / "mm" / "x.c").open("wb") as file:
        file.truncate(100 << 20)
    with pytest.raises(PatchError, match="more than 16 MByte"):
        read_in_tree(tmp_path, "mm/x.c")
    assert bounds.MOST_INPUT == 32 << 20 and bounds.MOST_FILE == 16 << 20


def test_a_fifo_and_a_folder_are_no_patches(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        with pytest.raises(UsageError, match="cannot be read as a patch"):
            read_series([str(tmp_path / name)], lambda: tmp_path)


def test_links_of_the_tree_are_not_followed(tmp_path: Path) -> None:
    tree, secret = tmp_path / "tree", tmp_path / "secret"
    (tree / "mm").mkdir(parents=True)
    secret.mkdir()
    (secret / "x.c").write_text("hidden")
    (tree / "link").symlink_to(secret)
    (tree / "mm" / "x.c").symlink_to(secret / "x.c")
    for path in ("link/x.c", "mm/x.c"):
        with pytest.raises(PatchError, match="a symbolic link of the tree"):
            read_in_tree(tree, path)
    assert read_in_tree(tree, "mm/none.c") is None and read_in_tree(tree, "no/such.c") is None
    with pytest.raises(PatchError, match="not a regular file"):
        read_in_tree(tree, "mm")


@pytest.mark.parametrize("name", [b"a" * 5_000, b"", b"/", b"a//b", b"a/.", b"\xff"])
def test_names_that_are_none(name: bytes) -> None:
    with pytest.raises(PatchError):
        checked_path(name, "t")


def test_a_mail_of_git() -> None:
    text = mail("[PATCH v3 2/5] mm: keep it", base_commit="x").replace(
        "-- \n", f"base-commit: {'a' * 40}\n-- \n"
    )
    series = read(text)
    [patch] = series.patches
    assert (patch.subject, patch.author, patch.position) == ("mm: keep it", "A B <a@b>", (2, 5))
    assert patch.base == "a" * 40 and [file.path for file in patch.files] == ["mm/x.c"]
    assert series.notes == ("this is patch 2/5 alone, on the tree as it is",)


def encoded(how: str, body: str) -> str:
    raw = body.encode()
    return (
        base64.encodebytes(raw).decode() if how == "base64" else quopri.encodestring(raw).decode()
    )


@pytest.mark.parametrize("how", ["base64", "quoted-printable"])
def test_encodings_of_a_mail(how: str) -> None:
    body = DIFF.replace("+c", '+c = "ä";')
    text = (
        "From: =?iso-8859-1?q?J=F6rg?= <j@x>\nSubject: =?UTF-8?B?w6RuZGVybg==?=\n"
        "MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n"
        f"Content-Transfer-Encoding: {how}\n\n"
        + encoded(how, body)
    )
    [patch] = read(text).patches
    assert (patch.subject, patch.author) == ("ändern", "Jörg <j@x>")
    assert patch.files[0].hunks[0].lines[2] == '+c = "ä";\n'.encode()


def test_a_mail_with_dos_lines_and_latin_bytes() -> None:
    text = mail("[PATCH] x").replace("+c", "+\xe4").encode("latin-1").replace(b"\n", b"\r\n")
    assert read(text).patches[0].files[0].hunks[0].lines == (b" a\n", b"-b\n", b"+\xe4\n", b" d\n")


def multipart(*parts: str) -> str:
    return (
        "From: a@b\nSubject: [PATCH] x\nMIME-Version: 1.0\n"
        "Content-Type: multipart/mixed; boundary=XX\n\n"
        + "".join(f"--XX\n{part}" for part in parts)
        + "--XX--\n"
    )


def test_a_patch_that_is_attached() -> None:
    text = multipart(
        "Content-Type: text/plain\n\nsee there\n",
        f"Content-Type: text/x-patch; name=x.patch\n\n{DIFF}",
    )
    assert [file.path for file in read(text).patches[0].files] == ["mm/x.c"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (multipart(*[f"Content-Type: text/x-patch\n\n{DIFF}"] * 2), "2 parts"),
        (
            multipart(
                *["Content-Type: text/plain\n\nx\n"] * 101, f"Content-Type: text/plain\n\n{DIFF}"
            ),
            "more than 100 parts",
        ),
        (
            f"From: a@b\nSubject: x\nContent-Type: text/plain; charset=utf-16\n\n{DIFF}",
            "charset utf-16",
        ),
        (mail("[PATCH] x", "> " + DIFF.replace("\n", "\n> ") + "\n"), "no patch in it"),
        (mail("[PATCH 1/3] x") + mail("[PATCH 3/3] y"), "patch 2/3 is missing"),
        (mail("[PATCH 1/2] x") + mail("[PATCH 1/2] y"), "two patches have the number 1/2"),
        (mail("[PATCH 1/2] x") + mail("[PATCH 2/3] y"), "several series"),
        (mail("[PATCH 1/2] x") + mail("[PATCH] y"), "others have none"),
    ],
    ids=[
        "two attachments",
        "many parts",
        "utf-16",
        "quoted only",
        "missing",
        "two",
        "series",
        "mixed",
    ],
)
def test_mails_that_are_refused(text: str, said: str) -> None:
    with pytest.raises(PatchError, match=said):
        read(text)


def test_parts_within_parts_without_end() -> None:
    text = "From: a@b\nSubject: x\n"
    for number in range(2_000):
        text += f"Content-Type: multipart/mixed; boundary=B{number}\n\n--B{number}\n"
    with pytest.raises(PatchError):
        read(text + f"Content-Type: text/plain\n\n{DIFF}")


def test_a_thread() -> None:
    other = DIFF.replace("x.c", "y.c")
    quoted = "> " + DIFF.replace("\n", "\n> ") + "\nLooks good.\n"
    series = read(
        mail("[PATCH v2 0/2] both", f"base-commit: {'b' * 40}\n", Message_ID="<0>")
        + mail("[PATCH 1/1] old", DIFF, Message_ID="<old>")
        + mail("Re: [PATCH v2 1/2] first", quoted, Message_ID="<r>")
        + mail("[PATCH v2 2/2] second", other, Message_ID="<2>")
        + mail("Re: [PATCH v2 2/2] second", "What about this?\n" + other, Message_ID="<r2>")
        + mail("[RFC PATCH v2 1/2] first", DIFF, Message_ID="<1>")
        + mail("[RFC PATCH v2 1/2] first", DIFF, Message_ID="<1>")
    )
    assert [(patch.subject, patch.position) for patch in series.patches] == [
        ("first", (1, 2)),
        ("second", (2, 2)),
    ]
    assert {patch.base for patch in series.patches} == {"b" * 40}
    assert series.notes == (
        "a reply has a diff of its own, which is not looked at",
        "version 1 is left out: there is version 2",
    )


def test_the_only_diff_may_be_in_a_reply() -> None:
    assert read(mail("Re: [PATCH] x", "How about\n" + DIFF)).patches[0].subject == "Re:  x"


def test_bounds_of_mails(monkeypatch: pytest.MonkeyPatch) -> None:
    text = mail("[PATCH 1/2] x") + mail("[PATCH 2/2] y", DIFF.replace("x.c", "y.c"))
    monkeypatch.setattr(mails, "MOST_PATCHES", 1)
    with pytest.raises(PatchError, match="more than 1 patches"):
        read(text)
    monkeypatch.setattr(mails, "MOST_MAILS", 1)
    with pytest.raises(PatchError, match="more than 1 mails"):
        read(text)


def test_what_git_show_prints() -> None:
    text = (
        f"commit {'1' * 40} (HEAD -> a)\nAuthor: A B <a@b>\nDate:   now\n\n"
        f"    mm: keep\n\n    more\n\n{DIFF}"
    )
    [patch] = read(text).patches
    assert (patch.subject, patch.author) == ("mm: keep", "A B <a@b>")


def test_several_files_are_one_series(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("1.patch", "2.patch"):
        (tmp_path / name).write_text(mail(f"[PATCH] {name}"))
    found = read_series([str(tmp_path / "2.patch"), str(tmp_path / "1.patch")], lambda: tmp_path)
    assert [patch.subject for patch in found.patches] == ["2.patch", "1.patch"]
    monkeypatch.setattr(reading, "MOST_PATCHES", 1)
    with pytest.raises(UsageError, match="more than 1 patches"):
        read_series([str(tmp_path / "2.patch"), str(tmp_path / "1.patch")], lambda: tmp_path)


PIECES = [b"\0", b"\n", b"\r", b"--- ", b"+++ ", b"@@ ", b"diff --git ", b"From ", b"Subject: ",
          b"charset=x", b"=?x?q?y?=", b"\xff", b'"', b"\\", b"rename from a\n", b"-- \n", b"/../",
          b"Content-Type: ", b"boundary=", b"99999999999", b"[PATCH 1/2]", b"base64", b"=\n"]
CHANGE = st.tuples(st.floats(0, 1), st.integers(0, 30), st.sampled_from([b"", *PIECES]))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([
    DIFF.encode(), mail("[PATCH 1/2] x").encode() + mail("[PATCH 2/2] y").encode(),
    multipart(f"Content-Type: text/x-patch; charset=utf-8\n\n{DIFF}").encode(),
]), st.lists(CHANGE, min_size=1, max_size=5))
def test_broken_input_is_read_or_refused(
    text: bytes, changes: list[tuple[float, int, bytes]],
) -> None:
    """Nothing but an error for the user comes of it, and that is one clean line."""
    for place, gone, piece in changes:
        at = int(place * len(text))
        text = text[:at] + piece + text[at + gone:]
    try:
        found = read(text)
    except UsageError as error:
        assert clean(str(error)) == str(error) and "\n" not in str(error)
    else:
        assert all(file.path and ".." not in file.path.split("/")
                   for patch in found.patches for file in patch.files)
