# SPDX-License-Identifier: GPL-2.0-or-later
"""What a helper comes to while the hardware acts: the entry, the result, and whether a user's store
happened.

Each event of the variant's hardware is let in before the helper, after it, and where its text
leaves room: in C between its events (`windows`), in arch/'s text at `hardware()`. Whether it
happens there is a choice, by a name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from verifier.kernel.conform.helpers import LiftedBuild, Lifting
from verifier.kernel.conform.inputs import Free
from verifier.kernel.conform.model_side import Pairing
from verifier.kernel.llvm.values import NotModelled
from verifier.kernel.llvm.windows import Access
from verifier.kernel.tree.shapes import Shape
from verifier.language.algebra import Algebra, Integers
from verifier.language.evaluate import call, evaluated
from verifier.language.machine import Machine
from verifier.language.syntax import NOTHING, Function
from verifier.model.arch import Layout

__all__ = [
    "AFTER",
    "BEFORE",
    "ArchSide",
    "Choose",
    "Happening",
    "KernelSide",
    "Outcome",
    "Side",
    "all_outcomes",
    "happenings",
    "same",
]

BEFORE, AFTER = "before it", "after it"
MOST_ROUNDS = (
    # of one loop: hardware that acts between makes a compare-and-swap loop go around as often as an
    # entry can change
    24
)
MOST_WAYS = 20_000  # of choices, with numbers

Choose: TypeAlias = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Happening:
    """A hardware event on the entries of one level.

    It says when it may happen, what the entry is after it, and whether a user's store lands.
    """

    name: str
    when: Function
    after: Function
    stores: bool


def happenings(layout: Layout, level: str, named: Callable[[str], str]) -> tuple[Happening, ...]:
    """The events of a variant; none where one CPU runs the kernel's code, and nobody else beside
    it.

    SpecError as of `Layout.event`.
    """
    if layout.variant.one_cpu:
        return ()
    found = [layout.event(name, named, level) for name in layout.variant.hardware]
    return tuple(Happening(event.name, when, after, event.stores) for event, when, after in found)


class ChosenEvents:
    """Lets the chosen events happen, each once at each point, in arch/'s order; and notes which
    did.
    """

    def __init__(
        self, alg: Algebra[Any, Any], events: Sequence[Happening], width: int, choose: Choose
    ) -> None:
        self.alg, self.events, self.width, self.choose = alg, events, width, choose
        self.machine = Machine(alg)
        self.stored: Any = alg.truth(False)
        # event, place: with numbers, what did happen; with terms, what may
        self.happened: list[tuple[str, str]] = []

    def act(self, place: str, entry: Any, where: Any) -> Any:
        """The entry after the hardware may have acted at a place, which is reached under a
        condition.
        """
        alg = self.alg
        for event in self.events:
            may = call(self.machine, event.when, (entry,))
            after = call(self.machine, event.after, (entry,))
            if alg.known(may) is False or self._idle(event, entry, after):
                continue
            occurs = alg.all(may, self.choose(f"{event.name} {place}"))
            if alg.known(occurs) is False:
                continue
            self.happened.append((event.name, place))
            entry = alg.ite(occurs, after, entry, self.width)
            if event.stores:
                self.stored = alg.any(self.stored, alg.all(where, occurs))
        return entry

    def _idle(self, event: Happening, entry: Any, after: Any) -> bool:
        """Would the event, with numbers, change nothing at all?"""
        return (
            isinstance(self.alg, Integers)
            and entry == after
            and (not event.stores or self.stored is True)
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run comes to.

    entry, result  words or truths; `width` of the result, 0 for a truth, None for none
    stored         a user's store happened
    within         what was met is modelled, and defined
    undefined      the reasons and conditions under which it is not, but for what is out of scope
    happened       events and places, as `Hardware` has them
    """

    entry: Any
    result: Any
    width: int | None
    stored: Any
    within: Any
    undefined: tuple[tuple[str, Any], ...] = ()
    happened: tuple[tuple[str, str], ...] = ()
    accesses: tuple[Access, ...] = ()


class Side(Protocol):
    """Whoever has outcomes, over any algebra."""

    def outcome(
        self, alg: Algebra[Any, Any], free: Free, args: Mapping[str, Any], choose: Choose
    ) -> Outcome:
        """What the side comes to on these arguments, under these choices."""


