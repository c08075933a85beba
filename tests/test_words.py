# SPDX-License-Identifier: GPL-2.0-or-later
"""No page and no report says that something does not happen, but as the words of an obligation that
is proved.

A sentence with such a word names a proved obligation or law, which tests/test_pages.py runs, or
stands in words.yaml with its reason.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pages import PAGES, ROOT, sections

ABSOLUTE = re.compile(
    r"\b(cannot|can "
    r"not|certain|certainly|certainty|never|impossible|always|droppable|guaranteed?|no data|"
    r"no harm|harmless|is safe|nothing (?:is|was) lost|none of it is lost|los(?:es|ing) nothing|"
    r"nothing (?:follows|leads|happens))\b",
    re.IGNORECASE)
PROVED = re.compile(r"`[^`]+(?:/[^`]+){3,5}`\s+\(proved\)")
PACKAGE = ROOT / "verifier"
ROOMS = ("prove", "search", "run", "report", "evidence/table")  # what says what was found
REPORTS = [path for room in ROOMS for path in sorted((PACKAGE / room).glob("*.py"))]
WORDS = yaml.safe_load((Path(__file__).parent / "words.yaml").read_text())
ALLOWED = {page: list(rows) for page, rows in WORDS.items()}


def sentences(text: str) -> Iterator[str]:
    """A paragraph, an item or a cell at a time, and of these the sentences."""
    for part in re.split(r"\n\s*\n|\n(?=\s*(?:[-*#]|\d+\.|Fact|Open)\s?)|\|", text):
        yield from re.split(r"(?<=[.;!?])\s+(?=[`A-Z0-9(])", " ".join(part.split()))


def absolute(text: str) -> list[str]:
    """The sentences that say that something does not happen, or always does, in nobody's words but
    their author's.
    """
    return [s for s in sentences(text) if ABSOLUTE.search(s) and not PROVED.search(s)]


def strings(path: Path) -> Iterator[str]:
    """What a module may print: its strings, but for docstrings."""
    tree = ast.parse(path.read_text())
    documents = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)
                 and isinstance(node.value, ast.Constant)}
    for node in ast.walk(tree):
        if (isinstance(node, ast.Constant) and isinstance(node.value, str)
                and id(node) not in documents):
            yield node.value


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_pages_say_no_more_than_proofs(page: Path) -> None:
    allowed = ALLOWED.get(str(page.relative_to(ROOT)), [])
    text = "\n\n".join(part for s in sections(page)
                        for part in (s.heading, "\n".join(line for _, line in s.prose
                                                          if not line.startswith("    "))))
    wrong = [s for s in absolute(text) if not any(start in s for start in allowed)]
    assert not wrong, "\n".join(wrong)
    left = " ".join(text.split())
    assert (not [start for start in allowed
                 if start not in left]), "words.yaml allows what is not there"


@pytest.mark.parametrize("module", REPORTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_reports_say_no_more_than_proofs(module: Path) -> None:
    allowed = ALLOWED.get(str(module.relative_to(ROOT)), [])
    wrong = [text for text in strings(module) if ABSOLUTE.search(text)
             and not any(start in text for start in allowed)]
    assert not wrong, "\n".join(wrong)


def test_a_sentence_that_says_too_much_is_noticed() -> None:
    assert absolute("Certain: no data is lost. The folio stays.") == ["Certain: no data is lost."]
    assert absolute("The walker runs.\n- It cannot come between.") == ["- It cannot come between."]
    proved = "The folio cannot be dropped: `x86_64/pte/page-flag/zap/today/no-lost-dirty`"
    assert absolute(f"{proved}.") and not absolute(f"{proved} (proved).")
