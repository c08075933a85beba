# SPDX-License-Identifier: GPL-2.0-or-later
"""Strict YAML: what YAML lets pass in silence is one error at its line."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from verifier.base.errors import SpecError
from verifier.language.read_yaml import Items, Source, Table, read_yaml


def read(tmp_path: Path, text: str | bytes) -> Table:
    path = tmp_path / "some.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_yaml(path, "some.yaml")


def refused(tmp_path: Path, text: str | bytes, where: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(f"some.yaml:{where}: error: {message}"), str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("text", "where", "message"), [
    # a key that stands twice: the second would win
    ("helpers:\n  pte_dirty(pte): a\n  pte_write(pte): b\n  pte_dirty(pte): c\n", "4:3",
     "key 'pte_dirty(pte)' stands twice; first at line 2"),
    ("a: 1\n'a': 2\n", "2:1", "key 'a' stands twice; first at line 1"),
    ("a: {b: 1, c: 2, b: 3}\n", "1:17", "key 'b' stands twice; first at line 1"),
    ("- a: 1\n  a: 2\n", "1:1", "must be a mapping"),
    ("x:\n- a: 1\n  a: 2\n", "3:3", "key 'a' stands twice; first at line 2"),
    # what YAML shares and merges
    ("a: &x [1, 2]\nb: *x\n", "1:4", "anchors and aliases are not allowed"),
    ("a: &x text\nb: *x\n", "1:4", "anchors and aliases are not allowed"),
    ("a: &unused text\n", "1:4", "anchors and aliases are not allowed"),
    ("a: 1\nb: *missing\n", "2:4", "anchors and aliases are not allowed"),
    ("a: {b: 1}\nc:\n  <<: {d: 1}\n", "3:3", "merge keys are not allowed"),
    ("a: 1\nb: &x\n  c: *x\n", "2:4", "anchors and aliases are not allowed"),
    # tags
    ("a: 1\nb: !!str 5\n", "2:4", "tags such as"),
    ("a: !mine x\n", "1:4", "tags such as '!mine' are not allowed"),
    ("a: !!python/object/apply:os.system ['true']\n", "1:4", "tags such as"),
    ("a: !!set {x, y}\n", "1:4", "tags such as"), ("a: !!omap [x: 1]\n", "1:4", "tags such as"),
    ("a: !!binary aGVsbG8=\n", "1:4", "tags such as"), ("a: !!int '5'\n", "1:4", "tags such as"),
    ("a: ! x\n", "1:4", "tags such as"), ("!!str a: 1\n", "1:1", "tags such as"),
    ("!!map {a: 1}\n", "1:1", "tags such as"),
    # plain words that are something else than they look like
    *[(f"a: 1\nb: {word}\n", "2:4", f"'{word}' would be read as a {kind}") for word, kind in (
        ("yes", "bool"), ("no", "bool"), ("on", "bool"), ("off", "bool"), ("On", "bool"),
        ("YES", "bool"),
        ("True", "bool"), ("FALSE", "bool"), ("~", "null"), ("null", "null"), ("Null", "null"),
        ("1:30", "int"), ("190:20:30", "int"), ("0b101", "int"), ("017", "int"), ("1_000", "int"),
        ("+5", "int"),
        ("1.5", "float"), (".5", "float"), (".inf", "float"), (".NaN", "float"), ("1.e+3", "float"),
        ("1:30.5", "float"), ("2024-12-11", "timestamp"), ("2024-12-11 10:00:00", "timestamp"),
        ("=", "value"),
    )],
    ("a:\nb: 1\n", "1:3", "'' would be read as a null"),
    ("a: [1, yes]\n", "1:8", "'yes' would be read as a bool"),
    # keys
    ("yes: 1\n", "1:1", "'yes' would be read as a bool"),
    ("a:\n  5: x\n", "2:3", "a key must be a word; quote '5'"),
    ("a:\n  true: x\n", "2:3", "a key must be a word; quote 'true'"),
    ("~: 1\n", "1:1", "'~' would be read as a null"),
    ("[a]: 1\n", "1:1", "a key must be a word"), ("? {a: 1}\n: 2\n", "1:3", "a key must be a word"),
    # no mapping, no YAML
    ("", "1:1", "must be a mapping of keys to values"), ("# nothing\n", "1:1", "must be a mapping"),
    ("text\n", "1:1", "must be a mapping"), ("[a, b]\n", "1:1", "must be a mapping"),
    ("5\n", "1:1", "must be a mapping"),
    ("a: 1\n---\nb: 2\n", "2:1", "not YAML: but found another document"),
    ("a: [1, 2\nb: 3\n", "2:2", "not YAML:"), ("a: 'x\n", "2:1", "not YAML:"),
    ("a: b: c\n", "1:5", "not YAML:"),
    ("a: 1\n\tb: 2\n", "2:1", "not YAML:"), ("a: @x\n", "1:4", "not YAML:"),
    ("a: `x`\n", "1:4", "not YAML:"),
    ("a: 1\n b: 2\n", "2:3", "not YAML:"), ("%YAML 3.0\n---\na: 1\n", "1:1", "not YAML:"),
    ("a: \"\\q\"\n", "1:5", "not YAML:"), ("}\n", "1:1", "not YAML:"),
    # bytes
    (b"a: 1\nb: 2\nc: \xff\n", "3:1", "is not UTF-8"),
    (b"\xff\xfea\0:\0 \0", "1:1", "is not UTF-8"),
    (b"a: 1\nb: \x00\n", "", "not YAML:"), (b"a: 1\nb: \x07\n", "", "not YAML:"),
    # sizes
    (b"a: 1\nb: " + b"x" * 5000 + b"\n", "2:1", "line is longer than 4096 characters"),
    (b"a: " + b"x" * (10 << 20) + b"\n", "1:1", "is larger than 1048576 bytes"),
    ("a: " + "[" * 30 + "]" * 30 + "\n", "1:28", "nests deeper than 24"),
    ("".join(" " * i + "k:\n" for i in range(40)) + " " * 40 + "k: 1\n", "26:26",
     "nests deeper than 24"),
    ("a: " + "[" * 4000 + "\n", "1:28", "nests deeper than 24"),
    ("a: " + "{a: " * 1000 + "\n", "1:100", "nests deeper than 24"),
    ("a: " + "[" * 1900 + "]" * 1900 + "\n", "1:28", "nests deeper than 24"),
    ("a: " + "\n".join([" " + "[" * 1000] * 1000) + "\n", "1:29", "nests deeper than 24"),
])
def test_refused(tmp_path: Path, text: str | bytes, where: str, message: str) -> None:
    start = time.process_time()
    if where:
        refused(tmp_path, text, where, message)
    else:
        with pytest.raises(SpecError, match=message) as caught:
            read(tmp_path, text)
        assert "\n" not in str(caught.value) and str(caught.value).startswith("some.yaml:")
    assert time.process_time() - start < 2


def test_what_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.yaml"):
        with pytest.raises(SpecError, match="cannot be read: ") as caught:
            read_yaml(path)
        assert str(caught.value).startswith(f"{path}:1:1: error: ")


def test_1e3_is_a_text(tmp_path: Path) -> None:
    """YAML 1.1 reads no number there: a number where one is needed is asked for by whoever needs
    it.
    """
    table = read(tmp_path, "bits: 1e3\n")
    with pytest.raises(SpecError, match=r"some.yaml:1:7: error: 'bits' must be a number"):
        table.need("bits", int, "a field")


GOOD = """\
# a comment
word: some words
number: 12
hex: 0x1F
negative: -3
yes_quoted: "yes"
truth: true
items: [a, 2, false]
flow: {a: {b: "c d"}}
block: |
  first

    second
