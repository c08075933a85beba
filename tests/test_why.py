# SPDX-License-Identifier: GPL-2.0-or-later
"""A refutation shows its point: the values that are printed, and nothing else, decide that the
property's sentence fails.
"""

from __future__ import annotations

import ast
import re
import shutil
from pathlib import Path

import pytest
from seen import shown, shows
from told import Tool

from verifier.base.errors import SpecError
from verifier.engine.answers import Sat
from verifier.engine.bits import Bits
from verifier.engine.bits_solver import BitsSolver
from verifier.language.algebra import Integers
from verifier.language.evaluate import truth_of
from verifier.language.machine import WAS, Key, Memory
from verifier.language.syntax import BOOL
from verifier.model.check import check_model
from verifier.model.read_specs import load_spec
from verifier.model.step import applies
from verifier.model.typed import Model
from verifier.model.world import World, key_name, plain, state_keys, symbolic_state
from verifier.prove.bits_way import graph_inputs
from verifier.prove.recompute import input_reader
from verifier.prove.results import Move
from verifier.report.explain import explain_text
from verifier.report.why import Shown, decisive, reasons
from verifier.run.library import Library

# Of each property that may fail: where it does. tests/test_verdicts.py looks at every refutation of
# its matrix.
ELSEWHERE = {
    "hardware-safe": "csky-v1/pte/page-flag/write-fault-writable/today/hardware-safe",
    "within-vma": "mips32-36bit/pte/page-flag/mprotect-pte/today/within-vma",
    "dropped-newer": "loongarch/pte/page-flag/lazyfree-discard/today/dropped-newer",
    "frame": "sh-x2tlb/pte/page-flag/mprotect-pte/today/frame",
    "soft-dirty-exact": "x86_64/pmd/page-flag/split-pmd/today/soft-dirty-exact",
    "leaf-in-memory": "mips64/hugetlb/page-flag/hugetlb-poison/today/leaf-in-memory",
    "marker-stays": "s390/hugetlb/page-flag/hugetlb-poison/today/marker-stays",
    "reach-is-reference": "arm-lpae/pmd/page-flag/mprotect-pmd/today/reach-is-reference",
    "no-lost-dirty": "x86_32/pmd/page-flag/madvise-free-pmd/today/no-lost-dirty",
    "well-formed": "mips32-xpa/pte/page-flag/clear-young/today/well-formed",
    "stale-child": "arc+smp/pte/option-c/fork-pte/option-c/stale-child",
    "stale-is-ours": "arc+smp/pte/option-c/clear-young/option-c/stale-is-ours",
    "pin-stays": "x86_64/pmd/option-c/numa-hint-set-pmd/today/pin-stays",
}


@pytest.fixture(scope="module")
def tool(library: Library) -> Tool:
    return Tool(library)


@pytest.mark.parametrize(("name", "identity"), ELSEWHERE.items())
def test_a_refutation_of_each_property_shows_its_point(
        library: Library, tool: Tool, name: str, identity: str
) -> None:
    result = tool.result(identity)
    told = shown(library, result)
    assert told is not None and shows(library, library.spec.properties[name], told), told
    text = " ".join(explain_text(library, result).split())
    for term in told.terms:
        assert (f"{term.reads} {term.after}" in text
                or f"{term.reads} {term.before} -> {term.after}" in text)


