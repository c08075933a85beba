# SPDX-License-Identifier: GPL-2.0-or-later
"""Tokens, types and constants of LLVM's textual form: the words that `read_module` makes sentences
of.
"""

from __future__ import annotations

import re
from typing import NoReturn

from verifier.kernel.llvm.ir import (
    Array,
    AsmText,
    ConstantItems,
    ConstantText,
    Expr,
    Instr,
    Int,
    IntConst,
    IrLocal,
    Named,
    Null,
    Operand,
    Pointer,
    Struct,
    Symbol,
    Type,
    TypedOperand,
    UndefOrPoison,
    Void,
    Zero,
)

__all__ = ["IrError", "Tokens", "unquote"]

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>c?"[^"]*")"""
    r"""|(?P<local>%(?:[-\w$.]+|"[^"]*"))|(?P<symbol>@(?:[-\w$.]+|"[^"]*"))"""
    r"""|(?P<meta>![-\w$.]*)|(?P<group>\#\d+)|(?P<number>-?\d+(?![\w.]))"""
    r"""|(?P<word>[A-Za-z_][\w.]*|\.\.\.)"""
    r"""|(?P<punct>[()\[\]{}<>,=*|:])|(?P<bad>\S+))"""
)
_CASTS = ("zext", "sext", "trunc", "ptrtoint", "inttoptr", "bitcast", "addrspacecast")
_VALUE_ATTRIBUTES = frozenset(
    "zeroext signext nonnull nocapture readonly readnone writeonly returned inreg noalias immarg"
    " nofree nest dead_on_unwind writable noext swiftself allocptr allocalign nofpclass".split()
)
_WITH_ARGUMENT = ("dereferenceable", "dereferenceable_or_null", "align", "captures", "initializes")


class IrError(Exception):
    """Text that this reader does not know. Whatever holds it is incomplete."""


def unquote(text: str) -> str:
    """The name or the string in LLVM's quotes: \\22 is a quote.

    >>> unquote('%"a\\\\22b"'), unquote('@pte_dirty')
    ('a"b', 'pte_dirty')
    """
    text = text.lstrip("%@")
    if not text.startswith('"'):
        return text
    return re.sub(
        r"\\([0-9A-Fa-f]{2}|\\)", lambda m: "\\" if m[1] == "\\" else chr(int(m[1], 16)), text[1:-1]
    )


