# SPDX-License-Identifier: GPL-2.0-or-later
"""Is arch/ as atomic as the kernel?

What a helper can come to while the hardware acts, on both sides.

Outcomes are compared, not sequences of accesses, under the variant's own hardware events
(`outcomes`). Each outcome of the kernel's helper has to be one of arch/'s: else arch/ is more
atomic than the kernel, and what is proved on arch/ may be wrong. Each outcome of arch/'s has to be
one of the kernel's: else a point in arch/'s text is needless. And without arch/: the kernel's
helper is one step if all it comes to is what it comes to undisturbed, on an entry that the hardware
changed before and after.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from itertools import pairwise
from typing import Any

from verifier.base.errors import SpecError
from verifier.kernel.conform.atomic_results import (
    Atomicity,
    AtomicityUnknown,
    Compared,
    Disturbed,
    LessAtomic,
    MoreAtomic,
    NotCompared,
    Same,
)
from verifier.kernel.conform.choices import Escape, GaveUp, SidesQuestion, bits_backend
from verifier.kernel.conform.helpers import LiftedBuild
from verifier.kernel.conform.model_side import Pairing, pair
from verifier.kernel.conform.outcomes import (
    AFTER,
    BEFORE,
    ArchSide,
    Happening,
    KernelSide,
    Outcome,
    happenings,
)
from verifier.kernel.llvm.lines import told
from verifier.kernel.llvm.values import NotModelled
from verifier.kernel.llvm.windows import Access
from verifier.kernel.tree.shapes import Shape
from verifier.language.algebra import Algebra
from verifier.language.syntax import Call, Function, Hardware, Stmt
from verifier.model.arch import Layout

__all__ = [
    "RESTS_ON",
    "Judge",
    "lets_hardware_in",
    "level_of",
    "rooms_of",
]

RESTS_ON = (
    (
        "atomicity is of one entry's own value: accesses of one size to one place are seen in one"
        " order, so fences do not matter; of accesses to a part of an entry beside accesses to the"
        " whole, and of the entry beside other memory, nothing is said"
    ),
    (
        "a plain load or store is one access, as the compiler made it that was asked; another may"
        " tear, merge or repeat it"
    ),
    "a loop of load-linked and store-conditional is one event",
)


def level_of(helper: str) -> str:
    """The level of entries that a helper works on.

    >>> level_of("pmdp_set_wrprotect"), level_of("huge_pte_dirty"), level_of("swp_type")
    ('pmd', 'hugetlb', 'pte')
    """
    if "huge_pte" in helper:
        return "hugetlb"
    return next((level for level in ("pmd", "pud") if level in helper), "pte")


def lets_hardware_in(body: tuple[Stmt, ...]) -> bool:
    """Does a body of arch/ name a point at which the hardware may act, or call what does?"""
    return any(_lets_in(statement) for statement in body)


def _lets_in(node: object) -> bool:
    if isinstance(node, Hardware):
        return True
    if isinstance(node, Call):
        return lets_hardware_in(node.function.body) or any(_lets_in(a) for a in node.args)
    if isinstance(node, tuple):
        return any(_lets_in(part) for part in node)
    return is_dataclass(node) and any(_lets_in(getattr(node, f.name)) for f in fields(node))


@dataclass(slots=True)
class Judge:
    """Judges the helpers of one variant.

    named    level -> how names of texts about ptes are called there; levels that are not in it are
             not compared
    premise  wrapper, arguments, algebra -> what else may be taken as given, or None
    """

    library: LiftedBuild
    layout: Layout
    features: Mapping[str, bool]
    named: Mapping[str, Callable[[str], str]]
    seconds: float = 60.0
    premise: Callable[[Shape, Mapping[str, Any], Algebra[Any, Any]], Any] = (
        lambda shape, args, alg: None
    )
    _events: dict[str, tuple[Happening, ...]] = field(default_factory=dict)
    _steps: dict[str, bool] = field(default_factory=dict)

    def helper(self, shape: Shape, level: str, compare: bool = True) -> Atomicity | None:
        """What is known of a helper on a pointer to an entry; None for any other helper.

        `compare`: arch/ says the same where nobody acts within. Where it does not, and lets nobody
        in, the kernel's helper undisturbed stands for it, so that atomicity is seen alone.
        """
        start = time.process_time()
        function = self.layout.helper(shape.helper)
        try:
            pairs = pair(self.library, shape, function)
        except NotModelled as error:
            return Atomicity(NotCompared(str(error)), AtomicityUnknown(str(error)), 0.0)
        if not any(p.entry for p in pairs):
            return None
        found = self._judged(shape, level, function, pairs, compare)
        return replace(found, seconds=time.process_time() - start)

    def is_one_step(self, function: Function) -> bool:
        """Is this proved of the kernel's helper of that name?"""
        name = function.name
        if name not in self._steps:
            shape = self.library.shapes.get(name)
            found = None if shape is None else self.helper(shape, level_of(name), compare=False)
            self._steps[name] = found is None or found.one_step is True
        return self._steps[name]

    def events(self, level: str) -> tuple[Happening, ...] | NotCompared:
        """The hardware events on entries of a level, or why nothing is compared there."""
        if level not in self.named:
            return NotCompared(f"no transition is about entries of level {level}")
        try:
            if level not in self._events:
                self._events[level] = happenings(self.layout, level, self.named[level])
        except SpecError as error:
            return NotCompared(
                f"nothing is known of what the hardware does at level {level}: {error.message}"
            )
        return self._events[level]

    def _judged(
        self, shape: Shape, level: str, function: Function, pairs: list[Pairing], compare: bool
    ) -> Atomicity:
        events = self.events(level)
        entries = [p for p in pairs if p.entry]
        if isinstance(events, NotCompared):
            return Atomicity(events, AtomicityUnknown(events.reason), 0.0)
        if not events:
            return Atomicity(Same() if compare else NotCompared("values differ"), True, 0.0)
        if entries[0].width != self.layout.width:
            why = "the hardware's events are about entries of another width"
            return Atomicity(NotCompared(why), AtomicityUnknown(why), 0.0)
        if len(entries) > 1:
            why = "it is given several entries"
            return Atomicity(AtomicityUnknown(why), AtomicityUnknown(why), 0.0)
        reason = ""
        for free_loads in (False, True):
            try:
                found = self._asked(shape, function, pairs, entries[0], events, compare, free_loads)
            except NotModelled as error:
                found, reason = None, reason or str(error)
            if (
                found is not None
                and not isinstance(found.one_step, AtomicityUnknown)
                and not isinstance(found.compared, AtomicityUnknown)
            ):
                return found
            if free_loads is False:
                first = found
        return first or Atomicity(AtomicityUnknown(reason), AtomicityUnknown(reason), 0.0)

    def _asked(
        self,
        shape: Shape,
        function: Function,
        pairs: list[Pairing],
        entry: Pairing,
        events: tuple[Happening, ...],
        compare: bool,
        free_loads: bool,
    ) -> Atomicity:
        backend = bits_backend()
        widths = {p.wrapper: p.width for p in pairs}
        args = {
            name: backend.free.input_word(name, width) if width else backend.free.input_bool(name)
            for name, width in widths.items()
        }

        def side(inner: bool) -> KernelSide:
            return KernelSide(
                self.library,
                shape,
                self.features,
                events,
                entry,
                inner,
                backend.possible,
                free_loads,
            )

        premise = self.premise(shape, args, backend.alg)
        given = [] if premise is None else [premise]
        question = SidesQuestion(
            backend, args, widths, entry.width, given, time.process_time() + self.seconds
        )
        kernel, alone, arch = side(True), side(False), ArchSide(function, pairs, events, entry)
        free = question.free(kernel, "kernel: ")
        plain, parts = (
            sum(getattr(a, what) for a in free[0].accesses) for what in ("plain", "part")
        )
        unknown = self._unknown(question, free[0])
        if unknown is not None:
            return Atomicity(
                unknown if compare else NotCompared("values differ"), unknown, 0.0, plain, parts
            )
        step: bool | Disturbed | AtomicityUnknown
        if not any(access.inner for access in free[0].accesses):
            step = True
        else:
            step = self._told(question.escaping(kernel, free, alone, "alone: "), pairs)
        points = lets_hardware_in(function.body)
        if compare:
            compared = self._compared(question, pairs, kernel, free, alone, arch, step, points)
        else:
            compared = (
                NotCompared("values differ, and arch/ lets the hardware in")
                if points
                else _of_step(step)
            )
        return Atomicity(compared, step, 0.0, plain, parts)

    def _unknown(self, question: SidesQuestion, outcome: Outcome) -> AtomicityUnknown | None:
        """Undefined, or not modelled, where the hardware acts: why."""
        alg = question.backend.alg
        for reason, condition in outcome.undefined:
            if alg.known(condition) is not False and question.backend.possible(
                alg.all(*question.given, condition)
            ):
                return AtomicityUnknown(f"where the hardware acts: {reason}")
        return None

    def _compared(
        self,
        question: SidesQuestion,
        pairs: list[Pairing],
        kernel: KernelSide,
        free: tuple[Outcome, list[str]],
        alone: KernelSide,
        arch: ArchSide,
        step: bool | Disturbed | AtomicityUnknown,
        points: bool,
    ) -> Compared:
        """Both directions.

        Where the kernel's helper is one step and arch/ has no point, all is said by what arch/
        makes of an entry that nobody touches; that is compared elsewhere.
        """
        if not points and step is True:
            return Same()
        theirs = question.free(arch, "arch: ")
        more = self._told(question.escaping(kernel, free, arch, "arch: ", theirs), pairs)
        if isinstance(more, Disturbed):
            return MoreAtomic(more)
        if isinstance(more, AtomicityUnknown):
            return more
        if not points:
            return Same()
        quiet = alone.outcome(
            question.graph(),
            question.backend.free,
            question.args,
            lambda name: question.graph().truth(False),
        )
        # what is out of scope is nobody's
        asked = replace(question, given=[*question.given, quiet.within])
        less = self._told(asked.escaping(arch, theirs, kernel, "kernel: ", free), pairs)
        return (
            LessAtomic(less)
            if isinstance(less, Disturbed)
            else less if isinstance(less, AtomicityUnknown) else Same()
        )

    def _told(
        self, found: Escape | GaveUp | None, pairs: list[Pairing]
    ) -> bool | Disturbed | AtomicityUnknown:
        """True where nothing escapes; else the run that does."""
        if found is None:
            return True
        if isinstance(found, GaveUp):
            return AtomicityUnknown(found.reason)
        names = {p.wrapper: p.model for p in pairs}
        inputs = {names[k]: int(found.values.get(k, 0)) for k in names}
        free = {k: int(v) for k, v in found.values.items() if k not in names and v}
        run = found.outcome
        events = tuple((event, _where(place, run.accesses)) for event, place in run.happened)
        result = None if run.result is None else int(run.result)
        return Disturbed(
            inputs, free, result, int(run.entry), bool(run.stored), events, found.replayed
        )


def _of_step(step: bool | Disturbed | AtomicityUnknown) -> Compared:
    """arch/ against the kernel where arch/ has no point and values differ.

    arch/ is as atomic as the undisturbed helper, or more.
    """
    return (
        MoreAtomic(step)
        if isinstance(step, Disturbed)
        else step if isinstance(step, AtomicityUnknown) else Same()
    )


def rooms_of(accesses: tuple[Access, ...]) -> list[str]:
    """Between which accesses the hardware may act, in words."""
    return [
        f"between {told(before.lines)} and {told(after.lines)}"
        for before, after in pairwise(accesses)
        if after.inner
    ]


def _where(place: str, accesses: tuple[Access, ...]) -> str:
    """Where an event happened, in words: between which two accesses."""
    at = next((n for n, access in enumerate(accesses) if access.name == place), 0)
    if place in (BEFORE, AFTER):
        return place
    if not at:
        return f"at hardware() of arch/ ({place})"
    return f"between {told(accesses[at - 1].lines)} and {told(accesses[at].lines)}"
