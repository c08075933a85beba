# SPDX-License-Identifier: GPL-2.0-or-later
"""Relations on a few events: for each event a mask of those that it is related to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

__all__ = ["Relation"]


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation on the events 0 .. n-1: bit j of row i says that i is related to j.

    >>> r = Relation.of(3, [(0, 1), (1, 2)])
    >>> sorted((r | r @ r).pairs()), r.acyclic(), (r | Relation.of(3, [(2, 0)])).acyclic()
    ([(0, 1), (0, 2), (1, 2)], True, False)
    """

    rows: tuple[int, ...]

    @staticmethod
    def of(n: int, pairs: Iterable[tuple[int, int]]) -> Relation:
        """The relation of these pairs."""
        rows = [0] * n
        for a, b in pairs:
            rows[a] |= 1 << b
        return Relation(tuple(rows))

    @staticmethod
    def on(n: int, mask: int) -> Relation:
        """The identity on the events of a mask: what the cat language writes [S]."""
        return Relation(tuple(mask & 1 << i for i in range(n)))

    @staticmethod
    def product(n: int, left: int, right: int) -> Relation:
        """Every event of one mask with every event of another."""
        return Relation(tuple(right if left >> i & 1 else 0 for i in range(n)))

    def __or__(self, other: Relation) -> Relation:
        return Relation(tuple(a | b for a, b in zip(self.rows, other.rows, strict=True)))

    def __and__(self, other: Relation) -> Relation:
        return Relation(tuple(a & b for a, b in zip(self.rows, other.rows, strict=True)))

    def __sub__(self, other: Relation) -> Relation:
        return Relation(tuple(a & ~b for a, b in zip(self.rows, other.rows, strict=True)))

    def __matmul__(self, other: Relation) -> Relation:
        """One after the other: what the cat language writes r ; s."""
        rows = other.rows
        found = []
        for row in self.rows:
            reached = 0
            while row:
                low = row & -row
                reached |= rows[low.bit_length() - 1]
                row ^= low
            found.append(reached)
        return Relation(tuple(found))

    def optional(self) -> Relation:
        """The relation, or no step."""
        return Relation(tuple(row | 1 << i for i, row in enumerate(self.rows)))

    def closure(self) -> Relation:
        """One step or several."""
        rows = list(self.rows)
        for k in range(len(rows)):
            through = rows[k]
            if through:
                for i, row in enumerate(rows):
                    if row >> k & 1:
                        rows[i] = row | through
        return Relation(tuple(rows))

    def star(self) -> Relation:
        """Any number of steps, or none."""
        return self.closure().optional()

    def inverse(self) -> Relation:
        """The other way round."""
        return Relation.of(len(self.rows), ((b, a) for a, b in self.pairs()))

    def after(self, mask: int) -> Relation:
        """Only the pairs whose first is in the mask: [S] ; r."""
        return Relation(tuple(row if mask >> i & 1 else 0 for i, row in enumerate(self.rows)))

    def before(self, mask: int) -> Relation:
        """Only the pairs whose second is in the mask: r ; [S]."""
        return Relation(tuple(row & mask for row in self.rows))

    def firsts(self) -> int:
        """The events that are related to something, as a mask."""
        return sum(1 << i for i, row in enumerate(self.rows) if row)

    def seconds(self) -> int:
        """The events that something is related to, as a mask."""
        found = 0
        for row in self.rows:
            found |= row
        return found

    def pairs(self) -> Iterator[tuple[int, int]]:
        """All pairs."""
        for i, row in enumerate(self.rows):
            while row:
                low = row & -row
                yield i, low.bit_length() - 1
                row ^= low

    def irreflexive(self) -> bool:
        """Is no event related to itself?"""
        return not any(row >> i & 1 for i, row in enumerate(self.rows))

    def acyclic(self) -> bool:
        """Is there no way from an event back to itself?"""
        return self.closure().irreflexive()

    def __bool__(self) -> bool:
        return any(self.rows)
