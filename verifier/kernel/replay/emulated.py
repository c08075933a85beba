# SPDX-License-Identifier: GPL-2.0-or-later
"""Helpers as the architecture's own compiler makes them, run by qemu-user beside arch/.

This is a second look at what is lifted, above all at look-alikes: nothing here goes through clang,
its intermediate representation or the lifter. Each helper runs on corner values and random ones,
and what it gives is compared with what arch/ says.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from verifier.base.errors import ExtractionError
from verifier.kernel.conform.helpers import LiftedBuild, known_features
from verifier.kernel.conform.model_side import Pairing, evaluate_model, pair
from verifier.kernel.llvm.values import NotModelled
from verifier.kernel.replay.emulated_build import EmulatedProgram, emulated_program
from verifier.kernel.replay.values import point_values
from verifier.kernel.tree.build import Emulated
from verifier.kernel.tree.compiler import Configured
from verifier.kernel.tree.shapes import PREFIX, Shape
from verifier.kernel.tree.toolchain import clean_environment, jailed
from verifier.language.algebra import Integers
from verifier.language.syntax import BOOL, NOTHING
from verifier.model.arch import Layout

__all__ = ["Against", "Disagreement", "compare_emulated", "missing_packages", "unpatched"]

@dataclass(frozen=True, slots=True)
class Disagreement:
    """What the machine did where arch/ says something else: words by the wrapper's parameter, and
    `result`.
    """

    helper: str
    args: Mapping[str, int]
    model: Mapping[str, int]
    machine: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Against:
    """What was compared.

    helpers        how many helpers had a point
    points         how many points were compared, of all helpers
    skipped        points outside of a premise, or at which the code trapped
    left           helpers without a point, and why
    disagreements  where arch/ and the machine differ
    """

    helpers: int
    points: int
    skipped: int
    left: tuple[tuple[str, str], ...]
    disagreements: tuple[Disagreement, ...]


def missing_packages(emulated: Emulated) -> tuple[str, ...]:
    """Debian's packages, if the compiler, its C library or the emulator are not here."""
    here = (
        shutil.which(emulated.compiler)
        and shutil.which(emulated.emulator[0])
        and all(Path(p).is_dir() for p in emulated.emulator[1:] if p.startswith("/"))
    )
    return () if here else emulated.packages


def unpatched(library: LiftedBuild, layout: Layout) -> str:
    """Why the code as it is compiled is not the variant's; empty where it is.

    The kernel patches it at boot where the CPU has what the variant says.
    """
    for name, feature in library.build.features.items():
        patched = (
            feature.name is not None
            or feature.keys is not None
            or (feature.global_ or "").startswith(PREFIX)
        )
        if patched and layout.variant.features.get(name):
            return f"its code is patched at boot for {name}"
    return ""


def compare_emulated(
    configured: Configured,
    library: LiftedBuild,
    layout: Layout,
    count: int = 100,
    seed: int = 1,
    cache: Path | None = None,
) -> Against:
    """Each helper of the variant that gcc compiles, on `count` points, against arch/.

    ExtractionError where it cannot be built or run.
    """
    if why := unpatched(library, layout):
        raise ExtractionError(f"{layout.variant.name} cannot be run: {why}")
    emulated = library.build.emulated
    if emulated is None or missing_packages(emulated):
        packages = f": apt install {' '.join(emulated.packages)}" if emulated else ""
        raise ExtractionError(f"{library.build.name} cannot be run{packages}")
    shapes = [
        s
        for h, s in library.shapes.items()
        if h in layout.helpers() and h not in library.build.boot
    ]
    features = known_features(library, layout.variant.features)
    program = emulated_program(configured, library, emulated, shapes, features, cache)
    return _compared(library, layout, shapes, program, count, seed)


def _compared(
    library: LiftedBuild,
    layout: Layout,
    shapes: Sequence[Shape],
    program: EmulatedProgram,
    count: int,
    seed: int,
) -> Against:
    """Every helper on its points: first what arch/ says, then what the machine did, all in one
    process.
    """
    asked: list[tuple[Shape, list[Pairing], dict[str, int]]] = []
    left = []
    for number, shape in enumerate(shapes):
        try:
            pairs = pair(library, shape, layout.helper(shape.helper))
        except NotModelled as error:
            left.append((shape.helper, str(error)))
            continue
        if str(number) not in program.runs:
            left.append((shape.helper, "this compiler does not take it"))
            continue
        asked += [(shape, pairs, dict(args)) for args in point_values(library, shape, count, seed)]
    numbers = {shape.helper: number for number, shape in enumerate(shapes)}
    text = "".join(
        f"{numbers[shape.helper]:x}"
        f" {' '.join(f'{args.get(p.name, 0):x}' for p in shape.parameters())}".rstrip()
        + "\n"
        for shape, _, args in asked
    )
    answers = _answers(program.command, text.splitlines())
    compared: dict[str, int] = {}
    disagreements = []
    for (shape, pairs, args), answer in zip(asked, answers, strict=True):
        if answer in ("outside", "trap"):
            continue
        compared[shape.helper] = compared.get(shape.helper, 0) + 1
        model, machine = _both(
            library, layout, shape, pairs, args, [int(w, 16) for w in answer.split()]
        )
        if model != machine:
            disagreements.append(Disagreement(shape.helper, args, model, machine))
    total = sum(compared.values())
    left += [
        (shape.helper, "no point: outside of a premise, or a trap")
        for shape in shapes
        if shape.helper not in compared and shape.helper not in dict(left)
    ]
    return Against(len(compared), total, len(asked) - total, tuple(left), tuple(disagreements))


def _answers(command: Sequence[str], lines: Sequence[str]) -> list[str]:
    """One answer for each line.

    Where the program ends early, what it was at traps, and so do the helper's other points.
    """
    found: list[str] = []
    words = jailed(command, None, [Path(command[-1]).parent])[1]
    while len(found) < len(lines):
        done = subprocess.run(
            words,
            input="\n".join(lines[len(found) :]) + "\n",
            capture_output=True,
            text=True,
            check=False,
            env=clean_environment(),
        )
        found += done.stdout.splitlines()
        helper = lines[len(found)].split()[0] if len(found) < len(lines) else ""
        while len(found) < len(lines) and lines[len(found)].split()[0] == helper:
            found.append("trap")
    if set(found) == {"trap"}:
        raise ExtractionError(f"nothing runs: {done.stderr.strip()[:300]}")
    return found


def _both(
    library: LiftedBuild,
    layout: Layout,
    shape: Shape,
    pairs: list[Pairing],
    args: Mapping[str, int],
    words: Sequence[int],
) -> tuple[dict[str, int], dict[str, int]]:
    """What arch/ gives for these arguments, and the machine's words, as far as both have them."""
    given = {p.wrapper: args[p.wrapper] if p.width else bool(args[p.wrapper]) for p in pairs}
    found = evaluate_model(Integers(), layout.helper(shape.helper), pairs, given)
    result, *after = words
    model = {name: int(value) for name, value in found.entries.items()}
    places = {p.name: n for n, p in enumerate(shape.parameters())}
    machine = {name: after[places[name]] for name in found.entries}
    if shape.returns != "void" and found.result is not None and found.width != NOTHING:
        model["result"] = int(found.result)
        machine["result"] = (
            int(bool(result)) if found.width == BOOL else result & ((1 << found.width) - 1)
        )
    return model, machine
