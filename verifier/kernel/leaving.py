# SPDX-License-Identifier: GPL-2.0-or-later
"""The instructions that end a block: where its ways go on, and under which decisions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from verifier.kernel.constants import constant
from verifier.kernel.ir import AsmText, Instr
from verifier.kernel.lift import Frame, Lifter
from verifier.kernel.paths import State
from verifier.kernel.values import Incomplete, Truth, Word

__all__ = ["ENDS"]


def _br(lifter: Lifter, frame: Frame, label: str, instr: Instr, state: State) -> None:
    if not instr.operands:
        lifter.go(frame, label, instr.labels[0], state)
        return
    test = lifter.certain(state, lifter.value(frame, instr.operands[0], state), "a branch depends on poison")
    if not isinstance(test, Truth):
        raise Incomplete("a branch on something else than a truth")
    yes, no = lifter.decide(test.term)
    if instr.labels[0] == instr.labels[1]:
        lifter.go(frame, label, instr.labels[0], state)
        return
    lifter.go(frame, label, instr.labels[0], lifter.paths.take(state, yes))
    lifter.go(frame, label, instr.labels[1], lifter.paths.take(state, no))


def _switch(lifter: Lifter, frame: Frame, label: str, instr: Instr, state: State) -> None:
    """Each case in turn; cases that lead to one block go there together, since a phi cannot tell them apart."""
    value = lifter.certain(state, lifter.value(frame, instr.operands[0], state), "a switch depends on poison")
    targets: dict[str, list[Any]] = {}
    matched = []
    for typed, target in zip(instr.operands[1:], instr.labels[1:], strict=True):
        case = constant(lifter, frame.module, typed.type, typed.operand)
        if isinstance(value, Truth) and isinstance(case, Truth):
            same = lifter.alg.same(value.term, case.term)
        elif isinstance(value, Word) and isinstance(case, Word):
            same = lifter.ops.compare("eq", value, case).term
        else:
            raise Incomplete("a switch on something else than a word")
        targets.setdefault(target, []).append(same)
        matched.append(same)
    default = lifter.alg.neg(lifter.alg.any(*matched)) if matched else lifter.values.yes
    targets.setdefault(instr.labels[0], []).append(default)
    for target, conditions in targets.items():
        lifter.go(frame, label, target, lifter.paths.take(state, lifter.decide(lifter.alg.any(*conditions))[0]))


def _callbr(lifter: Lifter, frame: Frame, label: str, instr: Instr, state: State) -> None:
    """`asm goto`: a model says under which condition each label is taken."""
    if not isinstance(instr.callee, AsmText) or instr.dest is not None:
        raise Incomplete("a callbr that is no plain asm goto")
    args = [lifter.value(frame, a, state) for a in instr.operands]
    conditions = lifter.models.branch(lifter, instr.callee, args, len(instr.labels))
    targets: dict[str, list[Any]] = {}
    for target, condition in zip(instr.labels, conditions, strict=True):
        targets.setdefault(target, []).append(condition)
    live = [(target, found) for target, found in ((t, lifter.values.either(*c)) for t, c in targets.items())
            if found is not None]
    decisions = [lifter.decide(condition)[0] for _, condition in live]
    if len(live) == 2:
        decisions = list(lifter.decide(live[0][1]))
    for (target, _), decision in zip(live, decisions, strict=True):
        lifter.go(frame, label, target, lifter.paths.take(state, decision))


def _ret(lifter: Lifter, frame: Frame, label: str, instr: Instr, state: State) -> None:
    value = lifter.value(frame, instr.operands[0], state) if instr.operands else None
    frame.returned.append((state, value))


def _unreachable(lifter: Lifter, frame: Frame, label: str, instr: Instr, state: State) -> None:
    lifter.undefine(state, lifter.values.yes, f"{frame.function.name} does not return (BUG or unreachable)")


ENDS: dict[str, Callable[[Lifter, Frame, str, Instr, State], None]] = {
    "br": _br, "switch": _switch, "callbr": _callbr, "ret": _ret, "unreachable": _unreachable,
}
