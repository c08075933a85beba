# SPDX-License-Identifier: GPL-2.0-or-later
"""Functions of mm/ that decide what happens to entries, compared with what specs/ says they do.

They are lifted from the kernel's C. mm.yaml has a wrapper for each. It fixes what the model has, a
private anonymous mapping and a page that is there, and leaves everything else of the vma and the
page free.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from verifier.base.errors import ExtractionError, SpecError
from verifier.kernel.asm.unlifted import KernelModels
from verifier.kernel.conform.decide import (
    ClaimFails,
    ClaimQuestion,
    ClaimUnknown,
    Setting,
    Verdict,
    decide,
    why,
    word,
)
from verifier.kernel.conform.entries import entry_object
from verifier.kernel.conform.helpers import LiftedBuild, known_features
from verifier.kernel.conform.inputs import KernelInputs
from verifier.kernel.conform.questions import make_backend
from verifier.kernel.llvm.context import LinkedModules
from verifier.kernel.llvm.ir import Int, Pointer
from verifier.kernel.llvm.lift import Lifter
from verifier.kernel.llvm.objects import Object
from verifier.kernel.llvm.read_module import parse_module
from verifier.kernel.llvm.undefined import Undefinedness
from verifier.kernel.llvm.values import Address, LiftedWord, NotModelled, Truth, Value
from verifier.kernel.tree.build_store import cache_folder, entry
from verifier.kernel.tree.compile import compile_file
from verifier.kernel.tree.compiler import Configured, read_by_compiler
from verifier.language.algebra import Integers
from verifier.language.evaluate import call
from verifier.language.machine import Machine, Memory
from verifier.language.parse import parse_function, parse_signature
from verifier.language.read_yaml import Source, Table, read_yaml
from verifier.language.syntax import BOOL, Function
from verifier.model.arch import Layout, data_folder
from verifier.model.step import Instance, run
from verifier.model.world import symbolic_state
from verifier.run.library import load_library

__all__ = ["MmClaim", "MmResult", "judge_mm", "load_mm"]

_MACROS = """\
#define PTEPROOF_VMA(vma, flags) (*(vm_flags_t *)&(vma)->vm_flags = ((vma)->vm_flags \\
  & ~(vm_flags_t)(VM_WRITE | VM_SHARED | VM_MAYSHARE | VM_MAYWRITE | VM_SOFTDIRTY | VM_UFFD_WP)) \\
  | (flags))
#define PTEPROOF_PAGE(page, exclusive, ksm) do { (page)->compound_head = 0; \\
  (page)->mapping = (void *)(unsigned long)((ksm) ? PAGE_MAPPING_KSM : PAGE_MAPPING_ANON); \\
  (page)->flags = ((page)->flags & ~((1UL << PG_anon_exclusive) | (1UL << PG_head))) \\
    | ((exclusive) ? 1UL << PG_anon_exclusive : 0); } while (0)
