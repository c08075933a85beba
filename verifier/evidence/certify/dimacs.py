# SPDX-License-Identifier: GPL-2.0-or-later
"""CNF files, written and read strictly.

Checkers are known to accept malformed files, so none sees a file before this. The only form is a
header `p cnf VARIABLES CLAUSES`, then each clause on a line of its own, ended by ` 0`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from verifier.base.errors import UsageError

__all__ = ["parse_cnf", "write_cnf"]

_HEADER = re.compile(r"p cnf ([1-9][0-9]{0,8}) ([1-9][0-9]{0,8})", re.ASCII)
_BODY = re.compile(r"(?:(?:-?[1-9][0-9]{0,8} )++0\n)++", re.ASCII)
_CLAUSE = re.compile(r"(?:-?[1-9][0-9]{0,8} )+0", re.ASCII)


def write_cnf(variables: int, clauses: Sequence[Sequence[int]]) -> str:
    """The text of a CNF; a literal is the signed number of a variable, which count from 1."""
    lines = [f"p cnf {variables} {len(clauses)}",
             *(" ".join(map(str, (*clause, 0))) for clause in clauses)]
    return "\n".join(lines) + "\n"


def parse_cnf(text: str, name: str) -> tuple[int, list[list[int]]]:
    """The number of variables and the clauses of a CNF's text; `name` is the file's, for errors.

    Raises UsageError at the first line that is not of the form: another header, a count that is not
    the file's, a variable out of range, an empty clause, a comment, anything behind the last
    clause.
    """
    if not text.endswith("\n"):
        raise UsageError(f"{name}: the last line does not end")
    lines = text[:-1].split("\n")
    header = _HEADER.fullmatch(lines[0])
    if header is None:
        raise UsageError(f"{name}:1:1: error: not a header `p cnf VARIABLES CLAUSES`")
    variables, count = int(header[1]), int(header[2])
    if len(lines) - 1 != count:
        raise UsageError(
            f"{name}:1:1: error: the header promises {count} clauses, the file has {len(lines) - 1}"
        )
    body = text[len(lines[0]) + 1:]
    if _BODY.fullmatch(body) is None:
        number = next(n for n, line in enumerate(lines[1:], 2) if _CLAUSE.fullmatch(line) is None)
        raise UsageError(f"{name}:{number}:1: error: not a clause")
    clauses = [list(map(int, line[:-2].split(" "))) for line in lines[1:]]
    if max(map(max, clauses)) > variables or -min(map(min, clauses)) > variables:
        number = next(n for n, clause in enumerate(clauses, 2) if max(map(abs, clause)) > variables)
        raise UsageError(f"{name}:{number}:1: error: a variable beyond {variables}")
    return variables, clauses
