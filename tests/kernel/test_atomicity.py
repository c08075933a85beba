# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a helper in C and a text of arch/ come to the same while the hardware acts: small files
of C, no tree.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kernel.harness import needs_clang, to_ir
from verifier.base.data import data_folder
from verifier.base.errors import SpecError
from verifier.kernel.asm.unlifted import KernelModels
from verifier.kernel.conform import choices
from verifier.kernel.conform.choices import Escape, GaveUp, SidesQuestion, bits_backend
from verifier.kernel.conform.entries import entry_object
from verifier.kernel.conform.model_side import Pairing
from verifier.kernel.conform.outcomes import (
    AFTER,
    BEFORE,
    ArchSide,
    Choose,
    ChosenEvents,
    Happening,
    Outcome,
    happenings,
)
from verifier.kernel.conform.session import layouts, level_names
from verifier.kernel.llvm.context import LinkedModules
from verifier.kernel.llvm.lift import Lifter
from verifier.kernel.llvm.lines import told
from verifier.kernel.llvm.read_module import Module, parse_module
from verifier.kernel.llvm.values import Truth
from verifier.kernel.llvm.windows import Windows
from verifier.kernel.tree.builds import load_builds
from verifier.kernel.tree.lookalike import strip_asm
from verifier.language.algebra import Algebra, Integers
from verifier.model.arch import Layout
from verifier.model.read_arch import load_archs, load_generic

pytestmark = needs_clang

# On RISC-V with Svadu: WRITE is bit 2, ACCESSED 6, DIRTY 7.
C = """
#define barrier() __asm__ volatile ("" : : : "memory")
typedef unsigned long pte_t;
void at_once(pte_t *p) { __atomic_fetch_and(p, ~4UL, __ATOMIC_RELAXED); }
void in_two(pte_t *p) { pte_t old = *(volatile pte_t *)p; *(volatile pte_t *)p = old & ~4UL; }
void until_it_fits(pte_t *p) {
  pte_t old = *(volatile pte_t *)p;
  while (!__atomic_compare_exchange_n(p, &old, old & ~4UL, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}
pte_t taken(pte_t *p) { return __atomic_exchange_n(p, 0, __ATOMIC_RELAXED); }
pte_t taken_in_two(pte_t *p) { pte_t old = *p; barrier(); *p = 0; return old; }
pte_t looked_at_twice(pte_t *p) { pte_t a = *(volatile pte_t *)p; return a | *(volatile pte_t *)p; }
void halves(pte_t *p) { ((unsigned *)p)[0] &= ~4U; ((unsigned *)p)[1] = 0; }
"""
TEXTS = {
    "wrprotect": "ptep = ptep & ~WRITE",
    "wrprotect-with-room": "old = ptep\nhardware(ptep)\nptep = old & ~WRITE\n",
    "take": "pte = ptep\nptep = 0\nreturn pte\n",
    "take-with-room": "pte = ptep\nhardware(ptep)\nptep = 0\nreturn pte\n",
}


@dataclass(frozen=True)
class Snippet:
    """A function of a file of C on a pointer to one entry, as a side that has outcomes."""

    module: Module
    name: str
    events: tuple[Happening, ...]
    inner: bool = True
    arch: str = "riscv"
    backend: Any = None

    def word(self, name: str, width: int) -> Any:
        raise AssertionError(name)

    def boolean(self, name: str) -> Any:
        raise AssertionError(name)

    def outcome(
        self, alg: Algebra[Any, Any], free: Any, args: Mapping[str, Any], choose: Choose
    ) -> Outcome:
        hardware = ChosenEvents(alg, self.events, 64, choose)
        feasible = (
            None if isinstance(alg, Integers) or self.backend is None else self.backend.possible
        )
        lifter = Lifter(
            alg, LinkedModules((self.module,), self.arch), self, KernelModels(), feasible
        )
        lifter.most_rounds = 24
        obj = entry_object(lifter, "p", hardware.act(BEFORE, args["p"], alg.truth(True)), 8)
        windows = Windows(
            lambda _, place, entry, where: hardware.act(place, entry, where), {obj: "p"}
        )
        if self.inner:
            lifter.windows = windows
        value, state = lifter.call(self.name, [lifter.pointer(obj)])
        left = lifter.values.as_word(lifter.memory.read(state.memory.get(obj, {}), obj, 0, 8)).term
        within = alg.all(*[alg.neg(u.condition) for u in (*lifter.undefined, *lifter.lost)])
        result, width = (
            (None, None)
            if value is None
            else (value.term, 0)
            if isinstance(value, Truth)
            else (lifter.values.as_word(value).term, 64)
        )
        accesses = tuple(windows.met.values())
        left = hardware.act(AFTER, left, alg.truth(True))
        return Outcome(
            left, result, width, hardware.stored, within, (), tuple(hardware.happened), accesses
        )


@pytest.fixture(scope="module")
def layout() -> Layout:
    arch = load_archs()["riscv"]
    return Layout(arch, arch.variants["riscv64+svadu"], load_generic(data_folder("arch")))


