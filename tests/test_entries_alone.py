# SPDX-License-Identifier: GPL-2.0-or-later
"""Statements about entries alone, and advice on what becomes dirty, at every level: they hold, say
something, and can fail.
"""

from __future__ import annotations

import dataclasses

import pytest

from verifier.engine.bits import Bits
from verifier.engine.bits_solver import BitsSolver
from verifier.language.read_yaml import Source
from verifier.model.typed import Model
from verifier.prove.bits_way import GroupProver
from verifier.prove.obligations import Group
from verifier.prove.results import Proved, Refuted, Vacuous
from verifier.run.library import Library

OF_ALL = {"kinds_are_disjoint", "fresh_mapping", "write_and_dirty_are_independent"}
# Where not every statement holds; docs/findings/ has each.
FAIL = {
    "pte": {"alpha": {"swap_entry_round_trip", "migration_entry_round_trip"},
            "csky-v1": {"fresh_mapping"},
            "csky-v2": {"fresh_mapping"}, "m68k-coldfire": {"fresh_mapping"},
            "mips32-xpa": {"kinds_are_disjoint"},
            "mips32": {"migration_entry_round_trip"}, "sparc32": {"fresh_mapping"},
            "sparc32+smp": {"fresh_mapping"}},
    "pmd": {"loongarch-4k": {"migration_entry_round_trip"}},  # a young one reads as present
    "hugetlb": {},
}


def prover(library: Library, model: Model, variant: str, level: str) -> GroupProver:
    graph = Bits()
    return GroupProver(model, Group(variant, level, "page-flag", "today"), graph, BitsSolver(graph))


def statements(one: GroupProver) -> dict[str, str]:
    """Statement -> holds, fails or vacuous."""
    (question,) = one.builder.questions(lambda t, p: p == "unambiguous")
    return {
        way.sentence: "vacuous" if not one.inhabited(way.label, question.given[way.label])
        else "fails" if one.possible(question, way) else "holds" for way in question.ways
    }


@pytest.mark.parametrize("level", ["pte", "pmd", "hugetlb"])
def test_what_holds_at_every_level(library: Library, level: str) -> None:
    seen = set()
    for variant in library.variants():
        absent = set(variant.absent)
        if variant.unproved or absent & set(library.spec.levels[level].needs):
            continue
        found = statements(
            prover(library, library.model(variant.name, "page-flag", level), variant.name, level)
        )
        migrates = {"pte": "", "pmd": "thp_migration",
                    "hugetlb": "hugetlb_migration"}[level] not in absent
        wanted = OF_ALL | ({"migration_entry_round_trip"} if migrates else set())
        if level == "pte":
            wanted |= {n for n, need in (("swap_entry_round_trip", "swap"),
                                         ("device_entry_round_trip", "device_private"),
                                        ("device_private_entry_round_trip", "device_private"))
                       if need not in absent}
        assert set(found) == wanted
        assert ({n for n, what in found.items()
                 if what != "holds"} == FAIL[level].get(variant.name, set())), variant.name
        assert "vacuous" not in found.values()
        seen.add(variant.name)
    assert set(FAIL[level]) <= seen and len(seen) > 20


