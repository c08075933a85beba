# SPDX-License-Identifier: GPL-2.0-or-later
"""What SPARC's C calls that is not lifted. Its assembly is taken out of the text before: lookalike.py, patched.py."""

from __future__ import annotations

from typing import Any

from verifier.kernel.llvm.access import store_scalar
from verifier.kernel.llvm.context import Context
from verifier.kernel.llvm.ir import Instr
from verifier.kernel.llvm.ways import State

__all__ = ["CALLS"]


def _atomic_set(l: Context, instr: Instr, args: list[Any], state: State) -> None:
    """arch/sparc/lib/atomic32.c:arch_atomic_set(v, i) stores the word, under a lock of its own."""
    l.note("arch_atomic_set stores a word, under a lock that nothing else here looks at")
    store_scalar(l, l.values.as_address(args[0], l.pointer_width), 4, l.values.as_word(args[1]), state)


CALLS = {"arch_atomic_set": _atomic_set}
