# SPDX-License-Identifier: GPL-2.0-or-later
"""A hash-consed and-inverter graph: every boolean, and every bit of a word, is a literal of it.

A literal is an int: 0 is false, 1 is true, 2*n is node n, and a literal xor 1 is its complement. A
node is an input or the conjunction of two literals, and has a higher number than both. Constants
fold as the graph is built. `_graph.c` beside this file does the same in C: a change here needs one
there.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

__all__ = ["FALSE", "TRUE", "Graph"]

FALSE, TRUE = 0, 1
WIDTH = 32  # bits that hold any literal
INPUT = -1  # what stands in the place of an input's first side
WIDE = 8  # bits from which on _split looks into an equality
SPLITS = 4  # choices within choices that _split follows


class Graph:
    """Conjunctions over free inputs.

    Exclusive or and choice are built from conjunctions; mux_of recognises them again. A word is a
    tuple of literals, lowest bit first. len() is the number of nodes; node 0 is the constant.
    """

    def __init__(self) -> None:
        self._left = array("i", [0])  # of node n; an input has INPUT
        self._right = array("i", [0])  # of node n; an input has the number of its group
        self._nodes: dict[int, int] = {}  # the two literals, as one number -> literal
        self._groups = 0
        self._below: list[int] = [0]  # of a node: the groups that it depends on, as a set of bits
        self._parts: dict[int, set[int]] = {}  # conjunction -> what it is a conjunction of

    def __len__(self) -> int:
        return len(self._left)

    def sides(self, node: int) -> tuple[int, int]:
        """The two literals of a node's conjunction; (-1, group) for an input, (0, 0) for node 0."""
        return self._left[node], self._right[node]

    def new_inputs(self, width: int) -> int:
        """The literal of the first of `width` free inputs, whose nodes have numbers in a row.

        They are one group. Groups count from 0.
        """
        first = len(self._left)
        self._left.extend([INPUT] * width)
        self._right.extend([self._groups] * width)
        self._groups += 1
        return first << 1

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
        # One level deep: a and (a and c) is that node. a and (not a and c) is false.
        # a and not (not a and c) is a. a and not (a and c) is a and not c.
        node = b >> 1
        left, right = self._left[node], self._right[node]
        if left > 0:
            if left == a or right == a:
                return self.conj(a, (right if left == a else left) ^ 1) if b & 1 else b
            if a ^ 1 in (left, right):
                return a if b & 1 else 0
        return self._new(a, b)

    def _new(self, a: int, b: int) -> int:
        """A node of its own for two literals, the smaller one first."""
        found = self._nodes[a << WIDTH | b] = len(self._left) << 1
        self._left.append(a)
        self._right.append(b)
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
        # Complements are taken out, so that x xor y and its three variants share one node.
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
        """(c, a, b) where the node is `a if c else b`; None for any other node, and for inputs."""
        a, b = self._left[node], self._right[node]
        if a < 0 or not a & b & 1:
            return None
        p, q = self._left[a >> 1], self._right[a >> 1]
        r, s = self._left[b >> 1], self._right[b >> 1]
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

    def all(self, *literals: int) -> int:
        """The literal of a conjunction; TRUE of no literals."""
        result = TRUE
        for literal in literals:
            result = self.conj(result, literal)
        return result

    def any(self, *literals: int) -> int:
        """The literal of a disjunction; FALSE of no literals."""
        result = TRUE
        for literal in literals:
            result = self.conj(result, literal ^ 1)
        return result ^ 1

    def conj_each(self, a: Sequence[int], b: Sequence[int]) -> tuple[int, ...]:
        """The conjunctions of two words of one width, bit by bit; ValueError for two widths."""
        return tuple([self.conj(x, y) for x, y in zip(a, b, strict=True)])

    def disj_each(self, a: Sequence[int], b: Sequence[int]) -> tuple[int, ...]:
        """The disjunctions of two words of one width, bit by bit; ValueError for two widths."""
        return tuple([self.disj(x, y) for x, y in zip(a, b, strict=True)])

    def xor_each(self, a: Sequence[int], b: Sequence[int]) -> tuple[int, ...]:
        """The exclusive or of two words of one width, bit by bit; ValueError for two widths."""
        return tuple([self.xor(x, y) for x, y in zip(a, b, strict=True)])

    def mux_each(self, c: int, a: Sequence[int], b: Sequence[int]) -> tuple[int, ...]:
        """Word a where c holds, else b."""
        return tuple([self.mux(c, x, y) for x, y in zip(a, b, strict=True)])

    def equal(self, a: Sequence[int], b: Sequence[int]) -> int:
        """The literal that says that two words of one width are equal."""
        pairs = [(x, y) for x, y in zip(a, b, strict=True) if x != y]
        for x, y in pairs:
            if x ^ 1 == y:
                return FALSE
        if len(pairs) >= WIDE:
            found = self._split(pairs, SPLITS)
            if found is not None:
                return found
        return self._atom(pairs)

    def _split(self, pairs: list[tuple[int, int]], depth: int) -> int | None:
        """The equality of words that are choices, as a choice between simpler equalities.

        None if choices nest too deep. So the same few equalities stand behind all questions, and no
        proof has to find them again bit by bit.
        """
        counts: dict[int, int] = {}
        for x, y in pairs:
            for selector in {*self._selectors(x), *self._selectors(y)}:
                counts[selector] = counts.get(selector, 0) + 1
        # The selector that decides most pairs; among equals the lowest, so that no order of sets
        # shows.
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
        """The literals that a literal chooses by, is masked by or is flipped by, without signs."""
        node = literal >> 1
        if self._left[node] <= 0:
            return ()
        choice = self.mux_of(node)
        if choice is None:
            return self._left[node] & ~1, self._right[node] & ~1
        selector, yes, no = choice
        return (selector & ~1, yes & ~1) if yes ^ 1 == no else (selector & ~1,)

    def _where(self, literal: int, selector: int, value: int) -> int:
        """The literal under an assumed value of the selector; looks one level deep."""
        node, flip = literal >> 1, literal & 1
        if node == selector >> 1:
            return value ^ flip
        a, b = self._left[node], self._right[node]
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
        """All pairs are equal; comparisons with a constant come first: they are shared most."""
        found = TRUE
        for x, y in pairs:
            if x < 2 or y < 2:
                found = self.conj(found, x ^ y ^ 1)
        for x, y in pairs:
            if x > 1 and y > 1:
                found = self.conj(found, self.xor(x, y) ^ 1)
        return found

    def contradict(self, literals: Iterable[int]) -> bool:
        """Do the literals contradict each other, as far as taking conjunctions apart shows it?

        They do where two of their parts are complements, or where they deny a conjunction and have
        both its sides among their parts.
        """
        left, right, parts = self._left, self._right, self._parts
        found: set[int] = set()
        for literal in literals:
            if literal & 1 or left[literal >> 1] <= 0:
                found.add(literal)
            else:
                found |= parts.get(literal) or self._take_apart(literal)
        if FALSE in found:
            return True
        found.discard(TRUE)
        for literal in found:
            if literal & 1:
                node = literal >> 1
                if literal ^ 1 in found or (left[node] in found and right[node] in found):
                    return True
        return False

    def _take_apart(self, literal: int) -> set[int]:
        """The conjunction, its two sides, and theirs."""
        left, right = self._left, self._right
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

    def support(self, literals: Iterable[int]) -> list[int]:
        """The groups of inputs that the literals depend on, ascending."""
        left, right, below = self._left, self._right, self._below
        for node in range(len(below), len(left)):
            a = left[node]
            below.append(1 << right[node] if a < 0 else below[a >> 1] | below[right[node] >> 1])
        found = 0
        for literal in literals:
            found |= below[literal >> 1]
        return [group for group in range(found.bit_length()) if found >> group & 1]

    def evaluate(self, literals: Iterable[int], held: Iterable[int]) -> list[bool]:
        """The literals' values where exactly the inputs `held`, as positive literals, are true."""
        wanted = list(literals)
        left, right = self._left, self._right
        known = {0: 0, 1: 1}  # literal -> its value
        for literal in held:
            known[literal], known[literal ^ 1] = 1, 0
        for node in self._cone(wanted):
            a = left[node]
            value = known.get(2 * node, 0) if a < 0 else known[a] & known[right[node]]
            known[2 * node] = value
            known[2 * node + 1] = value ^ 1
        return [bool(known[literal]) for literal in wanted]

    def _cone(self, literals: Iterable[int]) -> list[int]:
        """The nodes that the literals depend on, in topological order."""
        left, right = self._left, self._right
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

    def clauses(self, literals: Iterable[int], variables: array[int],
                last: int) -> tuple[list[list[int]], int]:
        """The clauses of the literals' nodes, and of all nodes below them without a variable.

        variables  node -> its variable, from 1, or 0 where it has none yet and gets the next; the
                   literals' own nodes must have one
        last       the last variable that was given

        Also returns the last variable afterwards. A choice has four clauses, and its halves have no
        variables.
        """
        left, right, mux_of = self._left, self._right, self.mux_of
        todo = [literal >> 1 for literal in literals]
        clauses: list[list[int]] = []
        while todo:
            node = todo.pop()
            a, b = left[node], right[node]
            if a <= 0:
                continue
            choice = mux_of(node) if a & b & 1 else None
            own = variables[node]
            known = []
            for literal in choice or (a, b):
                under = literal >> 1
                found = variables[under]
                if not found:
                    last += 1
                    found = variables[under] = last
                    todo.append(under)
                known.append(-found if literal & 1 else found)
            if choice is None:
                x, y = known
                clauses += [-own, x], [-own, y], [own, -x, -y]
            else:
                c, x, y = known
                clauses += [-c, -own, x], [-c, own, -x], [c, -own, y], [c, own, -y]
        return clauses, last

    def rebuild(self, source: Graph, literals: Iterable[int], values: array[int]) -> list[int]:
        """The literals of another graph, built here, where its inputs have other values.

        values  node of the other graph -> a literal here, for the inputs among what the literals
                depend on; IndexError where it is none
        """
        left, right = source._left, source._right
        wanted, known = list(literals), {0: 0}
        seen, todo = {0}, [literal >> 1 for literal in wanted]
        while todo:
            node = todo.pop()
            if node not in seen:
                seen.add(node)
                if left[node] > 0:
                    # Of a choice, what it chooses by and between: so it folds as a choice does.
                    below = source.mux_of(node) or (left[node], right[node])
                    todo += [literal >> 1 for literal in below]
        for node in sorted(seen)[1:]:
            if left[node] < 0:
                if not 0 <= values[node] < 2 * len(self):
                    raise IndexError(f"{values[node]} is no literal of this graph")
                known[node] = values[node]
                continue
            choice = source.mux_of(node)
            sides = [known[x >> 1] ^ (x & 1) for x in choice or (left[node], right[node])]
            known[node] = self.mux(*sides) if choice else self.conj(*sides)
        return [known[literal >> 1] ^ (literal & 1) for literal in wanted]
