# SPDX-License-Identifier: GPL-2.0-or-later
"""A module of LLVM's textual form, as clang writes it with -S -emit-llvm.

A function's body is read when it is asked for, so that what cannot be read (IrError) concerns one
function only. Flags that restrict an instruction (nuw, exact, inbounds, range, ...) are kept. An
unknown word is an error, never left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from verifier.kernel.llvm.ir import (
    BasicBlock,
    DataLayout,
    Global,
    Instr,
    IrFunction,
    IrParam,
    Type,
    Void,
)
from verifier.kernel.llvm.lines import Lines
from verifier.kernel.llvm.read_instruction import CALL_WORDS, READERS, read_call
from verifier.kernel.llvm.read_words import IrError, Tokens, unquote

__all__ = ["Module", "parse_module"]

_LINKAGE = frozenset(
    "private internal available_externally linkonce weak common appending extern_weak linkonce_odr"
    " weak_odr external dso_local dso_preemptable default hidden protected thread_local"
    " unnamed_addr local_unnamed_addr externally_initialized".split()
)
_LABEL = re.compile(r'^(?:"((?:[^"\\]|\\.)*)"|([-\w$.]+)):')
_DEFINE = re.compile(r'^define\b.*?@("[^"]*"|[-\w$.]+)\(', re.M)
_META_RANGE = re.compile(r"!(\d+) = !\{i\d+ (-?\d+), i\d+ (-?\d+)\}$", re.M)


@dataclass(frozen=True, slots=True)
class Module:
    """One translation unit: its types and globals, and the text of its functions."""

    name: str
    layout: DataLayout
    globals: dict[str, Global]
    ranges: dict[int, tuple[int, int]]
    texts: dict[str, tuple[str, ...]]
    declared: frozenset[str]
    parsed: dict[str, IrFunction]
    lines: Lines = field(default_factory=Lines)

    def function(self, name: str) -> IrFunction | None:
        """The function's body, or None where this module has none. Raises IrError."""
        if name not in self.parsed and name in self.texts:
            self.parsed[name] = _Body(self).function(self.texts[name])
        return self.parsed.get(name)


def parse_module(text: str, name: str) -> Module:
    """Read everything but the functions' bodies.

    `name` is for messages and for symbols of this file alone.
    """
    layout_text, named = "", {}
    global_lines: list[str] = []
    texts: dict[str, tuple[str, ...]] = {}
    declared = set()
    rows = []
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith("define "):
            body = [line]
            for inner in lines:
                if inner == "}":
                    break
                body.append(inner)
            found = _DEFINE.match(line)
            if found:
                texts[unquote(found[1])] = tuple(body)
        elif line.startswith("target datalayout"):
            layout_text = line.split('"')[1]
        elif line.startswith("%") and " = type " in line:
            head, _, body_text = line.partition(" = type ")
            if body_text != "opaque":
                try:
                    named[unquote(head)] = Tokens(body_text).type()
                except IrError:
                    continue  # a vector or a float in a type: who uses it will find no such type
        elif line.startswith("@"):
            global_lines.append(line)
        elif line.startswith("!"):
            rows.append(line)
        elif line.startswith("declare "):
            match = re.search(r'@("[^"]*"|[-\w$.]+)\(', line)
            if match:
                declared.add(unquote(match[1]))
    layout = _layout(layout_text, named)
    globals_ = {g.name: g for g in map(_global, global_lines)}
    ranges = {int(m[1]): (int(m[2]), int(m[3])) for m in _META_RANGE.finditer(text)}
    return Module(name, layout, globals_, ranges, texts, frozenset(declared), {}, Lines(rows))


def _layout(text: str, named: dict[str, Type]) -> DataLayout:
    pointer, aligns = 8, {}
    for part in text.split("-"):
        fields = part.split(":")
        if fields[0] == "p":
            pointer = int(fields[1]) // 8
        elif re.fullmatch(r"i\d+", fields[0]):
            aligns[int(fields[0][1:])] = int(fields[1]) // 8
    return DataLayout(text.startswith("E"), pointer, aligns, named)


