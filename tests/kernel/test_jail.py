# SPDX-License-Identifier: GPL-2.0-or-later
"""What a hostile makefile of a kernel tree gets, in each kind of jail.

Where there is no jail, that it is said.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from verifier import cli
from verifier.base.errors import ExtractionError, UsageError
from verifier.kernel.conform.report import as_json, as_text
from verifier.kernel.conform.session import Conformance
from verifier.kernel.replay import native
from verifier.kernel.tree import jail
from verifier.kernel.tree.jail import BUBBLEWRAP, NETWORK, NONE
from verifier.kernel.tree.toolchain import run
from verifier.kernel.tree.tree import MARKS, linked_trees

HERE = jail.kind()  # the best that this computer has
KINDS = list(
    dict.fromkeys([HERE, *(k for k in (NETWORK, NONE) if jail._works(k, os.environ["PATH"]))])
)
SECRET = "a private key"


@pytest.fixture(autouse=True)
def _anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("PTEPROOF_JAIL", raising=False)
    monkeypatch.setattr(jail, "_ran_unjailed", set())
    jail._works.cache_clear()
    yield
    jail._works.cache_clear()


def use(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this be the best kind of jail there is."""
    worse = list(jail._FLAGS)[list(jail._FLAGS).index(kind):]
    monkeypatch.setattr(jail, "_FLAGS", {one: jail._FLAGS[one] for one in worse})


