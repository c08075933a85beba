# SPDX-License-Identifier: GPL-2.0-or-later
"""What a value of the intermediate representation is while it is lifted: words, truths, addresses,
groups of them.

Each carries the condition under which it is *poison*. That is LLVM's name for a result that means
nothing: an overflow that was promised not to happen, a shift that is too wide, something never
written. None stands for never. A word knows its number where it is constant, so that loops over
constants end under every algebra.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from verifier.language.algebra import Algebra

__all__ = [
    "ENDLESS",
    "Address",
    "AllOutside",
    "Case",
    "EndlessLoop",
    "ValueGroup",
    "NotModelled",
    "NeverReturns",
    "Truth",
    "Value",
    "Values",
    "LiftedWord",
]


class NotModelled(Exception):
    """Something was met that is not modelled; whatever rests on it is unknown.

    The text says what.
    """


ENDLESS = "does not end within"


class EndlessLoop(NotModelled):
    """A loop whose end is not seen without a solver; its text has ENDLESS."""


class NeverReturns(NotModelled):
    """A function returns on no way: it stops the kernel, is undefined, or is out of scope."""


class AllOutside(NeverReturns):
    """A function returns on no way, and on each for the one reason that it is out of scope there.
    """


@dataclass(frozen=True, slots=True, eq=False)
class LiftedWord:
    """A word of `width` bits: the algebra's term, and the number where it is constant."""

    width: int
    term: Any
    number: int | None = None
    poison: Any = None


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """A value of type i1."""

    term: Any
    poison: Any = None


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """Where an address points under a condition: an object (None: the plain number) and an offset
    in bytes.
    """

    when: Any
    base: Any
    offset: LiftedWord


@dataclass(frozen=True, slots=True, eq=False)
class Address:
    """A pointer, or a word made from one: one case holds. `width` is that of an address in bits."""

    cases: tuple[Case, ...]
    width: int
    poison: Any = None


@dataclass(frozen=True, slots=True, eq=False)
class ValueGroup:
    """A struct or an array as a value."""

    parts: tuple[Value, ...]


Value: TypeAlias = LiftedWord | Truth | Address | ValueGroup


