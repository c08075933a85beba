# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's helpers of one build, lifted: from arguments to a result, the entry behind a
pointer, and what it rests on.

A `Library` is made once for a build and read many times, over any algebra.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from verifier.base.errors import ExtractionError
from verifier.kernel.asm.unlifted import KernelModels
from verifier.kernel.conform.build_facts import Facts
from verifier.kernel.conform.entries import copies, entry_value, laid_object, reverse_bytes
from verifier.kernel.conform.inputs import Free, KernelInputs, Nothing
from verifier.kernel.llvm.assembled import read_code
from verifier.kernel.llvm.context import LinkedModules
from verifier.kernel.llvm.ir import Int, Pointer
from verifier.kernel.llvm.lift import Lifter
from verifier.kernel.llvm.objects import Object
from verifier.kernel.llvm.read_module import Module, parse_module
from verifier.kernel.llvm.undefined import Undefinedness
from verifier.kernel.llvm.values import (
    ENDLESS,
    EndlessLoop,
    LiftedWord,
    NeverReturns,
    NotModelled,
    Truth,
    Value,
)
from verifier.kernel.llvm.ways import WayState
from verifier.kernel.llvm.windows import Access, Acting, Windows
from verifier.kernel.tree.build import BIG_ENDIAN, FOUR_TIMES
from verifier.kernel.tree.compile import Compiled
from verifier.kernel.tree.shapes import PREFIX, Parameter, Shape
from verifier.language.algebra import Algebra, Integers

__all__ = ["LiftedBuild", "Lifting", "known_features"]

WRAPPERS = "wrappers"
_DEFINED = re.compile(r"^[A-Za-z_][\w \t*]*?\b(\w+)\s*\(", re.M)  # not a call, which is indented
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)

