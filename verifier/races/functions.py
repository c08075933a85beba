# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's functions on shared memory: which accesses and fences each stands for.

As tools/memory-model/linux-kernel.def has them. SRCU is not among them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

__all__ = ["FENCES", "LOADS", "STORES", "Atomic", "atomic"]

FENCES: Mapping[str, str] = MappingProxyType({
    "smp_mb": "mb", "smp_rmb": "rmb", "smp_wmb": "wmb", "barrier": "barrier",
    "smp_mb__before_atomic": "before-atomic", "smp_mb__after_atomic": "after-atomic",
    "smp_mb__after_spinlock": "after-spinlock",
    "smp_mb__after_unlock_lock": "after-unlock-lock",
    "rcu_read_lock": "rcu-lock", "rcu_read_unlock": "rcu-unlock",
    "synchronize_rcu": "sync-rcu", "synchronize_rcu_expedited": "sync-rcu",
})
# How each access is marked. Some take a place (*x), the others its address (x).
LOADS: Mapping[str, str] = MappingProxyType({
    "READ_ONCE": "once", "rcu_dereference": "once", "atomic_read": "once",
    "smp_load_acquire": "acquire", "atomic_read_acquire": "acquire",
})
STORES: Mapping[str, str] = MappingProxyType({
    "WRITE_ONCE": "once", "rcu_assign_pointer": "release", "atomic_set": "once",
    "smp_store_release": "release", "atomic_set_release": "release",
})


@dataclass(frozen=True, slots=True)
class Atomic:
    """An operation that reads and writes at once.

    kind      add (add the amount), xchg, cmpxchg, add_unless
    order     mb, once, acquire, release; noreturn where nothing is given back
    gives     what it gives back: nothing, old, new, test (is the new value 0?), negative, done
    amount    what is added where the name says so, as inc does
    negated   is the first argument taken away?
    """

    kind: str
    order: str
    gives: str
    amount: int | None = None
    negated: bool = False


_ORDERS = {"": "mb", "_relaxed": "once", "_acquire": "acquire", "_release": "release"}
_ADD = re.compile(r"atomic_(fetch_)?(add|sub|inc|dec)(_return|_and_test)?"
                  r"(_relaxed|_acquire|_release)?")
_XCHG = re.compile(r"(?:atomic_)?(xchg|cmpxchg)(_relaxed|_acquire|_release)?")


@cache
def atomic(name: str) -> Atomic | None:
    """The operation of this name, or None.

    >>> atomic("atomic_inc").amount, atomic("xchg_acquire").order, atomic("spin_lock")
    (1, 'acquire', None)
    """
    if name == "atomic_add_unless":
        return Atomic("add_unless", "mb", "done")
    if name == "atomic_add_negative":
        return Atomic("add", "mb", "negative")
    if found := _XCHG.fullmatch(name):
        return Atomic(found[1], _ORDERS[found[2] or ""], "old")
    found = _ADD.fullmatch(name)
    if found is None or (found[1] and found[3]):
        return None
    fetch, what, gives, order = found.groups()
    one = what in ("inc", "dec")
    negated = what in ("sub", "dec")
    amount = (-1 if negated else 1) if one else None
    if not fetch and not gives:
        return None if order else Atomic("add", "noreturn", "nothing", amount, negated)
    word = "old" if fetch else "new" if gives == "_return" else "test"
    return Atomic("add", _ORDERS[order or ""], word, amount, negated)
