# SPDX-License-Identifier: GPL-2.0-or-later
"""Assembly is taken out of preprocessed C, and nothing is guessed of what it would have given."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from kernel.harness import CLANG, needs_clang
from verifier.kernel.tree.builds import load_builds
from verifier.kernel.tree.lookalike import Lookalike, filtered, strip_asm, write_compiler

KNOWN = dict(known for build in load_builds().values() if build.lookalike
             for known in build.lookalike.assembly)
TEXTS = {
    'register int r asm("d0");': "extern int r ;",
    'extern int f(int) __asm__("g");': "extern int f(int) ;",
    'void f(void) { register long x asm("d1") = 3; }': "void f(void) { register long x  = 3; }",
    'asm(".globl a");': ";",
    'void f(void) { asm volatile("" : : : "memory"); }': "void f(void) { do { } while (0); }",
    'void f(void) { asm("nop"); }': "void f(void) { do { pteproof_effect(); } while (0); }",
    'int f(int a) { int r; asm("move %1,%0" : "=d" (r) : "d" (a)); return r; }': (
        "int f(int a) { int r; do { pteproof_effect(); (r) = *(__typeof__((r))"
        " *)pteproof_anything(); } while (0); return r; }"
    ),
    'void f(int *p) { int a, b; asm("\\tlw\\t%0, %2, r0\\n" "andn %1, %0, %3\\n or %1, %1, %4 \\n sw %1, %2, r0" : "=&r" (a), "=&r" (b) : "r" ((long)(p + 1) - 4), "r" (1), "r" (2)); }': (
        "void f(int *p) { int a, b; do { (a) = *(unsigned long *)((long)(p + 1) - 4); (b) = ((a) &"
        " ~(1)) | (2); *(unsigned long *)((long)(p + 1) - 4) = (b); } while (0); }"
    ),
    'long f(long *p, long v) { asm volatile("swap [%2], %0" : "=&r" (v) : "0" (v), "r" (p + 1) : "memory"); return v; }': (
        "long f(long *p, long v) { do { (v) = __atomic_exchange_n((unsigned long *)(p + 1), (v),"
        " __ATOMIC_SEQ_CST); } while (0); return v; }"
    ),
    'long f(long *p, long o, long n) { asm volatile("casx [%2], %3, %0" : "=&r" (n) : "0" (n), "r" (p), "r" (o) : "memory"); return n; }': (
        "long f(long *p, long o, long n) { do { { unsigned long pteproof_was = (o);"
        " __atomic_compare_exchange_n((unsigned long *)(p), &pteproof_was, (n), 0,"
        " __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); (n) = pteproof_was; } } while (0); return n; }"
    ),
    r'void f(long a) { asm volatile("pdtlb 0(%%sr%0,%1)" "!0:" ".section .altinstructions, \"a\" !" ".align 4 !" ".previous" : : "i"(1), "r"(a)); }': (
        "void f(long a) { do {  } while (0); }"
    ),
    r'void f(void) { asm volatile("fdc 0(%0)" "!0:" ".section .altinstructions, \"a\" !" ".align 4 !" ".previous"); }': (
        "void f(void) { do { pteproof_effect(); } while (0); }"
    ),
    'void f(int *p) { *p = 1; asm volatile ("synco": : :"memory"); *p = 2; }': (
        "void f(int *p) { *p = 1; do {  } while (0); *p = 2; }"
    ),
    'int f(void) { asm goto("b %l0" : : : : out); return 0; out: return 1; }': (
        "int f(void) { do { pteproof_effect(); if (pteproof_jump()) goto out; } while (0); return"
        " 0; out: return 1; }"
    ),
    "int f(char *asmx) { return *asmx ? ':' : \"asm(\"[0]; }": (
        "int f(char *asmx) { return *asmx ? ':' : \"asm(\"[0]; }"
    ),
}


@pytest.mark.parametrize("text", TEXTS)
def test_assembly_is_taken_out(text: str) -> None:
    assert strip_asm(text, KNOWN).split("\n", 1)[1] == TEXTS[text]


def test_lines_stay_where_they_are() -> None:
    text = "int f(void) {\n  asm(\"a\\n\"\n      \"b\"\n      : : \"i\" (1));\n  return 0;\n}\n"
    assert strip_asm(text, KNOWN).count("\n") == text.count("\n") + 1


def test_what_kbuild_reads_stays() -> None:
    text = "void f(void) { asm volatile(\"\\n.ascii \\\"->X %0\\\"\" : : \"i\" (4)); }"
    assert strip_asm(text, KNOWN).endswith(text)


def test_flags_of_the_other_compiler_go() -> None:
    assert filtered(["-O2", "-m68040", "-ffixed-a2", "-Wa,-march", "-mcmodel=x", "-I."]) == [
        "-O2",
        "-mcmodel=x",
        "-I.",
    ]


@needs_clang
def test_the_compiler_for_kbuild(tmp_path: Path) -> None:
    """It has the other architecture's macros, and compiles assembly that the look-alike does not
    know.
    """
    script = tmp_path / "cc"
    write_compiler(
        script,
        str(shutil.which(str(CLANG))),
        Lookalike("mips-linux-gnu", ("mips", "__mips__"), ("__m68k__",)),
    )
    source = tmp_path / "a.c"
    source.write_text(
        "#if defined(mips) || !defined(__m68k__)\n#error wrong\n#endif\n"
        'int f(int a) { int r; asm("move.l %1,%0" : "=d" (r) : "d" (a)); return r + a; }\n'
    )
    done = subprocess.run(
        [
            str(script),
            "-m68040",
            "-O2",
            "-S",
            "-emit-llvm",
            "-o",
            str(tmp_path / "a.ll"),
            str(source),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "call ptr @pteproof_anything()" in (tmp_path / "a.ll").read_text()
    source.write_text("int f(int a) { return b; }\n")
    done = subprocess.run(
        [str(script), "-c", "-o", str(tmp_path / "a.o"), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0 and "a.c:1:" in done.stderr