@dataclass(frozen=True, slots=True)
class Lifting:
    """A helper on some arguments, over some algebra.

    result     the algebra's word (of `width` bits), truth (width 0), or None
    entries    parameter -> what stands behind the pointer at the end, of `entry_widths` bits
    undefined  where behaviour is undefined; also where the result is poison, or a way is not
               modelled
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


class LiftedBuild:
    """The lifted code of one build: its program, the wrappers that call helpers, and the constants
    it names.
    """

    def __init__(self, compiled: Compiled, shapes: Sequence[Shape]) -> None:
        self.build = compiled.configured.build
        self.tree = compiled.configured.tree
        self.jail = compiled.configured.jail
        modules = {name: parse_module(text, name) for name, text in compiled.texts.items()}
        main = modules.pop(WRAPPERS)
        assembly = {
            name: code
            for text in compiled.assembly.values()
            for name, code in read_code(text).items()
        }
        self.program = LinkedModules((main, *modules.values()), self.build.kernel, assembly)
        self.wrappers = compiled.wrappers
        self.facts = Facts(self.build, self.constant, assembly)
        self.names = compiled.names
        # those that some kernel has, whether this one does or not
        self.listed = frozenset(shape.helper for shape in shapes)
        self.shapes: dict[str, Shape] = {}
        for shape in shapes:
            if shape.wrapper in self.wrappers:
                self.shapes.setdefault(shape.helper, shape)

    @property
    def main(self) -> Module:
        """The module of the wrappers."""
        return self.program.modules[0]

    def named(self, helpers: Sequence[str]) -> set[str]:
        """Which of these names the kernel has.

        That is, the configured headers or the lifted sources have it, or other C of memory
        management defines it.
        """
        wanted = set(helpers)
        found = wanted & self.names
        for module in self.program.modules:
            found |= wanted & (module.texts.keys() | module.declared)
        roots = [f"arch/{self.build.kernel}/mm", "mm"]
        for path in (
            sorted(p for root in roots for p in (self.tree.path / root).rglob("*.[ch]"))
            if wanted - found
            else ()
        ):
            if str(path.relative_to(self.tree.path)) not in self.build.sources:
                found |= wanted & set(
                    _DEFINED.findall(
                        _COMMENT.sub(" ", path.read_text(encoding="utf-8", errors="replace"))
                    )
                )
        return found

    def constant(self, name: str) -> int | None:
        """The value of a wrapper without parameters, such as a feature's number.

        None where the tree has not got it. ExtractionError where it is undefined or no word.
        """
        if f"{PREFIX}{name}" not in self.wrappers:
            return None
        lifter = Lifter(
            Integers(),
            self.program,
            KernelInputs(Integers(), Nothing(), self.build, {}),
            KernelModels(),
        )
        value, _ = lifter.call(f"{PREFIX}{name}", [])
        if any(u.condition for u in (*lifter.undefined, *lifter.lost, *lifter.outside)):
            raise ExtractionError(f"{name} is not defined")
        if isinstance(value, Truth):
            return int(value.term)
        if not isinstance(value, LiftedWord):
            raise ExtractionError(f"{name} is no word")
        return int(value.term)

    def lift(
        self,
        shape: Shape,
        alg: Algebra[Any, Any],
        free: Free,
        args: Mapping[str, Any],
        features: Mapping[str, bool],
        feasible: Callable[[Any], bool] | None = None,
        free_loads: bool = False,
        acting: Acting | None = None,
        most_rounds: int | None = None,
    ) -> Lifting:
        """A helper on these arguments: parameter -> the algebra's word or truth; of a pointer, the
        entry behind it.

        Parameters that the model does not have are free. With free_loads, loads from unknown
        addresses return arbitrary values. `acting` is let in between the events of the code.
        `most_rounds` bounds the rounds of one loop. `feasible` says whether a way may be gone.
        Raises NotModelled.
        """
        inputs = KernelInputs(alg, free, self.build, features, self.main.layout.big_endian)
        objects: dict[str, Object] = {}
        models = KernelModels(actions={**self.facts.actions(), **self.facts.clearing(objects)})
        numbers = {a.word: a.value for a in self.build.axioms if a.bits == 64}
        lifter = Lifter(
            alg,
            self.program,
            inputs,
            models,
            feasible,
            frozenset(self.build.as_initialised),
            numbers,
            self.build.addresses(),
        )
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
        except NotModelled as error:
            raise NotModelled(self.facts.named(str(error))) from error
        return self._lifted(shape, lifter, value, state, objects, inputs.notes, windows)

    def _lifted(
        self,
        shape: Shape,
        lifter: Lifter,
        value: Value | None,
        state: WayState,
        objects: Mapping[str, Object],
        notes: Iterable[str],
        windows: Windows | None,
    ) -> Lifting:
        """What a call has left, in the model's terms, under names that people know."""
        unequal = self.build.unequal.get(shape.helper)
        lies = self.build.entries
        entries = {
            name: entry_value(lifter, lies, state, obj, unequal) for name, obj in objects.items()
        }
        result, width = _result(lifter, value)
        widths = {
            name: 8 * (obj.size or obj.align) // copies(lies) for name, obj in objects.items()
        }
        lifter.undefined += [
            Undefinedness(u.condition, f"not modelled: {self.facts.named(u.reason)}")
            for u in lifter.lost
        ]
        told = tuple(self.facts.labelled(note) for note in (*notes, *lifter.notes))
        outside_ = tuple(
            Undefinedness(u.condition, self.facts.named(u.reason)) for u in lifter.outside
        )
        accesses = () if windows is None else tuple(windows.met.values())
        return Lifting(
            result, width, entries, widths, tuple(lifter.undefined), outside_, told, accesses
        )

    def _windows(self, lifter: Lifter, objects: Mapping[str, Object], acting: Acting) -> Windows:
        if FOUR_TIMES in self.build.entries:
            raise NotModelled("others act on an entry of four equal words, which is not modelled")
        turned = (
            (lambda term, size: reverse_bytes(lifter.alg, term, size))
            if BIG_ENDIAN in self.build.entries
            else None
        )
        return Windows(acting, {obj: name for name, obj in objects.items()}, turned)

    def lift_to_the_end(
        self,
        shape: Shape,
        alg: Algebra[Any, Any],
        free: Free,
        args: Mapping[str, Any],
        features: Mapping[str, bool],
        feasible: Callable[[Any], bool],
        free_loads: bool = False,
    ) -> Lifting:
        """`lift`; where a loop does not end by itself, `feasible` says when it has."""
        try:
            found = self.lift(shape, alg, free, args, features, free_loads=free_loads)
            if not any(ENDLESS in u.reason for u in found.undefined):
                return found
        except EndlessLoop:
            pass
        return self.lift(shape, alg, free, args, features, feasible, free_loads)

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
            raise NotModelled(f"no wrapper {shape.wrapper}")
        values: list[Value] = []
        for parameter, param in zip(shape.parameters(), function.params, strict=True):
            name = parameter.name
            if isinstance(param.type, Pointer) and parameter.role == "entry":
                objects[name] = laid_object(
                    lifter, self.build.entries, name, args[name], self.entry_bytes(parameter)
                )
                values.append(lifter.pointer(objects[name]))
            elif isinstance(param.type, Pointer):
                values.append(lifter.pointer(lifter.object(name, None)))
            elif param.type == Int(1):
                values.append(Truth(args[name]))
            elif isinstance(param.type, Int):
                width = param.type.width
                term = args[name] if name in args else free.input_word(name, width)
                values.append(
                    LiftedWord(
                        width,
                        term,
                        term if isinstance(term, int) and isinstance(alg, Integers) else None,
                    )
                )
            else:
                raise NotModelled(f"{shape.helper} takes something that is no word")
        return values

    def entry_bytes(self, parameter: Parameter) -> int:
        """The size of the entry that a pointer of this wrapper points to."""
        level = parameter.declared[:3]
        function = self.main.function(f"{PREFIX}size_{level}")
        if function is None:
            raise NotModelled(f"the size of a {level} is not known")
        size = self.constant(f"size_{level}")
        if size is None:
            raise NotModelled(f"the size of a {level} is not known")
        return size // copies(self.build.entries)

    def width(self, shape: Shape, index: int) -> int:
        """The width in bits of a wrapper's parameter: 0 for a truth, the entry's for a pointer."""
        function = self.main.function(shape.wrapper)
        if function is None:
            raise NotModelled(f"no wrapper {shape.wrapper}")
        kind = function.params[index].type
        if isinstance(kind, Int):
            return 0 if kind.width == 1 else kind.width
        return 8 * self.entry_bytes(shape.parameters()[index])


