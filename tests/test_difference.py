# SPDX-License-Identifier: GPL-2.0-or-later
"""What is worse shows beside what is refuted already: a state in which the old keeps a property and
the new breaks it.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from verifier.base.data import data_folder
from verifier.cli import main
from verifier.engine.bits import Bits
from verifier.engine.bits_solver import BitsSolver
from verifier.language.read_yaml import Source
from verifier.model.check import check_model
from verifier.model.typed import Model
from verifier.prove.bits_way import GroupProver
from verifier.prove.difference import Difference, Differences, Pair, lucks
from verifier.prove.obligations import Group
from verifier.prove.recompute import violates
from verifier.prove.results import Refuted
from verifier.run.library import Library
from verifier.search.beyond import with_trace

FORK = Group("loongarch+ptw", "pte", "option-c", "today")
FREE = Group("x86_64", "pmd", "page-flag", "today")


def with_code(library: Library, group: Group, step: str, old: str, new: str,
              drop: str = "") -> Pair:
    """A step's text as it is, and changed; `drop`: a requirement that is left out."""
    transition = library.spec.transitions[step]
    name, source = transition.code(group.code) or ("", None)
    assert source is not None and old in source.text
    changed = replace(transition, codes={**transition.codes,
                                         name: Source(source.text.replace(old, new), source.where)},
                      requires=tuple(a for a in transition.requires if a.name != drop))
    spec = replace(library.spec, transitions={**library.spec.transitions, step: changed})
    before = library.group_model(group)
    return Pair(before, Model(spec, before.layout, before.encoding, group.level), group)


def of(pair: Pair, step: str, prop: str = "") -> dict[str, Difference]:
    return {
        d.property: d for d in Differences(pair).of(step, lambda name: not prop or name == prop)
    }


def refuted_before(pair: Pair, step: str, prop: str) -> bool:
    graph = Bits()
    prover = GroupProver(pair.old, pair.group, graph, BitsSolver(graph))
    (question,) = prover.builder.questions(lambda t, p: (t, p) == (step, prop))
    return isinstance(prover.decide(question), Refuted)


def shown(pair: Pair, found: Difference, prop: str) -> None:
    """With plain integers: the new breaks it, and the old does not, whatever it observes."""
    assert found.word == "broken" and found.move is not None and found.old is not None
    assert found.move.before == found.old.before
    assert violates(pair.new, pair.group, found.move, prop)
    tried = list(lucks(pair.old, pair.group, found.old))
    assert len(tried) > 1 and any(may for _, _, may in tried)
    assert not any(may and prop in broken for _, broken, may in tried)


@pytest.mark.whole
def test_a_dirty_loss_where_dirty_is_lost_already(library: Library) -> None:
    """pte_wrprotect of loongarch that takes DIRTY, which the hardware's walker alone may have set,
    and leaves no MODIFIED.
    """
    old = library.group_model(FORK)
    layout = library.layout("loongarch+ptw").with_body("pte_wrprotect", "pte & ~(WRITE | DIRTY)")
    pair = Pair(old, Model(library.spec, layout, old.encoding, "pte"), FORK)
    assert refuted_before(pair, "fork-pte", "no-lost-dirty")
    found = of(pair, "fork-pte", "no-lost-dirty")["no-lost-dirty"]
    shown(pair, found, "no-lost-dirty")
    traced = with_trace(pair, found, 5, 120, library.sequences())
    assert traced.trace and traced.trace[-1].transition == "fork-pte"
    shown(pair, traced, "no-lost-dirty")
    assert ("no-lost-dirty" not in {
        d.property for d in of(Pair(old, old, FORK), "fork-pte").values() if d.word != "same"
    })


def test_a_missing_map_count_where_dirty_is_lost_already(library: Library) -> None:
    pair = with_code(library, FREE, "madvise-free-pmd", "if not mapcount_one(p):\n    return\n", "")
    assert refuted_before(pair, "madvise-free-pmd", "no-lost-dirty")
    found = of(pair, "madvise-free-pmd")
    shown(pair, found["no-lost-dirty"], "no-lost-dirty")
    assert {name for name, d in found.items() if d.worse()} == {"no-lost-dirty"}
    steps = ("collapse[A+]", "fork-pmd[AB]", "split-pmd[B]", "fork-flush[A]",
             "ksm-write-protect[B]", "madvise-free-pmd[A]")
    # a search finds them too, in minutes
    known = {("page-flag", "today", "madvise-free-pmd/no-lost-dirty"): (steps,)}
    traced = with_trace(pair, found["no-lost-dirty"], 6, 120, known)
    assert traced.trace and traced.trace[-1].before["reach", 1], "another process reaches it"
    shown(pair, traced, "no-lost-dirty")


