# SPDX-License-Identifier: GPL-2.0-or-later
"""A function of mm/, called through its wrapper with free arguments: what became of the entries and
of the page's flags, what it returned, and where nothing can be said.

Inputs have the names that the step of specs/ asks for, so both sides are about the same values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from verifier.kernel.asm.actions import leave
from verifier.kernel.asm.templates import Action
from verifier.kernel.asm.unlifted import KernelModels
from verifier.kernel.conform.entries import entry_object
from verifier.kernel.conform.helpers import LiftedBuild, known_features
from verifier.kernel.conform.inputs import Free, KernelInputs
from verifier.kernel.llvm.context import Context, LinkedModules
from verifier.kernel.llvm.ir import Instr, Int
from verifier.kernel.llvm.lift import Lifter
from verifier.kernel.llvm.objects import Object
from verifier.kernel.llvm.read_module import Module
from verifier.kernel.llvm.undefined import Undefinedness
from verifier.kernel.llvm.values import LiftedWord, NotModelled, Truth, Value
from verifier.kernel.llvm.ways import WayState
from verifier.kernel.mm.flushes import FLUSH_NAMES, TOLD, flush_symbol, notes_flushes
from verifier.kernel.mm.functions import Argument, Calls, MmFunction, Stub
from verifier.kernel.mm.wrapper import OBSERVED, OUTSIDE, stub_symbol, wrapper_symbol
from verifier.language.algebra import Algebra, Integers

__all__ = ["LiftedFunction", "lift_function", "observation"]

PAGE_BYTES = 512  # of the page's object: the struct page, and those behind it that a folio is
ERRORS = 4096  # addresses at the end that stand for errors: include/linux/err.h
NO_KERNEL_ADDRESS = "the struct page of the frame lies where the kernel has nothing"
MOST_ROUNDS = 8  # of a loop: a batch of one entry, and what a table of zones needs


def observation(name: str, number: int) -> str:
    """The input that the `number`th observation of a name is, on both sides."""
    return f"{name}#{number}"


@dataclass(frozen=True, slots=True)
class LiftedFunction:
    """What a function comes to.

    entries    role -> the entry at the end
    targets    role -> what is at the end where its entry may be moved to
    flags      visible state -> what the page's flag says at the end
    flushes    what of TOLD (verifier.kernel.mm.flushes) is true of it; empty where they are not
               noted
    result     what it returned, where that is compared
    undefined  where behaviour is undefined, or what is met is not modelled
    outside    where the function's record, or the build's, says that nothing is compared
    notes      what it rests on
    walked     the functions that were lifted
    unused     stubs that were not called, but for spare ones: on no way, but with numbers on the
               one that is walked
    """

    entries: Mapping[str, Any]
    targets: Mapping[str, Any]
    flags: Mapping[str, Any]
    flushes: Mapping[str, Any]
    result: Any
    undefined: tuple[Undefinedness, ...]
    outside: tuple[Undefinedness, ...]
    notes: tuple[str, ...]
    walked: frozenset[str]
    unused: tuple[str, ...]


@dataclass(slots=True)
class _Met:
    """What was called while a function was lifted."""

    observed: dict[str, int]
    stubs: set[str]


def lift_function(
    function: MmFunction, modules: Sequence[Module], library: LiftedBuild, calls: Calls,
    features: Mapping[str, bool], names: Mapping[str, str], empty: int, alg: Algebra[Any, Any],
    free: Free,
) -> LiftedFunction:
    """Lift over an algebra. `modules`: of the function's file, then of those beside it. `names`:
    role -> the letter of its process; `empty`: what an entry is where there is none. NotModelled
    says what is missing.
    """
    met, module = _Met({}, set()), modules[0]
    lifter = _lifter(function, modules, library, calls, features, met, alg, free)
    values, entries, targets, out = _arguments(function, lifter, module, names, empty)
    value, state = lifter.call(wrapper_symbol(function), [*values, lifter.pointer(out)])
    unused = tuple(stub.name for stub in function.stubs
                   if stub.name not in met.stubs and stub.name not in function.spare)
    told = {name: _bit(lifter, state, out, at)
            for at, name in enumerate((*function.world.flags, *TOLD))}
    flags = {name: told[name] for name in function.world.flags}
    flushes = {name: told[name] for name in TOLD} if notes_flushes(module) else {}
    known = {*function.outside, *library.build.out_of_scope.values(), NO_KERNEL_ADDRESS}
    chosen = [u for u in lifter.outside if u.reason in known]
    rest = [u for u in lifter.outside if u not in chosen]
    undefined = [
        *lifter.undefined,
        *(Undefinedness(u.condition, f"not modelled: {u.reason}") for u in (*lifter.lost, *rest)),
    ]
    found, moved = ({role: _entry(lifter, state, obj, undefined) for role, obj in some.items()}
                    for some in (entries, targets))
    result = None
    if function.result is not None:
        if not isinstance(value, Truth):
            raise NotModelled("the result is no truth")
        result = value.term
    return LiftedFunction(found, moved, flags, flushes, result, tuple(undefined), tuple(chosen),
                          tuple(lifter.notes), frozenset(lifter.functions), unused)


def _lifter(
    function: MmFunction, modules: Sequence[Module], library: LiftedBuild, calls: Calls,
    features: Mapping[str, bool], met: _Met, alg: Algebra[Any, Any], free: Free,
) -> Lifter:
    module = modules[0]
    program = LinkedModules((*modules, *library.program.modules), library.program.arch)
    inputs = KernelInputs(alg, free, library.build, known_features(library, features),
                          library.main.layout.big_endian)
    actions: dict[str, Action] = {**library.facts.actions()}
    if notes_flushes(module):
        actions |= {name: _noted(module, name) for name in FLUSH_NAMES}
    actions |= {stub.name: _stubbed(module, function, stub, met) for stub in function.stubs}
    for name in module.declared:
        if name.startswith(OBSERVED):
            actions[name] = _observed(name.removeprefix(OBSERVED), met, free)
        elif name.startswith(OUTSIDE):
            actions[name] = leave(name.removeprefix(OUTSIDE))
    numbers = {a.word: a.value for a in library.build.axioms if a.bits == 64}
    stubbed = {stub.name for stub in function.stubs}
    nothing = {name: why for name, why in calls.nothing.items() if name not in stubbed}
    lifter = Lifter(alg, program, inputs, KernelModels(actions, nothing), None,
                    frozenset(library.build.as_initialised), numbers, library.build.addresses())
    lifter.most_rounds = MOST_ROUNDS
    return lifter


def _observed(name: str, met: _Met, free: Free) -> Action:
    def action(l: Context, instr: Instr, args: list[Any], state: WayState) -> Value:
        met.observed[name] = met.observed.get(name, 0) + 1
        return Truth(free.input_bool(observation(name, met.observed[name])))

    return action


def _stubbed(module: Module, function: MmFunction, stub: Stub, met: _Met) -> Action:
    def action(l: Context, instr: Instr, args: list[Any], state: WayState) -> Value | None:
        met.stubs.add(stub.name)
        body = module.function(stub_symbol(function, stub))
        if body is None:
            raise NotModelled(f"no stub of {stub.name}")
        l.note(f"{stub.name} is as its stub says: {stub.because}")
        value, after = l.run(module, body, args, state)
        state.path, state.memory = after.path, after.memory
        return value

    return action


def _noted(module: Module, name: str) -> Action:
    """A flush is noted, by what stands in for it."""
    def action(l: Context, instr: Instr, args: list[Any], state: WayState) -> Value | None:
        body = module.function(flush_symbol(name))
        if body is None:
            raise NotModelled(f"nothing notes {name}")
        value, after = l.run(module, body, args[:len(body.params)], state)
        state.path, state.memory = after.path, after.memory
        return value

    return action


def _arguments(
    function: MmFunction, lifter: Lifter, module: Module, names: Mapping[str, str], empty: int
) -> tuple[list[Value], dict[str, Object], dict[str, Object], Object]:
    """The wrapper's arguments, the objects of entries and of targets by role, and that of what it
    tells.
    """
    values: list[Value] = []
    entries: dict[str, Object] = {}
    targets: dict[str, Object] = {}
    size = _constant(lifter, f"pteproof_size_{function.level}")
    for argument in function.arguments:
        if argument.kind in ("entry", "target"):
            found, term = targets, lifter.alg.word(empty, 8 * size)
            if argument.kind == "entry":
                found = entries
                term = lifter.inputs.word(f"entry.{names[argument.input]}", 8 * size)
            behind = lifter.object(f"behind {argument.name}", None)
            found[argument.input] = entry_object(lifter, argument.name, term, size, behind)
            values.append(lifter.pointer(found[argument.input]))
        elif argument.kind == "page":
            values.append(lifter.pointer(_page(lifter, argument)))
        elif argument.kind == "truth":
            values.append(Truth(lifter.inputs.boolean(_input(argument, names))))
        else:
            values.append(_free(lifter, function, module, argument, names, len(values)))
    return values, entries, targets, Object("out", len(function.world.flags) + len(TOLD), 8)


def _free(
    lifter: Lifter, function: MmFunction, module: Module, argument: Argument,
    names: Mapping[str, str], at: int,
) -> Value:
    """A word of the step's, or whatever: an object of its own, where it is a pointer."""
    wrapper = module.function(wrapper_symbol(function))
    if wrapper is None:
        raise NotModelled(f"no wrapper of {function.name}")
    kind = wrapper.params[at].type
    if not isinstance(kind, Int):
        return lifter.pointer(lifter.object(argument.name, None))
    name = _input(argument, names) if argument.kind == "word" else f"any {argument.name}"
    if kind.width == 1:
        return Truth(lifter.inputs.boolean(name))
    return _word(lifter, name, kind.width)


