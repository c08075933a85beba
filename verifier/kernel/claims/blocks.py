# SPDX-License-Identifier: GPL-2.0-or-later
"""Functions of the kernel on blocks of entries, such as arm64's contiguous ones, lifted with every
entry free.

A block is one object of `count` entries, aligned to its size as the kernel's page tables are.
Arguments are named as in C. An mm or a vma is an object of its own, and a user's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from verifier.kernel.asm.templates import Action
from verifier.kernel.asm.unlifted import KernelModels
from verifier.kernel.conform.entries import laid_object, reverse_bytes
from verifier.kernel.conform.helpers import LiftedBuild
from verifier.kernel.conform.inputs import Free, KernelInputs
from verifier.kernel.llvm.context import Context
from verifier.kernel.llvm.ir import Instr, Int, IrFunction, Pointer
from verifier.kernel.llvm.lift import Lifter
from verifier.kernel.llvm.objects import Object
from verifier.kernel.llvm.undefined import Undefinedness
from verifier.kernel.llvm.values import LiftedWord, NotModelled, Truth, Value, ValueGroup
from verifier.kernel.llvm.ways import WayState
from verifier.kernel.tree.build import BIG_ENDIAN
from verifier.language.algebra import Algebra, Integers
from verifier.model.arch_records import FirstLevel

__all__ = ["BlockLifting", "lift_block"]

ENTRIES = ("pte", "orig_pte", "entry")  # what C calls a parameter that is an entry
FIRST_LEVEL = 4  # bytes of an entry of the first level, where a block has tables
_HARMLESS = {
    "__tlbi*": "flushes the translation buffer",
    "*tlb*": "flushes the translation buffer",
    "mmu_notifier*": "tells devices to flush",
    "*notifier*": "tells devices to flush",
    "queue_pte_barriers": "orders stores, now or when the lazy mode ends",
}


def _some_pages(lifter: Context, instr: Instr, args: list[Any], state: WayState) -> Value:
    lifter.note("a folio has fewer than 2^20 pages")
    return LiftedWord(64, lifter.alg.zext(lifter.inputs.word("folio_nr_pages", 20), 20, 64))


def _user(lifter: Context, instr: Instr, args: list[Any], state: WayState) -> Value:
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
    library: LiftedBuild,
    function: str,
    alg: Algebra[Any, Any],
    free: Free,
    entries: Sequence[Any],
    args: Mapping[str, Any],
    features: Mapping[str, bool],
    *,
    index: int = 0,
    actions: Mapping[str, Action] | None = None,
    feasible: Callable[[Any], bool] | None = None,
    walks: Sequence[str] = (),
    bits: int = 64,
    tables: FirstLevel | None = None,
) -> BlockLifting:
    """A function of the kernel's on a block of these entries, each of so many bits, its pointer at
    entry `index`.

    args     C's name of a parameter -> an int for a constant, else the algebra's word (or truth,
             for i1)
    actions  functions that are answered in another way
    walks    functions that walk page tables and find the block

    Raises NotModelled.
    """
    inputs = KernelInputs(alg, free, library.build, features, library.main.layout.big_endian)
    entry = bits // 8
    block = _block(library, alg, entries, entry)
    pointee, answers = block, {
        **_ASSUMED,
        **(actions or {}),
        **dict.fromkeys(walks, _found(block)),
    }
    if tables is not None:
        level = _first_level(alg, free, tables)
        answers |= {tables.first: _found(level), tables.walk: _table(block, tables.size)}
        pointee = level if tables.points else block
    lifter = Lifter(alg, library.program, inputs, KernelModels(answers, _HARMLESS), feasible)
    lifter.free_loads = True
    lifter.most_rounds = max(lifter.most_rounds, len(entries) + 1)
    pointer = lifter.pointer(pointee, entry * index)
    found = _function(library, function)
    values, returned = _arguments(library, lifter, found, pointer, args, free, entry)
    result, state = lifter.call(function, values)
    # a pte_t, where a structure is returned as one
    if isinstance(result, ValueGroup) and len(result.parts) == 1:
        result = result.parts[0]

    def at_the_end(obj: Object, offset: int) -> LiftedWord:
        return lifter.values.as_word(
            lifter.memory.read(state.memory.get(obj, {}), obj, offset, entry)
        )

    if returned is not None:
        result = at_the_end(returned, 0)
    after = [at_the_end(block, entry * n) for n in range(len(entries))]
    return _lifting(library, lifter, result, after, entry, [*inputs.notes])


def _function(library: LiftedBuild, name: str) -> IrFunction:
    """The function of that name, whichever module has it. Raises NotModelled where none has."""
    for module in library.program.modules:
        found = module.function(name) if name in module.texts else None
        if found is not None:
            return found
    raise NotModelled(f"no function {name}")


def _lifting(
    library: LiftedBuild,
    lifter: Lifter,
    result: Value | None,
    after: Sequence[LiftedWord],
    entry: int,
    notes: Sequence[str],
) -> BlockLifting:
    """What was lifted, entries as the model has them: words of `entry` bytes."""
    alg = lifter.alg
    undefined = [
        *lifter.undefined,
        *lifter.outside,
        *(Undefinedness(u.condition, f"not modelled: {u.reason}") for u in lifter.lost),
    ]
    for value in (*after, result):
        poison = None if value is None else lifter.values.poison(value)
        if poison is not None:
            undefined.append(Undefinedness(poison, "a result is poison"))
    width = (
        None
        if result is None
        else 0 if isinstance(result, Truth) else lifter.values.as_word(result).width
    )
    term = result.term if isinstance(result, (LiftedWord, Truth)) else None
    if width == 8 * entry:
        term = _stored(library, alg, term, entry)
    left = tuple(_stored(library, alg, w.term, entry) for w in after)
    return BlockLifting(term, width, left, tuple(undefined), (*notes, *lifter.notes))


def _arguments(
    library: LiftedBuild,
    lifter: Lifter,
    function: IrFunction,
    ptep: Value,
    args: Mapping[str, Any],
    free: Free,
    entry: int,
) -> tuple[list[Value], Object | None]:
    """What a function is called with, and the object for a structure that it returns, if it does.

    Raises NotModelled.
    """
    alg = lifter.alg
    values: list[Value] = []
    returned = None
    for param in function.params:
        name = param.name.removesuffix(".coerce")
        if isinstance(param.type, Pointer):
            if name in ("ptep", "orig_ptep"):
                values.append(ptep)
                continue
            obj = (
                laid_object(lifter, library.build.entries, name, args[name], entry)
                if name in args
                else lifter.object(name, None)
            )
            returned = obj if name == "agg.result" else returned
            values.append(lifter.pointer(obj))
        elif isinstance(param.type, Int):
            given = args[name] if name in args else free.input_word(name, param.type.width)
            if param.type.width == 1:
                values.append(Truth(alg.truth(bool(given)) if isinstance(given, int) else given))
                continue
            if name in ENTRIES and name in args:
                given = _stored(library, alg, given, entry)
            wide = param.type.width
            values.append(
                lifter.values.word(given, wide)
                if isinstance(given, int)
                else _word(alg, given, wide)
            )
        else:
            raise NotModelled(f"{function.name} takes something that is no word")
    return values, returned


def _block(
    library: LiftedBuild, alg: Algebra[Any, Any], entries: Sequence[Any], size: int
) -> Object:
    """The entries side by side, as the build's lie in memory."""
    stored = [_stored(library, alg, entry, size) for entry in entries]

    def initial(unit: int) -> LiftedWord:
        if size == 8:
            return _word(alg, stored[unit // 8], 64)
        first, second = stored[unit // 4:unit // 4 + 2]
        high, low = (first, second) if library.main.layout.big_endian else (second, first)
        return _word(alg, alg.concat(high, low, 32, 32), 64)

    return Object("block", size * len(entries), size * (len(entries) & -len(entries)), initial)


def _stored(library: LiftedBuild, alg: Algebra[Any, Any], term: Any, size: int) -> Any:
    """An entry as memory and C's pte_t have it, or what they have as an entry."""
    return reverse_bytes(alg, term, size) if BIG_ENDIAN in library.build.entries else term


def _found(obj: Object) -> Action:
    def action(lifter: Context, instr: Instr, args: list[Any], state: WayState) -> Value:
        lifter.note(f"the address is that of the {obj.name}")
        return lifter.pointer(obj)

    return action


def _first_level(alg: Algebra[Any, Any], free: Free, tables: FirstLevel) -> Object:
    """Four entries of the first level, of which two may lead to the block."""
    twice = 1 << 32 | 1

    def initial(unit: int) -> LiftedWord:
        word = alg.band(
            free.input_word(f"first level[{unit}]", 64),
            alg.word(~(tables.mask * twice) & (1 << 64) - 1, 64),
            64,
        )
        return _word(alg, alg.bor(word, alg.word(tables.value * twice, 64), 64), 64)

    return Object("first level", 4 * FIRST_LEVEL, 4 * FIRST_LEVEL, initial)


def _table(block: Object, size: int) -> Action:
    def action(lifter: Context, instr: Instr, args: list[Any], state: WayState) -> Value:
        lifter.note("an entry of the first level leads to its part of the block")
        (case,) = lifter.values.as_address(args[0], lifter.pointer_width).cases
        if case.offset.number is None:
            raise NotModelled("it is not known which entry of the first level is walked")
        return lifter.pointer(block, case.offset.number // FIRST_LEVEL * size)

    return action


def _word(alg: Algebra[Any, Any], term: Any, width: int) -> LiftedWord:
    return LiftedWord(width, term, term if isinstance(alg, Integers) else None)
