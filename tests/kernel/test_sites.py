# SPDX-License-Identifier: GPL-2.0-or-later
"""Every use of a helper in the kernel is modelled by a transition, or a reason says why not."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

import pytest

from verifier.kernel.sites.scan import Occurrence, scan_text, scan_tree
from verifier.meeting.sites import CLAIMED, LATER, OUT, SiteClaims, judge, load_claims
from verifier.run.library import load_library

TREE = os.environ.get("KERNEL_TREE")
pytestmark = pytest.mark.skipif(TREE is None, reason="needs a kernel tree: KERNEL_TREE")


@pytest.fixture(scope="module")
def claims() -> SiteClaims:
    library = load_library()
    return load_claims(library.spec_folder, library.catalogue)


@pytest.fixture(scope="module")
def found(claims: SiteClaims) -> list[Occurrence]:
    return list(scan_tree(Path(str(TREE)), claims.wanted))


def test_none_is_unclaimed_and_none_is_not_understood(
    claims: SiteClaims, found: list[Occurrence]
) -> None:
    sites = list(judge(claims, found))
    assert Counter(site.status for site in sites).keys() <= {CLAIMED, LATER, OUT}
    assert len(sites) > 1000 and not claims.gone(sites)


def test_no_occurrence_is_passed_over(claims: SiteClaims, found: list[Occurrence]) -> None:
    """A search for words, without a parser, finds as many in each file, at the same lines."""
    words = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
    names = re.compile(
        "|".join(f"(?:{name})" for group in claims.wanted.kinds.values() for name in group)
    )
    for path in claims.wanted.find_files(Path(str(TREE))):
        file = str(path.relative_to(str(TREE)))
        lines = [
            number
            for number, line in enumerate(path.read_text(errors="replace").split("\n"), 1)
            for word in words.findall(line)
            if names.fullmatch(word)
        ]
        assert lines == [one.line for one in found if one.file == file], file


def test_a_call_that_somebody_adds_is_noticed(claims: SiteClaims) -> None:
    """In a function of its own it is unclaimed, whatever the file."""
    text = (Path(str(TREE)) / "mm/memory.c").read_bytes()
    body = b"set_pte(p, pte_mkwrite_novma(ptep_get(p)));"
    more = b"\nstatic void make_writable(pte_t *p) { " + body + b" }\n"
    new = [
        site
        for site in judge(claims, scan_text("mm/memory.c", text + more, claims.wanted))
        if site.status == "unclaimed"
    ]
    assert [(site.use.function, site.use.helper) for site in new] == [
        ("make_writable", "set_pte"),
        ("make_writable", "pte_mkwrite_novma"),
    ]
