# SPDX-License-Identifier: GPL-2.0-or-later
"""specs/blocks/contpte/ read and checked: blocks that the hardware takes for one entry, as arm64's
contiguous ones. The world is that of specs/blocks/ with other forms on pointers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from verifier.base.errors import SpecError, Where, nearest
from verifier.blocks.read import LEVEL, Blocks, read_transition
from verifier.language.read_yaml import Source, Table
from verifier.model.arch import Layout
from verifier.model.read_parts import read_definitions, read_file, read_variables, sub_table
from verifier.model.read_properties import read_properties
from verifier.model.read_transitions import read_texts
from verifier.model.spec import Level, Spec
from verifier.model.texts import Definition, name_of

__all__ = ["CONTPTE", "BlockHelper", "Contpte", "HelperMistake", "load_contpte"]

CONTPTE = "contpte"
_WORLD = ("needs", "visible", "numbers", "views", "readings", "procedures", "properties")
_HELPER = ("site", "hazards", "rule", "section", "signature", "code", "planted", "describe")
_PLANTED = ("of", "encoding", "mistake", "breaks", "smallest", "code")
_STEPS = ("steps", "folds", "codes", "own")


@dataclass(frozen=True, slots=True)
class HelperMistake:
    """A text that stands in for a helper's: a mistake planted there, or today's under option C.

    breaks  the property that it breaks; empty where nobody says
    """

    helper: str
    name: str
    of: str
    encoding: str
    mistake: str
    breaks: str
    smallest: int
    text: Source


@dataclass(frozen=True, slots=True)
class BlockHelper:
    """A form on pointers of a whole block, by its name in the kernel; codes differ in its text."""

    name: str
    site: str
    hazards: tuple[str, ...]
    rule: str
    section: str
    definition: Definition
    codes: Mapping[str, Source]
    planted: tuple[HelperMistake, ...]

    def text(self, order: tuple[str, ...]) -> Source:
        """The text of the first of these codes that has one."""
        return next(self.codes[code] for code in order if code in self.codes)


@dataclass(frozen=True, slots=True)
class Contpte:
    """All of specs/blocks/contpte/ over specs/blocks/.

    needs  the helper of an architecture that has such blocks
    folds  step -> the roles whose page, where it is the last, the step ends in a fold of
    """

    blocks: Blocks
    needs: str
    helpers: Mapping[str, BlockHelper]
    folds: Mapping[str, tuple[str, ...]]

    def on(self, layout: Layout) -> bool:
        """Has a variant such blocks?"""
        return self.needs in layout.names()

    def mistakes(self) -> tuple[HelperMistake, ...]:
        """All that is planted in helpers."""
        return tuple(one for helper in self.helpers.values() for one in helper.planted)

    def left_out(self) -> tuple[HelperMistake, ...]:
        """Of each helper that option C mends: its text of today among mended ones."""
        return tuple(HelperMistake(h.name, "today", code, "option-c", h.rule, "", 2,
                                   h.codes["today"])
                     for h in self.helpers.values() for code in h.codes if code != "today")

    def as_of(self, code: str, mistake: HelperMistake | None = None) -> Blocks:
        """The blocks of a code, whose helpers are those of the code but for one mistake."""
        spec = self.blocks.spec
        sections = {"views": spec.views, "procedures": spec.procedures}
        for helper in self.helpers.values():
            own = mistake is not None and mistake.helper == helper.name
            text = mistake.text if mistake is not None and own else helper.text(
                spec.codes[code].order)
            sections[helper.section] = _with(
                sections[helper.section], (replace(helper.definition, body=text),))
        return replace(self.blocks, spec=replace(
            spec, views=sections["views"], procedures=sections["procedures"]))


def load_contpte(folder: Path, blocks: Blocks) -> Contpte:
    """The blocks of a spec folder that one entry stands for."""
    own = folder / "blocks" / CONTPTE
    world = read_file(own / "world.yaml", folder)
    world.only(_WORLD, "the world of contiguous blocks")
    spec = blocks.spec
    level = Level(CONTPTE, "neighbouring entries that the hardware takes for one", (), "", {}, {},
                  (), (), (), (), world.where, like=LEVEL)
    spec = replace(
        spec, levels={CONTPTE: level},
        variables={**spec.variables, **read_variables(world, "visible", False)},
        views=_with(spec.views, read_definitions(world, "views")),
        readings=_with(spec.readings, read_definitions(world, "readings")),
        procedures=_with(spec.procedures, read_definitions(world, "procedures")),
        properties={**spec.properties, **read_properties(sub_table(world, "properties"))},
    )
    helpers = _helpers(read_file(own / "helpers.yaml", folder), spec)
    steps = read_file(own / "steps.yaml", folder)
    steps.only(_STEPS, "steps of contiguous blocks")
    found = _steps(steps, replace(blocks, spec=spec,
                                  numbers=(*blocks.numbers, *world.texts("numbers", "numbers"))))
    folds = sub_table(steps, "folds")
    for name in folds:
        roles = found.spec.transitions[
            _one_of(name, found.spec.transitions, folds.at[name])].roles
        for role in folds.texts(name, "folds"):
            _one_of(role, roles, folds.at[name])
    return Contpte(found, world.text("needs", "the world of contiguous blocks"), helpers,
                   {name: folds.texts(name, "folds") for name in folds})


def _with(texts: tuple[Definition, ...], own: tuple[Definition, ...]) -> tuple[Definition, ...]:
    """Definitions, of which those of a name that `own` has are its."""
    instead = {name_of(one): one for one in own}
    kept = tuple(instead.pop(name_of(one), one) for one in texts)
    return (*kept, *instead.values())


def _helpers(table: Table, spec: Spec) -> dict[str, BlockHelper]:
    found = {}
    for name in table:
        record = table.need(name, Table, "a block helper")
        record.only(_HELPER, "a block helper")
        section = record.text("section", name) if "section" in record else "procedures"
        if section not in ("views", "procedures"):
            raise SpecError(record.at["section"], "a block helper is one of views or procedures")
        codes = read_texts(record, f"helper {name}", spec.codes)
        definition = Definition(record.text("signature", name), record.at["signature"],
                                codes["today"])
        planted = sub_table(record, "planted")
        found[name] = BlockHelper(
            name, record.text("site", name), record.texts("hazards", "hazards"),
            record.text("rule", name) if "rule" in record else "", section, definition, codes,
            tuple(_mistake(name, key, planted.need(key, Table, "planted"), spec)
                  for key in planted))
    return found


def _mistake(helper: str, name: str, record: Table, spec: Spec) -> HelperMistake:
    what = "a planted mistake"
    record.only(_PLANTED, what)
    found = HelperMistake(
        helper, name, record.text("of", what),
        record.text("encoding", what) if "encoding" in record else "option-c",
        record.text("mistake", what), record.text("breaks", what),
        record.get_as("smallest", int, 2), record.need("code", Source, what))
    _one_of(found.of, spec.codes, record.at["of"])
    _one_of(found.encoding, spec.encodings, record.at.get("encoding", record.where))
    _one_of(found.breaks, spec.properties, record.at["breaks"])
    return found


def _one_of(name: str, known: Collection[str], where: Where) -> str:
    """The name; SpecError where it is none of these."""
    if name not in known:
        raise SpecError(where, f"unknown: {name!r}{nearest(name, known)}")
    return name


def _steps(table: Table, blocks: Blocks) -> Blocks:
    """The steps that are taken over, and own ones, which may stand in for those."""
    known = blocks.spec.transitions
    transitions = {}
    for name in table.texts("steps", "steps"):
        transitions[name] = known[_one_of(name, known, table.at["steps"])]
    codes = sub_table(table, "codes")
    for name in codes:
        own = codes.need(_one_of(name, transitions, codes.at[name]), Table, "codes")
        transitions[name] = replace(
            known[name], codes={key: own.need(key, Source, "codes") for key in own})
    mine = sub_table(table, "own")
    hazards: dict[str, tuple[str, ...]] = {}
    rules: dict[str, str] = {}
    for name in mine:
        record = mine.need(name, Table, "own")
        if "planted" in record:
            raise SpecError(record.at["planted"], "mistakes of own steps are planted in helpers")
        transitions[name], _ = read_transition(name, record, blocks.spec)
        if "hazards" in record:
            hazards[name] = record.texts("hazards", "hazards")
            rules[name] = record.text("rule", "a step")
    return replace(
        blocks, spec=replace(blocks.spec, transitions=transitions), planted=(),
        hazards=hazards, rules=rules,
        since={n: s for n, s in blocks.since.items() if n in transitions})
