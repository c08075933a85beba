# SPDX-License-Identifier: GPL-2.0-or-later
"""Does arch/ say what the kernel does?

Helper by helper: equal on every input, or not, with an input, or not known.

`equal` is a proof, over every value of every argument, and of every cpu feature, static key, mm and
vma that the helper looks at, outside of what `outside` names. It says that no behaviour is
undefined, and that both sides give the same result and leave the same entry. Of a helper on an
entry in memory it also says that what the kernel's can come to while the variant's hardware acts
within it is what arch/'s can (`atomicity`). Each rests on what `rests_on` lists.
"""

from __future__ import annotations

import fnmatch
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

from verifier.kernel.conform.atomic_results import AtomicityUnknown as AtomicityUndecided
from verifier.kernel.conform.atomic_results import MoreAtomic, NotCompared
from verifier.kernel.conform.atomicity import RESTS_ON, Judge, level_of
from verifier.kernel.conform.decide import (
    ClaimContradicted,
    ClaimFails,
    ClaimHolds,
    ClaimQuestion,
    ClaimUndefined,
    ClaimUnknown,
    ClaimVacuous,
    Setting,
    Verdict,
    decide,
)
from verifier.kernel.conform.helpers import LiftedBuild, Lifting, known_features
from verifier.kernel.conform.inputs import Free
from verifier.kernel.conform.model_side import Modelled, Pairing, evaluate_model, pair
from verifier.kernel.conform.questions import Backend, make_backend
from verifier.kernel.conform.results import (
    Absent,
    Contradicted,
    Differs,
    Equal,
    Inconclusive,
    Result,
    TooAtomic,
    Unwritten,
)
from verifier.kernel.llvm.values import NotModelled
from verifier.kernel.tree.shapes import Shape
from verifier.language.algebra import Algebra
from verifier.language.syntax import BOOL, NOTHING
from verifier.model.arch import Layout

__all__ = [
    "conform_variant",
    "level_of",
]


def conform_variant(
    library: LiftedBuild,
    layout: Layout,
    globs: Sequence[str] = ("*",),
    backend: str = "z3",
    timeout: float | None = 60,
    levels: Mapping[str, Callable[[str], str]] | None = None,
) -> list[Result]:
    """Every helper of the model and of the kernel whose name matches, in order of name.

    `levels`: level -> how names of texts about ptes are called there; None: atomicity is not
    compared.
    """
    variant, build = layout.variant.name, library.build
    features = known_features(library, layout.variant.features)
    found: list[Result] = []
    helpers = [
        h
        for h in sorted({*layout.helpers(), *library.shapes})
        if any(fnmatch.fnmatchcase(h, g) for g in globs)
    ]
    named = library.named([h for h in helpers if h not in library.shapes])
    judge = (
        None
        if levels is None
        else Judge(
            library, layout, features, levels, timeout or 3600, partial(_shadow_premise, library)
        )
    )
    for helper in helpers:
        shape = library.shapes.get(helper)
        if helper not in layout.helpers():
            if shape is not None:
                found.append(_unwritten(library, layout, shape, features))
        elif shape is None:
            found.append(
                _without_wrapper(
                    variant, build.name, helper, layout.text(helper).source, helper in named
                )
            )
        else:
            result = conform_helper(
                library, layout, shape, features, make_backend(backend, timeout)
            )
            found.append(result if judge is None else _with_atomicity(judge, shape, result))
    return found


def _with_atomicity(
    judge: Judge, shape: Shape, result: Equal | Differs | Contradicted | Inconclusive
) -> Result:
    """The result, with what the helper can come to while the hardware acts.

    A helper that is equal only where nobody acts is not `equal`.
    """
    if isinstance(result, Inconclusive | Contradicted):
        return result
    found = judge.helper(shape, level_of(shape.helper), isinstance(result, Equal))
    if found is None:
        return result
    seconds = result.seconds + found.seconds
    notes = (*result.rests_on, *(RESTS_ON if not isinstance(found.compared, NotCompared) else ()))
    if isinstance(result, Equal) and isinstance(found.compared, MoreAtomic):
        return TooAtomic(
            result.variant, result.build, result.helper, found, found.compared, notes, seconds
        )
    if isinstance(result, Equal) and isinstance(found.compared, AtomicityUndecided):
        why = (
            "equal where nobody else acts; while the hardware acts it is not known:"
            f" {found.compared.reason}"
        )
        return Inconclusive(result.variant, result.build, result.helper, why, seconds, found)
    return replace(result, rests_on=notes, seconds=seconds, atomicity=found)


