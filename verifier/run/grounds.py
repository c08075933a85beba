# SPDX-License-Identifier: GPL-2.0-or-later
"""What a proof and a failure rest on, as digests: the loaded model, the program, the solver.

Loaded data is digested, and not its files: the work is done with the data, whatever becomes of the
files meanwhile, and a comment in them changes nothing. Everything of specs/ counts, except what a
group cannot see, which is taken out by name: other encodings and, for a proof, other transitions.
So something new in specs/ counts until somebody shows that it need not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from verifier.base.digests import digest, program
from verifier.model.typed import Model
from verifier.prove.obligations import Group
from verifier.run.filters import Filters
from verifier.run.library import Library
from verifier.run.plan import coverage_of, groups_of

__all__ = ["Grounds", "code", "grounds", "of_theorems"]


@dataclass(frozen=True, slots=True)
class Grounds:
    """Digests of what results rest on.

    `proofs` has one for each transition, hw-EVENT, init and static. `failures` is one for all,
    since a trace may take any step.
    """

    proofs: Mapping[str, str]
    failures: str


def code() -> str:
    """The digest of the code that decides and searches. OSError where it cannot be read."""
    return program("verifier.run.worker")


def grounds(library: Library, group: Group, model: Model, code: str, solver: str,
            depth: int) -> Grounds:
    """What results about a group rest on: decided by `solver`, traces of up to `depth` steps."""
    variant = library.variant(group.variant)
    spec = replace(library.spec, transitions={},
                   encodings={group.encoding: library.spec.encodings[group.encoding]})
    base = digest(code, solver, group, library.archs[variant.arch], library.generic, variant, spec)
    transitions = {name: digest(base, one) for name, one in model.spec.transitions.items()}
    events = {name: digest(base, name)
              for name in ("init", "static", *(f"hw-{e}" for e in variant.hardware))}
    return Grounds(events | transitions, digest(base, transitions, depth))


def of_theorems(library: Library, filters: Filters) -> str:
    """What the text about whole theorems rests on: all that their failures do, and the coverage.

    Who decides, how deep and with which code is not in it.
    """
    groups, skipped = groups_of(library, filters)
    each = [grounds(library, group, library.group_model(group), "", "", 0).failures
            for group in groups]
    return digest(each, coverage_of(library, groups, filters, skipped))
