# SPDX-License-Identifier: GPL-2.0-or-later
"""What a patch touches, by paths and by texts: nothing that changes is passed over."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifier.kernel.sites.definitions import (
    INCLUDES,
    NAMELESS,
    changed_names,
    definitions,
    same_code,
)
from verifier.meeting.sites import SiteClaims, load_claims
from verifier.meeting.touched import comes_to, touched_functions, touched_names
from verifier.patches.scope import BUILD, HEADER, SOURCE, kind_of
from verifier.run.library import Library

REUSE, HEAD = "mm/memory.c", "include/linux/x.h"
TEXT = """\
#include <linux/x.h>
#ifdef CONFIG_A
#define BITS 1
#else
#define BITS 2
#endif
struct s { int a; };
enum e { ONE, TWO };
typedef unsigned long word_t;
static int counter = 3;
EXPORT_SYMBOL(wp_page_reuse);
static bool ask(int a)
{
\treturn a == BITS; /* why */
}
void wp_page_reuse(struct vm_fault *vmf)
{
\tif (ask(1))
\t\tset_pte_at(vmf, counter);
}
"""


@pytest.mark.parametrize(("old", "new", "names"), [
    ("/* why */", "// because", set()), ("return a ==", "return  a\n==", set()),
    ("EXPORT_SYMBOL(wp", "EXPORT_SYMBOL_GPL(wp", set()),
    ("a == BITS", "a >= BITS", {"ask"}), ("BITS 2", "BITS 3", {"BITS"}),
    ("CONFIG_A", "CONFIG_B", {NAMELESS}), ("int a; }", "int b; }", {"s"}),
    ("ONE, TWO", "TWO, ONE", {"ONE", "TWO"}),
    ("unsigned long word_t", "long word_t", {"word_t"}),
    ("counter = 3", "counter = 4", {"counter"}), ("x.h>", "y.h>", {INCLUDES}),
    ("ask(1)", "ask(2)", {"wp_page_reuse"}), ("void wp", "int wp", {"wp_page_reuse"}),
    ("ask(1)", "ask(\"/* 1 */\")", {"wp_page_reuse"}),
])
def test_names_that_change(old: str, new: str, names: set[str]) -> None:
    assert TEXT.count(old) == 1
    assert changed_names(TEXT.encode(), TEXT.replace(old, new).encode()) == names


@given(st.text("af(){};#\n/*\"' 1", max_size=40), st.text("af(){};#\n/*\"' 1", max_size=40))
def test_texts_with_the_same_definitions_have_the_same_words(left: str, right: str) -> None:
    """Where definitions are equal, the texts are, but for comments and white space."""
    if not changed_names(left.encode(), right.encode()):
        def bare(text: str) -> str:
            found = definitions(f"{text}\n".encode())
            return b"".join(sorted(b"".join(found.values()).split())).decode()
        assert bare(left) == bare(right)


@pytest.mark.parametrize(("before", "after", "same"), [
    ("int a; /* b */", "int a;", True), ("int a;\r\n", "int a;\n", True),
    ("int a; // b\n", "int a;\n// b\n", True), ("#define A 1\\\n + 2", "#define A 1 + 2", True),
    ("int a; // b \\\nint c;", "int a; // b\nint c;", False),
    ("int a; // b \\ \nint c;", "int a; // b\nint c;", False),
    ("int a; // b \\\r\nint c;", "int a; // b\r\nint c;", False),
    ("int a; /\\\n/ int b;", "int a; / / int b;", False),
    ('char *a = "/*"; int b; /* */', 'char *a = "/*"; int c; /* */', False),
    ("int a = '\"'; int b; /* \" */", "int a = '\"'; int c; /* \" */", False),
    ('char *a = "b  c";', 'char *a = "b c";', True),  # what a string says changes no entry
    ("int f(void); int g(void);", "int g(void); int f(void);", False),
    ("int ab;", "int a b;", False), ("a /* */ b", "ab", False),
])
def test_only_comments_and_white_space(before: str, after: str, same: bool) -> None:
    assert same_code(before.encode(), after.encode()) is same


def test_a_text_that_cannot_be_parsed_is_one_definition() -> None:
    assert definitions(b"int f(void) { return 1; }\0") == {NAMELESS: b"int f(void) { return 1; }\0"}
    assert changed_names(None, b"int g;") == {"g"} and changed_names(b"int g;", None) == {"g"}


@pytest.fixture(scope="module")
def claims(library: Library) -> SiteClaims:
    return load_claims(library.spec_folder, library.catalogue)


def touched(claims: SiteClaims, before: dict[str, str], after: dict[str, str],
            helpers: tuple[str, ...] = ()) -> dict[str, str]:
    """Function -> why, of the functions that change."""
    def of(files: dict[str, str]) -> object:
        return lambda path: files[path].encode() if path in files else None

    old, new = of(before), of(after)
    edited = [path for path in before.keys() | after.keys() if before.get(path) != after.get(path)]
    names = touched_names(old, new, edited)  # type: ignore[arg-type]
    found = touched_functions(claims, old, new, names, helpers)  # type: ignore[arg-type]
    return {one.function: one.why for one in found}


@pytest.mark.parametrize(("old", "new", "why"), [
    ("ask(1)", "ask(2)", "its text changes"), ("a == BITS", "a != BITS", "ask changes"),
    ("BITS 2", "BITS 3", "ask changes"), ("counter = 3", "counter = 4", "counter changes"),
    ("CONFIG_A", "CONFIG_B", "outside of what has a name"), ("int a; }", "int b; }", None),
    ("/* why */", "", None),
])
def test_functions_of_the_file(claims: SiteClaims, old: str, new: str, why: str | None) -> None:
    found = touched(claims, {REUSE: TEXT}, {REUSE: TEXT.replace(old, new)})
    assert list(found) == ([] if why is None else ["wp_page_reuse"])
    assert why is None or why in found["wp_page_reuse"]


HEADER_TEXT = "static inline int low(int a)\n{\n\treturn a;\n}\n" \
    "static inline int pte_mkold(int a)\n{\n\treturn low(a);\n}\n" \
    "static inline int other(int a)\n{\n\treturn pte_mkold(a);\n}\n"


def user(name: str) -> str:
    return f"void wp_page_reuse(void)\n{{\n\tset_pte_at({name}(1));\n}}\n"


@pytest.mark.parametrize(("name", "helpers", "seen"), [
    ("low", (), True), ("pte_mkold", (), True), ("other", (), True), ("nothing", (), False),
    ("low", ("pte_mkold",), True), ("pte_mkold", ("pte_mkold",), False),
    ("other", ("pte_mkold",), False),
])
def test_what_a_header_passes_on(
    claims: SiteClaims, name: str, helpers: tuple[str, ...], seen: bool,
) -> None:
    """Helpers that somebody judges pass nothing on; all else of a header does."""
    before = {HEAD: HEADER_TEXT, REUSE: user(name)}
    after = before | {HEAD: HEADER_TEXT.replace("return a;", "return a + 1;")}
    assert bool(touched(claims, before, after, helpers)) is seen


def test_no_architecture_includes_another_ones_headers(claims: SiteClaims) -> None:
    place = "arch/arm64/mm/contpte.c", "__contpte_try_fold"
    assert place in claims.spoken_of()
    use = f"void {place[1]}(void)\n{{\n\tset_pte_at(low(1));\n}}\n"
    for arch, seen in (("arm64", True), ("x86", False)):
        header = f"arch/{arch}/include/asm/x.h"
        before = {header: HEADER_TEXT, place[0]: use}
        after = before | {header: HEADER_TEXT.replace("return a;", "return a + 1;")}
        assert bool(touched(claims, before, after)) is seen


@pytest.mark.parametrize(("path", "kind"), [
    ("Makefile", BUILD), ("scripts/a/b.sh", BUILD), ("arch/x86/Kconfig.cpu", BUILD),
    ("mm/Kconfig", BUILD), ("mm/Makefile", BUILD), ("arch/arm64/tools/sysreg", BUILD),
    ("include/linux/mm.h", HEADER), ("include/soc/arc/aux.h", HEADER),
    ("include/video/vga.h", HEADER), ("fs/exec.c", SOURCE), ("virt/kvm/kvm_main.c", SOURCE),
    ("arch/s390/include/asm/pgtable.h", HEADER), ("arch/x86/mm/mm_internal.h", HEADER),
    ("kernel/bounds.c", HEADER), ("arch/arm/kernel/asm-offsets.c", HEADER),
    ("mm/memory.c", SOURCE), ("mm/damon/vaddr.c", SOURCE), ("fs/proc/task_mmu.c", SOURCE),
    ("kernel/events/uprobes.c", SOURCE), ("arch/arm/mm/proc-v7.S", SOURCE),
    ("arch/parisc/kernel/cache.c", SOURCE), ("arch/powerpc/mm/book3s64/pgtable.c", SOURCE),
    ("drivers/gpu/a.c", None), ("include/dt-bindings/a.h", None), ("Documentation/mm/x.rst", None),
    ("xmm/memory.c", None), ("fs/ext4/inode.c", None), ("tools/mm/a.c", None),
])
def test_kinds_of_files(path: str, kind: str | None) -> None:
    assert kind_of(path) == kind


def test_every_file_that_specs_or_builds_name_is_of_a_kind(claims: SiteClaims) -> None:
    from verifier.kernel.mm.read_functions import load_functions
    from verifier.kernel.tree.builds import load_builds

    named = {file for file, _ in claims.spoken_of()}
    named |= {source for build in load_builds().values() for source in build.sources}
    named |= {function.file for function in load_functions().values()}
    assert len(named) > 60
    assert sorted(file for file in named if kind_of(file) is None) == []


def test_the_kinds_cover_what_sites_reads(claims: SiteClaims, tmp_path: Path) -> None:
    for path in ("mm/a/b.c", "fs/proc/x.h", "kernel/a/b.c", "arch/x/mm/a/b.c", "include/linux/a.h",
                 "include/asm-generic/a.h"):
        assert claims.wanted.covers(path) and kind_of(path) is not None


def test_a_step_of_another_place_comes_to_a_function_by_texts() -> None:
    texts = {
        "mm/a.c": b"static int f(void)\n{\n\treturn 1;\n}\nint g(void)\n{\n\treturn f();\n}\n",
        "mm/b.c": b"int h(void)\n{\n\treturn g();\n}\nint k(void)\n{\n\treturn 2; /* g() */\n}\n",
    }
    sites = {"f": "mm/a.c:f", "g": "mm/a.c:g", "h": "mm/b.c:h", "k": "mm/b.c:k"}
    found = {step: comes_to(texts.__getitem__, sites, step, "mm/a.c:f") for step in sites}
    assert found == {"f": True, "g": True, "h": True, "k": False}
    assert not comes_to(texts.__getitem__, sites, "f", "mm/a.c:g")  # f comes to no g
    assert comes_to(texts.__getitem__, {}, "an event", "mm/a.c:f")


def test_a_place_of_a_step_that_uses_no_helper_is_touched(claims: SiteClaims) -> None:
    text = "int dup_mmap(void)\n{\n\tflush_tlb_mm(oldmm);\n\treturn 0;\n}\n"
    found = touched(claims, {"kernel/fork.c": text},
                    {"kernel/fork.c": text.replace("\tflush_tlb_mm(oldmm);\n", "")})
    assert found == {"dup_mmap": "its text changes"}
