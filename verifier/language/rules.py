# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables of rules: what is done with a node of a typed program, by the node's class.

An expression whose type is a word has a word as its value. Who wants a word looks the rule up as a
WordRule, so that mypy knows of it. It is the same table, and costs nothing more.
"""

from __future__ import annotations

from typing import Protocol, TypeVar, cast

from verifier.language.algebra import B, W
from verifier.language.machine import Frame, Machine
from verifier.language.syntax import Expr, Stmt
from verifier.language.values import Value

__all__ = ["IndexRule", "Rule", "RuleFor", "TruthRule", "WordRule", "row"]

N = TypeVar("N")
N_contra = TypeVar("N_contra", contravariant=True)


class RuleFor(Protocol[N_contra]):
    """How a node of one class is evaluated, or run."""

    def __call__(self, m: Machine[W, B], frame: Frame[W, B], node: N_contra, /) -> Value: ...


class Rule(Protocol):
    """How a node is evaluated, or run, whose class was looked up."""

    def __call__(self, m: Machine[W, B], frame: Frame[W, B], node: Expr | Stmt, /) -> Value: ...


class WordRule(Protocol):
    """How an expression is evaluated whose type is a word."""

    def __call__(self, m: Machine[W, B], frame: Frame[W, B], node: Expr, /) -> W: ...


class TruthRule(Protocol):
    """How an expression is evaluated whose type is BOOL."""

    def __call__(self, m: Machine[W, B], frame: Frame[W, B], node: Expr, /) -> B: ...


class IndexRule(Protocol):
    """How an expression is evaluated whose type is INDEX."""

    def __call__(self, m: Machine[W, B], frame: Frame[W, B], node: Expr, /) -> int: ...


def row(kind: type[N], rule: RuleFor[N]) -> tuple[type, Rule]:
    """A row of a table of rules by class."""
    return kind, cast(Rule, rule)
