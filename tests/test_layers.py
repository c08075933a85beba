# SPDX-License-Identifier: GPL-2.0-or-later
"""Imports run downwards, each tool is touched by one module, and no text of specs/ sees what it
must not.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from verifier.base.data import data_folder
from verifier.base.errors import SpecError
from verifier.model.check import check_model
from verifier.model.read_specs import load_spec
from verifier.model.typed import Model
from verifier.run.library import Library, load_library

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "verifier"
# From the ground up. A room is a folder; what lies in none is the roof.
ROOMS = (
    "base", "language", "engine", "model", "prove", "search", "run", "blocks", "halves",
    "kernel/tree",
    "kernel/llvm", "kernel/asm", "kernel/conform",
    "kernel/claims", "kernel/mm", "kernel/replay", "kernel/sites", "meeting", "meeting/mm",
    "patches", "races", "evidence",
    "evidence/certify", "evidence/mutate",
    "evidence/table", "report",
    "commands", "",
)
# Each tool is used in one place: no other module names it.
TOOLS = {
    "z3": {"engine/terms"}, "pysat": {"engine/sat"}, "bitwuzla": {"engine/smt_solvers"},
    "cvc5": {"engine/smt_solvers"}, "yaml": {"language/read_yaml"}, "rich": {"commands/execute"},
    "click": {"cli", "commands"},
    "tree_sitter": {"kernel/sites/scan", "kernel/sites/definitions"},
    "tree_sitter_c": {"kernel/sites/scan"},
    "llvmlite": {"kernel/replay/native"},
    "junitparser": {
        "report/junit", "report/patch_machines", "report/certified", "kernel/conform/report",
    },
}


def name_of(path: Path) -> str:
    """engine/bits for verifier/engine/bits.py."""
    return str(path.relative_to(PACKAGE).with_suffix(""))


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")


def rooms() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("__init__.py") if path.parent != PACKAGE)


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that a module imports, also inside functions and for type
    checkers.
    """
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            assert node.module is not None
            yield node.lineno, node.module
            if node.module.split(".")[0] == "verifier":
                yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def ours(path: Path) -> Iterator[tuple[int, str]]:
    """Line and name (engine/bits) of each module of the package that a module imports."""
    for line, name in imported(path):
        found = name.removeprefix("verifier.").replace(".", "/")
        if name.startswith("verifier.") and (PACKAGE / f"{found}.py").is_file():
            yield line, found


ORDER = re.findall(r"^\| `verifier/([a-z0-9_/]+)\.py` \|", (ROOT / "ARCHITECTURE.md").read_text(),
                   re.MULTILINE)


def test_architecture_md_names_each_module_once_room_by_room() -> None:
    assert sorted(ORDER) == sorted(name_of(path) for path in modules())
    assert list(dict.fromkeys(name.rpartition("/")[0] for name in ORDER)) == list(ROOMS)
    assert {str(path.parent.relative_to(PACKAGE)) for path in rooms()} <= {*ROOMS, "kernel"}


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_imports_run_downwards(path: Path) -> None:
    own = name_of(path)
    for line, name in ours(path):
        assert ORDER.index(name) < ORDER.index(own), (
            f"{own}:{line} imports {name}, which ARCHITECTURE.md has above it")
    for line, name in imported(path):
        users = TOOLS.get(name.split(".")[0])
        assert users is None or {own, own.rpartition("/")[0]} & users, (
            f"{own}:{line} imports {name}")


def test_a_room_holds_nothing_but_its_modules() -> None:
    """A module's folder is loaded with it: what stands there costs everybody."""
    for path in rooms():
        assert all(isinstance(node, ast.Expr) for node in ast.parse(path.read_text()).body), path


# What the kernel's side knows of the model: architectures, variants, versions, laws of helpers,
# and what these are called at other levels.
OF_THE_MODEL = {
    "model/arch", "model/arch_records", "model/fields", "model/laws", "model/read_arch",
    "model/read_levels", "model/read_versions",
}


def test_the_kernels_side_knows_nothing_of_the_specs() -> None:
    """What is lifted from C is compared with helpers; where the two meet is a room of its own."""
    for path in modules():
        if name_of(path).startswith("kernel/"):
            found = {name for _, name in ours(path)}
            rooms = ("base", "language", "engine", "kernel")
            assert not {n for n in found if n.split("/")[0] not in rooms} - OF_THE_MODEL, path


