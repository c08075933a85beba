# SPDX-License-Identifier: GPL-2.0-or-later
"""The places of a kernel that use helpers of entries, as text and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from verifier.meeting.site_changes import Changes
from verifier.meeting.sites import STATUSES, UNCLAIMED, UNPARSED, Site

__all__ = ["sites_data", "sites_text"]

_SAYS = {
    "claimed": "in a function that a transition models",
    "later": "in a function that nothing models yet: a gap, with its reason",
    "out of scope": "in a function that needs no transition, with its reason",
    "unclaimed": "in a function that nobody has looked at",
    "unparsed": "that the parser of C did not understand",
}


def sites_text(
    version: str,
    sites: Sequence[Site],
    gone: Sequence[tuple[str, str]],
    changes: tuple[str, Changes] | None,
    verbose: bool,
) -> str:
    """How many uses there are of each status, and each one that is open.

    Where it is `verbose`, each one.
    """
    files = len({site.use.file for site in sites})
    functions = len({(site.use.file, site.use.function) for site in sites})
    lines = [
        f"Linux {version}: {len(sites):,} uses of helpers of entries, "
        f"in {functions:,} functions of {files:,} files",
        "",
    ]
    counts = Counter(site.status for site in sites)
    lines += [f"  {counts[status]:>5,}  {status:<12}  {_SAYS[status]}" for status in STATUSES]
    listed = [s for s in sites if verbose or s.status in (UNCLAIMED, UNPARSED)]
    lines += ["", *_listed(listed)] if listed else []
    if any(s.status == UNCLAIMED for s in sites):
        lines += [
            "",
            "Name an unclaimed function in specs/sites.yaml: under `rows`, with the rows of",
            "specs/catalogue.yaml that are about it, or under `out`, with a reason.",
        ]
    if gone:
        lines += ["", f"{len(gone)} functions that specs/sites.yaml names use no helper here:"]
        lines += [f"  {file}:{function}" for file, function in gone]
    if changes is not None:
        lines += ["", *_changed(*changes, verbose)]
    return "\n".join(lines)


def _listed(sites: Sequence[Site]) -> Iterator[str]:
    for site in sites:
        use = site.use
        function = use.function or "(outside of functions)"
        yield f"{use.file}:{use.line}: {function}: {use.helper}: {site.status}"
        if site.by:
            yield f"    {', '.join(site.rows)}: {', '.join(site.by)}"
        elif site.why:
            yield f"    {site.why}"


def _changed(before: str, changes: Changes, verbose: bool) -> Iterator[str]:
    yield (
        f"Against Linux {before}: {changes.same:,} the same, {len(changes.moved)} moved, "
        f"{len(changes.changed)} changed, "
        f"{len(changes.came)} came, {len(changes.went)} went"
    )
    for old, new in changes.moved:
        yield f"  moved    {old.file}:{old.function} > {new.file}:{new.function}: {new.helper}"
    for _, new in changes.changed if verbose else ():
        yield f"  changed  {new}"
    for new in changes.came:
        yield f"  came     {new}"
    for old in changes.went:
        yield f"  went     {old}"


def sites_data(
    version: str,
    sites: Sequence[Site],
    gone: Sequence[tuple[str, str]],
    changes: tuple[str, Changes] | None,
) -> dict[str, object]:
    """The same for programs: every use with its status."""
    counts = Counter(site.status for site in sites)
    data: dict[str, object] = {
        "schema": "pteproof.sites/1",
        "version": version,
        "counts": {status: counts[status] for status in STATUSES},
        "sites": [
            {
                "file": s.use.file,
                "line": s.use.line,
                "function": s.use.function,
                "helper": s.use.helper,
                "kind": s.kind,
                "use": s.use.kind,
                "status": s.status,
                "rows": list(s.rows),
                "by": list(s.by),
                "why": s.why,
                "digest": s.use.digest,
            }
            for s in sites
        ],
        "gone": [f"{file}:{function}" for file, function in gone],
    }
    if changes is not None:
        before, found = changes
        data["against"] = {
            "version": before,
            "same": found.same,
            "moved": [[str(a), str(b)] for a, b in found.moved],
            "changed": [[str(a), str(b)] for a, b in found.changed],
            "came": [str(use) for use in found.came],
            "went": [str(use) for use in found.went],
        }
    return data
