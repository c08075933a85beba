# SPDX-License-Identifier: GPL-2.0-or-later
"""specs/levels/ read and checked: how texts about ptes read at other levels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from verifier.base.errors import SpecError, nearest
from verifier.model.read_parts import (
    read_definitions,
    read_file,
    read_variables,
    read_words,
    sub_table,
)
from verifier.model.spec import (
    PTE,
    Level,
)

__all__ = ["load_levels"]


def load_levels(folder: Path) -> dict[str, Level]:
    """The levels of a spec folder by name, the base level first; SpecError at a mistake."""
    found = {x.name: x for x in (
        _level(path, folder) for path in sorted((folder / "levels").glob("*.yaml"), key=_base_first)
    )}
    return {name: _alike(level, found) if level.like else level for name, level in found.items()}


def _alike(level: Level, known: Mapping[str, Level]) -> Level:
    """A level that has the entries of another: what it does not say itself is said there."""
    base = known.get(level.like)
    if base is None or base.like:
        raise SpecError(level.where, f"{level.name} is like no level {level.like!r}"
                                     f"{nearest(level.like, known)}")
    return replace(base, name=level.name, describe=level.describe,
                   needs=(*base.needs, *level.needs), like=level.like, threads=level.threads,
                   covers_not=(*base.covers_not, *level.covers_not), where=level.where)


def _base_first(path: Path) -> tuple[bool, str]:
    return path.stem != PTE, path.stem


def _level(path: Path, folder: Path) -> Level:
    table = read_file(path, folder)
    table.only(("level", "describe", "needs", "beside", "through", "names", "state", "views",
                "readings", "covers_not", "like", "threads"),
               "a level")
    name = table.text("level", "a level")
    if name != path.stem:
        raise SpecError(table.at["level"], f"the file is called {path.stem}, not {name}")
    beside = table.text("beside", "a level") if "beside" in table else ""
    like = table.text("like", "a level") if "like" in table else ""
    for key in ("beside", "through", "names", "state", "views", "readings"):
        if like and key in table:
            raise SpecError(table.key_at[key], f"{name} is like {like}, which says {key!r} for it")
    return Level(
        name,
        table.text("describe", "a level"),
        table.texts("needs", "needs"),
        beside,
        read_words(sub_table(table, "through")),
        read_words(sub_table(table, "names")),
        tuple(read_variables(table, "state", False).values()),
        read_definitions(table, "views"),
        read_definitions(table, "readings"),
        table.texts("covers_not", "covers_not"),
        table.where,
        like,
        table.texts("threads", "threads"),
    )
