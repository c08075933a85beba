# SPDX-License-Identifier: GPL-2.0-or-later
"""Sequences of steps that led to a failure on some variant, from hints/sequences.yaml.

`make hints` writes the file. The sequences are tried before anything is searched, with values of
the variant's own, and what they lead to is recomputed like any other trace. They save time and
decide nothing: without the file the same is found, later.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from verifier.base.errors import SpecError, Where
from verifier.language.read_yaml import Items, Table, read_yaml
from verifier.model.step import Instance, instances
from verifier.model.typed import Model

__all__ = ["FILE", "FRESH", "KIN", "LEADS_TO", "THROUGH", "Known", "Labels", "akin",
           "read_sequences", "steps_named"]

FILE = "sequences.yaml"
# sequences that led to a failure like one of which nothing is known: tried before a search
KIN = 24
FRESH = "fresh"  # what stands for no steps
LEADS_TO = "leads-to"  # the name under which what a failure leads to is kept
THROUGH = "through/"  # before a property: an earlier step breaks another
Labels = tuple[str, ...]  # of instances
# encoding, code and what they lead to -> sequences
Known = Mapping[tuple[str, str, str], tuple[Labels, ...]]
LABEL = re.compile(r"[a-z0-9_-]+\[[AB3]+\+?(:[a-z0-9]+)?\]")


def read_sequences(folder: Path) -> Known:
    """The sequences of a folder of hints, the shorter ones first; none without such a file.

    Names are not looked up: a hint of something that specs/ lacks helps nobody. Raises SpecError
    where the form is wrong.
    """
    path = folder / FILE
    if not os.path.lexists(path):
        return {}
    found: dict[tuple[str, str, str], list[Labels]] = {}
    encodings = read_yaml(path, f"hints/{FILE}" if folder.name == "hints" else str(path))
    for encoding in encodings:
        codes = encodings.need(encoding, Table, "the file")
        for code in codes:
            for target, labels in _targets(codes.need(code, Table, encoding), code):
                found.setdefault((encoding, code, target), []).append(labels)
    return {key: tuple(sorted(sequences, key=len)) for key, sequences in found.items()}


def _targets(table: Table, code: str) -> Iterator[tuple[str, Labels]]:
    """What the steps of one code lead to, and the steps."""
    for first in table:
        if first == LEADS_TO:
            rows = table.need(first, Items, code)
            yield from ((LEADS_TO, _labels(text, at))
                        for text, at in zip(rows.texts(LEADS_TO), rows.at, strict=True))
            continue
        steps = () if first == FRESH else _labels(first, table.key_at[first])
        last = table.need(first, Table, code)
        for label in last:
            transition = _label(label, last.key_at[label]).partition("[")[0]
            for prop in last.text(label, first).split():
                mark = THROUGH if prop.startswith(THROUGH) else ""
                yield f"{mark}{transition}/{prop.removeprefix(THROUGH)}", (*steps, label)


def _labels(text: str, at: Where) -> Labels:
    if not text.split():
        raise SpecError(at, f"a sequence has at least one step; none is called {FRESH}")
    return tuple(_label(label, at) for label in text.split())


def _label(text: str, at: Where) -> str:
    if LABEL.fullmatch(text) is None:
        raise SpecError(at, f"{text!r} is no step, such as fork-pte[AB]")
    return text


def akin(known: Known, encoding: str, code: str, target: tuple[str, str],
         last: Iterable[str]) -> Iterator[Labels]:
    """Steps that may lead to a failure since they led to a similar one, the likeliest first.

    First come those to the same failure under another code or encoding, then those with the same
    last step to another property, then those with another last step to the same property. A user's
    code, of which nothing is known, is answered from these. `last` has the labels that the last
    step may have.
    """
    found: dict[Labels, int] = {}
    for (of_encoding, of_code, name), sequences in known.items():
        transition, _, prop = name.partition("/")
        likeness = (4 if (transition, prop) == target else 3 if transition == target[0] else 2
                    if prop == target[1] else 0)
        if not likeness:
            continue
        near = 3 * likeness + 2 * (of_encoding == encoding) + (of_code == code)
        for steps in sequences:
            for sequence in [steps] if likeness > 2 else [(*steps[:-1], label) for label in last]:
                found[sequence] = max(near, found.get(sequence, 0))
    yield from sorted(found, key=lambda steps: (-found[steps], len(steps), steps))


def steps_named(model: Model, labels: Labels) -> list[Instance] | None:
    """What the labels name in this model; None where one of them names no step of it.

    Hardware acts on entries of one level: where the label's is not there, on those of this model's.
    """
    known = {instance.label: instance for actor in (0, 1) for instance in instances(model, actor)}
    found = []
    for label in labels:
        plain = label.partition(":")[0].removesuffix("]")
        step = (known.get(label) or known.get(f"{plain}:{model.level.kind}]")
                or known.get(f"{plain}]"))
        if step is None:
            return None
        found.append(step)
    return found
