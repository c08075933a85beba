# SPDX-License-Identifier: GPL-2.0-or-later
"""What `blocks` prints: theorems about blocks, and traces with one line a step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from verifier.base.columns import columns, page, wrap
from verifier.blocks.contpte import Contpte, HelperMistake
from verifier.blocks.model import BlockModel, cell
from verifier.blocks.read import Blocks
from verifier.blocks.run import BlockFailure, BlockTheorem, Mistake
from verifier.blocks.search import BlockMove
from verifier.blocks.world import BlockWorld, named
from verifier.language.algebra import Integers
from verifier.language.evaluate import truth_of
from verifier.language.machine import Key
from verifier.prove.recompute import input_reader

__all__ = ["blocks_data", "blocks_table", "blocks_text", "contpte_table", "mistakes_text"]

_NAMES = "AB3"
_HEAD = ("step", "property", "verdict", "smallest block", "trace")


def blocks_text(blocks: Blocks, theorems: Iterable[BlockTheorem], traces: bool) -> str:
    """The theorems, each with its failures, and with their traces where these are asked for."""
    return "\n\n".join(_theorem(blocks, one, traces) for one in theorems)


def _theorem(blocks: Blocks, theorem: BlockTheorem, traces: bool) -> str:
    found = [f"{theorem.name}: {_verdict(theorem)}", _sizes(theorem)]
    if theorem.failures:
        rows = [(one.step, one.property, _word(one), str(one.smallest), _length(one))
                for one in theorem.failures]
        found += ["", *("  " + line for line in _table([_HEAD, *rows], page().width - 2))]
    if traces:
        for one in theorem.failures:
            if one.trace:
                found += ["", f"  {one.step} breaks {one.property}:",
                          *_trace(theorem.models[one.smallest], one.trace)]
    late = [f"{name} ({blocks.since[name]})" for name in theorem.steps if name in blocks.since]
    if late:
        found += ["", wrap(f"Read in a later version alone: {', '.join(late)}.", "  ", "  ")]
    if theorem.idle:
        found += ["", wrap(f"VACUOUS, they change nothing: {', '.join(theorem.idle)}.", "  ", "  ")]
    return "\n".join(found)


def _table(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    return list(chain(*columns(rows, width, whole=tuple(range(len(rows[0]))))))


def _verdict(theorem: BlockTheorem) -> str:
    if theorem.refuted:
        return "REFUTED"
    return "UNKNOWN" if theorem.failures else "VACUOUS" if theorem.idle else "PROVED"


def _word(failure: BlockFailure) -> str:
    return "REFUTED" if failure.trace else "UNKNOWN"


def _length(failure: BlockFailure) -> str:
    count = len(failure.trace)
    if count:
        return f"{count} step{'s' if count > 1 else ''}"
    return f"none of {failure.searched}" if failure.searched else "not searched"


def _sizes(theorem: BlockTheorem) -> str:
    first, last = theorem.sizes[0], theorem.sizes[-1]
    asked = f"Blocks of {first} to {last} entries" if first != last else f"Blocks of {first}"
    if theorem.size is not None:
        return wrap(_contiguous(theorem), "  ", "  ")
    if theorem.every_size:
        return wrap(f"{asked} were asked, which stands for every size.", "  ", "  ")
    if theorem.looking:
        why = f"{', '.join(theorem.looking)} may look at an entry's frame"
    else:
        why = f"it takes all from 1 to {theorem.cut_off}"
    return wrap(f"{asked} were asked. Nothing is claimed of other sizes: {why}.", "  ", "  ")


def _contiguous(theorem: BlockTheorem) -> str:
    """Of contiguous blocks, which have one size: what was asked, and what it stands for."""
    asked = ", ".join(str(size) for size in theorem.sizes)
    said = f"With CONFIG_ARM64_CONTPTE. Blocks of {asked} entries were asked"
    if theorem.every_size:
        return f"{said}; {theorem.cut_off} stand for the {theorem.size} that a block has."
    why = (f"{', '.join(theorem.looking)} may look at an entry's frame" if theorem.looking
           else f"{theorem.cut_off} stand for these")
    return f"{said}. Nothing is claimed of the {theorem.size} that a block has: {why}."


def _trace(model: BlockModel, moves: Sequence[BlockMove]) -> list[str]:
    """One line a step: each process's entries as write, dirty, and how they read."""
    shown = [0] + ([1] if any(_maps(model, move.after, 1) for move in moves) else [])
    head = ["step", *(f"{_NAMES[p]}, page {i}" for p in shown for i in range(model.size)),
            "folio", "others"]
    rows = [[f"{number}  {move.instance.label}",
             *(_entry(model, move.after, p, i) for p in shown for i in range(model.size)),
             "dirty" if move.after["folio_dirty"] else "-", _third(model, move.after)]
            for number, move in enumerate(moves, 1)]
    return ["    " + line for line in _table([head, *rows], 200)]


