# SPDX-License-Identifier: GPL-2.0-or-later
"""Claims about functions of the kernel on a whole block of free entries, in terms of the model's
helpers, and their decision.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from verifier.kernel.asm.templates import Action
from verifier.kernel.claims.blocks import lift_block
from verifier.kernel.conform.decide import (
    ClaimFails,
    ClaimQuestion,
    Setting,
    Verdict,
    assumed,
    decide,
    why,
    word,
)
from verifier.kernel.conform.helpers import LiftedBuild, known_features
from verifier.kernel.conform.questions import Backend
from verifier.language.evaluate import call
from verifier.language.machine import Machine
from verifier.model.arch import Layout
from verifier.model.arch_records import FirstLevel

__all__ = ["EntryBlock", "Claim", "ClaimResult", "prove_claim"]

MOST_TOLD = 12  # runs of entries that a text shows


@dataclass(frozen=True, slots=True)
class EntryBlock:
    """A block before and after, with the model's helpers at hand."""

    layout: Layout
    alg: Any
    machine: Machine[Any, Any]
    before: tuple[Any, ...]
    after: tuple[Any, ...]
    result: Any
    width: int | None
    args: Mapping[str, Any]

    def __call__(self, helper: str, *args: Any) -> Any:
        """A helper of the model."""
        return call(self.machine, self.layout.helper(helper), args)

    def some(self, helper: str) -> Any:
        """The truth that a helper is true of some entry of the block before."""
        return self.alg.any(*[self(helper, entry) for entry in self.before])

    def each(self, claim: Callable[[Any, Any], Any]) -> Any:
        """A claim about every entry: (before, after) -> truth."""
        return self.alg.all(*[claim(b, a) for b, a in zip(self.before, self.after, strict=True)])

    def same(self, a: Any, b: Any) -> Any:
        """The truth that two entries are equal in all bits."""
        return self.alg.eq(a, b, self.layout.width)

    def if_(self, condition: Any, then: Any) -> Any:
        """The truth that the condition is false or `then` holds."""
        return self.alg.any(self.alg.neg(condition), then)

    def nonzero(self) -> Any:
        """The truth that the function returned something other than 0."""
        width = self.width or 0
        return (
            self.result
            if width == 0
            else self.alg.neg(self.alg.eq(self.result, self.alg.word(0, width), width))
        )


@dataclass(frozen=True, slots=True)
class Claim:
    """`says` holds of the function, called on a whole block with these arguments.

    args   parameter -> a text, a free word of that name; "at": the address of the entry that the
           pointer is at; -1: how many entries there are; another number: itself
    when   what is true of the block and the arguments when it is called; None: nothing is known
    at     which entry the pointer is at; -1: the last
    known  bits of free words that `when` says, so that no solver is asked: name (entry[n], or a
           text of args), mask, value
    """

    function: str
    says: str
    args: Mapping[str, int | str]
    holds: Callable[[EntryBlock], Any]
    when: Callable[[EntryBlock], Any] | None = None
    at: int = 0
    known: tuple[tuple[str, int, int], ...] = ()

    @property
    def words(self) -> dict[str, str]:
        """Free words that are arguments -> C's names of those."""
        return {
            value: name
            for name, value in self.args.items()
            if isinstance(value, str) and value != "at"
        }


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """What was found of a claim."""

    variant: str
    claim: Claim
    entries: int
    found: Verdict[EntryBlock]
    seconds: float

    @property
    def verdict(self) -> str:
        """What was found, as a word."""
        return word(self.found)

    @property
    def reason(self) -> str:
        """Why, in words: of a claim that is refuted, with the entries that show it."""
        match self.found:
            case ClaimFails(values=values, shown=block):
                return "; ".join(_told(self.claim, values, block))
            case _:
                return why(self.found)