folded: >-
  one
  two
spaced: |

  after a blank line
"""


def text_of(table: Table, key: str) -> Source:
    found = table[key]
    assert isinstance(found, Source), key
    return found


def test_values_and_places(tmp_path: Path) -> None:
    table = read(tmp_path, GOOD)
    word, quoted = text_of(table, "word"), text_of(table, "yes_quoted")
    assert word.text == "some words" and str(word.where) == "some.yaml:2:7"
    assert (table["number"], table["hex"], table["negative"], table["truth"]) == (12, 31, -3, True)
    assert quoted.text == "yes" and str(quoted.where) == "some.yaml:6:14"
    assert isinstance(table["items"], Items) and [str(w) for w in table["items"].at] == [
        "some.yaml:8:9", "some.yaml:8:12", "some.yaml:8:15"]
    flow = table["flow"]
    assert isinstance(flow, Table)
    inner = flow["a"]
    assert isinstance(inner, Table) and str(inner.key_at["b"]) == "some.yaml:9:12"
    assert str(text_of(inner, "b").where) == "some.yaml:9:16"
    block, folded, spaced = (text_of(table, key) for key in ("block", "folded", "spaced"))
    assert block.text == "first\n\n  second\n" and str(block.where) == "some.yaml:11:3"
    assert str(block.at(3, 2)) == "some.yaml:13:5"
    assert folded.text == "one two" and str(folded.where) == "some.yaml:15:3"
    assert spaced.text.strip() == "after a blank line"
    assert spaced.at(2, 0).line == 19


def test_checked_access(tmp_path: Path) -> None:
    table = read(tmp_path, "name: x\nbits: 5\nitems: [a, 5]\nflag: true\nsub: {a: 1}\n")
    assert table.texts("name", "x") == ("x",) and table.texts("missing", "x") == ()
    for call, where, message in (
        (lambda: table.only(["name", "bits", "items", "flags", "sub"], "a thing"), "4:1",
         "unknown key 'flag' in a thing; did you mean flags?"),
        (lambda: table.need("source", Source, "a thing"), "1:1", "a thing has no 'source'"),
        (lambda: table.need("bits", Source, "a thing"), "2:7", "'bits' must be a text"),
        (lambda: table.need("name", int, "a thing"), "1:7", "'name' must be a number"),
        (lambda: table.need("flag", int, "a thing"), "4:7", "'flag' must be a number"),
        (lambda: table.need("bits", bool, "a thing"), "2:7", "'bits' must be true or false"),
        (lambda: table.need("bits", (Table, Items), "a thing"), "2:7",
         "'bits' must be a mapping or a list"),
        (lambda: table.texts("items", "items"), "3:12", "items must be a list of words"),
        (lambda: table.text("sub", "a thing"), "5:6", "'sub' must be a text"),
    ):
        with pytest.raises(SpecError) as caught:
            call()
        assert str(caught.value) == f"some.yaml:{where}: error: {message}"
