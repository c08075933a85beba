# SPDX-License-Identifier: GPL-2.0-or-later
"""What powerpc's own code leaves in the entries of one page of hugetlb, run as lifted:
docs/findings/powerpc32.md argues each.
"""

from __future__ import annotations

import functools
from pathlib import Path

from kernel.asked import TREE, needs
from verifier.kernel.asm.unlifted import KernelModels
from verifier.kernel.claims.hugetlb_pages import whole_pages
from verifier.kernel.conform.helpers import LiftedBuild
from verifier.kernel.conform.session import layouts
from verifier.kernel.llvm.ir import Int, Pointer
from verifier.kernel.llvm.lift import Lifter
from verifier.kernel.llvm.objects import Object
from verifier.kernel.llvm.values import LiftedWord, Value
from verifier.kernel.llvm.ways import WayState
from verifier.kernel.tree.builds import load_builds
from verifier.kernel.tree.compile import compile_build
from verifier.kernel.tree.configure import configure
from verifier.kernel.tree.shapes import load_shapes
from verifier.kernel.tree.toolchain import find_toolchain
from verifier.kernel.tree.tree import open_tree
from verifier.language.algebra import Integers
from verifier.language.evaluate import call
from verifier.language.machine import Machine


class Zero:
    """All that is free is 0."""

    def word(self, name: str, width: int) -> int:
        return 0

    def boolean(self, name: str) -> bool:
        return False


class Free:
    """The same for a library."""

    def input_word(self, name: str, width: int) -> int:
        return 0

    def input_bool(self, name: str) -> bool:
        return False


@functools.cache
def library(build: str) -> LiftedBuild:
    shapes = load_shapes()
    whole = whole_pages(load_builds()[build])
    return LiftedBuild(
        compile_build(configure(open_tree(Path(TREE or "")), whole, find_toolchain()), shapes),
        shapes,
    )


