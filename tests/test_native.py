# SPDX-License-Identifier: GPL-2.0-or-later
"""The graph in C is the graph in Python, to the number; it does not crash; and all goes on without
it.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from array import array
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from certificates import FILTERS, certify
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from verifier.base import digests
from verifier.base.compiled import SWITCH, compiled, make_compiled
from verifier.engine import native as module
from verifier.engine.bits import Bits
from verifier.engine.bits_solver import BitsSolver
from verifier.engine.graph import Graph
from verifier.engine.native import SOURCE, core, load, new_graph
from verifier.evidence.certify.blast import Unfolded
from verifier.prove.bits_way import GroupProver
from verifier.prove.obligations import Group
from verifier.run.filters import Filters
from verifier.run.library import Library
from verifier.run.scheduler import Options, prove

STRICT = ("-Wall", "-Wextra", "-Werror")
WIDTH = 12  # of words; from 8 on an equality is looked into
# of calls
KINDS = ("inputs", "gate", "gate", "mux", "many", "each", "mux_each", "mux_each", "equal", "look",
         "clauses", "rebuild")
# A seed is not simpler where it is smaller.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
Make = Callable[[], Graph]


def built(folder: Path, *options: str) -> Path:
    """The compiled core. A machine without a compiler or Python's headers skips what needs it."""
    compiler = shlex.split(os.environ.get("CC") or str(sysconfig.get_config_var("CC") or "cc"))[0]
    if (shutil.which(compiler) is None or not Path(sysconfig.get_path("include"),
                                                   "Python.h").is_file()):
        pytest.skip("a C compiler, or Python's headers, are missing")
    return make_compiled(SOURCE, folder, (*STRICT, *options))


@pytest.fixture(scope="module")
def shared_object(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("core"))


@pytest.fixture(scope="module")
def native(shared_object: Path) -> Make:
    make: Make = load(shared_object).Graph
    return make


@pytest.fixture(params=["Python core", "native core"])
def each_core(request: pytest.FixtureRequest, shared_object: Path,
              monkeypatch: pytest.MonkeyPatch) -> str:
    """Everything runs with this one, in processes that are forked too."""
    found = None if request.param == "Python core" else load(shared_object)
    monkeypatch.setattr(module, "_native", lambda: found)
    assert core() == request.param
    return str(request.param)


def nodes(graph: Graph) -> list[tuple[int, int]]:
    return [graph.sides(node) for node in range(len(graph))]


