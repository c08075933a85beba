# SPDX-License-Identifier: GPL-2.0-or-later
"""A patched tree as the compiler reads it, and what strangers may put into a patch.

Nothing here needs a kernel: a tree of three files is compiled.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kernel.test_tree import fake_tree
from verifier.base.errors import ExtractionError, UsageError
from verifier.kernel.tree import compiler, jail, overlay
from verifier.kernel.tree.build_store import Origin, entry
from verifier.kernel.tree.builds import load_builds
from verifier.kernel.tree.compile import assemble_file, compile_file
from verifier.kernel.tree.compiler import Configured, read_by_compiler
from verifier.kernel.tree.configure import patched
from verifier.kernel.tree.jail import BUBBLEWRAP
from verifier.kernel.tree.overlay import Edited, Overlay, affected, overlay_of
from verifier.kernel.tree.toolchain import BOUNDS, run
from verifier.kernel.tree.tree import open_tree

CLANG = shutil.which("clang-19") or shutil.which("clang")
pytestmark = pytest.mark.skipif(CLANG is None, reason="needs clang")
SECRET = "a_private_key"
HEADER, SOURCE = "include/linux/a.h", "mm/a.c"
JAILED = jail.kind() == BUBBLEWRAP


@pytest.fixture(autouse=True)
def _jail(monkeypatch: pytest.MonkeyPatch) -> None:
    if not JAILED:
        monkeypatch.setenv("PTEPROOF_JAIL", "none")


@pytest.fixture
def configured(tmp_path: Path) -> Configured:
    """A tree of a header and a source, as if it were configured; a secret lies beside it."""
    root, made = fake_tree(tmp_path / "tree"), tmp_path / "o"
    (root / HEADER).write_text('#include "b.h"\nstatic inline int value(void) { return B; }\n')
    (root / "include/linux/b.h").write_text("#define B 1\n")
    (root / SOURCE).write_text(
        "#include <linux/a.h>\n#if __has_include(<linux/gone.h>)\nint there;\n#endif\n"
        "int pteproof(void) { return value(); }\n"
    )
    (tmp_path / "secret.h").write_text(f"int {SECRET} = 1;\n")
    made.mkdir()
    assert CLANG is not None
    tree = open_tree(root)
    command = (CLANG, "-nostdinc", f"-I{root}/include", "-O0")
    build = replace(load_builds()["x86_64"], sources=())
    return Configured(tree, build, made, "key", ("key",), Origin(root, lambda: True), command,
                      (), 0.0)


def compiled(configured: Configured, edited: Edited) -> tuple[str, set[str]]:
    """What becomes of the source, and the tree's files that were read, in a patched tree."""
    before = sorted((p, p.read_bytes()) for p in configured.tree.path.rglob("*") if p.is_file())
    with overlay_of(configured.tree.path, edited) as overlay:
        found = patched(configured, overlay, configured.folder.parent / "kept")
        assert found.overlay is not None
        part = overlay.made / "part"
        part.mkdir()
        try:
            compile_file(found, configured.tree.path / SOURCE, part / "a.ll")
            names = {found.overlay.name_of(str(path)) for path in read_by_compiler(part)}
            text = (part / "a.ll").read_text()
        finally:
            after = sorted(
                (p, p.read_bytes()) for p in configured.tree.path.rglob("*") if p.is_file()
            )
            assert before == after  # the tree stays as it is
    assert not overlay.folder.exists()
    return text, {name for name in names if name is not None}


def with_text(text: str) -> Edited:
    return {HEADER: f"{text}\nstatic inline int value(void) {{ return 2; }}\n".encode()}


def test_an_edited_file_is_read_in_the_place_of_the_trees(configured: Configured) -> None:
    text, read = compiled(configured, {})
    assert "ret i32 1" in text and "@there" not in text
    assert read == {HEADER, "include/linux/b.h", SOURCE}
    text, read = compiled(configured, {"include/linux/b.h": b"#define B 7\n"})
    assert "ret i32 7" in text and read == {HEADER, "include/linux/b.h", SOURCE}
    # an edited file finds its neighbours in the tree, and lines are those of the tree's paths
    text, _ = compiled(configured, {HEADER: (configured.tree.path / HEADER).read_bytes() + b"\n"})
    assert "ret i32 1" in text and '"include/linux/a.h"' in text and "pteproof-patch" not in text


