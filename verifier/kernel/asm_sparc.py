# SPDX-License-Identifier: GPL-2.0-or-later
"""What SPARC's C calls that is not lifted. Its assembly is taken out of the text before: lookalike.py, patched.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verifier.kernel.steps import store_scalar

if TYPE_CHECKING:
    from verifier.kernel.ir import Instr
    from verifier.kernel.lift import Lifter
    from verifier.kernel.paths import State

__all__ = ["CALLS"]


def _atomic_set(l: Lifter, instr: Instr, args: list[Any], state: State) -> None:
    """arch/sparc/lib/atomic32.c:arch_atomic_set(v, i) stores the word, under a lock of its own."""
    l.note("arch_atomic_set stores a word, under a lock that nothing else here looks at")
    store_scalar(l, l.values.as_address(args[0], l.pointer_width), 4, l.values.as_word(args[1]), state)


CALLS = {"arch_atomic_set": _atomic_set}
