# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults of the machine and hostile input: none ends with a verdict's exit code, and what is
written is whole and readable.
"""

from __future__ import annotations

import io
import json
import os
import re
import resource
import shutil
import stat
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from test_sites import small_tree

from verifier.base.data import data_folder
from verifier.base.errors import OutputError, SolverError, UsageError
from verifier.base.exits import Exit
from verifier.base.output import clean, open_outputs, write_file
from verifier.cli import _COMMANDS, ended, main

ROOT = Path(__file__).resolve().parent.parent
STATIC = ("--arch", "x86_64", "--level", "pte", "--encoding", "page-flag", "--transition", "static",
          "--no-cache", "--jobs", "1")
FORK = "x86_64/pte/option-c/fork-pte/option-c/frame"
# Every command, with words that make it write to standard output.
EVERY = {
    "prove": STATIC, "audit": STATIC, "explain": ("x86_64/pte/page-flag/static/today/unambiguous",
                                                  "--no-cache", "--jobs", "1"),
    "certify": ("{}/certificates", *STATIC), "export": (FORK,),
    "mutate": ("--arch", "sh", "--kind", "field", "--sample", "1"),
    "call": ("x86_64", "pte_dirty(0x40)"),
    "difference": ("--old-spec-dir", str(data_folder("specs")), "--arch", "x86_64", "--level",
                   "pte", "--encoding", "page-flag", "--transition", "tlb-flush"),
    "decode": ("x86", "1"), "encode": ("x86", "PRESENT=1"), "list": ("archs",),
    "table": ("--arch", "nios2"),
    "laws": ("--helpers", "yaml", "--arch", "nios2", "--law", "*young*"), "conform": ("--help",),
    "sites": ("--help",), "blocks": ("--help",), "races": ("--help",),
    "two-words": ("--help",),
    "check-patch": ("--help",),
}


def run(*args: object) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args])


def process(
    *args: object, limits: dict[int, int] | None = None, before: str = "", **env: str,
) -> subprocess.CompletedProcess[str]:
    """The command as a process of its own; `before` is run in it first."""
    def limit() -> None:
        for what, value in (limits or {}).items():
            resource.setrlimit(what, (value, value))

    code = f"{before}\nfrom verifier.__main__ import start\nstart()"
    return subprocess.run([sys.executable, "-c", code, *map(str, args)], capture_output=True,
                          text=True, timeout=120, check=False,
                          preexec_fn=limit, env={**os.environ, **env})


def test_the_table_of_exit_codes_is_that_of_the_readme() -> None:
    rows = "\n".join(f"| {int(code)} | {code.says} |" for code in Exit)
    assert f"| code | meaning |\n|---|---|\n{rows}\n\n" in (ROOT / "README.md").read_text()


def test_make_prove_takes_no_fault_for_a_result() -> None:
    """A refutation is a result there; everything else that is not 0 is none."""
    line = next(line for line in (ROOT / "Makefile").read_text().splitlines()
                if "pteproof prove" in line)
    script = line.strip().removeprefix("@").replace("$$", "$").partition("; ")[2]
    for code in Exit:
        found = subprocess.run(["sh", "-c", f"(exit {int(code)}); {script}"],
                               check=False).returncode
        assert found == (0 if code in (Exit.HOLDS, Exit.REFUTED) else code)


# What fails, and with which exit code.

@pytest.mark.parametrize(("error", "code", "words"), [
    (ZeroDivisionError("what"), 70,
     "pteproof: internal error: ZeroDivisionError: what (verifier/cli.py:"),
    (MemoryError(), 70, "out of memory"), (RecursionError("deep"), 70, "internal error"),
    (OSError(24, "Too many open files"), 70, "too many open files"),
    (OSError(28, "No space left on device"), 74, "standard output cannot be written"),
    (BrokenPipeError(), 141, ""),
    (FileNotFoundError(2, "gone", "some/file"), 70, "internal error: FileNotFoundError"),
    (EOFError(), 70, "internal error"),
    (UsageError("x"), 2, "pteproof: x"), (OutputError("x"), 74, "pteproof: x"),
    (SolverError("x"), 4, "pteproof: x"),
    (KeyboardInterrupt(), 130, "pteproof: stopped"),
    (UnicodeEncodeError("ascii", "ä", 0, 1, "no"), 70, "internal error"),
])
def test_no_fault_has_a_verdicts_exit_code(
    error: BaseException, code: int, words: str, capsys: pytest.CaptureFixture[str],
) -> None:
    def fail() -> None:
        raise error

    assert ended(fail) == code
    found = capsys.readouterr().err
    assert words in found and len(found.splitlines()) == bool(words) and "Traceback" not in found


def test_under_bisect_no_fault_is_bad_or_good(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*args: object, **more: object) -> None:
        raise ZeroDivisionError

    assert run("conform", "--tree", "/", "--bisect").exit_code == 125
    monkeypatch.setattr("verifier.kernel.conform.session.conform", fail)
    tree = small_tree(tmp_path, "")
    assert (run("conform", "--tree", tree, "--bisect").exit_code == 128
            and run("conform", "--tree", tree).exit_code == 70)


def test_every_command_is_here_and_writes_through_one_place() -> None:
    assert set(EVERY) == set(_COMMANDS)
    for path in (ROOT / "verifier").rglob("*.py"):
        assert "click.echo" not in path.read_text(), path


class Full(io.RawIOBase):
    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        raise OSError(28, "No space left on device")


class Unread(Full):
    def write(self, data: object) -> int:
        raise BrokenPipeError(32, "Broken pipe")


@pytest.mark.parametrize("name", sorted(EVERY))
def test_output_that_cannot_be_written(name: str, tmp_path: Path,
                                       monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verifier.cli._let_go", lambda: None)
    for stream, code in ((Full(), 74), (Unread(), 141), (None, 74))[:3 if name == "decode" else 1]:
        text = (None if stream is None
                else io.TextIOWrapper(io.BufferedWriter(stream), write_through=True))
        monkeypatch.setattr(sys, "stdout", text)
        with pytest.raises(SystemExit) as ending:
            main([name, *(word.format(tmp_path) for word in EVERY[name])])
        monkeypatch.undo()
        monkeypatch.setattr("verifier.cli._let_go", lambda: None)
        assert ending.value.code == code, (name, stream)


def test_a_closed_standard_output_gets_no_file_in_its_place(tmp_path: Path) -> None:
    wanted = tmp_path / "o.json"
    for closed, code in ((1, 74), (0, 0), (2, 0)):
        found = process("prove", *STATIC, "--json", wanted, before=f"import os\nos.close({closed})"
                        if closed != 1 else
                        "import os, sys\nos.close(1)\nsys.stdout = None")
        assert found.returncode == code and wanted.exists() == (closed != 1)
        if wanted.exists():
            assert json.loads(wanted.read_text())["complete"]


HOMELESS = (
    "import os, pwd\ndel os.environ['HOME']\ndef none(u):\n raise KeyError(u)\npwd.getpwuid = none"
)


@pytest.mark.parametrize(("limits", "env", "before"), [
    ({resource.RLIMIT_NOFILE: 5}, {}, ""), ({resource.RLIMIT_AS: 48 << 20}, {}, ""),
    ({resource.RLIMIT_NPROC: 0}, {}, ""),
    ({}, {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}, ""),
    ({}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, ""),
    ({}, {"HOME": "", "XDG_CACHE_HOME": ""}, HOMELESS),
], ids=["files", "memory", "processes", "ascii", "locale", "home"])
def test_a_small_machine(limits: dict[int, int], env: dict[str, str], before: str) -> None:
    """It is proved, or it is said in a line why not; there is no traceback, and no refutation."""
    words = [word for word in STATIC if word != "--no-cache"]
    found = process("prove", *words, "-q", limits=limits, before=before, **env)
    assert "Traceback" not in found.stderr, found.stderr
    assert (found.returncode in (0, 3, 4, 70)
            and (found.returncode == 0) == (found.stdout.startswith("Ran 1: 1 proved")))
    assert found.returncode == 0 or "pteproof: " in found.stderr


def test_text_in_a_locale_without_it(tmp_path: Path) -> None:
    found = process("list", "archs", "--arch-dir", "ä\u202e", LC_ALL="C", PYTHONIOENCODING="ascii")
    assert found.returncode == 2 and "Traceback" not in found.stderr


# Files that are none.

@pytest.mark.parametrize(("make", "words"), [
    (lambda path: path.symlink_to(path.name), "Too many levels of symbolic links"),
    (os.mkfifo, "not a regular file"),
    (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
    (Path.mkdir, "Is a directory"),
    (lambda path: path.symlink_to("nowhere"), "No such file"),
    (lambda path: path.write_bytes(b"a: 1\n" * 999_999), "is larger than"),
], ids=["loop", "fifo", "device", "folder", "nowhere", "large"])
@pytest.mark.parametrize("name", ["arch/generic.yaml", "specs/transitions/fork.yaml"])
def test_a_file_that_is_none(tmp_path: Path, name: str, make: Callable[[Path], object],
                             words: str) -> None:
    for folder in ("arch", "specs"):
        shutil.copytree(data_folder(folder), tmp_path / folder)
    for path in (tmp_path / "arch").iterdir():
        if path.stem not in ("x86", "generic"):
            path.unlink()
    (tmp_path / name).unlink()
    make(tmp_path / name)
    # what is kept of earlier runs is looked for with a digest of the files
    for more in (["--no-cache"], []):
        asked = [word for word in STATIC if word != "--no-cache"] + more
        found = run("--arch-dir", tmp_path / "arch", "--spec-dir", tmp_path / "specs", "prove",
                    *asked)
        lines = found.stderr.splitlines()
        assert (found.exit_code == 2 and len(lines) == 1 and words in lines[0]
                and Path(name).name in lines[0]), found.stderr


@pytest.mark.parametrize("digits", ["9" * 4000, "0x" + "9" * 4000, "-" + "9" * 4000, "9" * 5000])
def test_a_number_of_many_digits(tmp_path: Path, digits: str) -> None:
    text = (data_folder("arch") / "nios2.yaml").read_text()
    start = text.index("bits: ") + len("bits: ")
    (tmp_path / "nios2.yaml").write_text(f"{text[:start]}{digits}{text[text.index(',', start):]}")
    found = run("--arch-dir", tmp_path, "decode", "nios2", "1")
    assert (found.exit_code == 2 and len(found.stderr) < 300
            and len(found.stderr.splitlines()) == 1), found.stderr


@pytest.mark.parametrize("text", ["{}\n", '{"a": 1}\n', "[1]\n", "[" * 100_000 + "\n", "null\n",
                                  '"x"\n', "x\n", "\xff\n", "\0\n",
                                  '{"digest": 1, "mutant": 2, "verdict": 3}\n'])
def test_a_state_that_is_none_is_left_alone(tmp_path: Path, text: str) -> None:
    state = tmp_path / "state"
    state.write_text(text, encoding="latin-1")
    found = run("mutate", *EVERY["mutate"], "--state", state)
    assert (found.exit_code == 2 and found.stderr.startswith(f"pteproof: {state}")
            and state.read_text(encoding="latin-1") == text)


# Text at the edge.

EVIL = "a\x1b[31mb\x07\u202ec\u2066\u200b\x9b\x7f"


def test_text_is_cleaned_but_for_lines_and_tabs() -> None:
    assert clean(EVIL) == "a\\x1b[31mb\\x07\\u202ec\\u2066\\u200b\\x9b\\x7f"
    assert (clean("ä\t€\n\udcff\ufeff") == "ä\t€\n\\udcff\\ufeff"
            and clean("\U000e0041\uffff") == "\\U000e0041\\uffff")


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Specs whose every claim has what is not seen, in a folder whose name has too."""
    folder = tmp_path_factory.mktemp("evil") / f"specs{EVIL}"
    shutil.copytree(data_folder("specs"), folder)
    shown = ascii(EVIL)[1:-1]
    text = (folder / "properties.yaml").read_text()
    text = re.sub(r"\n  claim: >-\n((?:    .*\n)+)",
                  lambda m: f'\n  claim: "{" ".join(m[1].split())}"\n', text)
    assert text.count("\n  claim: \"") > 50
    (folder / "properties.yaml").write_text(text.replace("\n  claim: \"", f"\n  claim: \"{shown}"))
    return folder


