# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory as objects that do not overlap: what a pointer points to, byte by byte, read and written
at any width.

Before the function runs, an object's bytes are words of eight bytes (or one number, or what a
constant has). They are asked for when they are first read, so that a byte has one name whatever
width it is read at. What is on the stack and was never written is poison. Values are written whole;
a read of other bounds is put together from bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from verifier.kernel.llvm.values import Address, LiftedWord, NotModelled, Truth, Value, Values

__all__ = ["Contents", "ObjectMemory", "Object"]

UNIT = 8  # bytes of a word of initial content
MOST_SLOTS = 512  # of an object that is indexed by a value


@dataclass(frozen=True, slots=True, eq=False)
class Object:
    """Something that has an address.

    size     in bytes, None where it is not known
    align    the address is a multiple of it
    initial  offset, a multiple of eight -> the eight bytes there at the start, or None where they
             are poison
    pointers offset -> an address that stands there at the start
    free     nothing is known of it but that it is there: pointers in it point to free objects of
             their own
    null     the condition under which the pointer that led here was 0; None: never
    place    the word that its address is, where that is known: see `places`
    """

    name: str
    size: int | None
    align: int
    initial: Callable[[int], LiftedWord] | None = None
    readonly: bool = False
    pointers: tuple[tuple[int, Address], ...] = ()
    free: bool = False
    null: Any = None
    place: LiftedWord | None = None


Contents = dict[int, tuple[int, Value]]  # offset -> bytes, value


