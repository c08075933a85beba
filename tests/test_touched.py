# SPDX-License-Identifier: GPL-2.0-or-later
"""What a step may call, as its texts say, is all that it calls when it runs."""

from __future__ import annotations

from typing import Any

import pytest
from sample import sampled

from verifier.engine.bits import Bits
from verifier.language.machine import Memory
from verifier.language.syntax import Function
from verifier.model.check import check_model
from verifier.prove.bits_way import graph_inputs
from verifier.prove.builder import Builder
from verifier.prove.obligations import Group
from verifier.prove.touched import helpers_called
from verifier.run.library import Library


class Listening(Memory[Any, Any]):
    """A memory that remembers nothing, so that each call is made each time, and hears its name."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: set[str] = set()

    def __missing__(self, key: tuple[Function, Any]) -> Any:
        self.heard.add(key[0].name)
        raise KeyError(key)

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def by_reference(self, function: Function, args: Any, room: Any) -> None:
        self.heard.add(function.name)


GROUPS = [Group("x86_64", level, "page-flag", "today") for level in ("pte", "hugetlb", "pmd")]


@pytest.mark.parametrize("group", sampled(GROUPS, GROUPS[1:2]), ids=str)
def test_a_step_calls_what_its_texts_name(library: Library, group: Group) -> None:
    model = library.group_model(group)
    check_model(model)
    called = helpers_called(model, group)
    graph, memory = Bits(), Listening()
    builder = Builder(model, group, graph, graph_inputs(graph), memory)
    own = 0
    for step, names in called.of_step.items():
        memory.heard.clear()
        for one in (builder.questions, builder.aims):
            list(one(lambda transition, prop, step=step: transition == step))  # type: ignore[misc]
        heard = {name for name in memory.heard if name in model.layout.helpers()}
        assert heard <= called.common | names, step
        own += bool(heard - called.common)
    assert own > 5  # some steps call what not all do


def test_a_change_touches_the_steps_that_may_call_it(library: Library) -> None:
    group = GROUPS[0]
    model = library.group_model(group)
    check_model(model)
    called = helpers_called(model, group)
    touched = called.by(frozenset({"pte_mkold"}))
    assert "fork-pte" in touched and "wp-reuse" not in touched
    assert called.by(frozenset({"pte_present"})) == list(called.of_step)
    assert not called.by(frozenset({"no_such_helper"}))
