# SPDX-License-Identifier: GPL-2.0-or-later
"""Every textual occurrence of a helper's name in C source: what it is there, and in which function.

The text is searched for names; a parser (tree-sitter) then says what each occurrence is. So nothing
that stands in the text is missed: what the parser does not understand is `unparsed`, and somebody
has to look at it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.base.errors import UsageError
from verifier.base.store import read_regular
from verifier.kernel.sites.names import Wanted

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

__all__ = [
    "DIRECTIVE",
    "KINDS",
    "MOST_BYTES",
    "Occurrence",
    "c_parser",
    "function_name",
    "readings",
    "scan_text",
    "scan_tree",
]

# What an occurrence can be. A `call` is one in a function's body; `macro` is one in a macro's body;
# a `value` is a function that is named and not called; `variable` is a variable or a label that has
# a helper's name.
KINDS = (
    "call",
    "macro",
    "value",
    "definition",
    "declaration",
    "variable",
    "preprocessor",
    "comment",
    "unparsed",
)
MOST_BYTES = 16 << 20  # of one file

# Words that the kernel writes into declarations. A parser without its headers takes them for types
# or names.
_ATTRIBUTES = re.compile(
    rb"\b(?:__init|__meminit|__ref|__refdata|__initdata|__exit|__always_inline|__always_unused"
    rb"|__maybe_unused|__must_check|__kprobes|__sched|__latent_entropy|__visible|__weak|__cold"
    rb"|__user|__iomem|__percpu|__rcu|__force|__noreturn|__no_sanitize_address|__ro_after_init"
    rb"|__read_mostly|__page_aligned_bss|noinline|noinline_for_stack|asmlinkage|notrace"
    rb"|nokprobe_inline|noinstr|__no_kcsan|__inittext|__flatten|__used|__pure)\b"
)
# A directive with the lines that it is continued on.
DIRECTIVE = re.compile(
    rb"^[ \t]*#[ \t]*(?:if|ifdef|ifndef|elif|else|endif)\b(?:[^\n]*\\\n)*[^\n]*", re.MULTILINE
)
_KEYWORDS = frozenset(
    "if else for while do switch return sizeof case default goto break continue".split()
)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One place where a helper's name stands.

    function  whose body or signature it stands in, or the macro's name; empty outside of all
    line      counts from 1
    digest    12 hex digits of the statement around it with white space folded: the same text at
              another line has the same
    """

    file: str
    function: str
    helper: str
    kind: str
    line: int
    digest: str


def scan_tree(tree: Path, wanted: Wanted) -> Iterator[Occurrence]:
    """All occurrences in a tree's files, file by file.

    UsageError where the parser is not installed.
    """
    parser = c_parser()
    for path in wanted.find_files(tree):
        text = read_regular(path, MOST_BYTES + 1)
        if wanted.pattern.search(text):
            yield from _scan(parser, str(path.relative_to(tree)), text, wanted)


def scan_text(file: str, text: bytes, wanted: Wanted) -> list[Occurrence]:
    """The occurrences in one text.

    >>> wanted = Wanted({"dirty": ("pte_mkdirty",)}, ())
    >>> text = b"pte_t f(pte_t e)\\n{ return pte_mkdirty(e); }"
    >>> [(o.function, o.kind, o.line) for o in scan_text("a.c", text, wanted)]
    [('f', 'call', 2)]
    """
    return list(_scan(c_parser(), file, text, wanted))


def c_parser() -> Parser:
    """A parser of C. UsageError where it is not installed."""
    try:
        import tree_sitter_c
        from tree_sitter import Language, Parser
    except ImportError as error:
        raise UsageError("sites needs a parser of C: pip install 'pteproof[sites]'") from error
    return Parser(Language(tree_sitter_c.language()))


def _scan(parser: Parser, file: str, text: bytes, wanted: Wanted) -> Iterator[Occurrence]:
    """A file that is too large, or has a NUL, is unparsed wherever a name stands."""
    hits = list(wanted.pattern.finditer(text))
    if not hits:
        return
    readable = len(text) <= MOST_BYTES and b"\0" not in text
    roots = list(readings(parser, text)) if readable else []
    for hit in hits:
        helper = hit.group().decode()
        found = None
        for root in roots:
            found = _what(root, hit.start(), hit.end(), helper)
            if found is not None:
                break
        kind, function, around = found or (
            "unparsed",
            "",
            text[hit.start() : text.find(b"\n", hit.start()) + 1 or None],
        )
        digest = hashlib.sha256(b" ".join(around.split())).hexdigest()[:12]
        yield Occurrence(
            file, function, helper, kind, text.count(b"\n", 0, hit.start()) + 1, digest
        )


