# SPDX-License-Identifier: GPL-2.0-or-later
"""Mistakes about protection, translations, swap slots and devices (planted.yaml): what is named
fails, and did not before.
"""

from __future__ import annotations

import re
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from verifier.engine.bits import Bits
from verifier.engine.bits_solver import BitsSolver
from verifier.prove.bits_way import GroupProver
from verifier.prove.obligations import Group
from verifier.prove.results import Proved, Refuted
from verifier.run.library import Library, load_library

HERE = Path(__file__).parent
PLANTED: dict[str, dict[str, Any]] = yaml.safe_load(
    (HERE / "planted.yaml").read_text(encoding="utf-8")
)
TODAY = "page-flag/today"
LEVELS = {"huge": "pmd", "hugetlb": "hugetlb"}
KINDS = ("refutes", "effect", "equivalent")


def planted(name: str, folder: Path) -> Library:
    """The library with one mistake in it."""
    record = PLANTED[name]
    for part in ("specs", "arch"):
        shutil.copytree(HERE.parent / part, folder / part)
    path = folder / f"{record['file']}.yaml"
    text = path.read_text(encoding="utf-8").rstrip("\n") + "\n"
    start, end = 0, len(text)
    if not record["file"].startswith("arch/"):
        start = text.index(f"\n{record['transition']}:\n") + 1
        after = re.search(r"\n\n(?=[a-z0-9-]+:\n)", text[start:])
        end = start + after.start() + 1 if after else end
    part = text[start:end]
    assert record["old"] in part, "the text has changed: plant the mistake anew"
    path.write_text(text[:start] + part.replace(record["old"], record["new"]) + text[end:],
                    encoding="utf-8")
    return load_library(folder / "arch", folder / "specs")


def verdicts(library: Library, level: str, transition: str, of: str) -> dict[str, type]:
    """Property and effect -> the verdict of one transition of x86_64 without a trace. `of` is the
    encoding and the code.
    """
    encoding, code = of.split("/")
    group, graph = Group("x86_64", level, encoding, code), Bits()
    prover = GroupProver(library.group_model(group), group, graph, BitsSolver(graph))
    questions = prover.builder.questions(lambda t, p: t == transition)
    found: dict[str, type] = {q.property.name: type(prover.decide(q)) for q in questions}
    return (found | {a.property.name: type(prover.decide_aim(a))
                     for a in prover.builder.aims(lambda t, p: t == transition)})


@cache
def before(level: str, transition: str, of: str) -> dict[str, type]:
    return verdicts(load_library(), level, transition, of)


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_mistake_is_noticed(name: str, whole: bool, tmp_path: Path) -> None:
    record = PLANTED[name]
    if not whole and not record.get("sample"):
        pytest.skip("not of the sample: --whole")
    level = LEVELS.get(Path(record["file"]).name, "pte")
    asked = (level, record["transition"], record.get("of", TODAY))
    was, now = before(*asked), verdicts(planted(name, tmp_path), *asked)
    worse = {p for p, verdict in now.items() if verdict is not Proved and was.get(p) is Proved}
    if "refutes" in record:
        assert record["refutes"] in worse and now[record["refutes"]] is Refuted
    elif "effect" in record:
        assert record["effect"] in worse
    else:
        assert not worse, "something notices it now: say what"


def test_each_record_says_what_notices_it() -> None:
    for name, record in PLANTED.items():
        assert sum(kind in record for kind in KINDS) == 1, name
    assert 6 <= sum(bool(record.get("sample")) for record in PLANTED.values()) <= 12
