# SPDX-License-Identifier: GPL-2.0-or-later
"""A page table entry in memory: an object that holds it, as the entries of a build lie there.

How they lie is the build's `entries` (archs/common.yaml): in the CPU's byte order, or big-endian;
with nothing behind them, or with the rest of a table; once, or as four equal words.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from verifier.kernel.llvm.lift import Lifter
from verifier.kernel.llvm.objects import Object
from verifier.kernel.llvm.undefined import Undefinedness
from verifier.kernel.llvm.values import Address, LiftedWord, NotModelled
from verifier.kernel.llvm.ways import WayState
from verifier.kernel.tree.build import BIG_ENDIAN, FOUR_TIMES, IN_TABLES
from verifier.language.algebra import Algebra, Integers

__all__ = ["copies", "entry_object", "entry_value", "laid_object", "reverse_bytes"]


def entry_object(
    lifter: Lifter, name: str, term: Any, size: int, behind: Object | None = None
) -> Object:
    """An object that holds one entry of this value, and then nothing or what is behind it."""
    width = 8 * size

    def initial(unit: int) -> LiftedWord:
        if unit and behind is not None:
            return lifter.memory.start(behind, unit)
        if width == 64:
            return LiftedWord(
                64,
                term,
                term if isinstance(term, int) and isinstance(lifter.alg, Integers) else None,
            )
        if width > 64:
            low = width - 64 - 8 * unit if lifter.layout.big_endian else 8 * unit
            return LiftedWord(64, lifter.alg.extract(term, low, 64))
        if behind is None:
            rest = lifter.alg.word(0, 64 - width)
        else:
            rest = lifter.alg.extract(lifter.memory.start(behind, 0).term, 0, 64 - width)
        if lifter.layout.big_endian:
            return LiftedWord(64, lifter.alg.concat(term, rest, width, 64 - width))
        return LiftedWord(64, lifter.alg.concat(rest, term, 64 - width, width))

    return Object(name, size if behind is None else None, size, initial, free=behind is not None)


def laid_object(lifter: Lifter, lies: Collection[str], name: str, term: Any, size: int) -> Object:
    """An entry of this value, of `size` bytes, in memory as the build's entries lie there."""
    if BIG_ENDIAN in lies:
        term = reverse_bytes(lifter.alg, term, size)
    if FOUR_TIMES in lies:
        return entry_object(lifter, name, _repeated(lifter.alg, term, 8 * size), 4 * size)
    behind = lifter.object(f"behind {name}", None) if IN_TABLES in lies else None
    return entry_object(lifter, name, term, size, behind)


def entry_value(
    lifter: Lifter, lies: Collection[str], state: WayState, obj: Object, unequal: str | None = None
) -> Any:
    """The value of an entry at the end. It is undefined where the entry is poison.

    Of four words the first counts; where the others differ the value is undefined, unless `unequal`
    says why they may. Raises NotModelled where an address was written to the entry.
    """
    term = _whole(lifter, state, obj)
    if FOUR_TIMES not in lies:
        return (
            reverse_bytes(lifter.alg, term, obj.size or obj.align) if BIG_ENDIAN in lies else term
        )
    width = 2 * (obj.size or 0)
    first = lifter.alg.extract(term, 3 * width if lifter.layout.big_endian else 0, width)
    if unequal is not None:
        lifter.note(unequal)
        return first
    other = lifter.alg.neg(lifter.alg.eq(term, _repeated(lifter.alg, first, width), 4 * width))
    why = "the four words of an entry are not equal at the end"
    lifter.undefined.append(Undefinedness(other, why))
    return first


def copies(lies: Collection[str]) -> int:
    """How many equal words a pte_t has."""
    return 4 if FOUR_TIMES in lies else 1


def reverse_bytes(alg: Algebra[Any, Any], term: Any, size: int) -> Any:
    """A word with its bytes in the other order."""
    found = alg.extract(term, 0, 8)
    for at in range(8, 8 * size, 8):
        found = alg.concat(found, alg.extract(term, at, 8), at, 8)
    return found


def _repeated(alg: Algebra[Any, Any], term: Any, width: int) -> Any:
    """A word four times."""
    twice = alg.concat(term, term, width, width)
    return alg.concat(twice, twice, 2 * width, 2 * width)


def _whole(lifter: Lifter, state: WayState, obj: Object) -> Any:
    """All bytes of an object that holds an entry, as a word."""
    size = obj.size or obj.align
    found = lifter.memory.read(state.memory.get(obj, {}), obj, 0, size)
    if isinstance(found, Address):
        raise NotModelled("an address was written to an entry")
    word = lifter.values.as_word(found)
    if word.poison is not None:
        lifter.undefined.append(Undefinedness(word.poison, "the entry is poison"))
    return word.term
