# SPDX-License-Identifier: GPL-2.0-or-later
"""Which helpers have the same code in two compilations of one build: of them nothing has to be
proved.

The code of a helper is the text of its wrapper, and of all functions, globals and types that this
text names, directly or not, in LLVM's textual form. Numbers of line tables and of groups of
attributes do not count: the lifter does not read the first to say what code does, and the second
not at all. Where it cannot be said by looking, code is not the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from verifier.kernel.tree.build import Build
from verifier.kernel.tree.compile import Compiled
from verifier.kernel.tree.shapes import Shape

__all__ = ["same_code"]

_NAME = re.compile(r'[@%]"[^"]*"|[@%][-\w$.]+')
_DEFINED = re.compile(r'^(?:define|declare)\b.*?(@"[^"]*"|@[-\w$.]+)\(')
_ASSIGNED = re.compile(r'^([@%]"[^"]*"|[@%][-\w$.]+) = ')
# What does not count, or stands for an interval. In quotes, as of assembly, all counts.
_ASIDE = re.compile(r'"[^"]*"|,? !(?:dbg|srcloc) !\d+|(?<!\S)#\d+\b|!range !(\d+)')
_INITCALL = re.compile(r"__initcall__\w+")  # it has a number that counts, and lines
_ROW = re.compile(r"^!(\d+) = (.*)$", re.M)


@dataclass(frozen=True, slots=True)
class _Texts:
    """What each name stands for in all modules of a compilation; and what stands under no name."""

    named: dict[str, list[str]] = field(default_factory=dict)
    rest: list[str] = field(default_factory=list)

    def closure(self, names: Sequence[str]) -> dict[str, list[str]]:
        """These names and all that their texts name, each with its texts."""
        found: dict[str, list[str]] = {}
        left = list(names)
        while left:
            name = left.pop()
            if name not in found:
                found[name] = self.named.get(name, [])
                left += [n for text in found[name] for n in _NAME.findall(text) if n in self.named]
        return found


def same_code(before: Compiled, after: Compiled, shapes: Sequence[Shape]) -> frozenset[str]:
    """The helpers whose wrappers, the same on both sides, come to the same code.

    No helper where anything differs on which all rest: assembly, the layout of data, the numbers
    that wrappers tell of the build.
    """
    build = before.configured.build
    texts = [_read(one) for one in (before, after)]
    common = _common(before, shapes) | _common(after, shapes)
    if (
        texts[0].rest != texts[1].rest
        or before.assembly != after.assembly
        or not _same(texts, sorted(common))
    ):
        return frozenset()
    first = [_first(shapes, one) for one in (before, after)]
    return frozenset(
        helper
        for helper, wrapper in first[0].items()
        if first[1].get(helper) == wrapper
        and _same(texts, [f"@{wrapper}", *_booted(build, helper)])
    )


def _same(texts: Sequence[_Texts], names: Sequence[str]) -> bool:
    return texts[0].closure(names) == texts[1].closure(names)


def _common(compiled: Compiled, shapes: Sequence[Shape]) -> set[str]:
    """What all helpers may come to that no text of theirs names: constants that wrappers tell, and
    functions that are bound to operations.
    """
    told = compiled.wrappers - {shape.wrapper for shape in shapes}
    bound = (function for function, _ in compiled.configured.build.bound.values())
    return {f"@{name}" for name in (*told, *bound)}


def _first(shapes: Sequence[Shape], compiled: Compiled) -> dict[str, str]:
    """Of each helper the wrapper that compiles, as `LiftedBuild` takes it."""
    found: dict[str, str] = {}
    for shape in shapes:
        if shape.wrapper in compiled.wrappers:
            found.setdefault(shape.helper, shape.wrapper)
    return found


def _booted(build: Build, helper: str) -> list[str]:
    return [f"@{build.boot[helper]}"] if helper in build.boot else []


def _read(compiled: Compiled) -> _Texts:
    found = _Texts()
    for name, text in sorted(compiled.texts.items()):
        _read_module(name, text, found)
    return found


def _read_module(module: str, text: str, found: _Texts) -> None:
    """A module's names with their texts, after those of other modules.

    What modules have under one name is compared together: so which of them is called does not
    matter.
    """
    rows: Mapping[str, str] = dict(_ROW.findall(text))
    lines = iter(text.splitlines())
    for line in lines:
        match = _DEFINED.match(line)
        if match and line.startswith("define "):
            body = [line]
            for inner in lines:
                body.append(inner)
                if inner == "}":
                    break
            found.named.setdefault(match[1], []).append(_plain(module, "\n".join(body), rows))
        elif match or (match := _ASSIGNED.match(line)):
            found.named.setdefault(match[1], []).append(_plain(module, line, rows))
        elif line.startswith(("target ", "module asm")):
            found.rest.append(f"{module}: {_INITCALL.sub('initcall', line)}")


def _plain(module: str, text: str, rows: Mapping[str, str]) -> str:
    """A text without what does not count; an interval that it names stands in it."""

    def kept(match: re.Match[str]) -> str:
        if match[0].startswith('"'):
            return match[0]
        return "" if match[1] is None else f"!range {rows.get(match[1], match[0])}"

    return f"{module}: {_ASIDE.sub(kept, text)}"
