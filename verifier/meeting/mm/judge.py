# SPDX-License-Identifier: GPL-2.0-or-later
"""Does a step of specs/ say what a function of the kernel's mm/ does?

It does where entries, flags and result are equal on both sides for all values that are given, where
no way of the function is lost, and where what the step is there for is within what is given.
"""

from __future__ import annotations

import fnmatch
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from verifier.base.errors import ExtractionError
from verifier.engine.answers import Unsat
from verifier.kernel.conform.decide import (
    ClaimFails,
    ClaimHolds,
    ClaimQuestion,
    ClaimUnknown,
    Setting,
    Verdict,
    decide,
    why,
    word,
)
from verifier.kernel.conform.helpers import LiftedBuild
from verifier.kernel.conform.questions import Backend, make_backend
from verifier.kernel.llvm.read_module import Module
from verifier.kernel.llvm.values import NotModelled
from verifier.kernel.mm.compiled import CompiledFile, compile_functions
from verifier.kernel.mm.functions import Calls, MmFunction
from verifier.kernel.mm.lifted import LiftedFunction, lift_function
from verifier.kernel.mm.read_functions import load_calls, load_functions
from verifier.kernel.tree.compiler import Configured
from verifier.language.algebra import Algebra
from verifier.meeting.mm.flush_sides import flushes_of
from verifier.meeting.mm.spec_side import SpecSide, process_names, spec_side
from verifier.model.read_versions import WHOLE
from verifier.model.typed import Model
from verifier.prove.obligations import Group
from verifier.run.library import Library

__all__ = ["MmBuild", "MmComparison", "MmResult", "Sides", "both_sides", "entry_left",
           "functions_for", "judge_build"]

WORDS = {"proved": "equal", "refuted": "differs"}


@dataclass(frozen=True, slots=True)
class Sides:
    """One thing that is compared: what the kernel's function leaves, and what the step says."""

    kernel: Any
    spec: Any
    is_truth: bool


@dataclass(frozen=True, slots=True)
class MmComparison:
    """What is compared, by name, and what a comparison rests on.

    given    what is taken for given, by name
    effects  what the step is there for, by name
    notes    what the lifting rests on
    unused   stubs of the record that the function does not call
    without  functions that the record covers, and that are not lifted with it
    """

    sides: dict[str, Sides]
    given: dict[str, Any]
    effects: dict[str, Any]
    notes: tuple[str, ...]
    unused: tuple[str, ...]
    without: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MmResult:
    """What was found of one function, held against a step under an encoding and a code."""

    variant: str
    function: MmFunction
    group: Group
    found: Verdict[MmComparison]
    notes: tuple[str, ...]
    seconds: float

    @property
    def against(self) -> str:
        """The encoding and the code: page-flag/today."""
        return f"{self.group.encoding}/{self.group.code}"

    @property
    def verdict(self) -> str:
        """equal, differs, incomplete or contradiction."""
        return WORDS.get(word(self.found), word(self.found))

    @property
    def reason(self) -> str:
        """Why it is not equal."""
        return why(self.found)


def functions_for(
    variant: str, names: Sequence[str] = ("*",), version: str = WHOLE
) -> list[MmFunction]:
    """The functions that are compared on a variant and whose record's name matches a glob, as they
    are in a version of the kernel.
    """
    return [f for f in load_functions(version=version).values()
            if variant in f.variants and any(fnmatch.fnmatchcase(f.name, n) for n in names)]


def judge_build(
    mm: MmBuild, functions: Sequence[MmFunction], against: Sequence[tuple[str, str]], *,
    backend: str = "bits", timeout: float | None = 60,
) -> list[MmResult]:
    """Each function against each (encoding, code). What cannot be compiled or lifted is incomplete,
    with the reason.
    """
    _, calls = load_calls(version=mm.configured.tree.version)
    return [
        _judged(function, mm, calls, Group(mm.variant, function.level, encoding, code),
                make_backend(backend, timeout))
        for file in dict.fromkeys(f.file for f in functions)
        for function in functions if function.file == file
        for encoding, code in against
    ]


@dataclass(frozen=True, slots=True)
class MmBuild:
    """A configured tree, for the functions of its mm/ on one variant.

    built  the kernel's helpers, lifted
    kept   files of mm/ with the wrappers of all their functions, each compiled once
    """

    variant: str
    configured: Configured
    built: LiftedBuild
    library: Library
    cache: Path | None
    progress: Callable[[str], None]
    kept: dict[str, CompiledFile] = field(default_factory=dict)

    def of(self, function: MmFunction) -> list[Module]:
        """The modules that a function is lifted from. NotModelled and ExtractionError say why there
        are none.
        """
        found = []
        for file in (function.file, *function.beside):
            if file not in self.kept:
                self.progress(f"lifting {file}")
                known = load_functions(version=self.configured.tree.version)
                every = [f for f in known.values() if f.file == file]
                self.kept[file] = compile_functions(self.configured, file, every, self.cache)
            found.append(self.kept[file].module)
        refused = self.kept[function.file].refused
        if function.name in refused:
            raise NotModelled(refused[function.name])
        return found


