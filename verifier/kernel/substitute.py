# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's helpers in the place of arch/'s, over any algebra.

`KernelHelpers` offers them to `prove`; `KernelAnswers` is the memory through which the evaluator then calls. What the
kernel has no function for, or what arch/ lets the hardware into, stays arch/'s, by name and with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from verifier.algebra import Algebra
from verifier.arch import Layout
from verifier.kernel.helpers import Library, Lifting, known_features
from verifier.kernel.inputs import Free
from verifier.kernel.model_side import pair
from verifier.kernel.undefined import Undefinedness
from verifier.kernel.values import Incomplete
from verifier.machine import Memory
from verifier.syntax import BOOL, Call, Function, Hardware, Stmt

__all__ = ["KernelAnswers", "KernelHelpers", "lets_hardware_in"]


def lets_hardware_in(body: tuple[Stmt, ...]) -> bool:
    """Does a body name a point at which the hardware may act, or call what does?"""
    return any(_lets_in(statement) for statement in body)


def _lets_in(node: object) -> bool:
    if isinstance(node, Hardware):
        return True
    if isinstance(node, Call):
        return lets_hardware_in(node.function.body) or any(_lets_in(a) for a in node.args)
    if isinstance(node, tuple):
        return any(_lets_in(part) for part in node)
    return is_dataclass(node) and any(_lets_in(getattr(node, f.name)) for f in fields(node))


