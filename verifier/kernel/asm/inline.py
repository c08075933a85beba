# SPDX-License-Identifier: GPL-2.0-or-later
"""A piece of inline assembly is run as its architecture's table says.

Where no statement of the table fits whole, the helper is incomplete. Code that is patched at boot
is a named truth: `static key NAME` on every architecture, and what `branches` of the table name,
such as `cpu feature N` on x86 and `alternative N` on arm64.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from verifier.kernel.asm.read_table import Branch, assembly_of
from verifier.kernel.asm.templates import Asm, Statement
from verifier.kernel.llvm.context import Context
from verifier.kernel.llvm.ir import AsmText, Instr
from verifier.kernel.llvm.objects import Object
from verifier.kernel.llvm.values import Address, LiftedWord, NotModelled, Value
from verifier.kernel.llvm.ways import WayState

__all__ = ["run_asm", "take_branch"]

SHOWN = 120  # characters of a template that an error shows


def _identity(asm: Asm) -> Value | None:
    """An empty template hides a value from the compiler and does not change it."""
    if any(c.startswith("=*") for c in asm.operands.constraints):
        raise NotModelled("an empty template that writes memory")
    return asm.results({n: asm.tied(n) for n in asm.outputs()})


_EMPTY = Statement(re.compile(""), _identity)


def _normal(template: str, comments: str) -> str:
    """One space between words, none at the ends, no comments."""
    return " ".join(re.sub(rf"{comments}[^\n]*", "", template).split())


def run_asm(
    l: Context, text: AsmText, instr: Instr, args: list[Value], state: WayState
) -> Value | None:
    """What a piece of assembly gives and does. NotModelled where no statement matches all of it."""
    table = assembly_of(l.program.arch)
    template = _normal(text.template, table.comments)
    for statement in (_EMPTY, *table.statements):
        match = statement.pattern.fullmatch(template)
        if match:
            for arg in args:
                l.certain(state, arg, "assembly is given poison")
            return statement.run(l, match, text, instr, args, state)
    called = [
        c
        for arg in args
        if isinstance(arg, Address)
        for c in arg.cases
        if isinstance(c.base, Object) and "call" in template
    ]
    if called:
        raise NotModelled(
            "calls an operation that is patched at boot:"
            f" {called[0].base.name}[{called[0].offset.number}]"
        )
    raise NotModelled(f"assembly: {template[:SHOWN]!r}")


def take_branch(l: Context, text: AsmText, args: list[Value], labels: int) -> list[Any]:
    """For falling through and for each label of an asm goto: the condition of going there; None for
    never.
    """
    table = assembly_of(l.program.arch)
    template = _normal(text.template, table.comments)
    if "__jump_table" in template and labels == 2:
        return _static_key(l, args)
    for branch in table.branches:
        match = branch.pattern.fullmatch(template)
        if match and len(branch.ways) == labels:
            truth = l.inputs.boolean(f"{branch.truth} {_asked(branch, match, args)}")
            conditions: Mapping[str, Any] = {
                "never": None,
                "with": truth,
                "without": l.alg.neg(truth),
            }
            return [conditions[way] for way in branch.ways]
    raise NotModelled(f"asm goto: {template[:SHOWN]!r}")


def _asked(branch: Branch, match: re.Match[str], args: list[Value]) -> int:
    """The number of the truth that is asked for.

    One of a `vendor` other than 0 is not known here.
    """
    groups = match.groupdict()

    def constant(group: str) -> int | None:
        argument = args[int(groups[group])]
        return argument.number if isinstance(argument, LiftedWord) else None

    if groups.get("vendor") is not None and constant("vendor") != 0:
        raise NotModelled(f"{branch.truth} of a vendor")
    number = int(groups["number"]) if groups.get("number") is not None else constant("operand")
    if number is None:
        raise NotModelled(f"{branch.truth} of no constant number")
    return number


def _static_key(l: Context, args: list[Value]) -> list[Any]:
    """A jump label: it jumps where the key is enabled, or, where `branch` is set, where it is not.
    """
    if len(args) > 1 and not isinstance(args[1], LiftedWord):
        known = l.alg.known(getattr(args[1], "term", None))
        if known is None:
            raise NotModelled("a static key with an unknown branch")
        args = [args[0], l.values.word(int(known), 8), *args[2:]]
    name, inverted = _key(args[:2])
    enabled = l.inputs.boolean(f"static key {name}")
    return [enabled, l.alg.neg(enabled)] if inverted else [l.alg.neg(enabled), enabled]


def _key(args: list[Value]) -> tuple[str, bool]:
    """The name of the static key of a jump label's operands, and whether the branch is inverted.

    The branch is an operand of its own, or the lowest bit of the key's address.
    """
    address, inverted = args[0], False
    if (
        not isinstance(address, Address)
        or len(address.cases) != 1
        or not isinstance(address.cases[0].base, Object)
    ):
        raise NotModelled("a static key that is no global")
    offset = address.cases[0].offset.number
    if len(args) > 1:
        branch = args[1]
        if not isinstance(branch, LiftedWord) or branch.number is None:
            raise NotModelled("a static key with an unknown branch")
        inverted = bool(branch.number)
    elif offset is not None:
        inverted = bool(offset & 1)
        offset &= ~1
    name = address.cases[0].base.name
    return (f"{name}+{offset}" if offset else name), inverted
