# SPDX-License-Identifier: GPL-2.0-or-later
"""Uses of helpers in C source: what each is, what models it, what another kernel has instead."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from verifier.base.data import data_folder
from verifier.base.errors import SpecError, UsageError
from verifier.cli import main
from verifier.kernel.sites.names import Wanted
from verifier.kernel.sites.scan import KINDS, scan_text
from verifier.kernel.tree.tree import MARKS
from verifier.meeting.site_changes import Use, compare_uses, read_uses, write_uses
from verifier.meeting.sites import STATUSES, USES, load_claims
from verifier.run.library import load_library

WANTED = Wanted(
    {"dirty": ("pte_(?:mk)?dirty",), "replace": ("set_pte_at", "set_pte")}, ("mm/**/*.[ch]",)
)


def kinds(text: str) -> list[tuple[str, str]]:
    """Kind and function of each occurrence."""
    return [(one.kind, one.function) for one in scan_text("a.c", text.encode(), WANTED)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("void f(pte_t e) { if (pte_dirty(e)) set_pte(p, pte_mkdirty(e)); }", [("call", "f")] * 3),
        ("static int __init f(void)\n{\n\treturn pte_dirty(e);\n}", [("call", "f")]),
        ("static struct page *\nf(int a)\n{\n\tpte_dirty(e);\n}", [("call", "f")]),
        ("pte_t (*f(int a))(void)\n{\n\tpte_dirty(e);\n}", [("call", "f")]),
        ("bool pte_dirty(pte_t e)\n{\n\treturn e;\n}", [("definition", "pte_dirty")]),
        ("bool pte_dirty(pte_t e);", [("declaration", "")]),
        ("#define pte_dirty(e) x(e)", [("definition", "")]),
        ("#define f(e) (a(e) && \\\n pte_dirty(e))", [("macro", "f")]),
        ("#define f(e) a(e) /* pte_dirty( */", [("comment", "")]),
        ("#define f(e) a(e, \\\n /* pte_dirty( */ e)", [("comment", "")]),
        ("#ifndef pte_dirty\n#endif", [("preprocessor", "")]),
        ("#if defined(pte_dirty) && A\n#endif", [("preprocessor", "")]),
        ("/* pte_dirty() */ int a;", [("comment", "")]),
        ("void f(void) { // pte_dirty(e)\n}", [("comment", "f")]),
        ("void f(void) { g(pte_dirty); }", [("value", "f")]),
        ("struct ops o = { .test = pte_dirty };", [("value", "")]),
        ("void f(int pte_dirty) { g(pte_dirty); }", [("variable", "f")] * 2),
        ("void f(void) { goto set_pte; set_pte: ; }", [("variable", "f")] * 2),
        ("void f(void) { a->pte_dirty = 1; }", [("variable", "f")]),
        ("EXPORT_SYMBOL_GPL(pte_dirty);", [("declaration", "")]),
        (
            "void f(void) {\n#ifdef A\n\tif (a) {\n#else\n\tif (b) "
            "{\n#endif\n\tpte_dirty(e);\n\t}\n}",
            [("call", "f")],
        ),
        (
            "void f(void)\n{\n\tif (a)\n#ifdef A\n\t\tgoto out;\nout:\n#endif\n\tpte_dirty(e);\n}",
            [("call", "f")],
        ),
        ("void f(void) { my_pte_dirty(e); pte_dirtyish(e); }", []),
        ("pte_dirty(", [("unparsed", "")]),
        ("void f(void) { pte_dirty(e); }\0", [("unparsed", "")]),
    ],
)
def test_what_an_occurrence_is(text: str, wanted: list[tuple[str, str]]) -> None:
    assert kinds(text) == wanted


def test_lines_and_digests() -> None:
    """A digest stands for the statement: its lines and spaces do not matter, its words do."""
    first, again, other = (
        scan_text("a.c", text, WANTED)[0]
        for text in (
            b"void f(void) { pte_dirty(e); }",
            b"\n\nvoid f(void)\n{\n\tpte_dirty(e);\n}",
            b"void f(void) { pte_dirty(d); }",
        )
    )
    assert (first.line, again.line) == (1, 5)
    assert first.digest == again.digest != other.digest


@given(
    st.lists(
        st.sampled_from(
            [
                b"pte_dirty",
                b"set_pte_at",
                b"(",
                b")",
                b"{",
                b"}",
                b";",
                b"#if",
                b"#endif",
                b"#define f",
                b"\n",
                b"/*",
                b"*/",
                b'"',
                b"\\\n",
                b"void f(void)",
                b"if",
                b" ",
                b"\xff",
                b"'",
                b",",
                b"=",
            ]
        ),
        max_size=40,
    )
)
def test_every_occurrence_is_found_whatever_the_text_is(pieces: list[bytes]) -> None:
    text = b"".join(pieces)
    found = scan_text("a.c", text, WANTED)
    assert len(found) == len(list(WANTED.pattern.finditer(text)))
    assert {one.kind for one in found} <= set(KINDS) and set(USES) <= set(KINDS)


def test_the_shipped_claims_are_of_rows_and_reasons() -> None:
    library = load_library()
    claims = load_claims(library.spec_folder, library.catalogue)
    assert len(claims.rows) > 50 and len(claims.out) > 200
    assert not claims.rows.keys() & claims.out.keys()
    for kind, names in claims.wanted.kinds.items():
        assert kind and names
    assert claims.wanted.kind_of("PageAnonExclusive") == "exclusive"
    with pytest.raises(KeyError):
        claims.wanted.kind_of("pte_none")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "    gather_pte_stats: T76\n",
            "    gather_pte_stats: T1776\n",
            "unknown row 'T1776' of the catalogue; did you mean T77?",
        ),
        ("  dax:\n    mm/", "  daxx:\n    mm/", "'daxx' is no reason of `why`; did you mean dax?"),
        (
            "    mm/memory.c: [free_pte_range]\n",
            "    mm/memory.c: [zap_pte_range]\n",
            "mm/memory.c:zap_pte_range stands already in another place",
        ),
        ("why:\n", 'why:\n  moon: "the moon"\n', "no function is out for the reason 'moon'"),
        ('  - "mm/**/*.[ch]"\n', '  - "../**/*.[ch]"\n', "'../**/*.[ch]' leads out of the tree"),
        ("    - set_ptes\n", '    - "set_(ptes"\n', "'set_(ptes' is no regular expression"),
        ("rows:\n", "row:\n", "unknown key 'row' in the sites"),
    ],
)
def test_what_is_wrong_is_said_at_its_place(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    library = load_library()
    text = (data_folder("specs") / "sites.yaml").read_text()
    assert text.count(old) == 1
    (tmp_path / "sites.yaml").write_text(text.replace(old, new))
    with pytest.raises(SpecError) as error:
        load_claims(tmp_path, library.catalogue)
    line = text[: text.index(old)].count("\n") + 1
    found = error.value
    assert message in str(found) and abs(found.where.line - line) <= 2


def test_uses_of_two_kernels() -> None:
    a, b, c, d = (
        Use("mm/a.c", f, h, x)
        for f, h, x in (
            ("f", "pte_dirty", "1"),
            ("f", "set_pte", "2"),
            ("g", "pte_dirty", "3"),
            ("h", "set_pte", "4"),
        )
    )
    moved, changed, new = (
        Use("mm/b.c", "f", "pte_dirty", "1"),
        Use("mm/a.c", "f", "set_pte", "9"),
        Use("mm/c.c", "k", "set_pte", "5"),
    )
    found = compare_uses([a, b, c, d], [moved, changed, c, new])
    assert found.same == 1 and found.moved == ((a, moved),) and found.changed == ((b, changed),)
    assert found.came == (new,) and found.went == (d,) and found.any()
    assert not compare_uses([a, a], [a, a]).any()
    assert compare_uses([a], [a, a]).came == (a,)


def test_uses_are_kept_and_read(tmp_path: Path) -> None:
    uses = [Use("mm/a.c", "f", "pte_dirty", "1"), Use("mm/a.c", "", "set_pte", "2")]
    path = tmp_path / "uses.tsv"
    path.write_text(write_uses("6.12.1", uses))
    assert read_uses(path) == ("6.12.1", sorted(uses))
    path.write_text(write_uses("6.12.1", uses) + "one\n")
    with pytest.raises(UsageError, match=r"uses\.tsv:4: not file, function, helper and digest"):
        read_uses(path)
    path.write_text("other\n")
    with pytest.raises(UsageError, match="no uses of helpers"):
        read_uses(path)


def small_tree(root: Path, memory: str) -> Path:
    """A tree with all that a tree has, and one text of mm/."""
    for mark in MARKS:
        (root / mark).parent.mkdir(parents=True, exist_ok=True)
        (root / mark).write_text("")
    (root / "Makefile").write_text("VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 1\nEXTRAVERSION =\n")
    (root / "mm/memory.c").write_text(memory)
    return root


def sites(tree: Path, *args: str) -> Result:
    return CliRunner().invoke(main, ["sites", "--tree", str(tree), *args])


KNOWN = "void do_anonymous_page(void) { set_ptes(m, a, p, pte_mkdirty(e), 1); }\n"
NEW = "void handle_new_case(void)\n{\n\tset_pte_at(m, a, p, e);\n}\n"


def test_a_function_that_nobody_has_looked_at_is_named(tmp_path: Path) -> None:
    assert sites(small_tree(tmp_path, KNOWN)).exit_code == 0
    found = sites(small_tree(tmp_path, KNOWN + NEW))
    assert found.exit_code == 3
    assert "mm/memory.c:4: handle_new_case: set_pte_at: unclaimed\n" in found.stdout
    assert "specs/sites.yaml" in found.stdout


def test_json_has_every_use(tmp_path: Path) -> None:
    data = json.loads(sites(small_tree(tmp_path, KNOWN + NEW), "--json", "-").stdout)
    assert [(s["function"], s["helper"], s["status"]) for s in data["sites"]] == [
        ("do_anonymous_page", "set_ptes", "claimed"),
        ("do_anonymous_page", "pte_mkdirty", "claimed"),
        ("handle_new_case", "set_pte_at", "unclaimed"),
    ]
    assert (
        data["sites"][0]["rows"] == ["T01", "T02"] and "anon-write-fault" in data["sites"][0]["by"]
    )
    assert sum(data["counts"].values()) == 3 and set(data["counts"]) == set(STATUSES)


def test_what_another_kernel_has(tmp_path: Path) -> None:
    tree, kept = small_tree(tmp_path / "tree", KNOWN + NEW), tmp_path / "kept.tsv"
    sites(tree, "--keep", str(kept))
    small_tree(tree, KNOWN.replace("do_anonymous_page", "anonymous_page_at"))
    found = sites(tree, "--baseline", str(kept))
    assert "Against Linux 6.12.1: 0 the same, 2 moved, 0 changed, 0 came, 1 went" in found.stdout
    assert (
        "  moved    mm/memory.c:do_anonymous_page > mm/memory.c:anonymous_page_at: set_ptes\n"
        in found.stdout
    )
    assert "  went     mm/memory.c:handle_new_case: set_pte_at\n" in found.stdout


def test_what_is_not_understood_is_an_open_question(tmp_path: Path) -> None:
    found = sites(small_tree(tmp_path, KNOWN + "void f( { pte_mkdirty(e)\n"))
    assert found.exit_code == 3 and ": pte_mkdirty: unparsed\n" in found.stdout


def test_nothing_is_read_outside_the_tree(tmp_path: Path) -> None:
    """A link is left out, and a tree without a use is no pass."""
    tree = small_tree(tmp_path / "tree", "")
    (tmp_path / "secret.c").write_text(KNOWN)
    (tree / "mm/link.c").symlink_to(tmp_path / "secret.c")
    (tmp_path / "folder").mkdir()
    shutil.copy(tmp_path / "secret.c", tmp_path / "folder/a.c")
    (tree / "mm/sub").symlink_to(tmp_path / "folder")
    found = sites(tree)
    assert found.exit_code == 2 and "no use of any helper" in found.stderr
