# SPDX-License-Identifier: GPL-2.0-or-later
"""prove, audit, explain."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from verifier.base.columns import fold
from verifier.base.errors import UsageError
from verifier.base.exits import Exit
from verifier.base.output import tell
from verifier.commands.execute import Progress, color, execute, finish, write_files
from verifier.commands.options import (
    FILTERS,
    check_names,
    filtering,
    load,
    mailing,
    make_filters,
    running,
    writing,
)
from verifier.commands.told import keep, tell_again, tell_of_the_same

if TYPE_CHECKING:
    from verifier.prove.baseline import Baseline
    from verifier.prove.results import Run
    from verifier.run.filters import Filters
    from verifier.run.library import Library

__all__ = ["audit", "explain", "prove"]

GO_ON = """\
pteproof explain ID        how one obligation fails, step by step
pteproof prove s390        another architecture (pteproof list variants)
pteproof prove --all       all variants, levels and encodings: an hour
pteproof audit             what option C breaks in today's code"""
# of the search of one theorem, in the first answer: what known steps lead to is found without
FIRST_SECONDS = 0.0
_OF_DIFF = {"no_cache", "no_color"}  # options of what proves that a diff may have too


@click.command()
@click.argument("theorems", metavar="[THEOREM]...", nargs=-1)
@click.option("--all", "everything", is_flag=True,
              help="the whole matrix: every variant, level, encoding and code")
@filtering
@running
@writing
@mailing
@click.option("--unneeded", is_flag=True,
              help="list the assumptions that none of these proofs needs, instead of the verdicts")
@click.option("--baseline", type=click.Path(path_type=Path), metavar="RESULT",
              help="the JSON of an earlier run: say what is new, and let the exit code speak of "
                   "that only")
@click.pass_context
def prove(context: click.Context, /, unneeded: bool, everything: bool, **given: Any) -> int:
    """Prove or refute theorems: VARIANT/LEVEL/ENCODING/CODE, or a part of that from the left, each
    part a glob.

    Without one, without filters and without --all: what most people have, x86_64 and arm64 at level
    pte.
    """
    from verifier.prove.baseline import read_baseline
    from verifier.prove.results import exit_code, settled
    from verifier.report import forms
    from verifier.run.plan import first_theorems

    first = not everything and not any(given[key] for key in ("theorems", *FILTERS))
    asked = context.get_parameter_source("search_seconds")
    if first and asked is click.core.ParameterSource.DEFAULT:
        given["search_seconds"] = FIRST_SECONDS
    key = given | {"first": first}
    filters = make_filters(given)

    def complete(library: Library, filters: Filters) -> Filters:
        return replace(filters, theorems=first_theorems(library)) if first else filters

    if unneeded:
        library = load(context)
        filters = complete(library, filters)
        check_names(filters, library)
        return _unneeded(library, filters, given)
    told = tell_again(context, "prove", key)
    if told is not None:
        return told
    baseline = read_baseline(given["baseline"], "pteproof.result/2") if given["baseline"] else None
    library, run, stopped = execute(context, filters, given, complete,
                                    partial(tell_of_the_same, context, given))
    if baseline is not None:
        run = against(library, complete(library, filters), run, baseline)
    if not write_files(library, run, given):
        text = forms.prove_text(library, run, given["quiet"], given["verbose"], color(given))
        if first and not given["quiet"]:
            text += f"\n\n{GO_ON}"
        tell(text, painted=color(given))
        if settled(run):
            keep(context, "prove", key, text, exit_code(run))
    return finish(run, stopped)


def against(library: Library, filters: Filters, run: Run, baseline: Baseline) -> Run:
    """The run, compared with an earlier one. What was not finished is not lost."""
    from verifier.prove.baseline import compare
    from verifier.prove.results import said
    from verifier.run.plan import asks_for

    asked, unfinished = asks_for(library, filters), {str(group) for group, _ in run.unfinished}

    def wanted(identity: str) -> bool:
        variant, level, encoding, _, code, _ = identity.split("/")
        return f"{variant}/{level}/{encoding}/{code}" not in unfinished and asked(identity)

    return replace(
        run, compared=compare(baseline, ((r.obligation.id, said(r)) for r in run.results), wanted)
    )


