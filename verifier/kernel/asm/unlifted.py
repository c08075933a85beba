# SPDX-License-Identifier: GPL-2.0-or-later
"""What a helper calls that is not lifted: functions that do nothing to entries, and whoever else must be named.

The list is short on purpose: a function is on it only where it cannot change an entry, a vma's flags or a folio.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from verifier.kernel.asm import mips, powerpc, powerpc32, riscv, s390, small, sparc
from verifier.kernel.asm.inline import run_asm, take_branch
from verifier.kernel.asm.templates import Branch, Statement
from verifier.kernel.llvm.context import Context
from verifier.kernel.llvm.intrinsics import intrinsic
from verifier.kernel.llvm.ir import AsmText, Instr, Int, Void
from verifier.kernel.llvm.values import Incomplete, Truth, Value, Word
from verifier.kernel.llvm.ways import State

Action = Callable[[Context, Instr, list[Any], State], Value | None]

__all__ = ["CALLS", "HARMLESS", "KernelModels"]

# Function (a glob) -> why it leaves entries alone.
HARMLESS: Mapping[str, str] = {
    "flush_tlb_*": "flushes the translation buffer",
    "local_flush_tlb_*": "flushes the translation buffer",
    "flush_p[mu]d_tlb_range": "flushes the translation buffer",
    "__flush_tlb_*": "flushes the translation buffer",
    "native_flush_tlb_*": "flushes the translation buffer",
    "__warn_printk": "prints",
    "_printk": "prints",
    "warn_slowpath_fmt": "prints",
    "__mmu_notifier_arch_invalidate_secondary_tlbs": "tells devices to flush",
    "__sync_icache_dcache": "cleans caches of a page, and a flag of its folio",
    "flush_dcache_range": "cleans caches",
    "flush_icache_pte": "cleans caches of a page, and a flag of its folio",
    "sync_icache_dcache": "cleans caches of a page",
    "flush_dcache_folio_all": "cleans caches of a page",
    "dcache_wb_line": "writes a line of the cache back",
    "mte_sync_tags": "clears the tags of a page",
    "__mte_sync_tags": "clears the tags of a page",
    "_tlbie": "flushes the translation buffer",
    "migrate_flush_tlb_page": "flushes the translation buffer",
    "__update_cache": "cleans caches of a page, and a flag of its folio",
    "flush_[di]cache_page_asm": "cleans caches of a page",
    "tlb_batch_add": "notes what is to be flushed, and cleans caches of a page",
    "__set_pmd_acct": "counts huge entries, and notes what is to be flushed",
    "sparc32_cachetlb_ops->tlb_*": "flushes the translation buffer",
    "flush_hugetlb_page": "flushes the translation buffer",
    "dump_page": "prints",
    "__cond_resched": "lets others run",
    "hpte_need_flush": "flushes an entry of the hash table, now or at the end of a batch",
    "hpte_do_hugepage_flush": "flushes entries of the hash table",
    "flush_hash_table_pmd_range": "flushes entries of the hash table",
    "serialize_against_pte_lookup": "waits until no other CPU walks the tables",
    "radix__flush_*": "flushes the translation buffer",
    "radix__local_flush_*": "flushes the translation buffer",
}

# Architecture -> models of its assembly, and of functions by name.
_ASSEMBLY: Mapping[str, tuple[Statement, ...]] = {
    "s390": s390.MODELS,
    "riscv": riscv.MODELS,
    "loongarch": small.LOONGARCH,
    "hexagon": small.HEXAGON,
    "arm": small.ARM,
    "mips": mips.MODELS,
    "powerpc": (*powerpc.MODELS, *powerpc32.MODELS),
}
_BRANCHES: Mapping[str, Branch] = {"riscv": riscv.branch}
CALLS: Mapping[str, Mapping[str, Action]] = {"s390": s390.CALLS, "sparc": sparc.CALLS}


@dataclass(slots=True)
class KernelModels:
    """The models of one run. `actions` go before everything else, also before a function's own body."""

    actions: Mapping[str, Action] = field(default_factory=dict)
    harmless: Mapping[str, str] = field(default_factory=lambda: HARMLESS)

    def asm(self, lifter: Context, text: AsmText, instr: Instr, args: list[Value], state: State) -> Value | None:
        return run_asm(lifter, text, instr, args, state, _ASSEMBLY)

    def branch(self, lifter: Context, text: AsmText, args: list[Value], labels: int) -> list[Any]:
        return take_branch(lifter, text, args, labels, _BRANCHES)

    def known(self, name: str) -> bool:
        return name in self.actions or name.startswith("llvm.") or self._why(name) is not None

    def _why(self, name: str) -> str | None:
        return next((why for glob, why in self.harmless.items() if fnmatch.fnmatchcase(name, glob)), None)

    def call(self, lifter: Context, name: str, instr: Instr, args: list[Any], state: State) -> Value | None:
        """What a call of a function gives, that has no body here."""
        if name in self.actions:
            return self.actions[name](lifter, instr, args, state)
        if name.startswith("llvm."):
            return intrinsic(lifter, name, instr, args, state)
        why = self._why(name)
        if why is None:
            raise Incomplete(f"calls {name}, which is neither here nor modelled")
        lifter.note(f"{name} {why}")
        return _unused(lifter, instr)


def _unused(lifter: Context, instr: Instr) -> Value | None:
    """A result that must not be used: poison."""
    match instr.type:
        case Void():
            return None
        case Int(1):
            return Truth(lifter.values.no, lifter.values.yes)
        case Int(width):
            found: Word = lifter.values.poison_word(width)
            return found
    raise Incomplete("a harmless function that returns an address")
