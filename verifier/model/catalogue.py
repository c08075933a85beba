# SPDX-License-Identifier: GPL-2.0-or-later
"""The catalogue: every place of the kernel that a step has to model, and what models it.

What models a row follows from the transitions and hardware events that name it. For other rows,
specs/catalogue.yaml says why nothing models them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from verifier.base.errors import SpecError, Where, nearest
from verifier.language.read_yaml import Table, read_yaml
from verifier.model.arch_records import Arch
from verifier.model.spec import Transition

__all__ = ["Catalogue", "Row", "load_catalogue", "modelled"]

PACKAGE = Path(__file__).resolve().parents[1]
SITE_OF_HARDWARE = "the processor"
USES = ("set", "cleared", "asked", "asserted")


@dataclass(frozen=True, slots=True)
class Row:
    """One place of the kernel and what happens there.

    At most one of `out`, `later` and `partly` says what is not modelled.
    """

    number: str
    site: str
    what: str
    out: str = ""  # why it is out of scope
    later: str = ""  # what is missing to model it
    partly: str = ""  # what is left where it is modelled
    claims: tuple[str, ...] = ()  # files of this program that prove it in another way

    @property
    def of_hardware(self) -> bool:
        """Is it about the processor, and not about a function of the kernel?"""
        return self.site == SITE_OF_HARDWARE

    @property
    def kind(self) -> str:
        """Which of not, later and partly the row has; empty where it has none."""
        return "not" if self.out else "later" if self.later else "partly" if self.partly else ""

    @property
    def why(self) -> str:
        """The reason why something of the row is not modelled; empty where all is."""
        return self.out or self.later or self.partly


@dataclass(frozen=True, slots=True)
class CatalogueSection:
    """Rows about one subject, under a title."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All rows, what models each, and where the kernel uses the page flag."""

    sections: tuple[CatalogueSection, ...] = ()
    # how -> function -> rows
    uses: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    # row -> transitions, and hw-EVENT
    models: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    # place of the kernel -> the transitions that say they are about it
    places: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def rows(self) -> list[Row]:
        """All rows, in the order of the file."""
        return [row for section in self.sections for row in section.rows]

    def gaps(self) -> list[Row]:
        """The rows of which something is not modelled."""
        return [row for row in self.rows() if row.why]

    def covered(self) -> list[Row]:
        """The rows that something models, wholly or in part."""
        return [row for row in self.rows() if self.covered_by(row)]

    def coverage(self) -> dict[str, object]:
        """Plain data for a run's result: how many rows, how many modelled, and each gap."""
        gaps = [{"row": row.number, "site": row.site, "what": row.what, "kind": row.kind,
                 "why": row.why} for row in self.gaps()]
        return {"rows": len(self.rows()), "modelled": len(self.covered()), "open": gaps}

    def covered_by(self, row: Row) -> tuple[str, ...]:
        """The transitions and events that model a row, and the files that prove it another way."""
        return (*self.models[row.number], *row.claims)


def load_catalogue(folder: Path, transitions: Iterable[Transition],
                   archs: Iterable[Arch]) -> Catalogue:
    """specs/catalogue.yaml, compared with what names its rows; SpecError where they do not fit."""
    path = folder / "catalogue.yaml"
    table = read_yaml(path, str(Path(folder.name) / path.name) if folder.name == "specs"
                      else str(path))
    sections = []
    known: dict[str, Row] = {}
    places: dict[str, Where] = {}
    for name in table:
        record = table.need(name, Table, "the catalogue")
        if name == "uses":
            continue
        record.only(("title", "rows"), "a section of the catalogue")
        rows = record.need("rows", Table, "a section of the catalogue")
        found = tuple(_row(rows, number) for number in rows)
        for row in found:
            if row.number in known:
                raise SpecError(rows.key_at[row.number],
                                f"row {row.number} stands already at {places[row.number]}")
            known[row.number], places[row.number] = row, rows.key_at[row.number]
        sections.append(CatalogueSection(record.text("title", "a section of the catalogue"), found))
    transitions = tuple(transitions)
    models = modelled(known, transitions, archs)
    for row in known.values():
        _fits(row, models[row.number], places[row.number])
    uses = _uses(table.need("uses", Table, "the catalogue"), known)
    steps: dict[str, tuple[str, ...]] = {}
    for one in transitions:
        if ":" in one.site:
            steps[one.site] = (*steps.get(one.site, ()), one.name)
    return Catalogue(tuple(sections), uses, models, steps)