class KernelAnswers(Memory):
    """Results of calls, as the evaluator remembers them; those of the kernel's helpers are lifted when they are first asked for.

    library  the lifted code; None: everything is arch/'s
    strict   Incomplete is raised where the kernel has no such helper; else arch/'s stands, and `stays` says why
    met      call -> the condition under which C leaves open what it does, or under which it is not modelled

    Only the kernel's answers are remembered, not what is computed from them: each use of one is so seen by `take`.
    """

    def __init__(self, library: Library | None, layout: Layout, alg: Algebra[Any, Any], free: Free, strict: bool = True) -> None:
        super().__init__()
        self.library = library
        self.layout = layout
        self.alg = alg
        self.free = free
        self.strict = strict
        self.met: dict[Any, Any] = {}
        self._asked: dict[Any, Any] = {}
        self.notes: dict[str, None] = {}
        self.lifted: dict[str, None] = {}
        self.stays: dict[str, str] = {}
        self._features = {} if library is None else known_features(library, layout.variant.features)
        self._pointed: dict[Any, tuple[Any, dict[str, Any], Any]] = {}
        self.outside: dict[str, None] = {}
        self.feasible: Callable[[Any], bool] | None = None  # may a way be taken? Asked where a loop does not end by itself

    @property
    def undefined(self) -> list[Any]:
        return list(self.met.values())

    def __getitem__(self, key: Any) -> Any:
        value = super().__getitem__(key)
        if key in self.met:
            self._asked[key] = self.met[key]
        return value

    def __setitem__(self, key: Any, value: Any) -> None:
        if self.library is None:
            super().__setitem__(key, value)

    def take(self) -> tuple[Any, ...]:
        found = tuple(self._asked.values())
        self._asked = {}
        return found

    def __missing__(self, key: tuple[Function, tuple[Any, ...]]) -> Any:
        function, args = key
        if self.library is None or not self._ours(function):
            raise KeyError(key)
        try:
            lifted, _ = self._lift(function, args)
            if (lifted.width or BOOL) != function.returns:
                raise Incomplete(f"{function.name} has a result of another width in the kernel")
        except Incomplete as error:
            if self.strict:
                raise
            self.stays[function.name] = str(error)
            raise KeyError(key) from None
        self._record(key, function, lifted, (*lifted.undefined, *lifted.outside))
        super().__setitem__(key, lifted.result)
        return lifted.result

    def by_reference(self, function: Function, args: tuple[Any, ...]) -> tuple[Any, dict[str, Any], Any] | None:
        """A helper on pointers to entries, unless arch/ lets the hardware in, which C's text does not show."""
        if self.library is None or not self._ours(function) or function.name in self.stays:
            return None
        if lets_hardware_in(function.body) and not self.strict:
            self.stays[function.name] = "the hardware may act within it"
            return None
        key = (function, args)
        if key not in self._pointed:
            try:
                lifted, names = self._lift(function, args)
            except Incomplete as error:
                if self.strict:
                    raise
                self.stays[function.name] = str(error)
                return None
            self._record(key, function, lifted, lifted.undefined)
            unless = [u for u in lifted.outside if self.alg.known(u.condition) is not False]
            self.outside |= dict.fromkeys(f"{function.name} is arch/'s for {u.reason}" for u in unless)
            entries = {names[k]: v for k, v in lifted.entries.items()}
            self._pointed[key] = lifted.result, entries, self.alg.any(*(u.condition for u in unless))
        if key in self.met:
            self._asked[key] = self.met[key]
        return self._pointed[key]

    def says(self) -> tuple[str, ...]:
        """How many helpers are the kernel's, those that are not, and what the lifted ones rest on."""
        return (f"{len(self.lifted)} helpers are the kernel's", *(f"{n} is arch/'s: {why}" for n, why in sorted(self.stays.items())),
                *self.outside, *(f"rests on: {note}" for note in self.notes))

    def _ours(self, function: Function) -> bool:
        """Is this the helper of arch/ of that name, and not something of specs/ that is called like one?"""
        return self.layout.function(function.name) is function

    def _lift(self, function: Function, args: tuple[Any, ...]) -> tuple[Lifting, Mapping[str, str]]:
        assert self.library is not None
        shape = self.library.shapes.get(function.name)
        if shape is None:
            raise Incomplete(f"this kernel has no {function.name}")
        pairs = pair(self.library, shape, function)
        given = dict(zip([p.name for p in function.params], args, strict=True))
        words = {p.wrapper: given[p.model] for p in pairs}
        if self.feasible is None:
            return self.library.lift(shape, self.alg, self.free, words, self._features), {p.wrapper: p.model for p in pairs}
        lifted = self.library.lift_to_the_end(shape, self.alg, self.free, words, self._features, self.feasible)
        return lifted, {p.wrapper: p.model for p in pairs}

    def _record(self, key: Any, function: Function, lifted: Lifting, unsettled: tuple[Undefinedness, ...]) -> None:
        conditions = [u.condition for u in unsettled if self.alg.known(u.condition) is not False]
        if conditions:
            self.met[key] = self.alg.any(*conditions)
        self.notes |= dict.fromkeys(lifted.notes)
        self.lifted[function.name] = None


class _Fresh:
    """Free names of the lifted code as inputs of a run, kept apart from the state's."""

    def __init__(self, fresh: Callable[[str, int], Any]) -> None:
        self.fresh = fresh

    def input_word(self, name: str, width: int) -> Any:
        return self.fresh(f"kernel {name}", width)

    def input_bool(self, name: str) -> Any:
        return self.fresh(f"kernel {name}", BOOL)


class KernelHelpers:
    """A `Substitute`: the lifted helpers of one tree, by variant."""

    def __init__(self, libraries: Mapping[str, Library], version: str) -> None:
        self.libraries = libraries
        self.version = version

    def stands_for(self, layout: Layout) -> str:
        """Empty, or why the kernel's helpers do not stand for this layout."""
        if layout.overlay is not None:
            return f"its overlay {layout.overlay} changes helpers, which the kernel has not got"
        if layout.variant.name not in self.libraries:
            return f"no kernel build stands for {layout.variant.name}"
        return ""

    def memory(self, layout: Layout, alg: Algebra[Any, Any], fresh: Callable[[str, int], Any]) -> KernelAnswers:
        return KernelAnswers(self.libraries[layout.variant.name], layout, alg, _Fresh(fresh), strict=False)