def raw(text: str) -> bool:
    """Is there something that is not seen?"""
    return clean(text) != text


@pytest.mark.parametrize("name", ["prove", "audit", "explain"])
def test_reports_show_what_is_not_seen(evil: Path, tmp_path: Path, name: str) -> None:
    asked = ("x86_64/pte/option-c/fork-pte/today/no-false-exclusive",) if name == "explain" else (
        "--arch", "x86_64", "--level", "pte", "--encoding", "option-c", "--code", "today",
        "--transition", "fork-pte", "--property", "no-false-exclusive")
    files = {form: tmp_path / form for form in ("json", "junit", "sarif")}
    for options in ((), [word for form, file in files.items() for word in (f"--{form}", file)]):
        found = run("--spec-dir", evil, name, *asked, "--no-cache", "--jobs", "1", *options)
        assert (found.exit_code == 1 and not raw(found.stdout)
                and not raw(found.stderr)), found.output
        assert ("\\x1b[31mb" in found.stdout) or name == "audit"
    for file in files.values():
        assert not raw(file.read_text()) and file.read_text().isascii()
    case = next(ET.parse(files["junit"]).getroot().iter("failure"))
    assert "\\x1b[31m" in case.attrib["message"]
    claims = {r["claim"] for r in json.loads(files["json"].read_text())["failures"]}
    assert any(EVIL in claim for claim in claims)  # a program gets what stands there
    result = json.loads(files["sarif"].read_text())["runs"][0]["results"][0]
    assert "%1B" in result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]


