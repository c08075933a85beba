# SPDX-License-Identifier: GPL-2.0-or-later
"""What check-patch says of patches to a small tree: by their texts, with nothing lifted."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result
from small_tree import FILES, edit, mail, small_tree

from verifier import __version__
from verifier.base.columns import MAIL, on_page
from verifier.base.errors import ExtractionError
from verifier.base.exits import Exit
from verifier.base.output import clean
from verifier.cli import main
from verifier.patches.lifting import Variants
from verifier.patches.outcome import (
    FunctionOutcome,
    HelperOutcome,
    ObligationOutcome,
    PatchOutcome,
    SeriesOutcome,
    SiteOutcome,
    exit_of_series,
)
from verifier.report.patch_data import b4_data, patch_schema, series_data
from verifier.report.patch_ktap import checkpatch_text, ktap_text
from verifier.report.patch_machines import patches_junit, patches_sarif
from verifier.report.patch_text import mail_text, series_text
from verifier.run.library import load_library

MAY = edit("mm/memory.c", "page_count(page) == 1", "page_count(page) <= 2")
OWN = edit("mm/memory.c", "pte_mkdirty(entry)", "pte_mkdirty(pte_mkyoung(entry))")
NEW_USE = edit("mm/memory.c", "do_nothing();", "do_nothing(pte_mkdirty(x));")
COMMENT = edit("mm/memory.c", "\tdo_nothing();", "\t/* nothing */\n\tdo_nothing();")
HEADER = edit("include/linux/pgtable.h", "page->count", "page->count + 1")
FOREIGN = edit("drivers/a/b.c", "int b;", "int c;")
PLAIN = edit("mm/memory.c", "do_nothing();", "do_something();")
REUSE = "mm/memory.c:wp_page_reuse"


@pytest.fixture(autouse=True)
def no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lifted: there is nothing here that compiles."""
    def refuse(*given: object, **named: object) -> None:
        raise ExtractionError("there is no compiler")

    for name in ("judge_variants", "judge_touched"):
        monkeypatch.setattr(f"verifier.patches.lifting.{name}", refuse)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return small_tree(tmp_path / "tree")


def check(tree: Path | None, text: str, *words: str) -> Result:
    where = () if tree is None else ("--tree", str(tree))
    return CliRunner().invoke(main, ["check-patch", *where, *words], input=text)


def checked(tree: Path, text: str) -> dict[str, object]:
    """The first patch of the result."""
    found = check(tree, text, "--json", "-")
    assert found.exit_code in (0, 1, 3), found.output
    patch: dict[str, object] = json.loads(found.stdout)["patches"][0]
    return patch


@pytest.mark.parametrize(("text", "code", "said"), [
    (FOREIGN, 0, "nothing that is checked is touched"),
    (PLAIN, 0, "1 patch: 1 kept."),
    (COMMENT, 0, "only comments and white space change"),
    (OWN, 3, f"incomplete: {REUSE}: its text changes; it was not lifted: there is no compiler"),
    (MAY, 3, f"incomplete: {REUSE}: may_reuse changes, which it uses; it was not lifted"),
    (HEADER, 3, f"incomplete: {REUSE}: may_reuse changes, which it uses; it was not lifted"),
    (HEADER, 3, "include/linux/pgtable.h: the helpers that are compiled with it were not lifted"),
    (NEW_USE, 3, "plain: pte_mkdirty, in a function that nobody has looked at"),
    (edit("mm/Kconfig", "SWAP", "SWAPS"), 3, "mm/Kconfig: it is not read"),
    (edit("mm/Kconfig", "SWAP", "SWAPS") + PLAIN, 0, "the tree's own configuration is used"),
    (edit("kernel/sched.c", "int s;", "int t;"), 0, "1 patch: 1 kept."),
], ids=["foreign", "plain", "comment", "own", "through a function", "through a header", "header",
        "new use", "build", "build and code", "kernel"])
def test_what_is_touched(tree: Path, text: str, code: int, said: str) -> None:
    found = check(tree, text, "-v")
    assert found.exit_code == code, found.output
    assert said in " ".join(found.output.split())
    assert max(map(len, found.output.splitlines())) <= 80 or "/" in found.output


