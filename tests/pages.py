# SPDX-License-Identifier: GPL-2.0-or-later
"""What README.md, CONTRIBUTING.md and docs/ quote, in the four forms that a test can run.

block     lines indented by four columns that begin with `$ pteproof ...`: what follows is what
          the command prints; `...` leaves lines out. A command that ends in a backslash goes on in
          the next line
id        `variant/level/encoding/transition/code/property` in backquotes, globs allowed: refuted,
unless (proved) or another
          verdict stands behind it
law       `variant/level/law/name`, of specs/laws.yaml or specs/traits.yaml: the same
value     0x... in prose: one of those that the blocks, ids and laws of its section give, or that a
test which it names has
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])

_VERDICT = r"(?:\s+\((?P<verdict>proved|vacuous|unknown|incomplete|refuted)\))?"
PROPERTIES = set(
    re.findall(r"^([a-z][-a-z]+):$", (ROOT / "specs" / "properties.yaml").read_text(), re.MULTILINE)
)
_PART = r"[-\w*+?\[\]!.]+"
_ID = re.compile(rf"`(?:pteproof\s+explain\s+)?(?P<id>{_PART}(?:/{_PART}){{5}})`{_VERDICT}")
_LAW = re.compile(rf"`(?P<id>{_PART}/(?:pte|pmd|pud|hugetlb)/law/{_PART})`{_VERDICT}")
_VALUE = re.compile(r"\b0x[0-9a-fA-F]+\b")
_TEST = re.compile(r"tests/[\w/]+\.py")


@dataclass(frozen=True, slots=True)
class Block:
    """A command and the lines that are quoted of what it prints.

    `first` is the line of the page, from 1, where the command ends.
    """

    command: str
    lines: tuple[str, ...]
    first: int


@dataclass(frozen=True, slots=True)
class Quote:
    """An id, or a law's, and its verdict as the page has it."""

    id: str
    verdict: str


@dataclass(slots=True)
class Section:
    """From one heading to the next."""

    page: Path
    heading: str
    line: int
    prose: list[tuple[int, str]] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(line for _, line in self.prose)

    def ids(self) -> list[Quote]:
        return [Quote(m["id"], m["verdict"] or "refuted") for m in _ID.finditer(self.text)]

    def laws(self) -> list[Quote]:
        return [Quote(m["id"], m["verdict"] or "refuted") for m in _LAW.finditer(self.text)]

    def loose(self) -> list[str]:
        """What looks like an obligation or a law and is in no form that is run.

        A theorem's name has four parts, and is none.
        """
        return [m[1] for m in re.finditer(r"`([^`\s]+/[^`\s]+)`",
                                          _LAW.sub("", _ID.sub("", self.text)))
                if m[1].rsplit("/", 1)[-1] in PROPERTIES
                or (re.search("/(pte|pmd|hugetlb)/", m[1]) and m[1].count("/") != 3)]

    def values(self) -> list[tuple[int, str]]:
        """Each value of the prose, with its line; not what stands in a path or an id."""
        return [(number, value) for number, line in self.prose for value in _VALUE.findall(line)]

    def tests(self) -> list[Path]:
        return [ROOT / name for name in dict.fromkeys(_TEST.findall(self.text))]

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}: {self.heading}"


_Open = tuple[int, str, list[str]]  # a block that may go on: its line, its command, its output


def sections(page: Path, text: str | None = None) -> list[Section]:
    """The sections of a page."""
    found = [Section(page, "(head)", 1)]
    block: _Open | None = None
    for number, line in enumerate((page.read_text() if text is None else text).splitlines(), 1):
        if line.startswith("#"):
            _end(found[-1], block)
            block = None
            found.append(Section(page, line.lstrip("# "), number))
        elif line.startswith("    $ "):
            _end(found[-1], block)
            block = (number, line.removeprefix("    $ "), [])
        elif block is not None and block[1].endswith("\\"):
            block = (number, f"{block[1][:-1].rstrip()} {line.strip()}", [])
        elif block is not None and (line.startswith("    ") or not line.strip()):
            if not line.strip().startswith("#"):  # a comment on the command that goes on
                block[2].append(line.removeprefix("    ").rstrip())
        else:
            _end(found[-1], block)
            block = None
            found[-1].prose.append((number, line))
    _end(found[-1], block)
    return found


def _end(section: Section, block: _Open | None) -> None:
    if block is None:
        return
    first, command, lines = block
    while lines and not lines[-1]:
        lines.pop()
    section.blocks.append(Block(command, tuple(lines), first))


def all_sections() -> Iterator[Section]:
    for page in PAGES:
        yield from sections(page)


def numbers(text: str) -> set[int]:
    """The numbers that a text has in hexadecimal."""
    return {int(value, 16) for value in _VALUE.findall(text)}


def follows(lines: tuple[str, ...], output: list[str]) -> str | None:
    """The first quoted line that the output does not have, in the order of the quotation.

    None where it has all.
    """
    left = iter(output)
    for line in lines:
        if line.strip() == "..." or not line.strip():
            continue
        if not any(line.rstrip() == other.rstrip() for other in left):
            return line
    return None
