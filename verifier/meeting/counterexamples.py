# SPDX-License-Identifier: GPL-2.0-or-later
"""Counterexamples of `prove`, run through the kernel's own helpers.

They run as machine code where this machine can, else as lifted. Each step of a trace is taken again
with plain integers, and the kernel's code answers every call of a helper. The trace is reproduced
where each step comes to the same state and the last violates the same property. Otherwise the first
call with another answer is named. If arch/ answered it, this kernel is not the one that arch/
describes, and nothing is known of the obligation here. If lifted code did, the tool contradicts
itself.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from verifier.base.errors import PteproofError
from verifier.kernel.conform.atomicity import lets_hardware_in
from verifier.kernel.conform.lifted_library import KernelAnswers
from verifier.kernel.replay.replayer import Replayer
from verifier.kernel.tree.builds import build_for, load_builds
from verifier.language.algebra import Algebra, Integers
from verifier.language.evaluate import answered
from verifier.language.machine import LIFTED, Answer, Memory, Room
from verifier.language.syntax import BOOL, Function
from verifier.model.arch import Layout
from verifier.model.typed import Model
from verifier.prove.bits_way import with_trace
from verifier.prove.obligations import Group
from verifier.prove.recompute import fails, input_reader, replay
from verifier.prove.results import Counterexample, Incomplete, Move, Refuted, Run, recounted
from verifier.run.library import Library
from verifier.run.news import Watch

__all__ = ["replay_run", "replay_trace"]


class _Unanswered(Exception):
    """The kernel's code has no answer on these values."""


class _Answers(Memory[Any, Any]):
    """Answers of the kernel's code on plain integers, for one variant."""

    def __init__(self, replayer: Replayer, layout: Layout) -> None:
        super().__init__()
        self.replayer = replayer
        self.layout = layout
        self.native: set[bool] = set()
        self._missing: dict[str, str] = {}
        self.without: set[str] = set()  # helpers of the kernel's that its code did not answer
        # calls in their order: the result, and entries by parameter
        self.answered: dict[Any, tuple[Any, dict[str, Any]]] = {}
        self._pointed: dict[Any, tuple[Any, dict[str, Any], bool] | None] = {}
        # of the helpers that the trace was found with, if these are the kernel's
        self.lifted: KernelAnswers | None = None

    def again(self) -> _Answers:
        """The same code, as if nothing had been asked of it."""
        return _Answers(self.replayer, self.layout)

    def __setitem__(self, key: Any, value: Any) -> None:
        """Only the kernel's answers are remembered: so each use of another is seen."""

    def __missing__(self, key: tuple[Function, tuple[Any, ...]]) -> Any:
        function, args = key
        outcome = self._run(function, args)
        if outcome is None:
            raise KeyError(key)
        result = bool(outcome.result) if function.returns == BOOL else outcome.result
        super().__setitem__(key, result)
        self.answered[key] = result, {}
        return result

    def by_reference(self, function: Function, args: tuple[Any, ...],
                     room: Room[Any, Any]) -> Answer[Any] | None:
        """The answer of machine code; of lifted code where the hardware acts within the call.

        Nothing can act within machine code here.
        """
        if self.lifted is not None and self.lifted.lets_hardware_in(function):
            self.native.add(False)
            return self.lifted.by_reference(function, args, room)
        key = (function, args)
        if key not in self._pointed:
            self._pointed[key] = self._through(function, args)
        if self._pointed[key] is None and self.layout.function(function.name) is function:
            self.without.add(function.name)
        return self._pointed[key]

    def _through(
        self, function: Function, args: tuple[Any, ...]
    ) -> tuple[Any, dict[str, Any], bool] | None:
        try:
            apart = self.lifted is None and lets_hardware_in(
                function.body
            )  # arch/ lets the hardware in, which C's text does not show
            outcome = None if apart else self._run(function, args)
        except _Unanswered:
            return None
        if outcome is None:
            return None
        result = bool(outcome.result) if function.returns == BOOL else outcome.result
        self.answered[function, args] = result, dict(outcome.entries)
        return result, dict(outcome.entries), False

    def _run(self, function: Function, args: tuple[Any, ...]) -> Any:
        name = function.name
        if self.layout.function(name) is not function:
            return None
        if name in self._missing:
            self._stands(name)
            return None
        values = {p.name: int(a) for p, a in zip(function.params, args, strict=True)}
        found = self.replayer.run(self.layout, name, values)
        if found.outcome is None:
            if found.why.startswith("behaviour"):
                raise _Unanswered(f"{name}: {found.why}")
            # arch/'s helper stands: the kernel has none, or not whole
            self._missing[name] = found.why
            self._stands(name)
            return None
        self.native.add(found.native)
        return found.outcome


    def _stands(self, name: str) -> None:
        """arch/'s helper stands for one that some kernel has."""
        if name in self.replayer.listed and not self.layout.text(name).own:
            self.without.add(name)


