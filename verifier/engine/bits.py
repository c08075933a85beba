# SPDX-License-Identifier: GPL-2.0-or-later
"""The bit interpretation: words are tuples of literals of one hash-consed and-inverter graph (verifier.engine.graph).

An operation on words that was done before costs one look-up, so that what many obligations share is built once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from verifier.engine.graph import FALSE, TRUE, Graph

__all__ = ["FALSE", "TRUE", "Bits", "Word"]

WIDE = 8  # bits from which on an equality is looked into
SPLITS = 4  # choices, one in another


class Word:
    """A word: its literals, lowest bit first. Interned by Bits: equal words are one object."""

    __slots__ = ("bits",)

    def __init__(self, bits: tuple[int, ...]) -> None:
        self.bits = bits

    def __repr__(self) -> str:
        return f"Word{self.bits}"


class Bits(Graph):
    """The Algebra over an and-inverter graph. One graph serves a whole run.

    >>> g = Bits()
    >>> x = g.input_word("x", 4)
    >>> g.eq(g.band(x, g.word(0, 4), 4), g.word(0, 4), 4) == TRUE
    True
    """

    def __init__(self) -> None:
        super().__init__()
        self._words: dict[tuple[int, ...], Word] = {}
        self._constants: dict[tuple[int, int], Word] = {}
        self._done: dict[tuple[object, ...], Word] = {}
        self._done_bools: dict[tuple[object, ...], int] = {}

    def forget(self) -> None:
        """Let go of what was done with words, which only saves time: the nodes stay, and so does what they are."""
        for known in (self._words, self._constants, self._done, self._done_bools):
            known.clear()

    def intern(self, bits: tuple[int, ...]) -> Word:
        """The one word that has these bits."""
        found = self._words.get(bits)
        if found is None:
            found = self._words[bits] = Word(bits)
        return found

    def input_word(self, name: str, width: int) -> Word:
        """A free word; the same name gives the same word."""
        return self.intern(self.input_bits(name, width))

    def word(self, value: int, width: int) -> Word:
        key = (value, width)
        found = self._constants.get(key)
        if found is None:
            found = self._constants[key] = self.intern(tuple([value >> i & 1 for i in range(width)]))
        return found

    def truth(self, value: bool) -> int:
        return int(value)

    def known(self, value: int) -> bool | None:
        return bool(value) if value < 2 else None

    def _bitwise(self, op: str, gate: Callable[[int, int], int], a: Word, b: Word) -> Word:
        key = (op, a, b)
        found = self._done.get(key)
        if found is None:
            found = self._done[key] = self.intern(tuple(map(gate, a.bits, b.bits)))
        return found

    def band(self, a: Word, b: Word, width: int) -> Word:
        return self._bitwise("band", self.conj, a, b)

    def bor(self, a: Word, b: Word, width: int) -> Word:
        return self._bitwise("bor", self.disj, a, b)

    def bxor(self, a: Word, b: Word, width: int) -> Word:
        return self._bitwise("bxor", self.xor, a, b)

    def bnot(self, a: Word, width: int) -> Word:
        return self.intern(tuple([bit ^ 1 for bit in a.bits]))

    def _sum(self, a: Word, b: Iterable[int], carry: int) -> Word:
        out = []
        for x, y in zip(a.bits, b, strict=True):
            half = self.xor(x, y)
            out.append(self.xor(half, carry))
            carry = self.disj(self.conj(x, y), self.conj(half, carry))
        return self.intern(tuple(out))

    def add(self, a: Word, b: Word, width: int) -> Word:
        key = ("add", a, b)
        if key not in self._done:
            self._done[key] = self._sum(a, b.bits, FALSE)
        return self._done[key]

    def sub(self, a: Word, b: Word, width: int) -> Word:
        key = ("sub", a, b)
        if key not in self._done:
            self._done[key] = self._sum(a, [bit ^ 1 for bit in b.bits], TRUE)
        return self._done[key]

    def mul(self, a: Word, b: Word, width: int) -> Word:
        key = ("mul", a, b)
        if key not in self._done:
            total = self.word(0, width)
            for i, bit in enumerate(b.bits):
                if bit:
                    row = (FALSE,) * i + tuple([self.conj(x, bit) for x in a.bits[: width - i]])
                    total = self._sum(total, row, FALSE)
            self._done[key] = total
        return self._done[key]

    def _shift(self, op: str, a: Word, b: Word, width: int) -> Word:
        key = (op, a, b)
        found = self._done.get(key)
        if found is None:
            found = self._done[key] = self.intern(self._shifted(op, a.bits, b.bits, width))
        return found

    def _shifted(self, op: str, a: tuple[int, ...], b: tuple[int, ...], width: int) -> tuple[int, ...]:
        fill = a[-1] if op == "ashr" else FALSE
        beyond = FALSE
        for stage, amount in enumerate(b):
            step = 1 << stage
            if step >= width:
                beyond = self.disj(beyond, amount)
                continue
            if op == "shl":
                moved = (FALSE,) * step + a[: width - step]
            else:
                moved = a[step:] + (fill,) * step
            a = tuple([self.mux(amount, x, y) for x, y in zip(moved, a, strict=True)])
        return tuple([self.mux(beyond, fill, x) for x in a])

    def shl(self, a: Word, b: Word, width: int) -> Word:
        return self._shift("shl", a, b, width)

    def lshr(self, a: Word, b: Word, width: int) -> Word:
        return self._shift("lshr", a, b, width)

    def ashr(self, a: Word, b: Word, width: int) -> Word:
        return self._shift("ashr", a, b, width)

    def eq(self, a: Word, b: Word, width: int) -> int:
        if a is b:
            return TRUE
        key = ("eq", a, b)
        found = self._done_bools.get(key)
        if found is None:
            found = self._done_bools[key] = self._done_bools["eq", b, a] = self._equal(a, b)
        return found

    def _equal(self, a: Word, b: Word) -> int:
        pairs = [(x, y) for x, y in zip(a.bits, b.bits, strict=True) if x != y]
        for x, y in pairs:
            if x ^ 1 == y:
                return FALSE
        if len(pairs) >= WIDE:
            found = self._split(pairs, SPLITS)
            if found is not None:
                return found
        return self._atom(pairs)

    def _split(self, pairs: list[tuple[int, int]], depth: int) -> int | None:
        """Equality of words that are choices, as a choice between equalities of words that are not; None if too deep.

        So the same few equalities stand behind all questions, and no proof has to find them again bit by bit.
        """
        counts: dict[int, int] = {}
        for x, y in pairs:
            for selector in {*self._selectors(x), *self._selectors(y)}:
                counts[selector] = counts.get(selector, 0) + 1
        best = max(counts, key=lambda s: (counts[s], -s), default=0)
        if not best or 2 * counts[best] < len(pairs):
            return self._atom(pairs)
        if not depth:
            return None
        ways = []
        for value in (1, 0):
            way = [(self._where(x, best, value), self._where(y, best, value)) for x, y in pairs]
            way = [(x, y) for x, y in way if x != y]
            found = FALSE if any(x ^ 1 == y for x, y in way) else self._split(way, depth - 1)
            if found is None:
                return None
            ways.append(found)
        return self.mux(best, ways[0], ways[1])

    def _selectors(self, literal: int) -> tuple[int, ...]:
        """What a literal chooses by, is masked by or flipped by: positive literals."""
        node = literal >> 1
        if self.left[node] <= 0:
            return ()
        choice = self.mux_of(node)
        if choice is None:
            return self.left[node] & ~1, self.right[node] & ~1
        selector, yes, no = choice
        return (selector & ~1, yes & ~1) if yes ^ 1 == no else (selector & ~1,)

    def _where(self, literal: int, selector: int, value: int) -> int:
        """The literal where the selector has this value; looks one level deep."""
        node, flip = literal >> 1, literal & 1
        if node == selector >> 1:
            return value ^ flip
        a, b = self.left[node], self.right[node]
        if a <= 0:
            return literal
        choice = self.mux_of(node)
        if choice is not None:
            c, yes, no = choice
            if c >> 1 == selector >> 1:
                return (yes if value ^ (c & 1) else no) ^ flip
            if yes ^ 1 == no and yes >> 1 == selector >> 1:
                return c ^ (value ^ (yes & 1) ^ 1) ^ flip
            return literal
        for one, other in ((a, b), (b, a)):
            if one >> 1 == selector >> 1:
                return (other if value ^ (one & 1) else FALSE) ^ flip
        return literal

    def _atom(self, pairs: list[tuple[int, int]]) -> int:
        """All pairs are equal; what is compared with a constant comes first, for it is shared most."""
        found = TRUE
        for x, y in pairs:
            if x < 2 or y < 2:
                found = self.conj(found, x ^ y ^ 1)
        for x, y in pairs:
            if x > 1 and y > 1:
                found = self.conj(found, self.xor(x, y) ^ 1)
        return found

    def ult(self, a: Word, b: Word, width: int) -> int:
        key = ("ult", a, b)
        found = self._done_bools.get(key)
        if found is None:
            found = self._done_bools[key] = self._less(a.bits, b.bits)
        return found

    def slt(self, a: Word, b: Word, width: int) -> int:
        key = ("slt", a, b)
        found = self._done_bools.get(key)
        if found is None:
            found = self._less((*a.bits[:-1], a.bits[-1] ^ 1), (*b.bits[:-1], b.bits[-1] ^ 1))
            self._done_bools[key] = found
        return found

    def _less(self, a: Iterable[int], b: Iterable[int]) -> int:
        less = FALSE
        for x, y in zip(a, b, strict=True):
            less = self.mux(self.xor(x, y), y, less)
        return less

    def extract(self, a: Word, low: int, width: int) -> Word:
        return self.intern(a.bits[low:low + width])

    def zext(self, a: Word, narrow: int, width: int) -> Word:
        return self.intern(a.bits + (FALSE,) * (width - narrow))

    def sext(self, a: Word, narrow: int, width: int) -> Word:
        return self.intern(a.bits + (a.bits[-1],) * (width - narrow))

    def concat(self, high: Word, low: Word, high_width: int, low_width: int) -> Word:
        return self.intern(low.bits + high.bits)

    def ite(self, c: int, a: Word, b: Word, width: int) -> Word:
        if c < 2:
            return a if c else b
        if a is b:
            return a
        key = ("ite", c, a, b)
        found = self._done.get(key)
        if found is None:
            mux = self.mux
            found = self._done[key] = self.intern(tuple([mux(c, x, y) for x, y in zip(a.bits, b.bits, strict=True)]))
        return found

    def all(self, *values: int) -> int:
        result = TRUE
        for value in values:
            result = self.conj(result, value)
        return result

    def any(self, *values: int) -> int:
        result = TRUE
        for value in values:
            result = self.conj(result, value ^ 1)
        return result ^ 1

    def neg(self, a: int) -> int:
        return a ^ 1

    def same(self, a: int, b: int) -> int:
        return self.xor(a, b) ^ 1

    def choose(self, c: int, a: int, b: int) -> int:
        return self.mux(c, a, b)
