# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's helpers in the place of arch/'s, over any algebra.

`KernelHelpers` offers them to `prove`; `KernelAnswers` is the memory through which the evaluator
then calls. Where the kernel has no function, arch/'s stays, by name and with the reason. Where the
hardware may act within a helper, the kernel's own code says: a helper that is one step is lifted
undisturbed; of any other, the world's hardware acts before each event but the first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from verifier.kernel.conform.atomicity import RESTS_ON, Judge, rooms_of
from verifier.kernel.conform.helpers import LiftedBuild, Lifting, known_features
from verifier.kernel.conform.inputs import Free
from verifier.kernel.conform.model_side import pair
from verifier.kernel.conform.outcomes import MOST_ROUNDS
from verifier.kernel.llvm.undefined import Undefinedness
from verifier.kernel.llvm.values import AllOutside, NotModelled
from verifier.language.algebra import Algebra
from verifier.language.machine import LIFTED, Memory, Room
from verifier.language.syntax import BOOL, Function
from verifier.model.arch import Layout

__all__ = ["KernelAnswers", "KernelHelpers"]


class KernelAnswers(Memory[Any, Any]):
    """Results of calls, as the evaluator remembers them.

    A helper of the kernel's is lifted when it is first asked for.

    library  the lifted code; None: everything is arch/'s
    strict   NotModelled is raised where the kernel has no such helper; else arch/'s stands, and
             `stays` says why
    judge    says which helpers are one step; None: nobody acts within any
    met      call -> why C leaves open what it does, or why that is not modelled -> under which
             condition

    Only the kernel's answers are remembered, not what is computed from them: so `take` sees each
    use of one.
    """

    def __init__(
        self,
        library: LiftedBuild | None,
        layout: Layout,
        alg: Algebra[Any, Any],
        free: Free,
        strict: bool = True,
        features: Mapping[str, bool] | None = None,
    ) -> None:
        super().__init__()
        self.library = library
        self.layout = layout
        self.alg = alg
        self.free = free
        self.strict = strict
        self.met: dict[Any, dict[str, Any]] = {}
        self._asked: dict[str, dict[Any, Any]] = {}
        self.notes: dict[str, None] = {}
        self.lifted: dict[str, None] = {}
        self.stays: dict[str, str] = {}
        if features is None:
            features = {} if library is None else known_features(library, layout.variant.features)
        self._features = features
        self._pointed: dict[Any, tuple[Any, dict[str, Any], Any] | None] = {}
        self.outside: dict[str, None] = {}
        self.judge: Judge | None = None
        self.rooms: dict[str, None] = {}  # where the hardware may act within a helper, in words
        # may a way be taken? Asked where a loop does not end by itself
        self.feasible: Callable[[Any], bool] | None = None

    @property
    def undefined(self) -> list[Any]:
        """The conditions under which some answer is undefined or not modelled."""
        return [condition for reasons in self.met.values() for condition in reasons.values()]

    def __getitem__(self, key: Any) -> Any:
        value = super().__getitem__(key)
        self._ask(key)
        return value

    def _ask(self, key: Any) -> None:
        for reason, condition in self.met.get(key, {}).items():
            self._asked.setdefault(reason, {})[key] = condition

    def __setitem__(self, key: Any, value: Any) -> None:
        if self.library is None:
            super().__setitem__(key, value)

    def take(self) -> dict[str, Any]:
        """Why C leaves open what it does, or why that is not modelled -> under which condition.

        Only of the answers that were used since this was last asked.
        """
        found = {reason: self.alg.any(*calls.values()) for reason, calls in self._asked.items()}
        self._asked = {}
        return found

    def __missing__(self, key: tuple[Function, tuple[Any, ...]]) -> Any:
        function, args = key
        if self.library is None or not self._ours(function):
            raise KeyError(key)
        try:
            lifted, _ = self._lift(function, args)
            if (lifted.width or BOOL) != function.returns:
                raise NotModelled(f"{function.name} has a result of another width in the kernel")
        except NotModelled as error:
            if self.strict:
                raise
            self._stay(function, str(error))
            raise KeyError(key) from None
        self._record(key, function, lifted, (*lifted.undefined, *lifted.outside))
        super().__setitem__(key, lifted.result)
        return lifted.result

    def by_reference(
        self, function: Function, args: tuple[Any, ...], room: Room[Any, Any]
    ) -> tuple[Any, dict[str, Any], Any] | None:
        """A helper on pointers to entries."""
        if self.library is None or not self._ours(function):
            return None
        if function.name in self.stays:
            self._stay(function, self.stays[function.name])
            return None
        if self.judge is not None:
            self.notes |= dict.fromkeys(RESTS_ON)
        if self.lets_hardware_in(function):
            return self._disturbed(function, args, room)
        key = (function, args)
        if key not in self._pointed:
            try:
                lifted, names = self._lift(function, args)
            except AllOutside as outside:
                if self.strict:
                    raise
                self._beyond(function, str(outside))
                self._pointed[key] = None
                return None
            except NotModelled as error:
                if self.strict:
                    raise
                self._stay(function, str(error))
                return None
            self._pointed[key] = self._pointed_at(key, function, lifted, names)
        self._ask(key)
        return self._pointed[key]

    def lets_hardware_in(self, function: Function) -> bool:
        """May the hardware act within the kernel's helper that stands for this one?

        It may, unless that helper is proved to be one step.
        """
        return (
            self.judge is not None and self._ours(function) and not self.judge.is_one_step(function)
        )

    def _disturbed(
        self, function: Function, args: tuple[Any, ...], room: Room[Any, Any]
    ) -> tuple[Any, dict[str, Any], Any] | None:
        """A helper that is not one step, lifted for this call, with the hardware let in between its
        events.
        """
        key = (function, args, room.place)
        try:
            lifted, names = self._lift(function, args, room)
        except AllOutside as outside:
            room.undo()
            if self.strict:
                raise
            self._beyond(function, str(outside))
            return None
        except NotModelled as error:
            room.undo()
            if self.strict:
                raise
            self._stay(function, str(error))
            return None
        self.rooms |= dict.fromkeys(
            f"the hardware may act in {function.name} {where}"
            for where in rooms_of(lifted.accesses)
        )
        found = self._pointed_at(key, function, lifted, names)
        self._ask(key)
        return found

    def _beyond(self, function: Function, why: str) -> None:
        """All of a call is out of scope: arch/'s stands for it, as where a condition decides."""
        self.outside[f"{function.name} is arch/'s for {why}"] = None

    def _pointed_at(
        self, key: Any, function: Function, lifted: Lifting, names: Mapping[str, str]
    ) -> tuple[Any, dict[str, Any], Any]:
        self._record(key, function, lifted, lifted.undefined)
        unless = [u for u in lifted.outside if self.alg.known(u.condition) is not False]
        self.outside |= dict.fromkeys(f"{function.name} is arch/'s for {u.reason}" for u in unless)
        entries = {names[k]: v for k, v in lifted.entries.items()}
        return lifted.result, entries, self.alg.any(*(u.condition for u in unless))

    def says(self) -> tuple[str, ...]:
        """How many helpers are the kernel's, which are not, and what the lifted ones rest on."""
        return (
            f"{len(self.lifted)} helpers are the kernel's",
            *(f"{n} is arch/'s: {why}" for n, why in sorted(self.stays.items())),
            *self.outside,
            *self.rooms,
            *(f"rests on: {note}" for note in self.notes),
        )

    def _ours(self, function: Function) -> bool:
        """Is this arch/'s helper of that name, and not something of specs/ that is called like one?
        """
        return self.layout.function(function.name) is function

    def _stay(self, function: Function, why: str) -> None:
        """arch/'s helper stands.

        That settles nothing, unless no kernel has such a helper: another name may be hidden in it,
        or a bug.
        """
        self.stays[function.name] = why
        assert self.library is not None
        if function.name not in self.library.listed or self.layout.text(function.name).own:
            return
        self._asked.setdefault(f"{function.name} is arch/'s: {why}", {})[function] = self.alg.truth(
            True
        )

    def _lift(
        self, function: Function, args: tuple[Any, ...], room: Room[Any, Any] | None = None
    ) -> tuple[Lifting, Mapping[str, str]]:
        assert self.library is not None
        shape = self.library.shapes.get(function.name)
        if shape is None:
            raise NotModelled(f"this kernel has no {function.name}")
        pairs = pair(self.library, shape, function)
        given = dict(zip([p.name for p in function.params], args, strict=True))
        words, names = {p.wrapper: given[p.model] for p in pairs}, {
            p.wrapper: p.model for p in pairs
        }
        if room is not None:
            lifted = self.library.lift(
                shape,
                self.alg,
                self.free,
                words,
                self._features,
                self.feasible,
                most_rounds=MOST_ROUNDS,
                acting=lambda name, place, entry, where: room.act(names[name], entry, where, place),
            )
        elif self.feasible is None:
            lifted = self.library.lift(shape, self.alg, self.free, words, self._features)
        else:
            lifted = self.library.lift_to_the_end(
                shape, self.alg, self.free, words, self._features, self.feasible
            )
        return lifted, names

    def _record(
        self, key: Any, function: Function, lifted: Lifting, unsettled: tuple[Undefinedness, ...]
    ) -> None:
        for u in unsettled:
            if self.alg.known(u.condition) is not False:
                reasons, reason = self.met.setdefault(key, {}), f"{function.name}: {u.reason}"
                reasons[reason] = self.alg.any(
                    u.condition, reasons.get(reason, self.alg.truth(False))
                )
        self.notes |= dict.fromkeys(lifted.notes)
        self.lifted[function.name] = None


