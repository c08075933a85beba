# SPDX-License-Identifier: GPL-2.0-or-later
"""What a patch loses and mends at functions of mm/, from what was found before and after it."""

from __future__ import annotations

from verifier.kernel.conform.decide import ClaimFails
from verifier.kernel.mm.read_functions import load_functions
from verifier.meeting.mm.properties import Left, MmKept
from verifier.patches.kept import kept_lines, lost_and_fixed
from verifier.prove.obligations import Group
from verifier.run.library import Library

FORK = load_functions()["copy_present_ptes"]
GROUP = Group("x86_64", "pte", "option-c", "option-c")
VALUES: ClaimFails[Left] = ClaimFails({"entry.A": 0x67, "ksm": 0}, Left(
    {"frame": True}, {"parent": (0x67, 0x65)}, {}, ()))


def kept(*broken: str, unknown: str = "") -> list[MmKept]:
    return [MmKept(FORK, GROUP, dict.fromkeys(broken, VALUES), 54, unknown, 0.0)]


def words(before: list[MmKept], after: list[MmKept], library: Library) -> dict[str, str]:
    found = lost_and_fixed(before, after, library.layout, {"frame": "it stays"})
    return {one.id.removeprefix("x86_64/pte/option-c/copy_present_ptes/option-c/"): one.word
            for one in found}


def test_words(library: Library) -> None:
    assert words(kept(), kept("frame"), library) == {"frame": "broken"}
    assert words(kept("frame"), kept(), library) == {"frame": "fixed"}
    assert words(kept("frame"), kept("frame", "pin-stays"), library) == {
        "frame": "still broken", "pin-stays": "broken"}
    assert words(kept(), kept(), library) == {}


def test_what_is_not_known_before_is_not_said_to_be_new(library: Library) -> None:
    assert words([], kept("frame"), library) == {"frame": "unknown"}
    assert words(kept(unknown="time"), kept("frame"), library) == {"frame": "unknown"}
    assert words(kept("frame"), kept(unknown="time"), library) == {}  # nor is it mended


def test_values_are_shown_before_and_after(library: Library) -> None:
    (one,) = lost_and_fixed(kept(), kept("frame"), library.layout, {"frame": "it stays"})
    assert one.claim == "it stays" and one.note == "of what mm/memory.c:copy_present_ptes leaves"
    assert "entry of parent before: 0x67" in one.shown
    assert "entry of parent after: 0x65" in one.shown
    assert "ksm" not in one.shown and one.data == {"entry.A": "0x67", "ksm": "0x0"}


def test_lines_say_what_was_proved_and_what_was_not_asked() -> None:
    (line,) = kept_lines([FORK], kept())
    assert line == ("x86_64: what it leaves breaks none of 54 properties of option-c/option-c: "
                    "copy_present_ptes")
    (line,) = kept_lines([FORK], kept("frame"))
    assert "what it leaves breaks frame of option-c/option-c" in line
    (line,) = kept_lines([FORK], kept(unknown="calls f"))
    assert line == "x86_64: copy_present_ptes: calls f"
    (line,) = kept_lines([FORK], [])
    assert line.startswith("properties are not asked of it")
