# SPDX-License-Identifier: GPL-2.0-or-later
"""What commands print, as files: tests/golden/NAME.txt, which --update-golden writes anew.

Each text is made for a terminal and for a mail: lines of either fit, and both say the same.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from verifier.base.columns import MAIL, TERMINAL
from verifier.cli import main
from verifier.run.library import Library

GOLDEN = Path(__file__).resolve().parent / "golden"
ANEW = ("--no-cache", "--jobs", "1")
FORK = ("prove", "--arch", "x86_64", "--level", "pte", "--encoding", "option-c", "--code", "today",
        "--transition", "fork-pte",
        "--property", "no-*", *ANEW)
# Texts of commands, by the name of their file. SPECS is a folder of specs/ in which something is
# broken.
TEXTS: dict[str, tuple[str, ...]] = {
    **{f"list-{what}": ("list", what)
       for what in ("archs", "variants", "transitions", "properties", "encodings")},
    "list-helpers": ("list", "helpers", "--arch", "nios2"),
    "decode-present": ("decode", "x86_64", "8000000012345025"),
    "decode-swap": ("decode", "x86_64", "c7fbfffffdb97400"),
    "call": ("call", "x86_64", "pte_mkwrite(pte_mkdirty(0x8000000012345025), False)",
             "pte_pfn(pte_mkclean(0x12345067))"),
    "explain-proved": ("explain", "x86_64/pte/option-c/fork-pte/option-c/no-false-exclusive",
                       *ANEW),
    "explain-refuted": ("explain", "x86_64/pte/option-c/fork-pte/today/no-false-exclusive", *ANEW),
    "explain-unknown": ("explain",
                        "x86_64/pte/option-c/fork-device-private-entry/today/no-false-exclusive",
                        *ANEW,
                        "--depth", "1", "--search-seconds", "60"),
    "explain-vacuous": ("--spec-dir", "SPECS", "explain",
                        "x86_64/pte/page-flag/mremap-move/today/reaches-flushed",
                        *ANEW),
    "explain-diff": ("explain", "--diff", "today", "option-c", "hugetlb-wp-reuse", "--encoding",
                     "option-c",
                     "--level", "hugetlb"),
    "explain-diff-of-one-text": ("explain", "--diff", "today", "thread", "mremap-move"),
    "prove": FORK,
    "prove-one": (*FORK, "--property", "store-leak", "--transition", "init", "-v"),
    "audit": ("audit", *FORK[1:]),
    "difference": ("--spec-dir", "SPECS", "difference", "--old-spec-dir", "specs", "--arch",
                   "x86_64", "--level", "pte",
                   "--encoding", "page-flag", "--transition", "mremap-move", "--property",
                   "no-false-*", "--property",
                   "reaches-flushed", "--depth", "0"),
    "table": ("table", "--arch", "nios2", "--arch", "x86_64", "--no-cache"),
    "laws": ("laws", "--helpers", "yaml", "--arch", "s390", "--law", "*swap-soft*", "--law",
             "huge-ptep-set-*"),
}
# What bad input is told: one error, on standard error.
ERRORS: dict[str, tuple[str, ...]] = {
    "no-variant": ("prove", "--arch", "x86_46"),
    "no-theorem": ("prove", "x86_64/pte/option-d"),
    "no-obligation": ("explain", "x86_64/pte/option-c/fork-pte/today"),
    "no-step-of-the-level": ("explain", "--diff", "today", "thread", "fork-pte", "--level", "pmd"),
    "no-code-of-the-encoding": ("explain", "--diff", "thread", "option-c", "fork-pte", "--encoding",
                                "page-flag"),
    "nothing-to-prove": ("explain", "--diff", "today", "thread", "fork-pte", "--json", "x.json"),
    "no-diff": ("explain", "x86_64/pte/option-c/fork-pte/today/frame", "--level", "pmd"),
    "no-number": ("decode", "x86_64", "80000000123450x5"),
    "too-wide": ("decode", "nios2", "8000000012345025"),
    "no-field": ("encode", "x86_64", "DIRYT=1"),
    "no-such-entry": ("encode", "x86_64", "present=1", "none=1"),
    "no-helper": ("call", "x86_64", "pte_mkdirtty(0)"),
    "no-folder": ("prove", "--arch", "x86_64", "--json", "no/such/folder/x.json"),
    "nothing-to-compare": ("difference", "--arch", "x86_64"),
}
_SOLVER = r"(?<=decided  by )[^,]*|(?<=\"solver\":\")[^\"]*|(?<=  \()bits( \([a-z0-9]+\))?(?=\)$)"
CHANGES = ((r"\d+ ms\b|from cache", "TIME"), (_SOLVER, "SOLVER"),
           (r'("seconds":) ?[-0-9.e]+', r"\1 0"),
           (r'("(load|solve|elapsed)":)[-0-9.e]+', r"\g<1>0"),
           (r'time="[-0-9.e]+"', 'time="0"'),
           (r'("(z3|python-sat|bitwuzla|cvc5|version)": ?)"[^"]*"', r'\1"VERSION"'))


def settled(text: str) -> str:
    """A text without what is another each time."""
    text = re.sub(r"^Ran .*? decide\.$", lambda found: closing(found[0]), text,
                  flags=re.MULTILINE | re.DOTALL)
    for pattern, stands in CHANGES:
        text = re.sub(pattern, stands, text, flags=re.MULTILINE)
    return text


def closing(line: str) -> str:
    """The closing line without its times, on one line."""
    return re.sub(r"( \(\d+ from cache\))?\. Elapsed .*", ".", " ".join(line.split()))


@pytest.fixture(scope="module")
def run(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Result]:
    """Runs a command, with a cache of these tests' own."""
    folder = tmp_path_factory.mktemp("golden")
    shutil.copytree(library.spec_folder, folder / "specs")
    path = folder / "specs" / "transitions" / "move.yaml"
    text = path.read_text()
    at = text.index("\nmremap-move:")
    broken = text[at:].replace("flush(p)", "pass", 1).replace(
        "pte = ptep_get_and_clear(entry[p])\n",
        "pte = pte_mkwrite(ptep_get_and_clear(entry[p]), shadow_stack[p])\n", 1)
    path.write_text(text[:at] + broken)

    def found(*words: str) -> Result:
        places = {"SPECS": str(folder / "specs"), "specs": str(library.spec_folder)}
        done = CliRunner().invoke(main, [places.get(word, word) for word in words],
                                  env={"XDG_CACHE_HOME": str(folder / "cache")})
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done

    return found


