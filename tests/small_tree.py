# SPDX-License-Identifier: GPL-2.0-or-later
"""A folder that looks like a kernel tree, with a few functions of ours, and patches to it."""

from __future__ import annotations

import difflib
from pathlib import Path

from verifier.kernel.tree.tree import MARKS

# What stands for the kernel's: each function is one that specs/ speaks of, or is used by one.
MEMORY = """\
#include <linux/mm.h>

static bool may_reuse(struct page *page)
{
\treturn page_count(page) == 1;
}

static void wp_page_reuse(struct vm_fault *vmf)
{
\tpte_t entry = vmf->orig_pte;

\tif (may_reuse(vmf->page))
\t\tentry = maybe_mkwrite(pte_mkdirty(entry), vmf->vma);
\tset_pte_at(vmf->vma->vm_mm, vmf->address, vmf->pte, entry);
}

static void plain(void)
{
\tdo_nothing();
}
"""
HEADER = """\
#ifndef PGTABLE_H
#define PGTABLE_H
static inline int page_count(struct page *page)
{
\treturn page->count;
}
#endif
"""
FILES = {"mm/memory.c": MEMORY, "include/linux/pgtable.h": HEADER, "mm/Kconfig": "config SWAP\n",
         "drivers/a/b.c": "int b;\n", "kernel/sched.c": "int s;\n"}


def small_tree(folder: Path, **files: str) -> Path:
    """A tree of these files beside those of FILES and what every tree has."""
    for name in MARKS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    (folder / "Makefile").write_text("VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 1\nEXTRAVERSION =\n")
    for name, text in (FILES | files).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def edit(name: str, old: str, new: str, before: str | None = None) -> str:
    """The diff that replaces a text in one file."""
    text = FILES[name] if before is None else before
    assert text.count(old) == 1, (name, old)
    lines = difflib.unified_diff(text.splitlines(keepends=True),
                                 text.replace(old, new).splitlines(keepends=True),
                                 f"a/{name}", f"b/{name}")
    return "".join(lines)


def mail(subject: str, *diffs: str) -> str:
    """A mail of git format-patch."""
    return (f"From {'0' * 40} Mon Sep 17 00:00:00 2001\nFrom: A B <a@b>\n"
            f"Subject: [PATCH{subject}\n\nWhy.\n---\n" + "".join(diffs) + "-- \n2.47.0\n\n")
