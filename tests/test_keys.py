# SPDX-License-Identifier: GPL-2.0-or-later
"""Every key that arch/ and specs/ may have is read, and every field that is read into is used: no
key is taken and ignored.
"""

from __future__ import annotations

import shutil
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import verifier
from verifier.base.data import data_folder
from verifier.base.errors import SpecError
from verifier.evidence.mutate.mutants import mutants
from verifier.kernel.conform import laws
from verifier.language.read_yaml import Table
from verifier.meeting.sites import load_claims
from verifier.meeting.touched import TouchedNames, touched_functions
from verifier.model import arch_records, catalogue, first, read_arch, texts
from verifier.model import laws as law_texts
from verifier.model import spec as model
from verifier.model.read_versions import of_version
from verifier.prove.obligations import Group
from verifier.prove.results import Result, Run
from verifier.report.catalogue import page
from verifier.report.explain import explain_text
from verifier.report.listing import list_text
from verifier.report.sarif import sarif_parts
from verifier.run.filters import Filters
from verifier.run.library import load_library
from verifier.run.messages import Done, Task
from verifier.run.plan import groups_of, not_applicable
from verifier.run.worker import work

COMMENTS = {("a field", "note")}  # for who reads the file
PACKAGE = Path(verifier.__file__).resolve().parent
READERS = {str(PACKAGE / name) for name in (
    "model/read_arch.py", "model/read_hugetlb.py", "model/read_specs.py", "model/read_parts.py",
    "model/read_levels.py", "model/laws.py", "model/read_first.py", "model/read_properties.py",
    "model/read_like.py", "model/read_threads.py", "model/read_transitions.py",
    "language/read_yaml.py")}
assert all(Path(name).is_file() for name in READERS)
RECORDS = (
    arch_records.Arch, arch_records.Event, arch_records.Field, arch_records.Text,
    arch_records.Variant, texts.Variable, texts.Definition,
    model.Sentence, texts.Axiom,
    model.Effect, texts.Observation, model.Property, model.Encoding, model.Level, model.Transition,
    model.Spec, model.Thread, model.Turn, model.Around,
    first.First, first.Asked, law_texts.Law,
    catalogue.Row, catalogue.CatalogueSection, catalogue.Catalogue,
)


def unread(
        monkeypatch: pytest.MonkeyPatch, more: tuple[str, str] = ("", "")
) -> set[tuple[str, str]]:
    """What each kind of record may have, and nobody asks it for. `more`: a kind, and what it may
    have besides.
    """
    may: dict[str, set[str]] = defaultdict(set)
    asked: dict[str, set[str]] = defaultdict(set)
    kinds: dict[int, tuple[Table, str]] = {}
    only, get_as = Table.only, Table.get_as

    def seen_only(self: Table, known: Iterable[str], what: str) -> None:
        known = [*known, more[1]] if what == more[0] else list(known)
        may[what] |= set(known)
        kinds[id(self)] = self, what
        only(self, known, what)

    def seen(self: Table, key: str) -> None:
        if id(self) in kinds:
            asked[kinds[id(self)][1]].add(key)

    def seen_get(self: Table, key: str, kind: Any, default: Any) -> Any:
        seen(self, key)
        return get_as(self, key, kind, default)

    def seen_in(self: Table, key: object) -> bool:
        seen(self, str(key))
        return dict.__contains__(self, key)

    def seen_version(table: Table, version: str) -> Table:
        found = of_version(table, version)
        if id(table) in kinds:
            kinds[id(found)] = found, kinds[id(table)][1]
        return found

    monkeypatch.setattr(read_arch, "of_version", seen_version)
    monkeypatch.setattr(Table, "only", seen_only)
    monkeypatch.setattr(Table, "get_as", seen_get)
    monkeypatch.setattr(Table, "__contains__", seen_in, raising=False)
    library = load_library()
    for name in ("x86_64", "s390"):
        library.layout(name).check()
    law_texts.load_laws()
    library.sequences()
    assert len(may) > 15
    return {(what, key) for what, keys in may.items() for key in keys - asked[what]
            if not what.startswith("law ") and not what.startswith("the features")}


def test_every_key_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert unread(monkeypatch) == COMMENTS


def test_one_that_is_not_read_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert unread(monkeypatch, ("an event", "variants")) == COMMENTS | {("an event", "variants")}


def test_one_that_was_not_read_is_none(tmp_path: Path) -> None:
    """`variants` of a hardware event was taken and ignored: a variant lists its events, and that is
    all.
    """
    shutil.copytree(data_folder("arch"), tmp_path / "arch")
    path = tmp_path / "arch" / "loongarch.yaml"
    path.write_text(path.read_text().replace("\n  store:\n",
                                             "\n  store:\n    variants: [loongarch]\n", 1))
    with pytest.raises(SpecError, match="unknown key 'variants' in an event"):
        load_library(tmp_path / "arch")


def used(monkeypatch: pytest.MonkeyPatch, kinds: Iterable[type]) -> Iterator[tuple[str, str]]:
    """Fields that the package takes from records, outside of what reads them from files."""
    found: set[tuple[str, str]] = set()
    for kind in kinds:
        names = {f.name for f in fields(kind)}
        plain = kind.__getattribute__

        def watched(
                self: Any, name: str, kind: type = kind, names: set[str] = names, plain: Any = plain
        ) -> Any:
            if name in names and (kind.__name__, name) not in found:
                file = sys._getframe(1).f_code.co_filename
                if file.startswith(str(PACKAGE)) and file not in READERS:
                    found.add((kind.__name__, name))
            return plain(self, name)

        monkeypatch.setattr(kind, "__getattribute__", watched)
    uses()
    return iter(found)


def uses() -> None:
    """What the program does, in one process: models of three levels, proofs, reports, lists, laws.
    """
    library = load_library()
    groups = (Group("x86_64+stray-dirty", "pte", "option-c-saved", "option-c"),
              Group("s390", "hugetlb", "page-flag", "today"),
              Group("x86_64", "pmd", "option-c", "option-c"),
              Group("mips32-huge", "pte", "page-flag", "today"))
    library.check(list(groups))
    results: list[Result] = []
    filters = Filters(transition=("static", "fork-*", "swap-in", "split-pmd", "wp-copy",
                                  "hugetlb-fork", "hw-*"))
    for group in groups:
        said: list[Any] = []
        work(library, Task((group,), filters, depth=0), said.append)
        results += [message.result for message in said if isinstance(message, Done)]
    for what in ("archs", "variants", "transitions", "properties", "encodings"):
        list_text(library, what, None)
    page(library.catalogue)
    claims = load_claims(library.spec_folder, library.catalogue)
    touched_functions(claims, lambda path: None, lambda path: None, TouchedNames({}))
    for result in results[::20]:
        explain_text(library, result)
    list(sarif_parts(library, Run(results[:3], (), {})))
    groups_of(library, Filters())
    for group in groups:
        not_applicable(library, group, lambda transition, prop: True)
    list(mutants(library, ["um"], ["field"]))
    for law in law_texts.load_laws():
        laws.laws_text(laws.LawReport((laws.judge_law(law, library.layout("um"), None),), {}), True)


def test_every_field_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    found = set(used(monkeypatch, RECORDS))
    assert {(kind.__name__, f.name) for kind in RECORDS for f in fields(kind)} - found == set()