def _unneeded(library: Library, filters: Filters, given: dict[str, Any]) -> int:
    from verifier.evidence.unneeded import lines, needs
    from verifier.run.plan import nothing_matches

    with Progress(not given["quiet"]) as progress:
        found = needs(library, filters, progress)
    if not found.proofs:
        raise nothing_matches(filters, library)
    tell(fold("\n".join(lines(found))))
    return Exit.HOLDS


@click.command()
@filtering
@running
@writing
@mailing
@click.pass_context
def audit(context: click.Context, /, **given: Any) -> int:
    """What today's code breaks under an encoding: the work list, worst first.

    Default: --encoding option-c.
    """
    from verifier.prove.results import exit_code, settled
    from verifier.report import forms

    told = tell_again(context, "audit", given)
    if told is not None:
        return told
    key = dict(given)
    filters = make_filters(given)

    def complete(library: Library, filters: Filters) -> Filters:
        encoding, code = library.spec.first.audit
        return replace(filters, encoding=filters.encoding or (encoding,), code=filters.code
                       or (code,))

    library, run, stopped = execute(context, filters, given, complete)
    if not write_files(library, run, given):
        text = forms.audit_text(library, run)
        tell(text, painted=color(given))
        if settled(run):
            keep(context, "audit", key, text, exit_code(run))
    return finish(run, stopped)


@click.command()
@click.argument("identity", metavar="ID")
@click.option("--more", type=click.IntRange(1, 100), default=1,
              help="as many counterexamples, by more than the frame")
@click.option("--diff", nargs=2, default=None, metavar="A B",
              help="ID is a transition: what code B runs for it, as a diff from code A")
@click.option("--encoding", default=None, help="with --diff: its definitions of what they call")
@click.option("--level", default=None, help="with --diff: its views that they call")
@running
@writing
@mailing
@click.pass_context
def explain(context: click.Context, /, identity: str, more: int, diff: tuple[str, str] | None,
            encoding: str | None, level: str | None, **given: Any) -> int:
    """One obligation: the claim, the verdict, the values, the trace, the replay.

    With --diff, a transition: what two codes run for it.
    """
    if diff is not None:
        return _diff(context, {"transition": identity, "codes": diff, "encoding": encoding,
                               "level": level}, given)
    for option, value in (("--encoding", encoding), ("--level", level)):
        if value is not None:
            raise UsageError(f"{option} goes with --diff: an obligation names its own in its id")
    key = given | {"identity": identity, "more": more}
    told = tell_again(context, "explain", key)
    if told is not None:
        return told
    from verifier.prove.results import exit_code, settled
    from verifier.report import forms
    from verifier.run.filters import Filters

    parts = identity.split("/")
    if len(parts) != 6:
        raise UsageError(
            f"{identity!r} is no obligation: variant/level/encoding/transition/code/property"
        )
    variant, level, encoding, transition, code, prop = (part.replace("[", "[[]") for part in parts)
    filters = Filters((variant,), (level,), (encoding,), (code,), (transition,), (prop,))
    library, run, stopped = execute(context, filters, given)
    # an architecture may have a variant of its own name
    named = tuple(r for r in run.results if r.obligation.id == identity)
    run = replace(run, results=named) if named and not stopped else run
    if not write_files(library, run, given):
        texts = []
        for result in run.results:
            texts.append(forms.explain_text(library, result, color(given)))
            if more > 1:
                texts.append(forms.more_text(library, result, more))
        tell("\n".join(texts), painted=color(given))
        if settled(run):
            keep(context, "explain", key, "\n".join(texts), exit_code(run))
    return finish(run, stopped)


def _diff(context: click.Context, asked: dict[str, Any], given: dict[str, Any]) -> int:
    """Tell what two codes run for a transition. Nothing is proved: an option about that is an
    error.
    """
    for option in context.command.params:
        if (option.name in {"more", *given} - _OF_DIFF and context.get_parameter_source(option.name)
                is click.core.ParameterSource.COMMANDLINE):
            raise UsageError(f"{option.opts[-1]} does not go with --diff, which proves nothing")
    key = asked | {name: given[name] for name in _OF_DIFF}
    told = tell_again(context, "explain --diff", key, silently=True)
    if told is not None:
        return told
    from verifier.base.data import data_folder
    from verifier.model.read_specs import load_spec
    from verifier.report.code_diff import diff_text

    spec = load_spec(context.obj[1] or data_folder("specs"))
    text = diff_text(spec, **asked, color=color(given))
    tell(text, painted=color(given))
    keep(context, "explain --diff", key, text, Exit.HOLDS)
    return Exit.HOLDS