class Pair:
    """Two graphs, told the same at random. `literals` and `words` are what came out so far."""

    def __init__(self, native: Make, chance: Random) -> None:
        self.graphs, self.chance = (Graph(), native()), chance
        self.literals, self.words = [0, 1], [(0,) * WIDTH, (1,) * WIDTH]
        self.variables = array("i", [0]), array("i", [0])
        self.last = 0

    def same(self, name: str, *args: Any) -> Any:
        one, two = (getattr(graph, name)(*args) for graph in self.graphs)
        assert one == two, (name, args)
        return two

    def literal(self) -> int:
        return self.chance.choice(self.literals) ^ self.chance.randrange(2)

    def some(self) -> list[int]:
        return [self.literal() for _ in range(self.chance.randrange(6))]

    def word(self) -> tuple[int, ...]:
        found = self.chance.choice(self.words)
        return tuple(bit ^ 1 for bit in found) if self.chance.random() < 0.2 else found

    def step(self) -> None:
        """One call. Booleans of few inputs meet often, so that all that folds does."""
        match self.chance.choice(KINDS):
            case "inputs":
                first = self.same("new_inputs", self.chance.choice((0, 1, WIDTH)))
                count = (2 * len(self.graphs[0]) - first) // 2
                self.literals += range(first, first + 2 * count, 2)
                self.words += [tuple(range(first, first + 2 * count, 2))] * (count == WIDTH)
            case "gate":
                self.literals.append(self.same(self.chance.choice(("conj", "disj", "xor")),
                                               self.literal(), self.literal()))
            case "mux":
                self.literals.append(
                    self.same("mux", self.literal(), self.literal(), self.literal())
                )
            case "many":
                self.literals.append(self.same(self.chance.choice(("all", "any")), *self.some()))
            case "each":
                self.words.append(self.same(self.chance.choice(("conj_each", "disj_each",
                                                                "xor_each")), self.word(),
                                            self.word()))
            case "mux_each":
                self.words.append(self.same("mux_each", self.literal(), self.word(), self.word()))
            case "equal":
                self.literals.append(self.same("equal", self.word(), self.word()))
            case "look":
                asked = [*self.some(), *self.word()[:3]]
                self.same("contradict", asked)
                self.same("support", asked)
                inputs = [2 * n for n, (left, _) in enumerate(nodes(self.graphs[0])) if left < 0]
                self.same("evaluate", asked, [x for x in inputs if self.chance.random() < 0.5])
                self.same("mux_of", self.literal() >> 1)
            case "clauses":
                self.clauses(self.some())
            case "rebuild":
                self.rebuild(self.some())

    def rebuild(self, asked: list[int]) -> None:
        """The literals where inputs have other values: they say what the old ones say of these."""
        inputs = [2 * n for n, (left, _) in enumerate(nodes(self.graphs[0])) if left < 0]
        values = array("i", [0]) * len(self.graphs[0])
        for x in inputs:
            values[x >> 1] = self.literal()
        one, two = (graph.rebuild(graph, asked, values) for graph in self.graphs)
        assert one == two
        held = [x for x in inputs if self.chance.random() < 0.5]
        graph = self.graphs[1]
        shown = graph.evaluate([values[x >> 1] for x in inputs], held)
        assert graph.evaluate(two, held) == graph.evaluate(
            asked, [x for x, value in zip(inputs, shown, strict=True) if value])
        self.literals += two

    def clauses(self, asked: list[int]) -> None:
        """As GraphSat asks for them."""
        told, last = [], self.last
        for variables in self.variables:
            variables.extend([0] * (len(self.graphs[0]) - len(variables)))
        for literal in asked:
            if not self.variables[0][literal >> 1]:
                last += 1
                for variables in self.variables:
                    variables[literal >> 1] = last
                told.append(literal)
        one, two = (graph.clauses(told, v, last)
                    for graph, v in zip(self.graphs, self.variables, strict=True))
        assert one == two and self.variables[0] == self.variables[1]
        self.last = one[1]


@settings(max_examples=150, deadline=None, phases=PHASES)
@given(seed=st.integers(0, 1 << 32))
def test_the_same_calls_give_the_same_numbers(native: Make, seed: int) -> None:
    pair = Pair(native, Random(seed))
    for _ in range(150):
        pair.step()
    assert nodes(pair.graphs[0]) == nodes(pair.graphs[1])
    pair.clauses(pair.literals)
    everything = [*pair.literals, *(bit for word in pair.words for bit in word)]
    for name in ("contradict", "support"):
        pair.same(name, everything)


def test_what_the_random_calls_reach(native: Make) -> None:
    """Among them are choices, equalities that are split, those that are too deep for it,
    contradictions and clauses.
    """
    split, seen = [], dict.fromkeys(("choice", "contradiction", "clauses", "split", "deep"), 0)

    class Watched(Graph):
        def _split(self, pairs: list[tuple[int, int]], depth: int) -> int | None:
            found = super()._split(pairs, depth)
            split.append(found)
            return found

    for seed in range(30):
        pair = Pair(native, Random(seed))
        pair.graphs = Watched(), native()
        for _ in range(150):
            pair.step()
        seen["choice"] += sum(pair.graphs[0].mux_of(n) is not None
                              for n in range(len(pair.graphs[0])))
        seen["contradiction"] += pair.graphs[1].contradict(pair.literals)
        seen["clauses"] += pair.last
    seen["split"], seen["deep"] = len(split), split.count(None)
    assert all(seen.values()), seen


