# SPDX-License-Identifier: GPL-2.0-or-later
"""Files of mm/ with their wrappers, compiled so that each function keeps its name and its type.

clang's own passes would change the parameters of static functions, and take them apart. So they are
off; opt does what is needed to read the result: what is always inline, locals into registers, and
what nobody calls is dropped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from verifier.base.errors import ExtractionError
from verifier.kernel.llvm.read_module import Module, parse_module
from verifier.kernel.mm.functions import MmFunction
from verifier.kernel.mm.wrapper import wrapper_file
from verifier.kernel.tree.build_store import cache_folder, entry
from verifier.kernel.tree.compile import compile_file
from verifier.kernel.tree.compiler import Configured, read_by_compiler, run_in
from verifier.kernel.tree.include_graph import note_entry
from verifier.kernel.tree.toolchain import first_error, stamp
from verifier.kernel.tree.tree import header_names

__all__ = ["CompiledFile", "compile_functions"]

_PASSES = ("always-inline,function(sroa,early-cse<memssa>,instcombine<no-verify-fixpoint>,"
           "simplifycfg),globaldce")
_ERROR = re.compile(r"mm\.c:(\d+):\d+: (?:fatal )?(error: .*)")


@dataclass(frozen=True, slots=True)
class CompiledFile:
    """The module of one of the kernel's files and the wrappers of its functions.

    refused  name of a function whose wrapper or stubs the compiler refuses -> what it says
    """

    module: Module
    refused: Mapping[str, str]


def compile_functions(
    configured: Configured, file: str, functions: Sequence[MmFunction], cache: Path | None = None
) -> CompiledFile:
    """Compile a file with the wrappers of its functions, or find it in the cache.

    ExtractionError where the file itself does not compile.
    """
    source = configured.tree.path / file
    text, _ = wrapper_file(str(source), functions)
    folder = entry(
        cache or cache_folder(), f"{configured.key}-mm",
        [configured.rests_on, configured.build, text, stamp(_opt(configured)), _names(configured)],
        lambda part: _compile(configured, source, functions, part), configured.origin,
    )
    note_entry(configured, file, folder, cache)
    refused = json.loads((folder / "refused.json").read_text(encoding="utf-8"))
    text = (folder / "mm.ll").read_text(encoding="utf-8")
    return CompiledFile(parse_module(text, f"mm:{file}"), refused)


def _compile(
    configured: Configured, source: Path, functions: Sequence[MmFunction], part: Path
) -> set[Path]:
    """Compile; the wrappers that the compiler refuses are left out, at the second try."""
    refused: dict[str, str] = {}
    left = list(functions)
    try:
        _compiled(configured, source, left, part)
    except ExtractionError as error:
        refused = _refused(str(source), left, str(error))
        if not refused:
            raise
        left = [f for f in left if f.name not in refused]
        _compiled(configured, source, left, part)
    _optimised(configured, part)
    (part / "refused.json").write_text(json.dumps(refused), encoding="utf-8")
    return read_by_compiler(part)


def _compiled(
    configured: Configured, source: Path, functions: Sequence[MmFunction], part: Path
) -> None:
    text, _ = wrapper_file(str(source), functions)
    (part / "mm.c").write_text(text, encoding="utf-8")
    compile_file(configured, part / "mm.c", part / "plain.ll",
                 (f"-I{source.parent}", "-Xclang", "-disable-llvm-passes"), every_error=True)


def _refused(source: str, functions: Sequence[MmFunction], errors: str) -> dict[str, str]:
    """Which functions' lines have errors. Empty where there is one in other lines, too."""
    _, where = wrapper_file(source, functions)
    found: dict[str, str] = {}
    for line, text in _ERROR.findall(errors):
        name = next((n for n, (first, last) in where.items() if first <= int(line) < last), None)
        if name is None:
            return {}
        found.setdefault(name, f"its wrapper does not compile: {text}")
    return found


def _opt(configured: Configured) -> str:
    """The opt that belongs to the build's clang."""
    return configured.command[0].replace("clang", "opt")


def _names(configured: Configured) -> str:
    """Which files there are that the file may include: a new one may hide another."""
    kernel = configured.build.kernel
    return header_names(configured.tree, ("include", f"arch/{kernel}/include", "mm", "fs/proc"))


def _optimised(configured: Configured, part: Path) -> None:
    opt = _opt(configured)
    done = run_in(configured, [opt, "-S", f"-passes={_PASSES}", str(part / "plain.ll"),
                               "-o", str(part / "mm.ll")], part)
    if done.returncode:
        raise ExtractionError(f"{opt}: {first_error(done.stderr)}")
    (part / "plain.ll").unlink()