class _Fresh:
    """Free names of the lifted code as inputs of a run, kept apart from the state's."""

    def __init__(self, fresh: Callable[[str, int], Any]) -> None:
        self.fresh = fresh

    def input_word(self, name: str, width: int) -> Any:
        return self.fresh(LIFTED + name, width)

    def input_bool(self, name: str) -> Any:
        return self.fresh(LIFTED + name, BOOL)


class KernelHelpers:
    """A `Substitute`: the lifted helpers of one tree, by variant."""

    def __init__(
        self,
        libraries: Mapping[str, LiftedBuild],
        version: str,
        levels: Mapping[str, Callable[[str], str]],
    ) -> None:
        self.libraries = libraries
        self.version = version
        self.levels = levels
        self._judges: dict[str, Judge] = {}
        self._features: dict[str, dict[str, bool]] = {}

    def features(self, layout: Layout) -> dict[str, bool]:
        """What the variant's features are in the lifted code."""
        name = layout.variant.name
        if name not in self._features:
            self._features[name] = known_features(self.libraries[name], layout.variant.features)
        return self._features[name]

    def judge(self, layout: Layout) -> Judge:
        """Who says which helpers of a variant are one step."""
        name, library = layout.variant.name, self.libraries[layout.variant.name]
        if name not in self._judges:
            self._judges[name] = Judge(library, layout, self.features(layout), self.levels)
        return self._judges[name]

    def stands_for(self, layout: Layout) -> str:
        """Empty, or why the kernel's helpers do not stand for this layout."""
        if layout.overlay is not None:
            return f"its overlay {layout.overlay} changes helpers, which the kernel has not got"
        if layout.variant.name not in self.libraries:
            return f"no kernel build stands for {layout.variant.name}"
        return ""

    def memory(
        self, layout: Layout, alg: Algebra[Any, Any], fresh: Callable[[str, int], Any]
    ) -> KernelAnswers:
        """The memory through which the evaluator calls a variant's helpers, with free words from
        `fresh`.
        """
        library = self.libraries[layout.variant.name]
        found = KernelAnswers(
            library, layout, alg, _Fresh(fresh), strict=False, features=self.features(layout)
        )
        found.judge = self.judge(layout)
        return found
