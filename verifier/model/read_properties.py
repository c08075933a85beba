# SPDX-License-Identifier: GPL-2.0-or-later
"""specs/properties.yaml read and checked: what has to hold, and each property's part."""

from __future__ import annotations

from verifier.base.errors import SpecError, nearest
from verifier.language.read_yaml import Source, Table
from verifier.model.read_parts import read_words, sub_table
from verifier.model.spec import (
    ADVISORY,
    END,
    INVARIANT,
    LEMMA,
    NONE,
    REACHES,
    STATIC,
    STEP,
    Property,
    Sentence,
)

__all__ = ["read_properties"]

_KEYS = ("kind", "holds", "claim", "because", "encodings", "needs", "compares", "comparable",
         "hardware_changes", "others_stay", "causes", "sentences", "codes", "levels", "inputs",
         "shows", "prefers", "not_on", "consequence")
_OF_COMPARING = ("comparable", "hardware_changes", "others_stay")


def read_properties(table: Table) -> dict[str, Property]:
    """The properties by name, in the order of the file. Raises SpecError at what is wrong."""
    found = {}
    for name in table:
        record = table.need(name, Table, "properties")
        record.only(_KEYS, "a property")
        if name.startswith(REACHES):
            raise SpecError(
                table.key_at[name],
                f"{REACHES}... begins the names of steps' effects: no property may be called so"
            )
        kind = record.text("kind", "a property")
        if kind not in (INVARIANT, LEMMA, STEP, ADVISORY, STATIC):
            kinds = "invariant, lemma, step, advisory or static"
            raise SpecError(record.at["kind"], f"a property is {kinds}, not {kind!r}")
        found[name] = Property(
            name, kind, record.get_as("holds", Source, None), record.text("claim", "a property"),
            _word(record, "because"), record.texts("encodings", "encodings"), table.key_at[name],
            record.texts("needs", "needs"), record.texts("codes", "codes"),
            read_words(sub_table(record, "compares")), _word(record, "comparable"),
            record.texts("hardware_changes", "hardware_changes"),
            record.get_as("others_stay", bool, False), _sentences(record),
            record.texts("causes", "causes"), record.texts("levels", "levels"),
            record.texts("inputs", "inputs"), record.get_as("shows", Source, None),
            record.get_as("prefers", Source, None), read_words(sub_table(record, "not_on")),
            _word(record, "consequence"),
        )
        _can_be_shown(found[name])
        _check_compares(record, found[name])
        _check_consequence(record, found[name])
    return found


def _word(record: Table, key: str) -> str:
    """The text under a key, empty where there is none."""
    return record.text(key, "a property") if key in record else ""


def _can_be_shown(prop: Property) -> None:
    """Refuse a property of which a refutation could not show what failed."""
    if prop.shows is None and prop.holds is None and not prop.compares and not prop.sentences:
        raise SpecError(prop.where, f"{prop.name} has no `holds`, so it has to say what a "
                                    "refutation shows: `shows`")


def _check_compares(record: Table, prop: Property) -> None:
    """Refuse words about comparing of a property that compares nothing, and a gap in them."""
    if not prop.compares:
        for key in _OF_COMPARING:
            if key in record:
                raise SpecError(record.key_at[key], f"{key} says how entries are compared, and "
                                                    f"{prop.name} has no `compares`")
        return
    if prop.kind != STEP:
        raise SpecError(record.key_at["compares"], f"a {STEP} property compares entries, and "
                                                   f"{prop.name} is {prop.kind!r}")
    if not prop.comparable:
        raise SpecError(prop.where, f"{prop.name} compares entries, so it has to name the view "
                                    "under which it does: `comparable`")
    for component in prop.hardware_changes:
        if component not in prop.compares:
            hint = nearest(component, prop.compares)
            raise SpecError(
                record.at["hardware_changes"],
                f"{prop.name} compares no component {component!r}{hint}",
            )


def _check_consequence(record: Table, prop: Property) -> None:
    """Refuse an unknown word, and an end that a search cannot see: asserts have to record it."""
    if prop.consequence not in ("", END, NONE):
        raise SpecError(record.at["consequence"],
                        f"a consequence is {END} or {NONE}, not {prop.consequence!r}")
    if prop.consequence == END and (prop.kind != STEP or prop.holds is not None or prop.compares):
        raise SpecError(record.at["consequence"], "a search ends at what an assert records: "
                                                  f"a {STEP} property without `holds`")


def _sentences(record: Table) -> tuple[Sentence, ...]:
    table = sub_table(record, "sentences")
    found = []
    for key in table:
        sentence = table.need(key, Table, "sentences")
        sentence.only(("given", "holds", "levels", "needs"), "a statement about entries alone")
        found.append(Sentence(key, table.key_at[key], sentence.get_as("given", Source, None),
                              sentence.need("holds", Source, "a statement about entries alone"),
                              sentence.texts("levels", "levels"), sentence.texts("needs", "needs")))
    return tuple(found)
