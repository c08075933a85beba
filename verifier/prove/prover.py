# SPDX-License-Identifier: GPL-2.0-or-later
"""What is asked of whoever decides the questions of a group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from verifier.engine.bits import Word
from verifier.engine.bits_solver import BitsSolver
from verifier.prove.builder import Builder
from verifier.prove.obligations import Aim, Question
from verifier.prove.results import Verdict

__all__ = ["Prover"]


class Prover(Protocol):
    """Decides the questions that its builder makes.

    name     of the way that it goes
    builder  makes the questions, over the bit graph
    solver   of the bit graph; its `how` says how it found what it found last
    """

    name: str
    builder: Builder[Word, int]
    solver: BitsSolver

    def exclude(self, questions: Sequence[Question[Word, int]]) -> None:
        """Find out, for many questions at once, what is not violated; `decide` then uses it.

        A prover that cannot does nothing.
        """
        ...

    def decide(self, question: Question[Word, int], least: bool = True) -> Verdict:
        """The verdict, a failure still without its trace; with its `least` values, or with any.

        Contradiction where ways differ, or where values do not come out the same with plain
        integers.
        """
        ...

    def decide_aim(self, aim: Aim[int]) -> Verdict:
        """PROVED with a step that shows the effect; VACUOUS where no state leads there.

        Contradiction as `decide`.
        """
        ...

    def broken(self, question: Question[Word, int]) -> tuple[str, ...]:
        """Every way in which the property can be violated, by name."""
        ...

    def way(self) -> str:
        """Who decided what was decided last, and how."""
        ...

    def helpers(self) -> tuple[str, ...]:
        """Whose helpers these verdicts are about, where that is not arch/'s."""
        ...
