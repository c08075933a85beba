# SPDX-License-Identifier: GPL-2.0-or-later
"""What must come out: the verdicts that the project stands for, each with its reason."""

from __future__ import annotations

import dataclasses

import pytest
from sample import sampled
from seen import found, shown, shows

from verifier.engine.bits import Bits
from verifier.engine.bits_solver import BitsSolver
from verifier.language.algebra import Integers
from verifier.language.machine import Key, Memory
from verifier.model.step import Instance, run
from verifier.model.typed import Model
from verifier.model.world import state_keys
from verifier.prove.bits_way import GroupProver
from verifier.prove.obligations import Group
from verifier.prove.results import Proved, Refuted, Result, Run, exit_code, verdict_name
from verifier.report.explain import explain_text
from verifier.report.moves import reads_as
from verifier.run.filters import Filters
from verifier.run.library import Library
from verifier.run.scheduler import Options, prove

VARIANTS = ("x86_64",)  # with all traces
SHSTK, STRAY = "x86_64+shstk", "x86_64+stray-dirty"


def verdicts(results: dict[str, Result], prefix: str, transition: str, code: str) -> dict[str, str]:
    """Property -> verdict, for a variant/level/encoding, a transition and a code.

    Advisory ones left out.
    """
    start = f"{prefix}/{transition}/{code}/"
    found = {i.removeprefix(start): r for i, r in results.items() if i.startswith(start)}
    return {p: verdict_name(r.verdict) for p, r in found.items() if r.obligation.kind != "advisory"}


def test_nothing_is_vacuous_and_nothing_contradicts(matrix: Run) -> None:
    assert not matrix.contradictions
    assert (not [r.obligation.id for r in matrix.results
                 if verdict_name(r.verdict) in ("vacuous", "incomplete")])
    assert exit_code(matrix) == 1


@pytest.mark.parametrize("variant", VARIANTS)
def test_fork_of_today_leaves_both_exclusive(library: Library, results: dict[str, Result],
                                             variant: str) -> None:
    result = results[f"{variant}/pte/option-c/fork-pte/today/no-false-exclusive"]
    assert isinstance(result.verdict, Refuted)
    found = result.verdict.counterexample
    assert found.reached and found.replayed
    assert found.trace[0].transition == "anon-write-fault"
    model = library.model(variant, "option-c")
    assert [reads_as(model, found.move.after, p) for p in (0, 1)] == ["exclusive", "exclusive"]
    assert found.move.after["reach", 0] and found.move.after["reach", 1]


@pytest.mark.parametrize("variant", VARIANTS)
def test_option_c_holds_with_the_code_that_it_takes(matrix: Run, variant: str) -> None:
    theorem = next(
        t for t in matrix.theorems if t.group == Group(variant, "pte", "option-c", "option-c")
    )
    assert theorem.whole
    assert not own_failures(matrix, theorem.group)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    "transition", ["mprotect-pte", "numa-hint-set", "uffd-wp-set", "clear-soft-dirty"]
)
def test_clearing_write_from_a_clean_entry(results: dict[str, Result], variant: str,
                                           transition: str) -> None:
    if transition == "clear-soft-dirty" and variant.startswith("arm64"):
        assert not verdicts(results, f"{variant}/pte/option-c", transition, "today")
        return
    today = verdicts(results, f"{variant}/pte/option-c", transition, "today")
    assert "refuted" in (today["no-false-shared"], today["pin-stays"])
    assert (set(verdicts(results, f"{variant}/pte/option-c", transition,
                         "option-c").values()) == {"proved"})


def test_stray_dirty_refutes_option_c(library: Library) -> None:
    asked = Filters((STRAY,), ("pte",), ("option-c",), ("option-c",), ("hw-stray-dirty",),
                    ("no-false-exclusive",))
    (result,) = prove(library, asked, Options()).results
    assert isinstance(result.verdict, Refuted)
    assert result.verdict.counterexample.trace[-1].transition == "hw-stray-dirty"
    text = " ".join(explain_text(library, result).split())
    assert "sets Dirty on an entry that software has just made read-only" in text


def test_option_c_saved_is_proved_there(library: Library) -> None:
    assert own(library, STRAY, "option-c-saved", "option-c") == set()


def test_the_overlay_is_minimal(library: Library) -> None:
    """Without its pte_wrprotect, a Dirty bit is laundered into SAVED_DIRTY.

    Without its predicate, it counts itself.
    """
    arch = library.archs["x86"]
    texts = arch.overlays["saved-only"]
    assert ({name for name in texts if name.startswith("pte_")} == {
        "pte_exclusive_saved", "pte_wrprotect"
    })
    group = Group(STRAY, "pte", "option-c-saved", "option-c")
    predicate = {name: text for name, text in texts.items() if name != "pte_wrprotect"}
    believed = dataclasses.replace(texts["pte_exclusive_saved"][0].body, text="pte_dirty(pte)")
    trusting = {**texts, "pte_exclusive_saved": (
        dataclasses.replace(texts["pte_exclusive_saved"][0], body=believed),
    )}
    for overlay, step in ((predicate, "uffd-wp-set"), (trusting, "hw-stray-dirty")):
        smaller = dataclasses.replace(arch, overlays={"saved-only": overlay})
        mutated = Library({"x86": smaller}, library.generic, library.spec, library.arch_folder,
                          library.spec_folder)
        assert ((step, "no-false-exclusive") in failing_with(
            mutated.model(STRAY, "option-c-saved"), group, step
        ))