def prove_claim(
    library: LiftedBuild,
    layout: Layout,
    claim: Claim,
    count: int,
    backend: Backend,
    actions: Mapping[str, Action] | None = None,
    tables: FirstLevel | None = None,
) -> ClaimResult:
    """One claim on a block of this many entries.

    `actions` answer functions in their place; `tables` lead to the block.
    """
    start = time.perf_counter()
    first = [*claim.words, *[f"entry[{n}]" for n in range(count)]]
    found = decide(
        backend,
        lambda setting: _put(library, layout, claim, count, setting, actions, tables),
        first,
    )
    return ClaimResult(layout.variant.name, claim, count, found, time.perf_counter() - start)


def _put(
    library: LiftedBuild,
    layout: Layout,
    claim: Claim,
    count: int,
    setting: Setting,
    actions: Mapping[str, Action] | None,
    tables: FirstLevel | None,
) -> ClaimQuestion[EntryBlock]:
    """The claim over an algebra: the function lifted on a block of its words."""
    alg, free, width = setting.alg, setting.free, layout.width
    known = {name: (mask, value) for name, mask, value in claim.known}

    def word(name: str) -> Any:
        mask, value = known.get(name, (0, 0))
        rest = alg.band(
            free.input_word(name, width), alg.word(~mask & (1 << width) - 1, width), width
        )
        return alg.bor(rest, alg.word(value, width), width)

    before = tuple(word(f"entry[{n}]") for n in range(count))
    at = claim.at % count
    numbers = {"at": at << layout.variant.constants["PAGE_SHIFT"], -1: count}
    args = {
        name: word(value) if value in claim.words else numbers.get(value, value)
        for name, value in claim.args.items()
    }
    given: tuple[Any, ...] = ()
    if claim.when is not None:
        given = (claim.when(EntryBlock(layout, alg, Machine(alg), before, (), None, None, args)),)
        assumed(setting, given)
    feasible = (
        (lambda path: alg.known(path) or setting.possible(alg.all(*given, path))) if given else None
    )
    lifted = lift_block(
        library,
        claim.function,
        alg,
        free,
        before,
        args,
        known_features(library, layout.variant.features),
        index=at,
        actions=actions,
        feasible=feasible,
        walks=("huge_pte_offset",),
        bits=width,
        tables=tables,
    )
    block = EntryBlock(
        layout, alg, Machine(alg), before, lifted.entries, lifted.result, lifted.width, args
    )
    return ClaimQuestion(given, lifted.undefined, alg.neg(claim.holds(block)), block)


def _told(claim: Claim, values: Mapping[str, int], block: EntryBlock) -> Iterator[str]:
    """A block over plain integers: what the function was given, and what it made of it."""
    names = claim.words
    yield ", ".join(
        [f"{text} = {int(block.args[name]):#x}" for text, name in names.items()]
        + _runs(block.before)
    )
    others = {
        k: v for k, v in values.items() if v and k not in names and not k.startswith("entry[")
    }
    if others:
        yield "with " + ", ".join(f"{name} = {value:#x}" for name, value in others.items())
    left = (
        "nothing changes"
        if block.before == block.after
        else f"leaves {', '.join(_runs(block.after))}"
    )
    yield left if block.result is None else f"{left}, returns {int(block.result):#x}"


def _runs(entries: Sequence[int]) -> list[str]:
    """Entries in their order; neighbours that are the same, or go up by the same, in one."""
    found = [f"entry[0] = {entries[0]:#x}"]
    n = 1
    while n < len(entries) and len(found) < MOST_TOLD:
        end, step = n + 1, entries[n + 1] - entries[n] if n + 1 < len(entries) else 0
        while end < len(entries) and entries[end] - entries[end - 1] == step >= 0:
            end += 1
        place = f"entry[{n}]" if end == n + 1 else f"entry[{n}..{end - 1}]"
        each = f" and {step:#x} more each" if step and end > n + 1 else ""
        found.append(f"{place} = {entries[n]:#x}{each}")
        n = end
    return found if n >= len(entries) else [*found, "..."]