def test_much_is_the_same_too(native: Make) -> None:
    """Enough nodes that tables and arrays grow, many times."""
    pair = Pair(native, Random(1))
    pair.literals += range(pair.same("new_inputs", 300), 602, 2)
    for a in pair.literals[2:]:
        for b in pair.chance.sample(pair.literals, 200):
            pair.same("conj", a, b ^ (a + b >> 1 & 1))
    assert len(pair.graphs[1]) > 40_000 and nodes(pair.graphs[0]) == nodes(pair.graphs[1])
    pair.same("contradict", range(2 * len(pair.graphs[0])))


@pytest.mark.parametrize(
    "theorem", ["x86_64/pte/option-c/option-c", "arm64-4k+dbm/pte/page-flag/today"]
)
def test_real_obligations_are_the_same(library: Library, native: Make, theorem: str) -> None:
    """Nodes, inputs, questions, verdicts, and the clauses of everything."""
    group, found = Group(*theorem.split("/")), []
    steps = ("static", "fork-pte", "clear-young")
    for make in (Graph, native):
        graph = Bits(make())
        prover = GroupProver(library.group_model(group), group, graph, BitsSolver(graph))
        verdicts, literals = {}, []
        for question in prover.builder.questions(lambda t, _: t in steps):
            literals += ([literal for given in question.given.values() for literal in given]
                         + [way.bad for way in question.ways])
            verdicts[question.id] = prover.decide(question)
        asked, variables = [2 * n
                            for n in dict.fromkeys(x >> 1 for x in literals)], array("i",
                                                                                     [0]) * len(
                                                                                         graph.nodes
                                                                                     )
        for number, literal in enumerate(asked, 1):
            variables[literal >> 1] = number
        clauses = graph.nodes.clauses(asked, variables, len(asked))
        found.append((nodes(graph.nodes), graph.inputs, literals, verdicts, clauses, variables))
    one, two = found
    for a, b in zip(one, two, strict=True):
        assert a == b
    assert len(one[0]) > 5_000 and len(one[3]) > 50 and len(one[4][0]) > 1_000


RUNS: dict[str, object] = {}  # core -> what it found


def test_a_run_and_its_traces_are_the_same(library: Library, each_core: str) -> None:
    filters = Filters(("um",), ("pte",), ("option-c",), ("today",),
                      ("fork-pte", "clear-*", "zap", "anon-*", "static"))
    run = prove(library, filters, Options(jobs=1, search_seconds=60))
    assert not run.contradictions and len(run.results) > 50
    RUNS[each_core] = [(r.obligation, r.verdict, r.ways) for r in run.results]
    assert len(RUNS) == 1 or RUNS["Python core"] == RUNS["native core"]


FILES: dict[str, dict[str, bytes]] = {}


def test_certificates_are_the_same_to_the_byte(each_core: str, tmp_path: Path) -> None:
    assert certify(tmp_path / "c", *FILTERS).exit_code == 0
    FILES[each_core] = {
        path.name: path.read_bytes() for path in (tmp_path / "c" / "units").iterdir()
    }
    assert len(FILES[each_core]) > 3 and all(found == FILES[each_core] for found in FILES.values())


def test_no_certificate_rests_on_the_native_core(each_core: str) -> None:
    for constants in (False, True):
        assert isinstance(Unfolded(constants).nodes, Graph)
    assert isinstance(new_graph(), Graph) == (each_core == "Python core")


METHODS = ("conj", "disj", "xor", "mux", "all", "any", "conj_each", "disj_each", "xor_each",
           "mux_each", "equal", "mux_of", "sides", "new_inputs", "contradict", "support",
           "evaluate", "clauses", "rebuild")
RIGHTLY = (TypeError, ValueError, IndexError, OverflowError, BufferError)


