# SPDX-License-Identifier: GPL-2.0-or-later
"""What became of races, as tables of text and as plain data (pteproof.races/1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from verifier.base.columns import fold, table, wrap
from verifier.races.judge_litmus import MODELS
from verifier.races.judge_races import JudgedRace

__all__ = ["races_data", "races_text"]

_CLAIM = (
    "Each race on its own, as the kernel orders it: can it end badly under sequential consistency, "
    "TSO, the kernel's memory model (LKMM)? BAD says that an execution of the model does.")


def races_text(found: Sequence[JudgedRace], verbose: bool = False) -> str:
    """Verdicts of the races, which barriers they need, and what notices planted mistakes.

    Where it is `verbose`, each litmus test.
    """
    parts = [wrap(_CLAIM, ""), _verdicts(found)]
    bad = list(_bad(found))
    parts += ["\n".join(bad)] if bad else []
    for kind, head, says in (
        ("barrier", "without", "In which models some race ends badly once a barrier is left out "
         "(of what mends the race, where it is bad as it is), and which races these are:"),
        ("part", "mistake", "The same for mistakes that are planted:"),
    ):
        parts += _needs(found, kind, head, says)
    if verbose:
        parts.append("\n".join(fold(line) for line in _each(found)))
    return "\n\n".join(parts)


def _unders(found: Iterable[JudgedRace]) -> list[str]:
    """Encodings and codes, in the order of the race that has most."""
    longest: tuple[str, ...] = ()
    for one in found:
        longest = one.case.race.under if len(one.case.race.under) > len(longest) else longest
    return list(longest)


def _verdicts(found: Sequence[JudgedRace]) -> str:
    """A row for each race; several where its cases differ."""
    unders = _unders(found)
    cells: dict[str, dict[tuple[str, ...], dict[str, str]]] = {}
    for one in found:
        if one.kind == "as written":
            cells.setdefault(one.case.race.name, {}).setdefault(
                one.case.chosen, {})[one.case.under] = one.verdict
    rows = []
    for name, by_case in cells.items():
        same = len({tuple(sorted(cell.items())) for cell in by_case.values()}) == 1
        for chosen, cell in list(by_case.items())[:1 if same else None]:
            rows.append([name if same else " ".join((name, *chosen)),
                         *(cell.get(under, "") for under in unders)])
    return table(rows, ["race (SC TSO LKMM)", *unders])


def _bad(found: Sequence[JudgedRace]) -> Iterator[str]:
    """What is bad as the kernel has it, and what mends it."""
    says: dict[tuple[str, str], str] = {}
    mends: dict[tuple[str, str], dict[str, bool]] = {}
    for one in found:
        key = one.case.race.name, one.case.under
        if one.kind == "as written" and any(one.bad.values()):
            says[key] = one.case.race.says
        elif one.kind == "mended":
            some = mends.setdefault(key, {})
            some[one.name] = some.get(one.name, True) and not any(one.bad.values())
    for (name, under), what in says.items():
        mended = [mend for mend, good in mends.get((name, under), {}).items() if good]
        end = f"; mended by {', or '.join(mended)}" if mended else "; no barrier mends it"
        yield wrap(f"BAD  {name}, {under}: {what}{end}", "", "     ")


def _needs(found: Sequence[JudgedRace], kind: str, head: str, says: str) -> list[str]:
    """Of each barrier or part, the models in which some race goes bad without it."""
    base: dict[tuple[str, tuple[str, ...], str], JudgedRace] = {}
    rows: dict[str, dict[str, set[str]]] = {}
    needed: dict[str, dict[str, None]] = {}
    for one in found:
        key = one.case.race.name, one.case.chosen, one.case.under
        if one.kind == "as written" or (one.kind == "mended"
                                        and base[key].kind == "as written"):
            base[key] = one
        elif one.kind == kind:
            models = {x for x in MODELS if one.bad[x] and not base[key].bad[x]}
            rows.setdefault(one.name, {}).setdefault(one.case.under, set()).update(models)
            needed.setdefault(one.name, {}).update({one.case.race.name: None} if models else {})
    unders = [x for x in _unders(found) if any(row.get(x) for row in rows.values())]
    shown = [[what, *(_models(row.get(x)) for x in unders), " ".join(needed[what])]
             for what, row in rows.items() if needed[what]]
    idle = [what for what in rows if not needed[what]]
    return [*([wrap(says, ""), table(shown, [head, *unders, "races"])] if shown else []),
            *([wrap(f"No race here needs: {', '.join(idle)}.", "")] if idle else [])]


def _models(models: set[str] | None) -> str:
    """In the order of their strength; a dash where there is none, nothing where it is not there.

    >>> _models({"LKMM", "TSO"}), _models(set()), _models(None)
    ('TSO LKMM', '-', '')
    """
    return "" if models is None else " ".join(x for x in MODELS if x in models) or "-"


def _each(found: Sequence[JudgedRace]) -> Iterator[str]:
    for one in found:
        what = "as written" if one.kind == "as written" else (
            f"mended: {one.name}" if one.kind == "mended" else f"without: {one.name}")
        yield f"{one.verdict:<12} {one.case.name}, {one.case.under}: {what}"


def races_data(found: Sequence[JudgedRace]) -> dict[str, Any]:
    """Every litmus test with its verdicts."""
    return {"schema": "pteproof.races/1", "tests": [
        {"race": one.case.race.name, "under": one.case.under, "case": list(one.case.chosen),
         "kind": one.kind, "name": one.name, "bad": dict(one.bad), "litmus": one.text}
        for one in found]}
