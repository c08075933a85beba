# SPDX-License-Identifier: GPL-2.0-or-later
"""Obligations for other programs: SMT-LIB 2 scripts, and C for bounded model checkers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from verifier.base.errors import UsageError
from verifier.engine.c_program import c_harness
from verifier.engine.smtlib import Script, Smt, Term
from verifier.model.step import instances
from verifier.prove.bits_way import claim
from verifier.prove.builder import Builder
from verifier.prove.obligations import Group, Question
from verifier.run.filters import Filters
from verifier.run.library import Library
from verifier.run.plan import groups_of, nothing_matches

__all__ = ["conditions", "dump_smt", "harness", "named", "script", "steps", "write"]


def steps(library: Library, group: Group, filters: Filters) -> list[str]:
    """The names of a group's steps that are asked for: init, static, transitions, events."""
    model = library.group_model(group)
    names = ["init", "static", *dict.fromkeys(i.name for i in instances(model))]
    return [n for n in names if any(filters.wants(n, p) for p in model.spec.properties)]


def conditions(smt: Smt, question: Question[Term, Term]) -> list[Term]:
    """Conditions that hold together if and only if the obligation is violated."""
    given = {label: smt.all(*found) for label, found in question.given.items()}
    return [smt.any(*(smt.all(given[way.label], way.bad) for way in question.ways))]


def script(library: Library, group: Group, step: str, filters: Filters, status: str = "") -> str:
    """The obligations of a step as one SMT-LIB 2 script; a question is unsat where it is proved.

    `status` is the known answer, sat or unsat, for the script to tell.
    """
    model = library.group_model(group)
    smt = Smt()
    builder = Builder(model, group, smt, smt.input)
    told = Script([f"pteproof: {group}, {step}",
                   f"{library.archs[library.variant(group.variant).arch].read}",
                   "each question asks for a violation: unsat is proved"])
    for question in builder.questions(lambda t, p: t == step and filters.wants(t, p)):
        told.ask([question.id, claim(model, group, question)], conditions(smt, question), status)
    return told.text()


def harness(library: Library, identity: str) -> str:
    """One obligation as a C program whose assertion fails where it is violated.

    Raises UsageError where there is no such obligation.
    """
    group, step, filters = named(library, identity)
    model = library.group_model(group)
    smt = Smt()
    builder = Builder(model, group, smt, smt.input)
    for question in builder.questions(lambda t, p: t == step and filters.wants(t, p)):
        (violated,) = conditions(smt, question)
        return c_harness([f"pteproof: {question.id}", claim(model, group, question)], violated)
    raise nothing_matches(filters, library)


def named(library: Library, identity: str) -> tuple[Group, str, Filters]:
    """The group, step and filters of an obligation's id; UsageError for anything else."""
    parts = identity.split("/")
    if len(parts) != 6:
        raise UsageError(
            f"{identity!r} is no obligation: variant/level/encoding/transition/code/property"
        )
    variant, level, encoding, transition, code, prop = (part.replace("[", "[[]") for part in parts)
    filters = Filters((variant,), (level,), (encoding,), (code,), (transition,), (prop,))
    groups = groups_of(library, filters)[0]
    if len(groups) != 1 or transition not in steps(library, groups[0], filters):
        raise nothing_matches(filters, library)
    return groups[0], transition, filters


def _scripts(library: Library, filters: Filters) -> Iterator[tuple[str, str]]:
    """File names and their contents."""
    for group in groups_of(library, filters)[0]:
        for step in steps(library, group, filters):
            yield (f"{group}/{step}".replace("/", "--") + ".smt2",
                   script(library, group, step, filters))


def dump_smt(
    library: Library, filters: Filters, folder: Path,
    progress: Callable[[str], None] = lambda _: None,
) -> int:
    """Write the scripts of everything that is asked for into a folder; how many there are.

    Raises UsageError where a file cannot be written.
    """
    count = 0
    for name, text in _scripts(library, filters):
        progress(f"writing {name}")
        write(folder / name, text)
        count += 1
    return count


def write(path: Path, text: str) -> None:
    """Write a file and the folders above it; UsageError where that fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error
