# SPDX-License-Identifier: GPL-2.0-or-later
"""What a patch loses and mends of the properties at functions of mm/, in the records of an outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby

from verifier.kernel.conform.decide import ClaimFails
from verifier.kernel.mm.functions import MmFunction
from verifier.meeting.mm.properties import Left, MmKept
from verifier.meeting.mm.report import left_lines
from verifier.model.arch import Layout
from verifier.patches.outcome import ObligationOutcome
from verifier.prove.obligations import obligation_id

__all__ = ["kept_lines", "lost_and_fixed"]


def lost_and_fixed(
    before: Sequence[MmKept], after: Sequence[MmKept], layouts: Callable[[str], Layout],
    claims: Mapping[str, str],
) -> Iterator[ObligationOutcome]:
    """Each property that what a function leaves breaks, or broke before the patch.

    In the place of the step, an id has the name of the function's record.
    """
    was = {(one.group, one.function.name): one for one in before}
    for one in after:
        old = was.get((one.group, one.function.name))
        broken = old.broken if old is not None else {}
        known = old is not None and not old.open
        for name, values in one.broken.items():
            word = "still broken" if name in broken else "broken" if known else "unknown"
            yield _told(one, name, word, values, layouts, claims)
        for name, values in broken.items():
            if name not in one.broken and not one.open:
                yield _told(one, name, "fixed", values, layouts, claims)


def _told(
    one: MmKept, name: str, word: str, values: ClaimFails[Left],
    layouts: Callable[[str], Layout], claims: Mapping[str, str],
) -> ObligationOutcome:
    note = f"of what {one.function.file}:{one.function.function} leaves"
    note += {"fixed": ", as it was before the patch",
             "unknown": "; before the patch that is not known"}.get(word, "")
    return ObligationOutcome(
        obligation_id(one.group, one.function.name, name), word, claims.get(name, ""), note,
        "\n".join(left_lines(values, layouts(one.group.variant))),
        {name: f"{value:#x}" for name, value in values.values.items()})


def kept_lines(records: Sequence[MmFunction], kept: Sequence[MmKept]) -> Iterator[str]:
    """Which properties a function breaks, and where they were not asked."""
    mine = [one for one in kept if one.function in records]
    if not mine:
        yield "properties are not asked of it: it is not the whole of a step"
        return
    for group, ones in groupby(mine, key=lambda one: one.group):
        found = list(ones)
        good = [one for one in found if not one.broken and not one.open]
        theorem = f"{group.encoding}/{group.code}"
        if good:
            yield (f"{group.variant}: what it leaves breaks none of {good[0].asked} properties of "
                   f"{theorem}: {', '.join(one.function.name for one in good)}")
        for one in found:
            if one.broken:
                yield (f"{group.variant}: what it leaves breaks {', '.join(one.broken)} of "
                       f"{theorem}: {one.function.name}")
            if one.open:
                yield f"{group.variant}: {one.function.name}: {one.open}"
