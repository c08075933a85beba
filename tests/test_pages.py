# SPDX-License-Identifier: GPL-2.0-or-later
"""Every command, id, law and value that README.md and docs/ quote is run: what they say is what the tool gives.

`make docs` writes the blocks anew, and runs all variants that an id with a glob names; here one of them stands for all (told.SAMPLE).
"""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from pages import Section, all_sections, follows, numbers, sections
from told import Tool

from verifier.cli import main
from verifier.plan import Library

SECTIONS = [s for s in all_sections() if s.blocks or s.ids() or s.laws() or s.values()]
VALUES = [s for s in SECTIONS if s.values() and s.page.parent.name == "findings"]


@pytest.fixture(scope="module")
def tool(library: Library, request: pytest.FixtureRequest) -> Tool:
    return Tool(library, request.config.getoption("--update-docs"))


@pytest.mark.parametrize("section", SECTIONS, ids=str)
def test_what_a_section_quotes(tool: Tool, section: Section, request: pytest.FixtureRequest) -> None:
    wrong = [*blocks(tool, section, request.config.getoption("--update-docs")), *verdicts(tool, section)]
    if section.page.parent.name == "findings":
        wrong += values(tool, section)
    assert not wrong, "\n".join([str(section), *wrong])


def runs(command: str) -> bool:
    """Is it a command that is quoted for what it prints, and that needs no kernel tree?"""
    return "--tree" not in command


def blocks(tool: Tool, section: Section, update: bool) -> list[str]:
    wrong = []
    for block in section.blocks:
        if not block.lines:
            wrong += parses(block.command)
            continue
        output = tool.output(block.command)
        line = follows(block.lines, output)
        if line is not None and update:
            rewrite(section.page, block.command, excerpt(block.command, output))
        elif line is not None:
            wrong.append(f"line {block.first}: $ {block.command}: does not print {line!r}")
    return wrong


def parses(command: str) -> list[str]:
    """Nobody runs what takes hours or a tree; but its words have to be the command line's."""
    wrong = []
    for part in shlex.split(command, comments=True) and command.split("#", maxsplit=1)[0].split(";"):
        words = shlex.split(part)
        try:
            found = main.get_command(None, words[1])  # type: ignore[arg-type]
            assert found is not None, f"no command {words[1]}"
            found.make_context(words[1], words[2:])
        except Exception as error:
            wrong.append(f"$ {part.strip()}: {error}")
    return wrong


def verdicts(tool: Tool, section: Section) -> list[str]:
    wrong = []
    for quote in section.ids():
        meant = tool.meant(quote.id)
        if not meant:
            wrong.append(f"{quote.id} names no obligation")
        wrong += [f"{one} is {tool.explain(one)[0]}, not {quote.verdict}" for one in meant if tool.explain(one)[0] != quote.verdict]
    for quote in section.laws():
        found = tool.law(quote.id)
        if not found:
            wrong.append(f"{quote.id} names no law")
        wrong += [f"{quote.id} is {verdict}, not {quote.verdict}" for verdict, _ in found if verdict != quote.verdict]
    return wrong


def values(tool: Tool, section: Section) -> list[str]:
    """The values of a section's prose that nothing in it gives."""
    given = set()
    for block in section.blocks:
        given |= numbers(block.command) | numbers("\n".join(tool.output(block.command) if block.lines else ()))
    for quote in section.ids():
        for one in tool.meant(quote.id):
            given |= numbers(tool.explain(one)[1])
    for quote in section.laws():
        for _, said in tool.law(quote.id):
            given |= numbers(said)
    for test in section.tests():
        given |= numbers(test.read_text())
    return [f"line {line}: nothing here gives {value}" for line, value in section.values() if int(value, 16) not in given]


def excerpt(command: str, output: list[str]) -> list[str]:
    """What a page quotes of an output: of an explanation the verdict, the steps and what shows the point."""
    if shlex.split(command)[1] != "explain":
        return output
    text = "\n".join(output)
    head, _, rest = text.partition("\n\n")
    parts = [p for p in rest.split("\n\n") if not p.lstrip().startswith(("On ", "assumes ", "property "))]
    return "\n\n".join([head, *parts]).splitlines()


def rewrite(page: Path, command: str, lines: list[str]) -> None:
    """Put lines in the place of what a page quotes of a command."""
    text = page.read_text().splitlines()
    block = next(b for s in sections(page) for b in s.blocks if b.command == command)
    new = [f"    {line}".rstrip() for line in lines]
    page.write_text("\n".join([*text[:block.first], *new, *text[block.first + len(block.lines):]]) + "\n")
