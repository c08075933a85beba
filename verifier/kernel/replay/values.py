# SPDX-License-Identifier: GPL-2.0-or-later
"""Values run through the kernel's own helpers: as machine code where this computer can, else
lifted, with plain integers.

Also the check of the lifter itself: lifted and native code on random and corner values.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from verifier.base.errors import UsageError
from verifier.kernel.conform.helpers import LiftedBuild, Lifting, known_features
from verifier.kernel.conform.inputs import Given
from verifier.kernel.conform.model_side import pair
from verifier.kernel.llvm.values import NeverReturns, NotModelled
from verifier.kernel.replay.native import MachineOutcome, Native
from verifier.kernel.tree.shapes import Shape
from verifier.language.algebra import Integers
from verifier.model.arch import Layout

__all__ = [
    "Comparison",
    "Mismatch",
    "compare_native",
    "corner_values",
    "point_values",
    "replay_native",
    "run_lifted",
]


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Lifted and native code that do not agree. It is a defect of the lifter."""

    helper: str
    args: Mapping[str, int]
    lifted: MachineOutcome
    native: MachineOutcome


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many points were compared for how many helpers.

    `skipped`: behaviour undefined, out of scope, or a trap.
    """

    helpers: int
    points: int
    skipped: int
    incomplete: tuple[tuple[str, str], ...]
    mismatches: tuple[Mismatch, ...]


def run_lifted(
    library: LiftedBuild, shape: Shape, args: Mapping[str, int], features: Mapping[str, bool]
) -> MachineOutcome | None:
    """The lifted helper on values; None where behaviour is undefined or out of scope.

    Raises NotModelled.
    """
    given: dict[str, Any] = {}
    for index, parameter in enumerate(shape.parameters()):
        value = args.get(parameter.name, 0)
        width = library.width(shape, index) if parameter.role in ("word", "bool", "entry") else None
        if width is not None:
            given[parameter.name] = bool(value) if width == 0 else value
    try:
        found: Lifting = library.lift(shape, Integers(), Given({}), given, features)
    except NeverReturns:
        return None
    if any(u.condition for u in (*found.undefined, *found.outside)):
        return None
    return MachineOutcome(
        None if found.result is None else int(found.result),
        {k: int(v) for k, v in found.entries.items()},
    )


def replay_native(
    native: Native | None,
    library: LiftedBuild,
    layout: Layout,
    helper: str,
    args: Mapping[str, int],
) -> MachineOutcome | None:
    """A helper on values by the model's names of parameters, natively, or lifted where `native` is
    None.

    None where it traps, is undefined or out of scope. UsageError where the kernel has no such
    helper; NotModelled where the lifted one is not whole. Entries come back under its names.
    """
    shape = library.shapes.get(helper)
    if shape is None:
        raise UsageError(f"this kernel has no helper {helper!r}")
    pairs = pair(library, shape, layout.helper(helper))
    missing = [p.model for p in pairs if p.model not in args]
    if missing:
        raise UsageError(f"{helper} needs a value for {missing[0]}")
    given = {p.wrapper: int(args[p.model]) for p in pairs}
    if native is not None:
        found = native.call(shape, given)
    else:
        found = run_lifted(library, shape, given, known_features(library, layout.variant.features))
    if found is None:
        return None
    names = {p.wrapper: p.model for p in pairs}
    return MachineOutcome(found.result, {names[k]: v for k, v in found.entries.items()})


def corner_values(width: int) -> list[int]:
    """Words that helpers may treat in a way of their own: none, all, and single bits and their
    complements.
    """
    full = (1 << width) - 1
    single = [1 << bit for bit in range(width)]
    return [0, full, *single, *[full ^ b for b in single]]


def point_values(
    library: LiftedBuild, shape: Shape, count: int, seed: int
) -> Iterator[dict[str, int]]:
    """Corner values and random ones for a helper's parameters."""
    rng = random.Random(f"{shape.helper} {seed}")
    widths = {
        p.name: library.width(shape, n)
        for n, p in enumerate(shape.parameters())
        if p.role != "free"
    }
    corners = {name: corner_values(width) if width else [0, 1] for name, width in widths.items()}
    for number in range(count):
        point = {}
        for name, width in widths.items():
            if width == 0:
                point[name] = rng.getrandbits(1)
            elif number < 140 and rng.random() < 0.7:
                point[name] = corners[name][number % len(corners[name])]
            else:
                point[name] = rng.getrandbits(width) & (
                    rng.getrandbits(width) if rng.random() < 0.5 else -1
                )
        yield point


def compare_native(
    library: LiftedBuild,
    native: Native,
    features: Mapping[str, bool],
    count: int = 200,
    seed: int = 1,
    helpers: Sequence[str] | None = None,
) -> Comparison:
    """Each helper lifted and native on `count` points."""
    points = skipped = compared = 0
    incomplete, mismatches = [], []
    for helper, shape in library.shapes.items():
        if helpers is not None and helper not in helpers:
            continue
        try:
            compared += 1
            for args in point_values(library, shape, count, seed):
                lifted = run_lifted(library, shape, args, features)
                machine = native.call(shape, args) if lifted is not None else None
                if lifted is None or machine is None:
                    skipped += 1
                    continue
                points += 1
                if lifted != machine:
                    mismatches.append(Mismatch(helper, args, lifted, machine))
        except NotModelled as error:
            incomplete.append((helper, str(error)))
    return Comparison(compared, points, skipped, tuple(incomplete), tuple(mismatches))
