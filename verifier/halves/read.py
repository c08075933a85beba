# SPDX-License-Identifier: GPL-2.0-or-later
"""specs/two-words.yaml read and checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from verifier.base.errors import SpecError, nearest
from verifier.halves.two_words import (
    BOTH,
    HALVES,
    HIGH,
    LOCKED,
    LOW,
    NO_LOOK,
    ReadRule,
    TwoWords,
    ValueKind,
    WordChange,
    WordClaim,
    WordLayout,
    WordReader,
    WordWay,
)
from verifier.language.read_yaml import Source, Table
from verifier.model.read_parts import read_axioms, read_file, read_words, sub_table

__all__ = ["load_two_words"]

T = TypeVar("T")
_READS = ((LOW, HIGH, LOW), (BOTH,))
_LOOKS = (NO_LOOK, HALVES, BOTH, LOCKED)
_KINDS = ("planted", "mend")


def load_two_words(folder: Path) -> TwoWords:
    """The two-word reads of a spec folder. Raises SpecError at a mistake."""
    table = read_file(folder / "two-words.yaml", folder)
    table.only(("layouts", "axioms", "values", "changes", "rules", "readers", "ways"),
               "two-word reads")
    axioms = {axiom.name: axiom for axiom in read_axioms(sub_table(table, "axioms"))}
    for axiom in axioms.values():
        if not axiom.because:
            raise SpecError(axiom.holds.where, f"axiom {axiom.name} does not say why: `because`")
    values = _each(table, "values", _value)
    changes = _each(table, "changes", lambda name, record: _change(name, record, values))
    rules = _each(table, "rules", _rule)
    readers = _each(table, "readers", lambda name, record: _reader(name, record, rules))
    return TwoWords(
        _each(table, "layouts", lambda name, record: _layout(name, record, axioms)), axioms, values,
        changes, rules, readers,
        _each(table, "ways", lambda name, record: _way(name, record, readers, changes)),
        table.where)


def _each(table: Table, key: str, read: Callable[[str, Table], T]) -> dict[str, T]:
    records = table.need(key, Table, "two-word reads")
    return {name: read(name, records.need(name, Table, key)) for name in records}


def _known(record: Table, key: str, known: Iterable[str]) -> tuple[str, ...]:
    known = list(known)
    found = record.texts(key, key)
    for name in found:
        if name not in known:
            raise SpecError(record.at[key], f"unknown in {key}: {name!r}{nearest(name, known)}")
    return found


def _text(record: Table, key: str) -> str:
    return record.text(key, "a record") if key in record else ""


def _layout(name: str, record: Table, axioms: Iterable[str]) -> WordLayout:
    record.only(("reads", "source", "axioms", "handlers", "note"), "a layout")
    reads = record.texts("reads", "reads")
    if reads not in _READS:
        raise SpecError(record.where, "reads are [low, high, low] or [both]")
    return WordLayout(name, reads, record.text("source", "a layout"),
                      _known(record, "axioms", axioms), _text(record, "handlers"),
                      _text(record, "note"))


def _value(name: str, record: Table) -> ValueKind:
    record.only(("takes", "when", "code"), "a value")
    return ValueKind(name, read_words(sub_table(record, "takes")),
                     record.need("when", Source, "a value") if "when" in record else None,
                     record.need("code", Source, "a value"))


def _change(name: str, record: Table, values: Iterable[str]) -> WordChange:
    record.only(("site", "describe", "of", "to", "takes", "code"), "a change")
    values = list(values)
    return WordChange(name, record.text("site", "a change"), record.text("describe", "a change"),
                  _known(record, "of", values), _known(record, "to", values),
                  read_words(sub_table(record, "takes")), record.need("code", Source, "a change"))


def _rule(name: str, record: Table) -> ReadRule:
    record.only(("describe", "pairs", "returns", "because"), "a rule")
    return ReadRule(name, record.text("describe", "a rule"), record.need("pairs", Source, "a rule"),
                record.get_as("returns", bool, True), record.text("because", "a rule"))


def _reader(name: str, record: Table, rules: Iterable[str]) -> WordReader:
    record.only(("site", "describe", "rules", "interrupts", "claims"), "a reader")
    claims, interrupts = [], record.text("interrupts", "a reader")
    if interrupts not in ("kept off", "left on"):
        raise SpecError(record.at["interrupts"], "interrupts are kept off or left on")
    table = record.need("claims", Table, "a reader")
    for key in table:
        claim = table.need(key, Table, "claims")
        claim.only(("asks", "of"), "a claim")
        claims.append(WordClaim(key, claim.need("asks", Source, "a claim"),
                            claim.need("of", Source, "a claim")))
    return WordReader(name, record.text("site", "a reader"), record.text("describe", "a reader"),
                  _known(record, "rules", rules), interrupts == "kept off", tuple(claims))


def _way(name: str, record: Table, readers: Iterable[str], changes: Iterable[str]) -> WordWay:
    record.only(("readers", "describe", "kind", "unchecked", "look", "turned", "lowered"), "a way")
    changes = list(changes)
    kind, look = _text(record, "kind"), record.text("look", "a way")
    if kind and kind not in _KINDS:
        raise SpecError(record.at["kind"], f"a kind is one of {', '.join(_KINDS)}")
    if look not in _LOOKS:
        raise SpecError(record.at["look"], f"a look is one of {', '.join(_LOOKS)}")
    return WordWay(name, _known(record, "readers", readers), record.text("describe", "a way"), kind,
               record.get_as("unchecked", bool, False), look, _known(record, "turned", changes),
               _known(record, "lowered", changes))
