# SPDX-License-Identifier: GPL-2.0-or-later
"""Words of entries as people read them."""

from __future__ import annotations

from verifier.model.arch import Layout

__all__ = ["entry_text"]


def entry_text(value: int, layout: Layout | None) -> str:
    """A word in hexadecimal, with the names of the fields that it has bits in."""
    if layout is None:
        return f"{value:#x}"
    names, rest = [], value
    for name, field in sorted(layout.fields.items(), key=lambda f: f[1].low):
        if value & field.mask:
            single = field.low == field.high
            names.append(name if single else f"{name}={(value & field.mask) >> field.low:#x}")
            rest &= ~field.mask
    if rest:
        names.append(f"{rest:#x}")
    return f"{value:#x} ({'|'.join(names) or '0'})"
