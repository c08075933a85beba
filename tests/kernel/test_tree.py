# SPDX-License-Identifier: GPL-2.0-or-later
"""Trees: what is none, what is half of one; identities; cache entries that are whole or not there;
missing programs.
"""

from __future__ import annotations

import errno
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from verifier.base.errors import ExtractionError, SpecError, UsageError
from verifier.kernel.conform.helpers import known_features
from verifier.kernel.conform.inputs import KernelInputs, Nothing
from verifier.kernel.tree import toolchain, tree
from verifier.kernel.tree.build import Feature
from verifier.kernel.tree.build_store import Origin, entry
from verifier.kernel.tree.builds import build_for, load_builds
from verifier.kernel.tree.shapes import load_shapes, wrapper_file
from verifier.language.algebra import Integers
from verifier.model.read_versions import NEWEST_READ

MAKEFILE = "VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 1\nEXTRAVERSION = -rc2\n"


def fake_tree(root: Path) -> Path:
    for mark in tree.MARKS:
        path = root / mark
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(MAKEFILE if mark == "Makefile" else "x\n")
    (root / "arch/x86/include/asm").mkdir(parents=True)
    (root / "arch/x86/include/asm/pgtable.h").write_text("y\n")
    return root


def test_a_tree_has_a_version(tmp_path: Path) -> None:
    assert tree.open_tree(fake_tree(tmp_path)).version == "6.12.1-rc2"


def test_what_is_no_tree_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        tree.open_tree(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="not a Linux source tree"):
        tree.open_tree(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="not a folder"):
        tree.open_tree(tmp_path / "file")


def test_half_a_tree_is_one_error(tmp_path: Path) -> None:
    root = fake_tree(tmp_path)
    (root / "mm/memory.c").unlink()
    with pytest.raises(UsageError, match=r"not a whole Linux source tree \(no mm/memory.c\)"):
        tree.open_tree(root)


def test_an_architecture_that_the_tree_has_not(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no architecture 'vax'; it has x86"):
        tree.identify(tree.open_tree(fake_tree(tmp_path)), "vax")


def test_the_identity_is_that_of_the_contents(tmp_path: Path) -> None:
    opened = tree.open_tree(fake_tree(tmp_path))
    first = tree.identify(opened, "x86")
    assert tree.identify(opened, "x86") == first
    header = tmp_path / "arch/x86/include/asm/pgtable.h"
    header.write_text("z\n")
    changed = tree.identify(opened, "x86")
    assert changed != first
    header.rename(header.with_name("other.h"))
    assert tree.identify(opened, "x86") not in (first, changed)


def test_git_hides_nothing(tmp_path: Path) -> None:
    root = fake_tree(tmp_path)
    for command in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=a", "-c", "user.email=b", "commit", "-q", "-m", "x"],
    ):
        subprocess.run(["git", "-C", str(root), *command], check=True, capture_output=True)
    opened = tree.open_tree(root)
    before = sorted((p, p.stat().st_mtime_ns) for p in root.rglob("*"))
    clean = tree.identify(opened, "x86")
    assert sorted((p, p.stat().st_mtime_ns) for p in root.rglob("*")) == before
    for command in (
        ["update-index", "--assume-unchanged", "mm/memory.c"],
        ["update-index", "--skip-worktree", "include/linux/mm.h"],
    ):
        subprocess.run(["git", "-C", str(root), *command], check=True, capture_output=True)
    (root / ".git/info/exclude").write_text("*.ignored.h\n")
    known = {clean}
    for name in ("mm/memory.c", "include/linux/mm.h", "mm/new.c", "include/linux/new.ignored.h"):
        (root / name).write_text("changed\n")
        assert tree.identify(opened, "x86") not in known, name
        known.add(tree.identify(opened, "x86"))


def test_links_are_known_by_what_they_lead_to(tmp_path: Path) -> None:
    """A tree of symbolic links, to files, to folders, and to itself."""
    real, root = fake_tree(tmp_path / "real"), tmp_path / "links"
    for path in sorted(p for p in real.rglob("*") if p.is_file()):
        link = root / path.relative_to(real)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)
    (tmp_path / "more").mkdir()
    (tmp_path / "more/inner.h").write_text("a\n")
    (root / "include/more").symlink_to(tmp_path / "more")
    (root / "include/around").symlink_to(root / "include")
    opened = tree.open_tree(root)
    known = {tree.identify(opened, "x86")}
    for path in (real / "arch/x86/include/asm/pgtable.h", tmp_path / "more/inner.h"):
        path.write_text("edited\n")
        assert tree.identify(opened, "x86") not in known, path
        known.add(tree.identify(opened, "x86"))


