# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of each use of a helper of entries.

A transition models it, a reason says why none has to, or nobody has looked at it.
specs/catalogue.yaml says which function a row is about. specs/sites.yaml adds further functions to
rows, and gives the reasons of all others. A function that neither names is `unclaimed`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from verifier.base.errors import SpecError, nearest
from verifier.kernel.sites.names import Wanted
from verifier.kernel.sites.scan import Occurrence
from verifier.language.read_yaml import Items, Table, read_yaml
from verifier.model.catalogue import Catalogue

__all__ = [
    "CLAIMED",
    "LATER",
    "OUT",
    "STATUSES",
    "UNCLAIMED",
    "UNPARSED",
    "USES",
    "SiteClaims",
    "Site",
    "judge",
    "load_claims",
    "status_of",
]

USES = ("call", "macro", "value")  # kinds of occurrences that do something to an entry or read it
CLAIMED, LATER, OUT, UNCLAIMED, UNPARSED = STATUSES = (
    "claimed",
    "later",
    "out of scope",
    "unclaimed",
    "unparsed",
)

Place = tuple[str, str]  # file, function


@dataclass(frozen=True, slots=True)
class Site:
    """A use of a helper, with what becomes of it.

    by    what models it: transitions and hardware's events, or files of claims
    why   the reason, where nothing models it
    """

    use: Occurrence
    kind: str
    status: str
    rows: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class SiteClaims:
    """What specs/ says of functions."""

    wanted: Wanted
    rows: Mapping[Place, tuple[str, ...]]
    out: Mapping[Place, str]
    catalogue: Catalogue

    def gone(self, sites: Iterable[Site]) -> list[Place]:
        """The functions that specs/sites.yaml names and that use no helper in this tree."""
        there = {(site.use.file, site.use.function) for site in sites}
        return sorted((self.rows.keys() | self.out.keys()) - there)

    def spoken_of(self) -> set[Place]:
        """Every function of the kernel that the catalogue or specs/sites.yaml names."""
        sites = [row.site for row in self.catalogue.rows() if not row.of_hardware]
        sites += [site for uses in self.catalogue.uses.values() for site in uses]
        found = {(file, name) for file, colon, name in (s.partition(":") for s in sites) if colon}
        return found | self.rows.keys() | self.out.keys()

    def of(self, place: Place) -> tuple[str, ...]:
        """The rows that are about a function."""
        named = [row.number for row in self.catalogue.rows() if row.site == ":".join(place)]
        uses = [rows.get(":".join(place), ()) for rows in self.catalogue.uses.values()]
        return tuple(
            dict.fromkeys(
                [*named, *self.rows.get(place, ()), *(row for rows in uses for row in rows)]
            )
        )


def judge(claims: SiteClaims, found: Iterable[Occurrence]) -> Iterator[Site]:
    """Every use among the occurrences, and every occurrence that the parser did not understand."""
    known: dict[Place, tuple[str, tuple[str, ...], tuple[str, ...], str]] = {}
    for use in found:
        kind = claims.wanted.kind_of(use.helper)
        if use.kind == UNPARSED:
            yield Site(use, kind, UNPARSED)
        elif use.kind in USES:
            place = use.file, use.function
            if place not in known:
                known[place] = status_of(claims, place)
            yield Site(use, kind, *known[place])


def status_of(
    claims: SiteClaims, place: Place
) -> tuple[str, tuple[str, ...], tuple[str, ...], str]:
    """Status of a function, its rows, what models them, and the reason where nothing does."""
    if place in claims.out:
        return OUT, (), (), claims.out[place]
    numbers = claims.of(place)
    rows = [row for row in claims.catalogue.rows() if row.number in numbers]
    by = tuple(dict.fromkeys(name for row in rows for name in claims.catalogue.covered_by(row)))
    if by:
        return CLAIMED, numbers, by, ""
    why = "; ".join(f"{row.number}: {row.why}" for row in rows)
    if not rows:
        return UNCLAIMED, (), (), ""
    return (LATER if any(row.later for row in rows) else OUT), numbers, (), why


def load_claims(folder: Path, catalogue: Catalogue) -> SiteClaims:
    """specs/sites.yaml, held against the catalogue. SpecError at whatever does not fit."""
    path = folder / "sites.yaml"
    table = read_yaml(
        path, str(Path(folder.name) / path.name) if folder.name == "specs" else str(path)
    )
    table.only(("files", "helpers", "rows", "why", "out"), "the sites")
    why = table.need("why", Table, "the sites")
    listed = table.need("rows", Table, "the sites")
    rows = _places(listed, "rows")
    known = [row.number for row in catalogue.rows()]
    for (file, function), numbers in rows.items():
        for number in numbers:
            if number not in known:
                place = listed.need(file, Table, "rows").at[function]
                raise SpecError(
                    place, f"unknown row {number!r} of the catalogue{nearest(number, known)}"
                )
    out: dict[Place, str] = {}
    reasons = table.need("out", Table, "the sites")
    for reason in reasons:
        if reason not in why:
            raise SpecError(
                reasons.key_at[reason], f"{reason!r} is no reason of `why`{nearest(reason, why)}"
            )
        files = reasons.need(reason, Table, "a reason")
        for file in files:
            for function in files.texts(file, "functions"):
                if (file, function) in out or (file, function) in rows:
                    raise SpecError(
                        files.at[file], f"{file}:{function} stands already in another place"
                    )
                out[file, function] = why.text(reason, "the reasons")
    unused = [reason for reason in why if reason not in reasons]
    if unused:
        raise SpecError(why.key_at[unused[0]], f"no function is out for the reason {unused[0]!r}")
    return SiteClaims(_wanted(table), rows, out, catalogue)


def _wanted(table: Table) -> Wanted:
    helpers = table.need("helpers", Table, "the sites")
    for kind in helpers:
        for name in helpers.texts(kind, "names of helpers"):
            try:
                re.compile(name)
            except re.error as error:
                raise SpecError(
                    helpers.at[kind], f"{name!r} is no regular expression: {error}"
                ) from None
    kinds = {kind: helpers.texts(kind, "names of helpers") for kind in helpers}
    files = table.need("files", Items, "the sites")
    for glob, where in zip(files.texts("globs"), files.at, strict=True):
        if glob.startswith("/") or ".." in glob.split("/"):
            raise SpecError(where, f"{glob!r} leads out of the tree")
    return Wanted(kinds, tuple(files.texts("globs")))


def _places(table: Table, what: str) -> dict[Place, tuple[str, ...]]:
    found = {}
    for file in table:
        functions = table.need(file, Table, what)
        for function in functions:
            found[file, function] = functions.texts(function, what)
    return found
