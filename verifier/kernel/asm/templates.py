# SPDX-License-Identifier: GPL-2.0-or-later
"""A piece of inline assembly: its template, its operands, and the statement that it matches.

A template matches in full or not at all; one that matches nothing makes the helper incomplete. A
statement that is `atomic` is one event for whoever else looks at memory; of any other, each access
is one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from verifier.kernel.llvm.context import Context
from verifier.kernel.llvm.ir import AsmText, Instr, Int, Struct
from verifier.kernel.llvm.values import Address, NotModelled, Value, ValueGroup
from verifier.kernel.llvm.ways import WayState

__all__ = ["Action", "Asm", "Model", "Statement", "operands", "position"]


@dataclass(frozen=True, slots=True)
class Operands:
    """What $n is: a part of the result, or an argument."""

    outputs: tuple[int, ...]  # operand -> index of the result's part, or -1
    arguments: tuple[int, ...]  # operand -> index of the argument, or -1
    constraints: tuple[str, ...]

    def result(self, number: int) -> int:
        """The index of the operand in the result. NotModelled where it is no part of it."""
        if self.outputs[number] < 0:
            raise NotModelled("assembly with its result in another place")
        return self.outputs[number]

    def argument(self, number: int) -> int:
        """The index of the operand among the arguments. NotModelled where it is none of them."""
        if self.arguments[number] < 0:
            raise NotModelled("assembly with its argument in another place")
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
    """One piece of assembly being run.

    match  the match of its template, whose groups are numbers of operands
    sizes  suffix of an instruction (group `size`) -> bytes of memory
    """

    lifter: Context
    match: re.Match[str]
    operands: Operands
    instr: Instr
    args: list[Value]
    state: WayState
    sizes: Mapping[str, int]

    def has(self, group: str) -> bool:
        """Has the pattern this group, and did the template have something for it?"""
        return group in self.match.re.groupindex and self.match[group] is not None

    def number(self, group: str) -> int:
        """The number of the operand that a group names."""
        return int(self.match[group])

    def arg(self, group: str) -> Value:
        """The argument that a named group of the template's pattern is the operand number of."""
        return self.args[self.operands.argument(self.number(group))]

    def given(self, group: str) -> Value:
        """The argument of this group; where the pattern has no such group, what `old` is tied to.
        """
        return self.arg(group) if self.has(group) else self.tied(self.number("old"))

    def address(self, group: str) -> Address:
        """The argument as an address."""
        return self.lifter.values.as_address(self.arg(group), self.lifter.pointer_width)

    def size(self, otherwise: int | None = None) -> int:
        """Bytes of memory that the instruction's suffix names; else what the operation says."""
        if self.has("size"):
            return self.sizes[self.match["size"]]
        if otherwise is None:
            raise NotModelled("assembly that does not say how many bytes it works on")
        return otherwise

    def tied(self, number: int) -> Value:
        """The input that shares a register with output `number`."""
        wanted = str(number)
        for index, constraint in enumerate(self.operands.constraints):
            if constraint == wanted:
                return self.args[self.operands.argument(index)]
        raise NotModelled("assembly that takes no input where one is needed")

    def _width(self, part: int) -> int:
        """The bits of a part of the result."""
        kind = self.instr.type
        kind = kind.fields[part] if isinstance(kind, Struct) else kind
        return kind.width if isinstance(kind, Int) else self.lifter.pointer_width

    def outputs(self) -> list[int]:
        """The numbers of the operands that are parts of the result."""
        return [n for n, o in enumerate(self.operands.outputs) if o >= 0]

    def results(self, parts: dict[int, Value]) -> Value | None:
        """The result, from its parts by operand number; None where assembly has none.

        Parts that are not given may be anything, so must be unused.
        """
        values = [
            parts[n] if n in parts else self.lifter.values.poison_word(self._width(at))
            for at, n in enumerate(self.outputs())
        ]
        return None if not values else values[0] if len(values) == 1 else ValueGroup(tuple(values))


Model: TypeAlias = "Callable[[Asm], Value | None]"
# What a call does: of a context, the call, its arguments and the state, which it may change.
Action: TypeAlias = Callable[[Context, Instr, list[Any], WayState], Value | None]


class Statement(NamedTuple):
    """A pattern for a whole template and what it gives and does.

    atomic  is it one event for whoever else looks at memory? The name of a group: where the
            template has something for that group, such as a prefix that locks the bus
    sizes   suffix of an instruction -> bytes
    """

    pattern: re.Pattern[str]
    model: Model
    atomic: bool | str = False
    sizes: Mapping[str, int] = {}

    def run(
        self,
        lifter: Context,
        match: re.Match[str],
        text: AsmText,
        instr: Instr,
        args: list[Value],
        state: WayState,
    ) -> Value | None:
        """What a template that matches gives and does."""
        one = match[self.atomic] is not None if isinstance(self.atomic, str) else self.atomic
        with lifter.one_event() if one else nullcontext():
            return self.model(
                Asm(lifter, match, operands(text.constraints), instr, args, state, self.sizes)
            )


def position(asm: Asm, *constraints: str) -> int | None:
    """The number of the first operand that has one of these constraints; None where none has."""
    for number, constraint in enumerate(asm.operands.constraints):
        if constraint in constraints:
            return number
    return None
