# SPDX-License-Identifier: GPL-2.0-or-later
"""What the world and an encoding define, typed against one variant at a level.

Typing enforces who may name what (verifier/model/sections.py): a text that names what its section
must not see does not load.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Protocol

from verifier.base.errors import SpecError, Where, nearest
from verifier.language.algebra import Algebra, B, W
from verifier.language.evaluate import word_of
from verifier.language.machine import HUGE, WAS, Key, Machine, Memory
from verifier.language.meanings import StateVar, parse_type
from verifier.language.parse import Signature, parse_function, parse_signature
from verifier.language.read_yaml import Source
from verifier.language.syntax import BOOL, INDEX, Function, Param, asserts, passes_on
from verifier.language.values import Fresh, Value
from verifier.model import sections as may
from verifier.model.arch import Layout
from verifier.model.arch_records import Event
from verifier.model.scope import TRACKS, ModelScope
from verifier.model.sections import Section
from verifier.model.spec import PTE, Encoding, Level, Spec
from verifier.model.texts import Definition, Variable, name_of

__all__ = ["Definitions", "Remembers"]


class Remembers(Protocol):
    """Makes the memory of calls over an algebra; its open inputs are asked of `fresh`."""

    def __call__(self, alg: Algebra[W, B], fresh: Fresh, /) -> Memory[W, B]: ...


def no_answers(alg: Algebra[W, B], fresh: Fresh) -> Memory[W, B]:
    """What only remembers, and answers nothing itself."""
    return Memory()


class Definitions:
    """The definitions of specs/ typed against one layout under one encoding, at a level; on first
    use.

    Where the level stands beside another, what is read of a process is typed for both, and the
    level of the process's own entry decides.
    """

    pages: int | None = None  # of a block; None: the world is about one page

    def __init__(self, spec: Spec, layout: Layout, encoding: Encoding, level: str = PTE) -> None:
        self.level = spec.levels[level]
        self.base = spec.levels[self.level.beside] if self.level.beside else self.level
        self.spec = spec = spec.at(self.level)
        self.layout = layout
        self.encoding = encoding
        self.variables: dict[str, Variable] = (
            dict(spec.variables) | {v.name: v for v in encoding.state}
            | {v.name: v for v in self.level.state})
        self._typed_variables: dict[str, StateVar] = {}
        sections = {
            "views": (may.VIEW, spec.views), "readings": (may.READING, spec.readings),
            "truths": (may.TRUTH, spec.truths),
            "actions": (may.ACTION, spec.actions_of(layout.variant.name)),
            "encoding": (may.ENCODING, encoding.definitions),
            "procedures": (may.PROCEDURE, spec.procedures),
            "flushes": (
                may.FLUSH, tuple(f.text for f in spec.flushes if not f.lacks(layout.variant.name))
            ),
            "holds": (may.HOLDS, tuple(d for t in spec.threads.values() for d in t.holds)),
        }
        self.waits = {name_of(f.text) for f in spec.flushes if f.waits
                      and not f.lacks(layout.variant.name)}
        self._sections = {name: section for name, (section, _) in sections.items()}
        self._texts: dict[str, dict[str, Definition]] = {
            name: {name_of(d): d for d in texts} for name, (_, texts) in sections.items()
        }
        self._own: dict[tuple[str, str], dict[str, Definition]] = {
            (section, one.name): {name_of(d): d for d in texts}
            for one in (self.base, self.level)
            for section, texts in (("views", one.views), ("readings", one.readings))
        }
        self._of_process = {  # what reads one process, at the level of its entry
            (name, text) for name in ("views", "readings")
            for text, found in self._texts[name].items()
            if (params := parse_signature(found.signature, found.at, self._scope(name)).params)
            and params[0].type == INDEX
        }
        self._functions: dict[tuple[str, str, str], Function] = {}
        self._typing: list[tuple[str, str, str]] = []
        self._events: dict[tuple[str, str], tuple[Event, Function, Function]] = {}
        # what a thread's definition -> the variable that says over which level it walks
        self._walks = {name_of(d): t.walks.name for t in spec.threads.values()
                       if t.walks is not None and self.mixed for d in t.holds}
        view = self._scope("views")
        self.observations: dict[str, tuple[Param, ...]] = {
            name: parse_signature(o.signature, o.at, view).params
            for name, o in spec.observations.items()
        }
        self._cache: dict[tuple[object, ...], Function] = {}
        self.memory: Remembers = no_answers

    def machine(self, alg: Algebra[W, B], fresh: Fresh) -> Machine[W, B]:
        """A machine without a world, in which this model's helpers answer."""
        found = Machine(alg)
        found.memo = self.memory(alg, fresh)
        return found

    def _scope(self, section: str, level: Level | None = None) -> ModelScope:
        return ModelScope(self, self._sections[section], level or self.base)

    @cached_property
    def setters(self) -> frozenset[str]:
        """The names of the encoding's definitions that change its state."""
        found = ((name, self.definition("encoding", name)) for name in self._texts["encoding"])
        return frozenset(name for name, text in found if text is not None and text.changes)

    def variable(self, name: str) -> StateVar | None:
        """The type of a state variable and how many there are; None for an unknown name."""
        if name not in self._typed_variables:
            raw = self.variables.get(name)
            if raw is None:
                return None
            kind = parse_type(raw.type, self._scope("views"))
            if kind is None:
                raise SpecError(Where("specs/world.yaml", 1, 1),
                                f"variable {name} has unknown type {raw.type!r}")
            self._typed_variables[name] = StateVar(
                kind, 2 if raw.each else None, pages=self.pages if raw.page else None)
        return self._typed_variables[name]

    def parse(self, signature: Signature, text: Source, scope: ModelScope) -> Function:
        """The typed text. SpecError where a parameter or local has the name of a variable.

        That holds of variables that the text may not see, too.
        """
        found = parse_function(signature, text, scope)
        for name in found.kinds:
            if name in self.variables or name == TRACKS or name.removeprefix(WAS) in self.variables:
                raise SpecError(
                    text.where, f"{name} is a variable of the world, and so no name for a local"
                )
        for stmt in asserts(found.body):
            if stmt.property not in self.spec.properties:
                hint = nearest(stmt.property, self.spec.properties)
                raise SpecError(stmt.where, f"unknown property {stmt.property!r}{hint}")
            if self.spec.properties[stmt.property].shows is None:
                raise SpecError(stmt.where, f"{stmt.property} does not say what is shown where "
                                            "this fails: `shows`")
        return found

    def sections(self) -> list[str]:
        """The sections that have definitions."""
        return list(self._texts)

    def texts(self, section: str) -> Mapping[str, Definition]:
        """The definitions of a section as they stand in specs/, by name."""
        return self._texts[section]

    def names(self, section: str) -> list[str]:
        """The names that a section defines."""
        return list(self._texts[section])

    @property
    def mixed(self) -> bool:
        """Does the world have entries of two levels?"""
        return self.base is not self.level

    def named_level(self, name: str) -> Level:
        """The level of that name in this world; the lower one for an empty name."""
        return self.level if name == self.level.kind else self.base

    def level_in(self, state: Mapping[Key, Value], process: int) -> Level:
        """The level of a process's entry in a state of plain values."""
        return self.level if not self.mixed or state[HUGE, process] else self.base

    def definition(self, section: str, name: str, at: Where | None = None,
                   level: Level | None = None) -> Function | None:
        """The typed definition of a section of the world, or None.

        Where levels are mixed, a definition that reads a process has a twin for the larger level.
        """
        level = level or self.base
        by = HUGE if self.mixed and (section, name) in self._of_process else ""
        if section == "holds":
            by = self._walks.get(name, "")
        if by:
            level = self.base
        key = (section, name, level.name)
        if key not in self._functions:
            found = self._typed(section, name, at, level)
            if found is None:
                return None
            if by:
                found = replace(found, twin=self._typed(section, name, at, self.level), by=by,
                                pure=False)
            self._functions[key] = found
        return self._functions[key]

    def beside(self, helper: Function) -> Function | None:
        """What `flushes` says of a helper, or of the one that it passes its entry on to."""
        inner: Function | None = helper
        while inner is not None:
            if inner.name in self._texts["flushes"]:
                return (self.definition("flushes", inner.name)
                        if self.layout.function(inner.name) is inner else None)
            inner = passes_on(inner)
        return None

    def before(self, name: str, at: Where, level: Level) -> Function | None:
        """A view of a process as it was before the step, or None."""
        if ("views", name) not in self._of_process:
            return None
        found = self.definition("views", name, at, level)
        return None if found is None else replace(found, before=True, pure=False)

    def _typed(self, section: str, name: str, at: Where | None, level: Level) -> Function | None:
        text = self._own.get((section, level.name), {}).get(name) or self._texts[section].get(name)
        if text is None:
            return None
        key = (section, name, level.name)
        if key in self._typing:
            raise SpecError(at or text.at, f"{name} calls itself")
        self._typing.append(key)
        try:
            scope = self._scope(section, level)
            return self.parse(parse_signature(text.signature, text.at, scope), text.body, scope)
        except RecursionError:
            raise SpecError(text.at, "definitions nest too deep") from None
        finally:
            self._typing.pop()

    def sentence(self, text: Source, section: Section, params: tuple[Param, ...] = (),
                 level: Level | None = None, by: str = HUGE) -> Function:
        """A text with these parameters, which must be a boolean.

        `by` is the variable that says of which level a property's sentence is.
        """
        level = level or self.base
        key = (text.where, section.name, params, level.name)
        if key not in self._cache:
            found = self.parse(
                Signature("sentence", params), text, ModelScope(self, section, level)
            )
            if found.returns != BOOL:
                raise SpecError(text.where, "is not a boolean")
            if self.mixed and section is may.PROPERTY and level is self.base:
                found = replace(found, twin=self.sentence(text, section, params, self.level),
                                by=by, pure=False)
            self._cache[key] = found
        return self._cache[key]

    def event(self, name: str, level: Level) -> tuple[Event, Function, Function]:
        """A hardware event on an entry of a level: record, condition, and the entry after."""
        key = (name, level.name)
        if key not in self._events:
            self._events[key] = self.layout.event(name, level.translated, level.name)
        return self._events[key]

    def reader(self, level: Level, at: Where | None = None) -> Function | None:
        """The helper by which code reads an entry, or None where memory has what code sees."""
        helper = next((h for lacking, h in level.through.items()
                       if lacking in self.layout.variant.absent), None)
        if helper is None:
            return None
        found = self.layout.function(helper, at)
        if found is None:
            raise SpecError(level.where, f"{self.layout.variant.name} has no {helper}, by which "
                                         f"level {level.name} reads entries")
        return found

    def seen(self, machine: Machine[W, B], entry: W, level: Level | None = None) -> W:
        """What code sees of an entry in memory."""
        reader = self.reader(level or self.base)
        return entry if reader is None else word_of(machine, reader, (entry,))

    def reading(self, name: str, level: Level | None = None) -> Function:
        """A view or helper of one entry of a level, by the name that it has for a pte."""
        level = level or self.base
        return (self.definition("views", name, level=level)
                or self.layout.helper(level.translated(name)))
