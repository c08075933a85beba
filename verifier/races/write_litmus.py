# SPDX-License-Identifier: GPL-2.0-or-later
"""A case of a race as a litmus test in herd7's C format: what is judged here, and what herd7 reads.

A path goes on within `if`, so what it needs decides on all that follows. Each thread's register
`done` says that it has come to its end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from verifier.base.errors import UsageError
from verifier.races.race import RaceCase, Races, RaceStep, RaceThread

__all__ = ["litmus_text"]

# herd7 takes no declaration of a lock: it is one by its use.
_NAMES = {"int": "int {0} = {1};", "atomic": "atomic_t {0} = ATOMIC_INIT({1});",
          "pointer": "int *{0} = &{1};"}
_PARAMETERS = {"int": "int *{0}", "atomic": "atomic_t *{0}", "lock": "spinlock_t *{0}",
               "pointer": "int **{0}"}
_ASSIGNED = re.compile(r"\b([a-z]\w*) = ")


def litmus_text(
    races: Races, case: RaceCase, name: str, left_out: str = "", mended: str = "",
) -> str:
    """The test of a case, perhaps with one barrier or part left out, and with what mends it.

    Raises UsageError where a start is missing.
    """
    bodies = [_numbered(races, "\n".join(_body(races.threads[thread], case, left_out, mended)))
              for thread in case.race.threads]
    used = [x for x in races.locations if any(re.search(rf"\b{x}\b", body) for body in bodies)]
    used += [value for x in list(used) if races.locations[x].type == "pointer"
             for value in (_start(races, case, x),) if value not in used]
    starts = "\n".join("\t" + _numbered(races, _NAMES[races.locations[x].type].format(
        x, _start(races, case, x))) for x in used
                       if races.locations[x].type in _NAMES)
    parameters = [", ".join(_PARAMETERS[races.locations[x].type].format(x) for x in used
                            if re.search(rf"\b{x}\b", body)) for body in bodies]
    threads = "\n\n".join(
        f"P{i}({given})\n{{\n{_registers(races.threads[thread], body)}{body}\n}}"
        for i, (thread, given, body) in enumerate(zip(case.race.threads, parameters, bodies,
                                                      strict=True)))
    ends = [f"{i}:done=1" for i in range(len(bodies))]
    more = case.race.bad.get(case.under.partition("/")[0], "")
    condition = " /\\ ".join([*ends, *([_numbered(races, more)] if more else [])])
    return f"C {name}\n\n{{\n{starts}\n}}\n\n{threads}\n\nexists ({condition})\n"


def _body(thread: RaceThread, case: RaceCase, left_out: str, mended: str) -> Iterator[str]:
    """The lines of a thread: each need opens an `if`, which stays open to the end."""
    depth = 1
    for step in thread.steps:
        code = _code(step, case.words, left_out, mended)
        if not code:
            continue
        if step.needs:
            yield "\t" * depth + f"if ({code}) {{"
            depth += 1
        else:
            yield "\t" * depth + code
    yield "\t" * depth + "done = 1;"
    for at in range(depth - 1, 0, -1):
        yield "\t" * at + "}"


def _code(step: RaceStep, words: frozenset[str], left_out: str, mended: str) -> str:
    if not step.when <= words:
        return ""
    if step.kind == "mend":
        put = step.code if not step.instead else step.instead
        return put if step.name == mended else step.code if step.instead else ""
    gone = step.kind in ("barrier", "part") and step.name == left_out and step.only <= words
    return step.instead if gone else step.code


def _start(races: Races, case: RaceCase, location: str) -> str:
    for when, value in races.locations[location].starts:
        if when <= case.words:
            return value
    raise UsageError(f"race {case.name}, {case.under}: {location} starts with no value")


def _numbered(races: Races, text: str) -> str:
    return re.sub(r"\b[A-Z][A-Z_]+\b", lambda found: str(races.values.get(found[0], found[0])),
                  text)


def _registers(thread: RaceThread, body: str) -> str:
    pointers = {step.pointer for step in thread.steps}
    names = dict.fromkeys(found for found in _ASSIGNED.findall(body))
    return "".join(f"\tint *{x};\n" if x in pointers else f"\tint {x} = 0;\n" for x in names)
