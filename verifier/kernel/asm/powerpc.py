# SPDX-License-Identifier: GPL-2.0-or-later
"""Inline assembly of powerpc with 64 bits (book3s): what updates entries, compare and swap, and traps.

A loop of ldarx and stdcx. is one step: the store succeeds only where nobody came between. One that waits while an entry is
busy (another CPU fills the hash table) is left once it is not; what it finds then is that CPU's, so busy entries are
outside of the model.
"""

from __future__ import annotations

import re

from verifier.kernel.asm.templates import Asm, Statement, nothing
from verifier.kernel.llvm.access import load_scalar, store_scalar
from verifier.kernel.llvm.context import Context
from verifier.kernel.llvm.instructions import compare_exchange
from verifier.kernel.llvm.undefined import Undefinedness
from verifier.kernel.llvm.values import Incomplete, Value, Word
from verifier.kernel.llvm.ways import State

__all__ = ["MODELS"]

WARNING = 1  # BUGFLAG_WARNING
BUSY = "an entry that another CPU holds busy, which is waited for"


def _wait(l: Context, state: State, entry: Word, busy: Word) -> None:
    """and. and bne-: around again while one of these bits is set."""
    bits = l.ops.binary("and", entry, busy, ())
    again = l.alg.neg(l.alg.eq(bits.term, l.alg.word(0, 64), 64))
    if l.alg.known(again) is not False:
        l.outside.append(Undefinedness(l.alg.all(l.paths.condition(state.path), again), BUSY))


def _word(asm: Asm, group: str) -> Word:
    value = asm.arg(group)
    if not isinstance(value, Word) or value.width != 64:
        raise Incomplete("an update of an entry by something that is no word")
    return value


def _update(asm: Asm) -> Value:
    """Bits are cleared, then others set. Gives what was there."""
    l, place = asm.lifter, asm.address("mem")
    old = l.values.as_word(load_scalar(l, place, 8, asm.state))
    if "busy" in asm.match.re.groupindex:
        _wait(l, asm.state, old, _word(asm, "busy"))
    kept = l.ops.binary("and", old, l.ops.binary("xor", _word(asm, "clear"), l.values.word(-1, 64), ()), ())
    new = l.ops.binary("or", kept, _word(asm, "set"), ())
    store_scalar(l, place, 8, new, asm.state)
    return asm.results({int(asm.match["old"]): old, int(asm.match["new"]): new})


def _set_bits(asm: Asm) -> Value:
    """Bits are set. The register of what was there becomes what is there."""
    l, place = asm.lifter, asm.address("mem")
    old = l.values.as_word(load_scalar(l, place, 8, asm.state))
    busy = _word(asm, "busy")
    _wait(l, asm.state, old, busy)
    new = l.ops.binary("or", _word(asm, "set"), old, ())
    store_scalar(l, place, 8, new, asm.state)
    return asm.results({int(asm.match["old"]): new, int(asm.match["scratch"]): l.ops.binary("and", old, busy, ())})


def _compare_and_swap(asm: Asm) -> Value:
    old, _ = compare_exchange(asm.lifter, asm.address("mem"), asm.arg("expected"), asm.arg("new"), asm.state)
    return asm.results({int(asm.match["old"]): old})


def _trap(asm: Asm) -> None:
    """twi, or tdnei where a word is not 0: a warning is printed and execution goes on, or, without the flag, it ends."""
    l, flags = asm.lifter, asm.arg("flags")
    if not isinstance(flags, Word) or flags.number is None:
        raise Incomplete("a trap of no constant kind")
    if flags.number & WARNING:
        l.note("WARN: a warning is printed and execution goes on")
        return
    when = l.values.yes
    if "tested" in asm.match.re.groupindex:
        when = l.alg.neg(l.alg.eq(_word(asm, "tested").term, l.alg.word(0, 64), 64))
    l.undefine(asm.state, when, "BUG")


def _load_word(asm: Asm) -> Value:
    """lwz, of an atomic variable."""
    return asm.results({int(asm.match["to"]): load_scalar(asm.lifter, asm.address("mem"), 4, asm.state)})


def _store_word(asm: Asm) -> None:
    """stw, of an atomic variable."""
    value = asm.lifter.values.as_word(asm.arg("value"))
    store_scalar(asm.lifter, asm.address("mem"), 4, value, asm.state)


def _numbered(template: str) -> str:
    """A pattern for a template in which {name} is an operand: the first time it is named so, then the same again."""
    seen: set[str] = set()

    def operand(match: re.Match[str]) -> str:
        name = match[1]
        if name in seen:
            return rf"(?P={name})"
        seen.add(name)
        return rf"(?P<{name}>\d+)"

    return re.sub(r"\{(\w+)\}", operand, template)


_BUG = r'\.section __bug_table,"aw" 2: \.4byte 1b - \. \.4byte \$\d+ - \. \.short \$\d+, \${flags} \.org 2b\+\$\d+ \.previous'

MODELS: tuple[Statement, ...] = (
    Statement(
        _numbered(
            r"1: ldarx \${old},0,\${mem} # pte_update andc \${new},\${old},\${clear} or \${new},\${new},\${set} "
            r"stdcx\. \${new},0,\${mem} bne- 1b"
        ),
        _update,
        atomic=True,
    ),
    Statement(
        _numbered(
            r"1: ldarx \${old},0,\${mem}(?: # pte_update)? and\. \${new},\${old},\${busy} bne- 1b andc \${new},\${old},\${clear} "
            r"or \${new},\${new},\${set} stdcx\. \${new},0,\${mem} bne- 1b"
        ),
        _update,
        atomic=True,
    ),
    Statement(
        _numbered(
            r"1: ldarx \${old},0,\${mem} and\. \${scratch},\${old},\${busy} bne- 1b or \${old},\${set},\${old} "
            r"stdcx\. \${old},0,\${mem} bne- 1b"
        ),
        _set_bits,
        atomic=True,
    ),
    Statement(
        _numbered(
            r"sync 1: ldarx \${old},0,\${mem} # __cmpxchg_u64 cmpd 0,\${old},\${expected} bne- 2f stdcx\. \${new},0,\${mem} bne- 1b "
            r"sync 2:"
        ),
        _compare_and_swap,
        atomic=True,
    ),
    Statement(_numbered(r"1: tdnei \${tested}, 0 " + _BUG), _trap),
    Statement(_numbered(r"1: twi 31, 0, 0 " + _BUG), _trap),
    Statement(r"lwz\$\{(?P<mem>\d+):U\}\$\{(?P=mem):X\} \$(?P<to>\d+),\$(?P=mem)", _load_word, atomic=True),
    Statement(r"stw\$\{(?P<mem>\d+):U\}\$\{(?P=mem):X\} \$(?P<value>\d+),\$(?P=mem)", _store_word, atomic=True),
    Statement(r"sync|lwsync|isync|ptesync|eieio", nothing("memory barriers")),
)
