# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's helpers of one build, lifted: from arguments to a result, the entry behind a pointer, and what it rests on.

A `Library` is made once for a build and read many times, over any algebra.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from verifier.base.errors import ExtractionError
from verifier.kernel.asm.actions import assembly, call_of, clearing, leave, returning
from verifier.kernel.asm.templates import Action
from verifier.kernel.asm.unlifted import KernelModels, calls_of, harmless
from verifier.kernel.conform.inputs import Free, KernelInputs, Nothing
from verifier.kernel.llvm.assembled import read_code
from verifier.kernel.llvm.context import Program
from verifier.kernel.llvm.ir import Int, Pointer
from verifier.kernel.llvm.lift import Lifter
from verifier.kernel.llvm.objects import Object
from verifier.kernel.llvm.read_module import Module, parse_module
from verifier.kernel.llvm.undefined import Undefinedness
from verifier.kernel.llvm.values import ENDLESS, Address, EndlessLoop, Incomplete, NeverReturns, Truth, Value, Word
from verifier.kernel.llvm.ways import State
from verifier.kernel.llvm.windows import Access, Acting, Windows
from verifier.kernel.tree.builds import BIG_ENDIAN, FOUR_TIMES, IN_TABLES, constant_name, operation_name
from verifier.kernel.tree.compile import Compiled
from verifier.kernel.tree.shapes import PREFIX, Parameter, Shape, outside
from verifier.language.algebra import Algebra, Integers

__all__ = ["Library", "Lifting", "entry_object", "known_features", "reverse_bytes"]

WRAPPERS = "wrappers"
_DEFINED = re.compile(r"^[A-Za-z_][\w \t*]*?\b(\w+)\s*\(", re.M)  # not a call, which is indented
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)

@dataclass(frozen=True, slots=True)
class Lifting:
    """A helper on some arguments, over some algebra.

    result     the algebra's word (with `width`), truth (width 0), or None
    entries    parameter -> what stands behind the pointer at the end
    undefined  where behaviour is undefined, the result being poison and ways that are not modelled included
    outside    where the model says nothing
    notes      what it rests on: axioms, models, premises
    accesses   the events on entries, where others were let in between them
    """

    result: Any
    width: int | None
    entries: Mapping[str, Any]
    entry_widths: Mapping[str, int]
    undefined: tuple[Undefinedness, ...]
    outside: tuple[Undefinedness, ...]
    notes: tuple[str, ...]
    accesses: tuple[Access, ...] = ()


