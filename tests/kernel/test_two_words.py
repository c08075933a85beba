# SPDX-License-Identifier: GPL-2.0-or-later
"""The order in which halves of an entry are stored: arch/'s texts have the stages of the kernel's C
as lifted.

Needs a tree: KERNEL_TREE.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sample import sampled

from verifier.halves.moments import stages
from verifier.kernel.conform.choices import bits_backend
from verifier.kernel.conform.helpers import LiftedBuild, known_features
from verifier.kernel.conform.model_side import pair
from verifier.kernel.conform.questions import Backend
from verifier.kernel.conform.session import library_for
from verifier.model.arch import Layout
from verifier.model.read_arch import load_layout

TREE = os.environ.get("KERNEL_TREE")
pytestmark = pytest.mark.skipif(not TREE, reason="needs a kernel tree: KERNEL_TREE=/path/to/linux")

HELPERS = ("set_pte", "pte_clear", "ptep_get_and_clear")
VARIANTS = ("x86_32-pae", "mips32-xpa", "mips32-36bit", "sh-x2tlb+smp")
CASES = sampled([(variant, helper) for variant in VARIANTS for helper in HELPERS],
                [("x86_32-pae", helper) for helper in HELPERS])


@cache
def layout(variant: str) -> Layout:
    return load_layout(variant)


@cache
def library(variant: str) -> LiftedBuild:
    assert TREE is not None
    return library_for(Path(TREE), layout(variant))


def kernels(variant: str, helper: str, backend: Backend, args: Mapping[str, Any]
            ) -> tuple[list[Any], list[tuple[Any, Any]]]:
    """What memory has before each access of the lifted helper, and behind the last; and what is
    given, as what is out of scope is nobody's.
    """
    lib, alg, seen = library(variant), backend.alg, list[tuple[Any, Any]]()

    def acting(_: str, place: str, entry: Any, where: Any) -> Any:
        seen.append((where, entry))
        return entry

    lifted = lib.lift(lib.shapes[helper], alg, backend.free, args,
                      known_features(lib, layout(variant).variant.features), backend.possible,
                      acting=acting, most_rounds=8)
    (after,) = lifted.entries.values()
    given = [alg.neg(one.condition) for one in (*lifted.outside, *lifted.undefined)]
    return given, [*seen, (alg.truth(True), after)]


def differ(variant: str, helper: str, changed: Layout | None = None) -> bool:
    """Does memory come to have, on one side alone, what is neither the old nor the new entry?"""
    its, lib, backend = changed or layout(variant), library(variant), bits_backend()
    alg, yes, function = backend.alg, backend.alg.truth(True), its.helper(helper)
    pairs = pair(lib, lib.shapes[helper], function)
    args: dict[str, Any] = {
        p.wrapper: backend.free.input_word(p.wrapper, p.width) if p.width else
        backend.free.input_bool(p.wrapper) for p in pairs}
    given, theirs = kernels(variant, helper, backend, args)
    ours = stages(alg, function, {p.model: args[p.wrapper] for p in pairs})
    (old,) = [args[p.wrapper] for p in pairs if p.entry]
    for one, other in ((theirs, ours), (ours, theirs)):
        for where, entry in one:
            known = [alg.neg(alg.all(here, alg.eq(entry, word, its.width)))
                     for here, word in [*other, (yes, old)]]
            if backend.possible(alg.all(*given, where, *known)):
                return True
    return False


@pytest.mark.parametrize(("variant", "helper"), CASES)
def test_arch_stores_halves_in_the_kernels_order(variant: str, helper: str) -> None:
    assert not differ(variant, helper)


def test_the_other_order_is_noticed() -> None:
    its = layout("x86_32-pae")
    turned = ("ptep = (ptep & ~LOW_WORD) | (pte & LOW_WORD)\nhardware(ptep)\nptep = pte\n")
    assert differ("x86_32-pae", "set_pte", its.with_body("set_pte", turned))
    assert differ("x86_32-pae", "set_pte", its.with_body("set_pte", "ptep = pte\n"))
    assert differ("x86_32-pae", "pte_clear", its.with_body(
        "pte_clear", "ptep &= LOW_WORD\nhardware(ptep)\nptep = 0\n"))