@pytest.mark.parametrize("args", [
    ("--spec-dir", "no\x1b[2J\nsuch", "list", "archs"), ("decode", "x86", "\x1b[2J\u202e"),
    ("prove", "--arch", "\x1b[2J"),
    ("list", "\x1b[2J"), ("\x1b[2J",), ("conform", "--tree", "no\x1b[2J\nsuch"),
    ("prove", "--json", "no\x1b[2J/such"),
])
def test_errors_show_what_is_not_seen(args: tuple[str, ...]) -> None:
    found = run(*args)
    assert found.exit_code == 2 and not raw(found.stderr) and "\\x1b[2J" in found.stderr
    assert "Error: " in found.stderr or len(found.stderr.splitlines()) == 1


def test_junit_of_the_kernels_side_is_xml() -> None:
    from verifier.kernel.conform.report import junit_text

    for kind in ("failure", "error", ""):
        root = ET.fromstring(junit_text("x", [(EVIL, EVIL, 0.5, kind, f"{EVIL}\nmore")]))
        assert not raw(ET.tostring(root, "unicode"))


# Files that are written.

def test_files_are_tried_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(*args: object, **more: object) -> None:
        raise AssertionError("worked in vain")

    for module in (
        "verifier.run.scheduler.prove",
        "verifier.kernel.conform.session.conform",
        "verifier.kernel.conform.laws.judge_laws",
    ):
        monkeypatch.setattr(module, work)
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("same")
    for command, more in (("prove", STATIC), ("audit", ()), ("conform", ("--tree", "/")),
                          ("laws", ("--helpers", "yaml"))):
        for options, words in (
            (("--json", tmp_path / "no" / "x"), "cannot be written: No such file or directory"),
            (("--junit", tmp_path / "folder"), "cannot be written: Is a directory"),
            (("--json", "-", "--junit", "-"),
             "--json and --junit cannot both be written to standard output"),
            (("--json", tmp_path / "same", "--junit", tmp_path / "link"),
             "--json and --junit cannot both be written to "),
            (("--json", f"{tmp_path}/{'x' * 300}"), "cannot be written: File name too long"),
        ):
            found = run(command, *more, *options)
            assert (found.exit_code == 2 and words in found.stderr
                    and len(found.stderr.splitlines()) == 1), found.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "link"]


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    names = {form: tmp_path / form for form in ("json", "junit", "sarif")}
    for path in names.values():
        path.write_text("before")
    options = [word for form, path in names.items() for word in (f"--{form}", path)]
    found = process("prove", *STATIC, *options, limits={resource.RLIMIT_FSIZE: 1000})
    assert (found.returncode == 74 and "cannot be written: File too large" in found.stderr
            and "Traceback" not in found.stderr)
    assert names["json"].read_text() == names["sarif"].read_text() == "before"
    # it is small, and one that fails keeps no other back
    assert ET.parse(names["junit"]).getroot().tag == "testsuites"
    assert len(list(tmp_path.iterdir())) == 3