def _result(lifter: Lifter, value: Value | None) -> tuple[Any, int | None]:
    """A result and its width; undefined where it is poison."""
    if value is None:
        return None, None
    poison = lifter.values.poison(value)
    if poison is not None:
        lifter.undefined.append(Undefinedness(poison, "the result is poison"))
    if isinstance(value, Truth):
        return value.term, 0
    word = lifter.values.as_word(value)
    return word.term, word.width


def known_features(library: LiftedBuild, features: Mapping[str, bool]) -> dict[str, bool]:
    """What a variant's features are in the lifted code: name there -> value.

    Features that the tree has no number of are left out.
    """
    found: dict[str, bool] = {}
    for name, feature in library.build.features.items():
        if name not in features:
            continue
        for symbol, mask in feature.masks.items():
            at = library.constant(f"constant_{mask}")
            found |= {f"@{symbol}[bit {bit}]": bit != at or features[name]
                      for bit in range(64) if at is not None}
        if feature.global_ is not None:
            found[f"@{feature.global_}"] = features[name]
        elif feature.keys is not None:
            at = library.constant(f"constant_{feature.number}")
            if at is not None:
                found[
                    f"static key @{feature.keys}+{at}" if at else f"static key @{feature.keys}"
                ] = features[name]
        elif feature.number is not None:
            number = library.constant(f"constant_{feature.number}")
            if number is not None and feature.bitmap is not None:
                found[f"@{feature.bitmap}[bit {number}]"] = features[name]
            elif number is not None:
                found[f"{feature.name} {number}"] = features[name]
    return found
