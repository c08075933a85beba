# SPDX-License-Identifier: GPL-2.0-or-later
"""Facts of one version of the kernel: what arch/ says of all versions, less what is of others.

A fact that is not of every version says so where it stands:

    since: 7.3.4   the first version that was read in which it is so
    until: 7.3.4   the first version that was read in which it is so no longer

Both may stand beside what a field or helper has, or in an item of a list that is in its place; an
item whose value is a number says it as `is`. Nothing is known of a version between two that were
read: it is taken as the older one, and `conform` says where its code is not so.

    fields:    {DEVMAP: {bits: 57, until: 7.3.4}}
    constants: {MAX_SWAPFILES: [{until: 7.3.4, is: 23}, {since: 7.3.4, is: 24}]}

A field that a version has not is 0 in its masks, and its bits are spare.
"""

from __future__ import annotations

import re

from verifier.base.errors import SpecError
from verifier.language.read_yaml import Items, Plain, Source, Table

__all__ = ["NEWEST_READ", "OLDEST_READ", "WHOLE", "of_version"]

WHOLE = "6.12.117"  # the version that arch/ and specs/ describe, where none is named
NEWEST_READ = "7.3.4"
OLDEST_READ = "6.1.192"  # of x86 alone; a bound of 6.12.117 is one that it does not reach
_BOUNDS = ("since", "until")
_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+){1,3}")


def of_version(table: Table, version: str) -> Table:
    """A file of arch/ as it is for one version of the kernel, such as "7.3.4".

    Raises SpecError where a bound is no version, or where several values of a list are of the
    version, and ValueError where `version` is none.
    """
    asked = _number(version)
    if asked is None:
        raise ValueError(f"{version!r} is no version of the kernel")
    found = _table(table, asked)
    _gone_fields(table, found)
    return found


def _number(version: str) -> tuple[int, ...] | None:
    """Its numbers; what follows them, such as -rc1, does not count."""
    match = _VERSION.match(version)
    return None if match is None else tuple(map(int, match[0].split(".")))


def _table(table: Table, asked: tuple[int, ...]) -> Table:
    """A mapping without what is of other versions; a key of which nothing is left goes too."""
    found = Table(table.where)
    for key, value in table.items():
        of_it = None if key in _BOUNDS else _value(value, asked)
        if of_it is not None:
            found[key] = of_it
            found.key_at[key], found.at[key] = table.key_at[key], table.at[key]
    return found


def _value(value: Plain, asked: tuple[int, ...]) -> Plain | None:
    """What is of the version, or None where nothing is."""
    if isinstance(value, Table):
        return _table(value, asked) if _holds(value, asked) else None
    if not isinstance(value, Items):
        return value
    found = Items(value.where)
    for item, where in zip(value, value.at, strict=True):
        of_it = _value(item, asked)
        if of_it is not None:
            found.append(of_it)
            found.at.append(where)
    if not any(isinstance(item, Table) and "is" in item for item in value):
        return found if found or not value else None
    return _one_value(found, asked) if found else None


def _one_value(items: Items, asked: tuple[int, ...]) -> Plain:
    values = [item["is"] for item in items if isinstance(item, Table) and "is" in item]
    if len(values) != 1 or len(items) != 1:
        raise SpecError(items.where, f"several values are of version {'.'.join(map(str, asked))}")
    return values[0]


def _holds(fact: Table, asked: tuple[int, ...]) -> bool:
    since, until = (_bound(fact, key) for key in _BOUNDS)
    return (since is None or since <= asked) and (until is None or asked < until)


def _bound(fact: Table, key: str) -> tuple[int, ...] | None:
    if key not in fact:
        return None
    value = fact[key]
    number = _number(value.text) if isinstance(value, Source) else None
    if number is None:
        raise SpecError(fact.at[key], f"{key!r} must be a version, such as {NEWEST_READ}")
    return number


def _gone_fields(whole: Table, found: Table) -> None:
    """Fields that the version has not: constants of 0, that no other field shares."""
    before, fields = whole.get("fields"), found.get("fields")
    if not isinstance(before, Table) or not isinstance(fields, Table):
        return
    gone = [name for name in before if name not in fields]
    if not gone:
        return
    constants = found.get_as("constants", Table, None) or Table(found.where)
    for name in gone:
        constants[name] = 0
        constants.key_at[name] = constants.at[name] = before.key_at[name]
    found["constants"] = constants
    found.key_at.setdefault("constants", found.where)
    found.at.setdefault("constants", found.where)
    for field in fields.values():
        if isinstance(field, Table) and isinstance(shares := field.get("shares"), Items):
            field["shares"] = _without(shares, gone)


def _without(shares: Items, gone: list[str]) -> Items:
    found = Items(shares.where)
    for item, where in zip(shares, shares.at, strict=True):
        if not isinstance(item, Source) or item.text not in gone:
            found.append(item)
            found.at.append(where)
    return found
