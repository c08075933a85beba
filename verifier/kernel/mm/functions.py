# SPDX-License-Identifier: GPL-2.0-or-later
"""What a function of mm/ is called with, what stands in for what it calls, and what is compared.

These are the records of the files beside this one; `calls.yaml` says what the keys mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from verifier.language.read_yaml import Source

__all__ = ["Argument", "Calls", "Condition", "MmFunction", "Stub", "MmWorld"]


@dataclass(frozen=True, slots=True)
class Argument:
    """A parameter of a function's wrapper: its declaration in C, and what it is.

    kind   `entry`: a pointer to the entry of a process; `target`: to an empty one, to which that
           entry may be moved; `truth` and `word`: an input of the step;
           `page`: the struct page of a frame that is an input of the step; `free`: anything
    input  the name of that input, as the step asks for it; of an entry, the role
    """

    kind: str
    name: str
    declaration: str
    input: str = ""


@dataclass(frozen=True, slots=True)
class Stub:
    """C that takes the place of a function of the kernel; @ stands for its name.

    OBSERVE(NAME) in it is what the step observes under that name, each time anew. OUTSIDE(NAME)
    leaves what is compared, for a reason that the function gives.
    """

    name: str
    code: str
    because: str


@dataclass(frozen=True, slots=True)
class Condition:
    """A sentence about visible state and the step's inputs; it holds for the reason given."""

    name: str
    holds: Source
    because: str


@dataclass(frozen=True, slots=True)
class MmWorld:
    """What wrappers share.

    flags     visible state -> the bit of page->flags that it is
    vma       flags of a vma -> the state of its process that they are
    never     flags that a vma of the model has not -> why. It has no vm_ops either: it is anonymous
    lacking   inputs of steps that are false on variants without this feature
    set_up    C that runs first, for the page and each vma
    premises  what holds in every comparison
    """

    name: str
    flags: Mapping[str, str]
    vma: Mapping[str, str]
    never: Mapping[str, str]
    lacking: Mapping[str, str]
    set_up: str
    premises: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Calls:
    """What functions of the kernel do that are not lifted, for all.

    nothing  functions that do nothing to entries, flags of a page and vmas -> why
    """

    nothing: Mapping[str, str]
    stubs: Mapping[str, Stub]


@dataclass(frozen=True, slots=True)
class MmFunction:
    """One function of mm/ and the step that says what it does.

    name         of the record: that of the function, and after a dot the case that is compared
    file         of the kernel, and `function` in it
    beside       other files of the kernel, whose functions it calls
    covers       other functions of the file that are lifted with it: this is about them as well
    transition   the step
    tracks_new   is the page that the function brings the one that the model tracks?
    vmas         C name -> the role whose vma it is
    arguments    of the wrapper, in order
    call         C: what the wrapper does with its arguments; it sets a `result` that is compared
    before       C at the level of the file: declarations that the call needs
    stubs        those that the function calls, of `calls.yaml` and its own
    spare        names of those stubs that only another version of the function calls
    always       observations that are true whenever the function is called -> why
    never        observations that are false then -> why
    where        the part of the states that is compared
    outside      name in OUTSIDE(...) -> why nothing is compared there
    unreached    effects of the step that are not within what is compared -> why
    elsewhere    flushes that the step tells of and the function does not make -> who does
    also         steps that run the function on other entries, and say less -> why
    compare      visible state that is compared beside the entries, by name
    result       what the function returns, as an expression; None: it is not compared
    """

    name: str
    file: str
    function: str
    beside: tuple[str, ...]
    covers: tuple[str, ...]
    transition: str
    level: str
    world: MmWorld
    tracks_new: bool
    vmas: Mapping[str, str]
    arguments: tuple[Argument, ...]
    call: str
    before: str
    stubs: tuple[Stub, ...]
    spare: tuple[str, ...]
    always: Mapping[str, str]
    never: Mapping[str, str]
    where: tuple[Condition, ...]
    outside: Mapping[str, str]
    unreached: Mapping[str, str]
    elsewhere: Mapping[str, str]
    also: Mapping[str, str]
    compare: tuple[str, ...]
    result: Source | None
    variants: tuple[str, ...]

    @property
    def symbol(self) -> str:
        """The name in C: copy_nonpresent_pte.swap -> copy_nonpresent_pte_swap."""
        return self.name.replace(".", "_").replace("-", "_")

    def places(self) -> tuple[str, ...]:
        """What of the kernel this is about, as file:function: the function itself is the first."""
        return tuple(f"{self.file}:{name}" for name in (self.function, *self.covers))

    def entries(self) -> tuple[Argument, ...]:
        """The arguments that are pointers to entries."""
        return tuple(a for a in self.arguments if a.kind == "entry")
