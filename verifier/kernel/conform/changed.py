# SPDX-License-Identifier: GPL-2.0-or-later
"""Does a helper mean the same before and after a patch?

Both are lifted on the same arguments, with the same CPU features, static keys and memory. The
helper is `unchanged` where that is proved: wherever its behaviour was defined before, the same
result and the same entry come of it, and nothing of it is undefined or not modelled that was not. A
helper on an entry in memory has also to be one step on both sides, and memory to hold the same
between its stores. What was out of scope before is not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from verifier.kernel.conform.atomic_results import AtomicityUnknown, Disturbed
from verifier.kernel.conform.atomicity import Judge, level_of
from verifier.kernel.conform.decide import (
    ClaimContradicted,
    ClaimFails,
    ClaimHolds,
    ClaimQuestion,
    ClaimUndefined,
    ClaimUnknown,
    ClaimVacuous,
    Setting,
    decide,
)
from verifier.kernel.conform.decide import Verdict as Decided
from verifier.kernel.conform.fields import entry_text
from verifier.kernel.conform.half_stores import half_stores_differ
from verifier.kernel.conform.helpers import LiftedBuild, Lifting, known_features
from verifier.kernel.conform.model_side import pair
from verifier.kernel.conform.questions import make_backend
from verifier.kernel.llvm.undefined import Undefinedness
from verifier.kernel.llvm.values import NotModelled
from verifier.kernel.tree.shapes import Shape
from verifier.language.algebra import Algebra
from verifier.model.arch import Layout

__all__ = ["HelperChange", "Libraries", "helper_changes", "unknown_helpers"]

_ENTRIES = ("pte", "pmd", "pud")
UNMODELLED = "not modelled"  # begins the reasons of ways that are not lifted
GONE = "renamed, or taken away: what arch/ says stands in for it, and nothing of it is compared"


@dataclass(frozen=True, slots=True)
class HelperChange:
    """What became of one helper of one variant.

    word    unchanged   the same code, or proved to mean the same
            changed     the inputs show it: old and new differ, or how the hardware may act within
            added       only the patched tree has it
            gone        only the tree itself has it
            incomplete  it is not known, and why
    inputs  parameter -> value; `free`: what else it depends on and is not 0
    old     result and entries before, `new` after: by name, None where nothing is returned
    texts   of those that are entries: name in inputs, or "old NAME", "new NAME" -> the entry with
            the names of its fields
    """

    variant: str
    helper: str
    word: str
    why: str = ""
    inputs: Mapping[str, int] = field(default_factory=dict)
    free: Mapping[str, int] = field(default_factory=dict)
    old: Mapping[str, int | None] = field(default_factory=dict)
    new: Mapping[str, int | None] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Libraries:
    """The lifted helpers of one build before and after, and those that have the same code."""

    old: LiftedBuild
    new: LiftedBuild
    same: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Sides:
    """One helper of both sides on the same arguments."""

    old: Lifting
    new: Lifting


Levels: TypeAlias = Mapping[str, Callable[[str], str]]


def helper_changes(
    libraries: Libraries, layout: Layout, levels: Levels, timeout: float = 60
) -> Iterator[HelperChange]:
    """What became of each helper that either side has and specs/ may call, by name.

    `levels`: how names of texts about ptes are called at each level. `timeout` is in seconds, for
    each helper.
    """
    old, new = libraries.old, libraries.new
    judges = [Judge(side, layout, known_features(side, layout.variant.features), levels, timeout)
              for side in (old, new)]
    for helper in sorted({*old.shapes, *new.shapes}):
        shapes = old.shapes.get(helper), new.shapes.get(helper)
        found = HelperChange(layout.variant.name, helper, "unchanged")
        if helper in libraries.same:
            yield replace(found, why="the same code")
        elif shapes[0] is None or shapes[1] is None:
            yield (replace(found, word="added") if shapes[0] is None else
                   replace(found, word="gone", why=GONE if helper in layout.helpers() else ""))
        elif shapes[0] != shapes[1]:
            yield replace(found, word="incomplete", why="it is called in another way")
        else:
            values = _values(libraries, layout, shapes[0], found, timeout)
            timing = (_timing(judges, layout, shapes[0], values)
                      if values.word == "unchanged" else values)
            halves = (_halves(libraries, layout, shapes[0], timing)
                      if timing.word == "unchanged" else timing)
            yield _named(libraries, layout, shapes[0], halves)


def unknown_helpers(changes: Iterable[HelperChange]) -> tuple[str, ...]:
    """What is not known, by name: what arch/'s text stands in for is not known either."""
    return tuple(f"{one.helper}: {one.why}" for one in changes
                 if one.word == "incomplete" or (one.word == "gone" and one.why))


