# SPDX-License-Identifier: GPL-2.0-or-later
"""Laws over any entry see what laws over made entries cannot: an entry that hardware alone made
dirty.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from verifier.base.errors import SpecError
from verifier.kernel.conform.laws import LawFails, LawHolds, NotApplicable, judge_law
from verifier.model.arch import Layout
from verifier.model.laws import Law, load_laws
from verifier.run.library import Library


def law(name: str, level: str = "pte") -> Law:
    return next(one for one in load_laws() if (one.name, one.level) == (name, level))


def judged(layout: Layout, name: str, level: str = "pte") -> type:
    return type(judge_law(law(name, level), layout, None))


@pytest.mark.parametrize(("variant", "helper", "body", "made", "free"), [
    # dirty that the walker left in the place of software's bit is not moved
    ("arm64-4k+dbm", "pte_wrprotect", "(pte & ~WRITE) | RDONLY", "wrprotect-keeps-dirty",
     "any-wrprotect-keeps-dirty"),
    ("loongarch+ptw", "pte_wrprotect", "pte & ~(WRITE | DIRTY)", "wrprotect-keeps-dirty",
     "any-wrprotect-keeps-dirty"),
    # one of two dirty bits stays
    ("loongarch+ptw", "pte_mkclean", "pte & ~MODIFIED if (pte & MODIFIED) != 0 else pte & ~DIRTY",
     "same-as-itself", "any-clean-after-mkclean"),
    ("x86_64+shstk", "pte_mkclean",
     "pte & ~(DIRTY | SAVED_DIRTY) if pte_write(pte) or (pte & DIRTY) != 0 else pte",
     "same-as-itself", "any-clean-after-mkclean"),
])
def test_a_planted_loss(
        library: Library, variant: str, helper: str, body: str, made: str, free: str
) -> None:
    layout = library.layout(variant)
    assert judged(layout, made) is LawHolds and judged(layout, free) is LawHolds
    wrong = layout.with_body(helper, body)
    assert judged(wrong, made) is LawHolds, "the law over made entries does not see it"
    assert judged(wrong, free) is LawFails


@pytest.mark.parametrize(("variant", "name", "values"), [
    ("arm64-4k", "any-mkwrite-keeps-dirty", {"pte": 0}),
    ("hexagon", "any-modify-keeps-dirty", {"pte": 0x3, "read": 0, "write": 0, "exec": 0}),
    ("m68k-coldfire", "any-modify-gives-no-write",
     {"pte": 0x400, "read": 0, "write": 1, "exec": 0}),
])
def test_what_is_found(library: Library, variant: str, name: str, values: dict[str, int]) -> None:
    found = judge_law(law(name), library.layout(variant), None)
    assert isinstance(found, LawFails) and dict(found.values) == values


def test_where_a_law_says_nothing_it_says_why(library: Library, tmp_path: Path) -> None:
    found = judge_law(law("any-write-after-mkwrite"), library.layout("um"), None)
    assert isinstance(found, NotApplicable) and "PROT_NONE" in found.reason
    folded = judge_law(law("leaf-after-mkhuge", "pud"), library.layout("arm64-64k"), None)
    assert isinstance(folded, NotApplicable) and "folded" in folded.reason
    path = tmp_path / "laws.yaml"
    path.write_text("read: x\nlaws:\n"
                    "  a(pte): {levels: [pte], source: x, not_for: {x: [1]}, holds: 'True'}\n")
    with pytest.raises(SpecError):
        load_laws(path)
