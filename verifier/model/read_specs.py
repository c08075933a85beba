# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads specs/ strictly: the world and encodings here, and all the rest by the modules below.

Texts are not typed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from verifier.base.errors import SpecError, UsageError, nearest
from verifier.language.machine import HUGE
from verifier.language.read_yaml import Source, Table
from verifier.model.first import Asked, First
from verifier.model.read_first import read_first
from verifier.model.read_levels import load_levels
from verifier.model.read_parts import (
    read_axioms,
    read_definitions,
    read_file,
    read_variables,
    read_words,
    sub_table,
)
from verifier.model.read_properties import read_properties
from verifier.model.read_threads import check_threads, load_threads
from verifier.model.read_transitions import (
    check_codes,
    read_codes,
    read_thread_step,
    read_transitions,
)
from verifier.model.read_versions import WHOLE, of_version
from verifier.model.spec import PTE, Code, Encoding, Spec, Transition
from verifier.model.texts import Definition, Elsewhere, Flush, Observation, Variable, name_of

__all__ = ["load_reading", "load_spec", "read_encoding", "read_observation"]

_WORLD = ("visible", "truth", "views", "readings", "truths", "actions", "procedures", "flushes",
          "elsewhere", "observations", "init", "shown", "waiting")
_NOTHING = Asked((), ())
_NOTHING_FIRST = First(_NOTHING, "", ("", ""), ("", ""), (), _NOTHING, _NOTHING, ())


def load_spec(folder: Path, version: str = WHOLE) -> Spec:
    """Everything under a spec folder, its steps and what they keep as they are in a version of the
    kernel; UsageError where there is none, SpecError at a mistake.
    """
    world, variables = _world(folder)
    observations: dict[str, Observation] = {}
    for key in sub_table(world, "observations"):
        found = read_observation(sub_table(world, "observations"), key)
        if name_of(found) in observations:
            raise SpecError(found.at, f"{name_of(found)} stands twice")
        observations[name_of(found)] = found
    codes = read_codes(folder)
    properties = read_properties(of_version(read_file(folder / "properties.yaml", folder), version))
    paths = sorted((folder / "encodings").glob("*.yaml"))
    encodings = {e.name: e for e in (read_encoding(path, folder, codes) for path in paths)}
    transitions, levels = read_transitions(folder, codes, version), load_levels(folder)
    threads = load_threads(folder, partial(read_thread_step, codes))
    for step in (step for thread in threads.values() for step in thread.steps):
        if step.name in transitions:
            raise SpecError(step.where, f"{step.name} is a transition at "
                                        f"{transitions[step.name].where}")
        transitions[step.name] = step
    for lemma in (lemma for thread in threads.values() for lemma in thread.lemmas):
        if lemma.name in properties:
            raise SpecError(lemma.where, f"property {lemma.name} stands already at "
                                         f"{properties[lemma.name].where}")
        properties[lemma.name] = lemma
    spec = Spec(
        variables, read_definitions(world, "views"), read_definitions(world, "readings"),
        read_definitions(world, "truths"),
        read_definitions(world, "actions"), read_definitions(world, "procedures"),
        _flushes(sub_table(world, "flushes")),
        _elsewhere(sub_table(world, "elsewhere")), observations,
        read_axioms(sub_table(world, "init")), properties, encodings, transitions, levels, codes,
        read_first(read_file(folder / "first.yaml", folder), encodings, levels, properties),
        _waiting(world), _shown(sub_table(world, "shown"), variables, transitions), threads,
    )
    _check_names(spec)
    check_threads(spec)
    return spec


def _waiting(world: Table) -> tuple[str, ...]:
    """The actions that wait for what the hardware stores late."""
    known = {name_of(action) for action in read_definitions(world, "actions")}
    names = world.texts("waiting", "waiting")
    for name in names:
        if name not in known:
            raise SpecError(world.at["waiting"], f"unknown action {name!r}{nearest(name, known)}")
    return names


def _shown(
    table: Table, variables: Mapping[str, Variable], transitions: Mapping[str, Transition],
) -> dict[str, int]:
    """The numbers that a reader recognises, each of a variable or an input of transitions."""
    known = {v.name for v in variables.values() if v.type == "ulong" and not v.each}
    known |= {name for transition in transitions.values()
              for name, word in transition.inputs.items() if word == "ulong"}
    for name in table:
        if name not in known:
            hint = nearest(name, known)
            raise SpecError(
                table.key_at[name], f"no variable or input {name!r} is an unsigned long{hint}"
            )
    return {name: table.need(name, int, "what is shown") for name in table}


def load_reading(folder: Path, encoding: str) -> Spec:
    """What of specs/ says how one encoding reads an entry: its definitions, and the views that
    they may call. There are no steps and no properties in it.

    UsageError where there is no such encoding, SpecError where one of these files is wrong.
    """
    world, variables = _world(folder)
    codes, path = read_codes(folder), folder / "encodings" / f"{encoding}.yaml"
    known = sorted(one.stem for one in path.parent.glob("*.yaml"))
    if encoding not in known:
        raise UsageError(f"unknown encoding {encoding!r}{nearest(encoding, known)}")
    return Spec(
        variables, read_definitions(world, "views"), (), (), (), (), (), (), {}, (), {},
        {encoding: read_encoding(path, folder, codes)}, {}, load_levels(folder), codes,
        _NOTHING_FIRST, (), {},
    )


def _world(folder: Path) -> tuple[Table, dict[str, Variable]]:
    """specs/world.yaml, and the variables of the world."""
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder of specs")
    world = read_file(folder / "world.yaml", folder)
    world.only(_WORLD, "the world")
    variables = read_variables(world, "visible", False)
    for name, variable in read_variables(world, "truth", True).items():
        if name in variables:
            raise SpecError(sub_table(world, "truth").key_at[name], f"{name} stands twice")
        variables[name] = variable
    return world, variables


