# SPDX-License-Identifier: GPL-2.0-or-later
"""Flushes of a function of mm/: which it makes, asks for, or leaves for later.

On x86 they are calls, and C that stands in for these notes them. A flush counts where the wrapper's
first entry is none that the hardware walks then, or is what it is at the end: else a translation
of what it was in between may be cached anew. Elsewhere they are assembly, and are not noted.

Not looked at: which addresses a flush is about, beside whose mm it is.
"""

from __future__ import annotations

from verifier.kernel.llvm.read_module import Module

__all__ = ["FLUSHES", "FLUSH_NAMES", "NOTES", "TOLD", "flush_symbol", "notes_flushes"]

# What is told of a function, in this order, behind the page's flags: C, true or false.
TOLD = {
    "flushes": "pteproof_flushed && pteproof_may_have_flushed()",
    "flushes what is batched": "pteproof_flushes_batch",
    "leaves a flush for later": "pteproof_later",
    "batches": "pteproof_batched",
    "batches a dirty one": "pteproof_batched_dirty",
}
NOTES = """\
static struct mm_struct *pteproof_mm;
static bool pteproof_flushed, pteproof_flushes_batch, pteproof_later, pteproof_batched,
            pteproof_batched_dirty;
static unsigned long pteproof_at_flush;"""
# The functions that stand in for the kernel's take the first of its arguments, as far as these are
# of use.
FLUSHES = """\
#ifdef CONFIG_X86
#include <asm/tlb.h>
static void pteproof_note(struct mm_struct *mm)
{
  if (mm != pteproof_mm)
    return;
  pteproof_flushed = true;
  pteproof_at_flush = *(unsigned long *)pteproof_entry;
}
static __attribute__((used)) void pteproof_flush__flush_tlb_page(struct vm_area_struct *vma)
{ pteproof_note(vma->vm_mm); }
static __attribute__((used)) void pteproof_flush__flush_tlb_mm_range(struct mm_struct *mm)
{ pteproof_note(mm); }
static __attribute__((used)) void pteproof_flush__flush_tlb_batched_pending(struct mm_struct *mm)
{ if (mm == pteproof_mm) pteproof_flushes_batch = true; }
static __attribute__((used)) void pteproof_flush__tlb_flush_pte_range(void)
{ pteproof_later = true; }
static __attribute__((used)) void pteproof_flush__tlb_flush_pmd_range(void)
{ pteproof_later = true; }
static __attribute__((used)) void pteproof_flush__set_tlb_ubc_flush_pending(
  struct mm_struct *mm, pte_t pteval)
{
  if (mm != pteproof_mm || !pte_accessible(mm, pteval))
    return;
  pteproof_batched = true;
  if (pte_dirty(pteval) || atomic_read(&mm->tlb_flush_pending))
    pteproof_batched_dirty = true;
}
static bool pteproof_may_have_flushed(void)
{
  return !(pteproof_at_flush & _PAGE_PRESENT) ||
         pteproof_at_flush == *(unsigned long *)pteproof_entry;
}
#else
static bool pteproof_may_have_flushed(void) { return false; }
#endif"""
FLUSH_NAMES = ("flush_tlb_page", "flush_tlb_mm_range", "flush_tlb_batched_pending",
               "tlb_flush_pte_range", "tlb_flush_pmd_range", "set_tlb_ubc_flush_pending")


def flush_symbol(name: str) -> str:
    """The name in C of what notes a flush."""
    return f"pteproof_flush__{name}"


def notes_flushes(module: Module) -> bool:
    """Are flushes noted on the architecture that a module is compiled for?"""
    return module.function(flush_symbol(FLUSH_NAMES[0])) is not None
