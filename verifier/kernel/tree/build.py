# SPDX-License-Identifier: GPL-2.0-or-later
"""One configuration of the kernel: for which variants it stands, and what it has set up at run
time.

archs/common.yaml says what each part means; `builds` reads them.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from verifier.kernel.tree.lookalike import Lookalike

__all__ = [
    "BIG_ENDIAN",
    "FOUR_TIMES",
    "IN_TABLES",
    "BootAxiom",
    "Build",
    "Emulated",
    "Feature",
    "Premise",
    "constant_name",
    "operation_name",
]

# how entries lie in memory
BIG_ENDIAN, IN_TABLES, FOUR_TIMES = "big-endian", "in tables", "four times"


@dataclass(frozen=True, slots=True)
class BootAxiom:
    """A named word of the lifted code has this value once the kernel has booted.

    A word &NAME is where a global lies.
    """

    name: str
    word: str
    bits: int
    value: int
    why: str

    def __str__(self) -> str:
        return self.why


@dataclass(frozen=True, slots=True)
class Feature:
    """What a feature of arch/ is in the lifted code: the truth `name` or a bit of `bitmap`, with
    C's number, or a global byte.

    Where `within` names a member of a structure, the bitmap is such a structure, and the number is
    a mask of that member. `keys` is an array of static keys, one for each bit, of which the number
    is a mask. `masks`: words that have all bits, less C's mask of each where the feature is not
    there.
    """

    name: str | None
    number: str | None
    bitmap: str | None
    global_: str | None
    within: str | None = None
    keys: str | None = None
    masks: Mapping[str, str] = field(default_factory=dict)

    @property
    def constants(self) -> dict[str, str]:
        """C's names of the numbers that it rests on, and C for each."""
        found = {mask: f"__builtin_ctzll({mask})" for mask in self.masks.values()}
        return found if self.number is None else {**found, self.number: self.expression}

    @property
    def expression(self) -> str:
        """C for the number, and for that of a static key its place in the array."""
        if self.keys is not None:
            return f"sizeof({self.keys}[0]) * __builtin_ctzl({self.number})"
        if self.within is None:
            return self.number or ""
        structure, _, member = self.within.partition(".")
        return (
            f"8 * __builtin_offsetof(struct {structure}, {member}) + __builtin_ctzll({self.number})"
        )


@dataclass(frozen=True, slots=True)
class Premise:
    """What holds, in C, of the arguments of wrappers of these helpers (globs).

    Elsewhere the model says nothing, and `otherwise` is why.
    """

    name: str
    helpers: tuple[str, ...]
    holds: str
    otherwise: str


@dataclass(frozen=True, slots=True)
class Emulated:
    """The architecture's own compiler, and the emulator of its programs.

    flags     of the compiler, and `link`: those when linking
    packages  Debian's, of compiler and emulator
    syscall   C of a system call on number, a, b and c, where the C library does not run: then none
              is linked
    """

    compiler: str
    flags: tuple[str, ...]
    link: tuple[str, ...]
    emulator: tuple[str, ...]
    packages: tuple[str, ...]
    # C of a system call on number, a, b and c, where the C library does not run: then none is
    # linked
    syscall: str = ""


@dataclass(frozen=True, slots=True)
class NativeMachine:
    """A kind of computer that runs a build's code, as replay/native.py compiles it.

    machine   its name, as uname has it
    flags     what clang is told
    zero      assembly of a function that returns 0
    compiler  on other computers: who compiles the program that calls helpers; "": nobody
    emulator  on other computers: the command that runs it
    """

    machine: str
    flags: tuple[str, ...]
    zero: str
    compiler: str = ""
    emulator: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Build:
    """One configuration of the kernel."""

    name: str
    kernel: str
    make: str
    base: str
    options: tuple[str, ...]
    variants: tuple[str, ...]
    sources: tuple[str, ...]
    features: Mapping[str, Feature]
    axioms: tuple[BootAxiom, ...]
    as_initialised: tuple[str, ...]
    boot: Mapping[str, str]  # helper -> a function that has run before
    returns: Mapping[str, tuple[str, str]]  # function -> a constant of C, and why
    clears: Mapping[
        str, tuple[str, str, bool]
    ]  # function -> a constant of C, bits that it clears in the entry, why, and is it one step
    out_of_scope: Mapping[str, str]
    # the target that stands in where clang has none for the architecture
    lookalike: Lookalike | None
    # global table of functions -> members, to name what is called
    operations: Mapping[str, tuple[str, ...]]
    premises: tuple[Premise, ...]
    # operation -> a function of the sources' assembly that is called, and why
    bound: Mapping[str, tuple[str, str]]
    entries: tuple[str, ...] = ()  # how they lie in memory
    unequal: Mapping[str, str] = field(
        default_factory=dict
    # helper that leaves the four words of an entry unequal, of which the first is compared -> why
    )
    emulated: Emulated | None = None
    native: NativeMachine | None = None  # where its code runs as machine code
    # declarations of functions that are static in a source, so that wrappers may call them
    statics: tuple[str, ...] = ()
    # may wrappers have in them what the headers' functions do: then those cannot be named
    inline: bool = True

    def premises_of(self, helper: str) -> dict[str, str]:
        """Name and C of each premise about a helper."""
        return {
            p.name: p.holds
            for p in self.premises
            if any(fnmatch.fnmatchcase(helper, glob) for glob in p.helpers)
        }

    def addresses(self) -> dict[str, tuple[int, str]]:
        """Globals of which an axiom says where they lie: name -> address, and why."""
        return {a.word[1:]: (a.value, a.why) for a in self.axioms if a.word.startswith("&")}

    def members(self) -> list[tuple[str, str]]:
        """(table, member) of every operation. A table that begins with * is a pointer to one."""
        return [(table, member) for table, found in self.operations.items() for member in found]

    @property
    def lines(self) -> list[str]:
        """The options as lines of a .config."""
        return [
            f"# CONFIG_{o[:-2]} is not set" if o.endswith("=n") else f"CONFIG_{o}"
            for o in self.options
        ]


def constant_name(expression: str) -> str:
    """The constant that has the value of an expression of C.

    >>> constant_name("PAGE_SIZE / SZ_4K")
    'PAGE_SIZE___SZ_4K'
    """
    return re.sub(r"\W", "_", expression)


def operation_name(table: str, member: str) -> str:
    """The constant that says where in its table an operation is.

    >>> operation_name("pv_ops", "mmu.set_pte"), operation_name("*ops", "flush")
    ('pv_ops_mmu_set_pte', 'at_ops_flush')
    """
    return f"{table}_{member}".replace(".", "_").replace("*", "at_")
