# SPDX-License-Identifier: GPL-2.0-or-later
"""Files of arch/ that are like another one: what they share, where it stands, and what is refused.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from verifier.base.data import data_folder
from verifier.base.errors import SpecError
from verifier.model.arch import Layout
from verifier.model.read_arch import load_archs, load_generic
from verifier.report.listing import list_text
from verifier.run.library import Library

BASE = """\
arch: base
read: Linux 6.12.117
width: 64
constants: {SHIFT: 12}
absent: [numa]
variants:
  base: {default: true, describe: "a base", hardware: []}
sources: {here: arch/base/pgtable.h}
fields:
  PRESENT: {bits: 0, source: "here:_PAGE_PRESENT"}
  WRITE: {bits: 1, source: "here:_PAGE_WRITE"}
helpers:
  pte_write(pte): {source: "here:pte_write", body: "(pte & WRITE) != 0"}
  pte_special(pte): {source: "here:pte_special", body: "False"}
"""
LIKE = """\
arch: mine
like: base
variants:
  mine: {default: true, describe: "mine", hardware: []}
without:
  helpers: [pte_spec*]
differs:
  width: 32
  fields:
    WRITE: {bits: 5, source: "here:_PAGE_WRITE"}
fields:
  DIRTY: {bits: 6, source: "here:_PAGE_DIRTY"}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "mine.yaml").write_text(LIKE)
    return tmp_path


def layout(folder: Path, name: str = "mine") -> Layout:
    arch = load_archs(folder)[name]
    return Layout(arch, arch.variants[name], None)


def test_it_has_what_its_base_has_but_for_what_it_says(folder: Path) -> None:
    found = layout(folder)
    assert [(f.name, f.low) for f in found.fields.values()] == [("PRESENT", 0), ("WRITE", 5),
                                                                ("DIRTY", 6)]
    assert (found.helpers() == ["pte_write"] and found.width == 32
            and found.variant.constants == {"SHIFT": 12})
    assert (found.arch.kernel == "base" and found.arch.like == ("base",)
            and found.variant.absent == {"numa"})
    assert layout(folder, "base").helpers() == ["pte_special", "pte_write"], "the base is as it was"


def test_each_text_keeps_its_place(folder: Path) -> None:
    found = layout(folder)
    text = found.text("pte_write")
    assert (Path(text.key_at.path).name == "base.yaml"
            and BASE.splitlines()[text.key_at.line - 1].strip().startswith("pte_write"))
    assert text.source == "arch/base/pgtable.h:pte_write"
    assert Path(found.fields["WRITE"].where.path).name == "mine.yaml"
    assert "WRITE" in LIKE.splitlines()[found.fields["WRITE"].where.line - 1]


def test_a_chain_is_followed_to_its_end(folder: Path) -> None:
    (folder / "third.yaml").write_text("""\
arch: third
like: mine
variants:
  third: {default: true, describe: "third", hardware: []}
differs: {constants: {SHIFT: 13}}
""")
    found = layout(folder, "third")
    assert found.arch.like == ("mine", "base") and found.variant.constants == {"SHIFT": 13}
    assert found.fields["WRITE"].low == 5


@pytest.mark.parametrize(("old", "new", "message"), [
    ("like: base", "like: bade",
     "mine.yaml:2:7: error: no architecture 'bade' to be like; did you mean base?"),
    ("like: base", "like: mine",
     "mine.yaml:2:7: error: mine is like mine: one of them has to be whole"),
    ("like: base\n", "",
     "'without' is about an architecture that this one is like, and there is no `like`"),
    ("bits: 5", "bits: 1", "mine.yaml:10:5: error: 'WRITE' is the same as base's: leave it out"),
    ("width: 32", "width: 64", "mine.yaml:8:3: error: 'width' is the same as base's: leave it out"),
    ("WRITE: {bits: 5", "WRIT: {bits: 5",
     "mine.yaml:10:5: error: no 'WRIT' in fields to differ from: "
      "base has none; did you mean WRITE?"),
    ("fields:\n    WRITE: {bits: 5, source: \"here:_PAGE_WRITE\"}",
     "helpers:\n    pte_special(pte): {source: \"here:x\", body: \"True\"}",
     "mine.yaml:10:5: error: no 'pte_special' in helpers to differ from: this file is without it"),
    ("[pte_spec*]", "[pte_spec]",
     "mine.yaml:6:13: error: base has no 'pte_spec' in helpers for this file to be without"),
    ("DIRTY: {bits: 6", "PRESENT: {bits: 6",
     "mine.yaml:12:3: error: base has 'PRESENT' in fields too: say it in `differs`"),
    ("differs:\n  width: 32", "width: 32\ndiffers:", "base has 'width' too: say it in `differs`"),
    ("width: 32", "ulong: 32",
     "mine.yaml:8:3: error: base has no 'ulong' to differ from: say it outside of `differs`"),
    ("width: 32", "widht: 32", "unknown key 'widht' in what differs; did you mean width?"),
    ("helpers: [pte_spec*]", "helpres: [pte_spec*]",
     "unknown key 'helpres' in what it is without; did you mean helpers?"),
    ("  fields:\n", "  fields: 3\n  helpers:\n", "'fields' must be a mapping"),
])
def test_what_says_nothing_or_too_much_is_an_error(
        folder: Path, old: str, new: str, message: str
) -> None:
    assert old in LIKE
    (folder / "mine.yaml").write_text(LIKE.replace(old, new, 1))
    with pytest.raises(SpecError, match=re.escape(message)):
        layout(folder)