"""


@dataclass(frozen=True, slots=True)
class SpecStep:
    """The entry of a role after a transition's `today` code, no hardware acting within it.

    role   which role's entry
    takes  input of the step -> parameter of the wrapper
    never  observations that are false, as the wrapped function is called only then
    always observations that are true then
    """

    transition: str
    role: str
    takes: tuple[tuple[str, str], ...]
    never: tuple[str, ...]
    always: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MmClaim:
    """One function of mm/: its wrapper, its parameters, and claims about result and entries."""

    name: str
    file: str
    wrapper: str
    takes: tuple[str, ...]
    when: Source | None
    because: str
    claims: tuple[tuple[str, Source | SpecStep], ...]


@dataclass(frozen=True, slots=True)
class MmResult:
    """The outcome of a claim: equal, differs, incomplete or contradiction."""

    variant: str
    function: str
    claim: str
    found: Verdict[Sides]
    seconds: float

    @property
    def verdict(self) -> str:
        """The word for the outcome."""
        return {"proved": "equal", "refuted": "differs"}.get(word(self.found), word(self.found))

    @property
    def reason(self) -> str:
        """Why it is not equal; both values where it differs."""
        match self.found:
            case ClaimFails(shown=sides):
                return (f"{why(self.found)}: it is {int(sides.found):#x}, and not "
                        f"{int(sides.expected):#x}")
            case _:
                return why(self.found)


@dataclass(frozen=True, slots=True)
class Sides:
    """What the function gives, and what is said of it."""

    found: Any
    expected: Any


def load_mm(path: Path | None = None) -> list[MmClaim]:
    """The functions of mm.yaml; claims that name specs/world.yaml are taken from there."""
    table = read_yaml(path or Path(__file__).with_name("mm.yaml"), "verifier/meeting/mm.yaml")
    table.only(("functions",), "the file")
    functions = table.need("functions", Table, "the file")
    found = []
    for name in functions:
        record = functions.need(name, Table, "functions")
        record.only(("file", "wrapper", "takes", "when", "because", "claims"), f"function {name}")
        claims = record.need("claims", Table, "a function")
        parts = tuple((key, _statement(claims.need(key, Table, "claims"))) for key in claims)
        when = record.need("when", Source, "a function") if "when" in record else None
        found.append(MmClaim(name, record.text("file", "a function"),
                             record.need("wrapper", Source, "a function").text,
                             record.texts("takes", "takes"), when,
                             record.text("because", "a function") if when else "", parts))
    return found


def _statement(record: Table) -> Source | SpecStep:
    record.only(("spec", "body", "transition", "role", "takes", "never", "always"), "a claim")
    if "transition" in record:
        takes = record.need("takes", Table, "a claim")
        return SpecStep(record.text("transition", "a claim"), record.text("role", "a claim"),
                        tuple((key, takes.text(key, "takes")) for key in takes),
                        record.texts("never", "never"),
                        record.texts("always", "always"))
    if "body" in record:
        body: Source = record.need("body", Source, "a claim")
        return body
    name = record.text("spec", "a claim")
    world = read_yaml(data_folder("specs") / "world.yaml", "specs/world.yaml")
    definitions = world.need("procedures", Table, "the world")
    for key in definitions:
        if key.split("(")[0] == name:
            text: Source = definitions.need(key, Source, "procedures")
            body_text = re.sub(r"\bexclusive\(e\)", "anon_exclusive", text.text)
            return Source(re.sub(r"\be\b", "pte", body_text), text.where)
    raise SpecError(record.at["spec"], f"specs/world.yaml defines no {name}")


def judge_mm(configured: Configured, library: LiftedBuild, layout: Layout, claims: list[MmClaim],
             backend: str = "z3",
             timeout: float | None = 60, cache: Path | None = None) -> list[MmResult]:
    """Every claim about every function. ExtractionError where a wrapper does not compile."""
    found: list[MmResult] = []
    for claim in claims:
        start = time.perf_counter()
        try:
            program = _program(configured, library, claim, cache)
        except (NotModelled, ExtractionError) as error:
            found.append(MmResult(layout.variant.name, claim.name, "*", ClaimUnknown(str(error)),
                                  time.perf_counter() - start))
            continue
        for name, body in claim.claims:
            start = time.perf_counter()
            verdict = decide(make_backend(backend, timeout),
                             partial(_put, program, library, layout, claim, name, body),
                             [text.partition(":")[0] for text in claim.takes])
            found.append(MmResult(layout.variant.name, claim.name, name, verdict,
                                  time.perf_counter() - start))
    return found


def _program(configured: Configured, library: LiftedBuild, claim: MmClaim,
             cache: Path | None) -> LinkedModules:
    """The wrapper and its file as a module, before the build's own."""
    text = f'#include "{configured.tree.path / claim.file}"\n{_MACROS}{claim.wrapper}'

    def make(part: Path) -> set[Path]:
        source = part / "mm.c"
        source.write_text(text, encoding="utf-8")
        compile_file(configured, source, part / "mm.ll",
                     (f"-I{configured.tree.path / Path(claim.file).parent}",))
        return read_by_compiler(part)

    folder = entry(
        cache or cache_folder(), f"{configured.key}-mm",
        [configured.rests_on, configured.build, claim], make, configured.origin
    )
    module = parse_module((folder / "mm.ll").read_text(encoding="utf-8"), "mm")
    return LinkedModules((module, *library.program.modules), library.program.arch)


@dataclass(frozen=True, slots=True)
class Lifted:
    """A wrapper called with free arguments: its result and entries, and what is undefined."""

    args: dict[str, Any]
    after: dict[str, Any]
    undefined: tuple[Undefinedness, ...]