def test_files_are_replaced_whole_and_links_and_devices_stay(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "file").write_text("before")
    (tmp_path / "file").chmod(0o640)
    write_file(tmp_path / "link", ["ä", "\n"])
    assert (tmp_path / "link").is_symlink() and (tmp_path / "file").read_bytes() == "ä\n".encode()
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640

    def parts() -> list[str]:
        raise OSError(5, "Input/output error")

    with pytest.raises(OutputError, match="cannot be written: Input/output error"):
        write_file(tmp_path / "file", (part for _ in range(1) for part in parts()))
    assert (tmp_path / "file").read_text() == "ä\n" and len(list(tmp_path.iterdir())) == 2
    open_outputs({"--json": "/dev/null", "--junit": "/dev/null"})
    write_file(Path("/dev/null"), ["x"])
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    with pytest.raises(OutputError, match="/dev/full: cannot be written: No space left on device"):
        write_file(Path("/dev/full"), ["x"])


def test_no_words_at_all() -> None:
    found = run()
    assert (found.exit_code == 2 and found.stdout == "" and "Usage: pteproof" in found.stderr
            and "prove" in found.stderr)


def test_a_trees_repository_runs_nothing(tmp_path: Path) -> None:
    """Neither where a tree is told from others nor in its build is git told what a tree's own
    configuration says.
    """
    from verifier.kernel.tree.toolchain import run as run_program
    from verifier.kernel.tree.tree import Tree, identify

    ran = tmp_path / "ran"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\ntouch {ran}\n")
    script.chmod(0o755)
    tree = tmp_path / "tree"
    (tree / "arch" / "x86" / "include").mkdir(parents=True)
    (tree / "Makefile").write_text("all:\n")
    for words in (("init", "-q"), ("add", "."), ("config", "core.fsmonitor", str(script))):
        subprocess.run(["git", "-C", str(tree), *words], check=True, capture_output=True)
    subprocess.run(["git", "-C", str(tree), "status"], check=False, capture_output=True)
    assert ran.exists()  # git itself does
    ran.unlink()
    assert identify(Tree(tree, "6.12"), "x86")
    assert run_program(["git", "status"], tree).returncode != 0
    assert not ran.exists()


