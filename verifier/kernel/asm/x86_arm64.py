# SPDX-License-Identifier: GPL-2.0-or-later
"""Inline assembly of x86 and arm64 (of others: the files beside it) as the kernel's helpers have it: each known template, whole, and what it does.

A template matches in full or not at all; what matches nothing makes the helper incomplete. Barriers, cache and
translation-buffer instructions do nothing to an entry's value and are noted. A statement that is `atomic` is one event for
whoever else looks at memory; of any other each access is. Code that is patched at boot is a named truth: `cpu feature N`
on x86, `alternative N` on arm64, `static key NAME` on both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from verifier.kernel.llvm.access import load_scalar, shifted, store_scalar
from verifier.kernel.llvm.context import Context
from verifier.kernel.llvm.instructions import compare_exchange
from verifier.kernel.llvm.ir import AsmText, Instr, Int
from verifier.kernel.llvm.objects import Object
from verifier.kernel.llvm.values import Address, Group, Incomplete, Truth, Value, Word
from verifier.kernel.llvm.ways import State

__all__ = ["Asm", "Branch", "Model", "Statement", "nothing", "run_asm", "symbol", "take_branch"]


@dataclass(frozen=True, slots=True)
class Operands:
    """What $n is: a part of the result, or an argument."""

    outputs: tuple[int, ...]  # operand -> index of the result's part, or -1
    arguments: tuple[int, ...]  # operand -> index of the argument, or -1
    constraints: tuple[str, ...]

    def result(self, number: int) -> int:
        if self.outputs[number] < 0:
            raise Incomplete("assembly with its result in another place")
        return self.outputs[number]

    def argument(self, number: int) -> int:
        if self.arguments[number] < 0:
            raise Incomplete("assembly with its argument in another place")
        return self.arguments[number]


def operands(text: str) -> Operands:
    """Number the operands of a constraint string as LLVM does.

    >>> operands("={@ccz},=*m,={ax},r,*m,2,~{memory}").arguments
    (-1, 0, -1, 1, 2, 3)
    """
    outputs, arguments, constraints = [], [], []
    results = given = 0
    for part in re.findall(r"(?:\{[^}]*\}|[^,{])+", text):
        if part.startswith("~"):
            continue
        constraints.append(part)
        if part.startswith("=") and "*" not in part:
            outputs.append(results)
            arguments.append(-1)
            results += 1
        elif part.startswith("!"):
            outputs.append(-1)
            arguments.append(-1)
        else:
            outputs.append(-1)
            arguments.append(given)
            given += 1
    return Operands(tuple(outputs), tuple(arguments), tuple(constraints))


@dataclass(slots=True)
class Asm:
    """One piece of assembly being run."""

    lifter: Context
    match: re.Match[str]
    operands: Operands
    instr: Instr
    args: list[Value]
    state: State

    def arg(self, group: str) -> Value:
        """The argument that a named group of the template's pattern is the operand number of."""
        return self.args[self.operands.argument(int(self.match[group]))]

    def address(self, group: str) -> Address:
        return self.lifter.values.as_address(self.arg(group), self.lifter.pointer_width)

    def tied(self, number: int) -> Value:
        """The input that shares a register with output `number`."""
        wanted = str(number)
        for index, constraint in enumerate(self.operands.constraints):
            if constraint == wanted:
                return self.args[self.operands.argument(index)]
        raise Incomplete("assembly that takes no input where one is needed")

    def results(self, parts: dict[int, Value]) -> Value:
        """The result, from its parts by operand number; parts that are not given may be anything, so must be unused."""
        outs = [n for n, o in enumerate(self.operands.outputs) if o >= 0]
        values = [parts[n] if n in parts else self.lifter.values.poison_word(64) for n in outs]
        return values[0] if len(values) == 1 else Group(tuple(values))


Model: TypeAlias = "Callable[[Asm], Value | None]"
Branch: TypeAlias = "Callable[[Context, str, list[Any], int], list[Any]]"


class Statement(NamedTuple):
    """A pattern for a whole template, what it gives and does, and whether it is one event for whoever else looks at memory."""

    pattern: str
    model: Model
    atomic: bool = False


_SIZES = {"b": 1, "w": 2, "l": 4, "q": 8}


def _operand(name: str) -> str:
    """A pattern for $2, ${2:x} and the like, which keeps the number."""
    return rf"\$(?:\{{(?P<{name}>\d+):\w\}}|(?P<{name}_>\d+))"


