# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of this folder, read: worlds, calls, and functions. What is wrong in them is one error
with its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from verifier.base.errors import SpecError
from verifier.kernel.mm.functions import Argument, Calls, Condition, MmFunction, MmWorld, Stub
from verifier.language.read_yaml import Items, Source, Table, read_yaml
from verifier.model.read_versions import WHOLE, of_version

__all__ = ["load_calls", "load_functions"]

HERE = Path(__file__).parent
SHOWN = "verifier/kernel/mm"
_KEYS = ("function", "covers", "beside", "transition", "level", "tracks", "world", "variants",
         "vmas", "entries", "target", "truths", "words", "page", "free", "before", "call", "stubs",
         "own", "spare", "always", "never", "where", "outside", "unreached", "elsewhere",
         "also", "compare", "result")
_LEVELS = ("pte", "pmd")
_FLUSHES = ("flush", "due", "batched", "batched_write")


@lru_cache
def load_functions(folder: Path = HERE, version: str = WHOLE) -> Mapping[str, MmFunction]:
    """Every function by the name of its record, as it is in a version of the kernel. SpecError at
    whatever is wrong.
    """
    worlds, calls = load_calls(folder, version)
    found: dict[str, MmFunction] = {}
    for path in sorted(folder.glob("*.yaml")):
        if path.name == "calls.yaml":
            continue
        table = of_version(read_yaml(path, f"{SHOWN}/{path.name}"), version)
        table.only(("functions",), "the file")
        records = table.need("functions", Table, "the file")
        for name in records:
            if name in found:
                raise SpecError(records.key_at[name], f"{name} stands in two files")
            found[name] = _function(name, records.need(name, Table, "functions"), worlds, calls)
    return found


@lru_cache
def load_calls(
    folder: Path = HERE, version: str = WHOLE
) -> tuple[Mapping[str, MmWorld], Calls]:
    """The worlds, and what is called, in a version of the kernel."""
    table = of_version(read_yaml(folder / "calls.yaml", f"{SHOWN}/calls.yaml"), version)
    table.only(("worlds", "nothing", "stubs"), "the file")
    records = table.need("worlds", Table, "the file")
    worlds = {name: _world(name, records.need(name, Table, "worlds")) for name in records}
    stubs = table.need("stubs", Table, "the file")
    return worlds, Calls(
        _reasons(table, "nothing"),
        {name: _stub(name, stubs.need(name, Table, "stubs")) for name in stubs},
    )


def _world(name: str, record: Table) -> MmWorld:
    record.only(("flags", "vma", "never", "lacking", "set_up", "premises"), f"world {name}")
    return MmWorld(name, _reasons(record, "flags"), _reasons(record, "vma"),
                 _reasons(record, "never"), _reasons(record, "lacking"),
                   record.need("set_up", Source, "a world").text,
                 _conditions(record, "premises"))


def _reasons(record: Table, key: str) -> dict[str, str]:
    """A mapping of words to texts."""
    if key not in record:
        return {}
    table = record.need(key, Table, "a record")
    return {name: table.text(name, key) for name in table}


def _conditions(record: Table, key: str) -> tuple[Condition, ...]:
    if key not in record:
        return ()
    table = record.need(key, Table, "a record")
    found = []
    for name in table:
        one = table.need(name, Table, key)
        one.only(("holds", "because"), name)
        found.append(Condition(name, one.need("holds", Source, name), one.text("because", name)))
    return tuple(found)


def _stub(name: str, record: Table) -> Stub:
    record.only(("c", "because", "function"), f"stub {name}")
    code = record.need("c", Source, f"stub {name}")
    if "@" not in code.text:
        raise SpecError(code.where, "has no @ for the function's name")
    place = record.text("function", f"stub {name}") if "function" in record else name
    return Stub(place, code.text, record.text("because", f"stub {name}"))


