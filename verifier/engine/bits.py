# SPDX-License-Identifier: GPL-2.0-or-later
"""The bit interpretation: a word is a tuple of literals of an and-inverter graph.

The graph (verifier.engine.graph) knows inputs by numbers, and this algebra by names. An operation
on words that was done before costs one look-up, so that what many obligations share is built once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from verifier.engine.graph import FALSE, TRUE, Graph
from verifier.engine.native import new_graph

__all__ = ["FALSE", "TRUE", "Bits", "Word"]


class Word:
    """A word: its literals, lowest bit first. Interned by Bits: equal words are one object."""

    __slots__ = ("bits",)

    def __init__(self, bits: tuple[int, ...]) -> None:
        self.bits = bits

    def __repr__(self) -> str:
        return f"Word{self.bits}"


class Bits:
    """The Algebra over an and-inverter graph; one graph serves a whole run.

    nodes     the graph: a new one, unless one is given
    inputs    name -> literals, lowest bit first
    bools     the names of inputs that are booleans, not words
    input_of  node -> name of its input, bit

    >>> g = Bits()
    >>> x = g.input_word("x", 4)
    >>> g.eq(g.band(x, g.word(0, 4), 4), g.word(0, 4), 4) == TRUE
    True
    """

    def __init__(self, nodes: Graph | None = None) -> None:
        self.nodes = new_graph() if nodes is None else nodes
        self.inputs: dict[str, tuple[int, ...]] = {}
        self.bools: set[str] = set()
        self.input_of: dict[int, tuple[str, int]] = {}
        self._groups: list[str] = []  # number of a group of inputs -> their name
        self._words: dict[tuple[int, ...], Word] = {}
        self._constants: dict[tuple[int, int], Word] = {}
        self._done: dict[tuple[object, ...], Word] = {}
        self._done_bools: dict[tuple[object, ...], int] = {}

    def forget(self) -> None:
        """Forget the words, which only save time; the nodes of the graph stay as they are."""
        for known in (self._words, self._constants, self._done, self._done_bools):
            known.clear()

    def input_bits(self, name: str, width: int) -> tuple[int, ...]:
        """The literals of a free input, lowest bit first; the same name gives the same."""
        found = self.inputs.get(name)
        if found is None:
            first = self.nodes.new_inputs(width)
            self._groups.append(name)
            for bit in range(width):
                self.input_of[(first >> 1) + bit] = (name, bit)
            found = self.inputs[name] = tuple(range(first, first + 2 * width, 2))
        return found

    def input_bool(self, name: str) -> int:
        """A free boolean; the same name gives the same literal."""
        self.bools.add(name)
        return self.input_bits(name, 1)[0]

    def support(self, literals: Iterable[int]) -> set[str]:
        """The names of the inputs that the literals depend on."""
        return {self._groups[group] for group in self.nodes.support(literals)}

    def evaluate(self, literals: Iterable[int], values: Mapping[str, int | bool]) -> list[bool]:
        """The literals' values where the inputs have these (an input that is not named: 0)."""
        held = [literal for name, value in values.items() if value
                for bit, literal in enumerate(self.inputs.get(name, ())) if int(value) >> bit & 1]
        return self.nodes.evaluate(literals, held)

    def conj(self, a: int, b: int) -> int:
        """The literal of a and b."""
        return self.nodes.conj(a, b)

    def disj(self, a: int, b: int) -> int:
        """The literal of a or b."""
        return self.nodes.disj(a, b)

    def xor(self, a: int, b: int) -> int:
        """The literal of a exclusive or b."""
        return self.nodes.xor(a, b)

    def mux(self, c: int, a: int, b: int) -> int:
        """The literal of a where c holds, else b."""
        return self.nodes.mux(c, a, b)

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
            found = self._constants[key] = self.intern(
                tuple([value >> i & 1 for i in range(width)])
            )
        return found

    def truth(self, value: bool) -> int:
        return int(value)

    def known(self, value: int) -> bool | None:
        return bool(value) if value < 2 else None

    def band(self, a: Word, b: Word, width: int) -> Word:
        key = ("band", a, b)
        found = self._done.get(key)
        if found is None:
            found = self._done[key] = self.intern(self.nodes.conj_each(a.bits, b.bits))
        return found

    def bor(self, a: Word, b: Word, width: int) -> Word:
        key = ("bor", a, b)
        found = self._done.get(key)
        if found is None:
            found = self._done[key] = self.intern(self.nodes.disj_each(a.bits, b.bits))
        return found

    def bxor(self, a: Word, b: Word, width: int) -> Word:
        key = ("bxor", a, b)
        found = self._done.get(key)
        if found is None:
            found = self._done[key] = self.intern(self.nodes.xor_each(a.bits, b.bits))
        return found

    def bnot(self, a: Word, width: int) -> Word:
        # The lowest bit of a literal is its sign: a complement costs no node.
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
            # a - b is a + ~b + 1, and the 1 is carried in.
            self._done[key] = self._sum(a, [bit ^ 1 for bit in b.bits], TRUE)
        return self._done[key]

    def mul(self, a: Word, b: Word, width: int) -> Word:
        key = ("mul", a, b)
        if key not in self._done:
            total = self.word(0, width)
            # A row for each bit that is not known to be 0: a constant factor costs few.
            for i, bit in enumerate(b.bits):
                if bit:
                    row = ((FALSE,) * i + self.nodes.conj_each(
                        a.bits[: width - i], (bit,) * (width - i)
                    ))
                    total = self._sum(total, row, FALSE)
            self._done[key] = total
        return self._done[key]

    def _shift(self, op: str, a: Word, b: Word, width: int) -> Word:
        key = (op, a, b)
        found = self._done.get(key)
        if found is None:
            found = self._done[key] = self.intern(self._shifted(op, a.bits, b.bits, width))
        return found

    def _shifted(self, op: str, a: tuple[int, ...], b: tuple[int, ...],
                 width: int) -> tuple[int, ...]:
        # One stage for each bit of the amount. The bits that shift everything out need no stage:
        # any of them decides alone.
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
            a = self.nodes.mux_each(amount, moved, a)
        return self.nodes.mux_each(beyond, (fill,) * width, a)

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
            found = self.nodes.equal(a.bits, b.bits)
            self._done_bools[key] = self._done_bools["eq", b, a] = found
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
            # With signs turned round, signed words are in the order of unsigned ones.
            found = self._less((*a.bits[:-1], a.bits[-1] ^ 1), (*b.bits[:-1], b.bits[-1] ^ 1))
            self._done_bools[key] = found
        return found

    def _less(self, a: Iterable[int], b: Iterable[int]) -> int:
        # From the lowest bit up: the highest bit that differs has the last word.
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
            found = self._done[key] = self.intern(self.nodes.mux_each(c, a.bits, b.bits))
        return found

    def all(self, *values: int) -> int:
        return self.nodes.all(*values)

    def any(self, *values: int) -> int:
        return self.nodes.any(*values)

    def neg(self, a: int) -> int:
        return a ^ 1

    def same(self, a: int, b: int) -> int:
        return self.nodes.xor(a, b) ^ 1

    def choose(self, c: int, a: int, b: int) -> int:
        return self.nodes.mux(c, a, b)
