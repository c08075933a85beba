# SPDX-License-Identifier: GPL-2.0-or-later
"""An assumption that nothing needs is listed with its place; one that something needs is not."""

from __future__ import annotations

import shutil
from pathlib import Path

from click.testing import CliRunner

from verifier.cli import main
from verifier.evidence.unneeded import needs
from verifier.run.filters import Filters
from verifier.run.library import Library, load_library

FORK = Filters(("x86_64",), ("pte",), ("page-flag", "option-c"), (), ("fork-pte", "fork-copy"), ())


def test_what_is_needed_names_a_proof_that_fails_without_it(library: Library) -> None:
    found = needs(library, FORK)
    needed = {f"{one.kind} {one.name}": where for one, where in found.needed.items()}
    assert "fork-pte" in needed["requires fork-pte.child-empty"] and found.proofs > 400
    assert "requires fork-copy.same-vma" not in needed  # it is there for traces only


def test_a_requirement_that_nothing_needs_is_listed(tmp_path: Path) -> None:
    shutil.copytree(load_library().spec_folder, tmp_path / "specs")
    path = tmp_path / "specs" / "transitions" / "fork.yaml"
    text = path.read_text()
    path.write_text(text.replace(
        "    child-empty:\n", '    idle: {holds: "True", because: "nobody"}\n    child-empty:\n', 1
    ))
    assert path.read_text() != text
    result = CliRunner().invoke(main, ["--spec-dir", str(tmp_path / "specs"), "prove", "--unneeded",
                                       "--arch", "x86_64", "--level", "pte", "--encoding",
                                       "page-flag", "--transition", "fork-pte"])
    assert result.exit_code == 0
    assert (
        "unneeded  requires fork-pte.idle  (" in result.output and "fork.yaml:12:" in result.output
    )
    assert "fork-pte.child-empty" not in result.output


def test_a_filter_that_leaves_nothing_is_an_error() -> None:
    result = CliRunner().invoke(
        main, ["prove", "--unneeded", "--arch", "x86_64", "--transition", "static"]
    )
    assert result.exit_code == 2