@pytest.mark.parametrize("group", [FORK, replace(FORK, variant="x86_64+stray-dirty")])
def test_what_is_refuted_and_did_not_change_is_no_difference(
    library: Library, group: Group
) -> None:
    """Another observation at the front moves the places of all others: it is another question, but
    breaks nothing.
    """
    model = library.group_model(group)
    assert ({d.word for d in of(Pair(model, model, group), "fork-pte").values()}
            <= {"same", "kept"})
    first = "pte = ptep_get(entry[parent])\n"
    more = "if folio_trylock() and not resident:\n    return\n"
    pair = with_code(library, group, "fork-pte", first, more + first)
    check_model(pair.new)
    found = of(pair, "fork-pte")
    assert not [d.id for d in found.values() if d.worse()]
    assert {d.word for d in found.values()} <= {"still broken", "kept", "same"}
    assert (found["no-false-exclusive"].word == "still broken"
            and refuted_before(pair, "fork-pte", "no-false-exclusive"))


def test_what_is_mended(library: Library) -> None:
    """The same change, the other way round."""
    pair = with_code(library, FREE, "madvise-free-pmd", "if not mapcount_one(p):\n    return\n", "")
    back = Differences(Pair(pair.new, pair.old, FREE))
    found = {
        d.property: d.word for d in back.of("madvise-free-pmd", lambda p: p == "no-lost-dirty")
    }
    assert (found == {"no-lost-dirty": "still broken"}
            and back.mends("madvise-free-pmd", "no-lost-dirty"))
    wrong = with_code(library, replace(FREE, level="pte"), "clear-young",
                      "ptep_test_and_clear_young(entry[p])",
                      "set_pte_at(entry[p], pte_mkwrite(entry[p], shadow_stack[p]))")
    assert of(wrong, "clear-young", "no-false-exclusive")["no-false-exclusive"].word == "broken"
    mended = of(Pair(wrong.new, wrong.old, wrong.group), "clear-young", "no-false-exclusive")
    assert mended["no-false-exclusive"].word == "fixed"


def test_a_requirement_that_is_dropped(library: Library) -> None:
    """The old does not take the step there: that is said, and is no smaller matter."""
    group = replace(FREE, level="pte")
    pair = with_code(library, group, "wp-copy", "", "", drop="read-only")
    found = of(pair, "wp-copy")
    worse = {d.property: d.word for d in found.values() if d.worse()}
    assert worse and set(worse.values()) == {"widened"}


def test_an_effect_that_is_lost(library: Library) -> None:
    pair = with_code(library, replace(FREE, level="pte"), "mremap-move", "flush(p)", "pass")
    assert of(pair, "mremap-move", "reaches-flushed")["reaches-flushed"].word == "lost"
    assert (of(Pair(pair.new, pair.old, pair.group), "mremap-move",
               "reaches-flushed")["reaches-flushed"].word == "fixed")


def test_the_command(library: Library, tmp_path: Path) -> None:
    specs, told = tmp_path / "specs", tmp_path / "told.json"
    shutil.copytree(library.spec_folder, specs)
    path = specs / "transitions" / "move.yaml"
    words = ["difference", "--old-spec-dir", str(library.spec_folder), "--arch", "x86_64",
             "--level", "pte", "--encoding",
             "page-flag", "--transition", "mremap-move", "--json", str(told), "--depth", "0"]
    done = CliRunner().invoke(main, ["--spec-dir", str(specs), *words])
    assert done.exit_code == 0 and " same" in done.output and "broken" not in done.output
    path.write_text(path.read_text().replace(
        "pte = ptep_get_and_clear(entry[p])\n",
        "pte = pte_mkwrite(ptep_get_and_clear(entry[p]), shadow_stack[p])\n", 1))
    done = CliRunner().invoke(main, ["--spec-dir", str(specs), *words])
    broken = "broken        x86_64/pte/page-flag/mremap-move/today/no-false-exclusive"
    assert done.exit_code == 1 and broken in done.output
    rows = {row["property"]: row for row in json.loads(told.read_text())["results"]}
    row = rows["no-false-exclusive"]
    new, old = row["new"], row["old"]
    assert (row["verdict"] == "broken" and new["before"] == old["before"]
            and new["changes"] != old["changes"])
    for wrong, said in ((["difference"], "give what to compare with"),
                        ([*words, "--property", "nothing"], "--property nothing: matches nothing"),
                        (["difference", "--old-spec-dir", str(tmp_path / "no")], "no such folder")):
        done = CliRunner().invoke(main, wrong)
        assert done.exit_code == 2 and said in done.stderr and done.stderr.count("\n") == 1


def test_old_specs_that_are_not_read_say_so(tmp_path: Path) -> None:
    """A mistake in old specs is told with their folder: its place alone would be today's file."""
    old = shutil.copytree(data_folder("specs"), tmp_path / "specs")
    words = ["difference", "--old-spec-dir", str(old), "--arch", "x86_64"]
    properties = old / "properties.yaml"
    properties.write_text(properties.read_text() + "  odd: 1\n")
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2 and done.stderr.startswith("specs/properties.yaml:")
    assert done.stderr.endswith(f"(in --old-spec-dir {old})\n")
    (old / "first.yaml").unlink()
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2 and done.stderr == (
        f"pteproof: {old} has no first.yaml: this version does not read specs that are older than "
        "that file; give --old-spec-dir a folder that has it\n")
