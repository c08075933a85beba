# SPDX-License-Identifier: GPL-2.0-or-later
"""Strict YAML: every value keeps its place, and what YAML silently lets pass is an error.

Refused are duplicate keys, aliases, merge keys, tags, and plain words that YAML 1.1 turns into
booleans, numbers or dates in ways nobody expects (yes, on, 1:30, 1e3, 2024-12-11, ~).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar, overload

import yaml

from verifier.base.errors import SpecError, Where, nearest
from verifier.base.store import read_regular

__all__ = ["OPENED", "Items", "Source", "Table", "read_yaml"]

MAX_BYTES = 1 << 20
MAX_LINE = 4096
MAX_DEPTH = 24
MAX_DIGITS = 40  # of a number: 128 bits have 39

_LOADER: type[yaml.SafeLoader] | type[yaml.CSafeLoader] = getattr(
    yaml, "CSafeLoader", yaml.SafeLoader)
_INT = re.compile(r"-?(0|[1-9][0-9]*|0x[0-9a-fA-F]+)\Z")
_TAG = "tag:yaml.org,2002:"

# every file that this process has read here, and the digest of what it read last
OPENED: dict[Path, str] = {}


@dataclass(frozen=True, slots=True)
class Source:
    """A text of the small language, and where its first character stands."""

    text: str
    where: Where

    def at(self, line: int, column: int) -> Where:
        """The place of a line (from 1) and column (from 0) of the text."""
        return Where(self.where.path, self.where.line + line - 1, self.where.column + column)


T = TypeVar("T")
S = TypeVar("S")
D = TypeVar("D")


class Table(dict[str, "Plain"]):
    """A mapping that keeps the place of every key and value, with checked access."""

    def __init__(self, where: Where) -> None:
        super().__init__()
        self.where = where
        self.key_at: dict[str, Where] = {}
        self.at: dict[str, Where] = {}

    def only(self, known: Iterable[str], what: str) -> None:
        """Raise SpecError at the first key that is not known."""
        known = list(known)
        for key in self:
            if key not in known:
                raise SpecError(
                    self.key_at[key], f"unknown key {key!r} in {what}{nearest(key, known)}"
                )

    @overload
    def need(self, key: str, kind: type[T], what: str) -> T: ...
    @overload
    def need(self, key: str, kind: tuple[type[T], type[S]], what: str) -> T | S: ...
    def need(
        self, key: str, kind: type[T] | tuple[type[T], type[S]], what: str
    ) -> T | S:
        """The value under key; SpecError where it is missing or of another kind."""
        if key not in self:
            raise SpecError(self.where, f"{what} has no {key!r}")
        return self._checked(key, kind)

    @overload
    def get_as(self, key: str, kind: type[T], default: D) -> T | D: ...
    @overload
    def get_as(self, key: str, kind: tuple[type[T], type[S]], default: D) -> T | S | D: ...
    def get_as(
        self, key: str, kind: type[T] | tuple[type[T], type[S]], default: D
    ) -> T | S | D:
        """The value under key, or the default; SpecError where it is of another kind."""
        return self._checked(key, kind) if key in self else default

    def _checked(self, key: str, kind: type[T] | tuple[type[T], type[S]]) -> T | S:
        value = self[key]
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            names = " or ".join(_KIND_NAMES.get(k, k.__name__) for k in kinds)
            raise SpecError(self.at[key], f"{key!r} must be {names}")
        return value

    def text(self, key: str, what: str) -> str:
        """A text of one paragraph, with its white space folded."""
        return " ".join(str(self.need(key, Source, what).text).split())

    def texts(self, key: str, what: str) -> tuple[str, ...]:
        """A list of words, or one word."""
        value = self.get_as(key, (Source, Items), None)
        if value is None:
            return ()
        if isinstance(value, Source):
            return (value.text,)
        return tuple(value.texts(what))


class Items(list["Plain"]):
    """A sequence with the place of every item."""

    def __init__(self, where: Where) -> None:
        super().__init__()
        self.where = where
        self.at: list[Where] = []

    def texts(self, what: str) -> list[str]:
        """The items, which must all be words; SpecError at the first that is not."""
        return [item.text for item in self.each(Source, f"{what} must be a list of words")]

    def each(self, kind: type[T], error: str) -> list[T]:
        """The items, which must all be of this kind; SpecError with this text at the first that is
        not.
        """
        found: list[T] = []
        for item, where in zip(self, self.at, strict=True):
            if not isinstance(item, kind):
                raise SpecError(where, error)
            found.append(item)
        return found


Plain: TypeAlias = Source | int | bool | Table | Items  # what YAML holds here


_KIND_NAMES: dict[type, str] = {
    Table: "a mapping", Items: "a list", Source: "a text", int: "a number", bool: "true or false",
}


def read_yaml(path: Path, shown: str | None = None) -> Table:
    """The mapping that a YAML file holds: texts are Source, numbers int, true and false bool.

    `shown` is the file's name in places. Raises SpecError with the place of whatever is wrong.
    """
    name = shown or str(path)
    start = Where(name, 1, 1)
    try:
        raw = read_regular(path, MAX_BYTES + 1)
    except OSError as error:
        raise SpecError(start, f"cannot be read: {error.strerror or error}") from error
    OPENED[path.absolute()] = hashlib.sha256(raw).hexdigest()
    text = _decode(raw, start)
    try:
        _check_events(text, name)
        node = yaml.compose(text, Loader=_LOADER)
    except SpecError:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = Where(name, mark.line + 1, mark.column + 1) if mark else start
        raise SpecError(where, f"not YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise SpecError(start, f"not YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(node, yaml.MappingNode):
        raise SpecError(start, "must be a mapping of keys to values")
    table = _Reader(name, text.splitlines()).value(node, 0)
    assert isinstance(table, Table)
    return table


def _decode(raw: bytes, start: Where) -> str:
    if len(raw) > MAX_BYTES:
        raise SpecError(start, f"is larger than {MAX_BYTES} bytes")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise SpecError(Where(start.path, line, 1), "is not UTF-8") from error
    for number, line_text in enumerate(text.splitlines(), 1):
        if len(line_text) > MAX_LINE:
            raise SpecError(Where(start.path, number, 1),
                            f"line is longer than {MAX_LINE} characters")
    return text


def _check_events(
    text: str, name: str, loader: type[yaml.SafeLoader] | type[yaml.CSafeLoader] = _LOADER
) -> None:
    """Refuse tags, anchors and aliases, and what nests too deep.

    libyaml's composer recurses without a bound. Newer versions have one and meet it before the
    first event; then Python's own parser says where ours is.
    """
    try:
        _check_each(yaml.parse(text, Loader=loader), name)
    except yaml.MarkedYAMLError as error:
        if loader is yaml.SafeLoader or "nesting depth" not in str(error):
            raise
        _check_events(text, name, yaml.SafeLoader)


def _check_each(events: Iterable[yaml.Event], name: str) -> None:
    depth = 0
    for event in events:
        mark = event.start_mark
        assert mark is not None, "every event of a text has its place"
        where = Where(name, mark.line + 1, mark.column + 1)
        if getattr(event, "anchor", None) is not None:
            raise SpecError(where, "anchors and aliases are not allowed")
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise SpecError(where, f"tags such as {tag!r} are not allowed")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(
            event, yaml.CollectionEndEvent
        )
        if depth > MAX_DEPTH + 1:
            raise SpecError(where, f"nests deeper than {MAX_DEPTH}")


class _Reader:
    """Turns YAML's nodes into tables, refusing what is not plain."""

    def __init__(self, path: str, lines: list[str]) -> None:
        self.path = path
        self.lines = lines

    def where(self, node: yaml.Node) -> Where:
        return Where(self.path, node.start_mark.line + 1, node.start_mark.column + 1)

    def value(self, node: yaml.Node, depth: int) -> Plain:
        where = self.where(node)
        if depth > MAX_DEPTH:
            raise SpecError(where, f"nests deeper than {MAX_DEPTH}")
        if isinstance(node, yaml.MappingNode):
            return self.table(node, where, depth)
        if isinstance(node, yaml.SequenceNode):
            items = Items(where)
            for child in node.value:
                items.append(self.value(child, depth + 1))
                items.at.append(self.where(child))
            return items
        assert isinstance(node, yaml.ScalarNode)
        return self.scalar(node, where)

    def table(self, node: yaml.MappingNode, where: Where, depth: int) -> Table:
        table = Table(where)
        for key_node, value_node in node.value:
            place = self.where(key_node)
            if key_node.tag == _TAG + "merge":
                raise SpecError(place, "merge keys are not allowed")
            key = self.value(key_node, depth + 1)
            if not isinstance(key, Source):
                raise SpecError(place, f"a key must be a word; quote {key_node.value!r}"
                                if isinstance(
                    key_node, yaml.ScalarNode) else "a key must be a word")
            if key.text in table:
                first = table.key_at[key.text]
                raise SpecError(place, f"key {key.text!r} stands twice; first at line {first.line}")
            table[key.text] = self.value(value_node, depth + 1)
            table.key_at[key.text] = place
            table.at[key.text] = self.where(value_node)
        return table

    def scalar(self, node: yaml.ScalarNode, where: Where) -> Plain:
        text: str = node.value
        if node.style:
            return Source(text, self.text_start(node, where))
        resolved = node.tag
        if resolved == _TAG + "str":
            return Source(text, where)
        if resolved == _TAG + "bool" and text in ("true", "false"):
            return text == "true"
        if resolved == _TAG + "int" and len(text) > MAX_DIGITS:
            raise SpecError(where, f"a number has at most {MAX_DIGITS} digits")
        if resolved == _TAG + "int" and _INT.match(text):
            return int(text, 0)
        kind = resolved.removeprefix(_TAG)
        raise SpecError(where, f"{text!r} would be read as a {kind}; write true, false, a plain "
                               "number, or quote it")

    def text_start(self, node: yaml.ScalarNode, where: Where) -> Where:
        """Where the first character of a quoted or block text stands."""
        if node.style not in ("|", ">"):
            return Where(self.path, where.line, where.column + 1)
        line = where.line  # the line after the mark, counted from 0
        while line < len(self.lines) and not self.lines[line].strip():
            line += 1
        body = self.lines[line] if line < len(self.lines) else ""
        return Where(self.path, where.line + 1, len(body) - len(body.lstrip(" ")) + 1)
