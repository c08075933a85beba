# SPDX-License-Identifier: GPL-2.0-or-later
"""Read specs/threads/*.yaml: code that takes no lock, as steps with locals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from verifier.base.errors import SpecError, nearest
from verifier.language.read_yaml import Source, Table
from verifier.model.read_parts import (
    read_axioms,
    read_definitions,
    read_file,
    sub_table,
)
from verifier.model.read_properties import read_properties
from verifier.model.spec import Around, Spec, Thread, Transition, Turn
from verifier.model.texts import Axiom, Variable, name_of

__all__ = ["MakesStep", "check_threads", "load_threads"]

# the transition of a step: its table, its name, and what its thread says for all steps
MakesStep = Callable[[Table, str, Table, Turn], Transition]

_KEYS = ("describe", "levels", "needs", "catalogue", "position", "walks", "locals", "holds",
         "around", "beside", "counted", "apart", "shows", "lemmas", "steps")


def load_threads(folder: Path, step: MakesStep) -> dict[str, Thread]:
    """The threads of a spec folder by name; `step` makes a transition of a step's record."""
    found: dict[str, Thread] = {}
    for path in sorted((folder / "threads").glob("*.yaml")):
        table = read_file(path, folder)
        for name in table:
            if name in found:
                raise SpecError(table.key_at[name],
                                f"thread {name} stands already at {found[name].where}")
            found[name] = _thread(table, name, step)
    return found


def _thread(table: Table, name: str, step: MakesStep) -> Thread:
    record, what = table.need(name, Table, "threads"), f"thread {name}"
    record.only(_KEYS, "a thread")
    steps, position = record.need("steps", Table, what), record.text("position", what)
    walks = record.text("walks", what) if "walks" in record else ""
    if len(steps) < 2:
        raise SpecError(record.at["steps"], f"{what} has one step: that is a transition")
    shows = record.text("shows", what)
    if shows not in steps:
        raise SpecError(record.at["shows"], f"unknown step {shows!r}{nearest(shows, steps)}")
    return Thread(
        name, record.text("describe", what),
        (*_position(record, name, position, len(steps)), *_locals(record, name)),
        _walks(record, name, walks),
        read_definitions(record, "holds"),
        tuple(step(steps, one, record, Turn(name, position, number, len(steps), walks))
              for number, one in enumerate(steps)),
        list(steps).index(shows),
        _around(sub_table(record, "around")),
        read_definitions(record, "beside"),
        tuple(replace(lemma, thread=name)
              for lemma in read_properties(sub_table(record, "lemmas")).values()),
        _counted(sub_table(record, "counted")), _counted(sub_table(record, "apart")),
        (_idle(record, position),), table.key_at[name],
    )


def _position(record: Table, name: str, position: str, count: int) -> tuple[Variable, ...]:
    """The variable that says where the thread stands, which the loader makes."""
    if position in sub_table(record, "locals"):
        raise SpecError(record.at["position"], f"{position} is a local too")
    bits = max(count - 1, 1).bit_length()
    return (Variable(position, f"u{bits}", True, True,
                     f"where {name} stands: before the step of this number, from 0", thread=name),)


def _walks(record: Table, name: str, walks: str) -> Variable | None:
    """The variable that says which level it walks over, which the loader makes."""
    if walks in sub_table(record, "locals"):
        raise SpecError(record.at["walks"], f"{walks} is a local too")
    return Variable(walks, "bool", True, True, f"{name} walks over entries of the larger level",
                    thread=name) if walks else None


def _locals(record: Table, name: str) -> tuple[Variable, ...]:
    table = sub_table(record, "locals")
    found = []
    for one in table:
        local = table.need(one, Table, "locals")
        local.only(("type", "describe"), "a local")
        found.append(Variable(one, local.text("type", "a local"), True, True,
                              local.text("describe", "a local"), thread=name))
    return tuple(found)


def _idle(record: Table, position: str) -> Axiom:
    """In a fresh address space no thread is under way."""
    text = f"{position}[0] == 0 and {position}[1] == 0"
    return Axiom(f"{position}-idle", Source(text, record.at["position"]), "")


def _around(table: Table) -> tuple[Around, ...]:
    found = []
    for name in table:
        record = table.need(name, Table, "around")
        record.only(("because", "begin", "end"), "what stands around a step")
        found.append(Around(name, record.text("because", name),
                            record.need("begin", Source, name), record.need("end", Source, name),
                            table.key_at[name]))
    return tuple(found)


def _counted(table: Table) -> dict[str, tuple[Axiom, ...]]:
    found = {}
    for name in table:
        axioms = read_axioms(sub_table(table, name))
        for axiom in axioms:
            if not axiom.because:
                raise SpecError(axiom.holds.where,
                                f"axiom {axiom.name} does not say why: `because`")
        found[name] = axioms
    return found


def check_threads(spec: Spec) -> None:
    """Refuse names that are not there, and those that stand twice."""
    seen = {*spec.variables, *(v.name for e in spec.encodings.values() for v in e.state),
            *(v.name for level in spec.levels.values() for v in level.state)}
    defined = {name_of(text) for texts in (spec.views, spec.readings, spec.truths, spec.actions,
                                           spec.procedures) for text in texts}
    actions = {name_of(action) for action in spec.actions}
    for thread in spec.threads.values():
        for variable in (*thread.variables, *((thread.walks,) if thread.walks else ())):
            if variable.name in seen:
                raise SpecError(thread.where, f"{variable.name} of {thread.name} stands twice")
            seen.add(variable.name)
        for text in thread.holds:
            if name_of(text) in defined:
                raise SpecError(text.at, f"{name_of(text)} stands twice")
            defined.add(name_of(text))
        for text in thread.beside:
            if name_of(text) not in actions:
                hint = nearest(name_of(text), actions)
                raise SpecError(text.at, f"unknown action {name_of(text)!r}{hint}")
        for one in thread.around:
            if one.transition not in spec.transitions:
                raise SpecError(one.where, f"unknown transition {one.transition!r}"
                                           f"{nearest(one.transition, spec.transitions)}")
        for name, axioms in (*thread.counted.items(), *thread.apart.items()):
            if name not in spec.observations:
                raise SpecError(axioms[0].holds.where, f"unknown observation {name!r}"
                                                       f"{nearest(name, spec.observations)}")
            known = {axiom.name for axiom in spec.observations[name].axioms}
            for axiom in axioms:
                if axiom.name in known:
                    raise SpecError(axiom.holds.where, f"axiom {axiom.name} of {name} stands twice")
    for level in spec.levels.values():
        for name in level.threads:
            if name not in spec.threads:
                hint = nearest(name, spec.threads)
                raise SpecError(level.where, f"unknown thread {name!r}{hint}")
