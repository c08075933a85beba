# SPDX-License-Identifier: GPL-2.0-or-later
"""Why a property fails: the parts of its sentence that decide it, before and after the step.

A counterexample shows its point where a reader sees what the property speaks of, so nothing is
chosen by hand. Of `a or b` both are shown, since both are false; of `a and b`, one that is false.
For a comparison of components the report has the component that changed, and what the step says of
it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from verifier.language.algebra import Integers
from verifier.language.evaluate import call
from verifier.language.machine import WAS, Key
from verifier.language.read_yaml import Source
from verifier.language.syntax import BOOL
from verifier.model.spec import Level, Property
from verifier.model.step import Step, run
from verifier.model.typed import Model
from verifier.model.world import World
from verifier.prove.obligations import Group, Way
from verifier.prove.recompute import input_reader, instance_of
from verifier.prove.results import Move
from verifier.prove.step_judge import StepJudge

__all__ = ["Shown", "SentencePart", "decisive", "reasons", "why"]

NAMES = "AB3"


@dataclass(frozen=True, slots=True)
class SentencePart:
    """A part of a sentence, with its value.

    `text` is as specs/ has it; `reads` has the names of processes and of the level's helpers.
    Values are in words. `before` is the value before the step, or None where the part is about the
    step itself.
    """

    text: str
    reads: str
    before: str | None
    after: str


@dataclass(frozen=True, slots=True)
class Shown:
    """What fails of a process: the terms that decide it, and what the step says where that differs.
    """

    process: str
    terms: tuple[SentencePart, ...]
    says: str = ""


def why(model: Model, group: Group, move: Move, name: str,
        process: int | None = None) -> Shown | None:
    """What shows that a move violates a property; None where it does not.

    `process` chooses one where several violate it.
    """
    if move.transition in ("init", "static"):
        return None
    step, judge = _again(model, group, move)
    prop = model.spec.properties[name]
    failing = [way for way in judge.ways(prop, step) if way.bad is True]
    failing.sort(key=lambda way: (way.process is None, way.process != process))
    if not failing:
        return None
    way = failing[0]
    if way.component:
        return _component(judge, step, prop, way)
    if way.process is None:
        return _asserted(model, judge, step, prop, move)
    if prop.holds is None:
        return Shown(NAMES[way.process], (_entry_changed(step, way.process),),
                     "no other process's entry changes")
    after = judge.seen(step, prop)
    return Shown(
        NAMES[way.process], decisive(model, prop, prop.holds, way.process, step.before, after, move)
    )


def _again(model: Model, group: Group, move: Move) -> tuple[Step[int, bool], StepJudge[int, bool]]:
    """The step with plain integers."""
    alg, reader = Integers(), input_reader(dict(move.inputs))
    judge = StepJudge(model, group, alg, reader, model.memory(alg, reader))
    return run(model, alg, dict(move.before), instance_of(model, move), group.code, reader,
               judge.memory), judge


def _asserted(model: Model, judge: StepJudge[int, bool], step: Step[int, bool], prop: Property,
              move: Move) -> Shown | None:
    """What an assert within the step saw: the state then, of the process whose sentence fails."""
    moment = step.moments.get(prop.name)
    if moment is None or prop.shows is None:
        return None
    world = World(model, judge.alg, {**moment, **_was(step.before)}, judge.fresh, judge.memory)
    for process in (0, 1):
        if not _value(model, prop, prop.shows.text, prop.shows, process, world, move):
            return Shown(
                NAMES[process], decisive(model, prop, prop.shows, process, step.before, world, move)
            )
    return None


def _component(judge: StepJudge[int, bool], step: Step[int, bool], prop: Property,
               way: Way[int, bool]) -> Shown:
    """The component of the entry that changed, from what to what, and what the step says of it."""
    process = way.process
    assert process is not None
    old, new = judge.compared(step, process, prop.compares[way.component])
    transition = step.instance.transition
    change = None if transition is None else transition.changes.get(way.component)
    says = f"{way.component} stays" if change is None else " ".join(change.text.split())
    name = way.component.replace("_", "-")
    return Shown(NAMES[process], (SentencePart(way.component, f"{name} of {NAMES[process]}'s entry",
                                       _word(old), _word(new)),
                                  _entry_changed(step, process)), says)


def _entry_changed(step: Step[int, bool], process: int) -> SentencePart:
    key: Key = ("entry", process)
    return SentencePart("entry[p]", f"entry[{NAMES[process]}]", _word(step.before[key]),
                _word(step.after[key]))


def _was(state: dict[Key, Any]) -> dict[Key, Any]:
    return {(WAS + k if isinstance(k, str) else (WAS + k[0], k[1])): v for k, v in state.items()}


def decisive(
    model: Model, prop: Property, sentence: Source, process: int, before: dict[Key, Any],
    after: World[int, bool], move: Move,
) -> tuple[SentencePart, ...]:
    """The parts of a property's sentence that decide it of a process in a world of plain values."""
    earlier = World(model, after.alg, {**before, **_was(before)}, after.fresh, after.memo)
    level = model.level_in(after.state, process)

    def value(node: ast.expr, world: World[int, bool] = after) -> Any:
        return _value(model, prop, ast.unparse(node), sentence, process, world, move)

    def body(name: str) -> str | None:
        return next(
            (d.body.text for d in model.spec.truths if d.signature.startswith(f"{name}(p:")), None
        )

    found: dict[str, SentencePart] = {}
    for node in reasons(ast.parse(sentence.text.strip(), mode="eval").body, value, body):
        text = ast.unparse(node)
        about_step = (WAS in text or any(isinstance(n, ast.Name) and n.id in prop.inputs
                                         for n in ast.walk(node)))
        found[text] = SentencePart(text, _read(node, level, process), None if about_step
                           else _word(value(node, earlier)),
                           _word(value(node)))
    return tuple(found.values())


