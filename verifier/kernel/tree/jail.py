# SPDX-License-Identifier: GPL-2.0-or-later
"""The jail for everything that is run for a kernel tree: its makefiles and scripts do what their
author wants.

With bubblewrap, where it works, all files are read-only except one folder that a program writes.
Home folders, /tmp and /run are empty but for what a build reads there. There is no network, no
other process, and no privilege. Else `unshare`: no network, and nothing more. Else there is none,
which `unjailed` says. Whether a kind works is tried once, with the flags that are used.
PTEPROOF_JAIL=require takes bubblewrap or nothing, PTEPROOF_JAIL=none wants no jail.

What a stranger's patch is compiled in is narrower: only the programs, the kernel and the scratch
folder are there at all. It is bubblewrap's, or who asks has said that he wants no jail.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from verifier.base.errors import ExtractionError, UsageError

__all__ = [
    "BUBBLEWRAP",
    "NETWORK",
    "NONE",
    "check_for_patches",
    "check_written",
    "kind",
    "program_folders",
    "unjailed",
    "wrapped",
]

BUBBLEWRAP, NETWORK, NONE = "bubblewrap", "no network", "none"
_ALL = ("--ro-bind", "/", "/")
_FLAGS = {
    BUBBLEWRAP: (
        "bwrap",
        "--unshare-all",
        "--die-with-parent",
        "--new-session",
        "--cap-drop",
        "ALL",
        *_ALL,
        "--dev",
        "/dev",
        "--proc",
        "/proc",
    ),
    NETWORK: ("unshare", "--user", "--map-current-user", "--net", "--"),
    NONE: (),
}
# in the jail, as well as the user's own home
_EMPTY = ("/home", "/root", "/tmp", "/var/tmp", "/run", "/mnt", "/media")
_WISHES = ("auto", "require", "none")
# what programs need of the system, where a patch is compiled; /lib and its like may be links
_SYSTEM = ("/usr", "/bin", "/lib", "/lib32", "/lib64", "/sbin", "/etc/alternatives")
_BESIDE = ("lib", "lib64", "libexec", "include")  # of a folder of programs: what these read
_ran_unjailed: set[str] = set()


def kind() -> str:
    """The jail that is had here: BUBBLEWRAP, NETWORK or NONE.

    ExtractionError where another one is required.
    """
    wish = os.environ.get("PTEPROOF_JAIL") or "auto"
    if wish not in _WISHES:
        raise UsageError(f"PTEPROOF_JAIL is {wish!r}; it may be {', '.join(_WISHES)}")
    if wish == "none":
        return NONE
    found = next(one for one in _FLAGS if _works(one, os.environ.get("PATH", "")))
    if wish == "require" and found != BUBBLEWRAP:
        raise ExtractionError(
            "PTEPROOF_JAIL=require, but bubblewrap is not installed or does not work here; on"
            " Debian: apt install bubblewrap"
        )
    return found


@cache
def _works(one: str, path: str) -> bool:
    """Does a trivial command succeed in this jail?"""
    if one == NONE:
        return True
    if shutil.which(_FLAGS[one][0], path=path) is None:
        return False
    command = [*_FLAGS[one], *(_mounts(None, ()) if one == BUBBLEWRAP else ()), "true"]
    try:
        return (
            subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=20
            ).returncode
            == 0
        )
    except (OSError, subprocess.TimeoutExpired):
        return False


def check_for_patches() -> None:
    """UsageError where a stranger's code would be compiled without a jail, and nobody wants that.
    """
    found = kind()
    if found != BUBBLEWRAP and os.environ.get("PTEPROOF_JAIL") != NONE:
        raise UsageError(
            "a patch is compiled in a jail only, and bubblewrap is not installed or does not work"
            " here; on Debian: apt install bubblewrap. PTEPROOF_JAIL=none compiles it without one"
        )


def wrapped(
    command: Sequence[str], writes: Path | None, reads: Iterable[Path], narrow: bool = False
) -> tuple[str, list[str]]:
    """The kind of jail, and the command in it.

    It may write one folder, and reads these below folders that are else empty. In a narrow jail
    there is nothing else than these, the system's programs, and the folder.
    """
    found = kind()
    if found == BUBBLEWRAP and narrow:
        flags = [*_FLAGS[found]]
        at = flags.index(_ALL[0])
        flags[at:at + len(_ALL)] = _system()
        return found, [*flags, *_mounts(writes, reads, narrow), "--", *command]
    if found == BUBBLEWRAP:
        return found, [*_FLAGS[found], *_mounts(writes, reads), "--", *command]
    _ran_unjailed.add(found)
    return found, [*_FLAGS[found], *command]


def unjailed() -> str | None:
    """What to tell the user of programs that were run without a jail, or None."""
    if not _ran_unjailed:
        return None
    what = (
        "without a jail" if NONE in _ran_unjailed else "without a network, but else without a jail"
    )
    return f"pteproof: the tree's build files ran as you, {what}; on Debian: apt install bubblewrap"


def _system() -> list[str]:
    """The system's programs in a narrow jail: folders, and links to them."""
    words: list[str] = []
    for place in filter(os.path.lexists, _SYSTEM):
        if os.path.islink(place):
            words += ["--symlink", os.readlink(place), place]
        else:
            words += ["--ro-bind", place, place]
    return words


