# SPDX-License-Identifier: GPL-2.0-or-later
"""What earlier runs found about a group: proofs, failures, and traces as hints.

It is kept under XDG_CACHE_HOME/pteproof. A proof and a failure are kept under a digest of all that
they rest on (verifier/run/grounds.py). A failure is recomputed with plain integers before it is
told (verifier/run/recall.py). A trace is a hint, whatever it rests on. A damaged file is ignored.
Files are replaced whole, so a killed run, or two runs at once, lose nothing but time.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from verifier.base.digests import digest
from verifier.base.store import read_sealed, write_sealed
from verifier.prove.obligations import Group, Obligation
from verifier.prove.results import Move, Result, Verdict
from verifier.run.codec import from_plain, to_plain
from verifier.run.grounds import Grounds

__all__ = ["Cache"]


class Cache:
    """One group's file: proofs by transition, failures by obligation, and traces."""

    def __init__(self, group: Group, grounds: Grounds, folder: Path | None) -> None:
        self.grounds = grounds
        self.path = None if folder is None else folder / "proofs" / f"{digest(group)[:24]}.json"
        self.data: dict[str, dict[str, Any]] = {"proofs": {}, "failures": {}, "traces": {}}
        self._inhabitants: dict[str, Move | None] = {}  # of transitions, read once
        found = read_sealed(self.path)
        for part, kept in self.data.items():
            if isinstance(found, dict) and isinstance(found.get(part), dict):
                kept.update(found[part])
        self.changed = False

    def proved(self, transition: str, prop: str) -> Move | bool:
        """Was it proved on the same grounds? The inhabitant then, or True where there is none."""
        match self.data["proofs"].get(transition):
            case {"digest": str(known), "properties": dict(props), "assumed": list(),
                  "inhabitant": inhabitant, "shown": dict(shown)}:
                if known != self.grounds.proofs.get(transition):
                    return False
            case _:
                return False
        if prop in shown:
            try:
                step: Move = from_plain(Move, shown[prop])
                return step
            except ValueError:
                return False
        if prop not in props or self.assumed(transition, prop) is None:
            return False
        try:
            if transition not in self._inhabitants:
                self._inhabitants[transition] = from_plain(Move | None, inhabitant)
        except ValueError:
            return False
        return self._inhabitants[transition] or True

    def assumed(self, transition: str, prop: str) -> tuple[str, ...] | None:
        """What a kept proof assumes, by name; None where that is not known.

        A proof by a step that shows it assumes nothing.
        """
        match self.data["proofs"].get(transition):
            case {"shown": dict(shown)} if prop in shown:
                return ()
            case {"properties": dict(props), "assumed": list(known)}:
                number = props.get(prop)
                if type(number) is int and 0 <= number < len(known):
                    names = known[number]
                    if isinstance(names, list) and all(isinstance(name, str) for name in names):
                        return tuple(names)
        return None

    def keep(self, transition: str, prop: str, inhabitant: Move | None,
             assumed: Sequence[str] = (), shows: bool = False) -> None:
        """Keep a proof with its step and the names of what it assumes.

        `shows` says that the step is what the proof is about; otherwise any step of the transition
        will do. Most proofs of a transition assume the same: `properties` has the number of each
        one's names in `assumed`.
        """
        known = self.grounds.proofs.get(transition)
        if self.path is None or known is None:
            return
        entry = self.data["proofs"].get(transition)
        if not isinstance(entry, dict) or entry.get("digest") != known:
            entry = {"digest": known, "properties": {}, "assumed": [], "inhabitant": None,
                     "shown": {}}
            self.data["proofs"][transition] = entry
        if shows:
            entry["shown"][prop] = to_plain(inhabitant)
        elif prop not in entry["properties"]:
            names = list(assumed)
            if names not in entry["assumed"]:
                entry["assumed"].append(names)
            entry["properties"][prop] = entry["assumed"].index(names)
            entry["inhabitant"] = entry["inhabitant"] or to_plain(inhabitant)
        self.changed = True

    def failed(self, obligation: Obligation) -> Result | None:
        """How it failed on the same grounds, to be recomputed before it is told."""
        match self.data["failures"].get(f"{obligation.transition}/{obligation.property}"):
            case {"digest": self.grounds.failures, "verdict": verdict, "solver": str(solver),
                  "told": told}:
                try:
                    assumptions, ways = from_plain(tuple[tuple[str, ...], tuple[str, ...]], told)
                    return Result(obligation, from_plain(Verdict, verdict), 0.0, solver, True,
                                  assumptions, ways)
                except ValueError:
                    return None
        return None

    def searched(self, obligation: Obligation) -> tuple[int, int]:
        """How much the search for its trace was allowed: steps, and nodes.

        Nothing where that is not known.
        """
        match self.data["failures"].get(f"{obligation.transition}/{obligation.property}"):
            case {"allowed": [int(steps), int(nodes)]}:
                return steps, nodes
        return 0, 0

    def keep_failure(self, result: Result, steps: int = 0, nodes: int = 0) -> None:
        """Keep a failure: refuted with its trace, searched for in vain as far as was allowed, or
        vacuous.
        """
        if self.path is None:
            return
        name = f"{result.obligation.transition}/{result.obligation.property}"
        self.data["failures"][name] = {
            "digest": self.grounds.failures, "verdict": to_plain(result.verdict),
            "solver": result.solver,
            "told": to_plain((result.assumptions, result.ways)), "allowed": [steps, nodes],
        }
        self.changed = True

    def hint(self, name: str) -> tuple[Move, ...]:
        """A trace that was found before; the caller recomputes it."""
        try:
            found: tuple[Move, ...] = from_plain(tuple[Move, ...],
                                                 self.data["traces"].get(name, []))
        except ValueError:
            return ()
        return found

    def keep_hint(self, name: str, trace: tuple[Move, ...]) -> None:
        """Keep a trace under what it leads to."""
        self.data["traces"][name] = to_plain(trace)
        self.changed = True

    def write(self) -> None:
        """Replace the file."""
        if self.path is not None and self.changed:
            write_sealed(self.path, self.data)
            self.changed = False
