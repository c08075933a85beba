# SPDX-License-Identifier: GPL-2.0-or-later
"""What an argument about blocks of every size rests on, asked of the solver for one variant.

A page of a large block is looked at as a page of a small one, where its frame is another. So no
helper that the texts call may look at the frame or do anything else to it than carry it along.
"""

from __future__ import annotations

from collections.abc import Collection

from verifier.base.errors import SolverError
from verifier.blocks.model import BlockModel
from verifier.engine.answers import Sat, Undecided
from verifier.engine.bits import Bits, Word
from verifier.engine.bits_solver import BitsSolver
from verifier.language.evaluate import answered, word_of
from verifier.language.machine import Machine
from verifier.language.syntax import BOOL, INDEX, Call, Expr, Function, If, Param, Stmt, parts
from verifier.language.values import Value, as_word, equal
from verifier.prove.bits_way import graph_inputs

__all__ = ["MOST", "frame_alone"]

# Pages of a block: a table of the last level has no more entries. A folio is aligned to its size.
MOST = 8192
_BITS = 14
_ADVANCE = "pte_advance_pfn"
AT_FRAME = "at_frame"  # the view that gives an entry another frame


def frame_alone(model: BlockModel) -> tuple[list[str], list[str]]:
    """The helpers that carry a frame along and do not look at it, and those that do."""
    asked: list[str] = []
    refused: list[str] = []
    questions = _Questions(model)
    for name in questions.helpers():
        (asked if questions.commutes(name) else refused).append(name)
    (asked if questions.adds_up() else refused).append(_ADVANCE)
    (asked if questions.made() else refused).append("mk_pte")
    if AT_FRAME in model.names("views"):
        (asked if questions.takes_frame() else refused).append(AT_FRAME)
    return asked, refused


