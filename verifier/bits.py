# SPDX-License-Identifier: GPL-2.0-or-later
"""The bit interpretation: words are tuples of literals of one hash-consed and-inverter graph.

A literal is an int: 0 is false, 1 is true, 2*n is node n, and a literal xor 1 is its complement. A node is an
input or the conjunction of two literals. Constants fold as the graph is built, and an operation
on words that was done before costs one look-up, so that what many obligations share is built once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

__all__ = ["FALSE", "TRUE", "Bits", "Word"]

FALSE, TRUE = 0, 1


class Word:
    """A word: its literals, lowest bit first. Interned by Bits: equal words are one object."""

    __slots__ = ("bits",)

    def __init__(self, bits: tuple[int, ...]) -> None:
        self.bits = bits

    def __repr__(self) -> str:
        return f"Word{self.bits}"


class Bits:
    """The Algebra over an and-inverter graph. One graph serves a whole run.

    >>> g = Bits()
    >>> x = g.input_word("x", 4)
    >>> g.eq(g.band(x, g.word(0, 4), 4), g.word(0, 4), 4) == TRUE
    True
    """

    def __init__(self) -> None:
        self.left: list[int] = [0]  # of node n; an input has -1
        self.right: list[int] = [0]
        self._nodes: dict[tuple[int, int], int] = {}
        self._words: dict[tuple[int, ...], Word] = {}
        self._done: dict[tuple[object, ...], Word] = {}
        self._done_bools: dict[tuple[object, ...], int] = {}
        self.inputs: dict[str, tuple[int, ...]] = {}  # name -> literals, lowest bit first
        self.bools: set[str] = set()
        self.input_of: dict[int, tuple[str, int]] = {}  # node -> input, bit

    # the graph

    def conj(self, a: int, b: int) -> int:
        """The literal of a and b."""
        if a > b:
            a, b = b, a
        if a < 2:
            return b if a else 0
        if a == b:
            return a
        if a ^ 1 == b:
            return 0
        found = self._nodes.get((a, b))
        if found is None:
            # one level deep: a and (a and c) is that node; a and (not a and c) is false
            left, right = self.left[b >> 1], self.right[b >> 1]
            if left > 0:
                if not b & 1:
                    if left == a or right == a:
                        return b
                    if left == a ^ 1 or right == a ^ 1:
                        return 0
                elif left == a ^ 1 or right == a ^ 1:
                    return a
            found = len(self.left) << 1
            self.left.append(a)
            self.right.append(b)
            self._nodes[a, b] = found
        return found

    def disj(self, a: int, b: int) -> int:
        return self.conj(a ^ 1, b ^ 1) ^ 1

    def xor(self, a: int, b: int) -> int:
        if a < 2:
            return b ^ a
        if b < 2:
            return a ^ b
        if a >> 1 == b >> 1:
            return (a ^ b) & 1
        flip = (a ^ b) & 1
        a &= ~1
        b &= ~1
        return self.conj(self.conj(a, b) ^ 1, self.conj(a ^ 1, b ^ 1) ^ 1) ^ flip

    def mux(self, c: int, a: int, b: int) -> int:
        """a where c holds, else b."""
        if a == b or c == 1:
            return a
        if c == 0:
            return b
        if a < 2:
            return self.disj(c, b) if a else self.conj(c ^ 1, b)
        if b < 2:
            return self.disj(c ^ 1, a) if b else self.conj(c, a)
        if a ^ 1 == b:
            return self.xor(c, b)
        return self.conj(self.conj(c, a) ^ 1, self.conj(c ^ 1, b) ^ 1) ^ 1

    def _input(self, name: str, width: int) -> tuple[int, ...]:
        literals = []
        for bit in range(width):
            node = len(self.left)
            self.left.append(-1)
            self.right.append(-1)
            self.input_of[node] = (name, bit)
            literals.append(node << 1)
        self.inputs[name] = tuple(literals)
        return self.inputs[name]

    def input_word(self, name: str, width: int) -> Word:
        """A free word; the same name gives the same word."""
        return self.intern(self.inputs.get(name) or self._input(name, width))

    def input_bool(self, name: str) -> int:
        """A free boolean; the same name gives the same literal."""
        self.bools.add(name)
        return (self.inputs.get(name) or self._input(name, 1))[0]

    def intern(self, bits: tuple[int, ...]) -> Word:
        found = self._words.get(bits)
        if found is None:
            found = self._words[bits] = Word(bits)
        return found

    def cone(self, literals: Iterable[int]) -> list[int]:
        """The nodes that the literals depend on, in topological order."""
        seen: set[int] = set()
        todo = [literal >> 1 for literal in literals if literal > 1]
        left, right = self.left, self.right
        while todo:
            node = todo.pop()
            if node in seen or node == 0:
                continue
            seen.add(node)
            if left[node] > 0:
                todo.append(left[node] >> 1)
                todo.append(right[node] >> 1)
        return sorted(seen)

    def support(self, literals: Iterable[int]) -> set[str]:
        """The names of the inputs that the literals depend on."""
        return {self.input_of[node][0] for node in self.cone(literals) if self.left[node] < 0}

    def evaluate(self, literals: Iterable[int], values: dict[str, int | bool]) -> list[bool]:
        """The literals' values where the inputs have these (an input that is not named: 0)."""
        wanted = list(literals)
        known: dict[int, bool] = {0: False}
        for node in self.cone(wanted):
            left = self.left[node]
            if left < 0:
                name, bit = self.input_of[node]
                known[node] = bool(int(values.get(name, 0)) >> bit & 1)
            else:
                right = self.right[node]
                known[node] = (known[left >> 1] ^ bool(left & 1)) and (known[right >> 1] ^ bool(right & 1))
        return [known[literal >> 1] ^ bool(literal & 1) for literal in wanted]

    # the algebra

    def word(self, value: int, width: int) -> Word:
        return self.intern(tuple([value >> i & 1 for i in range(width)]))

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
        total = self.word(0, width)
        for i, bit in enumerate(b.bits):
            row = (FALSE,) * i + tuple([self.conj(x, bit) for x in a.bits[: width - i]])
            total = self._sum(total, row, FALSE)
        return total

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
            found = TRUE
            for x, y in zip(a.bits, b.bits, strict=True):
                found = self.conj(found, self.xor(x, y) ^ 1)
                if found == FALSE:
                    break
            self._done_bools[key] = found
        return found

    def ult(self, a: Word, b: Word, width: int) -> int:
        key = ("ult", a, b)
        found = self._done_bools.get(key)
        if found is None:
            found = self._less(a.bits, b.bits)
            self._done_bools[key] = found
        return found

    def _less(self, a: Iterable[int], b: Iterable[int]) -> int:
        less = FALSE
        for x, y in zip(a, b, strict=True):
            less = self.mux(self.xor(x, y), self.conj(x ^ 1, y), less)
        return less

    def slt(self, a: Word, b: Word, width: int) -> int:
        return self._less((*a.bits[:-1], a.bits[-1] ^ 1), (*b.bits[:-1], b.bits[-1] ^ 1))

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
