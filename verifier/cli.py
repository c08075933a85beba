# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line: which commands there are, and how they end.

A command is imported when it is asked for.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from verifier import __version__
from verifier.base.errors import OutputError, PteproofError, SolverError, UsageError, internal
from verifier.base.exits import Exit, for_bisect
from verifier.base.output import STREAM_ERRORS, hold_streams, one_line, tell, tell_error
from verifier.base.processes import stop_on_request

__all__ = ["ended", "main"]

_COMMANDS = {
    **{name: ("verifier.commands.prove", name) for name in ("prove", "audit", "explain")},
    **{name: ("verifier.commands.evidence", name) for name in ("certify", "export", "mutate")},
    "difference": ("verifier.commands.difference", "difference"),
    **{name: ("verifier.commands.look", name) for name in ("call", "decode", "encode")},
    "list": ("verifier.commands.look", "list_command"),
    "table": ("verifier.commands.look", "table_command"),
    "conform": ("verifier.commands.kernel", "conform_command"),
    "laws": ("verifier.commands.kernel", "laws_command"),
    "check-patch": ("verifier.commands.check_patch", "check_patch_command"),
    "sites": ("verifier.commands.sites", "sites_command"),
    "blocks": ("verifier.commands.blocks", "blocks_command"),
    "races": ("verifier.commands.races", "races_command"),
    "two-words": ("verifier.commands.two_words", "two_words_command"),
}
_COMPLETION = "_PTEPROOF_COMPLETE"  # set by a shell that completes words: click's own matter


class _Group(click.Group):
    """Commands by name; whatever happens ends in one line and an exit code of
    verifier/base/exits.py.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        from importlib import import_module

        module, name = _COMMANDS[cmd_name]
        found: click.Command = getattr(import_module(module), name)
        return found

    def main(self, args: Sequence[str] | None = None, *more: Any, **extra: Any) -> Any:
        """Without click's own endings: exit code 1 for an interrupt and for a closed pipe."""
        if _COMPLETION in os.environ:
            return super().main(args, *more, **extra)
        words = list(sys.argv[1:] if args is None else args)
        stop_on_request()
        code = ended(lambda: self._run(words))
        sys.exit(int(for_bisect(code) if "--bisect" in words else code))

    def _run(self, words: list[str]) -> object:
        hold_streams()
        try:
            with self.make_context("pteproof", words) as context:
                return self.invoke(context)
        finally:
            _tell_unjailed()

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """No words at all give help, and nothing was checked; versions of click differ there."""
        if not args:
            tell_error(ctx.get_help())
            raise click.exceptions.Exit(Exit.WRONG_USE)
        return super().parse_args(ctx, args)


def _tell_unjailed() -> None:
    """Say, also with --quiet, that a kernel tree's own code ran without a jail."""
    jail = sys.modules.get("verifier.kernel.tree.jail")  # whoever runs a tree's code has loaded it
    if jail is not None and (said := jail.unjailed()) is not None:
        tell_error(said)


def ended(run: Callable[[], object]) -> int:
    """The exit code of what is run; only a verdict gives 0 or 1.

    A fault gives one line on standard error.
    """
    try:
        code = run()
        sys.stdout.flush()
        return code if isinstance(code, int) else Exit.HOLDS
    except click.exceptions.Exit as error:
        return error.exit_code
    except (KeyboardInterrupt, click.exceptions.Abort):
        tell_error("pteproof: stopped")
        return Exit.STOPPED
    except click.ClickException as error:
        said = io.StringIO()
        error.show(said)
        tell_error(said.getvalue().rstrip("\n"))
        return Exit.WRONG_USE
    except PteproofError as error:
        bare = not isinstance(error, (UsageError, OutputError, SolverError))
        tell_error(one_line(str(error) if bare else f"pteproof: {error}"))
        return (Exit.NO_OUTPUT if isinstance(error, OutputError) else
                Exit.CONTRADICTION if isinstance(error, SolverError) else Exit.WRONG_USE)
    except BrokenPipeError:
        return Exit.NO_READER
    except OSError as error:
        if error.errno in STREAM_ERRORS and error.filename is None:  # click's help
            tell_error(f"pteproof: standard output cannot be written: {error.strerror}")
            return Exit.NO_OUTPUT
        return _crashed(error)
    except Exception as error:
        return _crashed(error)
    finally:
        _let_go()


def _crashed(error: BaseException) -> Exit:
    """Say what broke, and where; the whole way there on request."""
    tell_error(f"pteproof: {one_line(internal(error))}; this is no verdict (PTEPROOF_TRACEBACK=1 "
               "shows more)")
    if os.environ.get("PTEPROOF_TRACEBACK"):
        from traceback import format_exception

        tell_error("".join(format_exception(error)).rstrip("\n"))
    return Exit.CRASH


def _let_go() -> None:
    """Drop output that could not be written, so that Python does not try again at its end."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _tell_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from verifier.engine.native import core

        tell(f"pteproof, version {__version__} ({core()})")
        context.exit()


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_tell_version,
              help="Show the version, and which core decides; then exit.")
@click.option("--arch-dir", type=click.Path(path_type=Path),
              help="load architectures from here, not the shipped ones")
@click.option("--spec-dir", type=click.Path(path_type=Path),
              help="load specs from here, not the shipped ones")
@click.pass_context
def main(context: click.Context, arch_dir: Path | None, spec_dir: Path | None) -> None:
    """Prove what the Linux kernel's page table entries may encode, or show the values that break
    it.
    """
    context.obj = (arch_dir, spec_dir)


if __name__ == "__main__":
    main()
