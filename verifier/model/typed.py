# SPDX-License-Identifier: GPL-2.0-or-later
"""The texts of specs/, typed against one variant under one encoding.

Typing enforces who may name what (verifier/model/sections.py): a text that names what its section
must not see does not load.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from copy import copy
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
from verifier.language.syntax import BOOL, INDEX, Function, Param, asserts, passes_on, touched
from verifier.language.values import Fresh, Value
from verifier.model import sections as may
from verifier.model.arch import Layout
from verifier.model.arch_records import Event
from verifier.model.points import with_points
from verifier.model.scope import TRACKS, ModelScope
from verifier.model.sections import Section
from verifier.model.spec import (
    PTE,
    Definition,
    Effect,
    Encoding,
    Level,
    Property,
    Spec,
    Thread,
    Transition,
    Variable,
    name_of,
)

__all__ = ["Model", "Remembers"]

# what a vma says; that of a third process, anything
OF_VMA = ("shadow_stack", "may_read", "may_write", "may_exec", "registered")


class Remembers(Protocol):
    """Makes the memory of calls over an algebra; its open inputs are asked of `fresh`."""

    def __call__(self, alg: Algebra[W, B], fresh: Fresh, /) -> Memory[W, B]: ...


def no_answers(alg: Algebra[W, B], fresh: Fresh) -> Memory[W, B]:
    """What only remembers, and answers nothing itself."""
    return Memory()


class Model:
    """All of specs/ typed against one layout under one encoding, at a level; on first use.

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
        # code -> the properties that say anything there; see step.applying
        self.applying: dict[str, list[Property]] = {}
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
        self._with_actions: dict[str, list[Function]] = {}
        self._asks: dict[str, int] = {}
        self.memory: Remembers = no_answers

    def varied(self, name: str, text: Source, code: str = "") -> Model:
        """A model with another text for a transition's code or, without `code`, for a procedure.

        It shares everything else that was typed.
        """
        found = copy(self)
        found._cache = {key: typed for key, typed in self._cache.items() if key[1] != "code"}
        if code:
            transition = self.spec.transitions[name]
            changed = replace(transition, codes={**transition.codes, code: text})
            found.spec = replace(self.spec, transitions={**self.spec.transitions, name: changed})
        else:
            texts = self._texts["procedures"]
            found._texts = {
                **self._texts, "procedures": {**texts, name: replace(texts[name], body=text)}
            }
            found._functions = {key: typed for key, typed in self._functions.items()
                                if key[0] != "procedures"}
        return found

    def machine(self, alg: Algebra[W, B], fresh: Fresh) -> Machine[W, B]:
        """A machine without a world, in which this model's helpers answer."""
        found = Machine(alg)
        found.memo = self.memory(alg, fresh)
        return found

    def _scope(self, section: str, level: Level | None = None) -> ModelScope:
        return ModelScope(self, self._sections[section], level or self.base)

    @property
    def threads(self) -> list[tuple[Thread, list[Transition]]]:
        """The threads that may go on inside other steps, each with its steps in their order.

        None on a variant with one CPU: a thread keeps interrupts off.
        """
        if self.layout.variant.one_cpu:
            return []
        return [(thread, [self.spec.transitions[step.name] for step in thread.steps])
                for thread in self.spec.threads.values()]

    @property
    def thread_steps(self) -> list[Transition]:
        """The steps of all threads that may come inside other steps."""
        return [step for _, steps in self.threads for step in steps]

    def asks(self, thread: Thread) -> int:
        """The number of a thread's first step that reads the encoding's state."""
        if thread.name not in self._asks:
            own = {v.name for v in self.encoding.state}
            self._asks[thread.name] = next(
                (number for number, step in enumerate(thread.steps)
                 for name in step.codes for code in self.codes(step, name)
                 if own & touched(code, False)),
                len(thread.steps))
        return self._asks[thread.name]

    @cached_property
    def counted(self) -> frozenset[str]:
        """The observations that show something of what threads do: their axioms name it.

        The others say the same before a thread's step and after it, also those that it says are
        `apart`.
        """
        apart = {name for thread, _ in self.threads for name in thread.apart}
        done = {variable for step in self.thread_steps for name in step.codes
                for code in self.codes(step, name) for variable in touched(code, True)}
        return frozenset(name for name in self.observations.keys() - apart
                         if any(done & touched(holds, False) for _, holds in self.axioms(name)))

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

    def property(self, prop: Property) -> Function:
        """The sentence of a property, about process p and the inputs that it names."""
        assert prop.holds is not None
        params = (Param("p", INDEX), *(Param(name, BOOL) for name in prop.inputs))
        thread = self.spec.threads.get(prop.thread)
        by = HUGE if thread is None or thread.walks is None else thread.walks.name
        return self.sentence(prop.holds, may.PROPERTY, params, by=by)

    def preferred(self, prop: Property) -> Function:
        """The sentence that a counterexample about process p had better satisfy."""
        assert prop.prefers is not None
        return self.sentence(prop.prefers, may.PROPERTY, (Param("p", INDEX),))

    def part(self, text: Source, prop: Property, level: Level) -> Function:
        """A part of a property's sentence, of any type, for an entry of a level."""
        key = (text, prop.name, level.name)
        if key not in self._cache:
            signature = Signature(
                "part", (Param("p", INDEX), *(Param(name, BOOL) for name in prop.inputs))
            )
            self._cache[key] = self.parse(signature, text, ModelScope(self, may.PROPERTY, level))
        return self._cache[key]

    def event(self, name: str, level: Level) -> tuple[Event, Function, Function]:
        """A hardware event on an entry of a level: record, condition, and the entry after."""
        key = (name, level.name)
        if key not in self._events:
            self._events[key] = self.layout.event(name, level.translated, level.name)
        return self._events[key]

    def sentences(self, prop: Property) -> list[tuple[str, Function | None, Function]]:
        """The statements of a static property at this level: name, what is given, what holds."""
        scope = ModelScope(self, may.STATIC, self.level)
        found: list[tuple[str, Function | None, Function]] = []
        for text in prop.sentences:
            lacks = any(self.level.translated(need) in self.layout.variant.absent
                        for need in text.needs)
            if lacks or (text.levels and self.level.kind not in text.levels):
                continue
            signature = parse_signature(text.signature, text.at, scope)
            given = None if text.given is None else self._statement(signature, text.given, scope)
            found.append((signature.name, given, self._statement(signature, text.holds, scope)))
        return found

    def _statement(self, signature: Signature, text: Source, scope: ModelScope) -> Function:
        key = (text.where, "static", signature.name)
        if key not in self._cache:
            self._cache[key] = self.parse(signature, text, scope)
            if self._cache[key].returns != BOOL:
                raise SpecError(text.where, "is not a boolean")
        return self._cache[key]

    def init(self) -> list[tuple[str, Function]]:
        """The sentences about initial states, by name."""
        return [(axiom.name, self.sentence(axiom.holds, may.AXIOM)) for axiom in self.spec.init]

    def axioms(self, observation: str) -> list[tuple[str, Function]]:
        """The axioms of an observation, over its parameters and, last, its own value."""
        params = (*self.observations[observation], Param(observation, BOOL))
        found = self.spec.observations[observation]
        return [(axiom.name, self.sentence(axiom.holds, may.AXIOM, params))
                for axiom in found.axioms]

    def params(self, transition: Transition) -> tuple[Param, ...]:
        """The parameters of a transition's texts: its roles, then its inputs."""
        scope = self._scope("views")
        found = [Param(role, INDEX) for role in (*transition.roles, *transition.pages)]
        for name, word in transition.inputs.items():
            kind = parse_type(word, scope)
            if kind is None or kind == INDEX:
                raise SpecError(
                    transition.where, f"input {name} of {transition.name} has unknown type {word!r}"
                )
            found.append(Param(name, kind))
        return tuple(found)

    def requires(self, transition: Transition) -> list[tuple[str, Function]]:
        """The requirements of a transition by name, over its parameters."""
        params, level = self.params(transition), self.level_of(transition)
        return [(a.name, self.sentence(a.holds, may.REQUIRES, params, level))
                for a in transition.requires]

    def level_of(self, transition: Transition) -> Level:
        """The level that a transition's texts are written at."""
        return self.base if self.base.kind in transition.levels else self.level

    def effects(self, transition: Transition, code: str) -> list[Effect]:
        """The effects that are asked for of a transition under this code, on this variant.

        They are asked for at the first level that has the transition.
        """
        if self.level is not self.spec.first_level(transition):
            return []
        variant = self.layout.variant
        events = () if variant.one_cpu else variant.hardware
        return [e for e in transition.reaches
                if (not e.codes or code in e.codes)
                and not e.lacks(variant.name, variant.absent, events)]

    def effect(self, transition: Transition, effect: Effect) -> Function:
        """The sentence of an effect, over the transition's parameters and both states."""
        return self.sentence(effect.holds, may.EFFECT, self.params(transition),
                             self.level_of(transition))

    def change(self, transition: Transition, component: str, kind: int) -> Function:
        """How a component of the entry may change, over the parameters, `before` and `after`."""
        params = (*self.params(transition), Param("before", kind), Param("after", kind))
        return self.sentence(transition.changes[component], may.REQUIRES, params,
                             self.level_of(transition))

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

    def codes(self, transition: Transition, name: str) -> list[Function]:
        """The typed code, and that of a thread's step where it walks over the larger level."""
        levels = [None, self.level] if self.mixed and transition.walks else [None]
        found = (self.code(transition, name, level) for level in levels)
        return [one for one in found if one is not None]

    def code(self, transition: Transition, name: str, walked: Level | None = None
             ) -> Function | None:
        """The typed code that runs for this transition under a code's name.

        `walked`: the level that a thread walks over, if it is not the lower one.
        """
        chosen = transition.code(name)
        if chosen is None:
            return None
        key: tuple[object, ...] = (chosen[1].where, "code", transition.name)
        if walked is not None and walked is not self.base:
            key = (*key, walked.name)
        if key not in self._cache:
            signature = Signature(transition.name, self.params(transition))
            found = self.parse(signature, chosen[1], self._code_scope(transition, level=walked))
            self._cache[key] = (
                found if self.layout.variant.one_cpu else with_points(found, self.layout.width)
            )
        return self._cache[key]

    def _code_scope(self, transition: Transition, thread: str = "", level: Level | None = None
                    ) -> ModelScope:
        """What a code of a transition may name; one of a thread has its locals, and counts nothing.
        """
        thread = transition.turn.thread if transition.turn is not None else thread
        return ModelScope(self, may.THREAD if thread else may.CODE,
                          level or self.level_of(transition), thread)

    def around(self, transition: Transition) -> list[tuple[Function, Function]]:
        """What surrounds a transition and is seen by threads: what runs before it, and behind."""
        return [(self._beside_code(one.begin, transition, thread.name),
                 self._beside_code(one.end, transition, thread.name))
                for thread in self.spec.threads.values() for one in thread.around
                if one.transition == transition.name]

    def with_action(self, name: str) -> list[Function]:
        """What else happens to threads with an action of this name."""
        if name not in self._with_actions:
            self._with_actions[name] = [
                self.parse(parse_signature(text.signature, text.at, scope), text.body, scope)
                for thread in self.spec.threads.values() for text in thread.beside
                if name_of(text) == name
                for scope in [ModelScope(self, may.THREAD, self.base, thread.name)]]
        return self._with_actions[name]

    def _beside_code(self, text: Source, transition: Transition, thread: str) -> Function:
        key = (text.where, "around", transition.name)
        if key not in self._cache:
            self._cache[key] = self.parse(Signature(transition.name, self.params(transition)), text,
                                          self._code_scope(transition, thread))
        return self._cache[key]

    def typed(self, without: Collection[str] = ()) -> list[Function]:
        """All functions that were typed so far, and those that read components of entries; none of
        the sections `without`.
        """
        read = [self.reading(view, level) for prop in self.spec.properties.values()
                for view in prop.compares.values()
                for level in (self.base, self.level)]
        events = [f for _, when, after in self._events.values() for f in (when, after)]
        named = [one for (section, *_), one in self._functions.items() if section not in without]
        return [*named, *self._cache.values(), *events, *read]