def _x86_cmpxchg(asm: Asm) -> Value:
    """lock cmpxchg: {ax} is what is expected and becomes what was there; the flag says whether they were equal."""
    flag, accumulator = _position(asm, "={@ccz}", "={@cce}"), _position(asm, "={ax}")
    expected = asm.tied(accumulator if accumulator is not None else -1)
    old, same = compare_exchange(asm.lifter, asm.address("mem"), expected, asm.arg("new"), asm.state)
    parts: dict[int, Value] = {accumulator if accumulator is not None else -1: old}
    if flag is not None:
        parts[flag] = asm.lifter.ops.widen(same, 8, False)
    return asm.results(parts)


def _x86_cmpxchg8b(asm: Asm) -> Value:
    """lock cmpxchg8b: edx:eax is what is expected and becomes what was there, ecx:ebx is what is stored where both were equal."""
    l, flag = asm.lifter, _position(asm, "={@cce}", "={@ccz}")
    low, high = (_position(asm, f"={{{name}}}") for name in ("ax", "dx"))
    new_low, new_high = (_position(asm, f"{{{name}}}") for name in ("bx", "cx"))
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


def _position(asm: Asm, *constraints: str) -> int | None:
    for number, constraint in enumerate(asm.operands.constraints):
        if constraint in constraints:
            return number
    return None


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
    """btr, bts, btc: one bit of memory, a constant one, comes into the carry flag and is cleared, set or flipped."""
    l, bit = asm.lifter, asm.arg("bit")
    if not isinstance(bit, Word) or bit.number is None or bit.number >= 64:
        raise Incomplete("a bit instruction with no constant bit")
    flag = _position(asm, "={@ccc}")
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


def symbol(name: str, note: str) -> Model:
    """The result's first part is a free word of this name; the others are 0."""

    def model(asm: Asm) -> Value:
        l = asm.lifter
        l.note(note)
        outs = [n for n, o in enumerate(asm.operands.outputs) if o >= 0]
        from verifier.kernel.llvm.ir import Struct

        kinds = asm.instr.type.fields if isinstance(asm.instr.type, Struct) else (asm.instr.type,)
        parts: dict[int, Value] = {}
        for number, (out, kind) in enumerate(zip(outs, kinds, strict=True)):
            if not isinstance(kind, Int):
                raise Incomplete(f"{name} is no word")
            free = Word(kind.width, l.inputs.word(name, kind.width))
            parts[out] = free if number == 0 else l.values.word(0, kind.width)
        return asm.results(parts)

    return model


def nothing(note: str) -> Model:
    def model(asm: Asm) -> None:
        if any(o >= 0 for o in asm.operands.outputs):
            raise Incomplete(f"{note} with a result")
        asm.lifter.note(note)

    return model


def _arm64_cas(asm: Asm) -> Value:
    """cas: compares with the tied register, which gets what was there."""
    number = int(asm.match["old"])
    old, _ = compare_exchange(asm.lifter, asm.address("mem"), asm.tied(number), asm.arg("new"), asm.state)
    return asm.results({number: old})


def _arm64_llsc_cas(asm: Asm) -> Value:
    """ldxr, compare, stxr, and again where the store failed."""
    old, _ = compare_exchange(asm.lifter, asm.address("mem"), asm.arg("expected"), asm.arg("new"), asm.state)
    return asm.results({int(asm.match["old"]): old})