def hold(name: str, text: str, request: pytest.FixtureRequest) -> None:
    """The text is that of the file, or the file is written anew."""
    path = GOLDEN / f"{name}.txt"
    if request.config.getoption("--update-golden"):
        path.write_text(text)
    assert path.is_file(), f"{path} is not there: --update-golden writes it"
    assert text == path.read_text(), f"{path} has another text: --update-golden writes it anew"


@pytest.mark.parametrize("name", TEXTS)
def test_what_a_command_prints(
        name: str, run: Callable[..., Result], request: pytest.FixtureRequest
) -> None:
    done = run(*TEXTS[name])
    shown = " ".join(f"'{word}'" if re.search(r"[*() ]", word) else word for word in TEXTS[name])
    hold(name, settled(f"$ pteproof {shown}\n{done.stdout}exit code {done.exit_code}\n"), request)
    mail = run(*TEXTS[name], "--mail")
    assert mail.exit_code == done.exit_code and "\x1b" not in mail.stdout + done.stdout
    assert not beyond(done.stdout, TERMINAL.width) and not beyond(mail.stdout, MAIL.width)
    assert sorted(words(mail.stdout)) == sorted(words(done.stdout))


def beyond(text: str, width: int) -> list[str]:
    """Lines that are too long, but for a word that is longer than a line and stands alone."""
    return [line for line in text.splitlines() if len(line) > width and " " in line.strip()]


def words(text: str) -> list[str]:
    """The words of a text.

    A table may be split into several, each with its first column; a command may have two lines.
    """
    return sorted(set(settled(text).replace("|", " ").replace("\\\n", " ").split()))


def test_the_forms_of_a_run(
        run: Callable[..., Result], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    forms = ("json", "jsonl", "sarif", "junit")
    done = run(*FORK, *(word for form in forms for word in (f"--{form}", str(tmp_path / form))))
    assert done.exit_code == 1
    for form in forms:
        text = settled((tmp_path / form).read_text()).replace('"cached":true', '"cached":false')
        hold(f"prove-{form}", text, request)


def test_what_bad_input_is_told(run: Callable[..., Result], request: pytest.FixtureRequest) -> None:
    told = []
    for words in ERRORS.values():
        done = run(*words)
        assert done.exit_code == 2 and not done.stdout, words
        told.append(f"$ pteproof {' '.join(words)}\n{done.stderr}exit code {done.exit_code}\n")
    hold("errors", "\n".join(told), request)


def test_each_file_is_of_a_test() -> None:
    forms = ["errors", *(f"prove-{form}" for form in ("json", "jsonl", "sarif", "junit"))]
    assert sorted(path.stem for path in GOLDEN.glob("*.txt")) == sorted([*TEXTS, *forms])
