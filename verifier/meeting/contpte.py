# SPDX-License-Identifier: GPL-2.0-or-later
"""The forms on pointers of contiguous blocks, as specs/blocks/contpte/ has them, held against
arch/arm64/mm/contpte.c: each is equal to the kernel's C on a whole block of free entries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from verifier.base.errors import SolverError
from verifier.blocks.contpte import Contpte
from verifier.blocks.model import BlockModel, cell
from verifier.blocks.world import BlockWorld, block_keys
from verifier.kernel.claims.decide_claims import Claim, EntryBlock
from verifier.language.evaluate import call
from verifier.language.syntax import BOOL
from verifier.language.values import Value
from verifier.model.arch import Layout

__all__ = ["equal_claims"]

MIDDLE = 5  # the entry that a pointer is at, where it is at one of the block
FLAGS = ((1, True, False), (2, False, True), (3, True, True))  # cydp_t: young, dirty


@dataclass(frozen=True, slots=True)
class _Side:
    """What the language's form makes of a block: of process 0, in a world where nothing else is.

    first    the frame of the block's first page
    covered  one folio covers the block
    """

    model: BlockModel
    block: EntryBlock
    at: int  # the entry that the pointer is at

    def world(self, first: Any, covered: Any) -> BlockWorld[Any, Any]:
        alg, width = self.block.alg, self.model.layout.width
        state: dict[Any, Value] = {
            key: alg.truth(False) if kind == BOOL else alg.word(0, kind)
            for key, kind in block_keys(self.model)}
        state |= {cell("entry", 0, n): entry for n, entry in enumerate(self.block.before)}
        state |= {"pfn": first, "covered": covered}
        assert width == 64

        def nothing(name: str, kind: int) -> Value:
            raise SolverError(f"a form on pointers leaves {name} open")

        return BlockWorld(self.model, alg, state, nothing, self.model.memory(alg, nothing))

    def run(self, section: str, name: str, args: tuple[Value, ...], first: Any, covered: Any
            ) -> tuple[Any, list[Any]]:
        """What it gives, and the entries that it leaves."""
        world = self.world(first, covered)
        function = self.model.definition(section, name)
        assert function is not None
        found = call(world, function, args)
        return found, [world.state[cell("entry", 0, n)] for n in range(self.model.size)]


Holds = Callable[[_Side], Any]
_Args: TypeAlias = Mapping[str, int | str]
_Form: TypeAlias = tuple[str, str, _Args, int, Holds, Callable[[EntryBlock], Any] | None]


def equal_claims(contpte: Contpte, layout: Layout) -> list[Claim]:
    """The claims of one variant: today's text of each form is the kernel's C."""
    spec = contpte.as_of("today").spec
    count = layout.variant.constants["CONT_PTES"]
    model = BlockModel(spec, layout, spec.encodings["page-flag"], count, contpte.folds)
    return [_claim(model, *form) for form in _forms()]


def _claim(model: BlockModel, name: str, function: str, args: Mapping[str, int | str], at: int,
           holds: Holds, when: Callable[[EntryBlock], Any] | None) -> Claim:
    def claimed(block: EntryBlock) -> Any:
        return holds(_Side(model, block, at % model.size))

    given = "".join(f", {key} {value}" for key, value in args.items() if key == "flags")
    pointer = f", pointer at {at}" if "at" in args.values() and at >= 0 else ""
    return Claim(function, f"it is {name} of specs/blocks/contpte{given}{pointer}", args, claimed,
                 when, at)


def _forms() -> list[_Form]:
    """Each form: its name in specs/, the kernel's function, arguments, the pointer, what holds."""
    whole: _Args = {"addr": 0, "nr": -1}
    cleaned: list[_Form] = [
        ("age_and_clean_all", "contpte_clear_young_dirty_ptes", {**whole, "flags": flags}, 0,
         partial(_left, "age_and_clean_all", (young, dirty)), None)
        for flags, young, dirty in FLAGS]
    raised: list[_Form] = [
        ("contpte_ptep_set_access_flags", "contpte_ptep_set_access_flags",
         {"addr": "at", "entry": "new", "dirty": 1}, at, _raised, None) for at in (0, MIDDLE)]
    return [
        ("contpte_ptep_get", "contpte_ptep_get", {"orig_pte": "orig"}, MIDDLE, _gathered, None),
        ("contpte_ptep_get_lockless", "contpte_ptep_get_lockless", {}, MIDDLE, _lockless,
         _of_one_piece),
        ("contpte_convert", "__contpte_try_unfold", {"addr": "at", "pte": "orig"}, MIDDLE,
         _unfolded, None),
        ("__contpte_try_fold", "__contpte_try_fold", {"addr": "at", "pte": "new"}, -1, _folded,
         None),
        ("set_all", "contpte_set_ptes", {**whole, "pte": "new"}, 0, _set,
         lambda b: b.alg.neg(b("pte_cont", b.args["pte"]))),
        ("wrprotect_all", "contpte_wrprotect_ptes", whole, 0,
         partial(_left, "wrprotect_all", ()), None),
        *cleaned,
        ("age_all", "contpte_ptep_test_and_clear_young", {"addr": "at"}, MIDDLE, _aged, None),
        ("clear_all", "contpte_clear_full_ptes", {**whole, "full": 0}, 0,
         partial(_left, "clear_all", ()), None),
        ("clear_all", "contpte_get_and_clear_full_ptes", {**whole, "full": 0}, 0, _taken, None),
        *raised,
    ]


