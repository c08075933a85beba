# SPDX-License-Identifier: GPL-2.0-or-later
"""Mistakes put into the kernel's functions on blocks of entries, some of which it once had: which
claims they break, and with which values.

Only the changed file is compiled anew. Needs a tree: KERNEL_TREE.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from kernel.asked import TREE, VARIANTS, needs, needs_tree
from verifier.kernel.claims.contpte import CLAIMS
from verifier.kernel.claims.decide_claims import ClaimResult, EntryBlock, prove_claim
from verifier.kernel.claims.hugetlb_blocks import actions, claims, geometries
from verifier.kernel.conform.decide import ClaimFails
from verifier.kernel.conform.helpers import LiftedBuild
from verifier.kernel.conform.questions import make_backend
from verifier.kernel.conform.session import layouts
from verifier.kernel.tree.builds import build_for, load_builds
from verifier.kernel.tree.compile import compile_build, compile_file
from verifier.kernel.tree.configure import configure
from verifier.kernel.tree.shapes import load_shapes
from verifier.kernel.tree.toolchain import find_toolchain
from verifier.kernel.tree.tree import open_tree
from verifier.model.arch import Layout

CONTPTE, ARM64, RISCV = (
    "arch/arm64/mm/contpte.c",
    "arch/arm64/mm/hugetlbpage.c",
    "arch/riscv/mm/hugetlbpage.c",
)
AS_MM = "of a block as the kernel makes it, what mm/ asks for is there"
ASKED, ONE_BY_ONE, ZERO, ONE = (
    "what was asked for is there",
    "unless write changes",
    "where 0 is returned",
    "where as much is asked for",
)
EXACTLY, NONE = (
    "of what is not present, the first entry is returned exactly",
    "of what is not present, every entry becomes none",
)
ALIKE = "if (contpte_all_subptes_match_access_flags(ptep, entry))"


@dataclass(frozen=True)
class Mistake:
    """What stands in a file, and stands otherwise; which claims about a function that breaks, and
    no others; what the values show.
    """

    variant: str
    source: str
    old: str
    new: str
    function: str
    breaks: frozenset[str]
    shows: Callable[[EntryBlock], bool]


MISTAKES = {
    # as it was before a fix of 2026
    "the flags that the block has are taken for those of the entry": Mistake(
        "arm64-4k",
        CONTPTE,
        ALIKE,
        "if (pte_same(pte_mknoncont(ptep_get(ptep)), entry))",
        "contpte_ptep_set_access_flags",
        frozenset({ASKED, AS_MM, ONE_BY_ONE, ONE}),
        lambda b: b.before == b.after,
    ),
    "only the entry at hand is looked at": Mistake(
        "arm64-4k",
        CONTPTE,
        ALIKE,
        "if (pte_same(pte_mknoncont(__ptep_get(ptep)), entry))",
        "contpte_ptep_set_access_flags",
        frozenset({ASKED, AS_MM, ONE_BY_ONE, ONE}),
        lambda b: b.before == b.after and len(set(b.before)) > 1,
    ),
    "nobody is told of a change": Mistake(
        "arm64-4k",
        CONTPTE,
        "\treturn 1;",
        "\treturn 0;",
        "contpte_ptep_set_access_flags",
        frozenset({ZERO, ONE}),
        lambda b: b.before != b.after and not b.result,
    ),
    "arm64 marks what is not present dirty": Mistake(
        "arm64-4k+dbm",
        ARM64,
        "present = pte_present(pte);",
        "present = true;",
        "huge_ptep_get_and_clear",
        frozenset({EXACTLY}),
        lambda b: not b("pte_present", b.before[0]) and b.result != b.before[0],
    ),
    "arm64 asks what is not present for its size": Mistake(
        "arm64-4k+dbm",
        ARM64,
        "return get_clear_contig(mm, addr, ptep, pgsize, ncontig);",
        "return get_clear_contig(mm, addr, ptep, pgsize, pte_cont(__ptep_get(ptep)) ? ncontig"
        " : 1);",
        "huge_ptep_get_and_clear",
        frozenset({NONE}),
        lambda b: not b("pte_present", b.before[0]) and b.after[1] == b.before[1] != 0,
    ),
    "riscv marks what is not present dirty": Mistake(
        "riscv64+svadu",
        RISCV,
        "present = pte_present(pte);",
        "present = true;",
        "huge_ptep_get_and_clear",
        frozenset({EXACTLY, NONE}),
        lambda b: not b("pte_present", b.before[0])
        and (b.result != b.before[0] or b.after[1] == b.before[1] != 0),
    ),
}
asked = pytest.mark.parametrize(
    "name", [name for name, mistake in MISTAKES.items() if mistake.variant in VARIANTS]
)


def layout_of(variant: str) -> Layout:
    (layout,) = [found for found in layouts([variant]) if found.variant.name == variant]
    return layout


def library_with(mistake: Mistake, folder: Path) -> LiftedBuild:
    """The build's library, with the one file compiled from a changed copy."""
    build = build_for(load_builds(), mistake.variant)
    assert build is not None and mistake.source in build.sources
    tree, shapes = open_tree(Path(TREE or "")), load_shapes()
    configured = configure(tree, build, find_toolchain())
    text = (tree.path / mistake.source).read_text(encoding="utf-8")
    assert text.count(mistake.old) == 1, "the kernel writes it in another way now"
    changed = folder / Path(mistake.source).name
    changed.write_text(text.replace(mistake.old, mistake.new), encoding="utf-8")
    compile_file(configured, changed, folder / "changed.ll", ("-fno-inline",))
    compiled = compile_build(configured, shapes)
    name = mistake.source.replace("/", "_").removesuffix(".c")
    assert name in compiled.texts
    return LiftedBuild(
        replace(
            compiled,
            texts={**compiled.texts, name: (folder / "changed.ll").read_text(encoding="utf-8")},
        ),
        shapes,
    )


