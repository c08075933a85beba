# SPDX-License-Identifier: GPL-2.0-or-later
"""The ledger of bugs: each of tests/bugs/ is an edit of 6.12 that is caught with a trace, beside a
harmless edit of the same place that is not.

Needs a tree: KERNEL_TREE; some are asked of the newest version that was read as well, where there
is KERNEL_TREE_NEWEST. What a file says:

    about     what is wrong
    variant   where it shows
    file      of the tree, and a `function` of it, in whose body `text` stands once
    bug       what takes its place; `harmless` does the same as the text
    breaks    obligations at level pte, as TRANSITION/PROPERTY: held before, and broken with a trace
    laws      laws of entries that held before and are broken
    differs   functions of mm/, by their names in verifier/kernel/mm: held against their steps, they
              are equal before and differ with the bug
    incomplete  functions of mm/ of which it can only be said, by name, that it is not known
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from sample import sampled

from verifier.kernel.tree.overlay import overlay_of
from verifier.kernel.tree.tree import open_tree
from verifier.language.read_yaml import Source, Table, read_yaml
from verifier.meeting.mm.session import judge_functions
from verifier.meeting.patched_helpers import PatchedVariant, PatchQuestion, judge_helpers
from verifier.model.read_versions import NEWEST_READ

TREE, NEWEST = (os.environ.get(name) for name in ("KERNEL_TREE", "KERNEL_TREE_NEWEST"))
FEW = ("mm-force-write-to-shared", "mm-ksm-forgets-flush", "x86-wrprotect-is-not-atomic")
ON_NEWEST = ("arm64-modify-loses-dirty", "mm-fork-keeps-swap-exclusive", "x86-mkold-loses-dirty")
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
    differs: tuple[str, ...]
    incomplete: tuple[str, ...]


def entry(path: Path) -> Entry:
    table = read_yaml(path, f"tests/bugs/{path.name}")
    table.only(("about", "variant", "file", "function", "text", "bug", "harmless", "breaks",
                "laws", "differs", "incomplete"), "a bug")
    assert table.text("about", "a bug")
    text, bug, harmless = (
        table.need(key, Source, "a bug").text for key in ("text", "bug", "harmless"))
    return Entry(table.text("variant", "a bug"), table.text("file", "a bug"),
                 table.text("function", "a bug"), text, bug, harmless,
                 *(table.texts(key, key) for key in ("breaks", "laws", "differs", "incomplete")))


@pytest.mark.parametrize("path", BUGS, ids=lambda path: path.stem)
def test_each_bug_is_described(path: Path) -> None:
    one = entry(path)
    assert bool(one.breaks or one.laws) is not bool(one.differs or one.incomplete)
    assert len({one.text, one.bug, one.harmless}) == 3
    assert isinstance(read_yaml(path, path.name), Table)


def edited(tree: Path, one: Entry, text: str) -> dict[str, bytes]:
    old = (tree / one.file).read_text()
    definition = rf"^\w[^;{{}}]*\b{one.function}\([^;{{]*\n{{\n.*?^}}\n"
    bodies = re.findall(definition, old, re.M | re.S)
    (body,) = (body for body in bodies if one.text in body)
    assert body.count(one.text) == 1, f"{one.file}:{one.function} is written in another way now"
    return {one.file: old.replace(body, body.replace(one.text, text)).encode()}


def judged(tree: Path, one: Entry, text: str) -> PatchedVariant:
    steps = tuple(name.split("/")[0] for name in one.breaks) or ("none",)
    asked = PatchQuestion((one.variant,), levels=("pte",), steps=steps, seconds=120)
    found = judge_helpers(tree, edited(tree, one, text), asked)
    return next(v for v in found if v.variant == one.variant)


def compared(tree: Path, one: Entry, text: str) -> dict[str, str]:
    """What becomes of each function of mm/ that the entry names."""
    with overlay_of(tree, edited(tree, one, text)) as overlay:
        results = judge_functions(tree, one.variant, (*one.differs, *one.incomplete),
                                  overlay=overlay)
    return {result.function.name: result.verdict for result in results}


@pytest.mark.skipif(not TREE, reason="needs a kernel tree: KERNEL_TREE=/path/to/linux")
@pytest.mark.parametrize("path", sampled(BUGS, [p for p in BUGS if p.stem in FEW]),
                         ids=lambda path: path.stem)
def test_a_bug_is_caught_and_what_is_harmless_is_not(path: Path) -> None:
    caught(Path(str(TREE)), path)


@pytest.mark.skipif(not NEWEST, reason="needs the newest version that was read, where CI has one: "
                                       "KERNEL_TREE_NEWEST=/path/to/linux")
@pytest.mark.parametrize("name", ON_NEWEST)
def test_a_bug_is_caught_on_the_newest_version_too(name: str) -> None:
    assert open_tree(Path(str(NEWEST))).version == NEWEST_READ
    caught(Path(str(NEWEST)), next(path for path in BUGS if path.stem == name))


def caught(tree: Path, path: Path) -> None:
    """The bug of an entry is told in a tree, and its harmless twin is not."""
    one = entry(path)
    if one.differs or one.incomplete:
        names = (*one.differs, *one.incomplete)
        assert compared(tree, one, one.harmless) == dict.fromkeys(names, "equal")
        assert compared(tree, one, one.bug) == {**dict.fromkeys(one.differs, "differs"),
                                          **dict.fromkeys(one.incomplete, "incomplete")}
        return
    found = judged(tree, one, one.harmless)
    assert not found.changed() and not found.worse() and not found.incomplete
    found = judged(tree, one, one.bug)
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


@pytest.mark.skipif(not TREE, reason="needs a kernel tree: KERNEL_TREE=/path/to/linux")
def test_once_something_is_broken_and_the_time_is_up_the_rest_is_named() -> None:
    tree = Path(str(TREE))
    (one,) = (entry(path) for path in BUGS if path.stem == "x86-mkold-loses-dirty")
    asked = PatchQuestion((one.variant,), levels=("pte",), depth=0, few=0, enough=0)
    (found,) = judge_helpers(tree, edited(tree, one, one.bug), asked)
    assert found.worse() and not found.replays
    broken = [d for d in found.differences if d.word == "broken"]
    assert len({d.transition for d in broken}) == 1  # the first that breaks something is the last
    assert all(d.note.startswith("neither traced nor replayed, as 0 others") for d in broken)
    assert re.search(r"enough is broken.*of x86_64 not compared any more are pte \(\d+ steps",
                     found.notes[-1])
