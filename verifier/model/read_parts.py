# SPDX-License-Identifier: GPL-2.0-or-later
"""Parts that several files of specs/ have: state variables, definitions, words."""

from __future__ import annotations

from pathlib import Path

from verifier.base.errors import SpecError
from verifier.language.read_yaml import Source, Table, read_yaml
from verifier.model.texts import Axiom, Definition, Variable

__all__ = ["read_axioms", "read_definitions", "read_file", "read_variables", "read_words",
           "sub_table"]


def read_file(path: Path, folder: Path) -> Table:
    """A file of a spec folder; errors name it as specs/..., wherever the folder is."""
    try:
        shown = str(Path(folder.name) / path.relative_to(folder))
    except ValueError:
        shown = str(path)
    return read_yaml(path, shown if folder.name == "specs" else str(path))


def sub_table(table: Table, key: str) -> Table:
    """The table under a key, empty where the key is not there."""
    found = table.get_as(key, Table, None)
    return Table(table.where) if found is None else found


def read_variables(world: Table, section: str, truth: bool) -> dict[str, Variable]:
    """The state variables of a section, by name; `truth`: code does not see them."""
    table = sub_table(world, section)
    found = {}
    for name in table:
        record = table.need(name, Table, section)
        record.only(("type", "each", "page", "describe"), "a variable")
        found[name] = Variable(name, record.text("type", "a variable"),
                               record.get_as("each", bool, False), truth,
                               record.text("describe", "a variable"),
                               record.get_as("page", bool, False))
    return found


def read_definitions(table: Table, section: str) -> tuple[Definition, ...]:
    """The definitions of a section, in their order."""
    found = sub_table(table, section)
    return tuple(Definition(key, found.key_at[key], found.need(key, Source, section))
                 for key in found)


def read_words(table: Table) -> dict[str, str]:
    """A table of texts."""
    return {key: table.text(key, "a record") for key in table}


def read_axioms(table: Table) -> tuple[Axiom, ...]:
    """Sentences by name, each with the kernel's reason where it has one."""
    axioms = []
    for name in table:
        record = table.need(name, Table, "a sentence")
        record.only(("holds", "because", "only"), "a sentence")
        because = record.text("because", "a sentence") if "because" in record else ""
        only = record.text("only", "a sentence") if "only" in record else ""
        if only not in ("", "traces"):
            raise SpecError(record.at["only"], f"`only` is traces, not {only!r}")
        axioms.append(
            Axiom(name, record.need("holds", Source, "a sentence"), because, only == "traces")
        )
    return tuple(axioms)
