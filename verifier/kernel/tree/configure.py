# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel tree, configured: kbuild makes its headers, and says how it would compile a file.

Everything is made in the cache folder (`build_store`). The tree is read only, and only its own
build files run, in a jail.
"""

from __future__ import annotations

import json
import lzma
import os
import re
import shlex
import shutil
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from verifier.base.errors import ExtractionError
from verifier.kernel.tree.build import Build
from verifier.kernel.tree.build_store import (
    Origin,
    cache_folder,
    digest_of,
    entry,
    manifest_digest,
)
from verifier.kernel.tree.facts import programs_fact, tree_fact
from verifier.kernel.tree.jail import NONE, kind
from verifier.kernel.tree.lookalike import Lookalike, filtered, write_compiler
from verifier.kernel.tree.toolchain import Toolchain, first_error, run
from verifier.kernel.tree.tree import Tree, identify

__all__ = ["ADDED", "Configured", "Recipe", "configure"]

JOBS = 2
_MAKEFILES = ("Kbuild", "Makefile", "Build")
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


def configure(tree: Tree, build: Build, tools: Toolchain, cache: Path | None = None) -> Configured:
    """Configure a build of the tree, or find it in the cache. ExtractionError says what failed."""
    start = time.perf_counter()
    identity = identify(tree, build.kernel)
    recipe = Recipe(build.name, build.make, build.base, tuple(build.lines), build.lookalike)
    base = digest_of(Path(build.base)) if "/" in build.base else ""
    facts = [tree_fact(tree, build.kernel, identity), programs_fact(tools)]
    facts += [("file", build.base, base)] if base else []
    origin = Origin(
        tree.path, lambda: identify(tree, build.kernel) == identity, tuple(facts)
    )
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
