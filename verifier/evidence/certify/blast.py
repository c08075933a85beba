# SPDX-License-Identifier: GPL-2.0-or-later
"""The CNF of a claim, from a graph that is not folded: no certificate rests on our rewriting.

One CNF belongs to one step of a group, that is, to all proofs of one transition. It says that some
proved obligation is violated, and is unsatisfiable where all of them hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from verifier.engine.bits import Bits, Word
from verifier.engine.graph import WIDTH, Graph
from verifier.prove.obligations import Question

__all__ = ["ClaimsCnf", "Unfolded", "claims_cnf"]


class _Nodes(Graph):
    """The graph in Python without any rewriting; words are compared bit by bit."""

    def __init__(self, constants: bool) -> None:
        super().__init__()
        self._constants = constants

    def conj(self, a: int, b: int) -> int:
        if a > b:
            a, b = b, a
        if self._constants:
            if a < 2:
                return b if a else 0
            if a >> 1 == b >> 1:
                return a if a == b else 0
        # Equal conjunctions are one node even so: that is a name for what is there, no rewriting.
        found = self._nodes.get(a << WIDTH | b)
        return self._new(a, b) if found is None else found

    def xor(self, a: int, b: int) -> int:
        return self.conj(self.conj(a, b) ^ 1, self.conj(a ^ 1, b ^ 1) ^ 1)

    def mux(self, c: int, a: int, b: int) -> int:
        return self.conj(self.conj(c, a) ^ 1, self.conj(c ^ 1, b) ^ 1) ^ 1

    def equal(self, a: Sequence[int], b: Sequence[int]) -> int:
        found = 1
        for x, y in zip(a, b, strict=True):
            found = self.conj(found, self.xor(x, y) ^ 1)
        return found


class Unfolded(Bits):
    """The bit graph without any rewriting: equality is bit by bit.

    Equal conjunctions are still one node. With `constants`, a conjunction with a constant, with
    itself or with its complement is folded; without, it is a node as well. The graph is the one in
    Python, whatever else there is.

    >>> g = Unfolded(constants=False)
    >>> x = g.input_bool("x")
    >>> g.conj(x, 0) > 1, g.conj(x, 0) == g.conj(0, x)
    (True, True)
    """

    def __init__(self, constants: bool = True) -> None:
        super().__init__(_Nodes(constants))


@dataclass(frozen=True, slots=True)
class ClaimsCnf:
    """A CNF, and the meaning of its variables.

    violated  obligation id -> the variable that says that it is violated; these are the last clause
    assumed   label of an instance -> the variable that says that all its assumptions hold
    inputs    name -> the variables of its bits, lowest first; 0 where nothing depends on a bit
    """

    variables: int
    clauses: list[list[int]]
    violated: dict[str, int]
    assumed: dict[str, int]
    inputs: dict[str, list[int]]


def claims_cnf(graph: Bits, questions: Sequence[Question[Word, int]]) -> ClaimsCnf:
    """The CNF that some of these obligations is violated.

    The same specs give the same bytes. A gate has a higher number than what it depends on, so that
    the inputs determine all other variables in one pass. A gate is the conjunction of two literals,
    or a choice between two, whose halves have no variables.
    """
    given = {label: graph.all(*found) for q in questions for label, found in q.given.items()}
    # "Violated" has the assumptions in it. So no clause assumes anything, and a reader sees by the
    # names alone under what each obligation was proved.
    bad = {q.id: graph.any(*(graph.conj(given[w.label], w.bad) for w in q.ways)) for q in questions}
    sides, mux_of = graph.nodes.sides, graph.nodes.mux_of
    choices: dict[int, tuple[int, int, int]] = {}
    seen = {0}
    todo = [literal >> 1 for literal in (*given.values(), *bad.values())]
    while todo:
        node = todo.pop()
        if node in seen:
            continue
        seen.add(node)
        a, b = sides(node)
        if a < 0:
            continue
        # A choice is a conjunction of two negations. Its halves are no gates then, which spares two
        # variables and two clauses; mux_of says whether it is one.
        choice = mux_of(node) if a & b & 1 and a > 1 else None
        if choice is None:
            todo += a >> 1, b >> 1
        else:
            choices[node] = choice
            todo += [literal >> 1 for literal in choice]
    # A node is made after its sides, so the order of nodes is one in which gates can be computed.
    number = {node: at for at, node in enumerate(sorted(seen), 1)}

    def signed(literal: int) -> int:
        return -number[literal >> 1] if literal & 1 else number[literal >> 1]

    clauses = [[-1]]  # node 0 is false
    for node, own in number.items():
        if node in choices:
            c, x, y = map(signed, choices[node])
            clauses += [-c, -own, x], [-c, own, -x], [c, -own, y], [c, own, -y]
        elif node and sides(node)[0] >= 0:
            x, y = map(signed, sides(node))
            clauses += [-own, x], [-own, y], [own, -x, -y]
    count = len(number)
    named: dict[str, dict[str, int]] = {"violated": {}, "assumed": {}}
    for kind, literals in (("assumed", given), ("violated", bad)):
        for name, literal in literals.items():
            # A variable of its own for each name, though many names may be one node: a reader then
            # needs no table of which is which.
            count += 1
            clauses += [-count, signed(literal)], [count, -signed(literal)]
            named[kind][name] = count
    clauses.append(list(named["violated"].values()))
    inputs = {name: [number.get(bit >> 1, 0) for bit in bits] for name, bits in graph.inputs.items()
              if any(bit >> 1 in number for bit in bits)}
    return ClaimsCnf(count, clauses, named["violated"], named["assumed"], inputs)
