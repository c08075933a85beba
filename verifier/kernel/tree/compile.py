# SPDX-License-Identifier: GPL-2.0-or-later
"""From a configured tree to LLVM's intermediate representation: wrappers and sources, compiled.

Everything is made in the cache folder (`build_store`), in a jail; the tree is read only.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from verifier.base.errors import ExtractionError
from verifier.kernel.tree.build import Build, constant_name, operation_name
from verifier.kernel.tree.build_store import cache_folder, entry
from verifier.kernel.tree.compiler import (
    ADDED,
    Configured,
    compiled,
    named,
    noted,
    read_by_compiler,
    run_in,
)
from verifier.kernel.tree.include_graph import note_entry
from verifier.kernel.tree.overlay import GONE, Overlay
from verifier.kernel.tree.shapes import HEAD, Shape, wrapper_file
from verifier.kernel.tree.toolchain import first_error
from verifier.kernel.tree.tree import header_names

__all__ = [
    "Compiled",
    "compile_build",
    "compile_file",
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
    features = configured.build.features.values()
    constants = {name: c for feature in features for name, c in feature.constants.items()}
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
        [configured.rests_on, text, configured.build, _headers(configured)],
        lambda part: _compile(configured, text, lines, part),
        configured.origin,
    )
    note_entry(configured, "ir", folder, cache)
    texts = {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.ll"))}
    wrappers = frozenset((folder / "wrappers.txt").read_text(encoding="utf-8").split())
    assembly = {
        path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.dis"))
    }
    names = frozenset((folder / "names.txt").read_text(encoding="utf-8").split())
    return Compiled(configured, texts, wrappers, time.perf_counter() - start, assembly, names)


def _headers(configured: Configured) -> str:
    """Which headers there are: a new one may be found in the place of another.

    A patch's are not among them: `build_store` looks at these.
    """
    kernel = configured.build.kernel
    return header_names(configured.tree, ("include", f"arch/{kernel}/include", f"arch/{kernel}/mm"))


def _compile(configured: Configured, text: str, lines: dict[int, str], part: Path) -> set[Path]:
    kept = compile_wrappers(configured, text, lines, part)
    (part / "wrappers.txt").write_text("\n".join(sorted(kept.values())), encoding="utf-8")
    (part / "names.txt").write_text("\n".join(sorted(_names(configured, part))), encoding="utf-8")
    for source in filter(partial(_is_there, configured), configured.build.sources):
        path = configured.tree.path / source
        if path.suffix == ".S":
            assemble_file(
                configured, path, part / f"{source.replace('/', '_').removesuffix('.S')}.dis"
            )
        else:
            target = part / f"{source.replace('/', '_').removesuffix('.c')}.ll"
            # what is stubbed keeps its name
            compile_file(configured, path, target, ("-fno-inline",))
    return read_by_compiler(part)


def _is_there(configured: Configured, source: str) -> bool:
    """Has the tree this file, as a patch leaves it?"""
    if configured.overlay is not None and source in configured.overlay.digests:
        return configured.overlay.digests[source] != GONE
    return (configured.tree.path / source).is_file()


def compile_file(
    configured: Configured, source: Path, target: Path, extra: Sequence[str] = (),
    every_error: bool = False,
) -> None:
    """One file of the kernel's, or of ours, to intermediate representation.

    ExtractionError has the first error of the compiler's, or all it says.
    """
    command = [
        *configured.command,
        *ADDED,
        *named(configured),
        *extra,
        '-DKBUILD_MODFILE="x"',
        '-DKBUILD_BASENAME="x"',
        '-DKBUILD_MODNAME="x"',
        "-D__KBUILD_MODNAME=kmod_x",
    ]
    done = compiled(
        configured, [*command, *noted(target), "-o", str(target)], source, target.parent
    )
    if done.returncode:
        said = done.stderr if every_error else first_error(done.stderr)
        raise ExtractionError(f"{source} does not compile for {configured.build.name}: {said}")


def assemble_file(configured: Configured, source: Path, target: Path) -> None:
    """One of the kernel's files of assembly, assembled and disassembled again: macros and constants
    are gone.

    What a patch has edited is not assembled: an assembler reads files that are no part of the
    kernel (.incbin), and does not tell. ExtractionError then.
    """
    made = target.with_suffix(".o")
    # arm's makefile includes it
    unified = configured.tree.path / f"arch/{configured.build.kernel}/include/asm/unified.h"
    included = ("-include", str(unified)) if unified.is_file() else ()
    command = [*configured.command, *included, "-D__ASSEMBLY__", "-w"]
    if configured.overlay is not None:
        _check_unedited(configured, configured.overlay, command, source, target)
    words = [*command, *noted(target), "-c", str(source), "-o", str(made)]
    done = run_in(configured, words, target.parent)
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


def _check_unedited(
    configured: Configured, overlay: Overlay, command: Sequence[str], source: Path, target: Path
) -> None:
    """ExtractionError where a patch has edited what this file of assembly is made of."""
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        text = Path(folder) / "text.i"
        words = [*command, *noted(text), "-E", str(source), "-o", str(text)]
        run_in(configured, words, Path(folder), f"preprocessing {source}")
        read = read_by_compiler(Path(folder))
    for name in (overlay.name_of(str(path)) for path in read):
        if name in overlay.digests:
            raise ExtractionError(f"{name} is edited and assembled; patched assembly is not read")


def _names(configured: Configured, part: Path) -> set[str]:
    """Every identifier of the headers that wrappers include, as they are configured."""
    source = part / "headers.c"
    source.write_text(HEAD, encoding="utf-8")
    done = run_in(
        configured,
        [*configured.command, "-Wno-everything", *noted(source), "-E", "-dD", str(source)],
        part,
        f"reading the headers of {configured.build.name}",
    )
    # of a macro, its name
    text = re.sub(r"^#(?:define[ ]+(\w+))?.*$", r"\1", done.stdout, flags=re.M)
    return set(re.findall(r"[A-Za-z_]\w*", text))


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
            *named(configured),
            *_outlined(configured.build),
            '-DKBUILD_MODFILE="x"',
            '-DKBUILD_BASENAME="x"',
            '-DKBUILD_MODNAME="x"',
            "-D__KBUILD_MODNAME=kmod_x",
            "-o",
            str(target),
        ]
        done = compiled(configured, command, source, part)
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
