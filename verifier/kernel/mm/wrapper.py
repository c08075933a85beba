# SPDX-License-Identifier: GPL-2.0-or-later
"""The C that calls functions of one of the kernel's files: it includes the file, static functions
and all, and has a wrapper for each.

A wrapper sets up the page and the vmas as the model has them, calls, and tells what became of the
page's flags. Its stubs are C as well, so that the compiler checks them against what they stand for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from verifier.kernel.mm.flushes import FLUSHES, NOTES, TOLD
from verifier.kernel.mm.functions import MmFunction, Stub

__all__ = ["OBSERVED", "OUTSIDE", "stub_symbol", "wrapper_file", "wrapper_symbol"]

OBSERVED, OUTSIDE = "pteproof_observed_", "pteproof_outside_"
_MACRO = re.compile(r"\b(OBSERVE|OUTSIDE)\((\w+)\)")
_HEAD = """\
#define FLAGS_OF(of) (*(unsigned long *)&((struct page *)(of))->flags)
static struct page *pteproof_page;
static void *pteproof_entry;
static int pteproof_rounds;
static bool pteproof_defers __attribute__((unused));
#define PTEPROOF_ADDRESS 4096UL
unsigned long pteproof_place(unsigned long pfn) { return (unsigned long)pfn_to_page(pfn); }
unsigned long pteproof_size_pte(void) { return sizeof(pte_t); }
unsigned long pteproof_size_pmd(void) { return sizeof(pmd_t); }
"""


def wrapper_symbol(function: MmFunction) -> str:
    """The name of a function's wrapper in C."""
    return f"pteproof_mm_{function.symbol}"


def stub_symbol(function: MmFunction, stub: Stub) -> str:
    """The name in C of a stub as one function has it."""
    return f"pteproof_stub_{function.symbol}__{stub.name}"


def wrapper_file(
    source: str, functions: Iterable[MmFunction]
) -> tuple[str, dict[str, tuple[int, int]]]:
    """The text of C for these functions, which are all of the file `source` (an absolute path), and
    the lines that each has there, by name: from the first up to, and without, the last.
    """
    functions = tuple(functions)
    lines = "\n".join([f'#include "{source}"', *_declarations(functions), _HEAD, NOTES, FLUSHES]
                      ).splitlines()
    where: dict[str, tuple[int, int]] = {}
    for function in functions:
        first = len(lines) + 1
        parts = [function.before, *(_stub(function, stub) for stub in function.stubs)]
        lines += "\n".join([*parts, _wrapper(function)]).splitlines()
        where[function.name] = first, len(lines) + 1
    return "\n".join(lines) + "\n", where


def _declarations(functions: Iterable[MmFunction]) -> list[str]:
    """What OBSERVE and OUTSIDE become, declared."""
    texts = [text for f in functions for text in (f.call, f.before, *(s.code for s in f.stubs))]
    names = dict.fromkeys(match for text in texts for match in _MACRO.findall(text))
    flags = dict.fromkeys(flag for f in functions for flag in (*f.world.never, *f.world.vma))
    return [
        *(f"extern _Bool {OBSERVED}{name}(void);" if kind == "OBSERVE" else
          f"extern void {OUTSIDE}{name}(void);" for kind, name in names),
        # an architecture that has not got a flag has it 0
        *(f"#ifndef {flag}\n#define {flag} 0\n#endif" for flag in flags),
    ]


def _expanded(text: str) -> str:
    return _MACRO.sub(
        lambda m: f"{OBSERVED if m[1] == 'OBSERVE' else OUTSIDE}{m[2]}()", text
    )


def _stub(function: MmFunction, stub: Stub) -> str:
    """A stub has the type of what it stands for, or the compiler says so."""
    name = stub_symbol(function, stub)
    return (f"static typeof({stub.name}) {name} __attribute__((used));\n"
            f"static {_expanded(stub.code.replace('@', name)).strip()}")


def _wrapper(function: MmFunction) -> str:
    world = function.world
    declared = ", ".join([*(a.declaration for a in function.arguments), "unsigned char *out"])
    flags = [f"{flag} ? BIT({bit}) : 0" for flag, bit in world.flags.items()]
    bits = " | ".join(f"BIT({bit})" for bit in world.flags.values())
    lines = [
        world.set_up.strip(),
        f"FLAGS_OF(page) = (FLAGS_OF(page) & ~({bits})) | {' | '.join(f'({f})' for f in flags)};",
        "pteproof_page = page;",
        "pteproof_rounds = 0;",
        *_no_flush_yet(function),
        *(f"pteproof_entry = {entry.name};" for entry in function.entries()[:1]),
        *(_vma(function, vma) for vma in function.vmas),
        _expanded(function.call).strip(),
    ]
    truths = [*(f"!!(FLAGS_OF(page) & BIT({bit}))" for bit in world.flags.values()),
              *TOLD.values()]
    told = [f"out[{n}] = {truth};" for n, truth in enumerate(truths)]
    kind = "void" if function.result is None else "_Bool"
    before = [] if function.result is None else ["_Bool result;"]
    after = [] if function.result is None else ["return result;"]
    body = "\n  ".join("\n".join([*before, *lines, *told, *after]).splitlines())
    return f"{kind} {wrapper_symbol(function)}({declared})\n{{\n  {body}\n}}"


def _no_flush_yet(function: MmFunction) -> list[str]:
    """Flushes are noted of the first entry's mm."""
    mine = next((vma for entry in function.entries()[:1]
                 for vma, role in function.vmas.items() if role == entry.input), None)
    noted = ("flushed", "flushes_batch", "later", "batched", "batched_dirty")
    return [f"pteproof_mm = {f'{mine}_mm' if mine else 'NULL'};",
            f"{' = '.join(f'pteproof_{name}' for name in noted)} = false;",
            "pteproof_at_flush = 0;"]


def _vma(function: MmFunction, vma: str) -> str:
    world = function.world
    known = [f"({'!' if state.startswith('not ') else ''}{vma}_{flag} ? {flag} : 0)"
             for flag, state in world.vma.items()]
    never = " | ".join(f"(vm_flags_t)({flag})" for flag in (*world.never, *world.vma))
    return (f"*(vm_flags_t *)&{vma}->vm_flags = ({vma}->vm_flags & ~({never})) | VM_MAYWRITE | "
            f"{' | '.join(known)};\n{vma}->vm_mm = {vma}_mm;\n{vma}->vm_ops = NULL;\n"
            f"{vma}->vm_page_prot = vm_get_page_prot({vma}->vm_flags);")
