# SPDX-License-Identifier: GPL-2.0-or-later
"""What became of patches, as text for a terminal or for a mail."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from verifier import __version__
from verifier.base.columns import columns, labelled, page, wrap
from verifier.patches.outcome import (
    HelperOutcome,
    ObligationOutcome,
    PatchOutcome,
    SeriesOutcome,
    SiteWord,
)
from verifier.report.patch_findings import named, site_text

__all__ = ["mail_text", "series_text"]

_OPEN = ("lost", "unknown")
WITH_VALUES = 5  # obligations of one kind of which the values are shown
_WORDS = {
    "untouched": "nothing that is checked is touched",
    "kept": "nothing was found broken",
    "incomplete": "not all of it is known",
    "broken": "something is broken that held before",
}
_SHOWN: tuple[SiteWord, ...] = ("came", "changed", "moved", "went")


def series_text(found: SeriesOutcome, all_broken: bool, verbose: bool) -> str:
    """Each patch with what there is to say of it, and a closing line.

    all_broken  also what failed before the patch
    verbose     also what is unchanged
    """
    lines = [f"Linux {found.version}, {found.tree}"] if found.version else []
    lines += [wrap(f"note: {note}", "", "    ") for note in found.notes]
    for patch in found.patches:
        lines += [*([""] if lines else []), *_patch_lines(patch, all_broken, verbose)]
    return "\n".join([*lines, "", wrap(_closing(found), "")])


def _patch_lines(patch: PatchOutcome, all_broken: bool, verbose: bool) -> Iterator[str]:
    yield wrap(f"{named(patch)}: {patch.word}", "", "    ")
    yield from (wrap(f"note: {note}", "  ", "      ") for note in patch.notes)
    yield from _obligations(patch.broken(), verbose, new=True)
    yield from _obligations([o for o in patch.obligations if o.word in _OPEN], verbose)
    yield from _helpers(patch.helpers, verbose)
    yield from _functions(patch, verbose)
    yield from _sites(patch)
    if patch.word == "kept" and not (patch.functions or patch.helpers or patch.sites):
        yield wrap("no function that specs/ speaks of changes, and no use of a helper of entries")
    yield from (wrap(f"incomplete: {text}", "  ", "      ") for text in patch.incomplete)
    yield from _fixed([o for o in patch.obligations if o.word == "fixed"], verbose)
    before = patch.before()
    if before and all_broken:
        yield "  failed before this patch as well:"
        yield from _obligations(before, verbose)
    elif before:
        yield wrap(f"failed before this patch as well: {len(before)} (--all-broken lists them)")


def _obligations(
    found: Sequence[ObligationOutcome], verbose: bool, new: bool = False,
) -> Iterator[str]:
    """The first laws and the first obligations of steps with their values, the others by name."""
    mark = ">> " if new and page().mail else "  "
    shown: Counter[bool] = Counter()
    for one in found:
        yield labelled(f"{mark}{one.word}  ", one.id)
        is_law = "/law/" in one.id
        shown[is_law] += 1
        if shown[is_law] > WITH_VALUES and not verbose:
            continue
        if one.claim or one.note:
            yield wrap("; ".join(text for text in (one.claim, one.note) if text), "      ")
        if one.shown:
            yield one.shown


def _fixed(found: Sequence[ObligationOutcome], verbose: bool) -> Iterator[str]:
    """What a patch mends: in a line for each step, where it is much and not all is told."""
    by_step: dict[str, list[ObligationOutcome]] = {}
    for one in found:
        by_step.setdefault(one.id.rpartition("/")[0], []).append(one)
    for step, those in by_step.items():
        if verbose or len(those) == 1:
            yield from _obligations(those, verbose)
        else:
            names = ", ".join(one.id.rpartition("/")[2] for one in those)
            yield wrap(f"fixed  {step}: {names}", "  ", "      ")


def _helpers(found: Sequence[HelperOutcome], verbose: bool) -> Iterator[str]:
    for variant, count in Counter(h.variant for h in found if h.word == "unchanged").items():
        yield f"  {variant}: unchanged in meaning: {count} {'helper' if count == 1 else 'helpers'}"
    for one in found:
        if one.word == "changed":
            yield wrap(f"{one.variant}: {one.helper} changes: {one.call}", "  ", "      ")
            yield from (wrap(line, "      ", "              ") for line in one.shown())
        elif one.word != "unchanged":
            yield wrap(f"{one.word}: {one.variant}: {one.helper}: {one.why}", "  ", "      ")
        elif verbose:
            yield f"    {one.helper}"


def _functions(patch: PatchOutcome, verbose: bool) -> Iterator[str]:
    for one in patch.functions:
        said = (f"to the specs' code {', '.join(one.codes)}" if one.word == "equal" else one.why)
        yield wrap(f"{one.word}: {one.place}: {said}", "  ", "      ")
        yield from (wrap(line, "      ", "          ") for line in one.shown.splitlines())
        if verbose and one.steps:
            yield wrap(f"modelled by {', '.join(one.steps)}", "      ")


def _sites(patch: PatchOutcome) -> Iterator[str]:
    if not patch.sites:
        return
    counts = Counter(site.word for site in patch.sites)
    said = ", ".join(f"{counts[word]} {word}" for word in _SHOWN if counts[word])
    yield f"  uses of helpers of entries: {said}"
    for site in patch.sites:
        where = f"{site.file}:{site.line}" if site.line else site.file
        open_ = site.status in ("unclaimed", "unparsed")
        yield wrap(f"incomplete: {where}: {site_text(site)}" if open_
                   else f"{where}: {site_text(site)}", "  " if open_ else "    ", "        ")


def _closing(found: SeriesOutcome) -> str:
    """How many patches of each kind, and the first that breaks something."""
    counts = Counter(patch.word for patch in found.patches)
    total = len(found.patches)
    if total == counts["untouched"]:
        return (f"{total} {'patch' if total == 1 else 'patches'}: nothing that is checked is "
                "touched.")
    said = ", ".join(f"{counts[word]} {word}" for word in ("kept", "broken", "incomplete",
                                                         "untouched") if counts[word])
    bad = found.first_bad()
    first = f" The first that breaks something is {named(bad)}." if bad is not None else ""
    return f"{total} {'patch' if total == 1 else 'patches'}: {said}.{first}"


def mail_text(found: SeriesOutcome, words: Sequence[str], all_broken: bool) -> str:
    """The text of an answer to the patch, as the kernel's test robot words its own.

    It names nobody and sends nothing. New findings have >> in front.
    """
    worst = _worst(found)
    shown = [patch for patch in found.patches if patch.word != "untouched"] or found.patches
    lines = ["Hi,", "", wrap(_greeting(found, worst), ""), ""]
    rows = [["tool:", f"pteproof {__version__}"]]
    if found.version:
        rows.append(["tree:", f"Linux {found.version}"])
    rows += [["base:", patch.base] for patch in shown[:1] if patch.base]
    rows += [["patch:", named(patch)] for patch in shown]
    rows.append(["reproduce:", " ".join(["pteproof check-patch", *words, "--tree DIR"])])
    lines += [line for row in columns(rows, whole=(0,)) for line in row]
    lines += [wrap(f"note: {note}", "", "    ") for note in found.notes]
    for patch in shown:
        lines += ["", *_marked(_patch_lines(patch, all_broken, False))]
    lines += ["", wrap(_closing(found), ""), "",
              wrap("This is a best effort: what is said to be kept is proved of the model that "
                   "docs/model.md of pteproof describes, and of nothing else.", "")]
    return "\n".join(lines)


def _worst(found: SeriesOutcome) -> str:
    words = {patch.word for patch in found.patches}
    return next(word for word in ("broken", "incomplete", "kept", "untouched") if word in words)


def _greeting(found: SeriesOutcome, worst: str) -> str:
    what = "This patch was" if len(found.patches) == 1 else "These patches were"
    return (f"{what} checked for what the entries of page tables say: "
            f"{_WORDS[worst]}.")


def _marked(lines: Iterator[str]) -> Iterator[str]:
    """What is not known is marked as new, too."""
    for line in lines:
        yield re.sub(r"^  (incomplete|differs|lost|unknown)", r">> \1", line)