def _down(side: _Side, entry: Any) -> Any:
    """The frame of the first page of the block that the entry's frame lies in."""
    alg, count = side.block.alg, side.model.size
    return alg.band(side.block("pte_pfn", entry), alg.word(~(count - 1) & (1 << 64) - 1, 64), 64)


def _same(side: _Side, entries: list[Any]) -> Any:
    block = side.block
    return block.alg.all(*(block.same(a, b) for a, b in zip(block.after, entries, strict=True)))


def _off(side: _Side) -> Any:
    return side.block.alg.truth(False)


def _gathered(side: _Side) -> Any:
    block, orig = side.block, side.block.args["orig_pte"]
    found, left = side.run("views", "contpte_ptep_get", (0, orig), _down(side, orig), _off(side))
    return block.alg.all(block.same(block.result, found), _same(side, left))


def _lockless(side: _Side) -> Any:
    block = side.block
    found, left = side.run("views", "contpte_ptep_get_lockless", (0, MIDDLE),
                           _down(side, block.before[MIDDLE]), _off(side))
    return block.alg.all(block.same(block.result, found), _same(side, left))


def _of_one_piece(block: EntryBlock) -> Any:
    """Entries of a block as the kernel makes it: else the kernel reads again and again."""
    alg, first = block.alg, block.before[0]
    step = 1 << block.layout.variant.constants["PAGE_SHIFT"]
    low = alg.band(block("pte_pfn", first), alg.word(len(block.before) - 1, 64), 64)

    def plain(entry: Any) -> Any:
        return block("pte_mkold", block("pte_mkclean", entry))

    return alg.all(alg.eq(low, alg.word(0, 64), 64), *(
        alg.all(block("pte_valid_cont", entry),
                block.same(plain(entry), alg.add(plain(first), alg.word(n * step, 64), 64)))
        for n, entry in enumerate(block.before)))


def _unfolded(side: _Side) -> Any:
    """Of a mapping of a user, every entry leaves the block."""
    block, orig = side.block, side.block.args["pte"]
    given = block("pte_mknoncont", orig)
    _, left = side.run("procedures", "contpte_convert", (0, MIDDLE, given), _down(side, orig),
                       _off(side))
    return _same(side, left)


def _folded(side: _Side) -> Any:
    """Where the folio does not cover the block nothing changes; the C asks its struct pages."""
    block, pte = side.block, side.block.args["pte"]
    _, left = side.run("procedures", "__contpte_try_fold", (0, side.model.size - 1, pte),
                       _down(side, pte), block.alg.truth(True))
    return block.alg.any(_same(side, left), block.each(block.same))


def _set(side: _Side) -> Any:
    block, pte = side.block, side.block.args["pte"]
    first = _down(side, pte)
    covered = block.alg.eq(first, block("pte_pfn", pte), 64)
    _, left = side.run("procedures", "set_all", (0, pte), first, covered)
    return _same(side, left)


def _left(name: str, more: tuple[bool, ...], side: _Side) -> Any:
    """A form that takes the whole block, and gives nothing."""
    alg = side.block.alg
    _, left = side.run("procedures", name, (0, *(alg.truth(one) for one in more)), alg.word(0, 64),
                       _off(side))
    return _same(side, left)


def _taken(side: _Side) -> Any:
    """What is returned is the first entry, with what the others gather."""
    block = side.block
    found, _ = side.run("views", "gathered", (0,), block.alg.word(0, 64), _off(side))
    return block.alg.all(_left("clear_all", (), side), block.same(block.result, found))


def _aged(side: _Side) -> Any:
    block = side.block
    found, left = side.run("procedures", "age_all", (0,), block.alg.word(0, 64), _off(side))
    return block.alg.all(_same(side, left), block.alg.same(block.nonzero(), found))


def _raised(side: _Side) -> Any:
    block, asked = side.block, side.block.args["entry"]
    _, left = side.run("procedures", "contpte_ptep_set_access_flags", (0, side.at, asked),
                       _down(side, block.before[side.at]), _off(side))
    return _same(side, left)
