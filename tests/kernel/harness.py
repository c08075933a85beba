# SPDX-License-Identifier: GPL-2.0-or-later
"""Snippets of C, lifted and run: the same functions as intermediate representation of several
targets, and natively.
"""

from __future__ import annotations

import ctypes
import random
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from verifier.kernel.asm.unlifted import KernelModels
from verifier.kernel.llvm.context import LinkedModules
from verifier.kernel.llvm.ir import Int, IrFunction, Pointer
from verifier.kernel.llvm.lift import Lifter
from verifier.kernel.llvm.objects import Object
from verifier.kernel.llvm.read_module import Module, parse_module
from verifier.kernel.llvm.values import Address, LiftedWord, Truth, Value
from verifier.language.algebra import Integers

SNIPPETS = Path(__file__).with_name("snippets")
CLANG = next((c for c in ("clang-19", "clang") if shutil.which(c)), None)
needs_clang = pytest.mark.skipif(
    CLANG is None, reason="needs clang; on Debian: apt install clang-19"
)
WORDS = 4  # behind each pointer
CORNERS = (
    0,
    1,
    2,
    3,
    0x41,
    0x42,
    0x80,
    0xFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    1 << 58,
    (1 << 63) - 1,
    1 << 63,
    (1 << 64) - 1,
)
_C_TYPES = {
    1: ctypes.c_bool,
    8: ctypes.c_uint8,
    16: ctypes.c_uint16,
    32: ctypes.c_uint32,
    64: ctypes.c_uint64,
}


@dataclass(frozen=True)
class Outcome:
    """What a call returned and left behind its pointers."""

    result: int | None
    memory: tuple[tuple[int, ...], ...]


class NoInputs:
    """Snippets have no free words."""

    def word(self, name: str, width: int) -> Any:
        raise AssertionError(f"free word {name}")

    def boolean(self, name: str) -> Any:
        raise AssertionError(f"free truth {name}")


def to_ir(source: Path, folder: Path, target: str, *flags: str) -> Module:
    """A file as a module for a target."""
    output = folder / f"{source.stem}-{target}-{abs(hash(flags))}.ll"
    command = [
        str(CLANG),
        f"--target={target}",
        "-O0" if "-O0" in flags else "-O2",
        "-ffreestanding",
        "-fno-vectorize",
        "-fno-slp-vectorize",
        "-fno-discard-value-names",
        "-fno-unroll-loops",
        *(["-mno-sse"] if "86" in target else []),
        *[f for f in flags if f != "-O0"],
        "-S",
        "-emit-llvm",
        "-o",
        str(output),
        str(source),
    ]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return parse_module(output.read_text(), source.stem)


def to_library(source: Path, folder: Path) -> ctypes.CDLL:
    """A file as code of this machine, by another optimisation level."""
    output = folder / f"{source.stem}.so"
    subprocess.run(
        [str(CLANG), "-O0", "-fwrapv", "-shared", "-fPIC", "-o", str(output), str(source)],
        check=True,
        capture_output=True,
    )
    return ctypes.CDLL(str(output))


def exported(source: Path) -> list[str]:
    """The functions of a snippet file that are not static."""
    return re.findall(
        r"^(?!static|struct|union|typedef)\w[\w ]*?\b(\w+)\(.*\{", source.read_text(), re.M
    )


def arguments(function: IrFunction, seed: int, count: int) -> list[tuple[Any, ...]]:
    """Corner values and random ones: a number for a word, a tuple of words for a pointer."""
    rng = random.Random(seed)

    def number(width: int) -> int:
        value = (
            rng.choice(CORNERS)
            if rng.random() < 0.5
            else rng.getrandbits(64) >> rng.choice((0, 0, 8, 32, 52))
        )
        return value & ((1 << width) - 1)

    def one(kind: Any) -> Any:
        return (
            number(kind.width) if isinstance(kind, Int) else tuple(number(64) for _ in range(WORDS))
        )

    return [tuple(one(p.type) for p in function.params) for _ in range(count)]


def run_native(library: ctypes.CDLL, function: IrFunction, args: tuple[Any, ...]) -> Outcome:
    call = getattr(library, function.name)
    call.restype = _C_TYPES[function.returns.width] if isinstance(function.returns, Int) else None
    given, buffers = [], []
    for param, arg in zip(function.params, args, strict=True):
        if isinstance(param.type, Int):
            given.append(_C_TYPES[param.type.width](arg))
        else:
            buffers.append((ctypes.c_uint64 * WORDS)(*arg))
            given.append(buffers[-1])
    result = call(*given)
    return Outcome(None if result is None else int(result), tuple(tuple(b) for b in buffers))


def lift(
    module: Module, name: str, args: list[Any], alg: Any, word: Any
) -> tuple[Value | None, list[list[Any]], Lifter]:
    """A snippet over an algebra. `word` makes a term of an argument: (argument, width) -> term."""
    arch = "x86" if module.layout.pointer_bytes == 8 and not module.layout.big_endian else "none"
    lifter = Lifter(alg, LinkedModules((module,), arch), NoInputs(), KernelModels())
    function = module.function(name)
    assert function is not None
    values: list[Value] = []
    objects = []
    for param, arg in zip(function.params, args, strict=True):
        if isinstance(param.type, Pointer):
            obj = Object(
                param.name,
                8 * WORDS,
                16,
                partial(_unit, alg, word, arg),
            )
            objects.append(obj)
            values.append(lifter.pointer(obj))
        elif param.type == Int(1):
            values.append(Truth(word(arg, 0)))
        else:
            assert isinstance(param.type, Int)
            values.append(_word(alg, word(arg, param.type.width), param.type.width))
    result, state = lifter.call(name, values)
    memory = []
    for obj in objects:
        contents = state.memory.get(obj, {})
        row = [lifter.memory.read(contents, obj, 8 * n, 8) for n in range(WORDS)]
        assert all(
            (isinstance(w, LiftedWord) and w.poison is None) or not isinstance(w, Address)
            for w in row
        )
        memory.append([w.term for w in row if isinstance(w, LiftedWord)])
    return result, memory, lifter


def _word(alg: Any, term: Any, width: int) -> LiftedWord:
    return LiftedWord(width, term, term if isinstance(alg, Integers) else None)


def _unit(alg: Any, word: Any, words: Any, unit: int) -> LiftedWord:
    """What is at a place, in bytes, of memory that holds these words of 8 bytes."""
    return _word(alg, word(words[unit // 8], 64), 64)


def run_lifted(module: Module, name: str, args: tuple[Any, ...]) -> Outcome:
    """A snippet with plain integers. Undefined behaviour fails the test: no snippet has any."""
    result, memory, lifter = lift(
        module, name, list(args), Integers(), lambda a, width: bool(a) if width == 0 else a
    )
    assert not [u for u in lifter.undefined if u.condition], lifter.undefined
    value = None
    if isinstance(result, (LiftedWord, Truth)):
        assert not result.poison
        value = int(result.term)
    return Outcome(value, tuple(tuple(row) for row in memory))
