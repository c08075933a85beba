# SPDX-License-Identifier: GPL-2.0-or-later
"""One variant of an architecture, perhaps under an overlay: what the names in its helpers mean.

A helper is typed when it is first asked for; `Layout.check` types all.
"""

from __future__ import annotations

import copy
import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from verifier.base.errors import SpecError, Where, nearest
from verifier.language.meanings import StateVar
from verifier.language.parse import Signature, parse_function, parse_signature
from verifier.language.read_yaml import Items, Source, Table
from verifier.language.syntax import BOOL, Const, Function, Param
from verifier.model.arch_records import Arch, Event, Field, Text, Variant, globs_of, source_of

__all__ = ["Layout"]

# what an architecture lacks -> the helpers of generic.yaml that it lacks then
_ONLY = {"hugetlb": r"(set_)?huge_(?!pmd_)|mk_huge_pte|arch_make_huge|hugepage_migration",
         "huge_pmd": r"pmdp?_|set_pmd|mk_huge_pmd|huge_pmd_|is_pmd_|swp_entry_to_pmd",
         "huge_pud": r"pudp?_|set_pud"}
_CALLED = re.compile(r"\b([A-Za-z_]\w*)\(")


class _Renamed:
    """A layout whose helpers go by other names."""

    def __init__(self, layout: Layout, named: Callable[[str], str]) -> None:
        self.layout, self.named = layout, named
        self.width, self.ulong, self.marks = layout.width, layout.ulong, layout.marks
        self.constant, self.state, self.observation, self.names = (
            layout.constant, layout.state, layout.observation, layout.names
        )
        self.through = layout.through

    def function(self, name: str, at: Where | None = None) -> Function | None:
        named = self.named(name)
        found = self.layout.function(named, at)
        if found is None and named != name and at is not None:
            raise SpecError(at, f"{name} is {named} at this level, and {self.layout.variant.name} "
                                f"has no {named}")
        return found


