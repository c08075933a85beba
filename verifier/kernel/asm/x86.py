# SPDX-License-Identifier: GPL-2.0-or-later
"""Inline assembly of x86: compare and exchange, bits of memory, and what does nothing to an entry.
"""

from __future__ import annotations

from verifier.kernel.asm.templates import Asm, Statement, nothing, position, symbol
from verifier.kernel.llvm.access import load_scalar, shifted, store_scalar
from verifier.kernel.llvm.instructions import compare_exchange
from verifier.kernel.llvm.values import Incomplete, Truth, Value, Word

__all__ = ["UNLOCKED", "X86"]

_SIZES = {"b": 1, "w": 2, "l": 4, "q": 8}


def _x86_cmpxchg(asm: Asm) -> Value:
    """lock cmpxchg: {ax} is what is expected and becomes what was there.

    The flag says whether they were equal.
    """
    flag, accumulator = position(asm, "={@ccz}", "={@cce}"), position(asm, "={ax}")
    expected = asm.tied(accumulator if accumulator is not None else -1)
    old, same = compare_exchange(asm.lifter, asm.address("mem"), expected, asm.arg("new"), asm.state)
    parts: dict[int, Value] = {accumulator if accumulator is not None else -1: old}
    if flag is not None:
        parts[flag] = asm.lifter.ops.widen(same, 8, False)
    return asm.results(parts)


def _x86_cmpxchg8b(asm: Asm) -> Value:
    """lock cmpxchg8b: edx:eax is what is expected and becomes what was there, ecx:ebx is what is
    stored where both were equal.
    """
    l, flag = asm.lifter, position(asm, "={@cce}", "={@ccz}")
    low, high = (position(asm, f"={{{name}}}") for name in ("ax", "dx"))
    new_low, new_high = (position(asm, f"{{{name}}}") for name in ("bx", "cx"))
    if low is None or high is None or new_low is None or new_high is None:
        raise Incomplete("cmpxchg8b without its registers")
    new = [asm.args[asm.operands.argument(n)] for n in (new_low, new_high)]
    whole = load_scalar(l, asm.address("mem"), 8, asm.state)
    upper = l.ops.binary("lshr", l.values.as_word(whole), l.values.word(32, 64), ())
    olds = [l.values.as_word(l.ops.narrow(word, 32, ())) for word in (l.values.as_word(whole), l.values.as_word(upper))]
    same = Truth(l.values.yes)
    for old, expected in zip(olds, (asm.tied(low), asm.tied(high)), strict=True):
        equal = l.ops.compare("eq", old, l.values.as_word(l.values.clean(expected)))
        l.undefine(asm.state, equal.poison, "a compare-and-exchange of poison")
        same = Truth(l.alg.all(same.term, equal.term))
    for at, (value, old) in enumerate(zip(new, olds, strict=True)):
        place = shifted(l, asm.address("mem"), 4 * at)
        store_scalar(l, place, 4, l.values.choose(same.term, value, old), asm.state)
    parts: dict[int, Value] = {low: olds[0], high: olds[1]}
    if flag is not None:
        parts[flag] = l.ops.widen(same, 8, False)
    return asm.results(parts)


