# SPDX-License-Identifier: GPL-2.0-or-later
r"""What archs/*.yaml say of assembly, of functions of assembly, and of functions that do nothing.

    assembly:
      comments: "#"              what begins a comment in a template; `//` where nothing is said
      sizes: {l: 4, q: 8}        suffix of an instruction (group `size`) -> bytes of memory
      parts:                     texts of patterns that stand in others as {NAME}
        BARRIER: "sync|isync"
      statements:                what a whole template does: an operation, with its parameters
        - {template: "{BARRIER}", does: nothing, note: memory barriers}
        - {template: 'xchg \${old}, \${mem}', does: fetch, op: swap, atomic: true}
      branches:                  asm goto: a named truth, and when each way is gone, the first being
        - truth: extension       that of falling through: `with` it, `without` it, or `never`
          ways: [with, without]
          template: 'nop {number}'
    calls:                       function -> what it does, before its own body is looked at
      arch_atomic_set: {does: store, address: 0, value: 1, size: 4, note: why}
    harmless:                    function (a glob) -> why it changes no entry, no vma and no folio
      "flush_tlb_*": flushes the translation buffer

A template is a regular expression for all of the assembly's text, in which white space is one
space. {name} is the number of an operand: where it first stands any, then the same again. `atomic`
is true, or the group that has something where the statement is one event.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from verifier.base.errors import SpecError, nearest
from verifier.kernel.asm import arm64, operations, powerpc, riscv, s390, x86
from verifier.kernel.asm.operations import Operation
from verifier.kernel.asm.templates import Action, Statement
from verifier.kernel.llvm.access import store_scalar
from verifier.kernel.llvm.context import Context
from verifier.kernel.llvm.ir import Instr
from verifier.kernel.llvm.ways import WayState
from verifier.kernel.tree.arch_files import arch_files, kernels_of
from verifier.language.read_yaml import Items, Source, Table

__all__ = ["Assembly", "Branch", "assembly_of", "read_assembly"]

# What `does:` may name: operations of all architectures, and those of one.
_OPERATIONS: Mapping[str, Mapping[str, Operation]] = {
    "x86": x86.OPERATIONS,
    "arm64": arm64.OPERATIONS,
    "s390": s390.OPERATIONS,
    "riscv": riscv.OPERATIONS,
    "powerpc": powerpc.OPERATIONS,
}
_WAYS = ("never", "with", "without")
_PART = re.compile(r"\{([A-Z][A-Z_0-9]*)\}")
_OPERAND = re.compile(r"\{([a-z][a-z_0-9]*)\}")


class Branch(NamedTuple):
    """A pattern for the template of an asm goto.

    truth  what it asks for, to which the number is put that the group `number` has, or the argument
           of the group `operand`
    ways   when falling through and each label are gone: `with` the truth, `without` it, or `never`
    """

    pattern: re.Pattern[str]
    truth: str
    ways: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Assembly:
    """All that is said of one architecture of the kernel's."""

    comments: str = "//"
    statements: tuple[Statement, ...] = ()
    branches: tuple[Branch, ...] = ()
    calls: Mapping[str, Action] = field(default_factory=dict)
    harmless: Mapping[str, str] = field(default_factory=dict)

    def with_(self, other: Assembly) -> Assembly:
        """This, and what another file says of the same architecture."""
        return Assembly(
            self.comments if other.comments == "//" else other.comments,
            (*self.statements, *other.statements),
            (*self.branches, *other.branches),
            {**self.calls, **other.calls},
            {**self.harmless, **other.harmless},
        )


@cache
def assembly_of(kernel: str) -> Assembly:
    """What archs/ says of a folder of the kernel's arch/ and of all of them.

    SpecError where a file says something that cannot be, with its place.
    """
    return read_assembly(kernel, arch_files())


def read_assembly(kernel: str, files: Iterable[Table]) -> Assembly:
    """What these files say of a folder of the kernel's arch/.

    Of that folder are files that have a build of it, or no build.
    """
    found = Assembly()
    for top in files:
        kernels = kernels_of(top)
        if not kernels or kernel in kernels:
            found = found.with_(_read(top, kernel))
    return found


