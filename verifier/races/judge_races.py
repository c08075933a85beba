# SPDX-License-Identifier: GPL-2.0-or-later
"""Each case of a race under three models: as the kernel has it, with what mends it, and with each
barrier or part left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count, product

from verifier.races.judge_litmus import MODELS, happens
from verifier.races.race import Race, RaceCase, Races
from verifier.races.read_litmus import read_litmus
from verifier.races.write_litmus import litmus_text

__all__ = ["JudgedRace", "cases", "judge_race", "variations"]

@dataclass(frozen=True, slots=True)
class JudgedRace:
    """One litmus test, and what came out.

    label  the name of the test
    kind   as written; mended, with what `name` says put in; barrier or part, which is left out
    bad    by model: can it end badly?
    """

    case: RaceCase
    label: str
    kind: str
    name: str
    text: str
    bad: Mapping[str, bool]

    @property
    def verdict(self) -> str:
        """A word per model."""
        return " ".join("BAD" if self.bad[model] else "ok" for model in MODELS)


def cases(race: Race) -> Iterator[RaceCase]:
    """Every case of a race, encoding by encoding."""
    for under in race.under:
        for chosen in product(*race.cases):
            yield RaceCase(race, under, chosen)


def variations(races: Races, case: RaceCase) -> dict[str, tuple[str, ...]]:
    """The names of what can be put in (mend) or left out (barrier, part) of a case, by kind."""
    steps = [step for thread in case.race.threads for step in races.threads[thread].steps
             if step.when <= case.words and step.only <= case.words]
    return {kind: tuple(dict.fromkeys(step.name for step in steps if step.kind == kind))
            for kind in ("mend", "barrier", "part")}


def judge_race(races: Races, race: Race) -> Iterator[JudgedRace]:
    """All that is judged of a race: as written, mended if it is bad, then without each barrier and
    part. Where it is bad, these are left out of what the first mend makes of it.
    """
    for case in cases(race):
        numbers = count()

        def judged(kind: str, name: str, out: str = "", mend: str = "", case: RaceCase = case,
                   numbers: Iterator[int] = numbers) -> JudgedRace:
            label = "+".join((race.name, *case.under.split("/"), *case.chosen, str(next(numbers))))
            text = litmus_text(races, case, label, out, mend)
            return JudgedRace(case, label, kind, name, text, happens(read_litmus(text, label)))

        written = judged("as written", "")
        yield written
        can, base = variations(races, case), ""
        if any(written.bad.values()):
            for name in can["mend"]:
                yield judged("mended", name, mend=name)
            base = next(iter(can["mend"]), "")
        for kind in ("barrier", "part"):
            for name in can[kind]:
                yield judged(kind, name, name, base)
