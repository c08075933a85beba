# SPDX-License-Identifier: GPL-2.0-or-later
"""specs/first.yaml read and checked: what is asked first, and where nobody names anything."""

from __future__ import annotations

from collections.abc import Mapping

from verifier.base.errors import SpecError, Where, nearest
from verifier.language.read_yaml import Items, Table
from verifier.model.first import Asked, First, Theorem
from verifier.model.spec import Encoding, Level, Property

__all__ = ["read_first"]


class _Reader:
    """The file, read beside the encodings, levels and properties that it may name."""

    def __init__(
        self, encodings: Mapping[str, Encoding], levels: Mapping[str, Level],
        properties: Mapping[str, Property],
    ) -> None:
        self.encodings, self.levels, self.properties = encodings, levels, properties

    def first(self, table: Table) -> First:
        """All of the file."""
        what = "what is first"
        table.only(
            ("prove", "compared_with", "audit", "table", "mutants", "patches", "worst"), what
        )
        asked, prove = self._asked(table, "prove", ("level",)), table.need("prove", Table, what)
        level = prove.text("level", "what is asked first")
        self._known(level, self.levels, "level", prove.at["level"])
        return First(
            asked, level,
            self._theorem(table.text("compared_with", what), table.at["compared_with"]),
            self._theorem(table.text("audit", what), table.at["audit"]),
            self._theorems(table, "table"), self._asked(table, "mutants"),
            self._asked(table, "patches"),
            self._worst(table),
        )

    def _asked(self, table: Table, key: str, more: tuple[str, ...] = ()) -> Asked:
        record = table.need(key, Table, "what is first")
        record.only(("variants", "theorems", *more), "what is asked first")
        record.need("variants", Items, "what is asked first")
        return Asked(record.texts("variants", "variants"), self._theorems(record, "theorems"))

    def _theorems(self, table: Table, key: str) -> tuple[Theorem, ...]:
        items = table.need(key, Items, "what is first")
        texts = zip(items.texts(key), items.at, strict=True)
        return tuple(self._theorem(text, at) for text, at in texts)

    def _theorem(self, text: str, at: Where) -> Theorem:
        """ENCODING/CODE, where the encoding is proved for the code."""
        encoding, slash, code = text.partition("/")
        if not slash:
            raise SpecError(at, f"a theorem is ENCODING/CODE, not {text!r}")
        self._known(encoding, self.encodings, "encoding", at)
        codes = self.encodings[encoding].codes
        if code not in codes:
            raise SpecError(at, f"{encoding} is not proved for {code!r}{nearest(code, codes)}")
        return encoding, code

    def _worst(self, table: Table) -> tuple[str, ...]:
        items = table.need("worst", Items, "what is first")
        names = items.texts("worst")
        for name, at in zip(names, items.at, strict=True):
            self._known(name, self.properties, "property", at)
            if names.count(name) > 1:
                raise SpecError(at, f"property {name} stands twice")
        return tuple(names)

    def _known(self, name: str, known: Mapping[str, object], what: str, at: Where) -> None:
        if name not in known:
            raise SpecError(at, f"unknown {what} {name!r}{nearest(name, known)}")


def read_first(
    table: Table, encodings: Mapping[str, Encoding], levels: Mapping[str, Level],
    properties: Mapping[str, Property],
) -> First:
    """What is asked and told first.

    Raises SpecError where it names an encoding, code, level or property that is not there, or a
    property twice. Its variants are looked for when they are asked: arch/ may be another folder.
    """
    return _Reader(encodings, levels, properties).first(table)