class Library:
    """The lifted code of one build. `widths` are those of C's types: entry bytes come with each wrapper."""

    def __init__(self, compiled: Compiled, shapes: Sequence[Shape]) -> None:
        self.build = compiled.configured.build
        self.tree = compiled.configured.tree
        self.jail = compiled.configured.jail
        modules = {name: parse_module(text, name) for name, text in compiled.texts.items()}
        main = modules.pop(WRAPPERS)
        assembly = {name: code for text in compiled.assembly.values() for name, code in read_code(text).items()}
        self.program = Program((main, *modules.values()), self.build.kernel, assembly)
        self.wrappers = compiled.wrappers
        self.names = compiled.names
        self.listed = frozenset(shape.helper for shape in shapes)  # those that some kernel has, whether this one does or not
        self.shapes: dict[str, Shape] = {}
        for shape in shapes:
            if shape.wrapper in self.wrappers:
                self.shapes.setdefault(shape.helper, shape)

    @property
    def main(self) -> Module:
        return self.program.modules[0]

    def named(self, helpers: Sequence[str]) -> set[str]:
        """Which of these names the configured headers or the lifted sources have, or other C of memory management defines."""
        wanted = set(helpers)
        found = wanted & self.names
        for module in self.program.modules:
            found |= wanted & (module.texts.keys() | module.declared)
        roots = [f"arch/{self.build.kernel}/mm", "mm"]
        for path in sorted(p for root in roots for p in (self.tree.path / root).rglob("*.[ch]")) if wanted - found else ():
            if str(path.relative_to(self.tree.path)) not in self.build.sources:
                found |= wanted & set(_DEFINED.findall(_COMMENT.sub(" ", path.read_text(encoding="utf-8", errors="replace"))))
        return found

    def constant(self, name: str) -> int | None:
        """The value of a wrapper without parameters, such as a feature's number; None where the tree has not got it."""
        if f"{PREFIX}{name}" not in self.wrappers:
            return None
        lifter = Lifter(Integers(), self.program, KernelInputs(Integers(), Nothing(), self.build, {}), KernelModels())
        value, _ = lifter.call(f"{PREFIX}{name}", [])
        if any(u.condition for u in (*lifter.undefined, *lifter.lost, *lifter.outside)):
            raise ExtractionError(f"{name} is not defined")
        if isinstance(value, Truth):
            return int(value.term)
        if not isinstance(value, Word):
            raise ExtractionError(f"{name} is no word")
        return int(value.term)

    def lift(
        self, shape: Shape, alg: Algebra[Any, Any], free: Free, args: Mapping[str, Any], features: Mapping[str, bool],
        feasible: Callable[[Any], bool] | None = None, free_loads: bool = False, acting: Acting | None = None,
        most_rounds: int | None = None,
    ) -> Lifting:
        """A helper on these arguments: parameter -> the algebra's word or truth; of a pointer the entry behind it.

        Parameters that the model does not have are free; so is, with `free_loads`, what is read where it is not known where.
        `acting` is let in between the events of the code; `most_rounds` of one loop. Raises Incomplete.
        """
        inputs = KernelInputs(alg, free, self.build, features, self.main.layout.big_endian)
        objects: dict[str, Object] = {}
        models = KernelModels(actions={**self.actions(), **self._clearing(objects)})
        numbers = {a.word: a.value for a in self.build.axioms if a.bits == 64}
        lifter = Lifter(alg, self.program, inputs, models, feasible, frozenset(self.build.as_initialised), numbers,
                        self.build.addresses())
        lifter.free_loads = free_loads
        values = self._arguments(lifter, shape, alg, free, args, objects)
        memory, windows = {}, None
        if shape.helper in self.build.boot:
            _, booted = lifter.call(self.build.boot[shape.helper], [])
            memory = booted.memory
            lifter.note(f"{self.build.boot[shape.helper]} has run")
        if most_rounds is not None:
            lifter.most_rounds = most_rounds
        if acting is not None:
            windows = lifter.windows = self._windows(lifter, objects, acting)
        try:
            value, state = lifter.call(shape.wrapper, values, memory)
        except (NeverReturns, EndlessLoop):
            raise
        except Incomplete as error:
            raise Incomplete(self._named(str(error))) from error
        entries = {name: self._entry(lifter, state, obj, self.build.unequal.get(shape.helper)) for name, obj in objects.items()}
        result, width = None, None
        if value is not None:
            poison = lifter.values.poison(value)
            if poison is not None:
                lifter.undefined.append(Undefinedness(poison, "the result is poison"))
            if isinstance(value, Truth):
                result, width = value.term, 0
            else:
                word = lifter.values.as_word(value)
                result, width = word.term, word.width
        widths = {name: 8 * (obj.size or obj.align) // self.copies for name, obj in objects.items()}
        lifter.undefined += [Undefinedness(u.condition, f"not modelled: {self._named(u.reason)}") for u in lifter.lost]
        notes = tuple(self._labelled(note) for note in (*inputs.notes, *lifter.notes))
        outside_ = tuple(Undefinedness(u.condition, self._named(u.reason)) for u in lifter.outside)
        accesses = () if windows is None else tuple(windows.met.values())
        return Lifting(result, width, entries, widths, tuple(lifter.undefined), outside_, notes, accesses)

    def _windows(self, lifter: Lifter, objects: Mapping[str, Object], acting: Acting) -> Windows:
        if FOUR_TIMES in self.build.entries:
            raise Incomplete("others act on an entry of four equal words, which is not modelled")
        turned = (lambda term, size: reverse_bytes(lifter.alg, term, size)) if BIG_ENDIAN in self.build.entries else None
        return Windows(acting, {obj: name for name, obj in objects.items()}, turned)

    def lift_to_the_end(
        self, shape: Shape, alg: Algebra[Any, Any], free: Free, args: Mapping[str, Any], features: Mapping[str, bool],
        feasible: Callable[[Any], bool], free_loads: bool = False,
    ) -> Lifting:
        """`lift`; where a loop does not end by itself, `feasible` says when it has."""
        try:
            found = self.lift(shape, alg, free, args, features, free_loads=free_loads)
            if not any(ENDLESS in u.reason for u in found.undefined):
                return found
        except EndlessLoop:
            pass
        return self.lift(shape, alg, free, args, features, feasible, free_loads)

    def _named(self, text: str) -> str:
        """A reason with the names of the operations of a table: @table[offset] becomes table.member."""
        for table, member in self.build.members():
            offset = self.constant(f"constant_{operation_name(table, member)}") if f"@{table}[" in text else None
            if offset is not None:
                text = text.replace(f"@{table}[{offset}]", f"{table}.{member}")
        return text

    def _labelled(self, note: str) -> str:
        """A note with C's name of a feature in the place of its number, and with names of operations."""
        note = self._named(note)
        for feature in self.build.features.values():
            if feature.number is None or not re.search(r"feature|\[bit |static key", note):
                continue
            number = self.constant(f"constant_{feature.number}")
            for told in (
                f"{feature.name} {number} ",
                f"{feature.bitmap}[bit {number}] ",
                f"static key @{feature.keys}+{number} ",
            ):
                if note.startswith(told):
                    return f"{feature.number} {note.removeprefix(told)}"
        return note

    def returned(self) -> dict[str, int]:
        """Functions that the build takes to return a constant, which it has."""
        numbers = {
            name: self.constant(f"constant_{constant_name(constant)}") for name, (constant, _why) in self.build.returns.items()
        }
        return {name: number for name, number in numbers.items() if number is not None}

    def actions(self) -> dict[str, Action]:
        """Functions that the architecture has a model of, that the build puts out of scope, or takes to return a constant."""
        found = {**calls_of(self.build.kernel), **{name: leave(why) for name, why in self.build.out_of_scope.items()}}
        found |= {outside(premise.name): leave(premise.otherwise) for premise in self.build.premises}
        for table, member in self.build.members():
            operation = f"{table[1:]}->{member}"
            offset = self.constant(f"constant_{operation_name(table, member)}") if table.startswith("*") else None
            if offset is not None and harmless(self.build.kernel, operation) is not None:
                found[f"**@{table[1:]}[0][{offset}]"] = call_of(operation)
        found |= {name: returning(number, self.build.returns[name][1]) for name, number in self.returned().items()}
        for operation, (function, why) in self.build.bound.items():
            table, _, member = operation.partition(".")
            offset = self.constant(f"constant_{operation_name(table, member)}")
            if offset is not None and function in self.program.assembly:
                found[f"*@{table}[{offset}]"] = assembly(function, why)
        return found

    def _clearing(self, entries: Mapping[str, Object]) -> dict[str, Action]:
        """Functions that clear bits of the entry that the helper was given: in `entries` once arguments are made."""
        found: dict[str, Action] = {}
        for name, (constant, why, atomic) in self.build.clears.items():
            bits = self.constant(f"constant_{constant_name(constant)}")
            if bits is not None:
                found[name] = clearing(entries, bits, why, atomic)
        return found

    def _arguments(
        self,
        lifter: Lifter,
        shape: Shape,
        alg: Algebra[Any, Any],
        free: Free,
        args: Mapping[str, Any],
        objects: dict[str, Object],
    ) -> list[Value]:
        """The wrapper's arguments as values. `objects` gets what is behind pointers to entries."""
        function = self.main.function(shape.wrapper)
        if function is None:
            raise Incomplete(f"no wrapper {shape.wrapper}")
        values: list[Value] = []
        for parameter, param in zip(shape.parameters(), function.params, strict=True):
            name = parameter.name
            if isinstance(param.type, Pointer) and parameter.role == "entry":
                objects[name] = self.entry_object(lifter, name, args[name], self.entry_bytes(parameter))
                values.append(lifter.pointer(objects[name]))
            elif isinstance(param.type, Pointer):
                values.append(lifter.pointer(lifter.object(name, None)))
            elif param.type == Int(1):
                values.append(Truth(args[name]))
            elif isinstance(param.type, Int):
                width = param.type.width
                term = args[name] if name in args else free.input_word(name, width)
                values.append(Word(width, term, term if isinstance(term, int) and isinstance(alg, Integers) else None))
            else:
                raise Incomplete(f"{shape.helper} takes something that is no word")
        return values

    def entry_object(self, lifter: Lifter, name: str, term: Any, size: int) -> Object:
        """An entry of this value in memory, as the build's entries lie there."""
        if BIG_ENDIAN in self.build.entries:
            term = reverse_bytes(lifter.alg, term, size)
        if FOUR_TIMES in self.build.entries:
            return entry_object(lifter, name, _repeated(lifter.alg, term, 8 * size), 4 * size)
        behind = lifter.object(f"behind {name}", None) if IN_TABLES in self.build.entries else None
        return entry_object(lifter, name, term, size, behind)

    def _entry(self, lifter: Lifter, state: State, obj: Object, unequal: str | None = None) -> Any:
        """The value of an entry at the end; undefined where it is poison. `unequal`: why its four words may be so."""
        term = _entry(lifter, state, obj)
        if FOUR_TIMES in self.build.entries:
            width = 2 * (obj.size or 0)
            first = lifter.alg.extract(term, 3 * width if lifter.layout.big_endian else 0, width)
            if unequal is not None:
                lifter.note(unequal)
                return first
            other = lifter.alg.neg(lifter.alg.eq(term, _repeated(lifter.alg, first, width), 4 * width))
            lifter.undefined.append(Undefinedness(other, "the four words of an entry are not equal at the end"))
            return first
        return reverse_bytes(lifter.alg, term, obj.size or obj.align) if BIG_ENDIAN in self.build.entries else term

    def entry_bytes(self, parameter: Parameter) -> int:
        """The size of the entry that a pointer of this wrapper points to."""
        level = parameter.declared[:3]
        function = self.main.function(f"{PREFIX}size_{level}")
        if function is None:
            raise Incomplete(f"the size of a {level} is not known")
        size = self.constant(f"size_{level}")
        if size is None:
            raise Incomplete(f"the size of a {level} is not known")
        return size // self.copies

    @property
    def copies(self) -> int:
        """How many equal words a pte_t has."""
        return 4 if FOUR_TIMES in self.build.entries else 1

    def width(self, shape: Shape, index: int) -> int:
        """The width in bits of a wrapper's parameter; 0 for a truth, and the entry's behind a pointer."""
        function = self.main.function(shape.wrapper)
        if function is None:
            raise Incomplete(f"no wrapper {shape.wrapper}")
        kind = function.params[index].type
        if isinstance(kind, Int):
            return 0 if kind.width == 1 else kind.width
        return 8 * self.entry_bytes(shape.parameters()[index])


def entry_object(lifter: Lifter, name: str, term: Any, size: int, behind: Object | None = None) -> Object:
    """An object that holds one entry of this value, and then nothing or what is behind it."""
    width = 8 * size

    def initial(unit: int) -> Word:
        if unit and behind is not None:
            return lifter.memory.start(behind, unit)
        if width == 64:
            return Word(64, term, term if isinstance(term, int) and isinstance(lifter.alg, Integers) else None)
        if width > 64:
            low = width - 64 - 8 * unit if lifter.layout.big_endian else 8 * unit
            return Word(64, lifter.alg.extract(term, low, 64))
        if behind is None:
            rest = lifter.alg.word(0, 64 - width)
        else:
            rest = lifter.alg.extract(lifter.memory.start(behind, 0).term, 0, 64 - width)
        if lifter.layout.big_endian:
            return Word(64, lifter.alg.concat(term, rest, width, 64 - width))
        return Word(64, lifter.alg.concat(rest, term, 64 - width, width))

    return Object(name, size if behind is None else None, size, initial, free=behind is not None)


def _repeated(alg: Algebra[Any, Any], term: Any, width: int) -> Any:
    """A word four times."""
    twice = alg.concat(term, term, width, width)
    return alg.concat(twice, twice, 2 * width, 2 * width)


def reverse_bytes(alg: Algebra[Any, Any], term: Any, size: int) -> Any:
    """A word with its bytes in the other order."""
    found = alg.extract(term, 0, 8)
    for at in range(8, 8 * size, 8):
        found = alg.concat(found, alg.extract(term, at, 8), at, 8)
    return found


def _entry(lifter: Lifter, state: State, obj: Object) -> Any:
    """The value of an entry at the end; undefined where it is poison."""
    size = obj.size or obj.align
    found = lifter.memory.read(state.memory.get(obj, {}), obj, 0, size)
    if isinstance(found, Address):
        raise Incomplete("an address was written to an entry")
    word = lifter.values.as_word(found)
    if word.poison is not None:
        lifter.undefined.append(Undefinedness(word.poison, "the entry is poison"))
    return word.term


def known_features(library: Library, features: Mapping[str, bool]) -> dict[str, bool]:
    """What a variant's features are in the lifted code. Features that the tree has no number of are left out."""
    found: dict[str, bool] = {}
    for name, feature in library.build.features.items():
        if name not in features:
            continue
        if feature.global_ is not None:
            found[f"@{feature.global_}"] = features[name]
        elif feature.keys is not None:
            at = library.constant(f"constant_{feature.number}")
            if at is not None:
                found[f"static key @{feature.keys}+{at}" if at else f"static key @{feature.keys}"] = features[name]
        elif feature.number is not None:
            number = library.constant(f"constant_{feature.number}")
            if number is not None and feature.bitmap is not None:
                found[f"@{feature.bitmap}[bit {number}]"] = features[name]
            elif number is not None:
                found[f"{feature.name} {number}"] = features[name]
    return found
