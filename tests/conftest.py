# SPDX-License-Identifier: GPL-2.0-or-later
"""What tests share: the shipped library, and one run of the whole matrix."""

from __future__ import annotations

import pytest

from verifier.plan import Filters, Library, load_library
from verifier.results import Result, Run
from verifier.run import Options, prove


@pytest.fixture(scope="session")
def library() -> Library:
    return load_library()


@pytest.fixture(scope="session")
def matrix(library: Library) -> Run:
    """Everything, without a cache."""
    return prove(library, Filters(), Options(jobs=2))


@pytest.fixture(scope="session")
def results(matrix: Run) -> dict[str, Result]:
    return {r.obligation.id: r for r in matrix.results}