def _mounts(writes: Path | None, reads: Iterable[Path], narrow: bool = False) -> list[str]:
    empty = {"/tmp"} if narrow else _empty()
    words = [word for folder in sorted(empty) for word in ("--tmpfs", folder)]
    shown = {place for path in (*reads, *_own()) for place in _places(path)}
    for place in sorted(shown):
        if narrow:
            hidden = not _below(place, _SYSTEM) and place not in ("/", *_SYSTEM)
        else:
            hidden = _below(place, empty) and not any(
                _below(one, {place}) or one == place for one in empty
            )
        if hidden:
            words += ["--ro-bind", os.path.realpath(place), place]
    for place in sorted(_places(writes)) if writes is not None else ():
        if narrow or place == os.path.realpath(place) or _below(place, empty):
            words += ["--bind", os.path.realpath(place), place]
    return [*words, "--setenv", "TMPDIR", "/tmp"]


def _empty() -> set[str]:
    """The folders that are empty in the jail."""
    homes = [os.environ.get("HOME", "")]
    with suppress(KeyError):  # a user without a name has no other home
        homes.append(pwd.getpwuid(os.getuid()).pw_dir)
    named = {
        os.path.realpath(one)
        for one in (*_EMPTY, *homes)
        if os.path.isabs(one) and os.path.isdir(one)
    }
    return named - {"/"}


def _places(path: Path) -> set[str]:
    """The names that a path is reached by: as it is given, and without links."""
    return {os.path.abspath(path), os.path.realpath(path)} if path.exists() else set()


def _below(place: str, folders: Iterable[str]) -> bool:
    return any(place.startswith(f"{folder}{os.sep}") for folder in folders)


def _own() -> Iterable[Path]:
    """What our own code needs: Python, and this package."""
    return (Path(sys.prefix), Path(sys.base_prefix), Path(__file__).parents[2])


def program_folders(names: Iterable[str]) -> tuple[Path, ...]:
    """The folders of these programs, with what lies beside them and belongs to them."""
    found: dict[Path, None] = {}
    for path in filter(None, map(shutil.which, names)):
        for folder in (Path(path).absolute().parent, Path(os.path.realpath(path)).parent):
            found[folder] = None
            found |= dict.fromkeys(
                folder.parent / name for name in _BESIDE if folder.name in ("bin", "sbin")
            )
    found |= dict.fromkeys(
        map(Path, filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)))
    )
    return tuple(found)


def check_written(folder: Path, tree: Path | None) -> None:
    """What was written in a jail and is read outside of it: files, folders, and links that stay in
    the folder or lead to the tree.

    ExtractionError for anything else: through it we would write elsewhere, or wait for ever.
    """
    top = os.path.realpath(folder)
    for base, folders, files in os.walk(top):
        for name in (*folders, *files):
            path = os.path.join(base, name)
            if os.path.islink(path):
                target = os.path.realpath(path)
                into_tree = (
                    tree is not None
                    and os.path.isdir(target)
                    and (target == str(tree) or _below(target, {str(tree)}))
                )
                if not into_tree and not _below(target, {top}):
                    raise ExtractionError(
                        f"the tree's build files made a link that leads out of the build: {path} to"
                        f" {os.readlink(path)}"
                    )
            elif not os.path.isfile(path) and not os.path.isdir(path):
                raise ExtractionError(f"the tree's build files made what is no file: {path}")
