# SPDX-License-Identifier: GPL-2.0-or-later
"""Steps, properties and threads of specs/, typed against one variant under one encoding; what they
call is in verifier.model.typed_definitions.
"""

from __future__ import annotations

from collections.abc import Collection
from copy import copy
from dataclasses import replace
from functools import cached_property

from verifier.base.errors import SpecError
from verifier.language.machine import HUGE
from verifier.language.meanings import parse_type
from verifier.language.parse import Signature, parse_signature
from verifier.language.read_yaml import Source
from verifier.language.syntax import BOOL, INDEX, Function, Param, touched
from verifier.model import sections as may
from verifier.model.arch import Layout
from verifier.model.points import with_points
from verifier.model.scope import ModelScope
from verifier.model.spec import PTE, Effect, Encoding, Level, Property, Spec, Thread, Transition
from verifier.model.texts import name_of
from verifier.model.typed_definitions import Definitions

__all__ = ["Model"]

# what a vma says; that of a third process, anything
OF_VMA = ("shadow_stack", "may_read", "may_write", "may_exec", "registered")


class Model(Definitions):
    """All of specs/ typed against one layout under one encoding, at a level; on first use."""

    def __init__(self, spec: Spec, layout: Layout, encoding: Encoding, level: str = PTE) -> None:
        super().__init__(spec, layout, encoding, level)
        # code -> the properties that say anything there; see step.applying
        self.applying: dict[str, list[Property]] = {}
        self._with_actions: dict[str, list[Function]] = {}
        self._asks: dict[str, int] = {}

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
