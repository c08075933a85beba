# SPDX-License-Identifier: GPL-2.0-or-later
"""A check of all of specs/ against one model: every text is typed, and other rules are kept."""

from __future__ import annotations

from verifier.base.errors import SpecError, Where, nearest
from verifier.language.indices import PROCESSES, Indices
from verifier.language.machine import HUGE
from verifier.language.syntax import BOOL, INDEX, Hardware, calls, type_name, within
from verifier.model.spec import THIRD, Property, Transition
from verifier.model.texts import Definition, name_of
from verifier.model.typed import OF_VMA, Model

__all__ = ["check_model"]

OF_THIRD = ("entry", *OF_VMA, HUGE)  # what step.run puts there of the third process


def check_model(model: Model) -> None:
    """Type everything; SpecError at the first mistake."""
    for section in model.sections():
        for name in model.names(section):
            model.definition(section, name)
            model.definition(section, name, level=model.level)
    _check_needed(model)
    model.init()
    for name in model.observations:
        model.axioms(name)
    for prop in model.spec.properties.values():
        model.sentences(prop)
        if prop.holds is not None and (not prop.encodings or model.encoding.name in prop.encodings):
            model.property(prop)
        if prop.prefers is not None:
            model.preferred(prop)
        _check_comparing(model, prop)
        if prop.shows is not None:
            model.part(prop.shows, prop, model.base)
    for name in model.names("actions"):
        model.with_action(name)
    for transition in model.spec.transitions.values():
        model.requires(transition)
        for prop in model.spec.properties.values():
            for component, view in prop.compares.items():
                if component in transition.changes:
                    model.change(transition, component, model.reading(view).returns)
        model.around(transition)
        for code in model.encoding.codes:
            for effect in model.effects(transition, code):
                model.effect(transition, effect)
            _check_give_ups(model, transition, code)
            _check_one_look(model, transition, code)
    _check_indices(model)


def _check_comparing(model: Model, prop: Property) -> None:
    """It is views or helpers of one entry that it compares by, and a truth of one that says where.
    """
    for view in (*prop.compares.values(), *((prop.comparable,) if prop.comparable else ())):
        for level in (model.base, model.level):
            if (model.definition("views", view) is None
                    and model.layout.function(level.translated(view)) is None):
                hint = nearest(view, [*model.names("views"), *model.layout.helpers()])
                raise SpecError(prop.where, f"{prop.name} compares by unknown view {view!r}{hint}")
            found = model.reading(view, level)
            if [p.type for p in found.params] != [model.layout.width]:
                raise SpecError(
                    prop.where, f"{prop.name} compares by {view}, which reads no entry alone"
                )
            if view == prop.comparable and found.returns != BOOL:
                raise SpecError(
                    prop.where, f"{view} is no boolean, and so does not say what is comparable"
                )


def _check_needed(model: Model) -> None:
    """Check that what step.py asks for by name is there, in the form that it needs."""
    for flush in model.texts("flushes").values():
        _check_flush(model, flush)
    event = model.definition("procedures", "hardware_event")
    if event is None or [p.type for p in event.params] != [INDEX, model.layout.width, BOOL]:
        raise SpecError(Where("specs/world.yaml", 1, 1),
                        "no procedure hardware_event(p:process, after, stores:bool)")
    for name in ("entry", *OF_VMA):
        found = model.variable(name)
        if found is None or found.count is None:
            raise SpecError(Where("specs/world.yaml", 1, 1), f"no variable {name} of each process")


def _check_flush(model: Model, flush: Definition) -> None:
    """Check that a flush is about a helper that is given one entry, and takes its result."""
    name = name_of(flush)
    helper, text = model.layout.function(name), model.definition("flushes", name)
    assert text is not None
    if helper is None:
        return
    given, width = [p.type for p in text.params], model.layout.width
    if sum(p.by_ref for p in helper.params) != 1:
        raise SpecError(flush.at, f"{name} is given no entry, or several")
    if given not in ([INDEX, helper.returns], [INDEX, width, width]):
        raise SpecError(flush.at, f"takes the process, and what {name} returns of its entry: "
                                  f"{type_name(helper.returns)}; "
                                  "or the entry before and after the call")


def _check_indices(model: Model) -> None:
    """Check that no text names a process that is not there, however roles are bound."""
    look = Indices(OF_THIRD)
    for prop in model.spec.properties.values():
        if prop.holds is not None and (not prop.encodings or model.encoding.name in prop.encodings):
            for process in PROCESSES:
                look.check(model.property(prop), (process, *(None for _ in prop.inputs)))
    for transition in model.spec.transitions.values():
        texts = [text for _, text in model.requires(transition)]
        texts += [text for code in model.encoding.codes for text in model.codes(transition, code)]
        _check_effects(model, look, transition)
        for third in (None, *transition.third):
            roles = [THIRD if role == third else 0 if third else number
                     for number, role in enumerate(transition.roles)]
            try:
                for text in texts:
                    look.check(text, (*roles, *(None for _ in transition.inputs)))
            except SpecError as error:
                if third is None:
                    raise
                raise SpecError(transition.where, f"{transition.name} with {third} as the third "
                                                  f"process: {error}") from None


def _check_effects(model: Model, look: Indices, transition: Transition) -> None:
    """Check that no effect of a step is about a process that is summed up."""
    effects = {e.name: e for code in model.encoding.codes for e in model.effects(transition, code)}
    for effect in effects.values():
        look.check(model.effect(transition, effect),
                   (*range(len(transition.roles)), *(None for _ in transition.inputs)))


def _check_one_look(model: Model, transition: Transition, code: str) -> None:
    """Check that a step of a thread looks at an entry once: others may come between two looks."""
    for typed in model.codes(transition, code) if transition.turn is not None else ():
        if any(isinstance(stmt, Hardware) for stmt in within(typed.body)):
            raise SpecError(typed.where,
                            f"{transition.name} looks at an entry twice: it is two steps")


def _check_give_ups(model: Model, transition: Transition, code: str) -> None:
    """Check that a code gives exclusivity up if and only if its transition says why."""
    typed = model.code(transition, code)
    if typed is not None and calls(typed.body, "give_up") and not transition.gives_up:
        raise SpecError(
            typed.where, f"{transition.name} gives exclusivity up, but declares no `gives_up`"
        )
