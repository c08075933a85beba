# SPDX-License-Identifier: GPL-2.0-or-later
"""Templates of inline assembly as data: operands, patterns of whole templates, and what common ones
give.

A template matches in full or not at all; what matches nothing makes the helper incomplete.
Barriers, cache and translation-buffer instructions do nothing to an entry's value and are noted. A
statement that is `atomic` is one event for whoever else looks at memory; of any other each access
is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from verifier.kernel.llvm.context import Context
from verifier.kernel.llvm.ir import Instr, Int
from verifier.kernel.llvm.values import Address, Group, Incomplete, Value, Word
from verifier.kernel.llvm.ways import State

__all__ = ["Asm", "Branch", "Model", "Statement", "nothing", "operands", "position", "symbol"]


@dataclass(frozen=True, slots=True)
class Operands:
    """What $n is: a part of the result, or an argument."""

    outputs: tuple[int, ...]  # operand -> index of the result's part, or -1
    arguments: tuple[int, ...]  # operand -> index of the argument, or -1
    constraints: tuple[str, ...]

    def result(self, number: int) -> int:
        if self.outputs[number] < 0:
            raise Incomplete("assembly with its result in another place")
        return self.outputs[number]

    def argument(self, number: int) -> int:
        if self.arguments[number] < 0:
            raise Incomplete("assembly with its argument in another place")
        return self.arguments[number]


def operands(text: str) -> Operands:
    """Number the operands of a constraint string as LLVM does.

    >>> operands("={@ccz},=*m,={ax},r,*m,2,~{memory}").arguments
    (-1, 0, -1, 1, 2, 3)
    """
    outputs, arguments, constraints = [], [], []
    results = given = 0
    for part in re.findall(r"(?:\{[^}]*\}|[^,{])+", text):
        if part.startswith("~"):
            continue
        constraints.append(part)
        if part.startswith("=") and "*" not in part:
            outputs.append(results)
            arguments.append(-1)
            results += 1
        elif part.startswith("!"):
            outputs.append(-1)
            arguments.append(-1)
        else:
            outputs.append(-1)
            arguments.append(given)
            given += 1
    return Operands(tuple(outputs), tuple(arguments), tuple(constraints))


@dataclass(slots=True)
class Asm:
    """One piece of assembly being run."""

    lifter: Context
    match: re.Match[str]
    operands: Operands
    instr: Instr
    args: list[Value]
    state: State

    def arg(self, group: str) -> Value:
        """The argument that a named group of the template's pattern is the operand number of."""
        return self.args[self.operands.argument(int(self.match[group]))]

    def address(self, group: str) -> Address:
        """The argument as an address."""
        return self.lifter.values.as_address(self.arg(group), self.lifter.pointer_width)

    def tied(self, number: int) -> Value:
        """The input that shares a register with output `number`."""
        wanted = str(number)
        for index, constraint in enumerate(self.operands.constraints):
            if constraint == wanted:
                return self.args[self.operands.argument(index)]
        raise Incomplete("assembly that takes no input where one is needed")

    def results(self, parts: dict[int, Value]) -> Value:
        """The result, from its parts by operand number.

        Parts that are not given may be anything, so must be unused.
        """
        outs = [n for n, o in enumerate(self.operands.outputs) if o >= 0]
        values = [parts[n] if n in parts else self.lifter.values.poison_word(64) for n in outs]
        return values[0] if len(values) == 1 else Group(tuple(values))


Model: TypeAlias = "Callable[[Asm], Value | None]"
Branch: TypeAlias = "Callable[[Context, str, list[Any], int], list[Any]]"


class Statement(NamedTuple):
    """A pattern for a whole template, what it gives and does, and whether it is one event for
    whoever else looks at memory.
    """

    pattern: str
    model: Model
    atomic: bool = False


def position(asm: Asm, *constraints: str) -> int | None:
    """The number of the first operand that has one of these constraints; None where none has."""
    for number, constraint in enumerate(asm.operands.constraints):
        if constraint in constraints:
            return number
    return None


def symbol(name: str, note: str) -> Model:
    """The result's first part is a free word of this name; the others are 0."""

    def model(asm: Asm) -> Value:
        l = asm.lifter
        l.note(note)
        outs = [n for n, o in enumerate(asm.operands.outputs) if o >= 0]
        from verifier.kernel.llvm.ir import Struct

        kinds = asm.instr.type.fields if isinstance(asm.instr.type, Struct) else (asm.instr.type,)
        parts: dict[int, Value] = {}
        for number, (out, kind) in enumerate(zip(outs, kinds, strict=True)):
            if not isinstance(kind, Int):
                raise Incomplete(f"{name} is no word")
            free = Word(kind.width, l.inputs.word(name, kind.width))
            parts[out] = free if number == 0 else l.values.word(0, kind.width)
        return asm.results(parts)

    return model


def nothing(note: str) -> Model:
    """It does nothing to an entry, has no result, and is noted."""
    def model(asm: Asm) -> None:
        if any(o >= 0 for o in asm.operands.outputs):
            raise Incomplete(f"{note} with a result")
        asm.lifter.note(note)

    return model
