# SPDX-License-Identifier: GPL-2.0-or-later
"""What arm64's contiguous block functions do to every entry, in terms of the model's helpers: claims, and their proofs.

Each claim speaks of a whole block of free entries (16, 32 or 128, as the variant says) and is proved on the lifted C.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from verifier.arch import Layout
from verifier.evaluate import call
from verifier.kernel.actions import Action
from verifier.kernel.blocks import BlockLifting, Tables, lift_block
from verifier.kernel.helpers import Library, known_features
from verifier.kernel.questions import Backend, make_backend
from verifier.kernel.values import Incomplete
from verifier.machine import Machine
from verifier.solve import Sat, Undecided, Unsat

__all__ = ["CLAIMS", "Block", "Claim", "ClaimResult", "prove_block_claims", "prove_claim"]


@dataclass(frozen=True, slots=True)
class Block:
    """A block before and after, with the model's helpers at hand."""

    layout: Layout
    alg: Any
    machine: Machine
    before: tuple[Any, ...]
    after: tuple[Any, ...]
    result: Any
    width: int | None
    args: Mapping[str, Any]

    def __call__(self, helper: str, *args: Any) -> Any:
        """A helper of the model."""
        return call(self.machine, self.layout.helper(helper), args)

    def some(self, helper: str) -> Any:
        return self.alg.any(*[self(helper, entry) for entry in self.before])

    def each(self, claim: Callable[[Any, Any], Any]) -> Any:
        """A claim about every entry: (before, after) -> truth."""
        return self.alg.all(*[claim(b, a) for b, a in zip(self.before, self.after, strict=True)])

    def same(self, a: Any, b: Any) -> Any:
        return self.alg.eq(a, b, self.layout.width)

    def if_(self, condition: Any, then: Any) -> Any:
        return self.alg.any(self.alg.neg(condition), then)

    def nonzero(self) -> Any:
        width = self.width or 0
        return self.result if width == 0 else self.alg.neg(self.alg.eq(self.result, self.alg.word(0, width), width))