def _read(top: Table, kernel: str) -> Assembly:
    table = top.get_as("assembly", Table, Table(top.where))
    table.only(("comments", "sizes", "parts", "statements", "branches"), "assembly")
    sizes = table.get_as("sizes", Table, Table(table.where))
    numbers = {name: sizes.need(name, int, "sizes") for name in sizes}
    named = table.get_as("parts", Table, Table(table.where))
    parts = {name: named.text(name, "parts") for name in named}
    calls = top.get_as("calls", Table, Table(top.where))
    harmless = top.get_as("harmless", Table, Table(top.where))
    return Assembly(
        table.text("comments", "assembly") if "comments" in table else "//",
        tuple(
            _statement(record, kernel, parts, numbers) for record in _records(table, "statements")
        ),
        tuple(_branch(record, parts) for record in _records(table, "branches")),
        {name: _call(calls.need(name, Table, "calls")) for name in calls},
        {glob: harmless.text(glob, "harmless") for glob in harmless},
    )


def _records(table: Table, key: str) -> list[Table]:
    """The mappings of a list."""
    items = table.get_as(key, Items, Items(table.where))
    return items.each(Table, f"one of {key} must be a mapping")


def _pattern(record: Table, parts: Mapping[str, str]) -> re.Pattern[str]:
    """The pattern of a template: parts in their places, and operands as groups."""
    where, text = record.at.get("template", record.where), record.text("template", "assembly")
    seen: set[str] = set()

    def part(match: re.Match[str]) -> str:
        if match[1] not in parts:
            raise SpecError(where, f"no part {match[1]!r}{nearest(match[1], parts)}")
        return parts[match[1]]

    def operand(match: re.Match[str]) -> str:
        again = match[1] in seen
        seen.add(match[1])
        return rf"(?P={match[1]})" if again else rf"(?P<{match[1]}>\d+)"

    try:
        return re.compile(_OPERAND.sub(operand, _PART.sub(part, text)))
    except re.error as error:
        raise SpecError(where, f"no regular expression: {error}") from None


def _statement(
    record: Table, kernel: str, parts: Mapping[str, str], sizes: Mapping[str, int]
) -> Statement:
    pattern = _pattern(record, parts)
    known = {**operations.OPERATIONS, **_OPERATIONS.get(kernel, {})}
    name = record.text("does", "a statement")
    if name not in known:
        raise SpecError(
            record.at["does"],
            f"no operation {name!r}{nearest(name, known) or '; there are ' + ', '.join(known)}",
        )
    operation = known[name]
    record.only(
        ("template", "does", "atomic", *operation.needs, *operation.takes),
        f"a statement that does {name}",
    )
    for group in operation.operands:
        if group not in pattern.groupindex:
            raise SpecError(record.at["template"], f"{name} needs an operand {{{group}}}")
    for parameter in operation.needs:
        if parameter not in record and parameter not in pattern.groupindex:
            raise SpecError(
                record.where, f"{name} needs {parameter!r}, or a group of that name in the template"
            )
    given = {
        key: record.text(key, name) if kind is str else record.need(key, kind, name)
        for key, kind in {**operation.needs, **operation.takes}.items() if key in record
    }
    return Statement(pattern, operation.make(given), _atomic(record, pattern), sizes)


def _atomic(record: Table, pattern: re.Pattern[str]) -> bool | str:
    """Is a statement one event: true, false, or the group that says so?"""
    atomic = record.get_as("atomic", (bool, Source), False)
    if isinstance(atomic, bool):
        return atomic
    if atomic.text not in pattern.groupindex:
        raise SpecError(record.at["atomic"], f"the template has no group {atomic.text!r}")
    return str(atomic.text)


def _branch(record: Table, parts: Mapping[str, str]) -> Branch:
    record.only(("template", "truth", "ways"), "a branch")
    pattern, ways = _pattern(record, parts), record.texts("ways", "ways")
    if len(ways) < 2 or not {*ways} <= {*_WAYS}:
        raise SpecError(record.where, f"a branch has two ways or more, each of {', '.join(_WAYS)}")
    if not {"number", "operand"} & pattern.groupindex.keys():
        raise SpecError(
            record.at["template"],
            "a branch needs {number}, a number, or {operand}, an operand that is one",
        )
    return Branch(pattern, record.text("truth", "a branch"), ways)


def _call(record: Table) -> Action:
    name = record.text("does", "a call")
    if name == "physical-address":
        record.only(("does",), f"a call that does {name}")
        return s390.physical_address
    if name != "store":
        raise SpecError(record.at["does"], f"a call does store or physical-address, not {name!r}")
    record.only(("does", "address", "value", "size", "note"), f"a call that does {name}")
    address, value, size = (record.need(key, int, name) for key in ("address", "value", "size"))
    note = record.text("note", name)

    def call(l: Context, instr: Instr, args: list[Any], state: WayState) -> None:
        l.note(note)
        store_scalar(
            l,
            l.values.as_address(args[address], l.pointer_width),
            size,
            l.values.as_word(args[value]),
            state,
        )

    return call
