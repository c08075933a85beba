# SPDX-License-Identifier: GPL-2.0-or-later
"""Imports run downwards, each tool is touched by one module, and no text of specs/ sees what it must not."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from verifier.arch import data_folder
from verifier.errors import SpecError
from verifier.plan import Library, load_library
from verifier.read_specs import load_spec
from verifier.scopes import Model

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "verifier"
LAYERS = (
    "errors", "exits", "output", "store", "digests", "processes", "workers", "algebra", "syntax", "indices", "load",
    "expressions", "language", "machine", "evaluate", "graph", "truth", "bits", "terms", "smtlib", "harness", "solve",
    "smt_solvers", "arch", "read_arch", "model", "read_specs", "points", "catalogue", "sections", "scopes", "steps",
    "sequences",
    "obligations", "baseline", "results", "shared", "prove", "prove_terms", "plain", "cross", "substitute", "follow", "path",
    "trace",
    "consequence", "through", "difference", "beyond", "plan", "export", "unneeded", "codec", "grounds", "recall", "cache",
    "work", "run", "apply", "encode", "certify", "kernel", "mutate", "table", "report", "commands", "cli", "__main__",
)
# A module may not be named by what its layer is not meant for, even where the order would allow it.
TOOLS = {"z3": {"terms", "solve"}, "pysat": {"solve"}, "yaml": {"load"}, "rich": {"commands"},
         "click": {"cli", "commands", "kernel/commands"}, "llvmlite": {"kernel"},
         "bitwuzla": {"smt_solvers"}, "cvc5": {"smt_solvers"}, "junitparser": {"report", "kernel"}}


def layer(path: Path) -> str:
    """errors for verifier/errors.py; a package is one layer."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that a module imports, also inside functions and for type checkers."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            assert node.module is not None
            yield node.lineno, node.module
            if node.module == "verifier":
                yield from ((node.lineno, f"verifier.{a.name}") for a in node.names if a.name != "__version__")


def test_every_module_has_its_layer() -> None:
    assert {layer(path) for path in modules()} == set(LAYERS)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_downwards(path: Path) -> None:
    own = layer(path)
    for line, name in imported(path):
        parts = name.split(".")
        if parts[0] == "verifier" and len(parts) > 1 and parts[1] != own:
            assert LAYERS.index(parts[1]) < LAYERS.index(own), f"{path.name}:{line}: {own} imports {parts[1]}"
        if parts[0] in TOOLS:
            user = {own, str(path.relative_to(PACKAGE).with_suffix(""))}
            assert user & TOOLS[parts[0]], f"{path.name}:{line}: {own} imports {parts[0]}"


# Where the kernel's side and the specs meet, on purpose: commands, replay, functions of mm/ against the specs' code.
MEETING = ("commands.py", "session.py", "counterexamples.py", "mm_functions.py")


def test_the_kernels_side_knows_nothing_of_the_specs() -> None:
    """What is lifted from C is compared with helpers; it must not know what is proved of them."""
    below = set(LAYERS[:LAYERS.index("model")])
    for path in modules():
        if layer(path) == "kernel" and path.name not in MEETING:
            found = {name.split(".")[1] for _, name in imported(path) if name.startswith("verifier.")}
            assert found <= below | {"kernel"}, path.name


