# SPDX-License-Identifier: GPL-2.0-or-later
"""Read specs/codes.yaml and specs/transitions/*.yaml: codes, and steps with a text for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from verifier.base.errors import SpecError, nearest
from verifier.language.read_yaml import Source, Table
from verifier.model.read_parts import (
    read_axioms,
    read_file,
    read_words,
    sub_table,
)
from verifier.model.read_versions import of_version
from verifier.model.spec import PTE, Code, Effect, Transition, Turn

__all__ = ["check_codes", "read_codes", "read_texts", "read_thread_step", "read_transitions"]

_KEYS = ("catalogue", "site", "describe", "roles", "tracks", "inputs", "requires", "gives_up",
         "changes", "baseline", "dirties", "third", "needs", "code", "notes", "levels", "into",
         "reaches")


def read_transitions(
    folder: Path, codes: Mapping[str, Code], version: str
) -> dict[str, Transition]:
    """The steps of specs/transitions/ by name, as they are in a version of the kernel; SpecError
    where one stands twice.
    """
    found: dict[str, Transition] = {}
    for path in sorted((folder / "transitions").glob("*.yaml")):
        table = of_version(read_file(path, folder), version)
        for name in table:
            if name in found:
                raise SpecError(
                    table.key_at[name], f"transition {name} stands already at {found[name].where}"
                )
            found[name] = _transition(table, name, codes)
    return found


def _transition(table: Table, name: str, codes: Mapping[str, Code]) -> Transition:
    record = table.need(name, Table, "transitions")
    record.only(_KEYS, "a transition")
    what = f"transition {name}"
    roles = record.texts("roles", "roles") or ("p",)
    if len(roles) > 2:
        raise SpecError(
            record.at["roles"], "a transition has one role or two: there are two processes"
        )
    third = record.texts("third", "third")
    for role in third:
        if role not in roles:
            raise SpecError(record.at["third"], f"unknown role {role!r}{nearest(role, roles)}")
    tracks = record.texts("tracks", "tracks") or ("old",)
    for track in tracks:
        if track not in ("old", "new"):
            raise SpecError(record.at["tracks"],
                            f"what is tracked is the old page or the new one, not {track!r}")
    requires = read_axioms(sub_table(record, "requires"))
    for axiom in requires:
        if not axiom.because:
            raise SpecError(axiom.holds.where,
                            f"requirement {axiom.name} does not name the kernel line: `because`")
    return Transition(
        name,
        record.texts("catalogue", "catalogue"),
        record.text("site", what),
        record.text("describe", what),
        roles,
        tracks,
        read_words(sub_table(record, "inputs")),
        requires,
        read_words(sub_table(record, "gives_up")),
        _sources(record, "changes"),
        read_words(sub_table(record, "baseline")),
        record.text("dirties", what) if "dirties" in record else "",
        third,
        record.texts("needs", "needs"),
        read_texts(record, what, codes),
        read_words(sub_table(record, "notes")),
        table.key_at[name],
        record.texts("levels", "levels") or (PTE,),
        record.text("into", what) if "into" in record else "",
        _effects(sub_table(record, "reaches"), codes),
        {name: code.order for name, code in codes.items()},
    )


def read_thread_step(
    codes: Mapping[str, Code], steps: Table, key: str, thread: Table, turn: Turn
) -> Transition:
    """The transition that a step of a thread is; what all steps share stands at the thread."""
    record, name = steps.need(key, Table, "steps"), f"{turn.thread}-{key}"
    record.only(("site", "describe", "inputs", "reaches", "code", "notes"), "a step of a thread")
    what = f"step {name}"
    return Transition(
        name, thread.texts("catalogue", "catalogue"), record.text("site", what),
        record.text("describe", what), ("p",), ("old",),
        read_words(sub_table(record, "inputs")), (), {}, {}, {}, "", (),
        thread.texts("needs", "needs"), read_texts(record, what, codes),
        read_words(sub_table(record, "notes")), steps.key_at[key],
        thread.texts("levels", "levels") or (PTE,), "",
        _effects(sub_table(record, "reaches"), codes),
        {code: one.order for code, one in codes.items()}, turn=turn,
    )


def _effects(table: Table, known: Mapping[str, Code]) -> tuple[Effect, ...]:
    effects = []
    for name in table:
        record = table.need(name, Table, "an effect")
        record.only(("holds", "needs", "codes", "not_on", "hardware"), "an effect")
        codes = record.texts("codes", "codes")
        check_codes(record, codes, known)
        effects.append(Effect(name, record.need("holds", Source, "an effect"),
                              record.texts("needs", "needs"), codes,
                              read_words(sub_table(record, "not_on")),
                              record.texts("hardware", "hardware")))
    return tuple(effects)


def check_codes(record: Table, codes: Iterable[str], known: Mapping[str, Code]) -> None:
    """SpecError where a record names a code that there is not."""
    for code in codes:
        if code not in known:
            raise SpecError(record.at["codes"], f"unknown code {code!r}{nearest(code, known)}")


def read_codes(folder: Path) -> dict[str, Code]:
    """specs/codes.yaml; a code falls back on one that stands before it."""
    top = read_file(folder / "codes.yaml", folder)
    top.only(("codes",), "the codes")
    table = sub_table(top, "codes")
    found: dict[str, Code] = {}
    for name in table:
        record = table.need(name, Table, "the codes")
        record.only(("words", "describe", "else"), "a code")
        instead = record.text("else", "a code") if "else" in record else ""
        if instead and instead not in found:
            raise SpecError(record.at["else"],
                            f"no code {instead!r} stands before {name}{nearest(instead, found)}")
        order = (name, *(found[instead].order if instead else ()))
        found[name] = Code(name, record.text("words", "a code"), record.text("describe", "a code"),
                           order)
    return found


def read_texts(record: Table, what: str, known: Mapping[str, Code]) -> dict[str, Source]:
    """The texts of a step by their codes; the first of all codes has to have one."""
    codes = record.need("code", Table, what)
    codes.only(tuple(known), "the codes")
    base = next(iter(known))
    if base not in codes:
        raise SpecError(codes.where, f"{what} has no code {base!r}")
    return {key: codes.need(key, Source, what) for key in codes}


def _sources(record: Table, key: str) -> dict[str, Source]:
    table = sub_table(record, key)
    return {name: table.need(name, Source, key) for name in table}