def _without_wrapper(
    variant: str, build: str, helper: str, source: str, named: bool
) -> Absent | Inconclusive:
    if named:
        return Inconclusive(
            variant,
            build,
            helper,
            "the tree has the name, but no known way of calling it compiles",
            0.0,
        )
    if source.rpartition(":")[2] == helper:
        return Inconclusive(
            variant, build, helper,
            f"this kernel has no such name, which arch/ has from {source}: it was renamed, or went"
            " (names.yaml, `since` and `until` say so)", 0.0,
        )
    return Absent(variant, build, helper, source)


def _unwritten(
    library: LiftedBuild, layout: Layout, shape: Shape, features: Mapping[str, bool]
) -> Unwritten:
    backend = make_backend("z3", None)
    args = {}
    reason = ""
    try:
        for index, parameter in enumerate(shape.parameters()):
            if parameter.role != "free":
                args[parameter.name] = _free(
                    backend.free, parameter.name, library.width(shape, index)
                )
        library.lift(shape, backend.alg, backend.free, args, features)
    except NotModelled as error:
        reason = str(error)
    return Unwritten(layout.variant.name, library.build.name, shape.helper, not reason, reason)


def _free(free: Free, name: str, width: int) -> Any:
    return free.input_word(name, width) if width else free.input_bool(name)


def conform_helper(
    library: LiftedBuild,
    layout: Layout,
    shape: Shape,
    features: Mapping[str, bool],
    backend: Backend,
) -> Equal | Differs | Contradicted | Inconclusive:
    """One helper of one variant.

    With free loads, loads from unknown addresses return arbitrary values. They are tried where the
    helper is incomplete without, and count where what was loaded makes no difference.
    """
    found = _conform_helper(library, layout, shape, features, backend)
    if isinstance(found, Inconclusive):
        other = _conform_helper(library, layout, shape, features, backend.again(), True)
        if isinstance(other, Equal):
            return replace(other, seconds=other.seconds + found.seconds)
    return found


@dataclass(frozen=True, slots=True)
class _Sides:
    """Both sides on the same arguments."""

    model: Modelled
    kernel: Lifting
    notes: tuple[str, ...]


class _Head(NamedTuple):
    """What every result begins with."""

    variant: str
    build: str
    helper: str


def _conform_helper(
    library: LiftedBuild,
    layout: Layout,
    shape: Shape,
    features: Mapping[str, bool],
    backend: Backend,
    free_loads: bool = False,
) -> Equal | Differs | Contradicted | Inconclusive:
    start = time.perf_counter()
    head = _Head(layout.variant.name, library.build.name, shape.helper)
    try:
        function = layout.helper(shape.helper)
        pairs = pair(library, shape, function)
    except NotModelled as error:
        return Inconclusive(*head, str(error), time.perf_counter() - start)

    def ask(setting: Setting, premised: bool = False) -> ClaimQuestion[_Sides]:
        alg = setting.alg
        args = {p.wrapper: _free(setting.free, p.wrapper, p.width) for p in pairs}
        kernel = library.lift_to_the_end(
            shape, alg, setting.free, args, features, setting.possible, free_loads
        )
        model = evaluate_model(alg, function, pairs, args)
        inside = [alg.neg(u.condition) for u in kernel.outside]
        premise = [_shadow_premise(library, shape, args, alg)] if premised else []
        notes = (
            (*kernel.notes, "VM_SHADOW_STACK, which this configuration has not got, is not set")
            if premised
            else kernel.notes
        )
        return ClaimQuestion(
            (*inside, *premise),
            kernel.undefined,
            _different(alg, model, kernel),
            _Sides(model, kernel, notes),
        )

    verdict = decide(backend, ask, [p.wrapper for p in pairs])
    if isinstance(verdict, ClaimFails | ClaimUndefined) and _has_no_shadow_stacks(library, shape):
        verdict = decide(backend, lambda setting: ask(setting, True), [p.wrapper for p in pairs])
    return _compared(head, pairs, verdict, time.perf_counter() - start)


