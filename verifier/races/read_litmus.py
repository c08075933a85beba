# SPDX-License-Identifier: GPL-2.0-or-later
"""Litmus tests in herd7's C format, read as far as the kernel's own tests go.

Not read: loops, arrays, structures, arithmetic on pointers, `forall`. What is not read is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from verifier.base.errors import UsageError
from verifier.races.program import (
    Atom,
    Both,
    Condition,
    Decide,
    Either,
    Evaluated,
    Expression,
    Follow,
    Identifier,
    Invoke,
    Litmus,
    Negated,
    Number,
    Operator,
    Program,
    Put,
    Statement,
    Value,
)

__all__ = ["read_condition", "read_expression", "read_litmus", "read_statements"]

_COMMENT = re.compile(r"\(\*\s.*?\*\)|/\*.*?\*/|//[^\n]*", re.DOTALL)
_TOKEN = re.compile(r"\s*(0x[0-9a-fA-F]+|\d+|\w+|/\\|\\/|&&|\|\||[=!<>]=|\S)")
_TYPES = {"int", "atomic_t", "spinlock_t", "long", "unsigned", "intptr_t"}
_LEVELS = (("||",), ("&&",), ("|",), ("^",), ("&",), ("==", "!="), ("<", ">", "<=", ">="),
           ("+", "-"))
_END = "the end"


class _Reader:
    """Tokens, taken one after the other."""

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self.tokens = _TOKEN.findall(_COMMENT.sub(" ", text))
        self.at = 0

    def peek(self, ahead: int = 0) -> str:
        place = self.at + ahead
        return self.tokens[place] if place < len(self.tokens) else _END

    def take(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def expect(self, token: str) -> None:
        found = self.take()
        if found != token:
            raise self.wrong(f"expected {token!r}, found {found!r}")

    def skip(self, token: str) -> bool:
        if self.peek() == token:
            self.at += 1
            return True
        return False

    def word(self) -> str:
        token = self.take()
        if not re.fullmatch(r"[A-Za-z_]\w*", token):
            raise self.wrong(f"expected a name, found {token!r}")
        return token

    def wrong(self, what: str) -> UsageError:
        return UsageError(f"{self.name}: not understood: {what}")

    def ended(self) -> None:
        if self.peek() != _END:
            raise self.wrong(f"{self.peek()!r} stands behind the end")

    # expressions

    def expression(self, level: int = 0) -> Expression:
        if level == len(_LEVELS):
            return self.unary()
        found = self.expression(level + 1)
        while self.peek() in _LEVELS[level]:
            sign = self.take()
            found = Operator(sign, (found, self.expression(level + 1)))
        return found

    def unary(self) -> Expression:
        if self.skip("*"):
            return Follow(self.unary())
        if self.skip("&"):
            return self.unary()  # the name of a location is its address already
        if self.peek() in ("!", "-", "~"):
            return Operator(self.take(), (self.unary(),))
        if self.skip("("):
            if self.peek() == "void" or self.peek() in _TYPES:
                while not self.skip(")"):
                    self.take()
                return self.unary()
            found = self.expression()
            self.expect(")")
            return found
        if self.peek().isdigit() or self.peek().startswith("0x"):
            return Number(int(self.take(), 0))
        name = self.word()
        if not self.skip("("):
            return Identifier(name)
        arguments: list[Expression] = []
        while not self.skip(")"):
            arguments.append(self.expression())
            if self.peek() != ")":
                self.expect(",")
        return Invoke(name, tuple(arguments))

    # statements

    def block(self) -> tuple[Statement, ...]:
        """Statements in braces, or a single one."""
        if not self.skip("{"):
            return self.statement()
        found: list[Statement] = []
        while not self.skip("}"):
            found += self.statement()
        return tuple(found)

    def statement(self) -> tuple[Statement, ...]:
        if self.peek() in _TYPES:
            return self.declaration()
        if self.skip(";"):
            return ()
        if self.skip("if"):
            self.expect("(")
            condition = self.expression()
            self.expect(")")
            then = self.block()
            return (Decide(condition, then, self.block() if self.skip("else") else ()),)
        target = self.expression()
        if not self.skip("="):
            self.expect(";")
            return (Evaluated(target),)
        if not isinstance(target, Identifier | Follow):
            raise self.wrong("what is assigned to is no register and no memory")
        value = self.expression()
        self.expect(";")
        return (Put(target, value),)

    def declaration(self) -> tuple[Statement, ...]:
        while self.peek() in _TYPES or self.peek() == "*":
            self.take()
        name = self.word()
        if self.skip(";"):
            return ()
        self.expect("=")
        value = self.expression()
        self.expect(";")
        return (Put(Identifier(name), value),)

    # the parts of a test

    def initial(self) -> dict[str, Value]:
        """{ int x = 1; p = y; } with the value 0 where there is none."""
        found: dict[str, Value] = {}
        self.expect("{")
        while not self.skip("}"):
            if self.skip(";"):
                continue
            while self.peek() in _TYPES or self.peek() == "*":
                self.take()
            name = self.word()
            found[name] = self.initial_value() if self.skip("=") else 0
        return found

    def initial_value(self) -> Value:
        if self.skip("ATOMIC_INIT"):
            self.expect("(")
            value = self.initial_value()
            self.expect(")")
            return value
        self.skip("&")
        return self.constant()

    def constant(self) -> Value:
        sign = -1 if self.skip("-") else 1
        token = self.take()
        return sign * int(token, 0) if token[0].isdigit() else token

    def thread(self) -> tuple[list[str], Program]:
        """P0(int *x) { ... }: its parameters, and its code."""
        self.take()
        self.expect("(")
        names: list[str] = []
        while not self.skip(")"):
            while self.peek() in _TYPES or self.peek() == "*":
                self.take()
            names.append(self.word())
            self.skip(",")
        return names, Program(self.block())

    def condition(self) -> Condition:
        return self.some("\\/", Either, lambda: self.some("/\\", Both, self.atom))

    def some(
        self, sign: str, kind: type[Either] | type[Both], inner: Callable[[], Condition]
    ) -> Condition:
        parts = [inner()]
        while self.skip(sign):
            parts.append(inner())
        return parts[0] if len(parts) == 1 else kind(tuple(parts))

    def atom(self) -> Condition:
        if self.skip("~"):
            return Negated(self.atom())
        if self.skip("("):
            found = self.condition()
            self.expect(")")
            return found
        thread = None
        if self.peek(1) == ":":
            thread = int(self.take())
            self.take()
        name = self.word()
        self.expect("=")
        return Atom(thread, name, self.constant())

    def litmus(self) -> Litmus:
        initial = self.initial()
        threads: list[Program] = []
        filters: Condition | None = None
        while re.fullmatch(r"P\d+", self.peek()):
            names, program = self.thread()
            threads.append(program)
            for name in names:
                initial.setdefault(name, 0)
        for value in [value for value in initial.values() if isinstance(value, str)]:
            initial.setdefault(value, 0)
        if self.skip("locations"):
            while self.take() not in ("]", _END):
                pass
        if self.skip("filter"):
            filters = self.condition()
        negated = self.skip("~")
        self.expect("exists")
        condition = self.condition()
        self.ended()
        return Litmus(self.name, initial, tuple(threads),
                      Negated(condition) if negated else condition, filters)


def read_litmus(text: str, name: str) -> Litmus:
    """A whole test. Raises UsageError where the test has something that is not read.

    >>> text = "C T { x = 1; } P0(int *x) { int r0 = READ_ONCE(*x); } exists (0:r0=1)"
    >>> read_litmus(text, "T").exists
    Atom(thread=0, name='r0', value=1)
    """
    head, _, rest = _COMMENT.sub(" ", text).partition("{")
    if not head.lstrip().startswith("C "):
        raise UsageError(f"{name}: no litmus test in C")
    return _Reader("{" + rest, name).litmus()


def read_statements(text: str, name: str) -> tuple[Statement, ...]:
    """Statements of C, each with its semicolon."""
    reader = _Reader(text, name)
    found: list[Statement] = []
    while reader.peek() != _END:
        found += reader.statement()
    return tuple(found)


def read_expression(text: str, name: str) -> Expression:
    """One expression of C."""
    reader = _Reader(text, name)
    found = reader.expression()
    reader.ended()
    return found


def read_condition(text: str, name: str) -> Condition:
    """What stands behind `exists`."""
    reader = _Reader(text, name)
    found = reader.condition()
    reader.ended()
    return found