def test_only_the_command_line_prints_and_nothing_is_executed() -> None:
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec", "compile", "__import__"), (
                    f"{path.name}:{node.lineno}")
                assert node.func.id != "print", f"{path.name}:{node.lineno} prints"


def loaded_after(code: str) -> set[str]:
    """The packages that a fresh interpreter has loaded after some code."""
    text = f"{code}\nimport sys\nprint(' '.join(sorted(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60,
                           check=True)
    return set(found.stdout.splitlines()[-1].split())


def test_the_command_line_starts_light() -> None:
    found = loaded_after("import verifier.cli")
    assert "verifier.cli" in found and "click" in found
    assert not found & {"z3", "pysat", "rich", "yaml", "llvmlite", "junitparser",
                        "verifier.run.library", "verifier.run.plan",
                        "verifier.engine.terms"}


def test_z3_is_loaded_only_where_it_is_asked_for() -> None:
    assert "z3" not in loaded_after(
        "import verifier.run.scheduler, verifier.prove.bits_way, verifier.prove.terms_way\n"
        "import verifier.engine.bits_solver\n"
        "import verifier.report"
    )
    loading = "from verifier.run.library import load_library\nload_library()"
    assert "pysat" not in loaded_after(loading)


# Who may name what. Each text is put into a copy of the shipped specs, which then does not load.

@pytest.fixture(scope="module")
def library() -> Library:
    return load_library()


SPEC = load_library().spec
TRUTH = [f"{v.name}[p]" if v.each else v.name for v in SPEC.variables.values() if v.truth]
VISIBLE = [f"{v.name}[p]" if v.each else v.name for v in SPEC.variables.values() if not v.truth]
OBSERVED = sorted(SPEC.observations)

