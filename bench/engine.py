# SPDX-License-Identifier: GPL-2.0-or-later
"""What the engines cost by themselves: 1,000 questions like those about helpers of a page table
entry.

Run it as `python bench/engine.py [SEED]`. Ten random layouts of a 64-bit entry, twenty-five random
straight-line changes of it, four properties of each; the bit graph with python-sat, z3 with one
solver, and a fresh z3 solver for each question, which all have to give the same answers. Processor
time, so that other work on the machine disturbs little; read the ratios.
"""

from __future__ import annotations

import itertools
import random
import sys
import time
from dataclasses import dataclass
from typing import Any

from verifier.engine.answers import Undecided, Unsat
from verifier.engine.bits import Bits
from verifier.engine.bits_solver import BitsSolver
from verifier.engine.graph import Graph
from verifier.engine.native import core, new_graph
from verifier.engine.terms import Terms, z3_solver

WIDTH = 64
LAYOUTS, CHANGES = 10, 25
FIELDS = ("present", "write", "user", "accessed", "dirty", "soft_dirty", "special", "uffd_wp",
          "saved_dirty")


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the fields stand."""

    masks: dict[str, int]
    pfn: int


@dataclass(frozen=True, slots=True)
class Case:
    """A question in terms that every algebra can build: steps are (what, field) pairs."""

    layout: Layout
    steps: tuple[tuple[str, str], ...]
    field: str
    property: str


def cases(seed: int) -> list[Case]:
    """The questions; the same for the same seed."""
    draw = random.Random(seed)
    found = []
    for _ in range(LAYOUTS):
        low = draw.choice((10, 12))
        places = draw.sample([*range(low), *range(52, WIDTH)], len(FIELDS))
        layout = Layout({f: 1 << p for f, p in zip(FIELDS, places, strict=True)},
                        (1 << 52) - (1 << low))
        for _ in range(CHANGES):
            steps = tuple(
                (draw.choice(("set", "clear", "move", "modify", "if")), draw.choice(FIELDS))
                for _ in range(draw.randint(1, 4))
            )
            for prop in ("keeps-frame", "keeps-field", "never-loses", "idempotent"):
                found.append(Case(layout, steps, draw.choice(FIELDS), prop))
    return found


def apply(alg: Any, layout: Layout, steps: tuple[tuple[str, str], ...], pte: Any, prot: Any,
          flag: Any) -> Any:
    """The entry after the steps."""
    def has(entry: Any, mask: Any) -> Any:
        return alg.neg(alg.eq(alg.band(entry, mask, WIDTH), alg.word(0, WIDTH), WIDTH))

    for what, field in steps:
        mask = alg.word(layout.masks[field], WIDTH)
        without = alg.band(pte, alg.bnot(mask, WIDTH), WIDTH)
        if what == "set":
            pte = alg.bor(pte, mask, WIDTH)
        elif what == "clear":
            pte = without
        elif what == "move":
            saved = alg.word(layout.masks["saved_dirty"], WIDTH)
            pte = alg.ite(has(pte, mask), alg.bor(without, saved, WIDTH), without, WIDTH)
        elif what == "modify":
            keep = alg.word(layout.pfn | layout.masks["dirty"] | layout.masks["accessed"], WIDTH)
            pte = alg.bor(alg.band(pte, keep, WIDTH), alg.band(prot, alg.bnot(keep, WIDTH), WIDTH),
                          WIDTH)
        else:
            pte = alg.ite(flag, alg.bor(pte, mask, WIDTH), pte, WIDTH)
    return pte


def violated(alg: Any, case: Case) -> Any:
    """The condition under which the case's property fails."""
    pte, prot, flag = alg.input_word("pte",
                                     WIDTH), alg.input_word("prot", WIDTH), alg.input_bool("flag")
    after = apply(alg, case.layout, case.steps, pte, prot, flag)
    mask, zero = alg.word(case.layout.masks[case.field], WIDTH), alg.word(0, WIDTH)
    had = alg.neg(alg.eq(alg.band(pte, mask, WIDTH), zero, WIDTH))
    has = alg.neg(alg.eq(alg.band(after, mask, WIDTH), zero, WIDTH))
    if case.property == "keeps-frame":
        frame = alg.word(case.layout.pfn, WIDTH)
        return alg.neg(alg.eq(alg.band(pte, frame, WIDTH), alg.band(after, frame, WIDTH), WIDTH))
    if case.property == "keeps-field":
        return alg.neg(alg.same(had, has))
    if case.property == "never-loses":
        return alg.all(had, alg.neg(has))
    return alg.neg(alg.eq(after, apply(alg, case.layout, case.steps, after, prot, flag), WIDTH))


def run(alg: Any, solver: Any, asked: list[Case]) -> tuple[float, float, list[bool]]:
    """Milliseconds of processor time to build and to solve one question, and which were proved."""
    start = time.process_time()
    bad = [violated(alg, case) for case in asked]
    built = time.process_time()
    answers = [solver.check([condition]) for condition in bad]
    done = time.process_time()
    if any(isinstance(answer, Undecided) for answer in answers):
        raise SystemExit("an engine gave up")
    proved = [isinstance(answer, Unsat) for answer in answers]
    return (built - start) * 1e3 / len(asked), (done - built) * 1e3 / len(asked), proved


def node_time(nodes: Graph) -> tuple[float, float]:
    """Microseconds for a new conjunction of an empty graph, and for one that is there already."""
    graph = Bits(nodes)
    pairs = list(itertools.combinations(graph.input_word("x", 600).bits, 2))
    times = []
    for _ in range(2):
        start = time.process_time()
        for a, b in pairs:
            graph.conj(a, b)
        times.append((time.process_time() - start) * 1e6 / len(pairs))
    return times[0], times[1]


def main(seed: int) -> int:
    asked = cases(seed)
    cores = {core(): new_graph, "Python core": Graph}
    graphs = {name: Bits(make()) for name, make in cores.items()}
    one, many = Terms(), Terms()
    results = {
        **{f"bits, {name}": run(graph, BitsSolver(graph), asked) for name, graph in graphs.items()},
        "z3 push/pop": run(one, z3_solver(one), asked),
        "z3 fresh": run(many, z3_solver(many, incremental=False), asked),
    }
    build, solve, proved = next(iter(results.values()))
    print(f"{len(asked)} questions, {sum(proved)} valid (seed {seed})")
    print(f"{'engine':24}{'build ms':>10}{'solve ms':>10}{'ratio':>8}")
    for name, (b, s, found) in results.items():
        print(f"{name:24}{b:10.3f}{s:10.3f}{(b + s) / (build + solve):8.1f}")
        if found != proved:
            print(f"{name} gives other answers")
            return 1
    for name, make in cores.items():
        new, old = node_time(make())
        print(f"a conjunction of the graph, {name}: new {new:.2f} us, there already {old:.2f} us")
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1))
