# SPDX-License-Identifier: GPL-2.0-or-later
"""Results as a run keeps them, so that a million of them fit into memory.

They say the same few names and have few inhabitants, but come from other processes, each with
copies of its own. So equal parts become one object, a state is a tuple of values beside its shared
names, and results stand in columns.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from functools import cache
from itertools import compress
from typing import Generic, TypeAlias, TypeVar, cast, overload

from verifier.prove.obligations import Group, Obligation
from verifier.prove.results import (
    Alike,
    Counterexample,
    Move,
    Proved,
    Refuted,
    Result,
    Unknown,
    Verdict,
    verdict_name,
)

__all__ = ["Packed", "Results", "Shared"]

T = TypeVar("T")
K = TypeVar("K")


class Packed(Mapping[K, "int | bool"]):
    """Names with values that do not change; states of the same names share one table of places.

    >>> state = Shared().packed({"pfn": 5, "ksm": False})
    >>> state["pfn"], list(state), state == {"pfn": 5, "ksm": False}
    (5, ['pfn', 'ksm'], True)
    """

    __slots__ = ("_places", "_values")

    def __init__(self, places: dict[K, int], values: tuple[int | bool, ...]) -> None:
        self._places = places
        self._values = values

    def __getitem__(self, key: K) -> int | bool:
        return self._values[self._places[key]]

    def __iter__(self) -> Iterator[K]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._values)


class Shared:
    """Makes results out of results; equal parts of all that it has made are one object."""

    def __init__(self) -> None:
        self._known: dict[tuple[type, object], object] = {}
        self._places: dict[tuple[object, ...], dict[object, int]] = {}
        self._states: dict[tuple[object, ...], Packed[object]] = {}

    def one(self, value: T) -> T:
        """The first value that was equal to this one."""
        return cast(T, self._known.setdefault((value.__class__, value), value))

    def result(self, result: Result, verdict: Verdict | None = None) -> Result:
        """The result; with this verdict, where one is given that was shared before."""
        o = result.obligation
        obligation = Obligation(
            self.one(o.group), *(self.one(getattr(o, f.name)) for f in fields(o)[1:])
        )
        return replace(result, obligation=obligation, verdict=verdict
                       or self.verdict(result.verdict),
                       solver=self.one(result.solver), assumptions=self.one(result.assumptions),
                       ways=self.one(result.ways))

    def verdict(self, verdict: Verdict) -> Verdict:
        """The verdict, with its moves shared."""
        match verdict:
            case Proved(inhabitant):
                return Proved(inhabitant and self.move(inhabitant))
            case Refuted(counterexample, inhabitant):
                return Refuted(self.counterexample(counterexample),
                               inhabitant and self.move(inhabitant))
            case Unknown(_, _, Counterexample() as counterexample):
                return replace(verdict, counterexample=self.counterexample(counterexample))
            case _:
                return verdict

    def counterexample(self, found: Counterexample) -> Counterexample:
        """The counterexample, with its moves shared."""
        return replace(found, move=self.move(found.move), trace=tuple(map(self.move, found.trace)),
                       leads_to=tuple(map(self.move, found.leads_to)))

    def move(self, move: Move) -> Move:
        """The step, with its names and states shared."""
        return Move(self.one(move.transition), move.event, self.one(move.roles), move.tracks_new,
                    self.packed(move.inputs), self.packed(move.before), self.packed(move.after))

    def packed(self, state: Mapping[K, int | bool]) -> Packed[K]:
        """The values without names of their own. A boolean is not taken for a number."""
        names = tuple(state)
        places = self._places.get(names)
        if places is None:
            places = self._places[names] = {self.one(name): place
                                            for place, name in enumerate(names)}
        values = tuple(state.values())
        key = (id(places), self.one(tuple(map(type, values))), values)
        return cast("Packed[K]", self._states.setdefault(key, Packed(places, values)))


class _Table(Generic[T]):
    """Values by number; equal ones have one."""

    def __init__(self) -> None:
        self._number: dict[T, int] = {}
        self._values: list[T] = []

    def place(self, value: T) -> int:
        """The value's number."""
        place = self._number.setdefault(value, len(self._values))
        if place == len(self._values):
            self._values.append(value)
        return place

    def __getitem__(self, place: int) -> T:
        return self._values[place]

    def __iter__(self) -> Iterator[T]:
        return iter(self._values)


