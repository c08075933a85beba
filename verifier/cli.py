# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line: which commands there are, and how they end. A command is imported when it is asked for."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from verifier import __version__
from verifier.errors import PteproofError, UsageError
from verifier.processes import stop_on_request

__all__ = ["main"]

USAGE = 2

_COMMANDS = {
    **{name: ("verifier.commands.prove", name) for name in ("prove", "audit", "explain")},
    **{name: ("verifier.commands.evidence", name) for name in ("certify", "export", "mutate")},
    **{name: ("verifier.commands.look", name) for name in ("call", "decode", "encode")},
    "list": ("verifier.commands.look", "list_command"),
    "table": ("verifier.commands.look", "table_command"),
    "conform": ("verifier.kernel.commands", "conform_command"),
    "laws": ("verifier.kernel.commands", "laws_command"),
}


class _Group(click.Group):
    """Commands by name; errors end in one line and exit code 2."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        from importlib import import_module

        module, name = _COMMANDS[cmd_name]
        found: click.Command = getattr(import_module(module), name)
        return found

    def main(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["standalone_mode"] = False
        stop_on_request()
        try:
            code = super().main(*args, **kwargs)
            sys.stdout.flush()
            sys.exit(code if isinstance(code, int) else 0)
        except click.exceptions.Abort:
            sys.exit(130)
        except click.ClickException as error:
            error.show()
            sys.exit(USAGE)
        except PteproofError as error:
            click.echo(f"pteproof: {error}" if isinstance(error, UsageError) else str(error), err=True)
            sys.exit(USAGE)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            sys.exit(141)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pteproof")
@click.option("--arch-dir", type=click.Path(path_type=Path), help="load architectures from here, not the shipped ones")
@click.option("--spec-dir", type=click.Path(path_type=Path), help="load specs from here, not the shipped ones")
@click.pass_context
def main(context: click.Context, arch_dir: Path | None, spec_dir: Path | None) -> None:
    """Prove what the Linux kernel's page table entries may encode, or show the values that break it."""
    context.obj = (arch_dir, spec_dir)


if __name__ == "__main__":
    main()