def _function(
    name: str, record: Table, worlds: Mapping[str, MmWorld], calls: Calls
) -> MmFunction:
    record.only(_KEYS, f"function {name}")
    file, _, function = record.text("function", "a function").partition(":")
    world = worlds.get(record.text("world", "a function"))
    if world is None:
        raise SpecError(record.at["world"], "is no world of calls.yaml")
    tracks = record.text("tracks", "a function") if "tracks" in record else "old"
    if tracks not in ("old", "new"):
        raise SpecError(record.at["tracks"], "must be old or new")
    level = record.text("level", "a function") if "level" in record else "pte"
    if level not in _LEVELS:
        raise SpecError(record.at["level"], "must be pte or pmd")
    vmas = _reasons(record, "vmas")
    call = record.need("call", Source, "a function")
    if ("result" in record) is not ("result = " in call.text):
        raise SpecError(call.where, "sets result where the record has none, or does not set it")
    return MmFunction(
        name, file, function, record.texts("beside", "beside"),
        record.texts("covers", "covers"),
        record.text("transition", "a function"), level, world,
        tracks == "new", vmas, _arguments(record, world, vmas, level),
        call.text,
        record.need("before", Source, "a function").text if "before" in record else "",
        _stubs(record, calls), record.texts("spare", "spare"), _reasons(record, "always"),
        _reasons(record, "never"),
        _conditions(record, "where"), _reasons(record, "outside"), _reasons(record, "unreached"),
        _elsewhere(record), _reasons(record, "also"), record.texts("compare", "compare"),
        record.need("result", Source, "a function") if "result" in record else None,
        record.texts("variants", "variants"),
    )


def _elsewhere(record: Table) -> dict[str, str]:
    """The flushes that others make."""
    found = _reasons(record, "elsewhere")
    for name in found:
        if name not in _FLUSHES:
            raise SpecError(record.need("elsewhere", Table, "a function").key_at[name],
                            f"is none of {', '.join(_FLUSHES)}")
    return found


def _stubs(record: Table, calls: Calls) -> tuple[Stub, ...]:
    """Stubs of calls.yaml, by name, and the function's own."""
    own: dict[str, Stub] = {}
    if "own" in record:
        table = record.need("own", Table, "a function")
        own = {name: _stub(name, table.need(name, Table, "own")) for name in table}
    found = []
    for key in ("stubs", "spare"):
        named = record.get_as(key, Items, None)
        for name, where in zip(named.texts(key), named.at, strict=True) if named else ():
            if key == "spare" and name in own:
                continue
            if name not in calls.stubs:
                raise SpecError(where, f"calls.yaml has no stub {name}")
            found.append(calls.stubs[name])
    return (*found, *own.values())


def _arguments(
    record: Table, world: MmWorld, vmas: Mapping[str, str], level: str
) -> tuple[Argument, ...]:
    """The wrapper's parameters: entries, inputs, the page, vmas with their mm, and what is free."""
    found = [Argument("entry", name, f"{level}_t *{name}", role)
             for name, role in _reasons(record, "entries").items()]
    found += [Argument("target", name, f"{level}_t *{name}", role)
              for name, role in _reasons(record, "target").items()]
    found += [Argument("truth", name, f"_Bool {name}", name) for name in (*world.flags, "ksm")]
    found += [Argument("truth", name, f"_Bool {name}", given)
              for name, given in _reasons(record, "truths").items()]
    found += [Argument("word", name, f"unsigned long {name}", given)
              for name, given in _reasons(record, "words").items()]
    frame = record.text("page", "a function") if "page" in record else "pfn"
    found.append(Argument("page", "page", "struct page *page", frame))
    for vma, role in vmas.items():
        found.append(Argument("free", vma, f"struct vm_area_struct *{vma}"))
        found.append(Argument("free", f"{vma}_mm", f"struct mm_struct *{vma}_mm"))
        found += [Argument("truth", f"{vma}_{flag}", f"_Bool {vma}_{flag}", _input(state, role))
                  for flag, state in world.vma.items()]
    found += [Argument("free", text.split()[-1].lstrip("*"), text)
              for text in record.texts("free", "free")]
    return tuple(found)


def _input(state: str, role: str) -> str:
    """may_read[p] of a role -> may_read.ROLE; of `not soft_dirty_vma`, soft_dirty_vma."""
    found = state.removeprefix("not ")
    return f"{found.removesuffix('[p]')}.{role}" if found.endswith("[p]") else found
