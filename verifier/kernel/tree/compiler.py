# SPDX-License-Identifier: GPL-2.0-or-later
"""How a file is compiled in a configured build: the command, what is added to it, and what the
compiler says it has read.

What a patch has edited is read in the place of the tree's files, by a compiler that is bounded in
time, memory and output, in a jail that shows it the kernel alone.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from verifier.base.errors import ExtractionError
from verifier.kernel.tree.build import Build
from verifier.kernel.tree.build_store import Origin
from verifier.kernel.tree.jail import NONE
from verifier.kernel.tree.overlay import Overlay
from verifier.kernel.tree.toolchain import BOUNDS, run
from verifier.kernel.tree.tree import Tree

__all__ = ["ADDED", "Configured", "compiled", "named", "noted", "read_by_compiler", "run_in"]

_UNWATCHED = re.compile(r"\S*vdso\w*-offsets\.h")  # generated headers; see configure.py

# What clang is told beside kbuild's options.
ADDED = (
    "-Wno-everything",
    "-Werror=implicit-function-declaration",
    "-Werror=implicit-int",
    "-Werror=int-conversion",
    "-Werror=incompatible-pointer-types",
    "-ferror-limit=0",
    "-fno-vectorize",
    "-fno-slp-vectorize",
    "-fno-unroll-loops",
    "-fno-discard-value-names",
    "-gline-tables-only",
    "-S",
    "-emit-llvm",
)


@dataclass(frozen=True, slots=True)
class Configured:
    """A configured build in the cache: where, and how a file is compiled in it.

    key       begins the names of what is made in it
    rests_on  what all that depends on, as data
    origin    the tree, for who keeps what is made of it
    overlay   the files that a patch has edited, if there is a patch
    offsets   headers that kbuild generates of the compiler's output, and their sources
    """

    tree: Tree
    build: Build
    folder: Path
    key: str
    rests_on: tuple[str, ...]
    origin: Origin
    command: tuple[str, ...]
    refused: tuple[str, ...]  # options that the configuration did not take
    seconds: float
    jail: str = NONE  # that this was configured in, now or before
    offsets: tuple[tuple[str, str], ...] = ()
    overlay: Overlay | None = None


def run_in(
    configured: Configured, command: Sequence[str], part: Path, check: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program in a configured build; it writes into another folder."""
    overlay = configured.overlay
    if overlay is None:
        return run(command, configured.folder, check, tree=configured.tree.path, writes=part)
    return run(
        command, configured.folder, check, tree=configured.tree.path, writes=part,
        reads=(overlay.folder,), bounds=BOUNDS,
    )


def compiled(
    configured: Configured, command: Sequence[str], source: Path, part: Path
) -> subprocess.CompletedProcess[str]:
    """Compile a file; for a look-alike, after its assembly was taken out."""
    lookalike = configured.build.lookalike
    first = [] if lookalike is None else lookalike.compiler()
    return run_in(configured, [*first, *command, str(source)], part)


def noted(target: Path) -> list[str]:
    """What makes the compiler note what it reads."""
    return ["-MD", f"-MF{target.with_suffix('.d')}"]


def read_by_compiler(part: Path) -> set[Path]:
    """The files that the compiler says it has read, by absolute paths; its notes are removed.

    ExtractionError where it read a header of which nobody knows what it was made from.
    """
    found: set[Path] = set()
    for note in sorted(part.glob("*.d")):
        text = note.read_text(encoding="utf-8", errors="surrogateescape")
        if unwatched := _UNWATCHED.search(text):
            raise ExtractionError(f"{unwatched[0]} is read, and what it is made from is not known")
        words = re.findall(r"(?:\\[^\n]|[^\s\\])+", text)
        found |= {
            Path(re.sub(r"\\(.)", r"\1", word).replace("$$", "$"))
            for word in words
            if word.startswith("/") and not word.endswith(":")
        }
        note.unlink()
    return found


def named(configured: Configured) -> list[str]:
    """What makes line tables name files from the tree's root on, wherever it is, patched or not."""
    tree = configured.tree.path
    words = [f"-fdebug-prefix-map={tree}/="]
    if configured.overlay is not None:
        files = configured.overlay.files
        words += [f"-fdebug-prefix-map={files}/=", f"-fmacro-prefix-map={files}/={tree}/"]
    return words