@pytest.fixture(scope="module")
def events(layout: Layout) -> tuple[Happening, ...]:
    return happenings(layout, "pte", str)


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Module:
    folder = tmp_path_factory.mktemp("atomicity")
    (folder / "helpers.c").write_text(C)
    return to_ir(folder / "helpers.c", folder, "x86_64-linux-gnu", "-gline-tables-only")


def ask(one: Any, two: Any) -> Escape | GaveUp | None:
    """An outcome of one that two does not have."""
    backend = bits_backend()
    if isinstance(one, Snippet):
        one = Snippet(one.module, one.name, one.events, one.inner, one.arch, backend)
    if isinstance(two, Snippet):
        two = Snippet(two.module, two.name, two.events, two.inner, two.arch, backend)
    question = SidesQuestion(
        backend,
        {"p": backend.free.input_word("p", 64)},
        {"p": 64},
        64,
        (),
        time.process_time() + 60,
    )
    return question.escaping(one, question.free(one, "one: "), two, "two: ")


def text(layout: Layout, events: tuple[Happening, ...], name: str) -> ArchSide:
    helper = "ptep_set_wrprotect" if name.startswith("wrprotect") else "ptep_get_and_clear"
    entry = Pairing("p", "ptep", 64, True)
    return ArchSide(layout.with_body(helper, TEXTS[name]).helper(helper), [entry], events, entry)


@pytest.mark.parametrize(
    ("name", "body", "more", "less"),
    [
        ("at_once", "wrprotect", False, False),
        ("at_once", "wrprotect-with-room", False, True),
        ("in_two", "wrprotect", True, False),
        ("in_two", "wrprotect-with-room", False, False),
        ("until_it_fits", "wrprotect", False, False),
        ("until_it_fits", "wrprotect-with-room", False, True),
        ("taken", "take", False, False),
        ("taken", "take-with-room", False, True),
        ("taken_in_two", "take", True, False),
        ("taken_in_two", "take-with-room", False, False),
    ],
)
def test_a_helper_against_a_text(
    layout: Layout,
    events: tuple[Happening, ...],
    module: Module,
    name: str,
    body: str,
    more: bool,
    less: bool,
) -> None:
    """An exchange that is split in two is noticed, unless the text says so too; and a text that
    leaves room for nothing is told.
    """
    kernel, arch = Snippet(module, name, events), text(layout, events, body)
    escaped = ask(kernel, arch)
    assert isinstance(escaped, Escape) == more and (escaped is None) == (not more)
    needless = ask(arch, kernel)
    assert isinstance(needless, Escape) == less and (needless is None) == (not less)
    for found in (escaped, needless):
        assert found is None or (isinstance(found, Escape) and found.replayed)


@pytest.mark.parametrize(
    ("name", "one_step"),
    [
        ("at_once", True),
        ("in_two", False),
        ("until_it_fits", True),
        ("taken", True),
        ("taken_in_two", False),
        ("looked_at_twice", True),
    ],
)
def test_one_step_or_not(
    events: tuple[Happening, ...], module: Module, name: str, one_step: bool
) -> None:
    """Two loads of which only the latter's bits show are one step: they mean the same."""
    found = ask(Snippet(module, name, events), Snippet(module, name, events, inner=False))
    assert (found is None) == one_step
    if not one_step:
        assert isinstance(found, Escape) and found.replayed and found.outcome.happened
        event, place = found.outcome.happened[-1]
        where = {a.name: told(a.lines) for a in found.outcome.accesses}
        line = next(n for n, row in enumerate(C.splitlines(), 1) if f" {name}(" in row)
        assert event in ("access", "store") and where[place].endswith(f"helpers.c:{line}")


def test_windows_are_named_by_place(events: tuple[Happening, ...], module: Module) -> None:
    """With terms and with numbers the same windows, whatever way is taken; and each access is told
    to be plain, or of a part.
    """
    graph = bits_backend()
    free = graph.free.input_word("p", 64)
    symbolic = Snippet(module, "until_it_fits", events, backend=graph).outcome(
        graph.alg, None, {"p": free}, graph.free.input_bool
    )
    names = [a.name for a in symbolic.accesses]
    assert len(names) == len(set(names)) > 2
    for value in (0, 0x17, 0xD7):
        plain = Snippet(module, "until_it_fits", events).outcome(
            Integers(), None, {"p": value}, lambda n: "store" in n
        )
        assert {a.name for a in plain.accesses} <= set(names)
    taken = Snippet(module, "taken_in_two", events).outcome(
        Integers(), None, {"p": 0}, lambda n: False
    )
    assert [(a.plain, a.part, a.inner) for a in taken.accesses] == [
        (True, False, False),
        (True, False, True),
    ]
    halves = Snippet(module, "halves", events).outcome(Integers(), None, {"p": 0}, lambda n: False)
    assert all(a.part for a in halves.accesses) and len(halves.accesses) == 3
    once = Snippet(module, "at_once", events).outcome(Integers(), None, {"p": 0}, lambda n: False)
    assert [(a.plain, a.inner) for a in once.accesses] == [(False, False)]


