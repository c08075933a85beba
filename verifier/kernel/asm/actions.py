# SPDX-License-Identifier: GPL-2.0-or-later
"""What stands in the place of a function that is not lifted, as the build's file says.

That is nothing (the way is left), a number, machine code, cleared bits of an entry, or what a
function of another name does.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from verifier.kernel.asm.arm import run_code
from verifier.kernel.asm.templates import Action
from verifier.kernel.asm.unlifted import KernelModels
from verifier.kernel.llvm.access import load_scalar, store_scalar
from verifier.kernel.llvm.context import Context, OutOfScope
from verifier.kernel.llvm.ir import Instr, Int, Pointer
from verifier.kernel.llvm.objects import Object
from verifier.kernel.llvm.values import NotModelled, Value
from verifier.kernel.llvm.ways import WayState

__all__ = ["assembly", "call_of", "clearing", "leave", "returning"]


def leave(why: str) -> Action:
    """Calling the function puts the way out of the claim's scope, for this reason.

    Raises OutOfScope.
    """
    def action(lifter: Context, instr: Instr, args: list[Any], state: WayState) -> Value | None:
        raise OutOfScope(why)

    return action


def assembly(function: str, why: str) -> Action:
    """The function is one that was assembled, and its instructions are run; `why` is noted."""
    def action(lifter: Context, instr: Instr, args: list[Any], state: WayState) -> Value | None:
        lifter.note(why)
        run_code(lifter, lifter.program.assembly[function], args, state)
        return None

    return action


def clearing(entries: Mapping[str, Object], bits: int, why: str, atomic: bool = False) -> Action:
    """A function that clears `bits` of each of the entries; `why` is noted.

    Each entry is read and written at its own width. `atomic`: in one step, as others see it.
    """

    def action(lifter: Context, instr: Instr, args: list[Any], state: WayState) -> Value | None:
        lifter.note(why)
        for obj in entries.values():
            size, place = obj.size or obj.align, lifter.pointer(obj)
            with lifter.one_event() if atomic else nullcontext():
                old = lifter.values.as_word(load_scalar(lifter, place, size, state))
                store_scalar(
                    lifter,
                    place,
                    size,
                    lifter.ops.binary("and", old, lifter.values.word(~bits, 8 * size), ()),
                    state,
                )
        # a result must not be used
        return lifter.values.poison_word(instr.type.width) if isinstance(instr.type, Int) else None

    return action


def call_of(name: str) -> Action:
    """What is called through a pointer, by a name that the models know."""

    def action(lifter: Context, instr: Instr, args: list[Any], state: WayState) -> Value | None:
        return KernelModels().call(lifter, name, instr, args, state)

    return action


def returning(number: int, why: str) -> Action:
    """A function that returns this number, or, where it returns a pointer, 0."""

    def action(lifter: Context, instr: Instr, args: list[Any], state: WayState) -> Value | None:
        if isinstance(instr.type, Pointer) and number == 0:
            lifter.note(why)
            return lifter.values.as_address(
                lifter.values.word(0, lifter.pointer_width), lifter.pointer_width
            )
        if not isinstance(instr.type, Int):
            raise NotModelled("a constant that is no word is returned")
        lifter.note(why)
        return (
            lifter.values.truth(bool(number))
            if instr.type.width == 1
            else lifter.values.word(number, instr.type.width)
        )

    return action
