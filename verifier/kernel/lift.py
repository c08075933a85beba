# SPDX-License-Identifier: GPL-2.0-or-later
"""A function of LLVM's intermediate representation becomes a formula over an Algebra, exact or not at all.

`Lifter.call` walks a function once, in order, merging what meets. What it does not know raises Incomplete. Where LLVM
says that behaviour is undefined (a promise broken, `unreachable`, a false assumption, a branch on poison), the
condition is kept in `Lifter.undefined`; a claim about the result holds only where none of them does.

One thread runs alone, unless `windows` lets others act on an entry between its events: an atomic read-modify-write is one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

from verifier.algebra import Algebra, Integers
from verifier.kernel.constants import constant
from verifier.kernel.flow import Loop, Part, order
from verifier.kernel.ir import (
    AsmText,
    Block,
    DataLayout,
    Function,
    Instr,
    Local,
    Param,
    Typed,
)
from verifier.kernel.irparse import Module
from verifier.kernel.irtext import IrError
from verifier.kernel.lines import Line
from verifier.kernel.machine import Code
from verifier.kernel.memory import Contents, Memory, Object
from verifier.kernel.ops import Ops
from verifier.kernel.paths import Paths, State
from verifier.kernel.undefined import Undefinedness
from verifier.kernel.values import ENDLESS, Address, AllOutside, EndlessLoop, Incomplete, NeverReturns, Value, Values, Word
from verifier.kernel.windows import Windows

__all__ = ["Inputs", "Lifter", "Models", "OutOfScope", "Program"]

MOST_ROUNDS = 1200  # of one loop: parisc stores to 1024 ptes
MOST_BLOCKS = 30_000  # walked in one call of `call`
DEEPEST = 40  # calls


class NoReturn(Exception):
    """A function that returns on no way. The text is its name."""


class OutOfScope(Exception):
    """A way on which the model says nothing. The text is the reason."""


class Inputs(Protocol):
    """Names for what is not known: the same name is the same value."""

    def word(self, name: str, width: int) -> Any: ...
    def boolean(self, name: str) -> Any: ...


@dataclass(frozen=True, slots=True)
class Program:
    """Modules that call each other. A function of one's own module goes before one of another. `assembly`: functions of files of assembly."""

    modules: tuple[Module, ...]
    arch: str
    assembly: Mapping[str, Code] = field(default_factory=dict)

    def find(self, name: str, near: Module) -> tuple[Module, Function] | None:
        for module in (near, *self.modules):
            function = module.function(name)
            if function is not None:
                return module, function
        return None


class Models(Protocol):
    """What is not in the intermediate representation: assembly, intrinsics, functions of other files, addresses."""

    def asm(self, lifter: Lifter, text: AsmText, instr: Instr, args: list[Value], state: State) -> Value | None: ...
    def branch(self, lifter: Lifter, text: AsmText, args: list[Value], labels: int) -> list[Any]: ...
    def call(self, lifter: Lifter, name: str, instr: Instr, args: list[Value], state: State) -> Value | None: ...
    def known(self, name: str) -> bool: ...


@dataclass(slots=True)
class Frame:
    """A function being walked: `label`, `at` and `rounds` (of the loops around it, by header) are the instruction in hand."""

    module: Module
    function: Function
    blocks: dict[str, Block]
    incoming: dict[str, list[tuple[str, State]]] = field(default_factory=dict)
    returned: list[tuple[State, Value | None]] = field(default_factory=list)
    label: str = ""
    at: int = 0
    rounds: dict[str, int] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """The instruction in hand, by where it is."""
        rounds = "".join(f"*{number}" for number in self.rounds.values())
        return f"{self.function.name}:{self.label}.{self.at}{rounds}"


