# SPDX-License-Identifier: GPL-2.0-or-later
"""The model's helper, evaluated on the arguments that the kernel's was lifted on.

Which parameter is which: names that a shape fixes, and the order for the rest. Sizes must agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from verifier.kernel.conform.helpers import LiftedBuild
from verifier.kernel.llvm.values import NotModelled
from verifier.kernel.tree.shapes import Shape
from verifier.language.algebra import Algebra
from verifier.language.evaluate import evaluated
from verifier.language.machine import Machine
from verifier.language.syntax import BOOL, Function

__all__ = ["Modelled", "Pairing", "evaluate_model", "pair"]


@dataclass(frozen=True, slots=True)
class Pairing:
    """One parameter on both sides.

    wrapper  its name in the wrapper, and `model` in the model
    width    in bits; 0: a truth
    entry    it is a pointer to an entry
    """

    wrapper: str
    model: str
    width: int
    entry: bool


@dataclass(frozen=True, slots=True)
class Modelled:
    """What the model's helper gives: a result (None where it returns nothing), and entries by
    wrapper parameter.
    """

    result: Any
    width: int
    entries: Mapping[str, Any]


def pair(library: LiftedBuild, shape: Shape, function: Function) -> list[Pairing]:
    """The parameters of both sides. NotModelled where they do not fit together."""
    named = {p.name: p for p in function.params}
    rest = [p for p in function.params if p.name not in {q.model for q in shape.parameters()}]
    found: list[Pairing] = []
    for index, parameter in enumerate(shape.parameters()):
        if parameter.role == "free":
            continue
        if parameter.model is not None:
            if parameter.model not in named:
                raise NotModelled(f"the model's helper has no parameter {parameter.model}")
            param = named[parameter.model]
        elif rest:
            param = rest.pop(0)
        else:
            raise NotModelled("the kernel's helper takes more than the model's")
        width = library.width(shape, index)
        if param.by_ref != (parameter.role == "entry"):
            raise NotModelled(f"{param.name} is a pointer on one side only")
        if param.type != (BOOL if width == 0 else width):
            raise NotModelled(f"{param.name} has another width in the kernel: {width or 'a truth'}")
        found.append(Pairing(parameter.name, param.name, width, param.by_ref))
    if rest:
        raise NotModelled(f"the kernel's helper takes no {rest[0].name}")
    return found


def evaluate_model(
    alg: Algebra[Any, Any], function: Function, pairs: list[Pairing], args: Mapping[str, Any]
) -> Modelled:
    """The model's helper on these arguments (by wrapper parameter)."""
    machine = Machine(alg)
    values = {p.model: args[p.wrapper] for p in pairs}
    result, after = evaluated(machine, function, values)
    entries = {p.wrapper: after[p.model] for p in pairs if p.entry}
    return Modelled(result, function.returns, entries)