def _lifted(program: LinkedModules, library: LiftedBuild, layout: Layout, claim: MmClaim,
            setting: Setting) -> Lifted:
    alg, free = setting.alg, setting.free
    inputs = KernelInputs(
        alg, free, library.build, known_features(library, layout.variant.features)
    )
    lifter = Lifter(alg, program, inputs, KernelModels(actions=library.facts.actions()))
    function = program.modules[0].function("pteproof_mm")
    if function is None:
        raise NotModelled("no wrapper")
    values: list[Value] = []
    objects: dict[str, Object] = {}
    args: dict[str, Any] = {}
    for text, param in zip(claim.takes, function.params, strict=True):
        name = text.partition(":")[0]
        if isinstance(param.type, Pointer) and name in ("parent", "child"):
            args[name] = free.input_word(name, 64)
            objects[name] = entry_object(lifter, name, args[name], 8)
            values.append(lifter.pointer(objects[name]))
        elif isinstance(param.type, Pointer):
            values.append(lifter.pointer(lifter.object(name, None)))
        elif param.type == Int(1):
            args[name] = free.input_bool(name)
            values.append(Truth(args[name]))
        elif isinstance(param.type, Int):
            args[name] = free.input_word(name, param.type.width)
            values.append(
                LiftedWord(
                    param.type.width, args[name], args[name] if isinstance(alg, Integers) else None
                )
            )
    value, state = lifter.call("pteproof_mm", values)
    after: dict[str, Any] = {}
    for name, obj in objects.items():
        content = lifter.memory.read(state.memory.get(obj, {}), obj, 0, 8)
        if isinstance(content, Address):
            raise NotModelled("an address was written to an entry")
        after[name] = lifter.values.as_word(content).term
    if isinstance(value, (Truth, LiftedWord)):
        after["result"] = value.term
    undefined = [
        *lifter.undefined,
        *lifter.outside,
        *(Undefinedness(u.condition, f"not modelled: {u.reason}") for u in lifter.lost),
    ]
    if value is not None and lifter.values.poison(value) is not None:
        undefined.append(Undefinedness(lifter.values.poison(value), "the result is poison"))
    return Lifted(args, after, tuple(undefined))


def _put(
    program: LinkedModules, library: LiftedBuild, layout: Layout, claim: MmClaim, name: str,
    body: Source | SpecStep, setting: Setting
) -> ClaimQuestion[Sides]:
    """One claim about a function, over an algebra."""
    alg = setting.alg
    lifted = _lifted(program, library, layout, claim, setting)
    args, found = lifted.args, lifted.after[name]
    machine = Machine(alg)
    truth = False
    if isinstance(body, SpecStep):
        expected = _after_step(setting, layout, body, args)
    else:
        expected_function = _parse(claim, layout, args, name, body)
        expected = call(
            machine, expected_function, tuple(args[p.name] for p in expected_function.params)
        )
        truth = expected_function.returns == BOOL
    given = []
    if claim.when is not None:
        when = _parse(claim, layout, args, "when", claim.when)
        given.append(call(machine, when, tuple(args[p.name] for p in when.params)))
    same = alg.same(found, expected) if truth else alg.eq(found, expected, 64)
    return ClaimQuestion(tuple(given), lifted.undefined, alg.neg(same), Sides(found, expected))


def _after_step(setting: Setting, layout: Layout, step: SpecStep, args: dict[str, Any]) -> Any:
    """The entry that the specs' own text makes of the wrapper's arguments, in any state."""
    model = load_library().model(layout.variant.name, "page-flag")
    transition = model.spec.transitions[step.transition]
    given = {name: args[parameter] for name, parameter in step.takes}

    def fresh(name: str, kind: int) -> Any:
        if name in given:
            return given[name]
        observed = name.partition("@")[0]
        if "@" in name and (observed in step.never or observed in layout.variant.hardware):
            return setting.alg.truth(False)
        if "@" in name and observed in step.always:
            return setting.alg.truth(True)
        return (
            setting.free.input_bool(name) if kind == BOOL else setting.free.input_word(name, kind)
        )

    roles = tuple(range(len(transition.roles)))
    instance = Instance(transition.name, transition, None, roles)
    found = run(model, setting.alg, symbolic_state(model, fresh), instance, "today", fresh,
                Memory())
    return found.after["entry", roles[transition.roles.index(step.role)]]


def _parse(claim: MmClaim, layout: Layout, args: dict[str, Any], name: str,
           body: Source) -> Function:
    """A statement as a function of the wrapper's parameters that the model knows."""
    texts = [t if t.partition(":")[0] in args else "" for t in claim.takes]
    known = ", ".join(t for t in texts if t and t.partition(":")[0] != "addr")
    signature = parse_signature(f"{claim.name}_{name}({known})", body.where, layout)
    return parse_function(signature, body, layout, claim.file)