def test_a_signal_that_ends_a_program_does_not_blame_the_tree(tmp_path: Path) -> None:
    from verifier.base.errors import ExtractionError
    from verifier.kernel.tree.toolchain import run as run_program

    makefile = tmp_path / "Makefile"
    makefile.write_text("all:\n\t@kill -9 $$$$\n")
    for words in (["sh", "-c", "kill -9 $$"], ["make", "-s", "-C", str(tmp_path)],
                  ["sh", "-c",
                   "echo 'clang: error: unable to execute command: Killed' >&2; exit 1"]):
        with pytest.raises(
            ExtractionError, match="was ended by Killed, which says nothing of the tree"
        ):
            run_program(words, tmp_path, "a build")


@pytest.mark.parametrize(("old", "new", "words"), [
    ("  third: [child]", "  third: [parent]", "fork-pte with parent as the third process"),
    ("          give_up(parent)\n", "          give_up(7)\n", "there is no process 7"),
    ("          give_up(parent)\n", "          give_up(other(other(7)))\n",
     "there is no process 7"),
    ("          give_up(parent)\n", "          for i in range(3):\n              give_up(i)\n",
     "none"),
    ("  roles: [parent, child]", "  roles: [parent, child, more]",
     "a transition has one role or two"),
])
def test_a_process_that_is_not_there(tmp_path: Path, old: str, new: str, words: str) -> None:
    folder = tmp_path / "specs"
    shutil.copytree(data_folder("specs"), folder)
    path = folder / "transitions" / "fork.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    asked = [word.replace("static", "fork-pte") for word in STATIC]
    found = run("--spec-dir", folder, "prove", *asked)
    assert (found.exit_code == 2 and len(found.stderr.splitlines()) == 1
            and words in found.stderr), found.stderr
    assert "specs/" in found.stderr.partition(": error: ")[0]


