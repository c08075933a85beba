# SPDX-License-Identifier: GPL-2.0-or-later
"""Steps that are built once, from a state of inputs, and put into other graphs from any state.

To walk the text of a step takes many times as long as to put the nodes that came out into a graph.
So a search that begins anew for each of many states walks each text once.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from verifier.engine.bits import FALSE, TRUE, Bits, Word
from verifier.language.machine import LIFTED, Key
from verifier.language.syntax import BOOL
from verifier.language.values import Fresh, Value
from verifier.model.step import Instance, Step, run
from verifier.model.typed import Model
from verifier.model.world import key_name, symbolic_state
from verifier.prove.bits_way import graph_inputs
from verifier.prove.obligations import Group
from verifier.search.path import settled

__all__ = ["ReadySteps"]


@dataclass(frozen=True, slots=True)
class _Ready:
    """A step from the state of inputs, as literals of the graph that all are built in."""

    changed: Mapping[Key, tuple[int, ...]]  # variables that it may change, after it
    truths: frozenset[Key]  # those of `changed` that are booleans
    assumed: tuple[int, ...]  # also that the answers of helpers are settled
    violations: Mapping[str, int]

    def literals(self) -> Iterator[int]:
        """All of them, in the order in which `step` takes what became of them."""
        for bits in self.changed.values():
            yield from bits
        yield from self.assumed
        yield from self.violations.values()

    def step(self, graph: Bits, state: Mapping[Key, Value], instance: Instance,
             literals: Iterator[int]) -> Step[Word, int]:
        """The step from a state of another graph, where the literals are as given."""
        after = dict(state)
        for key, bits in self.changed.items():
            found = tuple([next(literals) for _ in bits])
            value = found[0] if key in self.truths else graph.intern(found)
            if value != state[key]:  # else it stays the same object, as where no text sets it
                after[key] = value
        return Step(instance, dict(state), after, [next(literals) for _ in self.assumed],
                    {name: next(literals) for name in self.violations})


class ReadySteps:
    """Some steps of a group.

    instances  the steps, all of which are built at once: so what is put elsewhere does not depend
               on what was asked for before
    never      does an input of this name hold nowhere?
    """

    def __init__(self, model: Model, group: Group, instances: Iterable[Instance],
                 never: Callable[[str], bool]) -> None:
        self._graph = graph = Bits()
        inputs = graph_inputs(graph)
        memo = model.memory(graph, inputs)
        state = symbolic_state(model, inputs)
        self._state_of = {key_name(key): key for key in state}
        self._known: dict[str, _Ready] = {}  # by label

        def fresh(name: str, kind: int) -> Value:
            return FALSE if never(name) else inputs(name, kind)

        for instance in instances:
            memo.take()
            step = run(model, graph, state, instance, group.code, fresh, memo)
            self._known[instance.label] = _ready(step, settled(graph, memo))

    def enders(self, ends: Sequence[str]) -> frozenset[str]:
        """The names of the steps that violate one of these from some state, as far as is known."""
        return frozenset(label.partition("[")[0] for label, ready in self._known.items()
                         if any(ready.violations.get(name, FALSE) != FALSE for name in ends))

    def put(self, graph: Bits, state: Mapping[Key, Value], instances: Iterable[Instance],
            fresh: Fresh) -> Iterator[Step[Word, int]]:
        """The steps from a state of another graph; `fresh` has their inputs there."""
        chosen = [(instance, self._known[instance.label]) for instance in instances]
        wanted = [literal for _, ready in chosen for literal in ready.literals()]
        found = iter(graph.nodes.rebuild(self._graph.nodes, wanted,
                                         self._values(graph, state, fresh)))
        for instance, ready in chosen:
            yield ready.step(graph, state, instance, found)

    def _values(self, graph: Bits, state: Mapping[Key, Value], fresh: Fresh) -> array[int]:
        """What each input is in another graph, by its node here."""
        values, lifted = array("i", [0]) * len(self._graph.nodes), graph_inputs(graph)
        for name, literals in self._graph.inputs.items():
            kind = BOOL if name in self._graph.bools else len(literals)
            key = self._state_of.get(name)
            value = (state[key] if key is not None
                     else (lifted if name.startswith(LIFTED) else fresh)(name, kind))
            for literal, bit in zip(literals, _literals(value), strict=True):
                values[literal >> 1] = bit
        return values


def _literals(value: Value) -> tuple[int, ...]:
    if isinstance(value, Word):
        return value.bits
    assert isinstance(value, int), "a value of a graph is a word or a literal"
    return (value,)


def _ready(step: Step[Word, int], sound: int) -> _Ready:
    changed = {key: value for key, value in step.after.items() if value is not step.before[key]}
    return _Ready({key: _literals(value) for key, value in changed.items()},
                  frozenset(key for key, value in changed.items() if not isinstance(value, Word)),
                  tuple(c for c in (*step.assumed, sound) if c != TRUE), dict(step.violations))
