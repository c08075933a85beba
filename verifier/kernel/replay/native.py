# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's helpers as machine code of this computer: the same intermediate representation,
compiled and run.

What the code names and the build has not got is put in its place: functions that return 0, and
globals of zeros, except those that a variant's features and axioms set. A function that the build
takes to return a constant returns it. Everything runs in a process of its own. This needs a
computer of the build's architecture (x86-64), or qemu-user for it (arm64, powerpc with 64 bits and
little-endian).
"""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from verifier.base.errors import ExtractionError
from verifier.kernel.conform.helpers import LiftedBuild
from verifier.kernel.llvm.ir import Int, Void
from verifier.kernel.tree.build import BIG_ENDIAN, NativeMachine
from verifier.kernel.tree.build_store import cache_folder, entry
from verifier.kernel.tree.compile import Compiled
from verifier.kernel.tree.shapes import Parameter, Shape
from verifier.kernel.tree.toolchain import (
    Bounds,
    clean_environment,
    find_toolchain,
    jailed,
    run,
    stamp,
)

__all__ = ["Native", "MachineOutcome", "native_code"]

_FLAGS = ("-O2", "-fPIC", "-Wno-everything", "-Wno-override-module")
_ROOM = 1 << 16  # bytes of a global that the build has not got


_JUMP = re.compile(
    r'nop # arch_static_branch(.*?)"i,!i"\(ptr (?:nonnull )?(?:getelementptr inbounds \(i8, ptr'
    r" @(\w+), i64 (\d+)\)|@(\w+))\)"
)


@dataclass(frozen=True, slots=True)
class MachineOutcome:
    """What the machine gave: the result (None: nothing is returned), and entries by the wrapper's
    parameter.
    """

    result: int | None
    entries: Mapping[str, int]


def native_code(
    compiled: Compiled,
    library: LiftedBuild,
    cache: Path | None = None,
    emulate: bool = False,
    features: Mapping[str, bool] = {},
    bounds: Bounds | None = None,
) -> Path:
    """The folder with the shared library and its runner.

    ExtractionError where this computer is of another kind.

    emulate   run another kind's code by qemu-user, where that and a compiler for the runner are
              installed
    features  static keys of powerpc, whose branches are patched as they say
    bounds    what the compiler may take, where it reads a stranger's code
    """
    build = compiled.configured.build
    kind = build.native
    here = kind is not None and kind.machine == platform.machine()
    lacking = (
        [p for p in (kind.compiler, *kind.emulator[:1]) if not p or shutil.which(p) is None]
        if kind
        else []
    )
    if kind is None or (not here and (not emulate or lacking)):
        raise ExtractionError(
            f"{build.kernel} code does not run on this computer ({platform.machine()})"
            + (f"; {', '.join(lacking)} is missing" if emulate and kind and any(lacking) else "")
        )
    runner = Path(__file__).with_name("native_runner.c")
    returned = library.facts.returned()
    keys = any(feature.keys for feature in build.features.values())
    sources = {
        name: _returning(_patched(text, features) if keys else text, returned)
        for name, text in compiled.texts.items()
    }
    tools = find_toolchain()
    rests_on = [
        compiled.configured.rests_on,
        sources,
        runner.read_text(encoding="utf-8"),
        kind,
        here,
        tools.rests_on(),
        stamp(kind.compiler),
    ]
    return entry(
        cache or cache_folder(),
        f"{compiled.configured.key}-native",
        rests_on,
        lambda part: _build(sources, library, runner, kind, here, part, bounds),
    )


def _patched(text: str, features: Mapping[str, bool]) -> str:
    """The branches of static keys as the kernel patches them: a key that is not named is off."""

    def jump(match: re.Match[str]) -> str:
        offset = int(match[3] or 0)
        name = match[2] or match[4]
        key = f"static key @{name}+{offset & ~1}" if offset & ~1 else f"static key @{name}"
        taken = features.get(key, False) != bool(offset & 1)
        return match[0].replace("nop #", "b ${1:l} #", 1) if taken else match[0]

    return _JUMP.sub(jump, text)


def _returning(text: str, returned: Mapping[str, int]) -> str:
    """Functions that return their constants, whether the text has them or only declares them."""
    for name, number in returned.items():

        def constant(match: re.Match[str], number: int = number) -> str:
            weak = " weak" if match["kind"] == "declare" else ""
            return (
                f"define{weak}{match['head']} {{\n  ret i{match['width']}"
                f" {number & (1 << int(match['width'])) - 1}\n}}"
            )

        # where a function is only declared, its debug information stands before its type: a
        # definition has none there
        start, head, body = (
            r"^(?P<kind>define|declare)(?: !dbg !\d+)?",
            rf"(?P<head> [^\n]*?\bi(?P<width>\d+) @{name}\([^\n]*?)",
            r"(?: \{\n[\s\S]*?^\})?$",
        )
        text = re.sub(start + head + body, constant, text, flags=re.M)
    return text


def _build(
    sources: Mapping[str, str],
    library: LiftedBuild,
    runner: Path,
    kind: NativeMachine,
    here: bool,
    part: Path,
    bounds: Bounds | None,
) -> None:
    """Compile the helpers, link them with what they lack, and compile the program that calls them.
    """
    tools = find_toolchain()
    objects = [_compiled(name, text, tools.clang, kind, part, bounds)
               for name, text in sources.items()]
    run(
        [f"ld.lld{tools.suffix}", "-r", "-o", str(part / "all.o"), *objects],
        part,
        "linking the helpers",
        bounds=bounds,
    )
    missing = _missing(part, tools.suffix, library, kind, bounds)
    (part / "missing.s").write_text(missing, encoding="utf-8")
    shared = ("-shared", "-nostdlib", "-Wl,-Bsymbolic", "-Wl,-z,notext")
    linked = (str(part / "all.o"), str(part / "missing.s"))
    run(
        [tools.clang, *kind.flags[:1], f"--ld-path=ld.lld{tools.suffix}", *shared,
         "-o", str(part / "helpers.so"), *linked],
        part,
        "linking the helpers",
        bounds=bounds,
    )
    compiler = tools.clang if here else kind.compiler
    run(
        [compiler, "-O1", "-o", str(part / "runner"), str(runner), "-ldl"],
        part,
        "compiling the runner",
        bounds=bounds,
    )
    (part / "emulator").write_text("" if here else "\n".join(kind.emulator), encoding="utf-8")
    for path in part.iterdir():
        if path.suffix in (".o", ".ll", ".s"):
            path.unlink()


def _compiled(name: str, text: str, clang: str, kind: NativeMachine, part: Path,
              bounds: Bounds | None) -> str:
    """The object file of a module whose globals all may be set from outside."""
    for inside in ("internal global", "internal unnamed_addr global"):
        text = text.replace(inside, "global")
    source, target = part / f"{name}.ll", part / f"{name}.o"
    source.write_text(text, encoding="utf-8")
    run(
        [clang, "-x", "ir", *_FLAGS, *kind.flags, "-c", "-o", str(target), str(source)],
        part,
        f"compiling {name} for this computer",
        bounds=bounds,
    )
    return str(target)


def _missing(part: Path, suffix: str, library: LiftedBuild, kind: NativeMachine,
             bounds: Bounds | None) -> str:
    """Assembly for what is not defined: functions that return 0, and zeros."""
    listed = run(
        [f"llvm-nm{suffix}", "-u", "-P", str(part / "all.o")], part, "reading the helpers' symbols",
        bounds=bounds,
    ).stdout
    data = {name for module in library.program.modules for name in module.globals}
    lines = [".text"]
    for line in listed.splitlines():
        name = line.split()[0]
        if name == ".TOC.":
            continue
        if name in data:
            lines.append(f'.bss\n.globl "{name}"\n.balign 4096\n"{name}": .zero {_ROOM}\n.text')
        elif name == "__x86_return_thunk":
            lines.append(f'.globl "{name}"\n"{name}": ret')
        else:
            lines.append(f'.globl "{name}"\n"{name}": {kind.zero}')
    return "\n".join([*lines, '.section .note.GNU-stack,"",%progbits', ""])


class Native:
    """A process that runs helpers under one variant's features. Use it in a `with`.

    >>> with Native(folder, library, {"cpu feature 519": True}) as native:   # doctest: +SKIP
    ...     native.call(shape, {"a0": 0x8400000012345825})
    """

    def __init__(
        self, folder: Path, library: LiftedBuild, features: Mapping[str, bool],
        narrow: bool = False,
    ) -> None:
        """`narrow`: the code is a stranger's, and sees nothing but itself."""
        self.library = library
        emulator = (folder / "emulator").read_text(encoding="utf-8").split("\n")
        command = [*filter(None, emulator), str(folder / "runner"), str(folder / "helpers.so")]
        self._process = subprocess.Popen(
            jailed(command, None, [folder], narrow)[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=clean_environment(),
        )
        self._widths: dict[str, int | None] = {}
        for symbol, offset, byte in self._settings(features):
            self._ask(f"poke {symbol} {offset:x} {byte:x}")

    def _settings(self, features: Mapping[str, bool]) -> Iterable[tuple[str, int, int]]:
        for axiom in self.library.build.axioms:
            match = re.fullmatch(r"@(\w+)\[(\d+)\]", axiom.word)
            if match:
                for byte in range(axiom.bits // 8):
                    yield match[1], int(match[2]) + byte, axiom.value >> 8 * byte & 255
        bytes_: dict[int, int] = {}
        for module in self.library.program.modules:
            for body in module.texts.values():
                for line in body:
                    for number, mask, offset in re.findall(
                        r"\(i16 (\d+), i32 (\d+), ptr [^)]*@boot_cpu_data, i64 (\d+)\)", line
                    ):
                        if features.get(f"cpu feature {number}"):
                            bytes_[int(offset)] = bytes_.get(int(offset), 0) | int(mask)
        for at, value in bytes_.items():
            yield "boot_cpu_data", at, value
        for name, value_ in features.items():
            if name.startswith("@") and "[" not in name:
                yield name[1:], 0, int(value_)

    def _ask(self, line: str) -> str:
        process = self._process
        if process.stdin is None or process.stdout is None or process.poll() is not None:
            raise ExtractionError(
                "the helpers cannot be run:"
                f" {process.stderr.read().strip() if process.stderr else ''}"
            )
        try:
            process.stdin.write(line + "\n")
            process.stdin.flush()
            answer = process.stdout.readline().strip()
        except OSError as error:
            raise ExtractionError(f"the helpers cannot be run: {error.strerror}") from None
        if not answer:
            raise ExtractionError("the process that runs the helpers has ended")
        return answer

    def call(self, shape: Shape, args: Mapping[str, int]) -> MachineOutcome | None:
        """A helper on these arguments, entries by value; what is not given is 0.

        None where it trapped.
        """
        words, names = [], []
        function = self.library.main.function(shape.wrapper)
        if function is None:
            raise ExtractionError(f"no wrapper {shape.wrapper}")
        for parameter, param in zip(shape.parameters(), function.params, strict=True):
            value = int(args.get(parameter.name, 0))
            if parameter.role == "entry":
                names.append(parameter.name)
                words.append(f"e={self._stored(value, parameter):x}")
            else:
                words.append(f"w={value:x}" if isinstance(param.type, Int) else "f=0")
        answer = self._ask(" ".join(["call", shape.wrapper, *words]))
        if answer in ("trap", "missing"):
            return None
        result, *entries = (int(w, 16) for w in answer.split())
        kind = function.returns
        kept = (
            None
            if isinstance(kind, Void)
            else result & ((1 << kind.width) - 1) if isinstance(kind, Int) else result
        )
        places = {p.name: p for p in shape.parameters() if p.role == "entry"}
        return MachineOutcome(
            kept,
            {
                n: self._stored(e & ((1 << 8 * self.library.entry_bytes(places[n])) - 1), places[n])
                for n, e in zip(names, entries, strict=True)
            },
        )

    def _stored(self, value: int, parameter: Parameter) -> int:
        """An entry as memory has it, and back."""
        if BIG_ENDIAN not in self.library.build.entries:
            return value
        return int.from_bytes(value.to_bytes(self.library.entry_bytes(parameter), "little"), "big")

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def __enter__(self) -> Native:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
