# SPDX-License-Identifier: GPL-2.0-or-later
"""A piece of inline assembly is run by the models of its architecture.

None that fits whole: the helper is incomplete.

Code that is patched at boot is a named truth: `cpu feature N` on x86, `alternative N` on arm64,
`static key NAME` on both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from verifier.kernel.asm.arm64 import ARM64, alternative
from verifier.kernel.asm.templates import Asm, Branch, Statement, operands
from verifier.kernel.asm.x86 import UNLOCKED, X86
from verifier.kernel.llvm.context import Context
from verifier.kernel.llvm.ir import AsmText, Instr
from verifier.kernel.llvm.objects import Object
from verifier.kernel.llvm.values import Address, Incomplete, Value, Word
from verifier.kernel.llvm.ways import State

__all__ = ["run_asm", "take_branch"]


def _identity(asm: Asm) -> Value | None:
    """An empty template hides a value from the compiler and does not change it."""
    outs = [n for n, o in enumerate(asm.operands.outputs) if o >= 0]
    if any(c.startswith("=*") for c in asm.operands.constraints):
        raise Incomplete("an empty template that writes memory")
    return asm.results({n: asm.tied(n) for n in outs}) if outs else None


_COMMON = (
    Statement(r"", _identity),
)
_MODELS: Mapping[str, tuple[Statement, ...]] = {"x86": (*_COMMON, *X86, *UNLOCKED), "arm64": (*_COMMON, *ARM64)}


def _normal(template: str, arch: str) -> str:
    """One space between words, none at the ends, no comments."""
    return " ".join(re.sub(r"#[^\n]*" if arch == "x86" else r"//[^\n]*", "", template).split())


def run_asm(
    l: Context, text: AsmText, instr: Instr, args: list[Value], state: State, more: Mapping[str, tuple[Statement, ...]] = {},
) -> Value | None:
    """What a piece of assembly gives and does.

    Incomplete where no model matches all of it. `more`: architecture -> its own models.
    """
    template = _normal(text.template, l.program.arch)
    for statement in (*_MODELS.get(l.program.arch, _COMMON), *more.get(l.program.arch, ())):
        match = re.fullmatch(statement.pattern, template)
        if match:
            for arg in args:
                l.certain(state, arg, "assembly is given poison")
            with l.one_event() if statement.atomic else nullcontext():
                return statement.model(Asm(l, match, operands(text.constraints), instr, args, state))
    called = [
        c for arg in args if isinstance(arg, Address) for c in arg.cases if isinstance(c.base, Object) and "call" in template
    ]
    if called:
        raise Incomplete(f"calls an operation that is patched at boot: {called[0].base.name}[{called[0].offset.number}]")
    raise Incomplete(f"assembly: {template[:120]!r}")


def _key(args: list[Value], first: int) -> tuple[str, bool]:
    """The static key and branch of a jump label's operands: the key's name, and whether the branch
    is inverted.
    """
    address, inverted = args[first], False
    if not isinstance(address, Address) or len(address.cases) != 1 or not isinstance(address.cases[0].base, Object):
        raise Incomplete("a static key that is no global")
    offset = address.cases[0].offset.number
    if len(args) > first + 1:
        branch = args[first + 1]
        known = branch.number if isinstance(branch, Word) else None
        if known is None and hasattr(branch, "term"):
            known = {True: 1, False: 0}.get(bool(branch.term)) if isinstance(branch.term, bool) else None
        if known is None:
            raise Incomplete("a static key with an unknown branch")
        inverted = bool(known)
    elif offset is not None:
        inverted = bool(offset & 1)
        offset &= ~1
    name = address.cases[0].base.name
    return (f"{name}+{offset}" if offset else name), inverted


def take_branch(l: Context, text: AsmText, args: list[Value], labels: int, more: Mapping[str, Branch] = {}) -> list[Any]:
    """For the fall-through and each label of an asm goto: the condition of going there, None for
    never.

    `more`: architecture -> its own.
    """
    template = _normal(text.template, l.program.arch)
    if (
        l.program.arch == "x86"
        and ".altinstr_aux" in template
        and re.search(r"testb \$\d+, \$\{\d+:[aP]\} jnz \$\{\d+:l\} jmp \$\{\d+:l\}", template)
    ):
        feature = args[0]
        if not isinstance(feature, Word) or feature.number is None or labels != 3:
            raise Incomplete("a cpu feature that is no constant")
        has = l.inputs.boolean(f"cpu feature {feature.number}")
        return [None, has, l.alg.neg(has)]
    if "__jump_table" in template and labels == 2:
        return _static_key(l, args)
    if l.program.arch == "arm64" and labels == 2:
        return alternative(l, template, args)
    if l.program.arch in more:
        return more[l.program.arch](l, template, args, labels)
    raise Incomplete(f"asm goto: {template[:120]!r}")


def _static_key(l: Context, args: list[Value]) -> list[Any]:
    """A jump label: it jumps where the key is enabled, or, where `branch` is set, where it is not.
    """
    if len(args) > 1 and not isinstance(args[1], Word):
        known = l.alg.known(getattr(args[1], "term", None))
        if known is None:
            raise Incomplete("a static key with an unknown branch")
        args = [args[0], l.values.word(int(known), 8), *args[2:]]
    name, inverted = _key(args[:2], 0)
    enabled = l.inputs.boolean(f"static key {name}")
    return [enabled, l.alg.neg(enabled)] if inverted else [l.alg.neg(enabled), enabled]