def _values(
    libraries: Libraries, layout: Layout, shape: Shape, found: HelperChange, timeout: float
) -> HelperChange:
    """Do both give the same where nobody else acts? With free loads where it is not known without.
    """
    first = _asked(libraries, layout, shape, found, timeout, False)
    if first.word != "incomplete":
        return first
    again = _asked(libraries, layout, shape, found, timeout, True)
    return again if again.word == "unchanged" else first


def _asked(
    libraries: Libraries, layout: Layout, shape: Shape, found: HelperChange, timeout: float,
    free_loads: bool,
) -> HelperChange:
    sides = libraries.old, libraries.new
    features = [known_features(side, layout.variant.features) for side in sides]
    names = [(p.name, n) for n, p in enumerate(shape.parameters()) if p.role != "free"]

    def ask(setting: Setting) -> ClaimQuestion[_Sides]:
        alg = setting.alg
        widths = [{name: side.width(shape, n) for name, n in names} for side in sides]
        if widths[0] != widths[1]:
            raise NotModelled("its parameters have other widths")
        args = {name: setting.free.input_word(name, width) if width
                else setting.free.input_bool(name) for name, width in widths[0].items()}
        old, new = (side.lift_to_the_end(shape, alg, setting.free, args, known, setting.possible,
                                         free_loads)
                    for side, known in zip(sides, features, strict=True))
        defined = [alg.neg(u.condition) for u in (*old.outside, *_undefined(old))]
        lost = [u for u in old.undefined if u.reason.startswith(UNMODELLED)]
        outside = [Undefinedness(u.condition, f"out of scope: {u.reason}") for u in new.outside]
        return ClaimQuestion(
            tuple(defined), (*lost, *new.undefined, *outside), _different(alg, old, new),
            _Sides(old, new),
        )

    try:
        verdict = decide(make_backend("z3", timeout), ask, [name for name, _ in names])
    except RecursionError:
        return replace(found, word="incomplete", why="its code is nested too deeply")
    return _told(found, verdict, [name for name, _ in names])


def _undefined(side: Lifting) -> list[Undefinedness]:
    """Where C leaves open what the helper does; not where the lifter does."""
    return [u for u in side.undefined if not u.reason.startswith(UNMODELLED)]


def _different(alg: Algebra[Any, Any], old: Lifting, new: Lifting) -> Any:
    """The condition under which results or entries differ."""
    if old.width != new.width or old.entry_widths != new.entry_widths:
        raise NotModelled("its result has another width")
    found = [alg.neg(alg.eq(entry, new.entries[name], old.entry_widths[name]))
             for name, entry in old.entries.items()]
    if old.width == 0:
        found.append(alg.neg(alg.same(old.result, new.result)))
    elif old.width is not None:
        found.append(alg.neg(alg.eq(old.result, new.result, old.width)))
    return alg.any(*found)