@pytest.mark.parametrize(("name", "old", "new", "words"), [
    ("specs/world.yaml", "  hardware_event(p:process, after, stores:bool): |",
     "  other_event(p:process, after, stores:bool): |",
     "no procedure hardware_event"),
    ("specs/world.yaml", "  hardware_event(p:process, after, stores:bool): |",
     "  hardware_event(p:process, after): |", ""),
    ("arch/generic.yaml", "  EMPTY: 0\n", "  EMPTY: -1\n", "does not fit"),
    ("arch/generic.yaml", "  EMPTY: 0\n", "  EMPTY_PTE: 0\n", "unknown name 'EMPTY'"),
])
def test_what_the_program_asks_for_by_name(tmp_path: Path, name: str, old: str, new: str,
                                           words: str) -> None:
    for folder in ("arch", "specs"):
        shutil.copytree(data_folder(folder), tmp_path / folder)
    text = (tmp_path / name).read_text()
    assert old in text
    (tmp_path / name).write_text(text.replace(old, new, 1))
    found = run("--arch-dir", tmp_path / "arch", "--spec-dir", tmp_path / "specs", "prove", *STATIC)
    assert (found.exit_code == 2 and len(found.stderr.splitlines()) == 1
            and words in found.stderr), found.stderr


def test_a_helper_that_is_missing_has_a_place(tmp_path: Path) -> None:
    shutil.copytree(data_folder("arch"), tmp_path / "arch")
    path = tmp_path / "arch" / "csky-v2.yaml"
    lines = path.read_text().splitlines(keepends=True)
    start = next(i for i, line in enumerate(lines) if line.startswith("  pte_young("))
    end = next(i for i in range(start + 1, len(lines)) if not lines[i].startswith("    "))
    path.write_text("".join([*lines[:start], *lines[end:]]))
    asked = ["csky-v2" if word == "x86_64" else word for word in STATIC]
    found = run("--arch-dir", tmp_path / "arch", "prove", *asked)
    assert (found.exit_code == 2 and len(found.stderr.splitlines()) == 1
            and "pte_young" in found.stderr)
    assert ".yaml:" in found.stderr.partition(": error: ")[0], found.stderr
