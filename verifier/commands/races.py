# SPDX-License-Identifier: GPL-2.0-or-later
"""races: threads without the lock against those that hold it, under weak memory."""

from __future__ import annotations

from pathlib import Path

import click

from verifier.base.errors import OutputError, match_all
from verifier.base.exits import exit_of
from verifier.base.output import open_outputs, tell, write_file, write_outputs
from verifier.commands.options import mailing

__all__ = ["races_command"]


@click.command("races")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--herd", "herd", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="write every litmus test that is judged into this folder, as herd7 reads them")
@click.option("--json", "json_file", metavar="FILE",
              help="every test with its verdicts as JSON; - is standard output")
@click.option("-v", "--verbose", is_flag=True, help="the verdicts of each litmus test")
@mailing
@click.pass_context
def races_command(
    context: click.Context, names: tuple[str, ...], herd: Path | None, json_file: str | None,
    verbose: bool,
) -> int:
    """Can GUP-fast and those that hold the page table lock race, under SC, TSO, and LKMM?

    NAME is a shell glob of races of specs/races.yaml; none are all. Each race is judged as the
    kernel orders it, and with each barrier left out.

    Exit code 1 where LKMM allows a bad end of a race as the kernel orders it.
    """
    import json
    from fnmatch import fnmatchcase

    from verifier.base.data import data_folder
    from verifier.races.judge_races import judge_race
    from verifier.races.read_races import load_races
    from verifier.report.race_table import races_data, races_text

    open_outputs({"--json": json_file})
    races = load_races(context.obj[1] or data_folder("specs"))
    match_all("race", names, races.races)
    wanted = [race for name, race in races.races.items()
              if not names or any(fnmatchcase(name, glob) for glob in names)]
    found = [one for race in wanted for one in judge_race(races, race)]
    if herd is not None:
        _write_tests(herd, {one.label: one.text for one in found})
    if not write_outputs({"--json": json_file},
                         {"--json": lambda: [json.dumps(races_data(found), indent=2)]}):
        tell(races_text(found, verbose))
    return exit_of("refuted" if one.bad["LKMM"] else "proved"
                   for one in found if one.kind == "as written")


def _write_tests(folder: Path, tests: dict[str, str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror or error}") from error
    for name, text in tests.items():
        write_file(folder / f"{name}.litmus", [text])
