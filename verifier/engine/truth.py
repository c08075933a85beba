# SPDX-License-Identifier: GPL-2.0-or-later
"""Truth tables over few inputs: the table of a node is one integer, with a bit for each row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from verifier.engine.graph import Graph

__all__ = ["INPUTS", "rows"]

INPUTS = 10  # bits of inputs: tables of at most 1,024 rows
NODES = 128  # beyond these a SAT solver is quicker


def rows(graph: Graph, literals: Sequence[int]) -> tuple[list[int], int] | None:
    """The input nodes that the literals depend on, and the table of their conjunction.

    Bit r of the table says whether all literals hold where input k has the value of bit k of r.
    None where there are more than INPUTS inputs or NODES nodes.

    >>> graph = Graph()
    >>> x = graph.new_inputs(2)
    >>> rows(graph, [graph.xor(x, x + 2)])
    ([1, 2], 6)
    """
    nodes = _few(graph, literals)
    if nodes is None:
        return None
    sides = {node: graph.sides(node) for node in nodes}
    inputs = [node for node, (left, _) in sides.items() if left < 0]
    # All rows at once: a conjunction is one `&` of integers, and a complement flips every row.
    all_rows = (1 << (1 << len(inputs))) - 1
    known = {0: 0, 1: all_rows}
    number = 0
    for node, (left, right) in sides.items():
        if left < 0:
            value = _column(number, len(inputs))
            number += 1
        else:
            value = known[left] & known[right]
        known[2 * node] = value
        known[2 * node + 1] = value ^ all_rows
    table = all_rows
    for literal in literals:
        table &= known[literal]
    return inputs, table


def _few(graph: Graph, literals: Iterable[int]) -> list[int] | None:
    """The nodes that the literals depend on, in topological order; None if they are too many."""
    seen = {0}
    inputs = 0
    todo = [literal >> 1 for literal in literals]
    while todo:
        node = todo.pop()
        if node in seen:
            continue
        seen.add(node)
        left, right = graph.sides(node)
        if left < 0:
            inputs += 1
        else:
            todo += right >> 1, left >> 1
        if inputs > INPUTS or len(seen) > NODES:
            return None
    return sorted(seen)[1:]  # a node is numbered behind its sides; node 0 is the constant


@cache
def _column(number: int, count: int) -> int:
    """An input's own table: bit `number` of each of the 2**count rows."""
    # Blocks of `half` zeros and `half` ones, repeated: all_rows / (2**half + 1) has the zeros'
    # places.
    all_rows = (1 << (1 << count)) - 1
    half = 1 << number
    return all_rows // ((1 << half) + 1) << half