def _check_levels(spec: Spec) -> None:
    """Refuse unknown levels, and definitions of a level that replace nothing."""
    if PTE not in spec.levels:
        raise UsageError(f"levels/: no {PTE}.yaml, the level that all others are told from")
    for level in spec.levels.values():
        if level.beside and level.beside != PTE:
            raise SpecError(level.where, f"a level stands beside {PTE} or alone")
        if [v.name for v in level.state if v.each] != ([HUGE] if level.beside else []):
            raise SpecError(level.where, f"a level beside another has the variable {HUGE} of each "
                                         "process, and none else")
        for own, theirs in ((level.views, spec.views), (level.readings, spec.readings)):
            known = {name_of(d): d.signature for d in theirs}
            for text in own:
                if known.get(name_of(text)) != text.signature:
                    hint = nearest(name_of(text), known)
                    raise SpecError(
                        text.at, f"{text.signature} replaces no definition of the world{hint}"
                    )
    named = [(t.name, t.where, (*t.levels, *((t.into,) if t.into else ())))
             for t in spec.transitions.values()]
    named += [(p.name, p.where, (*p.levels, *(x for s in p.sentences for x in s.levels)))
              for p in spec.properties.values()]
    for what, where, levels in named:
        for name in levels:
            if name not in spec.levels:
                raise SpecError(
                    where, f"{what} names unknown level {name!r}{nearest(name, spec.levels)}"
                )


def _check_elsewhere(spec: Spec) -> None:
    """Refuse actions of `elsewhere` that replace nothing."""
    known = {name_of(text): text.signature for text in spec.actions}
    for one in spec.elsewhere:
        for text in one.actions:
            if known.get(name_of(text)) != text.signature:
                hint = nearest(name_of(text), known)
                raise SpecError(text.at, f"{text.signature} replaces no action of the world{hint}")


def _check_names(spec: Spec) -> None:
    """Refuse a name that stands twice, where the second would win, and words that nothing reads."""
    _check_levels(spec)
    _check_elsewhere(spec)
    seen = set(spec.variables)
    world: tuple[Definition | Observation, ...] = (
        *spec.views, *spec.readings, *spec.truths, *spec.actions, *spec.procedures,
        *spec.observations.values())
    sections: list[tuple[Definition | Observation, ...]] = [
        world, *(e.definitions for e in spec.encodings.values())
    ]
    for texts in sections:
        known = seen if texts is world else set(seen)
        for text in texts:
            if name_of(text) in known:
                raise SpecError(text.at, f"{name_of(text)} stands twice")
            known.add(name_of(text))
    causes = [c for p in spec.properties.values() for c in p.causes]
    components = [c for p in spec.properties.values() for c in p.compares]
    for t in spec.transitions.values():
        named = (("cause", (t.dirties,) if t.dirties else (), causes),
                 ("component", t.changes, components),
                 ("role", (*t.baseline, *t.baseline.values()), t.roles))
        for what, words, right in named:
            for word in words:
                if word not in right:
                    raise SpecError(
                        t.where, f"{t.name} names unknown {what} {word!r}{nearest(word, right)}"
                    )
        for name in t.inputs:
            if name in t.roles:
                raise SpecError(t.where, f"{t.name} has a role and an input {name}")


def _flushes(table: Table) -> tuple[Flush, ...]:
    found = []
    for key in table:
        record = table.need(key, Table, "flushes")
        record.only(("does", "not_on", "only_on", "waits", "of"), "what a helper does")
        name = key.partition("(")[0]
        for helper in record.texts("of", "of") or (name,):
            does = record.need("does", Source, "what a helper does")
            text = Definition(helper + key.removeprefix(name), table.key_at[key], does)
            found.append(Flush(text, read_words(sub_table(record, "not_on")),
                               record.get_as("waits", bool, False),
                               read_words(sub_table(record, "only_on"))))
    return tuple(found)


def _elsewhere(table: Table) -> tuple[Elsewhere, ...]:
    found = []
    for glob in table:
        record = table.need(glob, Table, "elsewhere")
        record.only(("because", "actions"), "what is elsewhere")
        found.append(Elsewhere(glob, record.text("because", "what is elsewhere"),
                               read_definitions(record, "actions")))
    return tuple(found)


def read_observation(table: Table, key: str) -> Observation:
    """An observation; each of its axioms has to say why."""
    record = table.need(key, Table, "observations")
    record.only(("kernel", "axioms"), "an observation")
    axioms = read_axioms(sub_table(record, "axioms"))
    for axiom in axioms:
        if not axiom.because:
            raise SpecError(axiom.holds.where, f"axiom {axiom.name} does not say why: `because`")
    return Observation(key, table.key_at[key], record.text("kernel", "an observation"), axioms)


def read_encoding(path: Path, folder: Path, known: Mapping[str, Code]) -> Encoding:
    """An encoding from its file; its codes have to be known."""
    table = read_file(path, folder)
    table.only(("encoding", "describe", "overlay", "state", "definitions", "codes"), "an encoding")
    name = table.text("encoding", "an encoding")
    if name != path.stem:
        raise SpecError(table.at["encoding"], f"the file is called {path.stem}, not {name}")
    overlay = table.text("overlay", "an encoding") if "overlay" in table else None
    codes = table.texts("codes", "codes")
    check_codes(table, codes, known)
    return Encoding(name, table.text("describe", "an encoding"), overlay,
                    tuple(read_variables(table, "state", False).values()),
                    read_definitions(table, "definitions"), codes,
                    table.where)


