# SPDX-License-Identifier: GPL-2.0-or-later
"""Each thing that is made of a tree and kept: every input that is edited in turn makes it anew.

Nothing is compiled here.
"""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from kernel.test_tree import MAKEFILE, fake_tree
from verifier.base import digests
from verifier.base.data import data_folder
from verifier.base.digests import digest, digest_files
from verifier.base.errors import UsageError
from verifier.cli import main
from verifier.engine.answers import Sat, Undecided
from verifier.kernel.conform import laws, questions, session
from verifier.kernel.conform.results import Contradicted, Equal
from verifier.kernel.mm import compiled as mm_compiled
from verifier.kernel.mm.functions import MmFunction
from verifier.kernel.mm.read_functions import load_functions
from verifier.kernel.replay import emulated, emulated_build, native
from verifier.kernel.tree import build_store as store
from verifier.kernel.tree import compile as compiling
from verifier.kernel.tree import configure as configuring
from verifier.kernel.tree import facts, offsets, toolchain
from verifier.kernel.tree.build import Build
from verifier.kernel.tree.builds import load_builds
from verifier.kernel.tree.compile import Compiled, compile_build
from verifier.kernel.tree.compiler import Configured
from verifier.kernel.tree.configure import configure
from verifier.kernel.tree.lookalike import Lookalike
from verifier.kernel.tree.shapes import Shape, load_shapes
from verifier.kernel.tree.toolchain import Toolchain, stamp
from verifier.kernel.tree.tree import Tree, identify, open_tree
from verifier.language import read_yaml
from verifier.meeting.mm import session as mm_session
from verifier.model.arch import Layout
from verifier.model.laws import Law

BOUND = "include/linux/pgtable.h"
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
        (part / "o/include/generated").mkdir(parents=True)
        (part / "o/include/generated/bounds.h").write_text(f"#define BOUND {bound(tree)}\n")
        command: dict[str, object] = {"command": ["clang", "-I@TREE@/include"], "refused": []}
        offsets = [["include/generated/bounds.h", "kernel/bounds.c"]]
        text = json.dumps(command | {"jail": "none", "offsets": offsets})
        (part / "command.json").write_text(text)
        return {tree.path / "kernel/fork.c"}

    def asked(configured: Configured, part: Path) -> set[Path]:
        found.append("asked")
        defined = {"include/generated/bounds.h": {"BOUND": bound(configured.tree)}}
        (part / "offsets.json").write_text(json.dumps(defined))
        return {configured.tree.path / BOUND}

    def compiled(configured: Configured, text: str, lines: dict[int, str], part: Path) -> set[Path]:
        found.append("compiled")
        for name in ("wrappers.ll", "wrappers.txt", "names.txt"):
            (part / name).write_text("")
        return {configured.tree.path / name for name in ("virt/Makefile", "include/linux/mm.h")}

    monkeypatch.setattr(configuring, "_configure", configured)
    monkeypatch.setattr(compiling, "_compile", compiled)
    monkeypatch.setattr(offsets, "_compile", asked)
    return found