@dataclass(frozen=True, slots=True)
class _Kernel:
    """The model that traces were found with, and the same with the kernel's code as its helpers."""

    traced: Model
    model: Model
    answers: _Answers


def replay_run(
    library: Library, run: Run, tree: Path, progress: Watch = lambda news: None,
    cache: Path | None = None,
) -> Run:
    """The run with each counterexample replayed.

    A counterexample with arch/'s helpers that the kernel's code does not show becomes INCOMPLETE,
    with the call that makes the difference. It is a contradiction where no call differs, or where
    the helpers were lifted ones. Raises ExtractionError and UsageError where the tree cannot be
    compiled.
    """
    results, contradictions = [], []
    with Replayer(tree, cache) as replayer:
        models: dict[tuple[str, str, str], _Kernel | str] = {}
        for result in run.results:
            counterexample: Counterexample | None = getattr(result.verdict, "counterexample", None)
            if counterexample is None or counterexample.move.transition == "init":
                results.append(result)
                continue
            group = result.obligation.group
            key = (group.variant, group.level, group.encoding)
            if key not in models:
                progress(f"replay in the kernel's code: {group.variant}")
                models[key] = _kernel_model(library, replayer, group)
            found = _replayed(models[key], group, counterexample, result.obligation.property)
            verdict = with_trace(result.verdict, found.counterexample)
            if found.differs and library.substitute is None:
                verdict = (Incomplete(found.counterexample.kernel_why)
                           if isinstance(verdict, Refuted) else verdict)
            elif found.counterexample.kernel is False:
                contradictions.append(f"{result.obligation.id}: {found.counterexample.kernel_why}")
            results.append(replace(result, verdict=verdict))
    theorems = tuple(recounted(theorem, results) for theorem in run.theorems)
    return replace(run, results=tuple(results), theorems=theorems,
                   contradictions=(*run.contradictions, *contradictions))


def _kernel_model(library: Library, replayer: Replayer, group: Group) -> _Kernel | str:
    """The group's model with the kernel's code as its helpers, or why there is none."""
    model = library.group_model(group)
    if model.layout.overlay is not None:
        return f"the overlay {model.layout.overlay} changes helpers, which the kernel has not got"
    if build_for(load_builds(version=replayer.tree.version), group.variant) is None:
        return "no kernel build stands for the variant"
    answers = _Answers(replayer, model.layout)
    return _Kernel(model, _answered_by(model, answers), answers)


def _answered_by(model: Model, answers: _Answers) -> Model:
    found = copy.copy(model)

    def memory(alg: Algebra[Any, Any], fresh: Callable[[str, int], Any]) -> _Answers:
        lifted = model.memory(alg, fresh)
        answers.lifted = lifted if isinstance(lifted, KernelAnswers) else None
        return answers

    found.memory = memory
    return found


@dataclass(frozen=True, slots=True)
class _Replayed:
    """A counterexample in the kernel's code; `differs`: a call there has another answer."""

    counterexample: Counterexample
    differs: bool = False


