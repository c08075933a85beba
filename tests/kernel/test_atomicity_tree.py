# SPDX-License-Identifier: GPL-2.0-or-later
"""Atomicity of a real tree's helpers: arch/ is as atomic as the kernel, and what is not is noticed.

Needs a tree: KERNEL_TREE.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from verifier.engine.bits import Bits
from verifier.engine.bits_solver import BitsSolver
from verifier.kernel.asm import inline
from verifier.kernel.asm.read_table import Assembly, assembly_of
from verifier.kernel.conform import choices
from verifier.kernel.conform.atomic_results import (
    Atomicity,
    Disturbed,
    LessAtomic,
    MoreAtomic,
    Same,
)
from verifier.kernel.conform.atomicity import Judge, lets_hardware_in, level_of
from verifier.kernel.conform.conform import conform_variant
from verifier.kernel.conform.helpers import LiftedBuild, known_features
from verifier.kernel.conform.report import as_json, as_junit, as_text
from verifier.kernel.conform.results import Inconclusive, TooAtomic
from verifier.kernel.conform.session import (
    Conformance,
    build_library,
    exit_code,
    kernel_helpers,
    layouts,
    level_names,
)
from verifier.kernel.tree.builds import load_builds
from verifier.model.arch import Layout
from verifier.model.typed import Model
from verifier.prove.baseline import said
from verifier.prove.bits_way import GroupProver
from verifier.prove.obligations import Group
from verifier.prove.other_helpers import SubstitutedProver, substituted
from verifier.prove.results import Proved
from verifier.run.library import load_library

TREE = os.environ.get("KERNEL_TREE")
pytestmark = pytest.mark.skipif(not TREE, reason="needs a kernel tree: KERNEL_TREE=/path/to/linux")
BUILDS = {"x86_64": "x86_64", "riscv64+svadu": "riscv64"}
LINE = re.compile(r"[\w/.-]+\.[ch]:\d+")


@cache
def library(variant: str) -> LiftedBuild:
    assert TREE is not None
    return build_library(Path(TREE), load_builds()[BUILDS[variant]])[0]


@cache
def layout(variant: str) -> Layout:
    (found,) = layouts([variant])
    return found


def judged(variant: str, changed: Layout | None = None) -> Mapping[str, Atomicity]:
    """Every helper on a pointer to an entry of a level that specs/ knows."""
    its, lib = changed or layout(variant), library(variant)
    judge = Judge(lib, its, known_features(lib, its.variant.features), level_names())
    wanted = [
        s
        for name, s in lib.shapes.items()
        if name in its.helpers() and level_of(name) in level_names() and "pud" not in name
    ]
    found = {s.helper: judge.helper(s, level_of(s.helper)) for s in wanted}
    return {name: a for name, a in found.items() if a is not None}


def splitting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every statement of assembly is its accesses, each on its own."""
    def split(kernel: str) -> Assembly:
        found = assembly_of(kernel)
        return replace(found, statements=tuple(s._replace(atomic=False) for s in found.statements))

    monkeypatch.setattr(inline, "assembly_of", split)


@pytest.mark.parametrize(("variant", "steps"), [("x86_64", 4), ("riscv64+svadu", 2)])
def test_arch_is_as_atomic_as_the_kernel(variant: str, steps: int) -> None:
    """Also where the kernel loads and stores, since arch/'s text says so; those helpers are not one
    step.
    """
    found = judged(variant)
    assert len(found) > 40 and all(isinstance(a.compared, Same) for a in found.values()), {
        n: a.compared for n, a in found.items()
    }
    parts = {name: a.one_step for name, a in found.items() if a.one_step is not True}
    assert len(parts) == steps
    for name, run in parts.items():
        assert isinstance(run, Disturbed) and run.replayed, name
        inner = [where for _, where in run.events if where.startswith("between")]
        assert inner and all(len(LINE.findall(where)) >= 2 for where in inner), run.events
        assert lets_hardware_in(layout(variant).helper(name).body)


@pytest.mark.parametrize(("variant", "least"), [("x86_64", 20), ("riscv64+svadu", 20)])
def test_exchanges_that_are_split_are_noticed(
    monkeypatch: pytest.MonkeyPatch, variant: str, least: int
) -> None:
    before = judged(variant)
    splitting(monkeypatch)
    found = {name: a for name, a in judged(variant).items() if isinstance(a.compared, MoreAtomic)}
    assert len(found) >= least, sorted(found)
    for name, a in found.items():
        assert isinstance(a.compared, MoreAtomic) and a.compared.run.replayed, name
        assert isinstance(before[name].compared, Same)
    assert (
        "ptep_set_wrprotect" in found
        and "ptep_get_and_clear" in found
        and "pmdp_establish" in found
    )


def test_points_that_arch_forgets_are_noticed() -> None:
    """What is left of x86's texts without hardware(), where the kernel loads and then stores."""
    its, noticed = layout("x86_64"), set()
    for name in its.helpers():
        body = its.text(name).body.text
        if "hardware(" in body and name in library("x86_64").shapes:
            changed = its.with_body(name, re.sub(r"hardware\((\w+)\)", r"\1 = \1", body))
            lib = library("x86_64")
            judge = Judge(lib, changed, known_features(lib, its.variant.features), level_names())
            found = judge.helper(lib.shapes[name], level_of(name))
            if found is not None and isinstance(found.compared, MoreAtomic):
                assert found.compared.run.replayed
                noticed.add(name)
    assert {"pmdp_invalidate", "pmdp_invalidate_ad", "ptep_get_and_clear_full"} <= noticed, noticed


