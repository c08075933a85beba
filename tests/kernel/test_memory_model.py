# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's own litmus tests end as their headers say, and no part of the model is idle."""

from __future__ import annotations

import os
import re
from functools import cached_property
from pathlib import Path

import pytest

from verifier.races.judge_litmus import data_race, happens, observation
from verifier.races.order import Ordered
from verifier.races.read_litmus import read_litmus
from verifier.races.relations import Relation

TREE = os.environ.get("KERNEL_TREE")
pytestmark = pytest.mark.skipif(TREE is None, reason="needs a kernel tree: KERNEL_TREE")
FOLDERS = ("tools/memory-model/litmus-tests", "Documentation/litmus-tests")
_RESULT = re.compile(r"\* Result: (\w+)")


def found() -> dict[str, str]:
    """The text of every test by its name."""
    return {path.stem: path.read_text() for folder in FOLDERS if TREE
            for path in sorted((Path(TREE) / folder).rglob("*.litmus"))}


def results() -> dict[str, str]:
    """What the headers say."""
    return {name: said[1] for name, text in found().items() if (said := _RESULT.search(text))}


def differing() -> set[str]:
    """The tests that end otherwise than their headers say."""
    tests = found()
    return {name for name, said in results().items()
            if observation(read_litmus(tests[name], name), "LKMM").lower() != said.lower()}


def test_every_test_ends_as_its_header_says() -> None:
    said = results()
    assert len(said) >= 40 and said.keys() == found().keys()
    assert {"Never", "Sometimes", "DEADLOCK"} <= set(said.values())
    assert differing() == set()


def test_no_test_has_a_data_race() -> None:
    assert not [name for name, text in found().items() if data_race(read_litmus(text, name))]


def test_models_are_ordered_by_strength() -> None:
    """What SC allows, TSO allows; what TSO allows, LKMM allows."""
    for name, text in found().items():
        allowed = happens(read_litmus(text, name))
        assert allowed["SC"] <= allowed["TSO"] <= allowed["LKMM"], name


def test_tso_is_between_them() -> None:
    tests = found()
    allowed = {name: happens(read_litmus(text, name)) for name, text in tests.items()}
    only_tso = {name for name, models in allowed.items() if models["TSO"] > models["SC"]}
    only_lkmm = {name for name, models in allowed.items() if models["LKMM"] > models["TSO"]}
    assert {"SB+poonceonces", "R+poonceonces", "SB+rfionceonce-poonceonces"} <= only_tso
    assert {"MP+poonceonces", "LB+poonceonces", "IRIW+poonceonces+OnceOnce"} <= only_lkmm


@pytest.mark.parametrize("part", [
    "addr", "ctrl", "mb", "po_unlock_lock_po", "ppo", "cumul_fence", "pb", "rcu_fence",
    "carried",
])
def test_without_a_part_of_the_model_some_header_is_wrong(
    monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    def empty(order: Ordered) -> Relation:
        return Relation.of(order.frame.n, ())

    weaker = cached_property(empty)
    weaker.__set_name__(Ordered, part)
    monkeypatch.setattr(Ordered, part, weaker)
    assert differing()


@pytest.mark.parametrize("place", range(4))
def test_without_a_weak_fence_some_header_is_wrong(
    monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    whole = Ordered.__dict__["weak"].func

    def without(order: Ordered) -> tuple[Relation, ...]:
        parts = list(whole(order))
        parts[place] = Relation.of(order.frame.n, ())
        return tuple(parts)

    weaker = cached_property(without)
    weaker.__set_name__(Ordered, "weak")
    monkeypatch.setattr(Ordered, "weak", weaker)
    assert differing()
