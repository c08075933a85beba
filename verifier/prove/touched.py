# SPDX-License-Identifier: GPL-2.0-or-later
"""Which helpers each step of a group may call, as its typed texts say.

A step whose texts call no helper that differs is the same step on both sides of a comparison. Names
are those of every level: a text about ptes is read at other levels too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, fields, is_dataclass

from verifier.language.syntax import Function
from verifier.model.step import instances
from verifier.model.typed import Model
from verifier.prove.obligations import Group

__all__ = ["Touched", "helpers_called"]

# sections of the world that nothing runs but who names them
_CALLED_BY_NAME = ("procedures", "actions")


@dataclass(frozen=True, slots=True)
class Touched:
    """The names of helpers that all steps may call, and of those that each may call by itself.

    Steps are transitions, hardware events, `init` and `static`.
    """

    common: frozenset[str]
    of_step: Mapping[str, frozenset[str]]

    def by(self, changed: Set[str]) -> list[str]:
        """The steps that may call one of these helpers."""
        return [step for step, names in self.of_step.items()
                if changed & self.common or changed & names]


def helpers_called(model: Model, group: Group) -> Touched:
    """What the steps of a group may call; everything is typed first."""
    own: dict[str, list[Function]] = {"init": [], "static": []}
    for prop in model.spec.properties.values():
        for _, given, holds in model.sentences(prop):
            own["static"] += [holds, *([given] if given is not None else [])]
    for instance in instances(model):
        own.setdefault(instance.name, [])
        transition = instance.transition
        code = None if transition is None else model.code(transition, group.code)
        if transition is not None and code is not None:
            effects = model.effects(transition, group.code)
            own[instance.name] = [
                code, *(sentence for _, sentence in model.requires(transition)),
                *(model.effect(transition, effect) for effect in effects),
            ]
    apart = {id(one) for mine in own.values() for one in (*mine, *_all_codes(model))}
    common = [one for one in model.typed(_CALLED_BY_NAME) if id(one) not in apart]
    # The steps of threads run inside all others.
    common += [code for step in model.thread_steps for code in model.codes(step, group.code)]
    names = {step: _named(model, mine) for step, mine in own.items()}
    return Touched(_named(model, common), names)


def _all_codes(model: Model) -> list[Function]:
    """Transitions' code under every name, which runs only where it is asked for."""
    transitions = model.spec.transitions.values()
    found = [model.code(one, name) for one in transitions for name in one.codes]
    return [one for one in found if one is not None]


def _named(model: Model, functions: Iterable[Function]) -> frozenset[str]:
    """The names of all functions that these come to, at every level."""
    reached: dict[int, Function] = {}
    left: list[object] = list(functions)
    while left:
        node = left.pop()
        if isinstance(node, Function):
            if id(node) in reached:
                continue
            reached[id(node)] = node
            left += [node.body, node.twin]
        elif isinstance(node, tuple):
            left += node
        elif is_dataclass(node):
            left += [getattr(node, f.name) for f in fields(node)]
    names = {one.name for one in reached.values()}
    levels = model.spec.levels.values()
    return frozenset(names | {level.translated(name) for name in names for level in levels})
