# SPDX-License-Identifier: GPL-2.0-or-later
"""What a text of a section may name at a level of a model, in the form that the typer asks for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from verifier.base.errors import SpecError, Where
from verifier.language.machine import WAS
from verifier.language.meanings import StateVar
from verifier.language.syntax import INDEX, Const, Function, Param
from verifier.model.arch import Layout
from verifier.model.sections import (
    Section,
)
from verifier.model.spec import THIRD, Level
from verifier.model.texts import Variable

__all__ = ["TRACKS", "ModelScope", "TypedModel"]

TRACKS = "tracks_new"
BLOCK = "BLOCK"  # how many pages a block has
LAST = "LAST"  # the last of them


class TypedModel(Protocol):
    """The part of a model that a scope asks: what there is to name, and what it is."""

    layout: Layout
    pages: int | None
    variables: dict[str, Variable]
    observations: dict[str, tuple[Param, ...]]

    def variable(self, name: str) -> StateVar | None:
        """The type of a state variable and how many there are; None for an unknown name."""
        ...

    def definition(self, section: str, name: str, at: Where | None = None,
                   level: Level | None = None) -> Function | None:
        """The typed definition of a section of the world, or None."""
        ...

    def before(self, name: str, at: Where, level: Level) -> Function | None:
        """A view of a process as it was before the step, or None."""
        ...

    def reader(self, level: Level, at: Where | None = None) -> Function | None:
        """The helper by which code reads an entry, or None where memory has what code sees."""
        ...

    def names(self, section: str) -> list[str]:
        """The names that a section defines."""
        ...


class ModelScope:
    """The names of a Section over a Model at a level, as the language's typer asks for them."""

    def __init__(
        self, model: TypedModel, section: Section, level: Level, thread: str = ""
    ) -> None:
        self.model = model
        self.thread = thread  # the thread whose text it is: it has its locals
        self.section = section
        self.level = level
        self.width = model.layout.width
        self.ulong = model.layout.ulong
        self.marks = False  # points are put by verifier.model.points

    def constant(self, name: str) -> Const | int | None:
        """THIRD, or a constant or field of arch/, where the section may name helpers; else None."""
        if name == "THIRD":
            return THIRD
        if name == BLOCK and self.model.pages is not None:
            return self.model.pages
        if name == LAST and self.model.pages is not None:
            return self.model.pages - 1
        return self.model.layout.constant(self.named(name)) if self.section.helpers else None

    def named(self, name: str) -> str:
        """The name that a name of arch/ has at the level of the text."""
        return self.level.translated(name) if self.section.shared else name

    def state(self, name: str) -> StateVar | None:
        """A state variable and whether it may be set; None where the section may not read it."""
        if name == TRACKS and (self.section.read_visible or self.section.read_truth):
            return StateVar(INDEX, None, False)
        if self.section.before and name.startswith(WAS):
            found = self.model.variable(name.removeprefix(WAS))
            return None if found is None else StateVar(found.type, found.count, False)
        variable = self.model.variables.get(name)
        if variable is None:
            return None
        section, own = self.section, variable.thread and variable.thread == self.thread
        readable = (own or section.threads if variable.thread else
                    section.read_truth if variable.truth else section.read_visible)
        if not readable:
            return None
        typed = self.model.variable(name)
        assert typed is not None
        writable = (bool(own) if variable.thread else
                    section.write_truth if variable.truth else section.write_visible)
        return StateVar(typed.type, typed.count, writable, typed.pages)

    def through(self, name: str, at: Where) -> Function | None:
        """The helper that reads the entry, where code sees another form of it than memory has."""
        return self.model.reader(self.level, at) if name.removeprefix(WAS) == "entry" else None

    def function(self, name: str, at: Where) -> Function | None:
        """A definition or helper that the section may call, or None.

        Raises SpecError where a helper has another name at this level and the variant lacks that
        one.
        """
        for section in self.section.calls:
            found = self.model.definition(section, name, at, self.level)
            if found is not None:
                return found
        if self.section.before and name.startswith(WAS):
            found = self.model.before(name.removeprefix(WAS), at, self.level)
            if found is not None:
                return found
        if not self.section.helpers:
            return None
        named = self.named(name)
        found = self.model.layout.function(named, at)
        if found is None and named != name:
            variant = self.model.layout.variant.name
            raise SpecError(
                at, f"{name} is {named} at level {self.level.name}, and {variant} has no {named}"
            )
        return found

    def observation(self, name: str) -> tuple[Param, ...] | None:
        """The parameters of an observation, where the section may make one; else None."""
        return self.model.observations.get(name) if self.section.observe else None

    def names(self) -> Iterable[str]:
        """All that the section may name, for hints."""
        known = [name for name in self.model.variables if self.state(name) is not None]
        for section in self.section.calls:
            known += self.model.names(section)
        if self.section.observe:
            known += self.model.observations
        return [*known, *(self.model.layout.names() if self.section.helpers else ())]