def _word(lifter: Lifter, name: str, width: int) -> LiftedWord:
    term = lifter.inputs.word(name, width)
    number = term if isinstance(lifter.alg, Integers) and isinstance(term, int) else None
    return LiftedWord(width, term, number)


def _input(argument: Argument, names: Mapping[str, str]) -> str:
    """may_read.ROLE -> may_read.A, as the step's state calls it."""
    name, dot, role = argument.input.partition(".")
    return f"{name}.{names[role]}" if dot else name


def _page(lifter: Lifter, argument: Argument) -> Object:
    """The struct page of a frame, where the kernel's own arithmetic says that it lies."""
    frame = _word(lifter, argument.input, lifter.pointer_width)
    place, _ = lifter.call("pteproof_place", [frame])
    if place is None:
        raise NotModelled("a page without a place")
    free = lifter.object(argument.name, PAGE_BYTES, 64)
    where = lifter.values.as_word(place)
    alg, width = lifter.alg, lifter.pointer_width
    inside = alg.all(
        alg.ult(alg.word((1 << width - 1) - 1, width), where.term, width),
        alg.ult(where.term, alg.word((1 << width) - 2 * ERRORS, width), width),
    )
    lifter.outside.append(Undefinedness(alg.neg(inside), NO_KERNEL_ADDRESS))
    obj = replace(free, place=where)
    lifter.placed.append(obj)
    return obj


def _constant(lifter: Lifter, name: str) -> int:
    value, _ = lifter.call(name, [])
    if not isinstance(value, LiftedWord) or value.number is None:
        raise NotModelled(f"{name} is no constant")
    return value.number


def _bit(lifter: Lifter, state: WayState, out: Object, at: int) -> Any:
    """A truth that the wrapper has told."""
    told = lifter.values.as_word(lifter.memory.read(state.memory.get(out, {}), out, at, 1))
    return lifter.alg.neg(lifter.alg.eq(told.term, lifter.alg.word(0, 8), 8))


def _entry(
    lifter: Lifter, state: WayState, obj: Object, undefined: list[Undefinedness]
) -> Any:
    """What an entry is at the end."""
    found = lifter.memory.read(state.memory.get(obj, {}), obj, 0, obj.align)
    word = lifter.values.as_word(found)
    if word.poison is not None:
        undefined.append(Undefinedness(word.poison, "the entry is poison"))
    return word.term