def _arm64_swap(asm: Asm) -> Value:
    """ldxr and stxr until it succeeds, or swp."""
    value = asm.arg("new")
    if not isinstance(value, Word):
        raise Incomplete("swp of something that is no word")
    old = load_scalar(asm.lifter, asm.address("mem"), value.width // 8, asm.state)
    store_scalar(asm.lifter, asm.address("mem"), value.width // 8, value, asm.state)
    return asm.results({int(asm.match["old"]): old})


def _identity(asm: Asm) -> Value | None:
    """An empty template hides a value from the compiler and does not change it."""
    outs = [n for n, o in enumerate(asm.operands.outputs) if o >= 0]
    if any(c.startswith("=*") for c in asm.operands.constraints):
        raise Incomplete("an empty template that writes memory")
    return asm.results({n: asm.tied(n) for n in outs}) if outs else None


_LOCK = r'(?:\.pushsection \.smp_locks,"a" \.balign 4 \.long 671f - \. \.popsection 671: )?lock;? '
_N = r"\d+"
_ALT = (r"\.if 1 == 1 661: (?P<first>.*?) 662: \.pushsection \.altinstructions,\"a\" \.word 661b - \. \.word 663f ?- \. "
        r"\.hword (?P<cap>\S+) \.byte 662b-661b \.byte 664f-663f \.popsection \.subsection 1 663: (?P<second>.*?) 664: "
        r"\.org \. - \(664b-663b\) \+ \(662b-661b\) \.org \. - \(662b-661b\) \+ \(664b-663b\) \.previous \.endif")



def _unlocked(statements: tuple[Statement, ...]) -> tuple[Statement, ...]:
    """The same instructions of x86 without `lock`: they read and write, and another CPU may come between."""
    return tuple(Statement(s.pattern.removeprefix(_LOCK), s.model) for s in statements if s.pattern.startswith(_LOCK))


_COMMON = (
    Statement(r"", _identity),
)
_X86 = (
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
_ARM64 = (
    Statement(
        r"\.arch_extension lse cas(?:a|l|al)? \$\{(?P<old>\d+):[xw]\}, \$\{(?P<new>\d+):[xw]\}, \$(?P<mem>\d+)",
        _arm64_cas,
        atomic=True,
    ),
    Statement(
        r"prfm pstl1strm, \$(?P<mem>\d+) 1: ldxr \$(?P<old>\d+), \$(?P=mem) eor \$(?P<t>\d+), \$(?P=old), \$(?P<expected>\d+) "
        r"cbnz \$(?P=t), 2f st[l]?xr \$\{(?P=t):w\}, \$(?P<new>\d+), \$(?P=mem) cbnz \$\{(?P=t):w\}, 1b (?:dmb ish )?2:",
        _arm64_llsc_cas,
        atomic=True,
    ),
    Statement(
        _ALT.replace(
            "(?P<first>.*?)",
            r"prfm pstl1strm, \$(?P<mem>\d+) 1: ld[a]?xr \$(?P<old>\d+), \$(?P=mem) "
            r"st[l]?xr \$\{(?P<t>\d+):w\}, \$(?P<new>\d+), \$(?P=mem) cbnz \$\{(?P=t):w\}, 1b(?: dmb ish)?",
        ).replace(
            "(?P<second>.*?)",
            r"\.arch_extension lse swp(?:a|l|al)? \$(?P=new), \$(?P=old), \$(?P=mem)"
            r"(?: \.rept \d+ nop \.endr)?(?: nop)*",
        ),
        _arm64_swap,
        atomic=True,
    ),
    Statement(r"mrs \$0, tcr_el1", symbol("tcr_el1", "mrs reads the register tcr_el1")),
    Statement(
        r"\.irp num,.* mrs_s \$0, \(\(\(3\) << 19\) \| \(\(3\) << 16\) \| \(\(10\) << 12\) \| \(\(2\) << 8\) \| "
        r"\(\(4\) << 5\)\) \.purgem mrs_s",
        symbol("por_el0", "mrs_s reads the register por_el0"),
    ),
    Statement(r"(?:dsb|dmb) (?:ish|ishst|ishld|nsh|nshst|sy|st|ld|osh|oshst|oshld)|isb|yield|csdb", nothing("memory barriers")),
    Statement(
        r"(?:\.arch \S+ )?tlbi \w+(?:, \$(?:0|\{0:x\}))?(?: .*)?",
        nothing("tlbi: the translation buffer is not part of an entry"),
    ),
    Statement(r"\.pushsection __bug_table,.*", nothing("WARN: a warning is printed and execution goes on")),
)
_MODELS: Mapping[str, tuple[Statement, ...]] = {"x86": (*_COMMON, *_X86, *_unlocked(_X86)), "arm64": (*_COMMON, *_ARM64)}


def _normal(template: str, arch: str) -> str:
    """One space between words, none at the ends, no comments."""
    return " ".join(re.sub(r"#[^\n]*" if arch == "x86" else r"//[^\n]*", "", template).split())


def run_asm(
    l: Context, text: AsmText, instr: Instr, args: list[Value], state: State, more: Mapping[str, tuple[Statement, ...]] = {},
) -> Value | None:
    """What a piece of assembly gives and does. Incomplete where no model matches all of it. `more`: architecture -> its own models."""
    template = _normal(text.template, l.program.arch)
    for statement in (*_MODELS.get(l.program.arch, _COMMON), *more.get(l.program.arch, ())):
        match = re.fullmatch(statement.pattern, template)
        if match:
            for arg in args:
                l.certain(state, arg, "assembly is given poison")
            with l.one_event() if statement.atomic else nullcontext():
                return statement.model(Asm(l, match, operands(text.constraints), instr, args, state))
    called = [
        c for arg in args if isinstance(arg, Address) for c in arg.cases if isinstance(c.base, Object) and "call" in template
    ]
    if called:
        raise Incomplete(f"calls an operation that is patched at boot: {called[0].base.name}[{called[0].offset.number}]")
    raise Incomplete(f"assembly: {template[:120]!r}")


def _key(args: list[Value], first: int) -> tuple[str, bool]:
    """The static key and branch of a jump label's operands: the key's name, and whether the branch is inverted."""
    address, inverted = args[first], False
    if not isinstance(address, Address) or len(address.cases) != 1 or not isinstance(address.cases[0].base, Object):
        raise Incomplete("a static key that is no global")
    offset = address.cases[0].offset.number
    if len(args) > first + 1:
        branch = args[first + 1]
        known = branch.number if isinstance(branch, Word) else None
        if known is None and hasattr(branch, "term"):
            known = {True: 1, False: 0}.get(bool(branch.term)) if isinstance(branch.term, bool) else None
        if known is None:
            raise Incomplete("a static key with an unknown branch")
        inverted = bool(known)
    elif offset is not None:
        inverted = bool(offset & 1)
        offset &= ~1
    name = address.cases[0].base.name
    return (f"{name}+{offset}" if offset else name), inverted


def take_branch(l: Context, text: AsmText, args: list[Value], labels: int, more: Mapping[str, Branch] = {}) -> list[Any]:
    """For the fall-through and each label of an asm goto: the condition of going there, None for never. `more`: architecture -> its own."""
    template = _normal(text.template, l.program.arch)
    if (
        l.program.arch == "x86"
        and ".altinstr_aux" in template
        and re.search(r"testb \$\d+, \$\{\d+:[aP]\} jnz \$\{\d+:l\} jmp \$\{\d+:l\}", template)
    ):
        feature = args[0]
        if not isinstance(feature, Word) or feature.number is None or labels != 3:
            raise Incomplete("a cpu feature that is no constant")
        has = l.inputs.boolean(f"cpu feature {feature.number}")
        return [None, has, l.alg.neg(has)]
    if "__jump_table" in template and labels == 2:
        return _static_key(l, args)
    if l.program.arch == "arm64" and labels == 2:
        return _alternative(l, template, args)
    if l.program.arch in more:
        return more[l.program.arch](l, template, args, labels)
    raise Incomplete(f"asm goto: {template[:120]!r}")


def _static_key(l: Context, args: list[Value]) -> list[Any]:
    """A jump label: it jumps where the key is enabled, or, where `branch` is set, where it is not."""
    if len(args) > 1 and not isinstance(args[1], Word):
        known = l.alg.known(getattr(args[1], "term", None))
        if known is None:
            raise Incomplete("a static key with an unknown branch")
        args = [args[0], l.values.word(int(known), 8), *args[2:]]
    name, inverted = _key(args[:2], 0)
    enabled = l.inputs.boolean(f"static key {name}")
    return [enabled, l.alg.neg(enabled)] if inverted else [l.alg.neg(enabled), enabled]


def _alternative(l: Context, template: str, args: list[Value]) -> list[Any]:
    """arm64's alternatives: a branch that is patched in, or one that is patched out, where the cpu has something."""
    cap = args[0]
    if not isinstance(cap, Word) or cap.number is None:
        raise Incomplete("an alternative of no constant number")
    has = l.inputs.boolean(f"alternative {cap.number}")
    patched_out = re.fullmatch(
        r"\.if 1 == 1 661: b \$\{1:l\} 662: \.pushsection \.altinstructions,\"a\" \.word 661b - \. \.word alt_cb_patch_nops ?- \. "
        r"\.hword \(1 << 15\) \| \(\$0\) \.byte 662b-661b \.byte 664f-663f \.popsection 663: 664: \.endif",
        template,
    )
    if patched_out:
        return [has, l.alg.neg(has)]
    patched_in = re.fullmatch(_ALT, template)
    if patched_in and patched_in["first"] == "nop" and patched_in["second"] == "b ${1:l}" and patched_in["cap"] == "$0":
        return [l.alg.neg(has), has]
    raise Incomplete(f"asm goto: {template[:120]!r}")


