# SPDX-License-Identifier: GPL-2.0-or-later
"""Results as a run keeps them: what is the same is one object, and a state is a tuple of values beside its shared names.

A run has a hundred thousand results and more, which say the same few names, and whose inhabitants are few. They come from
other processes, each with copies of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

from verifier.machine import Key
from verifier.obligations import Obligation
from verifier.results import Counterexample, Move, Proved, Refuted, Result, State, Unknown, Verdict

__all__ = ["Packed", "Shared"]

T = TypeVar("T")


class Packed(Mapping[Any, "int | bool"]):
    """Names with values that do not change; states of the same names share one table of places.

    >>> state = Shared().packed({"pfn": 5, "ksm": False})
    >>> state["pfn"], list(state), state == {"pfn": 5, "ksm": False}
    (5, ['pfn', 'ksm'], True)
    """

    __slots__ = ("_places", "_values")

    def __init__(self, places: dict[Any, int], values: tuple[int | bool, ...]) -> None:
        self._places = places
        self._values = values

    def __getitem__(self, key: Any) -> int | bool:
        return self._values[self._places[key]]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._values)


class Shared:
    """Makes results out of results; equal parts of all that it has made are one object."""

    def __init__(self) -> None:
        self._known: dict[Any, Any] = {}
        self._places: dict[tuple[Any, ...], dict[Any, int]] = {}
        self._states: dict[tuple[Any, ...], Packed] = {}

    def one(self, value: T) -> T:
        """The first value that was equal to this one."""
        found: T = self._known.setdefault((value.__class__, value), value)
        return found

    def result(self, result: Result, verdict: Verdict | None = None) -> Result:
        """The result; with this verdict, where one is given that was shared before."""
        o = result.obligation
        obligation = Obligation(self.one(o.group), *(self.one(getattr(o, f.name)) for f in fields(o)[1:]))
        return replace(result, obligation=obligation, verdict=verdict or self.verdict(result.verdict),
                       solver=self.one(result.solver), assumptions=self.one(result.assumptions))

    def verdict(self, verdict: Verdict) -> Verdict:
        match verdict:
            case Proved(inhabitant):
                return Proved(inhabitant and self.move(inhabitant))
            case Refuted(counterexample, inhabitant):
                return Refuted(self.counterexample(counterexample), inhabitant and self.move(inhabitant))
            case Unknown(_, _, Counterexample() as counterexample):
                return replace(verdict, counterexample=self.counterexample(counterexample))
            case _:
                return verdict

    def counterexample(self, found: Counterexample) -> Counterexample:
        return replace(found, move=self.move(found.move), trace=tuple(map(self.move, found.trace)),
                       leads_to=tuple(map(self.move, found.leads_to)))

    def move(self, move: Move) -> Move:
        return Move(self.one(move.transition), move.event, self.one(move.roles), move.tracks_new,
                    self.packed(move.inputs), self.packed(move.before), self.packed(move.after))

    def packed(self, state: State | Mapping[str, int | bool]) -> Packed:
        """The values without names of their own. A boolean is not taken for a number."""
        names: tuple[Key, ...] = tuple(state)
        places = self._places.get(names)
        if places is None:
            places = self._places[names] = {self.one(name): place for place, name in enumerate(names)}
        values = tuple(state.values())
        key = (id(places), self.one(tuple(map(type, values))), values)
        return self._states.setdefault(key, Packed(places, values))
