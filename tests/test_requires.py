# SPDX-License-Identifier: GPL-2.0-or-later
"""What a step may require is what callers and locks give, and its reason names them.

Two rules, over all of specs/transitions, and each with a planted line that it names. A test that
the function itself makes belongs into its code, where a proof sees it. And whether a page is
exclusive is what the theorem is about: a step that requires it, or its opposite, assumes what is to
be proved, unless an earlier step under the same lock has made it so. (One that required of uprobes
that the page is not exclusive hid that a pinned page is replaced: docs/findings/uprobes.md.)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from verifier.model.spec import Transition
from verifier.model.texts import Axiom
from verifier.run.library import load_library

Rule = Callable[[Mapping[str, Transition]], list[str]]

SPEC = load_library().spec
_PLACE = re.compile(r"[\w/.-]+\.(?:c|h|rst):?\w*")
READS_EXCLUSIVE = re.compile(r"\bexclusive(?:_on_device|_in_device|_now)?\(")

# The step that made it so, under a lock that is still held.
MADE_BEFORE = {
    ("ksm-stabilise", "write-protected"): "ksm-write-protect",
    ("ksm-replace", "write-protected"): "ksm-write-protect",
}


def own_tests(transitions: Mapping[str, Transition]) -> list[str]:
    """The requirements whose reason names no place but the step's own function.

    What only says which page is tracked aside.
    """
    return [f"{t.name}/{r.name}" for t in transitions.values() for r in t.requires
            if not r.because.startswith("scope: ")
            and not set(_PLACE.findall(r.because)) - {t.site}]


def assumed(transitions: Mapping[str, Transition]) -> list[str]:
    """The requirements that read exclusivity, and that no earlier step made so.

    Those that only keep traces short aside.
    """
    return [f"{t.name}/{r.name}" for t in transitions.values() for r in t.requires
            if not r.traces and READS_EXCLUSIVE.search(r.holds.text)
            and (t.name, r.name) not in MADE_BEFORE]


def with_one_more(transition: str, name: str, holds: str, because: str) -> dict[str, Transition]:
    """The transitions, one of which requires one more thing."""
    found = SPEC.transitions[transition]
    source = next(iter(found.codes.values()))
    axiom = Axiom(name, replace(source, text=holds), because)
    return {**SPEC.transitions, transition: replace(found, requires=(*found.requires, axiom))}


def test_every_reason_names_a_caller_or_a_lock() -> None:
    assert own_tests(SPEC.transitions) == []


def test_nothing_requires_what_is_to_be_proved() -> None:
    assert assumed(SPEC.transitions) == []


def test_what_was_made_before_is_still_required() -> None:
    for (transition, name), before in MADE_BEFORE.items():
        assert before in SPEC.transitions
        requirement = next(r for r in SPEC.transitions[transition].requires if r.name == name)
        assert READS_EXCLUSIVE.search(requirement.holds.text)
        assert SPEC.transitions[before].site in requirement.because


@pytest.mark.parametrize(("transition", "name", "holds", "because", "rule"), [
    # As it stood: the reason names the caller, which asks nothing of the kind.
    ("uprobe-replace", "not-exclusive", "tracks_new == 1 or ksm or not exclusive(entry[p])",
     "kernel/events/uprobes.c:uprobe_write_opcode works on the page that FOLL_FORCE gave; an "
     "anonymous one is written in place",
     assumed),
    ("uprobe-replace", "present", "present(entry[p])",
     "kernel/events/uprobes.c:__replace_page, pte_present()", own_tests),
    ("mprotect-pte", "maps", "maps(p)",
     "mm/mprotect.c:change_pte_range, pte_present(); other pages are not tracked", own_tests),
    ("swap-in", "no-reason", "resident", "read-ahead brings the folio", own_tests),
])
def test_a_line_that_is_put_back_is_named(transition: str, name: str, holds: str, because: str,
                                          rule: Rule) -> None:
    before = rule(SPEC.transitions)
    assert ([x for x in rule(with_one_more(transition, name, holds, because))
             if x not in before] == [f"{transition}/{name}"])
