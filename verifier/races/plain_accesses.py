# SPDX-License-Identifier: GPL-2.0-or-later
"""Accesses that nobody marked, in the kernel's memory model: their coherence, and data races.

The second half of tools/memory-model/linux-kernel.cat of 6.12.
"""

from __future__ import annotations

from functools import cached_property

from verifier.races.order import Ordered
from verifier.races.relations import Relation

__all__ = ["coherent", "racy"]


class _Visible:
    """When a plain access can be seen, or is over."""

    def __init__(self, order: Ordered) -> None:
        self.order = order
        frame = self.frame = order.frame
        fenced = bool(frame.fences("sync-rcu"))
        self.fence = order.fence | order.rcu_fence if fenced else order.fence
        self.strong = order.strong_fence | order.rcu_fence if fenced else order.strong_fence
        self.xbstar = (order.hb | order.pb | order.rb if fenced else order.hb | order.pb).star()
        everything = order.one(frame.all)
        marked = order.one(frame.marked)
        returning = frame.all & ~frame.tagged("R", "noreturn")
        rmb = frame.fenced(frame.fences("rmb"))
        self.w_before = marked @ (order.addr | self.fence | everything)
        self.r_before = marked @ (order.addr | order.nonrw_fence | everything
                                  | rmb.after(returning & frame.reads).before(returning))
        self.w_after = (self.fence.optional() @ marked) @ order.rmw_sequence
        self.r_after = (order.nonrw_fence | everything
                        | rmb.after(returning).before(returning & frame.reads)) @ marked

    @cached_property
    def vis(self) -> Relation:
        marked = self.frame.marked
        seen = (self.order.cumul_fence.star() @ self.order.rfe.optional()).before(marked)
        return seen @ (self.strong.before(marked) @ self.xbstar
                       | (self.xbstar & self.frame.internal))

    @cached_property
    def ww(self) -> Relation:
        return (self.fence | self.strong @ self.xbstar @ self.w_before
                | self.w_after @ self.vis @ self.w_before)

    @cached_property
    def wr(self) -> Relation:
        return (self.fence | self.strong @ self.xbstar @ self.r_before
                | self.w_after @ self.vis @ self.r_before)

    @cached_property
    def rw(self) -> Relation:
        return self.fence | self.r_after @ self.xbstar @ self.w_before

    @cached_property
    def pre_race(self) -> Relation:
        frame = self.frame
        initial = frame.tagged("W", "init")
        pairs = (Relation.product(frame.n, frame.plain, frame.memory)
                 | Relation.product(frame.n, frame.memory & ~initial, frame.plain))
        return pairs - frame.internal


def coherent(order: Ordered) -> bool:
    """Do plain accesses keep the order that marked ones give them?"""
    seen = _Visible(order)
    wrong = (order.rf & seen.rw.inverse() | order.fr & seen.wr.inverse()
             | order.co & seen.ww.inverse())
    return not seen.pre_race & wrong


def racy(order: Ordered) -> bool:
    """Is there a data race: two accesses, one of them plain, that nothing orders?"""
    seen = _Visible(order)
    frame = seen.frame
    writes = frame.writes
    marked_first = Relation.product(frame.n, frame.marked, writes)
    marked_second = Relation.product(frame.n, writes, frame.marked)
    ordered = seen.ww & (marked_first | seen.rw) & (marked_second | seen.wr)
    ww = (seen.pre_race & order.co) - ordered
    wr = (seen.pre_race & (order.co.optional() @ order.rf)) - seen.wr - seen.rw.inverse()
    rw = (seen.pre_race & order.fr) - seen.rw
    return bool(ww | wr | rw)
