# SPDX-License-Identifier: GPL-2.0-or-later
"""What memory holds between the stores of a helper, before and after a patch.

An entry of two words is stored by halves, and who reads it without the lock may meet one half of
each (docs/two-words.md). Two helpers that leave the same entry may differ in that: in the order of
their stores, or in how many there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from verifier.kernel.conform.choices import bits_backend
from verifier.kernel.conform.helpers import LiftedBuild
from verifier.kernel.conform.questions import Backend
from verifier.kernel.tree.shapes import Shape

__all__ = ["half_stores_differ"]

ROUNDS = 8  # of one loop

_Stage: TypeAlias = tuple[str, int, Any, Any]  # of which entry, its bits, when, and what it is then


def half_stores_differ(
    old: LiftedBuild, new: LiftedBuild, shape: Shape, features: tuple[Mapping[str, bool], ...]
) -> bool:
    """May memory hold an entry on one side alone, that is neither the entry before nor that behind?

    `features` are those of each side. Also true where a solver gives up. Raises NotModelled where a
    side is not lifted so.
    """
    backend = bits_backend()
    args: dict[str, Any] = {}
    for n, parameter in enumerate(shape.parameters()):
        if parameter.role != "free":
            width = old.width(shape, n)
            args[parameter.name] = (backend.free.input_word(parameter.name, width) if width
                                    else backend.free.input_bool(parameter.name))
    sides = [_stages(side, shape, backend, args, known)
             for side, known in zip((old, new), features, strict=True)]
    given = [*sides[0][0], *sides[1][0]]
    (_, one), (_, other) = sides
    return (_has_alone(backend, given, args, one, other)
            or _has_alone(backend, given, args, other, one))


def _has_alone(
    backend: Backend, given: list[Any], args: Mapping[str, Any], one: list[_Stage],
    other: list[_Stage],
) -> bool:
    """Is there a stage of the first that is neither one of the other nor the entry before?"""
    alg = backend.alg
    for name, width, where, entry in one:
        known = [alg.all(here, alg.eq(entry, word, width))
                 for whose, _, here, word in other if whose == name]
        known.append(alg.eq(entry, args[name], width))
        if backend.possible(alg.all(*given, where, alg.neg(alg.any(*known)))):
            return True
    return False


def _stages(
    side: LiftedBuild, shape: Shape, backend: Backend, args: Mapping[str, Any],
    features: Mapping[str, bool],
) -> tuple[list[Any], list[_Stage]]:
    """What is given, as what is undefined is nobody's; and each entry before each access, and
    behind the last.
    """
    alg, seen = backend.alg, list[tuple[str, Any, Any]]()

    def acting(name: str, place: str, entry: Any, where: Any) -> Any:
        seen.append((name, where, entry))
        return entry

    lifted = side.lift(shape, alg, backend.free, args, features, backend.possible, acting=acting,
                       most_rounds=ROUNDS)
    seen += [(name, alg.truth(True), entry) for name, entry in lifted.entries.items()]
    given = [alg.neg(one.condition) for one in (*lifted.outside, *lifted.undefined)]
    return given, [(name, lifted.entry_widths[name], where, entry) for name, where, entry in seen]
