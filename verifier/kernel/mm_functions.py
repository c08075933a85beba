# SPDX-License-Identifier: GPL-2.0-or-later
"""Functions of mm/ that decide what happens to entries, lifted, and held against what the specs say they do today.

mm.yaml has a wrapper for each, which fixes what the model has (a private anonymous mapping, a page that is there) and
leaves everything else of the vma and the page free.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verifier.arch import Layout, data_folder
from verifier.errors import ExtractionError, SpecError
from verifier.evaluate import call
from verifier.kernel.compile import Configured, compile_file, read_by_compiler
from verifier.kernel.helpers import Library, entry_object, known_features
from verifier.kernel.inputs import KernelInputs
from verifier.kernel.ir import Int, Pointer
from verifier.kernel.irparse import parse_module
from verifier.kernel.lift import Lifter, Program
from verifier.kernel.memory import Object
from verifier.kernel.models import KernelModels
from verifier.kernel.questions import Backend, make_backend
from verifier.kernel.store import cache_folder, entry
from verifier.kernel.undefined import Undefinedness
from verifier.kernel.values import Address, Incomplete, Truth, Value, Word
from verifier.language import parse_function, parse_signature
from verifier.load import Source, Table, read_yaml
from verifier.machine import Machine, Memory
from verifier.plan import load_library
from verifier.solve import Sat, Undecided
from verifier.steps import Instance, run, symbolic_state
from verifier.syntax import BOOL, Function

__all__ = ["MmClaim", "MmResult", "judge_mm", "load_mm"]

_MACROS = """\
#define PTEPROOF_VMA(vma, flags) (*(vm_flags_t *)&(vma)->vm_flags = ((vma)->vm_flags & ~(vm_flags_t)(VM_WRITE | VM_SHARED | \\
  VM_MAYSHARE | VM_MAYWRITE | VM_SOFTDIRTY | VM_UFFD_WP)) | (flags))
#define PTEPROOF_PAGE(page, exclusive, ksm) do { (page)->compound_head = 0; \\
  (page)->mapping = (void *)(unsigned long)((ksm) ? PAGE_MAPPING_KSM : PAGE_MAPPING_ANON); \\
  (page)->flags = ((page)->flags & ~((1UL << PG_anon_exclusive) | (1UL << PG_head))) | ((exclusive) ? 1UL << PG_anon_exclusive : 0); } while (0)
"""


@dataclass(frozen=True, slots=True)
class SpecStep:
    """The entry of a role after a transition's `today` code, no hardware acting within it.

    role   which role's entry
    takes  input of the step -> parameter of the wrapper
    never  observations that are false, as the wrapped function is called only then
    """

    transition: str
    role: str
    takes: tuple[tuple[str, str], ...]
    never: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MmClaim:
    """One function of mm/: its wrapper, its parameters, and what is claimed of its result and of entries."""

    name: str
    file: str
    wrapper: str
    takes: tuple[str, ...]
    when: Source | None
    because: str
    claims: tuple[tuple[str, Source | SpecStep], ...]


@dataclass(frozen=True, slots=True)
class MmResult:
    """equal, differs (with values) or incomplete (with a reason)."""

    variant: str
    function: str
    claim: str
    verdict: str
    reason: str
    seconds: float


def load_mm(path: Path | None = None) -> list[MmClaim]:
    """The functions of mm.yaml; what is said of a definition of specs/world.yaml is taken from there."""
    table = read_yaml(path or Path(__file__).with_name("mm.yaml"), "verifier/kernel/mm.yaml")
    table.only(("functions",), "the file")
    functions = table.need("functions", Table, "the file")
    found = []
    for name in functions:
        record = functions.need(name, Table, "functions")
        record.only(("file", "wrapper", "takes", "when", "because", "claims"), f"function {name}")
        claims = record.need("claims", Table, "a function")
        parts = tuple((key, _statement(claims.need(key, Table, "claims"))) for key in claims)
        when = record.need("when", Source, "a function") if "when" in record else None
        found.append(MmClaim(name, record.text("file", "a function"), record.need("wrapper", Source, "a function").text,
                             record.texts("takes", "takes"), when, record.text("because", "a function") if when else "", parts))
    return found


def _statement(record: Table) -> Source | SpecStep:
    record.only(("spec", "body", "transition", "role", "takes", "never"), "a claim")
    if "transition" in record:
        takes = record.need("takes", Table, "a claim")
        return SpecStep(record.text("transition", "a claim"), record.text("role", "a claim"),
                        tuple((key, takes.text(key, "takes")) for key in takes), record.texts("never", "never"))
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


def judge_mm(configured: Configured, library: Library, layout: Layout, claims: list[MmClaim], backend: str = "z3",
             timeout: float | None = 60, cache: Path | None = None) -> list[MmResult]:
    """Every claim about every function. ExtractionError where a wrapper does not compile."""
    found: list[MmResult] = []
    for claim in claims:
        start = time.perf_counter()
        try:
            found += _judge(_program(configured, library, claim, cache), library, layout, claim, make_backend(backend, timeout), start)
        except (Incomplete, ExtractionError) as error:
            found.append(MmResult(layout.variant.name, claim.name, "*", "incomplete", str(error), time.perf_counter() - start))
    return found


def _program(configured: Configured, library: Library, claim: MmClaim, cache: Path | None) -> Program:
    """The wrapper and its file as a module, before the build's own."""
    text = f'#include "{configured.tree.path / claim.file}"\n{_MACROS}{claim.wrapper}'

    def make(part: Path) -> set[Path]:
        source = part / "mm.c"
        source.write_text(text, encoding="utf-8")
        compile_file(configured, source, part / "mm.ll", (f"-I{configured.tree.path / Path(claim.file).parent}",))
        return read_by_compiler(part)

    folder = entry(cache or cache_folder(), f"{configured.key}-mm", [configured.rests_on, configured.build, claim], make, configured.origin)
    module = parse_module((folder / "mm.ll").read_text(encoding="utf-8"), "mm")
    return Program((module, *library.program.modules), library.program.arch)