def test_an_entry_is_whole_or_not_there(tmp_path: Path) -> None:
    def fails(part: Path) -> None:
        (part / "half").write_text("")
        raise KeyboardInterrupt

    def makes(part: Path) -> None:
        (part / "whole").write_text("")

    with pytest.raises(KeyboardInterrupt):
        entry(tmp_path, "key", [1], fails)
    assert [p.suffix for p in tmp_path.iterdir()] == [".lock"]
    made = entry(tmp_path, "key", [1], makes)
    assert sorted(p.name for p in made.iterdir()) == ["manifest.json", "whole"]
    assert entry(tmp_path, "key", [1], fails) == made
    with pytest.raises(KeyboardInterrupt):
        entry(tmp_path, "key", [2], fails)


def spoiled(folder: Path) -> Iterator[str]:
    """Ways to spoil an entry, each done to it in turn."""
    manifest, file = folder / "manifest.json", folder / "sub/file"
    text, sealed = file.read_text(), manifest.read_text()
    for what, path, new in (
        ("a file is edited", file, "edited"),
        ("a file is cut off", file, text[:1]),
        ("there is one more", folder / "more", ""),
        ("the manifest is edited", manifest, sealed.replace("files", "filez")),
        ("the manifest is empty", manifest, ""),
        ("deep JSON", manifest, "[" * 100_000),
        ("odd JSON", manifest, '{"key": null, "files": 3}'),
        ("no text", manifest, "\udcff"),
    ):
        path.write_text(new, errors="surrogateescape")
        yield what
    file.unlink()
    yield "a file is gone"
    file.unlink()
    file.symlink_to("/etc/hostname")
    yield "a file is a link"
    shutil.rmtree(folder)
    shutil.copytree(folder.with_name("other"), folder)
    yield "another entry is put in its place"


def test_an_entry_that_was_changed_is_made_anew(tmp_path: Path) -> None:
    made = []

    def make(part: Path) -> None:
        (part / "sub").mkdir()
        (part / "sub/file").write_text("right")
        (part / "link").symlink_to("sub/file")
        made.append(part)

    folder = entry(tmp_path, "key", ["x"], make)
    shutil.copytree(entry(tmp_path, "key", ["y"], make), tmp_path / "other", symlinks=True)
    for what in spoiled(folder):
        count = len(made)
        assert entry(tmp_path, "key", ["x"], make) == folder and len(made) == count + 1, what
        assert (folder / "sub/file").read_text() == "right"
        assert entry(tmp_path, "key", ["x"], make) == folder and len(made) == count + 1, what


def test_what_was_read_of_the_tree_counts_also_beyond_its_identity(tmp_path: Path) -> None:
    root, made = fake_tree(tmp_path / "tree"), []
    read, absent = root / "kernel/fork.c", root / "lib/Kbuild"
    origin = Origin(root, lambda: True)

    def make(part: Path) -> set[Path]:
        made.append(part)
        return {read, absent, Path("/etc/hostname")}

    changes: tuple[Callable[[], object], ...] = (
        lambda: None,
        lambda: read.write_text("new\n"),
        lambda: absent.write_text("there\n"),
        read.unlink,
    )
    for count, change in enumerate(changes, 1):
        change()
        time.sleep(0.01)  # a file of this very moment counts as changed meanwhile
        for _ in range(2):
            entry(tmp_path / "kept", "key", [], make, origin)
            assert len(made) == count


def test_a_hard_link_that_is_made_meanwhile_changes_nothing(tmp_path: Path) -> None:
    root = fake_tree(tmp_path / "tree")

    def make(part: Path) -> set[Path]:
        (tmp_path / "other").hardlink_to(root / "kernel/fork.c")
        return {root / "kernel/fork.c"}

    time.sleep(0.01)
    assert entry(tmp_path / "kept", "key", [], make, Origin(root, lambda: True)).is_dir()


@pytest.mark.parametrize("edited", ["include/linux/mm.h", "kernel/fork.c"])
def test_a_tree_that_is_edited_while_it_is_compiled_leaves_nothing(
    tmp_path: Path, edited: str
) -> None:
    opened = tree.open_tree(fake_tree(tmp_path / "tree"))
    before = tree.identify(opened, "x86")
    origin = Origin(opened.path, lambda: tree.identify(opened, "x86") == before)

    def make(part: Path) -> set[Path]:
        text = (opened.path / edited).read_text()
        (opened.path / edited).write_text("edited meanwhile\n")
        (opened.path / edited).write_text(
            text if edited.startswith("kernel") else "edited meanwhile\n"
        )
        return {opened.path / "kernel/fork.c"}

    with pytest.raises(
        ExtractionError,
        match="has changed while key was made from it; nothing is kept: run it again",
    ):
        entry(tmp_path / "kept", "key", [], make, origin)
    assert [p.suffix for p in (tmp_path / "kept").iterdir()] == [".lock"]


