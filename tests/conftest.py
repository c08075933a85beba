# SPDX-License-Identifier: GPL-2.0-or-later
"""What tests share: the shipped library, and one run of all that is asked of x86 and arm64."""

from __future__ import annotations

import gc

import pytest

from verifier.prove.results import Result, Run
from verifier.run.filters import Filters
from verifier.run.library import Library, load_library
from verifier.run.scheduler import Options, prove

# what tests type stays to the end: looking for garbage among it takes longer than typing
gc.set_threshold(100_000, 50, 1000)


@pytest.fixture(scope="session")
def library() -> Library:
    return load_library()


@pytest.fixture(scope="session")
def matrix(library: Library) -> Run:
    """x86-64 at level pte, but for the thread's code, without a cache.

    What no known sequence leads to is hardly searched for.
    """
    return prove(library, Filters(("x86_64",), ("pte",), code=("today", "option-c")),
                 Options(jobs=2, search_seconds=2, thorough=False))


@pytest.fixture(scope="session")
def results(matrix: Run) -> dict[str, Result]:
    return {r.obligation.id: r for r in matrix.results}


@pytest.fixture(scope="session")
def whole(pytestconfig: pytest.Config) -> bool:
    """Is everything wanted where a sample would do? make test-whole says so."""
    return bool(pytestconfig.getoption("--whole"))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "whole: one of many cases that are alike, of which make test runs a few"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what only make test-whole and make docs run, and let pytest say how many those are.
    """
    if not config.getoption("--whole") and not config.getoption("--update-docs"):
        left = [item for item in items if item.get_closest_marker("whole")]
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if not item.get_closest_marker("whole")]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--whole", action="store_true", help="all of what is sampled otherwise")
    parser.addoption("--update-docs", action="store_true",
                     help="write the console blocks of README.md and docs/ anew, and run all "
                          "variants that their ids name")
    parser.addoption("--update-golden", action="store_true",
                     help="write tests/golden/ anew: what commands print")