def _compared(
    head: _Head, pairs: Sequence[Pairing], verdict: Verdict[_Sides], seconds: float
) -> Equal | Differs | Contradicted | Inconclusive:
    """The verdict on a helper as a result, values under the model's names."""
    names = {p.wrapper: p.model for p in pairs}
    match verdict:
        case ClaimHolds(sides):
            return Equal(
                *head,
                sides.notes,
                tuple(dict.fromkeys(u.reason for u in sides.kernel.outside)),
                seconds,
            )
        case ClaimFails(values, sides):
            inputs = {names[k]: v for k, v in values.items() if k in names}
            free = {k: v for k, v in values.items() if k not in names}
            return Differs(
                *head,
                inputs,
                _told(sides.model, names),
                _told(sides.kernel, names),
                free,
                sides.notes,
                seconds,
            )
        case ClaimContradicted(values, reason):
            return Contradicted(*head, values, reason, seconds)
        case ClaimVacuous():
            return Inconclusive(
                *head, "nothing is left of the helper outside of what is out of scope", seconds
            )
        case ClaimUndefined(values, reasons):
            shown = ", ".join(f"{p.model} = {values.get(p.wrapper, 0):#x}" for p in pairs)
            return Inconclusive(*head, f"behaviour is undefined for {shown}: {reasons[0]}", seconds)
        case ClaimUnknown(reason):
            return Inconclusive(*head, reason, seconds)


def _told(side: Modelled | Lifting, names: Mapping[str, str]) -> dict[str, int | None]:
    """A side over plain integers: its result and the entries that it leaves."""
    result = None if side.result is None else int(side.result)
    return {"result": result} | {names[k]: int(v) for k, v in side.entries.items()}


def _has_no_shadow_stacks(library: LiftedBuild, shape: Shape) -> bool:
    """Does the helper take shadow_stack, where the kernel's configuration has no such vma?"""
    return (
        any(p.model == "shadow_stack" for p in shape.parameters())
        and library.constant("possible_shadow_stack") == 0
    )


def _shadow_premise(
    library: LiftedBuild, shape: Shape, args: Mapping[str, Any], alg: Algebra[Any, Any]
) -> Any:
    """shadow_stack is false, where the kernel's configuration has no such vma; None where that says
    nothing.
    """
    if not _has_no_shadow_stacks(library, shape):
        return None
    return alg.neg(args[next(p.name for p in shape.parameters() if p.model == "shadow_stack")])


def _different(alg: Algebra[Any, Any], model: Modelled, kernel: Lifting) -> Any:
    """The condition under which results or entries differ.

    A result that one side does not return is not compared.
    """
    found = []
    for name, entry in kernel.entries.items():
        found.append(alg.neg(alg.eq(entry, model.entries[name], _entry_width(kernel, name))))
    if kernel.width is not None and model.result is not None and model.width != NOTHING:
        if (model.width == BOOL) != (kernel.width == 0) or (
            kernel.width and model.width != kernel.width
        ):
            raise NotModelled(f"the kernel's result has another width: {kernel.width or 'a truth'}")
        same = (
            alg.eq(kernel.result, model.result, kernel.width)
            if kernel.width
            else alg.same(kernel.result, model.result)
        )
        found.append(alg.neg(same))
    elif not kernel.entries:
        raise NotModelled("there is nothing to compare")
    return alg.any(*found)


def _entry_width(kernel: Lifting, name: str) -> int:
    return kernel.entry_widths[name]
