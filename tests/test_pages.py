# SPDX-License-Identifier: GPL-2.0-or-later
"""Every command, id, law and value that README.md and docs/ quote is run: what they say is what the
tool gives.

`make docs` writes the blocks anew, and runs all variants that an id with a glob names; here a
sample does (told.SAMPLE), of all sections but those whose traces take long to find.
"""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from pages import Section, all_sections, follows, numbers, sections
from sample import sampled
from told import Tool

from verifier.cli import main
from verifier.run.library import Library

SECTIONS = [s for s in all_sections() if s.blocks or s.ids() or s.laws() or s.values() or s.loose()]
# their traces take ten seconds and more to find
LONG = ("huge.md: 1", "loongarch.md: Entries are changed", "arc.md: 3",
        "findings.md: 6. Other architectures", "races.md: What came out")
QUICK = [s for s in SECTIONS if not f"{s.page.name}: {s.heading}".startswith(LONG)]


@pytest.fixture(scope="module")
def tool(library: Library, request: pytest.FixtureRequest) -> Tool:
    return Tool(library, request.config.getoption("--update-docs"))


@pytest.mark.parametrize("section", sampled(SECTIONS, QUICK), ids=str)
def test_what_a_section_quotes(tool: Tool, section: Section,
                               request: pytest.FixtureRequest) -> None:
    wrong = [*blocks(tool, section, request.config.getoption("--update-docs")),
             *verdicts(tool, section)]
    if section.page.parent.name == "findings":
        wrong += values(tool, section)
    assert not wrong, "\n".join([str(section), *wrong])


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
    for part in (
        shlex.split(command, comments=True) and command.split("#", maxsplit=1)[0].split(";")
    ):
        words = shlex.split(part)
        try:
            found = main.get_command(None, words[1])  # type: ignore[arg-type]
            assert found is not None, f"no command {words[1]}"
            found.make_context(words[1], words[2:])
        except Exception as error:
            wrong.append(f"$ {part.strip()}: {error}")
    return wrong


def verdicts(tool: Tool, section: Section) -> list[str]:
    wrong = [f"{name} is in no form that can be run" for name in section.loose()]
    for quote in section.ids():
        meant = tool.meant(quote.id)
        if not meant:
            wrong.append(f"{quote.id} names no obligation")
        found = {one: tool.explain(one)[0] for one in meant}
        wrong += [f"{one} is {verdict}, not {quote.verdict}" for one, verdict in found.items()
                  if verdict != quote.verdict]
    for quote in section.laws():
        laws = tool.law(quote.id)
        if not laws:
            wrong.append(f"{quote.id} names no law")
        wrong += [f"{quote.id} is {verdict}, not {quote.verdict}" for verdict, _ in laws
                  if verdict != quote.verdict]
    return wrong


def values(tool: Tool, section: Section) -> list[str]:
    """The values of a section's prose that nothing in it gives."""
    given = set()
    for block in section.blocks:
        given |= (numbers(block.command)
                  | numbers("\n".join(tool.output(block.command) if block.lines else ())))
    for quote in section.ids():
        for one in tool.meant(quote.id):
            given |= numbers(tool.explain(one)[1])
    for quote in section.laws():
        for _, said in tool.law(quote.id):
            given |= numbers(said)
    for test in section.tests():
        given |= numbers(test.read_text())
    return [f"line {line}: nothing here gives {value}" for line, value in section.values()
            if int(value, 16) not in given]


def excerpt(command: str, output: list[str]) -> list[str]:
    """What a page quotes of an output: of an explanation the verdict, the steps and what shows the
    point.
    """
    if shlex.split(command)[1] != "explain":
        return output
    text = "\n".join(output)
    head, _, rest = text.partition("\n\n")
    parts = [
        p for p in rest.split("\n\n") if not p.lstrip().startswith(("On ", "assumes ", "property "))
    ]
    return "\n\n".join([head, *parts]).splitlines()


def rewrite(page: Path, command: str, lines: list[str]) -> None:
    """Put lines in the place of what a page quotes of a command."""
    text = page.read_text().splitlines()
    block = next(b for s in sections(page) for b in s.blocks if b.command == command)
    new = [f"    {line}".rstrip() for line in lines]
    page.write_text("\n".join([*text[:block.first], *new, *text[block.first + len(block.lines):]])
                    + "\n")


def test_what_is_wrong_on_a_page_is_noticed(tool: Tool, tmp_path: Path) -> None:
    """A verdict that is another, a value that nothing gives, a line that is not printed, a name
    that is in no form.
    """
    fork = "x86_64/pte/option-c/fork-pte/today/no-false-exclusive"

    def wrong(text: str) -> list[str]:
        (section,) = sections(tmp_path / "page.md", text)
        return [*blocks(tool, section, False), *verdicts(tool, section), *values(tool, section)]

    assert not wrong(f"`{fork}` leaves 0x8400000012345825.")
    assert wrong(f"`{fork}` (proved)") == [f"{fork} is refuted, not proved"]
    assert (wrong(f"`{fork}` leaves 0x8400000012345824.") == [
        "line 1: nothing here gives 0x8400000012345824"
    ])
    assert (wrong("0x8400000012345825 without an id") == [
        "line 1: nothing here gives 0x8400000012345825"
    ])
    assert ("does not print" in wrong("    $ pteproof call x86_64 'pte_write(0x867)'\n    "
                                      "pte_write(0x867) = false")[0])
    assert (wrong("`fork-pte/no-false-exclusive`") == [
        "fork-pte/no-false-exclusive is in no form that can be run"
    ])
    assert (wrong("`x86_64/pte/option-c/no-such/today/frame`") == [
        "x86_64/pte/option-c/no-such/today/frame names no obligation"
    ])
    assert wrong("`alpha/pte/law/swap-exclusive-after-mkexclusive` (proved)")
    assert "no command" in wrong("    $ pteproof proove --arch x86_64")[0]


def test_a_page_is_written_anew(tool: Tool, tmp_path: Path) -> None:
    page, command = tmp_path / "page.md", "pteproof call x86_64 'pte_write(0x867)'"
    page.write_text(f"# Page\n\n    $ {command}\n    pte_write(0x867) = maybe\n\nText.\n")
    section = sections(page)[1]
    assert not blocks(tool, section, True)
    assert page.read_text() == f"# Page\n\n    $ {command}\n    pte_write(0x867) = true\n\nText.\n"


def test_a_command_goes_on_in_the_next_line(tool: Tool, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# Page\n\n    $ pteproof call x86_64 \\\n        'pte_write(0x867)'\n    maybe\n\nText.\n"
    )
    section = sections(page)[1]
    (block,) = section.blocks
    assert ((block.command, block.lines, block.first) == ("pteproof call x86_64 'pte_write(0x867)'",
                                                          ("maybe",), 4))
    assert not blocks(tool, section, True)
    assert page.read_text().splitlines()[2:5] == [
        "    $ pteproof call x86_64 \\", "        'pte_write(0x867)'",
        "    pte_write(0x867) = true"]