def test_an_added_file_is_there_and_a_removed_one_is_not(configured: Configured) -> None:
    text, read = compiled(configured, {"include/linux/gone.h": b"\n"})
    assert "@there" in text and "include/linux/gone.h" in read
    (configured.tree.path / "include/linux/gone.h").write_text("\n")
    assert "@there" in compiled(configured, {})[0]
    assert "@there" not in compiled(configured, {"include/linux/gone.h": None})[0]
    with pytest.raises(ExtractionError, match=r"'b.h' file not found"):
        compiled(configured, {"include/linux/b.h": None})


def test_an_overlay_without_effect_is_noticed(configured: Configured) -> None:
    root = configured.tree.path
    with overlay_of(root, {HEADER: b""}) as overlay:
        assert overlay.name_of(str(overlay.files / HEADER)) == HEADER
        assert overlay.name_of(str(root / SOURCE)) == SOURCE
        assert overlay.name_of(str(overlay.made / "x.c")) is None
        with pytest.raises(ExtractionError, match=f"has read {root}/{HEADER}, and not the patched"):
            overlay.name_of(str(root / HEADER))
        for path in ("/etc/passwd", str(root.parent / "secret.h"), f"{root}/../secret.h"):
            with pytest.raises(ExtractionError, match="which is no part of the kernel"):
                overlay.name_of(path)


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../x.h", "include/../../x.h", "", ".", "a//b.h", "./a.h", "a\nb.h",
             "a\x1b[2J.h", "a\0b", "a b.h", "a/"],
)
def test_a_name_that_is_no_path_in_the_tree_is_refused(configured: Configured, name: str) -> None:
    with pytest.raises(UsageError, match="is no path of a file in a tree"), \
            overlay_of(configured.tree.path, {name: b""}):
        pass


def test_a_path_through_a_link_is_refused(configured: Configured) -> None:
    (configured.tree.path / "include/out").symlink_to("/tmp")
    with pytest.raises(UsageError, match="a folder of its path is a link"), \
            overlay_of(configured.tree.path, {"include/out/x.h": b""}):
        pass


# What a patch may try, by what the compiler says; {outside} is a folder beside the tree.
ATTACKS = {
    "a file of elsewhere, by its path": ('#include "{outside}/secret.h"', "file not found"),
    "a file of elsewhere, upwards": ('#include "../../../secret.h"', "file not found"),
    "its bytes": ('int key[] = {{\n#embed "{outside}/secret.h"\n}};', "file not found"),
    "its age": ('#pragma GCC dependency "{outside}/secret.h"\n#error seen', "file not found"),
    "a file of the system": ("#include </etc/passwd>", "file not found"),
    "a file that never ends": ('#include "/dev/zero"', "file not found"),
    "a crash": ("#pragma clang __debug crash", "did not survive the patch"),
    "a crash of the parser": ("#pragma clang __debug parser_crash", "did not survive the patch"),
    "itself for ever": ("#include <linux/a.h>\n#include <linux/a.h>", "nested too deeply"),
    "brackets": ("int x = " + "(" * 100_000 + "1;", "nesting level exceeded|did not survive"),
    "an open comment": ("/*", "unterminated"),
    "bytes that are no text": ("\0\udcff", "error"),
}