@pytest.mark.parametrize(("variant", "level", "helper", "body", "statement"), [
    ("x86_64", "pmd", "pmd_none", "(pmd & RW) == 0", "kinds_are_disjoint"),
    ("x86_64", "pmd", "mk_huge_pmd", "mk_pmd(pfn, prot)", "fresh_mapping"),
    ("x86_64", "pmd", "mk_huge_pmd", "pmd_mkdirty(pmd_mkhuge(mk_pmd(pfn, prot)))", "fresh_mapping"),
    ("x86_64", "pmd", "mk_huge_pmd", "pmd_mkhuge(mk_pmd(pfn + 512, prot))", "fresh_mapping"),
    ("x86_64", "pmd", "pmd_wrprotect", "pmd", "write_and_dirty_are_independent"),
    ("x86_64", "pmd", "pmd_mkclean", "pmd", "write_and_dirty_are_independent"),
    ("x86_64", "pmd", "pmd_swp_mksoft_dirty", "pmd | PRESENT", "migration_entry_round_trip"),
    ("x86_64", "pmd", "__swp_entry_to_pmd", "entry | PSE | PRESENT", "migration_entry_round_trip"),
    ("arm64-4k", "pmd", "swp_entry_to_pmd",
     "__swp_entry_to_pmd(__swp_entry(swp_type(entry), swp_offset(entry) >> 1))",
     "migration_entry_round_trip"),
    ("x86_64", "hugetlb", "huge_pte_none", "(pte & RW) == 0", "kinds_are_disjoint"),
    ("x86_64", "hugetlb", "huge_pte_wrprotect", "pte | RW", "fresh_mapping"),
    ("x86_64", "hugetlb", "arch_make_huge_pte", "pte_mkdirty(pte)", "fresh_mapping"),
    ("x86_64", "hugetlb", "huge_pte_mkdirty", "pte", "write_and_dirty_are_independent"),
    ("x86_64", "hugetlb", "huge_pte_mkwrite", "pte", "write_and_dirty_are_independent"),
    ("x86_64", "hugetlb", "set_huge_pte_at", "ptep = pte | PRESENT", "migration_entry_round_trip"),
    ("s390", "hugetlb", "huge_ptep_get", "rste_to_pte(ptep) & ~PRESENT", "fresh_mapping"),
])
def test_a_mistake_in_a_helper_is_noticed(
    library: Library, variant: str, level: str, helper: str, body: str, statement: str,
) -> None:
    layout = library.layout(variant, None)
    assert layout.text(helper).body.text != body
    model = Model(library.spec, layout.with_body(helper, body), library.spec.encodings["page-flag"],
                  level)
    one = prover(library, model, variant, level)
    assert statements(one)[statement] == "fails"
    (question,) = one.builder.questions(lambda t, p: p == "unambiguous")
    assert isinstance(one.decide(question), Refuted)  # recomputed with plain integers


def test_a_statement_about_nothing_is_vacuous(library: Library) -> None:
    static = library.spec.properties["unambiguous"]
    sentences = tuple(dataclasses.replace(s, given=Source("False", s.at))
                      if s.signature.startswith("fresh") else s
                      for s in static.sentences)
    changed = {
        **library.spec.properties, "unambiguous": dataclasses.replace(static, sentences=sentences)
    }
    spec = dataclasses.replace(library.spec, properties=changed)
    model = Model(spec, library.layout("x86_64"), library.spec.encodings["page-flag"], "pmd")
    one = prover(library, model, "x86_64", "pmd")
    (question,) = one.builder.questions(lambda t, p: p == "unambiguous")
    assert one.decide(question) == Vacuous("fresh_mapping")


def spurious(one: GroupProver) -> set[str]:
    """The steps that make something dirty for no reason."""
    questions = one.builder.questions(lambda t, p: p == "no-spurious-dirty")
    return {q.transition for q in questions if not isinstance(one.decide(q), Proved)}


@pytest.mark.parametrize("level", ["pte", "pmd", "hugetlb"])
@pytest.mark.parametrize("variant", ["x86_64", "riscv64", "s390"])
def test_nothing_of_todays_becomes_dirty_for_no_reason(library: Library, variant: str,
                                                       level: str) -> None:
    """But for migration of device entries, which takes their bits for those of a present one:
    findings/walks.md.
    """
    model = library.model(variant, "page-flag", level)
    devices = level != "hugetlb" and "device_private" not in model.layout.variant.absent
    assert spurious(prover(library, model, variant, level)) == (
        {"migrate-start-device", "migrate-start-device-private"} if devices else set())


@pytest.mark.parametrize(("level", "helper", "body", "transition"), [
    ("pmd", "pmd_modify", "pmd_mkdirty((pmd & hpage_chg_mask()) | (newprot & ~hpage_chg_mask()))",
     "mprotect-pmd"),
    ("pmd", "pmdp_invalidate", "old = pmdp\npmdp = pmd_mkinvalid(pmdp)\nreturn pmd_mkdirty(old)\n",
     "split-pmd"),
    ("hugetlb", "huge_ptep_get_and_clear", "old = ptep\nptep = 0\nreturn pte_mkdirty(old)\n",
     "hugetlb-zap"),
])
def test_what_becomes_dirty_for_no_reason_is_told(library: Library, level: str, helper: str,
                                                  body: str, transition: str) -> None:
    layout = library.layout("x86_64", None)
    model = Model(library.spec, layout.with_body(helper, body), library.spec.encodings["page-flag"],
                  level)
    assert transition in spurious(prover(library, model, "x86_64", level))