class ObjectMemory:
    """Reads, writes and merges the contents of objects; the contents themselves belong to a path.
    """

    def __init__(self, values: Values, big_endian: bool) -> None:
        self.values = values
        self.alg = values.alg
        self.big_endian = big_endian
        self.words: dict[Object, dict[int, LiftedWord]] = {}

    def start(self, obj: Object, unit: int) -> LiftedWord:
        """The unit of initial content at this offset."""
        known = self.words.setdefault(obj, {})
        if unit not in known:
            known[unit] = obj.initial(unit) if obj.initial else self.values.poison_word(UNIT * 8)
        return known[unit]

    def read(self, contents: Contents, obj: Object, offset: int, size: int) -> Value:
        """`size` bytes from `offset` on, as a word or the address that was written there."""
        self.check(obj, offset, size)
        found = contents.get(offset)
        if found is not None and found[0] == size:
            return found[1]
        touched = [
            at
            for at, (length, _) in contents.items()
            if at < offset + size and offset < at + length
        ]
        if not touched:
            for at, address in obj.pointers:
                if at == offset and address.width == size * 8:
                    return address
                if at < offset + size and offset < at + address.width // 8:
                    raise NotModelled(f"part of an address in {obj.name} is read")
            return self._initial(obj, offset, size)
        bytes_ = [self._byte(contents, touched, obj, at) for at in range(offset, offset + size)]
        return self.join(bytes_)

    def _initial(self, obj: Object, offset: int, size: int) -> LiftedWord:
        first, last = offset // UNIT * UNIT, (offset + size - 1) // UNIT * UNIT
        if first == last:
            return self.part(self.start(obj, first), UNIT, offset - first, size)
        return self.join([self.part(self.start(obj, at // UNIT * UNIT), UNIT, at % UNIT, 1)
                          for at in range(offset, offset + size)])

    def _byte(self, contents: Contents, touched: list[int], obj: Object, at: int) -> LiftedWord:
        for start in touched:
            size, value = contents[start]
            if start <= at < start + size:
                if isinstance(value, Address):
                    value = self.values.as_word(value)
                if not isinstance(value, LiftedWord):
                    raise NotModelled(f"part of a value of {obj.name} that is no word is read")
                return self.part(value, size, at - start, 1)
        return self._initial(obj, at, 1)

    def part(self, word: LiftedWord, whole: int, offset: int, size: int) -> LiftedWord:
        """`size` bytes of a word that fills `whole` bytes, from byte `offset` of memory on."""
        if offset == 0 and size == whole:
            return word
        low = 8 * (whole - offset - size if self.big_endian else offset)
        number = None if word.number is None else word.number >> low & ((1 << 8 * size) - 1)
        return LiftedWord(8 * size, self.alg.extract(word.term, low, 8 * size), number, word.poison)

    def join(self, bytes_: list[LiftedWord]) -> LiftedWord:
        """The word that these bytes of memory make, the first at the lowest address."""
        order = bytes_ if self.big_endian else bytes_[::-1]
        found = order[0]
        for byte in order[1:]:
            number = None
            if found.number is not None and byte.number is not None:
                number = found.number << 8 | byte.number
            poison = self.values.either(found.poison, byte.poison)
            found = LiftedWord(
                found.width + 8,
                self.alg.concat(found.term, byte.term, found.width, 8),
                number,
                poison,
            )
        return found

    def write(
        self, contents: Contents, obj: Object, offset: int, size: int, value: Value
    ) -> Contents:
        """The contents after `size` bytes from `offset` on have become the value."""
        self.check(obj, offset, size)
        if obj.readonly:
            raise NotModelled(f"{obj.name} is constant, and is written to")
        new = dict(contents)
        for at, (length, _) in contents.items():
            if (
                at < offset + size
                and offset < at + length
                and not (offset <= at and at + length <= offset + size)
            ):
                self._split(new, obj, contents, at)
        for at in [at for at in new if offset <= at < offset + size]:
            del new[at]
        new[offset] = (size, value)
        return new

    def _split(self, new: Contents, obj: Object, contents: Contents, at: int) -> None:
        """Turn the value at an offset into bytes."""
        size = contents[at][0]
        for byte in range(at, at + size):
            new[byte] = (1, self._byte(contents, [at], obj, byte))

    def check(self, obj: Object, offset: int, size: int) -> None:
        """NotModelled where `size` bytes at a constant offset are not within the object.
        """
        if offset < 0 or (obj.size is not None and offset + size > obj.size):
            raise NotModelled(f"an access at byte {offset} is outside {obj.name}")

    def merge(self, c: Any, obj: Object, a: Contents, b: Contents) -> Contents:
        """Contents a where c holds, else b."""
        merged: Contents = {}
        both = {
            at: {a[at][0] if at in a else 0, b[at][0] if at in b else 0} - {0} for at in {**a, **b}
        }
        plain = all(len(sizes) == 1 for sizes in both.values()) and not self._overlap(
            {at: max(s) for at, s in both.items()}
        )
        spans = (
            {at: max(s) for at, s in both.items()}
            if plain
            else {
                byte: 1
                for side in (a, b)
                for at, (size, _) in side.items()
                for byte in range(at, at + size)
            }
        )
        for at, size in spans.items():
            left, right = self.read(a, obj, at, size), self.read(b, obj, at, size)
            merged[at] = (size, self.values.choose(c, left, right))
        return merged

    @staticmethod
    def _overlap(spans: dict[int, int]) -> bool:
        end = -1
        for at in sorted(spans):
            if at < end:
                return True
            end = at + spans[at]
        return False

    def slots(self, obj: Object, offset: LiftedWord, size: int) -> list[tuple[Any, int]]:
        """Where an offset that is no constant may point: conditions and offsets, all multiples of
        the size.
        """
        if obj.size is None or obj.size // size > MOST_SLOTS:
            raise NotModelled(f"an offset into {obj.name} is not a constant")
        if obj.align % size:
            raise NotModelled(
                f"an offset into {obj.name} is not a constant, and what is read there may straddle"
            )
        return [(self.alg.eq(offset.term, self.alg.word(at, offset.width), offset.width), at)
                for at in range(0, obj.size - size + 1, size)]

    def stored(self, value: Value, size: int) -> Value:
        """A value as memory has it: a truth fills a byte, a word is widened to whole bytes."""
        if isinstance(value, Truth):
            term = self.alg.ite(value.term, self.alg.word(1, 8), self.alg.word(0, 8), 8)
            known = self.alg.known(value.term)
            return LiftedWord(8, term, None if known is None else int(known), value.poison)
        if isinstance(value, LiftedWord) and value.width < 8 * size:
            return LiftedWord(
                8 * size,
                self.alg.zext(value.term, value.width, 8 * size),
                value.number,
                value.poison,
            )
        return value