def test_the_tree_is_only_read(tree: Path) -> None:
    before = {str(p): p.read_bytes() for p in sorted(tree.rglob("*")) if p.is_file()}
    check(tree, OWN)
    assert before == {str(p): p.read_bytes() for p in sorted(tree.rglob("*")) if p.is_file()}


def series(*diffs: str) -> str:
    total = len(diffs)
    return "".join(mail(f" {number}/{total}] step {number}", diff)
                   for number, diff in enumerate(diffs, 1))


def test_a_series_is_checked_patch_by_patch(tree: Path) -> None:
    once = FILES["mm/memory.c"].replace("do_nothing();", "do_something();")
    second = edit("mm/memory.c", "do_something();", "do_much();", once)
    third = edit("mm/memory.c", "do_much();", "set_pte_at(a, b, c, d);",
                 once.replace("do_something();", "do_much();"))
    found = check(tree, series(PLAIN, second, third))
    assert found.exit_code == Exit.OPEN
    assert "[1/3] step 1: kept" in found.output and "[2/3] step 2: kept" in found.output
    assert "[3/3] step 3: incomplete" in found.output
    assert "3 patches: 2 kept, 1 incomplete." in found.output
    found = check(tree, series(PLAIN, PLAIN, third))
    assert found.exit_code == Exit.WRONG_USE
    assert "hunk 1 of mm/memory.c does not apply at line " in found.output
    assert "seems to have this change already (the tree is Linux 6.12.1)" in found.output


def test_the_base_is_named_where_a_patch_does_not_apply(tree: Path) -> None:
    text = mail("] x", OWN.replace("pte_mkdirty(entry)", "pte_mkclean(entry)"),
                f"\nbase-commit: {'c' * 40}\n")
    found = check(tree, text)
    assert found.exit_code == Exit.WRONG_USE and found.stdout == ""
    assert "(the tree is Linux 6.12.1; the patch says base-commit cccccccccccc)" in found.output
    assert len(found.output.splitlines()) == 1


def test_binaries(tree: Path) -> None:
    def binary(name: str) -> str:
        return (f"diff --git a/{name} b/{name}\nindex 12..34 100644\n"
                f"Binary files a/{name} and b/{name} differ\n")

    assert check(tree, binary("drivers/fw.bin") + FOREIGN).exit_code == 0
    found = check(tree, binary("drivers/fw.bin") + PLAIN)
    assert found.exit_code == 0 and "drivers/fw.bin: a binary file, not looked at" in found.output
    found = check(tree, binary("mm/x.h") + PLAIN)
    assert found.exit_code == 2 and "mm/x.h: a binary change" in found.output


FORMS = {"text": (), "mail": ("--mail",), "checkpatch": ("--format", "checkpatch"),
         "b4": ("--b4",),
         **{form: (f"--{form}", "-") for form in ("json", "junit", "sarif", "ktap")}}
PATCHES = {"untouched": mail("] drivers: x", FOREIGN), "kept": mail("] mm: plain", PLAIN),
           "incomplete": mail(" 1/2] mm: reuse", OWN, HEADER)}


