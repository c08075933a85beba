# SPDX-License-Identifier: GPL-2.0-or-later
"""call, decode, encode, list, table: what arch/ and specs/ say."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from verifier.base.columns import fold
from verifier.base.exits import Exit, exit_of
from verifier.base.output import tell, tell_error
from verifier.commands.execute import Progress, finish
from verifier.commands.options import GLOB, check_names, load, mailing
from verifier.commands.told import keep, tell_again

if TYPE_CHECKING:
    from verifier.model.arch import Layout

__all__ = ["call", "decode", "encode", "list_command", "table_command"]


def _layout(context: click.Context, arch: str, overlay: str | None = None) -> Layout:
    """The layout of a variant, read from its file alone.

    A user's own file is checked whole, beyond what one value needs.
    """
    from verifier.model.read_arch import load_layout

    folder = context.obj[0]
    found = load_layout(arch, folder, overlay)
    if folder is not None:
        found.check()
    return found


@click.command()
@click.argument("arch")
@click.argument("values", metavar="VALUE...", nargs=-1, required=True)
@click.option("--encoding", default="option-c", help="whose reading of exclusive to show")
@click.option("--json", "as_json", is_flag=True, help="as JSON")
@mailing
@click.pass_context
def decode(context: click.Context, arch: str, values: tuple[str, ...], encoding: str,
           as_json: bool) -> int:
    """Every field and helper of an entry value, as an oops prints it; exclusive or not."""
    from verifier.base.data import data_folder
    from verifier.model.read_specs import load_reading
    from verifier.report.decode import decode_text

    spec = load_reading(context.obj[1] or data_folder("specs"), encoding)
    record = spec.encodings[encoding]
    tell(decode_text(_layout(context, arch, record.overlay), spec, record, values, as_json))
    return Exit.HOLDS


@click.command()
@click.argument("arch")
@click.argument("settings", metavar="FIELD=V...", nargs=-1, required=True)
@click.pass_context
def encode(context: click.Context, arch: str, settings: tuple[str, ...]) -> int:
    """The entry value for fields and abstract states, such as PFN=0x12345 present=1 write=0
    dirty=1.
    """
    from verifier.model.encode import encode_entry

    layout = _layout(context, arch)
    tell(f"{encode_entry(layout, settings):0{layout.width // 4}x}")
    return Exit.HOLDS


@click.command()
@click.argument("arch")
@click.argument("texts", metavar="[NAME=V]... EXPR...", nargs=-1, required=True)
@mailing
@click.pass_context
def call(context: click.Context, arch: str, texts: tuple[str, ...]) -> int:
    """What helpers make of values, such as 'pte_write(pte_wrprotect(0x867))'; ptep=0x867 names an
    entry in memory.
    """
    from verifier.model.apply import apply_text

    tell(fold(apply_text(_layout(context, arch), texts)))
    return Exit.HOLDS


_LISTS = ("archs", "variants", "transitions", "properties", "encodings", "helpers")


@click.command("list")
@click.argument("what", type=click.Choice(_LISTS))
@click.option(
    "--arch", default=None, help="whose helpers; default: each architecture's default variant"
)
@mailing
@click.pass_context
def list_command(context: click.Context, what: str, arch: str | None) -> int:
    """What there is."""
    key = {"what": what, "arch": arch}
    told = tell_again(context, "list", key, silently=True)
    if told is not None:
        return told
    from verifier.report.listing import list_text

    text = list_text(load(context), what, arch)
    tell(text)
    keep(context, "list", key, text, Exit.HOLDS)
    return Exit.HOLDS


@click.command("table")
@click.option("--arch", multiple=True, metavar="G", help=GLOB)
@click.option("--format", "form", type=click.Choice(["text", "markdown", "json"]), default="text")
@click.option("--proofs", is_flag=True,
              help="the theorems too, property by property; takes minutes the first time")
@click.option("--jobs", type=click.IntRange(1, 256), default=None,
              help="processes of --proofs; default: the cores")
@click.option("--no-cache", is_flag=True, help="neither read nor keep what earlier runs found")
@click.option("-v", "--verbose", is_flag=True,
              help="also statements that hold, or fail, on all alike; lemmas, and every entry")
@click.option("-q", "--quiet", is_flag=True, help="no progress bar")
@mailing
@click.pass_context
def table_command(context: click.Context, /, arch: tuple[str, ...], form: str, verbose: bool,
                  quiet: bool, **proving: Any) -> int:
    """Which architecture does what: bits, spare bits, statements with the values that tell them
    apart. All is computed.
    """
    key = ({"arch": arch, "form": form, "every": verbose}
           | {name: proving[name] for name in ("proofs", "no_cache")})
    told = tell_again(context, "table", key)
    if told is not None:
        return told
    from verifier.base.store import cache_folder
    from verifier.evidence.table.compute import table
    from verifier.evidence.table.proofs import proofs
    from verifier.evidence.table.show import show
    from verifier.run.filters import Filters
    from verifier.run.plan import variants_of
    from verifier.run.scheduler import Options, Stopped

    library, found = load(context), None
    check_names(Filters(arch), library)
    wanted = [v.name for v in variants_of(library, Filters(arch))]
    with Progress(not quiet) as progress:
        rows = table(library, wanted, progress)
        if proving["proofs"]:
            cache = None if proving["no_cache"] else cache_folder()
            try:
                options = Options(proving["jobs"] or os.cpu_count() or 1, cache=cache,
                                  thorough=False)
                found = proofs(library, arch, options, progress)
            except Stopped as stopped:
                return finish(stopped.run, True)
    text = show(rows, form, verbose, found)
    tell(text)
    if found is None or found.settled:
        keep(context, "table", key, text, Exit.HOLDS)
    contradictions = found.contradictions if found is not None else ()
    for what in contradictions:
        tell_error(f"pteproof: contradiction: {what}")
    return exit_of(["contradiction"] * len(contradictions), nothing=Exit.HOLDS)
