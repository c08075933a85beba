# SPDX-License-Identifier: GPL-2.0-or-later
"""What has to be proved: each property at each step of a group, as one question to a solver.

A group is a theorem: variant x level x encoding x code. Its questions share one symbolic state, in
which the whole invariant is assumed. An obligation is proved where no such state violates its
property.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic

from verifier.language.algebra import B, W
from verifier.model.spec import EFFECT, Property
from verifier.model.step import Instance, Step

__all__ = ["Aim", "Group", "Obligation", "Question", "Way", "obligation_id"]


@dataclass(frozen=True, slots=True)
class Group:
    """A theorem: initial states and every step of this code keep the whole invariant."""

    variant: str
    level: str
    encoding: str
    code: str

    def __str__(self) -> str:
        return f"{self.variant}/{self.level}/{self.encoding}/{self.code}"


def obligation_id(group: Group, transition: str, prop: str) -> str:
    """variant/level/encoding/transition/code/property."""
    return f"{group.variant}/{group.level}/{group.encoding}/{transition}/{group.code}/{prop}"


@dataclass(slots=True)
class Way(Generic[W, B]):
    """One way to violate an obligation: an instance of its step, and a process."""

    instance: Instance | None
    process: int | None
    step: Step[W, B] | None
    bad: B
    sentence: str = ""  # of a static property
    component: str = ""  # of the entry, which the step changes as it must not

    def __str__(self) -> str:
        """What tells it apart from the other ways of its question."""
        return " ".join(part for part in (self.label, "" if self.process is None
                                          else "AB"[self.process], self.component) if part)

    @builtins.property
    def label(self) -> str:
        """Under what its question keeps what may be assumed."""
        return self.instance.label if self.instance is not None else self.sentence or "init"


@dataclass(slots=True)
class Question(Generic[W, B]):
    """An obligation with its formulas. `given` is what may be assumed, by instance label."""

    id: str
    transition: str
    property: Property
    ways: list[Way[W, B]] = field(default_factory=list)
    given: dict[str, tuple[B, ...]] = field(default_factory=dict)
    instances: dict[str, Instance] = field(default_factory=dict)
    # why what a helper does is not known, and where: no verdict there
    unsettled: Mapping[str, B] = field(default_factory=dict)

    def assumed(self) -> tuple[str, ...]:
        """The names of what the question takes as given: requirements and axioms."""
        names: dict[str, None] = {}
        for way in self.ways:
            if way.step is not None:
                names |= dict.fromkeys(way.step.named)
        return tuple(names)


@dataclass(slots=True)
class Aim(Generic[B]):
    """An obligation that some state leads a step to what it is there for.

    `shown` has the instances, with what each assumes and the condition that shows the effect.
    """

    id: str
    transition: str
    property: Property
    shown: list[tuple[Instance, tuple[B, ...], B]] = field(default_factory=list)
    unsettled: Mapping[str, B] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Obligation:
    """What a question asks. There may be a million, so ids and claims are made when they are read.

    says   what the property claims
    width  bits of an entry
    """

    group: Group
    transition: str
    catalogue: tuple[str, ...]
    property: str
    kind: str
    says: str
    width: int

    @builtins.property
    def id(self) -> str:
        """The obligation's name: variant/level/encoding/transition/code/property."""
        return obligation_id(self.group, self.transition, self.property)

    @builtins.property
    def claim(self) -> str:
        """One sentence with its quantifiers."""
        group = self.group
        if self.transition == "static":
            return f"On {group.variant}, for all values of the parameters: {self.says}."
        if self.transition == "init":
            return f"On {group.variant}, in every fresh address space: {self.says}."
        if self.kind == EFFECT:
            return (
                f"On {group.variant}, some state of {self.width}-bit entries at level "
                f"{group.level} that satisfies the "
                "invariant, with some inputs and observations that the axioms allow, leads "
                f"{self.transition} "
                f"(code {group.code}, encoding {group.encoding}) to where this holds: "
                f"{' '.join(self.says.split())}."
            )
        return (
            f"On {group.variant}, for all {self.width}-bit entries at level {group.level} and "
            "every state that satisfies the "
            "invariant, all inputs and observations that the axioms allow: after "
            f"{self.transition} (code {group.code}, "
            f"encoding {group.encoding}), {self.says}."
        )
