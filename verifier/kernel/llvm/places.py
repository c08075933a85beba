# SPDX-License-Identifier: GPL-2.0-or-later
"""Objects that lie at a known place: their addresses are words, and numbers lead to them.

The kernel makes the address of a struct page from a frame's number, and a frame's number from the
address. So such an object has a `place`, a word of the algebra.
"""

from __future__ import annotations

from verifier.kernel.llvm.context import Context
from verifier.kernel.llvm.objects import Object
from verifier.kernel.llvm.undefined import Undefinedness
from verifier.kernel.llvm.values import Address, Case, LiftedWord, Value
from verifier.kernel.llvm.ways import WayState

__all__ = ["led_by_number", "number_of"]


def number_of(l: Context, value: Value) -> LiftedWord | None:
    """A word, or an address all of whose objects are placed, as a word. None where one is not."""
    if isinstance(value, LiftedWord):
        return value
    if not isinstance(value, Address):
        return None
    found: LiftedWord | None = None
    for case in value.cases:
        word = _number_of_case(l, case)
        if word is None:
            return None
        if found is not None:
            term = l.alg.ite(case.when, word.term, found.term, value.width)
            word = LiftedWord(value.width, term)
        found = word
    if found is None:
        return None
    return LiftedWord(found.width, found.term, found.number, value.poison)


def _number_of_case(l: Context, case: Case) -> LiftedWord | None:
    if case.base is None:
        return case.offset
    if isinstance(case.base, Object) and case.base.place is not None:
        return l.ops.binary("add", case.base.place, case.offset, ())
    return None


def led_by_number(l: Context, address: Address, s: WayState) -> Address:
    """An address about to be used, in which a number leads to placed objects.

    A way on which it leads to none of them is lost. A number that is known (a constant; all are
    where one computes with plain integers) and leads to none stays as it is.
    """
    cases: list[Case] = []
    for case in address.cases:
        led = _led(l, case) if case.base is None and l.placed else []
        if not led:
            cases.append(case)
            continue
        cases += led
        # each case's condition is the case's own, and "inside the object"
        where = l.alg.all(l.paths.condition(s.path), case.when,
                          l.alg.neg(l.alg.any(*[one.when for one in led])))
        l.lost.append(Undefinedness(where, "a number is used as an address, and is no known one"))
    return Address(tuple(cases), address.width, address.poison)


def _led(l: Context, case: Case) -> list[Case]:
    """The placed objects that a case without one may lead to, each with its condition."""
    found = []
    for obj in l.placed:
        assert obj.place is not None and obj.size is not None
        offset = l.ops.binary("sub", case.offset, obj.place, ())
        inside = l.alg.ult(offset.term, l.alg.word(obj.size, offset.width), offset.width)
        if case.offset.number is None or l.alg.known(inside) is not False:
            found.append(Case(l.alg.all(case.when, inside), obj, offset))
    return found
