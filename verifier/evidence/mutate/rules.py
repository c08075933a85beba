# SPDX-License-Identifier: GPL-2.0-or-later
"""specs/mistakes.yaml: which statements stand for code of the kernel, and which names are twins."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from verifier.base.errors import SpecError, nearest
from verifier.language.read_yaml import Items, Source, Table, read_yaml
from verifier.model.spec import Spec
from verifier.model.texts import name_of

__all__ = ["MistakeRules", "read_rules"]

KEYS = ("actions", "observations", "variables", "weaker", "split", "reads", "stores", "marks",
        "added", "not_present", "twins")


@dataclass(frozen=True, slots=True)
class MistakeRules:
    """What specs/mistakes.yaml says.

    actions  those that stand for code of the kernel; `truth`: those that do not
    tests    observations that a patch can forget to make; `given`: the others
    sets     variables that the kernel sets by a call of its own
    weaker   a flush -> what comes too late or flushes nothing
    split    one access -> the same in two, as texts with {x}, {e} and {1}
    reads    helpers that read an entry
    stores   helpers that store one -> which argument it is
    marks    helpers that give an entry with another mark
    added    helper that stores -> marks for present entries, and for others
    other    helpers that make a word which is no present entry
    twins    name -> names that are taken for it
    """

    actions: frozenset[str]
    truth: frozenset[str]
    tests: frozenset[str]
    given: frozenset[str]
    sets: frozenset[str]
    world: frozenset[str]
    weaker: dict[str, str]
    split: dict[str, tuple[str, ...]]
    reads: frozenset[str]
    stores: dict[str, int]
    marks: frozenset[str]
    added: dict[str, tuple[tuple[str, ...], tuple[str, ...]]]
    other: frozenset[str]
    twins: dict[str, tuple[str, ...]]


def read_rules(folder: Path, spec: Spec) -> MistakeRules:
    """The rules beside the spec.

    Raises SpecError where the form is wrong, or an action, observation or variable is in no list.
    """
    top = read_yaml(folder / "mistakes.yaml", "specs/mistakes.yaml")
    top.only(KEYS, "the file")
    actions, observations, variables = (top.need(key, Table, "the file") for key in KEYS[:3])
    kernel, truth = (frozenset(_reasons(actions, key)) for key in ("kernel", "truth"))
    tests, given = (_words(observations, key) for key in ("tests", "given"))
    sets, world = (_words(variables, key) for key in ("kernel", "world"))
    names = {*spec.variables, *(v.name for e in spec.encodings.values() for v in e.state),
             *(v.name for level in spec.levels.values() for v in level.state)}
    _each_once(actions, "action", {name_of(text) for text in spec.actions}, kernel, truth)
    _each_once(observations, "observation", set(spec.observations), tests, given)
    hidden = {v.name for v in spec.variables.values() if v.truth}
    _each_once(variables, "variable", names - hidden, sets, world)
    stores = top.need("stores", Table, "the file")
    twins: dict[str, tuple[str, ...]] = {}
    for group in top.need("twins", Items, "the file").texts("twins"):
        for name in group.split():
            twins[name] = (*twins.get(name, ()), *(t for t in group.split() if t != name
                                                   and t not in twins.get(name, ())))
    return MistakeRules(
        kernel, truth, tests, given, sets, world, _texts(top.need("weaker", Table, "the file")),
        {name: top.need("split", Table, "the file").texts(name, "split")
         for name in top.need("split", Table, "the file")},
        _words(top, "reads"), {name: stores.need(name, int, "stores") for name in stores},
        _words(top, "marks"),
        {name: _added(top.need("added", Table, "the file").need(name, Table, "added"))
         for name in top.need("added", Table, "")},
        _words(top, "not_present"), twins,
    )


def _reasons(table: Table, key: str) -> dict[str, str]:
    return _texts(table.need(key, Table, "actions"))


def _texts(table: Table) -> dict[str, str]:
    return {name: table.text(name, name) for name in table}


def _words(table: Table, key: str) -> frozenset[str]:
    return frozenset(table.need(key, Source, "the file").text.split())


def _added(table: Table) -> tuple[tuple[str, ...], tuple[str, ...]]:
    table.only(("present", "other"), "added")
    found = [tuple(table.get_as(key, Source, Source("", table.where)).text.split())
             for key in ("present", "other")]
    return found[0], found[1]


def _each_once(table: Table, what: str, known: set[str], one: frozenset[str],
               two: frozenset[str]) -> None:
    for name in sorted(one & two):
        raise SpecError(table.where, f"{what} {name} stands in both lists")
    for name in sorted((one | two) - known):
        raise SpecError(table.where, f"there is no {what} {name!r}{nearest(name, known)}")
    for name in sorted(known - one - two):
        raise SpecError(
            table.where, f"{what} {name} stands in neither list: is it code of the kernel?"
        )