def hold(name: str, text: str, request: pytest.FixtureRequest) -> None:
    """The text is that of the file, or the file is written anew."""
    text = text.replace(__version__, "VERSION")
    path = Path(__file__).parent / "golden" / "check-patch" / f"{name}.txt"
    if request.config.getoption("--update-golden"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text(), f"{path} has another text: --update-golden writes it anew"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", PATCHES)
def test_forms(tree: Path, form: str, name: str, request: pytest.FixtureRequest) -> None:
    found = check(tree, PATCHES[name], *FORMS[form])
    assert found.exit_code == (3 if name == "incomplete" else 0)
    hold(f"{name}-{form}", found.stdout.replace(str(tree), "TREE"), request)


def test_laws_do_not_crowd_out_the_trace_of_a_step() -> None:
    laws = [ObligationOutcome(f"x86_64/pte/law/a{n}", "broken", shown=f"law {n}")
            for n in range(9)]
    step = ObligationOutcome("x86_64/pte/page-flag/zap/today/frame", "broken", shown="its trace")
    patch = PatchOutcome("x", "x.diff", obligations=(*laws, step))
    shown = series_text(SeriesOutcome((patch,), (), "6.12.1", "TREE"), False, False)
    assert "its trace" in shown and "law 4" in shown and "law 5" not in shown


# What lifting says comes from elsewhere; this is a series of which it says everything.
BROKEN = SeriesOutcome((
    PatchOutcome("mm: fine", "a.mbox, mail 1", "A B <a@b>", (1, 2), "c" * 40,
                 ("arch/x86/include/asm/pgtable.h",), (("arch/x86/include/asm/pgtable.h", 12),),
                 helpers=(HelperOutcome("x86_64", "pte_dirty", "unchanged"),)),
    PatchOutcome(
        "mm: # not so\x1b[31m fine", "a.mbox, mail 2", "A B <a@b>", (2, 2), "c" * 40,
        ("arch/x86/include/asm/pgtable.h",), (("arch/x86/include/asm/pgtable.h", 12),),
        ("hunk 1 applies +2 lines off",),
        (HelperOutcome("x86_64", "pte_wrprotect", "changed", "pte_wrprotect(0x67)", "PRESENT|DIRTY",
                       "PRESENT"),
         HelperOutcome("x86_64", "pte_mkwrite", "incomplete", why="calls printk"),
         HelperOutcome("x86_64", "pte_dirty", "unchanged")),
        (ObligationOutcome("x86_64/pte/page-flag/fork-pte/today/no-lost-dirty", "broken",
                           "no dirty mark is lost", "", "  0  A  0x67", {"entry": "0x67"}),
         ObligationOutcome("x86_64/pte/page-flag/fork-pte/today/frame", "fixed", "it stays"),
         ObligationOutcome("x86_64/pte/page-flag/zap/today/frame", "still broken", "it stays"),
         ObligationOutcome("x86_64/pte/page-flag/ksm/today/frame", "unknown", "it stays", "time")),
        (FunctionOutcome("mm/memory.c", "wp_page_reuse", "equal", ("today",), ("wp-reuse",), 9),
         FunctionOutcome("mm/memory.c", "do_swap_page", "differs", (), ("swap-in",), 19,
                         "its text changes", "entry of p: kernel 0x67")),
        (SiteOutcome("came", "mm/x.c", "f", "pte_dirty", 3, "unclaimed"),
         SiteOutcome("went", "mm/x.c", "g", "pte_dirty")),
        ("mm/y.h: something changes that has no name",)),
), ("version 1 is left out: there is version 2",), "6.12.1", "TREE")
RENDERED: dict[str, Callable[[bool], str]] = {
    "text": lambda every: series_text(BROKEN, every, every),
    "checkpatch": lambda every: checkpatch_text(BROKEN, every),
    "ktap": lambda every: ktap_text(BROKEN, every),
    "junit": lambda every: patches_junit(BROKEN, every),
    "json": lambda every: json.dumps(series_data(BROKEN, every), indent=1),
    "sarif": lambda every: json.dumps(patches_sarif(BROKEN, every), indent=1),
    "b4": lambda every: json.dumps(b4_data(BROKEN.patches[1], every), indent=1),
}


@pytest.mark.parametrize("form", RENDERED)
def test_forms_of_what_is_broken(form: str, request: pytest.FixtureRequest) -> None:
    hold(f"broken-{form}", clean(RENDERED[form](False)) + "\n", request)
    every = RENDERED[form](True)
    failed_before = "x86_64/pte/page-flag/zap/today/frame"
    assert failed_before in every and failed_before not in RENDERED[form](False)


def test_a_mail_of_what_is_broken(request: pytest.FixtureRequest) -> None:
    with on_page(MAIL):
        text = mail_text(BROKEN, ["a.mbox"], False)
    hold("broken-mail", clean(text) + "\n", request)
    assert max(map(len, text.splitlines())) <= 72
    assert ">> broken  x86_64/pte/page-flag/fork-pte/today/no-lost-dirty" in text
    assert text.splitlines()[0] == "Hi," and "A B" not in text


def test_the_exit_code_and_the_first_bad_patch() -> None:
    assert exit_of_series(BROKEN.patches) == Exit.REFUTED
    assert exit_of_series(BROKEN.patches[:1]) == Exit.HOLDS
    bad = BROKEN.first_bad()
    assert bad is not None and bad.position == (2, 2)
    assert [patch.word for patch in BROKEN.patches] == ["kept", "broken"]


def test_the_json_is_that_of_its_schema(tree: Path) -> None:
    for every in (False, True):
        jsonschema.validate(series_data(BROKEN, every), patch_schema())
    for text in PATCHES.values():
        jsonschema.validate(json.loads(check(tree, text, "--json", "-").stdout), patch_schema())
    wrong = series_data(BROKEN, False) | {"more": 1}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, patch_schema())