def _value(model: Model, prop: Property, text: str, sentence: Source, process: int,
           world: World[int, bool], move: Move) -> Any:
    function = model.part(Source(text, sentence.where), prop, model.level_in(world.state, process))
    inputs = [input_reader(dict(move.inputs))(name, BOOL) for name in prop.inputs]
    return call(world, function, (process, *inputs))


def reasons(
    node: ast.expr, value: Callable[[ast.expr], Any],
    body: Callable[[str], str | None] = lambda name: None,
) -> Iterator[ast.expr]:
    """The parts of a boolean expression whose values decide its value.

    body  the text of a definition that is taken apart as well, if it is one
    """
    match node:
        case ast.BoolOp(op=op, values=parts):
            decides = isinstance(op, ast.Or)
            told = [part for part in parts if bool(value(part)) is decides]
            for part in told[:1] or parts:
                yield from reasons(part, value, body)
        case ast.UnaryOp(op=ast.Not(), operand=part):
            yield from reasons(part, value, body)
        case ast.IfExp(test=test, body=then, orelse=other):
            yield from reasons(test, value, body)
            yield from reasons(then if value(test) else other, value, body)
        case ast.Compare(left=left, comparators=[right]):
            yield from (side for side in (left, right) if not isinstance(side, ast.Constant))
        case ast.Constant():
            return
        case ast.Call(func=ast.Name(id=name),
                      args=[ast.Name(id="p")]) if (text := body(name)) is not None:
            yield from reasons(ast.parse(text.strip(), mode="eval").body, value, body)
        case _:
            yield node


class _Naming(ast.NodeTransformer):
    """A part as a reader reads it: A for p, and the helpers of the entry's level."""

    def __init__(self, level: Level, process: int) -> None:
        self.level, self.process = level, process

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(NAMES[self.process] if node.id == "p" else self.level.translated(node.id))

    def visit_Call(self, node: ast.Call) -> ast.expr:
        match node:
            case ast.Call(func=ast.Name(id="other"), args=[ast.Name(id="p")]):
                return ast.Name(NAMES[1 - self.process])
        self.generic_visit(node)
        return node


def _read(node: ast.expr, level: Level, process: int) -> str:
    return ast.unparse(
        _Naming(level, process).visit(ast.parse(ast.unparse(node), mode="eval").body)
    )


def _word(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else hex(value)
