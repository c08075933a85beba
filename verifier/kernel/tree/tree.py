# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel source tree: is it one, whose is it, and which is it.

Here it is only read; a build runs its build files.

A tree is identified by the contents of what answers about it may rest on: Makefile, include/,
arch/X/, mm/, scripts/ and some of tools/ (`identify`). A configuration is known by the tree's build
files alone (`identify_configuration`), and what is compiled in it by the names of headers
(`header_names`); the files that either has read are kept with it (`build_store`). Git is not asked:
what it takes for unchanged may have changed.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from verifier.base.errors import ExtractionError, UsageError

__all__ = [
    "MARKS",
    "Tree",
    "find_tree",
    "header_names",
    "identify",
    "identify_configuration",
    "identify_each",
    "linked_trees",
    "open_tree",
]

# What every whole tree has. One that lacks some of it was not unpacked to the end, or is no kernel.
MARKS = (
    "Makefile",
    "Kbuild",
    "Kconfig",
    "include/linux/mm.h",
    "include/linux/pgtable.h",
    "mm/memory.c",
    "kernel/fork.c",
    "scripts/Makefile.build",
    "lib/Kconfig",
    "usr/Kconfig",
    "virt/Makefile",
)
_HASHED = ("include", "mm", "scripts", "tools/build", "tools/scripts")
_BUILD = ("scripts", "tools/build", "tools/scripts")  # of what is hashed: all that kbuild may run
_TOPS = ("Makefile", "Kbuild", "Kconfig")
# What kbuild reads beyond that, and no note of its own names (seen with strace, on 6.12).
_ALSO = (
    "include/asm-generic/Kbuild",
    "include/uapi/asm-generic/Kbuild",
    "lib/vdso/Makefile",
    "arch/x86/entry/syscalls/syscall_32.tbl",
)
_COMPILED = (".c", ".h", ".S")  # what a configuration has read of these, its notes name
_LARGEST = 64 << 20  # of a file that is hashed
_NO_FILE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)  # links that lead nowhere are among them


@dataclass(frozen=True, slots=True)
class Tree:
    """A kernel source tree. `version` is the Makefile's, such as 6.12.117."""

    path: Path
    version: str


def find_tree(start: Path) -> Path | None:
    """The kernel tree that one stands in, if any."""
    for folder in (start, *start.parents):
        if (folder / "Kbuild").is_file() and (folder / "include/linux/mm.h").is_file():
            return folder
    return None


def open_tree(path: Path | str) -> Tree:
    """The tree at a path. UsageError where it is no kernel, or only part of one."""
    root = Path(path)
    if not root.exists():
        raise UsageError(
            f"{root}: no such folder; give a Linux source tree, or install linux-source-6.12 and"
            " unpack it"
        )
    if not root.is_dir():
        raise UsageError(f"{root}: not a folder; unpack it first")
    root = root.resolve()
    missing = [mark for mark in MARKS if not (root / mark).is_file()]
    if len(missing) > len(MARKS) // 2:
        raise UsageError(f"{root}: not a Linux source tree (no {missing[0]})")
    if missing:
        raise UsageError(
            f"{root}: not a whole Linux source tree (no {', '.join(missing[:3])}); was it unpacked"
            " to the end?"
        )
    return Tree(root, _version(root))


def linked_trees(root: Path) -> list[Path]:
    """The whole trees that the files of a tree of links lie in.

    A link to anything else leads nowhere in a jail.
    """
    found: dict[Path, None] = {}
    for mark in MARKS:
        path = (root / mark).resolve()
        if path != root / mark and path.as_posix().endswith(f"/{mark}"):
            found[path.parents[mark.count("/")]] = None
    return [one for one in found if all((one / mark).is_file() for mark in MARKS)]


def _version(root: Path) -> str:
    try:
        text = (root / "Makefile").read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"{root}/Makefile cannot be read: {error.strerror}") from None
    numbers = [
        re.search(rf"^{name} *= *(\S*)", text, re.M)
        for name in ("VERSION", "PATCHLEVEL", "SUBLEVEL")
    ]
    if not all(numbers):
        raise UsageError(f"{root}: not a Linux source tree (its Makefile has no version)")
    extra = re.search(r"^EXTRAVERSION *= *(\S*)", text, re.M)
    return ".".join(n[1] for n in numbers if n) + (extra[1] if extra else "")