@pytest.mark.parametrize(("block", "message"), [
    ("{entries: COUNT, shift: SHIFT, mark: pte_write}",
     "base.yaml:16:3: error: base has no constant 'COUNT'"),
    ("{entries: 16, shift: SHIFT, mark: pte_writ}",
     "base has no helper 'pte_writ'; did you mean pte_write?"),
    ("{entries: 16, mark: pte_write}", "a block of entries has no 'shift'"),
    ("{entries: 16, shift: SHIFT, mark: pte_write, alik: true}",
     "unknown key 'alik' in a block of entries; did you mean alike?"),
])
def test_a_block_of_entries_that_cannot_be_is_an_error(
        folder: Path, block: str, message: str
) -> None:
    (folder / "mine.yaml").unlink()
    (folder / "base.yaml").write_text(f"{BASE}hugetlb_blocks:\n  SIZE: {block}\n")
    with pytest.raises(SpecError, match=re.escape(message)):
        load_archs(folder)


def test_a_circle_is_an_error(folder: Path) -> None:
    (folder / "base.yaml").write_text(BASE + "like: mine\n")
    with pytest.raises(SpecError,
                       match=r"mine\.yaml:2:7: error: base is like mine is like base: "
                              r"one of them has to be"):
        load_archs(folder)


def test_the_shipped_ones_share_a_third_or_more() -> None:
    """A file that takes little from its base is easier to read whole."""
    arch = data_folder("arch")
    alike = {name: found for name, found in load_archs(arch).items() if found.like}
    assert alike
    generic = load_generic(arch)
    for name, found in alike.items():
        layouts = [Layout(found, variant, generic) for variant in found.variants.values()]
        texts = {(text.key_at, text.key) for one in layouts
                 for text in map(one.text, one.helpers())}
        from_base = [key for at, key in texts if Path(at.path).stem == found.like[0]]
        own = [key for at, key in texts if Path(at.path).stem == name]
        assert len(from_base) * 2 >= len(own), (
            f"{name} has {len(own)} helpers of its own and {len(from_base)} of its base")


@pytest.mark.parametrize(("variant", "origins"), [
    ("x86_32-pae", {"own", "own, differs from x86", "like x86", "generic"}),
    ("nios2", {"own", "generic"}),
    ("mips32-huge", {"own, differs from mips", "like mips", "generic"})])
def test_a_list_says_of_each_helper_where_it_comes_from(
        library: Library, variant: str, origins: set[str]
) -> None:
    """As the files themselves say: which of them has a helper of the name, and what its line says.
    """
    files = {path.stem: path.read_text() for path in data_folder("arch").glob("*.yaml")}
    arch = library.archs[library.variant(variant).arch]
    head, *blocks = re.split(r"^  (?! )", list_text(library, "helpers", variant),
                             flags=re.MULTILINE)
    assert head == f"{variant}:\n" and len(blocks) == len(library.layout(variant).helpers())
    seen = set()
    for block in blocks:
        place, body = re.split(r"\n {10}(?! )", block, maxsplit=1)
        found = re.fullmatch(r"(\w+)\(.*\) arch/(\S+)\.yaml:(\d+) \(([^)]*)\) \S.*",
                             " ".join(place.split()))
        assert found, block
        name, file, line = found[1], found[2], files[found[2]].splitlines()[int(found[3]) - 1]
        assert body.split()[0] in line, block
        written = {stem for stem in (arch.name, *arch.like)
                   if re.search(rf"^  +{name}\(.*\):", files[stem], re.MULTILINE)}
        origin = re.sub(", (where absent|for variants).*", "", found[4])
        assert file == {"own": arch.name,
                        "generic": "generic"}.get(origin.split(",")[0],
                                                  origin.removeprefix("like ")), block
        assert file == "generic" or file in written, block
        assert ("differs" in origin) == (file == arch.name and len(written) > 1), block
        seen.add(origin)
    assert seen == origins
