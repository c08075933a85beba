# SPDX-License-Identifier: GPL-2.0-or-later
"""Each thing that is made of a tree and kept: every input that is edited in turn makes it anew.

Nothing is compiled here.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kernel.test_tree import fake_tree
from verifier.base.digests import digest
from verifier.base.errors import UsageError
from verifier.kernel.replay import emulated, emulated_build, native
from verifier.kernel.tree import build_store as store
from verifier.kernel.tree import compile as compiling
from verifier.kernel.tree import configure as configuring
from verifier.kernel.tree import toolchain
from verifier.kernel.tree.build import Build
from verifier.kernel.tree.builds import load_builds
from verifier.kernel.tree.compile import Compiled, compile_build
from verifier.kernel.tree.configure import Configured, configure
from verifier.kernel.tree.lookalike import Lookalike
from verifier.kernel.tree.shapes import Shape, load_shapes
from verifier.kernel.tree.toolchain import Toolchain, stamp
from verifier.kernel.tree.tree import Tree, open_tree
from verifier.meeting import mm_functions

TOOLS = Toolchain("clang-x", "", "clang version 19.1.7")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return open_tree(fake_tree(tmp_path / "tree"))


@pytest.fixture
def build(tmp_path: Path) -> Build:
    (tmp_path / "base").write_text("CONFIG_X=y\n")
    return replace(load_builds()["x86_64"], base=str(tmp_path / "base"), sources=())


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was made, in place of making it: each leaves files as the real one does."""
    found: list[str] = []

    def configured(tree: Tree, build: object, tools: Toolchain, part: Path) -> set[Path]:
        found.append("configured")
        (part / "o").mkdir()
        (part / "command.json").write_text(
            json.dumps({"command": ["clang", "-I@TREE@/include"], "refused": [], "jail": "none"})
        )
        return {tree.path / "kernel/fork.c"}

    def compiled(configured: Configured, text: str, lines: dict[int, str], part: Path) -> set[Path]:
        found.append("compiled")
        for name in ("wrappers.ll", "wrappers.txt", "names.txt"):
            (part / name).write_text("")
        return {configured.tree.path / "virt/Makefile"}

    monkeypatch.setattr(configuring, "_configure", configured)
    monkeypatch.setattr(compiling, "_compile", compiled)
    return found


def again(
    tmp_path: Path,
    tree: Tree,
    build: Build,
    tools: Toolchain = TOOLS,
    shapes: tuple[Shape, ...] = tuple(load_shapes()[:3]),
) -> Compiled:
    cache = tmp_path / "kept"
    return compile_build(configure(tree, build, tools, cache), shapes, cache)


def both(text: str) -> list[str]:
    return text.split()


