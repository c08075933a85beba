# SPDX-License-Identifier: GPL-2.0-or-later
"""The ledger of bugs: each of tests/bugs/ is an edit of 6.12 that is caught with a trace, beside a
harmless edit of the same place that is not.

Needs a tree: KERNEL_TREE. What a file says:

    about     what is wrong
    variant   where it shows
    file      of the tree, and a `function` of it, in whose body `text` stands once
    bug       what takes its place; `harmless` does the same as the text
    breaks    obligations at level pte, as TRANSITION/PROPERTY: held before, and broken with a trace
    laws      laws of entries that held before and are broken
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from sample import sampled

from verifier.language.read_yaml import Source, Table, read_yaml
from verifier.meeting.patched_helpers import PatchedVariant, PatchQuestion, judge_helpers

TREE = os.environ.get("KERNEL_TREE")
FEW = ("x86-mkold-loses-dirty", "x86-wrprotect-is-not-atomic")
BUGS = sorted((Path(__file__).parent.parent / "bugs").glob("*.yaml"))


@dataclass(frozen=True)
class Entry:
    """One bug of the ledger."""

    variant: str
    file: str
    function: str
    text: str
    bug: str
    harmless: str
    breaks: tuple[str, ...]
    laws: tuple[str, ...]


def entry(path: Path) -> Entry:
    table = read_yaml(path, f"tests/bugs/{path.name}")
    table.only(("about", "variant", "file", "function", "text", "bug", "harmless", "breaks",
                "laws"), "a bug")
    assert table.text("about", "a bug")
    text, bug, harmless = (
        table.need(key, Source, "a bug").text for key in ("text", "bug", "harmless"))
    return Entry(table.text("variant", "a bug"), table.text("file", "a bug"),
                 table.text("function", "a bug"), text, bug, harmless,
                 table.texts("breaks", "breaks"), table.texts("laws", "laws"))


@pytest.mark.parametrize("path", BUGS, ids=lambda path: path.stem)
def test_each_bug_is_described(path: Path) -> None:
    one = entry(path)
    assert (one.breaks or one.laws) and len({one.text, one.bug, one.harmless}) == 3
    assert isinstance(read_yaml(path, path.name), Table)


def judged(one: Entry, text: str) -> PatchedVariant:
    assert TREE is not None
    old = (Path(TREE) / one.file).read_text()
    definition = rf"^static [^;{{]*\b{one.function}\([^;{{]*\n{{\n.*?^}}\n"
    (body,) = re.findall(definition, old, re.M | re.S)
    assert body.count(one.text) == 1, f"{one.file}:{one.function} is written in another way now"
    edited = {one.file: old.replace(body, body.replace(one.text, text)).encode()}
    found = judge_helpers(
        Path(TREE), edited, PatchQuestion((one.variant,), levels=("pte",), seconds=120))
    return next(v for v in found if v.variant == one.variant)


@pytest.mark.skipif(not TREE, reason="needs a kernel tree: KERNEL_TREE=/path/to/linux")
@pytest.mark.parametrize("path", sampled(BUGS, [p for p in BUGS if p.stem in FEW]),
                         ids=lambda path: path.stem)
def test_a_bug_is_caught_and_what_is_harmless_is_not(path: Path) -> None:
    one = entry(path)
    found = judged(one, one.harmless)
    assert not found.changed() and not found.worse() and not found.incomplete
    found = judged(one, one.bug)
    assert found.worse() and any(change.word == "changed" for change in found.helpers)
    assert not found.contradictions
    assert set(one.laws) <= {law.law for law in found.laws if law.word == "broken"}
    broken = {f"{d.transition}/{d.property}": d for d in found.differences if d.word == "broken"}
    assert set(one.breaks) <= set(broken)
    for name in one.breaks:
        told = broken[name]
        assert told.trace and told.trace[-1].transition == told.transition
        assert told.move is not None and told.old is not None
        assert found.replays[told.id][0] is True
