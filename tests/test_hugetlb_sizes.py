# SPDX-License-Identifier: GPL-2.0-or-later
"""Pages of hugetlb that have several entries, as files of arch/ say: what is wrong is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from verifier.base.data import data_folder
from verifier.base.errors import SpecError
from verifier.kernel.claims.page_sizes import pages
from verifier.model.read_arch import load_layout

SIZE = "  16 MByte: {entries: 8, step: 0x200000, marks: {PSIZE: 7}}\n"


def changed(tmp_path: Path, size: str) -> Path:
    """A folder of arch/ in which powerpc-e500 says this of its pages of 16 MByte."""
    shutil.copytree(data_folder("arch"), tmp_path / "arch")
    path = tmp_path / "arch" / "powerpc-e500.yaml"
    text = path.read_text()
    assert SIZE in text
    path.write_text(text.replace(SIZE, size))
    return tmp_path / "arch"


@pytest.mark.parametrize(("size", "message"), [
    ("  16 MByte: {entries: 7, step: 0x200000, marks: {PSIZE: 7}}\n",
     "entries is a power of two, not 7"),
    ("  16 MByte: {entries: 8, step: 0, marks: {PSIZE: 7}}\n", "step is a power of two, not 0"),
    ("  16 MByte: {entries: 8, step: 0x200000}\n", "a page of hugetlb has no 'marks'"),
    ("  16 MByte: {entries: 8, step: 0x200000, marks: {PSIZ: 7}}\n",
     "powerpc-e500 has no field 'PSIZ'; did you mean PSIZE"),
    ("  16 MByte: [8]\n", "16 MByte must be a mapping with entries, step and marks"),
    ("  16 MByte: {entries: 8, step: 0x200000, marks: {PSIZE: 7}, size: 1}\n",
     "unknown key 'size' in a page of hugetlb"),
])
def test_what_is_wrong_is_refused_at_its_place(tmp_path: Path, size: str, message: str) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        load_layout("powerpc-e500", changed(tmp_path, size))
    assert caught.value.where is not None and caught.value.where.line > 80


def test_a_mark_fits_its_field(tmp_path: Path) -> None:
    """Whether it does is known where a variant's fields are."""
    size = "  16 MByte: {entries: 8, step: 0x200000, marks: {PSIZE: 16}}\n"
    layout = load_layout("powerpc-e500", changed(tmp_path, size))
    with pytest.raises(SpecError, match="powerpc-e500 has no PSIZE that can be 16"):
        pages(layout)


def test_sizes_are_those_of_the_variant() -> None:
    words = {variant: {p.name: p.entries for p in pages(load_layout(variant))}
             for variant in ("powerpc-8xx-16k", "powerpc-e500-64", "parisc", "parisc32+hugetlb")}
    assert words == {
        "powerpc-8xx-16k": {"512 KByte": 128, "8 MByte": 2048},
        "powerpc-e500-64": {"4 MByte": 2, "16 MByte": 8, "64 MByte": 32, "1 GByte": 4},
        "parisc": {},
        "parisc32+hugetlb": {"4 MByte": 1024},
    }
