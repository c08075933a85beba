# SPDX-License-Identifier: GPL-2.0-or-later
"""Entries, states and steps as plain data, for every JSON that has some.

Words are texts of hexadecimal digits. A state names what is true or not 0, and every entry; what it
does not name is false, or 0x0. A step has what it changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from verifier.language.evaluate import call
from verifier.language.machine import Key
from verifier.model.fields import named_fields
from verifier.model.spec import Level
from verifier.model.typed import Model
from verifier.model.world import key_name
from verifier.prove.results import Move, State
from verifier.report.moves import reads_as, shown

__all__ = ["NAMES", "entry", "inputs", "move", "moves", "number", "state"]

NAMES = "AB3"  # of processes, by number
_SAID = ("pte_present", "pte_write", "pte_dirty", "pte_young", "pte_soft_dirty", "pte_uffd_wp",
         "pte_swp_exclusive")


def number(value: int | bool) -> str | bool:
    """A truth as it is, a number as hexadecimal digits.

    >>> number(74565), number(True)
    ('0x12345', True)
    """
    return value if isinstance(value, bool) else f"0x{value:x}"


def inputs(values: Mapping[str, int | bool]) -> dict[str, str | bool]:
    """The inputs of a step that are true or not 0."""
    return {name: number(value) for name, value in values.items() if value}


def state(model: Model, values: State) -> dict[str, Any]:
    """A state by the names of its variables: each entry, decoded, and what is true or not 0."""
    return _told(model, values, [key for key, value in values.items() if value or _is_entry(key)])


def _changes(model: Model, before: State, after: State) -> dict[str, Any]:
    """The variables that differ, with their new values.

    An entry that stays may still read otherwise.
    """
    def reads(values: State, key: Key) -> object:
        return ((values[key], reads_as(model, values, int(key[1]))) if _is_entry(key)
                else values[key])

    return _told(model, after, [key for key in after if reads(before, key) != reads(after, key)])


def _told(model: Model, values: State, keys: Iterable[Key]) -> dict[str, Any]:
    return {key_name(key): entry(model, values, int(key[1])) if _is_entry(key)
            else number(values[key]) for key in keys}


def _is_entry(key: Key) -> bool:
    return not isinstance(key, str) and key[0] == "entry"


def move(model: Model, one: Move, previous: State | None = None) -> dict[str, Any]:
    """A step: its choices, what it changes, and the state before it if that is not `previous`."""
    found: dict[str, Any] = {
        "transition": one.transition, "roles": [NAMES[r] for r in one.roles],
        "tracks_new": one.tracks_new,
        "inputs": inputs(one.inputs),
    }
    if previous is None or dict(previous) != dict(one.before):
        found["before"] = state(model, one.before)
    return found | {"changes": _changes(model, one.before, one.after)}


def moves(
    model: Model, steps: Iterable[Move], previous: State | None = None
) -> list[dict[str, Any]]:
    """Steps one after the other, from the `previous` state if there is one."""
    found = []
    for one in steps:
        found.append(move(model, one, previous))
        previous = one.after
    return found


def entry(model: Model, values: State, process: int) -> dict[str, Any]:
    """A process's entry in a state: value, fields, helpers that are true of it, how it reads."""
    value, level = int(values["entry", process]), model.level_in(values, process)
    true = _helpers(model, level, value)
    return {
        "value": f"0x{value:0{model.layout.width // 4}x}",
        "fields": named_fields(model.layout, value, level.translated("pte_present") in true),
        "helpers": true,
        "reads_as": reads_as(model, values, process),
    }


def _helpers(model: Model, level: Level, value: int) -> list[str]:
    """Of the helpers that are asked, those that are true of an entry."""
    machine, layout = shown(model), model.layout
    names = [name for name in map(level.translated, _SAID) if layout.function(name) is not None]
    return [name for name in names
            if call(machine, layout.helper(name), (model.seen(machine, value, level),))]