def own_failures(matrix: Run, group: Group) -> set[tuple[str, str]]:
    """What this theorem does not prove, and today's kernel with its page flag does.

    Advice aside.
    """
    def of(one: Group) -> set[tuple[str, str]]:
        return {(r.obligation.transition, r.obligation.property) for r in matrix.results
                if r.obligation.group == one and r.obligation.kind != "advisory"
                and verdict_name(r.verdict) != "proved"}
    return of(group) - of(Group(group.variant, group.level, "page-flag", "today"))


def test_shadow_stacks_stay_what_they_are(library: Library) -> None:
    assert (own(library, SHSTK, "option-c", "option-c") == {
        ("write-fault-writable", "translation-within-entry")
    })
    assert (("fork-pte", "hardware-safe") not in failing(library, SHSTK, "page-flag", "today",
                                                         transition="fork-pte"))


def test_saved_dirty_is_what_keeps_them_so(library: Library) -> None:
    """With a pte_wrprotect that leaves Dirty where it is, fork makes a shadow stack by accident."""
    arch = library.archs["x86"]
    text = arch.helpers["pte_wrprotect"][0]
    plain = dataclasses.replace(text, body=dataclasses.replace(text.body, text="pte & ~RW"))
    broken = dataclasses.replace(arch, helpers=dict(arch.helpers) | {"pte_wrprotect": (plain,)})
    mutated = Library({"x86": broken}, library.generic, library.spec, library.arch_folder,
                      library.spec_folder)
    group = Group(SHSTK, "pte", "page-flag", "today")
    assert (("fork-pte", "hardware-safe") in failing_with(mutated.model(SHSTK, "page-flag"), group,
                                                          "fork-pte"))


@pytest.mark.parametrize(
    "transition", ["mprotect-pte", "numa-hint-set", "uffd-wp-set", "clear-soft-dirty"]
)
def test_the_threads_mkdirty_sets_soft_dirty(library: Library, transition: str) -> None:
    for code, fails in (("thread", True), ("option-c", False)):
        found = failing(library, "x86_64", "option-c", code, transition=transition)
        assert ((transition, "soft-dirty-exact") in found) is fails


