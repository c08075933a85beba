# SPDX-License-Identifier: GPL-2.0-or-later
"""A law of entries as a claim over an algebra, with the kernel's helpers or those of arch/."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from verifier.base.errors import SpecError
from verifier.kernel.conform.decide import Setting
from verifier.kernel.conform.helpers import LiftedBuild
from verifier.kernel.conform.lifted_library import KernelAnswers
from verifier.kernel.llvm.undefined import Undefinedness
from verifier.language.evaluate import call
from verifier.language.machine import Machine
from verifier.language.parse import parse_function, parse_signature
from verifier.language.read_yaml import Source
from verifier.language.syntax import BOOL, Function
from verifier.model.arch import Layout
from verifier.model.laws import Law

__all__ = ["LawClaim", "LawPut"]


@dataclass(frozen=True, slots=True)
class LawPut:
    """A law over an algebra, for free values of its parameters.

    speaks     where it says something; also where it is not known whether it does
    wrong      where what it says is false
    undefined  where a helper is undefined or not modelled
    answers    what answered its calls
    """

    speaks: Any
    wrong: Any
    undefined: tuple[Undefinedness, ...]
    answers: KernelAnswers


@dataclass(frozen=True, slots=True)
class LawClaim:
    """A law, typed for a variant. `names`: its parameters."""

    holds: Function
    when: Function | None

    @classmethod
    def of(cls, law: Law, layout: Layout) -> LawClaim:
        """SpecError where the variant has not got what it calls, or it is no boolean."""
        when = None if law.when is None else _function(law, law.when, layout)
        return cls(_function(law, law.holds, layout), when)

    @property
    def names(self) -> list[str]:
        """Of its parameters, in order."""
        return [p.name for p in self.holds.params]

    def put(self, layout: Layout, library: LiftedBuild | None, setting: Setting) -> LawPut:
        """The law on the lifted helpers of a library, or where there is none, on arch/'s."""
        alg, free = setting.alg, setting.free
        machine = Machine(alg)
        machine.memo = memo = KernelAnswers(library, layout, alg, free)
        memo.feasible = setting.possible
        args = tuple(
            free.input_bool(p.name) if p.type == BOOL else free.input_word(p.name, p.type)
            for p in self.holds.params
        )
        premise = alg.truth(True) if self.when is None else call(machine, self.when, args)
        # where it is not known whether the law speaks, it does
        speaks = alg.any(premise, *memo.undefined)
        wrong = alg.neg(call(machine, self.holds, args))
        undefined = tuple(
            Undefinedness(condition, reason)
            for met in memo.met.values()
            for reason, condition in met.items()
        )
        return LawPut(speaks, wrong, undefined, memo)


def _function(law: Law, body: Source, layout: Layout) -> Function:
    key = law.key.text
    signature = parse_signature(key.replace("-", "_"), law.key.where, layout)
    function = parse_function(signature, body, layout, law.source)
    if function.returns != BOOL:
        raise SpecError(body.where, f"law {law.name} is no boolean")
    return function
