# SPDX-License-Identifier: GPL-2.0-or-later
"""From a kernel tree to LLVM's intermediate representation: configure once, then compile wrappers
and sources.

Everything is made in the cache folder (`store`); the tree is read only, and only its own build
files run, in a jail.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from verifier.base.errors import ExtractionError
from verifier.kernel.tree import lookalike
from verifier.kernel.tree.build import Build, constant_name, operation_name
from verifier.kernel.tree.build_store import Origin, cache_folder, entry, manifest_digest
from verifier.kernel.tree.jail import NONE, kind
from verifier.kernel.tree.lookalike import Lookalike, filtered, write_compiler
from verifier.kernel.tree.shapes import HEAD, Shape, wrapper_file
from verifier.kernel.tree.toolchain import Toolchain, first_error, run
from verifier.kernel.tree.tree import Tree, identify

__all__ = [
    "Compiled",
    "Configured",
    "compile_build",
    "compile_file",
    "configure",
    "read_by_compiler",
    "run_in",
]

JOBS = 2
_MAKEFILES = ("Kbuild", "Makefile", "Build")
ROUNDS = 12  # of leaving out wrappers that do not compile

_PLACE = "@TREE@"  # stands for the tree's path in what is cached
_DROPPED = (
    "-W",
    "-g",
    "-fstack-protector",
    "-mstack-protector",
    "-fsanitize",
    "-ftrivial-auto-var-init",
    "-pg",
    "-fprofile",
    "-D__KBUILD",
    "-DKBUILD",
    "-fmacro-prefix-map",
    "-fpatchable-function-entry",
)
_ADDED = (
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
class Recipe:
    """What of a build is configured."""

    name: str
    make: str
    base: str
    lines: tuple[str, ...]
    lookalike: Lookalike | None


@dataclass(frozen=True, slots=True)
class Configured:
    """A configured build in the cache: where, and how a file is compiled in it.

    key       begins the names of what is made in it
    rests_on  what all that depends on, as data
    origin    the tree, for who keeps what is made of it
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


def configure(tree: Tree, build: Build, tools: Toolchain, cache: Path | None = None) -> Configured:
    """Configure a build of the tree, or find it in the cache. ExtractionError says what failed."""
    start = time.perf_counter()
    identity = identify(tree, build.kernel)
    origin = Origin(tree.path, lambda: identify(tree, build.kernel) == identity)
    recipe = Recipe(build.name, build.make, build.base, tuple(build.lines), build.lookalike)
    base = hashlib.sha256(_read_config(Path(build.base))).hexdigest() if "/" in build.base else ""
    folder = entry(
        cache or cache_folder(),
        f"{tree.version}-{build.name}",
        [identity, recipe, base, tools.rests_on()],
        lambda part: _configure(tree, recipe, tools, part),
        origin,
    )
    data = json.loads((folder / "command.json").read_text(encoding="utf-8"))
    command = tuple(word.replace(_PLACE, str(tree.path)) for word in data["command"])
    return Configured(
        tree,
        build,
        folder / "o",
        folder.name,
        (folder.name, manifest_digest(folder)),
        origin,
        command,
        tuple(data["refused"]),
        time.perf_counter() - start,
        data["jail"],
    )


