# SPDX-License-Identifier: GPL-2.0-or-later
"""Sequences of steps that led to a failure on some variant: specs/sequences.yaml.

They are tried before anything is searched, with values of the variant's own, and what they lead to is recomputed as any other
trace is. So they save time, and decide nothing: without the file the same is found, later.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from verifier.errors import SpecError, Where
from verifier.load import Items, Table, read_yaml
from verifier.scopes import Model
from verifier.steps import Instance, instances

__all__ = ["FILE", "LEADS_TO", "Known", "Labels", "read_sequences", "steps_named"]

FILE = "sequences.yaml"
LEADS_TO = "leads-to"  # the name under which what a failure leads to is kept
Labels = tuple[str, ...]  # labels of instances
Known = Mapping[tuple[str, str, str], tuple[Labels, ...]]  # encoding, code and what they lead to -> sequences
LABEL = re.compile(r"[a-z0-9_-]+\[[AB3]+\+?(:[a-z0-9]+)?\]")


def read_sequences(folder: Path) -> Known:
    """The sequences of a spec folder; none where it has no such file. SpecError where the file has not its form.

    Names are not looked up: what a folder of specs has no more is a hint that helps nobody.
    """
    path = folder / FILE
    if not path.is_file():
        return {}
    found: dict[tuple[str, str, str], tuple[Labels, ...]] = {}
    encodings = read_yaml(path, f"specs/{FILE}" if folder.name == "specs" else str(path))
    for encoding in encodings:
        codes = encodings.need(encoding, Table, "the file")
        for code in codes:
            targets = codes.need(code, Table, encoding)
            for target in targets:
                rows = targets.need(target, Items, code)
                found[encoding, code, target] = tuple(
                    _checked(text, at) for text, at in zip(rows.texts(target), rows.at, strict=True))
    return found


def _checked(text: str, at: Where) -> Labels:
    labels = tuple(text.split())
    for label in labels:
        if LABEL.fullmatch(label) is None:
            raise SpecError(at, f"{label!r} is no step, such as fork-pte[AB]")
    if not labels:
        raise SpecError(at, "a sequence has at least one step")
    return labels


def steps_named(model: Model, labels: Labels) -> list[Instance] | None:
    """What the labels name in this model; None where one of them names no step of it.

    Hardware acts on entries of one level: where the label's is not there, on those of this model's.
    """
    known = {instance.label: instance for actor in (0, 1) for instance in instances(model, actor)}
    found = []
    for label in labels:
        plain = label.partition(":")[0].removesuffix("]")
        step = known.get(label) or known.get(f"{plain}:{model.level.name}]") or known.get(f"{plain}]")
        if step is None:
            return None
        found.append(step)
    return found
