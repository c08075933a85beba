# SPDX-License-Identifier: GPL-2.0-or-later
"""What `make test` runs of many cases that are alike. `make test-whole` runs them all.

Pytest counts the others as deselected.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any

import pytest

__all__ = ["sampled"]


def sampled(cases: Iterable[Any], few: Container[Any]) -> list[Any]:
    """Parameters of a test: all of them, those that are not among the few marked."""
    found = []
    for case in cases:
        values = case if isinstance(case, tuple) else (case,)
        found.append(pytest.param(*values, marks=() if case in few else pytest.mark.whole))
    return found
