# SPDX-License-Identifier: GPL-2.0-or-later
"""The texts of specs/blocks/, typed against one variant under one encoding, for one size."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from verifier.language.indices import Indices
from verifier.language.machine import of_page
from verifier.language.parse import Signature
from verifier.language.syntax import INDEX, Function, Param
from verifier.model import sections as may
from verifier.model.arch import Layout
from verifier.model.scope import ModelScope
from verifier.model.spec import (
    INVARIANT,
    LEMMA,
    THIRD,
    Encoding,
    Level,
    Property,
    Spec,
    Transition,
)
from verifier.model.typed import Model

__all__ = ["FOLD", "BlockInstance", "BlockModel", "cell", "check_blocks", "instances",
           "one_of_each"]

_NAMES = "AB3"
FOLD = "fold"  # the step that is the end of others


class BlockModel(Model):
    """specs/blocks/ typed for a block of `pages` entries, on first use."""

    def __init__(self, spec: Spec, layout: Layout, encoding: Encoding, pages: int,
                 folds: Mapping[str, tuple[str, ...]] | None = None) -> None:
        self.pages: int | None = pages
        self.size = pages
        # step -> the roles whose page, where it is the last one, it ends in a fold of; None where
        # each entry stands for itself
        self.folds = folds
        (level,) = spec.levels
        super().__init__(spec, layout, encoding, level)

    def property(self, prop: Property) -> Function:
        """The sentence of a property, about process p and page i."""
        assert prop.holds is not None
        return self.sentence(prop.holds, may.PROPERTY, (Param("p", INDEX), Param("i", INDEX)))

    def code(self, transition: Transition, name: str, walked: Level | None = None
             ) -> Function | None:
        """The typed code that runs for this transition under a code's name.

        The hardware acts between steps and not within them (docs/blocks.md).
        """
        chosen = transition.code(name)
        if chosen is None:
            return None
        key = (chosen[1].where, "code", transition.name)
        if key not in self._cache:
            signature = Signature(transition.name, self.params(transition))
            self._cache[key] = self.parse(
                signature, chosen[1], ModelScope(self, may.CODE, self.level)
            )
        return self._cache[key]

    def invariants(self) -> list[Property]:
        """The properties that every state has to have."""
        return [p for p in self.spec.properties.values()
                if p.kind in (INVARIANT, LEMMA)
                and (not p.encodings or self.encoding.name in p.encodings)]


@dataclass(frozen=True, slots=True)
class BlockInstance:
    """A transition with its roles bound to processes and its pages to pages, or an event."""

    name: str
    transition: Transition | None
    event: str | None
    roles: tuple[int, ...]
    pages: tuple[int, ...]

    @property
    def label(self) -> str:
        """The name in reports: fork-one[AB,1] is about page 1."""
        pages = "".join(f",{page}" for page in self.pages)
        return f"{self.name}[{''.join(_NAMES[r] for r in self.roles)}{pages}]"


def instances(model: BlockModel, actors: Collection[int] = (0,), apart: bool = False
              ) -> Iterator[BlockInstance]:
    """Every step in which one of these processes acts.

    By symmetry of the two processes, A (0) is enough for a proof. What the hardware marks of a page
    may stand in the page's own entry or, in a contiguous block, in another.

    apart  the fold with which steps end is a step of its own
    """
    for actor in actors:
        for transition in model.spec.transitions.values():
            if any(need in model.layout.variant.absent for need in transition.needs):
                continue
            if transition.name == FOLD and not apart:
                continue
            count = len(transition.roles)
            found = [(actor, 1 - actor)[:count]]
            for role in transition.third:
                where = transition.roles.index(role)
                found.append(tuple(THIRD if i == where else actor for i in range(count)))
            for roles in found:
                for page in range(model.size) if transition.pages else (None,):
                    yield BlockInstance(transition.name, transition, None, roles,
                                        () if page is None else (page,))
        for event in model.layout.variant.hardware:
            for page in range(model.size):
                for at in (page,) if model.folds is None else range(model.size):
                    yield BlockInstance(f"hw-{event}", None, event, (actor,), (page, at)[
                        :1 if at == page else 2])


def one_of_each(model: BlockModel, found: Iterable[BlockInstance]) -> Iterator[BlockInstance]:
    """Of instances that differ in pages alone one of each kind.

    Pages that are neither the first nor the last are alike: texts know a page's number as a frame
    alone, which is carried along (verifier/blocks/premises.py).
    """
    ends = (0, model.size - 1)
    seen = set()
    for instance in found:
        inner = [page for page in instance.pages if page not in ends]
        kind = (instance.name, instance.roles, tuple(
            page if page in ends else -1 - inner.index(page) for page in instance.pages))
        if kind not in seen:
            seen.add(kind)
            yield instance


def check_blocks(model: BlockModel) -> None:
    """Type everything, and see that no index is out of range; SpecError at the first mistake."""
    for section in model.sections():
        for name in model.names(section):
            model.definition(section, name)
    model.init()
    for name in model.observations:
        model.axioms(name)
    look = Indices(("entry",), model.size)
    for prop in model.invariants():
        for process in (0, 1):
            for page in range(model.size):
                look.check(model.property(prop), (process, page))
    for instance in instances(model, apart=True):
        transition = instance.transition
        if transition is None:
            continue
        args = (*instance.roles, *instance.pages, *(None for _ in transition.inputs))
        for _, text in model.requires(transition):
            look.check(text, args)
        for code in transition.codes:
            if code.partition("+")[0] in model.encoding.codes:
                found = model.code(transition, code)
                assert found is not None
                look.check(found, args)


def cell(name: str, process: int, page: int) -> tuple[str, int]:
    """The key of a variable of a process and a page in a state."""
    return of_page(name, page), process
