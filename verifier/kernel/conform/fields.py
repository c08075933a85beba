# SPDX-License-Identifier: GPL-2.0-or-later
"""Words of entries as people read them."""

from __future__ import annotations

from verifier.language.algebra import Integers
from verifier.language.evaluate import truth_of
from verifier.language.machine import Machine
from verifier.model.arch import Layout
from verifier.model.fields import named_fields

__all__ = ["entry_text"]


def entry_text(value: int, layout: Layout | None) -> str:
    """A word in hexadecimal, with the names of the fields that it has bits in.

    A word that is present as an entry has no fields of swap entries.
    """
    if layout is None:
        return f"{value:#x}"
    present = truth_of(Machine(Integers()), layout.helper("pte_present"),
                       (value & (1 << layout.width) - 1,))
    found = named_fields(layout, value, present)
    rest = found.pop("unknown", "")
    names = [name if (f := layout.fields[name]).low == f.high else f"{name}={found[name]}"
             for name in sorted(found, key=lambda name: layout.fields[name].low)]
    return f"{value:#x} ({'|'.join([*names, *([rest] if rest else [])]) or '0'})"
