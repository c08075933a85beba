# SPDX-License-Identifier: GPL-2.0-or-later
"""SPARC's assembly that is patched at boot, as C: one sequence for each kind of CPU.

Variables that a variant fixes choose the sequence. Sections of the text say what takes the place of
an instruction, or of two, at a label: on CPUs with a hypervisor (sun4v), and after that on the M7
and later ones (arch/sparc/kernel/setup_64.c:sun4v_patch). Sequences are interpreted where they only
compute: sethi, or, and, andn, xor, add, sub, shifts, mov and nop. All else stays unknown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["DECLARED", "interpreted"]

SUN4V, M7 = "pteproof_cpu_sun4v", "pteproof_cpu_sun_m7"
DECLARED = f"extern unsigned char {SUN4V}, {M7};"

_SECTION = re.compile(r'\.section\s+\.(?P<cpu>sun4v|sun_m7)_(?P<count>[12])insn_patch,\s*\\"ax\\"')
_OPERATORS = {
    "or": "|",
    "and": "&",
    "andn": "& ~",
    "xor": "^",
    "add": "+",
    "sub": "-",
    "sllx": "<<",
    "srlx": ">>",
}
_NUMBER = re.compile(r"(?:0x[0-9a-fA-F]+|\d+)")
_PART = {
    "hi": "(({0}) & 0xfffffc00UL)",
    "uhi": "((({0}) >> 32) & 0xfffffc00UL)",
    "lo": "(({0}) & 0x3ffUL)",
    "ulo": "((({0}) >> 32) & 0x3ffUL)",
}


class _Unknown(Exception):
    """Something that is not interpreted."""


def interpreted(template: str, operands: Sequence[tuple[str, str]], outputs: int) -> str | None:
    """C for a patched statement, or None where it is not understood.

    `operands`: constraint and C of each, of which the first `outputs` are outputs. `template`: as C
    writes it.

    >>> old, new = r"661: or %0, 1, %0\\n", r"or %0, 2, %0\\n.previous"
    >>> one = old + r'.section .sun4v_1insn_patch, \\"ax\\"\\n.word 661b\\n' + new
    >>> print(interpreted(one, [("=r", "x"), ("0", "x")], 1).replace("; ", ";\\n"))
    { unsigned long pteproof_r0 = x;
    if (pteproof_cpu_sun4v) { pteproof_r0 = pteproof_r0 | 2UL;
    } else { pteproof_r0 = pteproof_r0 | 1UL;
    } x = pteproof_r0;
    }
    """
    if "insn_patch" not in template:
        return None
    try:
        return _choice(_sequences(template), list(operands), outputs)
    except _Unknown:
        return None


def _sequences(template: str) -> dict[str, list[str]]:
    """CPU ("" is sun4u) -> its instructions, in order."""
    lines = [
        " ".join(line.split())
        for line in template.replace("\\t", " ").replace("\\n", "\n").split("\n")
    ]
    base: list[str] = []
    labels: dict[str, int] = {}
    patches: dict[str, list[tuple[str, list[str]]]] = {"sun4v": [], "sun_m7": []}
    inside, count = None, 0
    for line in filter(None, lines):
        section = _SECTION.fullmatch(line)
        word = re.fullmatch(r"\.word (\d+)b", line)
        if section:
            inside, count = section["cpu"], int(section["count"])
        elif line == ".previous":
            inside = None
        elif inside and word:
            patches[inside].append((word[1], []))
        elif inside and patches[inside] and len(patches[inside][-1][1]) < count:
            patches[inside][-1][1].append(line)
        elif inside or line.startswith("."):
            raise _Unknown
        else:
            label = re.match(r"(\d+): ?", line)
            if label:
                labels[label[1]] = len(base)
                line = line[label.end():]
            base += [line] if line else []
    found = {"": base}
    for cpu, before in (("sun4v", ""), ("sun_m7", "sun4v")):
        found[cpu] = list(found[before])
        for label_at, instructions in patches[cpu]:
            at = labels.get(label_at)
            if at is None or at + len(instructions) > len(base) or not instructions:
                raise _Unknown
            found[cpu][at:at + len(instructions)] = instructions
    return found


def _choice(sequences: dict[str, list[str]], operands: list[tuple[str, str]], outputs: int) -> str:
    if any("m" in constraint or "+" in constraint for constraint, _ in operands) or any(
        not c.startswith("=") for c, _ in operands[:outputs]
    ):
        raise _Unknown
    tied = {int(constraint): c for constraint, c in operands[outputs:] if constraint.isdigit()}
    registers = ", ".join(
        f"pteproof_r{n} = {tied[n]}" if n in tied else f"pteproof_r{n}" for n in range(outputs)
    )
    inputs = "".join(
        f" unsigned long pteproof_r{n} = {c};"
        for n, (constraint, c) in enumerate(operands)
        if n >= outputs and constraint == "r"
    )
    code = {
        cpu: " ".join(_statements(lines, operands, outputs)) for cpu, lines in sequences.items()
    }
    text = f"{{ {code['sun4v']} }} else {{ {code['']} }}"
    text = f"if ({SUN4V}) {text}"
    if code["sun_m7"] != code["sun4v"]:
        text = f"if ({M7}) {{ {code['sun_m7']} }} else {text}"
    results = " ".join(f"{c} = pteproof_r{n};" for n, (_, c) in enumerate(operands[:outputs]))
    return f"{{ unsigned long {registers};{inputs} {text} {results} }}"


def _statements(lines: list[str], operands: list[tuple[str, str]], outputs: int) -> list[str]:
    """The instructions as statements.

    An input in a register may lie in one that an output has too, once that is written.
    """
    found: list[str] = []
    written = False
    for line in lines:
        if line == "nop":
            continue
        match = re.fullmatch(r"(\w+) (?:(\S+), ?)?(\S+), ?%(\d)", line)
        if match is None or int(match[4]) >= outputs:
            raise _Unknown
        name, first, second, target = match[1], match[2], match[3], int(match[4])
        read = [int(n) for text in (first, second) if text for n in re.findall(r"%(\d)", text)]
        if written and any(outputs <= n < len(operands) and operands[n][0] == "r" for n in read):
            raise _Unknown
        if first is None and (
            name == "mov" or (name == "sethi" and second.startswith(("%%hi(", "%%uhi(")))
        ):
            value = _value(second, operands, outputs)
        elif (
            name in _OPERATORS
            and first is not None
            and re.fullmatch(r"%\d", first)
            and not second.startswith(("%%hi", "%%uhi"))
        ):
            value = (
                f"{_value(first, operands, outputs)} {_OPERATORS[name]}"
                f" {_value(second, operands, outputs)}".replace("~ ", "~")
            )
        else:
            raise _Unknown
        found.append(f"pteproof_r{target} = {value};")
        written = written or not operands[target][0].startswith("=&")
    return found


def _value(text: str, operands: list[tuple[str, str]], outputs: int) -> str:
    """A register, a constant, or a part of one."""
    part = re.fullmatch(r"%%(\w+)\(%(\d)\)", text)
    if part and part[1] in _PART:
        return _PART[part[1]].format(_constant(int(part[2]), operands, outputs))
    number = re.fullmatch(r"%(\d)", text)
    if number and int(number[1]) < len(operands):
        at = int(number[1])
        constraint = operands[at][0]
        if at < outputs or constraint == "r":
            return f"pteproof_r{at}"
        if constraint.isdigit():
            return f"pteproof_r{constraint}"
        return _constant(at, operands, outputs)
    if _NUMBER.fullmatch(text):
        return f"{text}UL"
    raise _Unknown


def _constant(at: int, operands: list[tuple[str, str]], outputs: int) -> str:
    if not outputs <= at < len(operands) or operands[at][0] != "i":
        raise _Unknown
    return f"(unsigned long)({operands[at][1]})"
