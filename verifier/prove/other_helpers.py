# SPDX-License-Identifier: GPL-2.0-or-later
"""Helpers from elsewhere in the place of arch/'s, such as the kernel's own C, lifted.

A verdict then holds for these helpers. Where a step of the obligation meets behaviour of one that
is undefined or not modelled, the verdict is INCOMPLETE: never PROVED on what C leaves open.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import partial
from typing import Protocol

from verifier.engine.answers import Unsat
from verifier.engine.bits import Bits, Word
from verifier.engine.bits_solver import BitsSolver
from verifier.language.algebra import Algebra, B, W
from verifier.language.machine import Memory
from verifier.language.values import Fresh
from verifier.model.arch import Layout
from verifier.model.typed import Model
from verifier.prove.bits_way import GroupProver
from verifier.prove.obligations import Aim, Group, Question
from verifier.prove.results import Incomplete, Verdict

__all__ = ["Substitute", "SubstitutedProver", "substituted"]


class Substitute(Protocol):
    """Whoever has helpers to offer."""

    def stands_for(self, layout: Layout) -> str:
        """Empty, or why the helpers do not stand for this layout."""
        ...

    def memory(self, layout: Layout, alg: Algebra[W, B], fresh: Fresh) -> Memory[W, B]:
        """Answers of these helpers over an algebra.

        What they leave free are inputs, by name (which LIFTED begins) and type.
        """
        ...


def substituted(model: Model, substitute: Substitute) -> Model:
    """The model with these helpers: what is evaluated for it goes through a memory of theirs."""
    found = copy.copy(model)
    found.memory = partial(substitute.memory, model.layout)
    return found


class SubstitutedProver:
    """A Prover of one group whose model has substituted helpers, on the bit graph."""

    def __init__(self, model: Model, group: Group, graph: Bits, solver: BitsSolver) -> None:
        self._bits = GroupProver(model, group, graph, solver)
        self.group, self.solver, self.builder, self.name = (group, solver, self._bits.builder,
                                                            self._bits.name)
        self._open: dict[tuple[tuple[int, ...], int], bool] = {}

    def helpers(self) -> tuple[str, ...]:
        """What the memory of lifted helpers says of itself, by group."""
        return tuple(f"{self.group}: {text}" for text in self.builder.memory.says())

    def exclude(self, questions: Sequence[Question[Word, int]]) -> None:
        """As on arch/'s helpers."""
        self._bits.exclude(questions)

    def decide(self, question: Question[Word, int], least: bool = True) -> Verdict:
        """The verdict as on arch/'s helpers; INCOMPLETE where a step meets undefined behaviour."""
        reasons = [reason for reason, unknown in question.unsettled.items()
                   if self._is_open(question, unknown)]
        return Incomplete("; ".join(reasons)) if reasons else self._bits.decide(question, least)

    def decide_aim(self, aim: Aim[int]) -> Verdict:
        """As on arch/'s helpers."""
        return self._bits.decide_aim(aim)

    def broken(self, question: Question[Word, int]) -> tuple[str, ...]:
        """As the bit graph has it."""
        return self._bits.broken(question)

    def way(self) -> str:
        """The bit graph, and how."""
        return self._bits.way()

    def _is_open(self, question: Question[Word, int], unknown: int) -> bool:
        """May the question's steps meet this condition?"""
        for given in question.given.values():
            key = (given, unknown)
            if key not in self._open:
                self._open[key] = not isinstance(self.solver.check((*given, unknown), ()), Unsat)
            if self._open[key]:
                return True
        return False
