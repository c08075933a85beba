# SPDX-License-Identifier: GPL-2.0-or-later
"""What a helper calls that is not lifted: assembly, functions that do nothing to entries, and
others that must be named.

Which functions do nothing is data (`harmless` of archs/*.yaml). It is short on purpose: a function
is there only where it cannot change an entry, a vma's flags or a folio.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from verifier.kernel.asm.inline import run_asm, take_branch
from verifier.kernel.asm.read_table import assembly_of
from verifier.kernel.asm.templates import Action
from verifier.kernel.llvm.context import Context
from verifier.kernel.llvm.intrinsics import intrinsic
from verifier.kernel.llvm.ir import AsmText, Instr, Int, Void
from verifier.kernel.llvm.values import LiftedWord, NotModelled, Truth, Value
from verifier.kernel.llvm.ways import WayState

__all__ = ["KernelModels", "calls_of", "harmless"]


def calls_of(kernel: str) -> Mapping[str, Action]:
    """Functions of a folder of the kernel's arch/ that are not lifted -> what they do."""
    return assembly_of(kernel).calls


def harmless(kernel: str, name: str, more: Mapping[str, str] = {}) -> str | None:
    """Why a function leaves entries alone; None where it is not known to. `more`: further globs."""
    known = chain(assembly_of(kernel).harmless.items(), more.items())
    return next((why for glob, why in known if fnmatch.fnmatchcase(name, glob)), None)


@dataclass(slots=True)
class KernelModels:
    """What a lifter is told of what is not in the intermediate representation.

    actions  function -> what it does, in the place of its own body too
    more     further functions (globs) that leave entries alone -> why
    """

    actions: Mapping[str, Action] = field(default_factory=dict)
    more: Mapping[str, str] = field(default_factory=dict)

    def asm(
        self, lifter: Context, text: AsmText, instr: Instr, args: list[Value], state: WayState
    ) -> Value | None:
        """What a piece of assembly gives and does."""
        return run_asm(lifter, text, instr, args, state)

    def branch(self, lifter: Context, text: AsmText, args: list[Value], labels: int) -> list[Any]:
        """When an asm goto falls through, and when it goes to each label."""
        return take_branch(lifter, text, args, labels)

    def known(self, lifter: Context, name: str) -> bool:
        """Is it said what a function does, so that its body is not looked at?"""
        return (
            name in self.actions or name.startswith("llvm.") or self._why(lifter, name) is not None
        )

    def _why(self, lifter: Context, name: str) -> str | None:
        return harmless(lifter.program.arch, name, self.more)

    def call(
        self, lifter: Context, name: str, instr: Instr, args: list[Any], state: WayState
    ) -> Value | None:
        """What a call of a function gives, that has no body here."""
        if name in self.actions:
            return self.actions[name](lifter, instr, args, state)
        if name.startswith("llvm."):
            return intrinsic(lifter, name, instr, args, state)
        why = self._why(lifter, name)
        if why is None:
            raise NotModelled(f"calls {name}, which is neither here nor modelled")
        lifter.note(f"{name} {why}")
        return _unused(lifter, instr)


def _unused(lifter: Context, instr: Instr) -> Value | None:
    """A result that must not be used: poison."""
    match instr.type:
        case Void():
            return None
        case Int(1):
            return Truth(lifter.values.no, lifter.values.yes)
        case Int(width):
            found: LiftedWord = lifter.values.poison_word(width)
            return found
    raise NotModelled("a harmless function that returns an address")
