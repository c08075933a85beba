# SPDX-License-Identifier: GPL-2.0-or-later
"""A CNF read as a circuit.

Every clause belongs to the constant, to the definition of a gate, to a name, or is the violation.
Each gate is defined once, behind what it depends on. So whatever values the inputs have, exactly
one assignment satisfies all clauses but the last: the CNF itself assumes nothing, and only the
violation can make it unsatisfiable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from verifier.evidence.certify.files import BadCertificate

__all__ = ["Circuit", "read_circuit"]

NAME, AND, CHOICE = 2, 3, 4  # clauses of a definition


@dataclass(frozen=True, slots=True)
class Circuit:
    """The gates that a CNF defines.

    Variable 1 is false. Variables count from 1; a literal is a signed variable.

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
        """The values of each literal in `count` assignments at once, as the bits of a number.

        The list is indexed with literals of either sign. `inputs` has the values of input variables
        in the same form; one that is missing is 0.
        """
        # Integers are as long as need be: one pass over the gates computes all assignments.
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
    """The circuit of a CNF; BadCertificate at the first clause (from 1) that is no part of one."""
    if not clauses or clauses[0] != [-1]:
        raise BadCertificate("clause 1 does not say that variable 1 is false")
    gates: list[tuple[int, int, int, int]] = []
    names: list[tuple[int, int]] = []
    at, last, end = 1, 1, len(clauses) - 1
    while at < end:
        # The last clause is never part of a definition, or it could be hidden in one.
        size, own, under = _definition(clauses[at:min(at + 4, end)])
        if not size or (names and size != NAME):
            raise BadCertificate(
                f"clause {at + 1} is neither part of a definition nor the violation"
            )
        # Rising numbers, and only lower ones underneath: no circle, and nothing defined twice. A
        # circle could be unsatisfiable by itself, whatever is claimed.
        if own <= last or own > variables or any(not -own < x < own for x in under):
            raise BadCertificate(
                f"clause {at + 1} defines variable {own} again, or out of order, or by what "
                "comes behind it"
            )
        if size == NAME:
            names.append((own, under[0]))
        else:
            gates.append((own, under[0], under[1], under[2] if size == CHOICE else 0))
        at, last = at + size, own
    if [own for own, _ in names] != list(range(variables - len(names) + 1, variables + 1)):
        raise BadCertificate("the variables that are named are not the last ones")
    defined = {1, *(gate[0] for gate in gates), *(own for own, _ in names)}
    inputs = frozenset(v for v in range(2, variables + 1) if v not in defined)
    return Circuit(variables, inputs, gates, names, clauses[-1])


def _definition(some: Sequence[list[int]]) -> tuple[int, int, tuple[int, ...]]:
    """The number of these clauses that define a variable, the variable, and the literals.

    The number is 0 where they define none.
    """
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
