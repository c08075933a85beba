# SPDX-License-Identifier: GPL-2.0-or-later
"""The catalogue: no row is forgotten silently, and list, coverage and docs/transitions.md say what
it says.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from verifier.base.errors import SpecError
from verifier.model.catalogue import Catalogue, load_catalogue
from verifier.report.catalogue import coverage_line, page
from verifier.report.listing import list_text
from verifier.run.filters import Filters
from verifier.run.library import Library
from verifier.run.scheduler import Options, prove

PAGE = Path(__file__).resolve().parent.parent / "docs" / "transitions.md"
SMALL = """
first:
  title: "First"
  rows:
    T01: {site: "mm/memory.c:do_anonymous_page", what: "a fault"}
    T02: {site: "mm/memory.c:do_anonymous_page", what: "a read", partly: "the rest"}
    T03: {site: "mm/memory.c:insert_pfn", what: "a driver", not: "no anonymous page"}
    T04: {site: "mm/memory.c:set_pte_range", what: "a file", later: "soon"}
    H1: {site: "the processor", what: "a store"}
    B1: {site: "mm/internal.h:folio_pte_batch", what: "several", claims: [kernel/claims/contpte.py]}
uses:
  set: {"mm/memory.c:do_wp_page": [T01]}
"""


def small(library: Library, tmp_path: Path, text: str, **named: tuple[str, ...]) -> Catalogue:
    """The catalogue above, changed; `named`: which rows the transitions anon-write-fault and zero-
    page-fault name.
    """
    (tmp_path / "catalogue.yaml").write_text(text)
    rows = {"anon_write_fault": ("T01",), "zero_page_fault": ("T02",), **named}
    transitions = [replace(library.spec.transitions[name.replace("_", "-")], catalogue=its)
                   for name, its in rows.items()]
    return load_catalogue(tmp_path, transitions, ())


def test_what_models_a_row_is_derived(library: Library, tmp_path: Path) -> None:
    found = small(library, tmp_path, SMALL, cow_fault=("T01", "T02"))
    assert found.models["T01"] == ("anon-write-fault", "cow-fault") and not found.models["T03"]
    assert [row.number for row in found.covered()] == ["T01", "T02", "B1"]
    assert [(row.number, row.kind) for row in found.gaps()] == [("T02", "partly"), ("T03", "not"),
                                                                ("T04", "later")]


@pytest.mark.parametrize(("old", "new", "says"), [
    (', not: "no anonymous page"', "", "nothing models row T03, and it does not say why"),
    (', later: "soon"', ', partly: "the rest"', "nothing models row T04, not even in part"),
    ('what: "a fault"', 'what: "a fault", not: "because"',
     "anon-write-fault models row T01, which says why nothing does"),
    ('what: "a fault"', 'what: "a fault", later: "soon"',
     "anon-write-fault models row T01, which says why nothing does"),
    ('later: "soon"', 'later: "soon", not: "because"', "row T04 says 'not' and 'later'"),
    ('later: "soon"', 'later: " "', "row T04 gives no reason: 'later' is empty"),
    ("T01: {site", "T09: {site", "anon-write-fault names unknown row 'T01' of the catalogue"),
    ("[T01]", "[T05]", "unknown row 'T05'"),
    ("[T01]", "[]", "mm/memory.c:do_wp_page is in no row"),
    ("  set:", "  sat:", "unknown key 'sat' in the uses of the flag; did you mean set?"),
    ("mm/memory.c:insert_pfn", "mm/memory.c", "row T03 is at a file:function"),
    ("kernel/claims/contpte.py", "kernel/no_such.py",
     "row B1 rests on verifier/kernel/no_such.py, which does not exist"),
    ('what: "a read"', 'want: "a read"',
     "unknown key 'want' in a row of the catalogue; did you mean what?"),
    ('what: "a read", ', "", "row T02 has no 'what'"),
    ("uses:",
     'second:\n  title: "Second"\n  rows: {T01: {site: "the processor", what: "again"}}\nuses:',
     "row T01 stands already at"),
])
def test_errors(library: Library, tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in SMALL
    with pytest.raises(SpecError) as error:
        small(library, tmp_path, SMALL.replace(old, new))
    assert says in str(error.value) and error.value.where.line > 0


@pytest.mark.parametrize(("rows", "says"), [
    (("T99",), "cow-fault names unknown row 'T99' of the catalogue"),
    ((), "cow-fault names no row of the catalogue"),
    (("T03",), "cow-fault models row T03, which says why nothing does")])
def test_errors_of_transitions(
        library: Library, tmp_path: Path, rows: tuple[str, ...], says: str
) -> None:
    with pytest.raises(SpecError, match=says):
        small(library, tmp_path, SMALL, cow_fault=rows)


def test_events_name_rows_too(library: Library, tmp_path: Path) -> None:
    (tmp_path / "catalogue.yaml").write_text(SMALL)
    with pytest.raises(SpecError, match=r"hw-[a-z-]+ names unknown row 'H2' of the catalogue"):
        load_catalogue(tmp_path,
                       [replace(library.spec.transitions["cow-fault"], catalogue=("T01", "T02"))],
                       [library.archs["x86"]])


def test_every_row_is_accounted_for(library: Library) -> None:
    """Of hardware too, where the loader does not ask: an event may be that of an architecture which
    is not there.
    """
    catalogue = library.catalogue
    assert len(catalogue.rows()) > 130
    assert not [row.number for row in catalogue.rows() if not catalogue.covered_by(row)
                and not row.why]
    named = {n for t in library.spec.transitions.values() for n in t.catalogue}
    named |= {n for a in library.archs.values() for e in a.events.values() for n in e.catalogue}
    assert named == {number for number, names in catalogue.models.items() if names}


def test_list_coverage_and_page_agree(library: Library, request: pytest.FixtureRequest) -> None:
    catalogue, numbers = library.catalogue, [row.number for row in library.catalogue.rows()]
    told = list_text(library, "transitions", None)
    assert re.findall(r"^(\w+) ", told, re.MULTILINE) == numbers
    modelled = re.findall(r"Modelled by ([^.]*)\.", " ".join(told.split()))
    assert {name for names in modelled
            for name in names.split(", ")} >= set(library.spec.transitions)
    text = page(catalogue)
    assert re.findall(r"^- \*\*(\w+)\*\*", text, re.MULTILINE) == numbers
    assert max(len(line) for line in text.splitlines()) <= 100
    asked = Filters(("um",), ("pte",), ("page-flag",), ("today",), ("cow-fault",), ("frame",))
    run = prove(library, asked, Options(jobs=1, depth=0))
    found = run.coverage["catalogue"]
    assert (isinstance(found, dict)
            and (found["rows"], found["modelled"]) == (len(numbers), len(catalogue.covered())))
    assert [gap["row"] for gap in found["open"]] == [row.number for row in catalogue.gaps()]
    for gap in found["open"]:
        assert (gap["row"] in coverage_line(found).split()) == (gap["kind"] == "later")
        assert " ".join(gap["why"].split()) in " ".join(text.split())
    if request.config.getoption("--update-docs"):
        PAGE.write_text(text)
    assert PAGE.read_text() == text, "docs/transitions.md is stale: make docs"
