# SPDX-License-Identifier: GPL-2.0-or-later
"""Commits of a kernel tree's repository, as patches.

Git is never run in the tree's repository. It runs in a bare one of our own, without any
configuration, that only borrows the tree's objects. So no hook, filter, attribute, fsmonitor,
textconv, external diff, alias, pager, signature program or replaced object of the tree has a say.
What a name such as `HEAD` means is read here, from the repository's files.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from verifier.base.errors import UsageError
from verifier.base.output import one_line
from verifier.base.store import read_regular
from verifier.patches.patch import MOST_FILE, MOST_INPUT, MOST_PATCHES, PatchError, Series
from verifier.patches.read_diff import has_diff
from verifier.patches.read_mail import read_mails

__all__ = ["read_range"]

SECONDS = 120  # of one run of git
_MOST_REFS = 64 << 20  # bytes of packed-refs
_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_REVISION = re.compile(r"([A-Za-z0-9][A-Za-z0-9._/+@-]*|@)((?:[~^]\d*)*)")
_PLACES = ("{}", "refs/{}", "refs/tags/{}", "refs/heads/{}", "refs/remotes/{}",
           "refs/remotes/{}/HEAD")
_SETTINGS = ("core.commitGraph=false", "core.attributesFile=/dev/null", "gc.auto=0",
             "core.fsmonitor=false", "diff.renames=true", "protocol.allow=never")
_FORMAT = ("--stdout", "--no-ext-diff", "--no-textconv", "--no-color", "--no-signature",
           "--no-attach", "--no-thread", "--no-cover-letter", "--no-notes", "--full-index",
           "--src-prefix=a/", "--dst-prefix=b/", "--subject-prefix=PATCH", "--numbered",
           "--encode-email-headers", "--find-renames", "--unified=3", "--diff-algorithm=myers")


@dataclass(frozen=True, slots=True)
class _Repository:
    """A tree's git folder, and the one that has its objects and refs (another, of a worktree)."""

    git: Path
    common: Path


def read_range(word: str, tree: Path) -> Series:
    """The commits of a range `A..B`, `A..` or `..B`, or a commit alone, oldest first.

    The range begins or ends at the commit that is checked out, so that the tree's other files are
    those that it is about. Where it ends there, `start` has the files as they were before it.

    Raises UsageError for what is no such range, or goes through a merge.
    """
    if shutil.which("git") is None:
        raise UsageError(f"{one_line(word)}: no such file, and git is not there to read commits")
    repository = _repository(tree, word)
    with tempfile.TemporaryDirectory(prefix="pteproof-git-") as scratch:
        git = _Git(Path(scratch), repository)
        head = git.commit("HEAD", word)
        first, last = _ends(word, git)
        commits = _linear(git, first, last, word)
        if head not in (first, last):
            raise UsageError(f"{one_line(word)} neither begins nor ends at HEAD, so the tree's "
                             "files are not those that it is about; check it out")
        text = git.run([*("format-patch", *_FORMAT), f"{first}..{last}"], MOST_INPUT)
        series = read_mails(text, word) if has_diff(text) else Series(())
        if len(series.patches) != len(commits):
            missing = len(commits) - len(series.patches)
            raise UsageError(f"{one_line(word)}: {len(commits)} commits, of which {missing} have "
                             "no change that can be read")
        notes = [*series.notes]
        if head == first:
            return Series(series.patches, tuple(notes))
        paths = list(dict.fromkeys(path for patch in series.patches for path in patch.paths()))
        start = {path: git.content(first, path) for path in paths}
    return Series(series.patches, tuple(notes), start)


def _repository(tree: Path, word: str) -> _Repository:
    """The git folder of a tree; of a worktree, `.git` is a file that names it."""
    path = tree / ".git"
    try:
        if path.is_file():
            named = read_regular(path, 4_096).decode("utf-8", "replace")
            path = tree / named.removeprefix("gitdir:").strip()
        common = path
        if (path / "commondir").is_file():
            named = read_regular(path / "commondir", 4_096).decode("utf-8", "replace")
            common = path / named.strip()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    if not (common / "objects").is_dir():
        raise UsageError(f"{one_line(word)}: no such file, and {tree} is no git repository to read "
                         "commits from")
    return _Repository(path.resolve(), common.resolve())


