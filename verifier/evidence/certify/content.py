# SPDX-License-Identifier: GPL-2.0-or-later
"""The obligations of a run, and what the certificate of a unit says, both made from specs/.

`make` writes what is made here; `verify` makes it again and compares it with what somebody hands
over. A unit is the proved obligations of one step of a group. It is built in a graph of its own, so
that it has the same bytes whatever else was asked for.
"""

from __future__ import annotations

import builtins
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from verifier.engine.smtlib import Script, Smt
from verifier.evidence.certify.blast import ClaimsCnf, Unfolded, claims_cnf
from verifier.evidence.certify.files import BadCertificate
from verifier.evidence.export import conditions
from verifier.language.read_yaml import OPENED
from verifier.model.arch_records import GENERIC
from verifier.model.spec import ADVISORY, EFFECT
from verifier.model.step import asked, step_names
from verifier.prove.bits_way import claim, graph_inputs
from verifier.prove.builder import Builder
from verifier.prove.obligations import Group, obligation_id
from verifier.run.filters import Filters
from verifier.run.library import Library
from verifier.run.plan import groups_of

__all__ = ["GRAPHS", "AskedClaim", "Content", "asked_for", "content", "kernels", "spec_digests"]

# files and folders of specs/ that no obligation is made from
APART = ("blocks", "laws.yaml", "races.yaml", "survivors.yaml", "traits.yaml")
GRAPHS = {True: "constants folded", False: "nothing folded"}  # how the index names a graph's kind


@dataclass(frozen=True, slots=True)
class AskedClaim:
    """An obligation: the name of its unit, its property, and the kind of the property."""

    unit: str
    property: str
    kind: str

    @builtins.property
    def advisory(self) -> bool:
        """Is it one that fails no run?"""
        return self.kind == ADVISORY

    @builtins.property
    def effect(self) -> bool:
        """Is it what a step is there for? A step that shows it proves it, without a certificate."""
        return self.kind == EFFECT


@dataclass(frozen=True, slots=True)
class Content:
    """The claims of a unit: as a CNF, in words by obligation, and as SMT-LIB."""

    name: str
    claims: ClaimsCnf
    said: dict[str, str]
    smt2: str

    def text(self, inhabitants: Mapping[str, Mapping[str, int]]) -> str:
        """What the CNF's variables mean, with an inhabitant of each set of assumptions, as JSON."""
        found = self.claims
        told: dict[str, Any] = {
            "unit": self.name, "variables": found.variables, "clauses": len(found.clauses),
            "obligations": [{"id": i, "claim": self.said[i], "violated": found.violated[i]}
                            for i in found.violated],
            "assumed": found.assumed, "inputs": found.inputs, "inhabitants": inhabitants,
        }
        return json.dumps(told, indent=1) + "\n"


def asked_for(library: Library, filters: Filters) -> dict[str, AskedClaim]:
    """Every obligation that the filters let through, by id, with a certificate or without."""
    found = {}
    for group in groups_of(library, filters)[0]:
        model = library.group_model(group)
        for step in step_names(model):
            for prop in asked(model, step, group.code):
                if filters.wants(step, prop.name):
                    found[obligation_id(group, step, prop.name)] = AskedClaim(
                        f"{group}/{step}", prop.name, prop.kind
                    )
    return found


def content(library: Library, unit: str, properties: frozenset[str], constants: bool) -> Content:
    """The claims of a unit.

    Raises BadCertificate where the specs have no such step, or not all of these properties of it.
    """
    variant, level, encoding, code, step = unit.split("/")
    group = Group(variant, level, encoding, code)
    model = library.group_model(group)
    graph, smt = Unfolded(constants), Smt()
    bits = Builder(model, group, graph, graph_inputs(graph))
    terms = Builder(model, group, smt, smt.input)

    def wanted(name: str, prop: str) -> bool:
        return name == step and prop in properties

    questions = list(bits.questions(wanted))
    if {q.property.name for q in questions} != properties or not questions:
        raise BadCertificate("the specs do not have all of these obligations")
    script = Script([f"pteproof: {unit}", "each question asks for a violation: unsat is proved"])
    said = {}
    for question in terms.questions(wanted):
        said[question.id] = claim(model, group, question)
        script.ask([question.id, said[question.id]], conditions(smt, question), "unsat")
    return Content(unit, claims_cnf(graph, questions), said, script.text())


def _architectures(library: Library, filters: Filters) -> list[str]:
    return sorted({library.variant(group.variant).arch for group in groups_of(library, filters)[0]})


def kernels(library: Library, filters: Filters) -> dict[str, str]:
    """The version of Linux that the facts of each architecture were read in."""
    return {name: library.archs[name].read for name in _architectures(library, filters)}


def spec_digests(library: Library, filters: Filters) -> dict[str, str]:
    """The SHA-256 of each file of arch/ and specs/ that these obligations are made from.

    Keys are paths such as arch/x86.yaml. The digest is of the bytes that were read.
    """
    named = _architectures(library, filters)
    shared = [base for name in named for base in library.archs[name].like]
    archs = {library.arch_folder.absolute() / f"{name}.yaml" for name in (*named, *shared, GENERIC)}
    specs = library.spec_folder.absolute()
    found = {f"arch/{path.name}": OPENED[path] for path in archs if path in OPENED}
    found |= {f"specs/{path.relative_to(specs)}": its for path, its in OPENED.items()
              if path.is_relative_to(specs) and path.relative_to(specs).parts[0] not in APART}
    return dict(sorted(found.items()))