class Values:
    """Makes and merges values over one algebra."""

    def __init__(self, alg: Algebra[Any, Any]) -> None:
        self.alg = alg
        self.yes = alg.truth(True)
        self.no = alg.truth(False)

    def word(self, number: int, width: int) -> LiftedWord:
        """A constant of so many bits, which knows its number."""
        number &= (1 << width) - 1
        return LiftedWord(width, self.alg.word(number, width), number)

    def truth(self, value: bool) -> Truth:
        """A constant truth."""
        return Truth(self.yes if value else self.no)

    def poison_word(self, width: int) -> LiftedWord:
        """A word of so many bits that must not be used."""
        return LiftedWord(width, self.alg.word(0, width), 0, self.yes)

    def either(self, *conditions: Any) -> Any:
        """Any of these conditions, None being never."""
        kept = [c for c in conditions if c is not None and self.alg.known(c) is not False]
        if not kept:
            return None
        return kept[0] if len(kept) == 1 else self.alg.any(*kept)

    def both(self, condition: Any, other: Any) -> Any:
        """condition and other, where None for `condition` is never."""
        if condition is None:
            return None
        found = self.alg.all(condition, other)
        return None if self.alg.known(found) is False else found

    def with_poison(self, value: Value, *conditions: Any) -> Value:
        """The value, poison under these conditions too."""
        extra = self.either(*conditions)
        if extra is None:
            return value
        match value:
            case LiftedWord(width, term, _, poison):
                return LiftedWord(width, term, None, self.either(poison, extra))
            case Truth(term, poison):
                return Truth(term, self.either(poison, extra))
            case Address(cases, width, poison):
                return Address(cases, width, self.either(poison, extra))
            case ValueGroup(parts):
                return ValueGroup(tuple(self.with_poison(p, extra) for p in parts))

    def poison(self, value: Value) -> Any:
        """The condition under which any part of the value is poison; None is never."""
        if isinstance(value, ValueGroup):
            return self.either(*(self.poison(p) for p in value.parts))
        return value.poison

    def clean(self, value: Value) -> Value:
        """The value without its poison."""
        match value:
            case LiftedWord(width, term, number, poison):
                return value if poison is None else LiftedWord(width, term, number)
            case Truth(term, poison):
                return value if poison is None else Truth(term)
            case Address(cases, width, poison):
                return value if poison is None else Address(cases, width)
            case ValueGroup(parts):
                return ValueGroup(tuple(self.clean(p) for p in parts))

    def address(self, base: Any, offset: LiftedWord, width: int) -> Address:
        """The address of an object (None: a plain number) at an offset in bytes, of so many bits.
        """
        return Address((Case(self.yes, base, offset),), width)

    def as_address(self, value: Value, width: int) -> Address:
        """A word as the address of that number."""
        if isinstance(value, Address):
            return value
        if isinstance(value, LiftedWord) and value.width == width:
            return Address(
                (Case(self.yes, None, LiftedWord(width, value.term, value.number)),),
                width,
                value.poison,
            )
        raise NotModelled("something other than an address is used as one")

    def as_word(self, value: Value) -> LiftedWord:
        """The number of an address that is not within an object.

        NotModelled where it is within one: objects lie nowhere in particular.
        """
        if isinstance(value, LiftedWord):
            return value
        if isinstance(value, Address) and all(c.base is None for c in value.cases):
            word = value.cases[-1].offset
            for case in value.cases[:-1]:
                word = self._word(case.when, case.offset, word)
            return LiftedWord(word.width, word.term, word.number, value.poison)
        raise NotModelled("the address of an object is used as a number")

    def choose(self, c: Any, a: Value, b: Value) -> Value:
        """a where c holds, else b."""
        known = self.alg.known(c)
        if a is b or known is True:
            return a
        if known is False:
            return b
        match a, b:
            case LiftedWord(), LiftedWord() if a.width == b.width:
                return self._word(c, a, b)
            case Truth(), Truth():
                return Truth(
                    self.alg.choose(c, a.term, b.term), self._poison(c, a.poison, b.poison)
                )
            case ValueGroup(), ValueGroup() if len(a.parts) == len(b.parts):
                return ValueGroup(
                    tuple(self.choose(c, x, y) for x, y in zip(a.parts, b.parts, strict=True))
                )
            case (Address(), _) | (_, Address()):
                width = (
                    a.width if isinstance(a, Address) else b.width if isinstance(b, Address) else 0
                )
                return self._address(c, self.as_address(a, width), self.as_address(b, width))
        raise NotModelled("values of two kinds meet")

    def _poison(self, c: Any, a: Any, b: Any) -> Any:
        if a is None and b is None:
            return None
        return self.either(self.both(a, c), self.both(b, self.alg.neg(c)))

    def _word(self, c: Any, a: LiftedWord, b: LiftedWord) -> LiftedWord:
        poison = self._poison(c, a.poison, b.poison)
        if (a.number is not None and a.number == b.number) or a.term is b.term:
            return LiftedWord(a.width, a.term, a.number, poison)
        return LiftedWord(a.width, self.alg.ite(c, a.term, b.term, a.width), None, poison)

    def _address(self, c: Any, a: Address, b: Address) -> Address:
        """The cases of both, those of one object and one offset drawn together."""
        poison = self._poison(c, a.poison, b.poison)
        cases: list[Case] = []
        other = self.alg.neg(c)
        for when, address in ((c, a), (other, b)):
            for case in address.cases:
                under = self.alg.all(when, case.when)
                if self.alg.known(under) is not False:
                    self._add_case(cases, Case(under, case.base, case.offset))
        if len(cases) == 1:
            cases = [Case(self.yes, cases[0].base, cases[0].offset)]
        return Address(tuple(cases), a.width, poison)

    def _add_case(self, cases: list[Case], new: Case) -> None:
        for number, old in enumerate(cases):
            if old.base is not new.base:
                continue
            same = old.offset is new.offset or (
                old.offset.number is not None and old.offset.number == new.offset.number
            )
            if same or new.base is None:
                when = self.alg.any(old.when, new.when)
                cases[number] = Case(
                    when,
                    old.base,
                    old.offset if same else self._word(new.when, new.offset, old.offset),
                )
                return
        cases.append(new)
