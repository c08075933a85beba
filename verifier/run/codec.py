# SPDX-License-Identifier: GPL-2.0-or-later
"""Records as plain data of JSON, and back, as their types say.

Only what the types allow comes back. A new field of a record is kept by itself. Types are records,
unions, tuples, mappings, texts, numbers, booleans and None.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Union

__all__ = ["from_plain", "to_plain"]

_KIND = "is"  # the key under which a record's class stands


def to_plain(value: Any) -> Any:
    """A value as dictionaries, lists, texts, numbers, true, false and null."""
    if is_dataclass(value) and not isinstance(value, type):
        return ({_KIND: type(value).__name__} | {f.name: to_plain(getattr(value, f.name))
                                                 for f in fields(value)})
    if isinstance(value, Mapping):
        return [[to_plain(key), to_plain(one)] for key, one in value.items()]
    if isinstance(value, tuple):
        return [to_plain(one) for one in value]
    if value is None or isinstance(value, (bool, int, str)):
        return value
    raise TypeError(f"a {type(value).__name__} is not kept")


def from_plain(kind: Any, data: Any) -> Any:
    """The value of a type that plain data describes. ValueError where it describes none."""
    return _reader(kind)(data)


Reader = Callable[[Any], Any]


@cache
def _reader(kind: Any) -> Reader:
    """What reads values of a type."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType):
        return _one_of(inner)
    if is_dataclass(kind):
        return _record(kind)
    if origin is tuple:
        return _row(inner[0]) if len(inner) == 2 and inner[1] is Ellipsis else _pair(inner)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping(*inner)
    if kind in _PLAIN:
        return lambda data: data if type(data) is kind else _refuse(data, kind)
    raise TypeError(f"a {kind} is not kept")


_PLAIN = (bool, int, str, type(None))


def _refuse(data: Any, kind: Any) -> Any:
    raise ValueError(f"{str(data)[:40]} is no {kind}")


def _one_of(kinds: tuple[Any, ...]) -> Reader:
    plain = frozenset(kind for kind in kinds if kind in _PLAIN)
    records = {kind.__name__: kind for kind in kinds if is_dataclass(kind)
               and isinstance(kind, type)}
    others = [kind for kind in kinds if kind not in plain and kind not in records.values()]

    def read(data: Any) -> Any:
        if type(data) in plain:
            return data
        if isinstance(data, dict):
            record = records.get(str(data.get(_KIND)))
            return _refuse(data, kinds) if record is None else _reader(record)(data)
        return _reader(others[0])(data) if len(others) == 1 else _refuse(data, kinds)

    return read


def _record(kind: Any) -> Reader:
    hints = typing.get_type_hints(kind)
    types_of = {field.name: hints[field.name] for field in fields(kind)}
    keys = {_KIND, *types_of}

    def read(data: Any) -> Any:
        if not isinstance(data, dict) or data.keys() != keys or data[_KIND] != kind.__name__:
            return _refuse(data, kind.__name__)
        return kind(**{name: _reader(one)(data[name]) for name, one in types_of.items()})

    return read


def _row(kind: Any) -> Reader:
    return (lambda data: tuple(map(_reader(kind), data)) if isinstance(data, list)
            else _refuse(data, "list"))


def _pair(kinds: tuple[Any, ...]) -> Reader:
    def read(data: Any) -> Any:
        if not isinstance(data, list) or len(data) != len(kinds):
            return _refuse(data, kinds)
        return tuple(_reader(kind)(one) for kind, one in zip(kinds, data, strict=True))

    return read


def _mapping(key: Any, value: Any) -> Reader:
    read_key, read_value = _reader(key), _reader(value)

    def read(data: Any) -> Any:
        if (not isinstance(data, list) or not all(isinstance(pair, list) and len(pair) == 2
                                                  for pair in data)):
            return _refuse(data, "mapping")
        return {read_key(name): read_value(one) for name, one in data}

    return read