def test_a_needless_point_is_told() -> None:
    changed = layout("x86_64").with_body(
        "ptep_get_and_clear", "pte = ptep\nhardware(ptep)\nptep = 0\nreturn pte\n"
    )
    found = {
        r.helper: r
        for r in conform_variant(
            library("x86_64"), changed, ["ptep_get_and_clear"], levels=level_names()
        )
    }
    atomicity = found["ptep_get_and_clear"].atomicity  # type: ignore[union-attr]
    assert (
        atomicity is not None
        and isinstance(atomicity.compared, LessAtomic)
        and atomicity.compared.run.replayed
    )


def test_conform_tells_of_it_in_every_format() -> None:
    """Equal where nobody acts within, and not `equal`: exit 1, with values and lines."""
    its = layout("x86_64")
    body = re.sub(r"hardware\((\w+)\)", r"\1 = \1", its.text("pmdp_invalidate_ad").body.text)
    results = conform_variant(
        library("x86_64"),
        its.with_body("pmdp_invalidate_ad", body),
        ["pmdp_invalidate_ad", "ptep_get"],
        levels=level_names(),
    )
    found = {r.helper: r for r in results}
    assert isinstance(found["pmdp_invalidate_ad"], TooAtomic) and exit_code(results) == 1
    alone = conform_variant(
        library("x86_64"), its.with_body("pmdp_invalidate_ad", body), ["pmdp_invalidate_ad"]
    )
    assert exit_code(alone) == 0  # without asking for atomicity they are equal
    report = Conformance("tree", "6.12", tuple(results), (), (), ())
    text = as_text(report, {its.variant.name: its})
    assert (
        "arch/ is more atomic than the kernel" in text
        and len(LINE.findall(text)) >= 2
        and "1 arch more atomic" in text
    )
    rows = {r["helper"]: r for r in as_json(report)["results"]}
    assert (
        rows["pmdp_invalidate_ad"]["verdict"] == "too-atomic"
        and rows["pmdp_invalidate_ad"]["atomicity"]["run"]["replay"] is True
    )
    assert rows["ptep_get"]["atomicity"] | {"seconds": 0} == {
        "verdict": "same",
        "one_step": True,
        "plain_accesses": 0,
        "part_accesses": 0,
        "seconds": 0,
    }
    told = said(rows["pmdp_invalidate_ad"])
    assert (
        told is not None
        and told.verdict == "refuted"
        and told.ways == {"another outcome while the hardware acts"}
    )
    assert any("compiler" in note for note in rows["ptep_get"]["rests_on"])
    assert as_junit(report).count("<failure") == 1 and re.search(
        r"<system-out>.*the same\s+one step", as_junit(report), re.DOTALL
    )


def test_what_is_not_decided_is_incomplete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choices, "MOST_TRIED", 1)
    (result,) = conform_variant(
        library("x86_64"), layout("x86_64"), ["ptep_get_and_clear_full"], levels=level_names()
    )
    assert (
        isinstance(result, Inconclusive)
        and "while the hardware acts" in result.reason
        and exit_code([result]) == 3
    )


def fork(changed: Mapping[str, str] = {}, kernels: bool = True) -> tuple[dict[str, bool], str]:
    """Option C's fork on riscv64+svadu: property -> is it proved; and what is said of the helpers.

    `changed`: texts of arch/.
    """
    assert TREE is not None
    its = load_library()
    substitute = kernel_helpers(Path(TREE), [its.layout("riscv64+svadu")])
    group = Group("riscv64+svadu", "pte", "option-c", "option-c")
    here = its.layout("riscv64+svadu")
    for name, body in changed.items():
        here = here.with_body(name, body)
    model = Model(its.spec, here, its.spec.encodings[group.encoding], group.level)
    graph = Bits()
    solver = BitsSolver(graph)
    prover = (
        SubstitutedProver(substituted(model, substitute), group, graph, solver)
        if kernels
        else GroupProver(model, group, graph, solver)
    )
    asked = prover.builder.questions(lambda t, p: t == "fork-pte" and p in its.spec.properties)
    found = {q.property.name: isinstance(prover.decide(q), Proved) for q in asked}
    return found, "\n".join(prover.helpers())


def test_prove_lets_the_hardware_in_where_the_kernels_code_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Write protecting in two steps loses a dirty bit that the walker sets in between; arch/'s
    text, which is one, is not asked.
    """
    found, told = fork()
    assert len(found) > 40 and all(found.values()) and "the hardware may act" not in told
    splitting(monkeypatch)
    found, told = fork()
    lost = {name for name, proved in found.items() if not proved}
    assert "no-lost-dirty" in lost and len(lost) < 6, lost
    rows = [
        row
        for row in told.splitlines()
        if "the hardware may act in ptep_set_wrprotect between" in row
    ]
    assert rows and all(len(LINE.findall(row)) >= 2 for row in rows)


def test_archs_points_do_not_decide_for_the_kernels_helper() -> None:
    """A text with a point, beside a helper of the kernel's that is one step: the kernel's is
    lifted, and undisturbed.
    """
    changed = {"ptep_set_wrprotect": "old = ptep\nhardware(ptep)\nptep = old & ~WRITE\n"}
    assert not fork(changed, kernels=False)[0]["no-lost-dirty"]
    found, told = fork(changed)
    assert (
        all(found.values())
        and "ptep_set_wrprotect is arch/'s" not in told
        and "the hardware may act" not in told
    )
