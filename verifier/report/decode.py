# SPDX-License-Identifier: GPL-2.0-or-later
"""What `decode` prints: the fields of an entry, and what helpers say of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from verifier.base.columns import wrap
from verifier.base.errors import UsageError
from verifier.language.algebra import Integers
from verifier.language.evaluate import truth_of, word_of
from verifier.language.machine import Machine
from verifier.language.syntax import BOOL
from verifier.model.arch import Layout
from verifier.model.fields import named_fields
from verifier.model.spec import Encoding, Spec
from verifier.model.typed import Model

__all__ = ["decode_text", "flags_line", "parse_value"]


def parse_value(text: str, width: int) -> int:
    """An entry value as an oops prints it: hexadecimal, with or without 0x.

    Raises UsageError where it is no number or too wide.

    >>> hex(parse_value("8000000012345025", 64))
    '0x8000000012345025'
    """
    digits = text.strip().removeprefix("0x").removeprefix("0X")
    if not digits or len(digits) > 64 or any(c not in "0123456789abcdefABCDEF" for c in digits):
        raise UsageError(f"{text!r} is no hexadecimal value")
    value = int(digits, 16)
    if value >> width:
        raise UsageError(f"{text} has more than {width} bits")
    return value


def decode_text(layout: Layout, spec: Spec, encoding: Encoding, values: Sequence[str],
                as_json: bool) -> str:
    """Each value: one line of flags, then fields and helpers.

    `spec` has at least what the encoding's definitions may call.

    Where the layout is not under the overlay that the encoding takes, nothing is said of exclusive.
    """
    exclusive = (
        None if encoding.overlay != layout.overlay else _exclusive(Model(spec, layout, encoding))
    )
    found = [_decoded(layout, parse_value(value, layout.width), exclusive) for value in values]
    if as_json:
        return json.dumps(found, indent=1)
    return "\n\n".join(_decoded_text(d) for d in found)


def _exclusive(model: Model) -> Any:
    """The encoding's reading of a present entry, or None where it is not in the entry."""
    function = None if model.encoding.state else model.definition("encoding", "exclusive")
    return (None if function is None
            else lambda value: truth_of(Machine(Integers()), function, (value,)))


def _decoded(layout: Layout, value: int, exclusive: Any) -> dict[str, Any]:
    machine = Machine(Integers())
    helpers: dict[str, Any] = {}
    for name in layout.helpers():
        if not name.startswith("pte_"):
            continue
        function = layout.helper(name)
        if (len(function.params) == 1 and function.params[0].type == layout.width
                and function.returns == BOOL):
            helpers[name] = truth_of(machine, function, (value,))
    present = helpers.get("pte_present", False)
    swap = not present and not helpers.get("pte_none", True)
    result: dict[str, Any] = {
        "value": f"0x{value:0{layout.width // 4}x}", "variant": layout.variant.name,
        "flags": flags_line(layout, value),
        "kind": "present" if present else "swap" if swap else "none",
        "fields": named_fields(layout, value, present),
        "helpers": helpers,
    }
    if present:
        result["pfn"] = f"0x{word_of(machine, layout.helper('pte_pfn'), (value,)):x}"
        result["exclusive"] = None if exclusive is None else exclusive(value)
    elif swap:
        entry = word_of(machine, layout.helper("pte_to_swp_entry"), (value,))
        result["swap"] = {name: f"0x{word_of(machine, layout.helper(f'swp_{name}'), (entry,)):x}"
                          for name in ("type", "offset")}
        result["swap"]["kind"] = _swap_kind(layout, machine, entry)
    return result


_SWAP_KINDS = (
    "is_readable_migration_entry", "is_readable_exclusive_migration_entry",
    "is_writable_migration_entry", "is_device_private_entry", "is_device_exclusive_entry",
    "is_hwpoison_entry", "is_pte_marker_entry",
)


def _swap_kind(layout: Layout, machine: Machine[int, bool], entry: int) -> str:
    for name in _SWAP_KINDS:
        function = layout.function(name)
        if function is not None and truth_of(machine, function, (entry,)):
            return name.removeprefix("is_").removesuffix("_entry").replace("_", " ")
    return "swap slot"


def flags_line(layout: Layout, value: int) -> str:
    """Fields in one line; bits without a name as hex at the end."""
    words, left, seen = [], value, 0
    for item in layout.fields.values():
        if not value & item.mask or item.name.startswith("SWP_") or item.mask & seen == item.mask:
            continue
        seen |= item.mask
        left &= ~item.mask
        words.append(item.name if item.low == item.high
                     else f"{item.name}=0x{(value & item.mask) >> item.low:x}")
    return "|".join([*words, *([f"0x{left:x}"] if left else [])]) or "0"


def _decoded_text(found: dict[str, Any]) -> str:
    flags = wrap(found["flags"].replace("|", "| "), f"{found['value']}  ", " " * 4)
    lines = [flags.replace("| ", "|")]
    about = found["kind"]
    if "pfn" in found:
        about += f", pfn {found['pfn']}"
        if found["exclusive"] is not None:
            about += (f", {'exclusive' if found['exclusive'] else 'maybe shared'} if it maps an "
                      "anonymous page")
    if "swap" in found:
        swap = found["swap"]
        about += f": {swap['kind']}, type {int(swap['type'], 16)}, offset {swap['offset']}"
    lines.append(wrap(f"{about}  ({found['variant']})"))
    yes = [n for n, v in found["helpers"].items() if v]
    no = [n for n, v in found["helpers"].items() if not v]
    lines += [wrap("true:  " + " ".join(yes)), wrap("false: " + " ".join(no))]
    return "\n".join(lines)
