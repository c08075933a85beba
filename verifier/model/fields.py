# SPDX-License-Identifier: GPL-2.0-or-later
"""The fields of an entry by name, each bit under one name."""

from __future__ import annotations

from verifier.model.arch import Layout

__all__ = ["named_fields"]


def named_fields(layout: Layout, value: int, present: bool) -> dict[str, str]:
    """The fields that are not 0, each bit under one name: that of a swap entry first where it is
    not present.

    Bits without a name are under `unknown`.
    """
    found, named = {}, 0
    for f in sorted(layout.fields.values(), key=lambda f: f.name.startswith("SWP_") is present):
        if value & f.mask & ~named:
            found[f.name] = f"0x{(value & f.mask) >> f.low:x}"
        named |= f.mask
    return found | ({"unknown": f"0x{value & ~named:x}"} if value & ~named else {})
