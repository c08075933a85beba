# SPDX-License-Identifier: GPL-2.0-or-later
"""The texts of specs/two-words.yaml, typed against one variant under one encoding."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from verifier.base.errors import SpecError, Where
from verifier.halves.two_words import TwoWords, WordClaim
from verifier.language.meanings import StateVar
from verifier.language.parse import parse_function, parse_signature
from verifier.language.read_yaml import Source
from verifier.language.syntax import BOOL, Const, Function, Param
from verifier.model.typed import Model

__all__ = ["WordModel"]

_EXCLUSIVE = "exclusive"


class _Helpers:
    """The helpers of an architecture, and how the encoding reads `exclusive`."""

    def __init__(self, model: Model) -> None:
        self.model, self.layout = model, model.layout
        self.width, self.ulong, self.marks = model.layout.width, model.layout.ulong, False

    def constant(self, name: str) -> Const | int | None:
        return self.layout.constant(name)

    def state(self, name: str) -> StateVar | None:
        return None

    def through(self, name: str, at: Where) -> Function | None:
        return None

    def function(self, name: str, at: Where) -> Function | None:
        if name == _EXCLUSIVE:
            return self.model.definition("encoding", name, at)
        return self.layout.function(name, at)

    def observation(self, name: str) -> tuple[Param, ...] | None:
        return None

    def names(self) -> Iterable[str]:
        return [_EXCLUSIVE, *self.layout.names()]


class WordModel:
    """All texts, typed: SpecError at the first that is wrong.

    values   kind -> its code, and its condition if it has one
    changes  change -> its code: of (ptep, value) and what it takes
    rules    rule -> the sentence about a and b
    claims   (reader, claim) -> `asks` of v, and `of` of v and e
    """

    def __init__(self, words: TwoWords, model: Model) -> None:
        self.words, self.model, self.layout = words, model, model.layout
        if model.layout.width != 64:
            raise SpecError(words.where, f"{model.layout.variant.name} has entries of one word")
        self._scope = _Helpers(model)
        self.values: Mapping[str, tuple[Function, Function | None]] = {
            kind.name: (self._typed(kind.name, self._of(kind.takes), kind.code, self.layout.width),
                        None if kind.when is None else
                        self._typed(kind.name, self._of(kind.takes), kind.when, BOOL))
            for kind in words.values.values()}
        self.changes: Mapping[str, Function] = {
            change.name: self._typed(change.name.replace("-", "_"),
                                     ", ".join(("ptep, value", *self._words(change.takes))),
                                     change.code)
            for change in words.changes.values()}
        self.rules: Mapping[str, Function] = {
            rule.name: self._typed("pairs", "a, b", rule.pairs, BOOL)
            for rule in words.rules.values()}
        self.axioms: Mapping[str, Function] = {
            axiom.name: self._typed("holds", "a, b", axiom.holds, BOOL)
            for axiom in words.axioms.values()}
        self.claims: Mapping[tuple[str, str], tuple[Function, Function]] = {
            (reader.name, claim.name): (self._typed("asks", "v", claim.asks, BOOL),
                                        self._typed("of", "v, e", claim.of, BOOL))
            for reader in words.readers.values() for claim in reader.claims}

    def of_encoding(self, claim: WordClaim) -> bool:
        """Does the claim ask what the encoding reads?"""
        return any(_EXCLUSIVE in text.text for text in (claim.asks, claim.of))

    def _words(self, takes: Mapping[str, str]) -> list[str]:
        return [f"{name}: {kind}" for name, kind in takes.items()]

    def _of(self, takes: Mapping[str, str]) -> str:
        return ", ".join(self._words(takes))

    def _typed(self, name: str, params: str, text: Source, returns: int | None = None) -> Function:
        signature = parse_signature(f"{name}({params})", text.where, self._scope)
        found = parse_function(signature, text, self._scope)
        if returns is not None and found.returns != returns:
            wanted = "a boolean" if returns == BOOL else "an entry"
            raise SpecError(text.where, f"{name} is no text of {wanted}")
        return found