def _maps(model: BlockModel, state: Mapping[Key, int | bool], process: int) -> bool:
    return any(state[cell("reach", process, page)] for page in range(model.size))


def _third(model: BlockModel, state: Mapping[Key, int | bool]) -> str:
    pages = [str(i) for i in range(model.size) if state[f"third_maps/{i}"]]
    return f"map {', '.join(pages)}" if pages else "-"


def _entry(model: BlockModel, state: Mapping[Key, int | bool], process: int, number: int) -> str:
    alg, reader = Integers(), input_reader({})
    world = BlockWorld(model, alg, dict(state), reader, model.memory(alg, reader))
    word = int(state[cell("entry", process, number)])

    def holds(name: str) -> bool:
        return truth_of(world, model.layout.helper(name), (word,))

    if not holds("pte_present"):
        return "-"
    reading = model.definition("readings", "exclusive_now")
    assert reading is not None
    reads = "ex" if truth_of(world, reading, (process, number)) else "sh"
    pinned = " pinned" if state[cell("pinned", process, number)] else ""
    folded = " c" if model.folds is not None and holds("pte_cont") else ""
    return f"[{int(holds('pte_write'))},{int(holds('pte_dirty'))}] {reads}{folded}{pinned}"


def blocks_table(blocks: Blocks, today: BlockTheorem, mended: BlockTheorem) -> str:
    """Each batch: what breaks with today's code, in how small a block, and what mends it."""
    rows = []
    for name, rule in blocks.rules.items():
        broken = [one for one in today.failures if one.step == name]
        still = any(one.step == name for one in mended.failures)
        what = ", ".join(f"{one.property} ({one.smallest})" for one in broken)
        rows.append((name, what or "keeps all", "NOT PROVED" if still else "proved", rule))
    head = ("step", "today breaks (smallest block)", "mended", "rule")
    lines = chain(*columns([head, *rows], page().width, whole=(0, 2)))
    return "\n".join([f"{today.name}, and {mended.name}", "", *lines])


def contpte_table(contpte: Contpte, mended: BlockTheorem, today: Sequence[Mistake]) -> str:
    """Each hazard of contiguous blocks: what its text of today breaks among mended ones."""
    rows = []
    still = {one.step for one in mended.failures}
    own = contpte.blocks.hazards
    for name, hazards, rule in [
            *((h.name, h.hazards, h.rule) for h in contpte.helpers.values() if h.hazards),
            *((step, own[step], contpte.blocks.rules[step]) for step in own)]:
        found = [f for one in today if isinstance(one.planted, HelperMistake)
                 and one.planted.helper == name for f in one.failures]
        what = ", ".join(f"{f.step}: {f.property} ({f.smallest}; {_length(f)})" for f in found)
        rows.append((", ".join(hazards), name, what or "keeps all",
                     "NOT PROVED" if still and (name in still or name in contpte.helpers)
                     else "proved", rule))
    head = ("hazard", "helper or step", "today breaks (smallest block; trace)", "mended", "rule")
    lines = chain(*columns([head, *rows], page().width, whole=(0, 3)))
    return "\n".join([f"{mended.name}, and each helper as it is today among mended ones", "",
                      *lines])


def mistakes_text(mistakes: Sequence[Mistake]) -> str:
    """What became of planted mistakes: each, and the smallest block that shows it."""
    rows = []
    for one in mistakes:
        found = (f"breaks {one.planted.breaks}" if one.smallest is not None
                 else "NOT NOTICED")
        where, code = ((one.planted.helper, f"{one.planted.of}+{one.planted.name}")
                       if isinstance(one.planted, HelperMistake)
                       else (one.planted.transition, one.planted.code))
        rows.append((where, f"{one.planted.encoding}/{code}", found, str(one.smallest or "-")))
    head = ("step", "code and mistake", "noticed", "smallest block")
    return "\n".join(_table([head, *rows], page().width))


def blocks_data(theorems: Iterable[BlockTheorem]) -> list[dict[str, Any]]:
    """The theorems as plain data."""
    return [{
        "theorem": one.name, "verdict": _verdict(one), "sizes": list(one.sizes),
        "cut_off": one.cut_off, "every_size": one.every_size, "steps": list(one.steps),
        "failures": [{
            "step": f.step, "property": f.property, "verdict": _word(f), "smallest": f.smallest,
            "trace": [_move(move) for move in f.trace],
        } for f in one.failures],
    } for one in theorems]


def _move(move: BlockMove) -> dict[str, Any]:
    changed = {named(key): value if isinstance(value, bool) else f"{value:#x}"
               for key, value in move.after.items() if move.before[key] != value}
    return {"step": move.instance.label,
            "inputs": {name: value if isinstance(value, bool) else f"{value:#x}"
                       for name, value in move.inputs.items()},
            "changes": changed}