def bound(tree: Tree) -> str:
    """The number that the generated header has, from a header of the tree."""
    return (tree.path / BOUND).read_text().split()[0]


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
    assert made == both("configured asked compiled")
    clang = tmp_path / "bin/clang-x"
    clang.parent.mkdir()

    def another_clang() -> None:
        clang.write_text("#!/bin/sh")
        clang.chmod(0o755)
        monkeypatch.setenv("PATH", str(clang.parent))

    edits: dict[str, tuple[Callable[[], object], str]] = {
        "a header": (
            lambda: (tree.path / "include/linux/mm.h").write_text("new"),
            "compiled",
        ),
        "a header that nothing has read": (
            lambda: (tree.path / "include/linux/other.h").write_text("new"),
            "compiled",
        ),
        "the same": (
            lambda: (tree.path / "include/linux/other.h").write_text("newer"),
            "",
        ),
        "a file of mm/ that nothing has read": (
            lambda: (tree.path / "mm/memory.c").write_text("new"),
            "",
        ),
        "a header of which numbers are generated, which stay": (
            lambda: (tree.path / BOUND).write_text("x y"),
            "asked",
        ),
        "a header of which other numbers are generated": (
            lambda: (tree.path / BOUND).write_text("z y"),
            "asked configured compiled",
        ),
        "the same as before": (
            lambda: (tree.path / BOUND).write_text("x y"),
            "asked",
        ),
        "a makefile": (
            lambda: (tree.path / "Makefile").write_text(MAKEFILE + "x:\n"),
            "configured asked compiled",
        ),
        "a script": (
            lambda: (tree.path / "scripts/new.sh").write_text("new"),
            "configured asked compiled",
        ),
        "the architecture's Kconfig": (
            lambda: (tree.path / "arch/x86/Kconfig").write_text("new"),
            "configured asked compiled",
        ),
        "a table of the architecture's": (
            lambda: (tree.path / "arch/x86/syscall.tbl").write_text("new"),
            "configured asked compiled",
        ),
        "a new header of the architecture's, in whose place one may be generated": (
            lambda: (tree.path / "arch/x86/include/asm/new.h").write_text("new"),
            "configured asked compiled",
        ),
        "a file of another folder that was read": (
            lambda: (tree.path / "kernel/fork.c").write_text("new"),
            "configured asked compiled",
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
            "configured asked compiled",
        ),
        "where libraries are found": (
            lambda: monkeypatch.setenv("LD_LIBRARY_PATH", "/x"),
            "configured asked compiled",
        ),
        "a variable that is kept from the build": (
            lambda: monkeypatch.setenv("KCFLAGS", "-DX"),
            "",
        ),
        "the code that makes it": (
            lambda: monkeypatch.setattr(store, "program", lambda name: "other"),
            "configured asked compiled",
        ),
        "the program itself": (
            another_clang,
            "configured asked compiled",
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
        (replace(build, options=(*build.options, "NEW=y")), "configured asked compiled"),
        (replace(build, make="other"), "configured asked compiled"),
        (replace(build, lookalike=Lookalike("t", (), ())), "configured asked compiled"),
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
    assert made == both("configured asked compiled compiled")


def test_an_edited_build_is_made_anew_with_all_that_is_made_of_it(
    tmp_path: Path, tree: Tree, build: Build, made: list[str]
) -> None:
    again(tmp_path, tree, build)
    for pattern, new, expected in (
        (
            "*/command.json",
            '{"command": ["cc"], "refused": [], "jail": "none", "offsets": []}',
            "configured",
        ),
        ("*/offsets.json", '{"include/generated/bounds.h": {"BOUND": "9"}}', "asked"),
        ("*/o/include/generated/bounds.h", "#define BOUND 1", "configured"),
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

    def compile_file(
        configured: Configured, source: Path, target: Path, extra: object, every_error: bool
    ) -> None:
        found.append(source.read_text())
        target.write_text("")
        target.with_suffix(".d").write_text(
            f"mm.ll: {tree.path}/init/read.h \\\n {tree.path}/mm/memory.c"
        )

    def optimised(configured: Configured, part: Path) -> None:
        (part / "mm.ll").write_text("")

    monkeypatch.setattr(mm_compiled, "compile_file", compile_file)
    monkeypatch.setattr(mm_compiled, "_optimised", optimised)
    monkeypatch.setattr(mm_compiled, "parse_module", lambda text, name: SimpleNamespace(text=text))
    (tree.path / "init").mkdir()
    (tree.path / "init/read.h").write_text("x")
    function = load_functions()["copy_present_page"]

    def make(one: MmFunction = function, of: Build = build) -> int:
        mm_compiled.compile_functions(
            configured(tmp_path, tree, of), "mm/memory.c", [one], tmp_path / "kept"
        )
        return len(found)

    assert [make(), make()] == [1, 1]
    assert (
        make(replace(function, call=function.call + ";")) == 2
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


@pytest.fixture
def compared(
    tree: Tree, build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[Any]:
    """The variants that a command compares; in place of comparing, a list says what comes of it."""
    found: list[Any] = []

    def compare(library: object, layout: Layout, *more: object) -> list[Equal]:
        found.append(layout.variant.name)
        return [Equal(layout.variant.name, "x86_64", "pte_dirty", (), (), 0.0)]

    def judge(law: Law, layout: Layout, *more: object) -> laws.LawHolds:
        found.append(layout.variant.name)
        return laws.LawHolds(layout.variant.name, law, (), 0.0)

    (tmp_path / "arch").mkdir()
    for name in ("generic", "x86"):
        shutil.copy(data_folder("arch") / f"{name}.yaml", tmp_path / "arch")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    for module in (session, laws):
        monkeypatch.setattr(module, "load_builds", lambda version=None: {"x86_64": build})
    for module in (session, facts):
        monkeypatch.setattr(module, "find_toolchain", lambda: TOOLS)
    monkeypatch.setattr(session, "LiftedBuild", lambda *given: SimpleNamespace(jail="none"))
    monkeypatch.setattr(session, "conform_variant", compare)
    monkeypatch.setattr(laws, "judge_law", judge)
    monkeypatch.setattr(mm_session, "functions_for", lambda variant, names: [])
    monkeypatch.setattr(store, "USED", set())
    monkeypatch.setattr(questions, "GAVE_UP", [])
    monkeypatch.setattr(read_yaml, "OPENED", {})
    return found


def said(*words: str) -> Result:
    """What a command says, as if it were alone in a process."""
    store.USED.clear()
    found = CliRunner().invoke(main, [*words, "--arch", "x86_64"])
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found


@pytest.mark.parametrize("command", ["conform", "laws"])
def test_what_was_found_on_a_tree_is_told_again_until_something_changes(
    command: str, compared: list[str], made: list[str], tree: Tree, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    archs, clang = tmp_path / "arch", tmp_path / "bin/clang-x"
    clang.parent.mkdir()
    words = ["--arch-dir", str(archs), command, "--tree", str(tree.path)]
    first = said(*words)
    assert first.exit_code == 0 and compared and "told from" not in first.stderr
    data = digest_files(digests.PACKAGE)
    assert "kernel/archs/x86.yaml" in data and "kernel/tree/shapes.yaml" in data

    def edited(path: str) -> Callable[[], object]:
        return lambda: (tree.path / path).write_text("new")

    def another_clang() -> None:
        clang.write_text("#!/bin/sh")
        clang.chmod(0o755)
        monkeypatch.setenv("PATH", str(clang.parent))

    def data_edited() -> None:
        monkeypatch.setattr(digests, "digest_files", lambda folder: digest_files(folder) | (
            {"kernel/archs/new.yaml": "digest"} if folder == digests.PACKAGE else {}))

    edits: dict[str, Callable[[], object]] = {
        "a header": edited("include/linux/mm.h"),
        "a header of the architecture": edited("arch/x86/include/asm/pgtable.h"),
        "a new file of the architecture": edited("arch/x86/new.c"),
        "a file of another folder that was read": edited("kernel/fork.c"),
        "a file that compiling alone has read": edited("virt/Makefile"),
        "a file that was read is gone": (tree.path / "virt/Makefile").unlink,
        "the configuration outside of the tree": partial(
            (tmp_path / "base").write_text, "CONFIG_Y=y"),
        "arch/": lambda: (archs / "x86.yaml").write_text(
            (archs / "x86.yaml").read_text() + "# a comment\n"),
        "the data of the program": data_edited,
        "its code": lambda: monkeypatch.setattr(digests, "program", lambda *names: "other"),
        "the compiler": another_clang,
        **{option: partial(words.extend, option.split()) for option in (
            "-v", "--timeout 3", "--build x86_64", "--mail",
            "--no-atomicity --no-functions --helper pte_d*" if command == "conform"
            else "--law *swap-soft*")},
    }
    again = said(*words)
    assert (again.stdout, again.exit_code) == (first.stdout, 0) and "same tree" in again.stderr
    for what, change in edits.items():
        compared.clear()
        change()
        if what == "a file that was read is gone":
            missing = said(*words)
            assert missing.exit_code == 2 and "no virt/Makefile" in missing.stderr
            (tree.path / "virt/Makefile").write_text("another")
        one, asked = said(*words), len(compared)
        assert asked and "told from" not in one.stderr, what
        two = said(*words)
        assert len(compared) == asked and "told from" in two.stderr, what
        assert (two.stdout, two.exit_code) == (one.stdout, one.exit_code), what
    edited("kernel/other.c")()  # nothing has read it
    assert "told from" in said(*words).stderr


@pytest.mark.parametrize("command", ["conform", "laws"])
def test_what_need_not_be_found_again_is_not_told_again(
    command: str, compared: list[str], made: list[str], tree: Tree, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = ["--arch-dir", str(tmp_path / "arch"), command, "--tree", str(tree.path)]
    judge, compare = laws.judge_law, vars(session)["conform_variant"]

    def both(change: Callable[[], object], contradicts: bool = False) -> None:
        def compared_so(library: Any, layout: Layout, *more: Any) -> list[Any]:
            change()
            found = compare(library, layout, *more)
            wrong: list[Any] = [Contradicted(layout.variant.name, "", "", {}, "", 0.0)]
            return wrong if contradicts else found

        def judged_so(law: Law, layout: Layout, *more: Any) -> Any:
            change()
            found = judge(law, layout, *more)
            return laws.LawContradicted(layout.variant.name, law, {}, "") if contradicts else found

        monkeypatch.setattr(session, "conform_variant", compared_so)
        monkeypatch.setattr(laws, "judge_law", judged_so)

    def stops() -> None:
        raise KeyboardInterrupt

    def twice(code: int, *more: str) -> None:
        for _ in range(2):
            compared.append("before")
            found = said(*words, *more)
            assert found.exit_code == code and "told from" not in found.stderr, (code, more)

    both(lambda: None, contradicts=True)
    twice(4)
    both(stops)
    twice(130)
    twice(130, "--quiet")
    # whatever comes of it, a question that was given up may be decided another time
    both(lambda: questions.GAVE_UP.append("timeout"))
    twice(0)
    questions.GAVE_UP.clear()
    # a tree that changes while it is used is not the one that the answer is told of
    numbers = count()
    both(lambda: (tree.path / "mm/memory.c").write_text(str(next(numbers))))
    twice(0)
    both(lambda: None)
    twice(0, "--json", str(tmp_path / "x.json"))
    twice(0, "--no-cache")
    compared.clear()
    assert "told from" not in said(*words, "--quiet").stderr and compared
    compared.clear()
    again = said(*words, "--quiet")
    assert not compared and not again.output and again.exit_code == 0


def test_a_question_that_is_given_up_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "GAVE_UP", [])
    backend = questions.make_backend("bits", None)
    assert isinstance(backend.check([]), Sat) and not questions.GAVE_UP
    asked = replace(backend, solver=SimpleNamespace(check=lambda conditions: Undecided("late")))
    assert asked.possible(True) and questions.GAVE_UP == ["late"]


def test_facts_are_so_or_not(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "find_toolchain", lambda: TOOLS)
    so = facts.tree_fact(tree, "x86", identify(tree, "x86"))
    assert facts.all_hold({so, facts.programs_fact(TOOLS)})
    assert not facts.all_hold({so, facts.tree_fact(tree, "x86", "another")})
    assert not facts.all_hold({so, ("file", str(tree.path / "Makefile"), "another")})
    assert not facts.all_hold({so, ("program", "misspelt")})
    monkeypatch.setattr(facts, "find_toolchain", lambda: replace(TOOLS, version="20"))
    assert not facts.all_hold({so, facts.programs_fact(TOOLS)})


def test_no_cache_builds_anew_and_keeps_nothing(
    tree: Tree, made: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from verifier.commands.kernel import conform_command, laws_command

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    used: list[Path | None] = []

    def build_library(tree: Path, build: Build, cache: Path | None = None) -> Any:
        used.append(cache)
        assert cache is None or cache.is_dir()
        raise UsageError("enough")

    monkeypatch.setattr(session, "build_library", build_library)
    monkeypatch.setattr("verifier.kernel.conform.laws.build_library", build_library)
    for more in (["--no-cache"], []):
        for command in (conform_command, laws_command):
            found = CliRunner().invoke(
                command, ["--tree", str(tree.path), "--arch", "x86_64", *more]
            )
            assert isinstance(found.exception, UsageError) and str(found.exception) == "enough"
        assert not more or not (tmp_path / "xdg").exists()
    assert used[2] is None and used[3] is None
    assert (
        used[0] is not None
        and used[1] is not None
        and not used[0].exists()
        and not used[1].exists()
    )