def _judged(
    function: MmFunction, mm: MmBuild, calls: Calls, group: Group, backend: Backend,
) -> MmResult:
    start = time.perf_counter()
    verdict: Verdict[MmComparison]
    try:
        modules = mm.of(function)
    except (NotModelled, ExtractionError) as error:
        verdict = ClaimUnknown(str(error).splitlines()[0])
    else:
        ask = partial(_question, function, modules, mm, calls, group)
        verdict = decide(backend, ask, [f"entry.{letter}" for letter in "AB"])
    notes: tuple[str, ...] = ()
    if isinstance(verdict, ClaimHolds):
        notes = verdict.shown.notes
        verdict = _not_beside_the_point(function, verdict, backend)
    return MmResult(group.variant, function, group, verdict, notes, time.perf_counter() - start)


def _question(
    function: MmFunction, modules: Sequence[Module], mm: MmBuild, calls: Calls, group: Group,
    setting: Setting,
) -> ClaimQuestion[MmComparison]:
    """That both sides are equal, over an algebra."""
    alg = setting.alg
    model = mm.library.model(group.variant, group.encoding, group.level)
    spec, lifted = both_sides(function, modules, mm, calls, group, setting)
    sides = _entries(lifted, spec, model, alg)
    sides |= {name: Sides(lifted.flags[name], said, True) for name, said in spec.flags.items()}
    if function.result is not None:
        sides["result"] = Sides(lifted.result, spec.result, True)
    else:
        sides |= {name: Sides(alg.all(said, done), said, True)
                  for name, done, said in flushes_of(function, lifted, spec.step, alg)}
    width = model.layout.width
    same = [alg.same(s.kernel, s.spec) if s.is_truth else alg.eq(s.kernel, s.spec, width)
            for s in sides.values()]
    given = {**spec.given, **{f"not {n}: {u.reason}": alg.neg(u.condition)
                              for n, u in enumerate(lifted.outside)}}
    return ClaimQuestion(
        tuple(given.values()), lifted.undefined, alg.neg(alg.all(*same)),
        MmComparison(sides, given, dict(spec.effects), _notes(lifted, alg),
                     lifted.unused,
                     tuple(name for name in function.covers if name not in lifted.walked)),
    )


def both_sides(
    function: MmFunction, modules: Sequence[Module], mm: MmBuild, calls: Calls, group: Group,
    setting: Setting,
) -> tuple[SpecSide, LiftedFunction]:
    """What specs/ says of a function, and what it comes to, of the same inputs."""
    model = mm.library.model(group.variant, group.encoding, group.level)
    transition = model.spec.transitions[function.transition]
    return spec_side(function, model, group, setting), lift_function(
        function, modules, mm.built, calls, model.layout.variant.features,
        process_names(transition), _empty(model), setting.alg, setting.free)


def _notes(lifted: LiftedFunction, alg: Algebra[Any, Any]) -> tuple[str, ...]:
    """What a comparison rests on, and where nothing is compared."""
    where = dict.fromkeys(f"not for: {u.reason}" for u in lifted.outside
                          if alg.known(u.condition) is not False)
    return (*lifted.notes, *where)


def _empty(model: Model) -> int:
    """What an entry is where there is none."""
    return model.layout.variant.constants[model.level.translated("EMPTY")]


def _entries(
    lifted: LiftedFunction, spec: SpecSide, model: Model, alg: Algebra[Any, Any]
) -> dict[str, Sides]:
    """The entries of both sides. One that is moved is at the one place or at the other, not both.
    """
    sides: dict[str, Sides] = {}
    width, none = model.layout.width, alg.word(_empty(model), model.layout.width)
    for role, entry in lifted.entries.items():
        if role in lifted.targets:
            stays = alg.eq(lifted.targets[role], none, width)
            once = alg.any(stays, alg.eq(entry, none, width))
            sides[f"{role}'s entry is at one place"] = Sides(once, alg.truth(True), True)
        sides[f"entry of {role}"] = Sides(entry_left(lifted, role, model, alg), spec.entries[role],
                                          False)
    return sides


def entry_left(lifted: LiftedFunction, role: str, model: Model, alg: Algebra[Any, Any]) -> Any:
    """The entry of a role at the end, where it is then."""
    entry, width = lifted.entries[role], model.layout.width
    if role not in lifted.targets:
        return entry
    there = lifted.targets[role]
    return alg.ite(alg.eq(there, alg.word(_empty(model), width), width), entry, there, width)


def _not_beside_the_point(
    function: MmFunction, verdict: ClaimHolds[MmComparison], backend: Backend
) -> Verdict[MmComparison]:
    """Incomplete where what the step is there for is not within what is given, or where the record
    stubs what the function does not call.

    An effect of the step that is not within has to be named by the record, and one that is named
    must not be within.
    """
    shown = verdict.shown
    if shown.unused:
        return ClaimUnknown(f"never calls {', '.join(shown.unused)}, which has a stub")
    given = tuple(shown.given.values())
    if shown.without:
        return ClaimUnknown(f"{', '.join(shown.without)} is not lifted with it")
    for name, condition in shown.effects.items():
        known = name.removeprefix("reaches-") in function.unreached
        if isinstance(backend.check([*given, condition]), Unsat) is not known:
            said = "is within" if known else "is not within"
            return ClaimUnknown(f"what the step is there for, {name}, {said} what is compared")
    if function.result is None and not shown.effects:
        return ClaimUnknown("the step is there for nothing")
    return verdict


def differing(found: ClaimFails[MmComparison]) -> dict[str, Sides]:
    """What differs for the values that refute."""
    return {name: s for name, s in found.shown.sides.items() if s.kernel != s.spec}
