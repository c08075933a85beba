# SPDX-License-Identifier: GPL-2.0-or-later
"""All claims of specs/two-words.yaml about variants: each under an encoding where it depends on it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from verifier.halves.judge import JudgedRead, judge
from verifier.halves.model import WordModel
from verifier.halves.two_words import BOTH, TwoWords
from verifier.run.library import Library

__all__ = ["ENCODINGS", "judge_all"]

ENCODINGS = ("page-flag", "option-c")


def judge_all(library: Library, words: TwoWords, variants: Sequence[str], ways: Collection[str],
              rules: Collection[str]) -> list[JudgedRead]:
    """What becomes of each claim on each variant, in these ways and under these rules."""
    found: list[JudgedRead] = []
    for variant in variants:
        for number, encoding in enumerate(ENCODINGS):
            model = WordModel(words, library.model(variant, encoding))
            reads = words.layouts[variant].reads
            for way in (words.ways[name] for name in ways):
                if way.kind and reads == (BOTH,):
                    continue  # nothing is in halves there
                for reader in (words.readers[name] for name in way.readers):
                    # what no encoding matters for is asked once
                    only = [claim.name for claim in reader.claims
                            if not number or model.of_encoding(claim)]
                    for rule in reader.rules:
                        if rule in rules and only:
                            found += judge(model, way, reader, words.rules[rule], only)
    return found