def replay_trace(
    library: Library, replayer: Replayer, group: Group, moves: Sequence[Move], prop: str
) -> tuple[bool | None, str]:
    """Steps of a group, the last of which breaks a property, in the code of one tree.

    True, and how it ran, where that shows the same; False and why where it shows something else;
    None and why where it cannot be said.
    """
    where = _kernel_model(library, replayer, group)
    if isinstance(where, str):
        return None, where
    kernel, why, _ = _followed(where, group, moves, prop)
    return kernel, why


def _replayed(where: _Kernel | str, group: Group, counterexample: Counterexample,
              prop: str) -> _Replayed:
    moves = counterexample.trace or (counterexample.move,)
    kernel, why, differs = ((None, where, False) if isinstance(where, str)
                            else _followed(where, group, moves, prop))
    return _Replayed(replace(counterexample, kernel=kernel, kernel_why=why), differs)


def _followed(
    where: _Kernel, group: Group, moves: Sequence[Move], prop: str
) -> tuple[bool | None, str, bool]:
    """Does the kernel's code go the same way, why (not), and does a call there differ?"""
    model, answers = where.model, where.answers
    answers.without = set()
    try:
        for number, move in enumerate(moves, 1):
            wanted = prop if number == len(moves) else None
            if _shows(model, group, move, wanted):
                continue
            found = _difference(where, group, move, wanted)
            goes = f"step {number}, {move.transition}, goes another way in the kernel's code"
            if found is None:
                return False, goes, False
            left_open = [n.removeprefix(LIFTED) for n, value in move.inputs.items()
                         if n.startswith(LIFTED) and value]
            if left_open:
                return None, (f"{found}; no machine code was run in which "
                              f"{', '.join(left_open)} is as in the trace"), False
            return False, f"{goes}: {found}", True
    except (_Unanswered, PteproofError) as error:
        return None, str(error), False
    if not answers.native:
        return None, "no helper of the kernel's is called", False
    how = "machine code" if answers.native == {True} else "lifted code"
    rest = f"; {', '.join(sorted(answers.without))} as arch/ has it" if answers.without else ""
    return True, how + rest, False


def _shows(model: Model, group: Group, move: Move, prop: str | None) -> bool:
    """Does a step go as in the trace, and break the property, if there is one?

    A statement about entries alone has to fail.
    """
    if move.transition == "static":
        sentence = next(name.partition(".")[0] for name in move.inputs
                        if not name.startswith(LIFTED))
        return fails(model, model.spec.properties.values(), sentence, dict(move.inputs))
    violated, allowed, after = replay(model, group, move)
    return allowed and dict(after) == dict(move.after) and (prop is None or prop in violated)


def _difference(where: _Kernel, group: Group, move: Move, prop: str | None) -> str | None:
    """The first call of a step that the kernel's code answers differently, with both answers."""
    answers = where.answers.again()
    _shows(_answered_by(where.traced, answers), group, move, prop)
    ours = where.traced.machine(Integers(), input_reader(dict(move.inputs)))
    for (function, args), (result, entries) in answers.answered.items():
        other, left = answered(ours, function, args)
        theirs = {name: value for name, value in entries.items() if value != left.get(name)}
        if theirs or (None not in (result, other) and result != other):
            return _told(function, args, (result, entries), (other, left))
    return None


def _told(
    function: Function, args: tuple[Any, ...], theirs: tuple[Any, Mapping[str, Any]],
    ours: tuple[Any, Mapping[str, Any]]
) -> str:
    def side(answer: tuple[Any, Mapping[str, Any]]) -> str:
        result, entries = answer
        words = [] if result is None else [f"gives {int(result):#x}"]
        return " and ".join([*words, *(f"leaves {int(entries[p.name]):#x}" for p in function.params
                                       if p.name in theirs[1])])

    given = ", ".join(f"{p.name}={int(a):#x}" for p, a in zip(function.params, args, strict=True))
    return f"{function.name}({given}) {side(theirs)} there, and {side(ours)} in the trace"
