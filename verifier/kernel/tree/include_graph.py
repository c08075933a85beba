# SPDX-License-Identifier: GPL-2.0-or-later
"""Which files of a tree each build reads, as the compiler has said when it was compiled last.

It is kept in the cache: so it is known in a fraction of a second, without a compiler, which builds
an edit can change. What is known of a build holds while the files that it read are what they were.
Of any other build nothing is known; it may read what lies where builds read.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from verifier.base import store
from verifier.base.digests import digest
from verifier.kernel.tree.build_store import cache_folder, digest_of, reads_of
from verifier.kernel.tree.compiler import Configured
from verifier.kernel.tree.overlay import affected
from verifier.kernel.tree.tree import Tree

__all__ = ["Readers", "note_entry", "readers"]

_RULE = "pteproof.reads/1"
# where the files lie that a build may read of which nothing is known
_READ = ("include/", "mm/", "kernel/", "lib/", "virt/", "fs/", "drivers/", "security/")
_COMPILED = (".c", ".h", ".S", ".inc")
_HELPERS = {"ir", "offsets"}  # what has to be known of a build


@dataclass(frozen=True, slots=True)
class Readers:
    """What edits can change.

    reading  build -> what is compiled in it and reads an edited file: `ir` (helpers and their
             sources), `offsets`, or a file of mm/ -> those files
    unknown  builds of which it is not known and that may read one
    """

    reading: Mapping[str, Mapping[str, tuple[str, ...]]]
    unknown: tuple[str, ...]

    def builds(self) -> tuple[str, ...]:
        """The builds that may change."""
        return (*self.reading, *self.unknown)


def note_entry(configured: Configured, what: str, done: Path, cache: Path | None = None) -> None:
    """Keep what was read to make an entry in a configured build; nothing of a patched tree.

    What kbuild generated counts too: an added header may be found in its place. A cache that cannot
    be written is no error.
    """
    if configured.overlay is not None:
        return
    path = _path(configured.tree, configured.build.name, cache)
    known = _known(path)
    made = configured.folder
    generated = sorted({name for *_, files in os.walk(made) for name in files})
    kept = {**known, what: {"reads": reads_of(done), "generated": generated}}
    if kept != known:
        store.write_sealed(path, {"rule": _RULE, "what": kept})


def readers(
    tree: Tree, builds: Mapping[str, str], edited: Collection[str], cache: Path | None = None
) -> Readers:
    """What these edits of a tree can change in these builds (name -> folder of arch/)."""
    added = frozenset(name for name in edited if not os.path.lexists(tree.path / name))
    digests: dict[str, str] = {}
    reading: dict[str, dict[str, tuple[str, ...]]] = {}
    unknown = []
    for build, kernel in builds.items():
        maybe = tuple(name for name in edited if _may_read(kernel, name))
        found: dict[str, tuple[str, ...]] = {}
        held = set()
        for what, reads, generated in _rows(_known(_path(tree, build, cache))):
            if _holds(tree, reads, digests):
                held.add(what)
                found[what] = affected(edited, added, {*reads, *generated})
            else:
                found[what] = maybe
        if not held >= _HELPERS and maybe:
            unknown.append(build)
        elif named := {what: names for what, names in found.items() if names}:
            reading[build] = named
    return Readers(reading, tuple(unknown))


def _holds(tree: Tree, reads: Mapping[str, str], digests: dict[str, str]) -> bool:
    """Are all these files what they were when they were read? Each is looked at once."""
    for name, was in reads.items():
        if name not in digests:
            digests[name] = digest_of(tree.path / name)
        if digests[name] != was:
            return False
    return True


def _may_read(kernel: str, name: str) -> bool:
    """May a build for an architecture read this file? um reads x86's, and arm64 some of arm's."""
    top, _, rest = name.partition("/")
    if top == "arch":
        own = {kernel, *{"um": ("x86",), "arm64": ("arm",)}.get(kernel, ())}
        return rest.partition("/")[0] in own
    return name.endswith(_COMPILED) and name.startswith(_READ)


def _rows(known: Mapping[str, object]) -> Iterator[tuple[str, dict[str, str], Iterable[str]]]:
    for what, row in known.items():
        match row:
            case {"reads": dict(reads), "generated": list(generated)}:
                yield what, reads, generated


def _known(path: Path) -> dict[str, object]:
    match store.read_sealed(path):
        case {"rule": str(rule), "what": dict(what)} if rule == _RULE:
            return what
    return {}


def _path(tree: Tree, build: str, cache: Path | None) -> Path:
    where = hashlib.sha256(os.fsencode(tree.path)).hexdigest()[:16]
    return (cache or cache_folder()) / "reads" / f"{where}-{digest(build)[:8]}.json"
