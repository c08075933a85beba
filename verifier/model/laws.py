# SPDX-License-Identifier: GPL-2.0-or-later
"""Laws and traits: statements about the values of helpers, from specs/laws.yaml and traits.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from verifier.base.data import data_folder
from verifier.language.read_yaml import Source, Table, read_yaml

__all__ = ["Law", "load_laws"]


@dataclass(frozen=True, slots=True)
class Law:
    """One law at one level: a statement about all values of its parameters."""

    name: str
    level: str
    key: Source
    when: Source | None
    holds: Source
    needs: tuple[str, ...]
    not_for: Mapping[str, str]  # glob of VARIANT/LEVEL -> why it says nothing there
    source: str
    option_c: str


def load_laws(path: Path | None = None) -> list[Law]:
    """Every law, once for each level that it is stated for.

    Raises SpecError at whatever is wrong in the file.
    """
    table = read_yaml(path or data_folder("specs") / "laws.yaml", "specs/laws.yaml")
    table.only(("laws",), "the laws")
    laws = table.need("laws", Table, "the laws")
    found = []
    for key in laws:
        record = laws.need(key, Table, "the laws")
        record.only(("levels", "needs", "not_for", "source", "when", "holds", "option_c"),
                    f"law {key}")
        for level in record.texts("levels", "levels"):
            when = _at(record.need("when", Source, "a law"), level) if "when" in record else None
            found.append(Law(
                key.split("(")[0], level, _at(Source(key, laws.key_at[key]), level), when,
                _at(record.need("holds", Source, "a law"), level), record.texts("needs", "needs"),
                _not_for(record),
                record.text("source", "a law"), record.text("option_c", "a law")
                if "option_c" in record else "",
            ))
    return found


def _not_for(record: Table) -> Mapping[str, str]:
    """Where a law says nothing, and why.

    A list of globs means that the level is folded into another there; a table has a reason for
    each.
    """
    if isinstance(record.get("not_for"), Table):
        table = record.need("not_for", Table, "a law")
        return {glob: table.text(glob, "not_for") for glob in table}
    return dict.fromkeys(record.texts("not_for", "not_for"), "the level is folded into another")


def _at(source: Source, level: str) -> Source:
    return Source(source.text.replace("{L}", level), source.where)
