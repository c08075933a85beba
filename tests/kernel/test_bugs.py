# SPDX-License-Identifier: GPL-2.0-or-later
"""Bugs put into the kernel's helpers end in REFUTED, with their story; another version of the
kernel in INCOMPLETE, by name.

Needs a tree: KERNEL_TREE.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from sample import sampled

from kernel.changed import ChangedTree, changed_tree, edited
from verifier.kernel.conform.session import kernel_helpers
from verifier.meeting import counterexamples
from verifier.meeting.counterexamples import replay_run
from verifier.prove.difference import Differences, Pair
from verifier.prove.recompute import replay
from verifier.prove.results import Incomplete, Proved, Refuted, Run, exit_code
from verifier.run.filters import Filters
from verifier.run.library import Library, load_library
from verifier.run.plan import groups_of
from verifier.run.scheduler import Options, prove
from verifier.search.beyond import with_trace

TREE = os.environ.get("KERNEL_TREE")
pytestmark = pytest.mark.skipif(not TREE, reason="needs a kernel tree: KERNEL_TREE=/path/to/linux")
X86, ARM64 = "arch/x86/include/asm/pgtable.h", "arch/arm64/include/asm/pgtable-prot.h"
RISCV = "arch/riscv/include/asm/pgtable.h"
LOSES_DIRTY = (
    "pte_clear_flags(pte, _PAGE_RW);\n\n	/*",
    "pte_clear_flags(pte, _PAGE_RW | _PAGE_DIRTY);\n\n	/*",
)
MERGED = ("PTE_SWP_EXCLUSIVE	(_AT(pteval_t, 1) << 2)",
          "PTE_SWP_EXCLUSIVE	(_AT(pteval_t, 1) << 3)")
PLAIN = (
    "atomic_long_and(~(unsigned long)_PAGE_WRITE, (atomic_long_t *)ptep);",
    "set_pte(ptep, pte_wrprotect(READ_ONCE(*ptep)));",
)
OLD_IS_CLEAN = (
    "pte_clear_flags(pte, _PAGE_ACCESSED);\n}\n\nstatic inline pte_t pte_mkexec",
    "pte_clear_flags(pte, _PAGE_ACCESSED | _PAGE_DIRTY_BITS);\n}\n\nstatic inline pte_t pte_mkexec",
)


@dataclass(frozen=True)
class Bug:
    """A change of one file, and the obligation that holds without it."""

    variant: str
    file: str
    edit: tuple[str, str]
    transition: str
    property: str
    consequence: str = ""


BUGS = [
    # pte_wrprotect loses the dirty bit
    Bug("x86_64", X86, LOSES_DIRTY, "clear-soft-dirty", "no-lost-dirty"),
    # exclusive in swap: userfaultfd's bit
    Bug("arm64-4k+dbm", ARM64, MERGED, "swap-out", "no-false-exclusive", "store-leak"),
    Bug(
        "riscv64+svadu", RISCV, PLAIN, "fork-pte", "stale-is-ours", "dropped-newer"
    ),  # a load and a store: the walker acts between
]
HIDDEN = Bug(
    "x86_64", X86, OLD_IS_CLEAN, "fork-pte", "no-lost-dirty"
)  # pte_mkold loses dirty: the child's entry has lost it already


def tree() -> Path:
    assert TREE is not None
    return Path(TREE)


def asked(variant: str, transition: str, prop: str = "*") -> Filters:
    return Filters((variant,), ("pte",), ("page-flag",), ("today",), (transition,), (prop,))


@pytest.fixture(scope="module")
def trees() -> Iterator[Callable[[Bug], ChangedTree]]:
    """A tree with a bug in it, compiled once."""
    with ExitStack() as opened:
        @cache
        def changed(bug: Bug) -> ChangedTree:
            layout, files = load_library().layout(bug.variant), edited(tree(), {bug.file: bug.edit})
            return opened.enter_context(changed_tree(tree(), layout, files))

        yield changed


def on(
    changed: ChangedTree, library: Library, filters: Filters, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """What `prove --tree` says of a changed tree."""
    monkeypatch.setattr(counterexamples, "Replayer", changed.replayer)
    return replay_run(library, prove(library, filters, Options()), tree())


@pytest.mark.parametrize("bug", sampled(BUGS, [BUGS[0], BUGS[2]]),
                         ids=lambda bug: f"{bug.variant}-{bug.transition}")
def test_a_bug_is_refuted_with_its_story(
    bug: Bug, trees: Callable[[Bug], ChangedTree], monkeypatch: pytest.MonkeyPatch,
) -> None:
    library = load_library()
    filters = asked(bug.variant, bug.transition, bug.property)
    (before,) = prove(library, filters, Options()).results
    assert isinstance(before.verdict, Proved)
    library.substitute = trees(bug).helpers()
    run = on(trees(bug), library, filters, monkeypatch)
    assert exit_code(run) == 1 and not run.contradictions
    (result,) = run.results
    assert isinstance(result.verdict, Refuted)
    found = result.verdict.counterexample
    assert (
        found.reached
        and found.replayed
        and found.trace[-1].transition == bug.transition
        and len(found.trace) > 1
    )
    assert found.consequence == bug.consequence
    native = bug.variant == "x86_64" and platform.machine() == "x86_64"
    assert (found.kernel, found.kernel_why) == (True, "machine code" if native else "lifted code")


def test_a_bug_behind_another_failure_is_a_difference_of_two_trees(
    trees: Callable[[Bug], ChangedTree],
) -> None:
    """The sound kernel breaks the property as well: what only the other breaks is asked of both at
    once, and has a trace.
    """
    old, new = load_library(), load_library()
    old.substitute = kernel_helpers(tree(), [old.layout(HIDDEN.variant)])
    new.substitute = trees(HIDDEN).helpers()
    (group,) = groups_of(new, asked(HIDDEN.variant, HIDDEN.transition))[0]
    pair = Pair(old.group_model(group), new.group_model(group), group)
    (found,) = Differences(pair).of(HIDDEN.transition, lambda prop: prop == HIDDEN.property)
    assert found.word == "broken"
    found = with_trace(pair, found, 4, 60, new.sequences())
    # any fault that maps the page will do
    assert len(found.trace) > 1 and found.trace[-1].transition == HIDDEN.transition
    assert (
        found.move is not None
        and found.old is not None
        and dict(found.move.before) == dict(found.old.before)
    )
    assert HIDDEN.property in replay(pair.new, group, found.move)[0]
    assert HIDDEN.property not in replay(pair.old, group, found.old)[0]


def test_another_way_through_the_kernels_code_is_incomplete_by_name(
    trees: Callable[[Bug], ChangedTree], monkeypatch: pytest.MonkeyPatch,
) -> None:
    """arch/'s helpers say nothing of a kernel that has others: no contradiction, and no refutation
    either.
    """
    library = load_library()
    filters = Filters(
        ("x86_64",),
        ("pte",),
        ("option-c",),
        ("today",),
        ("fork-pte",),
        ("no-false-exclusive", "frame"),
    )
    run = on(trees(BUGS[0]), library, filters, monkeypatch)
    assert exit_code(run) == 3 and not run.contradictions
    verdicts = {r.obligation.property: r.verdict for r in run.results}
    assert isinstance(verdicts["frame"], Proved)
    found = verdicts["no-false-exclusive"]
    assert isinstance(found, Incomplete)
    assert re.search(
        r"^step \d, \S+, goes another way in the kernel's code:"
        r" ptep_set_wrprotect\(ptep=0x[0-9a-f]+\) "
        r"leaves 0x[0-9a-f]+ there, and leaves 0x[0-9a-f]+ in the trace$",
        found.reason,
    )
    (theorem,) = run.theorems
    assert (
        theorem.counts["refuted"] == 0
        and theorem.counts["incomplete"] == 1
        and theorem.verdict == "incomplete"
    )


def test_a_helper_of_another_name_is_incomplete_by_name(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    """What arch/ has in its place is the helper of another kernel."""
    library = load_library()
    files = {}
    for folder in ("include/linux", "include/asm-generic", "arch/x86/include/asm", "arch/x86/mm"):
        for path in sorted((tree() / folder).glob("*.[ch]")):
            text = path.read_text(errors="replace")
            if re.search(r"\bpte_uffd_wp\b", text):
                name = str(path.relative_to(tree()))
                files[name] = re.sub(r"\bpte_uffd_wp\b", "pte_marked", text)
    assert X86 in files
    with changed_tree(tree(), library.layout("x86_64"), files) as changed:
        library.substitute = changed.helpers()
        run = on(changed, library, asked("x86_64", "fork-pte"), monkeypatch)
    assert exit_code(run) == 3 and not run.contradictions and len(run.results) > 20
    reasons = [r.verdict.reason for r in run.results if isinstance(r.verdict, Incomplete)]
    assert len(reasons) == len(run.results)
    assert all(
        "pte_uffd_wp is arch/'s: this kernel has no pte_uffd_wp" in reason for reason in reasons
    )