def test_a_full_disk_is_one_error(tmp_path: Path) -> None:
    def full(part: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(ExtractionError, match="no space is left in the cache folder"):
        entry(tmp_path, "key", [], full)
    assert not list(tmp_path.glob("key.part*"))


def test_missing_programs_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ExtractionError, match="apt install make flex bison bc perl clang-19"):
        toolchain.find_toolchain()


def test_the_line_that_says_what_went_wrong() -> None:
    text = "  CC x\nx.h:3:1: error: unknown type name 'foo'\nmake: *** [x] Error 1\n"
    assert toolchain.first_error(text) == "x.h:3:1: error: unknown type name 'foo'"


def test_builds_and_shapes_are_well_formed() -> None:
    builds = load_builds()
    found = build_for(builds, "x86_64+shstk")
    assert found is not None and "CONFIG_X86_USER_SHADOW_STACK=y" in found.lines
    found = build_for(builds, "x86_64")
    assert found is not None and "# CONFIG_X86_USER_SHADOW_STACK is not set" in found.lines
    assert build_for(builds, "vax") is None
    shapes = load_shapes()
    text, lines = wrapper_file(shapes, {"X86_FEATURE_SHSTK": "X86_FEATURE_SHSTK"})
    rows = text.splitlines()
    assert all(name in rows[number - 1] for number, name in lines.items())
    assert len({s.wrapper for s in shapes}) == len(shapes)


def test_where_a_premise_fails_its_wrapper_goes_out_of_scope() -> None:
    build = build_for(load_builds(), "s390")
    assert build is not None
    (premise,) = [p for p in build.premises if p.name == "clean"]
    text, lines = wrapper_file(load_shapes(), {}, build.premises_of)
    rows = {name: text.splitlines()[n - 1] for n, name in lines.items()}
    assert f"if (!({premise.holds})) pteproof_outside_clean();" in rows["pteproof_mk_pte__0"]
    assert "outside" not in rows["pteproof_pfn_pte__0"]


def test_a_feature_within_a_structure_is_one_bit_of_it() -> None:
    build = build_for(load_builds(), "s390")
    assert build is not None
    assert (
        build.features["cpu_nx"].expression
        == "8 * __builtin_offsetof(struct lowcore, machine_flags) +"
        " __builtin_ctzll(MACHINE_FLAG_NX)"
    )
    assert Feature("x", "NUMBER", None, None).expression == "NUMBER"


def test_masks_have_all_bits_but_those_of_a_feature_that_is_not_there() -> None:
    build = build_for(load_builds(version=NEWEST_READ), "s390")
    assert build is not None
    masks = build.features["cpu_nx"]
    assert masks.constants["_PAGE_NOEXEC"] == "__builtin_ctzll(_PAGE_NOEXEC)"
    library = SimpleNamespace(build=build, constant={"constant__PAGE_NOEXEC": 8}.get)
    for has, mask in ((True, (1 << 64) - 1), (False, (1 << 64) - 0x101)):
        known = known_features(library, {"cpu_nx": has})  # type: ignore[arg-type]
        inputs = KernelInputs(Integers(), Nothing(), build, known)
        assert inputs.word("@page_noexec_mask[0]", 64) == mask
        assert list(inputs.notes) == [f"page_noexec_mask[0] is {mask:#x}, as the variant says"]


def test_masks_stand_alone(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(
        "builds:\n  x:\n    kernel: x\n    make: x\n    base: defconfig\n    features:\n      f:"
        " {global: g, masks: {m: N}}\n"
    )
    with pytest.raises(SpecError, match="in nothing else"):
        load_builds(tmp_path)


@pytest.mark.parametrize("text", ["{global: g, within: s.m}", "{name: n, number: N, within: s.m}"])
def test_only_a_bitmap_is_within_something(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.yaml").write_text(
        "builds:\n  x:\n    kernel: x\n    make: x\n    base: defconfig\n    features:\n      f:"
        f" {text}\n"
    )
    with pytest.raises(SpecError, match="only a bitmap is within something"):
        load_builds(tmp_path)


@pytest.mark.parametrize(
    ("says", "fine"),
    [
        ("clang version 11.0.1-2", False),
        ("clang version 99.0.0", False),
        ("gcc 12", False),
        ("clang version 19.1.7", True),
    ],
)
def test_a_clang_of_another_age_is_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, fine: bool
) -> None:
    for name in (
        "clang-x",
        "make",
        "flex",
        "bison",
        "bc",
        "ld.lld",
        "llvm-ar",
        "xz",
        *toolchain._NEEDED,
    ):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho '{says}'\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PTEPROOF_CLANG", "clang-x")
    if fine:
        assert toolchain.find_toolchain().version == says
        return
    with pytest.raises(ExtractionError, match=r"clang-x is not clang .* apt install clang-19"):
        toolchain.find_toolchain()
