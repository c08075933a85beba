# SPDX-License-Identifier: GPL-2.0-or-later
"""A word of an entry as people read it: a bit has one name, which fits what the entry is."""

from __future__ import annotations

import pytest

from verifier.kernel.conform.fields import entry_text
from verifier.run.library import Library


@pytest.mark.parametrize(("value", "text"), [
    (0x45, "0x45 (PRESENT|USER|DIRTY)"),  # bit 2 is SWP_UFFD_WP where it is not present
    (0x8, "0x8 (SWP_EXCLUSIVE)"), (0, "0x0 (0)"),
    (0x12345067, "0x12345067 (PRESENT|RW|USER|ACCESSED|DIRTY|PFN=0x12345)"),
    (1 << 52 | 1, "0x10000000000001 (PRESENT|0x10000000000000)"),
])
def test_a_bit_has_one_name(library: Library, value: int, text: str) -> None:
    assert entry_text(value, library.layout("x86_64")) == text


def test_a_word_of_no_layout_has_no_fields() -> None:
    assert entry_text(0x45, None) == "0x45"
