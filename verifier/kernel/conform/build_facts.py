# SPDX-License-Identifier: GPL-2.0-or-later
"""What a build's file says of functions and of names, in terms of the lifted code.

A build names constants of C (`X86_FEATURE_NX`, the offset of an operation in its table). Their
values are the tree's: `constant` gives the value of one, or None where the tree has not got it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from verifier.kernel.asm.actions import assembly, call_of, clearing, leave, returning
from verifier.kernel.asm.templates import Action
from verifier.kernel.asm.unlifted import calls_of, harmless
from verifier.kernel.llvm.objects import Object
from verifier.kernel.tree.build import Build, constant_name, operation_name
from verifier.kernel.tree.shapes import outside

__all__ = ["Facts"]


@dataclass(frozen=True, slots=True)
class Facts:
    """A build, the values of the constants that it names, and the functions that were assembled."""

    build: Build
    constant: Callable[[str], int | None]
    assembled: Collection[str]

    def named(self, text: str) -> str:
        """A reason with the names of the operations of a table: @table[offset] becomes
        table.member.
        """
        for table, member in self.build.members():
            offset = (
                self.constant(f"constant_{operation_name(table, member)}")
                if f"@{table}[" in text
                else None
            )
            if offset is not None:
                text = text.replace(f"@{table}[{offset}]", f"{table}.{member}")
        return text

    def labelled(self, note: str) -> str:
        """A note in which C's name of a feature takes the place of its number, and operations have
        names.
        """
        note = self.named(note)
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
            name: self.constant(f"constant_{constant_name(constant)}")
            for name, (constant, _why) in self.build.returns.items()
        }
        return {name: number for name, number in numbers.items() if number is not None}

    def actions(self) -> dict[str, Action]:
        """Function -> what it does in place of its own body.

        These are functions that the architecture's file has among its `calls`, that the build puts
        out of scope, binds to machine code, or takes to return a constant.
        """
        found = {
            **calls_of(self.build.kernel),
            **{name: leave(why) for name, why in self.build.out_of_scope.items()},
        }
        found |= {
            outside(premise.name): leave(premise.otherwise) for premise in self.build.premises
        }
        for table, member in self.build.members():
            operation = f"{table[1:]}->{member}"
            offset = (
                self.constant(f"constant_{operation_name(table, member)}")
                if table.startswith("*")
                else None
            )
            if offset is not None and harmless(self.build.kernel, operation) is not None:
                found[f"**@{table[1:]}[0][{offset}]"] = call_of(operation)
        found |= {
            name: returning(number, self.build.returns[name][1])
            for name, number in self.returned().items()
        }
        for operation, (function, why) in self.build.bound.items():
            table, _, member = operation.partition(".")
            offset = self.constant(f"constant_{operation_name(table, member)}")
            if offset is not None and function in self.assembled:
                found[f"*@{table}[{offset}]"] = assembly(function, why)
        return found

    def clearing(self, entries: Mapping[str, Object]) -> dict[str, Action]:
        """Functions that clear bits of the entry that the helper was given -> what they do.

        `entries` has the entry once arguments are made.
        """
        found: dict[str, Action] = {}
        for name, (constant, why, atomic) in self.build.clears.items():
            bits = self.constant(f"constant_{constant_name(constant)}")
            if bits is not None:
                found[name] = clearing(entries, bits, why, atomic)
        return found
