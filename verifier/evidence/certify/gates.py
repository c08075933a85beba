# SPDX-License-Identifier: GPL-2.0-or-later
"""A CNF read as a circuit: every clause is a constant's, part of a gate's definition, a name's, or the violation.

Gates are defined once, each behind what it depends on. So whatever values the inputs have, there is exactly one assignment that
satisfies all clauses but the last: nothing is assumed by the CNF itself, and it is the violation that cannot be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from verifier.evidence.certify.files import Bad

__all__ = ["Circuit", "read_circuit"]

NAME, AND, CHOICE = 2, 3, 4  # clauses of a definition


@dataclass(frozen=True, slots=True)
class Circuit:
    """What a CNF defines. Variable 1 is false; variables count from 1, and literals are signed variables.

    inputs     variables that nothing defines
    gates      (own, a, b, 0): own is a and b; (own, a, b, c): own is a where c holds, else b
    names      (own, literal): own is that literal; the last variables, in order
    violation  the last clause
    """

    variables: int
    inputs: frozenset[int]
    gates: list[tuple[int, int, int, int]]
    names: list[tuple[int, int]]
    violation: list[int]

    def values(self, inputs: Mapping[int, int], count: int) -> list[int]:
        """Each literal's values in `count` assignments at once, as bits of a number; index it with literals of either sign.

        `inputs` has the values of input variables likewise; one that is missing is 0.
        """
        all_true = (1 << count) - 1
        found = [0] * (2 * self.variables + 1)
        for own in (1, *self.inputs):
            found[own] = inputs.get(own, 0)
            found[-own] = found[own] ^ all_true
        for own, a, b, c in self.gates:
            value = found[a] & found[c] | found[b] & found[-c] if c else found[a] & found[b]
            found[own] = value
            found[-own] = value ^ all_true
        for own, literal in self.names:
            found[own], found[-own] = found[literal], found[-literal]
        return found


def read_circuit(variables: int, clauses: Sequence[list[int]]) -> Circuit:
    """The circuit of a CNF. Bad at the first clause (they count from 1) that is no part of one."""
    if not clauses or clauses[0] != [-1]:
        raise Bad("clause 1 does not say that variable 1 is false")
    gates: list[tuple[int, int, int, int]] = []
    names: list[tuple[int, int]] = []
    at, last, end = 1, 1, len(clauses) - 1
    while at < end:
        size, own, under = _definition(clauses[at:min(at + 4, end)])
        if not size or (names and size != NAME):
            raise Bad(f"clause {at + 1} is neither part of a definition nor the violation")
        if own <= last or own > variables or any(not -own < x < own for x in under):
            raise Bad(f"clause {at + 1} defines variable {own} again, or out of order, or by what comes behind it")
        if size == NAME:
            names.append((own, under[0]))
        else:
            gates.append((own, under[0], under[1], under[2] if size == CHOICE else 0))
        at, last = at + size, own
    if [own for own, _ in names] != list(range(variables - len(names) + 1, variables + 1)):
        raise Bad("the variables that are named are not the last ones")
    defined = {1, *(gate[0] for gate in gates), *(own for own, _ in names)}
    inputs = frozenset(v for v in range(2, variables + 1) if v not in defined)
    return Circuit(variables, inputs, gates, names, clauses[-1])


def _definition(some: Sequence[list[int]]) -> tuple[int, int, tuple[int, ...]]:
    """How many of these clauses define a variable, which one, and by what literals; 0 where they define none."""
    first = some[0]
    if len(first) == 2 and len(some) >= NAME:
        own, x = -first[0], first[1]
        if some[1] == [own, -x]:
            return NAME, own, (x,)
        y = some[1][-1]
        if some[1] == [-own, y] and len(some) >= AND and some[2] == [own, -x, -y]:
            return AND, own, (x, y)
    elif len(first) == 3 and len(some) == CHOICE:
        c, own, x, y = -first[0], -first[1], first[2], some[2][-1]
        if some[1] == [-c, own, -x] and some[2] == [c, -own, y] and some[3] == [c, own, -y]:
            return CHOICE, own, (x, y, c)
    return 0, 0, ()
