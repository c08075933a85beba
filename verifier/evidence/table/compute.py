# SPDX-License-Identifier: GPL-2.0-or-later
"""Which architecture does what: computed from the helpers, never written down.

A bit carries a truth of entries where flipping it alone changes what the helper says of some entry.
A bit is spare where no helper on one entry looks at it, none changes it, and no field has it.
Traits and laws are statements (specs/traits.yaml, specs/laws.yaml) that are proved, or refuted with
a value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from verifier.engine.answers import Sat
from verifier.engine.bits import Bits, Word
from verifier.engine.bits_solver import BitsSolver
from verifier.kernel.conform.laws import LawResult, judge_law
from verifier.language.evaluate import evaluated, truth_of, word_of
from verifier.language.machine import Machine
from verifier.language.syntax import BOOL, Function
from verifier.model.arch import Layout
from verifier.model.laws import Law, load_laws
from verifier.prove.bits_way import graph_inputs
from verifier.run.library import Library

__all__ = ["VariantRow", "table"]

CARRIED = {"write": "pte_write", "dirty": "pte_dirty", "young": "pte_young",
           "soft-dirty": "pte_soft_dirty", "uffd-wp": "pte_uffd_wp", "special": "pte_special",
           "swap-exclusive": "pte_swp_exclusive"}
# What takes a word that is no entry out of one.
NO_ENTRY = ("pte_pfn", "pte_pgprot", "pte_protection", "pte_memory_type", "pte_val", "pte_to_pgoff",
            "pte_to_phys")
CHANGES = {"set_wrprotect": "ptep_set_wrprotect", "get_and_clear": "ptep_get_and_clear",
           "access_flags": "ptep_set_access_flags"}


@dataclass(frozen=True, slots=True)
class VariantRow:
    """One variant: its bits, its spare bits, who sets dirty, and statements about helpers.

    carried  truth -> bits, with the names of their fields
    spare    bits of a present entry that no helper on one pte reads or writes
    setters  hardware events, or refill code, that may change an entry without the lock
    """

    variant: str
    width: int
    carried: Mapping[str, tuple[str, ...]]
    spare: tuple[int, ...]
    setters: tuple[str, ...]
    steps: Mapping[str, bool]
    statements: tuple[LawResult, ...]
    unproved: str


def table(
    library: Library, variants: Sequence[str], progress: Callable[[str], None] = lambda _: None
) -> list[VariantRow]:
    """A row for each variant."""
    files = [library.spec_folder / name for name in ("traits.yaml", "laws.yaml")]
    laws = [law for file in files if file.is_file() for law in load_laws(file)]
    rows = []
    for name in variants:
        progress(name)
        rows.append(_row(library.layout(name), laws))
    return rows


def _row(layout: Layout, laws: Sequence[Law]) -> VariantRow:
    entry = _Entry(layout)
    try:
        carried = {}
        for truth, helper in CARRIED.items():
            function, swap = layout.function(helper), "swp" in helper
            bits = [b for b in range(layout.width) if function is not None
                    and entry.decides(function, b, not swap)]
            carried[truth] = tuple(_named(layout, bit, swap) for bit in bits)
        spare = tuple(b for b in range(layout.width) if _is_spare(entry, layout, b))
    finally:
        entry.solver.close()
    steps = {name: _one_step(layout, layout.helper(helper)) for name, helper in CHANGES.items()}
    told = [judge_law(law, layout, None) for law in laws]
    return VariantRow(
        layout.variant.name,
        layout.width,
        carried,
        spare,
        layout.variant.hardware,
        steps,
        tuple(told),
        layout.variant.unproved,
    )


def _named(layout: Layout, bit: int, swap: bool) -> str:
    """A bit with the name of a field that is this bit alone, else of one that has it."""
    found = [f for f in layout.fields.values() if f.low <= bit <= f.high]
    single = sorted((f for f in found if f.low == f.high),
                    key=lambda f: f.name.startswith("SWP") is not swap)
    name = single[0].name if single else found[0].name if found else "-"
    return f"{bit} {name}"


class _Entry:
    """An entry of a layout, and the same with one bit flipped.

    It is present, or for helpers about swap not present.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout, self.graph = layout, Bits()
        self.solver = BitsSolver(self.graph)
        self.machine = Machine(self.graph)
        self.pte = self.graph.input_word("pte", layout.width)
        self.present = truth_of(self.machine, layout.helper("pte_present"), (self.pte,))

    def flipped(self, bit: int) -> Word:
        return self.graph.bxor(self.pte, self.graph.word(1 << bit, self.layout.width),
                               self.layout.width)

    def possible(self, *conditions: int) -> bool:
        return isinstance(self.solver.check(conditions, ()), Sat)

    def decides(self, function: Function, bit: int, present: bool) -> bool:
        """Does flipping the bit change a truth, for an entry that is present, or not, both ways?"""
        other = self.flipped(bit)
        reads = self.layout.helper("pte_present")
        both = [truth_of(self.machine, reads, (pte,)) ^ int(not present)
                for pte in (self.pte, other)]
        return self.possible(*both, self._differ(function, self.pte, other))

    def _differ(self, function: Function, one: Word, other: Word) -> int:
        """The condition that a truth is not the same of two entries."""
        return self.graph.xor(*(truth_of(self.machine, function, (pte,)) for pte in (one, other)))

    def touches(self, function: Function, bit: int) -> bool:
        """Does a helper look at the bit of a present entry, or change it, and not only keep it?"""
        other = self.flipped(bit)
        if function.returns == BOOL:
            return self.possible(self.present, self._differ(function, self.pte, other))
        first, second = (word_of(self.machine, function, (pte,)) for pte in (self.pte, other))
        wrong = [self.graph.xor(a, b)
                 for i, (a, b) in enumerate(zip(first.bits, second.bits, strict=True)) if i != bit]
        wrong += [self.graph.same(first.bits[bit], second.bits[bit]),
                  self.graph.xor(first.bits[bit], self.pte.bits[bit])]
        return self.possible(self.present, self.graph.any(*wrong))


def _on_one_entry(layout: Layout, name: str) -> Function | None:
    """The helper, if it takes one pte and gives a truth or a pte."""
    function = layout.helper(name)
    alone = (len(function.params) == 1 and function.params[0].type == layout.width
             and not function.params[0].by_ref)
    fits = alone and function.returns in (BOOL, layout.width) and name.startswith("pte_")
    return (function if fits and "swp" not in name and name not in NO_ENTRY
            and not name.startswith("pte_marker") else None)


def _is_spare(entry: _Entry, layout: Layout, bit: int) -> bool:
    """Does no helper on one present entry look at the bit or change it, and no field have it?"""
    if any(f.low <= bit <= f.high for f in layout.fields.values() if not f.name.startswith("SWP")):
        return False
    found = (_on_one_entry(layout, name) for name in layout.helpers())
    return not any(entry.touches(function, bit) for function in found if function is not None)


class _Watching(Machine[Word, int]):
    """Remembers whether there was a point at which hardware may act."""

    seen = False

    def hardware(self, process: int | None, entry: Word, label: str) -> Word:
        self.seen = True
        return entry


def _one_step(layout: Layout, function: Function) -> bool:
    """Does the read-modify-write let nothing in between?"""
    graph = Bits()
    machine = _Watching(graph)
    evaluated(
        machine, function, {p.name: graph_inputs(graph)(p.name, p.type) for p in function.params}
    )
    return not machine.seen