class _Git:
    """Git in a bare repository of our own, with a clean environment and bounds."""

    def __init__(self, scratch: Path, repository: _Repository) -> None:
        self.repository = repository
        self.folder = scratch / "bare"
        objects = self.folder / "objects"
        (objects / "info").mkdir(parents=True)
        (self.folder / "refs").mkdir()
        (self.folder / "HEAD").write_text("ref: refs/heads/none\n", encoding="utf-8")
        (self.folder / "config").write_text(_config(repository), encoding="utf-8")
        borrowed = os.fsencode(repository.common / "objects")
        if b"\n" in borrowed or borrowed.startswith((b'"', b"#")):
            raise UsageError(f"{one_line(str(repository.common))}: git cannot borrow objects")
        (objects / "info" / "alternates").write_bytes(borrowed + b"\n")
        shallow = repository.common / "shallow"
        if shallow.is_file():
            (self.folder / "shallow").write_bytes(read_regular(shallow, _MOST_REFS))

    def run(self, words: Sequence[str], most: int, stdin: bytes = b"") -> bytes:
        """What git prints; UsageError where it fails, takes too long, or prints too much."""
        settings = [word for one in _SETTINGS for word in ("-c", one)]
        command = ["git", "--no-pager", "--no-replace-objects", "--bare", *settings, *words]
        with tempfile.TemporaryFile(dir=self.folder) as out:
            try:
                done = subprocess.run(command, input=stdin, stdout=out, stderr=subprocess.PIPE,
                                      check=False, timeout=SECONDS, cwd=self.folder,
                                      env=self._environment())
            except (OSError, subprocess.TimeoutExpired) as error:
                raise UsageError(f"git {words[0]}: {error}") from None
            if done.returncode != 0:
                said = done.stderr.decode("utf-8", "replace").strip().splitlines()
                raise UsageError(one_line(f"git {words[0]}: {said[-1] if said else 'failed'}"))
            out.seek(0)
            found = out.read(most + 1)
        if len(found) > most:
            raise UsageError(f"git {words[0]}: more than {most >> 20} MByte")
        return found

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.folder),
                "LC_ALL": "C", "GIT_DIR": str(self.folder), "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_CONFIG_GLOBAL": os.devnull, "GIT_ATTR_NOSYSTEM": "1", "GIT_PAGER": "cat",
                "GIT_NO_REPLACE_OBJECTS": "1", "GIT_TERMINAL_PROMPT": "0",
                "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_PROTOCOL_FROM_USER": "0"}

    def commit(self, revision: str, word: str) -> str:
        """The id of a commit by a name, with ~2 and ^ behind it."""
        found = _REVISION.fullmatch(revision)
        if found is None or ".." in revision:
            raise UsageError(f"{one_line(word)}: no such file, and no commit or range A..B")
        name = "HEAD" if found[1] == "@" else found[1]
        start = _resolve(self.repository, name)
        if start is None and not re.fullmatch(r"[0-9a-f]{4,64}", name):
            raise UsageError(f"{one_line(word)}: no such file, and no branch, tag or commit {name}")
        asked = f"{start or name}{found[2]}^{{commit}}"
        try:
            text = self.run(["rev-parse", "--verify", "--quiet", "--end-of-options", asked], 200)
        except UsageError:
            raise UsageError(f"{one_line(word)}: no such file, and no commit {revision}") from None
        return text.decode().strip()

    def content(self, commit: str, path: str) -> bytes | None:
        """A file as a commit has it; None where it has none. No filter changes it."""
        listed = self.run(["ls-tree", "-z", "--full-tree", commit, "--", path], 65_536)
        found = re.fullmatch(rb"(\d{6}) (\w+) ([0-9a-f]+)\t.*\0", listed, re.DOTALL)
        if found is None:
            return None
        if found[1] not in (b"100644", b"100755"):
            raise PatchError(path, f"mode {found[1].decode()} in {commit[:12]}; only regular files "
                             "are checked")
        return self.run(["cat-file", "blob", found[3].decode()], MOST_FILE)


def _config(repository: _Repository) -> str:
    """Our repository's own settings: the kind of its objects' ids, which is that of the tree's."""
    try:
        text = read_regular(repository.common / "config", 1 << 20).decode("utf-8", "replace")
    except OSError:
        text = ""
    if re.search(r"^\s*objectformat\s*=\s*sha256\s*$", text, re.MULTILINE | re.IGNORECASE):
        return "[core]\n\trepositoryformatversion = 1\n\tbare = true\n" \
            "[extensions]\n\tobjectFormat = sha256\n"
    return "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"


def _ends(word: str, git: _Git) -> tuple[str, str]:
    """The commits before and at the end of a range."""
    if ".." not in word:
        return git.commit(f"{word}^", word), git.commit(word, word)
    first, _, last = word.partition("..")
    if last.startswith("."):
        raise UsageError(f"{one_line(word)}: a range has two dots")
    return git.commit(first or "HEAD", word), git.commit(last or "HEAD", word)


def _linear(git: _Git, first: str, last: str, word: str) -> list[str]:
    """The commits of a range, each the only child of the one before."""
    text = git.run(["rev-list", "--parents", "--topo-order", "--reverse",
                    f"--max-count={MOST_PATCHES + 1}", f"{first}..{last}"], MOST_INPUT)
    rows = [line.split() for line in text.decode().splitlines()]
    if not rows:
        raise UsageError(f"{one_line(word)}: no commits")
    if len(rows) > MOST_PATCHES:
        raise UsageError(f"{one_line(word)}: more than {MOST_PATCHES} commits")
    before = first
    for row in rows:
        if row[1:] != [before]:
            raise UsageError(f"{one_line(word)}: {row[0][:12]} is a merge, or does not follow on "
                             f"{before[:12]}; a range is commits one after the other")
        before = row[0]
    return [row[0] for row in rows]


def _resolve(repository: _Repository, name: str, depth: int = 0) -> str | None:
    """The id that a name of a ref stands for, as git looks for it; None where there is none."""
    if depth > 5:
        return None
    packed = _packed(repository)
    for place in _PLACES:
        ref = place.format(name)
        folder = repository.git if "/" not in ref else repository.common
        try:
            text = read_regular(folder / ref, 4_096).decode("utf-8", "replace").strip()
        except OSError:
            text = packed.get(ref, "")
        if text.startswith("ref: "):
            return _resolve(repository, text.removeprefix("ref: ").strip(), depth + 1)
        if _ID.fullmatch(text):
            return text
    return None


def _packed(repository: _Repository) -> dict[str, str]:
    """The refs of the file packed-refs."""
    try:
        text = read_regular(repository.common / "packed-refs", _MOST_REFS)
    except OSError:
        return {}
    found = re.findall(r"^([0-9a-f]{40,64}) (\S+)$", text.decode("utf-8", "replace"), re.MULTILINE)
    return {ref: commit for commit, ref in found}
