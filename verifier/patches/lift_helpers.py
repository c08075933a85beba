# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's helpers before and after a patch, in the records of an outcome.

Each helper is lifted on both sides. Where one has changed, laws and obligations are judged on both:
what the kernel kept before and breaks after is broken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from verifier.kernel.conform.changed import HelperChange
from verifier.kernel.conform.law_changes import LawChange
from verifier.meeting.patched_helpers import PatchedVariant, PatchQuestion, judge_helpers
from verifier.patches.outcome import HelperOutcome, LiftedOutcome, ObligationOutcome
from verifier.patches.patch import Edited
from verifier.prove.difference import Difference

__all__ = ["Show", "judge_variants"]

# An obligation as lines of text, and as plain data.
Show = Callable[[Difference], tuple[str, Mapping[str, Any]]]
_WORDS = ("broken", "widened", "lost", "unknown", "fixed", "still broken")


def judge_variants(
    tree: Path, before: Edited, after: Edited, question: PatchQuestion, show: Show,
    claims: Mapping[str, str], progress: Callable[[str], None] = lambda _: None,
) -> LiftedOutcome:
    """What becomes of the helpers of each variant that is asked for and can read an edited file.

    show    an obligation as a reader sees it
    claims  property -> what it says
    """
    found = judge_helpers(tree, after, question, before=before, progress=progress)
    return LiftedOutcome(
        tuple(helper for one in found for helper in map(_helper, one.helpers)),
        tuple(row for one in found for row in _obligations(one, show, claims)),
        tuple(f"{one.variant}: {why}" for one in found
              for why in (one.contradictions if one.helpers else one.incomplete)),
        tuple(dict.fromkeys(f"{one.build}: {note}" for one in found for note in one.notes)),
    )


def _helper(one: HelperChange) -> HelperOutcome:
    """Its arguments, and what comes of them on both sides, with the names of fields."""
    if one.word in ("unchanged", "incomplete"):
        return HelperOutcome(one.variant, one.helper, one.word,  # type: ignore[arg-type]
                             why=one.why)
    if one.word in ("added", "gone"):
        return HelperOutcome(one.variant, one.helper, one.word,  # type: ignore[arg-type]
                             why=f"only the {'patched ' if one.word == 'added' else ''}tree has it")
    given = [f"{name}={_value(one, name, value)}" for name, value in one.inputs.items()]
    given += [f"{name}={value:#x}" for name, value in one.free.items()]
    return HelperOutcome(one.variant, one.helper, "changed", f"{one.helper}: {', '.join(given)}",
                         _side(one, "old", one.old), _side(one, "new", one.new), one.why)


def _side(one: HelperChange, side: str, values: Mapping[str, int | None]) -> str:
    return ", ".join(f"{name} {_value(one, f'{side} {name}', value)}"
                     for name, value in values.items() if value is not None)


def _value(one: HelperChange, name: str, value: int | None) -> str:
    return one.texts.get(name) or ("nothing" if value is None else f"{value:#x}")


def _obligations(
    one: PatchedVariant, show: Show, claims: Mapping[str, str],
) -> Iterator[ObligationOutcome]:
    yield from (_law(law) for law in one.laws if law.word in _WORDS)
    for found in one.differences:
        if found.word in _WORDS:
            text, data = show(found)
            note = "; ".join(filter(None, (found.note, _replayed(one, found.id))))
            yield ObligationOutcome(found.id, found.word, claims.get(found.property, ""), note,
                                    text, data)


def _replayed(one: PatchedVariant, identity: str) -> str:
    """What the patched kernel's own code shows of an obligation that is broken."""
    shown, how = one.replays.get(identity, (None, ""))
    if shown:
        return f"replayed in the patched kernel's {how}"
    return f"not replayed in the patched kernel's code: {how}" if how else ""


def _law(one: LawChange) -> ObligationOutcome:
    values = {**one.values, **one.free}
    shown = ", ".join(f"{name}={value:#x}" for name, value in values.items())
    return ObligationOutcome(f"{one.variant}/{one.level}/law/{one.law}", one.word, one.says,
                             one.why, f"    for {shown}" if shown else "",
                             {name: f"{value:#x}" for name, value in values.items()})
