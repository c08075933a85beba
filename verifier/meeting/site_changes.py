# SPDX-License-Identifier: GPL-2.0-or-later
"""What became of the uses of helpers from one kernel to another: moved, changed, came or went."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from pathlib import Path

from verifier.base.errors import UsageError
from verifier.base.store import read_regular

__all__ = ["Changes", "Use", "compare_uses", "read_uses", "write_uses"]

HEADER = "# pteproof uses/1, Linux "
MOST_BYTES = 16 << 20


@dataclass(frozen=True, slots=True, order=True)
class Use:
    """A use of a helper without its line. `digest` stands for the statement around it."""

    file: str
    function: str
    helper: str
    digest: str

    def __str__(self) -> str:
        return f"{self.file}:{self.function or '-'}: {self.helper}"


@dataclass(frozen=True, slots=True)
class Changes:
    """What two kernels have: `moved` and `changed` are pairs of before and now.

    moved    the same statement in another function or file
    changed  another statement in the same function
    """

    same: int
    moved: tuple[tuple[Use, Use], ...]
    changed: tuple[tuple[Use, Use], ...]
    came: tuple[Use, ...]
    went: tuple[Use, ...]

    def any(self) -> bool:
        """Is there a difference?"""
        return bool(self.moved or self.changed or self.came or self.went)


def compare_uses(before: Iterable[Use], now: Iterable[Use]) -> Changes:
    """Pair the uses of two kernels.

    First what is equal, then the same statement elsewhere, then another statement with the same
    helper in the same function.

    >>> old, new = Use("a.c", "f", "pte_dirty", "1"), Use("b.c", "g", "pte_dirty", "1")
    >>> compare_uses([old], [new]).moved == ((old, new),)
    True
    """
    left, right = sorted(before), sorted(now)
    same, left, right = _pair(left, right, lambda use: use)
    moved, left, right = _pair(left, right, lambda use: (use.helper, use.digest))
    changed, left, right = _pair(left, right, lambda use: (use.file, use.function, use.helper))
    return Changes(len(same), tuple(moved), tuple(changed), tuple(right), tuple(left))


def _pair(
    left: list[Use], right: list[Use], key: Callable[[Use], Hashable]
) -> tuple[list[tuple[Use, Use]], list[Use], list[Use]]:
    """Pairs with the same key, in order, and what has no partner on either side."""
    waiting: dict[Hashable, list[Use]] = defaultdict(list)
    for use in left:
        waiting[key(use)].append(use)
    pairs, alone = [], []
    for use in right:
        partners = waiting.get(key(use))
        if partners:
            pairs.append((partners.pop(0), use))
        else:
            alone.append(use)
    return pairs, sorted(use for uses in waiting.values() for use in uses), alone


def write_uses(version: str, uses: Iterable[Use]) -> str:
    """The uses of one kernel as a text, a line each, for `read_uses` on another day."""
    return (
        "\n".join(
            [
                f"{HEADER}{version}",
                *("\t".join((u.file, u.function, u.helper, u.digest)) for u in sorted(uses)),
            ]
        )
        + "\n"
    )


def read_uses(path: Path) -> tuple[str, list[Use]]:
    """The version and the uses of a text of `write_uses`.

    UsageError, with the line, where it is none.
    """
    try:
        lines = read_regular(path, MOST_BYTES).decode().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as uses of helpers: {error}") from None
    if not lines or not lines[0].startswith(HEADER):
        raise UsageError(f"{path}: no uses of helpers; `pteproof sites --keep FILE` writes some")
    found = []
    for number, line in enumerate(lines[1:], 2):
        parts = line.split("\t")
        if len(parts) != 4:
            raise UsageError(
                f"{path}:{number}: not file, function, helper and digest with tabs between them"
            )
        found.append(Use(*parts))
    return lines[0].removeprefix(HEADER), found