def _swap(asm: Asm) -> Value:
    """xchg: the register and memory change places. The register's input is tied to its output."""
    number = int(asm.match["reg"])
    value = asm.tied(number)
    if not isinstance(value, Word):
        raise Incomplete("xchg of something that is no word")
    old = load_scalar(asm.lifter, asm.address("mem"), value.width // 8, asm.state)
    store_scalar(asm.lifter, asm.address("mem"), value.width // 8, value, asm.state)
    return asm.results({number: old})


def _x86_bit(asm: Asm) -> Value:
    """btr, bts, btc: one bit of memory, a constant one, comes into the carry flag and is cleared,
    set or flipped.
    """
    l, bit = asm.lifter, asm.arg("bit")
    if not isinstance(bit, Word) or bit.number is None or bit.number >= 64:
        raise Incomplete("a bit instruction with no constant bit")
    flag = position(asm, "={@ccc}")
    if flag is None:
        raise Incomplete("a bit instruction without its flag")
    size = _SIZES[asm.match["size"]]
    word = l.values.as_word(load_scalar(l, asm.address("mem"), size, asm.state))
    mask = l.values.word(1 << bit.number, 8 * size)
    old = l.ops.compare("ne", l.ops.binary("and", word, mask, ()), l.values.word(0, 8 * size))
    op, with_ = {"r": ("and", l.ops.binary("xor", mask, l.values.word(-1, 8 * size), ())), "s": ("or", mask),
                 "c": ("xor", mask)}[asm.match["op"]]
    store_scalar(l, asm.address("mem"), size, l.ops.binary(op, word, with_, ()), asm.state)
    return asm.results({flag: l.ops.widen(old, 8, False)})


def _x86_or_and(asm: Asm) -> None:
    """lock or / lock and on memory, with a constant or a register."""
    l, size = asm.lifter, _SIZES[asm.match["size"]]
    word = l.values.as_word(load_scalar(l, asm.address("mem"), size, asm.state))
    value = asm.arg("value")
    if not isinstance(value, Word):
        raise Incomplete("an operand that is no word")
    if value.width > 8 * size:
        value = l.values.as_word(l.ops.narrow(value, 8 * size, ()))
    store_scalar(l, asm.address("mem"), size, l.ops.binary(asm.match["op"], word, value, ()), asm.state)


_LOCK = r'(?:\.pushsection \.smp_locks,"a" \.balign 4 \.long 671f - \. \.popsection 671: )?lock;? '


def _unlocked(statements: tuple[Statement, ...]) -> tuple[Statement, ...]:
    """The same instructions of x86 without `lock`: they read and write, and another CPU may come
    between.
    """
    return tuple(Statement(s.pattern.removeprefix(_LOCK), s.model) for s in statements if s.pattern.startswith(_LOCK))


X86 = (
    Statement(
        _LOCK + r"cmpxchg[bwlq] \$(?P<new>\d+), ?\$(?P<mem>\d+)(?: /\* output condition code \w+\*/)?",
        _x86_cmpxchg,
        atomic=True,
    ),
    Statement(_LOCK + r"cmpxchg8b \$(?P<mem>\d+)(?: /\* output condition code \w+\*/)?", _x86_cmpxchg8b, atomic=True),
    Statement(r"xchg(?P<size>[bwlq]) \$\{(?P<reg>\d+):[bwkq]\}, ?\$(?P<mem>\d+)", _swap, atomic=True),
    Statement(r"xchg(?P<size>[bwlq]) \$(?P<reg>\d+), ?\$(?P<mem>\d+)", _swap, atomic=True),
    Statement(
        _LOCK + r"bt(?P<op>[rsc])(?P<size>[lq]) \$(?P<bit>\d+), ?\$(?P<mem>\d+)(?: /\* output condition code c\*/)?",
        _x86_bit,
        atomic=True,
    ),
    Statement(
        _LOCK + r"(?P<op>or|and)(?P<size>[bwlq]) \$(?:\{(?P<value>\d+):b\}|(?P<value_>\d+)), ?\$(?P<mem>\d+)",
        _x86_or_and,
        atomic=True,
    ),
    Statement(r"\.byte 0x0f,0x01,0xee", symbol("PKRU", "rdpkru reads the register PKRU")),
    Statement(
        r"1: \.byte 0x0f, 0x0b \.pushsection __bug_table,.*", nothing("WARN: a warning is printed and execution goes on")
    ),
    Statement(r"\d+: nop \.pushsection \.discard\.instr_(?:begin|end) .*\.popsection", nothing("marks of objtool")),
    Statement(r"(?:mfence|lfence|sfence|lock;? addl \$\$0,-4\(%rsp\))", nothing("memory barriers")),
    Statement(r"98[0-9]: \.pushsection \.discard\.annotate_insn.*", nothing("marks of objtool")),
    Statement(r"998: \.pushsection \.discard\.reachable \.long 998b \.popsection", nothing("marks of objtool")),
    Statement(r"invlpg \(\$0\)|invlpg \$0", nothing("invlpg: the translation buffer is not part of an entry")),
)
UNLOCKED = _unlocked(X86)
