# SPDX-License-Identifier: GPL-2.0-or-later
"""The relations of the Linux kernel's memory model, as tools/memory-model/linux-kernel.cat of 6.12
defines them.

Names are those of the cat file, with _ for -. SRCU is left out, and so is the warning about mixed
accesses. Coherence and atomicity are asked of an execution before it comes here.
"""

from __future__ import annotations

from functools import cached_property

from verifier.races.events import Execution, Scene
from verifier.races.relations import Relation

__all__ = ["Ordered"]


class Ordered:
    """The relations of the model on one execution."""

    def __init__(self, execution: Execution) -> None:
        self.execution, self.frame = execution, execution.frame
        frame = self.frame
        self.rf, self.co, self.fr = execution.rf, execution.co, execution.fr
        self.rfe = execution.external(self.rf)
        self.rfi = self.rf & frame.internal
        self.overwrite = self.co | self.fr

    def one(self, mask: int) -> Relation:
        """The identity on a set."""
        return Relation.on(self.frame.n, mask)

    # dependencies

    @cached_property
    def carried(self) -> Relation:
        """Values that plain accesses of a thread hand on: carry-dep."""
        return (self.frame.data @ self.rfi).star()

    @cached_property
    def addr(self) -> Relation:
        """A read in the address of an access, also through plain accesses."""
        return self.carried @ self.frame.addr

    @cached_property
    def data(self) -> Relation:
        """A read in what is written, also through plain accesses."""
        return self.carried @ self.frame.data

    @cached_property
    def ctrl(self) -> Relation:
        """A read that decides whether something happens, also through plain accesses."""
        return self.carried @ self.frame.ctrl

    # fences

    @cached_property
    def po_unlock_lock_po(self) -> Relation:
        """What stands before an unlock, and behind a lock that follows it."""
        frame = self.frame
        unlocks, locks = frame.tagged("W", "unlock"), frame.tagged("R", "lock")
        return frame.po.before(unlocks) @ (frame.po | self.rf).before(locks) @ frame.po

    @cached_property
    def mb(self) -> Relation:
        """What a full fence orders."""
        found = _static_mb(self.frame)
        after = self.frame.fences("after-unlock-lock")
        if after:
            found = found | ((self.po_unlock_lock_po.before(after) @ self.frame.po)
                             .after(self.frame.memory).before(self.frame.memory))
        return found

    @cached_property
    def gp(self) -> Relation:
        """What a grace period orders."""
        return self.frame.po.before(self.frame.fences("sync-rcu")) @ self.frame.po.optional()

    @cached_property
    def weak(self) -> tuple[Relation, Relation, Relation, Relation]:
        """acq-po, po-rel, rmb and wmb."""
        frame = self.frame
        acquire = frame.tagged("R", "acquire", "lock")
        release = frame.tagged("W", "release", "unlock")
        plain_reads = frame.reads & ~frame.tagged("R", "noreturn")
        return (frame.po.after(acquire).before(frame.memory),
                frame.po.after(frame.memory).before(release),
                frame.fenced(frame.fences("rmb")).after(plain_reads).before(plain_reads),
                frame.fenced(frame.fences("wmb")).after(frame.writes).before(frame.writes))

    @cached_property
    def strong_fence(self) -> Relation:
        """What a full fence or a grace period orders."""
        return self.mb | self.gp

    @cached_property
    def nonrw_fence(self) -> Relation:
        """The same, and what acquire and release order."""
        acq_po, po_rel, _, _ = self.weak
        return self.strong_fence | po_rel | acq_po

    @cached_property
    def fence(self) -> Relation:
        """The same, and what smp_rmb() and smp_wmb() order."""
        _, _, rmb, wmb = self.weak
        return self.nonrw_fence | wmb | rmb

    # order within a thread, and between threads

    @cached_property
    def ppo(self) -> Relation:
        """Program order that the hardware and the compiler keep."""
        frame, dep = self.frame, self.addr | self.data
        to_w = ((dep | self.ctrl).before(frame.writes) | (self.overwrite & frame.internal)
                | self.addr.before(frame.plain) @ self.weak[3])
        to_r = self.addr.before(frame.reads) | dep.before(frame.marked) @ self.rfi
        return to_r | to_w | ((self.fence | self.po_unlock_lock_po) & frame.internal)

    @cached_property
    def rmw_sequence(self) -> Relation:
        """Atomic operations, each reading from the one before."""
        return (self.rf @ self.frame.rmw).star()

    @cached_property
    def cumul_fence(self) -> Relation:
        """Fences that also order what their thread has seen of others."""
        marked = self.frame.marked
        _, po_rel, _, wmb = self.weak
        cumulative = self.rfe.before(marked).optional() @ (self.strong_fence | po_rel)
        found = (cumulative | wmb | self.po_unlock_lock_po).after(marked).before(marked)
        return found @ self.rmw_sequence

    @cached_property
    def prop(self) -> Relation:
        """How a write, or the lack of one, comes to another thread."""
        marked = self.frame.marked
        outside = self.execution.external(self.overwrite).optional()
        return ((outside @ self.cumul_fence.star()).after(marked).before(marked)
                @ self.rfe.optional()).before(marked)

    @cached_property
    def hb(self) -> Relation:
        """What happens before what."""
        marked = self.frame.marked
        inside = (self.prop - self.one(self.frame.all)) & self.frame.internal
        return (self.ppo | self.rfe | inside).after(marked).before(marked)

    @cached_property
    def pb(self) -> Relation:
        """What has come everywhere before what."""
        return (self.prop @ self.strong_fence @ self.hb.star()).before(self.frame.marked)

    # RCU

    @cached_property
    def rcu_order(self) -> Relation:
        """Chains with at least as many grace periods as sections of readers."""
        periods = self.one(self.frame.fences("sync-rcu"))
        sections = self.frame.sections.inverse()
        link = (self.frame.po.optional() @ self.hb.star() @ self.pb.star() @ self.prop
                @ self.frame.po)
        found = periods
        while True:
            through = link @ found @ link
            more = (found | periods @ link @ sections | sections @ link @ periods
                    | periods @ through @ sections | sections @ through @ periods
                    | found @ link @ found)
            if more == found:
                return found
            found = more

    @cached_property
    def rcu_fence(self) -> Relation:
        """What chains of grace periods and sections order."""
        return self.frame.po @ self.rcu_order @ self.frame.po.optional()

    @cached_property
    def rb(self) -> Relation:
        """What RCU puts before what."""
        return (self.prop @ self.rcu_fence @ self.hb.star() @ self.pb.star()).before(
            self.frame.marked)


def _static_mb(frame: Scene) -> Relation:
    """What smp_mb() and the barriers beside atomic operations and locks order."""
    atomics = frame.atomics
    locked = frame.tagged("W", "lock")
    maybe = frame.po.optional()
    found = (frame.fenced(frame.fences("mb"))
             | frame.fenced(frame.fences("before-atomic")).before(atomics) @ maybe
             | maybe.before(atomics) @ frame.fenced(frame.fences("after-atomic"))
             | maybe.before(locked) @ frame.fenced(frame.fences("after-spinlock")))
    return found.after(frame.memory).before(frame.memory)