class Lifter:
    """Walks functions of one program over one algebra; not to be shared between helpers.

    undefined  where behaviour is undefined; claims hold outside of it
    lost       ways that were given up, what they met not being modelled
    outside    what a model has put out of scope; claims hold outside of it too
    notes      what was modelled rather than lifted, by name
    """

    def __init__(
        self, alg: Algebra[Any, Any], program: Program, inputs: Inputs, models: Models,
        feasible: Callable[[Any], bool] | None = None, as_initialised: frozenset[str] = frozenset(),
        numbers: Mapping[str, int] = {},
        addresses: Mapping[str, tuple[int, str]] = {},
    ) -> None:
        self.alg = alg
        self.program = program
        self.inputs = inputs
        self.models = models
        self.feasible = feasible
        self.values = Values(alg)
        self.ops = Ops(self.values)
        self.layout: DataLayout = program.modules[0].layout
        self.pointer_width = 8 * self.layout.pointer_bytes
        self.memory = Memory(self.values, self.layout.big_endian)
        self.paths = Paths(self.values, self.memory)
        self.as_initialised = as_initialised
        self.numbers = numbers  # words of memory that are known to be these, by name
        self.addresses = addresses  # global -> where it lies, and why
        self.free_loads = False
        self._unknown = 0
        self._anything: dict[Any, tuple[tuple[Contents, ...], list[tuple[Word, Value]]]] = {}  # contents count by id, so they must not go
        self.undefined: list[Undefinedness] = []
        self.outside: list[Undefinedness] = []
        self.lost: list[Undefinedness] = []
        self.notes: dict[str, None] = {}
        self.globals: dict[tuple[str, str], Object] = {}
        self._pointees: dict[tuple[Object, int], Object] = {}
        self._neighbours: dict[Object, Object] = {}
        self._decisions: dict[Any, Any] = {}
        self.most_rounds = MOST_ROUNDS
        self._walked = 0
        self.windows: Windows | None = None
        self._frames: list[Frame] = []

    # objects

    def object(self, name: str, size: int | None, align: int = 8) -> Object:
        """An object whose bytes are free: words of eight bytes called name[offset]."""

        def initial(unit: int) -> Word:
            word = f"{name}[{unit}]"
            return Word(64, self.inputs.word(word, 64), self.numbers.get(word))

        return Object(name, size, align, initial, free=True)

    def anything(self, base: Object | None, offset: Word, size: int, state: State) -> Value:
        """What is read at an address that is not known: anything, and the same where the address is and nothing was stored since."""
        self.note("what is read at an address that is not known may be anything")
        when = (base, size, tuple((obj, id(contents)) for obj, contents in state.memory.items()))
        _, before = self._anything.setdefault(when, (tuple(state.memory.values()), []))
        self._unknown += 1
        found = self.memory.read({}, self.object(f"?{self._unknown}", None), 0, size)
        for other, value in before:
            found = self.values.choose(self.alg.eq(offset.term, other.term, offset.width), value, found)
        before.append((offset, found))
        return found

    def pointee(self, obj: Object, offset: int) -> Address:
        """What a pointer in a free object points to, where nothing was stored there: an object of its own, or it is 0."""
        key = (obj, offset)
        if key not in self._pointees:
            name = f"*{obj.name}[{offset}]"
            null = self.inputs.boolean(f"{obj.name}[{offset}] is 0")
            initial = self.object(name, None).initial
            self._pointees[key] = Object(name, None, 8, initial, free=True, null=null)
            self.note(f"{obj.name}[{offset}] points to an object of its own, or is 0")
        return self.pointer(self._pointees[key])

    def neighbour(self, obj: Object) -> Object:
        """The other of a pair of entries that lie side by side, aligned to the pair: an object of its own."""
        if obj not in self._neighbours:
            other = self.object(f"neighbour of {obj.name}", obj.size, obj.align)
            self._neighbours[obj], self._neighbours[other] = other, obj
        return self._neighbours[obj]

    def pointer(self, obj: Object, offset: int = 0) -> Address:
        return self.values.address(obj, self.values.word(offset, self.pointer_width), self.pointer_width)

    # conditions

    def undefine(self, state: State, condition: Any, reason: str) -> None:
        """Behaviour is undefined where the state is reached and the condition holds; None is never."""
        if condition is None or self.alg.known(condition) is False:
            return
        where = self.alg.all(self.paths.condition(state.path), condition)
        if self.alg.known(where) is not False:
            self.undefined.append(Undefinedness(where, reason))

    def certain(self, state: State, value: Value, reason: str) -> Value:
        """The value, where undefined behaviour begins with its being poison."""
        self.undefine(state, self.values.poison(value), reason)
        return self.values.clean(value)

    def note(self, text: str) -> None:
        self.notes[text] = None

    # events

    def one_event(self) -> AbstractContextManager[None]:
        """What is accessed within is one event for whoever else looks at memory."""
        return nullcontext() if self.windows is None else self.windows.one_event()

    def place(self) -> str:
        """The instruction in hand, by the calls that lead to it."""
        return "/".join(frame.place for frame in self._frames)

    def lines(self) -> tuple[Line, ...]:
        """Where the instruction in hand is written, the innermost first, and where the functions around it are called."""
        found: list[Line] = []
        for frame in reversed(self._frames):
            found += frame.module.lines.chain(frame.blocks[frame.label].instrs[frame.at].line)
        return tuple(found)

    def plain_access(self) -> bool:
        """Is the instruction in hand a load or store that a compiler may tear, merge or repeat?"""
        frame = self._frames[-1]
        instr = frame.blocks[frame.label].instrs[frame.at]
        return instr.op in ("load", "store") and not {"volatile", "atomic"} & set(instr.flags)

    def numbers_are_known(self) -> bool:
        """Are the algebra's words numbers?"""
        return isinstance(self.alg, Integers)

    # walking

    def call(self, name: str, args: Sequence[Value], memory: dict[Object, Contents] | None = None) -> tuple[Value | None, State]:
        """What the function returns, and the state it leaves. Raises Incomplete.

        Where the function does not return, the condition is among `undefined`.
        """
        try:
            for module in self.program.modules:
                function = module.function(name)
                if function is not None:
                    return self.run(module, function, list(args), State((), {}, dict(memory or {})))
        except IrError as error:
            raise Incomplete(f"text of the intermediate representation: {error}") from error
        except NoReturn as callee:
            reasons = [u.reason for u in (*self.lost, *self.outside)]
            if self.outside and not self.lost and not self.undefined:
                raise AllOutside(reasons[0]) from None
            raise NeverReturns(reasons[0] if reasons else f"{callee} never returns") from None
        except RecursionError:
            raise Incomplete("nested too deep") from None
        raise Incomplete(f"no function {name}")

    def run(self, module: Module, function: Function, args: list[Value], state: State) -> tuple[Value | None, State]:
        """Walk a function from a state on."""
        if len(args) != len(function.params):
            raise Incomplete(f"{function.name} is called with {len(args)} arguments")
        env = {}
        for param, arg in zip(function.params, args, strict=True):
            if param.element is not None:
                arg = self._copied(module, param, arg, state)
            env[param.name] = self._promised(state, arg, param.noundef, param.bounds, f"argument {param.name}")
        frame = Frame(module, function, {b.label: b for b in function.blocks})
        frame.incoming[function.blocks[0].label] = [("", State(state.path, env, state.memory))]
        if len(self._frames) >= DEEPEST:
            raise Incomplete("calls nest too deep")
        self._frames.append(frame)
        try:
            self._parts(frame, order(function))
        finally:
            self._frames.pop()
        return self._returned(frame, state)

    def _copied(self, module: Module, param: Param, arg: Value, state: State) -> Value:
        """byval: the callee has a copy of its own of what the argument points to."""
        from verifier.kernel.steps import load, store

        if param.element is None:
            raise Incomplete(f"%{param.name} is no copy")
        copy = self.pointer(Object(f"%{param.name}", module.layout.size(param.element), 16))
        value = load(self, module, param.element, self.values.as_address(arg, self.pointer_width), state)
        store(self, module, param.element, copy, value, state)
        return copy

    def _promised(self, state: State, value: Value, noundef: bool, bounds: tuple[int, int] | None, what: str) -> Value:
        """The value, with what attributes promise of it."""
        if bounds is not None:
            if not isinstance(value, Word):
                raise Incomplete(f"a range of {what}")
            value = self.values.with_poison(value, self.ops.outside(value, bounds))
        return self.certain(state, value, f"{what} is poison") if noundef else value

    def _returned(self, frame: Frame, before: State) -> tuple[Value | None, State]:
        if not frame.returned:
            raise NoReturn(frame.function.name)
        states = []
        for state, value in frame.returned:
            env = {} if value is None else {"": value}
            states.append(State(state.path, env, state.memory))
        state = self.paths.merge(states)  # ways that do not return are among `undefined`
        value = state.env.get("")
        if value is not None:
            value = self._promised(state, value, frame.function.noundef, frame.function.bounds, "the result")
        return value, State(before.path, before.env, state.memory)

    def _parts(self, frame: Frame, parts: tuple[Part, ...]) -> None:
        for part in parts:
            if isinstance(part, Loop):
                self._loop(frame, part)
            elif frame.incoming.get(part):
                self._block(frame, part, frame.incoming.pop(part))

    def _loop(self, frame: Frame, loop: Loop) -> None:
        """Walk a loop until no way leads back to its header."""
        for rounds in range(self.most_rounds):
            edges = frame.incoming.pop(loop.header, [])
            if rounds and self.feasible is not None:
                edges = [e for e in edges if self.feasible(self.paths.condition(e[1].path))]
            if not edges:
                frame.rounds.pop(loop.header, None)
                return
            frame.rounds[loop.header] = rounds
            self._block(frame, loop.header, edges)
            self._parts(frame, loop.body)
        raise EndlessLoop(f"a loop of {frame.function.name} {ENDLESS} {self.most_rounds} rounds")

    def _block(self, frame: Frame, label: str, edges: list[tuple[str, State]]) -> None:
        """Walk one block from the states that lead to it."""
        from verifier.kernel.leaving import ENDS

        self._walked += 1
        if self._walked > MOST_BLOCKS:
            raise Incomplete("too many blocks")
        block = frame.blocks[label]
        phis = [i for i in block.instrs if i.op == "phi"]
        states = [self._enter(frame, phis, source, state) for source, state in edges]
        state = self.paths.merge(states)
        state = State(state.path, dict(state.env), dict(state.memory))
        for frame.at, instr in enumerate(block.instrs[len(phis):], len(phis)):
            frame.label = label
            if instr.op in ENDS:
                ENDS[instr.op](self, frame, label, instr, state)
                return
            before = len(self.undefined), len(self.lost), len(self.outside)
            try:
                self._step(frame, instr, state)
            except NoReturn as callee:
                only_outside = before[:2] == (len(self.undefined), len(self.lost)) and before[2] < len(self.outside)
                if not only_outside:  # else each of its ways has told so
                    self.undefine(state, self.values.yes, f"{callee} does not return")
                return
            except Incomplete as error:
                where = self.paths.condition(state.path)
                if self.alg.known(where) is True:
                    raise
                self.lost.append(Undefinedness(where, str(error)))
                return
            except OutOfScope as reason:
                self.outside.append(Undefinedness(self.paths.condition(state.path), str(reason)))
                return

    def _enter(self, frame: Frame, phis: list[Instr], source: str, state: State) -> State:
        """The state at the head of a block, coming from another: its phis are set, all at once."""
        if not phis:
            return state
        env = dict(state.env)
        for phi in phis:
            typed = phi.operands[phi.labels.index(source)]
            env[phi.dest or ""] = self.value(frame, typed, state)
        return State(state.path, env, state.memory)

    def _step(self, frame: Frame, instr: Instr, state: State) -> None:
        from verifier.kernel.steps import STEPS

        step = STEPS.get(instr.op)
        if step is None:
            raise Incomplete(f"instruction {instr.op}")
        value = step(self, frame, instr, state)
        if instr.dest is not None:
            if value is None:
                raise Incomplete(f"{instr.op} gives no value")
            state.env[instr.dest] = self._promised(state, value, instr.noundef, instr.bounds, f"%{instr.dest}")

    # values

    def value(self, frame: Frame, typed: Typed, state: State) -> Value:
        """The value of an operand."""
        if isinstance(typed.operand, Local):
            try:
                return state.env[typed.operand.name]
            except KeyError:
                raise Incomplete(f"%{typed.operand.name} is not known here") from None
        return constant(self, frame.module, typed.type, typed.operand, state, frame)

    # leaving a block

    def go(self, frame: Frame, source: str, target: str, state: State | None) -> None:
        if state is not None:
            frame.incoming.setdefault(target, []).append((source, state))

    def decide(self, condition: Any) -> Any:
        """The decisions of a branch; the same condition makes the same ones."""
        key = id(condition)
        if key not in self._decisions:
            self._decisions[key] = (self.paths.decide(condition), condition)
        return self._decisions[key][0]
