# SPDX-License-Identifier: GPL-2.0-or-later
"""Steps as a table: each entry, how it reads, and what is true."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from verifier.base.columns import columns, page, wrap
from verifier.language.algebra import Integers
from verifier.language.evaluate import truth_of
from verifier.language.machine import Machine
from verifier.model.typed import Model
from verifier.model.world import World, turn_name
from verifier.prove.recompute import input_reader
from verifier.prove.results import Move, State

__all__ = ["PEOPLE", "moves_text", "reads_as", "shown"]

PEOPLE = ("A", "B", "other")
_HEAD = ("who", "entry", "write dirty uffd", "reads as", "really")
_INDENT = " " * 5


def moves_text(model: Model, moves: Sequence[Move]) -> str:
    """The steps, each with a table of the entries that matter, how they read, and what is true."""
    rows = [[[PEOPLE[p], *_reading(model, move.after, p)] for p in (0, 1)
             if p in move.roles or move.before["entry", p] != move.after["entry", p]
             or (number == len(moves) - 1 and move.after["reach", p])]
            for number, move in enumerate(moves)]
    head, *lines = columns([_HEAD, *chain(*rows)], page().width - len(_INDENT), whole=(0, 1, 2))
    left = iter(lines)
    told = [_INDENT + line for line in head]
    for number, (move, mine) in enumerate(zip(moves, rows, strict=True)):
        told.append(_title(model, number, move))
        told += [_INDENT + line for _ in mine for line in next(left)]
    return "\n".join(told)


def _title(model: Model, number: int, move: Move) -> str:
    """What happens in a step, with what, and what threads do inside it."""
    inside, threads = _inside(model, move)
    chosen = ", ".join(n.split("@")[0] if v is True else f"{n}={v:#x}"
                       for n, v in sorted(move.inputs.items())
                       if v and not n.startswith("shadow_stack") and n not in inside)
    return wrap(f"{number}  {move.transition}" + (f", with {chosen}" if chosen else "") + threads,
                "  ", _INDENT)


def _inside(model: Model, move: Move) -> tuple[set[str], str]:
    """The inputs that let threads go on inside a step, and what they did, in their order."""
    names, told = set(), ""
    for thread, steps in model.threads:
        for process in (0, 1):
            taken = []
            for step in steps:
                own = [name for name, value in move.inputs.items()
                       if value and name.startswith(f"{turn_name(step, process)}@")]
                names.update(own)
                taken += [step.name.removeprefix(f"{thread.name}-")] if own else []
            if taken:
                told += f"; inside it {thread.name} of {PEOPLE[process]}: {', '.join(taken)}"
    return names, told


def _reading(model: Model, state: State, process: int) -> list[str]:
    layout = model.layout
    entry = int(state["entry", process])
    machine, level = shown(model), model.level_in(state, process)
    seen = model.seen(machine, entry, level)

    def holds(name: str) -> str:
        return str(int(truth_of(machine, model.reading(name, level), (seen,))))

    present = holds("pte_present") == "1"
    bits = ([holds("pte_write"), holds("pte_dirty"), holds("pte_uffd_wp")] if present
            else ["-", "-", "-"])
    return [f"0x{entry:0{layout.width // 4}x}", "{:5} {:5} {}".format(*bits),
            reads_as(model, state, process),
            _really(state, process)]


def shown(model: Model) -> Machine[int, bool]:
    """What reads entries for reports: by this model's helpers; what lifted ones leave open is 0."""
    return model.machine(Integers(), input_reader({}))


def _world(model: Model, state: State) -> World[int, bool]:
    alg, reader = Integers(), input_reader({})
    return World(model, alg, dict(state), reader, model.memory(alg, reader))


def _ask(model: Model, state: State, section: str, name: str, *args: int) -> bool:
    function = model.definition(section, name)
    assert function is not None
    return truth_of(_world(model, state), function, args)


def reads_as(model: Model, state: State, process: int) -> str:
    """How the encoding reads a process's entry: exclusive, maybe shared, none, or another page's.
    """
    if not _ask(model, state, "views", "refers", process):
        machine, level = shown(model), model.level_in(state, process)
        seen = model.seen(machine, int(state["entry", process]), level)
        return ("none" if truth_of(machine, model.reading("none", level), (seen,))
                else "another page")
    kind = next((word for view, word in (("swapped", "swap, "), ("migrating", "migration, "),
                                         ("on_device", "device, "),
                                           ("in_device_memory", "device memory, "))
                 if _ask(model, state, "views", view, process)), "")
    exclusive = _ask(model, state, "readings", "exclusive_now", process)
    return kind + ("exclusive" if exclusive else "maybe shared")


def _really(state: State, process: int) -> str:
    words = []
    if state["reach", 1 - process]:
        words.append(f"also reached by {PEOPLE[1 - process]}")
    if (state["third_maps"] or state["third_swaps"] or state["third_migrates"]
            or state["third_reads"]):
        words.append("also used by a third process")
    if state["granted", process]:
        words.append("exclusive")
    if state["reader", 1 - process]:
        words.append(f"{PEOPLE[1 - process]} holds a reference")
    for name in ("pinned", "newer"):
        if state[name, process]:
            words.append(name)
    if state["reach", process] and not words:
        words.append("maybe shared")
    return ", ".join(words)
