# SPDX-License-Identifier: GPL-2.0-or-later
"""From a configured tree to LLVM's intermediate representation: wrappers and sources, compiled.

Everything is made in the cache folder (`build_store`), in a jail; the tree is read only.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from verifier.base.errors import ExtractionError
from verifier.kernel.tree import lookalike
from verifier.kernel.tree.build import Build, constant_name, operation_name
from verifier.kernel.tree.build_store import cache_folder, entry
from verifier.kernel.tree.configure import ADDED, Configured
from verifier.kernel.tree.shapes import HEAD, Shape, wrapper_file
from verifier.kernel.tree.toolchain import first_error, run

__all__ = [
    "Compiled",
    "compile_build",
    "compile_file",
    "read_by_compiler",
    "run_in",
]

ROUNDS = 12  # of leaving out wrappers that do not compile


@dataclass(frozen=True, slots=True)
class Compiled:
    """The intermediate representation of a build's wrappers and sources, by name of file."""

    configured: Configured
    texts: dict[str, str]
    wrappers: frozenset[str]
    seconds: float
    # disassembled, of sources that are assembly
    assembly: dict[str, str] = field(default_factory=dict)
    # identifiers of the headers as they are configured, macros' among them
    names: frozenset[str] = frozenset()


def compile_build(
    configured: Configured, shapes: Sequence[Shape], cache: Path | None = None
) -> Compiled:
    """The wrappers of these shapes, and the build's sources, or what the cache has of them."""
    start = time.perf_counter()
    constants = {
        f.number: f.expression for f in configured.build.features.values() if f.number is not None
    }
    constants |= {
        constant_name(text): text
        for text in (
            *[t for t, _ in configured.build.returns.values()],
            *[t for t, _, _ in configured.build.clears.values()],
        )
    }
    members = {
        operation_name(table, m): f"offsetof(typeof({table}), {m})"
        for table, m in configured.build.members()
    }
    text, lines = wrapper_file(
        shapes, {**constants, **members}, configured.build.premises_of, configured.build.statics
    )
    folder = entry(
        cache or cache_folder(),
        f"{configured.key}-ir",
        [configured.rests_on, text, configured.build],
        lambda part: _compile(configured, text, lines, part),
        configured.origin,
    )
    texts = {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.ll"))}
    wrappers = frozenset((folder / "wrappers.txt").read_text(encoding="utf-8").split())
    assembly = {
        path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.dis"))
    }
    names = frozenset((folder / "names.txt").read_text(encoding="utf-8").split())
    return Compiled(configured, texts, wrappers, time.perf_counter() - start, assembly, names)


def _compile(configured: Configured, text: str, lines: dict[int, str], part: Path) -> set[Path]:
    kept = compile_wrappers(configured, text, lines, part)
    (part / "wrappers.txt").write_text("\n".join(sorted(kept.values())), encoding="utf-8")
    (part / "names.txt").write_text("\n".join(sorted(_names(configured, part))), encoding="utf-8")
    for source in configured.build.sources:
        path = configured.tree.path / source
        if path.is_file() and path.suffix == ".S":
            assemble_file(
                configured, path, part / f"{source.replace('/', '_').removesuffix('.S')}.dis"
            )
        elif path.is_file():
            target = part / f"{source.replace('/', '_').removesuffix('.c')}.ll"
            # what is stubbed keeps its name
            compile_file(configured, path, target, ("-fno-inline",))
    return read_by_compiler(part)


def read_by_compiler(part: Path) -> set[Path]:
    """The files that the compiler says it has read; what it noted is removed."""
    found: set[Path] = set()
    for note in sorted(part.glob("*.d")):
        found |= {
            Path(word)
            for word in note.read_text(encoding="utf-8", errors="replace").split()
            if word.startswith("/")
        }
        note.unlink()
    return found


def _noted(target: Path) -> list[str]:
    """What makes the compiler note what it reads."""
    return ["-MD", f"-MF{target.with_suffix('.d')}"]


def run_in(
    configured: Configured, command: Sequence[str], part: Path, check: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program in a configured build; it writes into another folder."""
    return run(command, configured.folder, check, tree=configured.tree.path, writes=part)


def _compiled(
    configured: Configured, command: Sequence[str], source: Path, part: Path
) -> subprocess.CompletedProcess[str]:
    """Compile a file; for a look-alike, after its assembly was taken out."""
    if configured.build.lookalike is None:
        return run_in(configured, [*command, str(source)], part)
    return run_in(configured, [sys.executable, lookalike.__file__, *command, str(source)], part)


def compile_file(
    configured: Configured, source: Path, target: Path, extra: Sequence[str] = ()
) -> None:
    """One file of the kernel's, or of ours, to intermediate representation."""
    command = [
        *configured.command,
        *ADDED,
        _lines_of(configured),
        *extra,
        '-DKBUILD_MODFILE="x"',
        '-DKBUILD_BASENAME="x"',
        '-DKBUILD_MODNAME="x"',
        "-D__KBUILD_MODNAME=kmod_x",
    ]
    done = _compiled(
        configured, [*command, *_noted(target), "-o", str(target)], source, target.parent
    )
    if done.returncode:
        raise ExtractionError(
            f"{source} does not compile for {configured.build.name}: {first_error(done.stderr)}"
        )


def assemble_file(configured: Configured, source: Path, target: Path) -> None:
    """One of the kernel's files of assembly, assembled and disassembled again: macros and constants
    are gone.
    """
    made = target.with_suffix(".o")
    # arm's makefile includes it
    unified = configured.tree.path / f"arch/{configured.build.kernel}/include/asm/unified.h"
    included = ("-include", str(unified)) if unified.is_file() else ()
    done = run_in(
        configured,
        [
            *configured.command,
            *included,
            "-D__ASSEMBLY__",
            "-w",
            *_noted(target),
            "-c",
            str(source),
            "-o",
            str(made),
        ],
        target.parent,
    )
    if done.returncode:
        raise ExtractionError(
            f"{source} does not assemble for {configured.build.name}: {first_error(done.stderr)}"
        )
    objdump = configured.command[0].replace("clang", "llvm-objdump")
    done = run_in(configured, [objdump, "-d", "--no-show-raw-insn", str(made)], target.parent)
    if done.returncode:
        raise ExtractionError(f"{objdump} of {source}: {first_error(done.stderr)}")
    target.write_text(done.stdout, encoding="utf-8")
    made.unlink()


def _names(configured: Configured, part: Path) -> set[str]:
    """Every identifier of the headers that wrappers include, as they are configured."""
    source = part / "headers.c"
    source.write_text(HEAD, encoding="utf-8")
    done = run_in(
        configured,
        [*configured.command, "-Wno-everything", *_noted(source), "-E", "-dD", str(source)],
        part,
        f"reading the headers of {configured.build.name}",
    )
    # of a macro, its name
    text = re.sub(r"^#(?:define[ ]+(\w+))?.*$", r"\1", done.stdout, flags=re.M)
    return set(re.findall(r"[A-Za-z_]\w*", text))


def _lines_of(configured: Configured) -> str:
    """Line tables name files from the tree's root on, wherever it is."""
    return f"-fdebug-prefix-map={configured.tree.path}/="


def _outlined(build: Build) -> tuple[str, ...]:
    return () if build.inline else ("-fno-inline",)


def compile_wrappers(
    configured: Configured, text: str, lines: dict[int, str], part: Path
) -> dict[int, str]:
    """Compile a file whose lines may name what this tree has not got; such lines are emptied.

    Returns the lines that stay.
    """
    source, target = part / "wrappers.c", part / "wrappers.ll"
    kept = dict(lines)
    rows = text.splitlines()
    for _ in range(ROUNDS):
        source.write_text("\n".join(rows) + "\n", encoding="utf-8")
        command = [
            *configured.command,
            *ADDED,
            _lines_of(configured),
            *_outlined(configured.build),
            '-DKBUILD_MODFILE="x"',
            '-DKBUILD_BASENAME="x"',
            '-DKBUILD_MODNAME="x"',
            "-D__KBUILD_MODNAME=kmod_x",
            "-o",
            str(target),
        ]
        done = _compiled(configured, command, source, part)
        if done.returncode == 0:
            return kept
        failed = _failed_lines(done.stderr, str(source))
        if not failed or not failed <= set(kept):
            raise ExtractionError(
                f"{configured.tree.path}: a header does not compile for {configured.build.name}: "
                f"{first_error(_outside(done.stderr, str(source)) or done.stderr)}"
            )
        for number in failed:
            rows[number - 1] = ""
            del kept[number]
    raise ExtractionError(
        f"{configured.tree.path}: the wrappers do not compile for {configured.build.name}"
    )


def _failed_lines(text: str, source: str) -> set[int]:
    """Lines of the wrapper file that an error stands in, or that lead to one in a macro of a
    header.
    """
    return {
        int(number)
        for number in re.findall(rf"^{re.escape(source)}:(\d+):\d+: (?:fatal )?error:", text, re.M)
    }


def _outside(text: str, source: str) -> str:
    return "\n".join(
        line for line in text.splitlines() if "error:" in line and not line.startswith(source)
    )