def readings(parser: Parser, text: bytes) -> Iterator[Node]:
    """The text's tree, and that of the text with both ways of each #if.

    Places are those of the text in both.
    """
    plain = _ATTRIBUTES.sub(_blank, text)
    yield parser.parse(plain).root_node
    yield parser.parse(DIRECTIVE.sub(_blank, plain)).root_node


def _blank(found: re.Match[bytes]) -> bytes:
    """White space of the same length, with the same lines."""
    return re.sub(rb"[^\n]", b" ", found.group())


def _what(root: Node, start: int, end: int, helper: str) -> tuple[str, str, bytes] | None:
    """Kind, function and statement of what stands at these bytes.

    None where the parser did not understand it.
    """
    node = root.descendant_for_byte_range(start, end)
    if node is None:
        return None
    if node.type == "comment":
        return "comment", function_name(node) or "", node.text or b""
    if _broken(node):
        return None
    if node.type == "preproc_arg":
        return _in_macro(node, start)
    function = function_name(node)
    if function is None:
        return None
    kind = _kind(node, helper)
    return (kind, function, _statement(node)) if kind is not None else None


def _broken(node: Node | None) -> bool:
    while node is not None:
        if node.is_error or node.is_missing:
            return True
        node = node.parent
    return False


def _in_macro(node: Node, start: int) -> tuple[str, str, bytes]:
    """In the text of a directive: a macro's body, a condition, or a comment in either."""
    text = node.text or b""
    before = text[: start - node.start_byte]
    parent = node.parent
    name = parent.child_by_field_name("name") if parent is not None else None
    if before.rfind(b"/*") > before.rfind(b"*/"):
        return "comment", _text(name), text
    return ("macro" if name is not None else "preprocessor"), _text(name), text


def _kind(node: Node, helper: str) -> str | None:
    """What an identifier is by the node above it."""
    parent = node.parent
    if parent is None:
        return None
    above = parent.type
    if above.startswith("preproc"):
        return "definition" if above in ("preproc_def", "preproc_function_def") else "preprocessor"
    if node.type in ("statement_identifier", "field_identifier"):
        return "variable"
    if above == "call_expression" and parent.child_by_field_name("function") == node:
        return "call"
    if above == "function_declarator":
        return _declared(parent)
    if above in ("parameter_declaration", "init_declarator", "declaration") or _is_local(
        node, helper
    ):
        return "variable"
    if above == "argument_list" and _text(parent.prev_sibling).startswith("EXPORT_SYMBOL"):
        return "declaration"
    return "value" if node.type == "identifier" else None


def _declared(node: Node | None) -> str:
    while node is not None and node.type not in ("function_definition", "declaration"):
        node = node.parent
    return (
        "definition" if node is not None and node.type == "function_definition" else "declaration"
    )


def _is_local(node: Node, helper: str) -> bool:
    """Does the function around it have a parameter of this name?"""
    above: Node | None = node
    while above is not None and above.type != "function_definition":
        above = above.parent
    declarator = above.child_by_field_name("declarator") if above is not None else None
    return (
        declarator is not None
        and re.search(rf"\b{helper}\b[^(]*[,)]".encode(), declarator.text or b"") is not None
    )


def function_name(node: Node) -> str | None:
    """The function that a node stands in, "" outside of all; None where its name is none."""
    above: Node | None = node
    while above is not None and above.type != "function_definition":
        above = above.parent
    while above is not None and above.type != "identifier":
        inner = above.child_by_field_name("declarator")
        above = (
            inner
            if inner is not None
            else next((c for c in above.named_children if "declarator" in c.type), None)
        )
        if above is None:
            return None
    name = _text(above)
    return None if name in _KEYWORDS else name


def _statement(node: Node) -> bytes:
    """The text of the smallest statement or declaration around a node."""
    above: Node = node
    while above.parent is not None and not above.type.endswith(("_statement", "declaration")):
        if above.type in ("compound_statement", "function_definition", "translation_unit"):
            return node.parent.text or b"" if node.parent is not None else b""
        above = above.parent
    if above.type in ("if_statement", "while_statement", "for_statement", "switch_statement"):
        condition = above.child_by_field_name("condition")
        return (condition.text if condition is not None else above.text) or b""
    return above.text or b""


def _text(node: Node | None) -> str:
    return (node.text or b"").decode(errors="replace") if node is not None else ""
