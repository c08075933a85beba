# SPDX-License-Identifier: GPL-2.0-or-later
"""The instructions that end a block: where its ways go on, and under which decisions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from verifier.kernel.llvm.constants import constant, value_of
from verifier.kernel.llvm.context import CallFrame, Context
from verifier.kernel.llvm.ir import AsmText, Instr
from verifier.kernel.llvm.values import LiftedWord, NotModelled, Truth
from verifier.kernel.llvm.ways import WayState

__all__ = ["ENDS"]


def _br(l: Context, frame: CallFrame, label: str, instr: Instr, state: WayState) -> None:
    if not instr.operands:
        l.go(frame, label, instr.labels[0], state)
        return
    test = l.certain(
        state, value_of(l, frame, instr.operands[0], state), "a branch depends on poison"
    )
    if not isinstance(test, Truth):
        raise NotModelled("a branch on something else than a truth")
    yes, no = l.decide(test.term)
    if instr.labels[0] == instr.labels[1]:
        l.go(frame, label, instr.labels[0], state)
        return
    l.go(frame, label, instr.labels[0], l.paths.take(state, yes))
    l.go(frame, label, instr.labels[1], l.paths.take(state, no))


def _switch(l: Context, frame: CallFrame, label: str, instr: Instr, state: WayState) -> None:
    """Each case in turn.

    Cases that lead to one block go there together, since a phi cannot tell them apart.
    """
    value = l.certain(
        state, value_of(l, frame, instr.operands[0], state), "a switch depends on poison"
    )
    targets: dict[str, list[Any]] = {}
    matched = []
    for typed, target in zip(instr.operands[1:], instr.labels[1:], strict=True):
        case = constant(l, frame.module, typed.type, typed.operand)
        if isinstance(value, Truth) and isinstance(case, Truth):
            same = l.alg.same(value.term, case.term)
        elif isinstance(value, LiftedWord) and isinstance(case, LiftedWord):
            same = l.ops.compare("eq", value, case).term
        else:
            raise NotModelled("a switch on something else than a word")
        targets.setdefault(target, []).append(same)
        matched.append(same)
    default = l.alg.neg(l.alg.any(*matched)) if matched else l.values.yes
    targets.setdefault(instr.labels[0], []).append(default)
    for target, conditions in targets.items():
        l.go(frame, label, target, l.paths.take(state, l.decide(l.alg.any(*conditions))[0]))


def _callbr(l: Context, frame: CallFrame, label: str, instr: Instr, state: WayState) -> None:
    """`asm goto`: a model says under which condition each label is taken."""
    if not isinstance(instr.callee, AsmText) or instr.dest is not None:
        raise NotModelled("a callbr that is no plain asm goto")
    args = [value_of(l, frame, a, state) for a in instr.operands]
    conditions = l.models.branch(l, instr.callee, args, len(instr.labels))
    targets: dict[str, list[Any]] = {}
    for target, condition in zip(instr.labels, conditions, strict=True):
        targets.setdefault(target, []).append(condition)
    live = [
        (target, found)
        for target, found in ((t, l.values.either(*c)) for t, c in targets.items())
        if found is not None
    ]
    decisions = [l.decide(condition)[0] for _, condition in live]
    # Two labels are the two sides of one decision, so that nothing is left of it where they meet.
    if len(live) == 2:
        decisions = list(l.decide(live[0][1]))
    for (target, _), decision in zip(live, decisions, strict=True):
        l.go(frame, label, target, l.paths.take(state, decision))


def _ret(l: Context, frame: CallFrame, label: str, instr: Instr, state: WayState) -> None:
    value = value_of(l, frame, instr.operands[0], state) if instr.operands else None
    frame.returned.append((state, value))


def _unreachable(l: Context, frame: CallFrame, label: str, instr: Instr, state: WayState) -> None:
    l.undefine(state, l.values.yes, f"{frame.function.name} does not return (BUG or unreachable)")


ENDS: dict[str, Callable[[Context, CallFrame, str, Instr, WayState], None]] = {
    "br": _br, "switch": _switch, "callbr": _callbr, "ret": _ret, "unreachable": _unreachable,
}