class Grows:
    """A number, and an iterable, that adds to the graph while it is read."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def __index__(self) -> int:
        first = self.graph.new_inputs(5_000)
        self.graph.conj(first, first + 2)
        return first + 9_998

    def __iter__(self) -> Iterator[object]:
        return iter([self, 2, self])


def whole(graph: Graph) -> bool:
    """Do nodes stand behind their sides, the smaller side first, each once?"""
    gates = [(node, *graph.sides(node)) for node in range(1, len(graph))
             if graph.sides(node)[0] != -1]
    return (all(1 < a < b < 2 * node for node, a, b in gates)
            and len({(a, b) for _, a, b in gates}) == len(gates))


@settings(max_examples=300, deadline=None, phases=PHASES)
@given(seed=st.integers(0, 1 << 32))
def test_whatever_it_is_given_it_does_not_crash(native: Make, seed: int) -> None:
    graph, chance = native(), Random(seed)
    graph.new_inputs(70)
    room = array("i", [0]) * 40_000
    junk: list[Any] = [
        None, -1, 0, 1, 2, 141, 142, 1 << 30, (1 << 31) - 1, 1 << 31, 1 << 40, -(1 << 63), 10**30,
        "x", b"x", 2.5, True, object(),
        [1], (2, 4), (-1, 3), range(2, 100, 2), [None], [2, "x"], {2: 3}, (1 << 31,), graph,
        Grows(graph), iter([2, 4]), room,
        array("i", [-5] * 40_000), array("i"), array("q", [0] * 40_000), array("I", [0] * 40_000),
        memoryview(room)[::2],
        memoryview(bytes(160_000)).cast("i"), bytearray(160_000),
    ]
    for _ in range(60):
        args = [chance.choice(junk) for _ in range(chance.choice((0, 1, 1, 2, 2, 2, 3, 3, 3, 4)))]
        method = chance.choice(METHODS)
        if (method == "new_inputs" and args and isinstance(args[0], int)
                and 10_000 < args[0] < 1 << 31):
            continue  # would have the memory
        with suppress(*RIGHTLY):
            getattr(graph, method)(*args)
    assert whole(graph)


def test_what_is_wrong_is_said(native: Make) -> None:
    graph = native()
    x = graph.new_inputs(2)
    for asked, kind, text in (
        (lambda: graph.conj(x, 6), IndexError, "6 is no literal of this graph"),
        (lambda: graph.conj(-2, x), IndexError, "-2 is no literal of this graph"),
        (lambda: graph.sides(3), IndexError, "3 is no node of this graph"),
        (lambda: graph.conj_each((x,), (x, x)), ValueError, "the words differ in width"),
        (lambda: graph.evaluate([x], [x ^ 1]), ValueError, "3 is no input"),
        (lambda: graph.clauses([x], array("i", [0]), 0), ValueError, "one for each node"),
        (lambda: graph.clauses([graph.conj(x, x + 2)], array("i", [0] * 9), 0), ValueError,
         "has a variable"),
        (lambda: graph.rebuild(graph, [x], array("i", [0])), ValueError, "values are an array"),
        (lambda: graph.rebuild(graph, [x], array("i", [-1] * 9)), IndexError, "-1 is no literal"),
        (lambda: graph.rebuild(Graph(), [], array("i", [0])), TypeError, "of another kind"),
        (lambda: graph.new_inputs(-1), ValueError, "no less than no bits"),
        (lambda: graph.new_inputs(1 << 30), OverflowError, "at most 1073741824 nodes"),
        (lambda: native(1), TypeError, "made of nothing"),  # type: ignore[call-arg]
    ):
        with pytest.raises(kind, match=text):
            asked()
    assert len(graph) == 4 and whole(graph)


def test_a_full_graph_stays_whole(tmp_path: Path) -> None:
    graph = load(built(tmp_path, "-DMOST_NODES=500")).Graph()
    bits = range(graph.new_inputs(50), 102, 2)
    with pytest.raises(OverflowError, match="at most 500 nodes"):
        for a in bits:
            for b in bits:
                graph.xor(a, b)
    assert len(graph) == 500 and whole(graph)
    assert graph.conj(2, 2) == 2 and graph.conj(*graph.sides(499)) == 998
    calls: tuple[Callable[[], object], ...] = (
        lambda: graph.equal(bits[:25], bits[25:]), lambda: graph.conj_each(bits[:25], bits[25:]),
        lambda: graph.mux_each(2, bits[:25], bits[25:]), lambda: graph.all(*bits),
        lambda: graph.any(*bits))
    for call in calls:
        with pytest.raises(OverflowError):
            call()
    assert len(graph) == 500


def test_memory_that_is_not_there(native: Make) -> None:
    """Every allocation of every call fails once.

    The graph stays whole, and gives what it gave before.
    """
    testing = pytest.importorskip("_testcapi", reason="this Python has not got its test modules")

    def calls(graph: Graph) -> list[Callable[[], object]]:
        x = graph.new_inputs(40)
        a, b = tuple(range(x, x + 24, 2)), tuple(range(x + 24, x + 48, 2))
        variables = array("i", [0]) * 9_000
        return [lambda: graph.new_inputs(2_000), lambda: graph.conj_each(a, b),
                lambda: graph.mux_each(x + 60, a, b),
                lambda: graph.equal(graph.mux_each(x + 62, a, b), b), lambda: graph.all(*a, *b),
                lambda: graph.contradict([*a, *b]), lambda: graph.support([*a, graph.equal(a, b)]),
                lambda: graph.evaluate(a, b),
                lambda: graph.clauses([x], variables, 1),
                lambda: [graph.conj(p, q) for p in a for q in range(x, x + 80, 2)]]

    plain = [call() for call in calls(native())]
    for number in range(len(plain)):
        failed = 0
        for at in range(60):
            graph = native()
            call = calls(graph)[number]
            testing.set_nomemory(at, at + 1)
            try:
                call()
            except MemoryError:
                failed += 1
            finally:
                testing.remove_mem_hooks()
            assert whole(graph)
        assert failed
    graph = native()
    assert [call() for call in calls(graph)] == plain


def test_it_can_be_turned_off_and_is_not_used_where_it_is_of_other_source(
    shared_object: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = Path(shutil.copy(SOURCE, tmp_path))
    assert compiled(source) is None and compiled(tmp_path / "none.c") is None
    there = Path(shutil.copy(shared_object, tmp_path))
    monkeypatch.delenv(SWITCH, raising=False)
    assert compiled(source) == there
    monkeypatch.setenv(SWITCH, "0")
    assert compiled(source) is None
    monkeypatch.delenv(SWITCH)
    source.write_text(source.read_text() + "\n")
    assert compiled(source) is None


def test_one_that_does_not_load_is_not_used(tmp_path: Path,
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    bad = tmp_path / "bad.so"
    bad.write_text("no shared object")
    monkeypatch.setattr(module, "compiled", lambda _: bad)
    module._native.cache_clear()
    try:
        assert core() == "Python core" and isinstance(new_graph(), Graph)
    finally:
        module._native.cache_clear()


def test_proofs_that_are_kept_rest_on_the_core_that_made_them(
    shared_object: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for path in (None, shared_object):
        monkeypatch.setattr(digests, "compiled", lambda _, path=path: path)
        assert (("verifier.engine._graph" in digests.modules_of("verifier.run.worker"))
                == (path is not None))
        found.append(digests.program("verifier.run.worker"))
    assert len(set(found)) == 2


def test_the_version_says_which_core() -> None:
    command, environment = [sys.executable, "-m", "verifier",
                            "--version"], {**os.environ, SWITCH: "0"}
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert said.stdout.startswith("pteproof, version ") and said.stdout.endswith(" (Python core)\n")


def test_no_compiler_no_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(OSError, match="no-such-compiler"):
        make_compiled(SOURCE, tmp_path)
    monkeypatch.setenv("CC", "false")
    with pytest.raises(subprocess.CalledProcessError):
        make_compiled(SOURCE, tmp_path)
    assert not list(tmp_path.iterdir())
