# SPDX-License-Identifier: GPL-2.0-or-later
"""Where others may act on an entry while a helper runs: before each event of its code but the
first.

An event is one access to the entry: a load or a store, an atomicrmw or a cmpxchg, or an assembly
statement that is one step. What comes before the first event, and after the last, is the caller's:
it lies between steps, not within one.

A window has a name by its place (calls, block, instruction, rounds of loops, and which access of
the instruction), never by a counter. So whoever walks the same code, with terms or with numbers,
means the same window by the same name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from verifier.kernel.llvm.context import Context
from verifier.kernel.llvm.lines import Line
from verifier.kernel.llvm.objects import Object
from verifier.kernel.llvm.values import Address, LiftedWord, NotModelled
from verifier.kernel.llvm.ways import WayState

__all__ = ["Access", "Acting", "Windows"]

# parameter, name of the window, the entry, and the condition of being there -> the entry after
# others have acted
Acting: TypeAlias = Callable[[str, str, Any, Any], Any]


@dataclass(frozen=True, slots=True)
class Access:
    """An event of the code on an entry.

    name   of the window before it
    lines  where it is written, the innermost first
    plain  a load or store that is neither volatile nor atomic: another compiler may tear, merge or
           repeat it
    part   of the entry only
    inner  others may act before it: it is not the first event on every way
    """

    name: str
    lines: tuple[Line, ...]
    plain: bool
    part: bool
    inner: bool


@dataclass(slots=True)
class Windows:
    """Lets others act during one walk.

    `turned`: words of memory are the entry's with their bytes in the other order.
    """

    act: Acting
    entries: Mapping[Object, str]  # what is behind a pointer -> the parameter that points there
    turned: Callable[[Any, int], Any] | None = None
    met: dict[str, Access] = field(default_factory=dict)
    # the condition under which there was an event before
    _begun: dict[Object, Any] = field(default_factory=dict)
    _one: bool = False  # within something that is one event
    _done: bool = False  # and that event has been met
    _last: str = ""
    _count: int = 0

    @contextmanager
    def one_event(self) -> Iterator[None]:
        """What is accessed within is one event."""
        before = self._one, self._done
        self._one, self._done = True, self._one and self._done
        try:
            yield
        finally:
            self._one, self._done = before

    def before(self, l: Context, address: Address, size: int, state: WayState) -> None:
        """An access begins.

        Others act on what it may be about, unless it belongs to an event that has begun.
        """
        objects = [
            c.base
            for c in address.cases
            if isinstance(c.base, Object)
            and c.base in self.entries
            and not (
                c.offset.number is not None and c.offset.number >= (c.base.size or c.base.align)
            )
        ]
        if not objects or (self._one and self._done):
            return
        self._done = True
        name, plain = self._named(l), l.plain_access() and not self._one
        for obj in objects:
            self._window(l, obj, state, name, plain, size)

    def _named(self, l: Context) -> str:
        place = l.place()
        self._count = self._count + 1 if place == self._last else 0
        self._last = place
        return f"{place}.{self._count}" if self._count else place

    def _window(
        self, l: Context, obj: Object, state: WayState, name: str, plain: bool, size: int
    ) -> None:
        alg, here = l.alg, l.paths.condition(state.path)
        begun = self._begun.get(obj)
        self._begun[obj] = here if begun is None else alg.any(begun, here)
        # Before a way's first event lies the caller, not the helper. So others act only where this
        # way had an event before, which may depend on a branch.
        when = alg.truth(False) if begun is None else alg.all(here, begun)
        inner = alg.known(when) is not False
        self.met[name] = Access(name, l.lines(), plain, size < (obj.size or obj.align), inner)
        if not inner:
            return
        old = self._read(l, obj, state)
        new = self.act(self.entries[obj], name, old, when)
        # Under `begun`, not `when`: the state is that of this way, which is taken where it is read.
        if new is not old:
            self._write(
                l,
                obj,
                state,
                (
                    new
                    if alg.known(begun) is True
                    else alg.ite(begun, new, old, 8 * (obj.size or obj.align))
                ),
            )

    def _read(self, l: Context, obj: Object, state: WayState) -> Any:
        size = obj.size or obj.align
        found = l.memory.read(state.memory.get(obj, {}), obj, 0, size)
        if not isinstance(found, LiftedWord):
            raise NotModelled("what is written to an entry is no word")
        l.undefine(state, found.poison, "the entry is poison")
        return self.turned(found.term, size) if self.turned else found.term

    def _write(self, l: Context, obj: Object, state: WayState, term: Any) -> None:
        size = obj.size or obj.align
        term = self.turned(term, size) if self.turned else term
        word = LiftedWord(
            8 * size,
            term,
            (
                term
                if isinstance(term, int) and not isinstance(term, bool) and l.numbers_are_known()
                else None
            ),
        )
        state.memory[obj] = l.memory.write(state.memory.get(obj, {}), obj, 0, size, word)