def results(mistake: Mistake, library: LiftedBuild) -> list[ClaimResult]:
    """Every claim about the mistake's function."""
    layout = layout_of(mistake.variant)
    if mistake.source == CONTPTE:
        count = layout.variant.constants["CONT_PTES"]
        return [
            prove_claim(library, layout, c, count, make_backend("bits", 60))
            for c in CLAIMS
            if c.function == mistake.function
        ]
    geometry = geometries(layout)[0]
    return [
        prove_claim(
            library, layout, c, geometry.entries, make_backend("bits", 60), actions(geometry)
        )
        for c in claims(geometry)
        if c.function == mistake.function
    ]


@needs_tree
@asked
def test_a_mistake_breaks_the_claims_that_it_should_and_no_others(
    name: str, tmp_path: Path
) -> None:
    mistake = MISTAKES[name]
    found = results(mistake, library_with(mistake, tmp_path))
    refuted = {
        text
        for text in (ASKED, AS_MM, ONE_BY_ONE, ZERO, ONE, EXACTLY, NONE)
        for r in found
        if r.claim.says.startswith(text) and r.verdict == "refuted"
    }
    assert refuted == mistake.breaks, [(r.claim.says, r.verdict, r.reason) for r in found]
    assert {r.verdict for r in found} == {"proved", "refuted"}
    for result in found:
        if isinstance(result.found, ClaimFails):
            block = result.found.shown  # over plain integers
            assert not result.claim.holds(block) and (
                result.claim.when is None or result.claim.when(block)
            )
            assert mistake.shows(block), result.reason


@needs("arm64-4k")
def test_the_values_are_those_of_a_block_that_the_kernel_makes(tmp_path: Path) -> None:
    """One entry of 16 is young; the one that the access goes through is not, and stays so for ever
    where no hardware sets it.
    """
    mistake = next(iter(MISTAKES.values()))
    (claim,) = [c for c in CLAIMS if c.says.startswith(AS_MM)]
    found = prove_claim(
        library_with(mistake, tmp_path), layout_of("arm64-4k"), claim, 16, make_backend("bits", 60)
    )
    assert isinstance(found.found, ClaimFails)
    block = found.found.shown
    assert [n for n, entry in enumerate(block.before) if block("pte_young", entry)] == [15]
    assert (
        block("pte_young", block.args["entry"])
        and not block("pte_young", block.after[5])
        and block.result == 0
    )
    assert found.reason.startswith(
        "new = 0x5481, entry[0] = 0x10000000000081, entry[1..14] = 0x10000000001081 and 0x1000 more"
        " each, "
    )
    assert found.reason.endswith("entry[15] = 0x1000000000f481; nothing changes, returns 0x0")
