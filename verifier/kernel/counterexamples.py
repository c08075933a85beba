# SPDX-License-Identifier: GPL-2.0-or-later
"""Counterexamples of `prove`, run through the kernel's own helpers: as machine code where this machine runs it, else lifted.

Each step of a trace is taken again with plain integers, every call of a helper answered by the kernel's code. It is
reproduced where each step comes to the same state and the last violates the same property.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from verifier.algebra import Algebra
from verifier.arch import Layout
from verifier.errors import PteproofError
from verifier.kernel.atomicity import lets_hardware_in
from verifier.kernel.builds import build_for, load_builds
from verifier.kernel.replayer import Replayer
from verifier.kernel.substitute import KernelAnswers
from verifier.machine import Memory, Room
from verifier.obligations import Group
from verifier.plan import Library
from verifier.prove import replay, with_trace
from verifier.results import Counterexample, Move, Result, Run
from verifier.scopes import Model
from verifier.syntax import BOOL, Function

__all__ = ["replay_run"]


class _Unanswered(Exception):
    """The kernel's code has no answer on these values."""


class _Answers(Memory):
    """Answers of the kernel's code on plain integers, for one variant."""

    def __init__(self, replayer: Replayer, layout: Layout) -> None:
        super().__init__()
        self.replayer = replayer
        self.layout = layout
        self.native: set[bool] = set()
        self._missing: dict[str, str] = {}
        self.without: set[str] = set()  # helpers on pointers that the kernel's code did not answer
        self._pointed: dict[Any, tuple[Any, dict[str, Any], bool] | None] = {}
        self.lifted: KernelAnswers | None = None  # of the helpers that the trace was found with, if these are the kernel's

    def __missing__(self, key: tuple[Function, tuple[Any, ...]]) -> Any:
        function, args = key
        outcome = self._run(function, args)
        if outcome is None:
            raise KeyError(key)
        result = bool(outcome.result) if function.returns == BOOL else outcome.result
        self[key] = result
        return result

    def by_reference(self, function: Function, args: tuple[Any, ...], room: Room) -> tuple[Any, dict[str, Any], Any] | None:
        """As machine code; but one within which the hardware acts as lifted, since nothing acts within machine code here."""
        if self.lifted is not None and self.lifted.lets_hardware_in(function):
            self.native.add(False)
            return self.lifted.by_reference(function, args, room)
        key = (function, args)
        if key not in self._pointed:
            self._pointed[key] = self._through(function, args)
        if self._pointed[key] is None and self.layout.function(function.name) is function:
            self.without.add(function.name)
        return self._pointed[key]

    def _through(self, function: Function, args: tuple[Any, ...]) -> tuple[Any, dict[str, Any], bool] | None:
        try:
            outcome = None if lets_hardware_in(function.body) else self._run(function, args)
        except _Unanswered:
            return None
        if outcome is None:
            return None
        result = bool(outcome.result) if function.returns == BOOL else outcome.result
        return result, dict(outcome.entries), False

    def _run(self, function: Function, args: tuple[Any, ...]) -> Any:
        name = function.name
        if name in self._missing or self.layout.function(name) is not function:
            return None
        values = {p.name: int(a) for p, a in zip(function.params, args, strict=True)}
        found = self.replayer.run(self.layout, name, values)
        if found.outcome is None:
            if found.why.startswith("behaviour"):
                raise _Unanswered(f"{name}: {found.why}")
            self._missing[name] = found.why  # arch/'s helper stands: the kernel has none, or not whole
            return None
        self.native.add(found.native)
        return found.outcome


def replay_run(library: Library, run: Run, tree: Path, progress: Callable[[Result | str], None] = lambda r: None) -> Run:
    """The run with each counterexample replayed; one that the kernel's code does not reproduce is a contradiction.

    Raises ExtractionError and UsageError where the tree cannot be compiled.
    """
    results, contradictions = [], []
    with Replayer(tree) as replayer:
        models: dict[tuple[str, str, str], tuple[Model, _Answers] | str] = {}
        for result in run.results:
            counterexample: Counterexample | None = getattr(result.verdict, "counterexample", None)
            if counterexample is None or counterexample.move.transition in ("init", "static"):
                results.append(result)
                continue
            group = result.obligation.group
            key = (group.variant, group.level, group.encoding)
            if key not in models:
                progress(f"replay in the kernel's code: {group.variant}")
                models[key] = _kernel_model(library, replayer, group)
            found = _replayed(models[key], group, counterexample, result.obligation.property)
            if found.kernel is False:
                contradictions.append(f"{result.obligation.id}: {found.kernel_why}")
            results.append(replace(result, verdict=with_trace(result.verdict, found)))
    return replace(run, results=tuple(results), contradictions=(*run.contradictions, *contradictions))


def _kernel_model(library: Library, replayer: Replayer, group: Group) -> tuple[Model, _Answers] | str:
    """The group's model with the kernel's code as its helpers, or why there is none."""
    model = library.group_model(group)
    if model.layout.overlay is not None:
        return f"the overlay {model.layout.overlay} changes helpers, which the kernel has not got"
    if build_for(load_builds(), group.variant) is None:
        return "no kernel build stands for the variant"
    found, answers = copy.copy(model), _Answers(replayer, model.layout)
    found.replayed = {}
    substitute = library.substitute

    def memory(alg: Algebra[Any, Any], fresh: Callable[[str, int], Any]) -> _Answers:
        lifted = None if substitute is None else substitute.memory(model.layout, alg, fresh)
        answers.lifted = lifted if isinstance(lifted, KernelAnswers) else None
        return answers

    found.memory = memory
    return found, answers


def _replayed(where: tuple[Model, _Answers] | str, group: Group, counterexample: Counterexample, prop: str) -> Counterexample:
    if isinstance(where, str):
        return replace(counterexample, kernel=None, kernel_why=where)
    model, answers = where
    answers.without = set()
    moves: tuple[Move, ...] = counterexample.trace or (counterexample.move,)
    try:
        for number, move in enumerate(moves):
            violated, allowed, after = replay(model, group, move)
            if not allowed or dict(after) != dict(move.after):
                why = f"step {number}, {move.transition}, goes another way in the kernel's code"
                return replace(counterexample, kernel=False, kernel_why=why)
        if prop not in violated:
            return replace(counterexample, kernel=False, kernel_why="in the kernel's code the last step violates nothing")
    except (_Unanswered, PteproofError) as error:
        return replace(counterexample, kernel=None, kernel_why=str(error))
    if not answers.native:
        return replace(counterexample, kernel=None, kernel_why="no helper of the kernel's is called")
    how = "machine code" if answers.native == {True} else "lifted code"
    rest = f"; {', '.join(sorted(answers.without))} as arch/ has it" if answers.without else ""
    return replace(counterexample, kernel=True, kernel_why=how + rest)
