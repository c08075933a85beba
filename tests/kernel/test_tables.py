# SPDX-License-Identifier: GPL-2.0-or-later
"""What archs/*.yaml say of assembly: an architecture is data, and what cannot be is an error with
its place.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from verifier.base.errors import SpecError
from verifier.kernel.asm.read_table import assembly_of, read_assembly
from verifier.kernel.asm.unlifted import KernelModels, calls_of, harmless
from verifier.kernel.llvm.context import LinkedModules
from verifier.kernel.llvm.lift import Lifter
from verifier.kernel.llvm.objects import Object
from verifier.kernel.llvm.read_module import parse_module
from verifier.kernel.llvm.values import LiftedWord, NotModelled
from verifier.kernel.tree.arch_files import arch_files
from verifier.kernel.tree.builds import load_builds
from verifier.language.algebra import Integers

LAYOUT = 'target datalayout = "e-m:e-p:64:64-i64:64-i128:128-n32:64-S128"\n'
BUILD = "builds:\n  new: {kernel: new}\n"
OF_X86 = "builds:\n  x: {kernel: x86}\n"


class Nothing:
    """No word and no truth is free."""

    def word(self, name: str, width: int) -> int:
        raise AssertionError(name)

    def boolean(self, name: str) -> bool:
        raise AssertionError(name)


def run(arch: str, code: str, memory: int = 0, a: int = 0) -> tuple[int, int]:
    """f(ptr %p, i64 %a): its result, and the eight bytes behind %p."""
    text = f"{LAYOUT}define i64 @f(ptr %p, i64 %a) {{\nentry:\n{code}\n}}\n"
    lifter = Lifter(
        Integers(), LinkedModules((parse_module(text, "test"),), arch), Nothing(), KernelModels()
    )
    entry = Object("p", 8, 8, lambda unit: LiftedWord(64, memory, memory))
    result, state = lifter.call("f", [lifter.pointer(entry), LiftedWord(64, a, a)])
    after = lifter.values.as_word(lifter.memory.read(state.memory.get(entry, {}), entry, 0, 8))
    assert (
        result is not None
        and after.poison is None
        and not any(u.condition for u in lifter.undefined)
    )
    return int(lifter.values.as_word(result).term), int(after.term)


def table(folder: Path, text: str) -> Path:
    """A folder with one file."""
    (folder / "new.yaml").write_text(text)
    return folder


def test_every_architecture_of_a_build_has_its_table() -> None:
    kernels = {build.kernel for build in load_builds().values()}
    found = {kernel: assembly_of(kernel) for kernel in kernels}
    assert {k for k, a in found.items() if a.statements} == {
        "arm", "arm64", "hexagon", "loongarch", "mips", "powerpc", "riscv", "s390", "x86"}
    assert {k for k, a in found.items() if a.branches} == {"arm64", "riscv", "s390", "x86"}
    assert {k: sorted(calls_of(k)) for k in kernels if calls_of(k)} == {
        "s390": ["__phys_addr"],
        "sparc": ["arch_atomic_set"],
    }
    assert len(found["powerpc"].statements) == 12  # of both files


def test_a_function_is_harmless_where_it_is_said_to_be() -> None:
    assert (
        harmless("x86", "flush_tlb_page")
        == harmless("new", "flush_tlb_mm")
        == "flushes the translation buffer"
    )
    assert (
        harmless("powerpc", "hpte_need_flush") is not None
        and harmless("x86", "hpte_need_flush") is None
    )
    assert (
        harmless("x86", "set_pte") is None
        and harmless("x86", "set_pte", {"set_*": "for once"}) == "for once"
    )


def test_a_new_architecture_is_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of its own makes its assembly known: an exchange, an instruction with a suffix, and a
    barrier.
    """
    folder = table(tmp_path, BUILD + r"""
assembly:
  sizes: {w: 4, d: 8}
  parts: {REGISTER: 'r\${old}'}
  statements:
    - {template: 'swap {REGISTER}, \[\${mem}\]', does: fetch, op: swap, atomic: true}
    - {template: 'store(?P<size>[wd]) \${value}, \${mem}', does: store}
    - {template: fence, does: nothing, note: orders memory}
""")
    monkeypatch.setattr(
        "verifier.kernel.asm.inline.assembly_of",
        lambda kernel: read_assembly(kernel, arch_files(folder)),
    )
    exchange = (
        '  %r = call i64 asm sideeffect "swap r$0, [$2]", "=r,0,r"(i64 %a, ptr %p)\n  ret i64 %r'
    )
    assert run("new", exchange, 3, 5) == (3, 5)
    store = (
        '  %v = trunc i64 %a to i32\n  call void asm sideeffect "storew $0, $1", "r,r"(i32 %v, ptr'
        " %p)\n  ret i64 1"
    )
    assert run("new", store, 0xFFFF_FFFF_FFFF_FFFF, 5) == (1, 0xFFFF_FFFF_0000_0005)
    assert run("new", '  call void asm sideeffect "fence", ""()\n  ret i64 1', 3) == (1, 3)
    with pytest.raises(NotModelled, match="assembly: 'fence'"):
        run("other", '  call void asm sideeffect "fence", ""()\n  ret i64 1')


