# SPDX-License-Identifier: GPL-2.0-or-later
"""arm64's functions on contiguous blocks of entries (arch/arm64/mm/contpte.c), lifted with every entry of the block free.

A block is one object of `count` entries, aligned to its size as the kernel's page tables are. Arguments are taken by
the name that they have in C; an mm or a vma is an object of its own, a user's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from verifier.algebra import Algebra, Integers
from verifier.kernel.actions import Action
from verifier.kernel.helpers import Library
from verifier.kernel.inputs import Free, KernelInputs
from verifier.kernel.ir import Instr, Int, Pointer
from verifier.kernel.lift import Lifter
from verifier.kernel.memory import Object
from verifier.kernel.models import HARMLESS, KernelModels
from verifier.kernel.paths import State
from verifier.kernel.undefined import Undefinedness
from verifier.kernel.values import Group, Incomplete, Truth, Value, Word

__all__ = ["BlockLifting", "lift_block"]

ENTRY = 8  # bytes
_HARMLESS = {**HARMLESS, "__tlbi*": "flushes the translation buffer", "*tlb*": "flushes the translation buffer",
             "mmu_notifier*": "tells devices to flush", "*notifier*": "tells devices to flush"}


def _some_pages(lifter: Lifter, instr: Instr, args: list[Any], state: State) -> Value:
    lifter.note("a folio has fewer than 2^20 pages")
    return Word(64, lifter.alg.zext(lifter.inputs.word("folio_nr_pages", 20), 20, 64))


def _user(lifter: Lifter, instr: Instr, args: list[Any], state: State) -> Value:
    lifter.note("the mm is a user's")
    return lifter.values.truth(True)


_ASSUMED: Mapping[str, Action] = {"mm_is_user": _user, "folio_nr_pages": _some_pages}


@dataclass(frozen=True, slots=True)
class BlockLifting:
    """What a block function returned (width 0: a truth; None: nothing) and left in each entry.

    undefined  where behaviour is undefined or not modelled, and claims say nothing
    """

    result: Any
    width: int | None
    entries: tuple[Any, ...]
    undefined: tuple[Undefinedness, ...]
    notes: tuple[str, ...]


def lift_block(
    library: Library, function: str, alg: Algebra[Any, Any], free: Free, entries: Sequence[Any],
    args: Mapping[str, Any], features: Mapping[str, bool], *, index: int = 0, actions: Mapping[str, Action] | None = None,
    feasible: Callable[[Any], bool] | None = None, walks: Sequence[str] = (),
) -> BlockLifting:
    """A function of the kernel's on a block of these entries, its pointer at entry `index`.

    args     C's name of a parameter -> an int for a constant, else the algebra's word (or truth, for i1)
    actions  functions that are answered in another way
    walks    functions that walk page tables and find the block
    Raises Incomplete.
    """
    inputs = KernelInputs(alg, free, library.build, features)
    size = ENTRY * len(entries)
    block = Object("block", size, size, lambda unit: _word(alg, entries[unit // ENTRY], 64))

    def found_block(lifter: Lifter, instr: Instr, args: list[Any], state: State) -> Value:
        lifter.note("the address is that of the block")
        return lifter.pointer(block)

    answers = {**_ASSUMED, **(actions or {}), **dict.fromkeys(walks, found_block)}
    lifter = Lifter(alg, library.program, inputs, KernelModels(answers, _HARMLESS), feasible)
    lifter.free_loads = True
    found = next((m.function(function) for m in library.program.modules if function in m.texts), None)
    if found is None:
        raise Incomplete(f"no function {function}")
    values: list[Value] = []
    for param in found.params:
        name = param.name.removesuffix(".coerce")
        if isinstance(param.type, Pointer):
            is_entry = name in ("ptep", "orig_ptep")
            values.append(lifter.pointer(block, ENTRY * index) if is_entry else lifter.pointer(lifter.object(name, None)))
        elif isinstance(param.type, Int):
            given = args[name] if name in args else free.input_word(name, param.type.width)
            if param.type.width == 1:
                values.append(Truth(alg.truth(bool(given)) if isinstance(given, int) else given))
            elif isinstance(given, int):
                values.append(lifter.values.word(given, param.type.width))
            else:
                values.append(_word(alg, given, param.type.width))
        else:
            raise Incomplete(f"{function} takes something that is no word")
    result, state = lifter.call(function, values)
    if isinstance(result, Group) and len(result.parts) == 1:  # a pte_t, where a structure is returned as one
        result = result.parts[0]
    after = [lifter.values.as_word(lifter.memory.read(state.memory.get(block, {}), block, ENTRY * n, ENTRY)) for n in range(len(entries))]
    undefined = [*lifter.undefined, *lifter.outside, *(Undefinedness(u.condition, f"not modelled: {u.reason}") for u in lifter.lost)]
    for value in (*after, result):
        poison = None if value is None else lifter.values.poison(value)
        if poison is not None:
            undefined.append(Undefinedness(poison, "a result is poison"))
    width = None if result is None else 0 if isinstance(result, Truth) else lifter.values.as_word(result).width
    term = result.term if isinstance(result, (Word, Truth)) else None
    return BlockLifting(term, width, tuple(w.term for w in after), tuple(undefined), (*inputs.notes, *lifter.notes))


def _word(alg: Algebra[Any, Any], term: Any, width: int) -> Word:
    return Word(width, term, term if isinstance(alg, Integers) else None)
