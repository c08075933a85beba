# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs that a kernel is configured and compiled with: found, named where they are missing,
and run.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from verifier.base.errors import ExtractionError
from verifier.kernel.tree.jail import BUBBLEWRAP, check_written, program_folders, wrapped
from verifier.kernel.tree.tree import linked_trees

__all__ = [
    "BOUNDS",
    "Bounds",
    "Toolchain",
    "clean_environment",
    "find_toolchain",
    "jailed",
    "run",
    "stamp",
]

OLDEST_CLANG = 14
NEWEST_CLANG = 21
TIMEOUT = 1800  # seconds that one program may take

# Program -> Debian package.
_NEEDED = {"make": "make", "flex": "flex", "bison": "bison", "bc": "bc", "perl": "perl"}


_LLVM = (
    "ld.lld",
    "llvm-ar",
    "llvm-nm",
    "llvm-objcopy",
    "llvm-objdump",
    "llvm-readelf",
    "llvm-strip",
)
# what kernels' build files run, and every system has
_ALSO = ("sh", "bash", "awk", "sed", "python3")
# of the environment: by which programs are found. All else of it is kept from builds
_KEPT = ("PATH", "LD_LIBRARY_PATH")


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a program may take that reads a stranger's files.

    seconds    by the clock
    processor  seconds of processor time, each of its processes
    memory     bytes of address space, each of its processes
    output     bytes of each file that it writes, and of what it says
    """

    seconds: int
    processor: int
    memory: int
    output: int

    def bound(self, command: Sequence[str]) -> list[str]:
        """The command, which may take so much (prlimit is util-linux's)."""
        limits = {"cpu": self.processor, "as": self.memory, "fsize": self.output, "core": 0}
        return ["prlimit", *(f"--{name}={most}" for name, most in limits.items()), "--", *command]


# memory.c takes 5 s and 400 MB, and is 20 MB of text
BOUNDS = Bounds(seconds=240, processor=60, memory=4 << 30, output=128 << 20)


@dataclass(frozen=True, slots=True)
class Toolchain:
    """clang and what belongs to it.

    `suffix` is -19 of clang-19, or empty; `llvm` is what kbuild's LLVM= is given.
    """

    clang: str
    suffix: str
    version: str

    def rests_on(self) -> tuple[str, ...]:
        """Which programs these are, for who keeps what they make."""
        named = [*(f"{name}{self.suffix}" for name in _LLVM), *_NEEDED, *_ALSO]
        return (
            self.version,
            os.environ.get("LD_LIBRARY_PATH", ""),
            stamp(self.clang),
            *map(stamp, named),
        )

    @property
    def llvm(self) -> str:
        """What kbuild's LLVM= is given: the suffix, or 1."""
        return self.suffix or "1"


def find_toolchain() -> Toolchain:
    """The newest clang there is, with all that a kernel's build needs.

    ExtractionError names what to install.
    """
    missing = [package for program, package in _NEEDED.items() if shutil.which(program) is None]
    found = _clang()
    if found is None:
        missing.append("clang-19")
    elif shutil.which(f"ld.lld{found.suffix}") is None:
        missing.append(f"lld{found.suffix}")
    elif shutil.which(f"llvm-ar{found.suffix}") is None:
        missing.append(f"llvm{found.suffix}")
    if missing or found is None:
        raise ExtractionError(
            f"building for a kernel tree needs {', '.join(missing)}; on Debian: apt install"
            f" {' '.join(missing)}"
        )
    return found


def stamp(name: str) -> str:
    """Which program a name stands for: its file, how large it is and when it was made."""
    path = shutil.which(name)
    if path is None:
        return f"{name}: none"
    status = os.stat(path)
    return f"{name}: {os.path.realpath(path)} {status.st_size} {status.st_mtime_ns}"


def _clang() -> Toolchain | None:
    wanted = os.environ.get("PTEPROOF_CLANG")
    names = (
        [wanted]
        if wanted
        else [*(f"clang-{n}" for n in range(NEWEST_CLANG, OLDEST_CLANG - 1, -1)), "clang"]
    )
    for name in names:
        path = shutil.which(name)
        if path is None:
            continue
        text = _run([path, "--version"], Path.cwd()).stdout
        match = re.search(r"clang version (\d+)(\S*)", text)
        if match and OLDEST_CLANG <= int(match[1]) <= NEWEST_CLANG:
            suffix = re.search(r"-\d+$", name)
            return Toolchain(path, suffix[0] if suffix else "", text.splitlines()[0])
        if wanted or name == "clang":
            raise ExtractionError(
                f"{path} is not clang {OLDEST_CLANG} to {NEWEST_CLANG}; on Debian: apt install"
                " clang-19 lld-19 llvm-19"
            )
    return None


def clean_environment() -> dict[str, str]:
    """The environment of what is run for a tree."""
    environment = {name: os.environ[name] for name in (*_KEPT, "TMPDIR") if name in os.environ}
    environment |= {
        "LC_ALL": "C",
        "PYTHONDONTWRITEBYTECODE": "1",
        "KBUILD_BUILD_TIMESTAMP": "1970-01-01",
        "KBUILD_BUILD_USER": "pteproof",
        "KBUILD_BUILD_HOST": "pteproof",
    }
    # what a tree's repository is configured to run, git of a build runs not
    environment["GIT_DIR"] = os.devnull
    return environment


def jailed(
    command: Sequence[str], writes: Path | None, reads: Sequence[Path], narrow: bool = False
) -> tuple[str, list[str]]:
    """The kind of jail that is had, and the command in it, where it finds the programs of a build.
    A narrow one shows nothing else.

    ExtractionError where it is no program.
    """
    if shutil.which(command[0]) is None:
        raise ExtractionError(f"{command[0]} cannot be run: No such file or directory")
    clang = [
        os.environ.get("PTEPROOF_CLANG", "clang"),
        *(f"clang-{n}" for n in range(OLDEST_CLANG, NEWEST_CLANG + 1)),
    ]
    llvm = [
        name + clang_.removeprefix("clang")
        for clang_ in clang
        if not os.path.isabs(clang_)
        for name in _LLVM
    ]
    return wrapped(
        command,
        writes,
        (*reads, *program_folders([command[0], *clang, *llvm, *_NEEDED, *_ALSO])),
        narrow,
    )


def run(
    command: Sequence[str],
    folder: Path,
    check: str | None = None,
    *,
    tree: Path | None = None,
    writes: Path | None = None,
    reads: Sequence[Path] = (),
    bounds: Bounds | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program in a folder, in a jail, without a terminal, in an environment of our own.

    check   names what failed in the error; None: failing is no error
    tree    is read, too. It, the folder, and what is around the folder that is written, are all
            that is seen of homes and /tmp
    writes  the folder that it may write, if that is another
    reads   folders that it may read, too
    bounds  what it may take, where it reads a stranger's files; the jail is a narrow one then
    """
    writes = writes or folder
    shown = [folder, writes.parent, *reads, *([tree, *linked_trees(tree)] if tree else [])]
    jail, words = jailed(command, writes, shown, bounds is not None)
    done = _run(words, folder) if bounds is None else _run_bounded(words, folder, writes, bounds)
    if jail == BUBBLEWRAP:
        check_written(writes, tree)
        # bubblewrap tells of a signal as a shell does
        if done.returncode - 128 in set(signal.valid_signals()):
            done.returncode = 128 - done.returncode
    if (signalled := _signalled(done)):
        name = Path(command[0]).name
        if bounds is not None:
            raise ExtractionError(f"{name} did not survive the patch: {signalled}")
        raise ExtractionError(
            f"{name} was ended by {signalled}, which says nothing of the tree; is there memory"
            " enough?"
        )
    if done.returncode != 0 and "No space left on device" in done.stderr:
        raise ExtractionError(
            f"no space is left where {folder} is; set XDG_CACHE_HOME to another disk"
        )
    if check is not None and done.returncode != 0:
        raise ExtractionError(f"{check}: {first_error(done.stderr or done.stdout)}")
    return done


def _run(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program as the head of a group of processes: whatever ends our waiting ends what it has
    started, too.
    """
    try:
        with subprocess.Popen(
            command,
            cwd=folder,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            process_group=0,
        ) as process:
            try:
                out, err = process.communicate(timeout=TIMEOUT)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
    except subprocess.TimeoutExpired:
        raise ExtractionError(f"{command[0]} took more than {TIMEOUT} seconds") from None
    except OSError as error:
        raise ExtractionError(f"{command[0]} cannot be run: {error.strerror}") from None
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def _run_bounded(
    command: Sequence[str], folder: Path, writes: Path, bounds: Bounds
) -> subprocess.CompletedProcess[str]:
    """Run a program that may take so much. What it says is bounded as every file that it writes."""
    environment = {**clean_environment(), "TMPDIR": str(writes)}  # where there is no jail
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            with subprocess.Popen(
                bounds.bound(command),
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                process_group=0,
            ) as process:
                try:
                    process.wait(timeout=bounds.seconds)
                except BaseException:
                    os.killpg(process.pid, signal.SIGKILL)
                    raise
        except subprocess.TimeoutExpired:
            raise ExtractionError(
                f"the compiler took more than {bounds.seconds} seconds over the patch"
            ) from None
        except OSError as error:
            raise ExtractionError(f"prlimit cannot be run: {error.strerror}") from None
        texts = []
        for said in (out, err):
            said.seek(0)
            texts.append(said.read().decode(errors="replace"))
    return subprocess.CompletedProcess(command, process.returncode, *texts)


def _signalled(done: subprocess.CompletedProcess[str]) -> str:
    """The signal that ended a program, or one that it ran; empty where none did."""
    if done.returncode < 0:
        return signal.strsignal(-done.returncode) or f"signal {-done.returncode}"
    found = re.search(
        r"(?:unable to execute command: |^make.*\*\*\* .*)(Killed|Segmentation fault|Aborted)",
        done.stderr,
        re.M,
    )
    return found[1] if found and done.returncode else ""


def first_error(text: str) -> str:
    """The line of a program's output that says what went wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = [line for line in lines if not re.match(r"make(\[\d+\])?: ", line)]
    for pattern, among in (
        (r"No space left", lines),
        (r"not clean", lines),
        (r"error:|can't open|No such file", said),
        (r"\*\*\*", lines),
        (r"[Ee]rror", lines),
    ):
        for line in among:
            if re.search(pattern, line):
                return line[:300]
    return lines[-1][:300] if lines else "no message"
