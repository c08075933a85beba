# SPDX-License-Identifier: GPL-2.0-or-later
"""A CNF is read back as it was written, and nothing that is malformed is read at all."""

from __future__ import annotations

import pytest

from verifier.base.errors import UsageError
from verifier.evidence.certify.dimacs import parse_cnf, write_cnf


def test_what_is_written_is_read() -> None:
    clauses = [[1, -2], [-1], [3, 2, -1]]
    assert write_cnf(3, clauses) == "p cnf 3 3\n1 -2 0\n-1 0\n3 2 -1 0\n"
    assert parse_cnf(write_cnf(3, clauses), "f.cnf") == (3, clauses)


@pytest.mark.parametrize(("text", "message"), [
    ("", "the last line"), ("p cnf 1 1\n1 0", "the last line"), ("\n", "not a header"),
    ("p dnf 1 1\n1 0\n", "not a header"), ("p cnf -1 1\n1 0\n", "not a header"),
    ("p cnf 1 1 \n1 0\n", "not a header"),
    ("p cnf 99999999999 1\n1 0\n", "not a header"), ("c x\np cnf 1 1\n1 0\n", "not a header"),
    ("p cnf 1 2\n1 0\n", "promises 2 clauses, the file has 1"),
    ("p cnf 1 1\n1 0\n-1 0\n", "promises 1"),
    ("p cnf 1 1\n2 0\n", "2:1: error: a variable beyond 1"),
    ("p cnf 1 2\n1 0\n-2 0\n", "3:1: error: a variable"),
    ("p cnf 1 1\n0\n", "not a clause"), ("p cnf 1 1\n1\n", "not a clause"),
    ("p cnf 1 1\n1 0 -1 0\n", "not a clause"),
    ("p cnf 1 1\n1  0\n", "not a clause"), ("p cnf 1 1\nc 1 0\n", "not a clause"),
    ("p cnf 1 1\n+1 0\n", "not a clause"),
    ("p cnf 1 1\n\u0661 0\n", "not a clause"), ("p cnf 1 1\n1 0\r\n", "not a clause"),
    ("p cnf 1 1\n%\n", "not a clause"),
])
def test_what_is_malformed_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_cnf(text, "f.cnf")