def modelled(known: Iterable[str], transitions: Iterable[Transition],
             archs: Iterable[Arch]) -> dict[str, tuple[str, ...]]:
    """For each row, the transitions and hw-EVENTs that name it.

    Raises SpecError where one names no row, or a row that is not there.
    """
    found: dict[str, dict[str, None]] = {number: {} for number in known}
    named = [(t.name, t.catalogue, t.where) for t in transitions]
    named += [(f"hw-{e.name}", e.catalogue, e.when.where) for a in archs for e in a.events.values()]
    for name, numbers, where in named:
        if not numbers:
            raise SpecError(where, f"{name} names no row of the catalogue")
        for number in numbers:
            if number not in found:
                raise SpecError(where, f"{name} names unknown row {number!r} of the "
                                       f"catalogue{nearest(number, found)}")
            found[number][name] = None
    return {number: tuple(names) for number, names in found.items()}


def _row(table: Table, number: str) -> Row:
    what = f"row {number}"
    record = table.need(number, Table, "a section of the catalogue")
    record.only(("site", "what", "not", "later", "partly", "claims"), "a row of the catalogue")
    said = [key for key in ("not", "later", "partly") if key in record]
    if len(said) > 1:
        raise SpecError(
            record.key_at[said[1]], f"{what} says {said[0]!r} and {said[1]!r}: one of them is wrong"
        )
    site = record.text("site", what)
    file, _, function = site.partition(":")
    if site != SITE_OF_HARDWARE and not (function.isidentifier() and "/" in file):
        raise SpecError(
            record.at["site"], f"{what} is at a file:function, or at {SITE_OF_HARDWARE!r}"
        )
    claims = record.texts("claims", "claims")
    for name in claims:
        if not (PACKAGE / name).is_file():
            raise SpecError(
                record.at["claims"], f"{what} rests on verifier/{name}, which does not exist"
            )
    texts = {key: record.text(key, what) for key in said}
    for key, text in texts.items():
        if not text:
            raise SpecError(record.at[key], f"{what} gives no reason: {key!r} is empty")
    return Row(number, site, record.text("what", what), texts.get("not", ""),
               texts.get("later", ""), texts.get("partly", ""),
               claims)


def _fits(row: Row, models: tuple[str, ...], where: Where) -> None:
    """Compare what a row says of itself with what models it.

    The events that model a row of the hardware may be those of other architectures.
    """
    reason = row.out or row.later
    if row.partly and not models and not row.claims:
        raise SpecError(
            where, f"nothing models row {row.number}, not even in part: `not` or `later`"
        )
    if not models and not row.claims and not reason and not row.of_hardware:
        raise SpecError(
            where, f"nothing models row {row.number}, and it does not say why: `not` or `later`"
        )
    if models and reason:
        raise SpecError(where, f"{models[0]} models row {row.number}, which says why nothing does; "
                               "what is left is `partly`")


def _uses(table: Table, known: Mapping[str, Row]) -> dict[str, dict[str, tuple[str, ...]]]:
    table.only(USES, "the uses of the flag")
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for how in table:
        sites = table.need(how, Table, "the uses of the flag")
        found[how] = {}
        for site in sites:
            rows = sites.texts(site, "rows")
            if not rows:
                raise SpecError(sites.key_at[site], f"{site} is in no row")
            for number in rows:
                if number not in known:
                    raise SpecError(
                        sites.at[site], f"unknown row {number!r}{nearest(number, known)}"
                    )
            found[how][site] = rows
    return found
