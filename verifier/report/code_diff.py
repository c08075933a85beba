# SPDX-License-Identifier: GPL-2.0-or-later
"""What two codes run for one transition, as a unified diff of their texts."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from textwrap import indent
from typing import TypeVar

from verifier.base.columns import fold, wrap
from verifier.base.errors import UsageError, Where, nearest
from verifier.model.spec import Spec, Transition
from verifier.model.texts import Definition, name_of

__all__ = ["diff_text"]

T = TypeVar("T")
PAINT = {"-": "\x1b[31m", "+": "\x1b[32m"}
PLAIN = "\x1b[0m"


def diff_text(spec: Spec, transition: str, codes: tuple[str, str], encoding: str | None = None,
              level: str | None = None, color: bool = False) -> str:
    """The texts that two codes run for a transition: where they stand, and how the second differs.

    An encoding adds its definitions of what these texts call, a level the views. Raises UsageError
    for a name that is unknown, for an encoding that runs neither code, and for a level that the
    transition is not about.
    """
    step = _known(spec.transitions, "transition", transition)
    for code in codes:
        _known(spec.codes, "code", code)
    homes: dict[str, Iterable[Definition]] = {}
    if encoding is not None:
        held = _known(spec.encodings, "encoding", encoding)
        if not set(codes) & set(held.codes):
            raise UsageError(f"encoding {encoding} runs neither {' nor '.join(codes)}, but "
                             f"{', '.join(held.codes)}")
        homes[f"encoding {encoding}"] = held.definitions
    if level is not None:
        place = _known(spec.levels, "level", level)
        if not step.takes(place):
            known = dict.fromkeys([*step.levels, *([step.into] if step.into else [])])
            raise UsageError(f"{transition} is not about level {level}, but {', '.join(known)}")
        own = {name_of(view): view for view in place.views}
        homes[f"level {level}"] = [own.get(name_of(view), view) for view in spec.views]
    parts = [wrap(f"{step.name}: {step.describe} ({step.site})", "", "  "),
             *_compared(step, codes, color)]
    called = {name for code in codes for name in re.findall(r"\w+(?=\()", _text(step, code)[0])}
    parts += [_defined(home, [text for text in texts if name_of(text) in called])
              for home, texts in homes.items()]
    return "\n\n".join(parts)


def _known(known: Mapping[str, T], what: str, name: str) -> T:
    if name not in known:
        raise UsageError(f"unknown {what} {name!r}{nearest(name, known)}")
    return known[name]


def _text(step: Transition, code: str) -> tuple[str, str]:
    """What the code runs, and how a header of the diff names it."""
    chosen = step.code(code)
    return ("", code) if chosen is None else (
        chosen[1].text, f"{chosen[0]}  {_line(chosen[1].where)}")


def _compared(step: Transition, codes: tuple[str, str], color: bool) -> list[str]:
    """What is to be said of codes that have no text of their own, and the diff."""
    said = []
    for code in dict.fromkeys(codes):
        chosen = step.code(code)
        if chosen is None:
            said.append(wrap(f"{code} has no text here, and none stands for it.", ""))
        elif chosen[0] != code:
            said.append(wrap(f"{code} has no text of its own here: {chosen[0]}'s stands.", ""))
    (old, before), (new, after) = (_text(step, code) for code in codes)
    lines = list(difflib.unified_diff(old.splitlines(), new.splitlines(), before, after,
                                      lineterm=""))
    if not lines:
        return [*said, wrap(f"They do not differ: {before}", "")]
    return [*said, "\n".join(_folded(line, color) for line in lines)]


def _folded(line: str, color: bool) -> str:
    """A line of the diff on a page; what goes on below begins with the line's own sign."""
    if line.startswith(("---", "+++", "@@")):
        return wrap(line, "", "    ")
    sign, text = line[:1], line[1:]
    start = sign + " " * (len(text) - len(text.lstrip()))
    shown = wrap(text.strip(), start, f"{start}    ") if text.strip() else sign.rstrip()
    return f"{PAINT[sign]}{shown}{PLAIN}" if color and sign in PAINT else shown


def _defined(home: str, texts: list[Definition]) -> str:
    """The definitions of an encoding or a level, each with its place."""
    if not texts:
        return wrap(f"They call nothing that {home} defines.", "")
    return "\n".join([f"What they call, as {home} defines it:", *(
        f"{wrap(f'{text.signature}  {_line(text.at)}')}\n"
        f"{fold(indent(text.body.text.strip(), ' ' * 6))}" for text in texts)])


def _line(where: Where) -> str:
    return f"{where.path}:{where.line}"