def has_arch(tree: Tree, arch: str) -> None:
    """UsageError where the tree has no such architecture."""
    if not (tree.path / "arch" / arch / "include").is_dir():
        known = sorted(p.name for p in (tree.path / "arch").iterdir() if p.is_dir())
        raise UsageError(f"{tree.path} has no architecture {arch!r}; it has {', '.join(known)}")


def identify(tree: Tree, arch: str) -> str:
    """A name for the contents that a build for this architecture depends on: equal names, equal
    contents.
    """
    return identify_each(tree, (arch,))[arch]


def identify_each(tree: Tree, archs: Iterable[str]) -> dict[str, str]:
    """The `identify` of each of these architectures; what all builds read is read once."""
    common, found = hashlib.sha256(), {}
    for name in _TOPS:
        _hash_file(common, tree.path / name)
    _hash_folders(common, tree, _HASHED)
    for arch in archs:
        has_arch(tree, arch)
        digest = common.copy()
        _hash_folders(digest, tree, (f"arch/{arch}", f"tools/arch/{arch}"))
        found[arch] = f"sha256-{digest.hexdigest()[:32]}"
    return found


def identify_configuration(tree: Tree, arch: str) -> str:
    """A name for what configuring a build of this architecture reads, but for files that its own
    notes name: makefiles, Kconfig, scripts, and which headers the architecture has.
    """
    has_arch(tree, arch)
    digest = hashlib.sha256()
    for name in (*_TOPS, *_ALSO):
        _hash_file(digest, tree.path / name)
    _hash_folders(digest, tree, (*_BUILD, f"tools/arch/{arch}"))
    for name, path in _walk(tree, f"arch/{arch}"):
        if os.path.splitext(name)[1] not in _COMPILED:
            digest.update(os.fsencode(name) + b"\0")
            _hash_file(digest, path)
    digest.update(header_names(tree, (f"arch/{arch}/include",)).encode())
    return f"sha256-{digest.hexdigest()[:32]}"


def header_names(tree: Tree, folders: Iterable[str]) -> str:
    """A digest of the names of all files below these folders: a new one may hide another."""
    digest = hashlib.sha256()
    for folder in folders:
        for name, _ in _walk(tree, folder):
            digest.update(os.fsencode(name) + b"\0")
    return digest.hexdigest()


def _hash_folders(digest: hashlib._Hash, tree: Tree, folders: Iterable[str]) -> None:
    for folder in folders:
        for name, path in _walk(tree, folder):
            digest.update(os.fsencode(name) + b"\0")
            _hash_file(digest, path)


def _walk(tree: Tree, folder: str) -> Iterator[tuple[str, str]]:
    """Every file below a folder of the tree: its name in the tree, and its path. There are ten
    thousands, so these are plain texts.
    """
    return _below(folder, os.path.join(tree.path, folder), ())


def _below(name: str, folder: str, above: tuple[Path, ...]) -> Iterator[tuple[str, str]]:
    """Also through links to folders; not into one that stands above already."""
    try:
        entries = sorted(os.scandir(folder), key=lambda one: one.name)
    except FileNotFoundError:
        return
    except OSError as error:
        raise ExtractionError(f"{folder} cannot be read: {error.strerror}") from None
    for one in entries:
        inside = f"{name}/{one.name}"
        if not one.is_dir():
            yield inside, one.path
        elif not one.is_symlink():
            yield from _below(inside, one.path, above)
        else:
            leads = Path(one.path).resolve()
            if leads not in above and not Path(folder).is_relative_to(leads):
                yield from _below(inside, one.path, (*above, leads))


def _hash_file(digest: hashlib._Hash, path: str | Path) -> None:
    """A file's length and bytes; of a link, those of the file that it leads to."""
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST:
            digest.update(b"no file or a large one")
            return
        with open(path, "rb", buffering=0) as file:
            data = file.read()
    except OSError as error:
        if error.errno in _NO_FILE:
            digest.update(b"no file or a large one")
            return
        raise ExtractionError(f"{path} cannot be read: {error.strerror}") from None
    digest.update(b"%d " % len(data))
    digest.update(data)