class Tokens:
    """A line of text, read word by word. Every reader raises IrError at what it does not know."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._kinds: list[str] = []
        self._words: list[str] = []
        for found in _TOKEN.finditer(text):
            kind = found.lastgroup
            if kind is not None:
                self._kinds.append(kind)
                self._words.append(found[kind])
        self._at = 0

    def fail(self, what: str) -> NoReturn:
        """Raise IrError with what is wrong, the next words, and the line."""
        raise IrError(
            f"{what} at {' '.join(self._words[self._at:self._at + 4])!r} in"
            f" {self.text.strip()[:120]!r}"
        )

    def done(self) -> bool:
        """Is the line at its end?"""
        return self._at >= len(self._words)

    def peek(self) -> str:
        """The next word; empty at the end."""
        return "" if self.done() else self._words[self._at]

    def kind(self) -> str:
        """The kind of the next word; empty at the end."""
        return "" if self.done() else self._kinds[self._at]

    def next(self) -> str:
        """Take the next word. IrError at the end."""
        if self.done():
            self.fail("the line ends too early")
        self._at += 1
        return self._words[self._at - 1]

    def take(self, *words: str) -> bool:
        """Step over one of these words, if it is next."""
        if self.peek() in words and not self.done():
            self._at += 1
            return True
        return False

    def need(self, word: str) -> None:
        """Take this word. IrError where the next is another."""
        if not self.take(word):
            self.fail(f"no {word!r}")

    def number(self) -> int:
        """Take a number. IrError where the next is none."""
        if self.kind() != "number":
            self.fail("no number")
        return int(self.next())

    def flags(self, known: frozenset[str]) -> tuple[str, ...]:
        """Take the words that are known flags, as many as there are."""
        found = []
        while self.peek() in known:
            found.append(self.next())
        return tuple(found)

    def skip_group(self) -> None:
        """Step over (...) with everything in it."""
        self.need("(")
        depth = 1
        while depth:
            word = self.next()
            depth += (word == "(") - (word == ")")

    # types

    def type(self) -> Type:
        """Take a type. IrError where it is not known."""
        kind = self.kind()
        word = self.next()
        found: Type
        if word == "ptr":
            if self.take("addrspace"):
                self.fail("an address space")
            found = Pointer()
        elif kind == "word" and re.fullmatch(r"i\d+", word):
            found = Int(int(word[1:]))
        elif word in ("void", "label", "metadata"):
            found = Void()
        elif kind == "local":
            found = Named(unquote(word))
        elif word == "[":
            count = self.number()
            self.need("x")
            element = self.type()
            self.need("]")
            found = Array(count, element)
        elif word == "{":
            found = self._struct("}")
        elif word == "<":
            if not self.take("{"):
                self.fail("a vector")
            found = self._struct("}", packed=True)
            self.need(">")
        else:
            self._at -= 1
            self.fail("no type")
        return found

    def _struct(self, end: str, packed: bool = False) -> Struct:
        fields = []
        while not self.take(end):
            fields.append(self.type())
            self.take(",")
        return Struct(tuple(fields), packed)

    # values

    def bounds(self) -> tuple[int, int]:
        """The rest of range(iN a, b)."""
        self.need("(")
        self.type()
        low = self.number()
        self.need(",")
        high = self.number()
        self.need(")")
        return low, high

    def attributes(self) -> tuple[bool, tuple[int, int] | None, Type | None]:
        """noundef, range and elementtype (or byval) of what comes next.

        The others promise nothing that is used here.
        """
        noundef, bounds, element = False, None, None
        while True:
            word = self.peek()
            if word == "noundef":
                self.next()
                noundef = True
            elif word == "range":
                self.next()
                bounds = self.bounds()
            elif word in ("elementtype", "sret", "byval"):
                self.next()
                self.need("(")
                kind = self.type()
                # sret: memory of the caller's that the callee writes
                element = element if word == "sret" else kind
                self.need(")")
            elif word in _WITH_ARGUMENT:
                self.next()
                if self.peek() == "(":
                    self.skip_group()
                else:
                    self.number()
            elif word in _VALUE_ATTRIBUTES:
                self.next()
            else:
                return noundef, bounds, element

    def typed(self) -> TypedOperand:
        """A type, attributes, and a value."""
        kind = self.type()
        noundef, bounds, element = self.attributes()
        return TypedOperand(kind, self.operand(kind), noundef, bounds, element)

    def operand(self, kind: Type) -> Operand:
        """Take an operand of this type: a value, a constant, or an expression of constants."""
        token, word = self.kind(), self.next()
        if token == "local":
            return IrLocal(unquote(word))
        if token == "symbol":
            return Symbol(unquote(word))
        if token == "number":
            return IntConst(int(word))
        if token == "string" and word.startswith("c"):
            return ConstantText(unquote(word[1:]).encode("latin-1"))
        if word in ("true", "false"):
            return IntConst(int(word == "true"))
        if word in ("undef", "poison"):
            return UndefOrPoison()
        if word == "null":
            return Null()
        if word == "zeroinitializer":
            return Zero()
        if word in ("[", "{"):
            return self._items({"[": "]", "{": "}"}[word])
        if word == "<" and self.take("{"):
            items = self._items("}")
            self.need(">")
            return items
        if word == "getelementptr" or word in _CASTS or word in ("add", "sub", "xor"):
            return self._expr(word)
        self._at -= 1
        self.fail("no value")

    def _items(self, end: str) -> ConstantItems:
        items = []
        while not self.take(end):
            items.append(self.typed())
            self.take(",")
        return ConstantItems(tuple(items))

    def _expr(self, op: str) -> Expr:
        flags = self.flags(frozenset(("inbounds", "nuw", "nsw", "nusw", "nneg")))
        if self.take("inrange"):
            self.skip_group()
        self.need("(")
        if op == "getelementptr":
            aux = self.type()
            operands = []
            while self.take(","):
                operands.append(self.typed())
            instr = Instr(op, None, Pointer(), tuple(operands), flags=flags, aux=aux)
        elif op in _CASTS:
            value = self.typed()
            self.need("to")
            instr = Instr(op, None, self.type(), (value,), flags=flags)
        else:
            left = self.typed()
            self.need(",")
            instr = Instr(op, None, left.type, (left, self.typed()), flags=flags)
        self.need(")")
        return Expr(instr)

    def asm(self) -> AsmText:
        """The rest of a callee after `asm`."""
        self.flags(frozenset(("sideeffect", "alignstack", "inteldialect", "unwind")))
        template = unquote(self.next())
        self.need(",")
        return AsmText(template, unquote(self.next()))
