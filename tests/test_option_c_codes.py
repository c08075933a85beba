# SPDX-License-Identifier: GPL-2.0-or-later
"""Each code of option C is needed: without it, with the code before it, that step breaks a property
or a lemma.

One step of induction is asked, with the invariant of option C's own code; whether a state that
breaks it is reached is asked of the shipped codes, not of these.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from verifier.engine.bits import Bits
from verifier.engine.bits_solver import BitsSolver
from verifier.model.spec import ADVISORY, Spec
from verifier.model.typed import Model
from verifier.prove.bits_way import GroupProver
from verifier.prove.obligations import Group
from verifier.prove.results import Proved
from verifier.run.library import Library

OPTION_C = "option-c"
# Where no proof of this variant needs the code, with the reason.
UNNEEDED = {
    "hugetlb-mprotect": "what is writable is dirty already (lemma hugetlb-writable-is-dirty), "
                        "where migration entries keep dirty",
    "lazyfree-discard": "mm/rmap.c:set_tlb_ubc_flush_pending is one function for all; the folio "
                        "that fork dirtied is kept anyway",
    "migrate-start-device-private": "x86_64 takes a bit of the offset for dirty; arm64 needs it "
                                    "(docs/findings/device-memory.md)",
}


def failing(library: Library, spec: Spec, level: str, steps: frozenset[str],
            variant: str = "x86_64") -> set[str]:
    """What one step of induction does not prove of these transitions."""
    model = Model(spec, library.layout(variant), spec.encodings[OPTION_C], level)
    graph = Bits()
    prover = GroupProver(model, Group(variant, level, OPTION_C, OPTION_C), graph, BitsSolver(graph))
    return {f"{q.transition}/{q.property.name}"
            for q in prover.builder.questions(lambda t, p: t in steps)
            if q.property.kind != ADVISORY and not isinstance(prover.decide(q), Proved)}


@pytest.mark.parametrize("level", ["pte", "pmd", "hugetlb"])
def test_each_code_is_needed(library: Library, level: str) -> None:
    spec = library.spec
    own = frozenset(n for n, t in spec.transitions.items() if OPTION_C in t.codes
                    and level in t.levels)
    without = {n: replace(t, codes={c: s for c, s in t.codes.items() if c != OPTION_C})
               for n, t in spec.transitions.items()}
    lost = failing(library, replace(spec, transitions=without), level,
                   own) - failing(library, spec, level, own)
    unneeded = {n for n in own if not any(each.startswith(f"{n}/") for each in lost)}
    assert own and unneeded == own & set(UNNEEDED)


def test_restoring_asks_the_vma(library: Library) -> None:
    """The writable type says exclusive: an entry that came back writable by it would give what the
    vma does not allow.
    """
    old, step = library.spec.transitions["restore-device-exclusive"], frozenset(
        {"restore-device-exclusive"}
    )
    assert OPTION_C not in old.codes and not failing(library, library.spec, "pte", step)
    code = old.codes["thread"]
    assert code.text.count("maybe_mkwrite(pte, p, may_write[p])") == 1
    planted = replace(code, text=code.text.replace("maybe_mkwrite(pte, p, may_write[p])",
                                                   "pte_mkwrite(pte, shadow_stack[p])"))
    changed = {**library.spec.transitions,
               "restore-device-exclusive": replace(old, codes={**old.codes, "thread": planted})}
    found = failing(library, replace(library.spec, transitions=changed), "pte", step)
    assert "restore-device-exclusive/within-vma" in found