@pytest.mark.parametrize("what", ATTACKS)
def test_what_a_patch_may_try_ends_in_an_error(
    configured: Configured, tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    text, says = ATTACKS[what]
    edited = {HEADER: text.format(outside=tmp_path).encode(errors="surrogateescape")}
    with pytest.raises(ExtractionError, match=says) as error:
        compiled(configured, edited)
    assert SECRET not in str(error.value) and not list(scratch.iterdir())


def test_what_a_patch_may_ask_is_not_answered(configured: Configured, tmp_path: Path) -> None:
    for where in (tmp_path / "secret.h", Path("/etc/passwd")):
        text, _ = compiled(configured, with_text(
            f'#if __has_include("{where}")\nint seen;\n#endif\n'
            '_Pragma("clang diagnostic ignored \\"-Weverything\\"")'))
        assert "ret i32 2" in text and "@seen" not in text


def test_assembly_is_not_assembled(configured: Configured, tmp_path: Path) -> None:
    """What it would read is not read: it stays a text."""
    text, _ = compiled(configured, with_text(f'asm(".incbin \\"{tmp_path}/secret.h\\"");'))
    assert SECRET not in text and "incbin" in text


def test_edited_assembly_is_refused(configured: Configured, tmp_path: Path) -> None:
    root = configured.tree.path
    (root / "mm/x.S").write_text("#include <linux/b.h>\n.globl f\nf: nop\n")
    for name, refused in (("include/linux/b.h", True), ("mm/x.S", True), (HEADER, False)):
        with overlay_of(root, {name: f'.incbin "{tmp_path}/secret.h"\n'.encode()}) as overlay:
            part = overlay.made / "part"
            part.mkdir()
            found = patched(configured, overlay, tmp_path / "kept")
            if refused:
                with pytest.raises(ExtractionError, match=f"{name} is edited and assembled"):
                    assemble_file(found, root / "mm/x.S", part / "x.dis")
            else:
                assemble_file(found, root / "mm/x.S", part / "x.dis")
                assert "nop" in (part / "x.dis").read_text()


BOMB = "#define A0 x = x + 1;\n" + "".join(
    f"#define A{n} {' '.join([f'A{n - 1}'] * 10)}\n" for n in range(1, 10))
LARGE = "".join(f"int v{n}[] = {{ {'1, ' * 200} }};\n" for n in range(2000))
NESTED = "static inline int deep(int x) { return " + "x ? 1 : " * 60_000 + "0; }"


@pytest.mark.parametrize(("text", "bounds", "says"), [
    (BOMB + "static int bomb(int x) { A9 return x; }", {"processor": 2}, "did not survive"),
    (BOMB + "static int bomb(int x) { A9 return x; }", {"memory": 300 << 20},
     "did not survive|error"),
    (LARGE, {"output": 1 << 20}, "did not survive|File too large|error"),
    ("\n".join(f"#error {n}" for n in range(50_000)), {"output": 1 << 20}, "did not survive|error"),
    (NESTED, {"processor": 5}, "did not survive|nest|error"),
], ids=["time", "memory", "output", "words", "depth"])
def test_the_compiler_is_bounded(
    configured: Configured, text: str, bounds: dict[str, int], says: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compiler, "BOUNDS", replace(BOUNDS, **bounds))
    start = time.monotonic()
    with pytest.raises(ExtractionError, match=says) as error:
        compiled(configured, with_text(text))
    assert time.monotonic() - start < 100 and len(str(error.value)) < 1000


def test_a_file_that_waits_ends_by_the_clock(
    configured: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(configured.tree.path / "include/linux/fifo.h")
    monkeypatch.setattr(compiler, "BOUNDS", replace(BOUNDS, seconds=3))
    start = time.monotonic()
    with pytest.raises(ExtractionError, match=r"more than 3 seconds|error"):
        compiled(configured, with_text("#include <linux/fifo.h>"))
    assert time.monotonic() - start < 60


def test_a_link_of_the_tree_leads_nowhere_else(configured: Configured, tmp_path: Path) -> None:
    (configured.tree.path / "include/linux/link.h").symlink_to(tmp_path / "secret.h")
    with pytest.raises(ExtractionError, match=r"not found|no part of the kernel"):
        compiled(configured, with_text("#include <linux/link.h>"))


@pytest.mark.skipif(not JAILED, reason="needs bubblewrap")
def test_a_narrow_jail_shows_the_kernel_alone(
    configured: Configured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part, home = tmp_path / "scratch/part", tmp_path / "home"
    part.mkdir(parents=True)
    (home / "own").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    script = (
        f"cat /etc/passwd {tmp_path}/secret.h; echo x > {configured.tree.path}/x; ls {home} /root;"
        f" echo x > /usr/x; cat {configured.tree.path}/Kbuild; echo done > {part}/done;"
        " cat < /dev/tcp/127.0.0.1/22"
    )
    done = run(["bash", "-c", script], part, tree=configured.tree.path, bounds=BOUNDS)
    said = done.stdout
    assert said.splitlines()[-1] == "x" and (part / "done").read_text() == "done\n"
    assert SECRET not in said and "root:x:" not in said and "own" not in said
    assert not (configured.tree.path / "x").exists()


def test_without_a_jail_a_patch_is_refused(
    configured: Configured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("bwrap", "unshare"):
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.delenv("PTEPROOF_JAIL", raising=False)
    with pytest.raises(UsageError, match="compiled in a jail only, and bubblewrap is not"):
        compiled(configured, {})
    monkeypatch.setenv("PTEPROOF_JAIL", "none")
    monkeypatch.setattr(jail, "_ran_unjailed", set())
    assert "ret i32 1" in compiled(configured, {})[0] and jail.unjailed() is not None
    with pytest.raises(ExtractionError, match="file not found"):  # still no file of elsewhere
        compiled(configured, with_text(f'#include "{tmp_path}/secret.h"'))


def test_an_added_file_may_hide_one_that_was_read() -> None:
    read = ["include/asm-generic/x.h", "mm/a.c"]
    assert affected(["mm/a.c"], [], read) == ("mm/a.c",)
    assert affected(["arch/x86/include/asm/x.h"], ["arch/x86/include/asm/x.h"], read)
    assert not affected(["arch/x86/include/asm/x.h"], [], read)
    assert not affected(["arch/x86/include/asm/y.h"], ["arch/x86/include/asm/y.h"], read)


@pytest.fixture
def kept(configured: Configured, tmp_path: Path) -> Iterator[Callable[[Edited], list[str]]]:
    """Asks for an entry of the tree that reads two files, patched; what was made for it."""
    made: list[str] = []

    def asked(edited: Edited) -> list[str]:
        made.clear()
        root = configured.tree.path
        with overlay_of(root, edited) as overlay:
            own: Overlay | None = overlay.reading(configured.folder) if edited else None

            def make(part: Path) -> set[Path]:
                made.append("made")
                (part / "file").write_text("x")
                files = [HEADER, *(["include/linux/new.h"] if own and len(own.added) else [])]
                return {own.files / name if own and name in own.digests else root / name
                        for name in files}

            time.sleep(0.01)
            origin = Origin(root, lambda: True, (), own)
            for _ in range(2):
                entry(tmp_path / "kept", "key", [], make, origin)
        return list(made)

    yield asked


def test_an_entry_of_the_tree_stands_for_the_patched_where_it_read_nothing_edited(
    kept: Callable[[Edited], list[str]], configured: Configured
) -> None:
    assert kept({}) == ["made"] and kept({}) == []
    assert kept({SOURCE: b"x"}) == []
    assert kept({HEADER: b"x"}) == ["made"] == kept({HEADER: b"x"})  # gone with its patch
    assert kept({HEADER: None}) == ["made"]
    assert kept({}) == [] and kept({"lib/new.c": b""}) == []
    assert kept({"arch/x86/a.h": b""}) == ["made"]  # it may be found in the place of a.h
    (configured.folder / "new.h").write_text("generated")
    assert kept({"include/linux/new.h": b"", "lib/new.c": b""}) == ["made"]


def test_what_a_killed_run_leaves_the_next_one_removes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(overlay, "_YOUNG", -1)
    (tmp_path / "tree").mkdir()
    killed = ("import os, sys; from pathlib import Path\n"
              "from verifier.kernel.tree.overlay import overlay_of\n"
              "with overlay_of(Path(sys.argv[1]), {'a.h': b''}):\n    os.kill(os.getpid(), 9)\n")
    subprocess.run([sys.executable, "-c", killed, str(tmp_path / "tree")], check=False,
                   env={**os.environ, "TMPDIR": str(tmp_path)})
    (left,) = tmp_path.glob("pteproof-patch-*")
    with overlay_of(tmp_path / "tree", {}) as one, overlay_of(tmp_path / "tree", {}):
        assert not left.exists() and one.folder.exists()  # who lives is left alone



def test_nothing_of_a_patch_is_left(configured: Configured, tmp_path: Path) -> None:
    with overlay_of(configured.tree.path, {HEADER: b"", "a/b": b""}) as overlay:
        assert (overlay.files / "a/b").read_bytes() == b""
        folder = overlay.folder
    assert not folder.exists()
    with pytest.raises(UsageError, match="a/b cannot be written"), \
            overlay_of(configured.tree.path, {"a": b"", "a/b": b""}):
        pass
    said = subprocess.run(["ls", str(tmp_path / "kept")], capture_output=True, check=False).stdout
    assert b"patch" not in said