# where -> file, the text that stands there, and what replaces it; {} is a boolean expression about
# process p
PLACES = {
    "code": ("transitions/gup.yaml", "      pte = ptep_get(entry[p])\n",
             "      if {}:\n          return\n      pte = ptep_get(entry[p])\n"),
    "requires": ("transitions/gup.yaml",
                 'holds: "maps(p)"\n      because: >-\n        mm/gup.c:follow_page_pte',
                 'holds: "{} and maps(p)"\n      because: >-\n        mm/gup.c:follow_page_pte'),
    "view": ("world.yaml", "  maps(p:process): ", "  maps(p:process): ({}) and "),
    "reading": ("world.yaml", "    (maps(p) and not ksm", "    (({}) and maps(p) and not ksm"),
    "procedure": ("world.yaml", "    if maps(p) and stores:",
                  "    if ({}) and maps(p) and stores:"),
    "encoding": ("encodings/page-flag.yaml", "  exclusive(e): ",
                 "  bad(p:process): {}\n  exclusive(e): "),
    "action": ("world.yaml", "  reuse(p:process): |\n",
               "  reuse(p:process): |\n    assert {}, \"store-leak\"\n"),
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
    check_model(Model(spec, library.layout("x86_64+shstk"), spec.encodings["page-flag"]))


@pytest.mark.parametrize(("place", "text"), [
    ("code", "ksm"), ("code", "maybe_pinned()"), ("requires", "swapcache"),
    ("view", "pte_dirty(entry[p])"),
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
    assert re.match(rf"unknown (name|state variable|helper) '{name}'", caught.value.message), (
        caught.value.message)


@pytest.mark.parametrize("place", ["code", "requires", "view", "reading", "procedure", "encoding"])
@pytest.mark.parametrize("text", [*TRUTH, "others(p)", "any_pinned()", "alive()", "was_granted[p]",
                                  "was_ksm"])
def test_code_and_requirements_do_not_see_the_truth(
        library: Library, tmp_path: Path, place: str, text: str
) -> None:
    refused(library, tmp_path / "specs", place, text)


@pytest.mark.parametrize("place", ["action", "truth"])
@pytest.mark.parametrize("text", [
    *(v + " == 0" if v in ("pfn", "old_pfn", "slot", "entry[p]") else v for v in VISIBLE),
    "maps(p)", "refers(p)",
    "pte_dirty(entry[p])", "exclusive_now(p)", "PRESENT != 0", "maybe_pinned()", "tracks(p)",
    "was_reach[p]",
])
def test_actions_and_truths_never_see_an_entry(
        library: Library, tmp_path: Path, place: str, text: str
) -> None:
    refused(library, tmp_path / "specs", place, text)


@pytest.mark.parametrize("place", ["requires", "view", "reading", "encoding", "action", "truth"])
@pytest.mark.parametrize("name", OBSERVED)
def test_observations_are_for_code_alone(
        library: Library, tmp_path: Path, place: str, name: str
) -> None:
    arguments = ", ".join({"frame": "pfn", "s": "slot"}.get(p, p) for p in re.findall(
        r"(\w+)(?::\w+)?[,)]", SPEC.observations[name].signature.partition("(")[2]))
    refused(library, tmp_path / "specs", place, f"{name}({arguments})")


@pytest.mark.parametrize(("statement", "message"), [
    *((f"{name} = True", "unknown state variable" if "[" in name
       else f"{name} is a variable of the world")
      for name in TRUTH),
    ("tracks_new = 1", "cannot be set"), ("PRESENT = 0", "cannot be set"),
    ("p = 1", "cannot be set"),
    ("hardware(entry[p])", "where the hardware acts is not said here"),
])
def test_code_does_not_set_the_truth(
        library: Library, tmp_path: Path, statement: str, message: str
) -> None:
    folder = tmp_path / "specs"
    shutil.copytree(data_folder("specs"), folder)
    path = folder / "transitions" / "gup.yaml"
    old = "      pte = ptep_get(entry[p])\n"
    path.write_text(path.read_text().replace(old, f"      {statement}\n{old}", 1))
    spec = load_spec(folder)
    with pytest.raises(SpecError, match=message):
        check_model(Model(spec, library.layout("x86_64+shstk"), spec.encodings["page-flag"]))


@pytest.mark.parametrize(("name", "old", "new"), [
    ("granted", "{write: bool", "{write: bool, granted: bool"),
    ("was_pinned", "{write: bool", "{write: bool, was_pinned: bool"),
    ("ksm", "{write: bool", "{write: bool, ksm: bool"), ("reach", "roles: [p", "roles: [p, reach"),
])
def test_nothing_else_has_a_variables_name(
        library: Library, tmp_path: Path, name: str, old: str, new: str
) -> None:
    folder = tmp_path / "specs"
    shutil.copytree(data_folder("specs"), folder)
    path = folder / "transitions" / "gup.yaml"
    text = path.read_text().replace("  inputs: {write", "  roles: [p]\n  inputs: {write", 1)
    assert old in text
    path.write_text(text.replace(old, new, 1))
    spec = load_spec(folder)
    with pytest.raises(SpecError, match=f"{name} is a variable of the world"):
        check_model(Model(spec, library.layout("x86_64+shstk"), spec.encodings["page-flag"]))


ASKED = 'holds: "huge_pte_none(entry[p]) or'  # a requirement of hugetlb-zap


@pytest.mark.parametrize(("old", "new", "message"), [
    *((ASKED, f'holds: "huge_pte_none({of}) or', message) for of, message in (
        ("entry[p]", ""), ("huge_ptep_get(entry[p])", ""),
        ("huge_ptep_get_and_clear(entry[p])", "entry cannot be set here"))),
    ("      old = huge_ptep_get(entry[p])\n", "      old = entry[p]\n", ""),
    ("      old = huge_ptep_get(entry[p])\n", "      old = entry[p]\n      entry[p] |= 1\n",
     "what is read here is not"),
])
def test_where_memory_has_another_form_than_code_sees(
        library: Library, tmp_path: Path, old: str, new: str, message: str
) -> None:
    folder = tmp_path / "specs"
    shutil.copytree(data_folder("specs"), folder)
    path = folder / "transitions" / "hugetlb.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    spec = load_spec(folder)
    model = Model(spec, library.layout("s390"), spec.encodings["page-flag"], "hugetlb")
    if message:
        with pytest.raises(SpecError, match=message):
            check_model(model)
    else:
        check_model(model)


def test_every_class_has_a_name_of_its_own() -> None:
    """A reader who meets a public class knows which one it is."""
    found: dict[str, list[str]] = {}
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found.setdefault(node.name, []).append(f"{name_of(path)}:{node.lineno}")
    assert not {name: places for name, places in found.items() if len(places) > 1}
