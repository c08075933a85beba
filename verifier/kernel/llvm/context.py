# SPDX-License-Identifier: GPL-2.0-or-later
"""What a lifting knows while it goes on: objects, conditions under which its claims say nothing,
and the instruction in hand.

Everything that says what code does (instructions, branches, assembly, intrinsics) is handed a
Context. Only `lift` walks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

from verifier.kernel.llvm.arithmetic import Ops
from verifier.kernel.llvm.assembled import MachineCode
from verifier.kernel.llvm.ir import AsmText, BasicBlock, DataLayout, Instr, IrFunction, Type
from verifier.kernel.llvm.lines import Line
from verifier.kernel.llvm.objects import Contents, Object, ObjectMemory
from verifier.kernel.llvm.read_module import Module
from verifier.kernel.llvm.undefined import Undefinedness
from verifier.kernel.llvm.values import Address, LiftedWord, NotModelled, Value, Values
from verifier.kernel.llvm.ways import WayMerger, WayState
from verifier.language.algebra import Algebra, Integers

__all__ = [
    "Context",
    "CallFrame",
    "Inputs",
    "Models",
    "Onlooker",
    "OutOfScope",
    "LinkedModules",
    "resolved",
]

MOST_ROUNDS = 1200  # of one loop: parisc stores to 1024 ptes


class OutOfScope(Exception):
    """A way on which the model says nothing. The text is the reason."""


class Inputs(Protocol):
    """Names for what is not known: the same name is the same value."""

    def word(self, name: str, width: int) -> Any:
        """The word of a name, of so many bits, that the code does not say."""
    def boolean(self, name: str) -> Any:
        """The truth of a name that the code does not say."""


@dataclass(frozen=True, slots=True)
class LinkedModules:
    """Modules that call each other.

    A function of one's own module goes before one of another. `assembly` has the functions of files
    of assembly.
    """

    modules: tuple[Module, ...]
    arch: str
    assembly: Mapping[str, MachineCode] = field(default_factory=dict)

    def find(self, name: str, near: Module) -> tuple[Module, IrFunction] | None:
        """The function of a name, as a module calls it, and its module; None where it is nowhere.
        """
        for module in (near, *self.modules):
            function = module.function(name)
            if function is not None:
                return module, function
        return None


class Models(Protocol):
    """What is not in the intermediate representation: assembly, intrinsics, functions of other
    files, addresses.
    """

    def asm(
        self, l: Context, text: AsmText, instr: Instr, args: list[Value], state: WayState
    ) -> Value | None:
        """What a piece of inline assembly gives and does. NotModelled where it is not known."""

    def branch(self, l: Context, text: AsmText, args: list[Value], labels: int) -> list[Any]:
        """When an asm goto falls through, and when it goes to each label; None for never."""
    def call(
        self, l: Context, name: str, instr: Instr, args: list[Value], state: WayState
    ) -> Value | None:
        """What a function gives and does that is not lifted. NotModelled where it is not known."""

    def known(self, l: Context, name: str) -> bool:
        """Is it said what a function does, so that its body is not looked at?"""


@dataclass(slots=True)
class CallFrame:
    """A function being walked.

    `label`, `at` and `rounds` (of the loops around it, by header) are the instruction in hand.
    """

    module: Module
    function: IrFunction
    blocks: dict[str, BasicBlock]
    incoming: dict[str, list[tuple[str, WayState]]] = field(default_factory=dict)
    returned: list[tuple[WayState, Value | None]] = field(default_factory=list)
    label: str = ""
    at: int = 0
    rounds: dict[str, int] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """The instruction in hand, by where it is."""
        rounds = "".join(f"*{number}" for number in self.rounds.values())
        return f"{self.function.name}:{self.label}.{self.at}{rounds}"


class Onlooker(Protocol):
    """Whoever else looks at memory, and may act on it: see `windows`."""

    def one_event(self) -> AbstractContextManager[None]:
        """A context in which all accesses are one event: nobody acts in between."""
    def before(self, l: Context, address: Address, size: int, state: WayState) -> None:
        """An access of `size` bytes begins, and others may act."""


class Context(ABC):
    """The lifting of one helper over one algebra: its objects, the conditions of its claims, and
    what was met on the way.

    A `Lifter` walks; whoever says what an instruction or a statement of assembly does is handed
    this.

    undefined  where behaviour is undefined; claims hold outside of it
    lost       ways that were given up, what they met not being modelled
    outside    what a model has put out of scope; claims hold outside of it too
    notes      what was modelled rather than lifted, by name
    """

    def __init__(
        self, alg: Algebra[Any, Any], program: LinkedModules, inputs: Inputs, models: Models,
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
        self.memory = ObjectMemory(self.values, self.layout.big_endian)
        self.paths = WayMerger(self.values, self.memory)
        self.as_initialised = as_initialised
        self.numbers = numbers  # words of memory that are known to be these, by name
        self.addresses = addresses  # global -> where it lies, and why
        self.free_loads = False
        self._unknown = 0
        self._anything: dict[
            Any, tuple[tuple[Contents, ...], list[tuple[LiftedWord, Value]]]
        ] = {}  # contents count by id, so they must not go
        self.undefined: list[Undefinedness] = []
        self.outside: list[Undefinedness] = []
        self.lost: list[Undefinedness] = []
        self.notes: dict[str, None] = {}
        self.globals: dict[tuple[str, str], Object] = {}
        self.placed: list[Object] = []  # objects whose address is a known word
        self._pointees: dict[tuple[Object, int], Object] = {}
        self._neighbours: dict[Object, Object] = {}
        self._decisions: dict[Any, Any] = {}
        self.most_rounds = MOST_ROUNDS
        self.windows: Onlooker | None = None
        self.frames: list[CallFrame] = []
        self.functions: set[str] = set()  # names of those that were walked

    # objects

    def object(self, name: str, size: int | None, align: int = 8) -> Object:
        """An object whose bytes are free: words of eight bytes called name[offset]."""

        def initial(unit: int) -> LiftedWord:
            word = f"{name}[{unit}]"
            return LiftedWord(64, self.inputs.word(word, 64), self.numbers.get(word))

        return Object(name, size, align, initial, free=True)

    def anything(
        self, base: Object | None, offset: LiftedWord, size: int, state: WayState
    ) -> Value:
        """A load from an unknown address: an arbitrary value.

        It is the same value where the address is the same and nothing was stored since.
        """
        self.note("what is read at an address that is not known may be anything")
        when = (base, size, tuple((obj, id(contents)) for obj, contents in state.memory.items()))
        _, before = self._anything.setdefault(when, (tuple(state.memory.values()), []))
        self._unknown += 1
        found = self.memory.read({}, self.object(f"?{self._unknown}", None), 0, size)
        for other, value in before:
            found = self.values.choose(
                self.alg.eq(offset.term, other.term, offset.width), value, found
            )
        before.append((offset, found))
        return found

    def pointee(self, obj: Object, offset: int) -> Address:
        """What a pointer in a free object points to, where nothing was stored there.

        It is an object of its own, or the pointer is 0.
        """
        key = (obj, offset)
        if key not in self._pointees:
            name = f"*{obj.name}[{offset}]"
            null = self.inputs.boolean(f"{obj.name}[{offset}] is 0")
            initial = self.object(name, None).initial
            self._pointees[key] = Object(name, None, 8, initial, free=True, null=null)
            self.note(f"{obj.name}[{offset}] points to an object of its own, or is 0")
        return self.pointer(self._pointees[key])

    def neighbour(self, obj: Object) -> Object:
        """The other of a pair of entries that lie side by side, aligned to the pair: an object of
        its own.
        """
        if obj not in self._neighbours:
            other = self.object(f"neighbour of {obj.name}", obj.size, obj.align)
            self._neighbours[obj], self._neighbours[other] = other, obj
        return self._neighbours[obj]

    def pointer(self, obj: Object, offset: int = 0) -> Address:
        """The address of a byte of an object."""
        return self.values.address(
            obj, self.values.word(offset, self.pointer_width), self.pointer_width
        )

    # conditions

    def undefine(self, state: WayState, condition: Any, reason: str) -> None:
        """Behaviour is undefined where the state is reached and the condition holds; None is never.
        """
        if condition is None or self.alg.known(condition) is False:
            return
        where = self.alg.all(self.paths.condition(state.path), condition)
        if self.alg.known(where) is not False:
            self.undefined.append(Undefinedness(where, reason))

    def certain(self, state: WayState, value: Value, reason: str) -> Value:
        """The value, where undefined behaviour begins with its being poison."""
        self.undefine(state, self.values.poison(value), reason)
        return self.values.clean(value)

    def note(self, text: str) -> None:
        """Note what was modelled rather than lifted."""
        self.notes[text] = None

    # events

    def one_event(self) -> AbstractContextManager[None]:
        """What is accessed within is one event for whoever else looks at memory."""
        return nullcontext() if self.windows is None else self.windows.one_event()

    def place(self) -> str:
        """The instruction in hand, by the calls that lead to it."""
        return "/".join(frame.place for frame in self.frames)

    def lines(self) -> tuple[Line, ...]:
        """Where the instruction in hand is written, innermost first, and where the functions around
        it are called.
        """
        found: list[Line] = []
        for frame in reversed(self.frames):
            found += frame.module.lines.chain(frame.blocks[frame.label].instrs[frame.at].line)
        return tuple(found)

    def plain_access(self) -> bool:
        """Is the instruction in hand a load or store that a compiler may tear, merge or repeat?"""
        frame = self.frames[-1]
        instr = frame.blocks[frame.label].instrs[frame.at]
        return instr.op in ("load", "store") and not {"volatile", "atomic"} & set(instr.flags)

    def numbers_are_known(self) -> bool:
        """Are the algebra's words numbers?"""
        return isinstance(self.alg, Integers)

    def promised(
        self,
        state: WayState,
        value: Value,
        noundef: bool,
        bounds: tuple[int, int] | None,
        what: str,
    ) -> Value:
        """The value, with what attributes promise of it."""
        if bounds is not None:
            if not isinstance(value, LiftedWord):
                raise NotModelled(f"a range of {what}")
            value = self.values.with_poison(value, self.ops.outside(value, bounds))
        return self.certain(state, value, f"{what} is poison") if noundef else value

    # leaving a block

    def go(self, frame: CallFrame, source: str, target: str, state: WayState | None) -> None:
        """A state goes from one block to another; None: on no way."""
        if state is not None:
            frame.incoming.setdefault(target, []).append((source, state))

    def decide(self, condition: Any) -> Any:
        """The decisions of a branch; the same condition makes the same ones."""
        key = id(condition)
        if key not in self._decisions:
            self._decisions[key] = (self.paths.decide(condition), condition)
        return self._decisions[key][0]

    # walking, which is a Lifter's

    @abstractmethod
    def run(
        self, module: Module, function: IrFunction, args: list[Value], state: WayState
    ) -> tuple[Value | None, WayState]:
        """Walk a function from a state on: what it returns, and the state it leaves."""

    @abstractmethod
    def step(self, frame: CallFrame, instr: Instr, state: WayState) -> Value | None:
        """Do one instruction to a state: its value, where it has one. Raises NotModelled."""


def resolved(module: Module, kind: Type) -> Type:
    """The type behind a named one. Raises NotModelled where nothing says what the name means."""
    try:
        return module.layout.resolve(kind)
    except KeyError as error:
        raise NotModelled(f"type {error} is not known") from None
