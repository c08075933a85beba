# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel tree, configured: kbuild makes its headers, and says how it would compile a file.

Everything is made in the cache folder (`build_store`). The tree is read only, and only its own
build files run, in a jail. A configuration is known by what kbuild reads. A header is no part of
that where it only gives numbers to headers that are generated (`offsets`): while these stay, an
edited header configures nothing anew.

A patch is compiled in the configuration of the tree itself: nothing that it edits is run.
"""

from __future__ import annotations

import json
import lzma
import os
import re
import shlex
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

from verifier.base.errors import ExtractionError
from verifier.kernel.tree.build import Build
from verifier.kernel.tree.build_store import (
    Origin,
    cache_folder,
    digest_of,
    entry,
    manifest_digest,
    reads_of,
)
from verifier.kernel.tree.compiler import Configured
from verifier.kernel.tree.facts import programs_fact, tree_fact
from verifier.kernel.tree.jail import check_for_patches, kind
from verifier.kernel.tree.lookalike import Lookalike, filtered, write_compiler
from verifier.kernel.tree.offsets import changed_offsets, offset_sources
from verifier.kernel.tree.overlay import Overlay
from verifier.kernel.tree.toolchain import Toolchain, first_error, run
from verifier.kernel.tree.tree import Tree, identify, identify_configuration, linked_trees

__all__ = ["Recipe", "configure", "configured_from", "patched"]

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


@dataclass(frozen=True, slots=True)
class Recipe:
    """What of a build is configured."""

    name: str
    make: str
    base: str
    lines: tuple[str, ...]
    lookalike: Lookalike | None


def configure(tree: Tree, build: Build, tools: Toolchain, cache: Path | None = None) -> Configured:
    """Configure a build of the tree, or find it in the cache. ExtractionError says what failed."""
    start = time.perf_counter()
    found = _configured(tree, build, tools, cache, {})
    if changed := changed_offsets(found, cache):
        found = _configured(tree, build, tools, cache, changed)
    return replace(found, seconds=time.perf_counter() - start)


def patched(configured: Configured, overlay: Overlay, cache: Path | None = None) -> Configured:
    """The same configuration, in which files read as a patch has them.

    ExtractionError where the patch changes what headers are generated, or its compiler reads what
    is no part of the kernel. UsageError where there is no jail for a stranger's code.
    """
    check_for_patches()
    own = overlay.reading(configured.folder, *linked_trees(configured.tree.path),
                          *_compilers_own(configured.command))
    found = replace(
        configured,
        overlay=own,
        origin=replace(configured.origin, overlay=own),
        command=(*configured.command, *own.flags(), "-fno-crash-diagnostics"),
    )
    if changed := changed_offsets(found, cache):
        some = sorted(changed.items())[:3]
        told = ", ".join(f"{name} {text or 'is gone'}" for name, text in some)
        raise ExtractionError(
            f"the patch changes what is generated for {configured.build.name}: {told}; for that the"
            " kernel has to be configured anew, with the patch applied"
        )
    return found


def _compilers_own(command: Sequence[str]) -> tuple[Path, ...]:
    """The folders of the compiler's own headers, where kbuild names them.

    >>> _compilers_own(["clang", "-isystem", "/usr/lib/clang/19/include", "-I./include"])
    (PosixPath('/usr/lib/clang/19/include'),)
    """
    return tuple(Path(folder) for flag, folder in pairwise(command)
                 if flag == "-isystem" and folder.startswith("/"))


def configured_from(configured: Configured) -> frozenset[str]:
    """The files of the tree that kbuild has read, as it says itself; makefiles and Kconfig among
    them.
    """
    return frozenset(reads_of(configured.folder.parent))


def _configured(
    tree: Tree, build: Build, tools: Toolchain, cache: Path | None, offsets: Mapping[str, str]
) -> Configured:
    """A build as it is configured while these offsets are what they are."""
    identity = identify_configuration(tree, build.kernel)
    base_name = _base(tree, build)
    recipe = Recipe(build.name, build.make, base_name, tuple(build.lines), build.lookalike)
    base = digest_of(Path(base_name)) if "/" in base_name else ""
    whole = tree_fact(tree, build.kernel, identify(tree, build.kernel))
    facts = [whole, programs_fact(tools)]
    facts += [("file", base_name, base)] if base else []
    origin = Origin(
        tree.path, lambda: identify_configuration(tree, build.kernel) == identity, tuple(facts)
    )
    folder = entry(
        cache or cache_folder(),
        f"{tree.version}-{build.name}",
        [identity, recipe, base, tools.rests_on(), sorted(offsets.items())],
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
        0.0,
        data["jail"],
        tuple((header, source) for header, source in data["offsets"]),
    )


def _base(tree: Tree, build: Build) -> str:
    """The configuration that a build begins with: of several names, the first that the tree has."""
    names = build.base.split()
    configs = tree.path / "arch" / build.kernel / "configs"
    return next((name for name in names if (configs / name).is_file()), names[0])


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
    read, offsets = _read_by_kbuild(out, tree.path)
    text = json.dumps(
        {"command": command, "refused": refused, "jail": kind(), "offsets": sorted(offsets)}
    )
    (part / "command.json").write_text(text, encoding="utf-8")
    for folder in ("tools", "scripts", "usr", "drivers", "kernel", "certs"):
        shutil.rmtree(out / folder, ignore_errors=True)
    for path in out.rglob("*.o"):
        path.unlink()
    (out / "source").unlink(missing_ok=True)  # a link to the tree
    return read


def _read_by_kbuild(out: Path, tree: Path) -> tuple[set[Path], set[tuple[str, str]]]:
    """The tree's files that kbuild has read, and headers with the sources that give their numbers.

    Files are makefiles of folders that it was in, and what these and its own notes name. What such
    a source includes is not among them: `offsets` knows. Nor is what modpost is made of, which is
    not kept, nor the vDSO, whose offsets no header reads that is compiled here (`compiler`).
    """
    makefiles: set[Path] = {tree / "mm/Makefile"}
    notes: set[Path] = set()
    offsets: set[tuple[str, str]] = set()
    for base, _, files in os.walk(out):
        makefiles |= {tree / os.path.relpath(base, out) / name for name in _MAKEFILES}
        if Path(base) == out / "scripts/mod" or "vdso" in Path(base).name:
            continue
        for note in (Path(base) / name for name in files if name.endswith((".cmd", ".d"))):
            found = offset_sources(note, out, tree)
            if found is None:
                notes.add(note)
            else:
                offsets.add(found)
    read = set(makefiles)
    for path in (*notes, *filter(Path.is_file, makefiles)):
        words = set(re.split(r"[\s:;()'\"]+", path.read_text(encoding="utf-8", errors="replace")))
        read |= {
            named
            for word in words
            if "/" in word or word.startswith("Kconfig")
            if (named := tree / word).is_file()
        }
    return read, offsets


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
