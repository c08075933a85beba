# SPDX-License-Identifier: GPL-2.0-or-later
"""specs/blocks/ read and checked: the world of a block, its steps, and mistakes planted in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from verifier.base.errors import SpecError, nearest
from verifier.language.read_yaml import Source, Table
from verifier.model.read_parts import (
    read_axioms,
    read_definitions,
    read_file,
    read_variables,
    read_words,
    sub_table,
)
from verifier.model.read_properties import read_properties
from verifier.model.read_specs import read_encoding, read_observation
from verifier.model.read_transitions import read_texts
from verifier.model.spec import Code, Level, Spec, Transition
from verifier.model.texts import name_of

__all__ = ["LEVEL", "Blocks", "Planted", "load_blocks", "read_transition"]

LEVEL = "block"
_WORLD = ("visible", "truth", "views", "readings", "truths", "actions", "observations", "init",
          "procedures", "shown", "numbers")
_KEYS = ("site", "describe", "hazards", "rule", "since", "roles", "third", "pages", "inputs",
         "requires", "needs", "code", "planted", "notes")
_PLANTED = ("of", "encoding", "mistake", "commit", "breaks", "smallest", "code")


@dataclass(frozen=True, slots=True)
class Planted:
    """A mistake in the code of a batch: the property that it breaks, and in how small a block.

    `commit` is the one that brought the mistake into the kernel, as the `Fixes:` of its mend says.
    """

    transition: str
    name: str
    of: str
    encoding: str
    mistake: str
    breaks: str
    smallest: int
    commit: str

    @property
    def code(self) -> str:
        """The name of the code that has it."""
        return f"{self.of}+{self.name}"


@dataclass(frozen=True, slots=True)
class Blocks:
    """All of specs/blocks/.

    hazards  transition -> the hazards of batches that it is about
    rules    the same -> what it takes under option C
    since    transition -> the version of Linux from which on it is there
    """

    spec: Spec
    planted: tuple[Planted, ...]
    hazards: Mapping[str, tuple[str, ...]]
    since: Mapping[str, str]
    rules: Mapping[str, str]
    numbers: tuple[str, ...]  # views that use the number of a page

    def batched(self) -> tuple[Transition, ...]:
        """The transitions that change several entries at once."""
        return tuple(t for t in self.spec.transitions.values() if t.name in self.hazards)


def load_blocks(folder: Path, base: Spec) -> Blocks:
    """The blocks of a spec folder, with the codes of the rest of specs/."""
    own = folder / "blocks"
    world = read_file(own / "world.yaml", folder)
    world.only(_WORLD, "the world of a block")
    variables = read_variables(world, "visible", False) | read_variables(world, "truth", True)
    observations = {name_of(found): found for key in sub_table(world, "observations")
                    if (found := read_observation(sub_table(world, "observations"), key))}
    paths = sorted((own / "encodings").glob("*.yaml"))
    encodings = {e.name: e for e in (read_encoding(path, folder, base.codes) for path in paths)}
    properties = read_properties(read_file(own / "properties.yaml", folder))
    level = Level(LEVEL, "neighbouring entries of one large folio", (), "", {}, {}, (), (), (), (),
                  world.where)
    spec = replace(
        base, variables=variables, views=read_definitions(world, "views"),
        readings=read_definitions(world, "readings"), truths=read_definitions(world, "truths"),
        actions=read_definitions(world, "actions"),
        procedures=read_definitions(world, "procedures"), flushes=(), elsewhere=(),
        observations=observations, init=read_axioms(sub_table(world, "init")),
        properties=properties, encodings=encodings, transitions={}, levels={LEVEL: level},
        waiting=(), shown={name: sub_table(world, "shown").need(name, int, "what is shown")
                              for name in sub_table(world, "shown")},
    )
    return replace(_with_transitions(own, folder, spec),
                   numbers=world.texts("numbers", "numbers"))


def _with_transitions(own: Path, folder: Path, spec: Spec) -> Blocks:
    transitions: dict[str, Transition] = {}
    planted: list[Planted] = []
    hazards: dict[str, tuple[str, ...]] = {}
    since: dict[str, str] = {}
    rules: dict[str, str] = {}
    for path in sorted((own / "transitions").glob("*.yaml")):
        table = read_file(path, folder)
        for name in table:
            if name in transitions:
                raise SpecError(table.key_at[name], f"{name} stands twice")
            record = table.need(name, Table, "transitions")
            record.only(_KEYS, "a transition of a block")
            found, mistakes = read_transition(name, record, spec)
            transitions[name] = found
            planted += mistakes
            if "hazards" in record:
                hazards[name] = record.texts("hazards", "hazards")
                rules[name] = record.text("rule", "a batch")
            if "since" in record:
                since[name] = record.text("since", "a transition")
    return Blocks(replace(spec, transitions=transitions), tuple(planted), hazards, since, rules, ())


def read_transition(name: str, record: Table, spec: Spec) -> tuple[Transition, list[Planted]]:
    """One transition, and the mistakes that are planted in it."""
    what = f"transition {name}"
    requires = read_axioms(sub_table(record, "requires"))
    for axiom in requires:
        if not axiom.because:
            raise SpecError(axiom.holds.where,
                            f"requirement {axiom.name} does not name the kernel line: `because`")
    codes = read_texts(record, what, spec.codes)
    order = {code: one.order for code, one in spec.codes.items()}
    planted = []
    table = sub_table(record, "planted")
    for key in table:
        mistake = table.need(key, Table, "planted")
        found = _planted(name, key, mistake, spec)
        planted.append(found)
        codes[found.code] = mistake.need("code", Source, "a planted mistake")
        order[found.code] = (found.code, *spec.codes[found.of].order)
    return Transition(
        name, (), record.text("site", what), record.text("describe", what),
        record.texts("roles", "roles") or ("p",), ("old",), read_words(sub_table(record, "inputs")),
        requires, {}, {}, {}, "", record.texts("third", "third"), record.texts("needs", "needs"),
        codes, read_words(sub_table(record, "notes")), record.where, (LEVEL,), "", (), order,
        record.texts("pages", "pages"),
    ), planted


def _planted(transition: str, name: str, record: Table, spec: Spec) -> Planted:
    what = "a planted mistake"
    record.only(_PLANTED, what)
    found = Planted(
        transition, name, record.text("of", what),
        record.text("encoding", what) if "encoding" in record else "option-c",
        record.text("mistake", what), record.text("breaks", what),
        record.get_as("smallest", int, 2),
        record.text("commit", what) if "commit" in record else "",
    )
    known: tuple[tuple[str, str, Mapping[str, Code] | Mapping[str, object]], ...] = (
        ("of", found.of, spec.codes), ("encoding", found.encoding, spec.encodings),
        ("breaks", found.breaks, spec.properties),
    )
    for key, word, right in known:
        if word not in right:
            raise SpecError(record.at[key], f"unknown: {word!r}{nearest(word, right)}")
    return found