@pytest.mark.parametrize(
    ("operand", "kind", "constraint"),
    [("${1:b}", "i8", "i"), ("$1", "i8", "r"), ("$1", "i32", "i")],
)
def test_x86_sets_bits_of_memory(operand: str, kind: str, constraint: str) -> None:
    """lock orb with a constant or a register; of a wider constant the low byte counts."""
    value = "129" if kind == "i32" else "-127"
    code = (f'  call void asm sideeffect "lock orb {operand}, $0", "=*m,{constraint},*m"'
            f"(ptr elementtype(i8) %p, {kind} {value}, ptr elementtype(i8) %p)\n  ret i64 0")
    assert run("x86", code, 0x102) == (0, 0x183)


@pytest.mark.parametrize(("prefix", "atomic"), [("lock ", True), ("", False)])
def test_what_x86_locks_is_one_event(prefix: str, atomic: bool) -> None:
    (found,) = [
        s for s in assembly_of("x86").statements if s.pattern.fullmatch(f"{prefix}cmpxchgq $1, $0")
    ]
    match = found.pattern.fullmatch(f"{prefix}cmpxchgq $1, $0")
    assert match is not None and found.atomic == "lock" and (match["lock"] is not None) == atomic


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        (
            "assembly:\n  statements:\n    - {template: a, does: nohing, note: x}\n",
            "5:27",
            "no operation 'nohing'; did you mean nothing?",
        ),
        # which is x86's
        (
            "assembly:\n  statements:\n    - {template: a, does: cmpxchg}\n",
            "5:27",
            "no operation 'cmpxchg'",
        ),
        (
            "assembly:\n  statements:\n    - {template: 'a {mem}', does: fetch}\n",
            "5:7",
            "fetch needs 'op'",
        ),
        (
            "assembly:\n  statements:\n    - {template: 'a {old}', does: fetch, op: or}\n",
            "5:18",
            "fetch needs an operand {mem}",
        ),
        (
            "assembly:\n  statements:\n    - {template: '(a', does: nothing, note: x}\n",
            "5:18",
            "no regular expression",
        ),
        (
            "assembly:\n  statements:\n    - {template: '{BARIER}', does: nothing, note: x}\n",
            "5:18",
            "no part 'BARIER'",
        ),
        (
            "assembly:\n  statements:\n    - {template: a, does: nothing, note: x, op: or}\n",
            "5:45",
            "unknown key 'op'",
        ),
        (
            "assembly:\n  statements:\n    - {template: a, does: nothing, note: x, atomic: lock}\n",
            "5:53",
            "no group 'lock'",
        ),
        ("assembly:\n  statements: [a]\n", "4:16", "must be a mapping"),
        (
            "assembly:\n  branches:\n    - {template: '{number}', truth: x, ways: [with]}\n",
            "5:7",
            "two ways or more",
        ),
        (
            "assembly:\n  branches:\n    - {template: a, truth: x, ways: [with, without]}\n",
            "5:18",
            "a branch needs {number}",
        ),
        ("calls:\n  f: {does: nothing}\n", "4:13", "a call does store or physical-address"),
        ("harmles:\n  f: x\n", "3:1", "unknown key 'harmles' in the file; did you mean harmless?"),
    ],
)
def test_what_cannot_be_is_an_error_with_its_place(
    tmp_path: Path, text: str, place: str, message: str
) -> None:
    with pytest.raises(SpecError) as caught:
        read_assembly("new", arch_files(table(tmp_path, BUILD + text)))
    assert str(caught.value).startswith(f"verifier/kernel/archs/new.yaml:{place}: error: ")
    assert message in caught.value.message


def test_operations_of_one_architecture_are_known_there(tmp_path: Path) -> None:
    text = OF_X86 + "assembly:\n  statements:\n    - {template: 'a {mem} {new}', does: cmpxchg}\n"
    assert len(read_assembly("x86", arch_files(table(tmp_path, text))).statements) == 1