def test_a_build_rests_on_the_tree_its_recipe_and_the_programs(
    tmp_path: Path, tree: Tree, build: Build, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    again(tmp_path, tree, build)
    again(tmp_path, tree, build)
    assert made == both("configured compiled")
    clang = tmp_path / "bin/clang-x"
    clang.parent.mkdir()

    def another_clang() -> None:
        clang.write_text("#!/bin/sh")
        clang.chmod(0o755)
        monkeypatch.setenv("PATH", str(clang.parent))

    edits: dict[str, tuple[Callable[[], object], str]] = {
        "a header": (
            lambda: (tree.path / "include/linux/mm.h").write_text("new"),
            "configured compiled",
        ),
        "a file of another folder that was read": (
            lambda: (tree.path / "kernel/fork.c").write_text("new"),
            "configured compiled",
        ),
        "a file that compiling alone has read": (
            lambda: (tree.path / "virt/Makefile").write_text("new"),
            "compiled",
        ),
        "a file that nothing has read": (
            lambda: (tree.path / "kernel/other.c").write_text("new"),
            "",
        ),
        "the configuration outside of the tree": (
            lambda: (tmp_path / "base").write_text("CONFIG_Y=y"),
            "configured compiled",
        ),
        "where libraries are found": (
            lambda: monkeypatch.setenv("LD_LIBRARY_PATH", "/x"),
            "configured compiled",
        ),
        "a variable that is kept from the build": (
            lambda: monkeypatch.setenv("KCFLAGS", "-DX"),
            "",
        ),
        "the code that makes it": (
            lambda: monkeypatch.setattr(store, "program", lambda name: "other"),
            "configured compiled",
        ),
        "the program itself": (
            another_clang,
            "configured compiled",
        ),
    }
    for what, (change, expected) in edits.items():
        made.clear()
        change()
        again(tmp_path, tree, build)
        assert made == both(expected), what
        made.clear()
        again(tmp_path, tree, build)
        assert not made, what
    for changed, expected in (
        (replace(build, options=(*build.options, "NEW=y")), "configured compiled"),
        (replace(build, make="other"), "configured compiled"),
        (replace(build, lookalike=Lookalike("t", (), ())), "configured compiled"),
        (replace(build, inline=not build.inline), "compiled"),
        (replace(build, sources=("mm/memory.c",)), "compiled"),
        (replace(build, statics=("int x;",)), "compiled"),
    ):
        made.clear()
        again(tmp_path, tree, changed)
        assert made == both(expected), changed
    made.clear()
    again(tmp_path, tree, build, replace(TOOLS, version="clang version 20"))
    again(tmp_path, tree, build, shapes=tuple(load_shapes()[:2]))
    assert made == both("configured compiled compiled")


def test_an_edited_build_is_made_anew_with_all_that_is_made_of_it(
    tmp_path: Path, tree: Tree, build: Build, made: list[str]
) -> None:
    again(tmp_path, tree, build)
    for pattern, new, expected in (
        ("*/command.json", '{"command": ["cc"], "refused": [], "jail": "none"}', "configured"),
        ("*/command.json", "null", "configured"),
        ("*-ir-*/wrappers.ll", "define i1 @f() { ret i1 1 }", "compiled"),
        ("*-ir-*/names.txt", "pteproof_lie", "compiled"),
        ("*-ir-*/manifest.json", "[" * 100_000, "compiled"),
    ):
        made.clear()
        (path,) = (tmp_path / "kept").glob(pattern)
        path.write_text(new)
        assert again(tmp_path, tree, build).texts == {"wrappers": ""}
        assert made == both(expected), pattern


def configured(tmp_path: Path, tree: Tree, build: Build) -> Configured:
    return configure(tree, build, TOOLS, tmp_path / "kept")


def test_functions_of_mm_rest_on_their_text_and_files(
    tmp_path: Path, tree: Tree, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []

    def compile_file(configured: Configured, source: Path, target: Path, extra: object) -> None:
        found.append(source.read_text())
        target.write_text("")
        target.with_suffix(".d").write_text(
            f"mm.ll: {tree.path}/init/read.h \\\n {tree.path}/mm/memory.c"
        )

    monkeypatch.setattr(mm_functions, "compile_file", compile_file)
    monkeypatch.setattr(mm_functions, "parse_module", lambda text, name: SimpleNamespace(text=text))
    (tree.path / "init").mkdir()
    (tree.path / "init/read.h").write_text("x")
    claim, library = mm_functions.load_mm()[0], SimpleNamespace(
        program=SimpleNamespace(modules=(), arch="x86")
    )

    def make(one: mm_functions.MmClaim = claim, of: Build = build) -> int:
        made: Any = mm_functions._program
        made(configured(tmp_path, tree, of), library, one, tmp_path / "kept")
        return len(found)

    assert [make(), make()] == [1, 1]
    assert (
        make(replace(claim, wrapper=claim.wrapper + " ")) == 2
        and make(of=replace(build, statics=("int x;",))) == 3
    )
    for number, name in enumerate(("init/read.h", "mm/memory.c"), 4):
        (tree.path / name).write_text("new")
        assert [make(), make()] == [number, number], name
    (path,) = (p for p in (tmp_path / "kept").glob("*-mm-*/mm.c") if p.stat().st_mtime_ns == max(
        q.stat().st_mtime_ns for q in (tmp_path / "kept").glob("*-mm-*/mm.c")))
    path.write_text("edited")
    assert make() == 6


def rests_of(monkeypatch: pytest.MonkeyPatch, module: Any, call: Callable[[], object]) -> str:
    """The digest of what a call of `entry` in a module names as what it rests on."""
    told: list[object] = []

    class Enough(Exception):
        pass

    def entry(
        folder: Path, name: str, rests_on: list[object], make: object, origin: object = None
    ) -> Path:
        told.extend([name, *rests_on])
        raise Enough

    monkeypatch.setattr(module, "entry", entry)
    with pytest.raises(Enough):
        call()
    return digest(told)


def test_native_code_rests_on_what_is_compiled_and_by_whom(
    tmp_path: Path, tree: Tree, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    tools = [TOOLS]
    monkeypatch.setattr(native, "find_toolchain", lambda: tools[0])
    compiled = Compiled(
        configured(tmp_path, tree, build),
        {"wrappers": "define i64 @f() {\n  ret i64 1\n}"},
        frozenset(),
        0.0,
    )

    def rests(one: Compiled = compiled, returned: dict[str, int] = {}) -> str:  # noqa: B006
        code: Any = native.native_code
        facts = SimpleNamespace(returned=lambda: returned)
        return rests_of(monkeypatch, native, lambda: code(one, SimpleNamespace(facts=facts)))

    known = {rests()}
    assert known == {rests()}
    known |= {
        rests(replace(compiled, texts={"wrappers": ""})),
        rests(returned={"f": 3}),
        rests(replace(compiled, configured=replace(compiled.configured, rests_on=("other",)))),
    }
    tools[0] = replace(TOOLS, version="another")
    known.add(rests())
    assert len(known) == 5


def test_emulated_code_rests_on_what_is_compiled_and_by_whom(
    tmp_path: Path, tree: Tree, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = load_builds()["alpha"].emulated
    assert found is not None
    build = replace(build, emulated=found, axioms=())
    monkeypatch.setattr(emulated, "missing_packages", lambda one: ())
    monkeypatch.setattr(emulated, "known_features", lambda library, features: {})
    there = configured(tmp_path, tree, build)
    layout = SimpleNamespace(
        variant=SimpleNamespace(features={}, name="x"), helpers=lambda: ["pte_dirty"]
    )
    shape = next(s for s in load_shapes() if s.helper == "pte_dirty")

    def rests(
        one: Configured = there,
        shapes: dict[str, Shape] = {"pte_dirty": shape},  # noqa: B006
        names: tuple[str, ...] = (),
    ) -> str:
        module = SimpleNamespace(globals=dict.fromkeys(names), texts={})
        library = SimpleNamespace(
            build=one.build,
            shapes=shapes,
            program=SimpleNamespace(modules=[module]),
            main=SimpleNamespace(layout=None),
        )
        compared: Any = emulated.compare_emulated
        return rests_of(monkeypatch, emulated_build, lambda: compared(one, library, layout))

    known = {rests()}
    assert known == {rests()}
    known |= {rests(replace(there, rests_on=("other",))), rests(shapes={}), rests(names=("data",)),
              rests(replace(there, build=replace(build, emulated=replace(found, flags=("-x",))))),
              rests(replace(there, build=replace(build, out_of_scope={"f": "why"})))}
    monkeypatch.setattr(emulated_build, "stamp", lambda name: f"another {name}")
    known.add(rests())
    assert len(known) == 7


def test_a_build_has_an_environment_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "KCFLAGS",
        "KCPPFLAGS",
        "KAFLAGS",
        "HOSTCFLAGS",
        "CFLAGS",
        "CPATH",
        "C_INCLUDE_PATH",
        "MAKEFLAGS",
        "KCONFIG_ALLCONFIG",
        "LLVM",
        "CCC_OVERRIDE_OPTIONS",
        "GCC_EXEC_PREFIX",
        "COMPILER_PATH",
        "HOME",
        "PYTHONPATH",
        "LANG",
        "KBUILD_OUTPUT",
        "MAKEFILES",
    ):
        monkeypatch.setenv(name, "-DPOISON")
    text = toolchain.run(["env"], tmp_path).stdout
    assert "POISON" not in text and "PATH=" in text and "LC_ALL=C" in text


def test_a_program_is_known_by_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, link = tmp_path / "real", tmp_path / "prog"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    link.symlink_to(program)
    monkeypatch.setenv("PATH", str(tmp_path))
    first = stamp("prog")
    assert str(program) in first and first == stamp("prog") and stamp("none") == "none: none"
    program.write_text("#!/bin/sh\n#\n")
    assert stamp("prog") != first


def test_no_cache_builds_anew_and_keeps_nothing(
    tree: Tree, made: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from click.testing import CliRunner

    from verifier.commands.kernel import conform_command, laws_command
    from verifier.kernel.conform import session

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    used: list[Path | None] = []

    def build_library(tree: Path, build: Build, cache: Path | None = None) -> Any:
        used.append(cache)
        assert cache is None or cache.is_dir()
        raise UsageError("enough")

    monkeypatch.setattr(session, "build_library", build_library)
    monkeypatch.setattr("verifier.kernel.conform.laws.build_library", build_library)
    for command in (conform_command, laws_command):
        for more in ([], ["--no-cache"]):
            found = CliRunner().invoke(
                command, ["--tree", str(tree.path), "--arch", "x86_64", *more]
            )
            assert isinstance(found.exception, UsageError) and str(found.exception) == "enough"
    assert used[0] is None and used[2] is None and not (tmp_path / "xdg").exists()
    assert (
        used[1] is not None
        and used[3] is not None
        and not used[1].exists()
        and not used[3].exists()
    )
