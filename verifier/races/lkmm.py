# SPDX-License-Identifier: GPL-2.0-or-later
"""Which executions the Linux kernel's memory model allows."""

from __future__ import annotations

from verifier.races.events import Execution
from verifier.races.order import Ordered
from verifier.races.plain_accesses import coherent

__all__ = ["allowed_by_lkmm"]


def allowed_by_lkmm(execution: Execution) -> bool:
    """Does the model allow the execution?"""
    order = Ordered(execution)
    if not (order.hb.acyclic() and order.pb.acyclic()):
        return False
    if execution.frame.fences("sync-rcu") and not order.rb.irreflexive():
        return False
    return not execution.frame.plain or coherent(order)