@dataclass(frozen=True, slots=True)
class KernelSide:
    """The kernel's helper. Not `inner`: nobody acts within it, only before and after."""

    library: LiftedBuild
    shape: Shape
    features: Mapping[str, bool]
    events: tuple[Happening, ...]
    entry: Pairing
    inner: bool
    feasible: Callable[[Any], bool]
    free_loads: bool = False

    def outcome(
        self, alg: Algebra[Any, Any], free: Free, args: Mapping[str, Any], choose: Choose
    ) -> Outcome:
        hardware = ChosenEvents(alg, self.events, self.entry.width, choose)
        name = self.entry.wrapper
        given = {**args, name: hardware.act(BEFORE, args[name], alg.truth(True))}
        lifted = self._lift(alg, free, given, hardware)
        left = hardware.act(AFTER, lifted.entries[name], alg.truth(True))
        inside = alg.all(*[alg.neg(u.condition) for u in lifted.outside])
        undefined = tuple((u.reason, alg.all(inside, u.condition)) for u in lifted.undefined)
        within = alg.all(inside, *[alg.neg(condition) for _, condition in undefined])
        return Outcome(
            left,
            lifted.result,
            lifted.width,
            hardware.stored,
            within,
            undefined,
            tuple(hardware.happened),
            lifted.accesses,
        )

    def _lift(
        self, alg: Algebra[Any, Any], free: Free, args: Mapping[str, Any], hardware: ChosenEvents
    ) -> Lifting:
        plain = isinstance(alg, Integers)
        if self.inner:
            return self.library.lift(
                self.shape,
                alg,
                free,
                args,
                self.features,
                None if plain else self.feasible,
                self.free_loads,
                lambda _, place, entry, where: hardware.act(place, entry, where),
                MOST_ROUNDS,
            )
        if plain:
            return self.library.lift(
                self.shape, alg, free, args, self.features, free_loads=self.free_loads
            )
        return self.library.lift_to_the_end(
            self.shape, alg, free, args, self.features, self.feasible, self.free_loads
        )


class _Disturbed(Machine[Any, Any]):
    """Evaluates arch/'s text, with the hardware let in where it says so."""

    def __init__(self, alg: Algebra[Any, Any], acting: ChosenEvents) -> None:
        super().__init__(alg)
        self.acting = acting

    def hardware(self, process: Any, entry: Any, label: str) -> Any:
        return self.acting.act(label, entry, self.path)


@dataclass(frozen=True, slots=True)
class ArchSide:
    """The helper of arch/."""

    function: Function
    pairs: Sequence[Pairing]
    events: tuple[Happening, ...]
    entry: Pairing

    def outcome(
        self, alg: Algebra[Any, Any], free: Free, args: Mapping[str, Any], choose: Choose
    ) -> Outcome:
        hardware = ChosenEvents(alg, self.events, self.entry.width, choose)
        values = {p.model: args[p.wrapper] for p in self.pairs}
        values[self.entry.model] = hardware.act(BEFORE, values[self.entry.model], alg.truth(True))
        result, after = evaluated(_Disturbed(alg, hardware), self.function, values)
        left = hardware.act(AFTER, after[self.entry.model], alg.truth(True))
        width = (
            None
            if result is None or self.function.returns == NOTHING
            else max(self.function.returns, 0)
        )
        return Outcome(
            left, result, width, hardware.stored, alg.truth(True), happened=tuple(hardware.happened)
        )


def same(alg: Algebra[Any, Any], width: int, one: Outcome, two: Outcome) -> Any:
    """The condition under which two runs come to the same.

    A result that one of them does not have is not compared.
    """
    found = [alg.eq(one.entry, two.entry, width), alg.same(one.stored, two.stored)]
    if one.width is not None and two.width is not None:
        if one.width != two.width:
            raise NotModelled("the results have different widths")
        found.append(
            alg.eq(one.result, two.result, one.width)
            if one.width
            else alg.same(one.result, two.result)
        )
    return alg.all(*found)


def all_outcomes(side: Side, free: Free, args: Mapping[str, Any]) -> Iterator[Outcome]:
    """With numbers: what the side comes to, by every choice that makes a difference.

    NotModelled where there are too many.
    """
    alg, script = Integers(), list[bool]()
    for _ in range(MOST_WAYS):
        taken: list[bool] = []

        def choose(name: str, taken: list[bool] = taken, script: list[bool] = script) -> bool:
            taken.append(script[len(taken)] if len(taken) < len(script) else False)
            return taken[-1]

        yield side.outcome(alg, free, args, choose)
        while taken and taken[-1]:
            taken.pop()
        if not taken:
            return
        script = [*taken[:-1], True]
    raise NotModelled("there are too many choices to try them all")