# an obligation but for its group; a result but for its obligation, its verdict and its seconds
_Step: TypeAlias = tuple[str, tuple[str, ...], str, str, str, int]
_How: TypeAlias = tuple[str, bool, tuple[str, ...], tuple[str, ...]]
_Slice: TypeAlias = "slice[int | None, int | None, int | None]"


class Results(Sequence[Result]):
    """Results in columns of numbers, 24 bytes each: one is made when somebody wants to read it.

    A verdict is told apart from others by being another object: see Shared.
    """

    def __init__(self) -> None:
        self._groups: _Table[Group] = _Table()
        self._steps: _Table[_Step] = _Table()
        self._hows: _Table[_How] = _Table()
        self._verdicts: list[Verdict] = []
        self._columns = tuple(array("I") for _ in range(4))
        self.seconds = array("d")  # how long each took
        self._tallied: tuple[int, Counter[Alike]] = 0, Counter()

    def append(self, result: Result) -> None:
        """Add a result behind the others."""
        o = result.obligation
        if not self._verdicts or self._verdicts[-1] is not result.verdict:
            self._verdicts.append(result.verdict)
        step = (o.transition, o.catalogue, o.property, o.kind, o.says, o.width)
        how = (result.solver, result.cached, result.assumptions, result.ways)
        row = (self._groups.place(o.group), self._steps.place(step), len(self._verdicts) - 1,
               self._hows.place(how))
        for column, number in zip(self._columns, row, strict=True):
            column.append(number)
        self.seconds.append(result.seconds)

    def __len__(self) -> int:
        return len(self.seconds)

    @overload
    def __getitem__(self, row: int) -> Result: ...
    @overload
    def __getitem__(self, row: _Slice) -> tuple[Result, ...]: ...
    def __getitem__(self, row: int | _Slice) -> Result | tuple[Result, ...]:
        if isinstance(row, slice):
            return tuple(self[i] for i in range(*row.indices(len(self))))
        group, step, verdict, how = (column[row] for column in self._columns)
        return self._made(group, step, verdict, how, self.seconds[row])

    def __iter__(self) -> Iterator[Result]:
        return map(self._made, *self._columns, self.seconds)

    def _made(self, group: int, step: int, verdict: int, how: int, seconds: float) -> Result:
        obligation = Obligation(self._groups[group], *self._steps[step])
        return Result(obligation, self._verdicts[verdict], seconds, *self._hows[how])

    def tally(self) -> Counter[Alike]:
        """How many results of each kind there are: columns are counted, no result is made."""
        if self._tallied[0] == len(self):
            return self._tallied[1]
        groups, steps, verdicts, hows = self._columns
        names = [verdict_name(verdict) for verdict in self._verdicts]
        kinds = [step[3] for step in self._steps]
        found: Counter[Alike] = Counter()
        for (group, name, kind, how), number in Counter(zip(
                groups, map(names.__getitem__, verdicts), map(kinds.__getitem__, steps), hows,
                strict=True)).items():
            solver, cached, *_ = self._hows[how]
            found[Alike(self._groups[group], name, kind, solver, cached)] += number
        self._tallied = len(self), found
        return found

    def not_proved(self) -> Iterator[Result]:
        """The results that are not proved, in their order; no other is made."""
        failed = [not isinstance(verdict, Proved) for verdict in self._verdicts]
        rows = compress(range(len(self)), map(failed.__getitem__, self._columns[2]))
        return map(self.__getitem__, rows)

    def in_order(self) -> Results:
        """The results sorted by id.

        The ids of one variant, level and encoding are made at a time: all together take much
        memory.
        """
        groups, steps = self._columns[:2]
        found: dict[str, array[int]] = {}
        rows_of = [found.setdefault(f"{g.variant}/{g.level}/{g.encoding}/", array("I"))
                   for g in self._groups]
        for row, group in enumerate(groups):
            rows_of[group].append(row)
        codes = [g.code for g in self._groups]

        @cache
        def within(step: int, code: str) -> str:
            transition, _, prop, *_ = self._steps[step]
            return f"{transition}/{code}/{prop}"

        order = array("I")
        for _, rows in sorted(found.items()):
            order.extend(sorted(rows, key=lambda row: within(steps[row], codes[groups[row]])))
        one = Results()
        one._groups, one._steps, one._hows = self._groups, self._steps, self._hows
        one._verdicts = self._verdicts
        one._columns = tuple(array("I", map(column.__getitem__, order)) for column in self._columns)
        one.seconds = array("d", map(self.seconds.__getitem__, order))
        return one

