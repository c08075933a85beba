# SPDX-License-Identifier: GPL-2.0-or-later
"""The options that commands share, and what they say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from verifier.base.columns import MAIL, on_page

if TYPE_CHECKING:
    from verifier.run.filters import Filters
    from verifier.run.library import Library

__all__ = ["FILTERS", "GLOB", "check_names", "filtering", "load", "mailing", "make_filters",
           "running", "writing"]

GLOB = "a shell glob; may be given several times"
FILTERS = ("arch", "level", "encoding", "code", "transition", "property")


def load(context: click.Context, version: str | None = None) -> Library:
    """arch/, as it is in a version of the kernel, and specs/: the shipped ones or those that the
    command line names. Without a version, in the one that specs/ describes.

    With `only`, just the architecture of that variant.
    """
    from verifier.run.library import load_library

    arch_dir, spec_dir = context.obj
    if version is None:
        return load_library(arch_dir, spec_dir)
    return load_library(arch_dir, spec_dir, version)


def filtering(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which obligations are asked for."""
    for name in reversed(FILTERS):
        command = click.option(f"--{name}", multiple=True, metavar="G", help=GLOB)(command)
    return command


def running(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of everything that proves."""
    options = [
        click.option("--jobs", type=click.IntRange(1, 256), default=None,
                     help="processes; default: the cores"),
        click.option("--timeout", type=click.FloatRange(0.01), default=60.0,
                     help="seconds for one obligation"),
        click.option("--depth", type=click.IntRange(1, 40), default=8,
                     help="steps of the longest trace"),
        click.option("--search-seconds", type=click.FloatRange(0), default=30.0, show_default=True,
                     help="how long to search for how one theorem's failures are reached; "
                          "counted in work: it goes as deep on every machine"),
        click.option("--consequences/--no-consequences", default=None,
                     help="search also for what failures lead to; default: where it is shown or "
                          "written"),
        click.option("--solver", type=click.Choice(["auto", "bits", "z3", "bitwuzla", "cvc5"]),
                     default="auto", help="who decides; auto is bits: folding, then SAT solvers on "
                                          "one and-inverter graph"),
        click.option("--cross-check", "cross", is_flag=True,
                     help="decide by bits and by z3 (or the one of --solver); uses no cache"),
        click.option("--dump-smt", "dump_smt", type=click.Path(path_type=Path), metavar="DIR",
                     help="write what is asked as SMT-LIB 2, a file for each step of each code"),
        click.option("--tree", type=click.Path(path_type=Path),
                     help="a Linux source tree, to replay in; its build files run as you, in a "
                          "jail if bubblewrap works"),
        click.option("--helpers", type=click.Choice(["yaml", "kernel"]), default="yaml",
                     help="whose helpers: those of arch/, or with --tree the kernel's own, lifted"),
        click.option(
            "--no-cache", is_flag=True, help="neither read nor keep proofs of earlier runs"
        ),
        click.option("-q", "--quiet", is_flag=True, help="the closing line only"),
        click.option(
            "-v", "--verbose", is_flag=True, help="every obligation, also the proved ones"
        ),
        click.option("--no-color", is_flag=True, help="no colour (as with NO_COLOR)"),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def writing(command: Callable[..., Any]) -> Callable[..., Any]:
    """The files that verdicts are written to."""
    inhabitants = ("in JSON, with each proof a step for which all that it assumes is true: files "
                   "become many times as large")
    lines = ("write lines of JSON while the run goes on: those of a theorem when it closes; - is "
             "standard output")
    command = click.option("--inhabitants", is_flag=True, help=inhabitants)(command)
    command = click.option("--jsonl", "jsonl_file", metavar="FILE", help=lines)(command)
    for name, what in (("sarif", "SARIF 2.1.0"), ("junit", "JUnit XML"),
                       ("json", "JSON; - is standard output")):
        command = click.option(f"--{name}", f"{name}_file", metavar="FILE",
                               help=f"write the result as {what}")(command)
    return command


def mailing(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option that makes text for a mail of whatever the command prints."""
    def chosen(context: click.Context, option: click.Parameter, on: bool) -> None:
        if on:
            context.with_resource(on_page(MAIL))

    return click.option("--mail", is_flag=True, expose_value=False, callback=chosen,
                        help="text for a mail: 72 columns, no colour, no progress bar")(command)


def make_filters(given: dict[str, Any]) -> Filters:
    """What the options of `filtering` let through; they are taken out of what was given."""
    from verifier.run.filters import Filters

    return Filters(**{name: given.pop(name) for name in FILTERS},
                   theorems=tuple(given.pop("theorems", ())))


def check_names(filters: Filters, library: Library) -> None:
    """Before anything is decided: does each glob match something?

    UsageError names the first that does not.
    """
    from verifier.run.plan import misspelt

    wrong = misspelt(filters, library)
    if wrong is not None:
        raise wrong