class _Questions:
    """The questions about one variant's helpers, of an entry and the same with a later frame."""

    def __init__(self, model: BlockModel) -> None:
        self.model, self.layout, self.graph = model, model.layout, Bits()
        self.width = self.layout.width
        self.fresh = graph_inputs(self.graph)
        self.solver = BitsSolver(self.graph)
        self.machine: Machine[Word, int] = Machine(self.graph)
        self.entry = self.graph.input_word("e", self.width)
        small = self.graph.input_word("n", _BITS)
        self.steps = self._wide(small, self._count_width())
        self.later = self._advance(self.entry, self.steps)
        self.given = [self._mapped(self.entry), self._mapped(self.later),
                      self.graph.ult(small, self.graph.word(MOST, _BITS), _BITS),
                      self._within(word_of(self.machine, self.layout.helper("pte_pfn"),
                                           (self.entry,)), self.layout.ulong)]

    def _count_width(self) -> int:
        return self.layout.helper(_ADVANCE).params[1].type

    def _wide(self, word: Word, width: int) -> Word:
        return self.graph.zext(word, _BITS, width)

    def _advance(self, entry: Word, steps: Word) -> Word:
        return word_of(self.machine, self.layout.helper(_ADVANCE), (entry, steps))

    def _within(self, frame: Word, width: int) -> int:
        """The later frame is one of the same folio as this one, which is aligned to its size."""
        low = self.graph.zext(self.graph.extract(frame, 0, _BITS - 1), _BITS - 1, _BITS)
        both = self.graph.add(low, self.graph.input_word("n", _BITS), _BITS)
        return self.graph.ult(both, self.graph.word(MOST, _BITS), _BITS)

    def _mapped(self, entry: Word) -> int:
        """The entry is one that maps a page whose frame is within the limits."""
        alg, constants = self.graph, self.layout.variant.constants
        frame = word_of(self.machine, self.layout.helper("pte_pfn"), (entry,))
        width = self.layout.ulong
        truths = [self._truth(name, entry) for name in ("pte_present", "pte_well_formed")]
        clear = word_of(self.machine, self.layout.helper("bits_that_stay_clear"), (entry,))
        zero = alg.word(0, self._count_width())
        return alg.all(*truths, alg.eq(self._advance(entry, zero), entry, self.width),
                       alg.eq(clear, alg.word(0, self.width), self.width),
                       alg.neg(self._truth("pte_special", entry)),
                       alg.ult(frame, alg.word(constants["MAX_PFN"] - 1, width), width),
                       alg.neg(alg.ult(frame, alg.word(constants["MIN_PFN"], width), width)))

    def _truth(self, name: str, entry: Word) -> int:
        value, _ = answered(self.machine, self.layout.helper(name), (entry,))
        assert isinstance(value, int)
        return value

    def helpers(self) -> list[str]:
        """The helpers of entries that the texts call, by name."""
        found: dict[str, None] = {}
        names = frozenset(self.layout.names())
        for transition in self.model.spec.transitions.values():
            for code in self.model.encoding.codes:
                function = self.model.code(transition, code)
                if function is not None:
                    found |= dict.fromkeys(_called(function, names))
        for prop in self.model.invariants():
            found |= dict.fromkeys(_called(self.model.property(prop), names))
        return sorted(name for name in found if name not in (_ADVANCE, "mk_pte") and any(
            p.type == self.width for p in self.layout.helper(name).params))

    def commutes(self, name: str) -> bool:
        """Is what the helper makes of a later frame a later frame, and all that it says the same?
        """
        helper = self.layout.helper(name)
        if any(p.type == INDEX for p in helper.params):
            return False
        one = [self._argument(name, p) for p in helper.params]
        two = [self.later if value is self.entry else value for value in one]
        first, left = answered(self.machine, helper, tuple(one))
        second, right = answered(self.machine, helper, tuple(two))
        pairs = [(first, second, helper.returns)]
        pairs += [(left[p.name], right[p.name], p.type) for p in helper.params if p.by_ref]
        same = [self._carried(a, b, kind, name) for a, b, kind in pairs if a is not None]
        return self._always(self.graph.all(*same))

    def _argument(self, name: str, param: Param) -> Value:
        """The entry, a protection of some vma, or a free value."""
        if param.type == self.width and not param.name.endswith("prot"):
            return self.entry
        if param.type != self.width:
            return self.fresh(f"{name}.{param.name}", param.type)
        allowed = tuple(self.fresh(f"{name}.{what}", BOOL) for what in ("read", "write", "exec"))
        return word_of(self.machine, self.layout.helper("private_prot"), allowed)

    def _carried(self, one: Value, two: Value, kind: int, name: str) -> int:
        if kind == BOOL:
            return equal(self.graph, one, two, kind)
        alike = equal(self.graph, one, two, kind)
        if name == "pte_pfn":
            wide = self._wide(self.graph.input_word("n", _BITS), kind)
            return self.graph.eq(self.graph.add(as_word(self.graph, one), wide, kind),
                                 as_word(self.graph, two), kind)
        if kind != self.width:
            return alike
        later = self._advance(as_word(self.graph, one), self.steps)
        return self.graph.any(alike, equal(self.graph, later, two, kind))

    def made(self) -> bool:
        """Is a mapping of a later frame a mapping of the first one, advanced?"""
        mk_pte = self.layout.helper("mk_pte")
        frame, prot = mk_pte.params[0].type, self._argument("mk_pte", mk_pte.params[1])
        first = self.graph.input_word("mk_pte.frame", frame)
        limit = self.layout.variant.constants["MAX_PFN"] - 1
        later = self.graph.add(first, self._wide(self.graph.input_word("n", _BITS), frame), frame)
        one, two = (word_of(self.machine, mk_pte, (word, prot)) for word in (first, later))
        return self._always(self.graph.any(
            self.graph.neg(self.graph.ult(first, self.graph.word(limit, frame), frame)),
            self.graph.neg(self._within(first, frame)), self.graph.neg(self._mapped(one)),
            self.graph.eq(self._advance(one, self.steps), two, self.width)))

    def adds_up(self) -> bool:
        """Is advancing twice advancing by the sum, and does it make two entries of two?"""
        width = self._count_width()
        more = self.graph.input_word("m", _BITS)
        wide = self._wide(more, width)
        both = self._advance(self.later, wide)
        steps = self.graph.add(self.graph.input_word("n", _BITS), more, _BITS)
        frame = word_of(self.machine, self.layout.helper("pte_pfn"), (self.entry,))
        low = self.graph.zext(self.graph.extract(frame, 0, _BITS - 1), _BITS - 1, _BITS + 2)
        end = self.graph.add(low, self.graph.zext(steps, _BITS, _BITS + 2), _BITS + 2)
        far = self.graph.neg(self.graph.ult(end, self.graph.word(MOST, _BITS + 2), _BITS + 2))
        sum_ = self._advance(self.entry, self.graph.add(self.steps, wide, width))
        other = self.graph.input_word("f", self.width)
        one_to_one = self.graph.any(
            self.graph.eq(self.entry, other, self.width),
            self.graph.neg(self._mapped(other)),
            self.graph.neg(self._within(
                word_of(self.machine, self.layout.helper("pte_pfn"), (other,)),
                self.layout.ulong)),
            self.graph.neg(self.graph.eq(self.later, self._advance(other, self.steps),
                                         self.width)))
        return self._always(self.graph.any(
            far, self.graph.neg(self.graph.ult(more, self.graph.word(MOST, _BITS), _BITS)),
            self.graph.eq(both, sum_, self.width))) and self._always(one_to_one)

    def takes_frame(self) -> bool:
        """Is the entry of one page of a block, with the frame of another, that of the other?"""
        view = self.model.definition("views", AT_FRAME)
        assert view is not None
        frame = word_of(self.machine, self.layout.helper("pte_pfn"), (self.entry,))
        width = view.params[1].type
        more = self.graph.input_word("m", _BITS)
        low = self.graph.zext(self.graph.extract(frame, 0, _BITS - 1), _BITS - 1, _BITS + 1)
        end = self.graph.add(low, self.graph.zext(more, _BITS, _BITS + 1), _BITS + 1)
        found = word_of(self.machine, view,
                        (self.later, self.graph.add(frame, self._wide(more, width), width)))
        there = self._advance(self.entry, self._wide(more, self._count_width()))
        return self._always(self.graph.any(
            self.graph.neg(self.graph.ult(end, self.graph.word(MOST, _BITS + 1), _BITS + 1)),
            self.graph.eq(found, there, self.width)))

    def _always(self, condition: int) -> bool:
        answer = self.solver.check([*self.given, self.graph.neg(condition)])
        if isinstance(answer, Undecided):
            raise SolverError(f"{self.layout.variant.name}: {answer.reason}")
        return not isinstance(answer, Sat)


def _called(function: Function, names: Collection[str]) -> list[str]:
    """The helpers that a typed function calls, through definitions too."""
    found: list[str] = []

    def walk(value: Expr) -> None:
        if isinstance(value, Call):
            if value.function.name == AT_FRAME:
                pass
            elif value.function.name in names:
                found.append(value.function.name)
            else:
                block(value.function.body)
        for part in parts(value):
            walk(part)

    def block(body: tuple[Stmt, ...]) -> None:
        for stmt in body:
            if isinstance(stmt, If):
                walk(stmt.test)
                block((*stmt.then, *stmt.orelse))
            else:
                value = getattr(stmt, "value", None) or getattr(stmt, "test", None)
                if value is not None:
                    walk(value)

    block(function.body)
    return found