# What mm/ breaks wherever it has it, with a page flag or without: docs/findings/uprobes.md, ksm.md,
# userfaultfd.md.
EVERYWHERE = {
    ("uprobe-replace", "pin-stays"), ("uprobe-replace", "uffd-wp-exact"),
    ("ksm-replace", "uffd-wp-exact"),
    ("ksm-map", "uffd-wp-exact"), ("swap-in-copy", "translation-follows"),
    ("swap-off-copy", "translation-follows"),
    ("uffd-move-swap", "marked-is-registered"), ("uffd-move-swap", "translation-follows"),
    ("pagemap-scan-wp", "uffd-wp-is-read-only"),
}
# What takes a device-exclusive entry for another: nearly everything breaks. docs/findings/walks.md
TAKES_FOR_ANOTHER = {"page-flag": ("migrate-start-device", "migrate-end-device")}
TAKES_ON_ARM64 = "clear-young-device"  # whose type of swap entry that changes
# docs/findings.md argues each of these, step by step.
KNOWN_TODAY = {
    ("wp-copy", "no-lost-dirty"), ("uprobe-replace", "no-lost-dirty"),
    ("madvise-free", "no-lost-dirty"),
    ("fork-pte", "no-lost-dirty"), ("fork-pte", "stale-child"),
    ("mprotect-swap-entry", "no-lost-dirty"),
    ("ksm-map", "no-lost-dirty"),
    ("pagemap-scan-wp", "marked-device-entry-is-read-only"),
    ("migrate-collect-device-private", "no-lost-dirty"),
    ("migrate-start-device-private", "no-lost-dirty"),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_today_is_proved_but_for_what_is_argued(results: dict[str, Result], variant: str) -> None:
    failed = {
        (r.obligation.transition, r.obligation.property) for i, r in results.items()
        if i.startswith(f"{variant}/pte/page-flag/") and r.obligation.kind != "advisory"
        and not isinstance(r.verdict, Proved)
    }
    assert besides(failed, variant, "page-flag") <= KNOWN_TODAY
    assert failed >= EVERYWHERE
    assert ("wp-copy", "no-lost-dirty") in failed


@pytest.mark.parametrize(("variant", "more"), [
    (STRAY, set()), (SHSTK, {("write-fault-writable", "translation-within-entry")})
])
def test_todays_on_other_cpus(library: Library, variant: str, more: set[tuple[str, str]]) -> None:
    """A shadow stack's entry is made dirty by a write fault that finds it writable:
    docs/findings.md, odd helpers.
    """
    assert own(library, variant, "page-flag", "today") <= KNOWN_TODAY | more


def test_every_counterexample_was_recomputed(matrix: Run) -> None:
    found = [r.verdict.counterexample for r in matrix.results if isinstance(r.verdict, Refuted)]
    assert len(found) > 80
    assert all(c.replayed and c.reached and len(c.trace) == c.depth for c in found)


# What else is proved: option C's own code, and today's but for what docs/findings.md argues of
# every architecture.
PROVED = ("x86_32", "s390", "s390-nonx", "riscv64", "riscv64+thead", "riscv32", "microblaze", "arm",
          "arm-v5", "arm-lpae", "arm64-4k", "arm64-64k+pa52", "arm64-16k", "arm64-16k+dbm",
          "arm64-64k", "arm64-64k+dbm", "arm64-4k+lpa2", "arm64-16k+lpa2",
          "x86_32-pae", "um", "sh", "sh-64k",
          "powerpc64-radix", "powerpc64-hash", "powerpc64-radix-4k", "powerpc64-hash-4k",
          "powerpc-44x", "powerpc-85xx", "powerpc-e500", "powerpc-e500-64",
          "powerpc-8xx", "powerpc-8xx-16k", "powerpc-book3s32", "powerpc-book3s32-603",
          "parisc", "parisc+hugetlb", "parisc32", "parisc32+hugetlb", "mips32-r3000",
          "sparc64-sun4u", "sparc64-sun4v", "sparc64-sun4v+m7")
# What is refuted, and one obligation that docs/findings/ argues.
REFUTED = {
    "riscv64+svadu": ("write-fault-writable", "no-lost-dirty"),
    "riscv32+svadu": ("write-fault-writable", "no-lost-dirty"),
    "loongarch": ("lazyfree-discard", "dropped-newer"),
    "loongarch+ptw": ("lazyfree-discard", "dropped-newer"),
    "openrisc": ("lazyfree-discard", "dropped-newer"), "hexagon": ("mprotect-pte", "no-lost-dirty"),
    "m68k": ("migrate-end", "no-false-shared"), "m68k-030": ("migrate-end", "no-false-shared"),
    "alpha": ("swap-out", "no-false-shared"), "m68k-sun3": ("hw-store_unseen", "no-lost-dirty"),
    "m68k-coldfire": ("swap-in", "no-false-exclusive"),
    "sparc32": ("mprotect-pte", "reach-is-reference"),
    "sparc32+smp": ("migrate-start", "no-lost-dirty"),
    "mips64": ("lazyfree-discard", "dropped-newer"),
    "mips64-r2+rixi": ("lazyfree-discard", "dropped-newer"),
    "mips32": ("lazyfree-discard", "dropped-newer"),
    "mips32-r2+rixi": ("lazyfree-discard", "dropped-newer"),
    "mips32-huge": ("swap-out", "hardware-safe"), "mips32-36bit": ("mprotect-pte", "within-vma"),
    "mips32-xpa": ("fork-pte", "well-formed"),
    "nios2": ("hw-store", "no-lost-dirty"), "arc": ("hw-store_unseen", "no-lost-dirty"),
    "arc+smp": ("lazyfree-discard", "dropped-newer"),
    "parisc+smp": ("lazyfree-discard", "dropped-newer"),
    "parisc+hugetlb+smp": ("lazyfree-discard", "dropped-newer"),
    "parisc32+smp": ("lazyfree-discard", "dropped-newer"),
    "parisc32+hugetlb+smp": ("lazyfree-discard", "dropped-newer"),
    "xtensa": ("madvise-free", "reach-is-reference"),
    "xtensa+smp": ("lazyfree-discard", "dropped-newer"),
    "csky-v1": ("mprotect-pte", "hardware-safe"),
    "csky-v2": ("mprotect-pte", "no-false-exclusive"),
    "loongarch-4k": ("lazyfree-discard", "dropped-newer"),
    "loongarch-64k": ("lazyfree-discard", "dropped-newer"),
    "sh-x2tlb": ("mprotect-pte", "frame"), "sh-x2tlb+smp": ("lazyfree-discard", "dropped-newer"),
}


def test_an_entry_of_xpa_that_reads_as_none_and_as_present_is_excluded(library: Library) -> None:
    """With it, faults that find no entry, and the handlers, kept nothing. docs/findings/mips.md 5
    """
    failed = failing(library, "mips32-xpa", "option-c", "option-c")
    assert ({t for t, _ in failed}.isdisjoint(
        {"anon-write-fault", "zero-page-fault", "hw-access", "hw-store"}
    ))
    assert ("fork-pte", "well-formed") in failed


# What option C alone breaks: the same with today's page flag is as everywhere.
BROKEN_BY_C = {"x86_32-pae+stray-dirty": ("hw-stray-dirty", "no-false-exclusive"),
               "x86_32+stray-dirty": ("hw-stray-dirty", "no-false-exclusive")}


FEW = ("s390", "riscv64", "arm-lpae", "powerpc64-radix", "um", "sparc64-sun4v")
FEW_REFUTED = ("riscv64+svadu", "m68k", "loongarch", "hexagon", "sparc32", "mips32-xpa", "arc+smp",
               "csky-v2", "sh-x2tlb")


def besides(found: set[tuple[str, str]], variant: str, encoding: str) -> set[tuple[str, str]]:
    """What is not broken everywhere."""
    takes = {*TAKES_FOR_ANOTHER.get(encoding, ()),
             *([TAKES_ON_ARM64] if variant.startswith("arm64") else [])}
    return {(t, p) for t, p in found - EVERYWHERE if t not in takes}


def own(library: Library, variant: str, encoding: str, code: str,
        level: str = "pte") -> set[tuple[str, str]]:
    """The serious obligations of a theorem that fail, but for those that fail everywhere."""
    return besides(failing(library, variant, encoding, code, level), variant, encoding)


def failing(
    library: Library, variant: str, encoding: str, code: str, level: str = "pte",
    transition: str = "*",
) -> set[tuple[str, str]]:
    """The serious obligations of a theorem, or of one transition, that some state violates, reached
    or not.
    """
    group = Group(variant, level, encoding, code)
    return failing_with(library.group_model(group), group, transition)


def failing_with(model: Model, group: Group, transition: str = "*") -> set[tuple[str, str]]:
    graph = Bits()
    prover = GroupProver(model, group, graph, BitsSolver(graph))
    questions = [q for q in prover.builder.questions(lambda t, p: transition in ("*", t))
                 if q.property.kind != "advisory"]
    assert (
        all(prover.inhabited(label, given) for q in questions for label, given in q.given.items())
    )
    return {(q.transition, q.property.name) for q in questions
            if any(prover.possible(q, way) for way in q.ways)}


@pytest.mark.parametrize("variant", sampled(PROVED, FEW))
def test_other_architectures_that_carry_option_c(library: Library, variant: str) -> None:
    assert own(library, variant, "option-c", "option-c") == set()
    assert own(library, variant, "page-flag", "today") <= KNOWN_TODAY


@pytest.mark.parametrize("variant", sampled(REFUTED, FEW_REFUTED))
def test_other_architectures_that_do_not(library: Library, variant: str) -> None:
    for encoding, code in (("option-c", "option-c"), ("page-flag", "today")):
        assert (REFUTED[variant] in failing(library, variant, encoding, code,
                                            transition=REFUTED[variant][0]))


@pytest.mark.parametrize("variant", BROKEN_BY_C)
def test_other_architectures_that_option_c_breaks(library: Library, variant: str) -> None:
    assert BROKEN_BY_C[variant] in failing(library, variant, "option-c", "option-c")
    assert own(library, variant, "page-flag", "today") <= KNOWN_TODAY
    if variant.startswith("x86"):
        assert own(library, variant, "option-c-saved", "option-c") == set()


# Where one thing alone is wrong, nothing else is: what option C's code violates on one CPU.
ALONE = {
    "nios2": {("hw-store", "no-lost-dirty")}, "arc": {("hw-store_unseen", "no-lost-dirty")},
    "xtensa": {
        (name, "reach-is-reference") for name in ("madvise-free", "fork-pte", "ksm-write-protect")
    }
    | {("madvise-free", "stale-is-ours"), ("madvise-free", "translation-follows"),
       ("migrate-end", "well-formed")},
}


@pytest.mark.parametrize("variant", ALONE)
def test_nothing_else_is_wrong(library: Library, variant: str) -> None:
    assert own(library, variant, "option-c", "option-c") == ALONE[variant]
    # what comes of an entry that looks swapped
    told = {("madvise-free", "no-false-shared"), ("madvise-free", "pin-stays")}
    assert own(library, variant, "page-flag", "today") <= ALONE[variant] | KNOWN_TODAY | told


# Handlers that store what they loaded before the kernel's step: what was unmapped, shared or taken
# away is there again.
LATE = ("arc+smp", "parisc+smp", "parisc32+smp", "xtensa+smp", "sh-x2tlb+smp")
OLD_ENTRIES = {("zap", "reach-is-reference"), ("fork-pte", "no-false-exclusive"),
               ("mprotect-pte", "within-vma")}
OLD_HUGE_ENTRIES = {("zap-pmd", "reach-is-reference"), ("fork-pmd", "no-false-exclusive")}


def with_a_lock(library: Library, variant: str) -> Library:
    """The library with handlers that store no entry that they have loaded before."""
    arch = library.archs[library.variant(variant).arch]
    locked = {name: dataclasses.replace(event, late=False) for name, event in arch.events.items()}
    changed = {**library.archs, arch.name: dataclasses.replace(arch, events=locked)}
    return Library(changed, library.generic, library.spec, library.arch_folder, library.spec_folder)


@pytest.mark.parametrize("variant", sampled(LATE, ("xtensa+smp", "sh-x2tlb+smp")))
def test_handlers_without_a_lock_bring_old_entries_back(library: Library, variant: str) -> None:
    assert failing(library, variant, "page-flag", "today") > OLD_ENTRIES
    without = failing(with_a_lock(library, variant), variant, "page-flag", "today") & OLD_ENTRIES
    # SuperH's mprotect leaves write where it was: docs/findings/sh.md 1
    assert without <= {("mprotect-pte", "within-vma")}


@pytest.mark.parametrize("variant", sampled(("parisc+smp", "parisc32+smp"), ("parisc+smp",)))
def test_a_purge_waits_for_no_handler(library: Library, variant: str) -> None:
    """What ptep_clear_flush has cleared comes back, which an interrupt would prevent.
    docs/findings/parisc.md 1
    """
    cleared = {("wp-copy", "reach-is-reference"), ("lazyfree-discard", "reach-is-reference")}
    assert failing(library, variant, "page-flag", "today") > cleared
    arch = library.archs[library.variant(variant).arch]
    waited = {name: dataclasses.replace(event, past_flush=False)
              for name, event in arch.events.items()}
    changed = {**library.archs, arch.name: dataclasses.replace(arch, events=waited)}
    other = Library(changed, library.generic, library.spec, library.arch_folder,
                    library.spec_folder)
    assert not failing(other, variant, "page-flag", "today") & cleared


def test_an_old_entry_comes_back_in_a_trace(library: Library) -> None:
    """The trace says so: written, unmapped, and there again."""
    filters = Filters(("xtensa+smp",), ("pte",), ("page-flag",), ("today",), ("zap",),
                      ("reach-is-reference",))
    found = prove(library, filters, Options()).results[0].verdict
    assert isinstance(found, Refuted)
    move = found.counterexample.trace[-1]
    assert (found.counterexample.replayed
            and any("-late@" in name and chosen for name, chosen in move.inputs.items()))
    assert (move.after["entry", 0] == int(move.before["entry", 0]) | 1 << 1
            and not move.after["reach", 0])


@pytest.mark.parametrize(
    ("flushes", "left"), [(True, (False, 0x2468A22F)), (False, (True, 0x2460063D))]
)
def test_a_late_store_is_to_the_entry_that_was_loaded(library: Library, flushes: bool,
                                                      left: tuple[bool, int]) -> None:
    """A split that did not flush would leave the huge entry in the place of the table's address."""
    spec, old = library.spec, library.spec.transitions["split-pmd"]
    text = old.codes["today"].text
    if not flushes:
        text = text.replace("old = pmdp_invalidate(entry[p])\n",
                            "old = pmdp_get(entry[p])\nentry[p] = pmd_mkinvalid(old)\n")
    split = dataclasses.replace(
        old, codes={"today": dataclasses.replace(old.codes["today"], text=text)}
    )
    changed = dataclasses.replace(spec, transitions={**spec.transitions, "split-pmd": split})
    model = Model(changed, library.layout("arc+smp"), spec.encodings["page-flag"], "pmd")
    state: dict[Key, int] = {key: 0 for key, _ in state_keys(model)}
    state |= {("entry", 0): 0x2460062D, ("huge", 0): True, ("may_read", 0): True,
              ("may_write", 0): True,
              ("may_exec", 0): True, "pfn": 0x12345, "resident": True, "anon_exclusive": True}

    def fresh(name: str, kind: int) -> int:
        return name.startswith(("access-late", "vm_", "mmap_locked", "folio_trylock"))

    step = run(model, Integers(), state, Instance("split-pmd", split, level="pmd"), "today", fresh,
               Memory())
    assert (step.after["huge", 0], step.after["entry", 0]) == left


# What docs/findings/ says would mend an architecture: helper -> its text. What is ours says what
# the changed helpers then mean.
MENDED = {
    "xtensa": {
        "pte_mkclean": "pte & ~DIRTY if (pte & NONE) == NONE else pte & ~(DIRTY | HW_WRITE)"
    },
    "csky-v1": {
        "PAGE_READ": "PRESENT | ACCESSED | VALID | READ | CACHED",
        "pte_present": "(pte & (PRESENT | PROT_NONE)) != 0",
        "pte_write": "(pte & (WRITE | PRESENT)) == WRITE | PRESENT",
        "page_chg_mask": "~(PRESENT | READ | WRITE | CACHE_MASK | GLOBAL | VALID | DIRTY)",
        "pte_well_formed": "not pte_present(pte) or (pte & DIRTY) == 0 or ((pte & MODIFIED) != 0 "
                           "and pte_write(pte))",
        "pte_memory_type": "pte & CACHE_MASK if (pte & PRESENT) != 0 else CACHED",
    },
    "csky-v2": {
        "PAGE_READ": "PRESENT | ACCESSED | VALID | READ | CACHE_MASK | BUF",
        "pte_present": "(pte & (PRESENT | PROT_NONE)) != 0",
        "pte_write": "(pte & (WRITE | PRESENT)) == WRITE | PRESENT",
        "page_chg_mask": "~(PRESENT | READ | WRITE | CACHE_MASK | GLOBAL | VALID | DIRTY)",
        "pte_well_formed": "not pte_present(pte) or (pte & DIRTY) == 0 or ((pte & MODIFIED) != 0 "
                           "and pte_write(pte))",
        "pte_memory_type": "pte & (CACHE_MASK | BUF | SO) if (pte & PRESENT) != 0 else CACHE_MASK "
                           "| BUF | (pte & SO)",
        "pte_of_writable_vma": "(pte & PRESENT) != 0",
    },
    "mips64": {
        "ptep_get_and_clear": "pte = ptep\nptep = 0\nreturn pte\n",
        "ptep_set_wrprotect": "ptep = pte_wrprotect(ptep)",
        "ptep_test_and_clear_young": "young = pte_young(ptep)\nptep = pte_mkold(ptep)\nreturn "
                                     "young\n",
        "ptep_set_access_flags": "ptep = entry | (ptep & (ACCESSED | MODIFIED | VALID | "
                                 "DIRTY))\nreturn True\n",
    },
    "mips32-huge": {
        "__swp_type": "(entry >> 2) & 0x1f", "__swp_offset": "entry >> 10",
        "__swp_entry": "((type & 0x1f) << 2) | (offset << 10)",
    },
    "mips32-36bit": {"page_chg_mask": "ACCESSED | MODIFIED | SPECIAL | LOW_CACHE"},
    "sparc32": {"PAGE_NONE": "VALID | CACHE | EXEC | NOREAD | REF"},
    "sparc32+smp": {
        "PAGE_NONE": "VALID | CACHE | EXEC | NOREAD | REF",
        "ptep_get_and_clear": "pte = ptep\nptep = 0\nreturn pte\n",
        "ptep_set_wrprotect": "pte = ptep_get_and_clear(ptep)\nset_pte_at(ptep, "
                              "pte_wrprotect(pte))\n",
        "ptep_test_and_clear_young": "pte = ptep_get_and_clear(ptep)\nset_pte_at(ptep, "
                                     "pte_mkold(pte))\nreturn pte_young(pte)\n",
        "ptep_set_access_flags":
            "old = ptep_get_and_clear(ptep)\nset_pte_at(ptep, entry | (old & (REF | "
            "DIRTY)))\nreturn not pte_same(old, entry)\n",
    },
}
# they say what the others mean
OURS = {"pte_well_formed", "pte_memory_type", "pte_of_writable_vma"}


# What that leaves: docs/findings/xtensa.md 4, csky.md 3.
STILL = dict.fromkeys(("xtensa", "csky-v1", "csky-v2"), frozenset({("migrate-end", "well-formed")}))


def mended(library: Library, variant: str, without: str = "") -> Library:
    """The library with the helpers of MENDED, but for one."""
    arch = library.archs[library.variant(variant).arch]
    generic = library.generic
    assert generic is not None
    helpers = dict(arch.helpers)
    for name, body in MENDED[variant].items():
        if name != without:
            text = (helpers.get(name) or generic.helpers[name])[0]
            helpers[name] = (
                dataclasses.replace(text, body=dataclasses.replace(text.body, text=body)),
            )
    changed = {**library.archs, arch.name: dataclasses.replace(arch, helpers=helpers)}
    return Library(changed, library.generic, library.spec, library.arch_folder, library.spec_folder)


@pytest.mark.parametrize("variant", sampled(MENDED, ("xtensa", "mips64")))
def test_what_would_mend_an_architecture(library: Library, variant: str) -> None:
    changed = mended(library, variant)
    assert own(changed, variant, "option-c", "option-c") == STILL.get(variant, set())
    assert own(changed, variant, "page-flag", "today") <= KNOWN_TODAY | STILL.get(variant, set())


PARTS = [(v, h) for v, texts in MENDED.items() for h in texts if h not in OURS]


@pytest.mark.parametrize(("variant", "helper"), sampled(PARTS, PARTS[::8]))
def test_nothing_less_would(library: Library, variant: str, helper: str) -> None:
    assert ({p for _, p in own(mended(library, variant, without=helper), variant, "option-c",
                               "option-c")} - {"well-formed"})


def test_every_variant_is_proved_or_says_why_not(library: Library) -> None:
    told = {*VARIANTS, *PROVED, *REFUTED, *BROKEN_BY_C}
    assert (all(v.unproved or v.name in told or v.arch in {library.variant(n).arch for n in told}
                for v in library.variants()))


# Transparent huge pages beside small ones. docs/findings.md argues what fails of today's.
HUGE = ("x86_64", "x86_64+shstk", "arm64-4k+dbm", "arm64-16k", "s390", "riscv64", "x86_32",
        "sparc64-sun4v", "powerpc64-hash")
KNOWN_TODAY_HUGE = KNOWN_TODAY | {
    ("fork-pmd", "no-lost-dirty"), ("fork-pmd", "stale-child"),
    ("madvise-free-pmd", "no-lost-dirty"),
    ("split-pmd", "soft-dirty-exact"), ("migrate-end-pmd", "soft-dirty-exact"),
}


# A shadow stack's entry is made dirty by a fault, or a pin, that finds it writable:
# docs/findings.md, odd helpers.
SHADOW_STACKS = {("write-fault-writable", "translation-within-entry")} | {
    (step, prop) for step in ("huge-write-fault-writable", "pin-huge-page")
    for prop in ("translation-within-entry", "huge-is-flushed")}


@pytest.mark.parametrize("variant", sampled(HUGE, ("s390",)))
def test_huge_pages_carry_option_c_too(library: Library, variant: str) -> None:
    stacks = SHADOW_STACKS if variant == SHSTK else set()
    assert own(library, variant, "option-c", "option-c", "pmd") == stacks
    today = own(library, variant, "page-flag", "today", "pmd") - stacks
    assert today <= KNOWN_TODAY_HUGE
    assert ("madvise-free-pmd", "no-lost-dirty") in today


def test_huge_pages_of_arc_fail_as_its_ptes_do(library: Library) -> None:
    """With one CPU, the store that nobody sees alone.

    With several, handlers without a lock. docs/findings/arc.md 3
    """
    assert own(library, "arc", "option-c", "option-c", "pmd") == ALONE["arc"]
    assert own(library, "arc", "page-flag", "today", "pmd") <= ALONE["arc"] | KNOWN_TODAY_HUGE
    old = OLD_ENTRIES | OLD_HUGE_ENTRIES
    assert failing(library, "arc+smp", "page-flag", "today", "pmd") > old
    assert (failing(with_a_lock(library, "arc+smp"), "arc+smp", "page-flag", "today",
                    "pmd").isdisjoint(old))


TRANSIENT = {("static", "transient-entries")}  # pmd_mkinvalid: docs/findings/arm.md


def test_arm_with_lpae_loses_huge_pages_of_prot_none(library: Library) -> None:
    """Such a pmd is not present, and there are no migration entries of that level: nobody finds the
    page any more.
    """
    blamed = ("mprotect-pmd", "huge-anon-write-fault", "collapse")
    known = (KNOWN_TODAY_HUGE | EVERYWHERE | TRANSIENT
             | {(t, p) for t in blamed for p in library.spec.properties})
    for encoding, code in (("option-c", "option-c"), ("page-flag", "today")):
        found = failing(library, "arm-lpae", encoding, code, "pmd")
        assert ("mprotect-pmd", "reach-is-reference") in found
        assert found <= known


def test_what_would_mend_arm_with_lpae(library: Library) -> None:
    """A pmd_present that is true of PROT_NONE too."""
    arch = library.archs["arm-lpae"]
    text = arch.helpers["pmd_present"][0]
    present = dataclasses.replace(
        text, body=dataclasses.replace(text.body, text="(pmd & (VALID | NONE)) != 0")
    )
    changed = {**library.archs, "arm-lpae": dataclasses.replace(
        arch, helpers=dict(arch.helpers) | {"pmd_present": (present,)}
    )}
    mended = Library(changed, library.generic, library.spec, library.arch_folder,
                     library.spec_folder)
    assert own(mended, "arm-lpae", "option-c", "option-c", "pmd") == TRANSIENT
    assert own(mended, "arm-lpae", "page-flag", "today", "pmd") <= KNOWN_TODAY_HUGE | TRANSIENT


@pytest.mark.parametrize(("transition", "prop"), [
    ("fork-pmd", "no-false-exclusive"), ("mprotect-pmd", "no-false-shared"),
    ("numa-hint-set-pmd", "no-false-shared"),
    ("huge-wp-reuse", "no-false-shared"), ("migrate-end-pmd", "no-false-exclusive"),
    ("clear-soft-dirty-pmd", "pin-stays"),
])
def test_what_todays_code_of_huge_pages_breaks(library: Library, transition: str,
                                               prop: str) -> None:
    assert (transition, prop) in failing(library, "x86_64", "option-c", "today", "pmd", transition)


# Private mappings of hugetlbfs.
HUGETLB = ("x86_64", "x86_64+shstk", "arm64-4k+dbm", "riscv64", "x86_32-pae", "powerpc64-radix",
           "sparc64-sun4v", "powerpc-e500", "powerpc-e500-64", "s390", "s390-nonx", "arm-lpae",
           "riscv32+svadu", "loongarch", "loongarch+ptw", "loongarch-4k", "loongarch-64k",
           "parisc+hugetlb", "parisc32+hugetlb")
KNOWN_TODAY_HUGETLB = {
    ("hugetlb-wp-reuse", "no-false-exclusive"), ("hugetlb-wp-reuse", "flag-is-used"),
    ("hugetlb-wp-copy", "no-lost-dirty"),
    ("hugetlb-fork", "no-lost-dirty"), ("hugetlb-fork", "stale-child"),
    ("hugetlb-fork-copy", "within-vma"),
    ("hugetlb-fork-copy", "protnone-is-read-only"), ("hugetlb-fork-copy", "hardware-safe"),
    ("hugetlb-fork-copy", "well-formed"),
}
# The marker of UFFDIO_POISON: lost on s390; on arm with LPAE a mapping of frame 0; on loongarch a
# table. docs/findings/s390.md, arm.md, loongarch.md
BREAKS_WHEN_POISONED = {
    "s390": ("marker-stays",), "s390-nonx": ("marker-stays",),
    "arm-lpae": ("marker-stays", "reach-is-reference", "well-formed", "ours-is-normal",
                 "no-false-exclusive", "within-vma", "exclusive-only-granted",
                 "hugetlb-writable-is-dirty", "ksm-is-shared", "writable-is-exclusive",
                 "huge-is-flushed"),
    **dict.fromkeys(("loongarch", "loongarch+ptw", "loongarch-4k", "loongarch-64k",
                     "sparc64-sun4v"), ("leaf-in-memory",)),
}


# What the model leaves open: docs/model.md, "What is coarse".
# riscv.md
COARSE = {"riscv32+svadu": {("hugetlb-write-fault-writable", p)
                            for p in ("huge-is-flushed", "stale-is-ours")},
          "arm-lpae": {("hugetlb-wp-copy", "translation-follows"),
                       ("hugetlb-wp-copy", "stale-is-ours")}}
FEW_HUGETLB = ("x86_64+shstk", "s390", "arm-lpae", "parisc+hugetlb")


@pytest.mark.parametrize("variant", sampled(HUGETLB, FEW_HUGETLB))
def test_hugetlb_carries_option_c_too(library: Library, variant: str) -> None:
    poison = {("hugetlb-poison", prop) for prop in BREAKS_WHEN_POISONED.get(variant, ())}
    coarse = COARSE.get(variant, set())
    assert failing(library, variant, "option-c", "option-c", "hugetlb") == poison | coarse
    today = failing(library, variant, "page-flag", "today", "hugetlb")
    assert poison <= today
    assert {(t, p) for t, p in today - KNOWN_TODAY_HUGETLB if t != "hugetlb-poison"} == coarse
    assert (
        {("hugetlb-fork-copy", "within-vma"), ("hugetlb-wp-reuse", "no-false-exclusive")} <= today
    )


@pytest.mark.parametrize(("helper", "old", "new", "found"), [
    ("rste_to_pte", "(rste & T_WRITE)", "(rste & T_READ)", ("hugetlb-fault", "within-vma")),
    ("rste_to_pte", "pte = (rste & SEGMENT_ORIGIN_LARGE)", "pte = (rste & REGION3_ORIGIN_LARGE)",
     ("hugetlb-fault", "reach-is-reference")),
    ("huge_ptep_set_wrprotect", "pte_wrprotect(huge_ptep_get_and_clear(ptep))",
     "huge_ptep_get_and_clear(ptep)",
     ("hugetlb-fork", "no-false-exclusive")),
    ("huge_ptep_get_and_clear", "return pte", "return pte_mkclean(pte)",
     ("hugetlb-move", "no-lost-dirty")),
    ("set_huge_pte_at", "rste |= T_LARGE", "pass", ("hugetlb-fault", "leaf-in-memory")),
    ("set_huge_pte_at", "rste |= TYPE_R3", "pass", ("hugetlb-fault", "same-table")),
    ("huge_ptep_get_and_clear", "huge_pte_clear(ptep)", "ptep = 0",
     ("hugetlb-zap", "hardware-safe")),
])
def test_a_mistake_in_what_s390_converts_is_noticed(
    library: Library, helper: str, old: str, new: str, found: tuple[str, str],
) -> None:
    """Memory has the form of segment tables there, and code sees ptes."""
    layout = library.layout("s390", None)
    body = layout.text(helper).body.text
    assert old in body
    model = Model(library.spec, layout.with_body(helper, body.replace(old, new)),
                  library.spec.encodings["option-c"], "hugetlb")
    assert found in failing_with(model, Group("s390", "hugetlb", "option-c", "option-c"), found[0])


@pytest.mark.parametrize("variant", sampled(("mips64", "mips64-r2+rixi"), ("mips64",)))
def test_a_poisoned_page_of_hugetlb_is_a_table_to_mips(library: Library, variant: str) -> None:
    """The marker has not HUGE, and with HUGE unmapping it would leave 0; docs/findings/mips.md."""
    assert (failing(library, variant, "option-c", "option-c",
                    "hugetlb") == {("hugetlb-poison", "leaf-in-memory")})
    layout = library.layout(variant, None).with_body("set_huge_pte_at",
                                                     "set_pte_at(ptep, pte | HUGE)")
    layout = layout.with_body("huge_ptep_well_formed", "pte_well_formed(ptep)")
    model = Model(library.spec, layout, library.spec.encodings["option-c"], "hugetlb")
    assert (failing_with(model, Group(variant, "hugetlb", "option-c", "option-c")) == {
        ("hugetlb-zap", "leaf-in-memory")
    })


@pytest.mark.parametrize("variant", sampled(
    ("loongarch", "loongarch+ptw", "loongarch-4k", "loongarch-64k"), ("loongarch",)
))
def test_a_marker_with_huge_would_do_on_loongarch(library: Library, variant: str) -> None:
    """docs/findings/loongarch.md"""
    layout = library.layout(variant, None).with_body("set_huge_pte_at",
                                                     "set_pte_at(ptep, pte | HUGE)")
    model = Model(library.spec, layout, library.spec.encodings["option-c"], "hugetlb")
    assert failing_with(model, Group(variant, "hugetlb", "option-c", "option-c")) == set()


@pytest.mark.parametrize("variant", sampled(("powerpc-8xx", "powerpc-8xx-16k"), ("powerpc-8xx",)))
def test_8xx_makes_a_page_of_hugetlb_readable_in_fork(library: Library, variant: str) -> None:
    """pte_wrprotect of an entry without access; docs/findings/powerpc32.md."""
    found = failing(library, variant, "option-c", "option-c", "hugetlb")
    assert {(t, p) for t, p in found if p != "within-vma"} == {("hugetlb-fork", "frame")}
    assert ("hugetlb-fault", "within-vma") in found  # make_huge_pte does too
    assert (("hugetlb-fork", "frame") in failing(library, variant, "page-flag", "today", "hugetlb",
                                                 "hugetlb-fork"))


PARISC = ("parisc+hugetlb+smp", "parisc+hugetlb+pa8800", "parisc32+hugetlb+smp")


@pytest.mark.parametrize("variant", sampled(PARISC, PARISC[:1]))
def test_old_pages_of_hugetlb_come_back_on_parisc(library: Library, variant: str) -> None:
    """The handler of a miss stores late where an entry is old, as DAMON makes it.
    docs/findings/parisc.md 3
    """
    steps = {t for t, _ in failing(library, variant, "option-c", "option-c", "hugetlb")}
    assert (
        steps == {f"hugetlb-{name}" for name in ("fork", "mprotect", "wp-copy", "wp-reuse", "zap")}
    )
    arch = library.archs[library.variant(variant).arch]
    events = {**arch.events, "access": dataclasses.replace(arch.events["access"], late=False)}
    other = Library({**library.archs, arch.name: dataclasses.replace(arch, events=events)},
                    library.generic, library.spec, library.arch_folder, library.spec_folder)
    assert failing(other, variant, "option-c", "option-c", "hugetlb") == set()
    assert failing(other, variant, "page-flag", "today", "hugetlb") <= KNOWN_TODAY_HUGETLB


def test_what_flushes_nothing_waits_for_no_handler(library: Library) -> None:
    """huge_ptep_clear_flush of SuperH: the entry of the old page comes back over that of the copy.
    docs/findings/sh.md 3
    """
    step, group = "hugetlb-wp-copy", ("sh-x2tlb+smp", "page-flag", "today", "hugetlb")
    assert (step, "reach-is-reference") in failing(library, *group, step)


def test_every_refutation_shows_its_point(library: Library, matrix: Run) -> None:
    """The values that a report prints decide that the property's sentence fails."""
    refuted = [r for r in matrix.results if found(r) is not None]
    assert len(refuted) > 100
    bad = [r.obligation.id for r in refuted
           if not shows(library, library.spec.properties[r.obligation.property], shown(library, r))]
    assert not bad, "\n".join(bad)