class Place:
    """A home with a secret and a tree in it, a folder for the build beside it, and a port that
    listens.
    """

    def __init__(self, root: Path, port: int) -> None:
        self.home, self.tree, self.out, self.port = (
            root / "home",
            root / "home/src/linux",
            root / "home/.cache/part",
            port,
        )
        for folder in (self.home / ".ssh", self.tree, self.out):
            folder.mkdir(parents=True)
        (self.home / ".ssh/id").write_text(SECRET)

    def make(self, *lines: str) -> subprocess.CompletedProcess[str]:
        """Run a makefile of the tree as a build is run."""
        (self.tree / "Makefile").write_text(
            "\n".join([*lines, "all:", "\t@echo built > $(O)/file"]) + "\n"
        )
        return run(["make", "-s", "-C", str(self.tree), f"O={self.out}"], self.out, tree=self.tree)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = Place(tmp_path, server.getsockname()[1])
        monkeypatch.setenv("HOME", str(found.home))
        yield found


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_makefile_may_do(kind: str, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each attack ends as it should in the jail, and works without one: so the attacks are real."""
    use(kind, monkeypatch)
    script = place.tree / "connect.py"
    script.write_text(
        f"import socket; socket.create_connection(('127.0.0.1', {place.port}), 5);"
        " print('connected')\n"
    )
    out, outside = place.out, Path(
        "/var/lib/pteproof-test"
        if os.access("/var/lib", os.W_OK)
        else place.tree.parent / "outside"
    )
    try:
        done = place.make(
            f"A := $(shell echo x > {place.home}/.profile; cp {place.home}/.ssh/id {out}/secret;"
            f" cat {place.home}/.ssh/id > {out}/read)",
            f"B := $(shell echo x > {outside}; echo x > {place.tree}/changed; echo x >"
            f" {place.out.parent}/other)",
            f"C := $(shell {sys.executable} {script} > {out}/network; kill -0 {os.getpid()} && echo"
            f" alive > {out}/alive)",
            (
                f"D := $(shell mount -o remount,rw,bind / && echo x > {outside})"
                if kind == BUBBLEWRAP
                else ""
            ),
        )
        wrote = [
            path
            for path in (
                place.home / ".profile",
                outside,
                place.tree / "changed",
                place.out.parent / "other",
            )
            if path.exists()
        ]
        read = SECRET in (out / "read").read_text()
        connected = "connected" in (out / "network").read_text()
    finally:
        outside.unlink(missing_ok=True)
    assert done.returncode == 0 and (out / "file").read_text() == "built\n"
    jailed = kind == BUBBLEWRAP
    assert (len(wrote), read, (out / "alive").exists()) == (
        (0, False, False) if jailed else (4, True, True)
    )
    assert connected == (kind == NONE)
    told = jail.unjailed()
    if jailed:
        assert told is None
    else:
        assert told is not None and "the tree's build files ran as you, without a" in told
        assert ("network" in told) == (kind == NETWORK)


def test_without_a_jail_the_user_is_told(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PTEPROOF_JAIL", "none")
    place.make()
    with pytest.raises(SystemExit):
        cli.main(["list", "variants"])
    assert (
        capsys.readouterr().err
        == "pteproof: the tree's build files ran as you, without a jail; on Debian: apt install"
        " bubblewrap\n"
    )


def test_conform_says_which_jail() -> None:
    report = Conformance("tree", "6.12", (), (), (), (), (), (("x86_64", NETWORK),))
    assert "build x86_64: was made in this jail: no network" in as_text(report, {})
    assert as_json(report)["jails"] == {"x86_64": "no network"}


def test_a_jail_that_does_not_work_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container that lets nobody make namespaces."""
    for name in ("bwrap", "unshare"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert jail.kind() == NONE
    monkeypatch.setenv("PTEPROOF_JAIL", "require")
    with pytest.raises(
        ExtractionError,
        match="PTEPROOF_JAIL=require, but bubblewrap is not installed or does not work",
    ):
        run(["true"], tmp_path)
    monkeypatch.setenv("PTEPROOF_JAIL", "perhaps")
    with pytest.raises(
        UsageError, match="PTEPROOF_JAIL is 'perhaps'; it may be auto, require, none"
    ):
        run(["true"], tmp_path)


def test_nothing_is_read_through_what_a_build_made(place: Place) -> None:
    """We append to the build's .config, outside of the jail: not through a link into somebody's
    home.
    """
    for made, words in (
        (f"ln -s {place.home}/.ssh/id", "a link that leads out of the build"),
        ("ln -s ../../src/linux/Makefile", "a link"),
        ("mkfifo", "no file"),
    ):
        (place.out / ".config").unlink(missing_ok=True)
        if HERE == BUBBLEWRAP:
            with pytest.raises(ExtractionError, match=words):
                place.make(f"A := $(shell {made} {place.out}/.config)")
        else:  # the same check, called by itself
            place.make(f"A := $(shell {made} {place.out}/.config)")
            with pytest.raises(ExtractionError, match=words):
                jail.check_written(place.out, place.tree)
    (place.out / ".config").unlink()
    place.make(f"A := $(shell ln -s {place.tree} {place.out}/source; ln -s file {place.out}/link)")
    jail.check_written(place.out, place.tree)


@pytest.mark.parametrize("kind", KINDS)
def test_who_stops_us_stops_all(kind: str, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupt and a time limit end what a makefile has started, in each kind of jail."""
    use(kind, monkeypatch)
    monkeypatch.setattr("verifier.kernel.tree.toolchain.TIMEOUT", 1)
    with pytest.raises(ExtractionError, match="took more than 1 seconds"):
        place.make(f"A := $(shell while :; do echo x >> {place.out}/beats; sleep 0.05; done)")
    time.sleep(0.3)
    beats = (place.out / "beats").stat().st_size
    assert beats > 0
    time.sleep(0.3)
    assert (place.out / "beats").stat().st_size == beats


def test_a_tree_of_links_is_seen_and_other_links_lead_nowhere(place: Place) -> None:
    real, links = place.home / "real", place.tree
    for mark in MARKS:
        for root in (real, links):
            (root / mark).parent.mkdir(parents=True, exist_ok=True)
        (real / mark).write_text(f"{mark}\n")
        if mark != "Makefile":
            (links / mark).symlink_to(real / mark)
    (links / "key").symlink_to(place.home / ".ssh/id")
    assert linked_trees(links) == [real] and linked_trees(real) == []
    place.make(f"A := $(shell cat {links}/mm/memory.c {links}/key > {place.out}/read)")
    assert (place.out / "read").read_text() == "mm/memory.c\n" + (
        "" if HERE == BUBBLEWRAP else SECRET
    )


def test_compiled_code_of_the_tree_runs_in_the_jail(place: Place) -> None:
    """The runner of machine code, of which the tree's code is a part."""
    runner = place.out / "runner"
    runner.write_text(
        f"#!/bin/sh\nread line\ncat {place.home}/.ssh/id 2>/dev/null || echo nothing\n"
    )
    runner.chmod(0o755)
    (place.out / "emulator").write_text("")
    library = SimpleNamespace(build=SimpleNamespace(axioms=()), program=SimpleNamespace(modules=()))
    with native.Native(place.out, library, {}) as process:  # type: ignore[arg-type]
        assert process._ask("x") == ("nothing" if HERE == BUBBLEWRAP else SECRET)


def test_homes_and_places_of_services_are_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also a home that lies elsewhere, and others' things in /tmp: but what the jail itself puts
    there.
    """
    monkeypatch.setenv("HOME", "/var/lib")
    seen = run(["ls", "/var/lib"], tmp_path).stdout
    with tempfile.NamedTemporaryFile(dir="/tmp", prefix="others-") as others:
        listed = run(["ls", "/tmp"], tmp_path).stdout
    own = {
        place.split("/")[2]
        for path in (tmp_path, Path(sys.prefix), Path(sys.base_prefix), Path(jail.__file__))
        for place in jail._places(path)
        if place.startswith("/tmp/")
    }
    sockets = [
        path for path in run(["find", "/run", "-type", "s"], tmp_path).stdout.split() if path
    ]
    if HERE == BUBBLEWRAP:
        assert seen == "" and set(listed.split()) <= own and not sockets
    else:
        assert seen and Path(others.name).name in listed.split()