class Layout:
    """One variant, perhaps under an overlay: its fields, constants and typed helpers.

    It is a Scope of the language for the helpers' own texts. They name fields, features and
    constants, and no state of the world.
    """

    def __init__(self, arch: Arch, variant: Variant, generic: Arch | None,
                 overlay: str | None = None) -> None:
        self.arch = arch
        self.variant = variant
        self.overlay = overlay
        self.width = variant.width
        self.ulong = variant.ulong
        self.marks = True
        layers = [arch.helpers] + ([generic.helpers] if generic else [])
        if overlay is not None:
            layers.insert(0, arch.overlays[overlay])
        self._texts: dict[str, Text] = {}
        for layer in reversed(layers):
            for name, versions in layer.items():
                chosen = self._choose(versions)
                if chosen is not None:
                    self._texts[name] = chosen
        if generic is not None:
            shared = {
                name for name in generic.helpers if self._choose(arch.helpers.get(name, ())) is None
            }
            for word in variant.absent & _ONLY.keys():
                for name in [n for n in shared & self._texts.keys() if re.match(_ONLY[word], n)]:
                    del self._texts[name]
            self._drop_lacking(shared)
        self._fields = self._read_fields()
        self._functions: dict[str, Function] = {}
        self._events: dict[tuple[str, str], tuple[Event, Function, Function]] = {}
        self._typing: list[str] = []

    def _drop_lacking(self, shared: set[str]) -> None:
        """Leave out shared helpers that call a helper which the architecture lacks."""
        while True:
            known = self._texts.keys() | {"hardware"}
            lacking = [name for name in shared & self._texts.keys()
                       if not set(_CALLED.findall(self._texts[name].body.text)) <= known]
            if not lacking:
                return
            for name in lacking:
                del self._texts[name]

    def _choose(self, versions: tuple[Text, ...]) -> Text | None:
        """The version of a helper for this variant, or None.

        A version that names the variant comes first, then one for something that the variant lacks,
        then one that says neither.
        """
        for text in versions:
            if any(fnmatch.fnmatchcase(self.variant.name, glob) for glob in text.variants):
                return text
        for text in versions:
            if self.variant.absent.intersection(text.absent):
                return text
        return next((text for text in versions if not text.variants and not text.absent), None)

    def _read_fields(self) -> dict[str, Field]:
        found: dict[str, Field] = {}
        shares: dict[str, tuple[str, ...]] = {}
        for name, record in self.arch.fields.items():
            if not isinstance(record, Table):
                raise SpecError(self.arch.fields.at[name],
                                f"field {name} must be a mapping with bits and source")
            record.only(("bits", "source", "shares", "variants", "note"), "a field")
            globs = globs_of(record)
            if globs and not any(fnmatch.fnmatchcase(self.variant.name, g) for g in globs):
                continue
            low, high = self._bits(record)
            source_of(record, self.arch.sources)  # for who reads the file: it has to be there
            found[name] = Field(name, low, high, self.arch.fields.key_at[name])
            shares[name] = record.texts("shares", "shares")
        self._check_overlaps(found, shares)
        return found

    def _bits(self, record: Table) -> tuple[int, int]:
        if "bits" not in record:
            raise SpecError(record.where, "a field has no 'bits'")
        value = record["bits"]
        ends = list(value) if isinstance(value, Items) else [value]
        constants = self.variant.constants
        numbers = [constants.get(e.text) if isinstance(e, Source) else e if type(e) is int else None
                   for e in ends]
        low, high = (numbers[0], numbers[-1]) if 0 < len(numbers) < 3 else (None, None)
        if low is None or high is None:
            raise SpecError(
                record.at["bits"], "bits is a number, [low, high], or names of constants"
            )
        if not 0 <= low <= high < self.width:
            raise SpecError(record.at["bits"],
                            f"bits {low} to {high} are not within an entry of {self.width} bits")
        return low, high

    def _check_overlaps(self, found: dict[str, Field], shares: dict[str, tuple[str, ...]]) -> None:
        fields = list(found.values())
        for name in shares:
            for other in shares[name]:
                if other not in self.arch.fields:
                    where = found[name].where
                    hint = nearest(other, self.arch.fields)
                    raise SpecError(where, f"field {name} shares with unknown {other}{hint}")
        for number, one in enumerate(fields):
            for two in fields[:number]:
                if (one.mask & two.mask and two.name not in shares[one.name]
                        and one.name not in shares[two.name]):
                    raise SpecError(
                        one.where, f"fields {one.name} and {two.name} are on one bit; say `shares: "
                                   f"[{two.name}]`"
                    )

    @property
    def fields(self) -> Mapping[str, Field]:
        """The fields of this variant by name."""
        return self._fields

    def constant(self, name: str) -> Const | int | None:
        found = self._fields.get(name)
        if found is not None:
            return Const(self.width, found.mask)
        if name in self.variant.features:
            return Const(BOOL, int(self.variant.features[name]))
        return self.variant.constants.get(name)

    def state(self, name: str) -> StateVar | None:
        return None

    def through(self, name: str, at: Where) -> Function | None:
        return None

    def observation(self, name: str) -> tuple[Param, ...] | None:
        return None

    def names(self) -> Iterable[str]:
        """All fields, features, constants and helpers, for hints."""
        return [*self._fields, *self.variant.features, *self.variant.constants, *self._texts]

    def with_body(self, name: str, body: str) -> Layout:
        """The same layout with another text for one helper."""
        changed = self._copy()
        text = self._texts[name]
        changed._texts = {**self._texts, name: replace(text, body=Source(body, text.body.where))}
        return changed

    def with_field(self, name: str, low: int) -> Layout:
        """The same layout with one field on the bits from `low` up.

        Raises SpecError where the field does not fit, or lies on another field.
        """
        changed = self._copy()
        old = self._fields[name]
        moved = replace(old, low=low, high=low + old.high - old.low)
        if moved.high >= self.width:
            raise SpecError(old.where, f"bits {moved.low} to {moved.high} are not within an entry "
                                       f"of {self.width} bits")
        changed._fields = {**self._fields, name: moved}
        fields = self.arch.fields
        shares = {n: fields.need(n, Table, "fields").texts("shares", "shares")
                  for n in self._fields}
        self._check_overlaps(changed._fields, shares)
        return changed

    def _copy(self) -> Layout:
        """A layout that has typed nothing yet."""
        changed = copy.copy(self)
        changed._functions, changed._events, changed._typing = {}, {}, []
        return changed

    def helpers(self) -> list[str]:
        """The names of all helpers, sorted."""
        return sorted(self._texts)

    def text(self, name: str) -> Text:
        """A helper as it is written. Raises KeyError for an unknown name."""
        return self._texts[name]

    def function(self, name: str, at: Where | None = None) -> Function | None:
        """The typed helper, or None where there is none of that name."""
        found = self._functions.get(name)
        if found is not None:
            return found
        text = self._texts.get(name)
        if text is None:
            return None
        if name in self._typing:
            loop = " -> ".join([*self._typing[self._typing.index(name):], name])
            raise SpecError(at or text.key_at, f"helpers call each other without end: {loop}")
        self._typing.append(name)
        try:
            signature = parse_signature(text.key, text.key_at, self)
            found = parse_function(signature, text.body, self, text.source)
        except RecursionError:
            raise SpecError(text.key_at, "helpers nest too deep") from None
        finally:
            self._typing.pop()
        self._functions[name] = found
        return found

    def helper(self, name: str) -> Function:
        """The typed helper; SpecError, at the variant, where there is none of that name."""
        found = self.function(name)
        if found is None:
            raise SpecError(self.variant.where, f"{self.variant.name} has no helper "
                                                f"{name!r}{nearest(name, self._texts)}")
        return found

    def events(self) -> list[tuple[Event, Function, Function]]:
        """This variant's hardware events: the record, its condition, and the entry after it."""
        return [self.event(name) for name in self.variant.hardware]

    def event(self, name: str, named: Callable[[str], str] = str,
              level: str = "") -> tuple[Event, Function, Function]:
        """An event with its texts typed: the record, its condition, and the entry after it.

        `named` translates the names of helpers for another level than pte.
        """
        key = (name, level)
        if key not in self._events:
            event = self.arch.events[name]
            params, scope = (Param("pte", self.width),), _Renamed(self, named)
            when = parse_function(Signature(f"{name}.when", params), event.when, scope,
                                  event.source)
            entry = parse_function(Signature(f"{name}.entry", params), event.entry, scope,
                                   event.source)
            if when.returns != BOOL or entry.returns != self.width:
                raise SpecError(
                    event.when.where, f"event {name}: `when` is a boolean and `entry` an entry"
                )
            self._events[key] = (event, when, entry)
        return self._events[key]

    def check(self) -> None:
        """Type everything; SpecError at the first mistake."""
        for name in self._texts:
            self.function(name)
        self.events()
