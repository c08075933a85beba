# SPDX-License-Identifier: GPL-2.0-or-later
"""What a model says of a litmus test: whether its `exists` clause happens always, sometimes, never.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from verifier.races.events import Execution
from verifier.races.executions import candidates
from verifier.races.lkmm import allowed_by_lkmm
from verifier.races.order import Ordered
from verifier.races.plain_accesses import racy
from verifier.races.program import Litmus
from verifier.races.strong_models import allowed_by_sc, allowed_by_tso

__all__ = ["MODELS", "data_race", "happens", "observation"]

MODELS: Mapping[str, Callable[[Execution], bool]] = MappingProxyType({
    "SC": allowed_by_sc, "TSO": allowed_by_tso, "LKMM": allowed_by_lkmm,
})


def happens(litmus: Litmus) -> dict[str, bool]:
    """Of each model: does it allow an execution that ends as `exists` says?"""
    found = dict.fromkeys(MODELS, False)
    for execution in candidates(litmus, litmus.exists):
        for name, allowed in MODELS.items():
            if not found[name] and allowed(execution):
                found[name] = True
        if all(found.values()):
            break
    return found


def observation(litmus: Litmus, model: str) -> str:
    """Always, Sometimes or Never, as herd7 says it; DEADLOCK where nothing is executed at all."""
    allowed = MODELS[model]
    seen = any(allowed(execution) for execution in candidates(litmus, litmus.exists))
    otherwise = any(allowed(execution) for execution in candidates(litmus, litmus.exists, False))
    return ("Sometimes" if seen and otherwise else "Always" if seen else
            "Never" if otherwise else "DEADLOCK")


def data_race(litmus: Litmus) -> bool:
    """Has an execution that LKMM allows a data race?"""
    return any(execution.frame.plain and allowed_by_lkmm(execution) and racy(Ordered(execution))
               for expected in (True, False)
               for execution in candidates(litmus, litmus.exists, expected))
