# SPDX-License-Identifier: GPL-2.0-or-later
"""SPARC's patched assembly: each CPU's sequence computes what its instructions do, and what is not
known is not guessed.
"""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import pytest

from kernel.harness import CLANG, needs_clang
from verifier.kernel.tree.lookalike import strip_asm
from verifier.kernel.tree.patched import interpreted

PATCH = r'.section .sun4v_2insn_patch, \"ax\"\n'
ONE = r'.section .sun4v_1insn_patch, \"ax\"\n'
M7 = r'.section .sun_m7_2insn_patch, \"ax\"\n'
ALL = (1 << 64) - 1
HIGH = 0x2400_0000_0000_0040  # bits of the upper half that sethi reaches, and one of the lower ten
WIDE = 0x30FF_FFFF_FFFF_EE07  # all four parts of a constant

# Functions of C, and what they give: (sun4u, sun4v, M7) of the argument.
TEXT = rf"""
unsigned long shifts(unsigned long a) {{ unsigned long r;
  __asm__ __volatile__("\n661: sllx\t\t%1, %2, %0\n\tsrlx %0, %3, %0\n{PATCH}\t.word\t661b\n sllx %1, %4, %0\n srlx %0, %5, %0\n.previous\n"
    : "=r" (r) : "r" (a), "i" (21), "i" (21 + 13), "i" (8), "i" (8 + 13)); return r; }}
unsigned long clears(unsigned long a) {{ unsigned long v = a, t;
  __asm__ __volatile__("\n661: andn %0, %3, %0\n nop\n\n662: nop\n nop\n{PATCH} .word 661b\n sethi %%uhi(%4), %1\n sllx %1, 32, %1\n"
    " .word 662b\n or %1, %%lo(%4), %1\n andn %0, %1, %0\n .previous\n" : "=r" (v), "=r" (t) : "0" (v), "i" (0x802UL), "i" ({HIGH}UL)); return v; }}
unsigned long masks(unsigned long a) {{ unsigned long m, t;
  __asm__("661: sethi %%uhi(%2), %1\n sethi %%hi(%2), %0\n662: or %1, %%ulo(%2), %1\n or %0, %%lo(%2), %0\n663: sllx %1, 32, %1\n or %0, %1, %0\n"
    "{PATCH}.word 661b\n sethi %%uhi(%3), %1\n sethi %%hi(%3), %0\n.word 662b\n or %1, %%ulo(%3), %1\n or %0, %%lo(%3), %0\n.word 663b\n"
    " sllx %1, 32, %1\n or %0, %1, %0\n.previous\n{M7}.word 661b\n sethi %%uhi(%4), %1\n sethi %%hi(%4), %0\n.previous\n"
    : "=r" (m), "=r" (t) : "i" (0x630107ffffffec38UL), "i" ({WIDE}UL), "i" (0UL)); return a & m; }}
unsigned long sets(unsigned long a) {{
  __asm__("661: or %0, %2, %0\n{ONE}.word 661b\n add %0, %3, %0\n.previous\n" : "=r" (a) : "0" (a), "i" (2), "i" (0x40)); return a; }}
unsigned long others(unsigned long a) {{ unsigned long m;
  __asm__("661: mov %1, %0\n nop\n{PATCH}.word 661b\n sethi %%hi(%2), %0\n sub %0, 1, %0\n.previous\n" : "=r" (m) : "i" (0x800), "i" (0x1800)); return a ^ m; }}
"""
GIVEN = (0, ALL, 0x8000000012345682, 0x6123456789ABCDEF, HIGH, WIDE)
EXPECTED = {
    "shifts": (
        lambda a: (a << 21 & ALL) >> 34,
        lambda a: (a << 8 & ALL) >> 21,
        lambda a: (a << 8 & ALL) >> 21,
    ),
    "clears": (lambda a: a & ~0x802, lambda a: a & ~HIGH, lambda a: a & ~HIGH),
    "masks": (
        lambda a: a & 0x630107FFFFFFEC38,
        lambda a: a & WIDE,
        lambda a: a & (WIDE & 0x3FF_0000_03FF),
    ),
    "sets": (lambda a: a | 2, lambda a: a + 0x40 & ALL, lambda a: a + 0x40 & ALL),
    "others": (lambda a: a ^ 0x800, lambda a: a ^ 0x17FF, lambda a: a ^ 0x17FF),
}


@needs_clang
def test_each_kind_of_cpu_computes_its_own(tmp_path: Path) -> None:
    code = strip_asm(TEXT, {})
    assert "pteproof_effect()" not in code
    source, library = tmp_path / "a.c", tmp_path / "a.so"
    source.write_text(code + "unsigned char pteproof_cpu_sun4v, pteproof_cpu_sun_m7;\n")
    subprocess.run(
        [str(CLANG), "-O1", "-shared", "-fPIC", "-o", str(library), str(source)],
        check=True,
        capture_output=True,
    )
    loaded = ctypes.CDLL(str(library))
    for kind, (sun4v, m7) in enumerate(((0, 0), (1, 0), (1, 1))):
        ctypes.c_ubyte.in_dll(loaded, "pteproof_cpu_sun4v").value = sun4v
        ctypes.c_ubyte.in_dll(loaded, "pteproof_cpu_sun_m7").value = m7
        for name, expected in EXPECTED.items():
            function = getattr(loaded, name)
            function.restype, function.argtypes = ctypes.c_uint64, [ctypes.c_uint64]
            assert [function(a) for a in GIVEN] == [expected[kind](a) for a in GIVEN], (name, kind)


SETS = [("=r", "x"), ("0", "x"), ("r", "y"), ("i", "3")]


@pytest.mark.parametrize(
    "template",
    [
        rf"661: stxa %0, [%2] 4\n{ONE}.word 661b\nnop\n.previous",  # it stores
        rf"661: or %0, %3, %0\n{ONE}.word 662b\nnop\n.previous",  # another label
        rf"661: or %0, %3, %0\n{PATCH}.word 661b\nnop\nnop\n.previous",  # more than there is
        # y may lie where x is by then
        rf"661: or %0, %3, %0\nor %0, %2, %0\n{ONE}.word 661b\nnop\n.previous",
        rf"661: or %0, %3, %2\n{ONE}.word 661b\nnop\n.previous",  # it changes an input
        # not the half of a constant that fits
        rf"661: or %0, %%hi(%3), %0\n{ONE}.word 661b\nnop\n.previous",
        rf"661: or %0, %%lo(%2), %0\n{ONE}.word 661b\nnop\n.previous",  # part of what is no constant
        (
            r"661: or %0, %3, %0\n.section .pause_3insn_patch, \"ax\"\n.word"
            r" 661b\nnop\nnop\nnop\n.previous"
        ),
        rf"661: b 661b\n{ONE}.word 661b\nnop\n.previous",
        rf"661: or %0, %3, %0\n{ONE}.word 661b\nnop\nnop\n.previous",
        "or %0, %3, %0",  # nothing is patched
    ],
)
def test_what_is_not_known_is_not_guessed(template: str) -> None:
    assert interpreted(template, SETS, 1) is None


@pytest.mark.parametrize(
    "operands", [[("+r", "x"), ("i", "3")], [("=m", "x"), ("i", "3")], [("=r", "x"), ("m", "y")]]
)
def test_operands_that_are_not_known(operands: list[tuple[str, str]]) -> None:
    assert interpreted(rf"661: mov 1, %0\n{ONE}.word 661b\nnop\n.previous", operands, 1) is None