def _told(
    found: HelperChange, verdict: Decided[_Sides], names: Sequence[str]
) -> HelperChange:
    match verdict:
        case ClaimHolds():
            return replace(found, why="proved")
        case ClaimFails(values, sides):
            return replace(
                found, word="changed", inputs={n: values.get(n, 0) for n in names},
                free={n: v for n, v in values.items() if v and n not in names},
                old=_plain(sides.old), new=_plain(sides.new),
            )
        case ClaimUndefined(values, reasons):
            return replace(found, word="incomplete", why="; ".join(reasons), inputs=dict(values))
        case ClaimVacuous():
            return replace(found, word="incomplete", why="all of it was out of scope before")
        case ClaimUnknown(reason):
            return replace(found, word="incomplete", why=reason)
        case ClaimContradicted(values, reason):
            why = f"the tool contradicts itself: {reason}"
            return replace(found, word="incomplete", why=why, inputs=dict(values))


def _plain(side: Lifting) -> dict[str, int | None]:
    """A side over plain integers: its result, and the entries that it leaves."""
    result = None if side.result is None else int(side.result)
    return {"result": result} | {name: int(value) for name, value in side.entries.items()}


def _named(
    libraries: Libraries, layout: Layout, shape: Shape, found: HelperChange
) -> HelperChange:
    """The change by the model's names of parameters, where it has the helper; with its texts."""
    kinds = {f"a{n}": kind for n, kind in enumerate(shape.kinds)} | {"result": shape.returns}
    names: dict[str, str] = {}
    if shape.helper in layout.helpers():
        try:
            pairs = pair(libraries.old, shape, layout.helper(shape.helper))
            names = {p.wrapper: p.model for p in pairs}
        except NotModelled:
            names = {}  # the model's helper is another one

    def told(values: Mapping[str, Any]) -> dict[str, Any]:
        return {names.get(name, name): value for name, value in values.items()}

    texts = {
        f"{side}{names.get(name, name)}": entry_text(value, layout)
        for side, values in (("", found.inputs), ("old ", found.old), ("new ", found.new))
        for name, value in values.items()
        if value is not None and kinds.get(name, "").removesuffix("p") in _ENTRIES
    }
    return replace(
        found, inputs=told(found.inputs), old=told(found.old), new=told(found.new), texts=texts
    )


def _timing(
    judges: list[Judge], layout: Layout, shape: Shape, found: HelperChange
) -> HelperChange:
    """The same while the hardware acts? So it is where both are one step."""
    if shape.helper not in layout.helpers() or not any(
        p.role == "entry" for p in shape.parameters()
    ):
        return found
    steps = []
    for judge in judges:
        atomicity = judge.helper(shape, level_of(shape.helper), compare=False)
        steps.append(True if atomicity is None else atomicity.one_step)
    match steps:
        case [True, True]:
            return found
        case [AtomicityUnknown(reason=old), AtomicityUnknown(reason=new)] if old == new:
            return replace(found, why=f"proved where nobody else acts; {new}")
        case [_, Disturbed() as run]:
            return replace(found, word="changed", why=_disturbed(run), inputs=dict(run.inputs),
                           free=dict(run.free), new={"result": run.result, "entry": run.entry})
        case [_, AtomicityUnknown(reason=reason)] | [AtomicityUnknown(reason=reason), _]:
            return replace(found, word="incomplete", why=reason)
        case _:
            return replace(found, word="changed", why="it is one step now, and was not")


def _halves(
    libraries: Libraries, layout: Layout, shape: Shape, found: HelperChange
) -> HelperChange:
    """The same to who reads the entry between its stores? What such a reader makes of another half
    is asked nowhere, so that it is not known.
    """
    if not any(p.role == "entry" for p in shape.parameters()):
        return found
    sides = libraries.old, libraries.new
    try:
        differ = half_stores_differ(*sides, shape, tuple(
            known_features(side, layout.variant.features) for side in sides))
    except NotModelled as error:
        said = f"what memory holds between its stores is not compared: {error}"
        return replace(found, why=f"{found.why}; {said}" if found.why else said)
    if not differ:
        return found
    return replace(found, word="incomplete", why=(
        "memory holds another entry between its stores than before, and who reads without the lock "
        "may meet it"))


def _disturbed(run: Disturbed) -> str:
    events = ", ".join(f"{event} {where}" for event, where in run.events)
    return f"it is not one step: {events} comes to what no single step comes to"