@pytest.mark.parametrize(("variant", "level", "encoding"), [
    ("x86_64+shstk", "pte", "page-flag"), ("x86_64+shstk", "pmd", "option-c"),
    ("s390", "hugetlb", "option-c"),
])
def test_whatever_breaks_a_property_is_shown(
        library: Library, variant: str, level: str, encoding: str
) -> None:
    """Of every property: the least state that breaks it, whether a step leads there or not, and
    what is shown of it.
    """
    model = library.model(variant, encoding, level)
    graph = Bits()
    solver, fresh = BitsSolver(graph), graph_inputs(graph)
    state = symbolic_state(model, fresh)
    state |= {was(key): value for key,
              value in symbolic_state(model, lambda name, kind: fresh(f"was_{name}", kind)).items()}
    world, told = World(model, graph, state, fresh, Memory()), 0
    for prop in model.spec.properties.values():
        if prop.holds is None or not applies(model, prop, model.encoding.codes[-1]):
            continue
        bad = graph.neg(truth_of(world, model.property(prop),
                                 (0, *(fresh(name, BOOL) for name in prop.inputs))))
        answer = solver.check([bad])
        if not isinstance(answer, Sat):
            continue
        read = input_reader(answer.model)
        before = plain({key: read(f"was_{key_name(key)}", kind) for key, kind in state_keys(model)})
        after = plain({key: read(key_name(key), kind) for key, kind in state_keys(model)})
        move = Move("fork-pte", False, (0,), False, answer.model, before, after)
        there = World(model, Integers(), {**after, **{was(k): v for k, v in before.items()}}, read,
                      Memory())
        terms = decisive(model, prop, prop.holds, 0, before, there, move)
        assert shows(library, prop, Shown("A", terms)), (prop.name, terms)
        told += 1
    assert told > 15


def was(key: Key) -> Key:
    return WAS + key if isinstance(key, str) else (WAS + key[0], key[1])


def test_a_permission_that_stays_is_shown_as_one(tool: Tool) -> None:
    """SuperH's mprotect takes no permission away: the counterexample is an entry whose high word,
    which has them, is as it was.
    """
    lines = tool.explain(ELSEWHERE["frame"])[1].splitlines()
    step = next(number for number, line in enumerate(lines)
                if re.match(r"  \d  mprotect-pte\b", line))
    before, after = (int(lines[n].split()[1], 16) for n in (step - 1, step + 1))
    assert before != after and before >> 32 == after >> 32 != 0


def test_what_a_reference_holder_sees_is_shown(tool: Tool) -> None:
    text = tool.explain("x86_64/hugetlb/page-flag/hugetlb-wp-reuse/today/no-false-exclusive")[1]
    assert re.search(r"exclusive, B holds\s+a reference", text) and "reader[B] 1" in text


def test_nothing_says_that_no_data_is_lost(tool: Tool) -> None:
    text = " ".join(tool.explain("x86_64/pte/page-flag/uprobe-replace/today/pin-stays")[1].split())
    assert "droppable" not in text
    assert re.search(r"none was found within \d steps\. What more steps lead to was not asked\.",
                     text)


def test_reasons_take_what_decides() -> None:
    def of(text: str, **values: bool) -> list[str]:
        def value(node: ast.expr) -> bool:
            return bool(eval(ast.unparse(node), {}, values))

        return [ast.unparse(n) for n in reasons(ast.parse(text, mode="eval").body, value)]

    assert of("not (a and b) or c", a=True, b=True, c=False) == ["a", "b", "c"]
    assert of("a and b and c", a=True, b=False, c=False) == ["b"]
    assert of("a if c else b", a=False, b=True, c=True) == ["c", "a"]
    assert of("a == b", a=True, b=False) == ["a", "b"]


@pytest.mark.parametrize(("line", "message"), [
    ("  shows: not newer[p]\n", "has no `holds`, so it has to say what a refutation shows"),
    ("  shows: not pinned[p]\n", "does not say what is shown where this fails"),
])
def test_a_property_that_shows_nothing_does_not_load(
        library: Library, tmp_path: Path, line: str, message: str
) -> None:
    shutil.copytree(library.spec_folder, tmp_path / "specs")
    path = tmp_path / "specs" / "properties.yaml"
    assert line in path.read_text()
    path.write_text(path.read_text().replace(line, ""))
    with pytest.raises(SpecError, match=message):
        spec = load_spec(tmp_path / "specs")
        check_model(Model(spec, library.layout("x86_64"), spec.encodings["page-flag"]))
