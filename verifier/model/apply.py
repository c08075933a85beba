# SPDX-License-Identifier: GPL-2.0-or-later
"""Expressions over helpers, computed with plain integers on given values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from verifier.base.errors import SpecError, UsageError, Where
from verifier.language.algebra import Integers
from verifier.language.evaluate import evaluated
from verifier.language.machine import Machine
from verifier.language.parse import parse_function, parse_signature
from verifier.language.read_yaml import Source
from verifier.language.syntax import BOOL, NOTHING
from verifier.language.values import Value
from verifier.model.arch import Layout

__all__ = ["apply_text"]

_SETTING = re.compile(r"[a-z_]\w*=[^=]", re.IGNORECASE)


def apply_text(layout: Layout, texts: Sequence[str]) -> str:
    """Each expression with its value, and with the entries that it changes.

    NAME=VALUE before an expression names an entry. An entry called ptep, pmdp or pudp is passed by
    reference, so helpers on pointers may change it. Raises UsageError where a text is not of the
    language or a value does not fit.
    """
    given: dict[str, int] = {}
    lines: list[str] = []
    for text in texts:
        if _SETTING.match(text):
            name, _, value = text.partition("=")
            given[name] = _number(text, value, layout.width)
        else:
            lines += _applied(layout, text, given)
    if not lines:
        raise UsageError("no expression to compute")
    return "\n".join(lines)


def _number(text: str, value: str, width: int) -> int:
    try:
        found = int(value, 0)
    except ValueError:
        raise UsageError(f"{text!r}: {value!r} is no number") from None
    if not 0 <= found < 1 << width:
        raise UsageError(f"{text!r} has more than {width} bits")
    return found


def _applied(layout: Layout, text: str, given: Mapping[str, int]) -> list[str]:
    at = Where("expression", 1, 1)
    try:
        signature = parse_signature(f"expression({', '.join(given)})", at, layout)
        function = parse_function(signature, Source(text, at), layout)
    except SpecError as error:
        raise UsageError(f"{text!r}: {error.message}") from error
    result, after = evaluated(Machine(Integers()), function, dict(given))
    lines = [] if function.returns == NOTHING else [f"{text} = {_word(result, function.returns)}"]
    changed = [name for name in given if name in function.sets]
    lines += [f"{text}: {name} = {_word(after[name], layout.width)}" for name in changed]
    if not lines:
        raise UsageError(f"{text!r} has no value and changes no entry")
    return lines


def _word(value: Value, kind: int) -> str:
    """A boolean as a word of English, a value in hexadecimal with all digits of its type."""
    assert isinstance(value, int)
    return str(bool(value)).lower() if kind == BOOL else f"0x{value:0{(kind + 3) // 4}x}"
