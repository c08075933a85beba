# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's helpers in the place of the model's: a memory for the evaluator in which calls are already answered.

`machine.memo = KernelAnswers(library, layout, machine.alg, free)` makes every call of a pure helper, that the kernel has,
the lifted function. A verdict then rests on `undefined` holding nowhere, and on `notes`.
"""

from __future__ import annotations

from typing import Any

from verifier.algebra import Algebra
from verifier.arch import Layout
from verifier.kernel.helpers import Free, Library, known_features
from verifier.kernel.model_side import pair
from verifier.kernel.values import Incomplete
from verifier.syntax import BOOL, Function

__all__ = ["KernelAnswers"]


class KernelAnswers(dict[Any, Any]):
    """Results of calls, as the evaluator remembers them; those of the kernel's helpers are lifted when they are first asked for."""

    def __init__(self, library: Library | None, layout: Layout, alg: Algebra[Any, Any], free: Free) -> None:
        super().__init__()
        self.library = library
        self.layout = layout
        self.alg = alg
        self.free = free
        self.undefined: list[Any] = []
        self.notes: dict[str, None] = {}

    def __missing__(self, key: tuple[Function, tuple[Any, ...]]) -> Any:
        function, args = key
        shape = None if self.library is None else self.library.shapes.get(function.name)
        if self.library is None or function.name not in self.layout.helpers():
            raise KeyError(key)
        if shape is None:
            raise Incomplete(f"this kernel has no {function.name}")
        pairs = pair(self.library, shape, function)
        given = dict(zip([p.name for p in function.params], args, strict=True))
        features = known_features(self.library, self.layout.variant.features)
        lifted = self.library.lift(shape, self.alg, self.free, {p.wrapper: given[p.model] for p in pairs}, features)
        self.undefined += [u.condition for u in (*lifted.undefined, *lifted.outside)]
        self.notes |= dict.fromkeys(lifted.notes)
        if (lifted.width or BOOL) != function.returns:
            raise Incomplete(f"{function.name} has a result of another width in the kernel")
        self[key] = lifted.result
        return lifted.result