@pytest.mark.parametrize("words", [("--b4",), ("--json", "-"), ()])
def test_nothing_of_ours_starts_nothing(words: tuple[str, ...], tmp_path: Path) -> None:
    """No solver, no compiler, no parser, no specs: they are not there, and nobody misses them."""
    code = f"""
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {{"z3", "pysat", "bitwuzla", "cvc5", "yaml", "tree_sitter", "rich",
                                  "llvmlite", "subprocess"}} or name in (
                "verifier.run.library", "verifier.kernel.tree.tree", "verifier.meeting.sites"):
            raise AssertionError(name)
sys.meta_path.insert(0, Refuse())
from verifier.cli import main
main(["check-patch", *{list(words)!r}])
"""
    env = {"PATH": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], input=mail("] drivers: x", FOREIGN),
                          capture_output=True, text=True, env=env, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    if words == ("--b4",):
        assert json.loads(done.stdout) == []


@pytest.mark.parametrize(("words", "text", "said"), [
    (("--b4",), mail(" 1/2] a", PLAIN) + mail(" 2/2] b", PLAIN), "one patch, and here are 2"),
    (("--b4", "--json", "-"), PLAIN, "cannot both be written to standard output"),
    (("no.patch",), "", "no such file"), ((), "", "there is no patch in it"),
    (("--json", "no/such/x.json"), PLAIN, "cannot be written"),
    (("--format", "x"), PLAIN, "Invalid value"),
])
def test_bad_use(tree: Path, words: tuple[str, ...], text: str, said: str) -> None:
    found = check(tree, text, *words)
    assert found.exit_code == Exit.WRONG_USE and said in found.output and not found.stdout


def test_a_patch_of_ours_needs_a_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = check(None, PLAIN)
    assert found.exit_code == Exit.WRONG_USE and "give a kernel tree with --tree" in found.output
    assert check(None, FOREIGN).exit_code == Exit.HOLDS
    monkeypatch.chdir(small_tree(tmp_path / "t") / "mm")
    assert check(None, PLAIN).exit_code == Exit.HOLDS


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")
def test_a_range_of_commits(tree: Path) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", "-c", "user.name=A", "-c", "user.email=a@b", *words], cwd=tree,
                       check=True, capture_output=True)

    git("init", "-q")
    git("add", "-A")
    git("commit", "-q", "-m", "all")
    for number, (old, new) in enumerate((("do_nothing", "do_something"), ("== 1", "<= 2")), 1):
        path = tree / "mm/memory.c"
        path.write_text(path.read_text().replace(old, new))
        git("commit", "-q", "-a", "-m", f"change {number}")
    found = check(tree, "", "HEAD~2..")
    assert found.exit_code == Exit.OPEN, found.output
    assert "[1/2] change 1: kept" in found.output and "[2/2] change 2: incomplete" in found.output


def test_what_was_not_looked_at_is_said() -> None:
    every = tuple(variant.name for variant in load_library().variants())
    chosen = Variants(every, ("x86_64", "arm64-4k+dbm"))
    names, said = chosen.of(["arch/s390/include/asm/pgtable.h"])
    assert names and all(name.startswith("s390") for name in names) and said == ""
    names, said = chosen.of(["include/linux/pgtable.h"])
    assert names == ("x86_64", "arm64-4k+dbm")
    assert f"{len(every) - 2} other variants were not (--arch '*' looks at all)" in said
    names, said = chosen.of(["arch/none/include/asm/pgtable.h"])
    assert names == () and said == "nobody models none"
    assert replace(chosen, named=("*",)).of(["include/linux/pgtable.h"]) == (("*",), "")


def test_a_helper_that_is_no_step_any_more_says_so_and_shows_no_empty_side() -> None:
    one = HelperOutcome("riscv64+svadu", "ptep_set_wrprotect", "changed", "ptep_set_wrprotect: x",
                        "", "entry 0x13", "it is not one step")
    assert one.shown() == ["it is not one step", "after   entry 0x13"]
    assert HelperOutcome("a", "b", "changed", "c", "d", "e").shown() == ["before  d", "after   e"]
