# SPDX-License-Identifier: GPL-2.0-or-later
"""Sequential consistency and TSO, for executions whose locations are coherent one by one.

A grace period orders as RCU promises: each section of a reader is over before it ends, or starts
after it began.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from verifier.races.events import Execution, Scene
from verifier.races.relations import Relation

__all__ = ["allowed_by_sc", "allowed_by_tso"]


def allowed_by_sc(execution: Execution) -> bool:
    """Is there one order of all accesses, in which each thread keeps its own?"""
    frame = execution.frame
    order = frame.po.after(frame.memory).before(frame.memory) | execution.com
    return any((order | grace).acyclic() for grace in _graces(frame))


def allowed_by_tso(execution: Execution) -> bool:
    """The same, where a read need not wait for earlier writes of its own thread to other places.

    As on x86: full fences, grace periods and every atomic operation do wait, locks among them.
    """
    frame = execution.frame
    po = frame.po.after(frame.memory).before(frame.memory)
    delayed = po.after(frame.writes).before(frame.reads)
    atomics = frame.atomics | frame.where(lambda e: e.tag == "lock")
    full = frame.fences("mb", "sync-rcu")
    waits = (frame.fenced(full) | frame.po.before(atomics) @ frame.po.optional()
             | frame.po.optional() @ frame.po.after(atomics)).after(frame.memory)
    order = ((po - delayed) | (po & waits) | execution.external(execution.rf) | execution.co
             | execution.fr)
    return any((order | grace).acyclic() for grace in _graces(frame))


def _graces(frame: Scene) -> Iterator[Relation]:
    """For each grace period and each reader's section, on which side of it the section lies."""
    sections = list(frame.sections.pairs())
    periods = [i for i, event in enumerate(frame.events) if event.tag == "sync-rcu"]
    choices = []
    for (lock, unlock), period in product(sections, periods):
        if frame.po.rows[lock] >> period & 1 and frame.po.rows[period] >> unlock & 1:
            return  # it waits for its own section: it does not end
        before = Relation.product(frame.n, _of(frame.po.inverse(), unlock) & frame.memory,
                                  _of(frame.po, period) & frame.memory)
        after = Relation.product(frame.n, _of(frame.po.inverse(), period) & frame.memory,
                                 _of(frame.po, lock) & frame.memory)
        choices.append((before, after))
    for chosen in product(*choices):
        found = Relation.of(frame.n, ())
        for relation in chosen:
            found = found | relation
        yield found


def _of(relation: Relation, event: int) -> int:
    return relation.rows[event]