def test_the_order_is_the_documented_one() -> None:
    rows = re.findall(r"^\| `verifier/([a-z0-9_]+)(?:\.py|/)` \|", (ROOT / "ARCHITECTURE.md").read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(LAYERS)
    for path in modules():
        own = layer(path)
        for _, name in imported(path):
            parts = name.split(".")
            if parts[0] == "verifier" and len(parts) > 1 and parts[1] != own and "kernel" not in (own, parts[1]):
                assert rows.index(parts[1]) < rows.index(own), f"{own} imports {parts[1]}"


def test_only_the_command_line_prints_and_nothing_is_executed() -> None:
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec", "compile", "__import__"), f"{path.name}:{node.lineno}"
                assert node.func.id != "print", f"{path.name}:{node.lineno} prints"


def loaded_after(code: str) -> set[str]:
    """The packages that a fresh interpreter has loaded after some code."""
    text = f"{code}\nimport sys\nprint(' '.join(sorted(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60, check=True)
    return set(found.stdout.splitlines()[-1].split())


def test_the_command_line_starts_light() -> None:
    found = loaded_after("import verifier.cli")
    assert "verifier.cli" in found and "click" in found
    assert not found & {"z3", "pysat", "rich", "yaml", "llvmlite", "junitparser", "verifier.plan", "verifier.terms"}


def test_z3_is_loaded_only_where_it_is_asked_for() -> None:
    assert "z3" not in loaded_after("import verifier.run, verifier.prove, verifier.solve, verifier.report")
    assert "pysat" not in loaded_after("from verifier.plan import load_library\nload_library()")


# Who may name what. Each text is put into a copy of the shipped specs, which then does not load.

@pytest.fixture(scope="module")
def library() -> Library:
    return load_library()


SPEC = load_library().spec
TRUTH = [f"{v.name}[p]" if v.each else v.name for v in SPEC.variables.values() if v.truth]
VISIBLE = [f"{v.name}[p]" if v.each else v.name for v in SPEC.variables.values() if not v.truth]
OBSERVED = sorted(SPEC.observations)

# where -> file, the text that stands there, and what replaces it; {} is a boolean expression about process p
PLACES = {
    "code": ("transitions/gup.yaml", "      pte = ptep_get(entry[p])\n",
             "      if {}:\n          return\n      pte = ptep_get(entry[p])\n"),
    "requires": ("transitions/gup.yaml", 'holds: "maps(p)", because: "mm/gup.c:follow_page_pte',
                 'holds: "{} and maps(p)", because: "mm/gup.c:follow_page_pte'),
    "view": ("world.yaml", "  maps(p:process): ", "  maps(p:process): ({}) and "),
    "reading": ("world.yaml", "    (maps(p) and not ksm", "    (({}) and maps(p) and not ksm"),
    "procedure": ("world.yaml", "    if maps(p) and stores:", "    if ({}) and maps(p) and stores:"),
    "encoding": ("encodings/page-flag.yaml", "  exclusive(e): ", "  bad(p:process): {}\n  exclusive(e): "),
    "action": ("world.yaml", "  reuse(p:process): |\n", "  reuse(p:process): |\n    assert {}, \"store-leak\"\n"),
    "truth": ("world.yaml", "  any_pinned(): ", "  bad(p:process): {}\n  any_pinned(): "),
}


def check(library: Library, folder: Path, place: str, text: str) -> None:
    """Types the shipped specs with one text changed."""
    shutil.copytree(data_folder("specs"), folder)
    file, old, new = PLACES[place]
    path = folder / file
    before = path.read_text()
    assert old in before
    path.write_text(before.replace(old, new.replace("{}", text), 1))
    spec = load_spec(folder)
    Model(spec, library.layout("x86_64+shstk"), spec.encodings["page-flag"]).check()


@pytest.mark.parametrize(("place", "text"), [
    ("code", "ksm"), ("code", "maybe_pinned()"), ("requires", "swapcache"), ("view", "pte_dirty(entry[p])"),
    ("reading", "swapped(p)"), ("procedure", "needs_cow_for_dma(p)"), ("encoding", "maps(p)"),
    ("action", "pinned[p]"), ("action", "not others(p)"), ("truth", "granted[p] or third_maps"),
])
def test_what_may_be_named(library: Library, tmp_path: Path, place: str, text: str) -> None:
    check(library, tmp_path / "specs", place, text)


def refused(library: Library, folder: Path, place: str, text: str) -> None:
    name = re.findall(r"\w+", text)[0]
    with pytest.raises(SpecError) as caught:
        check(library, folder, place, text)
    assert re.match(rf"specs/{PLACES[place][0]}:\d+:\d+: error: ", str(caught.value))
    assert re.match(rf"unknown (name|state variable|helper) '{name}'", caught.value.message), caught.value.message


@pytest.mark.parametrize("place", ["code", "requires", "view", "reading", "procedure", "encoding"])
@pytest.mark.parametrize("text", [*TRUTH, "others(p)", "any_pinned()", "alive()", "was_granted[p]", "was_ksm"])
def test_code_and_requirements_do_not_see_the_truth(library: Library, tmp_path: Path, place: str, text: str) -> None:
    refused(library, tmp_path / "specs", place, text)


@pytest.mark.parametrize("place", ["action", "truth"])
@pytest.mark.parametrize("text", [
    *(v + " == 0" if v in ("pfn", "old_pfn", "slot", "entry[p]") else v for v in VISIBLE), "maps(p)", "refers(p)",
    "pte_dirty(entry[p])", "exclusive_now(p)", "PRESENT != 0", "maybe_pinned()", "tracks(p)", "was_reach[p]",
])
def test_actions_and_truths_never_see_an_entry(library: Library, tmp_path: Path, place: str, text: str) -> None:
    refused(library, tmp_path / "specs", place, text)


@pytest.mark.parametrize("place", ["requires", "view", "reading", "encoding", "action", "truth"])
@pytest.mark.parametrize("name", OBSERVED)
def test_observations_are_for_code_alone(library: Library, tmp_path: Path, place: str, name: str) -> None:
    arguments = ", ".join({"frame": "pfn", "s": "slot"}.get(p, p) for p in re.findall(
        r"(\w+)(?::\w+)?[,)]", SPEC.observations[name].signature.partition("(")[2]))
    refused(library, tmp_path / "specs", place, f"{name}({arguments})")


@pytest.mark.parametrize(("statement", "message"), [
    *((f"{name} = True", "unknown state variable" if "[" in name else f"{name} is a variable of the world")
      for name in TRUTH),
    ("tracks_new = 1", "cannot be set"), ("PRESENT = 0", "cannot be set"), ("p = 1", "cannot be set"),
    ("hardware(entry[p])", "where the hardware acts is not said here"),
])
def test_code_does_not_set_the_truth(library: Library, tmp_path: Path, statement: str, message: str) -> None:
    folder = tmp_path / "specs"
    shutil.copytree(data_folder("specs"), folder)
    path = folder / "transitions" / "gup.yaml"
    old = "      pte = ptep_get(entry[p])\n"
    path.write_text(path.read_text().replace(old, f"      {statement}\n{old}", 1))
    spec = load_spec(folder)
    with pytest.raises(SpecError, match=message):
        Model(spec, library.layout("x86_64+shstk"), spec.encodings["page-flag"]).check()


@pytest.mark.parametrize(("name", "old", "new"), [
    ("granted", "{write: bool", "{write: bool, granted: bool"), ("was_pinned", "{write: bool", "{write: bool, was_pinned: bool"),
    ("ksm", "{write: bool", "{write: bool, ksm: bool"), ("reach", "roles: [p", "roles: [p, reach"),
])
def test_nothing_else_has_a_variables_name(library: Library, tmp_path: Path, name: str, old: str, new: str) -> None:
    folder = tmp_path / "specs"
    shutil.copytree(data_folder("specs"), folder)
    path = folder / "transitions" / "gup.yaml"
    text = path.read_text().replace("  inputs: {write", "  roles: [p]\n  inputs: {write", 1)
    assert old in text
    path.write_text(text.replace(old, new, 1))
    spec = load_spec(folder)
    with pytest.raises(SpecError, match=f"{name} is a variable of the world"):
        Model(spec, library.layout("x86_64+shstk"), spec.encodings["page-flag"]).check()


ASKED = 'holds: "huge_pte_none(entry[p]) or'  # a requirement of hugetlb-zap


@pytest.mark.parametrize(("old", "new", "message"), [
    *((ASKED, f'holds: "huge_pte_none({of}) or', message) for of, message in (
        ("entry[p]", ""), ("huge_ptep_get(entry[p])", ""), ("huge_ptep_get_and_clear(entry[p])", "entry cannot be set here"))),
    ("      old = huge_ptep_get(entry[p])\n", "      old = entry[p]\n", ""),
    ("      old = huge_ptep_get(entry[p])\n", "      old = entry[p]\n      entry[p] |= 1\n", "what is read here is not"),
])
def test_where_memory_has_another_form_than_code_sees(library: Library, tmp_path: Path, old: str, new: str, message: str) -> None:
    folder = tmp_path / "specs"
    shutil.copytree(data_folder("specs"), folder)
    path = folder / "transitions" / "hugetlb.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    spec = load_spec(folder)
    model = Model(spec, library.layout("s390"), spec.encodings["page-flag"], "hugetlb")
    if message:
        with pytest.raises(SpecError, match=message):
            model.check()
    else:
        model.check()