def _configure(tree: Tree, build: Recipe, tools: Toolchain, part: Path) -> set[Path]:
    out = part / "o"
    out.mkdir()
    make = [
        "make",
        "-s",
        "-C",
        str(tree.path),
        f"ARCH={build.make}",
        f"O={out}",
        *_tools(build, tools, part),
    ]
    kbuild = partial(run, tree=tree.path, writes=out)
    what = f"configuring {build.name} of {tree.path}"
    if "/" in build.base:
        (out / ".config").write_bytes(_read_config(Path(build.base)))
        kbuild([*make, "olddefconfig"], part, what)
    else:
        kbuild([*make, build.base], part, what)
    with (out / ".config").open("a", encoding="utf-8") as config:
        config.write("\n".join(["", *build.lines, ""]))
    kbuild([*make, "olddefconfig"], part, what)
    if build.lookalike is None:
        kbuild([*make, f"-j{JOBS}", "prepare"], part, f"preparing {build.name} of {tree.path}")
    else:
        # what needs a real assembler fails, and no header needs that
        done = kbuild([*make, f"-j{JOBS}", "-k", "prepare"], part)
        if not all(
            (out / "include/generated" / name).is_file() for name in ("asm-offsets.h", "bounds.h")
        ):
            raise ExtractionError(
                f"preparing {build.name} of {tree.path}: {first_error(done.stderr)}"
            )
    taken = set((out / ".config").read_text(encoding="utf-8").splitlines())
    refused = [
        line
        for line in build.lines
        if line not in taken and not (line.startswith("#") and not _stands(taken, line))
    ]
    done = kbuild([*make, "-n", "V=1", "mm/debug_vm_pgtable.ll"], part)
    words = _compiler_line(done.stdout, tree)
    if build.lookalike is not None:
        words = [tools.clang, *build.lookalike.flags(), *filtered(words[1:])]
    command = [word.replace(str(tree.path), _PLACE) for word in words]
    text = json.dumps({"command": command, "refused": refused, "jail": kind()})
    (part / "command.json").write_text(text, encoding="utf-8")
    read = _read_by_kbuild(out, tree.path)
    for folder in ("tools", "scripts", "usr", "drivers", "kernel", "certs"):
        shutil.rmtree(out / folder, ignore_errors=True)
    for path in out.rglob("*.o"):
        path.unlink()
    (out / "source").unlink(missing_ok=True)  # a link to the tree
    return read


def _read_by_kbuild(out: Path, tree: Path) -> set[Path]:
    """The tree's files that kbuild has read.

    These are makefiles of folders that it was in, and what these and its own notes name.
    """
    makefiles: set[Path] = set()
    notes: set[Path] = set()
    for base, _, files in os.walk(out):
        makefiles |= {tree / os.path.relpath(base, out) / name for name in _MAKEFILES}
        notes |= {Path(base) / name for name in files if name.endswith((".cmd", ".d"))}
    found = set(makefiles)
    for path in (*notes, *filter(Path.is_file, makefiles)):
        words = set(re.split(r"[\s:;()'\"]+", path.read_text(encoding="utf-8", errors="replace")))
        found |= {
            named
            for word in words
            if "/" in word or word.startswith("Kconfig")
            if (named := tree / word).is_file()
        }
    return found


def _tools(build: Recipe, tools: Toolchain, part: Path) -> list[str]:
    """What make is told of the compiler and its friends."""
    if build.lookalike is None:
        return [f"LLVM={tools.llvm}"]
    compiler = part / "clang-lookalike"
    write_compiler(compiler, tools.clang, build.lookalike)
    named = {
        "LD": "ld.lld",
        "AR": "llvm-ar",
        "NM": "llvm-nm",
        "OBJCOPY": "llvm-objcopy",
        "OBJDUMP": "llvm-objdump",
        "READELF": "llvm-readelf",
        "STRIP": "llvm-strip",
        "HOSTCC": "clang",
    }
    return [
        f"CC={compiler}",
        *(f"{key}={name}{tools.suffix}" for key, name in named.items()),
        "CROSS_COMPILE=",
        "CLANG_TARGET_FLAGS=none",
    ]


def _stands(taken: set[str], line: str) -> bool:
    """Is an option that should be off on?"""
    name = line.split()[1]
    return any(other.startswith(f"{name}=") for other in taken)


def _read_config(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ExtractionError(
            f"{path}: {error.strerror}; on Debian: apt install linux-config-6.12"
        ) from None
    return lzma.decompress(data) if path.suffix == ".xz" else data


def _compiler_line(text: str, tree: Tree) -> list[str]:
    """How kbuild would compile a file to intermediate representation, without what does not change
    its meaning.
    """
    for found in re.finditer(
        r"(?:^|[;\n])[ \t]*(\S*clang\S* [^\n]*? -emit-llvm [^\n]*?) -o \S+\.ll", text
    ):
        if "'\\''" in found[1]:
            continue
        words = shlex.split(found[1])
        kept = [w for w in words[1:] if not w.startswith(_DROPPED)]
        kept = [w for w in kept if w not in ("-S", "-emit-llvm", "-fno-discard-value-names")]
        return [words[0], *kept]
    raise ExtractionError(f"{tree.path}: kbuild does not say how it compiles a file")


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
        *_ADDED,
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
            *_ADDED,
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