def table(name: str, cells: list[int], bits: int) -> Object:
    """Entries side by side."""
    whole = int.from_bytes(b"".join(c.to_bytes(bits // 8, "big") for c in cells), "big")
    size = len(cells) * bits // 8

    def initial(unit: int) -> LiftedWord:
        number = whole << 64 >> 8 * (size - unit) & (1 << 64) - 1 if unit < size else 0
        return LiftedWord(64, number, number)

    return Object(name, size, 4096, initial)


def run(
    lib: LiftedBuild,
    module: str,
    function: str,
    given: dict[str, int],
    cells: list[int],
    bits: int,
    pmd: int = 0,
) -> list[int]:
    """A function on a pointer to the first of some entries, other parameters by name or free: what
    stands in each entry at the end.
    """
    entries, above = table("entries", cells, bits), table("pmd", [pmd, pmd], 32)
    models = KernelModels(actions={"pmd_off": lambda l, i, a, s: l.pointer(above)})
    lifter = Lifter(Integers(), lib.program, Zero(), models)
    found = next(m for m in lib.program.modules if m.name == module)
    body = found.function(function)
    assert body is not None
    values: list[Value] = []
    for param in body.params:
        if isinstance(param.type, Pointer):
            values.append(
                lifter.pointer(
                    entries if param.name in ("p", "a2") else lifter.object(param.name, None)
                )
            )
        else:
            assert isinstance(param.type, Int)
            values.append(
                LiftedWord(param.type.width, given.get(param.name, 0), given.get(param.name, 0))
            )
    _, state = lifter.run(found, body, values, WayState((), {}, {}))
    assert not any(u.condition for u in (*lifter.undefined, *lifter.lost))
    memory = state.memory.get(entries, {})
    return [
        int(
            lifter.values.as_word(
                lifter.memory.read(memory, entries, n * bits // 8, bits // 8)
            ).term
        )
        for n in range(len(cells))
    ]


PAGE_512K = [
    0x40000929 + 0x1000 * n for n in range(128)
]  # PRESENT, SPS, ACCESSED, DIRTY and HUGE, as __set_huge_pte_at leaves them
PAGE_4M = [
    0x123450024163D,
    0x123470024163D,
]  # PRESENT, READ, WRITE, DIRTY, ACCESSED, COHERENT, PSIZE 6: both entries of the first level


@needs("powerpc-8xx")
def test_8xx_clears_four_of_128_words_of_a_page_of_512_kbyte() -> None:
    after = run(
        library("powerpc-8xx"),
        "arch_powerpc_mm_pgtable",
        "__pte_update",
        {"clr": 0xFFFFFFFF, "huge": 1},
        PAGE_512K,
        32,
        pmd=0x1001,
    )
    assert after[:4] == [0, 0x1000, 0x2000, 0x3000]
    assert PAGE_512K[1] == 0x40001929 and after[4:] == PAGE_512K[4:]


@needs("powerpc-8xx")
def test_8xx_write_protects_all_of_them() -> None:
    after = run(
        library("powerpc-8xx"),
        "arch_powerpc_mm_pgtable",
        "__pte_update",
        {"set": 0x600, "huge": 1},
        PAGE_512K,
        32,
        pmd=0x1001,
    )
    assert after == [word | 0x600 for word in PAGE_512K]


@needs("powerpc-e500")
def test_e500_with_32_bits_write_protects_the_first_of_two_entries() -> None:
    after = run(
        library("powerpc-e500"), "wrappers", "pteproof_huge_ptep_set_wrprotect__0", {}, PAGE_4M, 64
    )
    assert after == [0x123450024160D, 0x123470024163D]


@needs("powerpc-e500-64")
def test_e500_with_64_bits_write_protects_both() -> None:
    after = run(
        library("powerpc-e500-64"),
        "wrappers",
        "pteproof_huge_ptep_set_wrprotect__0",
        {},
        PAGE_4M,
        64,
    )
    assert after == [entry & ~0x30 for entry in PAGE_4M]


@needs("powerpc-e500")
def test_e500_with_32_bits_leaves_high_halves_that_are_not_none() -> None:
    lib = library("powerpc-e500")
    after = run(lib, "wrappers", "pteproof_huge_ptep_get_and_clear__0", {}, PAGE_4M, 64)
    assert after == [0x1234500000000, 0x1234700000000]
    for helper, expected in (
        ("pmd_none", False),
        ("pmd_present", True),
        ("pmd_bad", False),
        ("pmd_leaf", False),
    ):
        lifted = lib.lift(lib.shapes[helper], Integers(), Free(), {"a0": after[0]}, {})
        assert bool(lifted.result) is expected, helper


def clears_the_first_entry_alone(build: str, first: int) -> bool:
    marker = [first, first + (512 << 24)]
    return run(library(build), "wrappers", "pteproof_huge_pte_clear__0", {}, marker, 64) == [
        0,
        marker[1],
    ]


@needs("powerpc-e500")
def test_e500_with_32_bits_clears_the_first_entry_of_a_marker_alone() -> None:
    assert clears_the_first_entry_alone("powerpc-e500", 0x2F8)


@needs("powerpc-e500-64")
def test_e500_with_64_bits_clears_the_first_entry_of_a_marker_alone() -> None:
    assert clears_the_first_entry_alone("powerpc-e500-64", 0x200007C)


@needs("powerpc64-hash-4k")
def test_hash_with_pages_of_4_kbyte_clears_one_of_eight_words_of_a_marker() -> None:
    """A page of 16 MByte that UFFDIO_POISON has marked: what stays is a bad pmd to who frees the
    tables.
    """
    marker = 0x400000000000201F
    assert (
        run(
            library("powerpc64-hash-4k"),
            "wrappers",
            "pteproof_huge_pte_clear__0",
            {},
            [marker] * 8,
            64,
        )
        == [0] + [marker] * 7
    )
    (layout,) = layouts(["powerpc64-hash-4k"])
    machine = Machine(Integers())
    assert call(machine, layout.helper("make_pte_marker"), (2,)) == marker
    assert [
        bool(call(machine, layout.helper(name), (marker,)))
        for name in ("pmd_none", "pmd_bad", "pmd_present")
    ] == [
        False,
        True,
        False,
    ]
