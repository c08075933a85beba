# SPDX-License-Identifier: GPL-2.0-or-later
"""From fields and abstract states to an entry value: a solver finds the least that has them."""

from __future__ import annotations

from collections.abc import Sequence

from verifier.base.errors import UsageError, nearest
from verifier.engine.answers import Sat
from verifier.engine.bits import Bits, Word
from verifier.engine.bits_solver import BitsSolver
from verifier.engine.least_model import minimise
from verifier.language.evaluate import truth_of, word_of
from verifier.language.machine import Machine
from verifier.language.syntax import BOOL
from verifier.model.arch import Layout

__all__ = ["encode_entry"]


def encode_entry(layout: Layout, settings: Sequence[str]) -> int:
    """The least entry value that has all settings.

    FIELD=V sets a field, NAME=0 or NAME=1 what pte_NAME() says, pfn=V the frame. Raises UsageError
    where a name is unknown, a value does not fit, or no entry has all settings.
    """
    graph = Bits()
    entry = graph.input_word("entry", layout.width)
    machine = Machine(graph)
    conditions = [_condition(layout, graph, machine, entry, text) for text in settings]
    solver = BitsSolver(graph)
    if not isinstance(solver.check(conditions), Sat):
        raise UsageError(f"no entry of {layout.variant.name} has all of {' '.join(settings)}")
    return int(minimise(solver, conditions, ["entry"])["entry"])


def _condition(layout: Layout, graph: Bits, machine: Machine[Word, int], entry: Word,
               text: str) -> int:
    name, equals, value_text = text.partition("=")
    try:
        value = int(value_text, 0) if equals else 1
    except ValueError:
        raise UsageError(f"{text!r}: {value_text!r} is no number") from None
    if name in layout.fields:
        found = layout.fields[name]
        size = found.high - found.low + 1
        if not 0 <= value < 1 << size:
            raise UsageError(f"{text!r}: {name} has {size} bits")
        return graph.eq(graph.extract(entry, found.low, size), graph.word(value, size), size)
    helper = name if name.startswith("pte_") else f"pte_{name}"
    function = layout.function(helper)
    if function is None or len(function.params) != 1 or function.params[0].type != layout.width:
        known = [*layout.fields, *(h.removeprefix("pte_") for h in layout.helpers()
                                   if h.startswith("pte_"))]
        raise UsageError(f"unknown field or state {name!r}{nearest(name, known)}")
    if function.returns == BOOL:
        if value not in (0, 1):
            raise UsageError(f"{text!r}: {name} is 0 or 1")
        truth = truth_of(machine, function, (entry,))
        return truth if value else graph.neg(truth)
    if not 0 <= value < 1 << function.returns:
        raise UsageError(f"{text!r}: does not fit")
    return graph.eq(word_of(machine, function, (entry,)), graph.word(value, function.returns),
                    function.returns)
