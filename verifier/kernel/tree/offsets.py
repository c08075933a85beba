# SPDX-License-Identifier: GPL-2.0-or-later
"""Headers that kbuild generates of the compiler's output: bounds.h and asm-offsets.h.

Their numbers depend on other headers. A tree whose headers are edited, on disk or by a patch, keeps
its configuration where these numbers stay what they were. That is asked of the compiler; no script
of the tree runs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from verifier.base.errors import ExtractionError
from verifier.kernel.tree.build_store import cache_folder, entry
from verifier.kernel.tree.compiler import (
    Configured,
    compiled,
    named,
    noted,
    read_by_compiler,
)
from verifier.kernel.tree.include_graph import note_entry
from verifier.kernel.tree.toolchain import first_error

__all__ = ["changed_offsets", "offset_sources"]

GENERATED = "include/generated"
_SOURCE = re.compile(r"^source_\S+\.s := (\S+)$", re.M)
_TOLD = re.compile(r'\.ascii\s+"->(\w+) [$#]*(\S+)')  # by the compiler; include/linux/kbuild.h
_DEFINED = re.compile(r"^#define (\w+) (\S+)", re.M)


def offset_sources(note: Path, out: Path, tree: Path) -> tuple[str, str] | None:
    """The header in a build, and its source in the tree, if kbuild's note is of such a header."""
    header = f"{GENERATED}/{note.name.removeprefix('.').removesuffix('.s.cmd')}.h"
    if not note.name.endswith(".s.cmd") or not (out / header).is_file():
        return None
    found = _SOURCE.search(note.read_text(encoding="utf-8", errors="replace"))
    if found is None or not Path(found[1]).is_relative_to(tree):
        return None
    return header, str(Path(found[1]).relative_to(tree))


def changed_offsets(configured: Configured, cache: Path | None = None) -> dict[str, str]:
    """What the headers of a configured build would define now, where they define something else.

    Name -> text, empty for one that is gone. ExtractionError where a source does not compile.
    """
    folder = entry(
        cache or cache_folder(),
        f"{configured.key}-offsets",
        [configured.rests_on, configured.offsets],
        lambda part: _compile(configured, part),
        configured.origin,
    )
    note_entry(configured, "offsets", folder, cache)
    now = json.loads((folder / "offsets.json").read_text(encoding="utf-8"))
    changed: dict[str, str] = {}
    for header, _ in configured.offsets:
        text = (configured.folder / header).read_text(encoding="utf-8", errors="replace")
        changed |= _changed(dict(_DEFINED.findall(text)), now[header])
    return changed


def _changed(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """Of the guard of the header, which is defined as nothing, nothing is said."""
    return {name: now.get(name, "") for name in {**before, **now}
            if before.get(name) != now.get(name)}


def _compile(configured: Configured, part: Path) -> set[Path]:
    found = {}
    for number, (header, source) in enumerate(configured.offsets):
        target, path = part / f"{number}.s", configured.tree.path / source
        names = [f"-DKBUILD_{name}=\"x\"" for name in ("MODFILE", "BASENAME", "MODNAME")]
        command = [*configured.command, "-Wno-everything", *names, "-D__KBUILD_MODNAME=kmod_x"]
        command += [*named(configured), *noted(target), "-S", "-o", str(target)]
        done = compiled(configured, command, path, part)
        if done.returncode:
            raise ExtractionError(
                f"{source} does not compile for {configured.build.name}: {first_error(done.stderr)}"
            )
        found[header] = dict(_TOLD.findall(target.read_text(encoding="utf-8", errors="replace")))
        target.unlink()
    (part / "offsets.json").write_text(json.dumps(found), encoding="utf-8")
    return read_by_compiler(part)