@dataclass(frozen=True)
class Points:
    """So many points in a row at which the hardware may act, and nothing else."""

    events: tuple[Happening, ...]
    width: int
    count: int

    def outcome(
        self, alg: Algebra[Any, Any], free: Any, args: Mapping[str, Any], choose: Choose
    ) -> Outcome:
        hardware, entry = ChosenEvents(alg, self.events, self.width, choose), args["p"]
        for number in range(self.count):
            entry = hardware.act(str(number), entry, alg.truth(True))
        return Outcome(
            entry, None, None, hardware.stored, alg.truth(True), (), tuple(hardware.happened)
        )


def test_once_at_each_point_is_enough() -> None:
    """For every variant and level: what the events come to in two rounds they come to in one."""
    asked = 0
    for its in layouts(["*"]):
        for level, named in level_names().items():
            try:
                events = happenings(its, level, named)
            except SpecError:
                assert level != "pte", its.variant.name  # else the variant has no such entries
                continue
            backend = bits_backend()
            question = SidesQuestion(
                backend,
                {"p": backend.free.input_word("p", its.width)},
                {"p": its.width},
                its.width,
                (),
                time.process_time() + 60,
            )
            two = Points(events, its.width, 2)
            assert (
                question.escaping(
                    two, question.free(two, "two: "), Points(events, its.width, 1), "one: "
                )
                is None
            )
            asked += bool(events)
    assert asked > 100


def test_what_is_not_decided_is_not_equal(
    monkeypatch: pytest.MonkeyPatch, layout: Layout, events: tuple[Happening, ...], module: Module,
) -> None:
    kernel, arch = Snippet(module, "taken_in_two", events), text(layout, events, "take-with-room")
    assert ask(kernel, arch) is None
    monkeypatch.setattr(choices, "MOST_TRIED", 1)
    found = ask(kernel, arch)
    assert isinstance(found, GaveUp) and "choices" in found.reason
    monkeypatch.setattr(time, "process_time", iter(range(0, 10_000, 100)).__next__)
    found = ask(kernel, arch)
    assert isinstance(found, GaveUp) and "time" in found.reason


LOCKED = (
    ".pushsection .smp_locks,\\22a\\22 .balign 4 .long 671f - . .popsection 671: lock btrq $1, $0",
    True,
)
ASSEMBLY = {
    "x86": [LOCKED, ("btrq $1, $0", False)],
    "riscv": [("amoand.d zero, $1, $0", True)],
}


@pytest.mark.parametrize(
    ("arch", "template", "atomic"), [(a, t, b) for a, rows in ASSEMBLY.items() for t, b in rows]
)
def test_assembly_says_whether_it_is_one_event(
    events: tuple[Happening, ...], tmp_path: Path, arch: str, template: str, atomic: bool,
) -> None:
    """A plain btr reads and writes; the hardware's store that comes between is lost."""
    if arch == "x86":
        body = (
            f'%r = call i8 asm sideeffect "{template}", "=*m,={{@ccc}},Ir,*m"(ptr elementtype(i64)'
            " %p, i64 2, ptr elementtype(i64) %p)"
        )
        body = body.replace("$1, $0", "$2, $0")
    else:
        body = (
            f'call void asm sideeffect "{template}", "=*m,r,*m"(ptr elementtype(i64) %p, i64 -5,'
            " ptr elementtype(i64) %p)"
        )
    module = parse_module(
        'target datalayout = "e-m:e-i64:64-n32:64-S128"\n'
        + f"define void @f(ptr %p) {{\n  {body}\n  ret void\n}}\n",
        "test",
    )
    found = ask(Snippet(module, "f", events, arch=arch), Snippet(module, "f", events, False, arch))
    assert (found is None) == atomic
    assert not isinstance(found, Escape) or found.replayed


@pytest.mark.parametrize(
    ("asm", "build", "op"),
    [
        ('__asm__ volatile ("swap [%2], %0" : "=&r" (v) : "0" (v), "r" (p) : "memory");',
         "sparc32", "xchg"),
        (
            (
                '__asm__ volatile ("casx [%2], %3, %0" : "=&r" (v) : "0" (v), "r" (p), "r" (o) :'
                ' "memory");'
            ),
            "sparc64-sun4v",
            "cmpxchg",
        ),
    ],
)
def test_sparcs_exchanges_are_one_event(
    events: tuple[Happening, ...], tmp_path: Path, asm: str, build: str, op: str
) -> None:
    source = tmp_path / f"{op}.c"
    lookalike = load_builds()[build].lookalike
    assert lookalike is not None
    source.write_text(
        strip_asm(
            "unsigned long f(unsigned long *p)"
            f" {{ unsigned long v = 0, o = 7; {asm} return v; }}\n",
            dict(lookalike.assembly),
        )
    )
    module = to_ir(source, tmp_path, "sparcv9-linux-gnu")
    assert (
        ask(
            Snippet(module, "f", events, arch="sparc"), Snippet(module, "f", events, False, "sparc")
        )
        is None
    )
    function = module.function("f")
    assert (
        function is not None
        and sum(i.op in ("cmpxchg", "atomicrmw") for b in function.blocks for i in b.instrs) == 1
    )
