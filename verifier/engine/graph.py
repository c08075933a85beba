# SPDX-License-Identifier: GPL-2.0-or-later
"""One hash-consed and-inverter graph: what every boolean and every bit of a word is, for the bit interpretation.

A literal is an int: 0 is false, 1 is true, 2*n is node n, and a literal xor 1 is its complement. A node is an
input or the conjunction of two literals, and stands behind both in the order of numbers. Constants fold as
the graph is built.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping

__all__ = ["FALSE", "TRUE", "WIDTH", "Graph"]

FALSE, TRUE = 0, 1
WIDTH = 32  # bits that hold any literal


class Graph:
    """Conjunctions over free inputs. Exclusive or and choice are built from them, and recognised again by mux_of."""

    def __init__(self) -> None:
        self.left = array("i", [0])  # of node n; an input has -1
        self.right = array("i", [0])
        self._nodes: dict[int, int] = {}  # the two literals, as one number -> literal
        self.inputs: dict[str, tuple[int, ...]] = {}  # name -> literals, lowest bit first
        self.bools: set[str] = set()
        self.input_of: dict[int, tuple[str, int]] = {}  # node -> input, bit
        self._below: list[int] = [0]  # of a node: the inputs that it depends on, as a set of bits
        self._parts: dict[int, set[int]] = {}  # conjunction -> what it is a conjunction of

    def conj(self, a: int, b: int) -> int:
        """The literal of a and b."""
        if a > b:
            a, b = b, a
        if a < 2:
            return b if a else 0
        if a >> 1 == b >> 1:
            return a if a == b else 0
        found = self._nodes.get(a << WIDTH | b)
        if found is not None:
            return found
        # One level deep: a and (a and c) is that node; a and (not a and c) is false; a and not (not a and c) is a;
        # a and not (a and c) is a and not c.
        node = b >> 1
        left, right = self.left[node], self.right[node]
        if left > 0:
            if left == a or right == a:
                return self.conj(a, (right if left == a else left) ^ 1) if b & 1 else b
            if a ^ 1 in (left, right):
                return a if b & 1 else 0
        return self._new(a, b)

    def _new(self, a: int, b: int) -> int:
        """A node of its own for two literals, the smaller one first."""
        found = self._nodes[a << WIDTH | b] = len(self.left) << 1
        self.left.append(a)
        self.right.append(b)
        return found

    def disj(self, a: int, b: int) -> int:
        """The literal of a or b."""
        return self.conj(a ^ 1, b ^ 1) ^ 1

    def xor(self, a: int, b: int) -> int:
        """The literal of a exclusive or b."""
        if a < 2 or b < 2:
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

    def mux_of(self, node: int) -> tuple[int, int, int] | None:
        """(c, a, b) where the node is `a if c else b`; None where it does not have that form. An input has not."""
        a, b = self.left[node], self.right[node]
        if a < 0 or not a & b & 1:
            return None
        p, q = self.left[a >> 1], self.right[a >> 1]
        r, s = self.left[b >> 1], self.right[b >> 1]
        if p < 2 or r < 2:
            return None
        if p ^ 1 == r:
            return p, q ^ 1, s ^ 1
        if p ^ 1 == s:
            return p, q ^ 1, r ^ 1
        if q ^ 1 == r:
            return q, p ^ 1, s ^ 1
        if q ^ 1 == s:
            return q, p ^ 1, r ^ 1
        return None

    def conjuncts(self, literals: Iterable[int]) -> set[int]:
        """Everything that has to hold where all literals hold, found by taking conjunctions apart.

        Holds FALSE where two of these contradict each other, or a conjunction of them is denied.
        """
        left, right, parts = self.left, self.right, self._parts
        found: set[int] = set()
        for literal in literals:
            if literal & 1 or left[literal >> 1] <= 0:
                found.add(literal)
            else:
                found |= parts.get(literal) or self._take_apart(literal)
        found.discard(TRUE)
        for literal in found:
            if literal & 1:
                node = literal >> 1
                if literal ^ 1 in found or (left[node] in found and right[node] in found):
                    found.add(FALSE)
                    break
        return found

    def _take_apart(self, literal: int) -> set[int]:
        """The conjunction, its two sides, and theirs."""
        left, right = self.left, self.right
        found: set[int] = set()
        todo = [literal]
        while todo:
            part = todo.pop()
            if part not in found:
                found.add(part)
                if not part & 1 and left[part >> 1] > 0:
                    todo += left[part >> 1], right[part >> 1]
        self._parts[literal] = found
        return found

    def input_bits(self, name: str, width: int) -> tuple[int, ...]:
        """The literals of a free input, lowest bit first; the same name gives the same."""
        found = self.inputs.get(name)
        if found is None:
            first = len(self.left)
            self.left.extend([-1] * width)
            self.right.extend([-1] * width)
            for bit in range(width):
                self.input_of[first + bit] = (name, bit)
            found = self.inputs[name] = tuple(range(first << 1, (first + width) << 1, 2))
        return found

    def input_bool(self, name: str) -> int:
        """A free boolean; the same name gives the same literal."""
        self.bools.add(name)
        return self.input_bits(name, 1)[0]

    def cone(self, literals: Iterable[int]) -> list[int]:
        """The nodes that the literals depend on, in topological order."""
        left, right = self.left, self.right
        seen = {0}
        todo = [literal >> 1 for literal in literals]
        while todo:
            node = todo.pop()
            if node not in seen:
                seen.add(node)
                if left[node] > 0:
                    todo.append(left[node] >> 1)
                    todo.append(right[node] >> 1)
        return sorted(seen)[1:]

    def support(self, literals: Iterable[int]) -> set[str]:
        """The names of the inputs that the literals depend on."""
        left, right, below = self.left, self.right, self._below
        number = {name: 1 << i for i, name in enumerate(self.inputs)}
        for node in range(len(below), len(left)):
            a = left[node]
            below.append(number[self.input_of[node][0]] if a < 0 else below[a >> 1] | below[right[node] >> 1])
        found = 0
        for literal in literals:
            found |= below[literal >> 1]
        return {name for name, bit in number.items() if found & bit}

    def evaluate(self, literals: Iterable[int], values: Mapping[str, int | bool]) -> list[bool]:
        """The literals' values where the inputs have these (an input that is not named: 0)."""
        wanted = list(literals)
        left, right, input_of = self.left, self.right, self.input_of
        known = {0: 0, 1: 1}  # literal -> its value
        for node in self.cone(wanted):
            a = left[node]
            if a < 0:
                name, bit = input_of[node]
                value = int(values.get(name, 0)) >> bit & 1
            else:
                value = known[a] & known[right[node]]
            known[2 * node] = value
            known[2 * node + 1] = value ^ 1
        return [bool(known[literal]) for literal in wanted]
