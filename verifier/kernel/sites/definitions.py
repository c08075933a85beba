# SPDX-License-Identifier: GPL-2.0-or-later
"""What a text of C defines, name by name, and which names two versions of it define differently.

Comments and white space are no difference. A name that is defined under several #if has all its
definitions. What the parser did not understand counts as one definition without a name, so that a
change there is never missed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from verifier.kernel.sites.scan import (
    DIRECTIVE,
    MOST_BYTES,
    c_parser,
    function_name,
    readings,
)

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["INCLUDES", "NAMELESS", "changed_names", "defined_at", "definitions", "reaching",
           "same_code", "words_of"]

NAMELESS = ""  # what is outside of every named definition
INCLUDES = "#include"  # the lines that include files
# Says nothing of what a function does.
_HARMLESS = re.compile(rb"(?:EXPORT_SYMBOL(?:_NS)?(?:_GPL)?|MODULE_[A-Z]+)\s*\([^()]*\)\s*;?")
_COMMENT = re.compile(
    rb'("(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\')|//[^\n]*|/\*.*?(?:\*/|\Z)', re.DOTALL
)
_SPLICE = re.compile(rb"\\[ \t]*\r?\n")
_WORD = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*")
_CONTAINERS = ("preproc_if", "preproc_ifdef", "preproc_else", "preproc_elif", "preproc_elifdef",
               "linkage_specification", "declaration_list")


def definitions(text: bytes) -> dict[str, bytes]:
    """Name -> the text that defines it, without comments, white space folded.

    A text that cannot be parsed, as it is too large or has a NUL byte, is one nameless definition.

    >>> found = definitions(b"#define A 1 /* x */\\nint f(void)\\n{\\n\\treturn A;\\n}\\n")
    >>> sorted(found), found["f"]
    (['A', 'f'], b'int f(void) { return A; }')
    """
    if len(text) > MOST_BYTES or b"\0" in text:
        return {NAMELESS: text}
    able = [_grouped(root, text) for root in readings(c_parser(), text)]
    return min(able, key=lambda found: len(found.get(NAMELESS, b"")))


def _grouped(root: Node, text: bytes) -> dict[str, bytes]:
    found: dict[str, list[bytes]] = {}
    for name, piece in _pieces(root, text):
        found.setdefault(name, []).append(piece)
    return {name: b" ; ".join(pieces) for name, pieces in found.items()}


def changed_names(before: bytes | None, after: bytes | None) -> set[str]:
    """The names that two versions of a file define differently; None is a file that is not there.

    >>> sorted(changed_names(b"int f(void) { return 1; }", b"int f(void) { return 2; } int g;"))
    ['f', 'g']
    """
    old, new = definitions(before or b""), definitions(after or b"")
    return {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}


def words_of(text: bytes) -> set[str]:
    """Every identifier in a text."""
    return {word.decode() for word in _WORD.findall(text)}


def reaching(
    found: Mapping[str, bytes], names: Iterable[str], ends: Collection[str] = (),
) -> dict[str, str]:
    """The definitions that use one of these names, directly or through each other: name -> which
    one it uses.

    ends  names through which nothing is passed on

    >>> texts = {"f": b"g(1)", "g": b"h(2)", "k": b"0"}
    >>> reaching(texts, ["h"]), reaching(texts, ["h"], ["g"])
    ({'g': 'h', 'f': 'g'}, {'g': 'h'})
    """
    words = {name: words_of(text) for name, text in found.items() if name != NAMELESS}
    reached: dict[str, str] = {}
    left = [name for name in names if name != NAMELESS and name not in ends]
    while left:
        used = left.pop(0)
        for name, those in words.items():
            if used in those and name != used and name not in reached:
                reached[name] = used
                left += [name] if name not in ends else []
    return reached


def defined_at(text: bytes, function: str) -> int:
    """The line at which a function's definition begins, counted from 1; 0 where there is none.

    >>> defined_at(b"int g(int a);\\n\\nint f(int a)\\n{\\n\\treturn g(a);\\n}\\n", "f")
    3
    """
    name = re.escape(function.encode())
    head = re.compile(rb"^[A-Za-z_][^\n;{}]*?\b" + name + rb"\s*\([^;{}]*?\)\s*\{", re.MULTILINE)
    alone = re.compile(rb"^" + name + rb"\s*\([^;{}]*?\)\s*\{", re.MULTILINE)
    found = head.search(text) or alone.search(text)
    return 0 if found is None else text.count(b"\n", 0, found.start()) + 1


def _pieces(node: Node, text: bytes) -> Iterator[tuple[str, bytes]]:
    """The definitions below a node, each with its text."""
    at = node.start_byte
    for child in node.named_children:
        for line in DIRECTIVE.findall(text, at, child.start_byte):  # #if, #else and their like
            yield NAMELESS, _folded(line)
        at = max(child.end_byte, at)
        if child.type in _CONTAINERS:
            yield from _pieces(child, text)
        elif child.type != "comment":
            piece = _folded(text[child.start_byte : child.end_byte])
            if piece and not _HARMLESS.fullmatch(piece):
                for name in _names(child):
                    yield name, piece
    for line in DIRECTIVE.findall(text, at, node.end_byte):
        yield NAMELESS, _folded(line)


def _names(node: Node) -> list[str]:
    """What a piece of the file's level defines."""
    if node.is_error or node.type == "ERROR":
        return [NAMELESS]
    if node.type == "function_definition":
        return [function_name(node) or NAMELESS]
    if node.type == "preproc_include":
        return [INCLUDES]
    if node.type.startswith("preproc_"):
        name = node.child_by_field_name("name")
        return [_text(name) or NAMELESS]
    kinds = ("identifier", "type_identifier") if node.type != "enum_specifier" else ("identifier",)
    found = [_text(one) for one in _declared(node) if one.type in kinds]
    return list(dict.fromkeys(found)) or [NAMELESS]


def _declared(node: Node) -> Iterator[Node]:
    """The identifiers that a declaration introduces: declarators, tags, and enumerators."""
    of_type = node.child_by_field_name("type")
    for child in node.named_children:
        if child.type in ("type_identifier", "identifier"):
            if child != of_type:
                yield child
        elif child.type.endswith(("_declarator", "_specifier", "enumerator", "enumerator_list")):
            yield from _declared(child)


def same_code(before: bytes, after: bytes) -> bool:
    """Do two texts differ in nothing but comments and white space?

    >>> same_code(b"int a; /* one */", b"int a;\\n// two"), same_code(b"f();", b"// f();")
    (True, False)
    >>> same_code(b"// one \\\\\\n f();", b"// one\\n f();")
    False
    """
    return _folded(before) == _folded(after) and not changed_names(before, after)


def _folded(text: bytes) -> bytes:
    """Without comments, and with white space folded.

    Lines that a backslash joins are one, as they are for the compiler: a comment may go on so.
    """
    joined = _SPLICE.sub(b"", text)
    return b" ".join(_COMMENT.sub(lambda found: found[1] or b" ", joined).split())


def _text(node: Node | None) -> str:
    return (node.text or b"").decode(errors="replace") if node is not None else ""
