# SPDX-License-Identifier: GPL-2.0-or-later
"""How a state is reached in which the old keeps a property and the new breaks it.

The trace has steps of the new. All but the last keep every property, as in any trace. The last one
breaks it, from a state and with inputs under which the old's step does not, whatever it observes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice

from verifier.engine.bits import Word
from verifier.language.syntax import BOOL
from verifier.language.values import Fresh, Value
from verifier.model.step import Step, instances, run
from verifier.prove.difference import LUCKS, Difference, Pair, here, lucks, own
from verifier.prove.recompute import instance_of, step_move
from verifier.prove.step_judge import StepJudge
from verifier.search.rules import Rules, Target
from verifier.search.sequences import KIN, Known, akin
from verifier.search.trace import Search

__all__ = ["with_trace"]

MARK = "beyond the old: "  # before the property's name, where the old keeps it
ASIDE = "old "
ROUNDS = 16


@dataclass(frozen=True, slots=True)
class _Kept:
    """The condition on the last step that the old keeps the property under each of these lucks."""

    pair: Pair
    target: Target
    known: tuple[Mapping[str, int | bool], ...]

    def conditions(
            self, judge: StepJudge[Word, int], step: Step[Word, int], found: Mapping[str, int]
    ) -> dict[str, int]:
        transition, prop = self.target
        if step.instance.name != transition or prop not in found:
            return {}
        return {MARK + prop: judge.alg.all(found[prop], self._kept(judge, step))}

    def property(self, name: str) -> str:
        return name.removeprefix(MARK)

    def without(self, inputs: Mapping[str, int | bool]) -> dict[str, int | bool]:
        return {name: value for name, value in inputs.items() if not name.startswith(ASIDE)}

    def _kept(self, judge: StepJudge[Word, int], step: Step[Word, int]) -> int:
        """The old takes the step under some luck, and keeps the property under each known one."""
        alg, fresh = judge.alg, judge.fresh
        goes, _ = self._old(judge, step, lambda n, k: fresh(ASIDE + n if own(n) else n, k))
        conditions = [goes]
        for luck in self.known:
            def chosen(name: str, kind: int, luck: Mapping[str, int | bool] = luck) -> Value:
                if not own(name):
                    return fresh(name, kind)
                value = luck.get(name, 0)
                return alg.truth(bool(value)) if kind == BOOL else alg.word(int(value), kind)

            conditions.append(alg.neg(alg.all(*self._old(judge, step, chosen))))
        return int(alg.all(*conditions))

    def _old(
            self, judge: StepJudge[Word, int], step: Step[Word, int], fresh: Fresh
    ) -> tuple[int, int]:
        """Where the old takes the step, and where it then violates the property."""
        old, alg = self.pair.old, judge.alg
        memory = old.memory(alg, fresh)
        theirs = run(old, alg, dict(step.before), here(old, step.instance), self.pair.group.code,
                     fresh, memory)
        asked = StepJudge(old, self.pair.group, alg, fresh, memory)
        ways = [w.bad for p in asked.properties() if p.name == self.target[1]
                for w in asked.ways(p, theirs)]
        return alg.all(*theirs.assumed, *map(alg.neg, memory.take().values())), alg.any(*ways)


def with_trace(
        pair: Pair, found: Difference, depth: int, seconds: float, sequences: Known
) -> Difference:
    """A difference with its trace from a fresh mapping, if one is found.

    `depth` steps and `seconds` bound the search. Steps that led to similar failures are tried
    first.
    """
    known: list[Mapping[str, int | bool]] = [{}]
    deadline = time.monotonic() + seconds
    target = (found.transition, found.property)
    for _ in range(ROUNDS):
        rules = Rules(frozenset([target]), further=_Kept(pair, target, tuple(known)))
        search = Search(pair.new, pair.group, rules, max(0.0, deadline - time.monotonic()))
        ends = [i.label for i in instances(pair.new) if i.name == target[0]]
        tried = (s for s in akin(sequences, pair.group.encoding, pair.group.code, target, ends)
                 if len(s) <= depth)
        aim = (target[0], MARK + target[1])
        along = (search.along(s, aim) for s in islice(tried, KIN) if not search.late())
        hinted = next((trace for trace in along if trace), None)
        trace = hinted or next((t for _, t in search.find([aim], depth)), ())
        if not trace:
            break
        ways = lucks(pair.old, pair.group, trace[-1])
        luck = next((luck for luck, broken, may in islice(ways, LUCKS)
                     if may and target[1] in broken), None)
        if luck is None and next(ways, None) is not None:
            break  # not all that the old may observe can be tried
        if luck is None:
            last = trace[-1]
            old = step_move(pair.old, pair.group, instance_of(pair.old, last), dict(last.before),
                            dict(last.inputs))
            return replace(found, trace=trace, move=last, old=old)
        if luck in known:
            break
        known.append(luck)
    return replace(found, note="no trace was found from a fresh mapping")