def _judge(program: Program, library: Library, layout: Layout, claim: MmClaim, backend: Backend, start: float) -> list[MmResult]:
    alg, free = backend.alg, backend.free
    inputs = KernelInputs(alg, free, library.build, known_features(library, layout.variant.features))
    lifter = Lifter(alg, program, inputs, KernelModels(actions=library.actions()))
    function = program.modules[0].function("pteproof_mm")
    if function is None:
        raise Incomplete("no wrapper")
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
            values.append(Word(param.type.width, args[name]))
    value, state = lifter.call("pteproof_mm", values)
    after: dict[str, Any] = {}
    for name, obj in objects.items():
        word = lifter.memory.read(state.memory.get(obj, {}), obj, 0, 8)
        after[name] = None if isinstance(word, Address) else lifter.values.as_word(word).term
    if isinstance(value, (Truth, Word)):
        after["result"] = value.term
    undefined = [*lifter.undefined, *lifter.outside, *(Undefinedness(u.condition, f"not modelled: {u.reason}") for u in lifter.lost)]
    if value is not None and lifter.values.poison(value) is not None:
        undefined.append(Undefinedness(lifter.values.poison(value), "the result is poison"))
    return [_compare(backend, layout, claim, name, body, args, after[name], undefined, start) for name, body in claim.claims]


def _compare(backend: Backend, layout: Layout, claim: MmClaim, name: str, body: Source | SpecStep, args: dict[str, Any], found: Any,
             undefined: list[Undefinedness], start: float) -> MmResult:
    alg = backend.alg

    def result(verdict: str, reason: str = "") -> MmResult:
        return MmResult(layout.variant.name, claim.name, name, verdict, reason, time.perf_counter() - start)

    machine = Machine(alg)
    truth = False
    if isinstance(body, SpecStep):
        expected = _after_step(backend, layout, body, args)
    else:
        expected_function = _parse(claim, layout, args, name, body)
        expected = call(machine, expected_function, tuple(args[p.name] for p in expected_function.params))
        truth = expected_function.returns == BOOL
    given = []
    if claim.when is not None:
        when = _parse(claim, layout, args, "when", claim.when)
        given.append(call(machine, when, tuple(args[p.name] for p in when.params)))
    same = alg.same(found, expected) if truth else alg.eq(found, expected, 64)
    broken = alg.any(*[u.condition for u in undefined]) if undefined else alg.truth(False)
    answer = backend.check([*given, alg.any(broken, alg.neg(same))])
    if isinstance(answer, Undecided):
        return result("incomplete", f"the solver gave up: {answer.reason}")
    if not isinstance(answer, Sat):
        return result("equal")
    shown = ", ".join(f"{k} = {int(v):#x}" for k, v in sorted(answer.model.items()) if k in args)
    if isinstance(backend.check([*given, alg.neg(broken), alg.neg(same)]), Sat):
        return result("differs", shown)
    reasons = [u.reason for u in undefined if isinstance(backend.check([*given, u.condition]), Sat)]
    return result("incomplete", f"for {shown}: {'; '.join(dict.fromkeys(reasons))}")


def _after_step(backend: Backend, layout: Layout, step: SpecStep, args: dict[str, Any]) -> Any:
    """The entry that the specs' own text gives, on the wrapper's arguments and any state of the world."""
    model = load_library().model(layout.variant.name, "page-flag")
    transition = model.spec.transitions[step.transition]
    given = {name: args[parameter] for name, parameter in step.takes}

    def fresh(name: str, kind: int) -> Any:
        if name in given:
            return given[name]
        observed = name.partition("@")[0]
        if "@" in name and (observed in step.never or observed in layout.variant.hardware):
            return backend.alg.truth(False)
        return backend.free.input_bool(name) if kind == BOOL else backend.free.input_word(name, kind)

    roles = tuple(range(len(transition.roles)))
    instance = Instance(transition.name, transition, None, roles)
    found = run(model, backend.alg, symbolic_state(model, fresh), instance, "today", fresh, Memory())
    return found.after["entry", roles[transition.roles.index(step.role)]]


def _parse(claim: MmClaim, layout: Layout, args: dict[str, Any], name: str, body: Source) -> Function:
    """A statement as a function of the wrapper's parameters that the model knows."""
    texts = [t if t.partition(":")[0] in args else "" for t in claim.takes]
    known = ", ".join(t for t in texts if t and t.partition(":")[0] != "addr")
    signature = parse_signature(f"{claim.name}_{name}({known})", body.where, layout)
    return parse_function(signature, body, layout, claim.file)
