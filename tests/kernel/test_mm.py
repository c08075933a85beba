# SPDX-License-Identifier: GPL-2.0-or-later
"""Functions of the kernel's mm/, lifted whole, against the steps of specs/."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from sample import sampled

from verifier.base.errors import SpecError, Where
from verifier.kernel.mm.functions import Condition, MmFunction, Stub
from verifier.kernel.mm.read_functions import HERE, load_functions
from verifier.kernel.mm.wrapper import wrapper_file
from verifier.kernel.tree.overlay import overlay_of
from verifier.language.read_yaml import Source
from verifier.meeting.mm import judge, session
from verifier.meeting.mm.judge import MmResult, functions_for
from verifier.meeting.mm.report import function_lines, function_rows
from verifier.meeting.mm.session import judge_functions
from verifier.model.read_versions import NEWEST_READ, WHOLE

TREE = os.environ.get("KERNEL_TREE")
needs_tree = pytest.mark.skipif(not TREE, reason="needs a kernel tree: KERNEL_TREE=/path/to/linux")


def tree() -> Path:
    assert TREE is not None
    return Path(TREE)


def judged(monkeypatch: pytest.MonkeyPatch, function: MmFunction) -> MmResult:
    """The result of a record of ours, in the place of the one of that name."""
    records = {function.name: function}
    monkeypatch.setattr(judge, "load_functions", lambda version=None: records)
    monkeypatch.setattr(session, "load_functions", lambda version=None: records)
    (result,) = judge_functions(tree(), "x86_64", [function.name])
    return result


@needs_tree
@pytest.mark.parametrize(
    "variant", sampled(["x86_64", "x86_64+shstk", "arm64-4k"], ["x86_64", "arm64-4k"]))
def test_steps_say_what_the_kernels_functions_do(variant: str) -> None:
    results = judge_functions(tree(), variant)
    assert function_lines(results, {}) == [f"{variant}: functions of mm/: {len(results)} equal"]
    assert {r.function.name for r in results} == {f.name for f in functions_for(variant)}
    assert all(row["verdict"] == "equal" and row["rests_on"] for row in function_rows(results))


@needs_tree
def test_which_code_is_a_function_equal_to() -> None:
    against = (("page-flag", "today"), ("option-c", "thread"), ("option-c", "option-c"))
    results = judge_functions(tree(), "x86_64", ["clear_soft_dirty"], against)
    assert [(r.against, r.verdict) for r in results] == [
        ("page-flag/today", "equal"), ("option-c/thread", "differs"),
        ("option-c/option-c", "differs"),
    ]


@needs_tree
def test_what_the_step_does_not_say_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    """fork's step write-protects; a step that does not is none of this function's."""
    function = load_functions()["__copy_present_ptes"]
    result = judged(monkeypatch, replace(function, transition="fork-swap-entry", where=()))
    assert result.verdict == "differs"
    function = load_functions()["gup_must_unshare"]
    told = Source("return gup_must_unshare(p, entry[p], not write)", Where("a test", 1, 1))
    result = judged(monkeypatch, replace(function, result=told))
    assert result.verdict == "differs"
    assert [line.split(":")[0].strip() for line in function_lines([result], {})[-3:-1]] == [
        "result", "result"]


@needs_tree
def test_a_function_is_incomplete_by_name_where_a_call_is_not_said(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    function = load_functions()["copy_present_ptes"]
    left = tuple(s for s in function.stubs if s.name != "vm_normal_page")
    result = judged(monkeypatch, replace(function, stubs=left))
    assert result.verdict == "incomplete" and "vm_normal_page" not in result.reason
    function = load_functions()["copy_nonpresent_pte.swap"]
    left = tuple(s for s in function.stubs if s.name != "swap_duplicate")
    result = judged(monkeypatch, replace(function, stubs=left))
    assert result.verdict == "incomplete" and "calls swap_duplicate" in result.reason


@needs_tree
def test_a_stub_that_is_never_called_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    function = load_functions()["clear_soft_dirty"]
    unused = Stub("vm_normal_folio", "struct folio *@(struct vm_area_struct *vma,"
                  " unsigned long addr, pte_t pte) { return 0; }", "a test")
    result = judged(monkeypatch, replace(function, stubs=(*function.stubs, unused)))
    assert (result.verdict, result.reason) == (
        "incomplete", "never calls vm_normal_folio, which has a stub")


@needs_tree
def test_what_a_record_covers_is_lifted_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    function = load_functions()["clear_soft_dirty"]
    result = judged(monkeypatch, replace(function, covers=("clear_refs_write",)))
    assert (result.verdict, result.reason) == (
        "incomplete", "clear_refs_write is not lifted with it")


@needs_tree
def test_a_stub_of_another_type_is_refused_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    function = load_functions()["clear_soft_dirty"]
    (stub,) = function.stubs
    wrong = replace(stub, code=stub.code.replace("pte_t pte", "unsigned long pte"))
    result = judged(monkeypatch, replace(function, stubs=(wrong,)))
    assert result.verdict == "incomplete"
    assert "its wrapper does not compile: error: conflicting types" in result.reason


@needs_tree
def test_nothing_is_equal_where_nothing_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    function = load_functions()["clear_soft_dirty"]
    never = Condition("never", Source("maps(p) and none(entry[p])", Where("a test", 1, 1)), "-")
    result = judged(monkeypatch, replace(function, where=(never,)))
    assert result.verdict == "incomplete" and "vacuous" in result.reason


@needs_tree
def test_an_effect_outside_of_what_is_compared_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    function = load_functions()["clear_soft_dirty"]
    clean = Condition("read-only", Source("not pte_write(entry[p])", Where("a test", 2, 1)), "-")
    part = replace(function, where=(*function.where, clean))
    result = judged(monkeypatch, part)
    assert result.verdict == "incomplete" and "reaches-read-only, is not within" in result.reason
    assert judged(monkeypatch, replace(part, unreached={"read-only": "-"})).verdict == "equal"


# file, what stands there, what is put in its place, and the functions that differ then
PLANTED = [
    ("mm/memory.c", "pte = pte_swp_clear_exclusive(orig_pte);", "pte = orig_pte;",
     ["copy_nonpresent_pte.swap"]),
    ("mm/memory.c", "\t\tpte = pte_wrprotect(pte);\n", "", [
        "__copy_present_ptes", "copy_present_ptes"]),
    ("mm/mprotect.c", "ptent = pte_modify(oldpte, newprot);",
     "ptent = pte_mkdirty(pte_modify(oldpte, newprot));",
     ["change_pte_range.mprotect", "change_pte_range.numa", "change_pte_range.uffd-wp-set",
      "change_pte_range.uffd-wp-clear"]),
    ("mm/ksm.c", "\t\tif (pte_dirty(entry))\n\t\t\tfolio_mark_dirty(folio);\n", "",
     ["write_protect_page"]),
    ("mm/rmap.c", "\t\t\t\tswp_pte = pte_swp_mkexclusive(swp_pte);\n", "\t\t\t\t;\n",
     ["try_to_unmap_one.swap"]),
    ("mm/migrate.c", "if (folio_test_dirty(folio) && is_migration_entry_dirty(entry))",
     "if (is_migration_entry_dirty(entry))", ["remove_migration_pte"]),
    ("mm/madvise.c", "const cydp_t cydp_flags = CYDP_CLEAR_YOUNG | CYDP_CLEAR_DIRTY;",
     "const cydp_t cydp_flags = CYDP_CLEAR_YOUNG;", ["madvise_free_pte_range"]),
]


def edited(file: str, old: str, new: str) -> dict[str, bytes]:
    text = (tree() / file).read_text()
    assert text.count(old) == 1, (file, old, text.count(old))
    return {file: text.replace(old, new).encode()}


@needs_tree
@pytest.mark.parametrize(("file", "old", "new", "names"), PLANTED)
def test_a_mistake_in_the_kernels_c_is_noticed(
    file: str, old: str, new: str, names: list[str]
) -> None:
    """And it alone: other functions of the file stay equal."""
    every = [f.name for f in functions_for("x86_64") if f.file == file]
    with overlay_of(tree(), edited(file, old, new)) as overlay:
        results = judge_functions(tree(), "x86_64", every, overlay=overlay)
    found = {r.function.name: r.verdict for r in results}
    assert {name for name, verdict in found.items() if verdict != "equal"} == set(names), found
    assert {found[name] for name in names} == {"differs"}


@needs_tree
def test_a_patch_that_changes_no_meaning_changes_no_verdict() -> None:
    change = edited("mm/swapfile.c", "pte_t *pte, new_pte, old_pte;",
                    "pte_t *pte, old_pte, new_pte;")
    with overlay_of(tree(), change) as overlay:
        (result,) = judge_functions(tree(), "x86_64", ["unuse_pte"], overlay=overlay)
    assert result.verdict == "equal"


@needs_tree
def test_a_patch_to_the_threads_text_is_equal_to_that() -> None:
    """unuse_pte under option C: exclusive is dirty in the entry, and no flag of the page."""
    change = edited("mm/swapfile.c", "\tnew_pte = pte_mkold(mk_pte(page, vma->vm_page_prot));\n",
                    "\tnew_pte = pte_mkold(mk_pte(page, vma->vm_page_prot));\n"
                    "\tif (pte_swp_exclusive(old_pte))\n\t\tnew_pte = pte_mkdirty(new_pte);\n")
    against = (("page-flag", "today"), ("option-c", "thread"), ("option-c", "option-c"))
    with overlay_of(tree(), change) as overlay:
        results = judge_functions(tree(), "x86_64", ["unuse_pte"], against, overlay=overlay)
    assert [(r.against, r.verdict) for r in results] == [
        ("page-flag/today", "differs"), ("option-c/thread", "equal"),
        ("option-c/option-c", "differs"),
    ]


def test_each_wrapper_has_lines_of_its_own() -> None:
    functions = [f for f in load_functions().values() if f.file == "mm/memory.c"]
    text, where = wrapper_file("/tree/mm/memory.c", functions)
    lines = text.splitlines()
    assert list(where) == [f.name for f in functions] and lines[0] == (
        '#include "/tree/mm/memory.c"')
    for function in functions:
        first, last = where[function.name]
        assert any(f"pteproof_mm_{function.symbol}(" in line for line in lines[first - 1:last - 1])
        for stub in function.stubs:
            assert f"static typeof({stub.name})" in "\n".join(lines[first - 1:last - 1])


def test_every_stub_of_the_table_is_used_and_has_a_reason() -> None:
    from verifier.kernel.mm.read_functions import load_calls

    _, calls = load_calls()
    used = {stub.name for version in (WHOLE, NEWEST_READ)
            for f in load_functions(version=version).values() for stub in f.stubs}
    assert calls.stubs.keys() <= used
    assert not calls.nothing.keys() & calls.stubs.keys()
    assert not any(set("*?[") & set(name) for name in calls.nothing)  # exact names


@pytest.mark.parametrize(("old", "new", "said"), [
    ("world: small-anon", "world: large", "is no world of calls.yaml"),
    ("variants:", "variant:", "unknown key 'variant'"),
    ("c: >-", "code: >-", "unknown key 'code'"),
    ("bool @(struct", "bool pte_is_pinned(struct", "has no @"),
])
def test_a_wrong_record_is_one_error_at_its_place(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    for name in ("calls.yaml", "task_mmu.yaml"):
        text = (HERE / name).read_text()
        (tmp_path / name).write_text(text.replace(old, new) if name != "calls.yaml" else text)
    with pytest.raises(SpecError) as error:
        load_functions(tmp_path)
    assert said in str(error.value) and "verifier/kernel/mm/task_mmu.yaml:" in str(error.value)