def _global(line: str) -> Global:
    tokens = Tokens(line)
    name = unquote(tokens.next())
    try:
        tokens.need("=")
        words = tokens.flags(_LINKAGE)
        kind_word = tokens.next()
        if kind_word not in ("global", "constant"):
            return Global(name, Void(), False, None)
        kind = tokens.type()
        external = "external" in words or "extern_weak" in words
        value = None if external else tokens.operand(kind)
        return Global(
            name, kind, kind_word == "constant", value, "internal" in words or "private" in words
        )
    except IrError:
        return Global(name, Void(), False, None)


class _Body:
    """The body of one function."""

    def __init__(self, module: Module) -> None:
        self.module = module

    def function(self, lines: tuple[str, ...]) -> IrFunction:
        head = Tokens(lines[0])
        head.need("define")
        head.flags(_LINKAGE | CALL_WORDS)
        noundef, bounds, _ = head.attributes()
        returns = head.type()
        name = unquote(head.next())
        head.need("(")
        params = []
        while not head.take(")"):
            if head.take("..."):
                continue
            kind = head.type()
            must, limits, element = head.attributes()
            params.append(IrParam(unquote(head.next()), kind, must, limits, element))
            head.take(",")
        blocks = self._blocks(_joined(lines[1:]), len(params))
        return IrFunction(name, returns, tuple(params), blocks, bounds, noundef)

    def _blocks(self, lines: list[str], unnamed: int) -> tuple[BasicBlock, ...]:
        blocks: list[BasicBlock] = []
        label, instrs = str(unnamed), list[Instr]()
        for line in lines:
            if not line.strip() or line.lstrip().startswith(";"):
                continue
            found = _LABEL.match(line)
            if found:
                if instrs:
                    blocks.append(BasicBlock(label, tuple(instrs)))
                label, instrs = unquote(f'"{found[1]}"') if found[1] is not None else found[2], []
                continue
            instr = self._instr(line)
            if instr is not None:
                instrs.append(instr)
        blocks.append(BasicBlock(label, tuple(instrs)))
        return tuple(blocks)

    def _instr(self, line: str) -> Instr | None:
        tokens = Tokens(line)
        dest = None
        if tokens.kind() == "local":
            dest = unquote(tokens.next())
            tokens.need("=")
        if tokens.peek().startswith("#dbg"):
            return None
        op = tokens.next()
        if op in CALL_WORDS or op == "call":
            while op != "call":
                op = tokens.next()
            instr = read_call("call", dest, tokens)
        else:
            reader = READERS.get(op)
            if reader is None:
                raise IrError(f"instruction {op!r}")
            instr = reader(op, dest, tokens)
        return self._metadata(instr, tokens)

    def _metadata(self, instr: Instr, tokens: Tokens) -> Instr:
        """What follows an instruction: align, attribute groups, !range.

        Anything else is an error.
        """
        bounds, noundef, at = instr.bounds, instr.noundef, None
        while not tokens.done():
            word = tokens.next()
            if word == "align":
                tokens.number()
            elif word.startswith("#") or word in (
                ",",
                "nounwind",
                "noreturn",
                "readnone",
                "cold",
                "convergent",
                "memory",
            ):
                if tokens.peek() == "(":
                    tokens.skip_group()
            elif word == "!range":
                bounds = self._range(tokens.next())
            elif word == "!noundef":
                noundef = True
                tokens.next()
            elif word == "!dbg":
                at = int(tokens.next()[1:])
            elif word.startswith("!"):
                if tokens.peek().startswith("!"):
                    tokens.next()
            else:
                tokens.fail(f"{word!r} behind an instruction")
        if bounds == instr.bounds and noundef == instr.noundef and at is None:
            return instr
        return replace(instr, bounds=bounds, noundef=noundef, line=at)

    def _range(self, word: str) -> tuple[int, int]:
        number = word[1:]
        if not number.isdigit() or int(number) not in self.module.ranges:
            raise IrError(f"!range {word} is not one interval")
        return self.module.ranges[int(number)]



def _joined(lines: tuple[str, ...]) -> list[str]:
    """The lines with those of a switch, and callbr's targets, drawn together."""
    joined: list[str] = []
    opened = False
    for line in lines:
        if opened or line.lstrip().startswith("to label "):
            joined[-1] += " " + line.strip()
            if opened and line.strip().startswith("]"):
                opened = False
            continue
        joined.append(line)
        stripped = line.strip()
        opened = stripped.startswith("switch ") and stripped.endswith("[")
    return joined