@dataclass(frozen=True, slots=True)
class Claim:
    """`says` holds of the function, called on a whole block with these arguments (a text: a free word of that name).

    when  what is true of the block and arguments when it is called; None: nothing is known
    at    which entry the pointer is at; -1: the last, whose address is `addr`
    known bits of free words that `when` says, so that no solver is asked: name (entry[n], or a text of args), mask, value
    """

    function: str
    says: str
    args: Mapping[str, int | str]
    holds: Callable[[Block], Any]
    when: Callable[[Block], Any] | None = None
    at: int = 0
    known: tuple[tuple[str, int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """proved, refuted, or incomplete with a reason."""

    variant: str
    claim: Claim
    entries: int
    verdict: str
    reason: str
    seconds: float


def _union(b: Block, helper: str, orig: str) -> Any:
    return b.alg.same(b(helper, b.result), b.alg.any(b(helper, b.args[orig]), b.some(helper)))


WHOLE: Mapping[str, int | str] = {"addr": 0, "nr": -1}
def _consistent(b: Block) -> Any:
    """A block as set_ptes and fold make it: valid, contiguous, frames in a row, equal but for accessed and dirty."""
    first = b.before[0]
    step = 1 << b.layout.variant.constants["PAGE_SHIFT"]
    frame = b("pte_pfn", first)

    def plain(entry: Any) -> Any:
        return b("pte_mkold", b("pte_mkclean", entry))

    start = b.alg.band(frame, b.alg.word(~(len(b.before) - 1) & (1 << 64) - 1, 64), 64)
    return b.alg.all(b.same(frame, start), *[
        b.alg.all(b("pte_valid_cont", entry), b.same(plain(entry), b.alg.add(plain(first), b.alg.word(n * step, 64), 64)))
        for n, entry in enumerate(b.before)])


def _folded(b: Block) -> Any:
    """Nothing has changed, or the entries are one block, which is dirty, young if one was, or the one in hand."""
    given = b.args["pte"]
    same = [b.alg.all(b("pte_cont", e), b.alg.same(b("pte_write", e), b("pte_write", given)),
                      *[b.alg.same(b(h, e), b.alg.any(b(h, given), b.some(h))) for h in ("pte_dirty", "pte_young")]) for e in b.after]
    return b.alg.any(b.each(b.same), b.alg.all(*same))


CLAIMS: tuple[Claim, ...] = (
    Claim("contpte_ptep_get", "the entry read is dirty, and young, if and only if one of the block or the one in hand is", {"orig_pte": "orig"},
          lambda b: b.alg.all(_union(b, "pte_dirty", "orig_pte"), _union(b, "pte_young", "orig_pte"))),
    Claim("contpte_ptep_get", "no entry changes", {"orig_pte": "orig"}, lambda b: b.each(b.same)),
    Claim("contpte_wrprotect_ptes", "every entry becomes what pte_wrprotect makes of it: it keeps its own dirty", WHOLE,
          lambda b: b.each(lambda old, new: b.same(new, b("pte_wrprotect", old)))),
    Claim("contpte_clear_young_dirty_ptes", "with CYDP_CLEAR_YOUNG every entry becomes old, and nothing else changes", {**WHOLE, "flags": 1},
          lambda b: b.each(lambda old, new: b.same(new, b("pte_mkold", old)))),
    Claim("contpte_clear_young_dirty_ptes", "with CYDP_CLEAR_DIRTY every entry becomes clean", {**WHOLE, "flags": 2},
          lambda b: b.each(lambda old, new: b.same(new, b("pte_mkclean", old)))),
    Claim("contpte_get_and_clear_full_ptes", "every entry becomes none", {**WHOLE, "full": 0},
          lambda b: b.each(lambda old, new: b("pte_none", new))),
    Claim("contpte_get_and_clear_full_ptes", "the entry returned is dirty if and only if one of the block was", {**WHOLE, "full": 0},
          lambda b: b.alg.same(b("pte_dirty", b.result), b.some("pte_dirty"))),
    Claim("contpte_set_ptes", "of a present entry every new one has its dirty and its write", {**WHOLE, "pte": "new"},
          lambda b: b.if_(b("pte_present", b.args["pte"]), b.alg.all(*[
              b.alg.all(b.alg.same(b("pte_dirty", e), b("pte_dirty", b.args["pte"])),
                        b.alg.same(b("pte_write", e), b("pte_write", b.args["pte"]))) for e in b.after]))),
    Claim("contpte_ptep_test_and_clear_young", "every entry becomes old, and the answer is whether one was young", {"addr": 0},
          lambda b: b.alg.all(b.each(lambda old, new: b.same(new, b("pte_mkold", old))), b.alg.same(b.nonzero(), b.some("pte_young")))),
    Claim("__contpte_try_unfold", "every entry leaves the block, and is dirty if and only if one of the block or the one in hand was",
          {"addr": 0, "pte": "orig"},
          lambda b: b.alg.all(*[b.alg.all(b.alg.neg(b("pte_cont", e)), b.if_(b("pte_cont", b.args["pte"]), b.alg.same(
              b("pte_dirty", e), b.alg.any(b("pte_dirty", b.args["pte"]), b.some("pte_dirty"))))) for e in b.after])),
    Claim("contpte_ptep_set_access_flags", "of entries that are well formed, none stops being dirty", {"addr": 0, "entry": "new", "dirty": 1},
          lambda b: b.if_(b.alg.all(b("pte_well_formed", b.args["entry"]), *[b.alg.all(b("pte_present", e), b("pte_well_formed", e)) for e in b.before]),
                          b.each(lambda old, new: b.if_(b("pte_dirty", old), b("pte_dirty", new))))),
    Claim("__contpte_try_fold", "nothing changes, or every entry is in the block, with the write of the one in hand, dirty and young if and only if one was",
          {"pte": "new", "addr": "last"}, _folded, at=-1),
    Claim("contpte_ptep_get_lockless", "of a block as the kernel makes it, what is read is dirty, and young, if and only if one entry is, and has its write", {},
          lambda b: b.alg.all(b.alg.same(b("pte_write", b.result), b("pte_write", b.before[0])),
                              *[b.alg.same(b(h, b.result), b.some(h)) for h in ("pte_dirty", "pte_young")]), when=_consistent),
)


def prove_block_claims(library: Library, layout: Layout, backend: str = "z3", timeout: float | None = 60) -> list[ClaimResult]:
    """Every claim, on a block of this variant's size."""
    count = layout.variant.constants["CONT_PTES"]
    return [prove_claim(library, layout, claim, count, make_backend(backend, timeout)) for claim in CLAIMS]


def prove_claim(
    library: Library, layout: Layout, claim: Claim, count: int, backend: Backend, actions: Mapping[str, Action] | None = None,
    tables: Tables | None = None,
) -> ClaimResult:
    """One claim on a block of this many entries; `actions` answer functions in their place, `tables` lead to the block."""
    start = time.perf_counter()

    def result(verdict: str, reason: str = "") -> ClaimResult:
        return ClaimResult(layout.variant.name, claim, count, verdict, reason, time.perf_counter() - start)

    alg, free = backend.alg, backend.free
    known = {name: (mask, value) for name, mask, value in claim.known}

    def word(name: str) -> Any:
        mask, value = known.get(name, (0, 0))
        width = layout.width
        rest = alg.band(free.input_word(name, width), alg.word(~mask & (1 << width) - 1, width), width)
        return alg.bor(rest, alg.word(value, width), width)

    before = tuple(word(f"entry[{n}]") for n in range(count))
    args: dict[str, Any] = {}
    for name, value in claim.args.items():
        args[name] = word(value) if isinstance(value, str) else count if value == -1 else value
    at = count - 1 if claim.at == -1 else claim.at
    given = []
    if claim.args.get("addr") == "last":
        args["addr"] = at << layout.variant.constants["PAGE_SHIFT"]
    if claim.when is not None:
        given.append(claim.when(Block(layout, alg, Machine(alg), before, (), None, None, args)))
        if not isinstance(backend.check(given), Sat):
            return result("incomplete", "vacuous: no block is as the claim assumes")
    feasible = (lambda path: alg.known(path) or not isinstance(backend.check([*given, path]), Unsat)) if given else None
    try:
        lifted = lift_block(library, claim.function, alg, free, before, args, known_features(library, layout.variant.features),
                            index=at, actions=actions, feasible=feasible, walks=("huge_pte_offset",), bits=layout.width,
                            tables=tables)
    except Incomplete as error:
        return result("incomplete", str(error))
    return _decide(backend, layout, claim, before, args, lifted, given, result)


def _decide(
    backend: Backend, layout: Layout, claim: Claim, before: tuple[Any, ...], args: Mapping[str, Any], lifted: BlockLifting,
    given: Sequence[Any], result: Callable[..., ClaimResult],
) -> ClaimResult:
    alg = backend.alg
    block = Block(layout, alg, Machine(alg), before, lifted.entries, lifted.result, lifted.width, args)
    undefined = alg.any(*[u.condition for u in lifted.undefined]) if lifted.undefined else alg.truth(False)
    answer = backend.check([*given, alg.any(undefined, alg.neg(claim.holds(block)))])
    if isinstance(answer, Undecided):
        return result("incomplete", f"the solver gave up: {answer.reason}")
    if not isinstance(answer, Sat):
        return result("proved")
    if isinstance(backend.check([*given, alg.neg(undefined), alg.neg(claim.holds(block))]), Sat):
        return result("refuted", _shown(claim, answer.model))
    return result("incomplete", "; ".join(dict.fromkeys(u.reason for u in lifted.undefined)))


def _shown(claim: Claim, model: Mapping[str, int | bool]) -> str:
    """The first words of a model, entries in their order, with the bits that were known."""
    known = {name: (mask, value) for name, mask, value in claim.known}
    words = sorted((name for name in model if name[:1] != "*"), key=lambda name: (len(name), name))
    told = []
    for name in words[:6]:
        mask, value = known.get(name, (0, 0))
        told.append(f"{name} = {int(model[name]) & ~mask | value:#x}")
    return ", ".join(told)
